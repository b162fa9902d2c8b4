//! Choices that are a word or a number of days.
//!
//! Invariant: what is shown reads back as the same choice. This module must not know what becomes of anything when its
//! days are over.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Unit, Value};

/// Days that can be written: at least one, at most a hundred years.
const DAYS: std::ops::RangeInclusive<u64> = 1..=36_500;

/// A choice of words, the last of which is a number of days.
macro_rules! term {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal $(| $other:literal)?),+; $(#[$dmeta:meta])* Days }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum $name {
            $($(#[$vmeta])* $variant,)+
            $(#[$dmeta])*
            Days(u64),
        }

        impl $name {
            /// The forms that a user may write.
            pub const FORMS: &'static [&'static str] = &[$($word,)+ "days:N"];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($word),)+
                    Self::Days(days) => write!(f, "days:{days}"),
                }
            }
        }

        impl FromStr for $name {
            type Err = String;

            fn from_str(text: &str) -> Result<Self, String> {
                match text {
                    $($word $(| $other)? => return Ok(Self::$variant),)+
                    _ => {}
                }
                let days = text.strip_prefix("days:").and_then(|days| days.parse().ok());
                days.filter(|days| DAYS.contains(days)).map(Self::Days).ok_or_else(|| {
                    let words = [$($word),+].join(", ");
                    format!("{words}, or days:N with N from {} to {}", DAYS.start(), DAYS.end())
                })
            }
        }

        impl Value for $name {
            fn parse(text: &str, _unit: Unit) -> Result<Self, String> {
                text.parse()
            }
            fn number(&self) -> Option<u64> {
                None
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    };
}

term! {
    /// How long the originals that runs replaced or removed are kept.
    Undo {
        /// Not beyond the end of the run.
        Off = "off" | "none",
        /// Until the next run on the same target.
        Last = "last";
        /// For this many days.
        Days
    }
}

term! {
    /// How long content that was read and found equal need not be read again.
    TrustKnown {
        /// It is read each time.
        Never = "never",
        /// While this process runs.
        Session = "session";
        /// For this many days.
        Days
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_or_a_number_of_days_and_nothing_else_is_read() {
        for (text, term) in [
            ("never", TrustKnown::Never),
            ("session", TrustKnown::Session),
            ("days:1", TrustKnown::Days(1)),
            ("days:36500", TrustKnown::Days(36_500)),
        ] {
            assert_eq!(text.parse(), Ok(term));
            assert_eq!(term.to_string(), text);
        }
        for no_term in ["", "days:", "days:0", "days:36501", "days:-1", "days:1.5", "always", "Never", "off"]
        {
            let refused = no_term.parse::<TrustKnown>().unwrap_err();
            assert_eq!(refused, "never, session, or days:N with N from 1 to 36500", "{no_term}");
        }
        assert_eq!("none".parse(), Ok(Undo::Off));
        assert_eq!("x".parse::<Undo>(), Err("off, last, or days:N with N from 1 to 36500".to_owned()));
    }
}
