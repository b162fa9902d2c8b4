//! What a volume really does, tried in a folder of our own in the target root that is removed again.
//!
//! A file system's name says little: `fuseblk` is NTFS or exFAT, `fuse.sshfs` is whatever the server has, and the same
//! driver behaves differently by its mount options. So what matters for a run is tried, once per run and volume, when
//! the run begins; never by a dry run or a mere comparison, which leave no trace.
//!
//! Each kind of fact has a file of its own here, with a struct in [`VolumeProbe`] whose `Default` means "not known", a
//! `wanted` that says whether these facts are in doubt on a volume, and an `ask` that tries them in a `Scratch`. To
//! add one: a field, a line in [`wanted`] and a line in [`probe`].
//!
//! Invariants: what is not known is never taken for granted; a probe that fails is no error of the run; nothing of it
//! is left behind, and the root's times are as they were; where nothing is in doubt nothing is written.
//!
//! This module must not know what a plan is.

mod dates;
pub(crate) mod links;
mod modes;
mod names;
mod numbers;
mod storage;

use std::io;

use fcs_sys::{DirRef, Kind, Metadata, Name, OsReason, Place, Times, VolumeFacts, reason};

pub use dates::DateFacts;
pub use links::LinkFacts;
pub use modes::ModeFacts;
pub use names::NameFacts;
pub use numbers::{NumberFacts, SecondNames};
pub use storage::{Locks, StorageFacts};

/// How the name of the folder begins in which volumes are tried; followed by letters and digits.
pub const SCRATCH_PREFIX: &str = ".fcs-probe-";

/// What a volume was seen to do. All fields say "not known" by default.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct VolumeProbe {
    /// Numbers, second names and renames.
    pub numbers: NumberFacts,
    /// Symbolic links.
    pub links: LinkFacts,
    /// Names.
    pub names: NameFacts,
    /// Permissions, owners, extended attributes.
    pub modes: ModeFacts,
    /// Dates; only by [`probe_all`].
    pub dates: DateFacts,
    /// Locks, holes, the making durable of folders; only by [`probe_all`].
    pub storage: StorageFacts,
}

/// Whether anything about a volume is in doubt, so that [`probe`] would write to it.
pub fn wanted(facts: &VolumeFacts) -> bool {
    !facts.read_only && (numbers::wanted(facts) || in_doubt(facts))
}

/// Whether the volume is one of a user-space program, of a server, or of another system's: what it holds is then not
/// what the system's own file systems hold. (Kept as a list of what is known rather than tried everywhere, because on
/// the others each call of a run would be one more for nothing.)
pub(crate) fn in_doubt(facts: &VolumeFacts) -> bool {
    facts.place == Place::Network
        || facts.file_system.starts_with("fuse")
        || matches!(&*facts.file_system, "vfat" | "msdos" | "exfat" | "ntfs" | "ntfs3" | "hfs" | "hfsplus")
}

/// What is known of a volume without trying, by its driver and by how its root looks: what a preview that writes nothing
/// goes by. The FAT family has no links, permissions or owners on any system; what its items show instead is set once
/// for the whole volume when it is mounted.
pub fn known(dir: &DirRef, facts: &VolumeFacts) -> VolumeProbe {
    let mut found = VolumeProbe { numbers: numbers::known(facts), ..VolumeProbe::default() };
    if matches!(&*facts.file_system, "vfat" | "msdos" | "exfat" | "FAT" | "FAT32" | "exFAT") {
        found.links.possible = Some(false);
        let root = dir.metadata().ok();
        // Attributes of Windows are no permissions.
        if let Some(root) = root.filter(|root| root.owner.is_some()) {
            found.modes = modes::by_mount(root.attributes);
        }
    }
    found
}

/// Whether names, links and permissions that a volume takes are in doubt, which only [`probe`] clears up.
pub(crate) fn is_open(facts: &VolumeFacts, found: &VolumeProbe) -> bool {
    !facts.read_only && in_doubt(facts) && (found.links.possible.is_none() || found.modes.kept.is_none())
}

/// Tries what a volume does, in a folder of ours that is made in `dir` and removed again. Writes nothing where nothing
/// is in doubt. Whatever goes wrong leaves the facts concerned unknown.
pub fn probe(dir: &DirRef, facts: &VolumeFacts) -> VolumeProbe {
    let mut found = known(dir, facts);
    if !wanted(facts) {
        return found;
    }
    match Scratch::make(dir) {
        Ok(scratch) => {
            if numbers::wanted(facts) {
                found.numbers = numbers::ask(&scratch);
            }
            if in_doubt(facts) {
                found.links = links::ask(&scratch);
            }
            if names::wanted(facts) {
                found.names = names::ask(&scratch);
            }
            if modes::wanted(facts) {
                found.modes = modes::ask(&scratch);
            }
            scratch.remove_if_possible();
        }
        Err(error) => tracing::debug!(%error, "what the volume does could not be tried"),
    }
    tracing::debug!(?found, "what the volume was seen to do");
    found
}

/// Tries everything, also what no run needs to know or what is not in doubt.
///
/// # Errors
///
/// When nothing could be tried, because no folder of ours can be made in `dir` or it could not be removed again.
pub fn probe_all(dir: &DirRef) -> io::Result<VolumeProbe> {
    let scratch = Scratch::make(dir)?;
    // In this order: names removes what it finds.
    let names = names::ask(&scratch);
    let found = VolumeProbe {
        numbers: numbers::ask(&scratch),
        links: links::ask(&scratch),
        names,
        modes: modes::ask(&scratch),
        dates: dates::ask(&scratch),
        storage: storage::ask(&scratch),
    };
    scratch.remove()?;
    Ok(found)
}

/// What a file on the volume of `dir` shows that was given these dates; `None` where the system takes none such. An error
/// where that could not be tried.
pub(crate) fn shown_dates(dir: &DirRef, times: Times) -> io::Result<Option<Metadata>> {
    let scratch = Scratch::make(dir)?;
    let shown = dates::shown(&scratch, times);
    scratch.remove_if_possible();
    shown
}

/// Whether a new folder of ours can be told there by its looks ([`fcs_sys::Attributes::is_as_made`]): not where all folders
/// look alike. An error where that could not be tried.
pub(crate) fn shows_as_made(dir: &DirRef) -> io::Result<bool> {
    let scratch = Scratch::make(dir)?;
    let made = scratch.dir().metadata();
    scratch.remove_if_possible();
    Ok(made?.attributes.is_as_made())
}

/// How often, and how long after each other, a scratch folder is tried to be removed.
const MOST_TRIES: u32 = 20;
const PAUSE: std::time::Duration = std::time::Duration::from_millis(10);

/// A folder of ours in which things are tried. Removed by [`Scratch::remove`], not when dropped: that can fail.
pub(crate) struct Scratch {
    root: DirRef,
    before: Metadata,
    name: Name,
    dir: DirRef,
}

impl Scratch {
    fn make(root: &DirRef) -> io::Result<Self> {
        let before = root.metadata()?;
        remove_leftovers(root);
        let name = name(format!("{SCRATCH_PREFIX}{:x}", std::process::id()).as_bytes())?;
        root.create_dir(&name)?;
        match root.open_dir(&name) {
            Ok(dir) => Ok(Self { root: root.clone(), before, name, dir }),
            Err(e) => {
                let _ = root.remove_dir(&name);
                Err(e)
            }
        }
    }

    /// The folder itself, empty at first. What is made in it must be files, links or empty folders.
    pub(crate) fn dir(&self) -> &DirRef {
        &self.dir
    }

    /// As [`Scratch::remove`]. What was seen in it is true whether or not it goes; the next trial removes it.
    fn remove_if_possible(self) {
        if let Err(error) = self.remove() {
            tracing::warn!(%error, "the folder in which the volume was tried could not be removed");
        }
    }

    /// Removes it with everything in it and gives the root its time back, which only its owner may.
    fn remove(self) -> io::Result<()> {
        let Self { root, before, name, dir } = self;
        empty(&dir)?;
        drop(dir);
        let mut tries = 0;
        while let Err(error) = root.remove_dir(&name) {
            // A program that serves a volume may learn a moment later that a removed file is closed, and keep its
            // folder until then.
            tries += 1;
            if reason(&error) != OsReason::FolderNotEmpty || tries > MOST_TRIES {
                return Err(error);
            }
            std::thread::sleep(PAUSE);
            empty(&root.open_dir(&name)?)?;
        }
        let _ = root.set_times(Times { modified: Some(before.modified), created: None });
        Ok(())
    }
}

/// A name of ours in a scratch folder.
pub(crate) fn name(text: &[u8]) -> io::Result<Name> {
    Name::new(text).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// Whether a name is one that only [`Scratch`] makes.
pub(crate) fn is_scratch(name: &[u8]) -> bool {
    name.strip_prefix(SCRATCH_PREFIX.as_bytes()).is_some_and(|rest| {
        !rest.is_empty() && rest.len() <= 32 && rest.iter().all(u8::is_ascii_alphanumeric)
    })
}

/// Removes what an interrupted probe left. One run at a time works on a root, so none of them is in use.
pub(crate) fn remove_leftovers(root: &DirRef) {
    let mut left = Vec::new();
    let _ = root.list(&mut |listed| {
        if is_scratch(listed.name) {
            left.extend(Name::new(listed.name).ok());
        }
    });
    for name in left {
        let emptied = root.open_dir(&name).and_then(|dir| empty(&dir));
        if let Err(error) = emptied.and_then(|()| root.remove_dir(&name)) {
            tracing::warn!(%error, "what an interrupted trial of the volume left could not be removed");
        }
    }
}

/// Removes what is in a scratch folder: only one level, so nothing that anybody else put there goes with it. What is gone
/// by itself was a name that the driver gave a removed file until its last handle was closed.
fn empty(dir: &DirRef) -> io::Result<()> {
    let mut names = Vec::new();
    dir.list(&mut |listed| names.extend(Name::new(listed.name).ok()))?;
    for name in names {
        let removed = dir.stat(&name).and_then(|now| {
            if now.kind == Kind::Folder { dir.remove_dir(&name) } else { dir.remove_file(&name) }
        });
        match removed {
            Err(e) if reason(&e) != OsReason::NotFound => return Err(e),
            _ => {}
        }
    }
    Ok(())
}

// The simulated disk is there on Unix only.
#[cfg(unix)]
#[cfg(test)]
mod tests;
