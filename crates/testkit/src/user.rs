//! A plain user, beside the root that most tests run as.
//!
//! Invariant: what is done as the plain user can do no more than any user can: no capability and no group is left. It
//! must not know what is done.
//!
//! Limit: only what the body itself starts (threads, programs) is the plain user's. Threads that were started before,
//! such as those of a pool that lives as long as the process, stay root's.

use std::io;
use std::path::Path;

/// Number of the plain user and of its group. It needs no name and no home.
pub const PLAIN_USER: u32 = 1000;

/// Whether a test may do `what` ("mounting") that only root can, or why not.
///
/// `FCS_TEST_NO_ROOT` withholds it from root too: `cargo xtask test quick` sets it, so that it takes the same minutes
/// and shows the same for everybody.
#[cfg(target_os = "linux")]
pub(crate) fn may_act_as_root(what: &str) -> Result<(), String> {
    if std::env::var_os("FCS_TEST_NO_ROOT").is_some() {
        return Err(format!("{what} is for root, whose tests were not asked for (FCS_TEST_NO_ROOT)"));
    }
    if rustix::process::geteuid().is_root() { Ok(()) } else { Err(format!("{what} needs root")) }
}

/// Runs `body` in a thread that has become the plain user, and everything that it starts with it.
///
/// # Errors
///
/// When this process must not become another user, that is, without root.
#[cfg(target_os = "linux")]
pub fn as_plain_user<T: Send>(body: impl FnOnce() -> T + Send) -> Result<T, crate::Skip> {
    use rustix::thread::{set_thread_gid, set_thread_groups, set_thread_uid};
    use rustix::{fs::Gid, fs::Uid};

    may_act_as_root("becoming another user").map_err(crate::Skip::new)?;
    let become_plain = || {
        set_thread_groups(&[])?;
        set_thread_gid(Gid::from_raw(PLAIN_USER))?;
        // Last: it takes the right to the others, and all capabilities.
        set_thread_uid(Uid::from_raw(PLAIN_USER))
    };
    let done = std::thread::scope(|scope| {
        let thread = scope.spawn(|| {
            become_plain().map_err(|error| crate::Skip::new(format!("becoming another user: {error}")))?;
            Ok(body())
        });
        thread.join()
    });
    done.unwrap_or_else(|panic| std::panic::resume_unwind(panic))
}

/// Makes the plain user the owner of `path` and of everything below it. Links are not followed.
pub fn give_to_plain_user(path: &Path) -> io::Result<()> {
    std::os::unix::fs::lchown(path, Some(PLAIN_USER), Some(PLAIN_USER))?;
    if std::fs::symlink_metadata(path)?.is_dir() {
        for entry in std::fs::read_dir(path)? {
            give_to_plain_user(&entry?.path())?;
        }
    }
    Ok(())
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::{skip, test_name};
    use std::fs;
    use std::os::unix::fs::{MetadataExt, PermissionsExt};

    #[test]
    fn the_plain_user_has_no_right_of_root_and_neither_have_its_threads() {
        let dir = tempfile::tempdir().unwrap();
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let (locked, own) = (dir.path().join("locked"), dir.path().join("own"));
        fs::create_dir(&own).unwrap();
        fs::write(&locked, "x").unwrap();
        fs::set_permissions(&locked, fs::Permissions::from_mode(0o600)).unwrap();
        give_to_plain_user(&own).unwrap_or(());
        let seen = as_plain_user(|| {
            let refused = fs::read(&locked).map_err(|error| error.kind());
            let in_thread = std::thread::scope(|scope| {
                let thread = scope.spawn(|| fs::read(&locked).map_err(|error| error.kind()));
                thread.join().unwrap()
            });
            fs::write(own.join("mine"), "y").unwrap();
            (refused, in_thread, fs::metadata(own.join("mine")).unwrap().uid())
        });
        match seen {
            Ok(seen) => {
                let denied = Err(io::ErrorKind::PermissionDenied);
                assert_eq!(seen, (denied.clone(), denied, PLAIN_USER));
                assert_eq!(fs::read_to_string(&locked).unwrap(), "x", "this thread is what it was");
            }
            Err(reason) => skip(test_name!(), &reason.reason),
        }
    }
}
