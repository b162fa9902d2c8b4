//! Plans come back as they were, and nothing else comes back as a plan.

use std::io::{BufReader, Cursor};

use fcs_sys::{Name, RelPath};
use proptest::prelude::*;

use super::*;
use crate::Settings;
use crate::compare::{Comparison, RowId, Side};
use crate::model::{compare_models, trees};
use crate::plan::plan_sync;
use crate::settings::ReplaceKinds;
use crate::tree::NameOrder;

fn written(plan: &Plan) -> Vec<u8> {
    write(plan, &["/from", "/to"], Vec::new()).unwrap()
}

fn sample(names: &[&[u8]]) -> Plan {
    let item = crate::model::Item::folder(0, [("f", crate::model::Item::file(1, 0))]);
    let empty = crate::model::Item::folder(5, []);
    let comparison = compare_models(&item, &empty, NameOrder::Exact, &Settings::default());
    let mut plan = plan_sync(&comparison, Side::Right, &|_| true, &Settings::default());
    let step = plan.folders[0].steps[0].clone();
    plan.folders[0].steps = names
        .iter()
        .map(|&name| {
            let name = Name::new(name).unwrap();
            Step { source_name: name.clone(), target_name: name, ..step.clone() }
        })
        .collect();
    plan
}

proptest! {
    #[test]
    fn a_plan_comes_back_as_it_was(left in trees(true), right in trees(true), folded: bool, choice in any::<u64>()) {
        let order = if folded { NameOrder::Folded } else { NameOrder::Exact };
        let settings = Settings { replace_kinds: ReplaceKinds::Always, ..Settings::default() };
        let comparison = compare_models(&left, &right, order, &settings);
        let selected = |row: RowId| choice.rotate_left(row) & 1 == 1;
        let mut plan = plan_sync(&comparison, Side::Right, &selected, &settings);
        plan.unreadable.push(RootPath { root: RootIndex(1), path: RelPath::parse(b"not/read").unwrap() });
        plan.refused.kept_off.push(RootPath { root: RootIndex(1), path: RelPath::parse(b"kept/off").unwrap() });
        let (header, again) = read(Cursor::new(written(&plan))).unwrap();
        prop_assert_eq!(header.roots, ["/from", "/to"]);
        prop_assert_eq!(again, plan);
    }

    /// One bit anywhere, or an end anywhere.
    #[test]
    fn what_was_changed_or_cut_is_no_plan(at in any::<prop::sample::Index>(), bit in 0..8_u8, cut: bool) {
        let mut bytes = written(&sample(&[b"a", b"b", b"c"]));
        let at = at.index(bytes.len());
        if cut {
            bytes.truncate(at);
        } else {
            bytes[at] ^= 1 << bit;
        }
        prop_assert!(read(Cursor::new(bytes)).is_err());
    }

    #[test]
    fn nothing_makes_the_reader_panic(bytes in prop::collection::vec(any::<u8>(), 0..2000), lines in prop::collection::vec(0..8_usize, 0..40)) {
        let _ = read(Cursor::new(&bytes));
        // Lines of a plan in any order.
        let whole = written(&sample(&[b"a", b"b"]));
        let parts: Vec<&[u8]> = whole.split_inclusive(|&b| b == b'\n').collect();
        let shuffled: Vec<u8> = lines.iter().flat_map(|&i| parts[i % parts.len()]).copied().collect();
        if let Ok((_, plan)) = read(Cursor::new(&shuffled)) {
            prop_assert_eq!(written(&plan), whole, "only the plan itself is one");
        }
    }
}

#[cfg(unix)]
#[test]
fn names_that_are_no_text_come_back_exactly() {
    let plan = sample(&[b"a\nb", b"\xff\xfe", "\u{202e}x".as_bytes(), b"{\"end\":", &[0x80; 255]]);
    assert_eq!(read(Cursor::new(written(&plan))).unwrap().1, plan);
}

#[test]
fn what_belongs_to_the_program_is_never_an_item() {
    for name in [&b".fcs-0123-1.part"[..], b".fcs"] {
        let error = read(Cursor::new(written(&sample(&[name])))).unwrap_err();
        assert!(matches!(error, PlanFileError::BadLine { line: 3, .. }), "{error}");
    }
    let mut plan = sample(&[b"f"]);
    plan.folders[0].target_path = RelPath::parse(b".fcs/runs").unwrap();
    assert!(read(Cursor::new(written(&plan))).is_err());
}

#[test]
fn other_files_and_versions_are_told_apart() {
    let text = |text: &str| read(Cursor::new(text.as_bytes().to_vec())).unwrap_err();
    assert!(matches!(text(""), PlanFileError::NotAPlan));
    assert!(matches!(text("hello\n"), PlanFileError::NotAPlan));
    assert!(matches!(
        text("{\"format\":\"fcs-plan\",\"version\":7}\n"),
        PlanFileError::OtherVersion { found: 7 }
    ));
    // With a direction instead of roots.
    let of_version_1 =
        "{\"format\":\"fcs-plan\",\"version\":1,\"engine\":\"0.1.0\",\"direction\":\"left-to-right\"}\n";
    assert!(matches!(text(of_version_1), PlanFileError::OtherVersion { found: 1 }));
    let whole = written(&sample(&[b"f"]));
    let first = whole.split_inclusive(|&b| b == b'\n').next().unwrap();
    assert!(matches!(read(Cursor::new(first.to_vec())).unwrap_err(), PlanFileError::EndsEarly));
    let twice = [whole.clone(), whole].concat();
    assert!(matches!(read(Cursor::new(twice)).unwrap_err(), PlanFileError::Changed));
}

/// A line without an end is refused long before it fills the memory.
#[test]
fn a_line_without_end_is_refused_early() {
    let whole = written(&sample(&[b"f"]));
    let first = whole.split_inclusive(|&b| b == b'\n').next().unwrap().to_vec();
    let endless = Cursor::new(first).chain(io::repeat(b'x'));
    let error = read(BufReader::new(endless)).unwrap_err();
    assert!(matches!(error, PlanFileError::BadLine { line: 2, .. }), "{error}");
}

/// A plan whose last line fits whatever is before it, so that what chance makes of one gets past the checksum.
fn made_whole(file: &[u8]) -> Vec<u8> {
    let lines = file.split_inclusive(|&byte| byte == b'\n').filter(|line| line.ends_with(b"\n"));
    let lines: Vec<&[u8]> = lines.filter(|line| !line.starts_with(b"{\"end\"")).collect();
    let mut out = lines.concat();
    let blake3 = blake3::hash(&out).to_hex().to_string();
    serde_json::to_writer(&mut out, &Last::End(End { lines: lines.len() as u64, blake3 })).unwrap();
    out.push(b'\n');
    out
}

/// Where this fails, the format has a new version, and chance would only meet plans that are refused: write new ones.
#[test]
fn the_corpus_has_plans_of_this_version() {
    let plan = read(Cursor::new(include_bytes!("../../../../../fuzz/corpus/plans/sync")))
        .expect("a plan of this version")
        .1;
    assert!(!plan.folders.is_empty() && !plan.removals.is_empty() && !plan.skipped.is_empty());
}

#[test]
fn fuzz_plans() {
    let words: &[&[u8]] = &[
        b"{\"step\":",
        b"{\"held\":",
        b"{\"removal\":",
        b"{\"rename\":",
        b"{\"move\":",
        b"\n",
        b"..",
        b".fcs-0-1.part",
        b"\".fcs\"",
        b"{\"bytes\":[255]}",
        b"18446744073709551616",
        b"null",
    ];
    let is_ours = |name: &Name, at_top: bool| name.is_reserved() || at_top && name.is_home();
    fcs_testkit::fuzz::fuzz("plans", words, |input| {
        let raw = read(Cursor::new(input)).is_ok();
        let whole = made_whole(input);
        assert!(!raw || whole == input, "a plan is believed without its checksum");
        let Ok((header, plan)) = read(Cursor::new(&whole)) else { return };
        let roots: Vec<&str> = header.roots.iter().map(String::as_str).collect();
        let again = write(&plan, &roots, Vec::new()).unwrap();
        assert_eq!(read(Cursor::new(again)).unwrap().1, plan, "written again it is the same");
        for folder in &plan.folders {
            let at_top = folder.target_path.is_root();
            let names = folder.steps.iter().flat_map(|step| [&step.source_name, &step.target_name]);
            names.for_each(|name| assert!(!is_ours(name, at_top), "{name:?} is the program's own"));
        }
        for folder in &plan.removals {
            let at_top = folder.path.is_root();
            let names = folder.items.iter().map(|item| &item.name);
            names.for_each(|name| assert!(!is_ours(name, at_top), "{name:?} is the program's own"));
        }
    });
}

/// Roots that the first line does not name, and operations that are not in the order of the roots.
#[test]
fn what_does_not_hold_to_its_roots_is_no_plan() {
    let mut plan = sample(&[b"f"]);
    let refused = |plan: &Plan, roots: &[&str]| {
        let bytes = write(plan, roots, Vec::new()).unwrap();
        match read(Cursor::new(bytes)).unwrap_err() {
            PlanFileError::Roots(bad) => bad,
            other => panic!("{other}"),
        }
    };
    assert_eq!(refused(&plan, &["/from"]), BadRoots::Missing(RootIndex(1)));
    plan.targets[0].root = RootIndex(2);
    assert_eq!(refused(&plan, &["/from", "/to", "/third"]), BadRoots::OutOfOrder);
    plan.targets[0].root = RootIndex(0);
    assert_eq!(refused(&plan, &["/from", "/to"]), BadRoots::Twice(RootIndex(0)));
}

#[test]
fn a_plan_that_writes_to_both_roots_comes_back_as_it_was() {
    let item = |name, size| crate::model::Item::folder(0, [(name, crate::model::Item::file(size, 0))]);
    let comparison = compare_models(&item("l", 1), &item("r", 2), NameOrder::Exact, &Settings::default());
    let to = |side: Side| {
        let is_there = |row: RowId| comparison.entry(row, side.other()).is_some();
        plan_sync(&comparison, side, &is_there, &Settings::default())
    };
    let plan = to(Side::Right).and(to(Side::Left)).unwrap();
    assert_eq!((plan.targets.len(), plan.totals.new_files, plan.totals.bytes), (2, 2, 3));
    assert_eq!(plan.parts().unwrap().iter().map(|part| part.totals.bytes).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(read(Cursor::new(written(&plan))).unwrap().1, plan);
}

/// Changes of single items come back too, and the totals call them what they always did.
#[test]
fn a_change_of_one_item_comes_back_and_is_never_of_the_root() {
    let item = |name| (name, crate::model::Item::file(1, 0));
    let tree = crate::model::Item::folder(0, [item("a"), item("b")]);
    let comparison = compare_models(&tree, &tree, NameOrder::Exact, &Settings::default());
    let mut plan = plan_sync(&comparison, Side::Right, &|_| true, &Settings::default());
    let set = crate::plan::ItemMetadata { modified: Some(fcs_sys::Time::EPOCH), ..Default::default() };
    let rows: Vec<RowId> = comparison.children(Comparison::ROOT).collect();
    let name = Name::new(*b"c").unwrap();
    assert!(plan.add_metadata(&comparison, Side::Right, rows[1], set));
    assert!(plan.add_move(&comparison, Side::Right, rows[0], Comparison::ROOT, &name));
    let bytes = written(&plan);
    assert_eq!(read(Cursor::new(&bytes)).unwrap().1, plan);
    let text = String::from_utf8(bytes).unwrap();
    let at = |what: &str| text.find(what).unwrap_or_else(|| panic!("no {what} in {text}"));
    assert!(at(r#"{"change":{"move":{"#) < at(r#"{"change":{"set-metadata":{"#), "as they are made");
    assert!(text.contains(r#""renamed":0,"moved":1,"metadata":1,"removed_files":0"#), "{text}");
    let ItemChange::Move(moved) = &plan.changes[0] else { panic!("{:?}", plan.changes) };
    for (from, to) in [(RelPath::root(), moved.to.clone()), (moved.from.clone(), RelPath::root())] {
        let mut bad = plan.clone();
        bad.changes[0] = ItemChange::Move(crate::plan::Moved { from, to, ..moved.clone() });
        let refused = read(Cursor::new(written(&bad))).unwrap_err().to_string();
        assert!(refused.ends_with("the root cannot move"), "{refused}");
    }
}
