//! The dates of one item at a plain path: read, set, copied.
//!
//! Invariant: the item at the path itself is meant, never what a link there leads to (unless the path ends in
//! a slash); its access time is left alone as far as the volume allows. Nothing is written down for undo.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fcs_sys::{Access, DirRef, Handle, Kind, Metadata, Name, OsReason, Times, VolumeFacts, reason};

use super::list::split;
use super::{DateKind, ItemTimes, NotSet, TimesSet, compared, created_unsettable};
use crate::probe::links;
use crate::session::{self, SessionError};
use crate::{Error, Op, Result};

/// An item by the folder that holds it; without a name, by itself: the top of a volume, or a path that ends
/// in `..`.
struct Located {
    dir: DirRef,
    name: Option<Name>,
    path: PathBuf,
}

impl Located {
    fn at(path: &Path) -> Result<Self> {
        let open = |folder: &Path| match session::open(folder) {
            Ok(root) => Ok(root.dir),
            Err(SessionError::Open { error, .. }) => Err(error),
            // Nothing else comes of opening one folder.
            Err(_) => Err(Error::os(Op::Open, path, io::ErrorKind::Other.into())),
        };
        let Some((parent, name)) = split(path) else {
            return Ok(Self { dir: open(path)?, name: None, path: path.to_owned() });
        };
        let dir = open(parent)?;
        let name = Name::from_os(name)
            .map_err(|_| Error::os(Op::Examine, path, io::ErrorKind::InvalidFilename.into()))?;
        Ok(Self { dir, name: Some(name), path: path.to_owned() })
    }

    fn metadata(&self) -> Result<Metadata> {
        // Asking the volume first lets the backend find what it must know to read created times (ntfs-3g).
        let found = self.dir.volume().and_then(|_| match &self.name {
            Some(name) => self.dir.stat(name),
            None => self.dir.metadata(),
        });
        found.map_err(|e| Error::os(Op::Examine, &self.path, e))
    }

    /// The item, opened to set its dates, and the volume that it is on; `None` where it can only be reached
    /// by its name: a link, or what only its owner may open.
    fn open(&self) -> io::Result<(Option<Arc<dyn Handle>>, VolumeFacts)> {
        let Some(name) = &self.name else { return Ok((Some(self.dir.clone()), self.dir.volume()?)) };
        let handle: Arc<dyn Handle> = match self.dir.stat(name)?.kind {
            Kind::Folder => {
                // Another volume may be mounted there.
                let folder = self.dir.open_dir(name)?;
                let volume = folder.volume()?;
                return Ok((Some(folder), volume));
            }
            Kind::File => match self.dir.open_file(name, Access::SetTimes) {
                Ok(file) => file,
                // An owner may set dates of what is locked against reading.
                Err(e) if reason(&e) == OsReason::PermissionDenied => return Ok((None, self.dir.volume()?)),
                Err(e) => return Err(e),
            },
            Kind::Symlink | Kind::Other => return Ok((None, self.dir.volume()?)),
        };
        Ok((Some(handle), self.dir.volume()?))
    }

    fn set(&self, times: Times) -> io::Result<(ItemTimes, VolumeFacts)> {
        let (handle, volume) = self.open()?;
        let created = times.created.filter(|_| created_unsettable(&volume).is_none());
        let settable = Times { created, ..times };
        let is_any = settable != Times::default();
        let now = match (&handle, &self.name) {
            (Some(handle), _) => {
                if is_any {
                    handle.set_times(settable)?;
                }
                handle.metadata()?
            }
            (None, Some(name)) => {
                if is_any {
                    // The program or server behind such a volume may date what a link points to, wherever
                    // that is.
                    if links::in_doubt(&volume) {
                        return Err(io::ErrorKind::Unsupported.into());
                    }
                    self.dir.set_link_times(name, settable)?;
                }
                self.dir.stat(name)?
            }
            (None, None) => self.dir.metadata()?,
        };
        Ok((ItemTimes::from(&now), volume))
    }
}

/// When the item at a path was created and when it was modified.
///
/// # Errors
///
/// Where the item cannot be examined.
pub fn read(path: &Path) -> Result<ItemTimes> {
    Located::at(path)?.metadata().map(|metadata| ItemTimes::from(&metadata))
}

/// Sets those dates of the item at a path that are given, reads them back, and tells which it did not get.
///
/// # Errors
///
/// Where the item cannot be examined or opened, or the system refuses; and for a link on a volume that may
/// follow it.
pub fn set(path: &Path, times: Times) -> Result<TimesSet> {
    let (now, volume) = Located::at(path)?.set(times).map_err(|e| Error::os(Op::SetMetadata, path, e))?;
    let modified = times.modified.and_then(|wanted| compared(DateKind::Modified, wanted, Some(now.modified)));
    let created = times.created.and_then(|wanted| match created_unsettable(&volume) {
        // It may have that date all the same.
        Some(why) => (now.created != Some(wanted)).then_some(NotSet { date: DateKind::Created, why }),
        None => compared(DateKind::Created, wanted, now.created),
    });
    Ok(TimesSet { now, not_set: created.into_iter().chain(modified).collect() })
}

/// Gives the item at `to` the dates of the one at `from`, as [`set`] does.
///
/// # Errors
///
/// As for [`read`] and [`set`].
pub fn copy(from: &Path, to: &Path) -> Result<TimesSet> {
    let ItemTimes { modified, created } = read(from)?;
    set(to, Times { modified: Some(modified), created })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use fcs_sys::{CreatedTime, Time};

    use super::*;
    use crate::times::NotSetReason;

    fn at(seconds: i64, nanos: u32) -> Time {
        Time::new(seconds, nanos)
    }

    fn modified(time: Time) -> Times {
        Times { modified: Some(time), created: None }
    }

    /// In steps of 100 ns, which every volume that tests run on stores.
    const WANTED: (i64, u32) = (1_234_567_890, 123_456_700);

    #[test]
    fn dates_of_files_and_folders_are_read_set_and_copied_exactly() {
        let tmp = tempfile::tempdir().unwrap();
        let (file, folder) = (tmp.path().join("file"), tmp.path().join("folder"));
        fs::write(&file, "x").unwrap();
        fs::create_dir(&folder).unwrap();
        let wanted = at(WANTED.0, WANTED.1);
        let done = set(&file, modified(wanted)).unwrap();
        assert_eq!((done.now.modified, done.not_set), (wanted, Vec::new()));
        assert_eq!(read(&file).unwrap(), done.now);
        let done = copy(&file, &folder).unwrap();
        assert_eq!((done.now.modified, read(&folder).unwrap().modified), (wanted, wanted));
        // By way of a path without a last name.
        let earlier = at(-86_400, 0);
        assert_eq!(set(&folder.join("../folder/."), modified(earlier)).unwrap().now.modified, earlier);
        fs::create_dir(folder.join("in")).unwrap();
        assert_eq!(set(&folder.join("in/.."), modified(wanted)).unwrap().now.modified, wanted);
        assert_eq!(read(&folder).unwrap().modified, wanted);
        assert_eq!(set(&file, Times::default()).unwrap().not_set, Vec::new());
    }

    #[test]
    fn a_created_time_that_cannot_be_set_is_told_and_the_other_is_set() {
        let tmp = tempfile::tempdir().unwrap();
        let file = tmp.path().join("file");
        fs::write(&file, "x").unwrap();
        let wanted = at(WANTED.0, WANTED.1);
        let done = set(&file, Times { modified: Some(wanted), created: Some(wanted) }).unwrap();
        assert_eq!(done.now.modified, wanted);
        let told = match fcs_sys::open_root(tmp.path()).unwrap().dir.volume().unwrap().created {
            CreatedTime::Settable => {
                assert_eq!(done.now.created, Some(wanted));
                return;
            }
            CreatedTime::ReadOnly => NotSetReason::NotSettable,
            CreatedTime::Absent => NotSetReason::NotStored,
        };
        assert_eq!(done.not_set, [NotSet { date: DateKind::Created, why: told }]);
        let same = Times { modified: None, created: done.now.created };
        assert_eq!(set(&file, same).unwrap().not_set, Vec::new(), "it has that one already");
    }

    #[test]
    #[cfg(unix)]
    fn a_link_gets_dates_of_its_own_and_access_times_stay() {
        use std::os::unix::fs::{MetadataExt, PermissionsExt};
        let tmp = tempfile::tempdir().unwrap();
        let (file, link) = (tmp.path().join("file"), tmp.path().join("link"));
        fs::write(&file, "x").unwrap();
        std::os::unix::fs::symlink("file", &link).unwrap();
        let old = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1000);
        let times = fs::FileTimes::new().set_accessed(old).set_modified(old);
        fs::File::options().append(true).open(&file).unwrap().set_times(times).unwrap();
        // Also of what nobody may read.
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
        let (on_file, on_link) = (at(2000, 5), at(3000, 7));
        assert_eq!(set(&link, modified(on_link)).unwrap().now.modified, on_link);
        assert_eq!(read(&file).unwrap().modified, at(1000, 0));
        set(&file, modified(on_file)).unwrap();
        assert_eq!((read(&file).unwrap().modified, read(&link).unwrap().modified), (on_file, on_link));
        assert_eq!(fs::metadata(&file).unwrap().atime(), 1000);
        // A dangling one too.
        fs::remove_file(&file).unwrap();
        assert_eq!(set(&link, modified(on_file)).unwrap().now.modified, on_file);
    }

    #[test]
    fn what_is_not_there_is_named() {
        let tmp = tempfile::tempdir().unwrap();
        let missing = tmp.path().join("none");
        for error in [read(&missing).unwrap_err(), set(&missing, modified(at(1, 0))).unwrap_err()] {
            assert_eq!((error.path, error.kind), (missing.clone(), crate::ErrorKind::Os(OsReason::NotFound)));
        }
        assert_eq!(read(&missing.join("below")).unwrap_err().path, missing);
    }
}
