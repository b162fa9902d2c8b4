//! The conformance suite can fail: each fault planted here is found, by the rule it breaks.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::any::Any;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fcs_sys::{
    Access, AccessCheck, Attributes, CacheHints, CopyIn, CopyOptions, Dir, DirRef, Evict, File, FileRef,
    Handle, HardLinks, Holes, Kind, Listed, Locks, Map, Metadata, Name, NativeCopy, Owners, Rename, Root,
    Space, Streams, Symlinks, Tick, Times, VolumeFacts, VolumeSync, Window, Xattrs, open_root,
};
use fcs_testkit::conformance::{Lacks, Subject, Verdict, check_rules};
use fcs_testkit::faulty::{Act, Call, Event, wrap, wrap_like_ntfs};
use fcs_testkit::sim::{Options, SimFs};

/// What Linux lacks everywhere.
fn linux() -> Lacks {
    Lacks { streams: true, ..Lacks::default() }
}

/// Asks one rule of a simulated disk whose calls go through a script; the second value is how often it interfered.
fn scripted(
    rule: &str,
    lacks: Lacks,
    script: impl Fn(&Event<'_>) -> Act + Send + Sync + 'static,
) -> (Verdict, usize) {
    let fired = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&fired);
    let script = move |event: &Event<'_>| {
        let act = script(event);
        if act != Act::Go {
            count.fetch_add(1, Ordering::SeqCst);
        }
        act
    };
    let root = wrap(&SimFs::new(Options::default()).root(), "scripted", Arc::new(script));
    let subject = Subject::without_place(&root, lacks);
    (check_rules(&subject, |name| name == rule), fired.load(Ordering::SeqCst))
}

#[test]
fn calls_that_lie_are_found() {
    let lies = [
        (Call::Write, "writes_go_where_they_are_told"),
        (Call::Read, "reads_begin_where_they_are_told"),
        (Call::SetTimes, "modified_times_are_kept_to_the_volumes_step"),
        (Call::SetTimes, "folders_have_times_too"),
        (Call::SetLinkTimes, "times_of_a_link_are_its_own"),
        (Call::SetAttributes, "bits_are_kept"),
        (Call::SetXattr, "extended_attributes_are_kept_or_unsupported"),
        (Call::CreateSymlink, "a_link_keeps_its_text"),
        (Call::RenameNoReplace, "no_replace_moves_to_a_free_name"),
        (Call::RenameReplace, "replace_takes_the_name_over"),
        (Call::RenameExchange, "exchange_swaps_two_files"),
        (Call::HardLink, "a_second_name_leads_to_the_same_file"),
        (Call::RemoveFile, "removing_a_file_removes_its_name"),
        (Call::RemoveDir, "removing_a_folder_refuses_one_that_holds_something"),
        (Call::List, "many_entries_are_listed_once_each"),
        (Call::TryLock, "a_lock_is_held_by_one_handle"),
        (Call::HasHoles, "holes_are_seen"),
    ];
    for (call, rule) in lies {
        let (verdict, fired) =
            scripted(rule, linux(), move |event| if event.call == call { Act::Lie } else { Act::Go });
        assert!(fired > 0, "{rule} never came to {call:?}");
        assert!(verdict.broke(rule), "{call:?} lies, and {rule} is said to hold");
    }
}

#[test]
fn flaws_of_streams_are_found() {
    let faults: [(Call, Act, &str); 4] = [
        (Call::Streams, Act::Lie, "streams_are_kept_or_unsupported"),
        (Call::Write, Act::Flip, "streams_with_odd_names_are_kept"),
        (Call::RemoveStream, Act::Lie, "a_removed_stream_is_gone"),
        (Call::OpenStream, Act::Fail(5), "a_stream_that_is_not_there_is_not_found"),
    ];
    for (call, act, rule) in faults {
        let script = move |event: &Event<'_>| if event.call == call { act } else { Act::Go };
        let root = wrap_like_ntfs(&SimFs::new(Options::default()).root(), "like NTFS", Arc::new(script));
        let subject = Subject::without_place(&root, Lacks::default());
        assert!(check_rules(&subject, |name| name == rule).broke(rule), "{call:?}, {act:?}");
    }
}

#[test]
fn a_flipped_bit_is_found() {
    for (call, rule) in [
        (Call::Read, "reads_begin_where_they_are_told"),
        (Call::Write, "a_copy_has_its_sources_content"),
        (Call::Read, "uncached_reads_take_any_offset_and_length"),
    ] {
        let (verdict, fired) = scripted(rule, linux(), move |event| {
            if event.call == call && event.offset >= 65_535 { Act::Flip } else { Act::Go }
        });
        assert!(fired > 0 && verdict.broke(rule), "{rule}, {fired} flips");
    }
}

#[test]
fn an_error_that_does_not_say_what_it_is_is_found() {
    const EIO: i32 = 5;
    for (call, rule) in [
        (Call::Stat, "what_is_not_there_is_not_found"),
        (Call::CreateFile, "making_a_file_fails_if_the_name_is_taken"),
        (Call::RemoveDir, "removing_a_folder_refuses_one_that_holds_something"),
        (Call::OpenDir, "a_file_is_not_opened_as_a_folder"),
    ] {
        let (verdict, fired) = scripted(rule, linux(), move |event| {
            // Not the rule's own folder, which lies at the top.
            if event.call == call && event.path.depth() > 1 { Act::Fail(EIO) } else { Act::Go }
        });
        assert!(fired > 0 && verdict.broke(rule), "{rule}, {fired} errors");
    }
}

#[test]
fn a_cache_that_is_falsely_called_empty_is_found() {
    let rule = "evicting_tells_the_truth_and_changes_nothing";
    let lacks = Lacks { eviction: true, ..linux() };
    let (verdict, fired) =
        scripted(rule, lacks, |event| if event.call == Call::Evict { Act::Lie } else { Act::Go });
    assert!(fired > 0 && verdict.broke(rule));
}

#[test]
fn what_is_declared_must_be_so() {
    let declared = [
        (Lacks { exchange: true, ..linux() }, "exchange_swaps_two_files"),
        (Lacks { no_replace: true, ..linux() }, "no_replace_moves_to_a_free_name"),
        (Lacks { hard_links: true, ..linux() }, "a_second_name_leads_to_the_same_file"),
        (
            Lacks { symlinks: Some(fcs_sys::OsReason::Unsupported), ..linux() },
            "making_a_link_fails_if_the_name_is_taken",
        ),
        (Lacks { link_times: true, ..linux() }, "times_of_a_link_are_its_own"),
        (Lacks { owner: true, ..linux() }, "owners_are_kept_or_unsupported"),
        (Lacks { xattrs: true, ..linux() }, "extended_attributes_are_kept_or_unsupported"),
        (Lacks { uncached: true, ..linux() }, "uncached_reads_take_any_offset_and_length"),
        (Lacks { maps: true, ..linux() }, "a_window_shows_its_range"),
        (Lacks { sync_volume: true, ..linux() }, "the_volume_syncs_as_its_facts_say"),
        (Lacks { locks: true, ..linux() }, "a_lock_is_held_by_one_handle"),
        (Lacks { eviction: true, ..linux() }, "evicting_tells_the_truth_and_changes_nothing"),
        (Lacks { space: true, ..linux() }, "room_is_believable"),
        (Lacks::default(), "streams_are_kept_or_unsupported"),
        (Lacks { change_time: true, ..linux() }, "the_change_time_moves_with_every_change"),
    ];
    for (lacks, rule) in declared {
        let (verdict, _) = scripted(rule, lacks, |_| Act::Go);
        assert!(verdict.broke(rule), "{rule} holds, though the disk is declared to be another");
    }
}

#[test]
fn what_is_lacking_must_be_declared() {
    for rule in [
        "exchange_swaps_two_files",
        "a_second_name_leads_to_the_same_file",
        "extended_attributes_are_kept_or_unsupported",
        "the_volume_syncs_as_its_facts_say",
    ] {
        let subject = Subject::without_place(&SimFs::new(Options::fat()).root(), linux());
        assert!(check_rules(&subject, |name| name == rule).broke(rule), "{rule}");
    }
}

/// What a flawed backend does wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Flaw {
    NoReplaceReplaces,
    ExchangeReplaces,
    CreateTakesOver,
    ListsNotAll,
    ListsOneTwice,
    ListsOldSizes,
    FollowsLinksToFolders,
    StatFollowsLinks,
    IdentityIsTheName,
    RemovesFullFolders,
    CopyIgnoresTheTick,
    CopySharesTheFile,
    WindowsAreAlwaysEqual,
    WindowsBeginAtPages,
    UncachedReadsLoseTheTail,
    TimesInWholeSeconds,
    NamesAreFolded,
}

/// A backend around a good one, with one flaw.
#[derive(Debug)]
struct Flawed<T: ?Sized> {
    inner: Arc<T>,
    flaw: Flaw,
    /// For what the traits refuse to do wrong.
    path: std::path::PathBuf,
    uncached: bool,
}

macro_rules! pass {
    ($(fn $name:ident($($argument:ident: $type:ty),*) -> $result:ty;)*) => {
        $(fn $name(&self, $($argument: $type),*) -> $result {
            self.inner.$name($($argument),*)
        })*
    };
}

macro_rules! flawed_handle {
    ($type:ty) => {
        impl Handle for Flawed<$type> {
            fn as_any(&self) -> &dyn Any {
                self
            }
            fn set_times(&self, mut times: Times) -> io::Result<()> {
                if self.flaw == Flaw::TimesInWholeSeconds {
                    times.modified = times.modified.map(|t| t.rounded_down(1_000_000_000));
                }
                self.inner.set_times(times)
            }
            pass! {
                fn metadata() -> io::Result<Metadata>;
                fn set_attributes(attributes: Attributes) -> io::Result<()>;
                fn sync() -> io::Result<()>;
                fn as_owners() -> Option<&dyn Owners>;
                fn as_xattrs() -> Option<&dyn Xattrs>;
                fn as_streams() -> Option<&dyn Streams>;
            }
        }
    };
}

flawed_handle!(dyn Dir);
flawed_handle!(dyn File);

impl Flawed<dyn Dir> {
    fn file(&self, inner: FileRef, name: &Name, uncached: bool) -> FileRef {
        Arc::new(Flawed { inner, flaw: self.flaw, path: self.path.join(name.as_os()), uncached })
    }
}

fn bare(dir: &dyn Dir) -> &dyn Dir {
    dir.as_any().downcast_ref::<Flawed<dyn Dir>>().map_or(dir, |flawed| &*flawed.inner)
}

impl Dir for Flawed<dyn Dir> {
    fn list(&self, sink: &mut dyn FnMut(Listed<'_>)) -> io::Result<()> {
        let mut count = 0;
        self.inner.list(&mut |mut entry| {
            count += 1;
            match self.flaw {
                Flaw::ListsNotAll if count == 5000 => return,
                Flaw::ListsOneTwice if count == 5000 => sink(Listed { name: entry.name, metadata: None }),
                Flaw::ListsOldSizes => {
                    let name = Name::new(entry.name).unwrap();
                    entry.metadata = self.inner.stat(&name).ok().map(|m| Metadata { size: m.size / 2, ..m });
                }
                _ => {}
            }
            sink(entry);
        })
    }
    fn stat(&self, name: &Name) -> io::Result<Metadata> {
        let found = self.inner.stat(name)?;
        match self.flaw {
            Flaw::StatFollowsLinks if found.kind == Kind::Symlink => {
                let text = self.inner.read_link(name)?.text;
                self.inner.stat(&Name::new(text).map_err(io::Error::other)?)
            }
            Flaw::IdentityIsTheName => {
                let id = fcs_sys::FileId { file: u64::from(name.as_bytes()[0]), ..found.id };
                Ok(Metadata { id, ..found })
            }
            _ => Ok(found),
        }
    }
    fn open_dir(&self, name: &Name) -> io::Result<DirRef> {
        let path = self.path.join(name.as_os());
        let inner = match self.flaw {
            Flaw::FollowsLinksToFolders => open_root(&path).map_err(io::Error::other)?.dir,
            _ => self.inner.open_dir(name)?,
        };
        Ok(Arc::new(Self { inner, flaw: self.flaw, path, uncached: false }))
    }
    fn open_file(&self, name: &Name, access: Access) -> io::Result<FileRef> {
        Ok(self.file(self.inner.open_file(name, access)?, name, access == Access::ReadUncached))
    }
    fn create_file(&self, name: &Name) -> io::Result<FileRef> {
        if self.flaw == Flaw::CreateTakesOver
            && let Ok(there) = self.inner.open_file(name, Access::ReadWrite)
        {
            return Ok(there);
        }
        let folded = Name::new(name.as_bytes().to_ascii_lowercase()).map_err(io::Error::other)?;
        let name = if self.flaw == Flaw::NamesAreFolded { &folded } else { name };
        Ok(self.file(self.inner.create_file(name)?, name, false))
    }
    fn rename(&self, from: &Name, to_dir: &dyn Dir, to: &Name, how: Rename) -> io::Result<()> {
        let how = match (self.flaw, how) {
            (Flaw::NoReplaceReplaces, Rename::NoReplace) | (Flaw::ExchangeReplaces, Rename::Exchange) => {
                Rename::Replace
            }
            (_, how) => how,
        };
        self.inner.rename(from, bare(to_dir), to, how)
    }
    fn remove_dir(&self, name: &Name) -> io::Result<()> {
        if self.flaw == Flaw::RemovesFullFolders {
            return std::fs::remove_dir_all(self.path.join(name.as_os()));
        }
        self.inner.remove_dir(name)
    }
    pass! {
        fn create_dir(name: &Name) -> io::Result<()>;
        fn remove_file(name: &Name) -> io::Result<()>;
        fn volume() -> io::Result<VolumeFacts>;
        fn space() -> io::Result<Space>;
        fn as_symlinks() -> Option<&dyn Symlinks>;
        fn as_access_check() -> Option<&dyn AccessCheck>;
        fn as_volume_sync() -> Option<&dyn VolumeSync>;
    }
    fcs_sys::has!(as_hard_links: HardLinks, as_native_copy: NativeCopy);
}

impl HardLinks for Flawed<dyn Dir> {
    fn hard_link(&self, from: &Name, to_dir: &dyn Dir, to: &Name) -> io::Result<()> {
        self.inner.hard_link(from, bare(to_dir), to)
    }
}

impl NativeCopy for Flawed<dyn Dir> {
    fn copy_in(
        &self,
        name: &Name,
        source: &dyn File,
        options: CopyOptions,
        tick: Tick<'_>,
    ) -> io::Result<CopyIn> {
        let source =
            source.as_any().downcast_ref::<Flawed<dyn File>>().map_or(source, |flawed| &*flawed.inner);
        let mut deaf = |bytes| {
            let _ = tick(bytes);
            std::ops::ControlFlow::Continue(())
        };
        match self.flaw {
            Flaw::CopyIgnoresTheTick => self.inner.copy_in(name, source, options, &mut deaf),
            Flaw::CopySharesTheFile => {
                let from = Name::new(*b"from").map_err(io::Error::other)?;
                self.inner.hard_link(&from, &*self.inner, name)?;
                let file = self.inner.open_file(name, Access::ReadWrite)?;
                let method = fcs_sys::CopyMethod::Kernel;
                Ok(CopyIn { file: Some(file), bytes: options.size, method, stopped: false })
            }
            _ => self.inner.copy_in(name, source, options, tick),
        }
    }
}

impl File for Flawed<dyn File> {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let n = self.inner.read_at(buffer, offset)?;
        let lost = self.uncached && self.flaw == Flaw::UncachedReadsLoseTheTail && n < buffer.len();
        Ok(if lost { n / 512 * 512 } else { n })
    }
    pass! {
        fn write_at(buffer: &[u8], offset: u64) -> io::Result<usize>;
        fn as_cache_hints() -> Option<&dyn CacheHints>;
        fn as_evict() -> Option<&dyn Evict>;
        fn as_locks() -> Option<&dyn Locks>;
        fn as_holes() -> Option<&dyn Holes>;
    }
    fcs_sys::has!(as_map: Map);
}

impl Map for Flawed<dyn File> {
    fn map(&self, offset: u64, bytes: usize) -> io::Result<Box<dyn Window>> {
        let offset = if self.flaw == Flaw::WindowsBeginAtPages { offset / 4096 * 4096 } else { offset };
        let inner = self.inner.map(offset, bytes)?;
        Ok(if self.flaw == Flaw::WindowsAreAlwaysEqual { Box::new(Equal(inner)) } else { inner })
    }
}

/// A window that never finds a difference.
struct Equal(Box<dyn Window>);

impl Window for Equal {
    fn as_any(&self) -> &dyn Any {
        self
    }
    fn size(&self) -> usize {
        self.0.size()
    }
    fn copy_out(&self, offset: usize, buffer: &mut [u8]) -> io::Result<()> {
        self.0.copy_out(offset, buffer)
    }
    fn first_difference(&self, _: &dyn Window, _: usize, _: usize) -> io::Result<Option<usize>> {
        Ok(None)
    }
}

/// Asks one rule of the native backend with a flaw.
fn flawed(flaw: Flaw, rule: &str) -> Verdict {
    let tmp = tempfile::tempdir().unwrap();
    let Root { dir: inner, path } = open_root(tmp.path()).unwrap();
    let dir = Arc::new(Flawed { inner, flaw, path: path.clone(), uncached: false });
    let subject = Subject::of(&Root { dir, path }, linux());
    check_rules(&subject, |name| name == rule)
}

#[test]
fn flaws_of_a_backend_are_found() {
    let flaws = [
        (Flaw::NoReplaceReplaces, "no_replace_refuses_a_taken_name"),
        (Flaw::ExchangeReplaces, "exchange_swaps_two_files"),
        (Flaw::CreateTakesOver, "making_a_file_fails_if_the_name_is_taken"),
        (Flaw::ListsNotAll, "many_entries_are_listed_once_each"),
        (Flaw::ListsOneTwice, "many_entries_are_listed_once_each"),
        (Flaw::ListsOldSizes, "a_listing_tells_what_stat_tells"),
        (Flaw::FollowsLinksToFolders, "a_link_to_a_folder_is_not_opened"),
        (Flaw::StatFollowsLinks, "a_link_has_metadata_of_its_own"),
        (Flaw::IdentityIsTheName, "a_rename_keeps_identity_and_metadata"),
        (Flaw::RemovesFullFolders, "removing_a_folder_refuses_one_that_holds_something"),
        (Flaw::CopyIgnoresTheTick, "a_copy_stops_when_told"),
        (Flaw::CopySharesTheFile, "a_copy_can_be_read_written_and_dressed"),
        (Flaw::WindowsAreAlwaysEqual, "windows_find_their_first_difference"),
        (Flaw::WindowsBeginAtPages, "a_window_begins_anywhere"),
        (Flaw::UncachedReadsLoseTheTail, "uncached_reads_take_any_offset_and_length"),
        (Flaw::TimesInWholeSeconds, "modified_times_are_kept_to_the_volumes_step"),
        (Flaw::NamesAreFolded, "odd_names_are_kept_or_refused"),
    ];
    for (flaw, rule) in flaws {
        let verdict = flawed(flaw, rule);
        assert!(verdict.broke(rule), "{flaw:?} is not found by {rule}");
        println!("{flaw:?}: {}", verdict.broken[0].what);
    }
}
