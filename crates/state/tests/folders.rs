//! Pairs of folders that are really there, as the system tells of them.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;
use std::path::Path;

use common::{changes, model_of};
use fcs_engine::Settings;
use fcs_engine::compare::Side;
use fcs_engine::memory::{OtherTerm, Terms};
use fcs_engine::session::Folders;
use fcs_state::{Start, States};

fn terms(left: &Path, right: &Path, exclude: &[&str]) -> Terms {
    let exclude: Vec<String> = exclude.iter().map(|&pattern| pattern.to_owned()).collect();
    let settings = Settings::default();
    Folders::open(left, right, &[], &exclude, &settings).unwrap().terms(&settings).unwrap()
}

#[test]
fn a_pair_is_known_again_until_a_folder_is_another_one() {
    let tmp = tempfile::tempdir().unwrap();
    let at = |name: &str| tmp.path().join(name);
    for name in ["l", "r"] {
        fs::create_dir(at(name)).unwrap();
    }
    let states = States::open(&at("state")).unwrap();
    let first = terms(&at("l"), &at("r"), &[]);
    assert!(states.find(&first.roots).unwrap().is_none());
    let mut pair = states.pair(&first.roots).unwrap();
    let run = "one".parse().unwrap();
    pair.save(Some(&run), &first, Start::Afresh, changes(&mut fastrand::Rng::with_seed(1), 40)).unwrap();

    // What is in the folders changes, and how they are compared; the pair is the same, and its terms are told.
    fs::write(at("l/new"), "new").unwrap();
    let filtered = terms(&at("l"), &at("r"), &["*.tmp"]);
    let loaded = states.find(&filtered.roots).unwrap().unwrap().load().unwrap();
    assert_eq!(filtered.other_than(&loaded.terms), [OtherTerm::Filter]);
    assert_eq!(terms(&at("l"), &at("r"), &[]).other_than(&loaded.terms), []);
    let before = model_of(&loaded.remembered);

    let numbers_last = first.roots[1].number.is_some();
    fs::rename(at("r"), at("elsewhere")).unwrap();
    let moved = terms(&at("l"), &at("elsewhere"), &[]);
    let found = states.find(&moved.roots).unwrap();
    // Where nothing lasting is known of the volume, the path is all there is.
    let is_known = numbers_last && !moved.roots[1].is_by_path();
    assert_eq!(found.is_some(), is_known, "{:?}", moved.roots);
    if let Some(mut pair) = found {
        assert_eq!(model_of(&pair.load().unwrap().remembered), before);
    }

    fs::create_dir(at("r")).unwrap();
    let anew = terms(&at("l"), &at("r"), &[]);
    if numbers_last {
        assert!(states.find(&anew.roots).unwrap().is_none(), "an empty folder in the place of the old one");
        let alike = states.lookalike(&anew.roots).unwrap().unwrap();
        assert_eq!((alike.id, alike.sides[0].0), (pair.id().clone(), Side::Right));
    }
}
