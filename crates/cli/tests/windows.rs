//! `fcs.exe` among the things that only Windows has: letters and shares, locks, attributes, long and odd names, a
//! volume that fills up.
//!
//! Runs on Windows and in Wine. What Wine cannot show skips there by name.

#![cfg(windows)]
#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::Read;
use std::os::windows::ffi::OsStringExt;
use std::os::windows::fs::{MetadataExt, OpenOptionsExt};
use std::os::windows::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use common::{Bench, events, json_lines, moment, set_time};
use fcs_sys::console::{HIDDEN_CONSOLE, interrupt};
use fcs_testkit::bin::Run;
use fcs_testkit::{Options, diff, listing, skip, test_name};

const FILE_SHARE_READ: u32 = 1;
const HIDDEN: u32 = 2;
const SYSTEM: u32 = 4;

/// A path that reaches names of any length and spelling.
fn verbatim(path: &Path) -> PathBuf {
    path.canonicalize().unwrap()
}

#[track_caller]
fn assert_equal(left: &Path, right: &Path) {
    let options = Options::default();
    assert_eq!(diff(&listing(left, &options).unwrap(), &listing(right, &options).unwrap()), [""; 0]);
}

/// What is below a folder, with what this program keeps there.
fn everything(root: &Path) -> Vec<String> {
    let all = listing(root, &Options { skip: &[], ..Options::default() }).unwrap();
    all.into_keys().map(|path| path.to_string_lossy().into_owned()).collect()
}

/// Holds a file as programs hold their documents, sharing only so much.
fn hold(path: &Path, share: u32) -> File {
    OpenOptions::new().read(true).write(true).share_mode(share).open(path).unwrap()
}

fn place(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).map(PathBuf::from)
}

// ---- the program itself

#[test]
fn the_program_has_a_manifest_a_version_and_an_icon() {
    let program = fs::read(env!("CARGO_BIN_EXE_fcs")).unwrap();
    let holds = |bytes: &[u8]| program.windows(bytes.len()).any(|part| part == bytes);
    for part in [
        "<longPathAware xmlns=\"http://schemas.microsoft.com/SMI/2016/WindowsSettings\">true<",
        "<activeCodePage xmlns=\"http://schemas.microsoft.com/SMI/2019/WindowsSettings\">UTF-8<",
        "{8e0f7a12-bfb3-4fe8-b9a5-48fd50a15a9a}",
        "level=\"asInvoker\"",
    ] {
        assert!(holds(part.as_bytes()), "{part}");
    }
    for part in ["FolderCompareSync: compare, copy and verify folder trees", env!("CARGO_PKG_VERSION")] {
        let units: Vec<u8> = part.encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert!(holds(&units), "{part}");
    }
    let icon = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../../assets/fcs.ico")).unwrap();
    let first = &icon[22..];
    // The directory of the icon gives the size and place of each picture.
    let number = |at: usize| u32::from_le_bytes(icon[at..at + 4].try_into().unwrap()) as usize;
    let (size, at) = (number(14), number(18));
    assert!(holds(&icon[at..at + size]), "{} bytes", first.len());
}

// ---- words

#[test]
fn paths_may_be_spelled_in_every_local_way_and_are_shown_in_the_usual_one() {
    let bench = Bench::with_differences();
    let plain = bench.run("compare", &["-q"]).expect_code(1);
    let place = bench.dir.path().canonicalize().unwrap();
    let place = place.to_str().unwrap().strip_prefix(r"\\?\").unwrap();
    let (drive, below) = place.split_at(2);
    for folder in [
        place.to_owned(),
        place.replace('\\', "/"),
        below.to_owned(),
        format!(r"\\?\{place}"),
        format!(r"\\.\{place}"),
        format!("//?/{place}"),
        ".".to_owned(),
        String::new(),
        // The current folder of that drive.
        drive.to_owned(),
        format!(r"{place}\LEFT\.."),
        place.to_uppercase(),
    ] {
        let side = |name: &str| match folder.as_str() {
            "" => name.to_owned(),
            drive if drive.len() == 2 && drive.ends_with(':') => format!("{drive}{name}"),
            folder => format!(r"{folder}\{name}"),
        };
        let mut command = bench.fcs.command();
        command.current_dir(bench.dir.path()).args(["copy", "-n", &side("LEFT"), &side("RIGHT")]);
        let run = Run::from(command.output().unwrap()).expect_code(0);
        assert!(run.stdout.contains(&format!("From  {place}\\LEFT\n")), "{folder}\n{run}");
        assert!(!run.stdout.contains(r"\\?\") && !run.stderr.contains(r"\\?\"), "{folder}\n{run}");
        let mut command = bench.fcs.command();
        command.current_dir(bench.dir.path()).args(["compare", "-q", &side("LEFT"), &side(r"RIGHT\")]);
        assert_eq!(Run::from(command.output().unwrap()).expect_code(1).stdout, plain.stdout, "{folder}");
    }
}

#[test]
fn a_share_is_refused_even_where_it_exists() {
    let Some(share) = place("FCS_TEST_SHARE") else {
        return skip(test_name!(), "FCS_TEST_SHARE names no share");
    };
    assert!(share.is_dir(), "{} is not there", share.display());
    let bench = Bench::with_differences();
    for (left, right) in [(&share, &bench.right), (&bench.left, &share)] {
        let run = bench.run_on("copy", &["-y"], left, right).expect_code(2);
        let hint = format!("such as `net use Z: {}`", share.display());
        assert!(run.stderr.contains("are not accepted") && run.stderr.contains(&hint), "{run}");
    }
}

#[test]
fn the_command_in_a_hint_works_as_it_stands() {
    let bench = Bench::with_differences();
    let right = bench.dir.path().join("RIGHT and more");
    fs::rename(&bench.right, &right).unwrap();
    let run = bench.run_on("copy", &["-y"], &bench.left, &right).expect_code(0);
    let hint = run.stdout.lines().find_map(|line| line.strip_prefix("`fcs undo \"")).unwrap();
    let path = hint.split_once("\"`").unwrap().0;
    let undone = bench.fcs.run(["undo", "-y", path]).expect_code(0);
    assert!(undone.stdout.contains("everything is as it was before the run"), "{undone}");
}

// ---- names

#[test]
fn names_in_every_script_arrive_and_are_shown_as_they_are() {
    let bench = Bench::new();
    let names = [
        "Grüße aus 漢字",
        "Ελληνικά",
        "русский",
        "עברית",
        "😀 👩‍👩‍👧",
        "İstanbul ß",
        "e\u{301} é",
        "%PATH% & 'x'",
    ];
    for (i, name) in names.iter().enumerate() {
        bench.left(&format!("{name}/{name}.txt"), name, i as u64);
        set_time(&bench.left.join(name), i as u64);
    }
    bench.align();
    let run = bench.run("copy", &["-y", "-v", "--undo", "off"]).expect_code(0);
    for name in &names[..4] {
        assert!(run.stdout.contains(&format!("+ {name}/{name}.txt")), "{name}\n{run}");
    }
    assert_equal(&bench.left, &bench.right);
    let json = json_lines(&bench.run("compare", &["--json", "-v"]).expect_code(0));
    for name in names {
        let path = format!("{name}/{name}.txt");
        assert!(events(&json, "row").iter().any(|row| row["path"] == path.as_str()), "{path}");
    }
}

#[test]
fn a_name_may_have_255_utf16_units_whatever_they_take_in_bytes() {
    if fcs_sys::is_wine() {
        return skip(test_name!(), "Wine counts the bytes of the Linux file system");
    }
    let bench = Bench::new();
    for name in ["漢".repeat(255), "😀".repeat(127), "é".repeat(255)] {
        fs::write(verbatim(&bench.left).join(&name), "x").unwrap();
    }
    let run = bench.run("copy", &["-y", "--undo", "off"]).expect_code(0);
    assert!(!run.stderr.contains("longer in name"), "{run}");
    assert_equal(&bench.left, &bench.right);
}

#[test]
fn an_unpaired_surrogate_in_a_name_survives() {
    if fcs_sys::is_wine() {
        return skip(test_name!(), "Wine cannot express such names");
    }
    let bench = Bench::new();
    let name = OsString::from_wide(&[0x61, 0xD800, 0x62]);
    fs::write(bench.left.join(&name), "x").unwrap();
    let _ = bench.run("copy", &["-y", "--undo", "off"]).expect_code(0);
    assert_equal(&bench.left, &bench.right);
}

#[test]
fn names_that_programs_cannot_type_are_copied_with_a_warning() {
    let bench = Bench::new();
    let left = verbatim(&bench.left);
    fs::create_dir(left.join("folder.")).unwrap();
    for name in ["end.", "end ", "con", "nul.txt", r"folder.\aux"] {
        fs::write(left.join(name), name).unwrap();
    }
    let run = bench.run("copy", &["-y", "-v", "--undo", "off"]).expect_code(0);
    assert!(
        run.stderr.contains("6 items are named in a way that most Windows programs cannot open"),
        "{run}"
    );
    assert_equal(&bench.left, &bench.right);
    let _ = bench.run("compare", &["--criteria", "size,bytes"]).expect_code(0);
    // Whatever cleans up afterwards may not be able to.
    for root in [left, verbatim(&bench.right)] {
        fs::remove_dir_all(root).unwrap();
    }
}

#[test]
fn paths_far_beyond_260_characters_are_copied_undone_and_recovered_from() {
    let bench = Bench::new();
    let part = "a folder with quite a long name, number";
    let deep: PathBuf = (0..12).map(|i| format!("{part} {i}")).collect();
    let (left, right) = (verbatim(&bench.left), verbatim(&bench.right));
    fs::create_dir_all(left.join(&deep)).unwrap();
    let file = "x".repeat(200);
    fs::write(left.join(&deep).join(&file), "far down").unwrap();
    let length = left.join(&deep).join(&file).as_os_str().len();
    assert!(length > 600, "{length}");
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    assert_equal(&bench.left, &bench.right);
    fs::write(left.join(&deep).join(&file), "far down, and newer").unwrap();
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    assert_equal(&bench.left, &bench.right);
    let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
    assert_eq!(fs::read_to_string(right.join(&deep).join(&file)).unwrap(), "far down");
}

#[test]
fn a_root_may_lie_far_beyond_260_characters() {
    if fcs_sys::is_wine() {
        return skip(test_name!(), "Wine cannot tell where an open folder so far down is");
    }
    let bench = Bench::new();
    let part = "a folder with quite a long name, number";
    let deep: PathBuf = (0..12).map(|i| format!("{part} {i}")).collect();
    let root = verbatim(&bench.left).join(deep);
    fs::create_dir_all(&root).unwrap();
    fs::write(root.join("file"), "far down").unwrap();
    let plain = PathBuf::from(root.to_str().unwrap().strip_prefix(r"\\?\").unwrap());
    for root in [root, plain] {
        let target = tempfile::tempdir().unwrap();
        let run = bench.run_on("copy", &["-y", "--undo", "off"], &root, target.path()).expect_code(0);
        assert_eq!(fs::read_to_string(target.path().join("file")).unwrap(), "far down", "{run}");
    }
}

#[test]
fn a_name_that_differs_in_case_only_is_one_item_and_is_spelled_anew() {
    let bench = Bench::new();
    bench.left("Folder/README.txt", "the new content", 9);
    bench.right("folder/readme.TXT", "the old content", 1);
    bench.both("alike", "x", 1);
    let told = "2 items are spelled with other capital letters on the other side, such as Folder and folder.";
    let compared = bench.run("compare", &["-v"]).expect_code(1);
    assert!(compared.stderr.contains(told), "{compared}");
    assert!(compared.stdout.contains("spelled readme.TXT on the right"), "{compared}");
    let run = bench.run("copy", &["-y"]).expect_code(0);
    assert!(run.stdout.contains(told), "{run}");
    let names = |path: &Path| {
        fs::read_dir(path).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(fs::read_to_string(bench.right.join("folder/readme.TXT")).unwrap(), "the new content");
    assert!(run.stdout.contains("2 names respelled"), "{run}");
    if fcs_sys::is_wine() {
        // It says yes to such a rename and does nothing, which is reported and no failure.
        assert_eq!(names(&bench.right.join("folder")), ["readme.TXT"]);
        assert!(run.stdout.contains("the spelling of its name"), "{run}");
    } else {
        assert_eq!(names(&bench.right.join("folder")), ["README.txt"]);
        assert!(names(&bench.right).contains(&"Folder".to_owned()));
        let _ = bench.run("compare", &[]).expect_code(0);
    }
}

// ---- what other programs hold, and attributes

#[test]
fn a_source_that_another_program_keeps_to_itself_fails_alone_with_the_reason() {
    let bench = Bench::with_differences();
    let held = hold(&bench.left.join("new.txt"), 0);
    let run = bench.run("copy", &["-y"]).expect_code(4);
    let message = format!("Could not open {}: another program", bench.left.join("new.txt").display());
    assert!(run.stderr.contains(&message) && run.stderr.contains("(code 32)"), "{run}");
    assert!(run.stderr.contains("Close ") && run.stderr.contains("run again."), "{run}");
    assert!(!bench.right.join("new.txt").exists());
    assert!(bench.right.join("folder/inside.txt").exists(), "the rest is done");
    drop(held);
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    assert_eq!(fs::read_to_string(bench.right.join("new.txt")).unwrap(), "only left");
}

#[test]
fn a_source_that_another_program_lets_others_read_is_copied() {
    let bench = Bench::with_differences();
    let held = hold(&bench.left.join("new.txt"), FILE_SHARE_READ);
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    assert_eq!(fs::read_to_string(bench.right.join("new.txt")).unwrap(), "only left");
    drop(held);
}

#[test]
fn a_target_that_another_program_holds_keeps_its_original() {
    for share in [0, FILE_SHARE_READ] {
        let bench = Bench::with_differences();
        let target = bench.right.join("sub").join("size.txt");
        let held = hold(&target, share);
        let run = bench.run("copy", &["-y"]).expect_code(4);
        let message = format!("Could not replace {}: another program", target.display());
        assert!(run.stderr.contains(&message), "{run}");
        assert!(run.stderr.contains("The original is unchanged."), "{run}");
        drop(held);
        assert_eq!(fs::read_to_string(&target).unwrap(), "fourteen bytes");
        assert_eq!(fs::read_to_string(bench.right.join("new.txt")).unwrap(), "only left", "the rest is done");
        let strays: Vec<_> = everything(&bench.right).into_iter().filter(|p| p.contains(".fcs-")).collect();
        assert_eq!(strays, [""; 0]);
        let _ = bench.run("copy", &["-y"]).expect_code(0);
        assert_eq!(fs::read_to_string(&target).unwrap(), "twelve bytes");
    }
}

#[test]
fn a_target_that_is_held_while_it_is_taken_back_keeps_the_copy_until_undo_runs_again() {
    let bench = Bench::with_differences();
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    let target = bench.right.join("sub/size.txt");
    let held = hold(&target, 0);
    let undone = bench.run_on_right("undo", &["-y"]);
    assert!([4, 9].contains(&undone.code), "{undone}");
    assert!(undone.stderr.contains("size.txt") && undone.stderr.contains("another program"), "{undone}");
    drop(held);
    assert_eq!(fs::read_to_string(&target).unwrap(), "twelve bytes");
    assert!(!bench.right.join("new.txt").exists(), "the rest is undone");
}

#[test]
fn attributes_of_the_user_are_kept() {
    let bench = Bench::new();
    for (name, mark) in [("hidden", "+h"), ("system", "+s"), ("plain", "-h")] {
        bench.left(name, name, 1);
        let mut attrib = Command::new("attrib");
        attrib.arg(mark).arg(bench.left.join(name)).stdout(Stdio::null());
        assert!(attrib.status().unwrap().success());
    }
    bench.align();
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    assert_equal(&bench.left, &bench.right);
    let attributes = |name: &str| fs::metadata(bench.right.join(name)).unwrap().file_attributes();
    let marks = ["hidden", "system", "plain"].map(|name| attributes(name) & (HIDDEN | SYSTEM));
    assert_eq!(marks, [HIDDEN, SYSTEM, 0]);
}

#[test]
fn the_folder_that_holds_journals_and_originals_is_hidden() {
    if fcs_sys::is_wine() {
        return skip(test_name!(), "Wine keeps no such mark for folders");
    }
    let bench = Bench::with_differences();
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    assert_ne!(fs::metadata(bench.right.join(".fcs")).unwrap().file_attributes() & HIDDEN, 0);
}

#[test]
fn a_read_only_source_is_copied_as_one_and_can_be_taken_back() {
    let bench = Bench::with_differences();
    let before = bench.seen();
    common::mark_read_only(&bench.left.join("new.txt"));
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    assert!(fs::metadata(bench.right.join("new.txt")).unwrap().permissions().readonly());
    let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
    assert_eq!(bench.seen(), before);
}

#[test]
fn a_read_only_target_is_left_to_its_owner_as_a_plain_user() {
    let bench = Bench::with_differences();
    let target = bench.right.join("sub/size.txt");
    common::mark_read_only(&target);
    let run = bench.run("copy", &["-y"]).expect_code(4);
    assert!(run.stderr.contains("the target file has the read-only attribute"), "{run}");
    assert_eq!(fs::read_to_string(&target).unwrap(), "fourteen bytes");
}

#[test]
fn created_and_modified_times_arrive_to_the_last_tick() {
    if fcs_sys::is_wine() {
        return skip(test_name!(), "Wine stores no created times");
    }
    let bench = Bench::new();
    bench.left("f", "x", 1);
    let tick = std::time::Duration::from_nanos(100);
    let times = fs::FileTimes::new().set_modified(moment(7) + tick);
    let times = std::os::windows::fs::FileTimesExt::set_created(times, moment(3) + 7 * tick);
    OpenOptions::new().write(true).open(bench.left.join("f")).unwrap().set_times(times).unwrap();
    bench.align();
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    assert_equal(&bench.left, &bench.right);
    let m = fs::metadata(bench.right.join("f")).unwrap();
    assert_eq!(m.modified().unwrap(), moment(7) + tick);
    assert_eq!(m.created().unwrap(), moment(3) + 7 * tick);
    // A replaced file must not keep its old created time.
    set_time(&bench.right.join("f"), 500);
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    assert_equal(&bench.left, &bench.right);
}

// ---- Ctrl-C, and the closing of what reads the output

/// Seen in Wine 10; on a terminal of Linux, which no test has, the key works.
const CTRL_C_ENDS_WINE: &str =
    "in Wine a console without a window ends, with its programs, when Ctrl-C is pressed";

/// `fcs copy` of many small files, once it has told of the first that is done. Nobody reads on, so it stands still in
/// its output as soon as the pipe is full, and an interrupt comes in the middle.
struct Copying {
    bench: Bench,
    child: Child,
    out: ChildStdout,
    seen: Vec<u8>,
}

impl Copying {
    fn start(args: &[&str]) -> Self {
        let bench = Bench::new();
        for i in 0..600 {
            bench.left(&format!("{}/{i:03}", i % 7), &format!("content of {i}"), 1);
            if i % 3 == 0 {
                bench.right(&format!("{}/{i:03}", i % 7), &format!("old content of {i}"), 2);
            }
        }
        let mut child = bench
            .fcs
            .command()
            .args([
                "copy",
                "-y",
                "--json",
                "--jobs",
                "1",
                "--set",
                "batch_max_files=10",
                "--max-change",
                "100000",
            ])
            .args(args)
            .args([&bench.left, &bench.right])
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .creation_flags(HIDDEN_CONSOLE)
            .spawn()
            .unwrap();
        let mut out = child.stdout.take().unwrap();
        let (mut seen, mut buffer) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&seen).contains("\"event\":\"item\"") {
            let n = out.read(&mut buffer).unwrap();
            assert!(n > 0, "ended early: {}", String::from_utf8_lossy(&seen));
            seen.extend_from_slice(&buffer[..n]);
        }
        Self { bench, child, out, seen }
    }

    fn press(&self) {
        interrupt(self.child.id()).unwrap();
    }

    fn wait_for(&mut self, text: &str) {
        let errors = self.child.stderr.as_mut().unwrap();
        let (mut told, mut buffer) = (Vec::new(), [0; 4096]);
        while !String::from_utf8_lossy(&told).contains(text) {
            let n = errors.read(&mut buffer).unwrap();
            assert!(n > 0, "no {text:?} in {}", String::from_utf8_lossy(&told));
            told.extend_from_slice(&buffer[..n]);
        }
    }

    /// Reads on to the end.
    fn end(mut self) -> (Bench, Run) {
        self.out.read_to_end(&mut self.seen).unwrap();
        let output = self.child.wait_with_output().unwrap();
        (self.bench, Run::from(std::process::Output { stdout: self.seen, ..output }))
    }
}

/// Every file has its old or its new content, and nothing is beside it.
#[track_caller]
fn assert_whole(bench: &Bench) {
    for (path, content) in bench.seen() {
        let Some(content) = content else { continue };
        let content = String::from_utf8(content).unwrap();
        let number: u32 = path.file_name().unwrap().to_str().unwrap().parse().unwrap();
        let wanted = [format!("content of {number}"), format!("old content of {number}")];
        assert!(wanted.contains(&content), "{}: {content}", path.display());
    }
    let strays: Vec<_> = everything(&bench.right).into_iter().filter(|path| path.contains(".fcs-")).collect();
    assert_eq!(strays, [""; 0]);
}

#[test]
fn an_interrupt_in_the_middle_of_a_copy_leaves_nothing_beside_the_targets() {
    if fcs_sys::is_wine() {
        return skip(test_name!(), CTRL_C_ENDS_WINE);
    }
    let copying = Copying::start(&[]);
    copying.press();
    let (bench, run) = copying.end();
    let run = run.expect_code(130);
    assert!(run.stderr.contains("Stopping at a safe point"), "{}", run.stderr);
    let all = json_lines(&run);
    let end = all.last().unwrap();
    assert_eq!((end["event"].as_str(), end["result"].as_str()), (Some("end"), Some("cancelled")));
    assert!(end["counts"]["copied"].as_u64().unwrap() < 600, "{end}");
    assert_whole(&bench);
    let _ = bench.run_on_right("undo", &["-y"]).expect_code(0);
    assert_eq!(bench.seen().values().flatten().count(), 200, "only what was there before");
}

#[test]
fn an_interrupted_run_can_be_rolled_back_at_once() {
    if fcs_sys::is_wine() {
        return skip(test_name!(), CTRL_C_ENDS_WINE);
    }
    let copying = Copying::start(&["--on-cancel", "rollback"]);
    copying.press();
    let (bench, run) = copying.end();
    let _ = run.expect_code(6);
    assert_whole(&bench);
    assert_eq!(bench.seen().values().flatten().count(), 200, "only what was there before");
}

#[test]
fn the_second_interrupt_ends_at_once_and_says_what_it_leaves() {
    if fcs_sys::is_wine() {
        return skip(test_name!(), CTRL_C_ENDS_WINE);
    }
    // As nobody reads its events, the run stands still; that must not keep the program.
    let mut copying = Copying::start(&[]);
    copying.press();
    copying.wait_for("press again");
    copying.press();
    copying.wait_for("recovers the run");
    let status = copying.child.wait().unwrap();
    assert_eq!(status.code(), Some(130));
    drop(copying.out);
    let _ = copying.bench.run("compare", &["-q"]).expect_code(9);
    let _ = copying.bench.run_on_right("recover", &["-y"]).expect_code(0);
    assert_whole(&copying.bench);
}

#[test]
fn a_reader_that_leaves_early_causes_no_noise() {
    let Copying { bench, mut child, out, .. } = Copying::start(&[]);
    drop(out);
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said.as_str()), (Some(0), ""));
    assert_equal(&bench.left, &bench.right);
}

// ---- volumes

#[test]
fn a_network_drive_is_copied_to_staged_and_the_report_says_why() {
    let Some(drive) = place("FCS_TEST_NETWORK_DRIVE") else {
        return skip(test_name!(), "FCS_TEST_NETWORK_DRIVE names no drive");
    };
    let bench = Bench::with_differences();
    bench.left("large", &"0123456789abcdef".repeat(200_000), 1);
    let target = tempfile::tempdir_in(&drive).unwrap();
    let report = bench.dir.path().join("report.json");
    let dry = bench.run_on("copy", &["-n"], &bench.left, target.path()).expect_code(0);
    assert!(
        dry.stdout.contains("+ new.txt  9 B  staged, verified (a side is on a network volume)\n"),
        "{dry}"
    );
    let args = ["-y", "--undo", "off", "--report", report.to_str().unwrap()];
    let run = bench.run_on("copy", &args, &bench.left, target.path()).expect_code(0);
    assert!(run.stdout.contains("Strategy    staged "), "{run}");
    assert!(run.stdout.contains(&drive.display().to_string()), "the letter is shown, not the server\n{run}");
    assert_equal(&bench.left, target.path());
    let report: serde_json::Value = serde_json::from_slice(&fs::read(&report).unwrap()).unwrap();
    let files = report["items"].as_array().unwrap().iter().filter(|item| item["bytes"].as_u64() > Some(0));
    for item in files {
        assert_eq!(item["strategy"], "staged-network", "{item}");
        assert_eq!(item["outcome"]["evidence"]["kind"], "cache-reread", "{item}");
    }
    // As a source too.
    let back = bench.dir.path().join("back");
    fs::create_dir(&back).unwrap();
    let run = bench.run_on("copy", &["-y", "--undo", "off"], target.path(), &back).expect_code(0);
    assert!(run.stdout.contains("Strategy    staged "), "{run}");
    assert_equal(&bench.left, &back);
}

#[test]
fn a_volume_that_fills_up_costs_no_original_and_recovers_once_there_is_room() {
    let Some(small) = place("FCS_TEST_SMALL_VOLUME") else {
        return skip(test_name!(), "FCS_TEST_SMALL_VOLUME names no volume that may be filled");
    };
    let place = tempfile::tempdir_in(&small).unwrap();
    let target = place.path().join("RIGHT");
    fs::create_dir(&target).unwrap();
    let bench = Bench::new();
    // Each takes a whole block, which the sum of their sizes does not show.
    for i in 0..1200 {
        bench.left(&format!("{i:04}"), "new", 10);
        if i % 100 == 0 {
            common::write(&target.join(format!("{i:04}")), "the old one", 5);
        }
    }
    let options = Options { times_of_folders: false, ..Options::default() };
    let before = listing(&target, &options).unwrap();

    let margin = ["-y", "--set", "space_margin_bytes=40000000"];
    let margin = bench.run_on("copy", &margin, &bench.left, &target).expect_code(8);
    assert!(margin.stderr.contains("is too full"), "32 MB hold less than the margin\n{margin}");
    assert_eq!(diff(&before, &listing(&target, &options).unwrap()), [""; 0]);

    let filler = place.path().join("filler");
    fill(&filler, 2 << 20);
    let args =
        ["-y", "--set", "space_margin_bytes=0", "--set", "batch_max_files=50", "--max-change", "100000"];
    let run = bench.run_on("copy", &args, &bench.left, &target);
    assert!([4, 9].contains(&run.code), "{run}");
    assert!(run.stderr.contains("the volume is full (code 112)"), "{run}");
    fs::remove_file(&filler).unwrap();
    let recovered = bench.fcs.run(["recover".as_ref(), "-y".as_ref(), target.as_os_str()]).expect_code(0);
    let after = listing(&target, &options).unwrap();
    let new = listing(&bench.left, &options).unwrap();
    for (path, item) in &after {
        assert!(
            before.get(path) == Some(item) || new.get(path) == Some(item),
            "{}: {item:?}",
            path.display()
        );
    }
    assert!(before.keys().all(|path| after.contains_key(path)), "{recovered}");
    let made = after.len() - before.len();
    assert!(
        made > 0 && after.len() < new.len(),
        "{made} of {} were copied: the volume did not fill up",
        new.len()
    );
    let strays: Vec<_> = everything(&target).into_iter().filter(|path| path.contains(".fcs-")).collect();
    assert_eq!(strays, [""; 0]);
    // And with room it is done.
    let _ =
        bench.run_on("copy", &["-y", "--set", "space_margin_bytes=0"], &bench.left, &target).expect_code(0);
    assert_eq!(diff(&new, &listing(&target, &options).unwrap()), [""; 0]);
}

/// Makes a file that leaves so many bytes free, as far as writing tells.
fn fill(path: &Path, leave: u64) {
    use std::io::Write;
    let mut file = File::create(path).unwrap();
    let block = vec![1; 64 << 10];
    let mut size: u64 = 0;
    loop {
        match file.write(&block) {
            Ok(n) => size += n as u64,
            Err(error) if error.raw_os_error() == Some(112) => break,
            Err(error) => panic!("{error}"),
        }
    }
    assert!(size > leave, "{size} bytes were free");
    file.set_len(size - leave).unwrap();
}

#[test]
fn streams_beside_the_content_are_copied() {
    if fcs_sys::is_wine() {
        return skip(test_name!(), "Wine has no alternate streams");
    }
    let bench = Bench::new();
    bench.left("f", "content", 1);
    fs::write(bench.left.join("f:note"), "beside").unwrap();
    set_time(&bench.left.join("f"), 1);
    bench.align();
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    assert_eq!(fs::read_to_string(bench.right.join("f:note")).unwrap(), "beside");
    let found: BTreeMap<_, _> = listing(&bench.right, &Options::default()).unwrap();
    assert_eq!(found.len(), 1);
}
