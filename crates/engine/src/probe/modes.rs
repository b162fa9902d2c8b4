//! Permissions and owners: whether they are kept, or only said to be.

use std::io;

use fcs_sys::{Attributes, Owner, VolumeFacts};

use super::{Scratch, in_doubt, name};

/// What was seen. `None` is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct ModeFacts {
    /// Permissions of files are kept as they are set.
    pub kept: Option<bool>,
    /// The permissions that a file shows which is for its owner only.
    pub private_shows: Option<u32>,
    /// Owners are kept as they are set. Not known to who may not give files away.
    pub owners_kept: Option<bool>,
    /// Extended attributes of the user's can be set and read back.
    pub xattrs: Option<bool>,
}

impl ModeFacts {
    /// Whether what only its owner may read can be read there by others.
    pub(crate) fn opens_private(&self) -> bool {
        self.private_shows.is_some_and(|shown| shown & 0o044 != 0)
    }
}

/// What is so where each item shows what the mount says, which is seen at the root. Files may be given fewer bits than
/// folders, so more may be said to be open than is.
pub(super) fn by_mount(root: Attributes) -> ModeFacts {
    ModeFacts {
        kept: Some(false),
        private_shows: Some(root.0 & 0o666),
        owners_kept: Some(false),
        xattrs: Some(false),
    }
}

/// Whether these facts are in doubt.
pub(super) fn wanted(facts: &VolumeFacts) -> bool {
    in_doubt(facts)
}

/// Tries it.
pub(super) fn ask(scratch: &Scratch) -> ModeFacts {
    let mut found = ModeFacts::default();
    if let Err(error) = try_all(scratch, &mut found) {
        tracing::debug!(%error, "permissions could not be tried to the end");
    }
    found
}

fn try_all(scratch: &Scratch, found: &mut ModeFacts) -> io::Result<()> {
    let dir = scratch.dir();
    let modes = name(b"modes")?;
    let file = dir.create_file(&modes)?;
    let Some(owner) = file.metadata()?.owner else {
        // Attributes of Windows are no permissions.
        return Ok(());
    };
    // Read back, because many say yes and do nothing.
    let set = |mode: u32| -> io::Result<u32> {
        let _ = file.set_attributes(Attributes(mode));
        Ok(dir.stat(&modes)?.attributes.0 & 0o777)
    };
    let (shared, private) = (set(0o644)?, set(0o600)?);
    found.kept = Some(shared == 0o644 && private == 0o600);
    found.private_shows = Some(private);
    let attribute = b"user.fcs";
    let set = file.set_xattr(attribute, b"1").is_ok();
    found.xattrs = Some(set && file.xattr(attribute).is_ok_and(|value| value == b"1"));
    if owner.user == 0 {
        let other = Owner { user: 1, group: 1 };
        let _ = file.set_owner(other);
        found.owners_kept = Some(dir.stat(&modes)?.owner == Some(other));
    }
    Ok(())
}
