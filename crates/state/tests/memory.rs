//! What is saved, loaded, forgotten, found and dropped.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeSet;

use common::{Model, apply, changes, known, model_of, root, roots, terms};
use fcs_engine::compare::Side;
use fcs_engine::history::RunId;
use fcs_engine::memory::{MemoryChange, OtherTerm, RootIdentity, Terms};
use fcs_state::{Limits, Pair, Start, StateError, States};
use fcs_sys::{RelPath, Time, open_root};

fn states() -> (tempfile::TempDir, States) {
    let tmp = tempfile::tempdir().unwrap();
    let states = States::open(&tmp.path().join("pairs")).unwrap();
    (tmp, states)
}

fn run(name: &str) -> RunId {
    name.parse().unwrap()
}

fn loaded(pair: &mut Pair) -> Model {
    model_of(&pair.load().unwrap().remembered)
}

fn path(text: &str) -> RelPath {
    RelPath::parse(text.as_bytes()).unwrap()
}

#[test]
fn what_is_loaded_is_what_was_saved_and_what_each_run_changed_can_be_forgotten() {
    for seed in 0..6 {
        println!("seed {seed}");
        let mut random = fastrand::Rng::with_seed(seed);
        let (_tmp, states) = states();
        let mut pair = states.pair(&roots()).unwrap();
        assert!(matches!(pair.load(), Err(StateError::Missing)));
        let mut model = Model::new();
        let mut history: Vec<(RunId, BTreeSet<Vec<u8>>)> = Vec::new();
        for step in 0..30 {
            let id = run(&format!("run{step:03}"));
            let start = if step == 0 || random.u8(..8) == 0 { Start::Afresh } else { Start::Loaded };
            let mut changed = BTreeSet::new();
            if start == Start::Afresh {
                changed.extend(std::mem::take(&mut model).into_keys());
            }
            // In several saves of one run.
            for part in 0..random.usize(1..3) {
                let count = random.choice([0, 1, 7, 700]).unwrap();
                let some = changes(&mut random, count);
                changed.extend(apply(&mut model, &some));
                let start = if part == 0 { start } else { Start::Loaded };
                let saved = pair.save(Some(&id), &terms("all"), start, some).unwrap();
                assert_eq!(saved.items, model.len() as u64);
            }
            let mut again = states.find(&roots()).unwrap().unwrap();
            assert_eq!(loaded(&mut again), model, "step {step}");
            pair = again;
            history.push((id, changed));
            while random.u8(..3) == 0 && !history.is_empty() {
                let (id, changed) = history.remove(random.usize(..history.len()));
                pair.forget_run(&id).unwrap();
                model.retain(|path, _| !changed.contains(path));
                assert_eq!(loaded(&mut pair), model, "without what {id} changed");
                assert!(matches!(pair.forget_run(&id), Err(StateError::NoSuchRun { .. })));
            }
            let kept: BTreeSet<RunId> = pair.runs().unwrap().into_iter().map(|kept| kept.run).collect();
            assert_eq!(kept, history.iter().map(|(id, _)| id.clone()).collect());
        }
    }
}

#[test]
fn what_a_run_changed_is_forgotten_also_where_a_later_one_changed_it_again() {
    let (_tmp, states) = states();
    let mut random = fastrand::Rng::with_seed(1);
    let mut pair = states.pair(&roots()).unwrap();
    let mut save = |pair: &mut Pair, id: &str, start, items: &[(&str, bool)]| {
        let change = |&(item, is): &(&str, bool)| MemoryChange {
            path: path(item),
            known: is.then(|| known(&mut random)),
        };
        let all: Vec<MemoryChange> = items.iter().map(change).collect();
        pair.save(Some(&run(id)), &terms(id), start, all.clone()).unwrap();
        all
    };
    let one = save(&mut pair, "one", Start::Afresh, &[("a", true), ("b", true), ("c", true)]);
    save(&mut pair, "two", Start::Loaded, &[("a", true), ("b", false), ("d", true)]);
    save(&mut pair, "three", Start::Loaded, &[("a", true), ("b", true)]);
    pair.forget_run(&run("two")).unwrap();
    let load = pair.load().unwrap();
    let found =
        load.remembered.iter().map(|(path, known)| (std::str::from_utf8(path).unwrap(), Some(*known)));
    assert_eq!(found.collect::<Vec<_>>(), [("c", one[2].known)]);
    assert_eq!((load.run, load.terms), (Some(run("three")), terms("three")));
}

#[test]
fn a_first_run_under_other_terms_leaves_nothing_of_the_old_ones() {
    let (_tmp, states) = states();
    let mut random = fastrand::Rng::with_seed(2);
    let mut pair = states.pair(&roots()).unwrap();
    pair.save(Some(&run("one")), &terms("all"), Start::Afresh, changes(&mut random, 50)).unwrap();
    // Another filter: a first run, which forgets what was remembered under the old one.
    let second = changes(&mut random, 20);
    pair.save(Some(&run("two")), &terms("*.jpg"), Start::Afresh, second.clone()).unwrap();
    let now = pair.load().unwrap();
    assert_eq!(now.terms.other_than(&terms("all")), [OtherTerm::Filter]);
    let mut model = Model::new();
    apply(&mut model, &second);
    assert_eq!(model_of(&now.remembered), model);
}

#[test]
fn who_saves_must_have_loaded_what_is_there() {
    let (_tmp, states) = states();
    let mut random = fastrand::Rng::with_seed(3);
    let [mut a, mut b] = [states.pair(&roots()).unwrap(), states.pair(&roots()).unwrap()];
    let mut some = || changes(&mut random, 5);
    assert!(matches!(a.save(None, &terms("all"), Start::Loaded, some()), Err(StateError::NotLoaded { .. })));
    a.save(None, &terms("all"), Start::Afresh, some()).unwrap();
    b.load().unwrap();
    a.save(None, &terms("all"), Start::Loaded, some()).unwrap();
    let before = loaded(&mut a);
    assert!(matches!(b.save(None, &terms("all"), Start::Loaded, some()), Err(StateError::Changed { .. })));
    assert_eq!(loaded(&mut b), before);
    b.save(None, &terms("all"), Start::Loaded, some()).unwrap();
}

#[test]
fn a_memory_that_another_process_has_open_is_neither_loaded_nor_saved_nor_forgotten() {
    let (_tmp, states) = states();
    let mut random = fastrand::Rng::with_seed(4);
    let mut pair = states.pair(&roots()).unwrap();
    pair.save(None, &terms("all"), Start::Afresh, changes(&mut random, 5)).unwrap();
    let before = loaded(&mut pair);
    let other = redb::Database::open(states.folder().join(format!("{}.redb", pair.id()))).unwrap();
    assert!(matches!(pair.load(), Err(StateError::InUse { .. })));
    for start in [Start::Afresh, Start::Loaded] {
        let saved = pair.save(None, &terms("all"), start, []);
        assert!(matches!(saved, Err(StateError::InUse { .. } | StateError::NotLoaded { .. })), "{saved:?}");
    }
    assert!(matches!(pair.forget(), Err(StateError::InUse { .. })));
    drop(other);
    assert_eq!(loaded(&mut pair), before);
}

#[test]
fn a_pair_is_found_wherever_its_disks_are_mounted_and_whichever_is_left() {
    let (_tmp, states) = states();
    let mut random = fastrand::Rng::with_seed(5);
    let mut pair = states.pair(&roots()).unwrap();
    let change = MemoryChange { path: path("a"), known: Some(known(&mut random)) };
    pair.save(None, &terms("all"), Start::Afresh, [change.clone()]).unwrap();
    let was = change.known.unwrap();

    let elsewhere = RootIdentity { path: "/media/x/photos".into(), device: 99, ..root("a", 2) };
    let mut found = states.find(&[elsewhere, root("b", 2)]).unwrap().unwrap();
    let is = *found.load().unwrap().remembered.get(&path("a")).unwrap();
    assert_eq!(is.stamps.map(|stamp| stamp.id.volume), [99, 12], "numbers of today");
    assert_eq!((is.stamps[0].size, is.hash), (was.stamps[0].size, was.hash));

    let [left, right] = roots();
    let mut mirrored = states.find(&[right.clone(), left.clone()]).unwrap().unwrap();
    assert!(mirrored.is_mirrored() && mirrored.id() == pair.id());
    let load = mirrored.load().unwrap();
    assert_eq!(*load.remembered.get(&path("a")).unwrap(), was.mirrored());
    assert_eq!(load.terms.roots, [right, left]);
    let next = known(&mut random);
    let change = MemoryChange { path: path("b"), known: Some(next) };
    mirrored.save(None, &load.terms, Start::Loaded, [change]).unwrap();
    let straight = pair.load().unwrap();
    assert_eq!(*straight.remembered.get(&path("b")).unwrap(), next.mirrored());
    assert_eq!(straight.terms.roots, roots());
    assert_eq!(states.list().unwrap().len(), 1);
}

#[test]
fn another_disk_at_the_same_path_is_another_pair_and_says_why() {
    let (_tmp, states) = states();
    let pair = states.pair(&roots()).unwrap();
    assert_eq!(states.lookalike(&roots()).unwrap(), None);
    let swapped = RootIdentity { volume: Some("uuid:c".into()), ..root("b", 2) };
    let now = [root("a", 2), swapped];
    assert!(states.find(&now).unwrap().is_none());
    let alike = states.lookalike(&now).unwrap().unwrap();
    assert_eq!(alike.id, *pair.id());
    assert_eq!(alike.sides, [(Side::Right, "/mnt/b/photos is on another volume".to_owned())]);
    let other = states.pair(&now).unwrap();
    assert_ne!(other.id(), pair.id());
    let anew = [root("a", 3), root("b", 2)];
    let why = &states.lookalike(&anew).unwrap().unwrap().sides[0];
    assert_eq!(
        (why.0, why.1.as_str()),
        (Side::Left, "/mnt/a/photos is another folder than the one that was there")
    );
}

#[test]
fn what_is_over_and_what_is_too_much_is_dropped_oldest_first() {
    let (_tmp, states) = states();
    let mut random = fastrand::Rng::with_seed(6);
    let mut ids = Vec::new();
    for number in 0..4 {
        let mut pair = states.pair(&[root("a", number), root("b", 2)]).unwrap();
        let terms = Terms { roots: [root("a", number), root("b", 2)], ..terms("all") };
        pair.save(Some(&run("r")), &terms, Start::Afresh, changes(&mut random, 30)).unwrap();
        ids.push(pair.id().clone());
    }
    let now = Time::now();
    let pruned = states.prune(&Limits::default(), None, now).unwrap();
    assert_eq!((pruned.runs, pruned.pairs.len(), pruned.errors.len()), (0, 0, 0));
    let later = Time::new(now.seconds() + 31 * 24 * 3600, 0);
    let items = |states: &States| states.list().unwrap().iter().map(|info| info.items).collect::<Vec<_>>();
    let before = items(&states);
    let pruned = states.prune(&Limits::default(), None, later).unwrap();
    assert_eq!((pruned.runs, pruned.pairs.len()), (4, 0), "{:?}", pruned.errors);
    assert_eq!(items(&states), before, "what is remembered stays");
    assert_eq!(states.prune(&Limits::default(), None, later).unwrap().runs, 0);
    let mut pair = states.by_id(&ids[0]).unwrap();
    assert!(matches!(pair.forget_run(&run("r")), Err(StateError::NoSuchRun { .. })));

    let limits = Limits { pairs: 2, ..Limits::default() };
    let pruned = states.prune(&limits, Some(&ids[0]), later).unwrap();
    assert_eq!(pruned.pairs, [ids[1].clone(), ids[2].clone()], "the one in use stays");
    let none = Limits { bytes: 0, ..Limits::default() };
    assert_eq!(states.prune(&none, Some(&ids[0]), later).unwrap().pairs, [ids[3].clone()]);
    states.by_id(&ids[0]).unwrap().forget().unwrap();
    assert!(states.list().unwrap().is_empty());
    assert!(matches!(states.by_id(&ids[0]), Err(StateError::Missing)));
}

#[test]
fn a_memory_never_lies_in_a_tree_that_it_is_of() {
    let tmp = tempfile::tempdir().unwrap();
    let (left, right) = (tmp.path().join("l"), tmp.path().join("r"));
    std::fs::create_dir_all(&left).unwrap();
    std::fs::create_dir_all(right.join("sub")).unwrap();
    let open = |path: &std::path::Path| open_root(path).unwrap();
    let apart = |at: &std::path::Path| States::open(at).unwrap().is_apart([&open(&left), &open(&right)]);
    assert!(apart(&tmp.path().join("state")) && apart(&tmp.path().join("state/of/pairs")));
    std::fs::create_dir(tmp.path().join("state")).unwrap();
    assert!(apart(&tmp.path().join("state")));
    assert!(!apart(&right.join("sub/state")) && !apart(&left) && !apart(tmp.path()));
}

#[test]
fn long_paths_and_many_items_in_any_order_are_kept() {
    let (_tmp, states) = states();
    let mut random = fastrand::Rng::with_seed(7);
    let mut pair = states.pair(&roots()).unwrap();
    let mut all: Vec<MemoryChange> = (0..3000)
        .map(|i| {
            let long = "x".repeat(random.usize(1..250));
            let deep = vec![long; random.usize(1..30)].join("/");
            let text = if i % 50 == 0 { deep } else { format!("{i}/é{}", random.u32(..)) };
            MemoryChange { path: path(&text), known: Some(known(&mut random)) }
        })
        .collect();
    random.shuffle(&mut all);
    pair.save(None, &terms("all"), Start::Afresh, all.clone()).unwrap();
    let mut model = Model::new();
    apply(&mut model, &all);
    assert_eq!(loaded(&mut pair), model);
    // All but a few are forgotten: the file does not keep their room.
    let gone = all.iter().skip(3).map(|change| MemoryChange { known: None, ..change.clone() });
    let before = states.list().unwrap()[0].bytes;
    let saved = pair.save(None, &terms("all"), Start::Loaded, gone).unwrap();
    assert!(saved.bytes <= before && saved.items <= 3, "{saved:?} {before}");
}

#[test]
fn a_run_is_accounted_for_side_by_side_and_who_has_loaded_may_still_save() {
    let (_tmp, states) = states();
    let mut pair = states.pair(&roots()).unwrap().of_run_on([true, true]);
    let it = known(&mut fastrand::Rng::with_seed(1));
    let item = |name: &str| MemoryChange { path: path(name), known: Some(it) };
    pair.save(Some(&run("first")), &terms("all"), Start::Afresh, [item("a")]).unwrap();
    pair.save(Some(&run("second")), &terms("all"), Start::Loaded, [item("b")]).unwrap();
    let mut mirrored = states.find(&{
        let [left, right] = roots();
        [right, left]
    });
    let mirrored = mirrored.as_mut().unwrap().as_mut().unwrap();
    assert!(mirrored.is_mirrored());
    mirrored.account([true, false], &[run("first"), run("none")]).unwrap();
    let accounted = |pair: &Pair| {
        let runs = pair.runs().unwrap().into_iter();
        runs.map(|kept| (kept.run.to_string(), kept.accounted)).collect::<BTreeSet<_>>()
    };
    let expected = [("first".to_owned(), [false, true]), ("second".to_owned(), [false, false])];
    assert_eq!(accounted(&pair), BTreeSet::from(expected));
    assert!(accounted(mirrored).contains(&("first".to_owned(), [true, false])));
    // Not lost when the run saves again, and no reason to refuse who has loaded before.
    pair.save(Some(&run("first")), &terms("all"), Start::Loaded, [item("c")]).unwrap();
    assert!(accounted(&pair).contains(&("first".to_owned(), [false, true])));
}
