//! What a caller chooses for each category, and how it is written: `left-only=to-right,conflict=keep-both`.

use std::fmt;
use std::str::FromStr;

use super::Category;

/// What is done with the rows of a category.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Choice {
    /// The left version goes to the right.
    ToRight,
    /// The right version goes to the left.
    ToLeft,
    /// The side that has the item loses it.
    Remove,
    /// Both versions are kept.
    KeepBoth,
    /// Nothing.
    Skip,
}

/// What is done with the rows of each category. As default everything goes to the side that lacks it or has the older version,
/// and the rest is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Custom {
    /// Only the left side has it: to the right, remove, skip.
    pub left_only: Choice,
    /// Only the right side has it: to the left, remove, skip.
    pub right_only: Choice,
    /// They differ, and the left one is newer: anything but remove.
    pub left_newer: Choice,
    /// They differ, and the right one is newer: anything but remove.
    pub right_newer: Choice,
    /// They differ, and have one time: anything but remove.
    pub same_time_different: Choice,
    /// Both were changed since they were last equal: anything but remove.
    pub conflict: Choice,
    /// One item that has another path on each side; it gets the other side's: to the right, to the left, skip.
    pub moved: Choice,
    /// They are of different kinds: to the right, to the left, skip.
    pub kind_change: Choice,
}

impl Default for Custom {
    fn default() -> Self {
        Self {
            left_only: Choice::ToRight,
            right_only: Choice::ToLeft,
            left_newer: Choice::ToRight,
            right_newer: Choice::ToLeft,
            same_time_different: Choice::Skip,
            conflict: Choice::Skip,
            moved: Choice::Skip,
            kind_change: Choice::Skip,
        }
    }
}

/// Why the text of a [`Custom`] was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadCustom {
    /// Not `category=choice`.
    #[error("{0:?} is not of the form category=choice")]
    Form(String),
    /// No category that something can be chosen for.
    #[error("{0:?} is no category; there are {words}", words = CATEGORIES.map(Category::word).join(", "))]
    Category(String),
    /// No choice, or none for this category.
    #[error("{choice:?} is no choice for {}: {}", category.word(), words(*category))]
    Choice {
        /// The category.
        category: Category,
        /// What was written.
        choice: String,
    },
}

/// Those that something can be chosen for.
const CATEGORIES: [Category; 8] = [
    Category::LeftOnly,
    Category::RightOnly,
    Category::LeftNewer,
    Category::RightNewer,
    Category::SameTimeDifferent,
    Category::Conflict,
    Category::Moved,
    Category::KindChange,
];

impl Choice {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::ToRight => "to-right",
            Self::ToLeft => "to-left",
            Self::Remove => "remove",
            Self::KeepBoth => "keep-both",
            Self::Skip => "skip",
        }
    }

    /// Those that there are for a category; none where nothing can be chosen.
    pub fn of(category: Category) -> &'static [Self] {
        match category {
            Category::LeftOnly => &[Self::ToRight, Self::Remove, Self::Skip],
            Category::RightOnly => &[Self::ToLeft, Self::Remove, Self::Skip],
            Category::LeftNewer | Category::RightNewer | Category::SameTimeDifferent | Category::Conflict => {
                &[Self::ToRight, Self::ToLeft, Self::KeepBoth, Self::Skip]
            }
            Category::Moved | Category::KindChange => &[Self::ToRight, Self::ToLeft, Self::Skip],
            Category::Same | Category::Problem => &[],
        }
    }
}

fn words(category: Category) -> String {
    Choice::of(category).iter().map(|choice| choice.word()).collect::<Vec<_>>().join(", ")
}

impl Custom {
    /// Chooses for a category by the words for both.
    ///
    /// # Errors
    ///
    /// [`BadCustom::Category`] and [`BadCustom::Choice`]; then nothing changes.
    pub fn choose_by_words(&mut self, category: &str, choice: &str) -> Result<(), BadCustom> {
        let found = CATEGORIES.into_iter().find(|found| found.word() == category);
        let category = found.ok_or_else(|| BadCustom::Category(category.into()))?;
        let found = Choice::of(category).iter().find(|found| found.word() == choice);
        let choice = *found.ok_or_else(|| BadCustom::Choice { category, choice: choice.into() })?;
        self.choose(category, choice);
        Ok(())
    }

    /// What is chosen for a category; skip where nothing can be.
    pub fn choice(&self, category: Category) -> Choice {
        match category {
            Category::LeftOnly => self.left_only,
            Category::RightOnly => self.right_only,
            Category::LeftNewer => self.left_newer,
            Category::RightNewer => self.right_newer,
            Category::SameTimeDifferent => self.same_time_different,
            Category::Conflict => self.conflict,
            Category::Moved => self.moved,
            Category::KindChange => self.kind_change,
            Category::Same | Category::Problem => Choice::Skip,
        }
    }

    /// Chooses for a category; `false`, and nothing changes, where that cannot be chosen for it.
    pub fn choose(&mut self, category: Category, choice: Choice) -> bool {
        if !Choice::of(category).contains(&choice) {
            return false;
        }
        let chosen = match category {
            Category::LeftOnly => &mut self.left_only,
            Category::RightOnly => &mut self.right_only,
            Category::LeftNewer => &mut self.left_newer,
            Category::RightNewer => &mut self.right_newer,
            Category::SameTimeDifferent => &mut self.same_time_different,
            Category::Conflict => &mut self.conflict,
            Category::Moved => &mut self.moved,
            Category::KindChange => &mut self.kind_change,
            Category::Same | Category::Problem => return false,
        };
        *chosen = choice;
        true
    }
}

impl FromStr for Custom {
    type Err = BadCustom;

    /// Reads `category=choice`, several with commas between them; what is not named is as in the default.
    fn from_str(text: &str) -> Result<Self, BadCustom> {
        let mut custom = Self::default();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            let (name, word) = part.split_once('=').ok_or_else(|| BadCustom::Form(part.into()))?;
            custom.choose_by_words(name.trim(), word.trim())?;
        }
        Ok(custom)
    }
}

impl fmt::Display for Custom {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, category) in CATEGORIES.into_iter().enumerate() {
            let comma = if at == 0 { "" } else { "," };
            write!(f, "{comma}{}={}", category.word(), self.choice(category).word())?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_and_the_rest_is_the_default() {
        let custom: Custom = "left-only = remove, conflict=keep-both,".parse().unwrap();
        let expected = Custom { left_only: Choice::Remove, conflict: Choice::KeepBoth, ..Custom::default() };
        assert_eq!(custom, expected);
        assert_eq!(custom.to_string().parse(), Ok(custom));
        assert_eq!("".parse(), Ok(Custom::default()));
    }

    #[test]
    fn what_cannot_be_chosen_is_refused_with_what_can_be() {
        let error = |text: &str| text.parse::<Custom>().unwrap_err().to_string();
        assert_eq!(error("left-only"), "\"left-only\" is not of the form category=choice");
        assert_eq!(
            error("left-only=to-left"),
            "\"to-left\" is no choice for left-only: to-right, remove, skip"
        );
        assert!(error("same=skip").starts_with("\"same\" is no category; there are left-only, right-only"));
        assert!(error("left-newer=remove").contains("to-right, to-left, keep-both, skip"));
        for category in CATEGORIES {
            let mut custom = Custom::default();
            assert!(Choice::of(category).contains(&custom.choice(category)), "{category:?}");
            for &choice in Choice::of(category) {
                assert!(custom.choose(category, choice) && custom.choice(category) == choice);
            }
        }
        assert!(!Custom::default().choose(Category::Problem, Choice::Skip));
    }
}
