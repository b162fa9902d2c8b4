//! The criteria of a comparison, put to one pair of items. Reads no disk.
//!
//! Invariant: what this says of two items does not depend on where they are, so that a pair at one path and an item
//! that has moved are judged alike.

use fcs_sys::{CreatedTime, Kind};

use super::dates::{Apart, Dates, Tolerance, granularity};
use super::{Differences, Verdict};
use crate::Settings;
use crate::settings::ContentCheck;
use crate::tree::{NameOrder, NodeId, Tree};

/// The criteria in force for this pair of volumes.
struct Rules {
    size: bool,
    modified: bool,
    created: bool,
    content: bool,
    /// Whether the dates of links are their own on both sides.
    link_dates: bool,
    tolerance: Tolerance,
}

pub(super) fn created_counts(left: &Tree, right: &Tree, settings: &Settings) -> bool {
    let settable = |tree: &Tree| tree.volume.created == CreatedTime::Settable;
    settings.compare_created && settable(left) && settable(right)
}

/// The criteria in force for the items of two trees.
pub(crate) struct Criteria<'a> {
    left: &'a Tree,
    right: &'a Tree,
    rules: Rules,
    pub(super) dates: Dates,
}

/// What is said of two items by all criteria but content.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Judged {
    pub(crate) verdict: Verdict,
    /// They are files whose content must be read to say more.
    pub(crate) is_unread: bool,
    /// They are equal in all but a date, which is let pass.
    pub(super) let_pass: bool,
}

impl<'a> Criteria<'a> {
    pub(crate) fn of(left: &'a Tree, right: &'a Tree, settings: &Settings) -> Self {
        let rules = Rules {
            size: settings.compare_size,
            modified: settings.compare_modified,
            created: created_counts(left, right, settings),
            content: settings.compare_content != ContentCheck::Off,
            // A copy there may have a date of its own; what a link is says its text.
            link_dates: !crate::probe::links::in_doubt(&left.volume)
                && !crate::probe::links::in_doubt(&right.volume),
            tolerance: Tolerance::of(left, right, settings),
        };
        Self { left, right, rules, dates: Dates::of(left, right) }
    }

    /// The coarsest step in nanoseconds in which either side keeps dates, as its volumes say or its dates show.
    pub(crate) fn step(&self) -> u64 {
        granularity(self.left, self.right).max(self.dates.coarsest()).max(1)
    }

    /// Compares two readable items. With `by_name` it counts whether their names are spelled alike.
    pub(crate) fn judge(&self, left_node: NodeId, right_node: NodeId, by_name: bool) -> Judged {
        let (left, right) = (self.left.entry(left_node), self.right.entry(right_node));
        let is = |verdict| Judged { verdict, is_unread: false, let_pass: false };
        if left.kind != right.kind {
            return is(Verdict::KindClash);
        }
        // Such a folder itself was not asked for, or what is mounted there stands in for it.
        if [left, right].iter().any(|entry| entry.is_carrier() || entry.is_boundary()) {
            return is(Verdict::Same);
        }
        let (mut let_pass, mut is_unread) = (false, false);
        let spelling = by_name
            && self.left.order() == NameOrder::Folded
            && self.left.name(left_node) != self.right.name(right_node);
        let mut found = Differences { spelling, ..Differences::default() };
        let dates_count = left.kind != Kind::Symlink || self.rules.link_dates;
        if self.rules.modified && left.modified != right.modified && dates_count {
            let apart = self.rules.tolerance.apart(left.modified, right.modified);
            let_pass = apart == Apart::LetPass;
            found.modified = apart == Apart::Yes && !self.dates.are_one(&left, &right);
        }
        if self.rules.created
            && left.kind != Kind::Symlink
            && let (Some(a), Some(b)) = (left.created(), right.created())
        {
            found.created = self.rules.tolerance.apart(a, b) == Apart::Yes;
        }
        match left.kind {
            Kind::File if left.size != right.size => {
                found.size = self.rules.size;
                // Sizes that are no criterion still prove that the content differs.
                found.content = !self.rules.size && self.rules.content;
            }
            Kind::File => is_unread = self.rules.content && left.size > 0,
            Kind::Symlink => {
                let (left, right) = (self.left.link(left_node), self.right.link(right_node));
                found.content = left.map(|link| &link.text) != right.map(|link| &link.text);
            }
            Kind::Folder | Kind::Other => {}
        }
        if found == Differences::default() {
            // A folder's date follows from what is in it.
            let let_pass = let_pass && left.kind != Kind::Folder && !self.rules.content;
            Judged { verdict: Verdict::Same, is_unread, let_pass }
        } else {
            Judged { verdict: Verdict::Different(found), is_unread, let_pass: false }
        }
    }
}
