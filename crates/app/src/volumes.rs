//! What was mounted at the last runs, kept with the user's own state.
//!
//! With it [`fcs_engine::session`] notices a disk that is missing now. It is not kept on the target, because what lies
//! there (its journal) is away together with the disk.
//!
//! Invariant: only paths are kept, and the file changes only when what is mounted does. What cannot be read or written
//! is no memory, and stops nothing. This module must not know what a missing disk means.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use fcs_engine::session::Mounts;
use fcs_sys::{Nesting, Root, nesting, open_root};
use serde_json::{Value, json};

use crate::settings_file::write_in_one_step;

/// Most folders that are remembered; beyond that those that do not exist any more are forgotten.
const MOST: usize = 500;

fn to_json(mounts: &Mounts) -> Value {
    match mounts.volume {
        // As text: not every reader of JSON takes 64 bits.
        Some(volume) => {
            json!({ "on": mounts.on, "inside": mounts.inside, "volume": format!("{volume:016x}") })
        }
        None => json!({ "on": mounts.on, "inside": mounts.inside }),
    }
}

fn from_json(root: &str, value: &Value) -> Option<Mounts> {
    let inside = value.get("inside")?.as_array()?.iter();
    Some(Mounts {
        root: root.to_owned(),
        on: value.get("on")?.as_str()?.to_owned(),
        inside: inside.map(|path| path.as_str().map(str::to_owned)).collect::<Option<_>>()?,
        volume: value.get("volume").and_then(Value::as_str).and_then(|hex| u64::from_str_radix(hex, 16).ok()),
    })
}

/// What is remembered beside a folder of logs; nothing without one.
pub fn known(logs: Option<&Path>) -> Vec<Mounts> {
    let known = logs.and_then(file).map(|file| read(&file)).unwrap_or_default();
    known.iter().filter_map(|(root, value)| from_json(root, value)).collect()
}

/// Where it is remembered, beside a folder of logs.
fn file(logs: &Path) -> Option<PathBuf> {
    Some(logs.parent()?.join("volumes.json"))
}

fn read(file: &Path) -> BTreeMap<String, Value> {
    let text = std::fs::read(file).unwrap_or_default();
    serde_json::from_slice(&text).unwrap_or_default()
}

/// Remembers what is mounted, for the next run. Not where that would change a target.
pub fn remember<'a>(logs: &Path, mounts: &[Mounts], mut targets: impl Iterator<Item = &'a Root>) {
    let Some(file) = file(logs) else { return };
    let there = file.ancestors().find_map(|folder| open_root(folder).ok());
    let apart =
        |at: &Root, target| matches!(nesting(at, target), Ok(Nesting::Apart | Nesting::SecondInFirst));
    if !there.is_some_and(|at| targets.all(|target| apart(&at, target))) {
        return;
    }
    let before = read(&file);
    let mut after = before.clone();
    for mounts in mounts {
        after.insert(mounts.root.clone(), to_json(mounts));
    }
    if after.len() > MOST {
        after.retain(|root, _| Path::new(root).is_dir());
    }
    if after != before {
        // Without it the next run cannot notice a missing disk; that is no reason to fail this one.
        drop(write_in_one_step(&file, json!(after).to_string().as_bytes()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_remembered_is_known_at_the_next_run_and_nothing_is_written_into_the_target() {
        let tmp = tempfile::tempdir().unwrap();
        let (logs, target) = (tmp.path().join("state/logs"), tmp.path().join("target"));
        std::fs::create_dir_all(&logs).unwrap();
        std::fs::create_dir(&target).unwrap();
        let target = open_root(&target).unwrap();
        let of = |root: &str, volume| Mounts {
            root: root.to_owned(),
            on: "/".to_owned(),
            inside: vec!["disk".to_owned()],
            volume,
        };
        let both = [of("/a", Some(0xFEDC_BA98_7654_3210)), of("/b", None)];
        remember(&logs, &both, [&target].into_iter());
        assert_eq!(known(Some(&logs)), both);
        assert_eq!((known(None), known(Some(&target.path.join("logs")))), (Vec::new(), Vec::new()));
        remember(&target.path.join("logs"), &both, [&target].into_iter());
        assert!(!target.path.join("volumes.json").exists());
        std::fs::write(logs.with_file_name("volumes.json"), "{\"/a\": 7, \"/b").unwrap();
        assert_eq!(known(Some(&logs)), [], "what cannot be read is no memory");
    }
}
