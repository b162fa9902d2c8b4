//! What a memory is about to say is made durable first.
//!
//! A run makes durable what it writes. What a user put on both sides by hand, and what a copy was read from, may still be in the
//! system's cache only: after a power cut it is gone from one side, and the memory, which is durable, would take it for removed
//! there.

use fcs_sys::Root;

use crate::error::Op;
use crate::memory::MemoryChange;
use crate::{Error, Result};

/// Makes everything durable on the volumes of these roots, where something is to be remembered of them. Where a volume cannot be
/// synced as a whole (on Windows, over a network) nothing is done.
///
/// # Errors
///
/// Then something that was written there may be lost, and nothing must be remembered.
pub fn make_durable(roots: &[&Root], changes: &[MemoryChange]) -> Result<()> {
    if changes.iter().all(|change| change.known.is_none()) {
        return Ok(());
    }
    let mut synced = Vec::new();
    for root in roots {
        let failed = |error| Error::os(Op::Sync, root.path.clone(), error);
        let volume = root.dir.volume().map_err(failed)?;
        if volume.sync_volume && !synced.contains(&volume.id) {
            root.dir.sync_volume().map_err(failed)?;
            synced.push(volume.id);
        }
    }
    Ok(())
}
