//! The simulated disk against the real one: the same operations, the same answers, the same trees.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;

use fcs_sys::{
    Access, Attributes, DirRef, Eviction, FileRef, Kind, LinkTarget, Name, OsReason, Owner, Rename, Root,
    Time, Times, open_root, reason,
};
use fcs_testkit::faulty::{Act, Call, wrap};
use fcs_testkit::sim::{Options, SimFs};

fn name(text: &str) -> Name {
    Name::new(text.as_bytes()).unwrap()
}

/// One disk under test with the handles a random walk keeps on it.
struct Walker {
    root: Root,
    dirs: Vec<DirRef>,
    files: Vec<FileRef>,
}

const NAMES: [&str; 5] = ["a", "b", "c", "d", "e"];

impl Walker {
    fn new(root: Root) -> Self {
        Self { dirs: vec![Arc::clone(&root.dir)], files: Vec::new(), root }
    }

    /// Does one random operation and tells what came of it, in words that do not depend on the disk.
    fn step(&mut self, random: &mut fastrand::Rng) -> String {
        let place = random.usize(..self.dirs.len());
        let dir = Arc::clone(&self.dirs[place]);
        let to_dir = Arc::clone(&self.dirs[random.usize(..self.dirs.len())]);
        let (a, b) = (name(NAMES[random.usize(..5)]), name(NAMES[random.usize(..5)]));
        let number = random.usize(..1000);
        let file = self.files.get(number % self.files.len().max(1)).map(Arc::clone);
        let time = Time::new(number as i64, 5);
        let how = [Rename::NoReplace, Rename::Exchange, Rename::Replace][random.usize(..3)];
        let access = [Access::Read, Access::ReadWrite][random.usize(..2)];
        let op = random.usize(..24);
        let answer = match op {
            0 | 1 => say(dir.create_file(&a).map(|file| self.files.push(file))),
            2 | 3 => say(dir.create_dir(&a)),
            4 => say(dir.create_symlink(&a, &LinkTarget { text: b"b".into(), to_folder: false })),
            5 | 6 => say(dir.open_dir(&a).map(|dir| self.dirs.push(dir))),
            7 => say(dir.open_file(&a, access).map(|file| self.files.push(file))),
            8..=12 => say(dir.rename(&a, &*to_dir, &b, how)),
            13 => say(dir.hard_link(&a, &*to_dir, &b)),
            14 => say(dir.remove_file(&a)),
            15 => say(dir.remove_dir(&a)),
            16 => say(dir
                .stat(&a)
                .map(|m| (m.kind, if m.kind == Kind::Folder { 0 } else { m.size }, m.links, m.attributes))),
            17 => say(dir.read_link(&a).map(|link| link.text)),
            18 => say(dir.set_link_times(&a, Times { modified: Some(time), created: None })),
            19 => match file {
                Some(file) => say(file.write_at(&vec![number as u8; number % 50], (number % 9000) as u64)),
                None => String::new(),
            },
            20 => match file {
                Some(file) => {
                    let mut buffer = vec![0; 100];
                    say(file.read_at(&mut buffer, (number % 300) as u64).map(|n| buffer[..n].to_vec()))
                }
                None => String::new(),
            },
            21 => match file {
                Some(file) => say(match number % 4 {
                    0 => file.set_times(Times { modified: Some(time), created: None }),
                    1 => file.set_attributes(Attributes(0o600 | (number as u32 % 0o100))),
                    2 => file.set_xattr(b"user.x", &[number as u8]),
                    _ => file.remove_xattr(b"user.x"),
                }),
                None => String::new(),
            },
            22 => match file {
                Some(file) => {
                    let locked = file.try_lock().unwrap();
                    say(file.metadata().map(|m| (m.size, m.links, m.attributes, locked)))
                }
                None => String::new(),
            },
            _ => {
                let mut names = Vec::new();
                let listed = dir.list(&mut |entry| names.push(entry.name.to_vec()));
                names.sort();
                say(listed.map(|()| names))
            }
        };
        format!("op {op} {a} {b} {how:?} in {place}: {answer}")
    }
}

fn say<T: std::fmt::Debug>(result: io::Result<T>) -> String {
    match result {
        Ok(value) => format!("ok {value:?}"),
        Err(e) => format!("{:?}", reason(&e)),
    }
}

/// What a tree looks like through the traits. Times only where they were set, since the two clocks differ.
fn tree(dir: &DirRef, above: &str, found: &mut BTreeMap<String, String>) {
    let mut names = Vec::new();
    dir.list(&mut |entry| names.push(Name::new(entry.name).unwrap())).unwrap();
    for n in names {
        let path = format!("{above}{n}");
        let m = dir.stat(&n).unwrap();
        let time = (m.modified.seconds() < 1000).then_some(m.modified);
        let mut text = format!("{:?} {:?} {} {time:?}", m.kind, m.attributes, m.links);
        match m.kind {
            Kind::Folder => tree(&dir.open_dir(&n).unwrap(), &format!("{path}/"), found),
            Kind::File => {
                let file = dir.open_file(&n, Access::Read).unwrap();
                let mut bytes = vec![0; m.size as usize + 1];
                let got = file.read_at(&mut bytes, 0).unwrap();
                assert_eq!(got as u64, m.size);
                let xattrs = file.xattrs().unwrap().into_iter().filter(|n| n.starts_with(b"user."));
                let xattrs: Vec<_> = xattrs.map(|n| file.xattr(&n).unwrap()).collect();
                text = format!("{text} {xattrs:?} {}", fcs_sys::escaped(&bytes[..got]));
            }
            _ => text = format!("{text} {:?}", dir.read_link(&n).unwrap()),
        }
        found.insert(path, text);
    }
}

#[test]
fn random_operations_do_the_same_as_on_a_real_disk() {
    for seed in 0..150 {
        let real = tempfile::tempdir().unwrap();
        let sim = SimFs::new(Options::default());
        let mut walkers = [open_root(real.path()).unwrap(), sim.root()].map(Walker::new);
        let mut randoms = [fastrand::Rng::with_seed(seed), fastrand::Rng::with_seed(seed)];
        let mut log = Vec::new();
        for _ in 0..300 {
            let [on_real, on_sim] = [0, 1].map(|i| walkers[i].step(&mut randoms[i]));
            log.push(on_real.clone());
            assert_eq!(on_real, on_sim, "seed {seed}, after\n{}", log.join("\n"));
        }
        let [on_real, on_sim] = walkers.map(|walker| {
            let mut found = BTreeMap::new();
            tree(&walker.root.dir, "", &mut found);
            found
        });
        assert_eq!(on_real, on_sim, "seed {seed}");
    }
}

/// The operations that move times, each with the items whose times it moved.
fn moved_times(root: &Root) -> Vec<String> {
    let dir = &root.dir;
    let sub = |n: &str| dir.open_dir(&name(n)).unwrap();
    dir.create_dir(&name("p")).unwrap();
    dir.create_dir(&name("q")).unwrap();
    let (p, q) = (sub("p"), sub("q"));
    let probe = dir.create_file(&name("probe")).unwrap();
    let f = p.create_file(&name("f")).unwrap();
    let g = q.create_file(&name("g")).unwrap();
    let mut log = Vec::new();
    let mut seen = [&p.metadata(), &q.metadata(), &f.metadata(), &g.metadata()].map(|m| *m.as_ref().unwrap());
    let mut done = |what: &str| {
        let now = [p.metadata(), q.metadata(), f.metadata(), g.metadata()].map(Result::unwrap);
        let mut line = what.to_owned();
        for (label, (before, now)) in ["p", "q", "f", "g"].iter().zip(seen.iter().zip(&now)) {
            if before.modified != now.modified {
                line = format!("{line} {label}.modified");
            }
            if before.changed != now.changed {
                line = format!("{line} {label}.changed");
            }
        }
        seen = now;
        log.push(line);
        // The kernel's clock goes in steps; the next operation has to fall into a later one to show.
        let tick = || {
            probe.set_attributes(Attributes(0o600)).unwrap();
            probe.metadata().unwrap().changed
        };
        let last = tick();
        while tick() == last {}
    };
    done("nothing");
    f.write_at(b"x", 0).unwrap();
    done("write");
    f.set_times(Times { modified: Some(Time::new(5, 0)), created: None }).unwrap();
    done("set times");
    f.set_attributes(Attributes(0o4755)).unwrap();
    done("set mode");
    f.set_xattr(b"user.x", b"1").unwrap();
    done("set attribute");
    f.set_owner(Owner { user: u32::MAX, group: u32::MAX }).unwrap();
    done("set owner");
    log_mode(&f, &mut done);
    p.rename(&name("f"), &*p, &name("f2"), Rename::NoReplace).unwrap();
    done("rename");
    p.rename(&name("f2"), &*q, &name("f"), Rename::NoReplace).unwrap();
    done("rename across");
    q.rename(&name("f"), &*q, &name("g"), Rename::Exchange).unwrap();
    done("exchange");
    q.hard_link(&name("f"), &*p, &name("g")).unwrap();
    done("link");
    p.remove_file(&name("g")).unwrap();
    done("unlink");
    q.rename(&name("f"), &*q, &name("g"), Rename::Replace).unwrap();
    done("replace");
    p.sync().unwrap();
    done("sync");
    log
}

fn log_mode(file: &FileRef, done: &mut impl FnMut(&str)) {
    done(&format!("mode is {:o}", file.metadata().unwrap().attributes.0));
}

#[test]
fn the_same_times_move_as_on_a_real_disk() {
    let real = tempfile::tempdir().unwrap();
    let expected = moved_times(&open_root(real.path()).unwrap());
    assert_eq!(moved_times(&SimFs::new(Options::default()).root()), expected);
}

#[test]
fn a_disk_like_fat_neither_exchanges_nor_links() {
    let fs = SimFs::new(Options::fat());
    fs.put("a", b"1", 0o644, Time::new(1001, 7));
    fs.put("b", b"2", 0o644, Time::EPOCH);
    let dir = fs.root().dir;
    let unsupported = |r: io::Result<()>| assert_eq!(reason(&r.unwrap_err()), OsReason::Unsupported);
    unsupported(dir.rename(&name("a"), &*dir, &name("b"), Rename::Exchange));
    unsupported(dir.hard_link(&name("a"), &*dir, &name("c")));
    unsupported(dir.sync_volume());
    assert_eq!(fs.snapshot()["a"].modified, Time::new(1000, 0));
}

#[test]
fn a_full_disk_takes_what_fits_and_refuses_the_rest() {
    let fs = SimFs::new(Options { limit_bytes: Some(8192), ..Options::default() });
    let dir = fs.root().dir;
    let file = dir.create_file(&name("f")).unwrap();
    assert_eq!(file.write_at(&[1; 10_000], 0).unwrap(), 8192);
    assert_eq!(reason(&file.write_at(b"x", 8192).unwrap_err()), OsReason::NoSpace);
    assert_eq!(dir.space().unwrap().free, 0);
    dir.remove_file(&name("f")).unwrap();
    assert_eq!(dir.space().unwrap().free, 0, "an open file keeps its room");
    drop(file);
    assert_eq!(dir.space().unwrap().free, 8192);
}

#[test]
fn a_bit_flipped_on_the_device_shows_only_past_the_cache() {
    let fs = SimFs::new(Options { uncached_reads_device: true, ..Options::default() });
    let dir = fs.root().dir;
    let file = dir.create_file(&name("f")).unwrap();
    file.write_at(b"abc", 0).unwrap();
    assert!(matches!(file.evict().unwrap(), Eviction::Unproven(_)), "not synced yet");
    file.sync().unwrap();
    fs.flip_on_device("f", 1);
    let read = |file: &FileRef| {
        let mut buffer = [0; 3];
        file.read_at(&mut buffer, 0).unwrap();
        buffer
    };
    assert_eq!(read(&file), *b"abc");
    assert_eq!(read(&dir.open_file(&name("f"), Access::ReadUncached).unwrap()), *b"acc");
    assert_eq!(file.evict().unwrap(), Eviction::Proven);
    assert_eq!(read(&file), *b"acc");
    let mut mapped = [0; 2];
    file.map(1, 2).unwrap().copy_out(0, &mut mapped).unwrap();
    assert_eq!(mapped, *b"cc");
}

#[test]
fn a_lock_is_held_until_its_handle_is_dropped() {
    let fs = SimFs::new(Options::default());
    let dir = fs.root().dir;
    let first = dir.create_file(&name("lock")).unwrap();
    let second = dir.open_file(&name("lock"), Access::ReadWrite).unwrap();
    assert!(first.try_lock().unwrap());
    assert!(!second.try_lock().unwrap());
    assert!(first.try_lock().unwrap(), "again by the holder");
    drop(first);
    assert!(second.try_lock().unwrap());
}

#[test]
fn numbers_come_back_only_where_told_so() {
    for reuse in [false, true] {
        let fs = SimFs::new(Options { reuse_numbers: reuse, ..Options::default() });
        let dir = fs.root().dir;
        let number = |n: &str| dir.stat(&name(n)).unwrap().id.file;
        dir.create_dir(&name("a")).unwrap();
        let first = number("a");
        dir.remove_dir(&name("a")).unwrap();
        dir.create_dir(&name("b")).unwrap();
        assert_eq!(number("b") == first, reuse);
    }
}

#[test]
fn faults_are_injected_over_it_also_between_folders() {
    let fs = SimFs::new(Options::default());
    fs.mkdir("p");
    fs.mkdir("q");
    fs.put("p/f", b"1", 0o644, Time::EPOCH);
    let fired = Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let counter = Arc::clone(&fired);
    let root = wrap(
        &fs.root(),
        "sim",
        Arc::new(move |event| {
            if event.call == Call::RenameExchange {
                counter.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                return Act::Fail(5);
            }
            Act::Go
        }),
    );
    let (p, q) = (root.dir.open_dir(&name("p")).unwrap(), root.dir.open_dir(&name("q")).unwrap());
    p.rename(&name("f"), &*q, &name("g"), Rename::NoReplace).unwrap();
    q.hard_link(&name("g"), &*p, &name("h")).unwrap();
    let failed = q.rename(&name("g"), &*p, &name("h"), Rename::Exchange).unwrap_err();
    assert_eq!(
        (reason(&failed), fired.load(std::sync::atomic::Ordering::Relaxed)),
        (OsReason::DeviceError, 1)
    );
    assert_eq!(fs.snapshot().into_keys().collect::<Vec<_>>(), ["p", "p/h", "q", "q/g"]);
}
