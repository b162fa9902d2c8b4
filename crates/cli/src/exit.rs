//! The exit codes of `fcs`, and the one place where a result becomes a code.
//!
//! Invariant: 0 means that everything asked for was done, or that nothing differs; anything less has a code of its
//! own, so that a script never takes a doubtful result for a good one.

use fcs_app::outcome::is_left_alone;
use fcs_engine::compare::Summary;
use fcs_engine::report::{Outcome, Report, RunResult};

/// What `--help` and the manual say about the codes.
pub(crate) const EXPLAINED: &str = "\
Exit codes:
  0    done; for compare: nothing differs
  1    compare: something differs
  2    a command, folder or setting is wrong; nothing was changed
  3    done, with warnings: another run may still copy what was left alone or
       could not be kept; what no run can copy (a socket, holes, an owner that
       only an administrator may set) is a note, and ends with 3 only with
       --strict
  4    some items failed, the rest is done (or rolled back, as requested);
       for compare: some items could not be read or compared
  5    some copies failed verification and were discarded, or what was moved is
       not what the source has and could not be replaced by it
  6    the run was rolled back: the folder is as it was before
  7    all failures are items that changed after the comparison; run again
  8    refused before anything was written: one folder given twice, one inside
       the other, not enough room, read-only target, too many removals, another
       run in progress
  9    a run was interrupted and must be recovered first: fcs recover
  130  interrupted, or the question was answered with no";

/// An exit code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Code {
    /// Done; or nothing differs.
    Done = 0,
    /// Something differs.
    Differences = 1,
    /// The command, a folder or the settings are wrong.
    Usage = 2,
    /// Done, but not all that was there, or not all that belongs to it.
    Warnings = 3,
    /// Some items failed.
    Failed = 4,
    /// Some copies were not equal to their source.
    VerificationFailed = 5,
    /// The run was rolled back.
    RolledBack = 6,
    /// All failures are items that changed after the comparison.
    Stale = 7,
    /// Refused before anything was written.
    Refused = 8,
    /// A run was interrupted and waits for recovery.
    RecoveryNeeded = 9,
    /// Interrupted by the user.
    Interrupted = 130,
}

impl Code {
    /// The code of a finished run.
    ///
    /// What became of the run as a whole comes first: when it must be recovered, was rolled back or interrupted, the
    /// items alone do not tell how things are. A failed verification comes before all other failures: it means that a
    /// disk, cable or memory cannot be trusted. Notes alone never make a warning; they describe circumstances, not
    /// losses. So do items and properties that no later run could bring over either: were they warnings, every night
    /// would end with 3, and the one in which something is really lost would look like the others. With `strict` they
    /// count all the same.
    pub(crate) fn of_report(report: &Report, strict: bool) -> Self {
        let counts = &report.counts;
        match report.result {
            RunResult::Stopped => return Self::RecoveryNeeded,
            RunResult::RolledBack => return Self::RolledBack,
            RunResult::PartlyRolledBack => return Self::Failed,
            RunResult::Cancelled => return Self::Interrupted,
            RunResult::Completed | RunResult::CompletedWithFailures | RunResult::DryRun => {}
        }
        if counts.failed_verification > 0 {
            Self::VerificationFailed
        } else if counts.failed > 0 && counts.failed == counts.failed_stale {
            Self::Stale
        } else if counts.failed > 0 {
            Self::Failed
        } else if counts.incomplete > 0
            || strict && counts.incomplete_settled > 0
            || report.items.iter().any(|item| is_warned_of(&item.outcome, strict))
        {
            Self::Warnings
        } else {
            Self::Done
        }
    }

    /// The code of a comparison. Problems come before differences: as long as something could not be read, the list
    /// of differences is not complete.
    pub(crate) fn of_comparison(summary: &Summary) -> Self {
        if summary.undecided() > 0 {
            Self::Failed
        } else if summary.differences() > 0 {
            Self::Differences
        } else {
            Self::Done
        }
    }
}

fn is_warned_of(outcome: &Outcome, strict: bool) -> bool {
    let settled = matches!(outcome, Outcome::Skipped { why } if why.is_settled());
    is_left_alone(outcome) && (strict || !settled)
}

impl From<Code> for std::process::ExitCode {
    fn from(code: Code) -> Self {
        Self::from(code as u8)
    }
}

#[cfg(test)]
mod tests {
    use fcs_engine::plan::RootIndex;
    use fcs_engine::report::{ActionKind, Counts, Evidence, ItemReport, NotKept, SCHEMA, SkipReason};
    use fcs_engine::{Error, ErrorKind, Op, Settings};
    use fcs_sys::{OsReason, RelPath, Time};

    use super::*;

    fn item(outcome: Outcome) -> ItemReport {
        ItemReport {
            root: RootIndex(1),
            path: RelPath::root(),
            action: ActionKind::CopyNew,
            bytes: 1,
            strategy: None,
            outcome,
            not_kept: Vec::new(),
            because_of: None,
        }
    }

    fn done() -> ItemReport {
        item(Outcome::Done { evidence: Evidence::NotRequested })
    }

    fn failed(kind: ErrorKind) -> ItemReport {
        item(Outcome::Failed { error: Error::new(Op::Copy, "/x", kind) })
    }

    fn skipped(why: SkipReason) -> ItemReport {
        item(Outcome::Skipped { why })
    }

    fn judged(result: RunResult, items: Vec<ItemReport>, strict: bool) -> Code {
        let mut counts = Counts::default();
        for i in &items {
            counts.add(i);
        }
        let report = Report {
            schema: SCHEMA,
            engine_version: "0",
            run: "r".parse().unwrap(),
            started: Time::EPOCH,
            finished: Time::EPOCH,
            seconds: 0.0,
            source: String::new(),
            target: String::new(),
            roots: Vec::new(),
            settings: Settings::default(),
            result,
            counts,
            notes: vec!["a note".to_owned().into()],
            items,
            differing: Vec::new(),
            pruned: Vec::new(),
        };
        Code::of_report(&report, strict)
    }

    fn code(result: RunResult, items: Vec<ItemReport>) -> Code {
        judged(result, items, false)
    }

    #[test]
    fn a_clean_run_is_0_even_with_notes() {
        assert_eq!(code(RunResult::Completed, vec![done()]), Code::Done);
        assert_eq!(code(RunResult::DryRun, vec![skipped(SkipReason::DryRun)]), Code::Done);
    }

    #[test]
    fn what_was_left_alone_or_not_kept_is_3() {
        for why in [SkipReason::Unreadable, SkipReason::KindClash, SkipReason::NameClash] {
            assert_eq!(code(RunResult::Completed, vec![done(), skipped(why)]), Code::Warnings, "{why:?}");
        }
        let mut incomplete = done();
        incomplete.not_kept.push("owner".into());
        assert_eq!(code(RunResult::Completed, vec![incomplete]), Code::Warnings);
    }

    #[test]
    fn what_can_never_change_is_3_only_when_strict() {
        let mut holes = done();
        holes.not_kept.push(NotKept::settled("holes"));
        for item in [holes, skipped(SkipReason::SpecialFile), skipped(SkipReason::Newer)] {
            let judged = |strict| judged(RunResult::Completed, vec![done(), item.clone()], strict);
            assert_eq!((judged(false), judged(true)), (Code::Done, Code::Warnings), "{item:?}");
        }
        let mut both = done();
        both.not_kept.extend([NotKept::settled("holes"), "permissions".into()]);
        assert_eq!(code(RunResult::Completed, vec![both]), Code::Warnings);
    }

    #[test]
    fn a_failed_verification_comes_before_other_failures() {
        let mismatch = || failed(ErrorKind::Mismatch { offset: Some(1) });
        let full = || failed(ErrorKind::Os(OsReason::NoSpace));
        let stale = || failed(ErrorKind::SourceStale);
        let run = |items| code(RunResult::CompletedWithFailures, items);
        assert_eq!(run(vec![full(), mismatch(), skipped(SkipReason::Unreadable)]), Code::VerificationFailed);
        assert_eq!(run(vec![stale(), mismatch()]), Code::VerificationFailed);
        assert_eq!(run(vec![full(), done()]), Code::Failed);
    }

    #[test]
    fn only_stale_failures_are_7_and_a_mixture_is_4() {
        let source = || failed(ErrorKind::SourceStale);
        let target = || failed(ErrorKind::TargetStale);
        let run = |items| code(RunResult::CompletedWithFailures, items);
        assert_eq!(run(vec![source(), target(), done(), skipped(SkipReason::SpecialFile)]), Code::Stale);
        assert_eq!(run(vec![source(), failed(ErrorKind::ParentFailed)]), Code::Failed);
    }

    #[test]
    fn an_interruption_comes_before_everything() {
        let items = vec![failed(ErrorKind::Mismatch { offset: None }), skipped(SkipReason::Cancelled)];
        assert_eq!(code(RunResult::Cancelled, items), Code::Interrupted);
    }

    #[test]
    fn a_run_taken_back_or_left_unfinished_has_a_code_of_its_own() {
        let items = || vec![failed(ErrorKind::Mismatch { offset: None }), item(Outcome::RolledBack)];
        assert_eq!(code(RunResult::RolledBack, items()), Code::RolledBack);
        assert_eq!(code(RunResult::PartlyRolledBack, items()), Code::Failed, "not all is as it was");
        assert_eq!(code(RunResult::Stopped, items()), Code::RecoveryNeeded);
    }

    #[test]
    fn a_comparison_with_problems_is_never_1_or_0() {
        let of = |change: fn(&mut Summary)| {
            let mut summary = Summary { existence_counts: true, ..Summary::default() };
            change(&mut summary);
            Code::of_comparison(&summary)
        };
        assert_eq!(of(|_| ()), Code::Done);
        assert_eq!(of(|s| s.left_only = 1), Code::Differences);
        assert_eq!(of(|s| (s.left_only, s.existence_counts) = (1, false)), Code::Done);
        assert_eq!(of(|s| s.clashes = 1), Code::Differences);
        assert_eq!(of(|s| s.root_differs = true), Code::Differences);
        assert_eq!(of(|s| (s.unreadable, s.different) = (1, 1)), Code::Failed);
        assert_eq!(of(|s| s.not_comparable = 1), Code::Failed);
        assert_eq!(of(|s| s.root_unreadable = true), Code::Failed);
    }
}
