//! The menu of a row, and what is handed to the desktop. Nothing is opened here.

use std::path::PathBuf;

use fcs_engine::compare::Side;

use super::Bench;
use crate::app::RowCommand;
use crate::log::Level;

fn handed(bench: &Bench) -> Vec<(&'static str, PathBuf)> {
    bench.answers.1.lock().unwrap().clone()
}

#[test]
fn a_rows_menu_offers_what_the_row_has() {
    let mut bench = Bench::new();
    bench.write("left/sub/a.txt", b"a");
    bench.write("right/sub/b.txt", b"b");
    bench.compare();
    let words = |bench: &Bench, path: &str, side: Side| -> Vec<String> {
        bench.app.row_menu(bench.row(path), side).into_iter().map(|entry| entry.words).collect()
    };
    assert_eq!(
        words(&bench, "sub/a.txt", Side::Right),
        ["Times…", "Open the left file", "Show the left one in its folder", "Copy the left path"]
    );
    let folder = words(&bench, "sub", Side::Left);
    assert_eq!(folder[..3], ["Tick on the left", "Expand", "Times…"]);
    assert!(folder.contains(&"Open the right folder".to_owned()), "{folder:?}");
    let entries = bench.app.row_menu(bench.row("sub/a.txt"), Side::Right);
    assert_eq!((entries[1].key, entries[2].key), ("Enter", "Ctrl+Enter"), "the keys mean the only side");
    bench.app.compare();
    let times = bench.app.row_menu(bench.row("sub"), Side::Left);
    let times = times.iter().find(|entry| entry.command == RowCommand::Times).unwrap();
    assert!(!times.enabled, "not while the folders are compared");
    bench.idle();
}

#[test]
fn files_are_opened_on_their_side_and_folders_only_from_the_menu() {
    let mut bench = Bench::new();
    bench.write("left/both.txt", b"a");
    bench.write("right/both.txt", b"b");
    bench.write("right/sub/only.txt", b"c");
    bench.write("left/nothing", b"d");
    bench.compare();
    let [both, only, sub, nothing] =
        ["both.txt", "sub/only.txt", "sub", "nothing"].map(|path| bench.row(path));
    bench.app.activate(both, Side::Right);
    bench.until("the opening", |app| app.status_message.is_some());
    assert_eq!(handed(&bench), [("open", bench.path("right/both.txt"))]);
    bench.app.status_message = None;
    bench.app.activate(only, Side::Left);
    bench.until("the opening", |app| app.status_message.is_some());
    assert_eq!(handed(&bench)[1], ("open", bench.path("right/sub/only.txt")), "the side that has it");

    bench.app.status_message = None;
    bench.app.activate(sub, Side::Right);
    bench.app.row_command(sub, RowCommand::Reveal(Side::Right));
    bench.until("the file manager", |app| app.status_message.is_some());
    assert_eq!(handed(&bench)[2..], [("reveal", bench.path("right/sub"))], "a folder is not activated");
    bench.app.row_command(sub, RowCommand::Open(Side::Left));
    assert_eq!(handed(&bench).len(), 3, "the left side has none");

    bench.app.status_message = None;
    bench.app.activate(nothing, Side::Left);
    bench.until("a refusal", |app| app.status_message.is_some());
    let line = bench.app.log.last().unwrap();
    assert_eq!(line.level, Level::Error);
    assert!(line.text.starts_with("Could not open ") && line.text.ends_with(": no program is there for it."));
}
