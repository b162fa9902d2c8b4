//! Dates and what is said about them, as text and as JSON.
//!
//! Invariant: no digit of a date is left out that the volume stores.

use std::collections::BTreeMap;

use fcs_engine::times::{ItemTimes, LeftAlone, LeftReason, NotSet, NotSetReason, created_unsettable, steps};
use fcs_sys::{Kind, Time, VolumeFacts};
use jiff::tz::TimeZone;
use serde::Serialize;

use crate::output::text::{count, decimals, step};

/// Writes dates in one zone.
pub(super) struct Clock {
    zone: TimeZone,
}

impl Clock {
    pub(super) fn new(utc: bool) -> Self {
        Self { zone: if utc { TimeZone::UTC } else { TimeZone::system() } }
    }

    /// With the decimals that a step needs, and more where the date has more.
    pub(super) fn text(&self, time: Time, step: u64) -> String {
        // A step of 1 ns needs them all.
        let decimals = if step <= 1 { 9 } else { decimals(step) };
        fcs_text::iso_time(time, &self.zone, decimals)
    }

    /// For programs: always with all decimals.
    pub(super) fn json(&self, times: &ItemTimes) -> JsonTimes {
        let text = |time| self.text(time, 1);
        JsonTimes {
            modified: text(times.modified),
            modified_ns: times.modified.as_nanos(),
            created: times.created.map(text),
            created_ns: times.created.map(Time::as_nanos),
        }
    }
}

/// The dates of an item: ISO 8601, and nanoseconds since 1970.
#[derive(Serialize)]
pub(super) struct JsonTimes {
    modified: String,
    modified_ns: i128,
    #[serde(skip_serializing_if = "Option::is_none")]
    created: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    created_ns: Option<i128>,
}

/// `/` after the names of folders.
pub(super) fn slash(kind: Kind) -> &'static str {
    if kind == Kind::Folder { "/" } else { "" }
}

/// How a volume stores dates: `ext4: modified in steps of 1 ns; created in steps of 1 ns, and cannot be set
/// here`.
pub(super) fn volume_words(volume: &VolumeFacts) -> String {
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
pub(super) fn left_alone(items: &[LeftAlone]) -> Vec<(LeftReason, String, Vec<String>)> {
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
pub(super) fn not_set_words(not_set: &NotSet) -> String {
    let date = not_set.date.words();
    match not_set.why {
        NotSetReason::NotStored => format!("the volume does not store the {date}"),
        NotSetReason::NotSettable => format!("no program can set the {date} on this system"),
        NotSetReason::Cut(nanos) => format!("the volume stores the {date} in steps of {}", step(nanos)),
        NotSetReason::OutOfRange => format!("the volume cannot store this {date}"),
        NotSetReason::Other => format!("the volume stores another {date}"),
    }
}
