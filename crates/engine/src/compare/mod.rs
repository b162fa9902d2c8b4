//! Pairs two scanned trees: one pass over both, in the order both are sorted by.
//!
//! Invariant: rows are the union of both sides in a hierarchy that never changes afterwards; a row's children are
//! contiguous and in the order of names. Nothing counts as absent or same because it could not be read. Content is
//! read only for files that exist on both sides with equal size.
//!
//! This module must not know what is done about a difference.

mod again;
mod content;
mod criteria;
mod dates;
mod model;
mod pair;
mod rows;
pub mod stored;
mod trusted;

use std::collections::HashSet;
use std::sync::Arc;

use fcs_sys::{Root, Time};

use self::content::{Finding, Verdicts};
use crate::progress::Phase;
use crate::settings::ContentCheck;
use crate::tree::Tree;
use crate::{Control, Error, ErrorKind, Note, Op, Result, Settings};

pub(crate) use criteria::Criteria;
pub(crate) use dates::{Dates, Later};
pub use model::{Comparison, Differences, Digests, Group, Row, RowId, Side, Summary, Verdict};
pub(crate) use pair::{duration_words, keeps_permissions};
pub use rows::Walk;
pub(crate) use trusted::is_provable;
pub use trusted::{ContentRead, Trusted};

/// Compares two trees that were scanned in one order, by the criteria in `settings`.
///
/// After a cancel (of the scan or of the comparison) [`Comparison::cancelled`] is set. The only error is more items
/// on both sides together than row numbers can count.
///
/// # Panics
///
/// If the trees were scanned in different orders: pairing them would make present items look absent.
pub fn compare(
    left: (&Root, Arc<Tree>),
    right: (&Root, Arc<Tree>),
    settings: &Settings,
    control: &Control,
) -> Result<Comparison> {
    compare_after(None, left, right, settings, control)
}

/// As [`compare`], except that content which an earlier comparison of the same folders read is not read again where
/// neither file changed since.
///
/// # Panics
///
/// As [`compare`].
pub fn compare_after(
    before: Option<&Comparison>,
    left: (&Root, Arc<Tree>),
    right: (&Root, Arc<Tree>),
    settings: &Settings,
    control: &Control,
) -> Result<Comparison> {
    compare_trusting(None, before, left, right, settings, control)
}

/// As [`compare_after`], except that content is not read either where a memory of the two folders knows that it was
/// equal and neither file changed since; [`Comparison::content_read`] and a note say of how many. What is read teaches
/// that memory: see [`Comparison::learned_content`].
///
/// # Panics
///
/// As [`compare`].
pub fn compare_trusting(
    trusted: Option<Trusted<'_>>,
    before: Option<&Comparison>,
    left: (&Root, Arc<Tree>),
    right: (&Root, Arc<Tree>),
    settings: &Settings,
    control: &Control,
) -> Result<Comparison> {
    let began = Time::now();
    assert_eq!(left.1.order(), right.1.order(), "both trees must be sorted alike");
    if left.1.items() + right.1.items() >= u64::from(RowId::MAX) {
        return Err(Error::new(Op::Compare, &left.0.path, ErrorKind::TooManyItems));
    }
    control.progress.enter(Phase::Compare);
    let ((left_root, left), (right_root, right)) = (left, right);
    let mut notes: Vec<Note> = pair::notes(&left, &right, settings).into_iter().map(Note::from).collect();
    let paired = pair::pair(&left, &right, settings, control);
    notes.extend(paired.notes.into_iter().map(Note::from));
    notes.extend(pair::spelling_note(&paired.rows, &left, &right).map(Note::from));
    notes.extend(pair::let_pass_note(paired.let_pass, settings));
    notes.extend(pair::permissions_note(&paired.rows, &left, &right).map(Note::from));
    let mut cancelled = paired.cancelled || left.cancelled || right.cancelled;
    let mut rows = paired.rows;
    let mut verdicts = Verdicts::default();
    let mut content_read = ContentRead::default();
    if settings.compare_content != ContentCheck::Off && !cancelled {
        let roots = [left_root, right_root];
        content_read.pairs = paired.candidates.len() as u64;
        let (unread, known) = match before {
            Some(before) => {
                let trees = (&*left, &*right);
                again::take_over(before, settings.compare_content, trees, &rows, paired.candidates)
            }
            None => (paired.candidates, Verdicts::default()),
        };
        let trees = [&*left, &*right];
        let (unread, trusted_verdicts) = match trusted {
            Some(trusted) => trusted::known_equal(trusted, trees, &rows, unread, &mut content_read),
            None => (unread, Verdicts::default()),
        };
        // Only where there is something to learn: others wait for their disks, too.
        let teaches = trusted.is_some() && !unread.is_empty() && trusted::write_back(roots, trees, control);
        verdicts = content::compare_files(roots, trees, &rows, (&unread, teaches), settings, control);
        content_read.add(&unread, &mut verdicts, teaches);
        notes.extend(content_read.note(began));
        verdicts.absorb(known);
        verdicts.absorb(trusted_verdicts);
        cancelled |= verdicts.cancelled;
    }
    pair::apply(&mut rows, &verdicts);
    for note in &notes {
        control.observer.note(note);
    }
    let summary = pair::summarise(&rows, &left, &right, settings.compare_existence);
    Ok(Comparison {
        left,
        right,
        rows,
        notes,
        digests: verdicts.digests,
        errors: verdicts.errors,
        summary,
        content: settings.compare_content,
        content_read,
        began,
        cancelled,
    })
}

/// What reading the files of some rows has shown.
pub(crate) struct ReadRows {
    /// Rows of which the bytes differ.
    pub(crate) differ: HashSet<RowId>,
    /// Rows of which not every byte could be read, or a file changed.
    pub(crate) unknown: HashSet<RowId>,
    pub(crate) errors: Vec<Error>,
    pub(crate) cancelled: bool,
}

/// Reads the files of these rows, which must have equal sizes above zero, after a comparison that read none.
pub(crate) fn read_rows(
    comparison: &Comparison,
    roots: [&Root; 2],
    rows: &[RowId],
    settings: &Settings,
    control: &Control,
) -> ReadRows {
    let trees = [&*comparison.left, &*comparison.right];
    let found = content::compare_files(roots, trees, &comparison.rows, (rows, false), settings, control);
    let of = |wanted| {
        let rows = found.findings.iter().filter(move |(_, finding)| *finding == wanted);
        rows.map(|(row, _)| *row).collect()
    };
    let (differ, unknown) = (of(Finding::Differs), of(Finding::Unknown));
    ReadRows { differ, unknown, errors: found.errors, cancelled: found.cancelled }
}

/// Reads pairs of files of equal sizes above zero that no row has side by side. Says of each pair, in their order,
/// whether every byte of both was read and is equal.
pub(crate) fn read_pairs(
    comparison: &Comparison,
    roots: [&Root; 2],
    pairs: &[[RowId; 2]],
    settings: &Settings,
    control: &Control,
) -> ReadPairs {
    let trees = [&*comparison.left, &*comparison.right];
    let row = |&[left, right]: &[RowId; 2]| {
        let (left, right) = (comparison.row(left).left(), comparison.row(right).right());
        Row::new(left, right, Comparison::ROOT, Verdict::Same)
    };
    let rows: Vec<Row> = pairs.iter().map(row).collect();
    let unread: Vec<RowId> = (0..rows.len() as RowId).collect();
    let found = content::compare_files(roots, trees, &rows, (&unread, false), settings, control);
    let mut are_equal = vec![!found.cancelled; pairs.len()];
    found.findings.iter().for_each(|(pair, _)| are_equal[*pair as usize] = false);
    ReadPairs { are_equal, errors: found.errors }
}

/// What [`read_pairs`] has shown.
pub(crate) struct ReadPairs {
    pub(crate) are_equal: Vec<bool>,
    pub(crate) errors: Vec<Error>,
}

#[cfg(test)]
mod tests;
