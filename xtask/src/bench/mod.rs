//! `cargo xtask bench`: fcs against the programs people would use instead, on a file system in memory.
//!
//! Invariant: all contestants of a contest get the same work from the same state, in an order that rotates from round
//! to round, and one that fails or does less than the work is shown as failed and never as fast. The file system goes
//! away at the end, also after an error or Ctrl-C.
//!
//! It knows fcs by its command line only.

mod contest;
mod data;
mod run;
mod table;

use std::path::{Path, PathBuf};

use fcs_testkit::{FsKind, Image, ImageOptions};

use crate::sh::{self, Needed};
use contest::{Contest, Contestant, Reset, Target, Work};

const NEEDED: [Needed; 6] = [
    ("mkfs.ext4", "e2fsprogs"),
    ("losetup", "mount"),
    ("rsync", "rsync"),
    ("rclone", "rclone"),
    ("diff", "diffutils"),
    ("time", "time"),
];

/// What the command line asks for.
#[allow(clippy::struct_excessive_bools, reason = "each is a switch of its own on the command line")]
#[derive(Debug, PartialEq, Eq)]
struct Args {
    small: bool,
    large: bool,
    compare: bool,
    window: bool,
    rounds: usize,
    files: Option<usize>,
    mib: Option<usize>,
    cold: bool,
    keep: bool,
}

impl Args {
    fn parse(args: &[String]) -> Result<Self, String> {
        let mut parsed = Self {
            small: false,
            large: false,
            compare: false,
            window: false,
            rounds: 5,
            files: None,
            mib: None,
            cold: false,
            keep: false,
        };
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut number = || {
                let value =
                    args.next().and_then(|value| value.parse().ok()).filter(|&value: &usize| value > 0);
                value.ok_or_else(|| format!("{arg} needs a number above 0"))
            };
            match arg.as_str() {
                "small" => parsed.small = true,
                "large" => parsed.large = true,
                "compare" => parsed.compare = true,
                "window" => parsed.window = true,
                "all" => (parsed.small, parsed.large, parsed.compare) = (true, true, true),
                "--rounds" => parsed.rounds = number()?,
                "--files" => parsed.files = Some(number()?),
                "--mib" => parsed.mib = Some(number()?),
                "--cold" => parsed.cold = true,
                "--keep" => parsed.keep = true,
                _ => return Err(format!("unknown argument {arg}; see cargo xtask help")),
            }
        }
        if !(parsed.small || parsed.large || parsed.compare || parsed.window) {
            (parsed.small, parsed.large, parsed.compare) = (true, true, true);
        }
        Ok(parsed)
    }
}

/// Runs the contests; true if every contestant that is installed did its work and every target is met.
pub(crate) fn run(args: &[String]) -> Result<bool, String> {
    let args = Args::parse(args)?;
    if args.window && !window()? {
        return Ok(false);
    }
    if !(args.small || args.large || args.compare) {
        return Ok(true);
    }
    sh::provide(&NEEDED);
    run::catch_interrupts()?;
    let args_of_build = ["build", "--release", "--package", "fcs-cli", "--bin", "fcs"];
    let built =
        sh::cargo(&args_of_build).status().map_err(|error| format!("Could not run cargo: {error}"))?;
    if !built.success() {
        return Err("fcs does not build".to_owned());
    }
    let fcs = sh::target_dir().join("release").join("fcs").with_extension(std::env::consts::EXE_EXTENSION);

    let mut report = Report { text: String::new() };
    report.say(&surroundings(&args, &fcs));
    let mut good = true;
    if args.small {
        good &= small(&args, &fcs, &mut report)?;
    }
    if args.large {
        good &= large(&args, &fcs, &mut report)?;
    }
    if args.compare {
        good &= compare_metadata(&args, &fcs, &mut report)?;
        good &= compare_content(&args, &fcs, &mut report)?;
    }
    report.save();
    Ok(good)
}

/// The window's figures at a million rows; false if one of its programs failed. There is nobody to compare it with
/// without a screen.
fn window() -> Result<bool, String> {
    let memory = if Path::new("/dev/shm").is_dir() { "/dev/shm" } else { "" };
    let base = if memory.is_empty() { std::env::temp_dir() } else { memory.into() };
    let base = base.display().to_string();
    for (package, example, args) in
        [("fcs-gui-model", "million", [&*base, "1000000"]), ("fcs-gui", "frames", ["1000000", &*base])]
    {
        let build = ["run", "--release", "--package", package, "--example", example, "--"];
        let status = sh::cargo(&build).args(args).status();
        let status = status.map_err(|error| format!("Could not run cargo: {error}"))?;
        if !status.success() {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Printed as it grows, and kept for the file.
struct Report {
    text: String,
}

impl Report {
    fn say(&mut self, text: &str) {
        println!("{text}");
        self.text.push_str(text);
        self.text.push('\n');
    }

    fn save(&self) {
        let path = sh::target_dir().join("bench/last.txt");
        let saved = std::fs::create_dir_all(sh::target_dir().join("bench"))
            .and_then(|()| std::fs::write(path, &self.text));
        if let Err(error) = saved {
            eprintln!("Could not save the results: {error}");
        }
    }
}

/// What a reader needs to judge the figures.
fn surroundings(args: &Args, fcs: &Path) -> String {
    let first_line = |tool: &str, path: &str| {
        let version = sh::output_of(path, &["--version"]);
        version
            .and_then(|text| text.lines().next().map(str::to_owned))
            .unwrap_or_else(|| format!("{tool}: none"))
    };
    let kernel = sh::output_of("uname", &["-sr"]).unwrap_or_default();
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let others = ["cp", "rsync", "rclone"].map(|tool| first_line(tool, tool));
    let tools = [&others[..], &[first_line("fcs", &fcs.to_string_lossy())]].concat().join(" · ");
    let cache = if args.cold {
        "sync, then the page cache emptied, before each run"
    } else {
        "source (or both sides) read once and sync before each run, so all of it is in the page cache"
    };
    format!(
        "{kernel}, {cores} cores · {tools}\n{} rounds, order rotating · before: {cache}\n\
         `sync` below is `sync -f TARGET`: of the file system in use only, so that other work here doesn't count\n",
        args.rounds
    )
}

/// A contest's own file system and what is in it.
struct Arena {
    image: Option<Image>,
    keep: bool,
}

impl Arena {
    /// With room for `bytes` in `files` files, twice, plus some.
    fn new(bytes: u64, files: u64, keep: bool) -> Result<Self, String> {
        let inodes = (files * 3 + 10_000).to_string();
        let size = (bytes + files * 4096) * 5 / 2 + (1 << 30);
        let options = ImageOptions { format_args: &["-N", &inodes], mount_options: "", allocated: true };
        let image = Image::with_options(FsKind::Ext4, size, options).map_err(|skip| skip.reason)?;
        let backing = image.backing_file().map(Path::display);
        if !image.mount_point().starts_with("/dev/shm") {
            println!("note: the memory file system is too small, so this runs on {backing:?}");
        }
        Ok(Self { image: Some(image), keep })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.image.as_ref().map_or_else(PathBuf::new, |image| image.mount_point().join(name))
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if self.keep
            && let Some(image) = self.image.take()
        {
            let (at, device) = (image.mount_point().display(), image.loop_device().map(Path::display));
            println!("kept: {at} on {device:?}; end it with umount and losetup --detach");
            std::mem::forget(image);
        }
    }
}

fn said(what: &'static str) -> impl Fn(std::io::Error) -> String {
    move |error| format!("Could not {what}: {error}")
}

const CP: Contestant = Contestant::new("cp -a", "cp", r#"cp -a "$S/." "$D/""#);
const CP_SYNC: Contestant = Contestant::new("cp -a; sync", "cp", r#"cp -a "$S/." "$D/"; sync -f "$D""#);
const CP_SYNC_DIFF: Contestant = Contestant::new(
    "cp -a; sync; diff -rq",
    "diff",
    r#"cp -a "$S/." "$D/"; sync -f "$D"; diff -rq "$S" "$D""#,
);
const RSYNC: Contestant = Contestant::new("rsync -a", "rsync", r#"rsync -a "$S/" "$D/""#);
const RSYNC_CHECK: Contestant =
    Contestant::new("rsync -a; rsync -anc", "rsync", r#"rsync -a "$S/" "$D/"; rsync -anc "$S/" "$D/""#);
const RCLONE: Contestant = Contestant::new(
    "rclone copy; check --download",
    "rclone",
    r#"rclone copy "$S" "$D"; rclone check --download "$S" "$D""#,
);
const FCS: Contestant = Contestant::ours("fcs copy", r#""$FCS" copy "$S" "$D" -y -q"#);
const FCS_UNVERIFIED: Contestant =
    Contestant::ours("fcs copy --verify none", r#""$FCS" copy "$S" "$D" -y -q --verify none"#);
const FCS_STAGED: Contestant =
    Contestant::ours("fcs copy --strategy staged", r#""$FCS" copy "$S" "$D" -y -q --strategy staged"#);

fn small(args: &Args, fcs: &Path, report: &mut Report) -> Result<bool, String> {
    let files = args.files.unwrap_or(50_000);
    let arena = Arena::new(data::mean_bytes() * files as u64, files as u64, args.keep)?;
    let source = arena.path("source");
    let totals = data::realistic(&source, files).map_err(said("make the small files"))?;
    let contest = Contest {
        title: format!("small: copy {totals}"),
        work: Work::Copy(totals),
        source,
        target: arena.path("target"),
        fcs,
        contestants: &[CP, CP_SYNC, CP_SYNC_DIFF, RSYNC, RSYNC_CHECK, RCLONE, FCS, FCS_UNVERIFIED],
        goal: Some(Target { ours: FCS.name, reference: CP_SYNC.name, at_most: 1.2 }),
    };
    play(&contest, args, report)
}

fn large(args: &Args, fcs: &Path, report: &mut Report) -> Result<bool, String> {
    const CP: Contestant = Contestant::new("cp", "cp", r#"cp "$S/large" "$D/""#);
    const CP_SYNC_CMP: Contestant = Contestant::new(
        "cp; sync; cmp",
        "cmp",
        r#"cp "$S/large" "$D/"; sync -f "$D"; cmp "$S/large" "$D/large""#,
    );
    let bytes = args.mib.map_or(1_500_000_000, |mib| (mib as u64) << 20);
    let arena = Arena::new(bytes, 1, args.keep)?;
    let source = arena.path("source");
    let totals = data::large(&source, bytes).map_err(said("make the large file"))?;
    let contest = Contest {
        title: format!("large: copy {totals}"),
        work: Work::Copy(totals),
        source,
        target: arena.path("target"),
        fcs,
        contestants: &[CP, CP_SYNC_CMP, RSYNC, RSYNC_CHECK, RCLONE, FCS, FCS_STAGED],
        goal: Some(Target { ours: FCS.name, reference: CP_SYNC_CMP.name, at_most: 0.9 }),
    };
    play(&contest, args, report)
}

fn compare_metadata(args: &Args, fcs: &Path, report: &mut Report) -> Result<bool, String> {
    const FIND: Contestant =
        Contestant::new("find over both", "find", r#"find "$S" "$D" -printf '%s %T@\n' >/dev/null"#);
    const RSYNC_N: Contestant = Contestant::new("rsync -an", "rsync", r#"rsync -an "$S/" "$D/""#);
    const RCLONE_SIZE: Contestant =
        Contestant::new("rclone check --size-only", "rclone", r#"rclone check --size-only "$S" "$D""#)
            .probed();
    const FCS_COMPARE: Contestant =
        Contestant::ours("fcs compare", r#""$FCS" compare "$S" "$D" -q"#).probed();

    let files = args.files.unwrap_or(500_000);
    // One file in five has content, and so a block of its own.
    let arena = Arena::new(0, files as u64, args.keep)?;
    let (source, target) = (arena.path("source"), arena.path("target"));
    let totals = data::many(&source, files).map_err(said("make the many files"))?;
    run::copy_tree(&source, &target)?;
    let contest = Contest {
        title: format!("compare by metadata: two equal trees, each of {totals}"),
        work: Work::Compare { reset: Reset::Stat, probe: data::grow_a_file },
        source,
        target,
        fcs,
        contestants: &[FIND, RSYNC_N, RCLONE_SIZE, FCS_COMPARE],
        goal: Some(Target { ours: FCS_COMPARE.name, reference: RSYNC_N.name, at_most: 0.6 }),
    };
    play(&contest, args, report)
}

fn compare_content(args: &Args, fcs: &Path, report: &mut Report) -> Result<bool, String> {
    const DIFF: Contestant = Contestant::new("diff -rq", "diff", r#"diff -rq "$S" "$D""#).probed();
    const RSYNC_C: Contestant = Contestant::new("rsync -anc", "rsync", r#"rsync -anc "$S/" "$D/""#);
    const FCS_CONTENT: Contestant = Contestant::ours(
        "fcs compare --criteria existence,size,content",
        r#""$FCS" compare "$S" "$D" -q --criteria existence,size,content"#,
    )
    .probed();

    let files = args.files.unwrap_or(50_000);
    let arena = Arena::new(data::mean_bytes() * files as u64, files as u64, args.keep)?;
    let (source, target) = (arena.path("source"), arena.path("target"));
    let totals = data::realistic(&source, files).map_err(said("make the small files"))?;
    run::copy_tree(&source, &target)?;
    let contest = Contest {
        title: format!("compare by content: two equal trees, each of {totals}"),
        work: Work::Compare { reset: Reset::Read, probe: data::flip_a_byte },
        source,
        target,
        fcs,
        contestants: &[DIFF, RSYNC_C, FCS_CONTENT],
        goal: None,
    };
    play(&contest, args, report)
}

fn play(contest: &Contest<'_>, args: &Args, report: &mut Report) -> Result<bool, String> {
    println!("== {}", contest.title);
    let results = contest.play(args.rounds, args.cold)?;
    let ours =
        contest.contestants.iter().find(|contestant| contestant.ours).map(|contestant| contestant.name);
    let (text, good) =
        table::render(&contest.title, &results, ours.unwrap_or_default(), contest.goal.as_ref());
    report.say(&text);
    Ok(good)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Args, String> {
        Args::parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn without_a_name_all_contests_are_held() {
        let args = parse("--rounds 3").unwrap();
        assert!(args.small && args.large && args.compare);
        assert_eq!(args.rounds, 3);
        assert!(!parse("large").unwrap().small);
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(parse("smal").unwrap_err().contains("smal"));
        assert!(parse("--rounds").unwrap_err().contains("--rounds"));
        assert!(parse("--rounds 0").unwrap_err().contains("--rounds"));
    }
}
