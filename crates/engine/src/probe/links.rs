//! Symbolic links: whether there are any, and whether their dates and owner can be set without changing what they
//! point to.
//!
//! The call says "of the link itself", and a file system of the kernel does so. One that a program serves passes the
//! request on by path, and its server may follow the link: `sshfs` then sets the date and the owner of a file anywhere
//! on the other machine (SFTP's SETSTAT follows, and version 3 of the protocol has no other form).
//!
//! Invariant: it is tried on a link that points to nothing but itself: whoever follows that one gets nowhere and can
//! change nothing. So a call that succeeds did not follow, whatever any cache says.

use std::io;

use fcs_sys::{LinkTarget, OsReason, Place, Time, Times, VolumeFacts, reason};

use super::{Scratch, name};

/// What was seen. `None` is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct LinkFacts {
    /// Links can be made, and their text read back.
    pub possible: Option<bool>,
    /// Their dates can be set, and are then their own.
    pub own_dates: Option<bool>,
}

impl LinkFacts {
    /// Whether dates and owner of a link may be set: not where it is in doubt whether they would be the link's own.
    pub fn may_set_attributes(self, facts: &VolumeFacts) -> bool {
        self.own_dates.unwrap_or(!in_doubt(facts))
    }
}

/// Whether links may be followed where their own attributes are to be set, as far as that shows without trying.
pub(crate) fn in_doubt(facts: &VolumeFacts) -> bool {
    facts.place == Place::Network || facts.file_system.starts_with("fuse")
}

/// Tries it.
pub(super) fn ask(scratch: &Scratch) -> LinkFacts {
    let mut found = LinkFacts::default();
    if let Err(error) = try_all(scratch, &mut found) {
        tracing::debug!(%error, "links could not be tried to the end");
    }
    found
}

fn try_all(scratch: &Scratch, found: &mut LinkFacts) -> io::Result<()> {
    let (dir, link) = (scratch.dir(), name(b"link")?);
    let itself = LinkTarget { text: link.as_bytes().to_vec(), to_folder: false };
    match dir.create_symlink(&link, &itself) {
        Ok(()) => {}
        // Without the right to make links (Windows), or without room, nothing was learned.
        Err(e) if matches!(reason(&e), OsReason::NoSpace | OsReason::QuotaExceeded | OsReason::Exhausted) => {
            return Err(e);
        }
        Err(_) => {
            found.possible = Some(false);
            return Ok(());
        }
    }
    found.possible = Some(dir.read_link(&link).is_ok_and(|read| read.text == itself.text));
    // Whole seconds, and a multiple of two: every volume that keeps dates at all can store it.
    let date = Time::new(1_000_000_000, 0);
    let set = dir.set_link_times(&link, Times { modified: Some(date), created: None });
    found.own_dates = Some(set.is_ok() && dir.stat(&link).is_ok_and(|link| link.modified == date));
    Ok(())
}
