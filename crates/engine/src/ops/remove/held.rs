//! Which removals a failure holds back, and because of which item.
//!
//! What looks superfluous on the target may be the last copy of something that the run could not bring over under its
//! new name or at its new place. One file that always fails must not hold everything back without end, so by default only
//! those removals wait that a failure can concern: what is in the folder of an item that failed or could not be read
//! (an orphan folder there with all that is in it), everything below such an item, and, wherever it lies, a file with the size and date of a source that
//! failed: that is what a moved file looks like. Where a run writes to several roots, a failure in one of them counts in all:
//! what could not be brought to the one may be what goes from the other.
//!
//! Invariant: a folder is held as soon as anything in it is. This module changes nothing on the disk.

use std::collections::{HashMap, HashSet};

use fcs_sys::{Fingerprint, Kind, RelPath, Time};

use crate::dates::image;
use crate::plan::{Removal, RemovalFolder};
use crate::run::context::Context;
use crate::run::folders::Entered;
use crate::settings::RemoveDespiteFailures;

/// What failed before anything is removed, in all roots: where, and what the source of a step looks like.
pub(crate) struct Failures(Vec<(RelPath, Option<Fingerprint>)>);

impl Failures {
    /// Gathers them, with what became of the folders of each root.
    pub(crate) fn of(contexts: &[Context<'_>], entered: &[Vec<Entered>]) -> Self {
        let mut all = Vec::new();
        for (context, entered) in contexts.iter().zip(entered) {
            all.extend(context.plan.unreadable().map(|path| (path.clone(), None)));
            let folders = context.plan.folders.iter().zip(entered);
            let failed = folders.filter(|(_, entered)| matches!(entered, Entered::Failed(_)));
            all.extend(failed.map(|(plan, _)| (plan.target_path.clone(), None)));
            all.extend(context.failed_steps().into_iter().map(|(path, source)| (path, Some(source))));
        }
        Self(all)
    }
}

/// The failures that removals are held against.
pub(super) struct Held {
    policy: RemoveDespiteFailures,
    /// The first failure of all.
    any: Option<RelPath>,
    /// By folder, an item directly in it that failed.
    beside: HashMap<RelPath, RelPath>,
    /// Folders that are to be removed.
    going: HashSet<RelPath>,
    /// Items that failed; everything below them is held.
    failed: HashSet<RelPath>,
    /// By size, the modified times of the sources of failed items.
    looks: HashMap<u64, Vec<(Time, RelPath)>>,
    /// Folders in which something stays, and what that is because of.
    staying: HashMap<RelPath, RelPath>,
}

impl Held {
    pub(super) fn new(context: &Context<'_>, failures: &Failures) -> Self {
        let mut held = Self {
            policy: context.settings.remove_despite_failures,
            any: None,
            beside: HashMap::new(),
            going: HashSet::new(),
            failed: HashSet::new(),
            looks: HashMap::new(),
            staying: HashMap::new(),
        };
        failures.0.iter().for_each(|(path, source)| held.add(path, source.as_ref()));
        if held.any.is_some() {
            let folders = context.plan.removed().filter(|(_, item)| item.expect.kind == Kind::Folder);
            held.going = folders.map(|(folder, item)| folder.path.join(&item.name)).collect();
        }
        held
    }

    fn add(&mut self, path: &RelPath, source: Option<&Fingerprint>) {
        self.any.get_or_insert_with(|| path.clone());
        let folder = path.split().map_or_else(RelPath::root, |(folder, _)| folder);
        self.beside.entry(folder).or_insert_with(|| path.clone());
        self.failed.insert(path.clone());
        // Empty files are alike whatever they are, and nothing is lost with one.
        if let Some(source) = source.filter(|source| source.kind == Kind::File && source.size > 0) {
            self.looks.entry(source.size).or_default().push((source.modified, path.clone()));
        }
    }

    /// What a removal waits for, if it does; remembered for the folders above it.
    pub(super) fn because_of(&mut self, folder: &RemovalFolder, item: &Removal) -> Option<RelPath> {
        // Not superfluous, but in the way of what is brought over.
        if item.makes_way {
            return None;
        }
        let why = self.reason(folder, item)?;
        self.stays(&folder.path, &why);
        Some(why)
    }

    fn reason(&self, folder: &RemovalFolder, item: &Removal) -> Option<RelPath> {
        if let Some(why) = self.staying.get(&folder.path.join(&item.name)) {
            return Some(why.clone());
        }
        match self.policy {
            RemoveDespiteFailures::Always => return None,
            RemoveDespiteFailures::Never => return self.any.clone(),
            RemoveDespiteFailures::Unrelated => {}
        }
        // A folder that goes whole waits whole: its content may be what the failed item was.
        let mut at = folder.path.clone();
        loop {
            if let Some(why) = self.beside.get(&at) {
                return Some(why.clone());
            }
            match at.split().filter(|_| self.going.contains(&at)) {
                Some((above, _)) => at = above,
                None => break,
            }
        }
        if !self.failed.is_empty() {
            let mut above = Some(folder.path.clone());
            while let Some(at) = above {
                if self.failed.contains(&at) {
                    return Some(at);
                }
                above = at.split().map(|(folder, _)| folder);
            }
        }
        // The target may have cut the date, or be unable to hold it.
        let shown = item.expect.modified;
        let is_moved = |given: Time| given == shown || image(given, shown).is_some();
        let alike = self.looks.get(&item.expect.size).filter(|_| item.expect.kind == Kind::File)?;
        alike.iter().find(|(given, _)| is_moved(*given)).map(|(_, path)| path.clone())
    }

    /// Something in a folder stays, so the folder does.
    pub(super) fn stays(&mut self, folder: &RelPath, why: &RelPath) {
        self.staying.entry(folder.clone()).or_insert_with(|| why.clone());
    }

    /// What stays in a folder because its own removal failed.
    pub(super) fn in_the_way(&self, path: &RelPath) -> Option<&RelPath> {
        self.staying.get(path)
    }
}
