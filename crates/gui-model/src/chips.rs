//! What rows are filtered and counted by: each is under one chip.
//!
//! Invariant: the chips split the rows; switching one off hides what it names and nothing else. A file differs in times
//! only where its content is known to be equal. This module must not know how a chip is drawn.

use fcs_engine::compare::{Differences, Group, RowId, Side, Verdict};
use fcs_sys::Kind;

use crate::index::Index;

/// What a row is under.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Chip {
    /// On both sides, different, and of neither it is known that it is the newer one.
    Different,
    /// Different, and the left one has the later modified time.
    LeftNewer,
    /// Different, and the right one has the later modified time.
    RightNewer,
    /// Different in dates alone.
    TimesOnly,
    /// On the left side only.
    LeftOnly,
    /// On the right side only.
    RightOnly,
    /// One item with another path on each side, where a mode moves it or leaves it as one; see [`crate::Directed`].
    Moved,
    /// The same.
    Same,
    /// Clashes, and what could not be read or compared.
    Problem,
}

impl Chip {
    /// All of them, in the order in which they are shown.
    pub const ALL: [Self; 9] = [
        Self::Different,
        Self::LeftNewer,
        Self::RightNewer,
        Self::TimesOnly,
        Self::LeftOnly,
        Self::RightOnly,
        Self::Moved,
        Self::Same,
        Self::Problem,
    ];

    /// The chip that a row is under by itself.
    pub(crate) fn of(index: &Index, row: RowId) -> Self {
        let verdict = index.comparison().row(row).verdict;
        match (verdict.group(), verdict) {
            (_, Verdict::Different(found)) if is_times_only(index, row, found) => Self::TimesOnly,
            (Group::Different, _) => match newer_side(index, row) {
                Some(Side::Left) => Self::LeftNewer,
                Some(Side::Right) => Self::RightNewer,
                None => Self::Different,
            },
            (Group::LeftOnly, _) => Self::LeftOnly,
            (Group::RightOnly, _) => Self::RightOnly,
            (Group::Same, _) => Self::Same,
            (Group::Problem, _) => Self::Problem,
        }
    }

    /// The group of verdicts that its rows are in.
    pub fn group(self) -> Group {
        match self {
            Self::Different | Self::LeftNewer | Self::RightNewer | Self::TimesOnly | Self::Moved => {
                Group::Different
            }
            Self::LeftOnly => Group::LeftOnly,
            Self::RightOnly => Group::RightOnly,
            Self::Same => Group::Same,
            Self::Problem => Group::Problem,
        }
    }

    /// The chip of what one side alone has.
    pub fn only(side: Side) -> Self {
        match side {
            Side::Left => Self::LeftOnly,
            Side::Right => Self::RightOnly,
        }
    }

    /// Whether it divides a group further, so that it is of use only where there is something under it.
    pub fn is_part(self) -> bool {
        matches!(self, Self::LeftNewer | Self::RightNewer | Self::TimesOnly | Self::Moved)
    }

    /// What it is called.
    pub fn word(self) -> &'static str {
        match self {
            Self::Different => "Different",
            Self::LeftNewer => "Left newer",
            Self::RightNewer => "Right newer",
            Self::TimesOnly => "Times only",
            Self::LeftOnly => "Left only",
            Self::RightOnly => "Right only",
            Self::Moved => "Moved",
            Self::Same => "Same",
            Self::Problem => "Problems",
        }
    }

    /// What is under it, for whoever points at it.
    pub fn hint(self) -> &'static str {
        match self {
            Self::Different => "Different, and neither side has the later modified time",
            Self::LeftNewer => "Different, and the left one has the later modified time",
            Self::RightNewer => "Different, and the right one has the later modified time",
            Self::TimesOnly => {
                "Different in times alone: folders, and files whose content was read and is equal"
            }
            Self::LeftOnly => "Only the left side has it",
            Self::RightOnly => "Only the right side has it",
            Self::Moved => "One item that has another path on each side",
            Self::Same => "The same on both sides",
            Self::Problem => "Clashes, and what could not be read or compared",
        }
    }
}

/// The side with the later modified time, of files and links that differ in it by more than dates are compared with. A
/// folder's date tells when a name in it changed, and nothing about which side is right.
pub(crate) fn newer_side(index: &Index, row: RowId) -> Option<Side> {
    let Verdict::Different(Differences { modified: true, .. }) = index.comparison().row(row).verdict else {
        return None;
    };
    let [left, right] = [index.entry(row, Side::Left)?, index.entry(row, Side::Right)?];
    let is_folder = [left.kind, right.kind].contains(&Kind::Folder);
    let later = if left.modified > right.modified { Side::Left } else { Side::Right };
    (!is_folder).then_some(later)
}

fn is_times_only(index: &Index, row: RowId, found: Differences) -> bool {
    if found.size || found.content || found.spelling || !(found.modified || found.created) {
        return false;
    }
    let [Some(left), Some(right)] = [Side::Left, Side::Right].map(|side| index.entry(row, side)) else {
        return false;
    };
    match (left.kind, right.kind) {
        (Kind::File, Kind::File) => left.size == 0 || index.has_equal_content(row),
        // Of folders nothing else is compared, and the text of links always is.
        (Kind::Folder, Kind::Folder) | (Kind::Symlink, Kind::Symlink) => true,
        _ => false,
    }
}

/// Which chips are on. With none on, no row matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chips(u16);

impl Chips {
    /// All are on.
    pub const ALL: Self = Self((1 << Chip::ALL.len()) - 1);
    /// None is on.
    pub const NONE: Self = Self(0);

    /// Whether one is on.
    pub fn has(self, chip: Chip) -> bool {
        self.0 >> chip as u16 & 1 != 0
    }

    /// These, with one switched over.
    #[must_use]
    pub fn toggled(self, chip: Chip) -> Self {
        Self(self.0 ^ 1 << chip as u16)
    }
}

#[cfg(test)]
mod tests {
    use fcs_engine::Settings;
    use fcs_engine::settings::ContentCheck;

    use super::*;
    use crate::testing::{Pair, row};

    const SECOND: u64 = 1_000_000_000;
    const BEGIN: u64 = 1_700_000_000 * SECOND;

    fn index(content: ContentCheck) -> Index {
        let mut pair = Pair::of(&[
            "f / /",
            "f/left.txt 5 7",
            "f/right.txt 5 7",
            "f/tie.txt 5 7",
            "f/dates.txt 9 9",
            "f/empty.txt 0 0",
            "f/close.txt 5 7",
        ]);
        pair.modified("f/left.txt", [BEGIN + 9 * SECOND, BEGIN]);
        pair.modified("f/right.txt", [BEGIN, BEGIN + 9 * SECOND]);
        pair.modified("f/dates.txt", [BEGIN + 9 * SECOND, BEGIN]);
        pair.modified("f/empty.txt", [BEGIN, BEGIN + 9 * SECOND]);
        // Closer than the tolerance.
        pair.modified("f/close.txt", [BEGIN + 9_000_000, BEGIN]);
        let settings = Settings { compare_created: false, compare_content: content, ..Settings::default() };
        Index::new(pair.compare_with(&settings))
    }

    #[test]
    fn a_row_is_under_the_chip_that_says_which_side_is_newer() {
        let index = index(ContentCheck::Off);
        let at = |path: &str| {
            let row = row(index.comparison(), path);
            (Chip::of(&index, row), newer_side(&index, row))
        };
        assert_eq!(at("f/left.txt"), (Chip::LeftNewer, Some(Side::Left)));
        assert_eq!(at("f/right.txt"), (Chip::RightNewer, Some(Side::Right)));
        assert_eq!(at("f/tie.txt"), (Chip::Different, None));
        assert_eq!(at("f/close.txt"), (Chip::Different, None), "within the tolerance");
        assert_eq!(at("f/dates.txt"), (Chip::LeftNewer, Some(Side::Left)), "its content was not read");
        assert_eq!(at("f/empty.txt"), (Chip::TimesOnly, Some(Side::Right)), "nothing is equal to nothing");
    }

    #[test]
    fn times_only_is_said_where_the_content_was_read_and_is_equal() {
        let index = index(ContentCheck::Blake3);
        let at = |path: &str| {
            let row = row(index.comparison(), path);
            (Chip::of(&index, row), newer_side(&index, row))
        };
        assert_eq!(at("f/dates.txt"), (Chip::TimesOnly, Some(Side::Left)));
        assert_eq!(at("f/left.txt"), (Chip::LeftNewer, Some(Side::Left)));
    }

    #[test]
    fn each_row_is_under_one_chip() {
        let index = index(ContentCheck::Off);
        let counts = Chip::ALL.map(|chip| index.under(chip).count());
        assert_eq!(counts.iter().sum::<u32>() as usize, index.rows(), "{counts:?}");
        for chip in Chip::ALL {
            assert!(index.under(chip).iter().all(|row| Chip::of(&index, row) == chip));
            assert!(!Chips::ALL.toggled(chip).has(chip) && Chips::NONE.toggled(chip).has(chip));
        }
    }
}
