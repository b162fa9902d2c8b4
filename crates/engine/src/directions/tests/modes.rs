//! The modes that there were before there was a table: their plans are the same.

use proptest::prelude::{any, prop_assert, prop_assert_eq, proptest};

use crate::Settings;
use crate::compare::{Comparison, RowId, Side};
use crate::directions::{Act, Decisions, Knowledge, Mode, decide, decide_knowing, plan_decided};
use crate::model::{compare_models, trees};
use crate::moves;
use crate::plan::{Plan, plan, plan_sync};
use crate::settings::{Newer, ReplaceKinds};
use crate::tree::NameOrder::{Exact, Folded};

/// Settings that decide what is planned, by a number.
fn settings_of(number: u32) -> Settings {
    let kinds = [ReplaceKinds::Never, ReplaceKinds::Sync, ReplaceKinds::Always];
    Settings {
        replace_kinds: kinds[number as usize % 3],
        newer: if number & 8 == 0 { Newer::Replace } else { Newer::Keep },
        compare_existence: number & 0x30 != 0,
        ..Settings::default()
    }
}

/// Each act is in the plan: what is to be skipped is, and nothing else.
fn skips(comparison: &Comparison, decisions: &Decisions) -> Vec<RowId> {
    let is_skip = |row: &RowId| matches!(decisions.act(*row), Act::Skip(_) | Act::Conflict(_));
    comparison.walk().filter(is_skip).collect()
}

fn text(plan: &Plan) -> String {
    format!("{plan:#?}")
}

proptest! {
    #![proptest_config(proptest::test_runner::Config::with_cases(1500))]

    #[test]
    fn mirror_is_sync_and_update_is_copy(
        left in trees(true), right in trees(true), folded: bool, to_left: bool, number in any::<u32>(),
        choice in any::<u64>(),
    ) {
        let settings = settings_of(number);
        let order = if folded { Folded } else { Exact };
        let comparison = compare_models(&left, &right, order, &settings);
        let to = if to_left { Side::Left } else { Side::Right };
        let all = |_: RowId| true;
        let some = |row: RowId| choice.rotate_left(row) & 1 == 1;
        let moves = moves::find(&comparison, None, &settings);
        let moved = moves.rows();
        let knowledge = Knowledge { remembered: None, moved: &moved };
        let mirror = decide_knowing(&comparison, knowledge, Mode::Mirror(to), &settings);
        let sync = plan_sync(&comparison, to, &all, &settings);
        prop_assert_eq!(text(&plan_decided(&comparison, &mirror, &all, &settings, &moves)), text(&sync));
        prop_assert_eq!(skips(&comparison, &mirror).len(), sync.skipped.len(), "what is decided is what is told");
        let update = decide(&comparison, None, Mode::Update(to), &settings);
        let copy = plan(&comparison, to, &all, &settings);
        prop_assert_eq!(text(&plan_decided(&comparison, &update, &all, &settings, &moves)), text(&copy));
        prop_assert_eq!(skips(&comparison, &update).len(), copy.skipped.len());
        prop_assert!(update.conflicts().next().is_none() && mirror.conflicts().next().is_none());
        let chosen = plan_decided(&comparison, &update, &some, &settings, &moves);
        let copy = plan(&comparison, to, &some, &settings);
        prop_assert_eq!(chosen.totals, copy.totals);
    }
}
