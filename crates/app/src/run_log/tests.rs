use fcs_engine::compare::Side;
use fcs_engine::session::{Limits, Task};
use tempfile::TempDir;

use super::*;

/// Two folders with a difference, opened, and what is to be done about it.
struct Bench {
    home: TempDir,
    folders: Folders,
    proposal: Proposal,
    settings: Settings,
}

impl Bench {
    fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let path = |name: &str| home.path().join(name);
        for side in ["left", "right"] {
            fs::create_dir(path(side)).unwrap();
        }
        fs::write(path("left/good.txt"), "good").unwrap();
        fs::write(path("left/gone.txt"), "gone before it is copied").unwrap();
        let settings = Settings::default();
        let folders = Folders::open(path("left"), path("right"), &[], &[], &settings).unwrap();
        let comparison = folders.compare(&settings, &Control::default()).unwrap();
        let task = Task::Copy(Side::Right);
        let proposal = folders.propose(task, &comparison, &|_| true, &settings, &Limits::default());
        Self { home, folders, proposal, settings }
    }

    fn logs(&self) -> PathBuf {
        self.home.path().join("logs")
    }

    fn begin(&self, logs: &Path) -> Result<Option<RunLogFile>, UserError> {
        RunLogFile::begin(logs, &self.folders, &self.proposal, &self.settings)
    }

    /// Runs with a log; what is in it.
    fn run(&self) -> String {
        let (logs, options, control) = (self.logs(), RunOptions::default(), Control::default());
        let ran =
            run_with_log(Some(&logs), &self.folders, &self.proposal, &self.settings, &options, &control);
        assert!(ran.report.is_ok() && ran.log_error.is_none());
        fs::read_to_string(ran.log.unwrap()).unwrap()
    }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_log_says_what_was_decided_about_each_item_and_what_became_of_it() {
    let mut bench = Bench::new();
    bench.settings.copy_workers = 3;
    fs::remove_file(bench.home.path().join("left/gone.txt")).unwrap();
    let log = bench.run();
    let line =
        |part: &str| log.lines().find(|line| line.contains(part)).unwrap_or_else(|| panic!("{part}: {log}"));
    assert!(line("good.txt: 4 B, direct").contains("(local and below the size limit)"), "{log}");
    assert!(line("good.txt: ").contains(" INFO ") && line("Could not").contains("ERROR Could not"), "{log}");
    assert!(line("Could not").contains("gone.txt"), "logged by a thread of the engine: {log}");
    assert_eq!(log.matches("Could not").count(), 1, "once: {log}");
    assert!(line("setting copy_workers = 3").contains("INFO"));
    assert!(
        log.lines().next().unwrap().contains(": copy") && log.lines().last().unwrap().contains("Done with")
    );
}

#[test]
fn the_level_is_the_settings_and_head_and_end_are_always_there() {
    let mut bench = Bench::new();
    fs::remove_file(bench.home.path().join("left/gone.txt")).unwrap();
    for (level, items) in [(LogLevel::Error, false), (LogLevel::Info, true)] {
        bench.settings.log_level = level;
        let log = bench.run();
        assert_eq!(log.contains("good.txt: "), items, "{log}");
        assert!(log.contains("ERROR Could not") && log.contains("gone.txt"), "{log}");
        assert!(log.lines().next().unwrap().contains(": copy"), "{log}");
        assert!(log.lines().last().unwrap().contains("Done"), "{log}");
        fs::remove_file(bench.home.path().join("right/good.txt")).unwrap();
    }
    bench.settings.log_level = LogLevel::Off;
    assert!(bench.begin(&bench.logs()).unwrap().is_none());
}

#[test]
fn no_log_lies_in_one_of_the_folders() {
    let bench = Bench::new();
    for place in ["left", "right", "right/deep/er", "left/./x", "logs/../right/y"] {
        let before = names(&bench.home.path().join("right"));
        let Err(refused) = bench.begin(&bench.home.path().join(place)) else { panic!("{place}") };
        assert_eq!(refused.kind, UserErrorKind::Refused);
        assert_eq!(names(&bench.home.path().join("right")), before, "{place}");
    }
}

#[test]
fn only_so_many_logs_are_kept_and_nothing_else_is_deleted() {
    let mut bench = Bench::new();
    fs::create_dir(bench.logs()).unwrap();
    let made = |name: &str, days: u64| {
        let path = bench.logs().join(name);
        fs::write(&path, "").unwrap();
        let at = std::time::SystemTime::now() - Duration::from_hours(24 * days);
        File::options().write(true).open(path).unwrap().set_modified(at).unwrap();
    };
    let ours = |second: u32| format!("fcs-run-2020-01-01-00-00-0{second}-000.log");
    for (second, days) in [(1, 9), (2, 0), (3, 9)] {
        made(&ours(second), days);
    }
    let others = [
        "run-experiment1.log",
        "fcs-run-notes.log",
        "fcs-run-2020-01-01-00-00-01-000-x.log",
        "fcs-run-2020-01-01-00-00-01-000.txt",
        "fcs-run-2020x01-01-00-00-01-000.log",
    ];
    others.iter().for_each(|name| made(name, 9));
    let folder = bench.logs().join(ours(0));
    fs::create_dir(&folder).unwrap();
    bench.settings.log_files = 2;
    bench.run();
    let left = names(&bench.logs());
    assert!(others.iter().all(|name| left.contains(&(*name).to_owned())) && folder.is_dir(), "{left:?}");
    assert!(!left.contains(&ours(1)), "the oldest goes: {left:?}");
    assert!(left.contains(&ours(2)), "it may be of a run in progress: {left:?}");
    assert!(left.contains(&ours(3)) && left.len() == others.len() + 4, "the newest stay: {left:?}");
}

#[test]
fn lines_are_in_the_file_while_the_run_goes_on() {
    let bench = Bench::new();
    let log = bench.begin(&bench.logs()).unwrap().unwrap();
    let read = || fs::read_to_string(&log.path).unwrap();
    assert!(read().contains(": copy"), "the head at once");
    log.book.put("INFO", "and this");
    while !read().contains("and this") {
        std::thread::yield_now();
    }
}

#[test]
fn a_dry_run_has_no_log() {
    let bench = Bench::new();
    let (logs, control) = (bench.logs(), Control::default());
    let options = RunOptions { dry_run: true, ..RunOptions::default() };
    let ran = run_with_log(Some(&logs), &bench.folders, &bench.proposal, &bench.settings, &options, &control);
    assert!(ran.report.is_ok() && ran.log.is_none() && !logs.exists());
}

#[test]
fn a_log_that_cannot_be_written_is_told_and_a_run_that_did_not_begin_has_one() {
    let bench = Bench::new();
    fs::write(bench.home.path().join("a file"), "").unwrap();
    let Err(error) = bench.begin(&bench.home.path().join("a file/logs")) else { panic!("a log in a file") };
    assert!(error.message.starts_with("Could not write the log "), "{error}");
    let log = bench.begin(&bench.logs()).unwrap().unwrap();
    let path = log.path.clone();
    log.end(&bench.proposal, Err(&"the folder is\nlocked")).unwrap();
    assert!(fs::read_to_string(path).unwrap().trim_end().ends_with("ERROR the folder is locked"));
}

#[cfg(target_os = "linux")] // The device that is always full.
#[test]
fn an_error_in_the_middle_is_told_at_the_end() {
    let bench = Bench::new();
    let log = bench.begin(&bench.logs()).unwrap().unwrap();
    log.book.lock().file = BufWriter::new(File::options().write(true).open("/dev/full").unwrap());
    log.book.put("INFO", "one");
    let error = log.end(&bench.proposal, Err(&"ended")).unwrap_err();
    assert!(error.message.contains("No space"), "{error}");
}
