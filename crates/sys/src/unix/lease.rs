//! Who writes to a file (Linux): the kernel grants a lease for reading only while nobody has the file open to write, and a
//! mapping that can be stored to keeps it open so.
//!
//! Invariant: a lease is held between two calls and no longer. Who opens the file to write in this moment waits for the second one,
//! or is refused with `EWOULDBLOCK` if it asked with `O_NONBLOCK` not to wait.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// `F_SETSIG`, which the `libc` crate has not for every target (`asm-generic/fcntl.h`; the same number on all).
const F_SETSIG: libc::c_int = 10;

fn call(fd: BorrowedFd<'_>, command: libc::c_int, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the descriptor is borrowed, so open; both commands take a number and touch no memory of this process.
    #[allow(unsafe_code)]
    let result = unsafe { libc::fcntl(fd.as_raw_fd(), command, value) };
    if result < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// See [`Locks::has_no_writer`](crate::Locks::has_no_writer). The kernel tells only the owner of a file and who has `CAP_LEASE`,
/// and only of file systems that have leases.
pub(super) fn has_no_writer(fd: BorrowedFd<'_>) -> io::Result<bool> {
    // Who breaks the lease has a signal sent here. That would be `SIGIO`, which ends a process that does not expect it; this one is
    // ignored unless somebody asked for it, and means nothing in particular then.
    call(fd, F_SETSIG, libc::SIGURG)?;
    match call(fd, libc::F_SETLEASE, libc::F_RDLCK) {
        // Given back; until then nobody could begin to write.
        Ok(()) => call(fd, libc::F_SETLEASE, libc::F_UNLCK).map(|()| true),
        Err(e) if e.raw_os_error() == Some(libc::EAGAIN) => Ok(false),
        Err(e) if matches!(e.raw_os_error(), Some(libc::EACCES | libc::EINVAL)) => Ok(false),
        Err(e) => Err(e),
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::os::fd::AsFd;

    use super::*;

    #[test]
    fn whoever_can_write_is_seen_and_whoever_reads_is_not() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("f");
        fs::write(&path, "content").unwrap();
        let read = File::open(&path).unwrap();
        if !has_no_writer(read.as_fd()).unwrap() {
            eprintln!("skipped: the file system of {} has no leases", path.display());
            return;
        }
        let _other_reader = File::open(&path).unwrap();
        assert!(has_no_writer(read.as_fd()).unwrap());
        let writer = File::options().append(true).open(&path).unwrap();
        assert!(!has_no_writer(read.as_fd()).unwrap());
        drop(writer);
        assert!(has_no_writer(read.as_fd()).unwrap());
        // Nothing is held: who does not want to wait can open it to write.
        let flags = rustix::fs::OFlags::WRONLY | rustix::fs::OFlags::NONBLOCK;
        let writer = rustix::fs::open(&path, flags, rustix::fs::Mode::empty()).unwrap();
        assert!(!has_no_writer(read.as_fd()).unwrap());
        drop(writer);
    }

    /// Broken at every moment, this process lives on.
    #[test]
    fn who_breaks_a_lease_ends_nobody() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join("f");
        fs::write(&path, "content").unwrap();
        let read = File::open(&path).unwrap();
        std::thread::scope(|scope| {
            let opens = scope.spawn(|| {
                for _ in 0..20_000 {
                    drop(File::options().append(true).open(&path).unwrap());
                }
            });
            let mut answers = [0u64; 2];
            while !opens.is_finished() {
                answers[usize::from(has_no_writer(read.as_fd()).unwrap())] += 1;
            }
            println!("{} with a writer, {} without", answers[0], answers[1]);
        });
    }
}
