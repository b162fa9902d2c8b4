//! Where the files of a series go: the roots, and the folders of source and target below them.
//!
//! Invariant: nothing is written, and what belongs to this program is nobody's folder, however the path is spelled and
//! whatever links lead there. This module must not know what becomes of the files.

use std::path::{Component, Path, PathBuf};
use std::time::Instant;

use fcs_sys::{DirRef, Metadata, Name, OsReason, Place, RelPath, Root, reason};

use super::{FileOutcome, is_link, os, ours};
use crate::Op;
use crate::compare::Side;
use crate::dir_cursor::DirCursor;
use crate::identity::Numbers;
use crate::plan::{FolderPlan, RootIndex};
use crate::session::root::open_as;

/// The way from two roots to the folders of source and target of the file that came last.
#[derive(Clone)]
pub(super) struct Way {
    pub(super) folders: [PathBuf; 2],
    /// Paths may lead elsewhere after a while.
    pub(super) since: Instant,
    pub(super) roots: [Root; 2],
    pub(super) source_dir: DirRef,
    /// `None` while it is to be made.
    pub(super) target_dir: Option<DirRef>,
    /// Folders to be made, and last the folder of the file.
    pub(super) plans: Vec<FolderPlan>,
    /// A side is on a network volume.
    pub(super) network: bool,
    /// Content bytes since it was looked whether anything stands against a copy there; `None` before that.
    pub(super) since_check: Option<u64>,
}

impl Way {
    /// Whether the paths of the two folders lead to what is open. Where numbers prove nothing it is worked out anew.
    pub(super) fn still_leads_there(&self) -> bool {
        let leads = |path: &Path, dir: &DirRef| {
            let id = |dir: &DirRef| dir.metadata().ok().map(|now| now.id);
            let there = open_as(&path.into(), None).ok().and_then(|there| id(&there.dir));
            there.is_some_and(|there| !there.is_of_place() && Some(there) == id(dir))
        };
        self.target_dir.as_ref().is_some_and(|dir| leads(&self.folders[1], dir))
            && leads(&self.folders[0], &self.source_dir)
    }

    /// Finds the roots, and how two folders, of a source and of a target, are below them. `running` are roots that have a
    /// journal already.
    pub(super) fn find(folders: [PathBuf; 2], running: &[Root]) -> Result<Self, FileOutcome> {
        let open = |path: &Path, side| open_as(&path.into(), Some(side)).map_err(FileOutcome::NotBegun);
        let from = open(&folders[0], Side::Left)?;
        // The folder may have to be made, and those above it.
        let (there, missing) = existing(&folders[1])?;
        let above = open(there, Side::Right)?;
        // Where links lead counts, not only how the paths are spelled.
        for path in [&from.path, &above.path] {
            if is_within_ours(path) {
                return Err(ours(path));
            }
        }
        let root = root_for(&from, &above, &missing, running)?;
        let below = below(&root.path, &above.path)?;
        let in_root: Vec<Name> = below.into_iter().chain(missing).collect();
        let source_names = all_names(&from.path)?;
        let up = if source_names.ends_with(&in_root) {
            in_root.len()
        } else {
            // What is to be made gets its dates and permissions from the source's folder, which is known by its name.
            usize::from(!source_names.is_empty())
        };
        let mut source_root = from.path.clone();
        for _ in 0..up {
            source_root.pop();
        }
        let roots = [open(&source_root, Side::Left)?, root];
        let source = to_path(&source_names[source_names.len() - up..]);
        let way = Self::below(roots, folders, &source, &to_path(&in_root))?;
        let id = |dir: &DirRef| dir.metadata().map(|now| now.id).map_err(|e| os(Op::Examine, &above.path, e));
        match &way.target_dir {
            Some(dir) if id(dir)? != id(&above.dir)? && Numbers::of(dir) == Numbers::Last => {
                Err(os(Op::Open, &above.path, std::io::ErrorKind::NotFound.into()))
            }
            _ => Ok(way),
        }
    }

    /// How two folders are below their roots; those of the target that are not there are to be made like the source's.
    pub(super) fn below(
        roots: [Root; 2],
        folders: [PathBuf; 2],
        source: &RelPath,
        target: &RelPath,
    ) -> Result<Self, FileOutcome> {
        let mut from = DirCursor::new(&roots[0].dir);
        let mut to = DirCursor::new(&roots[1].dir);
        let source_dir = from.open(source).map_err(|e| os(Op::Open, &folders[0], e))?;
        let names: Vec<Name> = target.names().collect();
        let mut there = None;
        let mut exists = names.len();
        while there.is_none() {
            match to.open(&to_path(&names[..exists])) {
                Ok(dir) => there = Some(dir),
                Err(e) if reason(&e) == OsReason::NotFound && exists > 0 => exists -= 1,
                Err(e) => return Err(os(Op::Open, &folders[1], e)),
            }
        }
        let first = if exists == names.len() { exists } else { exists + 1 };
        let mut plans = Vec::new();
        for depth in first..=names.len() {
            let create = depth > exists;
            let target_path = to_path(&names[..depth]);
            let source_path = if source == target { target_path.clone() } else { source.clone() };
            let looks = from.open(&source_path).and_then(|dir| dir.metadata());
            let looks = looks.map_err(|e| os(Op::Examine, &folders[0], e))?;
            let now = match there.as_ref().filter(|_| !create) {
                Some(dir) => Some(dir.metadata().map_err(|e| os(Op::Examine, &folders[1], e))?),
                None => None,
            };
            plans.push(FolderPlan {
                source_root: RootIndex(0),
                target_root: RootIndex(1),
                source_path,
                target_path,
                create,
                replaces: false,
                sync_times: create,
                expect_source: looks.fingerprint(),
                expect_target: now.as_ref().map(Metadata::fingerprint),
                target_protection: now.as_ref().and_then(|now| now.protection),
                created: [looks.created, now.and_then(|now| now.created)],
                steps: Vec::new(),
            });
        }
        let is_network = |dir: &DirRef| dir.volume().is_ok_and(|volume| volume.place == Place::Network);
        let network = is_network(&source_dir) || there.as_ref().is_some_and(is_network);
        let target_dir = there.filter(|_| exists == names.len());
        let (since, since_check) = (Instant::now(), None);
        Ok(Self { folders, since, roots, source_dir, target_dir, plans, network, since_check })
    }
}

/// The root for a target in `above`, which is there, and below it in folders that are to be made.
fn root_for(from: &Root, above: &Root, missing: &[Name], running: &[Root]) -> Result<Root, FileOutcome> {
    let volume = |root: &Root| root.dir.metadata().map(|now| now.id.volume);
    let at = |path: &Path| open_as(&path.into(), Some(Side::Right)).ok();
    let here = volume(above).map_err(|e| os(Op::Examine, &above.path, e))?;
    // One that gets a journal already.
    let around = running.iter().filter(|root| above.path.starts_with(&root.path));
    let around = around.filter(|root| volume(root).is_ok_and(|id| id == here));
    if let Some(root) = around.max_by_key(|root| root.path.as_os_str().len()) {
        return Ok(root.clone());
    }
    let mut chosen = above.clone();
    let source_names = all_names(&from.path)?;
    let Some(mut alike) = source_names.strip_suffix(missing).map(<[Name]>::to_vec) else {
        return Ok(chosen);
    };
    while let (Some(last), Some(parent)) = (alike.pop(), chosen.path.parent().map(Path::to_owned)) {
        if chosen.path.join(".fcs").is_dir() {
            break;
        }
        let same_name =
            chosen.path.file_name().is_some_and(|name| Name::from_os(name).is_ok_and(|name| name == last));
        // The top of the system's own tree is nobody's backup; the top of a drive may be.
        let is_top =
            parent.parent().is_none() && !parent.components().any(|c| matches!(c, Component::Prefix(_)));
        // Nor is a root one that the source is in.
        if !same_name || is_top || from.path.starts_with(&parent) {
            break;
        }
        let may_hold =
            |root: &Root| volume(root).is_ok_and(|id| id == here) && root.dir.may_change().unwrap_or(false);
        match at(&parent).filter(may_hold) {
            Some(root) => chosen = root,
            None => break,
        }
    }
    Ok(chosen)
}

fn to_path(names: &[Name]) -> RelPath {
    let mut path = RelPath::root();
    names.iter().for_each(|name| path.push(name));
    path
}

/// Whether a path leads to or through what belongs to this program.
pub(super) fn is_within_ours(path: &Path) -> bool {
    let is_ours = |name: &Name| name.is_reserved() || name.is_home();
    path.components().any(|part| Name::from_os(part.as_os_str()).is_ok_and(|name| is_ours(&name)))
}

/// The names of an absolute path.
fn all_names(path: &Path) -> Result<Vec<Name>, FileOutcome> {
    let normal = path.components().filter_map(|part| match part {
        Component::Normal(name) => Some(name),
        _ => None,
    });
    let names = normal.map(Name::from_os).collect::<Result<Vec<_>, _>>();
    names.map_err(|_| os(Op::Open, path, std::io::ErrorKind::InvalidFilename.into()))
}

/// The nearest folder above that is there, and the names that are missing below it.
fn existing(folder: &Path) -> Result<(&Path, Vec<Name>), FileOutcome> {
    let mut missing = Vec::new();
    let mut here = folder;
    loop {
        match std::fs::metadata(here) {
            Ok(_) => break,
            Err(e) if reason(&e) == OsReason::NotFound && !is_link(here) => {}
            Err(e) => return Err(os(Op::Open, here, e)),
        }
        let (Some(name), Some(parent)) = (here.file_name(), here.parent()) else {
            return Err(os(Op::Open, folder, std::io::ErrorKind::NotFound.into()));
        };
        let name = Name::from_os(name)
            .map_err(|_| os(Op::Open, folder, std::io::ErrorKind::InvalidFilename.into()))?;
        missing.push(name);
        here = parent;
    }
    missing.reverse();
    Ok((here, missing))
}

/// The names from a folder to one in it.
fn below(root: &Path, path: &Path) -> Result<Vec<Name>, FileOutcome> {
    let rest =
        path.strip_prefix(root).map_err(|_| os(Op::Open, path, std::io::ErrorKind::NotFound.into()))?;
    all_names(rest)
}
