//! `fcs.exe` ended by `TerminateProcess` at random moments of a copy, a sync, an undo and a recovery, and what
//! `fcs recover` makes of it.
//!
//! There is no means on Windows to end a program at a chosen call, so the moments are chosen by time: a random part of
//! what the same work takes undisturbed, aimed better by what the kills before it hit. The parts come from a seed, which
//! a failure prints. How many of the kills found unfinished work is counted, and must be a third; a kill that came before or
//! after it proves nothing.
//!
//! `FCS_KILLS` says how many kills are tried (40 if it is not set), `FCS_KILL_SEED` which moments.

#![cfg(windows)]
#![allow(clippy::unwrap_used)]

mod common;

use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use common::Bench;
use fcs_testkit::{Item, Listing, Options, diff, listing};

/// What is ended in the middle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Work {
    Copy,
    Sync,
    Undo,
    /// The recovery of a copy that was ended before it.
    Recover,
    /// The same, rolling it back.
    RollBack,
}

impl Work {
    const ALL: [Self; 5] = [Self::Copy, Self::Sync, Self::Undo, Self::Recover, Self::RollBack];
}

/// Random numbers that are the same on every machine (splitmix64, <https://prng.di.unimi.it/splitmix64.c>).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// From 0 up to, but not including, 1.
    fn part(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1u64 << 53) as f64
    }
}

/// New, replaced and surplus files, small and large, in folders that exist and folders that do not.
fn bench() -> Bench {
    let bench = Bench::new();
    for i in 0..36 {
        let path = format!("{}/{i:02}", ["a", "a/b", "new", "new/er"][i % 4]);
        bench.left(&path, &format!("new content of {i}"), 10);
        if i % 4 < 2 && i % 3 > 0 {
            bench.right(&path, &format!("old content of {i}, which is longer"), 5);
        }
        if i % 6 == 1 {
            bench.right(&format!("gone/{i:02}"), &format!("only right has {i}"), 5);
        }
    }
    let large = |letter: &str| letter.repeat(400_000);
    bench.left("a/large", &large("n"), 11);
    bench.right("a/large", &large("o"), 6);
    bench.left("new/large", &large("n"), 12);
    for folder in ["a/b", "a", "gone"].map(|name| bench.right.join(name)) {
        common::set_time(&folder, 3);
    }
    bench.align();
    bench
}

/// One file at a time, small groups, and files that go their own way though they are not large, so that there are many
/// moments to be ended at and yet not much to write.
const SLOW: [&str; 10] = [
    "--max-change",
    "100000",
    "--jobs",
    "1",
    "--set",
    "batch_max_files=3",
    "--set",
    "batch_max_file_bytes=100KiB",
    "--set",
    "direct_chunk_bytes=64KiB",
];

fn start(bench: &Bench, work: Work) -> Child {
    let mut command = bench.fcs.command();
    match work {
        Work::Copy => command.args(["copy", "-y"]).args(SLOW).args([&bench.left, &bench.right]),
        Work::Sync => command.args(["sync", "-y"]).args(SLOW).args([&bench.left, &bench.right]),
        Work::Undo => command.args(["undo", "-y"]).arg(&bench.right),
        Work::Recover => command.args(["recover", "-y"]).arg(&bench.right),
        Work::RollBack => command.args(["recover", "-y", "--rollback"]).arg(&bench.right),
    };
    command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
}

fn look(bench: &Bench) -> Listing {
    listing(&bench.right, &Options::default()).unwrap()
}

/// When a kill came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    /// Before the program had changed anything.
    Early,
    InTheMiddle,
    /// When it was over.
    Late,
}

/// What is known of one work.
struct Target {
    work: Work,
    /// How long it takes when nobody ends it.
    takes: Duration,
    /// What it leaves behind then, or for what takes a copy back, what the copy left.
    after: Listing,
    /// Between which parts of that time it is ended. Learned from the kills, because the start of a program takes more
    /// of the time on one machine than on another, and more today than yesterday.
    from: f64,
    to: f64,
    hits: u64,
}

impl Target {
    fn part(&self, random: &mut Random) -> f64 {
        self.from + (self.to - self.from) * random.part()
    }

    fn learn(&mut self, part: f64, came: Came) {
        match came {
            Came::InTheMiddle => self.hits += 1,
            Came::Early => {
                self.from += (part - self.from) * 0.3;
                self.to += 0.05;
            }
            Came::Late => {
                self.to -= (self.to - part) * 0.3;
                self.from = (self.from - 0.05).max(0.0);
            }
        }
        self.to = self.to.max(self.from + 0.2);
    }
}

/// Ends `work` after a part of the time it took undisturbed; false if it was over by then.
fn end_after(bench: &Bench, work: Work, part: f64, took: Duration) -> bool {
    let began = Instant::now();
    let mut child = start(bench, work);
    while began.elapsed() < took.mul_f64(part) {
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        std::thread::sleep(Duration::from_micros(200));
    }
    // Fails only where the program came to its end just now.
    let running = child.kill().is_ok();
    child.wait().unwrap();
    running
}

/// When a kill came that found the program `running`, or over already.
fn came(bench: &Bench, running: bool) -> Came {
    match (running, is_unfinished(bench)) {
        (false, _) => Came::Late,
        (true, true) => Came::InTheMiddle,
        (true, false) => Came::Early,
    }
}

/// Two folders at the point where `work` can begin, and what RIGHT held at first.
fn ready(work: Work, copy: &Target, random: &mut Random) -> (Bench, Listing) {
    // The machine may be busier by now than when the times were learned, or idle again.
    let mut scale = 1.0;
    for _ in 0..20 {
        let bench = bench();
        let before = look(&bench);
        match work {
            Work::Copy | Work::Sync => {}
            Work::Undo => drop(bench.run("copy", &["-y"]).expect_code(0)),
            Work::Recover | Work::RollBack => {
                let running = end_after(&bench, Work::Copy, scale * copy.part(random), copy.takes);
                match came(&bench, running) {
                    Came::InTheMiddle if is_unmarked(&bench) => continue,
                    Came::InTheMiddle => {}
                    Came::Early => {
                        scale *= 1.4;
                        continue;
                    }
                    Came::Late => {
                        scale *= 0.7;
                        continue;
                    }
                }
            }
        }
        return (bench, before);
    }
    panic!("no copy could be ended in the middle, so there is nothing to recover");
}

/// Whether the copy was ended after it made a folder and before that had the mark by which recovery knows it. On Windows that
/// is one call. Wine's server makes the folder and the program marks it afterwards (seen with strace: `mkdir` by the one,
/// `fsetxattr` of `user.DOSATTRIB` by the other), so nobody can tell it from a folder of somebody else, and undo leaves it.
fn is_unmarked(bench: &Bench) -> bool {
    let is_bare = |name: &str| {
        let path = bench.right.join(name);
        std::fs::read_dir(&path).is_ok_and(|mut items| items.next().is_none())
            && !fcs_sys::open_root(&path).unwrap().dir.metadata().unwrap().attributes.is_as_made()
    };
    fcs_sys::is_wine() && ["new", "new/er"].into_iter().any(is_bare)
}

/// Whether a run waits for recovery, which is what every command says then.
fn is_unfinished(bench: &Bench) -> bool {
    let run = bench.run("compare", &["-q"]);
    match run.code {
        9 => true,
        0 | 1 => false,
        _ => panic!("{run}"),
    }
}

/// Each name holds what was there before or what belongs there after, whole, and nothing else lies about.
fn judge(bench: &Bench, before: &Listing, after: &Listing) -> Result<(), String> {
    let now = look(bench);
    let whole = |path: &Path, item: &Item| {
        let but_time = |item: &Item| Item { mtime: None, created: None, ..item.clone() };
        [before, after].iter().filter_map(|all| all.get(path)).any(|known| {
            // The times of folders move with what happens in them.
            if item.kind == fcs_testkit::Kind::Dir {
                but_time(known) == but_time(item)
            } else {
                known == item
            }
        })
    };
    for (path, item) in &now {
        if !whole(path, item) {
            return Err(format!("{} is neither what it was nor what it should be: {item:?}", path.display()));
        }
    }
    // What both sides of the work have must be there whenever it was ended.
    if let Some(lost) = before.keys().find(|path| after.contains_key(*path) && !now.contains_key(*path)) {
        return Err(format!("{} is gone", lost.display()));
    }
    let all = listing(&bench.right, &Options { skip: &[], ..Options::default() }).unwrap();
    let stray = |path: &&std::path::PathBuf| path.file_name().unwrap().to_string_lossy().starts_with(".fcs-");
    match all.keys().find(stray) {
        Some(stray) => Err(format!("{} is left behind", stray.display())),
        None => Ok(()),
    }
}

/// One kill and what follows: when it came, or what is wrong.
fn kill_once(target: &Target, part: f64, copy: &Target, random: &mut Random) -> Result<Came, String> {
    let (bench, before) = ready(target.work, copy, random);
    let running = end_after(&bench, target.work, part, target.takes);
    if matches!(target.work, Work::Copy | Work::Sync) && is_unmarked(&bench) {
        return kill_once(target, target.part(random), copy, random);
    }
    let came = came(&bench, running);
    let recovered = bench.run_on_right("recover", &["-y"]);
    if recovered.code != 0 {
        return Err(format!("recovery failed\n{recovered}"));
    }
    judge(&bench, &before, &target.after).map_err(|e| format!("after recovery: {e}\n{recovered}"))?;
    let undone = bench.run_on_right("undo", &["-y"]);
    // 2: there is nothing that could be undone, because nothing had begun or everything was rolled back.
    if undone.code != 0 && undone.code != 2 {
        let left: Vec<_> = look(&bench).into_iter().map(|(path, item)| (path, item.mode)).collect();
        let again = bench.run_on_right("undo", &["-y"]);
        return Err(format!("undo failed\n{undone}\nafter\n{recovered}\nleft {left:?}\nonce more {again}"));
    }
    let differs = diff(&before, &look(&bench));
    if differs.is_empty() {
        Ok(came)
    } else {
        Err(format!("undo did not restore the start: {differs:#?}\n{undone}\nafter\n{recovered}"))
    }
}

/// Does the work once with nobody in the way. `copy` is known by then, unless it is what is done.
fn undisturbed(work: Work, copy: Option<&Target>, random: &mut Random) -> Target {
    let bench = match copy {
        Some(copy) => ready(work, copy, random).0,
        None => bench(),
    };
    let began = Instant::now();
    let code = start(&bench, work).wait().unwrap().code();
    let takes = began.elapsed();
    assert_eq!(code, Some(0), "{work:?}");
    if matches!(work, Work::Undo | Work::Recover | Work::RollBack) {
        // Names may hold what the copy wrote, until that is undone.
        let _ = bench.run("copy", &["-y"]).expect_code(0);
    }
    Target { work, takes, after: look(&bench), from: 0.15, to: 1.0, hits: 0 }
}

fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok().map(|text| text.parse().unwrap())
}

#[test]
fn a_program_ended_at_any_moment_leaves_what_recovery_puts_in_order_and_undo_takes_back() {
    let kills = number("FCS_KILLS").unwrap_or(40);
    let seed = number("FCS_KILL_SEED").unwrap_or(2025);
    let mut random = Random(seed);
    // Starting Windows' own services may belong to the first time.
    undisturbed(Work::Copy, None, &mut random);
    let mut copy = undisturbed(Work::Copy, None, &mut random);
    let mut others: Vec<Target> =
        Work::ALL[1..].iter().map(|&work| undisturbed(work, Some(&copy), &mut random)).collect();
    for kill in 0..kills {
        let which = kill as usize % Work::ALL.len();
        let target = if which == 0 { &copy } else { &others[which - 1] };
        let part = target.part(&mut random);
        match kill_once(target, part, &copy, &mut random) {
            Ok(came) if which == 0 => copy.learn(part, came),
            Ok(came) => others[which - 1].learn(part, came),
            Err(what) => panic!("kill {kill} of seed {seed}, of {:?}: {what}", target.work),
        }
    }
    let all = || std::iter::once(&copy).chain(&others);
    let hit: u64 = all().map(|target| target.hits).sum();
    let each: Vec<String> = all().map(|t| format!("{:?} {} ({:?})", t.work, t.hits, t.takes)).collect();
    println!("{hit} of {kills} kills found unfinished work: {}", each.join(", "));
    assert!(hit * 3 > kills, "only {hit} of {kills} kills found unfinished work; the others prove nothing");
}
