//! Comparisons of random trees, made of real folders by the real scan.
//!
//! Problems that a disk does not give on demand are put into the finished comparison, with all that is below, as the
//! engine would.

use std::collections::BTreeMap;
use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

use fcs_engine::compare::{Comparison, RowId, Verdict, compare};
use fcs_engine::scan::scan_pair;
use fcs_engine::{Control, Settings};
use fcs_sys::{Time, Times};
use fcs_testkit::faulty::{Act, Call, Event, wrap};
use proptest::prelude::*;

use crate::index::Index;

/// An item on one side: `None` for a folder, else size and seconds.
type Item = Option<(u64, u64)>;

/// Two trees: per path what each side has.
#[derive(Debug, Clone, Default)]
pub(crate) struct Pair {
    items: BTreeMap<String, [Option<Item>; 2]>,
    problems: Vec<(usize, u8)>,
    /// Dates modified in nanoseconds, instead of those that the items have.
    dates: BTreeMap<String, [u64; 2]>,
}

/// No two alike but for capital letters: not every system could make these.
const NAMES: [&str; 9] = ["a", "B", "c.txt", "D.JPG", "Élan", "f 2024-05", "g.jpg", "ab", "Z[1]"];
/// 2023-11-14 22:13:20 UTC.
const BEGIN: u64 = 1_700_000_000;

impl Pair {
    /// From lines such as `a/b.txt 10 12`: sizes on the left and the right, `-` for none, `/` for a folder.
    pub(crate) fn of(lines: &[&str]) -> Self {
        let item = |word: &str| match word {
            "-" => None,
            "/" => Some(None),
            size => Some(Some((size.parse().unwrap(), BEGIN))),
        };
        let mut pair = Self::default();
        for line in lines {
            let words: Vec<&str> = line.rsplitn(3, ' ').collect();
            pair.items.insert(words[2].to_owned(), [item(words[1]), item(words[0])]);
        }
        pair
    }

    /// Gives an item dates of its own on both sides, in nanoseconds.
    pub(crate) fn modified(&mut self, path: &str, dates: [u64; 2]) {
        self.dates.insert(path.to_owned(), dates);
    }

    /// Scans and compares what the pair says, by size and existence.
    pub(crate) fn compare(&self) -> Arc<Comparison> {
        self.compare_with(&Settings { compare_modified: false, ..Settings::default() })
    }

    /// Scans and compares what the pair says. What is called `unasked` cannot be asked on the left.
    pub(crate) fn compare_with(&self, settings: &Settings) -> Arc<Comparison> {
        let scratch = tempfile::tempdir().unwrap();
        let roots = ["left", "right"].map(|side| scratch.path().join(side));
        let made = |at: usize, path: &Path| match self.item_at(path, at) {
            Some(None) => fs::create_dir_all(roots[at].join(path)).unwrap(),
            Some(Some((size, seconds))) => {
                let file = File::create(roots[at].join(path)).unwrap();
                file.set_len(size).unwrap();
                let date = path.to_str().and_then(|path| self.dates.get(path)).map(|dates| dates[at]);
                let time = UNIX_EPOCH + date.map_or(Duration::from_secs(seconds), Duration::from_nanos);
                file.set_times(FileTimes::new().set_modified(time)).unwrap();
            }
            None => {}
        };
        for (at, root) in roots.iter().enumerate() {
            fs::create_dir(root).unwrap();
            self.items.keys().for_each(|path| made(at, Path::new(path)));
        }
        // However long it took to make them.
        let date = Time::new(BEGIN as i64, 0);
        let all = self.items.keys().map(Path::new);
        let folders = (0..2).flat_map(|at| {
            all.clone().map(move |path| (at, path)).filter(|(at, path)| self.item_at(path, *at) == Some(None))
        });
        for (at, path) in folders {
            let folder = fcs_sys::open_root(&roots[at].join(path)).unwrap();
            folder.dir.set_times(Times { modified: Some(date), created: None }).unwrap();
        }
        let [left, right] = roots.map(|root| fcs_sys::open_root(&root).unwrap());
        // No permission, in the system's numbers.
        let denied = if cfg!(windows) { 5 } else { 13 };
        let script = move |event: &Event<'_>| {
            if event.call == Call::Stat && event.path.as_bytes() == b"unasked" {
                Act::Fail(denied)
            } else {
                Act::Go
            }
        };
        let left = wrap(&left, "left", Arc::new(script));
        let control = Control::default();
        let filter = fcs_engine::filter::Filter::default();
        let (l, r) = scan_pair(&left, &right, &filter, settings, &control).unwrap();
        let mut comparison =
            compare((&left, Arc::new(l)), (&right, Arc::new(r)), settings, &control).unwrap();
        for (row, verdict) in &self.problems {
            spoil(&mut comparison, row % self.items.len().max(1), *verdict);
        }
        Arc::new(comparison)
    }

    /// What a side has at a path, which is nothing where the folder is missing or a file there.
    fn item_at(&self, path: &Path, side: usize) -> Option<Item> {
        let item = self.items.get(path.to_str()?)?[side]?;
        let above = path.parent().filter(|above| !above.as_os_str().is_empty());
        above.is_none_or(|above| self.item_at(above, side) == Some(None)).then_some(item)
    }

    pub(crate) fn index(&self) -> Arc<Index> {
        Arc::new(Index::new(self.compare()))
    }
}

fn spoil(comparison: &mut Comparison, row: usize, verdict: u8) {
    let verdicts = [Verdict::Unreadable, Verdict::NotComparable, Verdict::NameClash];
    let verdict = verdicts[usize::from(verdict) % verdicts.len()];
    if row == 0 || row >= comparison.rows.len() {
        return;
    }
    let mut hit = vec![false; comparison.rows.len()];
    hit[row] = true;
    for row in row..comparison.rows.len() {
        hit[row] |= hit[comparison.rows[row].parent as usize];
        if hit[row] {
            comparison.rows[row].verdict = verdict;
        }
    }
}

/// Random pairs of trees up to four deep.
pub(crate) fn pairs() -> impl Strategy<Value = Pair> {
    let file = (0_u64..3, 0_u64..3).prop_map(|(size, day)| Some((size * 2000, BEGIN + day * 86_400)));
    let item = prop_oneof![2 => Just(Some(None)), 3 => file.prop_map(Some), 1 => Just(None)];
    let sides = (item.clone(), item, any::<bool>())
        .prop_map(|(left, right, alike)| if alike { [left, left] } else { [left, right] });
    let path = proptest::collection::vec(proptest::sample::select(&NAMES[..]), 1..5);
    let items = proptest::collection::vec((path, sides), 0..40);
    let problems = proptest::collection::vec((0_usize..40, 0_u8..3), 0..3);
    (items, problems).prop_map(|(items, problems)| {
        let mut pair = Pair { problems, ..Pair::default() };
        for (path, sides) in items {
            for depth in 1..path.len() {
                pair.items.entry(path[..depth].join("/")).or_insert([Some(None), Some(None)]);
            }
            pair.items.entry(path.join("/")).or_insert(sides);
        }
        pair
    })
}

/// Whether a row is another or lies below it, found by climbing.
pub(crate) fn is_in(comparison: &Comparison, row: RowId, folder: RowId) -> bool {
    let mut at = row;
    while at != folder && at != Comparison::ROOT {
        at = comparison.row(at).parent;
    }
    at == folder
}

/// The number of the row with this path.
pub(crate) fn row(comparison: &Comparison, path: &str) -> RowId {
    comparison.walk().find(|&row| comparison.path(row).as_bytes() == path.as_bytes()).unwrap()
}

/// How many random pairs are tried: fewer in Wine, where making folders takes ten times as long, and where only what
/// depends on the system has to be shown.
pub(crate) fn cases(usual: u32) -> u32 {
    if cfg!(windows) { usual / 8 + 1 } else { usual }
}
