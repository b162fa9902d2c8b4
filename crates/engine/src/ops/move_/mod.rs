//! Moves an item of the target to another path of it, by renames alone.
//!
//! Carried out when everything is copied, so that the folders it moves to are there, and before anything is removed, so
//! that those it comes from still are. What is put where an item moves to replaces it after that: the source's
//! version of a file that was changed as well. What begins, ends or passes below another move is refused, item by item.
//!
//! | at the new path | at the old path | then |
//! |---|---|---|
//! | the item | nothing, or something else | committed |
//! | the item | the same item, by two names | the new name goes; not moved |
//! | anything else | the item | not moved |
//! | anything else | anything else | told as lost: somebody else moved or removed it |
//!
//! Undo moves the item back, if it is as the run left it and nothing has its old name. Names that are handed on or swapped
//! are a matter of [`chain`].
//!
//! Invariants: an item is never moved over another one; it is moved only while it is what the plan saw, and what came out
//! of the rename is looked at again. That it keeps its dates, permissions and attributes follows from the rename.

mod carry_out;
pub(crate) mod chain;

use std::io;

use fcs_sys::{DirRef, Fingerprint, Kind, Name, Protection, RelPath};

use crate::ErrorKind;
use crate::compare::{Comparison, RowId, Side};
use crate::dir_cursor::DirCursor;
use crate::history::disk::{Judge, if_there};
use crate::history::ledger::LedgerStep;
use crate::history::record::{FolderStamp, StepKind, StepRecord};
use crate::history::recover::{SettleError, Settled, Settler};
use crate::history::undo::{Back, Refusal, is_no_folder};
use crate::history::{FileStamp, RecoveryAction};
use crate::identity::Numbers;
use crate::names::is_ours;
use crate::ops::{ItemChange, SingleItem, When, folder_stamp, step_record};
use crate::plan::file::OURS;
use crate::plan::{Plan, RootIndex};
use crate::report::ActionKind;

pub(crate) use carry_out::carry_out;

/// One item that moves.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Moved {
    /// The root in which it moves.
    pub root: RootIndex,
    /// Where it is, below the root.
    pub from: RelPath,
    /// Where it goes. Nothing may be there but an item that the plan moves too.
    pub to: RelPath,
    /// What it looked like.
    pub expect: Fingerprint,
    /// What the folder looked like in which it is.
    pub from_folder: Fingerprint,
    /// What the folder looked like to which it goes; `None` if the plan makes it.
    pub to_folder: Option<Fingerprint>,
    /// A flag that keeps everybody from moving it.
    pub protection: Option<Protection>,
    /// The same item on the source, to verify it by; `None` where there is none, or one that is to replace it.
    #[serde(default)]
    pub source: Option<SourceOfMove>,
}

/// The item of the source that another one was moved to be like.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct SourceOfMove {
    /// Where it is, below the source.
    pub path: RelPath,
    /// What it looked like.
    pub expect: Fingerprint,
}

impl SingleItem for Moved {
    fn action(&self) -> ActionKind {
        ActionKind::Move
    }

    fn root(&self) -> RootIndex {
        self.root
    }

    fn path(&self) -> &RelPath {
        &self.from
    }

    fn new_path(&self) -> Option<&RelPath> {
        Some(&self.to)
    }

    fn when(&self) -> When {
        When::BeforeRemovals
    }

    fn forbidden(&self) -> Option<&'static str> {
        if self.from.is_root() || self.to.is_root() {
            return Some("the root cannot move");
        }
        (is_ours(&self.from) || is_ours(&self.to)).then_some(OURS)
    }

    fn step(&self) -> Option<(RelPath, FolderStamp, StepRecord)> {
        let [(from, name), _] = self.split()?;
        let kind = StepKind::Move { to: self.to.as_bytes().to_vec() };
        let step = step_record(&name, Some(&self.expect), kind);
        Some((from, folder_stamp(&self.from_folder, None), step))
    }

    fn other_folder(&self) -> Option<(RelPath, FolderStamp)> {
        let [(from, _), (to, _)] = self.split()?;
        self.to_folder.filter(|_| from != to).map(|folder| (to, folder_stamp(&folder, None)))
    }
}

impl Moved {
    /// Both parents and names; `None` for the root itself.
    fn split(&self) -> Option<[(RelPath, Name); 2]> {
        Some([self.from.split()?, self.to.split()?])
    }
}

impl Plan {
    /// Adds that the item which `side` has of `row` moves there into the folder of the row `into`, to be called `name`.
    /// `false`, and nothing is added, where the plan does not write to that side, or that has no such item, or no such
    /// folder and does not get one by this plan.
    pub fn add_move(
        &mut self,
        comparison: &Comparison,
        side: Side,
        row: RowId,
        into: RowId,
        name: &Name,
    ) -> bool {
        let root = RootIndex::from(side);
        let parent = comparison.row(row).parent;
        let (Some(item), Some(from_folder)) = (comparison.entry(row, side), comparison.entry(parent, side))
        else {
            return false;
        };
        let path = comparison.path_on(into, side);
        let is_made = self
            .folders
            .iter()
            .any(|folder| folder.target_root == root && folder.create && folder.target_path == path);
        let to_folder = comparison.entry(into, side).filter(|there| there.kind == Kind::Folder && !is_made);
        if row == Comparison::ROOT || !is_made && to_folder.is_none() {
            return false;
        }
        self.add_change(ItemChange::Move(Moved {
            root,
            from: comparison.path_on(row, side),
            to: path.join(name),
            expect: item.fingerprint(),
            from_folder: from_folder.fingerprint(),
            to_folder: to_folder.map(|entry| entry.fingerprint()),
            protection: item.protection(),
            source: None,
        }))
    }
}

/// What is at a name, if that is the item of a step that moves it.
fn item_at(judge: &Judge, dir: &DirRef, name: &Name, step: &LedgerStep) -> io::Result<Option<FileStamp>> {
    let Some(now) = if_there(dir.stat(name))? else { return Ok(None) };
    let (now, Some(before)) = (FileStamp::of(&now), step.before) else { return Ok(None) };
    let is_it = match judge.numbers(dir)? {
        Numbers::Last => now.file == before.file && now.kind == before.kind || now.is_after_rename(&before),
        Numbers::ProveNothing => now.looks_like(&before),
    };
    Ok(is_it.then_some(now))
}

/// Whether two names lead to one file, of which one may go. Never said of folders, nor where numbers prove nothing.
fn is_one_file(judge: &Judge, dir: &DirRef, a: &FileStamp, b: &FileStamp) -> io::Result<bool> {
    Ok(judge.numbers(dir)? == Numbers::Last && a.file == b.file && a.kind != Kind::Folder)
}

/// Recovers one move; see the table above. `dir` is the folder that the item left, where it is still there.
pub(crate) fn settle(
    settler: &Settler<'_>,
    way: &mut DirCursor,
    dir: Option<&DirRef>,
    step: &LedgerStep,
    to: &RelPath,
) -> Result<Settled, SettleError> {
    let Some((to_path, to_name)) = to.split() else { return Ok(Settled::Untouched) };
    let to_dir = match way.open(&to_path) {
        Ok(dir) => Some(dir),
        Err(e) if is_no_folder(&e) => None,
        Err(e) => return Err(e.into()),
    };
    let there = match &to_dir {
        Some(to_dir) => item_at(&settler.judge, to_dir, &to_name, step)?,
        None => None,
    };
    let here = match dir {
        Some(dir) => item_at(&settler.judge, dir, &step.name, step)?,
        None => None,
    };
    match (there, here, to_dir) {
        (Some(seen), None, _) => Ok(Settled::Committed(Some(seen))),
        (Some(seen), Some(old), Some(to_dir)) if is_one_file(&settler.judge, &to_dir, &seen, &old)? => {
            to_dir.remove_file(&to_name)?;
            Ok(Settled::Done(RecoveryAction::KeptOld))
        }
        (_, Some(_), _) => Ok(Settled::Untouched),
        (None, None, _) => Err(SettleError::Lost),
    }
}

impl Back<'_> {
    /// Moves an item back to where it was.
    pub(crate) fn return_moved(
        &mut self,
        dir: &DirRef,
        _: &RelPath,
        step: &LedgerStep,
    ) -> Result<Option<RecoveryAction>, Refusal> {
        let changed = || Refusal::Kind(ErrorKind::ChangedSince);
        let Some(to) = step.does.new_path() else { return Ok(None) };
        let Some((to_path, to_name)) = to.split() else { return Ok(None) };
        if self.is_elsewhere(to) {
            return Err(changed());
        }
        let to_dir = match self.open(&to_path) {
            Ok(dir) => Some(dir),
            Err(e) if is_no_folder(&e) => None,
            Err(e) => return Err(e.into()),
        };
        let there = match &to_dir {
            Some(to_dir) => item_at(&self.judge, to_dir, &to_name, step)?,
            None => None,
        };
        let here = item_at(&self.judge, dir, &step.name, step)?;
        match (there, here, to_dir) {
            (Some(now), None, Some(to_dir)) => {
                // A folder moves back with whatever is in it by now.
                if step.new.is_some_and(|new| !now.looks_like(&new)) {
                    return Err(changed());
                }
                self.move_item(&to_dir, &to_name, dir, step)?;
                Ok(Some(RecoveryAction::MovedBack))
            }
            (Some(now), Some(old), Some(to_dir)) if is_one_file(&self.judge, &to_dir, &now, &old)? => {
                to_dir.remove_file(&to_name)?;
                Ok(Some(RecoveryAction::MovedBack))
            }
            // By an attempt before this one.
            (None, Some(_), _) => Ok(Some(RecoveryAction::MovedBack)),
            _ => Err(changed()),
        }
    }
}
