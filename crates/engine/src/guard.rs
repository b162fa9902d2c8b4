//! How much a run may remove before it must be allowed on purpose.
//!
//! A source that is suddenly empty (a disk that is not mounted, a folder given by mistake) makes everything on the
//! target look superfluous. Undo would restore it, but nobody should have to find that out.
//!
//! Invariant: pure; looks at numbers only. This module must not know how a user is asked.

use std::fmt;

use crate::Settings;

/// Which limit was passed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(tag = "kind", content = "limit", rename_all = "kebab-case")]
pub enum Limit {
    /// The share of the side's items in `max_delete_percent`.
    Percent(u64),
    /// The number in `max_delete_items`.
    Items(u64),
    /// The number that was allowed for this run.
    Allowed(u64),
}

/// More is to be removed than is allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Excess {
    /// Items that are to be removed.
    pub items: u64,
    /// Items that the side has, as far as they take part.
    pub of: u64,
    /// The limit this passes.
    pub limit: Limit,
}

impl Excess {
    /// This and that of another side as one, which is allowed as one.
    pub(crate) fn and(self, other: Self) -> Self {
        let items = self.items.saturating_add(other.items);
        Self { items, of: self.of.saturating_add(other.of), ..self }
    }
}

/// Judges the removal of `items` of the `of` items on a side. With `allowed`, that number alone counts.
pub fn excess(items: u64, of: u64, allowed: Option<u64>, settings: &Settings) -> Option<Excess> {
    let beyond = |limit| Some(Excess { items, of, limit });
    if let Some(allowed) = allowed {
        return if items > allowed { beyond(Limit::Allowed(allowed)) } else { None };
    }
    let percent = settings.max_delete_percent;
    if items > settings.max_delete_items {
        beyond(Limit::Items(settings.max_delete_items))
    } else if u128::from(items) * 100 > u128::from(of) * u128::from(percent) {
        beyond(Limit::Percent(percent))
    } else {
        None
    }
}

impl fmt::Display for Excess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {} items would be removed, more than ", self.items, self.of)?;
        match self.limit {
            Limit::Percent(percent) => write!(f, "the {percent} % that may be removed without confirmation"),
            Limit::Items(items) => write!(f, "the {items} that may be removed without confirmation"),
            Limit::Allowed(allowed) => write!(f, "the {allowed} that were allowed"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_a_side_may_go_and_one_more_may_not() {
        let s = Settings::default();
        assert_eq!(excess(0, 0, None, &s), None);
        assert_eq!(excess(5, 10, None, &s), None);
        assert_eq!(excess(6, 10, None, &s), Some(Excess { items: 6, of: 10, limit: Limit::Percent(50) }));
        assert_eq!(excess(1, 1, None, &s).unwrap().limit, Limit::Percent(50));
        assert_eq!(
            excess(6, 10, None, &s).unwrap().to_string(),
            "6 of 10 items would be removed, more than the 50 % that may be removed without confirmation"
        );
        assert_eq!(excess(u64::MAX / 2, u64::MAX, None, &Settings { max_delete_items: u64::MAX, ..s }), None);
    }

    #[test]
    fn ten_thousand_may_go_however_large_the_side_is() {
        let s = Settings::default();
        assert_eq!(excess(10_000, 10_000_000, None, &s), None);
        assert_eq!(excess(10_001, 10_000_000, None, &s).unwrap().limit, Limit::Items(10_000));
    }

    #[test]
    fn what_is_allowed_is_the_only_limit_and_may_be_tighter() {
        let s = Settings::default();
        assert_eq!(excess(20_000, 20_000, Some(20_000), &s), None);
        assert_eq!(excess(20_001, 30_000, Some(20_000), &s).unwrap().limit, Limit::Allowed(20_000));
        assert_eq!(excess(1, 1_000, Some(0), &s).unwrap().limit, Limit::Allowed(0));
        assert_eq!(excess(0, 0, Some(0), &s), None);
    }

    #[test]
    fn percent_0_and_100_mean_nothing_and_anything() {
        let with = |max_delete_percent| Settings { max_delete_percent, ..Settings::default() };
        assert!(excess(1, 1_000, None, &with(0)).is_some());
        assert_eq!(excess(1_000, 1_000, None, &with(100)), None);
    }
}
