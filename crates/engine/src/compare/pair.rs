//! The pairing itself: rows and verdicts from two sorted trees. Reads no disk.

use std::cmp::Ordering;
use std::ops::Range;

use fcs_sys::{CreatedTime, Kind, VolumeFacts};

use super::content::{Finding, Verdicts};
use super::criteria::{Criteria, Judged, created_counts};
use super::dates::granularity;
use super::{Differences, Row, RowId, Side, Summary, Verdict};
use crate::error::display_path;
use crate::names::is_system_item;
use crate::tree::{NameOrder, NodeId, Tree};
use crate::{Control, Note, Settings};

/// What pairing gives.
pub(super) struct Paired {
    pub(super) rows: Vec<Row>,
    /// Rows whose files must be read to be judged: both sides have one, of equal size above zero.
    pub(super) candidates: Vec<RowId>,
    /// Said once, about pairs that count as equal all the same.
    pub(super) notes: Vec<String>,
    /// Pairs whose modified times differ by no more than is let pass.
    pub(super) let_pass: u64,
    pub(super) cancelled: bool,
}

/// What the user should know once about criteria that these volumes do not support.
pub(super) fn notes(left: &Tree, right: &Tree, settings: &Settings) -> Vec<String> {
    let mut notes = Vec::new();
    if settings.compare_created && !created_counts(left, right, settings) {
        let cannot = |tree: &Tree| tree.volume.created != CreatedTime::Settable;
        // Where no volume of the system can set them (Linux), saying so in every run would be noise.
        let who = match (cannot(left), cannot(right)) {
            (true, false) => Some(("left", left)),
            (false, true) => Some(("right", right)),
            _ => None,
        };
        if let Some((side, tree)) = who {
            let file_system = &tree.volume.file_system;
            notes.push(format!(
                "Created times are not compared: they cannot be set on the {side} volume ({file_system})."
            ));
        }
    }
    for (side, tree) in [("LEFT", left), ("RIGHT", right)] {
        if !tree.system_items.is_empty() {
            notes.push(format!(
                "What the system keeps at the top of a volume is left alone in {side}: {}.",
                tree.system_items.join(", ")
            ));
        }
        if tree.foreign_home {
            notes.push(format!(
                "{} was not made by this program, but has the name of the folder that it keeps its journal in, so it is \
                 left alone. Rename it to include it.",
                display_path(&tree.root_path.join(".fcs"))
            ));
        }
        if tree.reserved > 0 {
            let (n, items) = (tree.reserved, if tree.reserved == 1 { "item" } else { "items" });
            notes.push(format!(
                "{n} {items} in {side} with names reserved for this program (.fcs…) left alone. Do not delete them by \
                 hand: after an interrupted run they may be originals, and recovering that run restores them."
            ));
        }
    }
    let coarse = granularity(left, right);
    if coarse > settings.time_tolerance_nanos
        && (settings.compare_modified || created_counts(left, right, settings))
    {
        let (name, tree) =
            if left.volume.time_granularity_nanos == coarse { ("left", left) } else { ("right", right) };
        notes.push(format!(
            "Times count as different only when more than {} apart: the {name} volume ({}) stores no finer ones.",
            duration_words(coarse),
            tree.volume.file_system
        ));
    }
    notes
}

/// Pairs whose names differ in capital and small letters only, which are one item where a volume does not tell these
/// apart.
pub(super) fn spelling_note(rows: &[Row], left: &Tree, right: &Tree) -> Option<String> {
    if left.order() == NameOrder::Exact {
        return None;
    }
    let differing =
        |row: &&Row| matches!((row.left(), row.right()), (Some(l), Some(r)) if left.name(l) != right.name(r));
    // The roots are paired whatever they are called.
    let mut pairs = rows.iter().skip(1).filter(differing);
    let first = pairs.next()?;
    let (l, r) = (left.path(first.left()?), right.path(first.right()?));
    let count = match pairs.count() {
        0 => "1 item is".to_owned(),
        more => format!("{} items are", more + 1),
    };
    Some(format!(
        "{count} spelled with other capital letters on the other side, such as {l} and {r}. Each is one item on these \
         volumes; a copy renames the target's."
    ))
}

/// Pairs that count as equal although their dates differ.
pub(super) fn let_pass_note(count: u64, settings: &Settings) -> Option<Note> {
    let tolerance = duration_words(settings.time_tolerance_nanos);
    let items = match count {
        0 => return None,
        1 => "1 item has dates".to_owned(),
        n => format!("{n} items have dates"),
    };
    let or_hours = match settings.ignore_whole_hours {
        0 => "",
        _ => ", or by whole hours",
    };
    let text = format!("{items} that differ by at most {tolerance}{or_hours}, which counts as equal.");
    Some(Note::of_setting("time_tolerance_nanos", text))
}

pub(crate) fn duration_words(nanos: u64) -> String {
    for (unit, name) in [(1_000_000_000, "s"), (1_000_000, "ms"), (1_000, "µs")] {
        if nanos.is_multiple_of(unit) {
            return format!("{} {name}", nanos / unit);
        }
    }
    format!("{nanos} ns")
}

/// Pairs two trees.
pub(super) fn pair(left: &Tree, right: &Tree, settings: &Settings, control: &Control) -> Paired {
    // The most there can be; memory that is never touched costs nothing, and growing would copy.
    let most = (left.items() + right.items() + 1) as usize;
    let mut pairer = Pairer {
        left,
        right,
        criteria: Criteria::of(left, right, settings),
        control,
        at_top: false,
        let_pass: 0,
        rows: Vec::with_capacity(most),
        candidates: Vec::new(),
    };
    pairer.push_both(0, NodeId::ROOT, NodeId::ROOT, None);
    let mut at = 0;
    let mut cancelled = false;
    while at < pairer.rows.len() && !cancelled {
        pairer.expand(at as RowId);
        at += 1;
        cancelled = at.is_multiple_of(4096) && control.cancel.should_stop();
    }
    // After a cancel there are folders whose items are no rows.
    let end = pairer.rows.len() as RowId;
    pairer.rows[at..].iter_mut().for_each(|row| row.first_child = end);
    pairer.rows.shrink_to_fit();
    let notes = pairer.criteria.dates.notes();
    let (rows, candidates, let_pass) = (pairer.rows, pairer.candidates, pairer.let_pass);
    Paired { rows, candidates, notes, let_pass, cancelled }
}

struct Pairer<'a> {
    left: &'a Tree,
    right: &'a Tree,
    criteria: Criteria<'a>,
    control: &'a Control,
    /// Whether the folder whose items are being paired is the top of a volume on either side.
    at_top: bool,
    /// Items equal in all but a date, which is let pass.
    let_pass: u64,
    rows: Vec<Row>,
    candidates: Vec<RowId>,
}

/// What a folder's row means for the rows in it.
#[derive(Debug)]
pub(super) struct Inherited {
    parent: RowId,
    /// Verdict of items that only the left has.
    pub(super) left_only: Verdict,
    /// Verdict of items that only the right has.
    pub(super) right_only: Verdict,
    /// Verdict of items that both have, if it is not to be found out.
    pub(super) both: Option<Verdict>,
}

/// One folder's children, while they are merged.
#[derive(Clone, Copy)]
struct Listing<'a> {
    tree: &'a Tree,
    folder: Option<u32>,
    count: u32,
}

impl<'a> Listing<'a> {
    fn new(tree: &'a Tree, node: Option<NodeId>) -> Self {
        let folder = node.and_then(|node| tree.folder_of(node));
        let count = folder.map_or(0, |f| tree.children(f).len() as u32);
        Self { tree, folder, count }
    }

    /// Whether what is not listed is known not to be there.
    fn is_complete(&self) -> bool {
        self.folder.is_some_and(|f| self.tree.folder_error(f).is_none())
    }

    fn node(&self, child: u32) -> NodeId {
        NodeId { folder: self.folder.unwrap_or_default(), child }
    }

    fn name(&self, child: u32) -> &'a [u8] {
        self.tree.name(self.node(child))
    }

    /// The end of the run of names from `child` on that count as one.
    fn run_end(&self, order: NameOrder, child: u32) -> u32 {
        let mut end = child + 1;
        if order == NameOrder::Folded {
            while end < self.count && order.same(self.name(child), self.name(end)) {
                end += 1;
            }
        }
        end
    }
}

impl Pairer<'_> {
    /// Adds the rows in the folder that `parent` is.
    fn expand(&mut self, parent: RowId) {
        let row = self.rows[parent as usize];
        let (left, right) = (Listing::new(self.left, row.left()), Listing::new(self.right, row.right()));
        let first_child = self.rows.len() as RowId;
        self.at_top = is_mounted(self.left, self.right, &row);
        if left.count + right.count > 0 && !is_boundary(self.left, self.right, &row) {
            let inherited = inherit(parent, row.verdict, left.is_complete(), right.is_complete());
            self.merge(&inherited, left, right);
        }
        let children = self.rows.len() as RowId - first_child;
        let row = &mut self.rows[parent as usize];
        (row.first_child, row.children) = (first_child, children);
    }

    fn merge(&mut self, inherited: &Inherited, left: Listing<'_>, right: Listing<'_>) {
        let order = self.left.order();
        let (mut l, mut r) = (0, 0);
        while l < left.count || r < right.count {
            let which = match (l < left.count, r < right.count) {
                (true, true) => order.compare_keys(left.name(l), right.name(r)),
                (true, false) => Ordering::Less,
                (false, _) => Ordering::Greater,
            };
            let l_end = if which == Ordering::Greater { l } else { left.run_end(order, l) };
            let r_end = if which == Ordering::Less { r } else { right.run_end(order, r) };
            if l_end - l > 1 || r_end - r > 1 {
                let clash = Inherited {
                    parent: inherited.parent,
                    left_only: Verdict::NameClash,
                    right_only: Verdict::NameClash,
                    both: Some(Verdict::NameClash),
                };
                self.merge_exact(&clash, left, l..l_end, right, r..r_end);
            } else {
                self.merge_one(inherited, which, left.node(l), right.node(r));
            }
            (l, r) = (l_end, r_end);
        }
    }

    fn merge_one(&mut self, inherited: &Inherited, which: Ordering, left: NodeId, right: NodeId) {
        match which {
            Ordering::Less => self.push_one(inherited.parent, Side::Left, left, inherited.left_only),
            Ordering::Greater => self.push_one(inherited.parent, Side::Right, right, inherited.right_only),
            Ordering::Equal => self.push_both(inherited.parent, left, right, inherited.both),
        }
    }

    /// Merges names that fold to one, by their exact spelling.
    fn merge_exact(
        &mut self,
        inherited: &Inherited,
        left: Listing<'_>,
        mut l: Range<u32>,
        right: Listing<'_>,
        mut r: Range<u32>,
    ) {
        while l.start < l.end || r.start < r.end {
            let which = match (l.start < l.end, r.start < r.end) {
                (true, true) => left.name(l.start).cmp(right.name(r.start)),
                (true, false) => Ordering::Less,
                (false, _) => Ordering::Greater,
            };
            self.merge_one(inherited, which, left.node(l.start), right.node(r.start));
            l.start += u32::from(which != Ordering::Greater);
            r.start += u32::from(which != Ordering::Less);
        }
    }

    fn push_one(&mut self, parent: RowId, side: Side, node: NodeId, verdict: Verdict) {
        let tree = if side == Side::Left { self.left } else { self.right };
        if is_passed_over(tree, node, self.at_top) {
            return;
        }
        let verdict = if is_unreadable(tree, node) { Verdict::Unreadable } else { verdict };
        let (left, right) = if side == Side::Left { (Some(node), None) } else { (None, Some(node)) };
        self.rows.push(Row::new(left, right, parent, verdict));
    }

    fn push_both(&mut self, parent: RowId, left: NodeId, right: NodeId, verdict: Option<Verdict>) {
        match (self.left.is_vanished(left), self.right.is_vanished(right)) {
            (true, true) => return,
            _ if self.left.entry(left).is_barren() && self.right.entry(right).is_barren() => return,
            (true, false) => self.tell(self.left, left),
            (false, true) => self.tell(self.right, right),
            (false, false) => {}
        }
        let verdict = if is_unreadable(self.left, left) || is_unreadable(self.right, right) {
            Verdict::Unreadable
        } else {
            verdict.unwrap_or_else(|| self.judge(left, right))
        };
        self.rows.push(Row::new(Some(left), Some(right), parent, verdict));
    }

    /// Tells why an item could not be asked, which the scan kept to itself.
    fn tell(&self, tree: &Tree, node: NodeId) {
        if let Some(error) = tree.node_error(node) {
            self.control.observer.error(error);
        }
    }

    /// Compares two readable items, content excepted. Files whose content must be read become candidates.
    fn judge(&mut self, left: NodeId, right: NodeId) -> Verdict {
        // The roots are paired whatever they are called.
        let Judged { verdict, is_unread, let_pass } = self.criteria.judge(left, right, !self.rows.is_empty());
        if is_unread {
            self.candidates.push(self.rows.len() as RowId);
        }
        self.let_pass += u64::from(let_pass);
        verdict
    }
}

/// Whether a row's folder is the top of a volume on either side.
pub(super) fn is_mounted(left: &Tree, right: &Tree, row: &Row) -> bool {
    let of = |tree: &Tree, node: Option<NodeId>| node.is_some_and(|node| tree.entry(node).is_mounted());
    of(left, row.left()) || of(right, row.right())
}

/// Whether what is in a folder takes part on neither side, because one of them leads to another volume.
pub(super) fn is_boundary(left: &Tree, right: &Tree, row: &Row) -> bool {
    let of = |tree: &Tree, node: Option<NodeId>| node.is_some_and(|node| tree.entry(node).is_boundary());
    of(left, row.left()) || of(right, row.right())
}

/// Whether an item of one side is no row of its own, given whether its folder is the top of a volume: gone on the one
/// side and never seen on the other, both agree; and a folder that leads to nothing that was asked for was not asked for
/// itself. Nor is what is passed over on the side where a volume is mounted.
pub(super) fn is_passed_over(tree: &Tree, node: NodeId, at_top: bool) -> bool {
    at_top && is_system_item(tree.name(node)) || tree.is_vanished(node) || tree.entry(node).is_barren()
}

/// What is known about the items in a folder, given its row's verdict and whether each side's listing is complete.
pub(super) fn inherit(
    parent: RowId,
    verdict: Verdict,
    left_complete: bool,
    right_complete: bool,
) -> Inherited {
    let (left_only, right_only, both) = match verdict {
        Verdict::KindClash | Verdict::NameClash => (verdict, verdict, Some(verdict)),
        // An item that one side lists is missing on the other only if the other's listing is complete.
        Verdict::Unreadable => (
            if right_complete { Verdict::LeftOnly } else { Verdict::Unreadable },
            if left_complete { Verdict::RightOnly } else { Verdict::Unreadable },
            None,
        ),
        _ => (Verdict::LeftOnly, Verdict::RightOnly, None),
    };
    Inherited { parent, left_only, right_only, both }
}

pub(super) fn is_unreadable(tree: &Tree, node: NodeId) -> bool {
    tree.node_error(node).is_some() || tree.folder_of(node).is_some_and(|f| tree.folder_error(f).is_some())
}

/// Adds what reading the files has shown.
pub(super) fn apply(rows: &mut [Row], verdicts: &Verdicts) {
    for &(row, finding) in &verdicts.findings {
        let verdict = &mut rows[row as usize].verdict;
        *verdict = match (finding, *verdict) {
            (Finding::Unknown, _) => Verdict::NotComparable,
            (Finding::Differs, Verdict::Different(others)) => {
                Verdict::Different(Differences { content: true, ..others })
            }
            (Finding::Differs, _) => {
                Verdict::Different(Differences { content: true, ..Differences::default() })
            }
        };
    }
}

/// Counts the rows.
pub(super) fn summarise(rows: &[Row], left: &Tree, right: &Tree, existence_counts: bool) -> Summary {
    let mut s = Summary {
        existence_counts,
        root_differs: rows.first().is_some_and(|r| matches!(r.verdict, Verdict::Different(_))),
        root_unreadable: rows.first().is_some_and(|r| r.verdict == Verdict::Unreadable),
        ..Summary::default()
    };
    for row in rows.iter().skip(1) {
        s.items += 1;
        match row.verdict {
            Verdict::Same => s.same += 1,
            Verdict::LeftOnly => s.left_only += 1,
            Verdict::RightOnly => s.right_only += 1,
            Verdict::Different(_) => s.different += 1,
            Verdict::KindClash | Verdict::NameClash => s.clashes += 1,
            Verdict::Unreadable => s.unreadable += 1,
            Verdict::NotComparable => s.not_comparable += 1,
        }
        let counts = match row.verdict {
            Verdict::LeftOnly | Verdict::RightOnly => existence_counts,
            Verdict::Different(_) => true,
            _ => false,
        };
        if counts {
            let bytes = |tree: &Tree, node: Option<NodeId>| {
                node.map(|n| tree.entry(n)).filter(|e| e.kind == Kind::File).map_or(0, |e| e.size)
            };
            s.bytes_left_to_right = s.bytes_left_to_right.saturating_add(bytes(left, row.left()));
            s.bytes_right_to_left = s.bytes_right_to_left.saturating_add(bytes(right, row.right()));
        }
    }
    s
}

/// Whether the permissions and owners that a volume shows are those of its items, and not made up for all of them.
pub(crate) fn keeps_permissions(volume: &VolumeFacts) -> bool {
    let made_up = ["fuse", "vfat", "msdos", "exfat", "ntfs"];
    !cfg!(windows) && !made_up.iter().any(|name| volume.file_system.starts_with(name))
}

/// Says how many pairs that are equal by every criterion have other permissions or another owner. Silent where a file
/// system makes those up, which is then true of every item on it.
pub(super) fn permissions_note(rows: &[Row], left: &Tree, right: &Tree) -> Option<String> {
    if !keeps_permissions(&left.volume) || !keeps_permissions(&right.volume) {
        return None;
    }
    let (mut modes, mut owners) = (0u64, 0u64);
    for row in rows.iter().filter(|row| row.verdict == Verdict::Same) {
        let (Some(l), Some(r)) = (row.left(), row.right()) else { continue };
        let (l, r) = (left.entry(l), right.entry(r));
        if l.kind != Kind::Symlink {
            modes += u64::from(l.attributes != r.attributes);
            owners += u64::from(l.owner() != r.owner());
        }
    }
    let items = |n: u64| if n == 1 { "1 item".to_owned() } else { format!("{n} items") };
    let what = match (modes, owners) {
        (0, 0) => return None,
        (m, 0) => format!("{} differ in permissions", items(m)),
        (0, o) => format!("{} differ in owner or group", items(o)),
        (m, o) => format!("{} differ in permissions and {} in owner or group", items(m), items(o)),
    };
    let what = if what.starts_with("1 item differ ") { what.replacen("differ", "differs", 1) } else { what };
    Some(format!("{what} and in nothing else. These are set when something is copied, and not compared."))
}
