//! Files whose content is in the cloud: never read without consent, and with it read once.

#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use common::Bench;
use fcs_engine::compare::{Comparison, Side, Verdict, compare};
use fcs_engine::error::ErrorKind;
use fcs_engine::filter::Filter;
use fcs_engine::plan::{Plan, plan};
use fcs_engine::report::{Outcome, Report, SkipReason};
use fcs_engine::run::{RunOptions, run};
use fcs_engine::scan::scan_pair;
use fcs_engine::settings::ContentCheck;
use fcs_sys::{RelPath, Root};
use fcs_testkit::faulty::{Act, Call, Script, wrap};

/// LEFT with the files `away…`, whose content lives elsewhere until it is read, and others.
struct Cloud {
    bench: Bench,
    left: Root,
    right: Root,
    /// Bytes read from files whose content is elsewhere.
    fetched: Arc<AtomicU64>,
    opened: Arc<Mutex<Vec<RelPath>>>,
}

impl Cloud {
    fn new() -> Self {
        let bench = Bench::new();
        let (left, right) = bench.roots();
        let fetched = Arc::new(AtomicU64::new(0));
        let opened = Arc::new(Mutex::new(Vec::new()));
        let script: Script = {
            let (fetched, opened) = (Arc::clone(&fetched), Arc::clone(&opened));
            Arc::new(move |event| {
                let away = event.path.as_bytes().starts_with(b"away");
                match event.call {
                    Call::Stat | Call::Metadata if away && fetched.load(Ordering::SeqCst) == 0 => {
                        return Act::Elsewhere;
                    }
                    Call::OpenFile | Call::OpenUncached if away => {
                        opened.lock().unwrap().push(event.path.clone());
                    }
                    Call::Read | Call::Map if away => {
                        fetched.fetch_add(event.bytes as u64, Ordering::SeqCst);
                    }
                    _ => {}
                }
                Act::Go
            })
        };
        let left = wrap(&left, "cloud", script);
        Self { bench, left, right, fetched, opened }
    }

    fn consent(mut self) -> Self {
        self.bench.settings.read_placeholders = true;
        self
    }

    fn file(&self, name: &str, content: &[u8]) {
        std::fs::write(self.bench.left.join(name), content).unwrap();
    }

    fn compare(&self) -> Comparison {
        let settings = &self.bench.settings;
        let control = &self.bench.control;
        let (l, r) = scan_pair(&self.left, &self.right, &Filter::default(), settings, control).unwrap();
        compare((&self.left, Arc::new(l)), (&self.right, Arc::new(r)), settings, control).unwrap()
    }

    fn plan(&self) -> Plan {
        plan(&self.compare(), Side::Right, &|_| true, &self.bench.settings)
    }

    fn run(&self, plan: &Plan) -> Report {
        let options = RunOptions { command: "copy".into(), ..RunOptions::default() };
        run(plan, &[&self.left, &self.right], &self.bench.settings, &options, &self.bench.control).unwrap()
    }

    fn fetched(&self) -> u64 {
        self.fetched.load(Ordering::SeqCst)
    }
}

fn outcome<'a>(report: &'a Report, name: &str) -> &'a Outcome {
    &report.items.iter().find(|item| item.path.as_bytes() == name.as_bytes()).unwrap().outcome
}

#[test]
fn without_consent_they_are_left_alone_and_the_rest_is_copied() {
    let cloud = Cloud::new();
    cloud.file("away", &vec![1; 100_000]);
    cloud.file("here", b"here");
    let report = cloud.run(&cloud.plan());
    let skipped = |o: &Outcome| matches!(o, Outcome::Skipped { why: SkipReason::Placeholder });
    assert!(skipped(outcome(&report, "away")), "{report:?}");
    assert!(matches!(outcome(&report, "here"), Outcome::Done { .. }), "{report:?}");
    assert!(!cloud.bench.right.join("away").exists());
    assert_eq!((cloud.fetched(), cloud.opened.lock().unwrap().len()), (0, 0));
}

#[test]
fn without_consent_their_content_is_not_comparable_and_the_reason_is_given() {
    let mut cloud = Cloud::new();
    cloud.bench.settings.compare_content = ContentCheck::Blake3;
    cloud.bench.settings.compare_modified = false;
    cloud.file("away", b"1234");
    std::fs::write(cloud.bench.right.join("away"), b"1234").unwrap();
    let comparison = cloud.compare();
    assert_eq!(comparison.row(1).verdict, Verdict::NotComparable);
    assert_eq!(comparison.errors[0].kind, ErrorKind::Placeholder);
    assert!(comparison.errors[0].to_string().contains("reading would fetch it"), "{}", comparison.errors[0]);
    assert_eq!((cloud.fetched(), cloud.opened.lock().unwrap().len()), (0, 0));
}

#[test]
fn one_whose_content_is_sent_away_after_the_comparison_fails_unread() {
    let cloud = Cloud::new();
    cloud.file("away", b"1234");
    cloud.fetched.store(1, Ordering::SeqCst);
    let plan = cloud.plan();
    assert_eq!(plan.totals.new_files, 1, "it is here while it is compared");
    cloud.fetched.store(0, Ordering::SeqCst);
    let report = cloud.run(&plan);
    let Outcome::Failed { error } = outcome(&report, "away") else { panic!("{report:?}") };
    assert_eq!(error.kind, ErrorKind::Placeholder);
    assert_eq!(cloud.fetched(), 0);
    assert!(!cloud.bench.right.join("away").exists());
}

#[test]
fn with_consent_they_are_compared_and_copied_staged_and_are_no_sparse_files() {
    let mut cloud = Cloud::new().consent();
    cloud.bench.settings.compare_content = ContentCheck::Blake3;
    cloud.bench.settings.batch_max_file_bytes = 0;
    cloud.file("away", &vec![7; 3_000_000]);
    cloud.file("away too", &[1; 10]);
    std::fs::write(cloud.bench.right.join("away too"), [2; 10]).unwrap();
    let comparison = cloud.compare();
    assert_eq!(comparison.summary.not_comparable, 0, "{:?}", comparison.errors);
    assert!(cloud.fetched() > 0, "the pair of equal size was read");
    let plan = plan(&comparison, Side::Right, &|_| true, &cloud.bench.settings);
    assert_eq!((plan.totals.staged.0, plan.totals.direct.0), (2, 0));
    let report = cloud.run(&plan);
    for name in ["away", "away too"] {
        assert!(matches!(outcome(&report, name), Outcome::Done { .. }), "{report:?}");
        let [left, right] =
            [&cloud.bench.left, &cloud.bench.right].map(|side| std::fs::read(side.join(name)).unwrap());
        assert!(left == right, "{name}");
    }
    assert!(report.items.iter().all(|item| item.not_kept.is_empty()), "{report:?}");
}
