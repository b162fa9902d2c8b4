//! The only crate that talks to the operating system.
//!
//! Everything the engine does to a disk goes through two object-safe traits, [`Dir`] and [`File`]: an open folder
//! from which one checked [`Name`] at a time is resolved, and an open file. What only some systems have is a capability
//! beside them, a trait of its own ([`Xattrs`], [`Recycle`], [`NativeCopy`] and others). Nothing here follows a symbolic link,
//! and no operation takes a path that another program could redirect half-way; only [`open_root`] resolves a path,
//! once, because the user typed it.
//!
//! Invariant: `unsafe` code and `cfg(target_os)` live here and nowhere else; each `unsafe` block states its contract.
//!
//! This crate must not know what a plan, a comparison, a verification or a report is. It offers facts and
//! primitives; it never decides whether a copy is good.

mod buffer;
mod capabilities;
pub mod console;
mod device_reads;
mod fault;
// For Windows alone, but its tests ask for no system.
#[cfg(any(windows, test))]
mod link_data;
mod location;
mod machine;
mod meta;
mod name;
mod root;
mod time;
mod traits;
pub mod user;
mod volume;

#[cfg(unix)]
mod unix;
#[cfg(windows)]
mod windows;

pub mod portable;

/// The calls of the Windows backend, made safe, one by one: for `winprobe`, which asks a Windows whether they do what the
/// backend relies on.
#[cfg(all(windows, feature = "probe"))]
pub mod native {
    pub use crate::windows::native::{CopyStep, LOCK_OFFSET, copy, listed, lock, map, system};
    pub use crate::windows::{handle, nt, path, rename, reparse, stream, volume};
}

/// Where a fault is planted, to show that the tests see it; see the engine's module of the same name.
#[cfg(fcs_planted)]
pub mod planted {
    /// Folders are opened as a path is.
    pub static FOLLOW_LINKS: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
}

pub use buffer::AlignedBuffer;
pub use capabilities::{
    AccessCheck, CacheHints, CopyIn, CopyMethod, CopyOptions, Evict, Eviction, HardLinks, Holes, Locks, Map,
    NativeCopy, Owners, Recycle, Stream, Streams, Symlinks, Tick, VolumeIdentity, VolumeSync, Window,
    WritePastCache, Xattrs, copy_in_by_chunks, pace_writeback,
};
pub use device_reads::{DeviceRead, DeviceReads};
pub use fault::{OsReason, reason};
pub use location::Location;
pub use machine::{Machine, expected_mounts, user_name};
pub use meta::{Attributes, FileId, Fingerprint, Kind, LinkTarget, Metadata, Owner, Protection, Times};
pub use name::{BadName, Name, RelPath, escaped, exact_bytes, exact_path};
pub use root::{Nesting, Root, RootError, is_unc, nesting, open_root, unc_share};
pub use time::Time;
pub use traits::{Access, Dir, DirRef, File, FileRef, Handle, Listed, Rename, read_full, write_all_at};
pub use volume::{CaseRule, CreatedTime, NameUnits, Place, Space, VolumeFacts};

/// Raises this process's limit of open files to what the system allows it, because a batch keeps its files open.
///
/// Returns the limit in force afterwards, or `None` where the platform has no such limit or does not tell.
pub fn raise_open_file_limit() -> Option<u64> {
    #[cfg(unix)]
    {
        unix::raise_open_file_limit()
    }
    // Handles of a process are limited by memory alone (some 16 million), so this is no more than a measure.
    #[cfg(windows)]
    {
        Some(1 << 16)
    }
    #[cfg(not(any(unix, windows)))]
    {
        None
    }
}

/// The host's name, for the lock and journal to say who holds a folder. Empty where it cannot be had.
pub fn host_name() -> String {
    #[cfg(unix)]
    {
        unix::host_name()
    }
    #[cfg(windows)]
    {
        windows::host_name()
    }
    #[cfg(not(any(unix, windows)))]
    {
        String::new()
    }
}

/// The programs that have the file at `path` open, in words, for a message; empty where the system does not tell or
/// nobody has. Says nothing about the next moment, and may take a tenth of a second.
pub fn holders(path: &std::path::Path) -> Vec<String> {
    #[cfg(windows)]
    {
        windows::holders(path)
    }
    #[cfg(not(windows))]
    {
        let _ = path;
        Vec::new()
    }
}

/// Whether this runs under Wine, which says yes to several requests that it does not carry out: what only a real
/// Windows can show is not to be concluded there.
pub fn is_wine() -> bool {
    #[cfg(windows)]
    {
        windows::is_wine()
    }
    #[cfg(not(windows))]
    {
        false
    }
}
