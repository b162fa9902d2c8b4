//! Who works on a folder, on whichever machine, and what is there before a run that keeps its journal from being kept.
//! Cases E7, R4, R13, R16 and P5.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::os::unix::fs::PermissionsExt;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use common::{Bench, is_journal, noise};
use fcs_engine::history::{RecoverMode, StartError, in_progress, recover, undo, unfinished};
use fcs_engine::preflight::{Severity, check};
use fcs_engine::report::RunResult;
use fcs_engine::settings::Undo;
use fcs_engine::{Control, Error};
use fcs_sys::Root;
use fcs_testkit::faulty::{Act, Call, Event, wrap};

const ENOLCK: i32 = 37;

fn bench() -> Bench {
    let mut bench = Bench::new();
    bench.settings.undo = Undo::Last;
    for i in 0..5 {
        std::fs::write(bench.left.join(format!("f{i}")), noise(3000, i)).unwrap();
    }
    bench
}

/// An entry that was changed, with the checksum that belongs to it.
fn with_sum(text: &str) -> String {
    let (text, _) = text.split_once("sum=").unwrap();
    format!("{text}sum={}\n", &blake3::hash(text.as_bytes()).to_hex()[..16])
}

/// A target whose locks answer with `act`.
fn with_locks(root: &Root, act: Act) -> Root {
    let script = move |event: &Event<'_>| if event.call == Call::TryLock { act } else { Act::Go };
    wrap(root, "target", Arc::new(script))
}

/// Runs a copy whose target refuses locks, and does `meanwhile` once when the first file is begun.
fn copy_meanwhile(bench: &Bench, refuse: bool, meanwhile: impl Fn() + Send + Sync + 'static) -> RunResult {
    let plan = bench.plan();
    let done = AtomicBool::new(false);
    let script = move |event: &Event<'_>| {
        if event.call == Call::TryLock && refuse {
            return Act::Fail(ENOLCK);
        }
        if event.call == Call::CreateFile && !is_journal(event) && !done.swap(true, Ordering::SeqCst) {
            meanwhile();
        }
        Act::Go
    };
    let (left, right) = bench.roots();
    let right = wrap(&right, "target", Arc::new(script));
    let options = fcs_engine::run::RunOptions { command: "copy".into(), ..Default::default() };
    fcs_engine::run::run(&plan, &[&left, &right], &bench.settings, &options, &bench.control).unwrap().result
}

/// R13: where locks are refused a lease keeps a second run out, and nothing of it stays.
#[test]
fn where_locks_are_refused_a_lease_keeps_the_second_run_out() {
    let mut bench = bench();
    bench.settings.undo = Undo::Off;
    let root = bench.roots().1;
    let second: Arc<Mutex<Option<(String, bool)>>> = Arc::default();
    let told = Arc::clone(&second);
    let result = copy_meanwhile(&bench, true, move || {
        let root = with_locks(&root, Act::Fail(ENOLCK));
        let Err(StartError::Locked { holder, .. }) = undo(&root, None, &Control::default()) else {
            panic!("the second one was let in");
        };
        let asked = in_progress(&root).unwrap().is_some() && unfinished(&root).unwrap().is_empty();
        *told.lock().unwrap() = Some((holder, asked));
    });
    assert_eq!(result, RunResult::Completed);
    let (holder, asked) = second.lock().unwrap().take().expect("the second one tried");
    assert!(holder.contains("(copy)") && asked, "{holder}");
    assert!(!bench.right.join(".fcs").exists(), "with undo off nothing stays");
}

/// R13: a lease of a process that has ended keeps nobody out.
#[test]
fn a_lease_that_a_killed_process_left_keeps_nobody_out() {
    let bench = bench();
    let (left, right) = bench.roots();
    let lease = bench.right.join(".fcs/lease");
    let kept = Arc::new(Mutex::new(Vec::new()));
    let (copy, from) = (Arc::clone(&kept), lease.clone());
    copy_meanwhile(&bench, true, move || *copy.lock().unwrap() = std::fs::read(&from).unwrap());
    assert!(!lease.exists(), "released at the end");
    // As another process left it.
    let text = String::from_utf8(kept.lock().unwrap().clone()).unwrap();
    let pid = format!("process={}\n", std::process::id());
    assert!(text.contains(&pid), "{text}");
    std::fs::write(&lease, with_sum(&text.replace(&pid, "process=4194999\n"))).unwrap();
    std::fs::write(bench.left.join("more"), "more").unwrap();
    let right = with_locks(&right, Act::Fail(ENOLCK));
    let options = fcs_engine::run::RunOptions::default();
    let report =
        fcs_engine::run::run(&bench.plan(), &[&left, &right], &bench.settings, &options, &bench.control)
            .unwrap();
    assert_eq!((report.result, report.counts.copied), (RunResult::Completed, 1));
    assert!(!lease.exists());
}

/// R4: the lock does not reach from one mount of a server to another. The holder is on another machine, as its entry
/// says, and moves its count; recovery from here must not touch its run.
#[test]
fn a_run_on_another_machine_is_seen_by_its_count_and_not_recovered() {
    let bench = bench();
    let (root, lock) = (bench.roots().1, bench.right.join(".fcs/lock"));
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&told);
    let result = copy_meanwhile(&bench, false, move || {
        let other_mount = with_locks(&root, Act::Lie);
        let far = || {
            let text = std::fs::read_to_string(&lock).unwrap();
            let host = text.lines().find(|line| line.starts_with("host=")).unwrap().to_owned();
            std::fs::write(&lock, with_sum(&text.replace(&host, "host=far"))).unwrap();
        };
        far();
        let recovered = recover(&other_mount, RecoverMode::Keep, &Control::default());
        let Err(StartError::Locked { holder, .. }) = recovered else { panic!("{recovered:?}") };
        far();
        let asked = in_progress(&other_mount).unwrap().expect("it is seen");
        seen.lock().unwrap().extend([holder, asked]);
    });
    assert_eq!(result, RunResult::Completed, "the run was not disturbed");
    let told = told.lock().unwrap();
    assert!(told.len() == 2 && told.iter().all(|told| told.contains("may be running on far")), "{told:?}");
}

/// R4: one machine reaches a folder twice, directly and through a mount that leads back to it (sshfs, a loop of NFS), and
/// the lock does not travel from the one to the other. The holder's process runs, so its run goes on undisturbed.
#[test]
fn a_run_of_this_machine_through_another_mount_is_not_recovered() {
    let bench = bench();
    let (root, lock) = (bench.roots().1, bench.right.join(".fcs/lock"));
    let told: Arc<Mutex<Vec<String>>> = Arc::default();
    let seen = Arc::clone(&told);
    let mut other = std::process::Command::new("sleep").arg("600").spawn().unwrap();
    let pid = other.id();
    let began = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    let began = began.rsplit(')').next().unwrap().split_whitespace().nth(19).unwrap().to_owned();
    let result = copy_meanwhile(&bench, false, move || {
        let other_mount = with_locks(&root, Act::Lie);
        let text = std::fs::read_to_string(&lock).unwrap();
        let field = |name: &str| text.lines().find(|line| line.starts_with(name)).unwrap().to_owned();
        let (process, since) = (field("process="), field("began="));
        // As it is, by this process, and as another one of this machine would have it.
        let others =
            text.replace(&process, &format!("process={pid}")).replace(&since, &format!("began={began}"));
        for entry in [text.clone(), with_sum(&others)] {
            std::fs::write(&lock, &entry).unwrap();
            let recovered = recover(&other_mount, RecoverMode::Keep, &Control::default());
            let Err(StartError::Locked { holder, .. }) = recovered else { panic!("{recovered:?}") };
            seen.lock().unwrap().push(holder);
        }
        std::fs::write(&lock, &text).unwrap();
    });
    other.kill().unwrap();
    other.wait().unwrap();
    assert_eq!(result, RunResult::Completed, "the run was not disturbed");
    assert_eq!(told.lock().unwrap().len(), 2);
}

/// E7: asking who holds the lock takes nothing, so that nobody is refused because of a question.
#[test]
fn a_question_keeps_nobody_out() {
    let bench = bench();
    // So that there is a lock file to be asked about.
    let _ = bench.copy();
    let (root, over) = (bench.roots().1, Arc::new(AtomicBool::new(false)));
    let asked = Arc::new(AtomicUsize::new(0));
    let asking = {
        let (root, over, asked) = (bench.roots().1, Arc::clone(&over), Arc::clone(&asked));
        std::thread::spawn(move || {
            while !over.load(Ordering::SeqCst) {
                in_progress(&root).unwrap();
                asked.fetch_add(1, Ordering::SeqCst);
            }
        })
    };
    while asked.load(Ordering::SeqCst) == 0 {
        std::thread::yield_now();
    }
    for _ in 0..300 {
        // Refused at once, were the lock taken: each try is one call.
        let locked = root.dir.open_dir(&name(".fcs")).unwrap();
        let file = locked.open_file(&name("lock"), fcs_sys::Access::ReadWrite).unwrap();
        assert!(file.try_lock().unwrap());
    }
    over.store(true, Ordering::SeqCst);
    asking.join().unwrap();
}

fn name(text: &str) -> fcs_sys::Name {
    fcs_sys::Name::new(text.as_bytes()).unwrap()
}

fn refusals(bench: &Bench) -> Vec<String> {
    let (left, right) = bench.roots();
    let found = check(&bench.plan(), &[&left, &right], &bench.settings);
    let refused = found.problems.into_iter().filter(|problem| problem.severity == Severity::Refuses);
    refused.map(|problem| problem.text).collect()
}

/// R16.
#[test]
fn a_file_in_the_journals_place_is_refused_before_the_plan() {
    let bench = bench();
    assert!(refusals(&bench).is_empty());
    std::fs::write(bench.right.join(".fcs"), "a file").unwrap();
    let refused = refusals(&bench);
    assert!(
        refused.len() == 1 && refused[0].contains(".fcs is a file that this program did not make"),
        "{refused:?}"
    );
    std::fs::remove_file(bench.right.join(".fcs")).unwrap();
    std::os::unix::fs::symlink("elsewhere", bench.right.join(".fcs")).unwrap();
    assert!(refusals(&bench)[0].contains(".fcs is a link that this program did not make"));
}

/// P5: what is shared with a group is shared with it in `.fcs` too, and nothing is that is not.
#[test]
fn the_journals_folder_follows_the_rights_of_the_folders_group() {
    for (root, folder, file) in [(0o2775, 0o2770, 0o660), (0o770, 0o2770, 0o660), (0o755, 0o700, 0o600)] {
        let bench = bench();
        std::fs::set_permissions(&bench.right, std::fs::Permissions::from_mode(root)).unwrap();
        let run = bench.copy().run;
        let mode = |path: &str| {
            let meta = std::fs::metadata(bench.right.join(".fcs").join(path)).unwrap();
            meta.permissions().mode() & 0o7777
        };
        let undo = format!("undo/{run}");
        for path in ["", "runs", "undo", &undo] {
            assert_eq!(mode(path), folder, "{root:o}: {path}");
        }
        for path in ["lock", "README.txt", &format!("runs/{run}.journal")] {
            assert_eq!(mode(path), file, "{root:o}: {path}");
        }
    }
}

#[test]
fn an_error_that_is_no_lock_is_told() {
    // A lock file that cannot be opened is neither a lock nor a lease.
    let bench = bench();
    std::fs::create_dir_all(bench.right.join(".fcs/lock")).unwrap();
    let refused = bench.try_run(&bench.plan());
    assert!(matches!(&refused, Err(StartError::Failed(Error { .. }))), "{refused:?}");
}
