//! What lies about of runs whose journal cannot be read: unfinished copies and displaced originals under names of ours,
//! of which nothing says any more what they are.
//!
//! Invariants: a leftover is deleted only if a file beside it has the same content, so that it is not the only copy of
//! anything. What belongs to a run with a journal is none, also where that is in a folder above, and what is in a
//! folder below that has a `.fcs` of its own is that folder's. Nothing outside the root is looked at but the journals of
//! the folders above and what the caller gives to compare with.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::io;
use std::path::{Path, PathBuf};

use fcs_sys::{Access, DirRef, Kind, Name, OsReason, RelPath, Root, Time, reason};
use serde::Serialize;

use super::disk::if_there;
use super::store::{FOLDER, StoreReader, UNDO, move_to, names};
use super::{Ledger, RunId, StartError};
use crate::dir_cursor::DirCursor;
use crate::names::{own, run_and_step};
use crate::{Control, Error, Op};

/// Something of a run without a journal.
#[derive(Debug, Clone, Serialize)]
pub struct Leftover {
    /// Where it lies, below the root.
    pub path: RelPath,
    /// The run it is of, as its name says.
    pub run: RunId,
    /// What it is.
    pub kind: Kind,
    /// Size in bytes.
    pub size: u64,
    /// When its content last changed.
    pub modified: Time,
    /// A file with the same content, if one was found: beside it, or in the folder that was compared with. Without one it
    /// may be the only copy of an original.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub same_as: Option<String>,
}

/// What is to become of leftovers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Clearing {
    /// Those whose content is elsewhere too are deleted; the others stay.
    Delete,
    /// Those whose content is nowhere else get a name that every program shows, beside where they lie.
    Restore,
}

/// What was done with one leftover.
#[derive(Debug, Clone, Serialize)]
pub struct Cleared {
    /// What it was.
    #[serde(flatten)]
    pub leftover: Leftover,
    /// Its new name, if it was restored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restored_as: Option<RelPath>,
    /// Whether it was deleted.
    pub deleted: bool,
    /// Why it could not be dealt with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Error>,
}

/// Finds what lies about of runs whose journal is gone or cannot be read. Lists every folder of the root, reads the files
/// of those in which something lies, and changes nothing. `source` is where the files came from, to compare with.
pub fn leftovers(root: &Root, source: Option<&Root>, control: &Control) -> crate::Result<Vec<Leftover>> {
    let failed = |e| Error::os(Op::List, root.path.clone(), e);
    let known = known_runs(root).map_err(failed)?;
    let mut found = find(root, source, control, &|run| !known.contains(run)).map_err(failed)?;
    leave_new(root, &mut found).map_err(failed)?;
    Ok(found)
}

/// Leaves out what belongs to runs of a folder above that began meanwhile: no lock keeps those out, but each has its
/// journal before its first file.
fn leave_new(root: &Root, found: &mut Vec<Leftover>) -> io::Result<()> {
    let known = if found.is_empty() { HashSet::new() } else { known_runs(root)? };
    found.retain(|leftover| !known.contains(&leftover.run));
    Ok(())
}

/// The nearest folder above a root that has journals of its own: what its runs left in the root is for it to put in
/// order, and is none of the root's leftovers.
pub fn root_above(root: &Root) -> Option<Root> {
    let has_none = |above: &Root| -> io::Result<bool> {
        Ok(StoreReader::open(above)?.map_or_else(|| Ok(Vec::new()), |look| look.run_ids())?.is_empty())
    };
    roots_above(root).find(|above| matches!(has_none(above), Ok(false)))
}

/// The folders above a root, nearest first; not those that cannot be opened.
fn roots_above(root: &Root) -> impl Iterator<Item = Root> {
    let above: Vec<PathBuf> = root.path.ancestors().skip(1).map(Path::to_owned).collect();
    above.into_iter().filter_map(|path| fcs_sys::open_root(&path).ok())
}

/// Deletes or restores them.
pub fn clear_leftovers(
    root: &Root,
    source: Option<&Root>,
    what: Clearing,
    control: &Control,
) -> Result<Vec<Cleared>, StartError> {
    let failed = |e| StartError::Failed(Error::os(Op::CleanUp, root.path.clone(), e));
    super::locked(root, "clearing of leftovers", |store| {
        let known = known_runs(root).map_err(failed)?;
        let mut found = find(root, source, control, &|run| !known.contains(run)).map_err(failed)?;
        leave_new(root, &mut found).map_err(failed)?;
        let mut way = DirCursor::new(&root.dir);
        let mut done = Vec::new();
        for leftover in found {
            let act = match (what, &leftover.same_as) {
                (Clearing::Delete, Some(_)) => delete(&mut way, &leftover).map(|()| (true, None)),
                (Clearing::Restore, None) => restore(&mut way, &leftover).map(|path| (false, Some(path))),
                _ => Ok((false, None)),
            };
            let (deleted, restored_as, error) = match act {
                Ok((deleted, restored)) => (deleted, restored, None),
                Err(e) => {
                    let path = crate::progress::full_path(&root.path, &leftover.path);
                    let error = Error::os(Op::CleanUp, path, e);
                    control.observer.error(&error);
                    (false, None, Some(error))
                }
            };
            done.push(Cleared { leftover, restored_as, deleted, error });
        }
        // A journal that says nothing is of no use once nothing lies about.
        for run in store.run_ids().map_err(failed)?.iter().filter(|run| !known.contains(*run)) {
            let stays = |cleared: &Cleared| !cleared.deleted && cleared.restored_as.is_none();
            if !done.iter().any(|cleared| cleared.leftover.run == *run && stays(cleared)) {
                store.delete_if_empty(run).map_err(failed)?;
            }
        }
        Ok(done)
    })
}

/// Of these runs, those of which something lies about outside their undo store.
pub(super) fn of_runs(root: &Root, runs: &HashSet<RunId>) -> io::Result<HashSet<RunId>> {
    let mut found = HashSet::new();
    // Wherever it lies: what is found only keeps a journal from being removed.
    walk(root, Nested::Enter, &mut |_, run, _| {
        if runs.contains(&run) {
            found.insert(run);
        }
    })?;
    Ok(found)
}

/// Runs that are not lost: those of the root whose journal says what belongs to them, and those of the folders above that
/// have a journal, whether it can be read from here or not.
fn known_runs(root: &Root) -> io::Result<HashSet<RunId>> {
    let mut known = known_runs_of(root)?;
    for above in roots_above(root) {
        // Most folders above have no journals, or are not for this user to read.
        if let Ok(Some(look)) = StoreReader::open(&above) {
            known.extend(look.run_ids().unwrap_or_default());
        }
    }
    Ok(known)
}

fn known_runs_of(root: &Root) -> io::Result<HashSet<RunId>> {
    let Some(look) = StoreReader::open(root)? else { return Ok(HashSet::new()) };
    let mut known = HashSet::new();
    for run in look.run_ids()? {
        let Some(file) = look.journal(&run).ok().flatten() else { continue };
        let ledger = Ledger::read(&file).ok().and_then(|(ledger, _)| ledger);
        // A list that is not complete says of no item whether it was in it.
        if ledger.is_some_and(|ledger| ledger.ready) {
            known.insert(run);
        }
    }
    Ok(known)
}

fn find(
    root: &Root,
    source: Option<&Root>,
    control: &Control,
    is_lost: &dyn Fn(&RunId) -> bool,
) -> io::Result<Vec<Leftover>> {
    let mut by_folder: BTreeMap<RelPath, Vec<(Name, RunId)>> = BTreeMap::new();
    walk(root, Nested::Leave, &mut |folder, run, name| {
        if is_lost(&run) {
            by_folder.entry(folder.clone()).or_default().push((name.clone(), run));
        }
    })?;
    let mut found = Vec::new();
    let (mut way, mut source_way) =
        (DirCursor::new(&root.dir), source.map(|source| DirCursor::new(&source.dir)));
    for (folder, mut items) in by_folder {
        items.sort_by(|(a, _), (b, _)| a.as_bytes().cmp(b.as_bytes()));
        if control.cancel.is_cancelled() {
            break;
        }
        let dir = way.open(&folder)?;
        let mut beside = Beside::default();
        beside.add(&dir, "")?;
        // The same folder on the other side; not there, or not readable, is nothing to compare with.
        if let (Some(way), Some(source)) = (&mut source_way, source)
            && let Ok(dir) = way.open(&folder)
        {
            let _ = beside.add(&dir, &format!("{}/", crate::error::display_path(&source.path)));
        }
        for (name, run) in items {
            let Some(now) = if_there(dir.stat(&name))? else { continue };
            let same_as = beside.same(&dir, &name, now.kind, now.size)?;
            let path = folder.join(&name);
            found.push(Leftover {
                path,
                run,
                kind: now.kind,
                size: now.size,
                modified: now.modified,
                same_as,
            });
        }
    }
    found.extend(in_stores(root, is_lost)?);
    Ok(found)
}

/// What undo stores hold whose run has no journal. It has lost its name, so there is nothing to compare it with.
fn in_stores(root: &Root, is_lost: &dyn Fn(&RunId) -> bool) -> io::Result<Vec<Leftover>> {
    let mut found = Vec::new();
    let Some(look) = StoreReader::open(root)? else { return Ok(found) };
    for (run, dir) in look.stores()? {
        if !is_lost(&run) {
            continue;
        }
        for name in names(&dir)? {
            let Some(now) = if_there(dir.stat(&name))? else { continue };
            let path = RelPath::root().join(&own(FOLDER)?).join(&own(UNDO)?).join(&own(&run)?).join(&name);
            let (run, kind, size, modified) = (run.clone(), now.kind, now.size, now.modified);
            found.push(Leftover { path, run, kind, size, modified, same_as: None });
        }
    }
    Ok(found)
}

/// What becomes of folders below the root that are targets of runs of their own.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Nested {
    /// They are looked through like any other.
    Enter,
    /// They are left out with all that is in them: what is there, their own journals speak of.
    Leave,
}

/// Hands out every name of ours in the user's folders: the folder, the run and the name. A folder that cannot be read
/// cannot be looked through.
fn walk(root: &Root, nested: Nested, sink: &mut dyn FnMut(&RelPath, RunId, &Name)) -> io::Result<()> {
    let mut way = DirCursor::new(&root.dir);
    let mut todo = vec![RelPath::root()];
    while let Some(folder) = todo.pop() {
        let dir = match way.open(&folder) {
            Ok(dir) => dir,
            Err(e) if folder.is_root() => return Err(e),
            Err(_) => continue,
        };
        let Ok(listed) = names(&dir) else { continue };
        // What cannot be asked about may be one.
        let is_home = |name: &Name| name.is_home() && dir.stat(name).map_or(true, |i| i.kind == Kind::Folder);
        if nested == Nested::Leave && !folder.is_root() && listed.iter().any(is_home) {
            continue;
        }
        for name in listed {
            if let Some((run, _)) = run_and_step(&name) {
                sink(&folder, run, &name);
            } else if !(folder.is_root() && name.as_bytes() == FOLDER.as_bytes())
                && dir.stat(&name).is_ok_and(|item| item.kind == Kind::Folder)
            {
                todo.push(folder.join(&name));
            }
        }
    }
    Ok(())
}

/// The files of a folder by size, to look for one with the same content.
#[derive(Default)]
struct Beside {
    files: BTreeMap<u64, Vec<(String, DirRef, Name)>>,
    unread: BTreeSet<String>,
}

impl Beside {
    fn add(&mut self, dir: &DirRef, prefix: &str) -> io::Result<()> {
        for name in names(dir)? {
            if run_and_step(&name).is_some() {
                continue;
            }
            let Some(now) = if_there(dir.stat(&name))? else { continue };
            if now.kind == Kind::File {
                let shown = format!("{prefix}{}", fcs_sys::escaped(name.as_bytes()));
                self.files.entry(now.size).or_default().push((shown, DirRef::clone(dir), name));
            }
        }
        Ok(())
    }

    /// The first file with the same content.
    fn same(&mut self, dir: &DirRef, name: &Name, kind: Kind, size: u64) -> io::Result<Option<String>> {
        let Some(files) = self.files.get(&size).filter(|_| kind == Kind::File) else { return Ok(None) };
        let wanted = hash(dir, name)?;
        for (shown, dir, name) in files {
            if self.unread.contains(shown) {
                continue;
            }
            match hash(dir, name) {
                Ok(found) if found == wanted => return Ok(Some(shown.clone())),
                Ok(_) => {}
                Err(_) => {
                    self.unread.insert(shown.clone());
                }
            }
        }
        Ok(None)
    }
}

fn hash(dir: &DirRef, name: &Name) -> io::Result<blake3::Hash> {
    let file = dir.open_file(name, Access::Read)?;
    let (mut hasher, mut chunk, mut at) = (blake3::Hasher::new(), vec![0; 256 << 10], 0);
    loop {
        match file.read_at(&mut chunk, at)? {
            0 => return Ok(hasher.finalize()),
            n => {
                let n = n.min(chunk.len());
                hasher.update(&chunk[..n]);
                at += n as u64;
            }
        }
    }
}

/// Looked at once more: it was found some time ago.
fn delete(way: &mut DirCursor, leftover: &Leftover) -> io::Result<()> {
    let Some((folder, name)) = leftover.path.split() else { return Ok(()) };
    let dir = way.open(&folder)?;
    let now = dir.stat(&name)?;
    if (now.kind, now.size, now.modified) != (leftover.kind, leftover.size, leftover.modified) {
        return Err(io::ErrorKind::ResourceBusy.into());
    }
    dir.remove_file(&name)
}

/// Gives it the first free name of `recovered-RUN-STEP`, `recovered-RUN-STEP-2` and so on: in its folder, or in the root
/// if it is in an undo store.
fn restore(way: &mut DirCursor, leftover: &Leftover) -> io::Result<RelPath> {
    let Some((folder, name)) = leftover.path.split() else { return Err(io::ErrorKind::InvalidInput.into()) };
    let from = way.open(&folder)?;
    let step = match run_and_step(&name) {
        Some((_, step)) => step.to_string(),
        None => String::from_utf8_lossy(name.as_bytes()).into_owned(),
    };
    let in_store = folder.names().next().is_some_and(|first| first.as_bytes() == FOLDER.as_bytes());
    let to_folder = if in_store { RelPath::root() } else { folder };
    let to = way.open(&to_folder)?;
    for number in 1..1000 {
        let number = if number == 1 { String::new() } else { format!("-{number}") };
        let new = own(&format!("recovered-{}-{step}{number}", leftover.run))?;
        match move_to(&from, &name, &to, &new) {
            Err(e) if reason(&e) == OsReason::AlreadyExists => {}
            other => return other.map(|()| to_folder.join(&new)),
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}
