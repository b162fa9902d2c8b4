//! What the program says, word for word, by command: what is typed, what comes back on both streams, and the exit code.
//!
//! The other tests ask whether a message is there; here somebody has read the whole of it. On a difference look at the
//! two texts, and if the new one is what a user should read, keep it: `INSTA_UPDATE=always cargo test -p fcs-cli --test
//! snapshots`, and look at the change with `git diff`.
//!
//! Invariant: nothing in a snapshot depends on the day, the machine or the user. So the folders are in memory, where every
//! Linux keeps the same and proves the same, and what still differs is replaced by its kind, such as `[RUN]`.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

mod common;

use std::fmt::Write as _;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

use common::{set_time, write};
use fcs_engine::memory::{Grade, Known, MemoryChange, RULES, RootIdentity, Rule, Stamp, Terms};
use fcs_state::{PairId, Start, States};
use fcs_sys::{FileId, Kind, RelPath, Time};
use fcs_testkit::bin::{Fcs, Run};
use fcs_testkit::{skip, test_name};
use tempfile::TempDir;

/// A place in memory with the two folders, and everything that was typed there so far.
struct Story {
    fcs: Fcs,
    /// The program alone: whether the window is beside it depends on what was built.
    program: TempDir,
    place: TempDir,
    told: String,
}

impl Story {
    /// Two empty folders, or why there can be none.
    fn begin() -> Result<Self, &'static str> {
        let place = tempfile::Builder::new().prefix("fcs-story-").tempdir_in("/dev/shm");
        let place = place.map_err(|_| "no /dev/shm, whose file system is the same everywhere")?;
        // A second name and no copy: while another test starts a program, a file that is being written cannot be started.
        let program = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let fcs = program.path().join("fcs");
        fs::hard_link(env!("CARGO_BIN_EXE_fcs"), &fcs).unwrap();
        let story = Self { fcs: Fcs::new(fcs), program, place, told: String::new() };
        for side in ["LEFT", "RIGHT"] {
            fs::create_dir(story.path(side)).unwrap();
        }
        story.align();
        Ok(story)
    }

    fn path(&self, below: &str) -> PathBuf {
        self.place.path().join(below)
    }

    /// Both folders have one time, so that they differ in what is in them alone.
    fn align(&self) {
        for side in ["LEFT", "RIGHT"] {
            set_time(&self.path(side), 0);
        }
    }

    /// `LEFT` or `RIGHT` gets files with these contents, all of one time.
    fn files(&self, side: &str, files: &[(&str, &str)]) {
        for (name, content) in files {
            let path = self.path(side).join(name);
            write(&path, content, 60);
            let below = path.ancestors().skip(1).take_while(|folder| folder.starts_with(self.path(side)));
            below.for_each(|folder| set_time(folder, 0));
        }
    }

    /// The same file on both sides, one only left, one only right, one different.
    fn differences(&self) {
        for side in ["LEFT", "RIGHT"] {
            self.files(
                side,
                &[("same.txt", "same"), ("sub/also the same.txt", "same"), ("kept.txt", "kept")],
            );
        }
        self.files(
            "LEFT",
            &[("new.txt", "only left"), ("sub/changed.txt", "twelve bytes"), ("folder/in.txt", "in")],
        );
        self.files("RIGHT", &[("old.txt", "only right"), ("sub/changed.txt", "fourteen bytes")]);
    }

    fn command(&self, args: &[&str]) -> Command {
        let mut command = self.fcs.command();
        command.args(args).current_dir(self.place.path()).env("TMPDIR", self.place.path());
        command.env("PATH", self.program.path());
        command
    }

    /// Types a line and takes down what comes back.
    fn types(&mut self, line: &str) -> Run {
        self.types_with(line, usize::MAX)
    }

    /// The same, but of standard output only the first lines.
    fn types_with(&mut self, line: &str, lines: usize) -> Run {
        let args: Vec<&str> = line.split(' ').collect();
        let run: Run = self.command(&args).output().unwrap().into();
        let _ = writeln!(self.told, "$ fcs {line}");
        let stdout = in_order(&run.stdout);
        self.told.extend(stdout.split_inclusive('\n').take(lines));
        if stdout.lines().count() > lines {
            self.told.push_str("[MORE]\n");
        }
        if !run.stderr.is_empty() {
            let _ = write!(self.told, "--- on the other stream\n{}", run.stderr);
        }
        let _ = writeln!(self.told, "--- {}\n", run.code);
        run
    }

    /// Does something between two lines, and says so.
    fn meanwhile(&mut self, what: &str, act: impl FnOnce(&Self)) {
        act(self);
        let _ = writeln!(self.told, "# {what}\n");
    }

    /// Compares all of it with the snapshot of this name.
    fn ends(self, name: &str) {
        let mut settings = insta::Settings::clone_current();
        settings.set_prepend_module_to_snapshot(false);
        settings.set_omit_expression(true);
        let home = self.fcs.home().to_string_lossy().into_owned();
        let program = self.program.path().to_string_lossy().into_owned();
        let place = self.place.path().to_string_lossy().into_owned();
        settings.add_filter(&regex(&home), "[HOME]");
        settings.add_filter(&regex(&program), "[PROGRAM]");
        settings.add_filter(&regex(&place), "[PLACE]");
        for (pattern, kind) in [
            (r"fcs-run-[0-9-]+\.log", "[LOG]"),
            (r"fcs-demo-\w{6}", "[DEMO]"),
            (r"\b[0-9a-f]{17}\b", "[RUN]"),
            // Dates that the stories give are of 2020.
            (r"\b20(2[1-9]|[3-9]\d)-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d+)?Z?", "[NOW]"),
            // How often it is told depends on how long something takes.
            (r#"\{"event":"progress".*\n"#, ""),
            (r#""seconds":[\d.e-]+"#, "\"seconds\":[TIME]"),
            (r#""created_ns":\d+"#, "\"created_ns\":[NOW]"),
            (r"fcs \d+\.\d+\.\d+", "fcs [VERSION]"),
            (r#""version":"\d+\.\d+\.\d+""#, "\"version\":[VERSION]"),
            // Older kernels keep none in memory, and only root gives files away.
            (r"(?m)^(Attributes|Owners)( +).*", "$1$2[DEPENDS]"),
            (r"\bin \d+\.\d\d s\b", "in [TIME]"),
            (
                r"\d[\d.,]* (B|KiB|MiB|GiB|TiB) (of \d[\d.,]* (B|KiB|MiB|GiB|TiB) )?free(, [\d,]+ more items)?",
                "[ROOM] free",
            ),
            (r"\bprocess \d+\b", "process [PROCESS]"),
            (r#""bytes_free":\d+"#, "\"bytes_free\":[ROOM]"),
            (r#""settings":\{(?:"[^"]*"|[^"}])*\}"#, "\"settings\":[SETTINGS]"),
            (r#""volume":\{"id":\d+"#, "\"volume\":{\"id\":[ID]"),
            (r#""(owners_kept|xattrs)":(true|false)"#, "\"$1\":[DEPENDS]"),
            (r#""space":\{[^}]*\}"#, "\"space\":[ROOM]"),
        ] {
            settings.add_filter(pattern, kind);
        }
        settings.bind(|| insta::assert_snapshot!(name, self.told));
    }
}

/// The text with files that were copied in the order of their names; they are reported in the order in which they are done.
fn in_order(text: &str) -> String {
    let is_copied = |line: &str| line.contains(", verified");
    let mut lines: Vec<&str> = text.split_inclusive('\n').collect();
    lines.chunk_by_mut(|a, b| is_copied(a) && is_copied(b)).for_each(<[&str]>::sort_unstable);
    lines.concat()
}

/// A pattern that matches this text alone.
fn regex(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_alphanumeric() || c == '/' { c.to_string() } else { format!("\\{c}") })
        .collect()
}

/// A story, or a recorded skip and a return from the test.
macro_rules! begin_or_skip {
    () => {
        match Story::begin() {
            Ok(story) => story,
            Err(why) => return skip(test_name!(), why),
        }
    };
}

#[test]
fn help() {
    let mut story = begin_or_skip!();
    story.types("help");
    story.types("--version");
    for command in [
        "compare",
        "copy",
        "sync",
        "orphans",
        "undo",
        "runs",
        "recover",
        "times",
        "times show",
        "times set",
        "times copy",
        "times verify",
        "times repair",
        "state",
        "state list",
        "state show",
        "state forget",
        "doctor",
        "gui",
        "demo",
        "settings",
        "completions",
        "man",
    ] {
        story.types(&format!("{command} -h"));
    }
    story.types("compare --help");
    story.types("cmpare LEFT RIGHT");
    story.types("copy LEFT");
    story.types("copy --dryrun LEFT RIGHT");
    story.ends("help");
}

#[test]
fn compare() {
    let mut story = begin_or_skip!();
    story.types("compare LEFT RIGHT");
    story.differences();
    story.types("compare LEFT RIGHT");
    story.types("compare -v --format tree LEFT RIGHT");
    story.types("compare -q --criteria size,bytes LEFT RIGHT");
    story.types("compare --exclude *.txt --include nothing LEFT RIGHT");
    story.types("compare --json --exclude sub LEFT RIGHT");
    story.types("compare LEFT MISSING");
    story.types("compare LEFT LEFT/../LEFT");
    story.types("compare LEFT LEFT/sub");
    story.types("compare LEFT LEFT/same.txt");
    story.types("compare --criteria colour LEFT RIGHT");
    story.types("compare --exclude [a LEFT RIGHT");
    story.types("compare --tolerance soon LEFT RIGHT");
    story.types("compare --set colour=red LEFT RIGHT");
    story.types("compare --json --null LEFT RIGHT");
    story.types("compare MISSING RIGHT");
    story.meanwhile("RIGHT/kept.txt gets a date that is 5 ms later", |story| {
        let file = fs::File::open(story.path("RIGHT/kept.txt")).unwrap();
        let later = file.metadata().unwrap().modified().unwrap() + std::time::Duration::from_millis(5);
        file.set_modified(later).unwrap();
    });
    story.types("compare --exclude sub LEFT RIGHT");
    story.types("compare --json --exclude *.txt LEFT RIGHT");
    story.types("compare --tolerance exact -v --exclude sub LEFT RIGHT");
    story.ends("compare");
}

#[test]
fn copy() {
    let mut story = begin_or_skip!();
    story.differences();
    story.types("copy --jobs 1 LEFT RIGHT");
    story.types("copy --jobs 1 -n LEFT RIGHT");
    story.types("copy --jobs 1 -y -v LEFT RIGHT");
    story.types("copy --jobs 1 -y LEFT RIGHT");
    story.meanwhile("LEFT/kept.txt becomes a folder, and what is in RIGHT changes", |story| {
        fs::remove_file(story.path("LEFT/kept.txt")).unwrap();
        story.files("LEFT", &[("kept.txt/inside.txt", "inside")]);
        story.files("RIGHT", &[("same.txt", "no longer")]);
    });
    story.types("copy --jobs 1 -y --undo off LEFT RIGHT");
    story.types("copy -y --json --exclude * LEFT RIGHT");
    story.types("copy -y --verify 1GiB --strategy staged LEFT NEW/RIGHT");
    story.types("copy -y LEFT RIGHT/sub/..");
    story.types("copy -y --report RIGHT/report.json LEFT RIGHT");
    story.types("copy -y --verify some LEFT RIGHT");
    story.types("copy -y --set verify_chunk_bytes=1 LEFT RIGHT");
    story.types("copy -y --on-error panic LEFT RIGHT");
    story.types("copy -q -v LEFT RIGHT");
    story.types("copy -y MISSING RIGHT");
    story.types("copy -y LEFT LEFT/sub");
    story.types("copy -y LEFT LEFT");
    story.ends("copy");
}

#[test]
fn copy_choices() {
    let mut story = begin_or_skip!();
    story.differences();
    story.files("LEFT", &[("kind/inside.txt", "inside")]);
    story.files("RIGHT", &[("kind", "a file"), ("newer.txt", "edited here since")]);
    story.files("LEFT", &[("newer.txt", "older")]);
    set_time(&story.path("RIGHT/newer.txt"), 120);
    story.align();
    story.types("copy --jobs 1 -n --json --exclude sub LEFT RIGHT");
    story.types("copy --jobs 1 -y --newer keep --verify none --exclude sub LEFT RIGHT");
    story.types("copy --jobs 1 -y --replace-kinds --strategy staged --report report.json LEFT RIGHT");
    story.types("copy -y -q LEFT RIGHT");
    story.ends("copy_choices");
}

#[test]
fn a_source_that_cannot_be_copied() {
    let mut story = begin_or_skip!();
    story.files("LEFT", &[("a.txt", "a"), ("z.txt", "z")]);
    rustix::fs::mknodat(
        rustix::fs::CWD,
        story.path("LEFT/a pipe"),
        rustix::fs::FileType::Fifo,
        rustix::fs::Mode::RUSR,
        0,
    )
    .unwrap();
    story.align();
    story.types("compare LEFT RIGHT");
    story.types("copy --jobs 1 -y LEFT RIGHT");
    story.types("copy --jobs 1 -y --strict LEFT RIGHT");
    story.ends("copy_pipe");
}

#[test]
fn sync() {
    let mut story = begin_or_skip!();
    story.differences();
    story.types("sync --jobs 1 -n LEFT RIGHT");
    story.types("sync --jobs 1 LEFT RIGHT");
    story.types("sync --jobs 1 -y -v LEFT RIGHT");
    story.types("sync --jobs 1 -y LEFT RIGHT");
    story.meanwhile("LEFT is emptied", |story| {
        fs::remove_dir_all(story.path("LEFT")).unwrap();
        fs::create_dir(story.path("LEFT")).unwrap();
        story.align();
    });
    story.types("sync --jobs 1 -y LEFT RIGHT");
    story.types("sync --jobs 1 -n --json LEFT RIGHT");
    story.types("sync --jobs 1 -y --max-delete 3 LEFT RIGHT");
    story.types("sync --jobs 1 -y --undo off LEFT RIGHT");
    story.types("sync --jobs 1 -y --max-delete 100 LEFT RIGHT");
    story.types("sync -y --max-delete many LEFT RIGHT");
    story.types("sync -y LEFT MISSING");
    story.types("sync -y LEFT LEFT/../LEFT");
    story.ends("sync");
}

#[test]
fn orphans() {
    let mut story = begin_or_skip!();
    story.differences();
    story.types("orphans LEFT RIGHT");
    story.types("orphans -n LEFT RIGHT");
    story.types("orphans -y LEFT RIGHT");
    story.types("orphans -y --side left LEFT RIGHT");
    story.types("orphans -y --side left --to nowhere LEFT RIGHT");
    story.types("orphans -y --side right --to permanent LEFT RIGHT");
    story.types("orphans -y --max-delete some LEFT RIGHT");
    story.files("RIGHT", &[("old.txt", "only right"), ("sub/older.txt", "too")]);
    story.types("orphans -n --json LEFT RIGHT");
    story.types("orphans -y --to permanent --max-delete 1 LEFT RIGHT");
    story.types("orphans -y --to permanent --max-delete 2 LEFT RIGHT");
    story.types("orphans -y LEFT RIGHT");
    story.types("orphans -y MISSING RIGHT");
    story.types("orphans -y LEFT LEFT");
    story.ends("orphans");
}

#[test]
fn undo() {
    let mut story = begin_or_skip!();
    story.types("undo -y RIGHT");
    story.differences();
    story.types("copy --jobs 1 -y -q LEFT RIGHT");
    story.types("undo RIGHT");
    story.types("undo -n RIGHT");
    story.meanwhile("RIGHT/new.txt is changed", |story| {
        story.files("RIGHT", &[("new.txt", "by somebody else")]);
    });
    story.types("undo -y RIGHT");
    story.types("undo -y RIGHT");
    story.types("undo -y RIGHT 0123456789abcdef0");
    story.types("undo -y MISSING");
    story.types("undo");
    story.types("undo -y RIGHT not/a/run");
    story.types("copy --jobs 1 -y -q LEFT RIGHT");
    story.types("undo -n --json RIGHT");
    story.types("undo -y --json RIGHT");
    story.types("copy --jobs 1 -y -q --undo off LEFT RIGHT");
    story.types("undo -y RIGHT");
    story.ends("undo");
}

#[test]
fn runs() {
    let mut story = begin_or_skip!();
    story.types("runs RIGHT");
    story.differences();
    story.types("copy --jobs 1 -y -q LEFT RIGHT");
    story.types("runs RIGHT");
    story.types("runs --json RIGHT");
    story.types("runs --prune RIGHT");
    story.types("runs -y RIGHT");
    story.types("runs --prune=0123456789abcdef0 -y RIGHT");
    story.types("runs --prune -y RIGHT");
    story.types("runs --prune -y RIGHT");
    story.types("runs RIGHT");
    story.types("runs MISSING");
    story.ends("runs");
}

/// Cuts the end of the one run's journal off, as a crash right before it does.
fn lose_the_end(story: &Story) {
    let mut kept = fs::read_dir(story.path("RIGHT/.fcs/runs")).unwrap().map(|entry| entry.unwrap().path());
    let journal = kept.find(|path| path.extension().is_some_and(|end| end == "journal"));
    let file = fs::File::options().write(true).open(journal.unwrap()).unwrap();
    // What is written after a sync has a block of its own, and the end comes last.
    file.set_len(file.metadata().unwrap().len() - 4096).unwrap();
}

#[test]
fn recover() {
    let mut story = begin_or_skip!();
    story.types("recover RIGHT");
    story.types("recover MISSING");
    story.differences();
    story.types("copy --jobs 1 -y -q LEFT RIGHT");
    story.meanwhile("the end of that run did not reach the disk", lose_the_end);
    story.types("compare LEFT RIGHT");
    story.types("copy -y LEFT RIGHT");
    story.types("undo -y RIGHT");
    story.types("runs RIGHT");
    story.types("doctor RIGHT");
    story.types("recover RIGHT");
    story.types("recover -y RIGHT");
    story.types("recover -y RIGHT");
    story.types("undo -y RIGHT");
    story.types("recover --source LEFT RIGHT");
    story.types("recover --leftovers all RIGHT");
    story.ends("recover");
}

#[test]
fn recover_by_rolling_back() {
    let mut story = begin_or_skip!();
    story.differences();
    story.types("copy --jobs 1 -y -q LEFT RIGHT");
    story.meanwhile("the end of that run did not reach the disk", lose_the_end);
    story.types("recover --json RIGHT");
    story.types("recover -y --rollback --json RIGHT");
    story.types("runs RIGHT");
    story.types("recover --json RIGHT");
    story.ends("recover_rollback");
}

#[test]
fn recover_leftovers() {
    let mut story = begin_or_skip!();
    story.files("RIGHT", &[("a.txt", "content"), (".fcs-660e5e38c4b457961-0.part", "content")]);
    story.files("RIGHT", &[(".fcs-660e5e38c4b457961-1.part", "of this there is no other copy")]);
    story.types("recover RIGHT");
    story.types("recover --leftovers list RIGHT");
    story.types("recover --leftovers list --json RIGHT");
    story.types("recover --leftovers delete RIGHT");
    story.types("recover --leftovers delete -y RIGHT");
    story.types("recover --leftovers restore -y RIGHT");
    story.types("recover --leftovers list RIGHT");
    story.types("recover --leftovers list --source MISSING RIGHT");
    story.ends("recover_leftovers");
}

#[test]
fn times() {
    let mut story = begin_or_skip!();
    story.files(
        "LEFT",
        &[("a.txt", "the same"), ("differs.txt", "one content"), ("sub/b.txt", "b"), ("left.txt", "")],
    );
    story.files(
        "RIGHT",
        &[("a.txt", "the same"), ("differs.txt", "two content"), ("sub/b.txt", "b"), ("right.txt", "")],
    );
    story.align();
    story.meanwhile("RIGHT gets other dates, and a link", |story| {
        for (name, second) in [("a.txt", 120), ("differs.txt", 121), ("sub/b.txt", 122), ("sub", 123)] {
            set_time(&story.path("RIGHT").join(name), second);
        }
        std::os::unix::fs::symlink("a.txt", story.path("RIGHT/link")).unwrap();
        story.align();
    });
    story.types("times show --utc RIGHT");
    story.types("times show --utc -q RIGHT/a.txt RIGHT/link RIGHT/sub/");
    story.types("times show --utc -r --include *.txt LEFT MISSING");
    story.types("times verify --utc LEFT RIGHT");
    story.types("times verify --utc --json --exclude sub LEFT RIGHT");
    story.types("times verify --tolerance soon LEFT RIGHT");
    story.types("times verify --tolerance 300s LEFT RIGHT");
    story.types("times repair LEFT RIGHT");
    story.types("times repair --utc -n LEFT RIGHT");
    story.types("times repair --utc -y LEFT RIGHT");
    story.types("times repair --utc -y LEFT RIGHT");
    story.types("runs RIGHT");
    story.types("undo -y RIGHT");
    story.types("times copy --utc -y LEFT/differs.txt RIGHT/differs.txt");
    story.types("times copy --utc -y -r LEFT RIGHT");
    story.types("times copy -y LEFT/a.txt RIGHT");
    story.types("times copy -y LEFT MISSING");
    story.types("times verify LEFT RIGHT");
    story.ends("times");
}

#[test]
fn times_set() {
    let mut story = begin_or_skip!();
    story.files("RIGHT", &[("a.txt", "a"), ("sub/b.txt", "b")]);
    story.align();
    story.types("times set RIGHT");
    story.types("times set --modified yesterday RIGHT");
    story.types("times set --modified 2020-01-01T00:00:00Z MISSING");
    story.types("times set --utc --modified 2020-01-01T00:00:00Z RIGHT");
    story.types("times set --utc -n -r --modified 2020-01-01T01:02:03.5+01:00 RIGHT");
    story.types("times set --utc -y -r --modified 2020-01-01T01:02:03.5+01:00 RIGHT");
    story.types("times set --utc -y -r --modified 2020-01-01T01:02:03.5+01:00 RIGHT");
    story.types("times show --utc -q RIGHT/sub/b.txt");
    story.types("times set --utc -y --created 2020-01-01 RIGHT/a.txt");
    story
        .types("times set --utc -y --created 2020-01-01T00:00Z --modified @1577836800 RIGHT/a.txt RIGHT/sub");
    story.types("runs RIGHT");
    story.types("undo -y RIGHT");
    story.types("times set --utc -y --json --modified 2020-01-02T00:00:00Z RIGHT/a.txt");
    story.types("times set -y -q --modified 2020-01-03T00:00:00Z RIGHT/a.txt");
    story.ends("times_set");
}

#[test]
fn doctor() {
    let mut story = begin_or_skip!();
    story.types("doctor RIGHT");
    story.types("doctor MISSING");
    story.files("LEFT", &[("file", "")]);
    story.types("doctor LEFT/file");
    story.types("doctor -n RIGHT");
    story.types("doctor --json RIGHT");
    story.types("doctor");
    story.ends("doctor");
}

#[test]
fn settings() {
    let mut story = begin_or_skip!();
    story.types("settings");
    story.types("settings path");
    story.types("settings get verify");
    story.types("settings set verify none");
    story.types("settings get verify");
    story.types("settings reset verify");
    story.types("settings reset");
    story.types("settings reset colour");
    story.types("settings set verify");
    story.types("settings get colour");
    story.types("settings set verify some");
    story.types("settings set mmap_window_bytes 1");
    story.types("settings set mmap_window_bytes much");
    story.meanwhile("the file of settings is broken", |story| {
        write(
            &story.fcs.home().join("config/foldercomparesync/settings.toml"),
            "verify = \"all\"\nnonsense = 1\n",
            0,
        );
    });
    story.types("settings get verify");
    story.types("compare LEFT RIGHT");
    story.ends("settings");
}

#[test]
fn demo_and_gui() {
    let mut story = begin_or_skip!();
    story.types("demo");
    story.files("LEFT", &[("file", "")]);
    story.types("demo LEFT/file");
    story.types("gui LEFT");
    story.types("gui LEFT RIGHT");
    story.types("completions powershll");
    story.types("man --out LEFT/pages");
    story.types("man --out LEFT/file");
    story.types_with("completions bash", 1);
    story.types_with("man", 3);
    story.types("demo --keep LEFT/pages");
    story.ends("demo_and_gui");
}

/// A pair that was remembered, as the program would know it on a disk that every test has alike.
fn remember(story: &Story, folders: [&str; 2], items: &[(&str, Option<u64>)]) -> PairId {
    let of = |path: &str| RootIdentity {
        path: path.into(),
        below: path.trim_start_matches("/mnt/").into(),
        volume: path.contains("disk").then(|| "uuid:01234567-89ab-cdef-0123-456789abcdef".to_owned()),
        number: path.contains("disk").then_some([2, 0]),
        made: None,
        file_system: "ext4".into(),
        device: 7,
    };
    let rule = |words: &str| Rule::new([words], words.to_owned());
    let terms = Terms {
        roots: folders.map(of),
        filter: rule("exclude *.tmp"),
        criteria: rule("compare_size = true"),
        rules: RULES,
    };
    let known = |size| {
        let stamp = Stamp {
            kind: Kind::File,
            size,
            modified: Time::new(1_577_836_860, 0),
            changed: None,
            id: FileId { volume: 7, file: size, file_high: 0 },
        };
        Known {
            stamps: [stamp; 2],
            hash: Some([size as u8; 32]),
            grade: Grade::Device,
            seen: Time::new(1_577_836_900, 0),
        }
    };
    let changes = items.iter().map(|&(path, size)| MemoryChange {
        path: RelPath::parse(path.as_bytes()).unwrap(),
        known: size.map(known),
    });
    let states = States::open(&story.fcs.home().join("state/foldercomparesync/pairs")).unwrap();
    let mut pair = states.pair(&terms.roots).unwrap();
    pair.save(Some(&"6921c0a3f20000001".parse().unwrap()), &terms, Start::Afresh, changes).unwrap();
    pair.id().clone()
}

#[test]
fn state() {
    let mut story = begin_or_skip!();
    story.types("state list");
    story.types("state list --json");
    story.types("state forget -y --all");
    let first = remember(
        &story,
        ["/mnt/disk/photos", "/mnt/share/photos"],
        &[("2020/a.jpg", Some(9)), ("b", Some(3000))],
    );
    let second = remember(&story, ["/mnt/disk/music", "/mnt/other/music"], &[("c", Some(1))]);
    // Of two that were saved in one second either may be the later one.
    let again = remember(
        &story,
        ["/mnt/disk/photos", "/mnt/share/photos"],
        &[("2020/a.jpg", Some(9)), ("b", Some(3000))],
    );
    assert!(first == again && first != second);
    story.types("state list");
    story.types("state list --json");
    story.types(&format!("state show {first}"));
    story.types(&format!("state show --items {}", &first.as_str()[..6]));
    story.types(&format!("state show --json --items {first}"));
    story.types("state show x");
    story.types("state forget");
    story.types(&format!("state forget {first}"));
    story.types(&format!("state forget -y {first}"));
    story.types(&format!("state show {first}"));
    story.meanwhile("the memory of the other pair is cut off", |story| {
        let file = story.fcs.home().join(format!("state/foldercomparesync/pairs/{second}.redb"));
        fs::OpenOptions::new().write(true).open(file).unwrap().set_len(5000).unwrap();
    });
    story.types(&format!("state show {second}"));
    story.types(&format!("state show --json {second}"));
    story.types("state forget --json -y --all");
    story.types("state list");
    story.ends("state");
}
