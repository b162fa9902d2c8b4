//! Names that this program makes: beside the files of a user, where `Name::is_reserved` knows them again, and in its own
//! folder `.fcs`.
//!
//! Invariant: nothing else spells them.

use std::io;

use fcs_sys::{Name, RelPath};

use crate::history::RunId;

/// A name that this program makes, checked as any.
pub(crate) fn own(name: &str) -> io::Result<Name> {
    Name::new(name.as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

/// The name of step `step` in an undo store.
pub(crate) fn kept_name(step: u64) -> io::Result<Name> {
    own(&step.to_string())
}

/// Where a step's new item waits while a run is rolled back.
pub(crate) fn taken_name(step: u64) -> io::Result<Name> {
    own(&format!("{step}.new"))
}

/// Where a new item is kept that is not as it was verified.
pub(crate) fn damaged_name(step: u64) -> io::Result<Name> {
    own(&format!("{step}.damaged"))
}

/// The name under which a step is staged beside its target.
pub(crate) fn staged_name(run: &str, step: u64) -> io::Result<Name> {
    own(&format!(".fcs-{run}-{step}.part"))
}

/// The name under which a copy is staged that the journal does not list yet. What has it is a copy, never an original: it is
/// exchanged with nothing.
pub(crate) fn unlisted_name(run: &str, step: u64) -> io::Result<Name> {
    own(&format!(".fcs-{run}-{step}.new"))
}

/// Whether a name is one of [`unlisted_name`].
pub(crate) fn is_unlisted(run: &str, name: &Name) -> bool {
    name.as_bytes().ends_with(b".new") && run_and_step(name).is_some_and(|(of, _)| of == run)
}

/// The name under which an original is kept beside its target, where the undo store cannot take it.
pub(crate) fn aside_name(run: &str, step: u64) -> io::Result<Name> {
    own(&format!(".fcs-{run}-{step}.orig"))
}

/// The step that a name of ours beside a target belongs to, which is listed.
pub(crate) fn step_of(run: &str, name: &Name) -> Option<u64> {
    run_and_step(name).filter(|(of, _)| of == run && !is_unlisted(run, name)).map(|(_, step)| step)
}

/// The run and step that a name of ours beside a target belongs to.
pub(crate) fn run_and_step(name: &Name) -> Option<(RunId, u64)> {
    let text = std::str::from_utf8(name.as_bytes()).ok()?;
    let rest = text.strip_prefix(".fcs-")?;
    let rest = [".part", ".orig", ".new"].into_iter().find_map(|end| rest.strip_suffix(end))?;
    let (run, step) = rest.rsplit_once('-')?;
    Some((run.parse().ok()?, step.parse().ok()?))
}

/// Whether a path leads to what belongs to this program itself, and so to no item of the user.
pub(crate) fn is_ours(path: &RelPath) -> bool {
    path.names().next().is_some_and(|top| top.is_home()) || path.names().any(|name| name.is_reserved())
}

/// Whether a listed name belongs to this program. Asked of raw bytes, because most names are dropped or kept
/// without ever being a [`Name`].
pub(crate) fn is_reserved(raw: &[u8]) -> bool {
    raw.first() == Some(&b'.') && Name::new(raw).is_ok_and(|name| name.is_reserved())
}
