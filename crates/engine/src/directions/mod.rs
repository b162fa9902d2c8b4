//! What is to be done with each row of a comparison: the one decision table of every direction, as `docs/directions.md` prints
//! it.
//!
//! ```text
//! Comparison ─┐
//!             ├─ decide ─▶ Decisions (one act per row) ─ plan_decided ─▶ Plan for one or both sides
//! Remembered ─┘                  ▲ set: a caller decides otherwise
//! ```
//!
//! Invariants: pure, reads no disk. Nothing that could not be read, compared or told apart is ever removed or replaced. Where it
//! is not known which of two versions is wanted, nothing is done and it is said. How a plan is carried out, and where the memory
//! is kept, is not known here.

mod category;
mod custom;
mod plan;
mod second_name;
mod since;
mod table;
mod walk;

use crate::Settings;
use crate::compare::{Comparison, RowId, Side};
use crate::memory::Remembered;
use crate::report::SkipReason;

pub use category::Category;
pub use custom::{BadCustom, Choice, Custom};
pub use plan::plan_decided;
pub(crate) use plan::{HiddenNames, folders_of_second_names, plan_beside};
pub use second_name::ConflictName;
pub use since::{Change, forgotten};

/// Which way items go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// This side becomes what the other one is; what only it has is removed.
    Mirror(Side),
    /// This side gets what is missing or different; nothing is removed.
    Update(Side),
    /// This side gets what is missing, and nothing else changes.
    Add(Side),
    /// Both sides get what they lack, and of what differs the newer version. Nothing is removed.
    Newest,
    /// Changes and removals travel both ways, by what is remembered of the pair.
    TwoWay {
        /// What becomes of items that were changed on both sides.
        conflicts: Conflicts,
    },
    /// What the caller chose for each category.
    Custom(Custom),
}

/// What becomes of items that were changed on both sides.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Conflicts {
    /// Nothing; they are told.
    #[default]
    Later,
    /// The newer version goes to both sides. Those of one time are left for later.
    Newest,
    /// The left version goes to both sides.
    Left,
    /// The right version goes to both sides.
    Right,
    /// Both versions are kept: the newer one under the name, the other one beside it under a name of its own. Of two of one time
    /// the left one has the name.
    KeepBoth,
}

/// What is to be done with one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Act {
    /// Nothing: both sides are as they are to be.
    Nothing,
    /// They may stay different: the mode does not concern itself with it, or somebody chose so.
    Leave,
    /// What the other side has goes to this one, in the place of what that has.
    CopyTo(Side),
    /// What this side has is removed.
    RemoveFrom(Side),
    /// What this side has gets another name, and goes to the other side under that name.
    KeepBoth {
        /// The side whose version loses the name.
        loser: Side,
    },
    /// Nothing, because it is not known which version is wanted.
    Conflict(Why),
    /// Nothing, because it cannot be.
    Skip(SkipReason),
}

/// Why it is not known which of two versions is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    /// Both were changed since they were last equal.
    BothChanged,
    /// Nothing is remembered of the two.
    BothNew,
    /// They differ, and by all signs neither was changed since they were equal.
    NeitherChanged,
    /// They have the same modified time.
    SameTime,
    /// They are items of different kinds.
    Kinds,
}

impl Mode {
    /// The side that is written to, where it is one only.
    pub fn target(self) -> Option<Side> {
        match self {
            Self::Mirror(side) | Self::Update(side) | Self::Add(side) => Some(side),
            Self::Newest | Self::TwoWay { .. } | Self::Custom(_) => None,
        }
    }

    /// The mode's name, without the side.
    pub fn word(self) -> &'static str {
        match self {
            Self::Mirror(_) => "mirror",
            Self::Update(_) => "update",
            Self::Add(_) => "add",
            Self::Newest => "newest",
            Self::TwoWay { .. } => "two-way",
            Self::Custom(_) => "custom",
        }
    }

    /// Whether it goes by what is remembered of the pair.
    pub fn uses_memory(self) -> bool {
        matches!(self, Self::TwoWay { .. } | Self::Custom(_))
    }
}

impl Conflicts {
    /// The words for them, in the order of the variants.
    pub const WORDS: &'static [&'static str] = &["later", "newest", "left", "right", "keep-both"];
}

impl std::str::FromStr for Conflicts {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Ok(match text {
            "later" => Self::Later,
            "newest" => Self::Newest,
            "left" => Self::Left,
            "right" => Self::Right,
            "keep-both" => Self::KeepBoth,
            _ => return Err(format!("one of {}", Self::WORDS.join(", "))),
        })
    }
}

impl std::fmt::Display for Conflicts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Later => "later",
            Self::Newest => "newest",
            Self::Left => "left",
            Self::Right => "right",
            Self::KeepBoth => "keep-both",
        })
    }
}

impl Why {
    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::BothChanged => "changed on both sides",
            Self::BothNew => "the two sides differ, and nothing is remembered of them",
            Self::NeitherChanged => "the two sides differ, and neither seems to have been changed",
            Self::SameTime => "the two sides differ and have the same time",
            Self::Kinds => "an item of another kind on each side",
        }
    }
}

/// What is known of a pair beyond the comparison.
#[derive(Debug, Clone, Copy, Default)]
pub struct Knowledge<'a> {
    /// What both sides were when they were last proven equal; `None` or empty at a first run.
    pub remembered: Option<&'a Remembered>,
    /// Rows that are one item which was moved: the row that only the left side has, and the one that only the right has. What is
    /// in a folder that moved is among them.
    pub moved: &'a [(RowId, RowId)],
}

/// What is to be done with each row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decisions {
    pub(crate) mode: Mode,
    pub(crate) acts: Vec<Act>,
}

/// How many rows there are for each act.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, serde::Serialize)]
pub struct DecisionCounts {
    /// Rows that go to the left side.
    pub to_left: u64,
    /// Rows that go to the right side.
    pub to_right: u64,
    /// Rows that are removed from the left side.
    pub removed_left: u64,
    /// Rows that are removed from the right side.
    pub removed_right: u64,
    /// Rows of which both versions are kept.
    pub keep_both: u64,
    /// Rows of which it is not known which version is wanted.
    pub conflicts: u64,
    /// Rows with which nothing can be done.
    pub skipped: u64,
    /// Rows that may stay different.
    pub left: u64,
}

/// Decides what is to be done with each row.
pub fn decide(
    comparison: &Comparison,
    remembered: Option<&Remembered>,
    mode: Mode,
    settings: &Settings,
) -> Decisions {
    decide_knowing(comparison, Knowledge { remembered, moved: &[] }, mode, settings)
}

/// As [`decide`], with all that is known of the pair.
pub fn decide_knowing(
    comparison: &Comparison,
    knowledge: Knowledge<'_>,
    mode: Mode,
    settings: &Settings,
) -> Decisions {
    walk::Walker::new(comparison, knowledge, mode, settings).decide()
}

/// The category of each row; without a memory nothing is a conflict.
pub fn categories(comparison: &Comparison, knowledge: Knowledge<'_>, settings: &Settings) -> Vec<Category> {
    let since = since::Since::new(comparison, knowledge.remembered, settings);
    category::all(&since, knowledge.moved)
}

/// What became of one side's item since both were last equal; `None` where nothing is remembered of it.
pub fn side_change(
    comparison: &Comparison,
    row: RowId,
    side: Side,
    remembered: Option<&Remembered>,
    settings: &Settings,
) -> Option<Change> {
    let since = since::Since::new(comparison, remembered, settings);
    since.known(row).map(|_| since.change(row, side))
}

impl Decisions {
    /// The mode by which was decided.
    pub fn mode(&self) -> Mode {
        self.mode
    }

    /// What is to be done with a row.
    pub fn act(&self, row: RowId) -> Act {
        self.acts.get(row as usize).copied().unwrap_or(Act::Nothing)
    }

    /// Decides otherwise about a row. `false`, and nothing changes, where the row is no such thing: nothing goes from a side
    /// that has nothing, only what the other side lacks is removed, and both versions are kept of two files or two links only.
    ///
    /// Where an item takes the place of one of another kind, what is below it goes along. A folder that was to be removed and
    /// in which this row is to stay, stays; where the row goes to the other side, the folder does, too.
    pub fn set(&mut self, comparison: &Comparison, row: RowId, act: Act) -> bool {
        walk::set(self, comparison, row, act)
    }

    /// Whether [`Self::set`] can decide so about a row.
    pub fn can_set(comparison: &Comparison, row: RowId, act: Act) -> bool {
        walk::fits(comparison, row, act)
    }

    /// The rows of which it is not known which version is wanted.
    pub fn conflicts(&self) -> impl Iterator<Item = (RowId, Why)> {
        self.acts.iter().enumerate().filter_map(|(row, act)| match act {
            Act::Conflict(why) => Some((row as RowId, *why)),
            _ => None,
        })
    }

    /// How many rows there are for each act, the root among them.
    pub fn counts(&self) -> DecisionCounts {
        let mut counts = DecisionCounts::default();
        for act in &self.acts {
            let count = match act {
                Act::Nothing => continue,
                Act::Leave => &mut counts.left,
                Act::CopyTo(Side::Left) => &mut counts.to_left,
                Act::CopyTo(Side::Right) => &mut counts.to_right,
                Act::RemoveFrom(Side::Left) => &mut counts.removed_left,
                Act::RemoveFrom(Side::Right) => &mut counts.removed_right,
                Act::KeepBoth { .. } => &mut counts.keep_both,
                Act::Conflict(_) => &mut counts.conflicts,
                Act::Skip(_) => &mut counts.skipped,
            };
            *count += 1;
        }
        counts
    }
}

#[cfg(test)]
mod tests;
