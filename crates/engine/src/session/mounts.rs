//! What is mounted where, to notice a disk that is missing now.
//!
//! A disk that is not mounted looks like an empty folder. As a source it makes the backup look superfluous; as a target
//! it lets the plain folder below fill the system's own disk. Neither can be seen from the two folders alone. What was
//! mounted at the last run comes in from whoever keeps it, because what is on the target (its journal) is away together
//! with the disk. Before there is such a memory, the system's own table of volumes counts, and the folders in which
//! desktops mount what is plugged in. Where another disk may get the same letter (Windows), its number is kept.
//!
//! Invariant: looks and tells; nothing is written or refused here. This module must not know how a user is asked.

use std::path::{Path, PathBuf};

use fcs_sys::{RelPath, Root, open_root};

use super::Folders;
use crate::compare::{Comparison, Side};
use crate::error::display_path;
use crate::plan::{Plan, RootIndex};
use crate::tree::Tree;

/// What is mounted at, above and inside one root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounts {
    /// The absolute path of the root.
    pub root: String,
    /// The mount that the root is on.
    pub on: String,
    /// Paths below the root.
    pub inside: Vec<String>,
    /// The number of the volume, where that outlasts its mount.
    pub volume: Option<u64>,
}

impl Mounts {
    /// `None` where it cannot be found out, or a path is not text.
    fn of(root: &Root, tree: &Tree) -> Option<Self> {
        let inside = tree.mounts().map(|path| path.to_path().to_str().map(str::to_owned));
        Some(Self {
            root: root.path.to_str()?.to_owned(),
            on: mount_of(&root.path)?.to_str()?.to_owned(),
            inside: inside.collect::<Option<_>>()?,
            volume: tree.volume.lasting_id(),
        })
    }
}

/// The nearest folder at or above `path` at which something is mounted.
pub(super) fn mount_of(path: &Path) -> Option<PathBuf> {
    for folder in path.ancestors() {
        let here = open_root(folder).ok()?.dir.metadata().ok()?;
        let Some(above) = folder.parent() else { return Some(folder.to_owned()) };
        let mounted = match here.mounted {
            Some(mounted) => mounted,
            None => open_root(above).ok()?.dir.metadata().ok()?.id.volume != here.id.volume,
        };
        if mounted {
            return Some(folder.to_owned());
        }
    }
    None
}

impl Folders {
    /// What is mounted at both roots now, as far as it can be found out.
    pub fn mounts(&self, comparison: &Comparison) -> Vec<Mounts> {
        let of = |side| Mounts::of(self.root(side), comparison.tree(side));
        [Side::Left, Side::Right].into_iter().filter_map(of).collect()
    }
}

/// Disks that were there at the last run, or are to be there, and seem to be missing, as far as this plan would do harm,
/// in words.
pub(super) fn missing(
    known: &[Mounts],
    now: &[Mounts],
    folders: &Folders,
    comparison: &Comparison,
    plan: &Plan,
) -> Vec<String> {
    // The table may spell a folder through links; roots are spelled without.
    let expected = fcs_sys::expected_mounts().into_iter().map(|at| {
        let above = at.parent().and_then(|above| std::fs::canonicalize(above).ok());
        above.zip(at.file_name()).map_or_else(|| at.clone(), |(above, name)| above.join(name))
    });
    missing_of(known, &expected.collect::<Vec<_>>(), now, folders, comparison, plan)
}

fn missing_of(
    known: &[Mounts],
    expected: &[PathBuf],
    now: &[Mounts],
    folders: &Folders,
    comparison: &Comparison,
    plan: &Plan,
) -> Vec<String> {
    let mut found = Vec::new();
    for side in [Side::Left, Side::Right] {
        let root = folders.root(side);
        let is_target = plan.targets.iter().any(|target| target.root == side.into());
        // An empty source harms only by what it makes look superfluous, an empty target by what is written to it.
        if plan.is_empty() || !is_target && !removes(plan, side, &|_| true) {
            continue;
        }
        let Some(is) = now.iter().find(|mounts| Path::new(&mounts.root) == root.path) else { continue };
        let tree = comparison.tree(side);
        // A side that is both harms in both ways: what would be gone is said before what would be in the way.
        let consequence = |folder: &Path| {
            let inside = folder.strip_prefix(&root.path).unwrap_or(Path::new(""));
            if is_target && !removes(plan, side, &|path| path.to_path().starts_with(inside)) {
                "what is copied would fill the disk below it"
            } else {
                "what the other folder has of it would be removed"
            }
        };
        let was = known.iter().find(|known| known.root == is.root);
        if let Some(was) = was {
            let gone = |folder: &Path| {
                let text = format!(
                    "At the last run a volume was mounted at {}; now there is none, so {}. Mount it first.",
                    display_path(folder),
                    consequence(folder)
                );
                (folder.to_owned(), text)
            };
            let lost_root = was.on != is.on && Path::new(&was.on).starts_with(&is.on);
            if lost_root && (is_target || tree.items() == 0) {
                found.push(gone(Path::new(&was.on)));
            }
            let lost = was.inside.iter().filter(|path| !is.inside.contains(path) && !lost_root);
            let empty = lost.filter(|path| !has_items(tree, Path::new(path)));
            found.extend(empty.map(|path| gone(&root.path.join(path))));
            if was.volume.zip(is.volume).is_some_and(|(was, is)| was != is) {
                let text = format!(
                    "{} is on another volume than at the last run. Check that the right disk is there.",
                    display_path(&root.path)
                );
                found.push((root.path.clone(), text));
            }
        }
        for at in expected.iter().filter(|at| is_missing(at, is, root, (tree, side), plan)) {
            let text = format!(
                "A volume is to be mounted at {} (/etc/fstab) and is not there, so {}. Mount it first.",
                display_path(at),
                consequence(at)
            );
            found.push((at.clone(), text));
        }
        // Who went on without one at the last run is not asked each time.
        let plugged =
            place_of_plugged_in(&root.path).filter(|at| is_target && !Path::new(&is.on).starts_with(at));
        if let Some(at) = plugged.filter(|_| was.is_none()) {
            let text = format!(
                "{} is where a volume is mounted once it is plugged in, and none is, so {}. Plug it in or mount it first.",
                display_path(&at),
                consequence(&at)
            );
            found.push((at, text));
        }
    }
    // One disk can be missing for several reasons.
    let mut told = Vec::new();
    found.retain(|(at, _)| {
        !told.contains(at) && {
            told.push(at.clone());
            true
        }
    });
    found.into_iter().map(|(_, text)| text).collect()
}

/// Whether nothing is mounted at a place of the system's table, and the plan does harm there.
fn is_missing(at: &Path, is: &Mounts, root: &Root, (tree, of): (&Tree, Side), plan: &Plan) -> bool {
    let (root, side) = (&root.path, RootIndex::from(of));
    let is_target = plan.targets.iter().any(|target| target.root == side);
    if root.starts_with(at) {
        return !Path::new(&is.on).starts_with(at) && (is_target || tree.items() == 0);
    }
    let Ok(inside) = at.strip_prefix(root) else { return false };
    let is_there = is.inside.iter().any(|mounted| Path::new(mounted) == inside);
    let below = |path: &RelPath| path.to_path().starts_with(inside);
    let harms = || {
        let mut here = plan.folders.iter().filter(|folder| folder.target_root == side);
        here.any(|f| below(&f.target_path) && (f.create || !f.steps.is_empty())) || removes(plan, of, &below)
    };
    !is_there && tree.find(inside).is_some() && !has_items(tree, inside) && harms()
}

/// Whether the plan removes anything below some paths because this side lacks it.
fn removes(plan: &Plan, side: Side, below: &dyn Fn(&RelPath) -> bool) -> bool {
    let mut by = plan.removals.iter().filter(|folder| folder.source.root == side.into());
    by.any(|folder| !folder.items.is_empty() && below(&folder.path))
}

/// The folder, at or above `path`, that desktops make for a volume that is plugged in: `/run/media/USER/VOLUME`,
/// `/media/USER/VOLUME`, and `/Volumes/VOLUME` on macOS.
fn place_of_plugged_in(path: &Path) -> Option<PathBuf> {
    let depths = [("/run/media", 4), ("/media", 3), ("/Volumes", 2)];
    let (_, depth) = depths.into_iter().find(|(above, _)| path.starts_with(above))?;
    // The root of all is a component too.
    let place: PathBuf = path.components().take(depth + 1).collect();
    (place.components().count() == depth + 1).then_some(place)
}

/// Whether a tree has anything in the folder at a path.
fn has_items(tree: &Tree, path: &Path) -> bool {
    tree.find(path)
        .and_then(|node| tree.folder_of(node))
        .is_some_and(|folder| tree.children(folder).len() > 0 || tree.folder_error(folder).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::plan_sync;
    use crate::{Control, Settings};

    /// `l` and `r` with one file each of which the other has nothing, and an empty `disk` in `l` that `r` has something in.
    struct Pair {
        _tmp: tempfile::TempDir,
        folders: Folders,
        comparison: Comparison,
        now: Vec<Mounts>,
    }

    impl Pair {
        fn new() -> Self {
            let tmp = tempfile::tempdir().unwrap();
            for folder in ["l/disk", "r/disk"] {
                std::fs::create_dir_all(tmp.path().join(folder)).unwrap();
            }
            for file in ["l/a", "r/disk/b"] {
                std::fs::write(tmp.path().join(file), "x").unwrap();
            }
            let settings = Settings::default();
            let (l, r) = (tmp.path().join("l"), tmp.path().join("r"));
            let folders = Folders::open(&l, &r, &[], &[], &settings).unwrap();
            let comparison = folders.compare(&settings, &Control::default()).unwrap();
            let now = folders.mounts(&comparison);
            assert_eq!(now.len(), 2);
            Self { _tmp: tmp, folders, comparison, now }
        }

        fn path(&self, side: Side, below: &str) -> PathBuf {
            self.folders.root(side).path.join(below)
        }

        fn missing(&self, known: &[Mounts], expected: &[PathBuf], target: Side) -> Vec<String> {
            let settings = Settings::default();
            let plan = plan_sync(&self.comparison, target, &|_| true, &settings);
            missing_of(known, expected, &self.now, &self.folders, &self.comparison, &plan)
        }
    }

    /// R8 on a first run: the system's own table names a volume that is not there.
    #[test]
    fn r8_a_volume_of_the_systems_table_that_is_not_mounted_is_missed_without_any_memory() {
        let pair = Pair::new();
        let none = [];
        let expect = |at: PathBuf, target| pair.missing(&none, &[at], target);
        let source = expect(pair.path(Side::Left, "disk"), Side::Right);
        assert!(source[0].contains("would be removed") && source[0].contains("(/etc/fstab)"), "{source:?}");
        let root = pair.path(Side::Right, "");
        let target = expect(root.clone(), Side::Right);
        assert!(target.len() == 1 && target[0].contains("would fill the disk"), "{target:?}");
        assert_eq!(expect(root.parent().unwrap().to_owned(), Side::Right).len(), 1, "above the root");
        let fine = [
            // What is in a folder was copied there or is the volume's own.
            expect(pair.path(Side::Right, "disk"), Side::Right),
            // Filled from the other side, it would not be the disk that is; but nothing is copied there.
            expect(pair.path(Side::Right, "nowhere"), Side::Right),
            expect(pair.path(Side::Left, "disk/below"), Side::Right),
            expect("/somewhere/else".into(), Side::Right),
            // What the root is on is mounted.
            pair.missing(&none, &[PathBuf::from(&pair.now[0].on)], Side::Right),
        ];
        assert_eq!(fine, [(); 5].map(|()| Vec::<String>::new()));
        let filled = expect(pair.path(Side::Left, "disk"), Side::Left);
        assert!(filled.len() == 1 && filled[0].contains("would fill the disk"), "{filled:?}");
    }

    /// R8 of a side that is read and written by one plan.
    #[test]
    fn r8_a_missing_volume_of_a_side_that_is_also_written_to_is_missed_for_what_would_be_removed() {
        let pair = Pair::new();
        let mut plan = plan_sync(&pair.comparison, Side::Right, &|_| true, &Settings::default());
        let target = plan.targets[0].clone();
        plan.targets.push(crate::plan::Target { root: target.source, source: target.root, ..target });
        let at = [pair.path(Side::Left, "disk")];
        let told = missing_of(&[], &at, &pair.now, &pair.folders, &pair.comparison, &plan);
        assert!(told.len() == 1 && told[0].contains("would be removed"), "{told:?}");
    }

    /// R8 where a letter may be another disk's (Windows).
    #[test]
    fn r8_another_volume_under_the_same_path_is_noticed() {
        let mut pair = Pair::new();
        for mounts in &mut pair.now {
            mounts.volume = Some(0xFEDC_BA98_7654_3210);
        }
        let mut known = pair.now.clone();
        assert_eq!(pair.missing(&known, &[], Side::Right), [""; 0]);
        let other = Mounts { volume: Some(7), ..pair.now[1].clone() };
        known[1] = other.clone();
        let told = pair.missing(&known, &[], Side::Right);
        assert!(told.len() == 1 && told[0].contains("another volume than at the last run"), "{told:?}");
        let before = Mounts { volume: None, ..other };
        known[1] = before;
        assert_eq!(pair.missing(&known, &[], Side::Right), [""; 0], "a memory without numbers");
    }

    #[test]
    fn r8_the_places_of_what_is_plugged_in_are_known() {
        let place = |path: &str| place_of_plugged_in(Path::new(path)).map(|at| at.display().to_string());
        if cfg!(unix) {
            assert_eq!(place("/run/media/me/STICK/a/b").as_deref(), Some("/run/media/me/STICK"));
            assert_eq!(place("/media/me/STICK").as_deref(), Some("/media/me/STICK"));
            assert_eq!(place("/Volumes/STICK/a").as_deref(), Some("/Volumes/STICK"));
        }
        for other in ["/media/disk", "/run/media/me", "/mnt/a/b/c", "/mediaeval/a/b", "/"] {
            assert_eq!(place(other), None, "{other}");
        }
    }
}
