//! Names that are handed on or swapped: items that move to names which other items of the run have left.
//!
//! All items of a chain leave their old names first, each to a name of ours in the folder that it was in (`.orig`, which
//! no clean-up takes for an unfinished copy), and only when that is durable do they get their new ones. So a recovery
//! that finds one of them at its new name knows that all have left the old ones.
//!
//! | of the chain | then |
//! |---|---|
//! | an item is at its new name | what waits gets its new name; committed |
//! | none is | what waits gets its old name back; not moved |
//! | the new name is taken by somebody else | the item gets its old name back, if that is free; else it is told |
//! | an item is at no place | told as lost |
//!
//! Undo takes the same two steps in the other direction, for all of a chain or for nothing of it.
//!
//! Invariant: an item is never renamed over another one, and a chain whose items look alike is not told apart by looks: no
//! plan has one.

use std::collections::{HashMap, HashSet};
use std::io;

use fcs_sys::{DirRef, FileId, Name, RelPath};

use crate::ErrorKind;
use crate::dir_cursor::DirCursor;
use crate::history::disk::{Judge, if_there};
use crate::history::journal::Journal;
use crate::history::ledger::{LedgerFolder, LedgerStep};
use crate::history::recover::{SettleError, Settled, Settler};
use crate::history::store::move_to;
use crate::history::undo::{Back, Refusal, open_of_run};
use crate::history::{FileStamp, Record, RecoveryAction, RecoveryItem};
use crate::identity::Numbers;
use crate::lift::move_lifted;
use crate::names::aside_name;

/// The chains among moves, as their numbers in the list: those whose new path is the old one of another.
pub(crate) fn of<'a>(ends: impl Iterator<Item = [&'a RelPath; 2]>) -> Vec<Vec<usize>> {
    let ends: Vec<[&RelPath; 2]> = ends.collect();
    let leaving: HashMap<&RelPath, usize> =
        ends.iter().enumerate().map(|(at, [from, _])| (*from, at)).collect();
    let next: Vec<Option<usize>> = ends.iter().map(|[_, to]| leaving.get(to).copied()).collect();
    let followers: HashSet<usize> = next.iter().flatten().copied().collect();
    let mut taken = vec![false; ends.len()];
    let mut chains = Vec::new();
    // First those that have a beginning; what is left then goes round.
    let begins = (0..ends.len()).filter(|at| !followers.contains(at));
    for first in begins.chain(0..ends.len()).filter(|&at| next[at].is_some()) {
        let mut chain = Vec::new();
        let mut at = Some(first).filter(|&at| !taken[at]);
        while let Some(here) = at {
            taken[here] = true;
            chain.push(here);
            at = next[here].filter(|&at| !taken[at]);
        }
        if !chain.is_empty() {
            chains.push(chain);
        }
    }
    chains
}

/// Where a step of a chain is in its ledger: its folder and itself.
pub(crate) type LinkAt = [usize; 2];

/// The chains of a journal's moves.
pub(crate) fn in_journal(folders: &[LedgerFolder], steps: &[LedgerStep]) -> Vec<Vec<LinkAt>> {
    let places = folders.iter().enumerate().flat_map(|(folder, listed)| {
        let steps = listed.steps.clone().filter(|&at| steps[at].does.new_path().is_some());
        steps.map(move |at| [folder, at])
    });
    let places: Vec<LinkAt> = places.collect();
    let old = places.iter().map(|&[folder, at]| folders[folder].path.join(&steps[at].name));
    let old: Vec<RelPath> = old.collect();
    let ends = places.iter().zip(&old).filter_map(|(&[_, at], old)| Some([old, steps[at].does.new_path()?]));
    of(ends).into_iter().map(|chain| chain.into_iter().map(|at| places[at]).collect()).collect()
}

/// One item of a chain, and where it was found.
struct Link {
    /// The folder that it left, if that is there.
    from: Option<DirRef>,
    /// The folder that it goes to, if that is there.
    to: Option<DirRef>,
    to_name: Name,
    aside_name: Name,
    old: Option<FileStamp>,
    aside: Option<FileStamp>,
    new: Option<FileStamp>,
}

fn find(
    judge: &Judge,
    run: &str,
    way: &mut DirCursor,
    folder: &LedgerFolder,
    step: &LedgerStep,
) -> io::Result<Link> {
    let (to_path, to_name) =
        step.does.new_path().and_then(RelPath::split).ok_or(io::ErrorKind::InvalidData)?;
    let aside_name = aside_name(run, step.number)?;
    let from = open_of_run(way, folder)?;
    let to = if_there(way.open(&to_path))?;
    let at = |dir: &Option<DirRef>, name: &Name| match dir {
        Some(dir) => item_at(judge, dir, name, step),
        None => Ok(None),
    };
    let (old, aside, new) = (at(&from, &step.name)?, at(&from, &aside_name)?, at(&to, &to_name)?);
    Ok(Link { from, to, to_name, aside_name, old, aside, new })
}

/// What is at a name, if that is the item of a step. Where a number is that of a place, what is there now has it too.
fn item_at(judge: &Judge, dir: &DirRef, name: &Name, step: &LedgerStep) -> io::Result<Option<FileStamp>> {
    let Some(now) = if_there(dir.stat(name))? else { return Ok(None) };
    let (now, Some(before)) = (FileStamp::of(&now), step.before) else { return Ok(None) };
    let is_of_place = [&now, &before].into_iter().any(|stamp| stamp.file.1 == FileId::OF_PLACE);
    let is_it = match judge.numbers(dir)? {
        Numbers::Last if !is_of_place => now.file == before.file && now.kind == before.kind,
        _ => now.looks_like(&before),
    };
    Ok(is_it.then_some(now))
}

/// Recovers one chain; see the table above.
pub(crate) fn settle(
    settler: &Settler<'_>,
    way: &mut DirCursor,
    (folders, steps): (&[LedgerFolder], &mut [LedgerStep]),
    chain: &[LinkAt],
    journal: &mut Journal,
    items: &mut Vec<RecoveryItem>,
) {
    let is_over = chain.iter().all(|&[_, at]| steps[at].committed);
    if is_over || chain.iter().all(|&[_, at]| !steps[at].intended) {
        return;
    }
    let found = chain
        .iter()
        .map(|&[folder, at]| find(&settler.judge, settler.run, way, &folders[folder], &steps[at]));
    let found: Vec<io::Result<Link>> = found.collect();
    let goes_on = found.iter().flatten().any(|link| link.new.is_some());
    // What cannot be asked may be anywhere: nothing is renamed then.
    let is_known = found.iter().all(Result::is_ok);
    for (&[folder, at], link) in chain.iter().zip(found) {
        let (folder, step) = (&folders[folder], &mut steps[at]);
        let settled = match link {
            Ok(link) if is_known => settle_link(&settler.judge, step, link, goes_on),
            Ok(_) => continue,
            Err(e) => Err(e.into()),
        };
        settler.conclude(folder.path.join(&step.name), step, settled, journal, items);
    }
}

fn settle_link(judge: &Judge, step: &LedgerStep, link: Link, goes_on: bool) -> Result<Settled, SettleError> {
    let Link { from: Some(from), to, to_name, aside_name, old, aside, new } = link else {
        return match (link.new, link.to) {
            (Some(seen), _) => Ok(Settled::Committed(Some(seen))),
            (None, _) => Err(SettleError::Lost),
        };
    };
    match (old, aside, new) {
        (old, aside, Some(seen)) => {
            // By two names: a rename that was cut off half-way.
            for (is_there, name) in [(old, &step.name), (aside, &aside_name)] {
                if is_there
                    .is_some_and(|other| super::is_one_file(judge, &from, &seen, &other).unwrap_or(false))
                {
                    from.remove_file(name)?;
                }
            }
            Ok(Settled::Committed(Some(seen)))
        }
        (Some(here), Some(other), None) if super::is_one_file(judge, &from, &here, &other)? => {
            from.remove_file(&aside_name)?;
            Ok(Settled::Done(RecoveryAction::KeptOld))
        }
        (None, Some(_), None) => {
            if let (true, Some(to)) = (goes_on, to)
                && move_to(&from, &aside_name, &to, &to_name).is_ok()
            {
                return Ok(Settled::Committed(Some(FileStamp::of(&to.stat(&to_name)?))));
            }
            move_to(&from, &aside_name, &from, &step.name)?;
            Ok(Settled::Done(RecoveryAction::Restored))
        }
        (Some(_), _, None) => Ok(Settled::Untouched),
        (None, None, None) => Err(SettleError::Lost),
    }
}

impl Back<'_> {
    /// Gives the items of chains their old names back. Each chain whole, or nothing of it.
    pub(crate) fn return_chains(&mut self) {
        let ledger = self.ledger;
        for chain in &ledger.chains {
            let links: Vec<(&LedgerFolder, &LedgerStep)> = chain
                .iter()
                .map(|&[folder, at]| (&ledger.folders[folder], &ledger.steps[at]))
                .filter(|(_, step)| step.committed)
                .collect();
            if !links.is_empty() {
                self.return_chain(&links);
            }
        }
    }

    fn return_chain(&mut self, links: &[(&LedgerFolder, &LedgerStep)]) {
        let mut found = Vec::with_capacity(links.len());
        for (at, (folder, step)) in links.iter().enumerate() {
            // Opened as any folder in which something goes back.
            let looked = self.open(&folder.path).and_then(|_| {
                if let Some((to, _)) = step.does.new_path().and_then(RelPath::split) {
                    if_there(self.open(&to))?;
                }
                find(&self.judge, self.run, &mut self.way, folder, step)
            });
            match looked {
                Ok(link) => found.push(link),
                Err(e) => return self.refuse_chain(links, at, Refusal::Os(e)),
            }
        }
        let refused = (0..links.len()).find_map(|at| match self.is_in_the_way(links, &found, at) {
            Ok(false) => None,
            Ok(true) => Some((at, Refusal::Kind(ErrorKind::ChangedSince))),
            Err(e) => Some((at, Refusal::Os(e))),
        });
        if let Some((at, why)) = refused {
            // Of an attempt before this one, which was cut off between the two steps.
            put_all_anywhere(links, &found);
            return self.refuse_chain(links, at, why);
        }
        let mut failed = None;
        for leaves in [true, false] {
            for (at, link) in found.iter_mut().enumerate() {
                if let Err(e) = self.go_back(links[at].1, link, leaves) {
                    failed = Some((at, e));
                    break;
                }
            }
            if let (true, None) = (leaves, &failed) {
                failed = sync(&found).err().map(|e| (0, e));
            }
            if let Some((at, e)) = failed {
                put_all_anywhere(links, &found);
                return self.refuse_chain(links, at, Refusal::Os(e));
            }
        }
        for (folder, step) in links {
            self.note_return(folder, step);
            let path = folder.path.join(&step.name);
            self.found.items.push(RecoveryItem::done(path, RecoveryAction::MovedBack));
        }
    }

    /// Whether an item of a chain cannot get its old name back.
    fn is_in_the_way(
        &self,
        links: &[(&LedgerFolder, &LedgerStep)],
        found: &[Link],
        at: usize,
    ) -> io::Result<bool> {
        let ((folder, step), link) = (links[at], &found[at]);
        let path = folder.path.join(&step.name);
        let (Some(from), Some(to)) = (&link.from, step.does.new_path()) else { return Ok(true) };
        if self.is_elsewhere(&path) || self.is_elsewhere(to) {
            return Ok(true);
        }
        let was_edited = |now: &FileStamp| step.new.is_some_and(|new| !now.looks_like(&new));
        if link.new.as_ref().is_some_and(was_edited) || [link.old, link.aside, link.new] == [None; 3] {
            return Ok(true);
        }
        // What has the name may be the item itself, or another one of the chain, which leaves it.
        let leaves_it = |(other, link): (&(&LedgerFolder, &LedgerStep), &Link)| {
            link.new.is_some() && other.1.does.new_path() == Some(&path)
        };
        let is_taken = link.old.is_none() && if_there(from.stat(&step.name))?.is_some();
        Ok(is_taken && !links.iter().zip(found).any(leaves_it))
    }

    /// One of the two steps of an item back to its old name: it leaves its new one, or gets its old one.
    fn go_back(&mut self, step: &LedgerStep, link: &mut Link, leaves: bool) -> io::Result<()> {
        let Some(from) = link.from.clone() else { return Err(io::ErrorKind::NotFound.into()) };
        let lift = |was| self.write_down(&Record::LiftedItem { step: step.number, was });
        if let (true, Some(_), Some(to)) = (leaves, link.new, &link.to) {
            move_lifted(to, &link.to_name, &from, &link.aside_name, lift)?;
            link.aside = link.new.take();
        } else if let (false, Some(_)) = (leaves, link.aside) {
            move_lifted(&from, &link.aside_name, &from, &step.name, lift)?;
            link.old = link.aside.take();
        }
        Ok(())
    }

    /// Tells that nothing of a chain goes back: because of one of its items, and the others because of that.
    fn refuse_chain(&mut self, links: &[(&LedgerFolder, &LedgerStep)], at: usize, why: Refusal) {
        let mut why = Some(why);
        for (number, (folder, step)) in links.iter().enumerate() {
            let own = if number == at { why.take() } else { None };
            self.refuse(folder, step, own.unwrap_or(Refusal::Kind(ErrorKind::ChainFailed)));
        }
    }
}

/// Makes durable that the items of a chain have left their names.
fn sync(found: &[Link]) -> io::Result<()> {
    found.iter().flat_map(|link| [&link.from, &link.to]).flatten().try_for_each(|dir| dir.sync())
}

/// Gives what is between its names one of them, so that it is at one of its places. What has neither is told all the same.
fn put_all_anywhere(links: &[(&LedgerFolder, &LedgerStep)], found: &[Link]) {
    for ((_, step), link) in links.iter().zip(found).filter(|(_, link)| link.aside.is_some()) {
        if let Err(error) = put_anywhere(link, step) {
            tracing::warn!(%error, "an item stays between its two names");
        }
    }
}

/// The new name, or else the old one.
fn put_anywhere(link: &Link, step: &LedgerStep) -> io::Result<()> {
    let Some(from) = &link.from else { return Ok(()) };
    let old = || move_to(from, &link.aside_name, from, &step.name);
    match &link.to {
        Some(to) => move_to(from, &link.aside_name, to, &link.to_name).or_else(|_| old()),
        None => old(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::path;

    fn chains(moves: &[[&str; 2]]) -> Vec<Vec<usize>> {
        let paths: Vec<[RelPath; 2]> = moves.iter().map(|ends| ends.map(path)).collect();
        of(paths.iter().map(|[from, to]| [from, to]))
    }

    #[test]
    fn a_chain_is_what_hands_names_on_whether_it_ends_or_goes_round() {
        assert_eq!(chains(&[["a", "x"], ["b", "y"]]), Vec::<Vec<usize>>::new());
        assert_eq!(chains(&[["b", "c"], ["z", "y"], ["a", "b"]]), [[2, 0]]);
        assert_eq!(chains(&[["a", "b"], ["x", "y"], ["b", "a"], ["y", "w"]]), [[1, 3], [0, 2]]);
        assert_eq!(chains(&[["a", "b"], ["b", "c"], ["c", "a"]]), [[0, 1, 2]]);
    }
}
