//! Names: which ones a volume takes, and which it takes for one.

use std::io;

use fcs_sys::{CaseRule, Name, OsReason, VolumeFacts, reason};

use super::{Scratch, in_doubt, name};

/// What Windows allows in no name; the drivers of its file systems elsewhere refuse some, all or none of them.
const SPECIAL: &[u8] = br#"<>:"|?*\"#;

/// What was seen. `None` is not known.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize)]
pub struct NameFacts {
    /// How names are distinguished.
    pub case: Option<CaseRule>,
    /// The characters of `< > : " | ? * \` that no name may hold.
    pub refused: Option<String>,
    /// Names may hold control characters.
    pub control: Option<bool>,
    /// Names may end in a dot or a space.
    pub dot_or_space_at_end: Option<bool>,
    /// Names of Windows devices, such as `con`, may be used.
    pub devices: Option<bool>,
    /// Names need not be UTF-8.
    pub any_bytes: Option<bool>,
    /// `é` as one character and as two are two names, and each is listed as it was made.
    pub keeps_unicode_form: Option<bool>,
}

impl NameFacts {
    /// Whether the volume refuses a name, as far as it was tried.
    pub(crate) fn refuses(&self, name: &[u8]) -> bool {
        let no = |allowed: Option<bool>| allowed == Some(false);
        self.refused.as_ref().is_some_and(|refused| name.iter().any(|&b| refused.as_bytes().contains(&b)))
            || no(self.control) && name.iter().any(|&b| b < 0x20)
            || no(self.dot_or_space_at_end) && matches!(name.last(), Some(b'.' | b' '))
            || no(self.any_bytes) && std::str::from_utf8(name).is_err()
    }

    /// Whether it was tried which names the volume takes.
    pub(crate) fn is_known(&self) -> bool {
        self.refused.is_some()
    }
}

/// Whether these facts are in doubt.
pub(super) fn wanted(facts: &VolumeFacts) -> bool {
    in_doubt(facts)
}

/// Tries it.
pub(super) fn ask(scratch: &Scratch) -> NameFacts {
    let mut found = NameFacts::default();
    if let Err(error) = try_all(scratch, &mut found) {
        tracing::debug!(%error, "names could not be tried to the end");
    }
    found
}

fn try_all(scratch: &Scratch, found: &mut NameFacts) -> io::Result<()> {
    let dir = scratch.dir();
    let (capital, small) = (name(b"Case")?, name(b"case")?);
    drop(dir.create_file(&capital)?);
    found.case = match dir.stat(&small) {
        Ok(_) => Some(CaseRule::Insensitive),
        Err(e) if reason(&e) == OsReason::NotFound => Some(CaseRule::Sensitive),
        Err(_) => None,
    };
    dir.remove_file(&capital)?;

    // All at once first: most volumes take them, and each call may have to go to a server.
    let with = |special: &[u8]| [b"a", special, b"z"].concat();
    found.refused = if takes(scratch, &with(SPECIAL))? {
        Some(String::new())
    } else {
        let mut refused = String::new();
        for &one in SPECIAL {
            if !takes(scratch, &with(&[one]))? {
                refused.push(char::from(one));
            }
        }
        Some(refused)
    };
    found.control = Some(takes(scratch, b"a\x01z")?);
    found.dot_or_space_at_end = Some(takes(scratch, b"end.")? && takes(scratch, b"end ")?);
    found.devices = Some(takes(scratch, b"con")?);
    found.any_bytes = Some(takes(scratch, b"a\xffz")?);
    let composed = "\u{e9}".as_bytes();
    let is_kept = takes(scratch, composed)?;
    drop(dir.create_file(&name(composed)?)?);
    let other = dir.stat(&name("e\u{301}".as_bytes())?).is_ok();
    found.keeps_unicode_form = Some(is_kept && !other);
    Ok(())
}

/// Whether a file can be made under a name and is then listed under just that name. Removes it.
fn takes(scratch: &Scratch, bytes: &[u8]) -> io::Result<bool> {
    let Ok(wanted) = Name::new(bytes) else { return Ok(false) };
    let dir = scratch.dir();
    match dir.create_file(&wanted) {
        Ok(file) => drop(file),
        Err(e) if matches!(reason(&e), OsReason::NoSpace | OsReason::QuotaExceeded | OsReason::Exhausted) => {
            return Err(e);
        }
        Err(_) => return Ok(false),
    }
    let mut listed = Vec::new();
    dir.list(&mut |entry| listed.push(entry.name.to_vec()))?;
    for name in listed.iter().filter_map(|name| Name::new(&**name).ok()) {
        dir.remove_file(&name)?;
    }
    Ok(listed.iter().any(|name| name == bytes))
}
