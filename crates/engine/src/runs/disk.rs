//! What is really there: names on the disk held against what a journal says of them.
//!
//! A file's number tells it apart as long as the file system keeps numbers from one mount to the next. Some do not
//! (FAT, many network and user-space ones), so a number that differs proves nothing: then size, time and, where there
//! is one, the hash decide. On FAT in Windows not even a rename keeps it.

use std::io;

use fcs_sys::{Access, DirRef, Kind, Name, OsReason, reason};

use super::ledger::LedgerStep;
use super::record::Seen;

/// What stands at a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum There {
    /// Nothing.
    Nothing,
    /// What was there before the run.
    Before,
    /// What the run put there.
    New(Seen),
    /// Something else.
    Other,
}

/// Looks at a name that belongs to `step`.
pub(crate) fn look(dir: &DirRef, name: &Name, step: &LedgerStep) -> io::Result<There> {
    let now = match dir.stat(name) {
        Ok(now) => Seen::of(&now),
        Err(e) if reason(&e) == OsReason::NotFound => return Ok(There::Nothing),
        Err(e) => return Err(e),
    };
    if step.new.is_some_and(|new| now.is(&new)) {
        return Ok(There::New(now));
    }
    if step.before.is_some_and(|before| now.is(&before)) {
        return Ok(There::Before);
    }
    if let Some(new) = step.new
        && now.looks_like(&new)
    {
        let is_new = has_content(dir, name, step)?.unwrap_or_else(|| {
            // Where a rename gives another number, looks must do, if they are not also those of what was there.
            now.is_after_rename(&new) && step.before.is_none_or(|before| !now.looks_like(&before))
        });
        if is_new {
            return Ok(There::New(now));
        }
    }
    if now.kind != Kind::Folder && step.before.is_some_and(|before| now.looks_like(&before)) {
        return Ok(There::Before);
    }
    Ok(There::Other)
}

/// Whether the file at a name has the content the run verified; `None` where no hash is known.
pub(crate) fn has_content(dir: &DirRef, name: &Name, step: &LedgerStep) -> io::Result<Option<bool>> {
    let (Some(wanted), Some(new)) = (step.hash, step.new) else { return Ok(None) };
    if new.kind != Kind::File {
        return Ok(None);
    }
    let file = dir.open_file(name, Access::Read)?;
    let mut hasher = blake3::Hasher::new();
    let mut chunk = vec![0; 256 << 10];
    let mut at = 0;
    loop {
        match file.read_at(&mut chunk, at)? {
            0 => break,
            n => {
                let n = n.min(chunk.len());
                hasher.update(&chunk[..n]);
                at += n as u64;
            }
        }
    }
    Ok(Some(at == new.size && *hasher.finalize().as_bytes() == wanted))
}

/// `Ok(None)` for a name that is not there.
pub(crate) fn if_there<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(e) if reason(&e) == OsReason::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
