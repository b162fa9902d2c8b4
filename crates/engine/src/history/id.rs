//! The name of a run.
//!
//! Invariant: what is a [`RunId`] is found again on the disk: the journals, undo stores and staged names that carry it
//! are recognised by the same rule by which it is made.

use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, de};

/// Most letters and digits. Staged names carry it, and must fit into 255 bytes with everything else.
const LONGEST: usize = 32;

/// The name of a run: 1 to 32 ASCII letters and digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct RunId(String);

/// Text that cannot be the name of a run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name of a run has 1 to 32 letters and digits, without accents")]
pub struct BadRunId;

impl RunId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// A new one: the time in microseconds, so that ids sort by age also where runs follow each other at once (the
    /// latest is what undo begins with), and enough chance that two runs never share one.
    pub(crate) fn make() -> Self {
        use std::hash::{BuildHasher, Hasher};
        let now = fcs_sys::Time::now().as_nanos();
        let mut hasher = std::hash::RandomState::new().build_hasher();
        hasher.write_u32(std::process::id());
        hasher.write_i128(now);
        Self(format!("{:x}{:04x}", now / 1000, hasher.finish() as u16))
    }

    /// This id, or one that sorts behind all others if it does not: ids begin with the time, and a clock may be set
    /// back. `None` if no id of this length comes behind them.
    pub(crate) fn later_than(self, others: &[Self]) -> Option<Self> {
        match others.iter().max().filter(|newest| **newest >= self) {
            Some(newest) => next(newest).map(Self),
            None => Some(self),
        }
    }
}

/// The id behind `id` in the order of text.
fn next(id: &str) -> Option<String> {
    let mut bytes = id.as_bytes().to_vec();
    for byte in bytes.iter_mut().rev() {
        let (above, carries) = match *byte {
            b'9' => (b'A', false),
            b'Z' => (b'a', false),
            // Most ids are hexadecimal and stay so.
            b'f' if id.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) => (b'0', true),
            b'z' => (b'0', true),
            other => (other + 1, false),
        };
        let above = if above == b'A' && !id.bytes().any(|b| b.is_ascii_uppercase()) { b'a' } else { above };
        *byte = above;
        if !carries {
            return String::from_utf8(bytes).ok();
        }
    }
    // Nothing but the last digit: a longer one that begins with the same comes behind it.
    (id.len() < LONGEST).then(|| format!("{id}0"))
}

impl FromStr for RunId {
    type Err = BadRunId;

    fn from_str(text: &str) -> Result<Self, BadRunId> {
        let is_id = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric());
        if is_id { Ok(Self(text.to_owned())) } else { Err(BadRunId) }
    }
}

/// What names it as text: parts of file names, arguments.
impl Deref for RunId {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for RunId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl PartialEq<str> for RunId {
    fn eq(&self, text: &str) -> bool {
        self.0 == text
    }
}

impl PartialEq<&str> for RunId {
    fn eq(&self, text: &&str) -> bool {
        self.0 == *text
    }
}

/// What a journal says is checked like any other text: a name that leads elsewhere is no id.
impl<'de> Deserialize<'de> for RunId {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E6: an id that recovery would not see is none.
    #[test]
    fn only_what_is_found_again_is_an_id() {
        for good in ["a", "r1", "660e5e38c4b457961", "0123456789abcdefghijklmnopqrstuv"] {
            assert_eq!(good.parse::<RunId>().unwrap().as_str(), good);
        }
        for bad in ["", "a b", "a-1", "../x", "ä", "0123456789abcdefghijklmnopqrstuvw", "a\0", "a.journal"] {
            assert!(bad.parse::<RunId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_id_sorts_behind_all_others_whatever_they_are() {
        let others = ["9", "fff", "ff", "zz", "Z", "af9", "ffffffffffffffffffffffffffffffff"];
        for (i, other) in others.iter().enumerate() {
            let own = if i % 2 == 0 { "0".parse::<RunId>() } else { other.parse() }.unwrap();
            let Some(later) = own.later_than(&[other.parse().unwrap()]) else {
                assert_eq!(*other, others[6], "only the last of all has no later one");
                continue;
            };
            assert!(
                later.as_str() > *other && later.as_str().parse::<RunId>().is_ok(),
                "{later} after {other}"
            );
        }
    }
}
