//! Two places whose dates belong together: file and file, folder and folder, tree and tree.
//!
//! Invariant: two dates count as one only where one of the volumes could not tell them apart, or they are
//! closer than the tolerance that was asked for; and content as equal only after every byte of both files was
//! read. Nothing is changed.

use std::path::Path;
use std::sync::Arc;

use fcs_sys::{
    Access, CreatedTime, DirRef, Fingerprint, Kind, Name, RelPath, Root, Time, VolumeFacts, read_full,
};

use super::list::{Place, Scope, entry_of, facts};
use super::{DateKind, ItemTimes, LeftAlone, LeftReason, created_unsettable, steps};
use crate::compare::{Comparison, Dates, RowId, Side, Verdict, read_rows};
use crate::dir_cursor::DirCursor;
use crate::error::display_path;
use crate::preflight::{Problem, Severity};
use crate::probe::links;
use crate::progress::{add, full_path};
use crate::session::{Folders, SessionError};
use crate::settings::ContentCheck;
use crate::tree::Entry;
use crate::{Control, Error, ErrorKind, Note, Op, Result, Settings};

/// Bytes of each of two files that are compared at once.
const CHUNK: usize = 1 << 20;

/// How dates of two places are compared.
#[derive(Debug, Clone, Copy, Default)]
pub struct Exactness {
    /// Dates that are at most so many nanoseconds apart are one, besides what the volumes cannot tell apart.
    tolerance_nanos: u64,
    /// Whatever the left volume cannot tell apart: the right one is to have just what the left shows.
    as_shown: bool,
}

impl Exactness {
    /// Dates that are at most so many nanoseconds apart are one, besides what the volumes cannot tell apart.
    pub fn within(tolerance_nanos: u64) -> Self {
        Self { tolerance_nanos, as_shown: false }
    }

    /// The right side is to have just what the left one shows, as far as the right volume stores it.
    pub(super) fn as_shown() -> Self {
        Self { tolerance_nanos: 0, as_shown: true }
    }
}

/// An item that both places have.
#[derive(Debug, Clone)]
pub(super) struct Pair {
    pub(super) left: (RelPath, Entry),
    pub(super) right: (RelPath, Entry),
    /// What the folder looked like in which the right one is.
    pub(super) folder: Fingerprint,
    /// What differs.
    pub(super) created: bool,
    pub(super) modified: bool,
    /// Two links with other texts.
    text_differs: bool,
    row: RowId,
}

impl Pair {
    pub(super) fn differs(&self) -> bool {
        self.created || self.modified
    }
}

/// Asks what paired items look like now.
pub(super) struct Look<'a> {
    cursors: [DirCursor; 2],
    roots: [&'a Root; 2],
    control: &'a Control,
}

impl<'a> Look<'a> {
    pub(super) fn new(roots: [&'a Root; 2], control: &'a Control) -> Self {
        Self { cursors: roots.map(|root| DirCursor::new(&root.dir)), roots, control }
    }

    fn again(&mut self, pair: [&mut (RelPath, Entry); 2]) -> Result<()> {
        add(&self.control.progress.items_scanned, 1);
        for ((cursor, root), (path, entry)) in self.cursors.iter_mut().zip(self.roots).zip(pair) {
            let now = match path.split() {
                Some((folder, name)) => cursor.open(&folder).and_then(|dir| dir.stat(&name)),
                None => root.dir.metadata(),
            };
            let whole = || full_path(&root.path, path);
            let now = now.map_err(|e| Error::os(Op::Examine, whole(), e))?;
            if now.kind != entry.kind {
                return Err(Error::new(Op::Examine, whole(), ErrorKind::ChangedMeanwhile));
            }
            *entry = Entry::from(&now);
        }
        Ok(())
    }
}

/// Two places and what of their items belongs together.
pub(super) struct Pairs {
    pub(super) left: Root,
    pub(super) right: Root,
    pub(super) right_volume: VolumeFacts,
    /// Items that both have.
    pub(super) both: Vec<Pair>,
    pub(super) only: [Vec<RelPath>; 2],
    pub(super) left_alone: Vec<LeftAlone>,
    pub(super) errors: Vec<Error>,
    pub(super) notes: Vec<Note>,
    pub(super) step_nanos: u64,
    pub(super) cancelled: bool,
    /// Where they were paired, and which side of it is `left` here.
    comparison: Option<(Arc<Comparison>, Side)>,
}

/// What counts between two volumes.
struct Rules<'a> {
    volumes: [&'a VolumeFacts; 2],
    exactness: Exactness,
    dates: Option<&'a Dates>,
}

impl Rules<'_> {
    /// Created times count where the left volume stores them and the right one can be given them.
    fn created_counts(&self) -> bool {
        self.volumes[0].created != CreatedTime::Absent && created_unsettable(self.volumes[1]).is_none()
    }

    fn step(&self, date: DateKind) -> u64 {
        let [left, right] = self.volumes.map(|volume| match (steps(volume), date) {
            ((modified, _), DateKind::Modified) => modified,
            ((modified, created), DateKind::Created) => created.unwrap_or(modified),
        });
        left.max(right)
    }

    fn is_same(&self, date: DateKind, left: Time, right: Time) -> bool {
        if self.exactness.as_shown {
            let [_, right_volume] = self.volumes;
            let (modified, created) = steps(right_volume);
            let step = if date == DateKind::Modified { modified } else { created.unwrap_or(modified) };
            return left == right || left.rounded_down(step) == right;
        }
        let distance = left.distance_nanos(right);
        distance < u128::from(self.step(date)) || distance <= u128::from(self.exactness.tolerance_nanos)
    }

    fn differ(&self, left: &Entry, right: &Entry) -> (bool, bool) {
        let created = self.created_counts()
            && left
                .created()
                .zip(right.created())
                .is_some_and(|(l, r)| !self.is_same(DateKind::Created, l, r));
        let modified = !self.is_same(DateKind::Modified, left.modified, right.modified)
            && (left.modified != right.modified)
            && !self.dates.is_some_and(|dates| dates.are_one(left, right));
        (created, modified)
    }

    fn note(&self) -> Option<Note> {
        let [left, right] = self.volumes;
        if self.created_counts() {
            return None;
        }
        let why = match (left.created, right.created) {
            (CreatedTime::Absent, _) => format!("the left volume ({}) does not store them", left.file_system),
            (_, CreatedTime::Absent) => {
                format!("the right volume ({}) does not store them", right.file_system)
            }
            _ => format!("no program can set them on the right volume ({})", right.file_system),
        };
        Some(format!("Created times are left out: {why}.").into())
    }
}

impl Pairs {
    /// Opens two places and pairs what is in them.
    pub(super) fn of(
        paths: [&Path; 2],
        scope: Scope<'_>,
        exactness: Exactness,
        settings: &Settings,
        control: &Control,
    ) -> Result<Self, SessionError> {
        let [left, right] = [Place::at(paths[0])?, Place::at(paths[1])?];
        match (left, right) {
            (Place::Folder(_), Place::Folder(_)) if scope.recursive => {
                Self::of_trees(paths, scope, exactness, settings, control)
            }
            (Place::Folder(left), Place::Folder(right)) => {
                let entries = [entry_of(&left)?, entry_of(&right)?];
                let folder = entries[1].fingerprint();
                Self::of_two([left, right], [RelPath::root(), RelPath::root()], entries, folder, exactness)
            }
            (Place::Item(left, left_name, left_entry), Place::Item(right, right_name, right_entry))
                if left_entry.kind == right_entry.kind =>
            {
                let folder = entry_of(&right)?.fingerprint();
                let items = [left_name, right_name].map(|name| RelPath::root().join(&name));
                Self::of_two([left, right], items, [left_entry, right_entry], folder, exactness)
            }
            _ => {
                let [left, right] = paths.map(display_path);
                let text = format!(
                    "Could not compare the times of {left} with those of {right}: they are not of one kind."
                );
                Err(SessionError::Refused(vec![Problem { severity: Severity::Refuses, remedy: None, text }]))
            }
        }
    }

    fn of_two(
        roots: [Root; 2],
        items: [RelPath; 2],
        entries: [Entry; 2],
        folder: Fingerprint,
        exactness: Exactness,
    ) -> Result<Self, SessionError> {
        let volumes = [facts(&roots[0])?, facts(&roots[1])?];
        let rules = Rules { volumes: [&volumes[0], &volumes[1]], exactness, dates: None };
        let is_link = entries.iter().all(|entry| entry.kind == Kind::Symlink);
        let text = |side: usize| {
            let (_, name) = items[side].split()?;
            roots[side].dir.read_link(&name).ok().map(|link| link.text)
        };
        let text_differs =
            is_link && !matches!((text(0), text(1)), (Some(left), Some(right)) if left == right);
        let ([left, right], [left_item, right_item]) = (roots, items);
        let mut found = Self::new(left, right, &rules);
        let (left, right) = ((left_item, entries[0]), (right_item, entries[1]));
        found.take(left, right, (folder, text_differs), Comparison::ROOT, &rules);
        Ok(found)
    }

    fn of_trees(
        paths: [&Path; 2],
        scope: Scope<'_>,
        exactness: Exactness,
        settings: &Settings,
        control: &Control,
    ) -> Result<Self, SessionError> {
        // Only which items belong together is taken from the comparison.
        let pairing = Settings { compare_content: ContentCheck::Off, ..settings.clone() };
        let folders = Folders::open(paths[0], paths[1], scope.include, scope.exclude, &pairing)?;
        let compared = folders.compare(&pairing, control);
        let comparison = compared.map_err(|error| SessionError::Open { side: None, error })?;
        let Folders { left, right, .. } = folders;
        let is_wanted = |row| row != Comparison::ROOT || scope.include.is_empty();
        let mut found =
            Self::of_rows([left, right], &Arc::new(comparison), Side::Left, exactness, &is_wanted, None);
        if let Some((comparison, _)) = &found.comparison {
            let trees = [&comparison.left, &comparison.right];
            found.errors = trees.into_iter().flat_map(|tree| tree.errors()).cloned().collect();
        }
        Ok(found)
    }

    /// Pairs rows of a comparison; `roots` are the one whose dates count, which is on the side `from`, and the other.
    /// What the items look like is asked again with `look`, or else as the comparison saw it.
    pub(super) fn of_rows(
        [left, right]: [Root; 2],
        comparison: &Arc<Comparison>,
        from: Side,
        exactness: Exactness,
        is_wanted: &dyn Fn(RowId) -> bool,
        mut look: Option<Look<'_>>,
    ) -> Self {
        let trees = [comparison.tree(from), comparison.tree(from.other())];
        let dates = Dates::of(trees[0], trees[1]);
        let rules = Rules { volumes: [&trees[0].volume, &trees[1].volume], exactness, dates: Some(&dates) };
        let mut found = Self::new(left, right, &rules);
        found.cancelled = comparison.cancelled;
        for row in comparison.walk().filter(|&row| is_wanted(row)) {
            let at = |side| Some((comparison.path_on(row, side), comparison.entry(row, side)?));
            let skip = |why| LeftAlone { path: comparison.path_on(row, from.other()), why };
            match (comparison.row(row).verdict, at(from), at(from.other())) {
                (Verdict::Unreadable, ..) => {}
                (Verdict::KindClash, ..) => found.left_alone.push(skip(LeftReason::KindClash)),
                (Verdict::NameClash, ..) => found.left_alone.push(skip(LeftReason::NameClash)),
                (_, Some((path, _)), None) => found.only[0].push(path),
                (_, None, Some((path, _))) => found.only[1].push(path),
                (verdict, Some(mut left), Some(mut right)) => {
                    let is_way = |entry: &Entry| entry.is_carrier() || entry.is_boundary();
                    let parent = comparison.entry(comparison.row(row).parent, from.other());
                    let Some(folder) = parent.filter(|_| !is_way(&left.1) && !is_way(&right.1)) else {
                        continue;
                    };
                    if let Some(look) = &mut look {
                        if look.control.cancel.should_stop() {
                            found.cancelled = true;
                            break;
                        }
                        match look.again([&mut left, &mut right]) {
                            Ok(()) => {}
                            Err(error) => {
                                found.errors.push(error);
                                continue;
                            }
                        }
                    }
                    let text_differs = left.1.kind == Kind::Symlink
                        && matches!(verdict, Verdict::Different(found) if found.content);
                    found.take(left, right, (folder.fingerprint(), text_differs), row, &rules);
                }
                (_, None, None) => {}
            }
        }
        found.notes.extend(dates.notes().into_iter().map(Note::from));
        found.comparison = Some((Arc::clone(comparison), from));
        found
    }

    fn new(left: Root, right: Root, rules: &Rules<'_>) -> Self {
        Self {
            left,
            right,
            right_volume: rules.volumes[1].clone(),
            both: Vec::new(),
            only: [Vec::new(), Vec::new()],
            left_alone: Vec::new(),
            errors: Vec::new(),
            notes: rules.note().into_iter().collect(),
            step_nanos: rules.step(DateKind::Modified),
            cancelled: false,
            comparison: None,
        }
    }

    fn take(
        &mut self,
        left: (RelPath, Entry),
        right: (RelPath, Entry),
        (folder, text_differs): (Fingerprint, bool),
        row: RowId,
        rules: &Rules<'_>,
    ) {
        let why = match right.1.kind {
            Kind::Other => LeftReason::SpecialFile,
            // The date of such a copy may be one of its own.
            Kind::Symlink if rules.volumes.into_iter().any(links::in_doubt) => LeftReason::Link,
            Kind::File | Kind::Folder | Kind::Symlink => {
                let (created, modified) = rules.differ(&left.1, &right.1);
                self.both.push(Pair { left, right, folder, created, modified, text_differs, row });
                return;
            }
        };
        self.left_alone.push(LeftAlone { path: right.0, why });
    }

    /// Leaves only those files whose content is equal on both sides, of those whose dates differ: these alone
    /// are read.
    pub(super) fn keep_equal_content(&mut self, settings: &Settings, control: &Control) {
        let content = match settings.compare_content {
            ContentCheck::Off => ContentCheck::Blake3,
            how => how,
        };
        let settings = Settings { compare_content: content, ..settings.clone() };
        let is_read = |pair: &Pair| {
            pair.differs()
                && pair.right.1.kind == Kind::File
                && pair.left.1.size == pair.right.1.size
                && pair.right.1.size > 0
        };
        let rows: Vec<RowId> = self.both.iter().filter(|pair| is_read(pair)).map(|pair| pair.row).collect();
        let (mut differ, mut unknown) = (Vec::new(), Vec::new());
        match &self.comparison {
            Some((comparison, from)) => {
                let roots = match from {
                    Side::Left => [&self.left, &self.right],
                    Side::Right => [&self.right, &self.left],
                };
                let read = read_rows(comparison, roots, &rows, &settings, control);
                self.cancelled |= read.cancelled;
                self.errors.extend(read.errors);
                differ.extend(read.differ);
                unknown.extend(read.unknown);
            }
            None => {
                for pair in self.both.iter().filter(|pair| is_read(pair)) {
                    match equal_content([&self.left, &self.right], pair, &settings, control) {
                        Ok(Some(true)) => {}
                        Ok(Some(false)) => differ.push(pair.row),
                        Ok(None) => self.cancelled = true,
                        Err(error) => {
                            self.errors.push(error);
                            unknown.push(pair.row);
                        }
                    }
                }
            }
        }
        differ.sort_unstable();
        unknown.sort_unstable();
        let left_alone = &mut self.left_alone;
        self.both.retain(|pair| {
            let (left, right) = (&pair.left.1, &pair.right.1);
            let is_same_link = right.kind == Kind::Symlink && !pair.text_differs;
            if !pair.differs() || right.kind == Kind::Folder || is_same_link {
                return true;
            }
            let is_other = pair.text_differs || left.size != right.size;
            let why = if is_other || differ.binary_search(&pair.row).is_ok() {
                LeftReason::ContentDiffers
            } else if unknown.binary_search(&pair.row).is_ok() {
                LeftReason::ContentUnknown
            } else {
                return true;
            };
            left_alone.push(LeftAlone { path: pair.right.0.clone(), why });
            false
        });
    }

    /// What both items of a pair have.
    pub(super) fn times(pair: &Pair) -> [ItemTimes; 2] {
        [&pair.left.1, &pair.right.1].map(ItemTimes::from)
    }
}

/// Whether two files of equal size have equal content; `None` after a cancel.
fn equal_content(
    roots: [&Root; 2],
    pair: &Pair,
    settings: &Settings,
    control: &Control,
) -> Result<Option<bool>> {
    let sides = [(roots[0], &pair.left), (roots[1], &pair.right)];
    let mut files = Vec::with_capacity(2);
    add(&control.progress.compare_bytes_total, pair.right.1.size.saturating_mul(2));
    for (root, (path, entry)) in sides {
        let whole = full_path(&root.path, path);
        if entry.is_placeholder() && !settings.read_placeholders {
            return Err(Error::new(Op::Read, whole, ErrorKind::Placeholder));
        }
        let failed = |e| Error::os(Op::Read, whole.clone(), e);
        let Some((_, name)) = path.split() else { return Ok(Some(false)) };
        let (file, now) = root.dir.open_and_examine(&name, Access::Read).map_err(failed)?;
        if now.fingerprint() != entry.fingerprint() {
            return Err(Error::new(Op::Read, whole, ErrorKind::ChangedMeanwhile));
        }
        files.push((file, whole, &root.dir, name, entry));
    }
    let [(left, left_path, ..), (right, right_path, ..)] = files.as_slice() else { return Ok(Some(false)) };
    let mut buffers = [vec![0; CHUNK], vec![0; CHUNK]];
    let (mut at, mut is_equal) = (0, true);
    while is_equal && at < pair.right.1.size {
        if control.cancel.should_stop() {
            return Ok(None);
        }
        let [first, second] = &mut buffers;
        let n = read_full(&**left, first, at).map_err(|e| Error::os(Op::Read, left_path, e))?;
        let m = read_full(&**right, second, at).map_err(|e| Error::os(Op::Read, right_path, e))?;
        let end = |path: &Path| Error::new(Op::Read, path, ErrorKind::EndsEarly);
        match (n, m) {
            (0, _) => return Err(end(left_path)),
            (_, 0) => return Err(end(right_path)),
            _ => is_equal = first[..n] == second[..m],
        }
        at += n as u64;
        add(&control.progress.compare_bytes_done, 2 * n as u64);
    }
    // Neither an edit while they were read, nor another file at the name, may pass for what was read.
    for (_, path, dir, name, entry) in &files {
        check_unchanged(dir, name, entry, path)?;
    }
    Ok(Some(is_equal))
}

fn check_unchanged(dir: &DirRef, name: &Name, entry: &Entry, path: &Path) -> Result<()> {
    let now = dir.stat(name).map_err(|e| Error::os(Op::Read, path, e))?;
    let is_same = now.fingerprint() == entry.fingerprint();
    if is_same { Ok(()) } else { Err(Error::new(Op::Read, path, ErrorKind::ChangedMeanwhile)) }
}
