//! The small file beside each memory that says of which two folders it is, so that a pair is found without opening them
//! all.
//!
//! Invariant: it is written in one step, and before the memory itself; what it says of the memory's size and age may be
//! behind, never what pair it is. Only [`PairId`]s become names of files.

use std::fmt;
use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::atomic::{AtomicU64, Ordering};

use fcs_engine::history::RunId;
use fcs_engine::memory::RootIdentity;
use fcs_sys::{RootError, Time, open_root};
use serde::{Deserialize, Serialize};

use crate::StateError;
use crate::store::Head;

const FORMAT: &str = "fcs-pair";
const VERSION: u32 = 1;
/// Longest such file that is read, in bytes: two paths and what belongs to them.
const LONGEST: u64 = 1 << 20;

/// The name of a pair: 16 hexadecimal digits.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct PairId(String);

/// Text that cannot be the name of a pair.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the name of a pair has 16 hexadecimal digits")]
pub struct BadPairId;

impl PairId {
    /// Of two folders: the same each time, so that two processes that meet them first make one memory.
    pub(crate) fn of(roots: &[RootIdentity; 2]) -> Self {
        Self(key_of(roots))
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    pub(crate) fn index(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{self}.json"))
    }

    pub(crate) fn memory(&self, folder: &Path) -> PathBuf {
        folder.join(format!("{self}.redb"))
    }
}

/// 16 hexadecimal digits that are the same for the same folders each time.
pub(crate) fn key_of(roots: &[RootIdentity]) -> String {
    let mut hasher = blake3::Hasher::new();
    for root in roots {
        let RootIdentity { path, below, volume, number, made, .. } = root;
        let is_by_path = root.is_by_path();
        let text = format!(
            "{:?}",
            (is_by_path.then_some(path), number.is_none().then_some(below), volume, number, made)
        );
        hasher.update(text.as_bytes());
        hasher.update(&[0]);
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

impl FromStr for PairId {
    type Err = BadPairId;

    fn from_str(text: &str) -> Result<Self, BadPairId> {
        let is_id = text.len() == 16 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        if is_id { Ok(Self(text.to_owned())) } else { Err(BadPairId) }
    }
}

impl fmt::Display for PairId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What the file says.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Index {
    format: String,
    version: u32,
    pub(crate) roots: [RootIdentity; 2],
    pub(crate) saved: Option<Time>,
    pub(crate) run: Option<RunId>,
    pub(crate) generation: u64,
    pub(crate) items: u64,
    /// Since when there is something kept of a run.
    pub(crate) kept_since: Option<Time>,
}

impl Index {
    pub(crate) fn new(roots: [RootIdentity; 2]) -> Self {
        let format = FORMAT.to_owned();
        Self {
            format,
            version: VERSION,
            roots,
            saved: None,
            run: None,
            generation: 0,
            items: 0,
            kept_since: None,
        }
    }

    /// Of a memory as it is now.
    pub(crate) fn of(head: &Head) -> Self {
        let mut index = Self::new(head.terms.roots.clone());
        index.saved = Some(head.saved);
        index.run.clone_from(&head.run);
        (index.generation, index.items, index.kept_since) = (head.generation, head.items, head.kept_since);
        index
    }

    /// # Errors
    ///
    /// [`StateError::Damaged`], [`StateError::OtherVersion`], [`StateError::Io`].
    pub(crate) fn read(path: &Path) -> Result<Self, StateError> {
        use io::Read as _;
        let mut text = Vec::new();
        let file = File::open(path).map_err(StateError::io("open", path))?;
        file.take(LONGEST).read_to_end(&mut text).map_err(StateError::io("read", path))?;
        let damaged = |why: String| StateError::Damaged { path: path.to_owned(), why };
        let value: serde_json::Value =
            serde_json::from_slice(&text).map_err(|error| damaged(error.to_string()))?;
        if value.get("format").and_then(serde_json::Value::as_str) != Some(FORMAT) {
            return Err(damaged("it names no pair".into()));
        }
        match value.get("version").and_then(serde_json::Value::as_u64) {
            Some(version) if version == u64::from(VERSION) => {}
            Some(version) => {
                let why = format!("it has format {version}, and this program reads format {VERSION}");
                return Err(StateError::OtherVersion { path: path.to_owned(), why });
            }
            None => return Err(damaged("it does not say its format".into())),
        }
        serde_json::from_value(value).map_err(|error| damaged(error.to_string()))
    }

    pub(crate) fn write(&self, path: &Path) -> Result<(), StateError> {
        let text = serde_json::to_vec_pretty(self).map_err(|error| StateError::Io {
            op: "write",
            path: path.to_owned(),
            error: io::Error::new(io::ErrorKind::InvalidData, error),
        })?;
        write_in_one_step(path, &text).map_err(StateError::io("write", path))
    }
}

/// How many files were begun.
static WRITES: AtomicU64 = AtomicU64::new(0);
/// How names of files begin that are not finished.
pub(crate) const UNFINISHED: &str = ".unfinished-";

/// A name beside `path` that no other process or thread takes.
pub(crate) fn unfinished(path: &Path) -> PathBuf {
    let number = WRITES.fetch_add(1, Ordering::Relaxed);
    path.with_file_name(format!("{UNFINISHED}{}-{number}", std::process::id()))
}

fn write_in_one_step(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = unfinished(path);
    let mut file = File::create(&unfinished)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    drop(file);
    written.and_then(|()| put(&unfinished, path)).inspect_err(|_| {
        // The error that is returned is the one that matters.
        drop(fs::remove_file(&unfinished));
    })
}

/// Gives a finished file its name, durably.
pub(crate) fn put(unfinished: &Path, path: &Path) -> io::Result<()> {
    fs::rename(unfinished, path)?;
    let folder = path.parent().unwrap_or(Path::new("."));
    match open_root(folder) {
        Ok(folder) => match folder.dir.sync() {
            // Folders cannot be synced everywhere; there the rename is as durable as it gets.
            Err(error) if error.kind() == io::ErrorKind::Unsupported => Ok(()),
            result => result,
        },
        // A home on a server: the server makes it durable, or nobody does.
        Err(RootError::Unc) => Ok(()),
        Err(error) => Err(io::Error::other(error.to_string())),
    }
}
