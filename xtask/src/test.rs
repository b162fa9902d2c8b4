//! `cargo xtask test`: everything a change must pass, the same on a desk and in continuous integration.
//!
//! Invariant: the last line is `N passed, N failed, N skipped`, and the exit code is zero only if every step passed
//! and no test skipped that should have run. All steps run, so that one look shows everything that is wrong.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::sh::{self, Needed};
use crate::tally::Tally;
use crate::{deny, documents, python, torture, windows};

/// The tools that tests look for.
const NEEDED: [Needed; 15] = [
    ("cc", "gcc"),
    ("cc", "libc6-dev"),
    ("mkfs.ext4", "e2fsprogs"),
    ("mkfs.xfs", "xfsprogs"),
    ("mkfs.btrfs", "btrfs-progs"),
    ("mkfs.exfat", "exfatprogs"),
    ("mount.exfat-fuse", "exfat-fuse"),
    ("mkfs.ntfs", "ntfs-3g"),
    ("sshfs", "sshfs"),
    // Its program is on no search path.
    ("/usr/lib/openssh/sftp-server", "openssh-sftp-server"),
    ("losetup", "mount"),
    ("unshare", "util-linux"),
    ("setfattr", "attr"),
    ("setfacl", "acl"),
    ("strace", "strace"),
];
const NEEDED_FUSE: Needed = ("fusermount3", "fuse3");

const PLAN: &str = "\
This will, in this order and without stopping at the first failure:
  1. install missing tools for the tests (only as root, only with apt-get)
  2. cargo fmt --all --check
  3. check the dependencies by deny.toml (licences, second versions, where crates come from), and the documents (links,
     paths, the tests that promises name)
  4. cargo clippy --workspace --all-targets -- -D warnings
  5. cargo check -p fcs-cli, and that nothing of the window is built with it
  6. cargo test --workspace --no-fail-fast
  7. cargo test -p fcs-engine --test planted, with faults planted into the engine (only on Linux)
  8. cargo doc --workspace --no-deps, with warnings as errors
  9. pytest python/tests, with CPython 3.11 and 3.13 (those that are here; installs what the tests need, as root)
 10. the same lints and the tests for Windows, in Wine (only as root on Debian 12; installs and builds what they need)
 11. a slice of cargo xtask torture: kill, then power (only as root with loop devices)
 12. list the tests that skipped; as root with loop devices they must equal xtask/expected-skips.txt, those that
     skipped in Wine xtask/expected-skips-wine.txt, and those of Python xtask/expected-skips-python.txt
";

/// Needs what draws, and minutes to build it.
const WINDOW: &str = "fcs-gui";

const QUICK_PLAN: &str = "\
This will, in this order and without stopping at the first failure:
  1. cargo fmt --all --check
  2. check the dependencies by deny.toml, that nothing of the window is built with fcs-cli, and the documents
  3. cargo clippy --all-targets -- -D warnings, without fcs-gui
  4. the unit tests of all crates but fcs-gui
  5. the tests of the engine, on the simulated disk and in temporary folders, and what the command line says
Tests that need root skip, also for root. A change must pass `cargo xtask test`.
";

/// Set where this program stands between cargo and rustc, for [`rustc_with_planted_faults`].
pub(crate) const PLANTED: &str = "FCS_XTASK_PLANTS_FAULTS";

/// Runs the rustc that cargo names, so that it plants the faults; true if it succeeded.
///
/// Not `RUSTFLAGS`, which would have every dependency built once more.
pub(crate) fn rustc_with_planted_faults(args: &[String]) -> Result<bool, String> {
    let (rustc, rest) = args.split_first().ok_or("cargo named no rustc")?;
    let status = Command::new(rustc).args(rest).args(["--cfg", "fcs_planted"]).status();
    Ok(status.map_err(|error| format!("{rustc} does not start: {error}"))?.success())
}

/// Runs all steps; true if everything passed.
pub(crate) fn run() -> Result<bool, String> {
    println!("{PLAN}");
    sh::provide(&[&NEEDED[..], &[NEEDED_FUSE]].concat());

    let mut tally = Tally::default();
    let mut wrong = Vec::new();
    step(&mut wrong, "cargo fmt", &mut sh::cargo(&["fmt", "--all", "--check"]));
    rules(&mut tally, &mut wrong);
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    step(&mut wrong, "cargo clippy", &mut sh::cargo(&clippy));
    // Built with the whole workspace, it has what the window asks of crates that both use.
    step(&mut wrong, "the command line alone", &mut sh::cargo(&["check", "--package", "fcs-cli"]));

    println!("\n== cargo test");
    let (tests, passed) = tests()?;
    tally.absorb(tests, "");

    if cfg!(target_os = "linux") {
        // By name and not by package, with what the tests before were built with: only this workspace's crates are
        // built anew. Cargo keeps what a wrapper makes apart, so nothing of it gets into any other build.
        let planted = ["test", "--workspace", "--test", "planted", "--", "--nocapture"];
        let mut planted = sh::cargo(&planted);
        let this =
            std::env::current_exe().map_err(|error| format!("Could not find this program: {error}"))?;
        planted.env("RUSTC_WORKSPACE_WRAPPER", this).env(PLANTED, "1");
        // Its panics are meant, and their frames would bury what really failed.
        planted.env("RUST_BACKTRACE", "0");
        step(&mut wrong, "planted faults", &mut planted);
    }

    let doc = ["doc", "--workspace", "--no-deps"];
    step(&mut wrong, "cargo doc", sh::cargo(&doc).env("RUSTDOCFLAGS", "-Dwarnings"));

    python::steps(&mut tally, &mut wrong);
    windows::steps(&mut tally, &mut wrong);

    for kind in ["kill", "power"] {
        println!("\n== cargo xtask torture {kind} --slice");
        let name = format!("torture_{kind}_slice");
        if let Some(missing) = not_enforced_because() {
            tally.skip(&name, missing);
            continue;
        }
        let found =
            torture::found(&[kind.to_owned(), "--slice".to_owned()]).unwrap_or_else(|error| vec![error]);
        tally.count(found.is_empty());
        wrong.extend(found.into_iter().map(|what| format!("torture {kind}: {what}")));
    }

    if !passed {
        wrong.push("cargo test: see the failed tests".to_owned());
    }
    wrong.extend(judge_skips(&tally)?);
    Ok(end(&tally, &wrong))
}

/// Runs the stage for Python alone; true if all of it passed.
pub(crate) fn python() -> bool {
    let mut tally = Tally::default();
    let mut wrong = Vec::new();
    python::steps(&mut tally, &mut wrong);
    tally.print_skips();
    end(&tally, &wrong)
}

/// Runs what takes minutes, not root and no screen; true if all of it passed.
pub(crate) fn quick() -> Result<bool, String> {
    println!("{QUICK_PLAN}");
    let mut tally = Tally::default();
    let mut wrong = Vec::new();
    step(&mut wrong, "cargo fmt", &mut sh::cargo(&["fmt", "--all", "--check"]));
    rules(&mut tally, &mut wrong);
    let clippy = ["clippy", "--workspace", "--exclude", WINDOW, "--all-targets", "--", "-D", "warnings"];
    step(&mut wrong, "cargo clippy", &mut sh::cargo(&clippy));

    println!("\n== cargo test");
    let log = sh::target_dir().join("skipped-quick-tests.txt");
    let (tests, passed) = count(&log, |log| {
        let mut tests = quick_tests()?;
        tests.env("FCS_SKIP_LOG", log).env("FCS_TEST_NO_ROOT", "1").stdout(Stdio::piped());
        // A prime number, so that each scenario, each kind of disk and each error has its turn.
        tests.env("FCS_TEST_EVERY", "13");
        tests.spawn().map_err(|error| format!("cargo does not start: {error}"))
    })?;
    tally.absorb(tests, "");
    if !passed {
        wrong.push("cargo test: see the failed tests".to_owned());
    }
    println!("\nskipped for `cargo xtask test`: {}", tally.skipped());
    Ok(end(&tally, &wrong))
}

/// The unit tests, and the tests of the engine and of what the program says.
fn quick_tests() -> Result<Command, String> {
    let mut tests =
        sh::cargo(&["test", "--workspace", "--exclude", WINDOW, "--no-fail-fast", "--lib", "--bins"]);
    if cfg!(windows) {
        // As in [`tests`].
        tests.args(["--exclude", "xtask"]);
    }
    // By name and not by package: with fewer packages the crates below get other features, and are built twice. Where
    // another package has a test of the same name it runs too.
    let folder = sh::repository().join("crates/engine/tests");
    let said = |error: std::io::Error| format!("Could not list {}: {error}", folder.display());
    for entry in fs::read_dir(&folder).map_err(said)? {
        let file = entry.map_err(said)?.path();
        if let Some(name) = file.file_stem().filter(|_| file.extension().is_some_and(|end| end == "rs")) {
            tests.arg("--test").arg(name);
        }
    }
    // What the command line says.
    tests.args(["--test", "snapshots"]);
    Ok(tests)
}

/// Runs a command of which nothing but its success counts.
fn step(wrong: &mut Vec<String>, name: &str, command: &mut Command) {
    println!("\n== {name}");
    match command.status() {
        Ok(status) if status.success() => {}
        Ok(status) => wrong.push(format!("{name}: {status}")),
        Err(error) => wrong.push(format!("{name}: does not start: {error}")),
    }
}

/// What the programs are made of, and whether the documents lead somewhere.
fn rules(tally: &mut Tally, wrong: &mut Vec<String>) {
    for (name, found) in [
        ("deny.toml", deny::found()),
        ("the command line without the window", deny::found_in_command_line()),
        ("documents", documents::found()),
    ] {
        println!("\n== {name}");
        let found = found.unwrap_or_else(|error| vec![error]);
        tally.count(found.is_empty());
        wrong.extend(found.into_iter().map(|what| format!("{name}: {what}")));
    }
}

/// Says how it ended; true if nothing is wrong.
fn end(tally: &Tally, wrong: &[String]) -> bool {
    println!();
    for failure in tally.failures() {
        println!("FAILED TEST: {failure}");
    }
    for what in wrong {
        println!("FAILED: {what}");
    }
    println!("{}", tally.summary());
    wrong.is_empty()
}

/// Runs the tests of this system; false if any failed or could not be built.
fn tests() -> Result<(Tally, bool), String> {
    let mut command = sh::cargo(&["test", "--workspace", "--no-fail-fast"]);
    if cfg!(windows) {
        // This very program would have to be written anew if another choice of packages gives it other features, and
        // Windows does not let a running program be replaced. Its own tests are run on the other systems.
        command.args(["--exclude", "xtask"]);
    }
    count(&sh::target_dir().join("skipped-tests.txt"), |log| {
        let child = command.env("FCS_SKIP_LOG", log).stdout(Stdio::piped()).spawn();
        child.map_err(|error| format!("cargo does not start: {error}"))
    })
}

/// Counts the tests of a cargo that `start` started, showing its output as it comes. The tests log skips to `log`.
pub(crate) fn count(
    log: &Path,
    start: impl FnOnce(&Path) -> Result<Child, String>,
) -> Result<(Tally, bool), String> {
    let said = |error: std::io::Error| format!("Could not run the tests: {error}");
    fs::write(log, "").map_err(|error| format!("Could not write {}: {error}", log.display()))?;
    let mut child = start(log)?;
    let mut tally = Tally::default();
    let passed = sh::show(&mut child, |line| tally.line(line)).map_err(said)?.success();
    if !passed {
        tally.died_uncounted();
    }
    tally.skip_log(&fs::read_to_string(log).map_err(said)?);
    Ok((tally, passed))
}

/// Prints the skips and yields what is wrong with them, where they are enforced.
fn judge_skips(tally: &Tally) -> Result<Vec<String>, String> {
    tally.print_skips();
    if let Some(missing) = not_enforced_because() {
        println!("(not judged: {missing})");
        return Ok(Vec::new());
    }
    tally.unexpected_by(&Path::new("xtask").join("expected-skips.txt"))
}

/// Where some tests cannot run at all, their skips are nobody's fault.
pub(crate) fn not_enforced_because() -> Option<&'static str> {
    if !sh::is_root() {
        return Some("not running as root");
    }
    let has_loops =
        Path::new("/dev/loop-control").exists() && sh::output_of("losetup", &["--find"]).is_some();
    (!has_loops).then_some("no loop devices here")
}
