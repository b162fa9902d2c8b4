//! The crash model of the simulated disk: what a sync promises holds in every state, what no sync promised is lost
//! in some, and nothing is ever half.

#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::Arc;

use fcs_sys::{Attributes, DirRef, FileRef, Kind, Name, Rename, Time, Times};
use fcs_testkit::faulty::{Act, Call, wrap};
use fcs_testkit::sim::{Budget, CrashState, Explored, Options, Recording, SimFs};

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

fn folder(fs: &SimFs, path: &str) -> DirRef {
    path.split('/')
        .filter(|p| !p.is_empty())
        .fold(fs.root().dir, |dir, part| dir.open_dir(&name(part)).unwrap())
}

fn write(dir: &DirRef, n: &str, bytes: &[u8]) -> FileRef {
    let file = dir.create_file(&name(n)).unwrap();
    assert_eq!(file.write_at(bytes, 0).unwrap(), bytes.len());
    file
}

const AMPLE: Budget = Budget { exhaustive: 20_000, samples: 300 };

fn each(recording: &Recording, mut f: impl FnMut(&CrashState<'_>, &SimFs)) -> Explored {
    recording.for_each_crash_state(AMPLE, 7, &mut |state| {
        f(state, &state.mount());
        ControlFlow::Continue(())
    })
}

/// Every state of the last point, as lines of `path=content`.
fn outcomes(fs: &SimFs) -> BTreeSet<String> {
    let recording = fs.recording();
    let mut found = BTreeSet::new();
    let _ = recording.at(recording.points() - 1).for_each_state(AMPLE, 7, &mut |state| {
        found.insert(text(&state.mount()));
        ControlFlow::Continue(())
    });
    found
}

fn text(fs: &SimFs) -> String {
    let line = |(path, item): (&String, &fcs_testkit::sim::Item)| {
        format!("{path}={}", fcs_sys::escaped(&item.bytes))
    };
    fs.snapshot().iter().map(line).collect::<Vec<_>>().join(" ")
}

fn set(items: &[&str]) -> BTreeSet<String> {
    items.iter().map(|&item| item.to_owned()).collect()
}

#[test]
fn what_was_synced_is_in_every_state() {
    let fs = SimFs::new(Options::default());
    fs.put("old", b"original", 0o640, Time::new(77, 7));
    fs.mkdir("d");
    fs.record();
    let d = folder(&fs, "d");
    let file = write(&d, "new", &[b'n'; 5000]);
    file.set_times(Times { modified: Some(Time::new(5, 5)), created: None }).unwrap();
    file.set_attributes(Attributes(0o444)).unwrap();
    file.set_xattr(b"user.k", b"v").unwrap();
    file.sync().unwrap();
    d.sync().unwrap();
    let synced = fs.recording().points() - 1;
    file.set_attributes(Attributes(0o777)).unwrap();
    d.create_dir(&name("sub")).unwrap();
    let explored = each(&fs.recording(), |state, mounted| {
        let found = mounted.snapshot();
        let old = &found["old"];
        assert_eq!((&**old.bytes, old.mode, old.modified), (&b"original"[..], 0o640, Time::new(77, 7)));
        if state.point().number() >= synced {
            let new = &found["d/new"];
            assert_eq!(**new.bytes, [b'n'; 5000], "{}", state.describe());
            assert_eq!((new.modified, &new.xattrs[&b"user.k"[..]][..]), (Time::new(5, 5), &b"v"[..]));
        }
    });
    assert!(explored.states > 1000 && !explored.stopped, "{explored:?}");
}

#[test]
fn what_was_not_synced_is_lost_in_some_state() {
    let fs = SimFs::new(Options::default());
    fs.mkdir("d");
    fs.record();
    let d = folder(&fs, "d");
    let file = write(&d, "f", b"new");
    // Neither name nor content; the name without content, with zeros, garbage or a torn block; all of it.
    let found = outcomes(&fs);
    for expected in ["d=", "d= d/f=", "d= d/f=\\x00\\x00\\x00", "d= d/f=new"] {
        assert!(found.contains(expected), "{expected} not in {found:?}");
    }
    assert!(found.len() >= 6, "{found:?}");
    // A synced file without a synced name, then both.
    file.sync().unwrap();
    assert_eq!(outcomes(&fs), set(&["d=", "d= d/f=new"]));
    d.sync().unwrap();
    assert_eq!(outcomes(&fs), set(&["d= d/f=new"]));
}

#[test]
fn metadata_not_synced_is_old_or_new_each_for_itself() {
    let fs = SimFs::new(Options::default());
    fs.put("f", b"x", 0o600, Time::new(1, 0));
    fs.record();
    let file = folder(&fs, "").open_file(&name("f"), fcs_sys::Access::Read).unwrap();
    file.set_attributes(Attributes(0o644)).unwrap();
    file.set_times(Times { modified: Some(Time::new(2, 0)), created: None }).unwrap();
    file.set_xattr(b"user.k", b"v").unwrap();
    let mut found = BTreeSet::new();
    each(&fs.recording(), |_, mounted| {
        let item = &mounted.snapshot()["f"];
        found.insert((item.mode, item.modified.seconds(), item.xattrs.len()));
        assert_eq!(**item.bytes, *b"x");
    });
    assert_eq!(found.len(), 8, "{found:?}");
}

/// Syncs `before` bytes, then appends at `at`; yields what becomes of the file.
fn append(before: usize, at: u64) -> (BTreeSet<usize>, BTreeSet<Vec<u8>>, BTreeSet<Vec<u8>>) {
    let fs = SimFs::new(Options::default());
    fs.record();
    let root = folder(&fs, "");
    let file = write(&root, "log", &vec![b'a'; before]);
    file.sync().unwrap();
    root.sync().unwrap();
    let synced = fs.recording().points() - 1;
    file.write_at(&[b'b'; 2000], at).unwrap();
    let (mut sizes, mut olds, mut ends) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    each(&fs.recording(), |state, mounted| {
        if state.point().number() >= synced {
            let bytes = mounted.read("log").unwrap();
            sizes.insert(bytes.len());
            olds.insert(bytes[..before].to_vec());
            ends.extend(bytes.get(at as usize + 324..at as usize + 836).map(<[u8]>::to_vec));
        }
    });
    (sizes, olds, ends)
}

#[test]
fn an_append_in_a_page_of_its_own_harms_nothing_that_was_synced() {
    let (sizes, olds, ends) = append(4096, 4096);
    assert_eq!(olds, [vec![b'a'; 4096]].into());
    assert_eq!(sizes, [4096, 4608, 5120, 5632, 6096].into());
    assert!(ends.len() > 3, "a whole sector is new, zero, garbage or torn");
}

#[test]
fn an_append_to_a_page_in_use_or_behind_the_rest_of_one_may_spoil_it() {
    for at in [700, 4096] {
        let (sizes, olds, _) = append(700, at);
        assert!(sizes.contains(&700) && sizes.contains(&(at as usize + 2000)));
        assert!(olds.contains(&vec![b'a'; 700]) && olds.len() > 1, "append at {at}");
    }
}

#[test]
fn neither_a_rename_nor_an_exchange_is_ever_half() {
    let fs = SimFs::new(Options::default());
    fs.put("p/a", b"1", 0o644, Time::EPOCH);
    fs.put("q/b", b"2", 0o644, Time::EPOCH);
    fs.record();
    let (p, q) = (folder(&fs, "p"), folder(&fs, "q"));
    p.rename(&name("a"), &*q, &name("b"), Rename::Exchange).unwrap();
    assert_eq!(outcomes(&fs), set(&["p= p/a=1 q= q/b=2", "p= p/a=2 q= q/b=1"]));
    p.rename(&name("a"), &*q, &name("c"), Rename::NoReplace).unwrap();
    let found = outcomes(&fs);
    assert_eq!(found, set(&["p= p/a=1 q= q/b=2", "p= p/a=2 q= q/b=1", "p= q= q/b=1 q/c=2"]));
    // Either folder's sync makes both durable, because the second needs the first.
    p.sync().unwrap();
    assert_eq!(outcomes(&fs), set(&["p= q= q/b=1 q/c=2"]));
}

#[test]
fn independent_operations_are_lost_in_any_combination() {
    let fs = SimFs::new(Options::default());
    fs.put("a", b"", 0o644, Time::EPOCH);
    fs.put("b", b"", 0o644, Time::EPOCH);
    fs.record();
    let root = folder(&fs, "");
    root.remove_file(&name("a")).unwrap();
    root.remove_file(&name("b")).unwrap();
    assert_eq!(outcomes(&fs), set(&["", "a=", "b=", "a= b="]));
    root.create_dir(&name("c")).unwrap();
    folder(&fs, "c").create_dir(&name("d")).unwrap();
    let found = outcomes(&fs);
    assert_eq!(found.len(), 12, "c/d never without c: {found:?}");
    root.sync_volume().unwrap();
    assert_eq!(outcomes(&fs), set(&["c= c/d="]));
}

#[test]
fn an_item_given_a_second_name_first_is_never_lost() {
    let fs = SimFs::new(Options::default());
    fs.put("d/a", b"1", 0o644, Time::EPOCH);
    fs.mkdir("e");
    fs.record();
    let (d, e) = (folder(&fs, "d"), folder(&fs, "e"));
    d.hard_link(&name("a"), &*e, &name("b")).unwrap();
    d.remove_file(&name("a")).unwrap();
    assert_eq!(outcomes(&fs), set(&["d= d/a=1 e=", "d= d/a=1 e= e/b=1", "d= e= e/b=1"]));
    // A folder is not removed before what was in it is elsewhere.
    folder(&fs, "").remove_dir(&name("d")).unwrap();
    assert_eq!(outcomes(&fs).len(), 4);
    each(&fs.recording(), |state, mounted| {
        assert!(mounted.exists("d/a") || mounted.exists("e/b"), "{}", state.describe());
    });
}

#[test]
fn folders_moved_into_each_other_never_make_a_ring() {
    let fs = SimFs::new(Options::default());
    fs.put("a/b/f", b"1", 0o644, Time::EPOCH);
    fs.record();
    let root = folder(&fs, "");
    folder(&fs, "a").rename(&name("b"), &*root, &name("b"), Rename::NoReplace).unwrap();
    root.rename(&name("a"), &*folder(&fs, "b"), &name("a"), Rename::NoReplace).unwrap();
    assert_eq!(outcomes(&fs), set(&["a= a/b= a/b/f=1", "a= b= b/f=1", "b= b/a= b/f=1"]));
}

#[test]
fn a_number_comes_back_only_after_its_item_is_gone() {
    let fs = SimFs::new(Options { reuse_numbers: true, ..Options::default() });
    fs.put("a", b"1", 0o644, Time::EPOCH);
    fs.mkdir("d");
    fs.record();
    folder(&fs, "").remove_file(&name("a")).unwrap();
    drop(write(&folder(&fs, "d"), "b", b""));
    assert_eq!(outcomes(&fs), set(&["a=1 d=", "d=", "d= d/b="]));
}

#[test]
fn ids_and_times_survive_a_mount_and_the_volume_number_does_not() {
    for renumber in [true, false] {
        let fs = SimFs::new(Options { new_volume_on_mount: renumber, ..Options::default() });
        fs.put("f", b"1", 0o644, Time::new(9, 9));
        fs.record();
        let before = folder(&fs, "").stat(&name("f")).unwrap();
        let mut states = 0;
        each(&fs.recording(), |_, mounted| {
            let after = folder(mounted, "").stat(&name("f")).unwrap();
            assert_eq!(after.id.volume == before.id.volume, !renumber);
            assert_eq!(
                (after.id.file, after.modified, after.changed),
                (before.id.file, before.modified, before.changed)
            );
            // A new item does not take the number of an old one.
            let new = folder(mounted, "");
            new.create_dir(&name("n")).unwrap();
            assert_ne!(new.stat(&name("n")).unwrap().id.file, before.id.file);
            states += 1;
        });
        assert_eq!(states, 1);
    }
}

/// Replaces a file the careful way. `lie` is a sync that does nothing.
fn replace_carefully(lie: Option<(Call, &'static str)>) -> SimFs {
    let fs = SimFs::new(Options::default());
    fs.put("d/f", b"old", 0o644, Time::EPOCH);
    fs.record();
    let script = move |event: &fcs_testkit::faulty::Event<'_>| match lie {
        Some((call, path)) if event.call == call && event.path.as_bytes() == path.as_bytes() => Act::Lie,
        _ => Act::Go,
    };
    let root = wrap(&fs.root(), "sim", Arc::new(script));
    let d = root.dir.open_dir(&name("d")).unwrap();
    let staged = write(&d, ".part", b"new");
    staged.sync().unwrap();
    d.rename(&name(".part"), &*d, &name("f"), Rename::Exchange).unwrap();
    d.sync().unwrap();
    d.remove_file(&name(".part")).unwrap();
    drop(staged);
    fs
}

/// Whether some state breaks what the careful way promises: old or new before the end, new after it.
fn broken(fs: &SimFs) -> bool {
    let recording = fs.recording();
    let done = recording.operations().position(|op| op.starts_with("unlink")).unwrap();
    let mut broken = false;
    each(&recording, |state, mounted| {
        let content = mounted.read("d/f").map(|bytes| (*bytes).clone()).unwrap_or_default();
        broken |= content != b"new" && (content != b"old" || state.point().number() > done);
        assert!(!state.describe().is_empty());
    });
    broken
}

#[test]
fn the_careful_way_survives_and_each_planted_weakness_shows() {
    assert!(!broken(&replace_carefully(None)));
    assert!(broken(&replace_carefully(Some((Call::Sync, "d/.part")))), "content not synced");
    assert!(broken(&replace_carefully(Some((Call::Sync, "d")))), "names not synced");
}

#[test]
fn the_same_seed_gives_the_same_states() {
    let fs = replace_carefully(None);
    let run = |seed| {
        let mut texts = Vec::new();
        let budget = Budget { exhaustive: 0, samples: 20 };
        let explored = fs.recording().for_each_crash_state(budget, seed, &mut |state| {
            texts.push(text(&state.mount()));
            ControlFlow::Continue(())
        });
        assert_eq!(explored.exhaustive_points, 0);
        texts
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
}

#[test]
fn a_visitor_can_stop() {
    let fs = replace_carefully(None);
    let explored = fs.recording().for_each_crash_state(AMPLE, 1, &mut |_| ControlFlow::Break(()));
    assert_eq!((explored.states, explored.stopped), (1, true));
}

#[test]
fn a_recording_can_be_explored_on_several_threads() {
    let recording = replace_carefully(None).recording();
    let states = |points: &mut dyn Iterator<Item = usize>| {
        points
            .map(|p| recording.at(p).for_each_state(AMPLE, 1, &mut |_| ControlFlow::Continue(())).states)
            .sum::<u64>()
    };
    let shared = std::thread::scope(|scope| {
        let odd = scope.spawn(|| states(&mut (1..recording.points()).step_by(2)));
        states(&mut (0..recording.points()).step_by(2)) + odd.join().unwrap()
    });
    assert_eq!(shared, states(&mut (0..recording.points())));
    assert!(shared > 50, "{shared}");
}

/// Any folder of the disk, by its path.
fn folders(fs: &SimFs) -> Vec<String> {
    let below = fs.snapshot().into_iter().filter(|(_, item)| item.kind == Kind::Folder).map(|(path, _)| path);
    std::iter::once(String::new()).chain(below).collect()
}

/// Does something at random that takes the last name from nothing but what the walk itself made.
fn move_something(fs: &SimFs, random: &mut fastrand::Rng) {
    let all = folders(fs);
    let mut any = || folder(fs, &all[random.usize(..all.len())]);
    let (dir, to_dir) = (any(), any());
    let (a, b) =
        (name(["a", "b", "c", "d"][random.usize(..4)]), name(["a", "b", "c", "d"][random.usize(..4)]));
    // Most of these fail; that is as it should be.
    let _ = match random.usize(..14) {
        0..=3 => dir.rename(&a, &*to_dir, &b, Rename::NoReplace),
        4..=7 => dir.rename(&a, &*to_dir, &b, Rename::Exchange),
        8 => dir.create_dir(&a),
        9 => dir.hard_link(&a, &*to_dir, &b),
        10 => match dir.stat(&a) {
            Ok(found) if found.kind == Kind::File && found.links > 1 => dir.remove_file(&a),
            _ => dir.remove_dir(&a),
        },
        11 => dir.sync(),
        12 => dir.open_file(&a, fcs_sys::Access::ReadWrite).and_then(|file| file.write_at(b"!", 3).map(drop)),
        _ => match dir.stat(&b) {
            Ok(over) if over.kind == Kind::File && over.links > 1 => {
                dir.rename(&a, &*to_dir, &b, Rename::NoReplace)
            }
            _ => dir.open_file(&a, fcs_sys::Access::Read).and_then(|file| file.sync()),
        },
    };
}

#[test]
fn no_item_is_lost_by_moving_it_about_and_all_kept_is_what_programs_saw() {
    let mut states = 0;
    for seed in 0..60 {
        let mut random = fastrand::Rng::with_seed(seed);
        let fs = SimFs::new(Options { reuse_numbers: seed % 2 == 0, ..Options::default() });
        for path in ["a/a", "a/b/c", "b/a", "c", "d/a/b/c"] {
            fs.put(path, path.as_bytes(), 0o644, Time::EPOCH);
        }
        let numbers = |fs: &SimFs| -> BTreeSet<u64> {
            fs.snapshot()
                .into_values()
                .filter(|item| item.kind == Kind::File)
                .map(|item| item.number)
                .collect()
        };
        let originals = numbers(&fs);
        fs.record();
        let mut seen = std::collections::BTreeMap::from([(0, fs.snapshot())]);
        for _ in 0..60 {
            move_something(&fs, &mut random);
            seen.insert(fs.recording().points() - 1, fs.snapshot());
        }
        let budget = Budget { exhaustive: 200, samples: 50 };
        fs.recording().for_each_crash_state(budget, seed, &mut |state| {
            let mounted = state.mount();
            let now = numbers(&mounted);
            assert!(originals.is_subset(&now), "seed {seed}: {now:?} of {originals:?}\n{}", state.describe());
            // The first state visited keeps everything.
            if state.number == 0
                && let Some(seen) = seen.get(&state.point().number())
            {
                assert_eq!(&mounted.snapshot(), seen, "seed {seed}\n{}", state.describe());
            }
            states += 1;
            ControlFlow::Continue(())
        });
    }
    assert!(states > 50_000, "{states}");
}
