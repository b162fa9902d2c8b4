//! Running pytest, and counting what its tests come to by the log that `report.py` writes beside it.
//!
//! Invariant: a test that began and did not end is a failure with its name, also when it took the interpreter down. This
//! module knows the log; it must not know what any test does.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::Stdio;

use super::venv::Venv;
use crate::sh;
use crate::tally::Tally;

/// The plugin that writes the log, and its name as a module.
const PLUGIN: (&str, &str) = ("fcs_report", include_str!("report.py"));

/// Runs the tests of Python in an environment; false if any failed or the run as a whole did. Some compare with what
/// `program`, the command line, says.
pub(super) fn run(
    venv: &Venv,
    program: &Path,
    screen: Option<&str>,
    log: &Path,
) -> Result<(Tally, bool), String> {
    let said = |error: std::io::Error| format!("Could not run pytest: {error}");
    fs::write(venv.packages()?.join(format!("{}.py", PLUGIN.0)), PLUGIN.1).map_err(said)?;
    fs::write(log, "").map_err(said)?;
    let mut command = venv.python();
    command.args(["-m", "pytest", "python/tests", "--rootdir", "python", "-p", PLUGIN.0]);
    // Neither folders in the repository nor colours in a log.
    command.args(["-p", "no:cacheprovider", "--quiet", "--tb=short", "--color=no"]);
    command
        .current_dir(sh::repository())
        .env("FCS_PYTEST_LOG", log)
        .env("FCS_PROGRAM", program)
        .stdout(Stdio::piped());
    if let Some(screen) = screen {
        command.env("DISPLAY", screen).env_remove("WAYLAND_DISPLAY");
    }
    let mut child = command.spawn().map_err(said)?;
    let passed = sh::show(&mut child, |_| {}).map_err(said)?.success();
    let mut tally = count(&fs::read_to_string(log).map_err(said)?);
    if !passed {
        tally.died_uncounted();
    }
    Ok((tally, passed))
}

/// What is known of a test so far.
#[derive(Default)]
struct Test {
    has_ended: bool,
    has_passed: bool,
    skipped: Option<String>,
    failed: Option<String>,
}

fn count(log: &str) -> Tally {
    let mut tests = BTreeMap::<String, Test>::new();
    for line in log.lines() {
        let mut fields = line.splitn(3, '\t').map(unescaped);
        let (Some(outcome), Some(name)) = (fields.next(), fields.next()) else { continue };
        let text = fields.next().unwrap_or_default();
        let test = tests.entry(name).or_insert_with(|| Test { has_ended: true, ..Test::default() });
        match outcome.as_str() {
            "started" => test.has_ended = false,
            "finished" => test.has_ended = true,
            "passed" => test.has_passed = true,
            "skipped" => test.skipped = Some(text),
            // A test that fails may fail again when its fixtures are taken down.
            _ => test.failed = test.failed.take().or(Some(text)),
        }
    }
    let mut tally = Tally::default();
    for (name, test) in tests {
        if let Some(text) = test.failed {
            tally.fail(&name, &text);
        } else if !test.has_ended {
            tally.fail(&name, "It did not end: the interpreter ended before it did, or it hung.");
        } else if let Some(reason) = test.skipped {
            tally.skip(&name, reason.lines().next().unwrap_or("no reason given"));
        } else if test.has_passed {
            tally.count(true);
        }
    }
    tally
}

fn unescaped(field: &str) -> String {
    let mut text = String::new();
    let mut rest = field.chars();
    while let Some(next) = rest.next() {
        text.push(match next {
            '\\' => match rest.next() {
                Some('n') => '\n',
                Some('t') => '\t',
                other => other.unwrap_or('\\'),
            },
            plain => plain,
        });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_test_counts_once_by_the_worst_that_became_of_it() {
        let log = "\
started\ttests/a.py::one\npassed\ttests/a.py::one\t\nfinished\ttests/a.py::one\t
started\ttests/a.py::two\nskipped\ttests/a.py::two\tno tape\\tdrive\nfinished\ttests/a.py::two\t
started\ttests/a.py::three\npassed\ttests/a.py::three\t\nfailed\ttests/a.py::three\tteardown: a\\nb\nfinished\ttests/a.py::three\t
skipped\ttests/b.py\tno module named tkinter
failed\ttests/c.py\tImportError
";
        let tally = count(log);
        assert_eq!(tally.summary(), "1 passed, 2 failed, 2 skipped");
        let failures: Vec<String> = tally.failures().collect();
        assert_eq!(failures, ["tests/a.py::three\n    teardown: a\n    b", "tests/c.py\n    ImportError"]);
        assert_eq!(
            tally.unexpected_in("tests/a.py::two x\n"),
            ["tests/b.py skipped: no module named tkinter"]
        );
    }

    #[test]
    fn a_test_that_took_the_interpreter_down_has_failed() {
        let tally = count("started\ta::one\npassed\ta::one\nfinished\ta::one\nstarted\ta::two\n");
        assert_eq!(tally.summary(), "1 passed, 1 failed, 0 skipped");
        assert!(tally.failures().next().unwrap().starts_with("a::two\n    It did not end"));
    }

    #[test]
    fn what_the_log_escapes_comes_back() {
        assert_eq!(unescaped(r"a\tb\n\\n"), "a\tb\n\\n");
        assert_eq!(unescaped("end\\"), "end\\");
    }
}
