//! Memories that are not as they were saved: each is refused, or it is what was saved.

#![allow(clippy::unwrap_used)]

mod common;

use std::path::PathBuf;

use common::{Model, apply, changes, model_of, roots, terms};
use fcs_state::{Pair, Start, StateError, States};

struct Saved {
    _tmp: tempfile::TempDir,
    file: PathBuf,
    states: States,
    good: Vec<u8>,
    model: Model,
}

impl Saved {
    fn new(random: &mut fastrand::Rng) -> Self {
        let tmp = tempfile::tempdir().unwrap();
        let states = States::open(tmp.path()).unwrap();
        let mut pair = states.pair(&roots()).unwrap();
        let mut model = Model::new();
        for step in 0..6 {
            let some = changes(random, 300);
            apply(&mut model, &some);
            let start = if step == 0 { Start::Afresh } else { Start::Loaded };
            let run = format!("r{step}").parse().unwrap();
            pair.save(Some(&run), &terms("all"), start, some).unwrap();
        }
        let file = tmp.path().join(format!("{}.redb", pair.id()));
        Self { good: std::fs::read(&file).unwrap(), _tmp: tmp, file, states, model }
    }

    fn pair(&self) -> Pair {
        self.states.find(&roots()).unwrap().unwrap()
    }

    /// Whether the memory with these bytes is refused; panics if it is anything else than what was saved.
    fn refuses(&self, bytes: &[u8]) -> bool {
        std::fs::write(&self.file, bytes).unwrap();
        match self.pair().load() {
            Ok(load) => {
                assert!(model_of(&load.remembered) == self.model, "other items than were saved");
                assert_eq!(load.terms, terms("all"));
                false
            }
            Err(StateError::Damaged { .. } | StateError::OtherVersion { .. }) => true,
            Err(other) => panic!("{other}"),
        }
    }
}

#[test]
fn a_damaged_memory_is_refused_or_what_was_saved_and_never_anything_else() {
    let seed = 21;
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let saved = Saved::new(&mut random);
    assert!(!saved.refuses(&saved.good), "as it is");
    let pages = saved.good.len() / 4096;
    let mut refused = [0_u32; 4];
    for round in 0..800 {
        let mut bytes = saved.good.clone();
        let kind = round % 4;
        match kind {
            0 => bytes.truncate(random.usize(..bytes.len())),
            1 => bytes[random.usize(..saved.good.len())] ^= 1 << random.u8(..8),
            // The beginning of pages is where the database keeps what it goes by, and the first page what it begins
            // with.
            2 => bytes[random.usize(..pages) * 4096 + random.usize(..64)] = random.u8(..),
            _ => bytes[random.usize(..400)] ^= 1 << random.u8(..8),
        }
        refused[kind] += u32::from(saved.refuses(&bytes));
    }
    println!("{refused:?} refused of 200 each: cut, flipped, beginnings of pages, first page");
    assert!(refused[0] > 150 && refused.iter().all(|&some| some > 10), "{refused:?}");
}

#[test]
fn what_is_no_memory_at_all_is_refused() {
    let saved = Saved::new(&mut fastrand::Rng::with_seed(22));
    for bytes in [&b""[..], b"x", &[0; 4096], &[0xff; 10_000], &saved.good[4096..]] {
        assert!(saved.refuses(bytes));
    }
    std::fs::remove_file(&saved.file).unwrap();
    assert!(matches!(saved.pair().load(), Err(StateError::Damaged { why, .. }) if why.contains("not there")));
}

/// A disk, or a restore from a backup, that brings an older file back.
#[test]
fn a_memory_that_is_older_than_it_was_is_refused() {
    let saved = Saved::new(&mut fastrand::Rng::with_seed(23));
    let mut pair = saved.pair();
    pair.load().unwrap();
    pair.save(None, &terms("all"), Start::Loaded, changes(&mut fastrand::Rng::with_seed(24), 3)).unwrap();
    std::fs::write(&saved.file, &saved.good).unwrap();
    assert!(matches!(saved.pair().load(), Err(StateError::Damaged { why, .. }) if why.contains("older")));
}

#[test]
fn a_first_run_replaces_a_damaged_memory_and_nothing_else_does() {
    let saved = Saved::new(&mut fastrand::Rng::with_seed(25));
    std::fs::write(&saved.file, &saved.good[..saved.good.len() / 2]).unwrap();
    let mut pair = saved.pair();
    assert!(pair.load().is_err());
    let mut random = fastrand::Rng::with_seed(26);
    let some = changes(&mut random, 20);
    assert!(matches!(
        pair.save(None, &terms("all"), Start::Loaded, some.clone()),
        Err(StateError::NotLoaded { .. })
    ));
    let run = "first".parse().unwrap();
    pair.save(Some(&run), &terms("all"), Start::Afresh, some.clone()).unwrap();
    let mut model = Model::new();
    apply(&mut model, &some);
    assert_eq!(model_of(&saved.pair().load().unwrap().remembered), model);
    pair.forget_run(&run).unwrap();
    assert!(saved.pair().load().unwrap().remembered.is_empty(), "before it nothing could be read");
}

#[test]
fn a_file_that_names_no_pair_is_listed_and_can_be_forgotten() {
    let saved = Saved::new(&mut fastrand::Rng::with_seed(27));
    let id = saved.pair().id().clone();
    let index = saved.file.with_extension("json");
    let good = std::fs::read_to_string(&index).unwrap();
    for bad in [
        "",
        "{",
        "[]",
        "{\"format\":\"fcs-pair\"}",
        &good.replace("\"version\": 1", "\"version\": 9"),
        &good[..40],
    ] {
        std::fs::write(&index, bad).unwrap();
        let list = saved.states.list().unwrap();
        assert!(list.len() == 1 && list[0].id == id && list[0].roots.is_err() && list[0].bytes > 0, "{bad}");
        assert!(saved.states.find(&roots()).unwrap().is_none());
    }
    saved.states.by_id(&id).unwrap().forget().unwrap();
    assert!(saved.states.list().unwrap().is_empty());
}
