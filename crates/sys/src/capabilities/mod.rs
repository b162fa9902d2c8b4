//! What a backend may have beside the small core of [`Dir`](crate::Dir) and [`File`](crate::File).
//!
//! One file per capability: the trait that a backend implements, the call that everybody else makes, and what that call
//! answers where the capability is missing. A backend that has one returns itself from the core's accessor of that name
//! ([`Handle::as_xattrs`](crate::Handle::as_xattrs) and its like); the accessors say "missing" by default.
//!
//! Callers do not ask for the capability first: they call `dir.recycle(…)` on a `dyn Dir`, which answers `Unsupported`
//! where there is no bin, because a bin that is missing on this volume and one that the backend has no code for are the
//! same to them.
//!
//! Invariant: what a missing capability answers is written here once, and never claims that something was done or
//! proven. Nothing here may know a backend.

mod access;
mod cache;
mod holes;
mod links;
mod locks;
mod maps;
mod native_copy;
mod owners;
mod recycle;
mod streams;
mod volume_identity;
mod volume_sync;
mod xattrs;

pub use access::AccessCheck;
pub use cache::{CacheHints, Evict, Eviction, WritePastCache, pace_writeback};
pub use holes::Holes;
pub use links::{HardLinks, Symlinks};
pub use locks::Locks;
pub use maps::{Map, Window};
pub use native_copy::{CopyIn, CopyMethod, CopyOptions, NativeCopy, Tick, copy_in_by_chunks};
pub use owners::Owners;
pub use recycle::Recycle;
pub use streams::{Stream, Streams};
pub use volume_identity::VolumeIdentity;
pub use volume_sync::VolumeSync;
pub use xattrs::Xattrs;

/// Calls of open items of every kind: Rust finds the calls of `dyn Dir` and `dyn File` only on these themselves.
macro_rules! on_every_item {
    ($calls:tt) => {
        impl dyn crate::Handle + '_ $calls
        impl dyn crate::Dir + '_ $calls
        impl dyn crate::File + '_ $calls
    };
}
use on_every_item;

/// In a backend's impl of the core: the capabilities that it has and implements itself.
///
/// ```text
/// impl Dir for MyDir {
///     // …
///     fcs_sys::has!(as_symlinks: Symlinks, as_hard_links: HardLinks);
/// }
/// ```
#[macro_export]
macro_rules! has {
    ($($accessor:ident: $capability:ident),+ $(,)?) => {
        $(fn $accessor(&self) -> ::std::option::Option<&dyn $crate::$capability> {
            ::std::option::Option::Some(self)
        })+
    };
}
