//! Where a path leads: what kind of drive, and how a file would be copied there.

use std::path::Path;

use fcs_engine::session;
use fcs_engine::settings::Strategy;
use fcs_sys::{Place, VolumeFacts};
use pyo3::prelude::*;

use crate::path::AnyPath;
use crate::settings::now;

/// The volume of the nearest folder that is there.
fn volume(path: &Path) -> Option<VolumeFacts> {
    let path = std::path::absolute(path).ok()?;
    let folder = path.ancestors().find(|above| above.is_dir())?;
    session::open(folder).ok()?.dir.volume().ok()
}

/// Whether the content of a file is not on this disk.
fn is_placeholder(path: &Path) -> bool {
    let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else { return false };
    let parent = if parent.as_os_str().is_empty() { Path::new(".") } else { parent };
    let name = fcs_sys::Name::from_os(name).ok();
    let found = session::open(parent).ok().zip(name).and_then(|(root, name)| root.dir.stat(&name).ok());
    found.is_some_and(|found| found.placeholder)
}

/// What kind of drive a path is on: "local_fixed", "local_removable", "network_mapped", "network_unc", "cloud_storage",
/// "relative" or "unknown".
#[pyfunction]
pub(crate) fn drive_type(py: Python<'_>, path: AnyPath) -> &'static str {
    py.detach(|| {
        if fcs_sys::is_unc(&path) {
            return "network_unc";
        }
        if !path.is_absolute() {
            return "relative";
        }
        if is_placeholder(&path) {
            return "cloud_storage";
        }
        match volume(&path).map(|volume| volume.place) {
            Some(Place::Local | Place::Memory) => "local_fixed",
            Some(Place::Removable) => "local_removable",
            Some(Place::Network) => "network_mapped",
            None => "unknown",
        }
    })
}

/// How a file of this size would be copied: "direct" or "staged".
#[pyfunction]
pub(crate) fn strategy(py: Python<'_>, source: AnyPath, target: AnyPath, size: u64) -> &'static str {
    py.detach(|| {
        let settings = now();
        let is_network = |path: &Path| {
            fcs_sys::is_unc(path) || volume(path).is_some_and(|volume| volume.place == Place::Network)
        };
        let staged = match settings.strategy {
            Strategy::Direct => false,
            Strategy::Staged => true,
            Strategy::Auto => {
                size >= settings.direct_max_bytes
                    || is_network(&source)
                    || is_network(&target)
                    || is_placeholder(&source)
            }
        };
        if staged { "staged" } else { "direct" }
    })
}

/// Whether a path is spelled as a network path without a drive letter.
#[pyfunction]
pub(crate) fn is_unc(path: AnyPath) -> bool {
    fcs_sys::is_unc(&path)
}
