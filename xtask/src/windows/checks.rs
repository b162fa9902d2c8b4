//! Linting for Windows, and running the tests in Wine.
//!
//! Invariant: a skip in Wine is judged like one on the system itself, against a list of its own: what only a real
//! Windows can show skips by name, and nothing else does.

use std::path::Path;
use std::process::{Child, Stdio};

use super::session::Session;
use super::toolchain::Toolchain;
use crate::tally::Tally;
use crate::test;

/// The crates whose tests run in Wine. The others are for Linux: `fcs-torture` injects kills and power cuts, and this
/// one builds the rest.
const CRATES: [&str; 8] = [
    "fcs-sys",
    "fcs-testkit",
    "fcs-engine",
    "fcs-text",
    "fcs-app",
    "fcs-cli",
    "fcs-gui-model",
    "fcs-winprobe",
];

/// Seconds that one test program may take.
const LIMIT: u32 = 900;

/// In the name of each test that needs a user to whom a read-only file is read-only. Wine asks the system, where root
/// may write to such a file. But without that right it can't change the attributes of one either, which Windows can
/// (both seen in Wine 10): so only these tests run that way, and no others.
const PLAIN_USER: &str = "as_a_plain_user";

/// What root must not have, to be refused what file permissions deny.
const WITHOUT_OVERRIDE: [&str; 2] = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];

/// clippy over everything, for Windows; false when it found something.
pub(super) fn clippy(toolchain: &Toolchain) -> Result<bool, String> {
    let mut command = toolchain.clippy();
    command.args(["--workspace", "--all-targets"]);
    let status = command.status().map_err(|error| format!("cargo does not start: {error}"))?;
    Ok(status.success())
}

/// All tests; false if any failed or could not be built.
pub(super) fn all(toolchain: &Toolchain, session: &Session<'_>) -> Result<(Tally, bool), String> {
    let (mut tally, passed) = pass(toolchain, session, &["--", "--skip", PLAIN_USER], &[])?;
    // The server opens the files for all programs, so it must start again, without root's rights.
    session.wine.end()?;
    // Doc tests have no names to choose by, so they are in the first pass alone.
    let chosen = ["--lib", "--bins", "--tests", PLAIN_USER];
    let (plain, plain_passed) = pass(toolchain, session, &chosen, &WITHOUT_OVERRIDE)?;
    tally.absorb(plain, "");
    Ok((tally, passed && plain_passed))
}

fn pass(
    toolchain: &Toolchain,
    session: &Session<'_>,
    chosen: &[&str],
    wrapper: &[&str],
) -> Result<(Tally, bool), String> {
    let wrapper = wrapper.iter().map(|&word| word.to_owned());
    let runner: Vec<String> = wrapper.chain(session.wine.runner(Some(LIMIT))).collect();
    let mut command = toolchain.cargo("test", &runner);
    command.args(packages()).arg("--no-fail-fast").args(chosen).stdout(Stdio::piped());
    let log = session.path("skipped-tests.txt");
    test::count(&log, |log| session.spawn(&mut command, Some(log)))
}

/// What a person chose: arguments of `cargo test`, with all crates if they name none.
pub(super) fn some(toolchain: &Toolchain, session: &Session<'_>, args: &[String]) -> Result<bool, String> {
    let as_plain_user = args.iter().any(|arg| arg.contains(PLAIN_USER));
    let wrapper = if as_plain_user { &WITHOUT_OVERRIDE[..] } else { &[] }.iter().map(|&word| word.to_owned());
    let runner: Vec<String> = wrapper.chain(session.wine.runner(Some(LIMIT))).collect();
    let mut command = toolchain.cargo("test", &runner);
    if !names_a_package(args) {
        command.args(packages());
    }
    let mut child = session.spawn(command.args(args), None)?;
    finish(&mut child)
}

/// Builds a program and runs it in Wine: `args` are those of `cargo run`, which is for `fcs` unless they name another.
/// What comes after `--` is the program's own.
pub(super) fn run(toolchain: &Toolchain, session: &Session<'_>, args: &[String]) -> Result<bool, String> {
    let mut command = toolchain.cargo("run", &session.wine.runner(None));
    command.arg("--quiet");
    if !names_a_package(args) {
        command.args(["-p", "fcs-cli"]);
    }
    let mut child = session.spawn(command.args(args), None)?;
    finish(&mut child)
}

/// Whether cargo ended well; an error when it was ended, of which it says nothing itself.
fn finish(cargo: &mut Child) -> Result<bool, String> {
    let status = cargo.wait().map_err(|error| format!("Could not wait for cargo: {error}"))?;
    match status.code() {
        Some(code) => Ok(code == 0),
        None => Err(format!("cargo was ended from outside: {status}")),
    }
}

/// What is wrong with the skips in Wine.
pub(super) fn judge(tally: &Tally, session: &Session<'_>) -> Result<Vec<String>, String> {
    match &session.no_small_volume {
        Some(why) => {
            println!("(skips in Wine are not judged: no small volume: {why})");
            Ok(Vec::new())
        }
        None => tally.unexpected_by(&Path::new("xtask").join("expected-skips-wine.txt")),
    }
}

fn packages() -> impl Iterator<Item = &'static str> {
    CRATES.into_iter().flat_map(|package| ["-p", package])
}

fn names_a_package(args: &[String]) -> bool {
    let own = args.iter().take_while(|arg| *arg != "--");
    own.into_iter().any(|arg| arg.starts_with("-p") || arg.starts_with("--package"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_package_is_named_before_the_programs_own_arguments_only() {
        let args = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(names_a_package(&args("-p fcs-sys name")));
        assert!(names_a_package(&args("--package=fcs-sys")));
        assert!(!names_a_package(&args("name -- -p x")));
    }
}
