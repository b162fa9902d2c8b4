//! The text of each cell of a row, short and exact.
//!
//! Invariant: names come out escaped, so that no control or bidirectional character of a file system reaches a screen.
//! A side without an item has no text in any cell, and what could not be asked none but its name and status. This
//! module must not know widths, fonts or colours.

use std::borrow::Cow;

use fcs_app::hints::{FrontEnd, with_hint};
use fcs_engine::compare::{Comparison, RowId, Side, Verdict};
use fcs_engine::tree::Entry;
use fcs_sys::{Kind, escaped};
use jiff::tz::TimeZone;

use crate::directed::{Directed, Moved};
use crate::index::Index;
use crate::sort::Column;
use crate::text;

/// What a cell shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Field {
    /// The name, for the root the chosen path.
    Name,
    /// The size.
    Size,
    /// The created time.
    Created,
    /// The modified time.
    Modified,
    /// The beginning of the digest.
    Digest,
    /// The verdict.
    Status,
}

impl Field {
    /// All of them, in the order in which they stand.
    pub const ALL: [Self; 6] =
        [Self::Name, Self::Size, Self::Created, Self::Modified, Self::Digest, Self::Status];

    /// What its head says.
    pub fn title(self) -> &'static str {
        match self {
            Self::Name => "Name",
            Self::Size => "Size",
            Self::Created => "Created",
            Self::Modified => "Modified",
            Self::Digest => "Digest",
            Self::Status => "Status",
        }
    }

    /// What a click on its head on a side sorts by.
    pub fn column(self, side: Side) -> Column {
        match self {
            Self::Name => Column::Name,
            Self::Size => Column::Size(side),
            Self::Created => Column::Created(side),
            Self::Modified => Column::Modified(side),
            Self::Digest => Column::Digest(side),
            Self::Status => Column::Status,
        }
    }
}

/// Writes cells.
#[derive(Debug, Clone, Copy)]
pub struct Cells<'a> {
    /// The rows.
    pub index: &'a Index,
    /// The zone of times.
    pub zone: &'a TimeZone,
    /// Decimals of seconds of dates that only these tell apart, see [`text::decimals`]; others have none.
    pub decimals: usize,
    /// What is to be done with each row, where a mode says so.
    pub directed: Option<&'a Directed>,
}

impl<'a> Cells<'a> {
    /// A row's name as a side spells it, or if it has none the other side; the root's is the path that was chosen.
    pub fn name(&self, row: RowId, side: Side) -> Cow<'a, str> {
        let comparison = self.index.comparison();
        if row == Comparison::ROOT {
            return escaped(comparison.tree(side).root_path.as_os_str().as_encoded_bytes());
        }
        if let Some(there) = self.moved_to(row, side) {
            // In another folder or under another name: only all of it says where.
            return Cow::Owned(format!("from {}", self.moved_path(there, side)));
        }
        escaped(comparison.name_on(row, side))
    }

    /// What a side has in a row. Of an item that has another path on each side that is what it has at its own path.
    pub fn entry(&self, row: RowId, side: Side) -> Option<Entry> {
        let comparison = self.index.comparison();
        let at = self.moved_to(row, side).unwrap_or(row);
        comparison.entry(at, side)
    }

    /// The row at which a side has the item that this one stands for; `None` where it is this one.
    fn moved_to(&self, row: RowId, side: Side) -> Option<RowId> {
        let moved = self.moved(row)?;
        Some(moved.on(side)).filter(|at| *at != row)
    }

    /// Whether a row stands for an item that has another path on each side.
    pub fn is_moved(&self, row: RowId) -> bool {
        self.moved(row).is_some()
    }

    fn moved(&self, row: RowId) -> Option<Moved> {
        self.directed.and_then(|directed| directed.moved(row))
    }

    fn moved_path(&self, row: RowId, side: Side) -> String {
        self.index.comparison().path_on(row, side).to_string()
    }

    /// `old → new`, of an item that has two paths.
    pub fn moved_words(&self, row: RowId) -> Option<String> {
        let moved = self.moved(row)?;
        let path = |side| self.moved_path(moved.on(side), side);
        Some(format!("{} → {}", path(moved.new_on.other()), path(moved.new_on)))
    }

    /// What stands in a cell.
    pub fn short(&self, row: RowId, side: Side, field: Field) -> Cow<'a, str> {
        let (index, comparison) = (self.index, self.index.comparison());
        if field == Field::Status && self.moved(row).is_some() {
            return Cow::Borrowed("Moved");
        }
        if field == Field::Name && self.moved_to(row, side).is_some() {
            return self.name(row, side);
        }
        let row = self.moved_to(row, side).unwrap_or(row);
        if comparison.node(row, side).is_none() {
            return Cow::Borrowed("");
        }
        let decimals = if index.close_dates().has(row) { self.decimals } else { 0 };
        let time = |time| text::time(time, self.zone, decimals);
        let entry = index.entry(row, side);
        let found = match field {
            Field::Name => return self.name(row, side),
            Field::Size => file(entry).map(|entry| text::size(entry.size)),
            Field::Created => entry.and_then(|entry| entry.created()).map(time),
            Field::Modified => entry.map(|entry| time(entry.modified)),
            Field::Digest => comparison
                .digests(row)
                .map(|digests| text::digest(if side == Side::Left { digests.left } else { digests.right })),
            Field::Status if self.differs_inside(row) => Some("Differs inside".to_owned()),
            Field::Status if index.has_equal_content(row) => Some("Times only".to_owned()),
            Field::Status => Some(text::short_status(comparison.row(row).verdict)),
        };
        Cow::Owned(found.unwrap_or_default())
    }

    /// What whoever points at a cell is told; `None` if the cell says it all.
    pub fn exact(&self, row: RowId, side: Side, field: Field) -> Option<String> {
        let comparison = self.index.comparison();
        match field {
            Field::Name if self.moved(row).is_some() => return self.moved_words(row),
            Field::Status => return comparison.node(row, side).map(|_| self.status(row)),
            _ => {}
        }
        let row = self.moved_to(row, side).unwrap_or(row);
        let node = comparison.node(row, side)?;
        let entry = self.index.entry(row, side);
        match field {
            Field::Name => {
                let name = self.name(row, side);
                let target = comparison.tree(side).link(node);
                Some(
                    target.map_or_else(
                        || name.to_string(),
                        |target| format!("{name} → {}", escaped(&target.text)),
                    ),
                )
            }
            Field::Size => file(entry).map(|entry| text::exact_size(entry.size)),
            Field::Created => {
                entry.and_then(|entry| entry.created()).map(|time| text::exact_time(time, self.zone))
            }
            Field::Modified => entry.map(|entry| text::exact_time(entry.modified, self.zone)),
            Field::Digest | Field::Status => None,
        }
    }

    /// Whether a row is the same on both sides by itself, and something in it is not.
    pub fn differs_inside(&self, row: RowId) -> bool {
        self.index.inside().has(row) && self.index.comparison().row(row).verdict == Verdict::Same
    }

    /// Which side is newer, where one is.
    pub fn newer_words(&self, row: RowId) -> Option<&'static str> {
        self.index.newer(row).map(|side| match side {
            Side::Left => "the left one is newer",
            Side::Right => "the right one is newer",
        })
    }

    /// What is to be done with a row, and whether that was decided by hand; `None` where nothing is, or no mode is in force.
    pub fn act_words(&self, row: RowId) -> Option<String> {
        let directed = self.directed?;
        let words = text::act(directed.act(row), self.moved(row).is_some())?;
        let by_hand = if directed.is_chosen(row) { ", as you decided" } else { "" };
        Some(format!("{words}{by_hand}"))
    }

    /// The verdict in full, and why something could not be read.
    pub fn status(&self, row: RowId) -> String {
        let comparison = self.index.comparison();
        let mut text = match self.moved_words(row) {
            Some(words) => format!("Moved: {words}"),
            None => text::status(comparison.row(row).verdict),
        };
        if self.differs_inside(row) {
            text.push_str(" by itself; something in it differs");
        } else if self.index.has_equal_content(row) {
            text.push_str("; the content was read on both sides and is equal");
        }
        if let Some(words) = self.newer_words(row) {
            text.push_str("; ");
            text.push_str(words);
        }
        for side in [Side::Left, Side::Right] {
            let Some(node) = comparison.node(row, side) else { continue };
            let tree = comparison.tree(side);
            let listing = || tree.folder_of(node).and_then(|folder| tree.folder_error(folder));
            if let Some(error) = tree.node_error(node).or_else(listing) {
                text.push('\n');
                text.push_str(&with_hint(error, FrontEnd::Window));
            }
        }
        text
    }
}

/// Only files have a size that means something.
fn file(entry: Option<Entry>) -> Option<Entry> {
    entry.filter(|entry| entry.kind == Kind::File)
}

#[cfg(test)]
mod tests {
    use fcs_engine::settings::ContentCheck;

    use super::*;
    use crate::testing::{Pair, row};

    #[test]
    fn a_cell_is_short_and_what_it_leaves_out_can_be_had() {
        let pair = Pair::of(&["a / /", "a/big.txt 1234567 5", "a/only.txt 0 -"]);
        let index = pair.index();
        let cells = Cells { index: &index, zone: &TimeZone::UTC, decimals: 0, directed: None };
        let big = row(index.comparison(), "a/big.txt");
        assert_eq!(cells.short(big, Side::Left, Field::Size), "1.2 MiB");
        assert_eq!(cells.exact(big, Side::Left, Field::Size).unwrap(), "1,234,567 bytes");
        assert_eq!(cells.short(big, Side::Right, Field::Modified), "2023-11-14 22:13:20");
        assert_eq!(
            cells.exact(big, Side::Right, Field::Modified).unwrap(),
            "2023-11-14 22:13:20.000000000 +00:00"
        );
        assert_eq!(cells.short(big, Side::Right, Field::Status), "Size");
        assert_eq!(cells.status(big), "Different: size");
        let only = row(index.comparison(), "a/only.txt");
        assert_eq!(cells.short(only, Side::Left, Field::Size), "0 B");
        for field in Field::ALL {
            assert_eq!(cells.short(only, Side::Right, field), "", "{field:?}");
            assert_eq!(cells.exact(only, Side::Right, field), None, "{field:?}");
        }
        let folder = row(index.comparison(), "a");
        assert_eq!(cells.short(folder, Side::Left, Field::Status), "Differs inside");
        assert_eq!(cells.status(folder), "Same by itself; something in it differs");
        let quiet = Pair::of(&["a / /", "a/same.txt 5 5", "b - /"]).index();
        let quiet = Cells { index: &quiet, ..cells };
        assert_eq!(quiet.short(row(quiet.index.comparison(), "a"), Side::Left, Field::Status), "Same");
        assert!(quiet.differs_inside(Comparison::ROOT), "what one side alone has counts");
        assert_eq!(cells.short(folder, Side::Left, Field::Size), "", "a folder has no size");
        assert!(cells.name(Comparison::ROOT, Side::Right).ends_with("right"), "the root is the chosen path");
    }

    /// Case V6: two dates shown alike are alike, and others take no room for digits that say nothing.
    #[test]
    fn fractions_of_seconds_are_shown_only_where_nothing_else_tells_two_dates_apart() {
        let mut trees = Pair::of(&["close 1 1", "far 1 1", "same 1 1"]);
        trees.modified("close", [5_020_000_000, 5_770_000_000]);
        trees.modified("far", [5_020_000_000, 9_770_000_000]);
        trees.modified("same", [5_020_000_000, 5_021_000_000]);
        let index = Index::new(trees.compare_with(&fcs_engine::Settings::default()));
        let cells = Cells { index: &index, zone: &TimeZone::UTC, decimals: 2, directed: None };
        let shown = |name: &str| {
            let row = row(index.comparison(), name);
            [Side::Left, Side::Right].map(|side| cells.short(row, side, Field::Modified)[17..].to_owned())
        };
        assert_eq!(shown("close"), ["05.02", "05.77"]);
        assert_eq!(shown("far"), ["05", "09"]);
        assert_eq!(shown("same"), ["05", "05"], "within the tolerance");
    }

    /// Case V16.
    #[test]
    fn files_whose_content_was_read_and_is_equal_differ_in_times_only() {
        let mut trees = Pair::of(&["times 5 5", "size 5 6"]);
        trees.modified("times", [5_000_000_000, 90_000_000_000]);
        let shown = |content: ContentCheck| {
            let settings = fcs_engine::Settings { compare_content: content, ..Default::default() };
            let index = Index::new(trees.compare_with(&settings));
            let cells = Cells { index: &index, zone: &TimeZone::UTC, decimals: 0, directed: None };
            ["times", "size"].map(|name| {
                let row = row(index.comparison(), name);
                cells.short(row, Side::Left, Field::Status).into_owned()
            })
        };
        assert_eq!(shown(ContentCheck::Blake3), ["Times only", "Size"]);
        assert_eq!(shown(ContentCheck::Off), ["Modified", "Size"], "nobody knows about the content");
    }

    #[test]
    fn what_could_not_be_asked_says_why_and_has_no_size() {
        let index = Pair::of(&["unasked 5 5"]).index();
        let cells = Cells { index: &index, zone: &TimeZone::UTC, decimals: 0, directed: None };
        let row = row(index.comparison(), "unasked");
        assert_eq!(cells.short(row, Side::Left, Field::Size), "");
        assert_eq!(cells.short(row, Side::Right, Field::Size), "5 B");
        assert!(cells.status(row).starts_with("Unreadable\nCould not"), "{}", cells.status(row));
    }
}
