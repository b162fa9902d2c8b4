//! The window without its drawing, over real folders and the real engine.

use std::fs;
use std::path::PathBuf;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::Instant;

use fcs_engine::OnCancel;
use fcs_engine::compare::{Group, Side};
use fcs_engine::history::RunState;
use fcs_engine::report::RunResult;
use fcs_engine::run::RemovedTo;
use fcs_engine::settings::Verify;
use fcs_testkit::{Options, listing};

use super::*;

mod cases;
mod directing;
mod menu;
mod newer;
mod orphans;
mod settings;
mod times;

/// Answers every dialog with the same path, and counts them.
#[derive(Default)]
struct Answers(Mutex<Vec<PathBuf>>, Mutex<Vec<(&'static str, PathBuf)>>);

impl Answers {
    /// A path that is empty is no dialog at all.
    fn next(&self) -> DialogAnswer {
        match self.0.lock().unwrap().pop() {
            Some(path) if path.as_os_str().is_empty() => DialogAnswer::Missing("nothing is there".into()),
            Some(path) => DialogAnswer::Chosen(path),
            None => DialogAnswer::Cancelled,
        }
    }

    /// Nothing is opened; what is called `nothing` cannot be.
    fn hand_over(&self, what: &'static str, path: &Path) -> Result<(), String> {
        if path.ends_with("nothing") {
            return Err("no program is there for it".to_owned());
        }
        self.1.lock().unwrap().push((what, path.to_owned()));
        Ok(())
    }
}

impl Desktop for Answers {
    fn pick_folder(&self, _title: &str, _start: Option<&Path>) -> DialogAnswer {
        self.next()
    }
    fn pick_save(&self, _title: &str, _name: &str) -> DialogAnswer {
        self.next()
    }
    fn pick_open(&self, _title: &str) -> DialogAnswer {
        self.next()
    }
    fn open(&self, path: &Path) -> Result<(), String> {
        self.hand_over("open", path)
    }
    fn reveal(&self, path: &Path) -> Result<(), String> {
        self.hand_over("reveal", path)
    }
}

struct Bench {
    app: App,
    woken: Receiver<()>,
    answers: Arc<Answers>,
    scratch: tempfile::TempDir,
    began: Instant,
}

impl Bench {
    fn new() -> Self {
        Self::with(|_| {})
    }

    fn with(prepare: impl FnOnce(&Path)) -> Self {
        let scratch = tempfile::tempdir().unwrap();
        for folder in ["left", "right", "home"] {
            fs::create_dir(scratch.path().join(folder)).unwrap();
        }
        prepare(scratch.path());
        let (sender, woken) = channel();
        let sender = Mutex::new(sender);
        let answers = Arc::<Answers>::default();
        let home = scratch.path().join("home");
        let mut app = App::new(Start {
            settings: SettingsFile::read(home.join("settings.toml")),
            kept: Remembered::default(),
            kept_path: Some(home.join("window.toml")),
            logs: Some(home.join("logs")),
            memories: Some(home.join("pairs")),
            home: Some(home.clone()),
            zone: TimeZone::UTC,
            desktop: Arc::clone(&answers) as Arc<dyn Desktop>,
            wake: Arc::new(move || {
                let _ = sender.lock().unwrap().send(());
            }),
        });
        app.set_folder(Side::Left, scratch.path().join("left"));
        app.set_folder(Side::Right, scratch.path().join("right"));
        Self { app, woken, answers, scratch, began: Instant::now() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.scratch.path().join(name)
    }

    fn write(&self, name: &str, content: &[u8]) {
        fs::create_dir_all(self.path(name).parent().unwrap()).unwrap();
        fs::write(self.path(name), content).unwrap();
    }

    /// Polls whenever a job ended, until something is so.
    fn until(&mut self, what: &str, is_so: impl Fn(&App) -> bool) {
        loop {
            self.app.poll(self.began.elapsed());
            if is_so(&self.app) {
                return;
            }
            match self.woken.recv_timeout(Duration::from_mins(2)) {
                Ok(()) => {}
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("{what} did not happen; the log: {:#?}", self.app.log.lines())
                }
            }
        }
    }

    fn compare(&mut self) {
        self.app.compare();
        self.until("a comparison", |app| app.busy.is_none());
    }

    fn idle(&mut self) {
        self.until("the end of the work", |app| app.busy.is_none());
    }

    /// Ticks all differences on the side that is read, and waits for the plan.
    fn plan_copy(&mut self, to: Side) {
        self.app.tick_all(to.other());
        self.app.copy(to);
        self.until("a plan", |app| matches!(&app.sheet, Some(Sheet::Confirm(c)) if c.proposed.is_some()));
    }

    fn proposed(&self) -> &Proposed {
        match &self.app.sheet {
            Some(Sheet::Confirm(Confirm { proposed: Some(proposed), .. })) => proposed,
            _ => panic!("no plan is shown"),
        }
    }

    fn ended(&self) -> &EndedRun {
        match &self.app.sheet {
            Some(Sheet::Ended(ended)) => ended,
            Some(Sheet::UserError(trouble)) => panic!("{trouble:?}"),
            _ => panic!("no result is shown; the log: {:#?}", self.app.log.lines()),
        }
    }

    fn listing(&self, name: &str) -> String {
        format!("{:#?}", listing(&self.path(name), &Options::default()).unwrap())
    }
}

#[test]
fn compare_dry_run_copy_and_undo() {
    let mut bench = Bench::new();
    bench.write("left/new.txt", b"new");
    bench.write("left/sub/changed.txt", b"from the left");
    bench.write("right/sub/changed.txt", b"from the right side");
    bench.write("right/only here.txt", b"stays");
    bench.compare();
    let summary = &bench.app.loaded().unwrap().comparison().summary;
    // The folder differs in its date too if more than the tolerance passed between the two writes.
    assert_eq!((summary.left_only, summary.right_only), (1, 1));
    assert!((1..=2).contains(&summary.different));
    let different = summary.different;
    assert_eq!(bench.app.chip_count(Chip::LeftOnly), 1);
    let chips = Chip::ALL.into_iter().filter(|chip| chip.group() == Group::Different);
    let under: u64 = chips.map(|chip| bench.app.chip_count(chip)).sum();
    assert_eq!(under, different, "the root is in none");
    let before = bench.listing("right");

    bench.plan_copy(Side::Right);
    let ticked = bench.app.ticked(Side::Left);
    assert_eq!(ticked.1, 3 + 13);
    let proposed = bench.proposed();
    assert!(proposed.examples.iter().any(|path| path == "new.txt"), "{:?}", proposed.examples);
    assert_eq!(proposed.must_type(), None);
    bench.app.go(true);
    bench.idle();
    assert!(bench.ended().is_dry());
    assert_eq!(bench.ended().report.result, RunResult::DryRun);
    let decisions = &bench.ended().decisions;
    assert!(
        decisions
            .iter()
            .any(|(path, how)| path == "new.txt" && how.starts_with("new, 3 B, direct, verified")),
        "{decisions:?}"
    );
    assert_eq!(bench.listing("right"), before, "a dry run leaves no trace");
    assert_eq!(bench.app.ticked(Side::Left), ticked, "after a dry run the ticks stay");

    bench.plan_copy(Side::Right);
    bench.app.go(false);
    bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    bench.idle();
    assert_eq!(fs::read(bench.path("right/sub/changed.txt")).unwrap(), b"from the left");
    let ended = bench.ended();
    assert_eq!(ended.report.counts.copied, 2);
    let log = &ended.facts.iter().find(|fact| fact.name == "log").expect("where the log is").text;
    assert!(fs::read_to_string(log).unwrap().contains("new.txt: 3 B, direct"));
    assert!(ended.failures.is_empty() && ended.can_undo());
    let verified = ended.report.counts.verified_on_device + ended.report.counts.verified_in_cache;
    assert_eq!(verified, 2);
    let summary = &bench.app.loaded().unwrap().comparison().summary;
    assert_eq!((summary.left_only, summary.different), (0, 0), "both folders are compared again");
    assert_eq!(bench.app.ticked(Side::Left), (0, 0), "what was ticked is done");

    bench.app.ask_undo_shown();
    bench.until("the question", |app| matches!(app.sheet, Some(Sheet::AskUndo { .. })));
    bench.app.undo();
    bench.until("the undo", |app| matches!(app.sheet, Some(Sheet::Done(_))));
    bench.idle();
    let Some(Sheet::Done(done)) = &bench.app.sheet else { unreachable!() };
    assert_eq!((done.tone(), done.recoveries[0].state), (Tone::Good, RunState::RolledBack));
    assert_eq!(fs::read(bench.path("right/sub/changed.txt")).unwrap(), b"from the right side");
    assert!(!bench.path("right/new.txt").exists());
    bench.app.undo_latest();
    bench.until("no more runs", |app| app.status_message.is_some());
    assert!(bench.app.status_message.as_ref().unwrap().contains("no run"), "{:?}", bench.app.status_message);
}

#[test]
fn a_run_that_is_stopped_stands_still_until_it_is_decided_and_then_rolls_back() {
    let mut bench = Bench::new();
    for n in 0..4 {
        bench.write(&format!("left/{n}.bin"), &vec![n; 48 << 20]);
    }
    bench.write("right/0.bin", b"the original");
    bench.compare();
    bench.plan_copy(Side::Right);
    bench.app.go(false);
    bench.app.ask_to_stop(false);
    assert!(matches!(bench.app.sheet, Some(Sheet::Stop { closing: false, .. })));
    // That a run holds while this is set is the engine's promise, with a test there.
    let stands =
        |app: &App| app.busy.as_ref().map(|busy| (busy.running.is_paused(), busy.control.cancel.is_paused()));
    assert_eq!(stands(&bench.app), Some((true, true)));
    bench.app.close_sheet();
    assert_eq!(stands(&bench.app), Some((false, false)), "Escape goes on");
    bench.app.set_paused(true);
    bench.app.ask_to_stop(false);
    bench.app.ask_to_stop(true);
    bench.app.close_sheet();
    assert_eq!(stands(&bench.app), Some((true, true)), "but not with what was paused by hand");
    bench.app.ask_to_stop(false);
    bench.app.stop(OnCancel::RollBack);
    bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    let ended = bench.ended();
    assert!(
        matches!(ended.report.result, RunResult::RolledBack | RunResult::Cancelled),
        "{:?}",
        ended.report.result
    );
    assert!(ended.report.counts.copied == 0 && !ended.can_undo());
    assert_eq!(fs::read(bench.path("right/0.bin")).unwrap(), b"the original");
    assert!(!bench.path("right/3.bin").exists());
    bench.idle();
}

#[test]
fn what_failed_is_listed_and_tried_again() {
    let mut bench = Bench::new();
    bench.write("left/good.txt", b"good");
    bench.write("left/stale.txt", b"seen");
    bench.compare();
    bench.plan_copy(Side::Right);
    bench.write("left/stale.txt", b"changed since it was compared");
    bench.app.go(false);
    bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    bench.idle();
    let ended = bench.ended();
    assert_eq!((ended.failures.len(), ended.tone()), (1, Tone::Bad));
    assert!(ended.failures[0].text.contains("stale.txt"), "{}", ended.failures[0].text);
    bench.app.copy_failures();
    assert!(bench.app.clipboard.take().is_some_and(|text| text.contains("stale.txt")));
    assert!(!bench.path("right/stale.txt").exists() && bench.path("right/good.txt").exists());

    bench.app.retry_failed();
    bench.until("a plan", |app| matches!(&app.sheet, Some(Sheet::Confirm(c)) if c.proposed.is_some()));
    assert_eq!(bench.proposed().examples, ["stale.txt"]);
    bench.app.go(false);
    bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    bench.idle();
    assert!(bench.ended().failures.is_empty());
    assert_eq!(fs::read(bench.path("right/stale.txt")).unwrap(), b"changed since it was compared");
}

#[test]
fn folders_that_cannot_be_compared_say_why_and_a_stopped_comparison_keeps_the_last() {
    let mut bench = Bench::new();
    bench.app.set_folder_text(Side::Right, bench.path("nowhere").to_str().unwrap().to_owned());
    bench.compare();
    assert!(matches!(&bench.app.view, View::Failed(trouble) if trouble.message.contains("does not exist")));
    bench.app.set_folder_text(Side::Right, format!("  \"{}\" ", bench.path("left").to_str().unwrap()));
    bench.compare();
    assert!(matches!(&bench.app.view, View::Failed(trouble) if trouble.message.contains("same folder")));
    bench.app.set_folder_text(Side::Right, r"\\server\share".to_owned());
    if cfg!(windows) {
        bench.compare();
        assert!(matches!(&bench.app.view, View::Failed(t) if t.message.contains("network paths")));
    }
    bench.app.set_folder(Side::Right, bench.path("right"));
    bench.write("left/a.txt", b"a");
    bench.compare();
    assert!(bench.app.loaded().is_some());
    bench.app.compare();
    bench.app.ask_to_stop(false);
    bench.idle();
    assert!(bench.app.loaded().is_some());
}

#[test]
fn another_comparison_finds_what_was_open_and_ticked_again() {
    let mut bench = Bench::new();
    bench.write("left/a/b/one.txt", b"1");
    bench.write("left/a/two.txt", b"22");
    bench.write("right/z.txt", b"z");
    bench.compare();
    let find = |app: &App, path: &[u8]| {
        let comparison = app.loaded().unwrap().comparison();
        jobs::find(comparison, &fcs_sys::RelPath::parse(path).unwrap(), Side::Left).unwrap()
    };
    let (folder, file) = (find(&bench.app, b"a"), find(&bench.app, b"a/two.txt"));
    let model = &mut bench.app.loaded_mut().unwrap().model;
    model.set_open(folder, true);
    model.toggle(file, Side::Left);
    model.set_cursor(file);
    bench.write("left/A first.txt", b"moves the numbers of all rows");
    bench.write("left/a/b/more.txt", b"more");
    bench.compare();
    let (folder, file) = (find(&bench.app, b"a"), find(&bench.app, b"a/two.txt"));
    let model = &bench.app.loaded().unwrap().model;
    assert!(model.rows().is_open(folder));
    assert!(model.selection().is_ticked(file, Side::Left));
    assert_eq!((model.selection().count(Side::Left), model.cursor()), (1, file));
    assert!(!model.rows().is_open(find(&bench.app, b"a/b")));
    bench.app.set_folder(Side::Right, bench.path("home"));
    bench.compare();
    assert_eq!(bench.app.ticked(Side::Left).0, 0, "other folders, nothing taken over");
}

#[test]
fn an_end_waits_for_who_is_in_the_middle_of_something_else() {
    let mut bench = Bench::new();
    bench.write("left/a.txt", b"new");
    bench.write("right/b.txt", b"orphan");
    bench.compare();
    bench.plan_copy(Side::Right);
    bench.app.go(false);
    bench.app.show_settings();
    bench.idle();
    bench.idle();
    assert!(matches!(bench.app.sheet, Some(Sheet::Settings(_))), "what is typed there is not taken away");
    bench.app.close_sheet();
    assert!(matches!(bench.app.sheet, Some(Sheet::Ended(_))));
    bench.app.close_sheet();
    assert!(bench.app.sheet.is_none());
    bench.app.delete_orphans(Side::Right);
    bench.app.show_log();
    bench.idle();
    assert!(matches!(bench.app.sheet, Some(Sheet::Log { .. })) && bench.app.status_message.is_some());
    bench.app.close_sheet();
    bench.app.undo_latest();
    bench.app.show_history();
    bench.until("the runs", |app| matches!(app.sheet, Some(Sheet::History(Some(_)))));
}

#[test]
fn a_window_that_is_closed_during_a_run_closes_after_the_answer() {
    let mut bench = Bench::new();
    bench.write("left/big.bin", &vec![7; 64 << 20]);
    bench.compare();
    bench.plan_copy(Side::Right);
    bench.app.go(false);
    bench.app.ask_to_stop(true);
    assert!(matches!(bench.app.sheet, Some(Sheet::Stop { closing: true, .. })) && !bench.app.should_close());
    bench.app.stop(OnCancel::Keep);
    bench.until("the close", App::should_close);
    assert!(bench.app.busy.is_none());
    let mut idle = Bench::new();
    idle.app.ask_to_stop(true);
    assert!(idle.app.should_close(), "nothing is in progress");
}

#[test]
fn copies_are_refused_while_an_interrupted_run_waits_and_recovery_clears_the_way() {
    let mut bench = Bench::new();
    bench.write("left/a.txt", b"new");
    bench.write("right/a.txt", b"the original");
    interrupt_a_run(&bench);
    bench.write("left/b.txt", b"more to do");
    bench.compare();
    assert_eq!(bench.app.unfinished.len(), 1);
    assert_eq!(bench.app.unfinished[0].side, Side::Right);
    bench.plan_copy(Side::Right);
    bench.app.go(false);
    bench.until("a refusal", |app| matches!(app.sheet, Some(Sheet::UserError(_))));
    bench.app.close_sheet();
    let unfinished = bench.app.unfinished[0].clone();
    bench.app.ask_recover(unfinished, RecoverMode::RollBack);
    bench.app.recover();
    bench.until("the recovery", |app| matches!(app.sheet, Some(Sheet::Done(_))));
    bench.idle();
    assert!(bench.app.unfinished.is_empty());
    assert_eq!(fs::read(bench.path("right/a.txt")).unwrap(), b"the original");
}

/// Leaves a run behind whose journal has no end: its last record is cut off.
fn interrupt_a_run(bench: &Bench) {
    use fcs_engine::session::{Folders, Limits, Task};
    let settings = Settings::default();
    let folders = Folders::open(bench.path("left"), bench.path("right"), &[], &[], &settings).unwrap();
    let control = Control::default();
    let comparison = folders.compare(&settings, &control).unwrap();
    let task = Task::Copy(Side::Right);
    let proposal = folders.propose(task, &comparison, &|_| true, &settings, &Limits::default());
    let options = fcs_engine::run::RunOptions::default();
    let report = folders.run(&proposal, &settings, &options, &control).unwrap();
    assert_eq!(report.result, RunResult::Completed);
    let journal = bench.path(&format!("right/.fcs/runs/{}.journal", report.run));
    let length = fs::metadata(&journal).unwrap().len();
    let cut = fs::read(&journal).unwrap();
    let end = cut.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    assert!(end as u64 <= length);
    // The record of the end is the last; without its last bytes its checksum is wrong, as after a power cut.
    let file = fs::OpenOptions::new().write(true).open(&journal).unwrap();
    file.set_len(end as u64 - 3).unwrap();
}

#[test]
fn a_window_that_is_to_close_stays_to_tell_what_went_wrong() {
    let mut bench = Bench::new();
    bench.write("left/a.txt", b"new");
    bench.write("right/a.txt", b"older");
    bench.compare();
    bench.plan_copy(Side::Right);
    bench.app.go(false);
    bench.idle();
    bench.idle();
    bench.write("right/a.txt", b"changed by hand");
    bench.app.close_sheet();
    bench.app.undo_latest();
    bench.until("the question", |app| matches!(app.sheet, Some(Sheet::AskUndo { .. })));
    bench.app.undo();
    bench.app.ask_to_stop(true);
    bench.until("the account", |app| matches!(app.sheet, Some(Sheet::Done(_))));
    assert!(!bench.app.should_close(), "the trouble was not seen yet");
}

#[test]
fn what_is_typed_during_a_run_does_not_turn_the_comparison_after_it_elsewhere() {
    let mut bench = Bench::new();
    bench.write("left/a.txt", b"new");
    bench.compare();
    bench.plan_copy(Side::Right);
    bench.app.go(false);
    bench.app.swap_folders();
    bench.app.set_folder_text(Side::Left, "/nowhere".to_owned());
    bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    bench.idle();
    let loaded = bench.app.loaded().expect("still a comparison");
    assert!(loaded.comparison().summary.identical());
    assert_eq!(loaded.folders.root(Side::Right).path.file_name().unwrap(), "right");
    assert!(bench.app.is_elsewhere(), "said, because it is not what is typed");
}

#[test]
fn a_comparison_after_a_run_that_is_stopped_leaves_nothing_ticked_and_is_known_to_be_old() {
    let mut bench = Bench::new();
    bench.write("left/a.txt", b"new");
    bench.compare();
    bench.plan_copy(Side::Right);
    bench.app.go(false);
    bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    bench.app.stop(OnCancel::Keep);
    bench.idle();
    assert_eq!(bench.app.ticked(Side::Left), (0, 0));
    let identical = bench.app.loaded().unwrap().comparison().summary.identical();
    assert!(identical || bench.app.is_stale());
}

#[test]
fn looks_at_other_orphans_and_plans_that_nobody_waits_for_change_nothing() {
    let mut bench = Bench::new();
    bench.write("left/a.txt", b"a");
    bench.write("right/b.txt", b"b");
    bench.compare();
    bench.app.delete_orphans(Side::Right);
    let looked = |app: &App| matches!(&app.sheet, Some(Sheet::Orphans(o)) if o.access.is_some());
    bench.until("a look", looked);
    let Some(Sheet::Orphans(orphans)) = &bench.app.sheet else { unreachable!() };
    let right = orphans.access.clone();
    bench.app.take(JobEvent::Accesses(0, std::collections::HashMap::new()));
    let Some(Sheet::Orphans(orphans)) = &bench.app.sheet else { unreachable!() };
    assert_eq!(orphans.access, right);
    bench.app.close_sheet();
    bench.app.compare();
    bench.app.take(JobEvent::Broke("plan"));
    assert!(bench.app.busy.is_some(), "the comparison is still in progress");
}

#[test]
fn what_failed_in_other_folders_is_not_tried_again_in_these() {
    let mut bench = Bench::new();
    bench.write("left/a.txt", b"new");
    bench.write("right/a.txt", b"older");
    bench.compare();
    bench.plan_copy(Side::Right);
    bench.write("right/a.txt", b"changed meanwhile");
    bench.app.go(false);
    bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    bench.idle();
    bench.app.close_sheet();
    bench.write("other/a.txt", b"of another folder");
    bench.app.set_folder(Side::Right, bench.path("other"));
    bench.compare();
    bench.app.show_last_run();
    bench.app.retry_failed();
    assert!(bench.app.busy.is_none() && matches!(bench.app.sheet, Some(Sheet::Ended(_))));
}

#[cfg(unix)] // Elsewhere an open folder cannot be moved away.
#[test]
fn nothing_is_written_into_a_folder_that_is_not_at_its_path_any_more() {
    let mut bench = Bench::new();
    bench.write("left/a.txt", b"new");
    bench.compare();
    bench.plan_copy(Side::Right);
    fs::rename(bench.path("right"), bench.path("away")).unwrap();
    fs::create_dir(bench.path("right")).unwrap();
    bench.app.go(false);
    bench.idle();
    assert!(matches!(bench.app.sheet, Some(Sheet::UserError(_))));
    assert!(!bench.path("away/a.txt").exists() && !bench.path("right/a.txt").exists());
}
