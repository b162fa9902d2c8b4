//! What was mounted where at the last run, to notice a disk that is missing now.
//!
//! A disk that is not mounted looks like an empty folder. As a source it makes the backup look superfluous; as a target
//! it lets the plain folder below fill the system's own disk. Neither can be seen from the two folders alone, and what
//! lies on the target (its journal) is away together with the disk, so this is kept with the user's own state.
//!
//! Invariant: only paths are kept, and the file changes only when what is mounted does. What cannot be read or written
//! is no memory, and stops nothing. This module must not know how a user is asked.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fcs_engine::compare::{Comparison, Side};
use fcs_engine::error::shown;
use fcs_engine::plan::Plan;
use fcs_engine::tree::Tree;
use fcs_sys::{Nesting, Root, nesting, open_root};
use serde_json::{Value, json};

use crate::folders::Folders;
use crate::settings_file::write_in_one_step;

/// Most folders that are remembered; beyond that those that do not exist any more are forgotten.
const MOST: usize = 500;

/// What is mounted at, above and inside one root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounts {
    root: String,
    /// The mount that the root lies on.
    on: String,
    /// Paths below the root.
    inside: Vec<String>,
}

impl Mounts {
    /// `None` where it cannot be found out, or a path is not text.
    fn of(root: &Root, tree: &Tree) -> Option<Self> {
        let inside = tree.mounts().map(|path| path.to_path().to_str().map(str::to_owned));
        Some(Self {
            root: root.path.to_str()?.to_owned(),
            on: mount_of(&root.path)?.to_str()?.to_owned(),
            inside: inside.collect::<Option<_>>()?,
        })
    }

    fn to_json(&self) -> Value {
        json!({ "on": self.on, "inside": self.inside })
    }

    fn from_json(root: &str, value: &Value) -> Option<Self> {
        let inside = value.get("inside")?.as_array()?.iter();
        Some(Self {
            root: root.to_owned(),
            on: value.get("on")?.as_str()?.to_owned(),
            inside: inside.map(|path| path.as_str().map(str::to_owned)).collect::<Option<_>>()?,
        })
    }
}

/// The nearest folder at or above `path` at which something is mounted.
fn mount_of(path: &Path) -> Option<PathBuf> {
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

/// What is mounted at both roots now.
pub fn now(folders: &Folders, comparison: &Comparison) -> Vec<Mounts> {
    let of = |side| Mounts::of(folders.root(side), comparison.tree(side));
    [Side::Left, Side::Right].into_iter().filter_map(of).collect()
}

/// Where it is remembered, beside a folder of logs.
fn file(logs: &Path) -> Option<PathBuf> {
    Some(logs.parent()?.join("volumes.json"))
}

fn read(file: &Path) -> BTreeMap<String, Value> {
    let text = std::fs::read(file).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Remembers what is mounted, for the next run. Not where that would change the target.
pub fn remember(logs: &Path, mounts: &[Mounts], target: &Root) {
    let Some(file) = file(logs) else { return };
    let there = file.ancestors().find_map(|folder| open_root(folder).ok());
    let apart = |at: &Root| matches!(nesting(at, target), Ok(Nesting::Apart | Nesting::SecondInFirst));
    if !there.is_some_and(|at| apart(&at)) {
        return;
    }
    let before = read(&file);
    let mut after = before.clone();
    for mounts in mounts {
        after.insert(mounts.root.clone(), mounts.to_json());
    }
    if after.len() > MOST {
        after.retain(|root, _| Path::new(root).is_dir());
    }
    if after != before {
        // Without it the next run cannot notice a missing disk; that is no reason to fail this one.
        drop(write_in_one_step(&file, json!(after).to_string().as_bytes()));
    }
}

/// Disks that were there at the last run and seem to be missing, as far as this plan would do harm, in words.
pub fn missing(
    logs: &Path,
    now: &[Mounts],
    folders: &Folders,
    comparison: &Comparison,
    target: Side,
    plan: &Plan,
) -> Vec<String> {
    let Some(file) = file(logs) else { return Vec::new() };
    let known = read(&file);
    let mut found = Vec::new();
    for side in [Side::Left, Side::Right] {
        let root = folders.root(side);
        let is_target = side == target;
        // An empty source harms only by what it makes look superfluous, an empty target by what is written to it.
        let removes = plan.totals.removed_files + plan.totals.removed_folders > 0;
        if plan.is_empty() || !is_target && !removes {
            continue;
        }
        let Some(is) = now.iter().find(|mounts| Path::new(&mounts.root) == root.path) else { continue };
        let Some(was) = known.get(&is.root).and_then(|value| Mounts::from_json(&is.root, value)) else {
            continue;
        };
        let tree = comparison.tree(side);
        let gone = |folder: &Path| {
            let consequence = if is_target {
                "what is copied would fill the disk below it"
            } else {
                "what the other folder has of it would be removed"
            };
            format!(
                "At the last run a volume was mounted at {}; now there is none, so {consequence}. Mount it first.",
                shown(folder)
            )
        };
        let lost_root = was.on != is.on && Path::new(&was.on).starts_with(&is.on);
        if lost_root && (is_target || tree.items() == 0) {
            found.push(gone(Path::new(&was.on)));
        }
        let lost = was.inside.iter().filter(|path| !is.inside.contains(path) && !lost_root);
        let empty = lost.filter(|path| !has_items(tree, path));
        found.extend(empty.map(|path| gone(&root.path.join(path))));
    }
    found
}

/// Whether a tree has anything in the folder at a path.
fn has_items(tree: &Tree, path: &str) -> bool {
    tree.find(Path::new(path))
        .and_then(|node| tree.folder_of(node))
        .is_some_and(|folder| tree.children(folder).len() > 0 || tree.folder_error(folder).is_some())
}
