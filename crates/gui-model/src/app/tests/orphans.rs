//! What only one side has, deleted from the window.

use super::*;

#[test]
fn orphans_go_only_after_their_number_was_typed() {
    let mut bench = Bench::new();
    bench.write("left/both.txt", b"both");
    bench.write("right/both.txt", b"both");
    for n in 0..4 {
        bench.write(&format!("right/old/{n}.txt"), b"old");
    }
    bench.compare();
    bench.app.delete_orphans(Side::Right);
    bench.until(
        "the items looked at",
        |app| matches!(&app.sheet, Some(Sheet::Orphans(o)) if o.access.is_some()),
    );
    let Some(Sheet::Orphans(orphans)) = &mut bench.app.sheet else { unreachable!() };
    assert_eq!(orphans.ticked, Statistics { files: 4, folders: 1, bytes: 12 });
    assert!(orphans.troubled.is_empty(), "{:?}", orphans.troubled);
    orphans.set_filter("0*;1*".into(), &TimeZone::UTC);
    orphans.tick_all();
    assert_eq!(orphans.ticked.files, 2, "many are ticked only as far as the filter shows them");
    orphans.set_filter(String::new(), &TimeZone::UTC);
    orphans.tick_all();
    orphans.dry_run = true;
    bench.app.remove_orphans(true);
    bench.until("a dry run", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    assert!(bench.ended().is_dry() && bench.path("right/old/3.txt").exists());

    bench.app.delete_orphans(Side::Right);
    bench.until("the dialog", |app| matches!(app.sheet, Some(Sheet::Orphans(_))));
    bench.app.remove_orphans(true);
    bench.until("a plan", |app| matches!(&app.sheet, Some(Sheet::Confirm(c)) if c.proposed.is_some()));
    assert_eq!(bench.proposed().must_type(), Some(5), "5 of 6 items are more than half");
    bench.app.go(false);
    assert!(bench.app.busy.is_none() && bench.path("right/old/3.txt").exists(), "not without the number");
    let Some(Sheet::Confirm(confirm)) = &mut bench.app.sheet else { unreachable!() };
    confirm.typed = "4".into();
    assert!(confirm.obstacle().is_some());
    confirm.typed = " 5 ".into();
    assert_eq!(confirm.obstacle(), None);
    bench.app.go(false);
    bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    bench.idle();
    assert!(!bench.path("right/old").exists() && bench.path("right/both.txt").exists());
    assert_eq!(bench.ended().report.counts.removed, 4);
    assert!(bench.ended().can_undo(), "the undo store is where they go");

    bench.app.show_history();
    bench.until("the runs", |app| matches!(app.sheet, Some(Sheet::History(Some(_)))));
    let Some(Sheet::History(Some(listed))) = &bench.app.sheet else { unreachable!() };
    let runs = listed[1].runs.as_ref().unwrap();
    assert_eq!((runs.len(), &*runs[0].command, runs[0].undoable), (1, "orphans", true));
}

#[test]
fn what_is_deleted_for_good_needs_its_number_however_few() {
    let mut bench = Bench::new();
    for n in 0..9 {
        bench.write(&format!("left/{n}.txt"), b"both");
        bench.write(&format!("right/{n}.txt"), b"both");
    }
    bench.write("right/x.txt", b"x");
    bench.compare();
    bench.app.delete_orphans(Side::Right);
    bench.until("the dialog", |app| matches!(app.sheet, Some(Sheet::Orphans(_))));
    let Some(Sheet::Orphans(orphans)) = &mut bench.app.sheet else { unreachable!() };
    orphans.destination = RemovedTo::Permanent;
    bench.app.remove_orphans(true);
    bench.until("a plan", |app| matches!(&app.sheet, Some(Sheet::Confirm(c)) if c.proposed.is_some()));
    assert_eq!(bench.proposed().must_type(), Some(1));
    bench.app.go(false);
    assert!(bench.app.busy.is_none(), "not without the number");
    assert!(bench.path("right/x.txt").exists());
}
