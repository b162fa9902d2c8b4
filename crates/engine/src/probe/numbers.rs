//! Numbers, second names and the ways to rename: what replacing a file and recognising it again depend on.
//!
//! Whether a number outlasts the system's memory of the item cannot be tried by a plain user; see
//! [`VolumeFacts::lasting_numbers`].

use std::io;

use fcs_sys::{Metadata, Rename, VolumeFacts};

use super::{Scratch, name};

/// What a second name of a file (a hard link) is good for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub enum SecondNames {
    /// Not known.
    #[default]
    Unknown,
    /// They can be made, and show the number of the file.
    Recognised,
    /// They can be made, and look like another file: a user-space file system that counts names, not files (sshfs).
    LookForeign,
    /// They cannot be made, whatever the error says about it.
    Refused,
}

/// What was seen. `None` is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct NumberFacts {
    /// Second names.
    pub second_names: SecondNames,
    /// A file has the same number after a rename.
    pub survive_rename: Option<bool>,
    /// Two names can swap their items.
    pub exchange: Option<bool>,
    /// A rename can be told not to replace.
    pub no_replace: Option<bool>,
}

impl NumberFacts {
    /// Whether a second name may be made to keep hold of a file: not where it is known not to be recognised.
    pub fn may_link(&self) -> bool {
        matches!(self.second_names, SecondNames::Unknown | SecondNames::Recognised)
    }
}

/// Whether these facts are in doubt: not where numbers are known to last, because there the system calls mean what
/// they say, and what they cannot do they refuse as `Unsupported`.
pub(super) fn wanted(facts: &VolumeFacts) -> bool {
    !facts.lasting_numbers
}

/// What need not be tried.
pub(super) fn known(facts: &VolumeFacts) -> NumberFacts {
    if wanted(facts) {
        return NumberFacts::default();
    }
    NumberFacts { survive_rename: Some(true), ..NumberFacts::default() }
}

/// Tries it.
pub(super) fn ask(scratch: &Scratch) -> NumberFacts {
    let mut found = NumberFacts::default();
    if let Err(error) = try_all(scratch, &mut found) {
        tracing::debug!(%error, "numbers and names could not be tried to the end");
    }
    found
}

fn try_all(scratch: &Scratch, found: &mut NumberFacts) -> io::Result<()> {
    let dir = scratch.dir();
    let [first, second, third] = [name(b"first")?, name(b"second")?, name(b"third")?];
    let made = |at: &fcs_sys::Name, byte: u8| {
        let file = dir.create_file(at)?;
        file.write_at(&[byte], 0)?;
        drop(file);
        dir.stat(at)
    };
    let one: Metadata = made(&first, 1)?;

    found.second_names = match dir.hard_link(&first, &**dir, &second) {
        Ok(()) => match dir.stat(&second) {
            Ok(linked) if linked.id == dir.stat(&first)?.id => SecondNames::Recognised,
            _ => SecondNames::LookForeign,
        },
        Err(_) => SecondNames::Refused,
    };
    // What a refused call left there, if anything, is in the way of the next one.
    if dir.stat(&second).is_ok() {
        dir.remove_file(&second)?;
    }

    dir.rename(&first, &**dir, &second, Rename::Replace)?;
    found.survive_rename = Some(dir.stat(&second)?.id == one.id);

    made(&third, 2)?;
    let held = |at: &fcs_sys::Name| -> io::Result<u8> {
        let mut byte = [0];
        let n = dir.open_file(at, fcs_sys::Access::Read)?.read_at(&mut byte, 0)?;
        Ok(if n == 1 { byte[0] } else { 0 })
    };
    // By the content: a volume that takes the request for an ordinary rename would say yes to both.
    let refused = dir.rename(&second, &**dir, &third, Rename::NoReplace).is_err();
    let kept = refused && held(&third)? == 2;
    let moved = dir.rename(&second, &**dir, &first, Rename::NoReplace).is_ok();
    found.no_replace = Some(kept && moved);
    let from = if moved { &first } else { &second };
    let swapped = kept && dir.rename(from, &**dir, &third, Rename::Exchange).is_ok();
    found.exchange = Some(swapped && held(&third)? == 1 && held(from).is_ok_and(|byte| byte == 2));
    Ok(())
}
