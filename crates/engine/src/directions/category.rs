//! What a row is, for those who choose by it and for those who show it.

use super::since::{Change, Since};
use super::table::{Memory, Seen, Stake};
use crate::compare::{RowId, Side, Verdict};

/// What a row is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Category {
    /// Equal by every criterion in force.
    Same,
    /// Only the left side has it.
    LeftOnly,
    /// Only the right side has it.
    RightOnly,
    /// They differ, and the left one has the later modified time.
    LeftNewer,
    /// They differ, and the right one has the later modified time.
    RightNewer,
    /// They differ, and the volumes cannot tell which one is later.
    SameTimeDifferent,
    /// Both were changed since they were last equal.
    Conflict,
    /// One item that has another path on each side.
    Moved,
    /// They are of different kinds, or are below such.
    KindChange,
    /// Names that clash, and what could not be read or compared.
    Problem,
}

impl Category {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Same => "same",
            Self::LeftOnly => "left-only",
            Self::RightOnly => "right-only",
            Self::LeftNewer => "left-newer",
            Self::RightNewer => "right-newer",
            Self::SameTimeDifferent => "same-time-different",
            Self::Conflict => "conflict",
            Self::Moved => "moved",
            Self::KindChange => "kind-change",
            Self::Problem => "problem",
        }
    }
}

/// The category of one row that is not a moved one.
pub(super) fn category(verdict: Verdict, seen: Option<Seen>, memory: Option<Memory>) -> Category {
    match (verdict, seen) {
        (Verdict::Same, _) => Category::Same,
        (Verdict::KindClash, _) => Category::KindChange,
        (_, Some(Seen::Only(Side::Left))) => Category::LeftOnly,
        (_, Some(Seen::Only(Side::Right))) => Category::RightOnly,
        (_, Some(Seen::Both { stake: Stake::Content | Stake::MayDiffer, .. }))
            if memory.is_some_and(|memory| memory.change == [Change::Changed; 2]) =>
        {
            Category::Conflict
        }
        (_, Some(Seen::Both { newer: Some(Side::Left), .. })) => Category::LeftNewer,
        (_, Some(Seen::Both { newer: Some(Side::Right), .. })) => Category::RightNewer,
        (_, Some(Seen::Both { newer: None, .. })) => Category::SameTimeDifferent,
        (_, None) => Category::Problem,
    }
}

/// The categories of all rows.
pub(super) fn all(since: &Since<'_>, moved: &[(RowId, RowId)]) -> Vec<Category> {
    let rows = 0..since.comparison.rows.len() as RowId;
    let of = |row| category(since.comparison.row(row).verdict, since.seen(row), since.memory(row, false));
    let mut all: Vec<Category> = rows.map(of).collect();
    for row in moved.iter().flat_map(|&(left, right)| [left, right]) {
        if let Some(category @ (Category::LeftOnly | Category::RightOnly)) = all.get_mut(row as usize) {
            *category = Category::Moved;
        }
    }
    all
}
