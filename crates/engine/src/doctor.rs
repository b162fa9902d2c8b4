//! What a folder's volume is, does and lets this program prove: the facts that a run goes by, for whoever asks.
//!
//! Invariant: what is tried is tried in a folder of our own that is gone again afterwards, and only where no run is in
//! progress; without that it is said why nothing was tried. This module must not know how facts are worded.

use fcs_sys::{Place, Root, Space, VolumeFacts};

use crate::history::{self, RunInfo};
use crate::probe::{self, VolumeProbe};
use crate::{Error, Op};

/// Why nothing was tried.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum NotTried {
    /// The caller did not want it.
    NotAsked,
    /// The volume is read-only.
    ReadOnly,
    /// A run is in progress there.
    InProgress,
    /// No folder can be made there: what the system says.
    Failed(String),
}

/// Everything that is known about a folder.
#[derive(Debug)]
pub struct Diagnosis {
    /// What the system says of the volume.
    pub facts: VolumeFacts,
    /// What was seen, or why nothing was tried.
    pub tried: Result<VolumeProbe, NotTried>,
    /// Room; `None` where it cannot be had.
    pub space: Option<Space>,
    /// Why a copy read back there may come from a cache; `None` where it comes from the device.
    pub cached_because: Option<&'static str>,
    /// Who is working on the folder right now.
    pub holder: Option<String>,
    /// Runs that were interrupted.
    pub unfinished: Vec<RunInfo>,
    /// Why the runs on the folder could not be looked at.
    pub runs_error: Option<Error>,
}

/// Finds out. Writes only if `may_write`.
///
/// # Errors
///
/// When the volume cannot even be asked what it is.
pub fn examine(root: &Root, may_write: bool) -> crate::Result<Diagnosis> {
    let facts = root.dir.volume().map_err(|e| Error::os(Op::AskVolume, &root.path, e))?;
    let (holder, runs_error) = match history::in_progress(root) {
        Ok(holder) => (holder, None),
        Err(error) => (None, Some(error)),
    };
    let (unfinished, runs_error) = match history::unfinished(root) {
        Ok(found) => (found, runs_error),
        Err(error) => (Vec::new(), Some(error)),
    };
    let tried = if !may_write {
        Err(NotTried::NotAsked)
    } else if facts.read_only {
        Err(NotTried::ReadOnly)
    } else if holder.is_some() {
        Err(NotTried::InProgress)
    } else {
        probe::probe_all(&root.dir).map_err(|error| NotTried::Failed(error.to_string()))
    };
    let cached_because = cached_because(&facts);
    Ok(Diagnosis {
        space: root.dir.space().ok(),
        facts,
        tried,
        cached_because,
        holder,
        unfinished,
        runs_error,
    })
}

/// Why what is read back on a volume may be answered by a cache; `None` where it comes from the device.
pub fn cached_because(facts: &VolumeFacts) -> Option<&'static str> {
    match facts.place {
        Place::Memory => Some("the file system lives in memory; there is no device"),
        Place::Network => {
            Some("the target is on a network volume, whose server may answer from its own cache")
        }
        _ if !facts.device_reread => Some("it is not known whether this file system reads from the device"),
        _ => None,
    }
}
