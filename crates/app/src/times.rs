//! What is said about dates that are shown, set and compared by themselves.
//!
//! Invariant: no digit of a date is left out that the volume stores. This module must not know a zone by itself, nor how
//! the words are laid out.

use std::collections::BTreeMap;

use fcs_engine::times::{Change, LeftAlone, LeftReason, NotSet, NotSetReason, created_unsettable, steps};
use fcs_sys::{Kind, Time, VolumeFacts};
use fcs_text::{count, decimals, iso_time, number, step};
use jiff::tz::TimeZone;

/// A date in ISO 8601 with the decimals that the volume's step needs, and more where the date has more.
pub fn exact(time: Time, step: u64, zone: &TimeZone) -> String {
    // A step of 1 ns needs them all.
    let decimals = if step <= 1 { 9 } else { decimals(step) };
    iso_time(time, zone, decimals)
}

/// How far the second of two dates is from the first: `1.5 s later`.
pub fn apart_words(first: Time, second: Time) -> String {
    let nanos = first.distance_nanos(second);
    let (whole, below) = (nanos / 1_000_000_000, nanos % 1_000_000_000);
    let seconds = match format!("{below:09}").trim_end_matches('0') {
        "" => number(u64::try_from(whole).unwrap_or(u64::MAX)),
        fraction => format!("{}.{fraction}", number(u64::try_from(whole).unwrap_or(u64::MAX))),
    };
    format!("{seconds} s {}", if second > first { "later" } else { "earlier" })
}

/// `3 files, 1 folder`.
pub fn changed_words(changes: &[Change]) -> String {
    let of = |kind| changes.iter().filter(|change| change.kind == kind).count() as u64;
    let parts = [
        (of(Kind::File), "file", "files"),
        (of(Kind::Folder), "folder", "folders"),
        (of(Kind::Symlink), "link", "links"),
    ];
    let parts = parts.into_iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| count(n, one, many));
    parts.collect::<Vec<_>>().join(", ")
}

/// How a volume stores dates: `ext4: modified in steps of 1 ns; created in steps of 1 ns, and cannot be set
/// here`.
pub fn volume_words(volume: &VolumeFacts) -> String {
    let (modified, created) = steps(volume);
    let created = match (created, created_unsettable(volume)) {
        (None, _) => "created is not stored".to_owned(),
        (Some(nanos), None) => format!("created in steps of {}", step(nanos)),
        (Some(nanos), Some(_)) => {
            format!("created in steps of {}, which no program can set on this system", step(nanos))
        }
    };
    format!("{}: modified in steps of {}; {created}", volume.file_system, step(modified))
}

/// What is left alone, once for each reason: `the content differs: 2 items`, and which.
pub fn left_alone(items: &[LeftAlone]) -> Vec<(LeftReason, String, Vec<String>)> {
    let mut groups: BTreeMap<LeftReason, Vec<String>> = BTreeMap::new();
    for item in items {
        groups.entry(item.why).or_default().push(item.path.to_string());
    }
    let line = |(why, paths): (LeftReason, Vec<String>)| {
        let text = format!("{}: {}", why.words(), count(paths.len() as u64, "item", "items"));
        (why, text, paths)
    };
    groups.into_iter().map(line).collect()
}

/// Why a date is not set as it was asked for.
pub fn not_set_words(not_set: &NotSet) -> String {
    let date = not_set.date.words();
    match not_set.why {
        NotSetReason::NotStored => format!("the volume does not store the {date}"),
        NotSetReason::NotSettable => format!("no program can set the {date} on this system"),
        NotSetReason::Cut(nanos) => format!("the volume stores the {date} in steps of {}", step(nanos)),
        NotSetReason::OutOfRange => format!("the volume cannot store this {date}"),
        NotSetReason::Other => format!("the volume stores another {date}"),
    }
}
