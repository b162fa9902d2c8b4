//! The modes that the window offers: what they are called, and how the chosen one is remembered.
//!
//! Invariant: no mode means that what is ticked is copied, which is how the window begins. A word that is not known is no
//! mode. What becomes of a conflict is not chosen here but with each plan, so that it is always left for later at first.
//! This module must not know what a mode decides.

use fcs_engine::compare::Side;
use fcs_engine::directions::{Category, Choice, Conflicts, Custom, Mode};

/// Two-way, with conflicts left for later.
pub const TWO_WAY: Mode = Mode::TwoWay { conflicts: Conflicts::Later };

/// Those that are offered, in their order; those of one line do the same, each to another side. `custom` is what is
/// chosen for each category.
pub fn all(custom: Custom) -> Vec<Vec<Option<Mode>>> {
    let both = |mode: fn(Side) -> Mode| vec![Some(mode(Side::Right)), Some(mode(Side::Left))];
    vec![
        vec![None],
        both(Mode::Mirror),
        both(Mode::Update),
        both(Mode::Add),
        vec![Some(Mode::Newest)],
        vec![Some(TWO_WAY)],
        vec![Some(Mode::Custom(custom))],
    ]
}

/// What it is called.
pub fn words(mode: Option<Mode>) -> &'static str {
    match mode {
        None => "What is ticked",
        Some(Mode::Mirror(Side::Right)) => "Mirror to the right",
        Some(Mode::Mirror(Side::Left)) => "Mirror to the left",
        Some(Mode::Update(Side::Right)) => "Update the right",
        Some(Mode::Update(Side::Left)) => "Update the left",
        Some(Mode::Add(Side::Right)) => "Add to the right",
        Some(Mode::Add(Side::Left)) => "Add to the left",
        Some(Mode::Newest) => "Newest on both",
        Some(Mode::TwoWay { .. }) => "Two-way",
        Some(Mode::Custom(_)) => "Custom",
    }
}

/// What it does, in a sentence.
pub fn hint(mode: Option<Mode>) -> &'static str {
    match mode {
        None => "Copies what you tick, to either side.",
        Some(Mode::Mirror(_)) => {
            "One side becomes what the other one is. What only it has is removed, to the undo store."
        }
        Some(Mode::Update(_)) => "One side gets what is missing or different. Nothing is removed.",
        Some(Mode::Add(_)) => "One side gets what is missing. Nothing else changes.",
        Some(Mode::Newest) => {
            "Each side gets what it lacks, and of what differs the newer version. Nothing is removed."
        }
        Some(Mode::TwoWay { .. }) => {
            "Changes and removals since the last run go both ways. What was changed on both sides is left for later."
        }
        Some(Mode::Custom(_)) => "What you choose for each kind of difference.",
    }
}

/// Whether two are the same one, whatever is chosen in it.
pub fn is_same(a: Option<Mode>, b: Option<Mode>) -> bool {
    words(a) == words(b)
}

/// As it is remembered; empty for no mode.
pub(crate) fn write(mode: Option<Mode>) -> String {
    let Some(mode) = mode else { return String::new() };
    match mode.target() {
        Some(Side::Left) => format!("{}-left", mode.word()),
        Some(Side::Right) => format!("{}-right", mode.word()),
        None => mode.word().to_owned(),
    }
}

/// As it was remembered.
pub(crate) fn read(word: &str, custom: Custom) -> Option<Mode> {
    all(custom).into_iter().flatten().find(|mode| write(*mode) == word).flatten()
}

/// The categories that something is chosen for, each with its words.
pub const CATEGORIES: [(Category, &str); 8] = [
    (Category::LeftOnly, "Only on the left"),
    (Category::RightOnly, "Only on the right"),
    (Category::LeftNewer, "Left newer"),
    (Category::RightNewer, "Right newer"),
    (Category::SameTimeDifferent, "Different, same time"),
    (Category::Conflict, "Changed on both sides"),
    (Category::Moved, "Moved"),
    (Category::KindChange, "Other kind"),
];

/// What a choice is called.
pub fn choice_words(choice: Choice) -> &'static str {
    match choice {
        Choice::ToRight => "To the right",
        Choice::ToLeft => "To the left",
        Choice::Remove => "Remove",
        Choice::KeepBoth => "Keep both",
        Choice::Skip => "Skip",
    }
}

/// What becomes of conflicts, as it is offered with a plan.
pub const CONFLICTS: [(Conflicts, &str); 5] = [
    (Conflicts::Later, "Left for later"),
    (Conflicts::Newest, "Newer version"),
    (Conflicts::Left, "Left version"),
    (Conflicts::Right, "Right version"),
    (Conflicts::KeepBoth, "Keep both"),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_mode_is_remembered_by_a_word_of_its_own() {
        let custom: Custom = "left-only=remove".parse().unwrap();
        let all: Vec<Option<Mode>> = all(custom).into_iter().flatten().collect();
        for &mode in &all {
            assert_eq!(read(&write(mode), custom), mode);
            assert_eq!(all.iter().filter(|other| is_same(**other, mode)).count(), 1, "{mode:?}");
        }
        assert_eq!((read("", custom), read("of a later version", custom)), (None, None));
    }

    #[test]
    fn something_can_be_chosen_for_every_category_that_is_offered() {
        for (category, words) in CATEGORIES {
            assert!(!Choice::of(category).is_empty() && !words.is_empty(), "{category:?}");
        }
        assert!(Choice::of(Category::Same).is_empty() && Choice::of(Category::Problem).is_empty());
    }
}
