//! Checked names and paths below a root.
//!
//! Invariant: a [`Name`] is exactly one component (never empty, `.`, `..`, never holding a separator or NUL), and a
//! [`RelPath`] is a list of such names. So no value of these types can leave the root it is resolved from.
//! Bytes are kept as the system gave them: raw bytes on Unix, WTF-8 on Windows.

use std::borrow::Cow;
use std::ffi::OsStr;
use std::fmt::{self, Write as _};

use serde::{Deserialize, Serialize};

/// The folder in a target root that belongs to this program itself.
const HOME: &[u8] = b".fcs";
/// How all other names begin that this program makes beside files of the user.
const OWN_PREFIX: &[u8] = b".fcs-";
/// The longest id of a run, and of a folder in which a volume is tried.
const MAX_ID: usize = 32;

/// Why a name was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadName {
    /// The name has no characters.
    #[error("the name is empty")]
    Empty,
    /// The name is `.` or `..`.
    #[error("the name points to the folder itself or above it")]
    Dots,
    /// The name holds a path separator or a NUL.
    #[error("the name holds a character that names cannot hold")]
    Character,
    /// The bytes are not a name the platform can express (WTF-8 on Windows).
    #[error("the name cannot be expressed on this system")]
    Encoding,
}

/// One checked component of a path.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Name(Box<[u8]>);

impl Name {
    /// Checks and takes raw bytes (WTF-8 on Windows).
    pub fn new(bytes: impl Into<Box<[u8]>>) -> Result<Self, BadName> {
        let bytes = bytes.into();
        if bytes.is_empty() {
            return Err(BadName::Empty);
        }
        if *bytes == *b"." || *bytes == *b".." {
            return Err(BadName::Dots);
        }
        if bytes.iter().any(|&b| b == 0 || b == b'/' || (cfg!(windows) && (b == b'\\' || b == b':'))) {
            return Err(BadName::Character);
        }
        if cfg!(windows) && std::str::from_utf8(&bytes).is_err() && !is_wtf8(&bytes) {
            return Err(BadName::Encoding);
        }
        Ok(Self(bytes))
    }

    /// Checks and takes a name as the system spells it.
    pub fn from_os(name: &OsStr) -> Result<Self, BadName> {
        Self::new(name.as_encoded_bytes())
    }

    /// The bytes, as given.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The name as the system's own string type.
    pub fn as_os(&self) -> &OsStr {
        os_str(&self.0)
    }

    /// Whether the name is exactly of a form that this program makes beside files of the user, wherever it lies: staged
    /// files and originals (`.fcs-<run>-<step>.part`, `.new`, `.orig`) and the folder in which a volume is tried
    /// (`.fcs-probe-<id>`). Such an item is never compared, copied or removed; everything else is the user's.
    pub fn is_reserved(&self) -> bool {
        is_reserved(&self.0)
    }

    /// Whether this is the name of this program's folder in a target root, `.fcs`. Elsewhere it is the user's.
    pub fn is_home(&self) -> bool {
        *self.0 == *HOME
    }
}

/// As [`Name::is_reserved`]. Compared without case, because a case-insensitive volume may hand the name back in another
/// spelling.
pub(crate) fn is_reserved(bytes: &[u8]) -> bool {
    let Some((prefix, rest)) = bytes.split_at_checked(OWN_PREFIX.len()) else { return false };
    let is_id = |id: &[u8]| (1..=MAX_ID).contains(&id.len()) && id.iter().all(u8::is_ascii_alphanumeric);
    if !prefix.eq_ignore_ascii_case(OWN_PREFIX) {
        return false;
    }
    if let Some((b"probe", id)) =
        rest.iter().position(|&b| b == b'-').map(|at| (&rest[..at], &rest[at + 1..]))
        && is_id(id)
    {
        return true;
    }
    let stem = [b".part".as_slice(), b".orig", b".new"].into_iter().find_map(|end| {
        let (stem, tail) = rest.split_at_checked(rest.len().checked_sub(end.len())?)?;
        tail.eq_ignore_ascii_case(end).then_some(stem)
    });
    let parts = stem.and_then(|stem| {
        let at = stem.iter().position(|&b| b == b'-')?;
        Some((&stem[..at], &stem[at + 1..]))
    });
    parts.is_some_and(|(run, step)| is_id(run) && !step.is_empty() && step.iter().all(u8::is_ascii_digit))
}

/// Views bytes that passed [`Name::new`] or [`exact_path`] as the system's string type.
fn os_str(bytes: &[u8]) -> &OsStr {
    #[cfg(unix)]
    {
        std::os::unix::ffi::OsStrExt::from_bytes(bytes)
    }
    #[cfg(not(unix))]
    {
        // SAFETY: `from_encoded_bytes_unchecked` wants bytes in the encoding of `OsStr`, which on Windows is WTF-8.
        // `Name::new` and `exact_path` accept only UTF-8 or checked WTF-8, and cuts are made only at '/', which is ASCII.
        #[allow(unsafe_code)]
        unsafe {
            OsStr::from_encoded_bytes_unchecked(bytes)
        }
    }
}

/// Whether bytes are well-formed WTF-8: UTF-8 that may also hold surrogates, but never a high one right before a
/// low one (such a pair has its own four-byte form). Source: <https://simonsapin.github.io/wtf-8/>.
fn is_wtf8(bytes: &[u8]) -> bool {
    let mut rest = bytes;
    let mut after_high = false;
    while !rest.is_empty() {
        let valid = match std::str::from_utf8(rest) {
            Ok(_) => return true,
            Err(e) => e.valid_up_to(),
        };
        after_high &= valid == 0;
        rest = &rest[valid..];
        let [0xED, second @ 0xA0..=0xBF, 0x80..=0xBF, tail @ ..] = rest else {
            return false;
        };
        let low = *second >= 0xB0;
        if low && after_high {
            return false;
        }
        after_high = !low;
        rest = tail;
    }
    true
}

/// A path below a root: zero or more checked names. The empty path is the root itself.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub struct RelPath(Vec<u8>);

impl RelPath {
    /// The root itself.
    pub fn root() -> Self {
        Self::default()
    }

    /// Parses `a/b/c`; every component is checked as a [`Name`]. The empty string is the root.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadName> {
        let mut path = Self::root();
        if !bytes.is_empty() {
            for part in bytes.split(|&b| b == b'/') {
                path.push(&Name::new(part)?);
            }
        }
        Ok(path)
    }

    /// Appends one name.
    pub fn push(&mut self, name: &Name) {
        self.push_raw(name.as_bytes());
    }

    /// This path with one more name.
    #[must_use]
    pub fn join(&self, name: &Name) -> Self {
        let mut path = Self(Vec::with_capacity(self.0.len() + 1 + name.as_bytes().len()));
        path.0.extend_from_slice(&self.0);
        path.push(name);
        path
    }

    fn push_raw(&mut self, name: &[u8]) {
        if !self.0.is_empty() {
            self.0.push(b'/');
        }
        self.0.extend_from_slice(name);
    }

    /// Whether this is the root.
    pub fn is_root(&self) -> bool {
        self.0.is_empty()
    }

    /// The components joined by `/`, which no component can hold.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The names from the root down.
    pub fn names(&self) -> impl DoubleEndedIterator<Item = Name> + '_ {
        self.0.split(|&b| b == b'/').filter(|part| !part.is_empty()).map(|part| Name(part.into()))
    }

    /// The folder that holds this item and the item's name; `None` for the root.
    pub fn split(&self) -> Option<(Self, Name)> {
        if self.0.is_empty() {
            return None;
        }
        Some(match self.0.iter().rposition(|&b| b == b'/') {
            Some(cut) => (Self(self.0[..cut].to_vec()), Name(self.0[cut + 1..].into())),
            None => (Self::root(), Name(self.0.as_slice().into())),
        })
    }

    /// How many names the path has.
    pub fn depth(&self) -> usize {
        if self.0.is_empty() { 0 } else { self.0.split(|&b| b == b'/').count() }
    }

    /// Whether `self` is `ancestor` or is below it.
    pub fn starts_with(&self, ancestor: &Self) -> bool {
        ancestor.0.is_empty()
            || (self.0.starts_with(&ancestor.0)
                && (self.0.len() == ancestor.0.len() || self.0[ancestor.0.len()] == b'/'))
    }

    /// The path as the system spells it, relative.
    pub fn to_path(&self) -> std::path::PathBuf {
        self.0.split(|&b| b == b'/').filter(|part| !part.is_empty()).map(os_str).collect()
    }
}

/// Turns bytes from a file system into text that is safe to print: control characters, line and paragraph
/// separators, bidirectional controls (they can make a name read as another), invisible format characters and
/// invalid UTF-8 become escapes, and a backslash is doubled where it is not a separator, so the text stays unambiguous.
pub fn escaped(bytes: &[u8]) -> Cow<'_, str> {
    let plain = |c: char| !needs_escape(c);
    if let Ok(text) = std::str::from_utf8(bytes)
        && text.chars().all(plain)
    {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(bytes.len() + 16);
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            match c {
                '\n' => out.push_str("\\n"),
                '\r' => out.push_str("\\r"),
                '\t' => out.push_str("\\t"),
                '\\' if needs_escape('\\') => out.push_str("\\\\"),
                c if c.is_ascii() && needs_escape(c) => {
                    let _ = write!(out, "\\x{:02x}", u32::from(c));
                }
                c if needs_escape(c) => {
                    let _ = write!(out, "\\u{{{:x}}}", u32::from(c));
                }
                c => out.push(c),
            }
        }
        for b in chunk.invalid() {
            let _ = write!(out, "\\x{b:02x}");
        }
    }
    Cow::Owned(out)
}

fn needs_escape(c: char) -> bool {
    match c {
        '\\' => !cfg!(windows),
        '\u{ad}'
        | '\u{61c}'
        | '\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{2028}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}'
        | '\u{e0000}'..='\u{e007f}' => true,
        c => c.is_control(),
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escaped(&self.0))
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str(".") } else { f.write_str(&escaped(&self.0)) }
    }
}

impl fmt::Debug for RelPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// The stored form of names and paths is exact: in text formats valid UTF-8 is stored as it is and anything else as
/// `{"bytes": [...]}`, so that every one survives JSON; in binary formats all are bytes. It is not what people are shown
/// ([`escaped`]), which only has to be unambiguous.
fn store<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
    if !serializer.is_human_readable() {
        return serializer.serialize_bytes(bytes);
    }
    match std::str::from_utf8(bytes) {
        Ok(text) => serializer.serialize_str(text),
        Err(_) => RawPath { bytes: bytes.to_vec() }.serialize(serializer),
    }
}

fn load<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
    if !deserializer.is_human_readable() {
        return deserializer.deserialize_byte_buf(Bytes);
    }
    Ok(match TextOrRaw::deserialize(deserializer)? {
        TextOrRaw::Text(text) => text.into_bytes(),
        TextOrRaw::Raw(raw) => raw.bytes,
    })
}

impl Serialize for RelPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        store(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for RelPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&load(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Serialize for Name {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        store(&self.0, serializer)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(load(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// Takes bytes at once: one by one they cost several times as much.
struct Bytes;

impl serde::de::Visitor<'_> for Bytes {
    type Value = Vec<u8>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("bytes")
    }

    fn visit_bytes<E: serde::de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
        Ok(bytes.to_vec())
    }

    fn visit_byte_buf<E: serde::de::Error>(self, bytes: Vec<u8>) -> Result<Vec<u8>, E> {
        Ok(bytes)
    }
}

/// Bytes stored exactly, as names are: for `#[serde(with = "…")]`.
pub mod exact_bytes {
    /// As [`super::Name`] is stored.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: serde::Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        super::store(bytes, serializer)
    }

    /// Any bytes.
    ///
    /// # Errors
    ///
    /// Those of the deserializer.
    pub fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<u8>, D::Error> {
        super::load(deserializer)
    }
}

/// A path of the system stored exactly, with its own separators: for `#[serde(with = "…")]`.
pub mod exact_path {
    use std::path::{Path, PathBuf};

    /// As [`super::Name`] is stored.
    ///
    /// # Errors
    ///
    /// Those of the serializer.
    pub fn serialize<S: serde::Serializer>(path: &Path, serializer: S) -> Result<S::Ok, S::Error> {
        super::store(path.as_os_str().as_encoded_bytes(), serializer)
    }

    /// Any path that this system can express.
    ///
    /// # Errors
    ///
    /// Those of the deserializer; [`super::BadName::Encoding`] for bytes that are no path here.
    pub fn deserialize<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<PathBuf, D::Error> {
        let bytes = super::load(deserializer)?;
        if cfg!(unix) || std::str::from_utf8(&bytes).is_ok() || cfg!(windows) && super::is_wtf8(&bytes) {
            return Ok(super::os_str(&bytes).into());
        }
        Err(serde::de::Error::custom(super::BadName::Encoding))
    }
}

#[derive(Serialize, Deserialize)]
struct RawPath {
    bytes: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum TextOrRaw {
    Text(String),
    Raw(RawPath),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_could_leave_the_root_are_refused() {
        assert_eq!(Name::new(*b""), Err(BadName::Empty));
        assert_eq!(Name::new(*b"."), Err(BadName::Dots));
        assert_eq!(Name::new(*b".."), Err(BadName::Dots));
        assert_eq!(Name::new(*b"a/b"), Err(BadName::Character));
        assert_eq!(Name::new(*b"a\0"), Err(BadName::Character));
        assert!(Name::new(*b"...").is_ok());
        assert!(RelPath::parse(b"a/../b").is_err());
        assert!(RelPath::parse(b"/etc").is_err());
        assert!(RelPath::parse(b"a//b").is_err());
    }

    #[test]
    fn paths_split_join_and_nest() {
        let path = RelPath::parse(b"a/bc/d").unwrap();
        let (parent, name) = path.split().unwrap();
        assert_eq!((parent.as_bytes(), name.as_bytes()), (&b"a/bc"[..], &b"d"[..]));
        assert_eq!(parent.join(&name), path);
        assert_eq!(path.depth(), 3);
        assert!(path.starts_with(&RelPath::parse(b"a/bc").unwrap()));
        assert!(!path.starts_with(&RelPath::parse(b"a/b").unwrap()));
        assert!(RelPath::root().split().is_none());
        assert_eq!(path.names().count(), 3);
    }

    #[test]
    fn printed_names_carry_no_control_characters() {
        let text = escaped(b"a\n\r\x1b[31m\xff\x7f\\");
        // Where it separates names, a backslash is no escape.
        let backslash = if cfg!(windows) { "\\" } else { "\\\\" };
        assert_eq!(text, format!("a\\n\\r\\x1b[31m\\xff\\x7f{backslash}"));
        assert_eq!(escaped("abc\u{202e}txt.exe".as_bytes()), "abc\\u{202e}txt.exe");
        assert_eq!(escaped("Grüße 漢 😀".as_bytes()), "Grüße 漢 😀");
    }

    #[test]
    fn only_the_exact_forms_of_this_program_are_its_own() {
        let name = |text: &str| Name::new(text.as_bytes()).unwrap();
        for ours in [
            ".fcs-1-2.part",
            ".Fcs-64f0aB-17.ORIG",
            ".fcs-probe-1f",
            ".fcs-66188a8069e913a3e-7.new",
            &format!(".fcs-{}-0.orig", "a".repeat(32)),
        ] {
            assert!(name(ours).is_reserved(), "{ours}");
        }
        // Case L7.
        for theirs in [
            ".fcs",
            ".fcsrc",
            "fcs",
            ".fc",
            "a.fcs",
            ".fcs-notes",
            ".fcs-x",
            ".fcs-1-2.part.txt",
            ".fcs-1-2",
            ".fcs-1-x.part",
            ".fcs-1.part",
            ".fcs--1.part",
            ".fcs-a b-1.part",
            ".fcs-probe",
            ".fcs-probe-",
            ".fcs-probe-a-b",
            ".fcs-.part",
            ".fcs-",
            &format!(".fcs-{}-0.orig", "a".repeat(33)),
        ] {
            assert!(!name(theirs).is_reserved(), "{theirs}");
        }
        assert!(name(".fcs").is_home() && !name(".FCS").is_home() && !name(".fcs-").is_home());
    }

    #[test]
    fn wtf8_accepts_lone_surrogates_and_refuses_pairs() {
        assert!(is_wtf8(b"a\xED\xA0\x80b"));
        assert!(is_wtf8(b"\xED\xB0\x80\xED\xA0\x80"));
        assert!(!is_wtf8(b"\xED\xA0\x80\xED\xB0\x80"));
        assert!(is_wtf8(b"\xED\xA0\x80x\xED\xB0\x80"));
        assert!(!is_wtf8(b"\xFF"));
    }

    /// The bytes that an escaped name stands for.
    #[cfg(not(windows))]
    fn unescaped(text: &str) -> Option<Vec<u8>> {
        let (mut out, mut rest) = (Vec::new(), text);
        while let Some(c) = rest.chars().next() {
            rest = &rest[c.len_utf8()..];
            if c != '\\' {
                out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                continue;
            }
            let kind = rest.chars().next()?;
            rest = &rest[1..];
            match kind {
                'n' => out.push(b'\n'),
                'r' => out.push(b'\r'),
                't' => out.push(b'\t'),
                '\\' => out.push(b'\\'),
                'x' => {
                    out.push(u8::from_str_radix(rest.get(..2)?, 16).ok()?);
                    rest = &rest[2..];
                }
                'u' => {
                    let (code, behind) = rest.strip_prefix('{')?.split_once('}')?;
                    let c = char::from_u32(u32::from_str_radix(code, 16).ok()?)?;
                    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
                    rest = behind;
                }
                _ => return None,
            }
        }
        Some(out)
    }

    #[test]
    fn fuzz_names() {
        let words = ["\u{202e}", "\u{9b}", "\u{2028}", "\u{feff}", "\\x1b", "\\u{", "/", "..", "\u{1F600}"];
        fcs_testkit::fuzz::fuzz("names", &words.map(str::as_bytes), |input| {
            let text = escaped(input);
            // Its own list, and not the one that is judged.
            let acts = |c: char| {
                c.is_control()
                    || "\u{ad}\u{61c}\u{200e}\u{200f}\u{2028}\u{2029}\u{feff}".contains(c)
                    || ('\u{202a}'..='\u{202e}').contains(&c)
                    || ('\u{2066}'..='\u{2069}').contains(&c)
            };
            assert!(!text.chars().any(acts), "{text:?} acts on a terminal");
            #[cfg(not(windows))]
            assert_eq!(unescaped(&text).as_deref(), Some(input), "{text:?} stands for other bytes too");
            if let Ok(path) = RelPath::parse(input) {
                let mut again = RelPath::root();
                path.names().for_each(|name| again.push(&name));
                assert_eq!(again, path);
                let steps = path.to_path();
                let is_name =
                    |part: std::path::Component<'_>| matches!(part, std::path::Component::Normal(_));
                assert!(steps.components().all(is_name), "{steps:?} leaves the root");
                assert_eq!(steps.components().count(), path.names().count());
            }
        });
    }
}
