//! `fcs` on a terminal: questions, progress lines, Ctrl-C. The terminal is a real one, made for the test.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use common::{Bench, json_lines};
use fcs_testkit::bin::Run;
use fcs_testkit::{Options, diff, listing};
use rustix::process::{Pid, Signal, kill_process};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// `fcs` with a terminal of 24 rows and 80 columns for all three streams.
struct OnTerminal {
    child: Child,
    keyboard: File,
    seen: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl OnTerminal {
    fn start(bench: &Bench, args: &[&str]) -> Self {
        Self::start_on(bench, args, &[&bench.left, &bench.right])
    }

    fn start_on(bench: &Bench, args: &[&str], folders: &[&PathBuf]) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
        grantpt(&master).unwrap();
        unlockpt(&master).unwrap();
        let size = Winsize { ws_row: 24, ws_col: 80, ws_xpixel: 0, ws_ypixel: 0 };
        tcsetwinsize(&master, size).unwrap();
        let path = ptsname(&master, Vec::new()).unwrap();
        let slave = || File::options().read(true).write(true).open(path.to_str().unwrap()).unwrap();
        let child = bench
            .fcs
            .command()
            .env("TERM", "xterm")
            .args(args)
            .args(folders)
            .stdin(slave())
            .stdout(slave())
            .stderr(slave())
            .spawn()
            .unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let mut screen = File::from(master);
        let keyboard = screen.try_clone().unwrap();
        let kept = Arc::clone(&seen);
        let reader = std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // The read fails with EIO when the last writer is gone.
            while let Ok(n @ 1..) = screen.read(&mut buffer) {
                kept.lock().unwrap().extend_from_slice(&buffer[..n]);
            }
        });
        Self { child, keyboard, seen, reader }
    }

    fn text(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().unwrap()).into_owned()
    }

    #[track_caller]
    fn wait_for(&self, text: &str) {
        let began = Instant::now();
        while !self.text().contains(text) {
            assert!(began.elapsed() < Duration::from_secs(30), "no {text:?} in {}", self.text());
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The exit code, everything that was written, and what stays on the screen at the end.
    fn end(mut self) -> (i32, String, String) {
        let status = self.child.wait().unwrap();
        self.reader.join().unwrap();
        let bytes = self.seen.lock().unwrap().clone();
        let mut screen = vt100::Parser::new(24, 80, 1000);
        screen.process(&bytes);
        let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap());
        (code, String::from_utf8_lossy(&bytes).into_owned(), screen.screen().contents())
    }
}

fn interrupt(child: &Child) {
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    kill_process(pid, Signal::INT).unwrap();
}

#[test]
fn it_asks_and_a_yes_goes_ahead() {
    let bench = Bench::with_differences();
    let mut run = OnTerminal::start(&bench, &["copy"]);
    run.wait_for("Go ahead? [y/N]");
    assert!(!bench.right.join("new.txt").exists());
    run.keyboard.write_all(b"y\n").unwrap();
    let (code, text, _) = run.end();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("Space") && text.contains("Done: "), "{text}");
    assert!(bench.right.join("new.txt").exists());
}

#[test]
fn anything_but_a_yes_is_a_no_and_leaves_no_trace() {
    for answer in [&b"n\n"[..], b"\n", b"yep\n", b"\x04"] {
        let bench = Bench::with_differences();
        let before = bench.traces();
        let mut run = OnTerminal::start(&bench, &["copy"]);
        run.wait_for("Go ahead? [y/N]");
        run.keyboard.write_all(answer).unwrap();
        let (code, text, _) = run.end();
        assert_eq!(code, 130, "{text}");
        assert!(text.contains("Nothing was written."), "{text}");
        assert_eq!(bench.traces(), before);
    }
}

#[test]
fn what_changes_while_the_question_stands_is_left_alone_and_named() {
    let bench = Bench::new();
    bench.left("f", "as compared", 1);
    bench.left("g", "new", 1);
    bench.right("g", "older", 1);
    let mut run = OnTerminal::start(&bench, &["copy"]);
    run.wait_for("Go ahead? [y/N]");
    bench.left("f", "changed since", 2);
    bench.right("g", "somebody else's", 2);
    run.keyboard.write_all(b"y\n").unwrap();
    let (code, text, _) = run.end();
    assert_eq!(code, 7, "{text}");
    assert!(text.contains("it changed after the comparison"), "{text}");
    assert!(text.contains("the target changed after the comparison"), "{text}");
    assert!(!bench.right.join("f").exists());
    assert_eq!(fs::read_to_string(bench.right.join("g")).unwrap(), "somebody else's");
}

#[test]
fn nothing_is_written_into_a_folder_that_was_moved_away_while_the_question_stood() {
    for moved in ["left", "right", "gone"] {
        let bench = Bench::with_differences();
        let path = if moved == "left" { &bench.left } else { &bench.right };
        let away = path.with_file_name("away");
        let mut run = OnTerminal::start(&bench, &["copy"]);
        run.wait_for("Go ahead? [y/N]");
        fs::rename(path, &away).unwrap();
        if moved != "gone" {
            fs::create_dir(path).unwrap();
        }
        let before = (moved != "gone").then(|| bench.traces());
        let kept = listing(&away, &Options::default()).unwrap();
        run.keyboard.write_all(b"y\n").unwrap();
        let (code, text, _) = run.end();
        assert_eq!(code, 8, "{text}");
        let why = if moved == "gone" { "it does not exist" } else { "is not the same folder any more" };
        assert!(text.contains(why) && text.contains("Nothing was written."), "{text}");
        assert_eq!((moved != "gone").then(|| bench.traces()), before);
        assert_eq!(diff(&listing(&away, &Options::default()).unwrap(), &kept), [""; 0]);
    }
}

#[test]
fn nothing_is_taken_back_in_a_folder_that_was_moved_away_while_the_question_stood() {
    let bench = Bench::with_differences();
    let _ = bench.run("copy", &["-y"]).expect_code(0);
    let away = bench.right.with_file_name("away");
    let mut run = OnTerminal::start_on(&bench, &["undo"], &[&bench.right]);
    run.wait_for("Go ahead? [y/N]");
    fs::rename(&bench.right, &away).unwrap();
    fs::create_dir(&bench.right).unwrap();
    let kept = listing(&away, &Options::default()).unwrap();
    run.keyboard.write_all(b"y\n").unwrap();
    let (code, text, _) = run.end();
    assert_eq!(code, 8, "{text}");
    assert!(text.contains("is not the same folder any more"), "{text}");
    assert_eq!(diff(&listing(&away, &Options::default()).unwrap(), &kept), [""; 0]);
}

#[test]
fn an_interrupt_at_the_question_ends_at_once() {
    let bench = Bench::with_differences();
    let before = bench.traces();
    let run = OnTerminal::start(&bench, &["copy"]);
    run.wait_for("Go ahead? [y/N]");
    interrupt(&run.child);
    let (code, text, _) = run.end();
    assert_eq!(code, 130, "{text}");
    assert!(text.contains("Stopped. Nothing was written."), "{text}");
    assert_eq!(bench.traces(), before);
}

#[test]
fn progress_lines_appear_and_leave_the_terminal_clean() {
    let bench = Bench::new();
    let block = "0123456789abcdef".repeat(1 << 16);
    for i in 0..40 {
        bench.left(&format!("{i:02} {}", "a rather long name ".repeat(6)), &block.repeat(4), 1);
    }
    bench.align();
    let run = OnTerminal::start(&bench, &["copy", "-y", "-q", "--progress", "always"]);
    let (code, text, screen) = run.end();
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("copied and verified") && text.contains("of 41 items"), "{text}");
    assert_eq!(screen.trim(), "", "something stays on the screen");
}

#[test]
fn item_lines_and_progress_lines_do_not_mix() {
    let bench = Bench::new();
    for i in 0..3000 {
        bench.left(&format!("file {i:04}"), "x", 1);
    }
    bench.align();
    let run = OnTerminal::start(&bench, &["copy", "-y", "-v"]);
    let (code, text, screen) = run.end();
    assert_eq!(code, 0, "{text}");
    assert!(!screen.contains("items  ") && !screen.contains(" left\n"), "{screen}");
    assert!(screen.contains("Done: 3,000 files and links copied"), "{screen}");
}

/// Enough small files that an interrupt comes in the middle.
fn many_files() -> Bench {
    let bench = Bench::new();
    for i in 0..4000 {
        let path = bench.left.join(format!("{:03}/{i:05}", i / 100));
        if i % 100 == 0 {
            fs::create_dir(path.parent().unwrap()).unwrap();
        }
        fs::write(path, format!("content of {i}")).unwrap();
    }
    bench
}

fn start_and_wait_for_first_item(bench: &Bench) -> (Child, std::process::ChildStdout, Vec<u8>) {
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
            "batch_max_files=20",
            "--max-change",
            "100000",
        ])
        .args([&bench.left, &bench.right])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut out = child.stdout.take().unwrap();
    let mut seen = Vec::new();
    let mut buffer = [0; 4096];
    while !String::from_utf8_lossy(&seen).contains("\"event\":\"item\"") {
        let n = out.read(&mut buffer).unwrap();
        assert!(n > 0, "ended early: {}", String::from_utf8_lossy(&seen));
        seen.extend_from_slice(&buffer[..n]);
    }
    (child, out, seen)
}

#[test]
fn the_first_interrupt_stops_at_a_safe_point_with_a_report() {
    let bench = many_files();
    let (child, mut out, mut seen) = start_and_wait_for_first_item(&bench);
    interrupt(&child);
    out.read_to_end(&mut seen).unwrap();
    let output = child.wait_with_output().unwrap();
    let run = Run::from(std::process::Output { stdout: seen, ..output }).expect_code(130);
    assert!(run.stderr.contains("Stopping at a safe point"), "{}", run.stderr);
    let all = json_lines(&run);
    let end = all.last().unwrap();
    assert_eq!((end["event"].as_str(), end["result"].as_str()), (Some("end"), Some("cancelled")));
    assert!(end["counts"]["copied"].as_u64() < Some(4000), "{end}");

    let right =
        listing(&bench.right, &Options { skip: &[], times_of_folders: false, ..Options::default() }).unwrap();
    let left = listing(&bench.left, &Options { times_of_folders: false, ..Options::default() }).unwrap();
    for (path, item) in right.iter().filter(|(path, _)| !path.starts_with(".fcs")) {
        let source = left.get(path).unwrap_or_else(|| panic!("{} was never in LEFT", path.display()));
        assert_eq!(source.content, item.content, "{}", path.display());
    }
}

#[test]
fn the_second_interrupt_says_what_it_leaves() {
    let bench = many_files();
    let (mut child, out, _) = start_and_wait_for_first_item(&bench);
    // Nobody reads the events any more, so the run stands still in its output. That must not keep the program: were
    // it kept, this test would never end.
    interrupt(&child);
    let mut errors = child.stderr.take().unwrap();
    let (mut told, mut buffer) = (Vec::new(), [0; 4096]);
    while !String::from_utf8_lossy(&told).contains("press again") {
        let n = errors.read(&mut buffer).unwrap();
        assert!(n > 0, "ended early: {}", String::from_utf8_lossy(&told));
        told.extend_from_slice(&buffer[..n]);
    }
    interrupt(&child);
    errors.read_to_end(&mut told).unwrap();
    let run = Run::from(child.wait_with_output().unwrap());
    drop(out);
    let told = String::from_utf8_lossy(&told);
    assert_eq!(run.code, 130, "{told}");
    assert!(told.contains("Stopped at once.") && told.contains(".part"), "{told}");
    assert!(told.contains(&format!("`fcs recover {}` recovers the run", bench.right.display())), "{told}");
    let _ = bench.run_on_right("recover", &["-y"]).expect_code(0);
}

/// Ten items only RIGHT has, one on both sides.
fn mostly_orphans() -> Bench {
    let bench = Bench::new();
    bench.both("same", "x", 1);
    for i in 0..10 {
        bench.right(&format!("old{i}"), "x", 1);
    }
    bench.align();
    bench
}

#[test]
fn removing_most_of_a_side_takes_the_number_of_items_not_a_yes() {
    for (answer, goes) in [("y\n", false), ("11\n", false), ("10\n", true)] {
        let bench = mostly_orphans();
        let before = bench.traces();
        let mut run = OnTerminal::start(&bench, &["sync"]);
        run.wait_for("Type the number of items to remove (10) to go ahead:");
        run.keyboard.write_all(answer.as_bytes()).unwrap();
        let (code, text, _) = run.end();
        assert_eq!(code, if goes { 0 } else { 130 }, "{text}");
        assert!(text.contains("10 of 11 items would be removed"), "{text}");
        assert_eq!(bench.right.join("old0").exists(), !goes);
        assert_eq!(bench.traces() == before, !goes);
    }
}

#[test]
fn deleting_for_good_takes_the_word_delete() {
    for (answer, goes) in [("y\n", false), ("\n", false), ("delete\n", true)] {
        let bench = Bench::with_differences();
        let mut run = OnTerminal::start(&bench, &["orphans", "--to", "permanent"]);
        run.wait_for("This cannot be undone. Type \"delete\" to go ahead:");
        run.keyboard.write_all(answer.as_bytes()).unwrap();
        let (code, text, _) = run.end();
        assert_eq!(code, if goes { 0 } else { 130 }, "{text}");
        assert_eq!(bench.right.join("old.txt").exists(), !goes, "{text}");
    }
}

#[test]
fn an_interrupted_run_asks_whether_to_keep_or_to_roll_back() {
    for (answer, code, result) in [("r\n", 6, "Rolled back:"), ("\n", 130, "What was copied stays")] {
        let bench = many_files();
        let before = bench.seen();
        let args =
            ["copy", "-y", "-v", "--jobs", "1", "--set", "batch_max_files=20", "--max-change", "100000"];
        let mut run = OnTerminal::start(&bench, &args);
        // The line of the first finished item; the overview names it too, but without this.
        run.wait_for("12 B, direct");
        interrupt(&run.child);
        run.wait_for("Keep what is done, or roll it back? [K/r]");
        run.keyboard.write_all(answer.as_bytes()).unwrap();
        let (found, text, _) = run.end();
        assert_eq!(found, code, "{text}");
        assert!(text.contains(result), "{text}");
        assert_eq!(bench.seen() == before, code == 6);
    }
}

#[test]
fn what_becomes_of_an_interrupted_run_can_be_said_beforehand() {
    for (choice, code) in [("rollback", 6), ("keep", 130)] {
        let bench = many_files();
        let before = bench.seen();
        let args = [
            "copy",
            "-y",
            "-v",
            "--jobs",
            "1",
            "--set",
            "batch_max_files=20",
            "--max-change",
            "100000",
            "--on-cancel",
            choice,
        ];
        let run = OnTerminal::start(&bench, &args);
        run.wait_for("12 B, direct");
        interrupt(&run.child);
        let (found, text, _) = run.end();
        assert_eq!(found, code, "{text}");
        assert!(!text.contains("[K/r]"), "{text}");
        assert_eq!(bench.seen() == before, code == 6);
    }
}

#[test]
fn an_unfinished_run_is_offered_to_be_recovered_before_anything_else() {
    for (answer, code) in [("n\n", 9), ("y\n", 1), ("r\n", 1)] {
        let bench = many_files();
        let (mut child, out, _) = start_and_wait_for_first_item(&bench);
        child.kill().unwrap();
        child.wait().unwrap();
        drop(out);
        let mut run = OnTerminal::start(&bench, &["compare", "-q"]);
        run.wait_for("N = not now]");
        run.keyboard.write_all(answer.as_bytes()).unwrap();
        let (found, text, _) = run.end();
        assert_eq!(found, code, "{text}");
        let listed = bench.run_on_right("runs", &[]);
        assert_eq!(listed.code, if code == 9 { 9 } else { 0 }, "{listed}");
        assert_eq!(listed.stdout.starts_with("No runs"), answer == "r\n", "{listed}");
    }
}
