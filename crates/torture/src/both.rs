//! A pair of trees between which changes go both ways: what its users did, and what may be there after a crash.
//!
//! Invariant: what a run is to end with is worked out here, from the trees before it, by rules that share no code with the
//! program. Times of folders do not count: both sides were written to, so there is no right one.

use std::collections::HashSet;
use std::fs;
use std::path::{Path, PathBuf};

use fcs_testkit::{Item, Kind, Listing, Options, listing};

use crate::judge::{Deviation, States, When, Wrong, said, unequal};
use crate::program::{Program, Side, Verb};
use crate::supervise::{Kill, ProcessEnd};
use crate::trees::{self, Edit, TwoWay};

/// The pair, and what is expected of it.
pub(crate) struct Both {
    plan: TwoWay,
    /// What each side is before a run.
    pub(crate) edited: [Listing; 2],
    /// What both are after it.
    merged: Listing,
    /// The side, the name and the other name of what loses its name.
    renamed: Vec<(usize, PathBuf, PathBuf)>,
}

/// Between which states the pair may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stage {
    /// A run or an undo is on its way.
    Between,
    /// A run has said that it was done.
    Merged,
    /// An undo has.
    Edited,
}

/// The two folders of a pair in this one.
pub(crate) fn roots(folder: &Path) -> [PathBuf; 2] {
    ["left", "right"].map(|side| folder.join(side))
}

/// Both trees as they are.
pub(crate) fn look(folder: &Path) -> Result<[Listing; 2], String> {
    let [left, right] = roots(folder);
    Ok([see(&left, &Options::default())?, see(&right, &Options::default())?])
}

fn see(root: &Path, options: &Options<'_>) -> Result<Listing, String> {
    let options = Options { times_of_folders: false, ..*options };
    listing(root, &options).map_err(|error| said("list", root, &error))
}

impl Both {
    /// Makes the pair in `folder` and looks at it. `program` remembers in `state` what both sides were before their users
    /// changed them.
    pub(crate) fn new(program: &Program, folder: &Path, state: &Path, seed: u64) -> Result<Self, String> {
        let plan = trees::two_way(seed);
        let mut both = Self {
            plan,
            edited: [Listing::new(), Listing::new()],
            merged: Listing::new(),
            renamed: Vec::new(),
        };
        fs::create_dir_all(folder).map_err(|error| said("make", folder, &error))?;
        let base = both.restore(program, folder, state)?;
        both.edited = look(folder)?;
        both.merge(&base);
        Ok(both)
    }

    /// Makes the pair what it is before a run, and yields what it was before its users changed it.
    pub(crate) fn restore(&self, program: &Program, folder: &Path, state: &Path) -> Result<Listing, String> {
        match fs::remove_dir_all(state) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(said("clear", state, &error));
            }
            _ => {}
        }
        let roots = roots(folder);
        for root in &roots {
            trees::restore(root, &self.plan.base).map_err(|error| said("restore", root, &error))?;
        }
        let words = program.words(Verb::TwoWay, &roots[0], &roots[1]);
        let ran = program.run_keeping(&words, Kill::Never, state)?;
        if ran.end != ProcessEnd::Code(0) {
            return Err(format!("a first two-way run ended with {:?}:\n{}", ran.end, ran.said));
        }
        let [base, _] = look(folder)?;
        for (root, edits) in roots.iter().zip(&self.plan.edits) {
            trees::edit(root, edits).map_err(|error| said("edit", root, &error))?;
        }
        Ok(base)
    }

    /// What both sides are to be after a run.
    fn merge(&mut self, base: &Listing) {
        let [left, right] = &self.edited;
        for path in left.keys().chain(right.keys().filter(|path| !left.contains_key(*path))) {
            let keep = match (left.get(path), right.get(path)) {
                (Some(l), Some(r)) if l == r || base.get(path) == Some(r) => Some(l),
                (Some(l), Some(r)) if base.get(path) == Some(l) => Some(r),
                (Some(l), Some(r)) => {
                    let loser = usize::from(l.mtime >= r.mtime);
                    let (kept, beside) = if loser == 1 { (l, r) } else { (r, l) };
                    let other = second_name(path, loser);
                    self.merged.insert(other.clone(), beside.clone());
                    self.renamed.push((loser, path.clone(), other));
                    Some(kept)
                }
                // What one side has as it was, the other has removed.
                (Some(one), None) | (None, Some(one)) => (base.get(path) != Some(one)).then_some(one),
                (None, None) => None,
            };
            self.merged.extend(keep.map(|item| (path.clone(), item.clone())));
        }
    }

    /// What is wrong with the names of each side.
    pub(crate) fn judge(&self, now: &[Listing; 2], when: When, stage: Stage) -> Vec<Wrong> {
        let mut all = Vec::new();
        for side in 0..2 {
            let (edited, merged) = (self.edited[side].clone(), self.merged.clone());
            let states = match stage {
                Stage::Between => States { old: edited, new: merged },
                Stage::Merged => States { old: merged.clone(), new: merged },
                Stage::Edited => States { old: edited.clone(), new: edited },
            };
            let name_is_free = |path: &Path| {
                let mut renamed = self.renamed.iter().filter(|(at, from, _)| *at == side && from == path);
                stage == Stage::Between && renamed.any(|(_, _, to)| now[side].contains_key(to))
            };
            let mut wrong = states.judge(&now[side], when);
            wrong.retain(|wrong| wrong.how != Deviation::Missing || !name_is_free(&wrong.path));
            wrong.extend(self.plan.edits.iter().flatten().filter_map(|edit| {
                let Edit::Rename(places) = edit else { return None };
                let nowhere = !places.iter().any(|place| now[side].contains_key(place));
                nowhere.then(|| Wrong { path: places[0].clone(), how: Deviation::Missing })
            }));
            let at = ["left", "right"][side];
            wrong.iter_mut().for_each(|wrong| wrong.path = Path::new(at).join(&wrong.path));
            all.extend(wrong);
        }
        all
    }

    /// Contents that were there before, on either side, and are nowhere now: by no name, and in no undo store.
    pub(crate) fn lost(&self, folder: &Path) -> Result<Vec<String>, String> {
        let mut found = HashSet::new();
        for root in roots(folder) {
            let everything = Options { skip: &[], ..Options::default() };
            found.extend(see(&root, &everything)?.values().filter_map(content));
        }
        let before = self.edited.iter().flatten();
        let lost = before.filter(|(_, item)| content(item).is_some_and(|content| !found.contains(&content)));
        Ok(lost.map(|(path, _)| format!("what {} was is nowhere", path.display())).collect())
    }

    /// What keeps the two sides from being what a run makes of them. After an undo (`afresh`) nothing is remembered of what
    /// went back, so some of it counts as new; then it is enough that both sides are alike and lack no version.
    pub(crate) fn unsettled(&self, now: &[Listing; 2], afresh: bool) -> Vec<String> {
        let [left, right] = now;
        let mut lines = unequal(left, right);
        let visible: HashSet<_> = left.values().filter_map(content).collect();
        for (path, item) in &self.merged {
            let there = if afresh {
                content(item).is_none_or(|content| visible.contains(&content))
            } else {
                left.get(path) == Some(item)
            };
            if !there {
                lines.push(format!("{}: missing, or not what it was to be", path.display()));
            }
        }
        // Cut short between the two halves of keeping both, a run leaves one that the next run takes for a name that is taken.
        let is_second = |path: &Path| path.to_string_lossy().contains(".conflict-");
        let more = left.keys().filter(|path| !afresh && !self.merged.contains_key(*path) && !is_second(path));
        lines.extend(more.map(|path| format!("{}: should not be there", path.display())));
        lines.truncate(8);
        lines
    }

    /// What differs from what each side was before the run.
    pub(crate) fn not_undone(&self, now: &[Listing; 2]) -> Vec<String> {
        Side::BOTH
            .into_iter()
            .zip(self.edited.iter().zip(now))
            .flat_map(|(side, (wanted, now))| {
                unequal(wanted, now).into_iter().map(move |line| format!("{side:?}: {line}"))
            })
            .collect()
    }
}

/// What tells one version of an item from another.
fn content(item: &Item) -> Option<String> {
    match item.kind {
        Kind::File => Some(format!("{:?}", item.content)),
        Kind::Symlink => Some(format!("{:?}", item.target)),
        _ => None,
    }
}

/// As `docs/directions.md` says.
fn second_name(path: &Path, loser: usize) -> PathBuf {
    let side = ["left", "right"][loser];
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (stem, ext) = match name.rsplit_once('.') {
        Some((stem, ext)) if !stem.is_empty() => (stem, format!(".{ext}")),
        _ => (name.as_str(), String::new()),
    };
    path.with_file_name(format!("{stem}.conflict-{side}{ext}"))
}
