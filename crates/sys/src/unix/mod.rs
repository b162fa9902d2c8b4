//! The Unix backend: Linux fully; macOS and the BSDs with what they have in common.
//!
//! Every operation is relative to an open folder (`*at` calls) and resolves one name without following links. What a
//! platform lacks returns `Unsupported`, and the engine takes its other way.

mod cache;
#[cfg(target_os = "linux")]
mod created;
#[cfg(target_os = "linux")]
pub(crate) mod device_reads;
mod dir;
mod file;
mod handle;
#[cfg(target_os = "linux")]
mod identity;
#[cfg(target_os = "linux")]
mod lease;
#[cfg(target_os = "linux")]
mod lock;
#[cfg(target_os = "linux")]
mod recycle;
mod volume;
mod window;

use std::io;
use std::path::Path;
use std::sync::Arc;

use rustix::fs::{Mode, OFlags};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::{DirRef, FileId};

/// Opens a folder by path; the only place in this backend that resolves one.
pub(crate) fn open_root(path: &Path) -> io::Result<DirRef> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let fd = retry(|| rustix::fs::open(path, flags, Mode::empty()))?;
    Ok(Arc::new(dir::UnixDir::new(fd)))
}

/// Identity of whatever the path leads to; `None` if it cannot be asked.
pub(crate) fn path_identity(path: &Path) -> Option<FileId> {
    rustix::fs::stat(path).ok().map(|s| FileId {
        volume: s.st_dev as u64,
        file: s.st_ino as u64,
        file_high: 0,
    })
}

/// Raises the soft limit of open files to the hard one.
pub(crate) fn raise_open_file_limit() -> Option<u64> {
    let now = getrlimit(Resource::Nofile);
    if now.current != now.maximum {
        // Being refused is fine: the limit in force is returned either way.
        let _ = setrlimit(Resource::Nofile, Rlimit { current: now.maximum, maximum: now.maximum });
    }
    getrlimit(Resource::Nofile).current
}

/// The host's name.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// Repeats a call that a signal interrupted; every other error is the caller's.
fn retry<T>(mut call: impl FnMut() -> rustix::io::Result<T>) -> io::Result<T> {
    loop {
        match call() {
            Err(rustix::io::Errno::INTR) => {}
            other => return other.map_err(Into::into),
        }
    }
}
