//! `cargo xtask bench`: fcs against the programs people would use instead, on a file system in memory or a real disk.
//!
//! Invariant: all contestants of a contest get the same work from the same state, in an order that rotates from round
//! to round, and one that fails or does less than the work is shown as failed and never as fast. The file system goes
//! away at the end, also after an error or Ctrl-C.
//!
//! It knows fcs by its command line only.

mod arena;
mod contest;
mod contests;
mod data;
mod run;
mod table;

use std::path::{Path, PathBuf};

use crate::sh::{self, Needed};

const NEEDED: [Needed; 6] = [
    ("mkfs.ext4", "e2fsprogs"),
    ("losetup", "mount"),
    ("rsync", "rsync"),
    ("rclone", "rclone"),
    ("diff", "diffutils"),
    ("time", "time"),
];

/// Programs in Rust that take part, with the version that is measured. They go to a folder of the bench's own.
const FROM_CARGO: [(&str, &str); 3] = [("fcp", "0.2.2"), ("xcp", "0.24.9"), ("cpz", "3.2.1")];

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
struct Args {
    /// Names of contests, in the order of [`contests::ALL`]; and whether the window is measured.
    contests: Vec<&'static str>,
    window: bool,
    rounds: usize,
    files: Option<usize>,
    mib: Option<usize>,
    /// The folder on whose disk the contests are held; else a file system in memory.
    real: Option<PathBuf>,
    cold: bool,
    keep: bool,
}

impl Args {
    fn parse(args: &[String]) -> Result<Self, String> {
        let mut parsed = Self {
            contests: Vec::new(),
            window: false,
            rounds: 5,
            files: None,
            mib: None,
            real: None,
            cold: false,
            keep: false,
        };
        let mut names = Vec::new();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            let number = |value: Result<&String, String>| {
                let value =
                    value.ok().and_then(|value| value.parse().ok()).filter(|&value: &usize| value > 0);
                value.ok_or_else(|| format!("{arg} needs a number above 0"))
            };
            match arg.as_str() {
                "window" => parsed.window = true,
                "--rounds" => parsed.rounds = number(value())?,
                "--files" => parsed.files = Some(number(value())?),
                "--mib" => parsed.mib = Some(number(value())?),
                "--real" => parsed.real = Some(value()?.into()),
                "--cold" => parsed.cold = true,
                "--keep" => parsed.keep = true,
                name if name == "all" || contests::ALL.iter().any(|(known, _)| *known == name) => {
                    names.push(name);
                }
                _ => return Err(format!("unknown argument {arg}; see cargo xtask help")),
            }
        }
        let all = names.contains(&"all") || names.is_empty() && !parsed.window;
        let wanted = contests::ALL.iter().filter(|(name, _)| all || names.contains(name));
        parsed.contests = wanted.map(|(name, _)| *name).collect();
        Ok(parsed)
    }
}

/// Runs the contests; true if every contestant that is installed did its work and every target is met.
pub(crate) fn run(args: &[String]) -> Result<bool, String> {
    let args = Args::parse(args)?;
    if args.window && !window()? {
        return Ok(false);
    }
    if args.contests.is_empty() {
        return Ok(true);
    }
    sh::provide(&NEEDED);
    provide_from_cargo();
    run::catch_interrupts()?;
    let args_of_build = ["build", "--release", "--package", "fcs-cli", "--bin", "fcs"];
    let built =
        sh::cargo(&args_of_build).status().map_err(|error| format!("Could not run cargo: {error}"))?;
    if !built.success() {
        return Err("fcs does not build".to_owned());
    }
    let fcs = sh::target_dir().join("release").join("fcs").with_extension(std::env::consts::EXE_EXTENSION);

    let mut bench = Bench { args, fcs, report: Report { text: String::new() } };
    bench.report.say(&surroundings(&bench.args, &bench.fcs));
    let mut good = true;
    for (name, hold) in contests::ALL {
        if bench.args.contests.contains(name) {
            good &= hold(&mut bench)?;
        }
    }
    bench.report.save();
    Ok(good)
}

/// What all contests share.
struct Bench {
    args: Args,
    fcs: PathBuf,
    report: Report,
}

/// Where programs that cargo installs for the bench are.
fn tools_dir() -> PathBuf {
    sh::target_dir().join("bench/tools")
}

/// Builds those of [`FROM_CARGO`] that are missing; what cannot be had is left out by name.
fn provide_from_cargo() {
    for (name, version) in FROM_CARGO {
        if tools_dir().join("bin").join(name).is_file() {
            continue;
        }
        println!("building {name} {version} to compare with");
        let root = tools_dir();
        let mut install =
            sh::cargo(&["install", "--quiet", "--locked", "--version", version, name, "--root"]);
        // Its own target folder: no flags or lock of this workspace.
        install.arg(&root).env("CARGO_TARGET_DIR", root.join("target")).current_dir(std::env::temp_dir());
        if let Err(error) = sh::quietly(&mut install) {
            println!("not installed: {name} (it does not take part): {error}");
        }
    }
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
    let built = FROM_CARGO.map(|(name, version)| format!("{name} {version}"));
    let tools = [&others[..], &built[..], &[first_line("fcs", &fcs.to_string_lossy())]].concat().join(" · ");
    let cache = if args.cold {
        "sync, then the page cache emptied, before each run"
    } else {
        "source (or both sides) read once and sync before each run, so all of it is in the page cache"
    };
    let place = args.real.as_ref().map_or("ext4 in memory".to_owned(), |dir| {
        let at = dir.display().to_string();
        let disk = sh::output_of("df", &["--output=fstype,source", &at]).unwrap_or_default();
        format!("{at} ({})", disk.lines().last().unwrap_or_default().trim())
    });
    format!(
        "{kernel}, {cores} cores · {place} · {tools}\n{} rounds, order rotating · before: {cache}\n\
         `sync` below is `sync -f TARGET`: of the file system in use only, so that other work here doesn't count\n",
        args.rounds
    )
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
        assert_eq!((args.contests.len(), args.rounds), (contests::ALL.len(), 3));
        assert_eq!(parse("large").unwrap().contests, ["large"]);
        assert!(parse("window").unwrap().contests.is_empty());
        let args = parse("undo small --real /mnt --cold").unwrap();
        assert_eq!(args.contests, ["small", "undo"], "in the order in which they are held");
        assert_eq!(args.real.as_deref(), Some(Path::new("/mnt")));
    }

    #[test]
    fn what_is_not_understood_is_refused() {
        assert!(parse("smal").unwrap_err().contains("smal"));
        assert!(parse("--rounds").unwrap_err().contains("--rounds"));
        assert!(parse("--real").unwrap_err().contains("--real"));
        assert!(parse("--rounds 0").unwrap_err().contains("--rounds"));
    }
}
