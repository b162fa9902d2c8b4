//! Locks of open files (Linux): they belong to the handle, as those of `flock` do, but can be asked for without being
//! taken, and servers know them.

use std::io;
use std::os::fd::{AsRawFd, BorrowedFd};

/// All of the file.
fn whole(kind: libc::c_int) -> libc::flock {
    // SAFETY: plain numbers, for which zero is valid. The kernel wants `l_pid` to be zero.
    #[allow(unsafe_code)]
    let mut lock: libc::flock = unsafe { std::mem::zeroed() };
    lock.l_type = kind as libc::c_short;
    lock.l_whence = libc::SEEK_SET as libc::c_short;
    lock
}

fn call(fd: BorrowedFd<'_>, command: libc::c_int, lock: &mut libc::flock) -> io::Result<()> {
    loop {
        // SAFETY: the descriptor is borrowed, so open; `lock` has the layout that both commands read and write.
        #[allow(unsafe_code)]
        let result = unsafe { libc::fcntl(fd.as_raw_fd(), command, std::ptr::from_mut(lock)) };
        match (result, io::Error::last_os_error()) {
            (0.., _) => return Ok(()),
            (_, e) if e.kind() == io::ErrorKind::Interrupted => {}
            (_, e) => return Err(e),
        }
    }
}

/// Takes the lock if nobody has it.
///
/// A handle that only reads may take nothing but a shared lock, so there it is asked first whether anybody has one: two
/// such handles can both get it in the same moment. Locks of this program are taken by handles that write.
pub(super) fn exclusive(fd: BorrowedFd<'_>) -> io::Result<()> {
    match call(fd, libc::F_OFD_SETLK, &mut whole(libc::F_WRLCK)) {
        Err(e) if e.raw_os_error() == Some(libc::EBADF) => {}
        done => return done,
    }
    if is_held_by_other(fd)? {
        return Err(io::Error::from_raw_os_error(libc::EAGAIN));
    }
    call(fd, libc::F_OFD_SETLK, &mut whole(libc::F_RDLCK))
}

/// Gives the lock back, whoever else has the handle.
pub(super) fn free(fd: BorrowedFd<'_>) -> io::Result<()> {
    call(fd, libc::F_OFD_SETLK, &mut whole(libc::F_UNLCK))
}

/// Whether another handle has the lock.
pub(super) fn is_held_by_other(fd: BorrowedFd<'_>) -> io::Result<bool> {
    let mut lock = whole(libc::F_WRLCK);
    call(fd, libc::F_OFD_GETLK, &mut lock)?;
    Ok(libc::c_int::from(lock.l_type) != libc::F_UNLCK)
}
