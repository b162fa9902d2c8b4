//! A file system whose vices are switches: what FUSE, network and stick file systems do, one at a time or all at once.
//!
//! Files are in this process's memory and are served through `/dev/fuse`, so that programs see a file system like any
//! other. Without a vice it is an honest one: numbers that last, second names, exchange, nanoseconds, permissions,
//! owners and attributes. [`Vice`] names what it can do instead.
//!
//! Invariant: a vice that had an effect is counted, so that a test can show that it was there ([`Wicked::fired`]).
//! Permissions are the kernel's to check. It must not know who uses it, nor what for.
//!
//! Limits: it is asked for everything each time (nothing is cached), and keeps what it holds for as long as the
//! [`Wicked`] lives: that is for small trees. A process that is killed leaves its mount behind, as with an image.

mod disk;
mod serve;
#[cfg(test)]
mod tests;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use fuser::{BackgroundSession, Config, MountOption, SessionACL};
use tempfile::TempDir;

use crate::image::{roomy_dir, run, unmount};
use crate::skip::Skip;
use disk::Disk;

/// Something a file system does that an honest one does not.
///
/// `name`s are those of files anywhere on it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Vice {
    /// File numbers are made up anew for a name after it was looked up so many times, and at each mount. 1 is each
    /// time. Open files keep theirs.
    NumbersLast(u32),
    /// Each name has a number of its own, also a second name of one file (`sshfs`, `exfat-fuse`).
    LinksHaveOwnNumbers,
    /// A call fails with an error number.
    Refuses(Call, i32),
    /// A name that is listed, and "not found" when it is looked up (overlays and encrypting mounts with broken entries).
    ListedNotFound(&'static str),
    /// Times are cut to whole steps, change times too.
    TimeStep(Duration),
    /// Times, in seconds since 1970, come to lie within a range.
    TimeRange(i64, i64),
    /// The change time is the modified time (`sshfs`, `exfat-fuse`).
    NoChangeTime,
    /// `chmod` answers success and changes nothing.
    ChmodLies,
    /// All files and folders have these permissions, and `chmod` answers success.
    ModesAre(u16),
    /// All belong to root, and `chown` answers success.
    OwnersLie,
    /// It knows of no inodes: 0 in all, 0 free.
    NoInodes,
    /// A file of this name says it has 0 bytes, and has more (`/proc`).
    SizeZero(&'static str),
    /// A file of this name grows a little whenever it is read from its beginning.
    Grows(&'static str),
    /// Attributes set on a symbolic link are those of what it points at (`sshfs`).
    FollowsLinks,
    /// Names with one of these characters are refused as invalid.
    Forbids(&'static str),
    /// Spaces and dots at the end of a name are dropped without a word.
    TrimsEnds,
    /// Upper and lower case are the same name.
    IgnoresCase,
}

/// A call that a [`Vice`] can refuse.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// A second name for a file.
    Link,
    /// A symbolic link.
    Symlink,
    /// Making a file durable. `ENOSYS` is "no need" to the kernel, which answers success from then on.
    Fsync,
    /// Making a folder durable; `ENOSYS` as with [`Call::Fsync`].
    FsyncDir,
    /// Asking for the free space.
    Statfs,
    /// Locks of all kinds.
    Flock,
    /// All calls about extended attributes.
    Xattr,
    /// `chmod`.
    Chmod,
    /// `chown`.
    Chown,
    /// Setting times.
    SetTimes,
    /// `RENAME_EXCHANGE`.
    Exchange,
    /// `RENAME_NOREPLACE`.
    NoReplace,
    /// A rename to a name that something else has.
    Replace,
    /// Every rename of a folder (a lower layer of an overlay says `EXDEV`).
    RenameDir,
}

/// The mounted file system; unmounted when dropped or closed.
#[derive(Debug)]
pub struct Wicked {
    disk: Arc<Mutex<Disk>>,
    session: Option<BackgroundSession>,
    mount_point: PathBuf,
    // Last: removing the folder while the mount is up would empty the mounted file system.
    dir: Option<TempDir>,
}

impl Wicked {
    /// An empty file system with `vices`, mounted for all users. Its root is open to all.
    pub fn new(vices: &[Vice]) -> Result<Self, Skip> {
        let failed = |error: String| Skip::new(format!("FUSE: {error}"));
        crate::user::may_act_as_root("mounting for all users").map_err(failed)?;
        if !Path::new("/dev/fuse").exists() {
            return Err(failed("no /dev/fuse".to_owned()));
        }
        let dir = roomy_dir(0).map_err(|error| failed(error.to_string()))?;
        let mount_point = dir.path().join("mnt");
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        let made = fs::create_dir(&mount_point).and_then(|()| fs::set_permissions(dir.path(), open));
        made.map_err(|error| failed(error.to_string()))?;
        let disk = Arc::new(Mutex::new(Disk::new(vices)));
        let mut wicked = Self { disk, session: None, mount_point, dir: Some(dir) };
        wicked.mount().map_err(|error| failed(error.to_string()))?;
        Ok(wicked)
    }

    fn mount(&mut self) -> io::Result<()> {
        let mut config = Config::default();
        config.mount_options =
            vec![MountOption::FSName("fcs-test".to_owned()), MountOption::DefaultPermissions];
        config.acl = SessionACL::All;
        // So that what one program does falls between two steps of what another asked for.
        config.n_threads = Some(2);
        let server = serve::Server::new(Arc::clone(&self.disk));
        self.session = Some(fuser::spawn_mount(server, &self.mount_point, &config)?);
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().expect("no request panics")
    }

    /// The folder where it is mounted.
    pub fn path(&self) -> &Path {
        &self.mount_point
    }

    /// Gives it other vices from now on. What was stored stays as it was stored.
    ///
    /// Whether the kernel asks about locks, and that an `ENOSYS` was given, is settled at each mount.
    pub fn set_vices(&self, vices: &[Vice]) {
        self.lock().vices = vices.to_vec();
    }

    /// How often a vice had an effect.
    pub fn fired(&self, vice: &Vice) -> u64 {
        self.lock().fired.get(vice).copied().unwrap_or(0)
    }

    /// As if the kernel had forgotten all names: where numbers do not last, all are made up anew.
    pub fn forget_all(&self) {
        self.lock().forget_all();
    }

    /// Unmounts and mounts again. Fails while a file in it is open.
    pub fn remount(&mut self) -> io::Result<()> {
        self.unmount()?;
        self.lock().forget_all();
        self.mount()
    }

    fn unmount(&mut self) -> io::Result<()> {
        if self.session.is_some() {
            unmount(&self.mount_point).map_err(io::Error::other)?;
        }
        // The server ends with its mount.
        self.session.take().map_or(Ok(()), BackgroundSession::join)
    }

    /// Unmounts and removes it; the error says what was left behind.
    pub fn close(mut self) -> io::Result<()> {
        self.dismantle()
    }

    fn dismantle(&mut self) -> io::Result<()> {
        if let Err(error) = self.unmount() {
            let lazy = run("umount", ["-l".as_ref(), self.mount_point.as_os_str()]);
            if let Err(worse) = lazy {
                let kept = self.dir.take().map(TempDir::keep);
                return Err(io::Error::other(format!("{error}; {worse}; left behind: {kept:?}")));
            }
            // Somebody has a file open: the server goes with the last of these.
            drop(self.session.take());
        }
        self.dir.take().map_or(Ok(()), TempDir::close)
    }
}

impl Drop for Wicked {
    fn drop(&mut self) {
        if self.dir.is_some()
            && let Err(error) = self.dismantle()
        {
            eprintln!("{}: {error}", self.mount_point.display());
        }
    }
}
