//! Option values that are more than a word or a number, and how they are read.
//!
//! Invariant: a value that is accepted here is inside the range of the setting it stands for. This module knows no
//! option names; the messages say what would have been accepted.

use std::str::FromStr;

use fcs_engine::settings::{ContentCheck, Settings, parse_bytes, parse_nanos};
use fcs_sys::Time;
use jiff::tz::TimeZone;

/// Which properties count when two items are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Criteria {
    pub(crate) size: bool,
    pub(crate) created: bool,
    pub(crate) modified: bool,
    pub(crate) content: ContentCheck,
}

impl FromStr for Criteria {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let mut found = Self { size: false, created: false, modified: false, content: ContentCheck::Off };
        let mut read_content = |how| {
            if found.content != ContentCheck::Off && found.content != how {
                return Err("content can be compared in one way only: content, sha512 or bytes".to_owned());
            }
            found.content = how;
            Ok(())
        };
        for word in text.split(',').map(str::trim) {
            match word {
                // Accepted so that the list can name all that counts; a difference in existence always does.
                "existence" => {}
                "size" => found.size = true,
                "created" => found.created = true,
                "modified" => found.modified = true,
                "content" | "blake3" => read_content(ContentCheck::Blake3)?,
                "sha512" => read_content(ContentCheck::Sha512)?,
                "bytes" => read_content(ContentCheck::Bytes)?,
                _ => {
                    return Err(
                        "a list of existence, size, created, modified, and content, sha512 or bytes, \
                                separated by commas"
                            .to_owned(),
                    );
                }
            }
        }
        Ok(found)
    }
}

/// A number of items or hours, digits alone. The standard library's own words for what is none are not for people.
pub(crate) fn whole_number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| "a whole number such as 100".to_owned())
}

/// How far apart two times may be, in nanoseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Tolerance(pub(crate) u64);

impl FromStr for Tolerance {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "exact, or a time with its unit such as 10ms or 2s".to_owned();
        let text = text.trim();
        if matches!(text, "exact" | "0") {
            return Ok(Self(0));
        }
        // A bare number would be nanoseconds to the settings and seconds to most people; neither is guessed.
        if text.bytes().all(|b| b.is_ascii_digit() || b == b'.') {
            return Err(expected());
        }
        let nanos = parse_nanos(text).ok_or_else(expected)?;
        in_range("time_tolerance_nanos", nanos).map(Self).map_err(|()| "at most one hour".to_owned())
    }
}

/// A moment, to the nanosecond.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment(pub(crate) Time);

impl FromStr for Moment {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim() == "now" {
            return Ok(Self(Time::now()));
        }
        fcs_text::parse_iso_time(text, &TimeZone::system()).map(Self)
    }
}

/// Which copies are verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VerifyChoice {
    /// None.
    Nothing,
    /// All.
    All,
    /// Those below so many bytes.
    Below(u64),
    /// Those below the size in the settings.
    BelowSetting,
}

impl FromStr for VerifyChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected =
            || "none, all, or a size such as 1GiB (files of that size or larger are not verified)".to_owned();
        match text.trim() {
            "none" => Ok(Self::Nothing),
            "all" => Ok(Self::All),
            "below" => Ok(Self::BelowSetting),
            size => {
                let bytes = parse_bytes(size).ok_or_else(expected)?;
                in_range("verify_below_bytes", bytes).map(Self::Below).map_err(|()| expected())
            }
        }
    }
}

/// How many things are done at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Jobs(pub(crate) u64);

impl FromStr for Jobs {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let expected = || "a whole number from 1 to 64".to_owned();
        let number: u64 = text.trim().parse().map_err(|_| expected())?;
        // 0 means "choose by the number of processors" in the settings, but nobody who types 0 jobs means that.
        if number == 0 {
            return Err(expected());
        }
        in_range("copy_workers", number)
            .and_then(|n| in_range("scan_workers", n))
            .map(Self)
            .map_err(|()| expected())
    }
}

/// A setting and its value, as in `NAME=VALUE`. The pair is checked when it is applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Assignment {
    pub(crate) name: String,
    pub(crate) value: String,
}

impl FromStr for Assignment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once('=') {
            Some((name, value)) if !name.trim().is_empty() => {
                Ok(Self { name: name.trim().to_owned(), value: value.trim().to_owned() })
            }
            _ => Err("NAME=VALUE, such as batch_max_files=1000".to_owned()),
        }
    }
}

/// Asks the table of settings, so that a range is written down in one place only.
fn in_range(setting: &str, number: u64) -> Result<u64, ()> {
    Settings::default().set(setting, &number.to_string()).map(|()| number).map_err(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn criteria_are_read_and_contradictions_refused() {
        let c: Criteria = "size,modified,content".parse().unwrap();
        assert_eq!(c, Criteria { size: true, created: false, modified: true, content: ContentCheck::Blake3 });
        assert_eq!("existence".parse::<Criteria>().unwrap().content, ContentCheck::Off);
        assert_eq!("bytes".parse::<Criteria>().unwrap().content, ContentCheck::Bytes);
        assert!("content,sha512".parse::<Criteria>().is_err());
        assert!("size;modified".parse::<Criteria>().is_err());
        assert!("".parse::<Criteria>().is_err());
    }

    #[test]
    fn tolerances_need_a_unit() {
        assert_eq!("exact".parse(), Ok(Tolerance(0)));
        assert_eq!("2s".parse(), Ok(Tolerance(2_000_000_000)));
        assert_eq!("0.1ms".parse(), Ok(Tolerance(100_000)));
        for bad in ["2", "0.01", "", "soon", "2h"] {
            assert!(bad.parse::<Tolerance>().is_err(), "{bad}");
        }
    }

    #[test]
    fn verify_takes_words_and_sizes() {
        assert_eq!("none".parse(), Ok(VerifyChoice::Nothing));
        assert_eq!("all".parse(), Ok(VerifyChoice::All));
        assert_eq!("1GiB".parse(), Ok(VerifyChoice::Below(1 << 30)));
        for bad in ["0", "-1", "some", "1XB", ""] {
            assert!(bad.parse::<VerifyChoice>().is_err(), "{bad}");
        }
    }

    #[test]
    fn moments_are_iso_times_or_now() {
        assert_eq!("1970-01-01T00:00:01.5Z".parse(), Ok(Moment(Time::new(1, 500_000_000))));
        assert!("now".parse::<Moment>().is_ok_and(|now| now.0.distance_nanos(Time::now()) < 60_000_000_000));
        assert!("tomorrow".parse::<Moment>().is_err());
    }

    #[test]
    fn jobs_and_assignments() {
        assert_eq!("64".parse(), Ok(Jobs(64)));
        for bad in ["0", "65", "-1", "two"] {
            assert!(bad.parse::<Jobs>().is_err(), "{bad}");
        }
        let a: Assignment = "verify = none".parse().unwrap();
        assert_eq!((a.name.as_str(), a.value.as_str()), ("verify", "none"));
        assert!("verify".parse::<Assignment>().is_err());
        assert!("=x".parse::<Assignment>().is_err());
    }
}
