//! Scans of real folders, some through a backend that fails on purpose.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use fcs_sys::{Kind, Name, OsReason, RelPath, open_root};
use fcs_testkit::faulty::{Act, Call, Event, wrap};

use super::*;
use crate::compare::{Verdict, compare};
use crate::progress::Observer;
use crate::tree::NameOrder::{Exact, Folded};

type Found = BTreeMap<String, (Kind, u64)>;

fn found(tree: &Tree) -> Found {
    let folders = 0..tree.folders.len() as u32;
    let nodes = folders.flat_map(|folder| tree.children(folder));
    let text = |node| String::from_utf8_lossy(tree.path(node).as_bytes()).into_owned();
    nodes.map(|n| (text(n), (tree.entry(n).kind, tree.entry(n).size))).map(no_folder_size).collect()
}

fn no_folder_size((path, (kind, size)): (String, (Kind, u64))) -> (String, (Kind, u64)) {
    (path, (kind, if kind == Kind::Folder { 0 } else { size }))
}

/// What `std` sees; recursive, for shallow trees only.
fn seen_by_std(dir: &Path, below: &str, out: &mut Found) {
    for item in fs::read_dir(dir).unwrap() {
        let item = item.unwrap();
        let meta = item.path().symlink_metadata().unwrap();
        let path = format!("{below}{}", item.file_name().to_string_lossy());
        if meta.is_dir() {
            seen_by_std(&item.path(), &format!("{path}/"), out);
            out.insert(path, (Kind::Folder, 0));
        } else {
            let kind = if meta.is_file() {
                Kind::File
            } else if meta.is_symlink() {
                Kind::Symlink
            } else {
                Kind::Other
            };
            out.insert(path, (kind, meta.len()));
        }
    }
}

fn scan_with(root: &Root, filter: &Filter, workers: u64, control: &Control) -> Result<Tree> {
    let settings = Settings { scan_workers: workers, ..Settings::default() };
    scan(root, Exact, filter, &settings, control)
}

fn plain_scan(root: &Root) -> Tree {
    scan_with(root, &Filter::default(), 3, &Control::default()).unwrap()
}

fn names_sorted(tree: &Tree) -> bool {
    (0..tree.folders.len() as u32).all(|f| {
        let names: Vec<_> = tree.children(f).map(|n| tree.name(n)).collect();
        names.is_sorted_by(|a, b| tree.order().compare(a, b).is_lt())
    })
}

#[test]
fn a_scan_finds_what_the_system_lists_whatever_the_number_of_workers() {
    let tmp = tempfile::tempdir().unwrap();
    for i in 0..40 {
        let dir = tmp.path().join(format!("d{}/e{}/f{i}", i % 3, i % 7));
        fs::create_dir_all(&dir).unwrap();
        for j in 0..i {
            fs::write(dir.join(format!("file{j}")), vec![0; j]).unwrap();
        }
    }
    fs::create_dir(tmp.path().join("empty")).unwrap();
    let mut expected = Found::new();
    seen_by_std(tmp.path(), "", &mut expected);
    let root = open_root(tmp.path()).unwrap();
    for workers in [1, 2, 8] {
        let control = Control::default();
        let tree = scan_with(&root, &Filter::default(), workers, &control).unwrap();
        assert_eq!(found(&tree), expected);
        assert_eq!(tree.items(), expected.len() as u64);
        assert_eq!(control.progress.snapshot().items_scanned, tree.items());
        assert!(names_sorted(&tree) && tree.errors().is_empty() && !tree.cancelled);
        assert!(
            (1..tree.folders.len() as u32).all(|f| tree.folders[f as usize].node.folder < f),
            "parents first"
        );
        assert_eq!(tree.root.fingerprint(), root.dir.metadata().unwrap().fingerprint());
    }
}

#[test]
fn a_big_flat_folder_is_scanned_whole_and_in_order() {
    let tmp = tempfile::tempdir().unwrap();
    for i in 0..5000 {
        match i % 10 {
            0 => fs::create_dir(tmp.path().join(format!("n{i}"))).unwrap(),
            _ => fs::write(tmp.path().join(format!("n{i}")), vec![0; i % 7]).unwrap(),
        }
    }
    fs::write(tmp.path().join("n40/inside"), "x").unwrap();
    let mut expected = Found::new();
    seen_by_std(tmp.path(), "", &mut expected);
    let root = open_root(tmp.path()).unwrap();
    for order in [Exact, Folded] {
        let settings = Settings { scan_workers: 4, ..Settings::default() };
        let tree = scan(&root, order, &Filter::default(), &settings, &Control::default()).unwrap();
        assert_eq!(found(&tree), expected);
        assert!(names_sorted(&tree));
    }
}

#[cfg(unix)]
#[test]
fn links_keep_their_text_and_are_not_entered_and_special_files_are_listed() {
    let tmp = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/", tmp.path().join("to-root")).unwrap();
    std::os::unix::fs::symlink("nowhere/\u{e9}", tmp.path().join("dangling")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(tmp.path().join("socket")).unwrap();
    let tree = plain_scan(&open_root(tmp.path()).unwrap());
    let link = |name: &[u8]| {
        let node = tree.children(0).find(|&n| tree.name(n) == name).unwrap();
        (tree.folder_of(node), tree.link(node).map(|l| l.text.clone()))
    };
    assert_eq!(link(b"to-root"), (None, Some(b"/".to_vec())));
    assert_eq!(link(b"dangling"), (None, Some("nowhere/\u{e9}".into())));
    assert_eq!(found(&tree)["socket"].0, Kind::Other);
}

/// The folders of which everything is in the tree.
fn listed_whole(tree: &Tree) -> Vec<String> {
    let whole = |path: &String| {
        let nodes = (0..tree.folders.len() as u32).flat_map(|folder| tree.children(folder));
        nodes.filter(|&n| tree.path(n).to_string() == *path).all(|n| tree.is_listed_whole(n))
    };
    found(tree).into_iter().filter(|(_, e)| e.0 == Kind::Folder).map(|(p, _)| p).filter(whole).collect()
}

#[test]
fn this_programs_own_names_are_left_out_at_every_level() {
    let tmp = tempfile::tempdir().unwrap();
    let ours = [".fcs/runs", ".fcs/undo", "a/.fcs/runs", "a/.fcs/undo", "a/.fcs-1-2.part", "a/.fcs-probe-7"];
    let theirs = ["keep/.fcsx", "keep/fcs", "keep/.fcs-notes", "keep/.fcs/x"];
    for dir in ours.iter().chain(&theirs) {
        fs::create_dir_all(tmp.path().join(dir)).unwrap();
    }
    let tree = plain_scan(&open_root(tmp.path()).unwrap());
    assert_eq!(tree.reserved, 3, "the root's own folder is no news");
    assert!(!tree.foreign_home);
    let paths: Vec<String> = found(&tree).into_keys().collect();
    let mut expected = vec!["a", "keep", "keep/.fcs"];
    expected.extend(theirs);
    expected.sort_unstable();
    assert_eq!(paths, expected);
    assert_eq!(listed_whole(&tree), expected[1..]);
}

#[test]
fn case_l7_a_root_folder_of_the_name_fcs_that_is_not_ours_is_told_and_left_alone() {
    let tmp = tempfile::tempdir().unwrap();
    let root = open_root(tmp.path()).unwrap();
    fs::create_dir_all(tmp.path().join(".fcs/notes")).unwrap();
    let tree = plain_scan(&root);
    assert!(tree.foreign_home && tree.items() == 0);
    fs::remove_dir_all(tmp.path().join(".fcs")).unwrap();
    fs::write(tmp.path().join(".fcs"), "x").unwrap();
    fs::write(tmp.path().join(".FCS"), "x").unwrap();
    let tree = plain_scan(&root);
    assert!(tree.foreign_home && tree.items() == u64::from(cfg!(target_os = "linux")));
}

#[test]
fn more_items_than_allowed_is_an_error_at_once() {
    let tmp = tempfile::tempdir().unwrap();
    for i in 0..20 {
        fs::create_dir_all(tmp.path().join(format!("a{i}/b"))).unwrap();
    }
    let root = open_root(tmp.path()).unwrap();
    for (max_items, fits) in [(5, false), (39, false), (40, true)] {
        let settings = Settings { max_items, ..Settings::default() };
        let result = scan(&root, Exact, &Filter::default(), &settings, &Control::default());
        assert_eq!(
            result.as_ref().map_err(|e| e.kind).err(),
            (!fits).then_some(ErrorKind::TooManyItems),
            "{max_items}"
        );
    }
}

/// A root below which `script` decides, and how often it did not say `Go`.
fn faulty(root: &Root, script: impl Fn(&Event<'_>) -> Act + Send + Sync + 'static) -> (Root, Arc<AtomicU64>) {
    let fired = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&fired);
    let script = move |event: &Event<'_>| {
        let act = script(event);
        count.fetch_add(u64::from(act != Act::Go), Ordering::Relaxed);
        act
    };
    (wrap(root, "side", Arc::new(script)), fired)
}

#[derive(Default)]
struct Told(Mutex<Vec<String>>);

impl Observer for Told {
    fn error(&self, error: &Error) {
        self.0.lock().unwrap().push(error.display_path_of());
    }
}

#[test]
fn what_cannot_be_read_is_a_fact_and_so_is_what_is_listed_and_not_found() {
    // No permission, and a failing device, in the system's numbers; 2 is "not found" on all.
    let (denied, broken) = if cfg!(windows) { (5, 1117) } else { (13, 5) };
    let tmp = tempfile::tempdir().unwrap();
    for file in ["shut/x", "closed/x", "ok/denied", "ok/gone", "ok/fine"] {
        fs::create_dir_all(tmp.path().join(file).parent().unwrap()).unwrap();
        fs::write(tmp.path().join(file), "1").unwrap();
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink("x", tmp.path().join("ok/link")).unwrap();
    let (root, fired) = faulty(&open_root(tmp.path()).unwrap(), move |e| {
        let path = String::from_utf8_lossy(e.path.as_bytes()).into_owned();
        match (e.call, path.as_str()) {
            (Call::List, "shut") | (Call::OpenDir, "closed") => Act::Fail(denied),
            (Call::Stat, "ok/denied") | (Call::ReadLink, "ok/link") => Act::Fail(broken),
            (Call::Stat, "ok/gone") => Act::Fail(2),
            _ => Act::Go,
        }
    });
    let told = Arc::new(Told::default());
    let control = Control { observer: Arc::clone(&told) as Arc<dyn Observer>, ..Control::default() };
    let tree = scan_with(&root, &Filter::default(), 2, &control).unwrap();
    // What is not found is looked at twice (case L2).
    assert_eq!(fired.load(Ordering::Relaxed), if cfg!(unix) { 6 } else { 5 });
    let node = |at: &str| {
        let mut nodes = (0..tree.folders.len() as u32).flat_map(|f| tree.children(f));
        nodes.find(|&n| tree.path(n) == RelPath::parse(at.as_bytes()).unwrap())
    };
    for folder in ["shut", "closed"] {
        let number = tree.folder_of(node(folder).unwrap()).unwrap();
        assert_eq!(
            tree.folder_error(number).unwrap().kind,
            ErrorKind::Os(OsReason::PermissionDenied),
            "{folder}"
        );
        assert_eq!(tree.children(number).len(), 0);
    }
    assert_eq!(
        tree.node_error(node("ok/denied").unwrap()).unwrap().kind,
        ErrorKind::Os(OsReason::DeviceError)
    );
    assert_eq!(tree.node_error(node("ok/gone").unwrap()).unwrap().kind, ErrorKind::ListedNotFound);
    assert!(tree.node_error(node("ok/fine").unwrap()).is_none());
    if cfg!(unix) {
        assert!(tree.node_error(node("ok/link").unwrap()).is_some());
    }
    let paths: Vec<String> = tree.errors().iter().map(Error::display_path_of).collect();
    let top = crate::error::display_path(&root.path);
    assert!(paths.is_sorted() && paths.iter().all(|p| p.starts_with(&top)), "{paths:?}");
    let mut told = told.0.lock().unwrap().clone();
    told.sort();
    assert_eq!(told, paths, "the observer hears of each once");
}

#[test]
fn an_unreadable_root_is_a_fact_but_one_that_cannot_be_examined_is_an_error() {
    let tmp = tempfile::tempdir().unwrap();
    fs::write(tmp.path().join("f"), "x").unwrap();
    let root = open_root(tmp.path()).unwrap();
    let failing = |call| faulty(&root, move |e| if e.call == call { Act::Fail(13) } else { Act::Go }).0;
    let tree = plain_scan(&failing(Call::List));
    assert!(tree.folder_error(0).is_some() && tree.items() == 0);
    for call in [Call::Metadata, Call::Volume] {
        assert!(scan_with(&failing(call), &Filter::default(), 2, &Control::default()).is_err(), "{call:?}");
    }
}

#[test]
fn a_cancelled_scan_returns_trees_in_which_nothing_looks_absent() {
    let tmp = tempfile::tempdir().unwrap();
    for i in 0..30 {
        fs::create_dir_all(tmp.path().join(format!("a{i}/b"))).unwrap();
        fs::write(tmp.path().join(format!("a{i}/b/c")), "x").unwrap();
    }
    let plain = open_root(tmp.path()).unwrap();
    for after in [0u64, 1, 10, 40, 80] {
        let control = Control::default();
        let (cancel, count) = (Arc::clone(&control.cancel), AtomicU64::new(0));
        let (root, _) = faulty(&plain, move |_| {
            if count.fetch_add(1, Ordering::Relaxed) == after {
                cancel.cancel();
            }
            Act::Go
        });
        let settings = Settings { scan_workers: 2, ..Settings::default() };
        let (left, right) = scan_pair(&plain, &root, &Filter::default(), &settings, &control).unwrap();
        assert!(left.cancelled && right.cancelled);
        let fresh = Control::default();
        let comparison =
            compare((&plain, Arc::new(left)), (&root, Arc::new(right)), &Settings::default(), &fresh)
                .unwrap();
        assert!(comparison.cancelled);
        let one_sided = |v| matches!(v, Verdict::LeftOnly | Verdict::RightOnly);
        assert!(comparison.rows.iter().all(|r| !one_sided(r.verdict)), "after {after} calls");
    }
}

#[test]
fn excluded_folders_are_not_entered_and_excluded_items_not_asked() {
    let tmp = tempfile::tempdir().unwrap();
    for file in ["keep/a.txt", "keep/a.tmp", "cache/x", "src/cache/x", "build/only/deep.txt", "deep/build/x"]
    {
        fs::create_dir_all(tmp.path().join(file).parent().unwrap()).unwrap();
        fs::write(tmp.path().join(file), "1").unwrap();
    }
    let (root, fired) = faulty(&open_root(tmp.path()).unwrap(), |e| {
        let text = String::from_utf8_lossy(e.path.as_bytes()).into_owned();
        let touched = matches!(e.call, Call::OpenDir | Call::Stat);
        if touched && (text.ends_with("cache") || text.ends_with("a.tmp")) { Act::Fail(5) } else { Act::Go }
    });
    let filter = Filter::new(&[], &["cache".into(), "*.tmp".into(), "/build/".into()], false).unwrap();
    let tree = scan_with(&root, &filter, 2, &Control::default()).unwrap();
    assert_eq!(fired.load(Ordering::Relaxed), 0);
    let paths: Vec<String> = found(&tree).into_keys().collect();
    assert_eq!(paths, ["deep", "deep/build", "deep/build/x", "keep", "keep/a.txt", "src"]);
    assert_eq!(listed_whole(&tree), ["deep", "deep/build"], "where nothing was excluded");
    let filter = Filter::new(&["/keep".into(), "only/".into()], &["*.tmp".into()], false).unwrap();
    let tree = scan_with(&open_root(tmp.path()).unwrap(), &filter, 2, &Control::default()).unwrap();
    let files: Vec<String> =
        found(&tree).into_iter().filter(|(_, e)| e.0 == Kind::File).map(|(p, _)| p).collect();
    assert_eq!(files, ["build/only/deep.txt", "keep/a.txt"]);
    let whole = listed_whole(&tree);
    assert!(whole.contains(&"build/only".into()) && !whole.contains(&"deep/build".into()), "{whole:?}");
    for (path, (kind, _)) in found(&tree) {
        assert!(filter.accepts(&RelPath::parse(path.as_bytes()).unwrap(), kind == Kind::Folder), "{path}");
    }
}

/// More levels than handles may be held, and more than one level of anchors, with something waiting at each level.
#[test]
fn a_deep_comb_is_scanned_with_few_handles_open() {
    // Wine looks at every folder on the way for each name that is not there yet: 600 levels take it minutes.
    let depth = if fcs_sys::is_wine() { 100 } else { 600 };
    let tmp = tempfile::tempdir().unwrap();
    let root = open_root(tmp.path()).unwrap();
    let name = |text: &str| Name::new(text.as_bytes()).unwrap();
    let mut dir = Arc::clone(&root.dir);
    for _ in 0..depth {
        // The way down is taken first, so that the others wait.
        for child in ["a", "b", "c"] {
            dir.create_dir(&name(child)).unwrap();
        }
        dir.open_dir(&name("c")).unwrap().create_dir(&name("inside")).unwrap();
        dir = dir.open_dir(&name("a")).unwrap();
    }
    for workers in [1, 4] {
        let tree = scan_with(&root, &Filter::default(), workers, &Control::default()).unwrap();
        assert!(tree.errors().is_empty());
        assert_eq!(tree.items(), 4 * depth as u64);
    }
}

#[cfg(unix)]
#[test]
fn a_passing_shortage_of_handles_is_waited_out_and_a_lasting_one_is_a_fact() {
    const EMFILE: i32 = 24;
    let tmp = tempfile::tempdir().unwrap();
    fs::create_dir_all(tmp.path().join("a/b")).unwrap();
    let plain = open_root(tmp.path()).unwrap();
    let left = AtomicU64::new(3);
    let (root, fired) = faulty(&plain, move |e| {
        let still = e.call == Call::OpenDir
            && left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
        if still { Act::Fail(EMFILE) } else { Act::Go }
    });
    let tree = plain_scan(&root);
    assert_eq!((fired.load(Ordering::Relaxed), tree.items(), tree.errors().len()), (3, 2, 0));
    let (root, _) = faulty(&plain, |e| if e.call == Call::OpenDir { Act::Fail(EMFILE) } else { Act::Go });
    let tree = plain_scan(&root);
    assert_eq!(tree.errors()[0].kind, ErrorKind::Os(OsReason::Exhausted));
    assert!(tree.folder_error(1).is_some());
}
