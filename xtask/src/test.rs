//! `cargo xtask test`: everything a change must pass, the same on a desk and in continuous integration.
//!
//! Invariant: the last line is `N passed, N failed, N skipped`, and the exit code is zero only if every step passed
//! and no test skipped that should have run. All steps run, so that one look shows everything that is wrong.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::sh::{self, Needed};
use crate::tally::Tally;
use crate::{torture, windows};

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
    // Its program lies on no search path.
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
  3. cargo clippy --workspace --all-targets -- -D warnings
  4. cargo test --workspace --no-fail-fast
  5. cargo test -p fcs-engine --test planted, with faults planted into the engine (only on Linux)
  6. cargo doc --workspace --no-deps, with warnings as errors
  7. the same lints and the tests for Windows, in Wine (only as root on Debian 12; installs and builds what they need)
  8. a slice of cargo xtask torture: kill, then power (only as root with loop devices)
  9. list the tests that skipped; as root with loop devices they must equal xtask/expected-skips.txt,
     and those that skipped in Wine xtask/expected-skips-wine.txt
";

/// Runs all steps; true if everything passed.
pub(crate) fn run() -> Result<bool, String> {
    println!("{PLAN}");
    sh::provide(&[&NEEDED[..], &[NEEDED_FUSE]].concat());

    let mut wrong = Vec::new();
    let mut step = |name: &str, command: &mut Command| {
        println!("\n== {name}");
        match command.status() {
            Ok(status) if status.success() => {}
            Ok(status) => wrong.push(format!("{name}: {status}")),
            Err(error) => wrong.push(format!("{name}: does not start: {error}")),
        }
    };
    step("cargo fmt", &mut sh::cargo(&["fmt", "--all", "--check"]));
    let clippy = ["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"];
    step("cargo clippy", &mut sh::cargo(&clippy));

    println!("\n== cargo test");
    let (mut tally, passed) = tests()?;

    if cfg!(target_os = "linux") {
        // A build of its own, so that nothing of it gets into any other.
        let planted = ["test", "-p", "fcs-engine", "--test", "planted", "--", "--nocapture"];
        let mut planted = sh::cargo(&planted);
        planted.env("CARGO_TARGET_DIR", sh::target_dir().join("planted"));
        step("planted faults", planted.env("RUSTFLAGS", "--cfg fcs_planted"));
    }

    let doc = ["doc", "--workspace", "--no-deps"];
    step("cargo doc", sh::cargo(&doc).env("RUSTDOCFLAGS", "-Dwarnings"));

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
        wrong.push("cargo test: see the failures above".to_owned());
    }
    wrong.extend(judge_skips(&tally)?);

    println!();
    for what in &wrong {
        println!("FAILED: {what}");
    }
    println!("{}", tally.summary());
    Ok(wrong.is_empty())
}

/// Runs the tests of this system; false if any failed or could not be built.
fn tests() -> Result<(Tally, bool), String> {
    let mut command = sh::cargo(&["test", "--workspace", "--no-fail-fast"]);
    if cfg!(windows) {
        // This very program would have to be written anew if another choice of packages gives it other features, and
        // Windows does not let go of a program that runs. Its own tests are run on the other systems.
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
fn not_enforced_because() -> Option<&'static str> {
    if !sh::is_root() {
        return Some("not running as root");
    }
    let has_loops =
        Path::new("/dev/loop-control").exists() && sh::output_of("losetup", &["--find"]).is_some();
    (!has_loops).then_some("no loop devices here")
}
