//! Counting tests from what the test programs print and from the skips they record.
//!
//! Invariant: a skip is never counted as passed. It knows the output of Rust's test harness and the format of the
//! skip log; it must not know what any test does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::sh;

/// How much of what a failed test said is told again at the end; its panic is in the first lines.
const LINES_TOLD_AGAIN: usize = 12;

/// Which part of a failed test's words the harness is printing.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum Listening {
    #[default]
    Off,
    All,
    /// What failed is known by its message; the frames are only in the way at the end of a long output.
    AllButFrames,
}

/// Counts over all test programs.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Tests the harness calls passed; those that skipped while running are among them.
    returned: usize,
    failed: usize,
    /// Name of each test that failed and the first lines of what it said, as they came.
    failures: Vec<(String, Vec<String>)>,
    /// What the lines that come now belong to.
    listening: Listening,
    /// Name and reason of each test that did not run: ignored ones and those that skipped while running.
    skips: BTreeMap<String, String>,
    skipped_while_running: usize,
    /// Names of the skips that another list judges, or none.
    unjudged: BTreeSet<String>,
}

impl Tally {
    /// Counts one line of a test program's output.
    pub(crate) fn line(&mut self, line: &str) {
        self.listen(line);
        if let Some(counts) = line.strip_prefix("test result: ") {
            let count = |what: &str| {
                let mut words = counts.split_whitespace().collect::<Vec<_>>().into_iter().rev().peekable();
                while let Some(word) = words.next() {
                    if word.trim_end_matches(';') == what {
                        return words.peek().and_then(|number| number.parse().ok()).unwrap_or(0);
                    }
                }
                0
            };
            self.returned += count("passed");
            self.failed += count("failed");
        } else if let Some((name, outcome)) =
            line.strip_prefix("test ").and_then(|rest| rest.split_once(" ... "))
            && let Some(reason) = outcome.strip_prefix("ignored")
        {
            let reason = reason.trim_start_matches(", ");
            let reason = if reason.is_empty() { "ignored without a reason" } else { reason };
            self.skips.insert(name.to_owned(), reason.to_owned());
        }
    }

    /// Keeps what a failed test said: the harness prints it behind `---- NAME stdout ----`, and `failures:` again at
    /// the end of all.
    fn listen(&mut self, line: &str) {
        let name = line.strip_prefix("---- ").and_then(|rest| rest.strip_suffix(" stdout ----"));
        if let Some(name) = name {
            self.failures.push((name.to_owned(), Vec::new()));
            self.listening = Listening::All;
        } else if line == "failures:" || line.starts_with("test result: ") {
            self.listening = Listening::Off;
        } else if self.listening != Listening::Off && line == "stack backtrace:" {
            self.listening = Listening::AllButFrames;
        } else if self.listening == Listening::All
            && !line.is_empty()
            && let Some((_, said)) = self.failures.last_mut()
            && said.len() < LINES_TOLD_AGAIN
        {
            said.push(line.to_owned());
        }
    }

    /// Which tests failed and what each said first, indented, for the end of an output in which they lie far above.
    pub(crate) fn failures(&self) -> impl Iterator<Item = String> {
        self.failures.iter().map(|(name, said)| {
            let parts = std::iter::once(name).chain(said).map(String::as_str);
            parts.collect::<Vec<_>>().join("\n    ")
        })
    }

    /// Counts the skip log, lines of `name<TAB>reason`. A test that skips several times is one test.
    pub(crate) fn skip_log(&mut self, log: &str) {
        for line in log.lines() {
            let (name, reason) = line.split_once('\t').unwrap_or((line, "no reason given"));
            match self.skips.get_mut(name) {
                None => {
                    self.skipped_while_running += 1;
                    self.skips.insert(name.to_owned(), reason.to_owned());
                }
                Some(known) if !known.contains(reason) => {
                    known.push_str("; ");
                    known.push_str(reason);
                }
                Some(_) => {}
            }
        }
    }

    /// Counts a check that is no test of the harness.
    pub(crate) fn count(&mut self, passed: bool) {
        *(if passed { &mut self.returned } else { &mut self.failed }) += 1;
    }

    /// Counts a test of another harness that failed, with what it said.
    pub(crate) fn fail(&mut self, name: &str, said: &str) {
        self.failed += 1;
        let lines = said.lines().filter(|line| !line.trim().is_empty());
        self.failures.push((name.to_owned(), lines.take(LINES_TOLD_AGAIN).map(str::to_owned).collect()));
    }

    /// Counts a check that did not run.
    pub(crate) fn skip(&mut self, name: &str, reason: &str) {
        self.skips.insert(name.to_owned(), reason.to_owned());
    }

    /// Counts a check that cannot run on a system like this one, whatever is installed.
    pub(crate) fn skip_unjudged(&mut self, name: &str, reason: &str) {
        self.skip(name, reason);
        self.unjudged.insert(name.to_owned());
    }

    /// Counts the tests of another system. Its skips keep their names behind `prefix`, and are judged apart.
    pub(crate) fn absorb(&mut self, other: Self, prefix: &str) {
        self.returned += other.returned;
        self.failed += other.failed;
        self.skipped_while_running += other.skipped_while_running;
        self.failures
            .extend(other.failures.into_iter().map(|(name, said)| (format!("{prefix}{name}"), said)));
        for (name, reason) in other.skips {
            let name = format!("{prefix}{name}");
            if !prefix.is_empty() {
                self.unjudged.insert(name.clone());
            }
            self.skips.insert(name, reason);
        }
    }

    /// Counts that a test program died before it could count: that is at least one failure.
    pub(crate) fn died_uncounted(&mut self) {
        self.failed = self.failed.max(1);
    }

    /// Shows every skip.
    pub(crate) fn print_skips(&self) {
        println!("\n== skipped tests: {}", self.skips.len());
        for (name, reason) in &self.skips {
            println!("{name}: {reason}");
        }
    }

    /// How many tests did not run.
    pub(crate) fn skipped(&self) -> usize {
        self.skips.len()
    }

    /// The last line of the test chore.
    pub(crate) fn summary(&self) -> String {
        let passed = self.returned.saturating_sub(self.skipped_while_running);
        format!("{passed} passed, {} failed, {} skipped", self.failed, self.skips.len())
    }

    /// What is wrong with the skips by a list of expected ones, a path in the repository.
    pub(crate) fn unexpected_by(&self, list: &Path) -> Result<Vec<String>, String> {
        let list = sh::repository().join(list);
        let expected = fs::read_to_string(&list);
        let expected = expected.map_err(|error| format!("Could not read {}: {error}", list.display()))?;
        Ok(self.unexpected_in(&expected))
    }

    /// What is wrong with the skips, given the text of the list of expected ones: lines `name reason`, `#` comments.
    pub(crate) fn unexpected_in(&self, expected: &str) -> Vec<String> {
        let mut wrong = Vec::new();
        let mut known = Vec::new();
        for line in expected.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
        {
            let Some((name, _reason)) = line.split_once(char::is_whitespace) else {
                wrong.push(format!("{line} is expected to skip, but the list gives no reason"));
                continue;
            };
            if !self.skips.contains_key(name) {
                wrong.push(format!("{name} is expected to skip, but ran or does not exist"));
            }
            known.push(name);
        }
        let judged = self.skips.iter().filter(|(name, _)| !self.unjudged.contains(*name));
        let surprising = judged.filter(|(name, _)| !known.contains(&name.as_str()));
        wrong.extend(surprising.map(|(name, reason)| format!("{name} skipped: {reason}")));
        wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(output: &str, log: &str) -> Tally {
        let mut tally = Tally::default();
        output.lines().for_each(|line| tally.line(line));
        tally.skip_log(log);
        tally
    }

    const OUTPUT: &str = "\
running 3 tests
test a::one ... ok
test a::two ... ignored, needs a tape drive
test a::three ... ignored
test result: ok. 1 passed; 0 failed; 2 ignored; 0 measured; 0 filtered out; finished in 0.01s

test b::four ... FAILED
test result: FAILED. 4 passed; 1 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    #[test]
    fn counts_are_summed_and_skips_are_not_passes() {
        let tally = tally(OUTPUT, "b::five\tno loop device\nb::five\tno loop device\nb::six\tnot root\n");
        assert_eq!(tally.summary(), "3 passed, 1 failed, 4 skipped");
        assert_eq!(tally.skips["a::two"], "needs a tape drive");
        assert_eq!(tally.skips["a::three"], "ignored without a reason");
        assert_eq!(tally.skips["b::five"], "no loop device");
    }

    #[test]
    fn what_failed_tests_said_is_told_again_without_their_frames() {
        let output = "\
test a::one ... FAILED
test a::two ... FAILED

failures:

---- a::one stdout ----
made in /tmp/x

thread 'a::one' (7) panicked at crates/a/tests/a.rs:7:5:
it is not so
stack backtrace:
   0: begin_unwind
note: Some details are omitted

---- a::two stdout ----
Error: \"no\"


failures:
    a::one
    a::two

test result: FAILED. 0 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";
        let mut all = Tally::default();
        all.absorb(tally(output, ""), "elsewhere: ");
        let one = "elsewhere: a::one\n    made in /tmp/x\n    thread 'a::one' (7) panicked at crates/a/tests/a.rs:7:5:\n    it is \
                   not so";
        let two = "elsewhere: a::two\n    Error: \"no\"";
        assert_eq!(all.failures().collect::<Vec<_>>(), [one, two]);
    }

    #[test]
    fn several_reasons_of_one_test_are_all_kept() {
        let tally = tally("", "a\txfs image: no tool\na\tbtrfs image: no tool\n");
        assert_eq!(tally.skips["a"], "xfs image: no tool; btrfs image: no tool");
        assert_eq!(tally.skips.len(), 1);
    }

    #[test]
    fn a_program_that_died_counts_as_a_failure() {
        let mut tally = tally("running 3 tests\ntest a::one ... ok\n", "");
        tally.died_uncounted();
        assert_eq!(tally.summary(), "0 passed, 1 failed, 0 skipped");
    }

    #[test]
    fn what_ran_elsewhere_counts_and_its_skips_are_judged_apart() {
        let mut all = tally(OUTPUT, "b::five\tno loop device\n");
        all.absorb(tally(OUTPUT, "b::five\tno streams\n"), "elsewhere: ");
        all.skip_unjudged("third", "no such system");
        assert_eq!(all.summary(), "8 passed, 2 failed, 7 skipped");
        assert_eq!(all.skips["elsewhere: b::five"], "no streams");
        assert_eq!(all.unexpected_in("a::two x\na::three x\nb::five x\n"), [""; 0]);

        let mut both = tally("", "a\tx\n");
        both.absorb(tally("", "b\ty\n"), "");
        assert_eq!(both.unexpected_in("a x\n"), ["b skipped: y"]);
    }

    #[test]
    fn the_skips_must_equal_the_expected_ones_and_each_has_a_reason() {
        let tally = tally("", "a::one\tx\na::two\ty\n");
        assert_eq!(tally.unexpected_in("# comment\n\na::one it has to\na::two so has it\n"), [""; 0]);
        assert_eq!(tally.unexpected_in("a::one it has to\n"), ["a::two skipped: y"]);
        assert_eq!(
            tally.unexpected_in("a::one it has to\na::two ok\na::gone was there once\n"),
            ["a::gone is expected to skip, but ran or does not exist"]
        );
        assert_eq!(
            tally.unexpected_in("a::one it has to\na::two ok\na::three\n"),
            ["a::three is expected to skip, but the list gives no reason"]
        );
    }
}
