//! When items were created, on NTFS served by `ntfs-3g`: Linux has no call to set it, and FUSE none to tell
//! it, but that program shows it as an extended attribute that can be read and written
//! (<https://github.com/tuxera/ntfs-3g/wiki/Using-Extended-Attributes>).
//!
//! Invariant: only volumes are asked whose root has shown that attribute; on all others no call is added.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{PoisonError, RwLock};

use rustix::fs::{XattrFlags, fgetxattr, fsetxattr, lgetxattr, lsetxattr};

use super::retry;
use crate::{Metadata, Time};

/// Eight bytes, the highest first, so that the same text means the same on every machine.
const NAME: &str = "system.ntfs_crtime_be";

/// From 1601-01-01 to 1970-01-01.
const SECONDS_TO_1970: i128 = 11_644_473_600;
const TICK_NANOS: i128 = 100;

static ANY: AtomicBool = AtomicBool::new(false);
/// Device numbers. A volume that takes the number of one that was unmounted answers that it has no such
/// attribute, and is asked before anything is refused because of it.
static VOLUMES: RwLock<Vec<u64>> = RwLock::new(Vec::new());

/// Whether the folder is on such a volume, which is remembered.
pub(super) fn is_settable(fd: BorrowedFd<'_>, metadata: &Metadata) -> bool {
    let is_one = read(fd).is_some();
    let mut volumes = VOLUMES.write().unwrap_or_else(PoisonError::into_inner);
    if !is_one {
        // The number was that of another one before.
        volumes.retain(|volume| *volume != metadata.id.volume);
        return false;
    }
    if !volumes.contains(&metadata.id.volume) {
        volumes.push(metadata.id.volume);
    }
    ANY.store(true, Ordering::Release);
    true
}

fn is_known(volume: u64) -> bool {
    ANY.load(Ordering::Acquire) && VOLUMES.read().unwrap_or_else(PoisonError::into_inner).contains(&volume)
}

/// Whether an open item is on such a volume, whichever had that number before.
fn is_one_now(fd: BorrowedFd<'_>) -> io::Result<bool> {
    Ok(is_known(rustix::fs::fstat(fd)?.st_dev) && read(fd).is_some())
}

/// Adds the created time to what the system told of an open item.
pub(super) fn add(fd: BorrowedFd<'_>, mut metadata: Metadata) -> Metadata {
    if metadata.created.is_none() && is_known(metadata.id.volume) {
        metadata.created = read(fd);
    }
    metadata
}

/// The same of an item in an open folder.
pub(super) fn add_at(fd: BorrowedFd<'_>, name: &[u8], mut metadata: Metadata) -> Metadata {
    if metadata.created.is_none() && is_known(metadata.id.volume) {
        let mut value = [0; 8];
        let answer = retry(|| lgetxattr(path(fd, name), NAME, &mut value));
        metadata.created = answer.is_ok_and(|n| n == value.len()).then(|| from_ticks(value));
    }
    metadata
}

/// Refuses a modified time that such a volume cannot store: its program says yes, shows it for a while and
/// drops it.
pub(super) fn check_modified(fd: BorrowedFd<'_>, modified: Option<Time>) -> io::Result<()> {
    let Some(modified) = modified.filter(|_| ANY.load(Ordering::Acquire)) else { return Ok(()) };
    let is_out = to_ticks(modified).is_err() && is_one_now(fd)?;
    if is_out { Err(io::ErrorKind::InvalidInput.into()) } else { Ok(()) }
}

/// Sets the created time of an open item, if it is on such a volume.
pub(super) fn set(fd: BorrowedFd<'_>, created: Option<Time>) -> io::Result<()> {
    let Some(created) = created.filter(|_| ANY.load(Ordering::Acquire)) else { return Ok(()) };
    if !is_one_now(fd)? {
        return Ok(());
    }
    let value = to_ticks(created)?;
    retry(|| fsetxattr(fd, NAME, &value, XattrFlags::empty()))
}

/// The same of an item in an open folder, a link itself too.
pub(super) fn set_at(fd: BorrowedFd<'_>, name: &[u8], created: Option<Time>) -> io::Result<()> {
    let Some(created) = created.filter(|_| ANY.load(Ordering::Acquire)) else { return Ok(()) };
    if !is_one_now(fd)? {
        return Ok(());
    }
    let value = to_ticks(created)?;
    retry(|| lsetxattr(path(fd, name), NAME, &value, XattrFlags::empty()))
}

fn read(fd: BorrowedFd<'_>) -> Option<Time> {
    let mut value = [0; 8];
    let answer = retry(|| fgetxattr(fd, NAME, &mut value));
    answer.is_ok_and(|n| n == value.len()).then(|| from_ticks(value))
}

/// There is no call that takes an open folder and a name. The number stays the folder's while it is open.
fn path(fd: BorrowedFd<'_>, name: &[u8]) -> Vec<u8> {
    let mut path = format!("/proc/self/fd/{}/", fd.as_raw_fd()).into_bytes();
    path.extend_from_slice(name);
    path
}

fn from_ticks(value: [u8; 8]) -> Time {
    let ticks = i128::from(u64::from_be_bytes(value));
    Time::from_nanos(ticks * TICK_NANOS - SECONDS_TO_1970 * 1_000_000_000)
}

/// Rounded towards the past, as everything that is coarser than what it is given.
fn to_ticks(time: Time) -> io::Result<[u8; 8]> {
    let ticks = (time.as_nanos() + SECONDS_TO_1970 * 1_000_000_000).div_euclid(TICK_NANOS);
    // Windows takes the highest bit for a sign.
    let ticks = i64::try_from(ticks).ok().filter(|ticks| *ticks >= 0);
    ticks.map(i64::to_be_bytes).ok_or_else(|| io::ErrorKind::InvalidInput.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_and_times_are_one_to_the_tick() {
        for (time, ticks) in [
            (Time::new(-11_644_473_600, 0), 0),
            (Time::EPOCH, 116_444_736_000_000_000),
            (Time::new(1, 100), 116_444_736_010_000_001),
        ] {
            assert_eq!(to_ticks(time).unwrap(), u64::to_be_bytes(ticks));
            assert_eq!(from_ticks(u64::to_be_bytes(ticks)), time);
        }
        assert_eq!(to_ticks(Time::new(1, 199)).unwrap(), to_ticks(Time::new(1, 100)).unwrap());
        assert!(
            to_ticks(Time::new(-11_644_473_601, 0)).is_err() && to_ticks(Time::new(i64::MAX, 0)).is_err()
        );
    }
}
