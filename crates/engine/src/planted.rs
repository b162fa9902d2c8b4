//! Faults that can be planted into the engine, each a mistake a program that copies files may make, to show that the
//! tests see it.
//!
//! Exists only where the compiler was given `--cfg fcs_planted`, which nothing but `cargo xtask test` does. The places
//! are marked with the same `cfg`.

use std::sync::atomic::{AtomicU8, Ordering};

/// What is done wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Fault {
    /// Nothing.
    None,
    /// A file is replaced by writing over it.
    InPlaceWrite,
    /// Content is not synced before it gets its name.
    NoFileSync,
    /// Renames are not synced before they are reported.
    NoFolderSync,
    /// Content is synced only after it got its name.
    SyncAfterRename,
    /// The copy is read back without emptying the cache of it.
    VerifyFromCache,
    /// The source is not looked at again after it was read.
    NoSourceRecheck,
    /// Folders are opened as a path is, following links.
    PathBasedOpen,
    /// The intent to rename is written down after the rename.
    JournalAfterExchange,
    /// A sync that failed is done again on the same file.
    RetryFailedSync,
    /// An unfinished copy is cleaned up in `Drop`, which cannot say that it failed.
    WorkInDrop,
    /// What is listed and then not found counts as absent.
    NotFoundIsAbsent,
    /// A file that was opened to be read past the cache is believed to be read so.
    TrustUncached,
    /// After a sync of the whole volume failed, the next success counts for what was written before.
    SwallowSyncError,
    /// A run goes on to its removals although a part of it ended in a panic.
    RemovalAfterPanic,
    /// After a remount, or in a copied folder, a file is known by its number instead of by its content.
    NumberOverContent,
    /// An item is given another spelling of its name although something else has that name.
    RespellOverOther,
    /// A recovery takes some of the metadata that an item was to have for all of it.
    HalfTheMetadata,
    /// An index of originals is believed whatever became of the run since.
    StaleIndex,
    /// Of a run that writes to several roots, only the first has a durable journal before anything changes.
    OneJournal,
    /// Items are removed before what the run copies is durable.
    RemovalBeforeCopy,
}

impl Fault {
    /// All but none.
    pub const ALL: &[Self] = &[
        Self::InPlaceWrite,
        Self::NoFileSync,
        Self::NoFolderSync,
        Self::SyncAfterRename,
        Self::VerifyFromCache,
        Self::NoSourceRecheck,
        Self::PathBasedOpen,
        Self::JournalAfterExchange,
        Self::RetryFailedSync,
        Self::WorkInDrop,
        Self::NotFoundIsAbsent,
        Self::TrustUncached,
        Self::SwallowSyncError,
        Self::RemovalAfterPanic,
        Self::NumberOverContent,
        Self::RespellOverOther,
        Self::HalfTheMetadata,
        Self::StaleIndex,
        Self::OneJournal,
        Self::RemovalBeforeCopy,
    ];
}

static PLANTED: AtomicU8 = AtomicU8::new(Fault::None as u8);

/// Plants a fault in place of the one before.
pub fn set(fault: Fault) {
    PLANTED.store(fault as u8, Ordering::SeqCst);
    fcs_sys::planted::FOLLOW_LINKS.store(fault == Fault::PathBasedOpen, Ordering::SeqCst);
}

pub(crate) fn is(fault: Fault) -> bool {
    PLANTED.load(Ordering::SeqCst) == fault as u8
}
