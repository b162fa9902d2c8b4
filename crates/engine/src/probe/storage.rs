//! Locks, holes and the making durable of folders. Tried only for whoever asks what a volume does.

use std::io;

use fcs_sys::Access;

use super::{Scratch, name};

/// Whether one process can keep others out of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Locks {
    /// A lock keeps the next one out.
    Work,
    /// The call says yes to everybody.
    KeepNobodyOut,
    /// The call is refused.
    Refused,
}

/// What was seen. `None` is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct StorageFacts {
    /// Locks on files, as far as this machine sees them.
    pub locks: Option<Locks>,
    /// A folder can be made durable by itself.
    pub folder_sync: Option<bool>,
    /// A file can have holes that take no room.
    pub holes: Option<bool>,
}

/// Tries it.
pub(super) fn ask(scratch: &Scratch) -> StorageFacts {
    let mut found = StorageFacts::default();
    if let Err(error) = try_all(scratch, &mut found) {
        tracing::debug!(%error, "locks and holes could not be tried to the end");
    }
    found
}

fn try_all(scratch: &Scratch, found: &mut StorageFacts) -> io::Result<()> {
    let (dir, lock, sparse) = (scratch.dir(), name(b"lock")?, name(b"sparse")?);
    drop(dir.create_file(&lock)?);
    let (first, second) =
        (dir.open_file(&lock, Access::ReadWrite)?, dir.open_file(&lock, Access::ReadWrite)?);
    found.locks = Some(match first.try_lock() {
        Ok(true) => match second.try_lock() {
            Ok(true) => Locks::KeepNobodyOut,
            Ok(false) => Locks::Work,
            Err(_) => Locks::Refused,
        },
        Ok(false) | Err(_) => Locks::Refused,
    });
    drop((first, second));
    found.folder_sync = Some(dir.sync().is_ok());
    let file = dir.create_file(&sparse)?;
    file.write_at(b"x", 1 << 20)?;
    file.sync()?;
    found.holes = Some(file.metadata()?.allocated < 1 << 19);
    Ok(())
}
