//! Dates, as text and as JSON.
//!
//! Invariant: no digit of a date is left out that the volume stores.

use fcs_app::times::exact;
use fcs_engine::times::ItemTimes;
use fcs_sys::{Kind, Time};
use jiff::tz::TimeZone;
use serde::Serialize;

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
        exact(time, step, &self.zone)
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
