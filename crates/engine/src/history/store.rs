//! The folder `.fcs` in a target root: the lock, the journals, the undo stores.
//!
//! It is in the target root because it must travel with the disk: whoever finds the disk in the middle of a run,
//! on whatever machine, finds the journal too.
//!
//! Invariants: nothing in it is changed without holding the lock; making or removing it leaves the root's own times
//! as they were. This module must not know what a journal says.

use std::collections::HashSet;
use std::io;

use fcs_sys::{
    Access, DirRef, FileRef, Handle, Metadata, Name, OsReason, Owner, RelPath, Rename, Root, reason,
    write_all_at,
};

use super::disk::if_there;
use super::lock::{self, Held, LOCK, LockAnswer};
use super::root_time::{self, RootTime};
use super::{RunId, StartError};
use crate::identity::Numbers;
use crate::names::own;
use crate::{Error, Op};

pub(crate) const FOLDER: &str = ".fcs";
const README: &str = "README.txt";
pub(crate) const RUNS: &str = "runs";
pub(crate) const UNDO: &str = "undo";
const SUFFIX: &str = ".journal";
const INDEX_SUFFIX: &str = ".index";

const README_TEXT: &str = "\
This folder belongs to FolderCompareSync (fcs). It holds the journal of the last
run on this folder and the originals that the run replaced or removed, so that
the run can be undone:

    fcs runs  FOLDER     list what was done
    fcs undo  FOLDER     restore the originals
    fcs recover FOLDER   recover an interrupted run
    fcs runs --prune FOLDER   delete what is kept for undo, and this folder

FOLDER is the folder that this one lies in. It is never compared or copied.
";

/// Times a lock is tried for again because its file was just being removed.
const LOCK_TRIES: usize = 100;

/// `.fcs`, opened to be looked at.
#[derive(Debug)]
pub(crate) struct StoreReader {
    fcs: DirRef,
}

/// `.fcs`, locked.
#[derive(Debug)]
pub(crate) struct LockedStore {
    root: Root,
    fcs: DirRef,
    runs: DirRef,
    undo: DirRef,
    lock: Held,
}

impl StoreReader {
    /// Opens `.fcs` if there is one.
    pub(crate) fn open(root: &Root) -> io::Result<Option<Self>> {
        Ok(if_there(root.dir.open_dir(&own(FOLDER)?))?.map(|fcs| Self { fcs }))
    }

    /// The ids of all journals, oldest first.
    pub(crate) fn run_ids(&self) -> io::Result<Vec<RunId>> {
        match if_there(self.fcs.open_dir(&own(RUNS)?))? {
            Some(runs) => run_ids(&runs),
            None => Ok(Vec::new()),
        }
    }

    /// Opens a journal to read it; `None` if it is gone.
    pub(crate) fn journal(&self, run: &str) -> io::Result<Option<FileRef>> {
        let Some(runs) = if_there(self.fcs.open_dir(&own(RUNS)?))? else { return Ok(None) };
        if_there(runs.open_file(&journal_name(run)?, Access::Read))
    }

    /// Opens the path index of a run to read it, if it has one.
    pub(crate) fn index(&self, run: &str) -> io::Result<Option<FileRef>> {
        let Some(runs) = if_there(self.fcs.open_dir(&own(RUNS)?))? else { return Ok(None) };
        if_there(runs.open_file(&index_name(run)?, Access::Read))
    }

    /// The undo store of a run, if it has one.
    pub(crate) fn kept(&self, run: &str) -> io::Result<Option<DirRef>> {
        let Some(undo) = if_there(self.fcs.open_dir(&own(UNDO)?))? else { return Ok(None) };
        if_there(undo.open_dir(&own(run)?))
    }

    /// Bytes of the originals a run keeps in its undo store, those in folders that went there whole too.
    pub(crate) fn kept_bytes(&self, run: &str) -> io::Result<u64> {
        let Some(store) = self.kept(run)? else { return Ok(0) };
        names(&store)?.iter().try_fold(0, |sum, name| Ok(tree_bytes(&store, name)?.saturating_add(sum)))
    }

    /// Who holds the lock, if somebody does.
    pub(crate) fn holder(&self) -> io::Result<Option<String>> {
        lock::holder(&self.fcs)
    }

    /// The undo stores, by run.
    pub(crate) fn stores(&self) -> io::Result<Vec<(RunId, DirRef)>> {
        let Some(undo) = if_there(self.fcs.open_dir(&own(UNDO)?))? else { return Ok(Vec::new()) };
        let mut stores = Vec::new();
        for name in names(&undo)? {
            let Ok(run) = String::from_utf8_lossy(name.as_bytes()).parse::<RunId>() else { continue };
            if let Ok(dir) = undo.open_dir(&name) {
                stores.push((run, dir));
            }
        }
        Ok(stores)
    }
}

fn run_ids(runs: &DirRef) -> io::Result<Vec<RunId>> {
    let mut ids: Vec<RunId> = names(runs)?
        .iter()
        .filter_map(|name| std::str::from_utf8(name.as_bytes()).ok()?.strip_suffix(SUFFIX)?.parse().ok())
        .collect();
    ids.sort_unstable();
    Ok(ids)
}

fn journal_name(run: &str) -> io::Result<Name> {
    own(&format!("{run}{SUFFIX}"))
}

fn index_name(run: &str) -> io::Result<Name> {
    own(&format!("{run}{INDEX_SUFFIX}"))
}

/// All names in a folder of ours.
pub(crate) fn names(dir: &DirRef) -> io::Result<Vec<Name>> {
    let mut names = Vec::new();
    dir.list(&mut |listed| names.extend(Name::new(listed.name).ok()))?;
    Ok(names)
}

/// Opens a folder of ours, made if it is not there.
fn open_or_make(parent: &DirRef, name: &str) -> io::Result<DirRef> {
    let name = own(name)?;
    match parent.create_dir(&name) {
        Err(e) if reason(&e) != OsReason::AlreadyExists => {
            // Where it exists, some systems report the missing permission to make it first.
            if_there(parent.open_dir(&name))?.ok_or(e)
        }
        _ => parent.open_dir(&name),
    }
}

/// Opened anew after it was made: the handle that makes a file may keep others from opening it to write, and whoever
/// comes second must get as far as being told who holds the lock.
fn open_or_make_file(parent: &DirRef, name: &str) -> io::Result<FileRef> {
    let name = own(name)?;
    match parent.create_file(&name) {
        Err(e) if reason(&e) != OsReason::AlreadyExists => return Err(e),
        made => drop(made),
    }
    parent.open_file(&name, Access::ReadWrite)
}

impl LockedStore {
    /// Locks the root's `.fcs`, which is made if it is not there. `who` is one line for whoever finds it locked.
    pub(crate) fn lock(root: &Root, who: &str) -> Result<Self, StartError> {
        let failed = |e| StartError::Failed(Error::os(Op::KeepJournal, root.path.clone(), e));
        let name = own(FOLDER).map_err(failed)?;
        root_time::restore(root);
        let mut before = None;
        for _ in 0..LOCK_TRIES {
            // Making it moves the root's own time; where it is there, nothing about the root changes.
            if before.is_none() && if_there(root.dir.stat(&name)).map_err(failed)?.is_none() {
                before = Some(RootTime::keep(root, &root.dir.metadata().map_err(failed)?));
            }
            let fcs = match open_or_make(&root.dir, FOLDER) {
                // Removed between making and opening it.
                Err(e) if reason(&e) == OsReason::NotFound => continue,
                other => other.map_err(failed)?,
            };
            let lock = match open_or_make_file(&fcs, LOCK) {
                Err(e) if reason(&e) == OsReason::NotFound => continue,
                other => other.map_err(failed)?,
            };
            let file = lock.metadata().map_err(failed)?;
            if file.links > 1 {
                // A second name of some other file: what is written to it would go there.
                return Err(failed(io::ErrorKind::AlreadyExists.into()));
            }
            share(root, &*fcs, true);
            share(root, &*lock, false);
            let held = match lock::take(&fcs, &lock, who) {
                Ok(LockAnswer::Held(held)) => held,
                Ok(LockAnswer::Taken(holder)) => {
                    before.into_iter().for_each(|before| before.give_back(root));
                    return Err(StartError::Locked { root: root.path.clone(), holder });
                }
                Err(e) => {
                    // Neither a lock nor a lease: what was made for nothing goes again.
                    drop(lock);
                    let _ = own(LOCK).and_then(|lock| fcs.remove_file(&lock));
                    drop(fcs);
                    let _ = root.dir.remove_dir(&name);
                    before.into_iter().for_each(|before| before.give_back(root));
                    return Err(failed(e));
                }
            };
            if !is_in_place(root, &fcs, &lock).map_err(failed)? {
                continue;
            }
            let store = Self::with_undo_store(root, fcs, held).map_err(failed)?;
            before.into_iter().for_each(|before| before.give_back(root));
            return Ok(store);
        }
        Err(failed(io::ErrorKind::WouldBlock.into()))
    }

    fn with_undo_store(root: &Root, fcs: DirRef, lock: Held) -> io::Result<Self> {
        let runs = open_or_make(&fcs, RUNS)?;
        let undo = open_or_make(&fcs, UNDO)?;
        [&runs, &undo].into_iter().for_each(|dir| share(root, &**dir, true));
        let readme = own(README)?;
        if if_there(fcs.stat(&readme))?.is_none() {
            let file = fcs.create_file(&readme)?;
            write_all_at(&*file, README_TEXT.as_bytes(), 0)?;
            share(root, &*file, false);
        }
        Ok(Self { root: root.clone(), fcs, runs, undo, lock })
    }

    /// Whether somebody else has taken the lock meanwhile, because this process stood still for long: then nothing may be
    /// changed any more.
    pub(crate) fn is_lost(&self) -> bool {
        self.lock.is_lost()
    }

    /// The root it is in.
    pub(crate) fn root(&self) -> &Root {
        &self.root
    }

    /// The ids of all journals, oldest first.
    pub(crate) fn run_ids(&self) -> io::Result<Vec<RunId>> {
        run_ids(&self.runs)
    }

    /// Makes a new journal and the undo store that goes with it.
    pub(crate) fn create(&self, run: &str) -> io::Result<(FileRef, DirRef)> {
        self.undo.create_dir(&own(run)?)?;
        let kept = self.undo.open_dir(&own(run)?)?;
        share(&self.root, &*kept, true);
        let journal = self.runs.create_file(&journal_name(run)?)?;
        share(&self.root, &*journal, false);
        drop(journal);
        // Opened anew, as it is by whoever looks at it meanwhile: see [`open_or_make_file`].
        Ok((self.journal(run)?, kept))
    }

    /// Opens a journal to go on writing it.
    pub(crate) fn journal(&self, run: &str) -> io::Result<FileRef> {
        self.runs.open_file(&journal_name(run)?, Access::ReadWrite)
    }

    /// Opens the undo store of a run, made if it is not there.
    pub(crate) fn kept(&self, run: &str) -> io::Result<DirRef> {
        open_or_make(&self.undo, run)
    }

    /// The undo store of a run, if it has one.
    pub(crate) fn kept_if_there(&self, run: &str) -> io::Result<Option<DirRef>> {
        if_there(self.undo.open_dir(&own(run)?))
    }

    /// Whether all that a run kept is gone from the undo store.
    pub(crate) fn keeps_nothing(&self, run: &str) -> bool {
        matches!(self.kept_if_there(run), Ok(None))
    }

    /// Opens the path index of a run to read it, if it has one.
    pub(crate) fn index(&self, run: &str) -> io::Result<Option<FileRef>> {
        if_there(self.runs.open_file(&index_name(run)?, Access::Read))
    }

    /// Makes the path index of a run, empty, in place of the one that there was.
    pub(crate) fn create_index(&self, run: &str) -> io::Result<FileRef> {
        self.remove_index(run)?;
        let index = self.runs.create_file(&index_name(run)?)?;
        share(&self.root, &*index, false);
        Ok(index)
    }

    /// Removes the path index of a run, if it has one.
    pub(crate) fn remove_index(&self, run: &str) -> io::Result<()> {
        if_there(self.runs.remove_file(&index_name(run)?)).map(|_| ())
    }

    /// Makes the names of a new journal and its undo store durable, up to the root.
    pub(crate) fn sync_names(&self) -> io::Result<()> {
        [&self.undo, &self.runs, &self.fcs, &self.root.dir].into_iter().try_for_each(|dir| dir.sync())
    }

    /// Deletes the originals of a run and then, where it is to go, its `journal`. Only for a run whose journal says so. Where one cannot be
    /// deleted, the others are, the journal stays, and the first that stays is reported.
    ///
    /// Folders among `whole` went there whole; any other was empty, and what is in it is somebody else's.
    pub(crate) fn delete_all(&self, run: &str, whole: &HashSet<Name>, journal: bool) -> Result<(), Error> {
        let place = self.root.path.join(FOLDER).join(UNDO).join(run);
        let failed = |e| Error::os(Op::Prune, place.clone(), e);
        let mut refused = None;
        if let Some(kept) = if_there(own(run).and_then(|run| self.undo.open_dir(&run))).map_err(failed)? {
            for name in names(&kept).map_err(failed)? {
                let removed =
                    if whole.contains(&name) { remove_tree(&kept, &name) } else { remove_any(&kept, &name) };
                if let Err(e) = removed {
                    let path = RelPath::root().join(&name);
                    let path = crate::progress::full_path(&place, &path);
                    refused = refused.or_else(|| Some(Error::os(Op::Prune, path, e)));
                }
            }
        }
        let delete = || {
            if journal {
                return self.delete_if_empty(run).map(|_| ());
            }
            self.remove_index(run)?;
            if_there(self.undo.remove_dir(&own(run)?)).map(|_| ())
        };
        refused.map_or_else(|| delete().map_err(failed), Err)
    }

    /// Deletes the journal of a run that keeps nothing. Where the undo store holds something, whatever it is, both
    /// stay; returns whether they are gone.
    pub(crate) fn delete_if_empty(&self, run: &str) -> io::Result<bool> {
        match if_there(self.undo.remove_dir(&own(run)?)) {
            Ok(_) => {}
            Err(e) if reason(&e) == OsReason::FolderNotEmpty => return Ok(false),
            Err(e) => return Err(e),
        }
        // Without its journal it is nobody's, and goes with the folder.
        if let Err(error) = self.remove_index(run) {
            tracing::warn!(%error, %run, "the index of what a run kept could not be removed");
        }
        if_there(self.runs.remove_file(&journal_name(run)?))?;
        Ok(true)
    }

    /// Removes `.fcs` if no run is left in it. What somebody else put there stays, and `.fcs` with it. Whoever calls
    /// this has closed what it had open of the runs.
    pub(crate) fn remove_if_empty(self) -> io::Result<()> {
        let runs = self.run_ids()?;
        for kept in names(&self.undo)? {
            // Made for a run that was interrupted before it had a journal. Only an empty one goes.
            if !runs.iter().any(|run| run.as_bytes() == kept.as_bytes()) {
                let _ = self.undo.remove_dir(&kept);
            }
        }
        for name in names(&self.runs)? {
            // A crash may keep the index of a run whose journal is gone.
            let text = std::str::from_utf8(name.as_bytes()).ok();
            let of = text.and_then(|text| text.strip_suffix(INDEX_SUFFIX)?.parse::<RunId>().ok());
            if of.is_some_and(|run| !runs.contains(&run)) {
                let _ = self.runs.remove_file(&name);
            }
        }
        if !names(&self.runs)?.is_empty() || !names(&self.undo)?.is_empty() {
            return Ok(());
        }
        let Self { root, fcs, runs, undo, lock } = self;
        let before = RootTime::keep(&root, &root.dir.metadata()?);
        // Each is closed before what it is in is removed: some file systems (FAT on Windows) keep a removed name
        // until the last handle goes.
        drop((runs, undo));
        fcs.remove_dir(&own(RUNS)?)?;
        fcs.remove_dir(&own(UNDO)?)?;
        if_there(fcs.remove_file(&own(README)?))?;
        lock.release();
        if_there(fcs.remove_file(&own(LOCK)?))?;
        // Whoever comes now finds no lock file and makes a new one, in a folder that then is not empty and stays.
        drop((lock, fcs));
        match root.dir.remove_dir(&own(FOLDER)?) {
            Err(e) if reason(&e) != OsReason::FolderNotEmpty => return Err(e),
            _ => {}
        }
        before.give_back(&root);
        Ok(())
    }
}

/// Whether the lock that was taken is the one that the next comer will find: its holder before may have removed the
/// folder in the meantime.
fn is_in_place(root: &Root, fcs: &DirRef, lock: &FileRef) -> io::Result<bool> {
    let numbers = Numbers::of(fcs);
    let (Some(folder), Some(file)) =
        (if_there(root.dir.stat(&own(FOLDER)?))?, if_there(fcs.stat(&own(LOCK)?))?)
    else {
        return Ok(false);
    };
    // Where a number proves nothing, the file that is not there any more has other dates than the one that is.
    Ok(numbers.same_folder(&folder, fcs.metadata()?.id)
        && numbers.same_item(&file, &lock.metadata()?.fingerprint()))
}

/// Lets the group work with what is ours where it may work in the root: whoever shares the folder must be able to undo and
/// recover. What cannot be given is missed by them, and told then.
fn share(root: &Root, ours: &dyn Handle, is_folder: bool) {
    let Ok(above) = root.dir.metadata() else { return };
    let Some(wanted) = above.attributes.shared_with_group(is_folder) else { return };
    let Ok(now) = ours.metadata() else { return };
    if now.attributes.without_set_id() == wanted.without_set_id() {
        return;
    }
    if let (Some(above), Some(own)) = (above.owner, now.owner)
        && above.group != own.group
    {
        let _ = ours.set_owner(Owner { user: own.user, group: above.group });
    }
    let _ = ours.set_attributes(wanted);
}

/// Removes a file, link or empty folder of ours. A folder that holds something is an error: it was empty when it came
/// here, so what is in it was put there through an old handle, and is not ours.
fn remove_any(dir: &DirRef, name: &Name) -> io::Result<()> {
    match if_there(dir.stat(name))?.map(|item| item.kind) {
        None => Ok(()),
        Some(fcs_sys::Kind::Folder) => if_there(dir.remove_dir(name)).map(|_| ()),
        Some(_) => if_there(dir.remove_file(name)).map(|_| ()),
    }
}

/// Removes an item with everything in it, deepest first. Depth costs no handles: only one folder is open at a time.
/// Where another volume, or a folder of one, is mounted anywhere in it, all of it stays, and that is an error.
pub(crate) fn remove_tree(dir: &DirRef, name: &Name) -> io::Result<()> {
    let Some(top) = if_there(dir.stat(name))? else { return Ok(()) };
    if top.kind != fcs_sys::Kind::Folder {
        return remove_any(dir, name);
    }
    // What is mounted somewhere in it is found before anything is gone.
    let mut ahead = vec![vec![name.clone()]];
    while let Some(path) = ahead.pop() {
        let here = path.iter().try_fold(DirRef::clone(dir), |dir, name| dir.open_dir(name))?;
        refuse_mount(&here.metadata()?, &top)?;
        for name in names(&here)? {
            let Some(item) = if_there(here.stat(&name))? else { continue };
            refuse_mount(&item, &top)?;
            if item.kind == fcs_sys::Kind::Folder {
                ahead.push(path.iter().cloned().chain([name]).collect());
            }
        }
    }
    // The way down to the folder in work, each with the folders in it that are still to come.
    let mut way: Vec<(Name, Option<Vec<Name>>)> = vec![(name.clone(), None)];
    while let Some((last, below)) = way.last() {
        let (last, listed) = (last.clone(), below.is_some());
        let up = way[..way.len() - 1].iter().map(|(name, _)| name);
        let parent = up.clone().try_fold(DirRef::clone(dir), |dir, name| dir.open_dir(name))?;
        if !listed {
            let here = parent.open_dir(&last)?;
            let now = here.metadata()?;
            refuse_mount(&now, &top)?;
            if let Some(wanted) = crate::lift::needed(&now) {
                here.set_attributes(wanted)?;
            }
            let mut folders = Vec::new();
            for name in names(&here)? {
                match if_there(here.stat(&name))?.map(|item| item.kind) {
                    None => {}
                    Some(fcs_sys::Kind::Folder) => folders.push(name),
                    Some(_) => if_there(here.remove_file(&name)).map(|_| ())?,
                }
            }
            if let Some((_, below)) = way.last_mut() {
                *below = Some(folders);
            }
            continue;
        }
        if let Some(next) = way.last_mut().and_then(|(_, below)| below.as_mut()?.pop()) {
            way.push((next, None));
        } else {
            if_there(parent.remove_dir(&last))?;
            way.pop();
        }
    }
    Ok(())
}

/// Bytes of the files in an item of ours; 0 if it is not there.
pub(crate) fn tree_bytes(dir: &DirRef, name: &Name) -> io::Result<u64> {
    let Some(top) = if_there(dir.stat(name))? else { return Ok(0) };
    let mut bytes = if top.kind == fcs_sys::Kind::File { top.size } else { 0 };
    visit_tree(dir, name, &top, |_, item| {
        if item.kind == fcs_sys::Kind::File {
            bytes = bytes.saturating_add(item.size);
        }
    })?;
    Ok(bytes)
}

/// Shows everything in a folder of ours, which is `top`, with its path below that. What is mounted in it is not of it. Depth
/// costs no handles.
pub(crate) fn visit_tree(
    dir: &DirRef,
    name: &Name,
    top: &Metadata,
    mut visit: impl FnMut(&RelPath, &Metadata),
) -> io::Result<()> {
    let mut ahead = if top.kind == fcs_sys::Kind::Folder { vec![RelPath::root()] } else { Vec::new() };
    while let Some(path) = ahead.pop() {
        let way =
            dir.open_dir(name).and_then(|top| path.names().try_fold(top, |dir, name| dir.open_dir(&name)));
        let Some(here) = if_there(way)? else { continue };
        for name in names(&here)? {
            let Some(item) = if_there(here.stat(&name))? else { continue };
            if refuse_mount(&item, top).is_err() {
                continue;
            }
            let path = path.join(&name);
            visit(&path, &item);
            if item.kind == fcs_sys::Kind::Folder {
                ahead.push(path);
            }
        }
    }
    Ok(())
}

/// An error where something is mounted at an item of the tree `top`. A second mount of a folder of the same volume has that
/// volume's number, and only the system can tell.
fn refuse_mount(now: &Metadata, top: &Metadata) -> io::Result<()> {
    if now.mounted == Some(true) || now.id.volume != top.id.volume {
        return Err(io::ErrorKind::CrossesDevices.into());
    }
    Ok(())
}

/// Moves `from` to a name of ours that is free.
pub(crate) fn move_to(dir: &DirRef, from: &Name, to_dir: &DirRef, to: &Name) -> io::Result<()> {
    match dir.rename(from, &**to_dir, to, Rename::NoReplace) {
        Err(e) if reason(&e) == OsReason::Unsupported => match if_there(to_dir.stat(to))? {
            Some(_) => Err(io::ErrorKind::AlreadyExists.into()),
            None => dir.rename(from, &**to_dir, to, Rename::Replace),
        },
        other => other,
    }
}
