//! What `docs/directions.md` says, done slowly: written from that page, with no code of the program but the models. It knows
//! the states that models can have: no volumes mounted, no placeholders, names that are spelled alike, no content compared.

use std::collections::{BTreeMap, BTreeSet};

use crate::model::Item;

pub(super) type Path = Vec<Vec<u8>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Act {
    Nothing,
    Leave,
    To(usize),
    Remove(usize),
    KeepBoth(usize),
    Conflict(&'static str),
    Skip(&'static str),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    Mirror(usize),
    Update(usize),
    Add(usize),
    Newest,
    TwoWay(&'static str),
    /// Words by category, in the order of the page.
    Custom([&'static str; 8]),
}

pub(super) const LEFT: usize = 0;
pub(super) const RIGHT: usize = 1;

/// What became of one side, by what is remembered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Change {
    Gone,
    Changed,
    Unchanged,
}

struct Row<'a> {
    sides: [Option<&'a Item>; 2],
    remembered: Option<&'a Item>,
    state: State,
    blocked: bool,
    replaced: bool,
    act: Act,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Same,
    Only(usize),
    Different,
    TwoKinds,
    Unreadable,
}

pub(super) struct Reference<'a> {
    mode: Mode,
    first_run: bool,
    rows: BTreeMap<Path, Row<'a>>,
}

fn kind(item: &Item) -> u8 {
    match item {
        Item::File { .. } => b'f',
        Item::Folder { .. } => b'd',
        Item::Link { .. } => b'l',
        Item::Special { .. } => b's',
        Item::Unreadable => b'?',
    }
}

fn modified(item: &Item) -> i64 {
    match item {
        Item::File { modified, .. }
        | Item::Folder { modified, .. }
        | Item::Link { modified, .. }
        | Item::Special { modified } => *modified,
        Item::Unreadable => 0,
    }
}

fn cannot_be_read(item: Option<&Item>) -> bool {
    matches!(item, Some(Item::Unreadable | Item::Folder { unlistable: true, .. }))
}

fn find<'a>(root: &'a Item, path: &[Vec<u8>]) -> Option<&'a Item> {
    let mut at = root;
    for name in path {
        at = at.items()?.get(name)?;
    }
    Some(at)
}

fn paths_of(item: &Item, at: &Path, all: &mut BTreeSet<Path>) {
    for (name, inner) in item.items().into_iter().flatten() {
        let mut path = at.clone();
        path.push(name.clone());
        paths_of(inner, &path, all);
        all.insert(path);
    }
}

/// Whether nothing in an item stands against its being replaced.
fn is_known(item: &Item) -> bool {
    match item {
        Item::Unreadable | Item::Special { .. } => false,
        Item::Folder { unlistable, items, .. } => !unlistable && items.values().all(is_known),
        _ => true,
    }
}

impl<'a> Reference<'a> {
    pub(super) fn acts(
        sides: [&'a Item; 2],
        remembered: Option<&'a Item>,
        mode: Mode,
    ) -> impl Iterator<Item = (Path, Act)> {
        let mut paths = BTreeSet::from([Path::new()]);
        sides.iter().for_each(|side| paths_of(side, &Path::new(), &mut paths));
        let first_run = remembered.and_then(Item::items).is_none_or(BTreeMap::is_empty);
        let mut all = Self { mode, first_run, rows: BTreeMap::new() };
        // Sorted, so that a folder comes before what is in it.
        for path in &paths {
            let row = all.row(sides, remembered, path);
            all.rows.insert(path.clone(), row);
            let act = all.act(path);
            if let Some(row) = all.rows.get_mut(path) {
                row.act = act;
            }
        }
        let mut deepest_first: Vec<Path> = paths.into_iter().filter(|path| !path.is_empty()).collect();
        deepest_first.sort_by_key(|path| std::cmp::Reverse(path.len()));
        for path in &deepest_first {
            all.keep_folder(path);
            all.make_folder(path);
        }
        all.rows.into_iter().map(|(path, row)| (path, row.act))
    }

    fn above(&self, path: &[Vec<u8>]) -> Option<&Row<'a>> {
        let (_, folder) = path.split_last()?;
        self.rows.get(folder)
    }

    /// Section 1.
    fn row(&self, sides: [&'a Item; 2], remembered: Option<&'a Item>, path: &[Vec<u8>]) -> Row<'a> {
        let here = sides.map(|side| find(side, path));
        let above = self.above(path);
        let is_below_kinds = above.is_some_and(|above| above.state == State::TwoKinds);
        let lacking_is_unlisted = |side: usize| {
            above.is_some_and(|above| {
                above.state == State::Unreadable
                    && !matches!(above.sides[side], Some(Item::Folder { unlistable: false, .. }))
            })
        };
        let state = match here {
            [left, right] if cannot_be_read(left) || cannot_be_read(right) => State::Unreadable,
            _ if is_below_kinds => State::TwoKinds,
            [Some(left), Some(right)] if kind(left) != kind(right) => State::TwoKinds,
            [Some(left), Some(right)] => {
                let is_same = match (left, right) {
                    (Item::File { size: a, .. }, Item::File { size: b, .. }) => a == b,
                    (Item::Link { text: a, .. }, Item::Link { text: b, .. }) => a == b,
                    _ => true,
                };
                if is_same && modified(left) == modified(right) { State::Same } else { State::Different }
            }
            [Some(_), None] if lacking_is_unlisted(RIGHT) => State::Unreadable,
            [None, Some(_)] if lacking_is_unlisted(LEFT) => State::Unreadable,
            [Some(_), None] => State::Only(LEFT),
            _ => State::Only(RIGHT),
        };
        let replaced = state == State::TwoKinds
            && (is_below_kinds && above.is_some_and(|above| above.replaced)
                || !is_below_kinds && self.is_replaced(here));
        let blocked = state == State::Unreadable
            || state == State::TwoKinds && !replaced
            || above.is_some_and(|above| above.blocked);
        let remembered = remembered.and_then(|root| find(root, path));
        Row { sides: here, remembered, state, blocked, replaced, act: Act::Nothing }
    }

    /// Section 4, of two kinds. The settings are as they are by default.
    fn is_replaced(&self, sides: [Option<&Item>; 2]) -> bool {
        let to = match self.mode {
            Mode::Mirror(to) => to,
            Mode::Custom(words) if words[0] == "to-right" => RIGHT,
            Mode::Custom(words) if words[0] == "to-left" => LEFT,
            _ => return false,
        };
        sides[to].is_some_and(is_known) && !matches!(sides[1 - to], Some(Item::Special { .. }))
    }

    /// Section 2.
    fn change(row: &Row<'_>, side: usize) -> Change {
        let Some(now) = row.sides[side] else { return Change::Gone };
        let Some(then) = row.remembered else { return Change::Changed };
        let is_size_other = match (then, now) {
            (Item::File { size: a, .. }, Item::File { size: b, .. }) => a != b,
            _ => false,
        };
        let date_counts = kind(now) != b'd' || row.sides[1 - side].is_some();
        let is_date_other = date_counts && modified(then) != modified(now);
        if kind(then) != kind(now) || is_size_other || is_date_other {
            Change::Changed
        } else {
            Change::Unchanged
        }
    }

    /// Section 2: whether what a side lacks is missing for certain.
    fn is_missing_for_certain(&self, path: &[Vec<u8>], side: usize) -> bool {
        let mut at = path;
        while let Some((_, folder)) = at.split_last() {
            at = folder;
            let Some(row) = self.rows.get(at) else { return false };
            if let Some(there) = row.sides[side] {
                return at.is_empty()
                    || kind(there) == b'd' && row.remembered.is_some_and(|then| kind(then) == b'd');
            }
        }
        false
    }

    /// Section 4.
    fn act(&self, path: &[Vec<u8>]) -> Act {
        let row = &self.rows[path];
        let source_lacks = |to: usize| row.sides[1 - to].is_none();
        match row.state {
            State::Same => Act::Nothing,
            State::Unreadable => match self.mode {
                Mode::Update(to) | Mode::Add(to) if source_lacks(to) => Act::Leave,
                _ => Act::Skip("unreadable"),
            },
            State::TwoKinds => self.of_two_kinds(path, row),
            State::Only(_) | State::Different => Self::against(row, self.table(path, row)),
        }
    }

    fn of_two_kinds(&self, path: &[Vec<u8>], row: &Row<'_>) -> Act {
        if row.replaced {
            let to = match self.mode {
                Mode::Mirror(to) => to,
                Mode::Custom(words) if words[0] == "to-right" => RIGHT,
                _ => LEFT,
            };
            return match row.sides[1 - to] {
                Some(_) => Self::against(row, Act::To(to)),
                None => Act::Nothing,
            };
        }
        if self.above(path).is_some_and(|above| above.state == State::TwoKinds) {
            return Act::Nothing;
        }
        match self.mode {
            Mode::Newest | Mode::TwoWay(_) => Act::Conflict("kinds"),
            Mode::Custom(words) if words[0] == "skip" => Act::Leave,
            _ => Act::Skip("kinds"),
        }
    }

    fn against(row: &Row<'_>, act: Act) -> Act {
        let is_special = |side: usize| matches!(row.sides[side], Some(Item::Special { .. }));
        match act {
            Act::Nothing | Act::Leave | Act::Skip(_) => act,
            _ if row.blocked => Act::Skip("unreadable"),
            Act::To(to) if is_special(1 - to) => Act::Skip("special"),
            Act::Remove(side) if is_special(side) => Act::Skip("special"),
            Act::Conflict(_) | Act::KeepBoth(_) if is_special(LEFT) => Act::Skip("special"),
            _ => act,
        }
    }

    /// Section 3.
    fn table(&self, path: &[Vec<u8>], row: &Row<'_>) -> Act {
        let only = match row.state {
            State::Only(side) => Some(side),
            _ => None,
        };
        match (self.mode, only) {
            (Mode::Mirror(to) | Mode::Update(to) | Mode::Add(to), Some(side)) if side != to => Act::To(to),
            (Mode::Mirror(to), Some(_)) => Act::Remove(to),
            (Mode::Update(_), Some(_)) | (Mode::Add(_), _) => Act::Leave,
            (Mode::Mirror(to) | Mode::Update(to), None) => Act::To(to),
            (Mode::Newest, Some(side)) => Act::To(1 - side),
            (Mode::Newest, None) => match (Self::stake(row), Self::newer(row)) {
                ("content" | "perhaps" | "dates", Some(newer)) => Act::To(1 - newer),
                ("content" | "perhaps", None) => Act::Conflict("same time"),
                _ => Act::Leave,
            },
            (Mode::TwoWay(_), Some(side)) => {
                let is_removed = row.remembered.is_some()
                    && Self::change(row, side) == Change::Unchanged
                    && self.is_missing_for_certain(path, 1 - side);
                if is_removed { Act::Remove(side) } else { Act::To(1 - side) }
            }
            (Mode::TwoWay("newest" | "left" | "right"), None) if self.first_run => {
                Self::two_way(row, "later")
            }
            (Mode::TwoWay(conflicts), None) => Self::two_way(row, conflicts),
            (Mode::Custom(words), _) => Self::custom(row, only, words),
        }
    }

    fn stake(row: &Row<'_>) -> &'static str {
        match row.sides {
            [Some(Item::File { size: a, .. }), Some(Item::File { size: b, .. })] if a != b => "content",
            [Some(Item::Link { text: a, .. }), Some(Item::Link { text: b, .. })] if a != b => "content",
            [Some(left), Some(right)] if modified(left) == modified(right) => "name",
            [Some(Item::Folder { .. }), _] => "folder dates",
            [Some(Item::Link { .. }), _] => "dates",
            _ => "perhaps",
        }
    }

    fn newer(row: &Row<'_>) -> Option<usize> {
        let [Some(left), Some(right)] = row.sides else { return None };
        match modified(left).cmp(&modified(right)) {
            std::cmp::Ordering::Greater => Some(LEFT),
            std::cmp::Ordering::Less => Some(RIGHT),
            std::cmp::Ordering::Equal => None,
        }
    }

    fn two_way(row: &Row<'_>, conflicts: &str) -> Act {
        let newer = Self::newer(row);
        let to_older = newer.map_or(Act::Leave, |newer| Act::To(1 - newer));
        let changed =
            row.remembered.map(|_| [LEFT, RIGHT].map(|side| Self::change(row, side) == Change::Changed));
        let wanted = match (Self::stake(row), changed) {
            ("name", _) => Act::Leave,
            (_, Some([true, false])) => Act::To(RIGHT),
            (_, Some([false, true])) => Act::To(LEFT),
            ("content" | "perhaps", None) => Act::Conflict("both new"),
            ("content" | "perhaps", Some([true, true])) => Act::Conflict("both changed"),
            ("content", _) => Act::Conflict("neither changed"),
            ("perhaps" | "folder dates", _) | ("dates", Some([false, false])) => Act::Leave,
            _ => to_older,
        };
        match (wanted, conflicts) {
            (Act::Conflict(_), "newest") => {
                newer.map_or(Act::Conflict("same time"), |newer| Act::To(1 - newer))
            }
            (Act::Conflict(_), "left") => Act::To(RIGHT),
            (Act::Conflict(_), "right") => Act::To(LEFT),
            (Act::Conflict(_), "keep-both") => Act::KeepBoth(newer.map_or(RIGHT, |newer| 1 - newer)),
            _ => wanted,
        }
    }

    /// The words: kind-change, moved, left-only, right-only, conflict, left-newer, right-newer, same-time-different.
    fn custom(row: &Row<'_>, only: Option<usize>, words: [&str; 8]) -> Act {
        let is_content = matches!(Self::stake(row), "content" | "perhaps");
        let both_changed = || {
            row.remembered.is_some()
                && [LEFT, RIGHT].iter().all(|&side| Self::change(row, side) == Change::Changed)
        };
        let word = match (only, Self::newer(row)) {
            (Some(LEFT), _) => words[2],
            (Some(_), _) => words[3],
            (None, _) if is_content && both_changed() => words[4],
            (None, Some(LEFT)) => words[5],
            (None, Some(_)) => words[6],
            (None, None) => words[7],
        };
        match (word, only) {
            ("remove", Some(side)) => Act::Remove(side),
            ("to-right" | "to-left", None) if Self::stake(row) == "folder dates" => Act::Leave,
            ("to-right", _) => Act::To(RIGHT),
            ("to-left", _) => Act::To(LEFT),
            ("keep-both", None) if is_content => {
                Act::KeepBoth(Self::newer(row).map_or(RIGHT, |newer| 1 - newer))
            }
            _ => Act::Leave,
        }
    }

    /// Section 4, rule 1.
    fn keep_folder(&mut self, path: &[Vec<u8>]) {
        let Act::Remove(side) = self.rows[path].act else { return };
        let is_whole = match self.rows[path].sides[side] {
            Some(Item::Folder { unlistable, items, .. }) => {
                !unlistable
                    && items.keys().all(|name| {
                        let inner: Path = path.iter().chain([name]).cloned().collect();
                        self.rows[&inner].act == Act::Remove(side)
                    })
            }
            _ => true,
        };
        if let Some(row) = self.rows.get_mut(path)
            && !is_whole
        {
            row.act = Act::Skip("not empty");
        }
    }

    /// Section 4, rule 2.
    fn make_folder(&mut self, path: &[Vec<u8>]) {
        let Act::To(to) = self.rows[path].act else { return };
        let Some((_, folder)) = path.split_last() else { return };
        if let Some(above) = self.rows.get_mut(folder)
            && above.sides[to].is_none()
            && !matches!(above.act, Act::Skip(why) if why != "not empty")
        {
            above.act = Act::To(to);
        }
    }
}
