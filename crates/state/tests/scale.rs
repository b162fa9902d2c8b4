//! How large a memory is, and how long it takes. A million items, as in docs/performance.md:
//! `FCS_TEST_ITEMS=1000000 cargo test --release -p fcs-state --test scale -- --nocapture`.

#![allow(clippy::unwrap_used)]

mod common;

use std::time::Instant;

use common::{known, roots, terms};
use fcs_engine::memory::{Grade, Known, MemoryChange};
use fcs_state::{Start, States};
use fcs_sys::RelPath;

fn path(i: usize) -> RelPath {
    // 40 bytes, as those of photographs in folders of days are.
    let text = format!(
        "photos/20{:02}/{:02}-{:02} somewhere/IMG_{i:08}.jpg",
        i / 50_000,
        i / 4200 % 12,
        i / 150 % 28
    );
    RelPath::parse(text.as_bytes()).unwrap()
}

/// As a copy leaves them: sizes and dates are the same, numbers and change times are near each other.
fn copied(random: &mut fastrand::Rng, i: usize) -> Known {
    let mut known = known(random);
    known.stamps[1].size = known.stamps[0].size;
    known.stamps[1].modified = known.stamps[0].modified;
    known.stamps[0].id.file = 1_000_000 + i as u64;
    known.stamps[1].id.file = 5_000_000 + i as u64;
    known
}

#[test]
fn an_item_takes_no_more_than_200_bytes() {
    let items: usize = std::env::var("FCS_TEST_ITEMS").map_or(50_000, |text| text.parse().unwrap());
    let tmp = tempfile::tempdir().unwrap();
    let states = States::open(tmp.path()).unwrap();
    let mut pair = states.pair(&roots()).unwrap();
    for (what, with_hash) in [("hashes", true), ("no hashes", false)] {
        let mut random = fastrand::Rng::with_seed(1);
        let changes = (0..items).map(|i| {
            let mut known = copied(&mut random, i);
            if !with_hash {
                (known.hash, known.grade) = (None, Grade::Looks);
            }
            MemoryChange { path: path(i), known: Some(known) }
        });
        let begun = Instant::now();
        let saved = pair.save(None, &terms("all"), Start::Afresh, changes).unwrap();
        println!(
            "{items} items, {what}: saved in {:.1} s, {:.1} MB, {:.0} bytes an item",
            begun.elapsed().as_secs_f64(),
            saved.bytes as f64 / 1e6,
            saved.bytes as f64 / items as f64
        );
        assert!(saved.bytes <= 200 * items as u64, "{} bytes for {items} items", saved.bytes);
        let begun = Instant::now();
        assert_eq!(pair.load().unwrap().remembered.len(), items);
        println!("loaded in {:.1} s", begun.elapsed().as_secs_f64());
        if with_hash {
            for (run, count) in [("few", items / 10_000), ("many", items / 100), ("tenth", items / 10)] {
                let some = (0..count).map(|_| {
                    let i = random.usize(..items);
                    MemoryChange { path: path(i), known: Some(copied(&mut random, i)) }
                });
                let some: Vec<_> = some.collect();
                let begun = Instant::now();
                let saved =
                    pair.save(Some(&run.parse().unwrap()), &terms("all"), Start::Loaded, some).unwrap();
                println!(
                    "{count} of them changed: saved in {:.1} s, {:.0} bytes an item",
                    begun.elapsed().as_secs_f64(),
                    saved.bytes as f64 / items as f64
                );
            }
            for run in ["tenth", "many", "few"] {
                let begun = Instant::now();
                pair.forget_run(&run.parse().unwrap()).unwrap();
                println!("{run} forgotten in {:.1} s", begun.elapsed().as_secs_f64());
            }
            let begun = Instant::now();
            let run = "first".parse().unwrap();
            let all: Vec<_> = (0..items)
                .map(|i| MemoryChange { path: path(i), known: Some(copied(&mut random, i)) })
                .collect();
            let saved = pair.save(Some(&run), &terms("*"), Start::Afresh, all).unwrap();
            println!(
                "all anew by a run: saved in {:.1} s, {:.0} bytes an item",
                begun.elapsed().as_secs_f64(),
                saved.bytes as f64 / items as f64
            );
            pair.forget().unwrap();
            pair = states.pair(&roots()).unwrap();
        }
    }
}
