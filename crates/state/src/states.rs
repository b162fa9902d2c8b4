//! The folder of all memories: which pairs there are, and which of them two folders are.
//!
//! Invariant: what lies in the folder and cannot be read is shown, never taken for a pair that it may not be. Together
//! the memories stay within [`Limits`]; what was saved last is dropped last.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use fcs_engine::compare::Side;
use fcs_engine::history::RunId;
use fcs_engine::memory::RootIdentity;
use fcs_sys::{Nesting, Root, Time, nesting, open_root};

use crate::index::{Index, PairId, UNFINISHED};
use crate::{Pair, StateError};

/// What is kept at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long it is known what a run changed: as long as the run itself can be undone.
    pub term: Duration,
    /// Most pairs.
    pub pairs: usize,
    /// Most bytes of all memories together.
    pub bytes: u64,
}

impl Default for Limits {
    /// 30 days, 500 pairs, 4 GiB.
    fn default() -> Self {
        Self { term: Duration::from_hours(30 * 24), pairs: 500, bytes: 4 << 30 }
    }
}

/// A pair as `fcs state list` shows it.
#[derive(Debug)]
pub struct PairInfo {
    /// Its name.
    pub id: PairId,
    /// The two folders; an error if the file that names them cannot be read.
    pub roots: Result<[RootIdentity; 2], StateError>,
    /// When it was saved last.
    pub saved: Option<Time>,
    /// By which run.
    pub run: Option<RunId>,
    /// Items that are remembered.
    pub items: u64,
    /// What it takes on the disk.
    pub bytes: u64,
    /// Since when there is something kept of a run.
    pub kept_since: Option<Time>,
}

/// A pair with the same paths that is not the same two folders: why a first run is one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lookalike {
    /// Its name.
    pub id: PairId,
    /// Which side is another folder, and why, in words.
    pub sides: Vec<(Side, String)>,
}

/// What [`States::prune`] dropped.
#[derive(Debug, Default)]
pub struct Pruned {
    /// Runs of which is known no more what they changed.
    pub runs: usize,
    /// Pairs that were forgotten.
    pub pairs: Vec<PairId>,
    /// What could not be looked at.
    pub errors: Vec<StateError>,
}

/// All memories of this user.
#[derive(Debug, Clone)]
pub struct States {
    folder: PathBuf,
}

impl States {
    /// The memories in a folder, which is made with the first of them.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`] where it is no folder.
    pub fn open(folder: &Path) -> Result<Self, StateError> {
        match fs::read_dir(folder) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(StateError::io("open", folder)(error))
            }
            _ => Ok(Self { folder: folder.to_owned() }),
        }
    }

    /// Where the memories are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether the memories are in neither folder, and neither folder is in them. Where they are not apart nothing is
    /// to be remembered: a run would find its own memory among the items.
    pub fn is_apart(&self, roots: [&Root; 2]) -> bool {
        self.is_apart_from(&roots)
    }

    /// As [`States::is_apart`], of any number of folders.
    pub fn is_apart_from(&self, roots: &[&Root]) -> bool {
        // What is not there yet will be in the nearest folder that is, which may well hold the roots, too.
        let Some((at, own)) = self.folder.ancestors().find_map(|at| Some((at, open_root(at).ok()?))) else {
            return false;
        };
        roots.iter().all(|root| match nesting(&own, root) {
            Ok(Nesting::Apart) => true,
            Ok(Nesting::SecondInFirst) => at != self.folder,
            _ => false,
        })
    }

    /// All pairs, those that were saved last first.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`] where the folder cannot be listed.
    pub fn list(&self) -> Result<Vec<PairInfo>, StateError> {
        let mut ids: Vec<PairId> = self
            .names()?
            .iter()
            .filter_map(|name| {
                let stem = name.strip_suffix(".json").or_else(|| name.strip_suffix(".redb"))?;
                stem.parse().ok()
            })
            .collect();
        ids.sort_unstable();
        ids.dedup();
        let mut pairs: Vec<PairInfo> = ids.into_iter().map(|id| self.info(id)).collect();
        pairs.sort_by(|a, b| b.saved.cmp(&a.saved).then_with(|| a.id.cmp(&b.id)));
        Ok(pairs)
    }

    fn names(&self) -> Result<Vec<String>, StateError> {
        let failed = |error| StateError::io("list", &self.folder)(error);
        let mut names = Vec::new();
        let entries = match fs::read_dir(&self.folder) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(names),
            entries => entries.map_err(failed)?,
        };
        for entry in entries {
            // What is no text is none of ours.
            names.extend(entry.map_err(failed)?.file_name().into_string());
        }
        Ok(names)
    }

    fn info(&self, id: PairId) -> PairInfo {
        let bytes = fs::metadata(id.memory(&self.folder)).map_or(0, |seen| seen.len());
        match Index::read(&id.index(&self.folder)) {
            Ok(Index { roots, saved, run, items, kept_since, .. }) => {
                PairInfo { id, roots: Ok(roots), saved, run, items, bytes, kept_since }
            }
            Err(error) => {
                PairInfo { id, roots: Err(error), saved: None, run: None, items: 0, bytes, kept_since: None }
            }
        }
    }

    /// The memory of two folders, if there is one, also if it was made with left and right exchanged.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`] where the folder cannot be listed, [`StateError::InUse`] where it may be one that cannot be opened now.
    pub fn find(&self, roots: &[RootIdentity; 2]) -> Result<Option<Pair>, StateError> {
        let (mut found, mut in_use) = (None, None);
        for info in self.list()? {
            let known = match &info.roots {
                Ok(known) => known,
                // It may be the one.
                Err(StateError::InUse { path }) => {
                    in_use = Some(StateError::InUse { path: path.clone() });
                    continue;
                }
                Err(_) => continue,
            };
            let straight = known[0].is(&roots[0]) && known[1].is(&roots[1]);
            if straight || known[0].is(&roots[1]) && known[1].is(&roots[0]) {
                let pair = Pair::new(&self.folder, info.id, roots, !straight);
                if straight {
                    return Ok(Some(pair));
                }
                found.get_or_insert(pair);
            }
        }
        in_use.filter(|_| found.is_none()).map_or(Ok(found), Err)
    }

    /// As [`States::find`]; where there is none, one that remembers nothing yet.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`].
    pub fn pair(&self, roots: &[RootIdentity; 2]) -> Result<Pair, StateError> {
        if let Some(pair) = self.find(roots)? {
            return Ok(pair);
        }
        fs::create_dir_all(&self.folder).map_err(StateError::io("create", &self.folder))?;
        let id = PairId::of(roots);
        let index = id.index(&self.folder);
        Index::new(roots.clone()).write(&index)?;
        Ok(Pair::new(&self.folder, id, roots, false))
    }

    /// A pair by its name. Stamps that are loaded through it have no volume's number of today.
    ///
    /// # Errors
    ///
    /// [`StateError::Missing`] where there is none of that name.
    pub fn by_id(&self, id: &PairId) -> Result<Pair, StateError> {
        let is_there = [id.index(&self.folder), id.memory(&self.folder)].iter().any(|path| path.exists());
        if !is_there {
            return Err(StateError::Missing);
        }
        let roots = Index::read(&id.index(&self.folder)).map(|index| index.roots);
        let devices = roots.map_or([0; 2], |roots| roots.map(|root| root.device));
        Ok(Pair::with_devices(&self.folder, id.clone(), devices))
    }

    /// A pair at the same two paths which is not these two folders: the disk was changed, or a folder was made anew.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`] where the folder cannot be listed.
    pub fn lookalike(&self, roots: &[RootIdentity; 2]) -> Result<Option<Lookalike>, StateError> {
        for info in self.list()? {
            let Ok(known) = &info.roots else { continue };
            if known[0].path != roots[0].path || known[1].path != roots[1].path {
                continue;
            }
            let sides = [Side::Left, Side::Right].into_iter().zip(known.iter().zip(roots));
            let sides: Vec<_> =
                sides.filter_map(|(side, (was, is))| was.unlike(is).map(|why| (side, why))).collect();
            if !sides.is_empty() {
                return Ok(Some(Lookalike { id: info.id, sides }));
            }
        }
        Ok(None)
    }

    /// Drops what is over and what is too much: first what is kept of runs beyond their term, then whole pairs, those
    /// first that were not saved for longest. The pair in use and those that cannot be opened are left.
    ///
    /// # Errors
    ///
    /// [`StateError::Io`] where the folder cannot be listed.
    pub fn prune(&self, limits: &Limits, in_use: Option<&PairId>, now: Time) -> Result<Pruned, StateError> {
        let mut pruned = Pruned::default();
        self.clear_unfinished(now)?;
        let oldest = Time::from_nanos(now.as_nanos().saturating_sub(limits.term.as_nanos() as i128));
        let mut pairs = self.list()?;
        // Only those are opened of which something is over.
        for info in pairs.iter().filter(|info| info.kept_since.is_some_and(|since| since < oldest)) {
            match self.by_id(&info.id).and_then(|mut pair| pair.drop_runs_older_than(limits.term, now)) {
                Ok(runs) => pruned.runs += runs,
                // Said when it is used; here it would be said at every run.
                Err(StateError::InUse { .. } | StateError::Missing) => {}
                Err(error) => pruned.errors.push(error),
            }
        }
        if pruned.runs > 0 {
            pairs = self.list()?;
        }
        let mut bytes: u64 = pairs.iter().map(|info| info.bytes).sum();
        while pairs.len() > limits.pairs || bytes > limits.bytes {
            let Some(at) = pairs.iter().rposition(|info| Some(&info.id) != in_use) else { break };
            let info = pairs.remove(at);
            match self.by_id(&info.id).and_then(|mut pair| pair.forget()) {
                Ok(()) => {
                    bytes -= info.bytes;
                    pruned.pairs.push(info.id);
                }
                Err(error) => pruned.errors.push(error),
            }
        }
        Ok(pruned)
    }

    /// What a process left that died while it saved. One of the last day may still be going on.
    fn clear_unfinished(&self, now: Time) -> Result<(), StateError> {
        const DAY: i128 = 24 * 3600 * 1_000_000_000;
        for name in self.names()?.iter().filter(|name| name.starts_with(UNFINISHED)) {
            let path = self.folder.join(name);
            let written = fs::metadata(&path).and_then(|seen| seen.modified()).map(Time::from);
            let is_old = written.is_ok_and(|written| now.as_nanos() - written.as_nanos() > DAY);
            if is_old {
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => {
                        return Err(StateError::io("remove", path)(error));
                    }
                    _ => {}
                }
            }
        }
        Ok(())
    }
}
