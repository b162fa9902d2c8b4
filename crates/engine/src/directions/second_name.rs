//! The name under which the version that loses its name is kept beside the other one: a pattern that the user chooses.
//!
//! Invariant: a pattern that was accepted makes names that every volume can hold, as far as the file's own name is one, none of
//! which this program keeps for itself. That a name is free is for the caller to see.

use std::fmt;
use std::str::FromStr;

use fcs_sys::{Name, Time};
use serde::{Deserialize, Serialize};

use crate::compare::Side;

/// The most bytes of a name that every volume can hold.
const MAX_NAME: usize = 255;
/// The most bytes of a pattern: the rest is for the file's own name.
const MAX_PATTERN: usize = 100;
/// A longer one is no extension, but the end of a name with a dot in it.
const MAX_EXTENSION: usize = 32;

/// What is put in for a part of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Stem,
    Ext,
    Side,
    Date,
    Time,
}

const WORDS: [(&str, Part); 5] = [
    ("stem", Part::Stem),
    ("ext", Part::Ext),
    ("side", Part::Side),
    ("date", Part::Date),
    ("time", Part::Time),
];

/// A pattern of names, such as `{stem}.conflict-{side}{ext}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConflictName {
    text: String,
    parts: Vec<Part>,
}

impl Default for ConflictName {
    fn default() -> Self {
        use Part::{Ext, Side, Stem};
        Self {
            text: "{stem}.conflict-{side}{ext}".to_owned(),
            parts: vec![Stem, Part::Text(".conflict-".to_owned()), Side, Ext],
        }
    }
}

impl ConflictName {
    /// The `number`th name, from 1, for a version of `name` that was on this side and last modified then; the second one and
    /// those after it have a number before the extension. A name that would be too long has less of the file's own name.
    /// `None` where no name can be made.
    pub(crate) fn make(&self, name: &[u8], side: Side, modified: Time, number: u32) -> Option<Name> {
        let dot = name.iter().rposition(|&byte| byte == b'.').filter(|&at| at > 0).unwrap_or(name.len());
        let dot = if name.len() - dot > MAX_EXTENSION { name.len() } else { dot };
        let (stem, extension) = name.split_at(dot);
        let utc = fcs_text::utc_time(modified);
        let (date, time) = utc.split_once('T').unwrap_or((&utc, ""));
        let time = time.get(..8).unwrap_or(time).replace(':', "-");
        let number = if number < 2 { String::new() } else { format!("-{number}") };
        let put_in = |part: &Part| match part {
            Part::Text(text) => text.as_bytes().to_vec(),
            Part::Stem => Vec::new(),
            Part::Ext => extension.to_vec(),
            Part::Side if side == Side::Left => b"left".to_vec(),
            Part::Side => b"right".to_vec(),
            Part::Date => date.as_bytes().to_vec(),
            Part::Time => time.as_bytes().to_vec(),
        };
        let mut parts: Vec<(bool, Vec<u8>)> =
            self.parts.iter().map(|part| (*part == Part::Stem, put_in(part))).collect();
        let before_extension = parts.len() - usize::from(self.parts.last() == Some(&Part::Ext));
        parts.insert(before_extension, (false, number.into_bytes()));
        let rest: usize = parts.iter().map(|(_, bytes)| bytes.len()).sum();
        let stem = shortened(stem, MAX_NAME.checked_sub(rest)?);
        let whole: Vec<u8> =
            parts.iter().flat_map(|(is_stem, bytes)| if *is_stem { stem } else { bytes }).copied().collect();
        Name::new(whole).ok().filter(|name| !name.is_reserved() && !name.is_home())
    }
}

/// The beginning of a name, in at most so many bytes, cut between two characters and not behind what Windows drops at an end.
fn shortened(stem: &[u8], most: usize) -> &[u8] {
    let mut end = stem.len().min(most);
    if end == stem.len() {
        return stem;
    }
    while end > 0 && stem[end] & 0xc0 == 0x80 {
        end -= 1;
    }
    while end > 0 && matches!(stem[end - 1], b' ' | b'.') {
        end -= 1;
    }
    &stem[..end]
}

impl fmt::Display for ConflictName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl FromStr for ConflictName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = parts(text)?;
        let stems = parts.iter().filter(|part| **part == Part::Stem).count();
        if stems != 1 {
            return Err("a name with {stem} in it, once".to_owned());
        }
        if text.len() > MAX_PATTERN {
            return Err(format!("a name of at most {MAX_PATTERN} bytes"));
        }
        // None of these can be in a name on Windows; the last two would end the value in the settings file.
        if text.chars().any(|c| c.is_control() || "/<>:|?*\\\"".contains(c)) {
            return Err("a name without / \\ : * ? \" < > |".to_owned());
        }
        if text.to_ascii_lowercase().starts_with(".fcs") {
            return Err("a name that does not begin with .fcs, as this program's own do".to_owned());
        }
        let pattern = Self { text: text.to_owned(), parts };
        let sample = pattern.make(b"a.b", Side::Left, Time::EPOCH, 1);
        let without_ext = pattern.make(b"a", Side::Left, Time::EPOCH, 1);
        match [sample, without_ext] {
            [Some(sample), Some(other)] if sample.as_bytes() != b"a.b" && other.as_bytes() != b"a" => {
                let ends_badly =
                    |name: &Name| name.as_bytes().ends_with(b" ") || name.as_bytes().ends_with(b".");
                if ends_badly(&sample) || ends_badly(&other) {
                    return Err("a name that does not end with a space or a dot".to_owned());
                }
                Ok(pattern)
            }
            [Some(_), Some(_)] => {
                Err("a name that is not the file's own, such as one with {side}".to_owned())
            }
            _ => Err("a name that a volume can hold".to_owned()),
        }
    }
}

fn parts(text: &str) -> Result<Vec<Part>, String> {
    let words = || WORDS.map(|(word, _)| format!("{{{word}}}")).join(", ");
    let mut parts = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (plain, more) = rest.split_at(rest.find(['{', '}']).unwrap_or(rest.len()));
        if !plain.is_empty() {
            parts.push(Part::Text(plain.to_owned()));
        }
        if more.is_empty() {
            break;
        }
        let word = more.strip_prefix('{').and_then(|more| more.split_once('}'));
        let known = word.and_then(|(word, behind)| {
            let found = WORDS.into_iter().find(|(known, _)| *known == word);
            found.map(|(_, part)| (part, behind))
        });
        let Some((part, behind)) = known else { return Err(format!("braces only around {}", words())) };
        parts.push(part);
        rest = behind;
    }
    Ok(parts)
}

impl Serialize for ConflictName {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for ConflictName {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(pattern: &str, name: &[u8], number: u32) -> String {
        let pattern: ConflictName = pattern.parse().unwrap();
        let name = pattern.make(name, Side::Right, Time::new(1_700_000_000, 5), number).unwrap();
        String::from_utf8(name.as_bytes().to_vec()).unwrap()
    }

    #[test]
    fn the_default_is_what_its_text_says() {
        let default = ConflictName::default();
        assert_eq!(default.to_string().parse(), Ok(default));
    }

    #[test]
    fn each_part_is_put_in_and_the_number_is_before_the_extension() {
        let usual = "{stem}.conflict-{side}{ext}";
        assert_eq!(made(usual, b"a.tar.gz", 1), "a.tar.conflict-right.gz");
        assert_eq!(made(usual, b"a.tar.gz", 2), "a.tar.conflict-right-2.gz");
        assert_eq!(made(usual, b".profile", 1), ".profile.conflict-right");
        assert_eq!(
            made("{stem} ({side} of {date} {time}){ext}", b"a.txt", 1),
            "a (right of 2023-11-14 22-13-20).txt"
        );
        assert_eq!(made("{side} {stem}", b"a.txt", 3), "right a-3");
        let sentence = format!("Dr. {}", "x".repeat(60));
        assert_eq!(made(usual, sentence.as_bytes(), 1), format!("{sentence}.conflict-right"));
    }

    #[test]
    fn a_long_name_is_cut_between_characters_and_fits() {
        let usual = "{stem}.conflict-{side}{ext}";
        for length in 100..=120 {
            let name = format!("{}x{}.txt", "é".repeat(length), "é".repeat(5));
            let made = made(usual, name.as_bytes(), 12);
            assert!(made.len() <= MAX_NAME && made.ends_with(".conflict-right-12.txt"), "{made}");
        }
        let dots = format!("{}{}", "x".repeat(200), ". ".repeat(27));
        assert_eq!(made("{side} {stem}", dots.as_bytes(), 1), format!("right {}", "x".repeat(200)));
    }

    #[test]
    fn a_pattern_that_makes_no_good_names_is_refused_in_words() {
        for (pattern, why) in [
            ("", "{stem}"),
            ("conflict{ext}", "{stem}"),
            ("{stem}{stem}", "once"),
            ("{stem}{ext}", "not the file's own"),
            ("{stem}", "not the file's own"),
            ("{stem}{ext}.", "a space or a dot"),
            (".fcs-{stem}", ".fcs"),
            ("{stem}/{side}{ext}", "without /"),
            ("{stem}:{side}", "without /"),
            ("{stem}\"{side}", "without /"),
            ("{stem}{host}", "braces only around {stem}, {ext}, {side}, {date}, {time}"),
            ("{stem}{side", "braces only"),
            ("}{stem}", "braces only"),
            (&format!("{{stem}}{}", "x".repeat(100)), "100 bytes"),
        ] {
            let refused = pattern.parse::<ConflictName>().unwrap_err();
            assert!(refused.contains(why), "{pattern}: {refused}");
        }
    }
}
