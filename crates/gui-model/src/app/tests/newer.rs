//! Which side is newer: in the log, under the chips, and in the warning before an older file replaces a newer one.

use fcs_engine::compare::Side;

use super::Bench;
use crate::app::Choice;
use crate::chips::{Chip, Chips};

fn bench() -> Bench {
    let mut bench = Bench::new();
    for n in 0..12 {
        bench.dated(&format!("left/{n:02}.txt"), b"old", 10, 0);
        bench.dated(&format!("right/{n:02}.txt"), b"newer", 20, 0);
    }
    bench.dated("left/mine.txt", b"the new one", 30, 0);
    bench.dated("right/mine.txt", b"the old", 10, 0);
    bench.dated("left/tie.txt", b"one", 10, 0);
    bench.dated("right/tie.txt", b"other", 10, 0);
    bench.compare();
    bench
}

#[test]
fn before_older_files_replace_newer_ones_the_first_are_listed_and_the_rest_is_counted() {
    let mut bench = bench();
    bench.plan_copy(Side::Right);
    let proposed = bench.proposed();
    let first: Vec<String> = (0..10).map(|n| format!("{n:02}.txt")).collect();
    assert_eq!((&proposed.newer, proposed.more_newer), (&first, 2));
    assert_eq!(
        proposed.newer_words().as_deref(),
        Some("Older files replace these 12 newer ones on the right:")
    );
    bench.app.choose(Choice::Newer, false);
    bench.until("a plan", |app| app.busy.is_none());
    assert_eq!((bench.proposed().newer.len(), bench.proposed().newer_words()), (0, None), "left alone");
    bench.app.close_sheet();

    bench.app.clear_ticks(Side::Left);
    bench.plan_copy(Side::Left);
    let proposed = bench.proposed();
    assert_eq!((&*proposed.newer, proposed.more_newer), (&["mine.txt".to_owned()][..], 0));
    let words = proposed.newer_words();
    assert_eq!(words.as_deref(), Some("An older file replaces this newer one on the left:"));
}

#[test]
fn the_summary_and_the_chips_say_which_side_is_newer() {
    let mut bench = bench();
    let line = bench.app.log.lines().iter().find(|line| line.text.starts_with("Compared")).unwrap();
    assert!(line.text.contains("14 different (1 newer on the left, 12 newer on the right)"), "{line:?}");
    assert_eq!(bench.app.chip_count(Chip::RightNewer), 12);
    for chip in Chip::ALL {
        if chip != Chip::LeftNewer {
            bench.app.toggle_chip(chip);
        }
    }
    assert_eq!(bench.app.filter.chips, Chips::NONE.toggled(Chip::LeftNewer));
    let rows = bench.app.loaded().unwrap().model.rows();
    let shown: Vec<_> = rows.matching().iter().collect();
    assert_eq!(shown, [bench.row("mine.txt")]);
}
