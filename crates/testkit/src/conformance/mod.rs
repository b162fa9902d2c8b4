//! One suite for every backend: does it keep what the documentation of [`fcs_sys`]'s traits says, and what the engine
//! builds on?
//!
//! A backend is given as a [`Subject`], an empty folder on a volume, together with what it [`Lacks`]. A thing that is
//! missing is thus stated before the suite runs, and the suite asks whether it really answers that it cannot; what is
//! not stated as missing must work. Each rule gets a folder of its own and is asked through the traits alone, except
//! where they offer no way to bring about what is asked (a pipe, a file cut short): those rules need [`Subject::place`].
//!
//! The rules come in two groups: `CORE` is what every backend writes, `CAPABILITIES` what it may have beside.
//!
//! Invariant: a rule that is broken is reported and never ends the others, so that one run tells everything.
//!
//! It must not know any backend. Not asked here: `Recycle` where there is a bin (its place is the user's own),
//! and what only a loss of power can show.

mod attributes;
mod content;
mod copies;
mod device;
mod items;
mod links;
mod listings;
mod locks;
mod maps;
mod metadata;
mod missing;
mod names;
mod renames;
mod streams;

use std::fmt::Debug;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use fcs_sys::{Access, DirRef, FileRef, Name, OsReason, Time, VolumeFacts, reason, write_all_at};

pub use items::check_read_only;

/// How permission or attribute bits are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bits {
    /// The permission bits of Unix.
    Modes,
    /// The attribute bits of Windows: read-only, hidden and system at least.
    Attributes {
        /// Archive, too. Where not, files always have it.
        archive: bool,
    },
    /// Only whether the item may be written to.
    ReadOnlyMark,
}

/// What a backend on its volume cannot do. The default is a backend that lacks nothing.
#[derive(Debug, Clone)]
pub struct Lacks {
    /// [`fcs_sys::Rename::NoReplace`].
    pub no_replace: bool,
    /// [`fcs_sys::Rename::Exchange`].
    pub exchange: bool,
    /// Second names of a file.
    pub hard_links: bool,
    /// Making symbolic links, with the reason it answers.
    pub symlinks: Option<OsReason>,
    /// Setting the times of a link itself.
    pub link_times: bool,
    /// Owners.
    pub owner: bool,
    /// Extended attributes.
    pub xattrs: bool,
    /// [`Access::ReadUncached`].
    pub uncached: bool,
    /// Memory windows.
    pub maps: bool,
    /// Syncing a whole volume.
    pub sync_volume: bool,
    /// A cache that can be proven empty of a file.
    pub eviction: bool,
    /// Files with holes, or the knowledge of them.
    pub holes: bool,
    /// Named streams.
    pub streams: bool,
    /// Advisory locks.
    pub locks: bool,
    /// [`fcs_sys::Dir::space`].
    pub space: bool,
    /// [`fcs_sys::Metadata::changed`].
    pub change_time: bool,
    /// An identity that is the item's and not its path's, and with it the count of a file's names.
    pub identity: bool,
    /// Handles that stay with their item when it or a folder above it is renamed or its name is removed.
    pub lasting_handles: bool,
    /// Replacing or removing a name while a handle of ours has the file open.
    pub open_names: bool,
    /// New items are their owner's alone, or hidden on Windows.
    pub private_items: bool,
    /// What is written while a file is locked can be read through another handle.
    pub readable_locks: bool,
    /// Progress of a native copy, and with it the way to stop one.
    pub copy_progress: bool,
    /// How bits are kept.
    pub bits: Bits,
    /// The earliest and the latest modified time, in seconds since 1970, that the volume holds.
    pub times: (i64, i64),
}

impl Lacks {
    /// What a backend lacks that writes the core alone: every capability.
    pub fn every_capability() -> Self {
        Self {
            hard_links: true,
            symlinks: Some(OsReason::Unsupported),
            link_times: true,
            owner: true,
            xattrs: true,
            maps: true,
            sync_volume: true,
            eviction: true,
            holes: true,
            streams: true,
            locks: true,
            ..Self::default()
        }
    }
}

impl Default for Lacks {
    fn default() -> Self {
        Self {
            no_replace: false,
            exchange: false,
            hard_links: false,
            symlinks: None,
            link_times: false,
            owner: false,
            xattrs: false,
            uncached: false,
            maps: false,
            sync_volume: false,
            eviction: false,
            holes: false,
            streams: false,
            locks: false,
            space: false,
            change_time: false,
            identity: false,
            lasting_handles: false,
            open_names: false,
            private_items: false,
            readable_locks: false,
            copy_progress: false,
            bits: if cfg!(windows) { Bits::Attributes { archive: true } } else { Bits::Modes },
            // ext4 with 256-byte inodes, the narrowest of the file systems that keep nanoseconds; in its very first
            // and last second Linux drops them (timestamp_truncate in fs/inode.c).
            times: (-0x7fff_ffff, 0x3_7fff_fffe),
        }
    }
}

/// A backend to be asked.
#[derive(Debug)]
pub struct Subject {
    /// An empty folder of it.
    pub dir: DirRef,
    /// Where that folder lies for the standard library; `None` where it lies nowhere (a simulated disk).
    pub place: Option<PathBuf>,
    /// What it cannot do.
    pub lacks: Lacks,
    /// Rules that are not asked, by name.
    pub excused: Vec<&'static str>,
    /// Entries of the folder that is listed to see whether all come; see [`MANY`].
    pub many: usize,
}

/// Entries enough for many reads of a folder, however large its buffer.
pub const MANY: usize = 10_000;

impl Subject {
    /// The root of an open folder, with nothing excused.
    pub fn of(root: &fcs_sys::Root, lacks: Lacks) -> Self {
        Self { place: Some(root.path.clone()), ..Self::without_place(root, lacks) }
    }

    /// As [`Subject::of`], for a folder that lies nowhere.
    pub fn without_place(root: &fcs_sys::Root, lacks: Lacks) -> Self {
        Self { dir: Arc::clone(&root.dir), place: None, lacks, excused: Vec::new(), many: MANY }
    }
}

/// A rule that was found broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    /// The rule's name.
    pub rule: &'static str,
    /// What was seen, for a person.
    pub what: String,
}

/// What asking a backend came to.
#[derive(Debug, Default)]
pub struct Verdict {
    /// Rules that were asked and hold.
    pub kept: Vec<&'static str>,
    /// Rules that do not.
    pub broken: Vec<Broken>,
}

impl Verdict {
    /// Panics, telling everything that is broken, unless nothing is.
    pub fn assert_kept(&self, backend: &str) {
        let list: Vec<String> = self.broken.iter().map(|b| format!("{}: {}", b.rule, b.what)).collect();
        assert!(list.is_empty(), "{backend} breaks {} rules:\n{}", list.len(), list.join("\n"));
        assert!(self.kept.len() > 40, "{backend}: only {} rules were asked", self.kept.len());
    }

    /// Whether a rule was found broken.
    pub fn broke(&self, rule: &str) -> bool {
        self.broken.iter().any(|b| b.rule == rule)
    }
}

/// What a rule says of a backend.
type Checked = Result<(), String>;

/// A rule: its name and the question.
type Rule = (&'static str, fn(&Bench) -> Checked);

/// The rules of one module, named as their functions are.
macro_rules! rules {
    ($($rule:ident),* $(,)?) => {
        pub(super) const RULES: &[super::Rule] = &[$((stringify!($rule), $rule)),*];
    };
}
use rules;

/// Ends a rule as broken unless a condition holds.
macro_rules! ensure {
    ($holds:expr, $($text:tt)+) => {
        if !$holds {
            return Err(format!($($text)+));
        }
    };
}
use ensure;

/// Ends a rule as broken unless two values are equal.
macro_rules! same {
    ($found:expr, $wanted:expr, $($text:tt)+) => {{
        let (found, wanted) = (&$found, &$wanted);
        if found != wanted {
            return Err(format!("{}: found {found:?}, wanted {wanted:?}", format!($($text)+)));
        }
    }};
}
use same;

/// What every backend must write.
const CORE: [&[Rule]; 6] =
    [names::RULES, items::RULES, listings::RULES, renames::RULES, content::RULES, metadata::RULES];

/// What a backend may have. Where it has not, these ask what is answered then.
const CAPABILITIES: [&[Rule]; 8] = [
    attributes::RULES,
    links::RULES,
    streams::RULES,
    copies::RULES,
    locks::RULES,
    device::RULES,
    maps::RULES,
    missing::RULES,
];

fn all_rules() -> impl Iterator<Item = &'static Rule> + Clone {
    CORE.into_iter().chain(CAPABILITIES).flatten()
}

/// Asks every rule that is not excused.
pub fn check(subject: &Subject) -> Verdict {
    check_rules(subject, |_| true)
}

/// Asks the rules that `wanted` picks by name.
pub fn check_rules(subject: &Subject, wanted: impl Fn(&str) -> bool) -> Verdict {
    let mut verdict = Verdict::default();
    let all = all_rules();
    for excused in &subject.excused {
        assert!(all.clone().any(|(rule, _)| rule == excused), "no rule is called {excused}");
    }
    for (number, (rule, ask)) in all.enumerate() {
        if subject.excused.contains(rule) || !wanted(rule) {
            continue;
        }
        match Bench::new(subject, number).and_then(|bench| ask(&bench)) {
            Ok(()) => verdict.kept.push(rule),
            Err(what) => verdict.broken.push(Broken { rule, what }),
        }
    }
    verdict
}

/// Where one rule is asked.
struct Bench<'a> {
    /// A folder of its own, empty at first.
    dir: DirRef,
    /// The same for the standard library.
    place: Option<PathBuf>,
    lacks: &'a Lacks,
    facts: VolumeFacts,
    many: usize,
}

impl<'a> Bench<'a> {
    fn new(subject: &'a Subject, number: usize) -> Result<Self, String> {
        let label = format!("rule-{number}");
        let folder = name(&label)?;
        subject.dir.create_dir(&folder).context("create_dir for the rule")?;
        let dir = subject.dir.open_dir(&folder).context("open_dir for the rule")?;
        let facts = dir.volume().context("volume")?;
        let place = subject.place.as_ref().map(|place| place.join(&label));
        Ok(Self { dir, place, lacks: &subject.lacks, facts, many: subject.many })
    }

    /// A file with content.
    fn file(&self, label: &str, bytes: &[u8]) -> Result<FileRef, String> {
        file_in(&self.dir, label, bytes)
    }

    /// A folder in it, open.
    fn folder(&self, label: &str) -> Result<DirRef, String> {
        self.dir.create_dir(&name(label)?).context(&format!("create_dir {label}"))?;
        self.dir.open_dir(&name(label)?).context(&format!("open_dir {label}"))
    }

    /// A file's content, read through a new handle.
    fn content(&self, label: &str) -> Result<Vec<u8>, String> {
        content_in(&self.dir, label)
    }

    /// Every name in the folder, sorted.
    fn listed(&self) -> Result<Vec<Vec<u8>>, String> {
        listed_in(&self.dir)
    }

    /// Fails unless nothing is at a name.
    fn absent(&self, label: &str) -> Checked {
        refused(self.dir.stat(&name(label)?), &[OsReason::NotFound], &format!("stat of the absent {label}"))
    }

    /// The step in which modified times are kept.
    fn step(&self) -> u64 {
        self.facts.time_granularity_nanos.max(1)
    }
}

fn name(label: &str) -> Result<Name, String> {
    Name::new(label.as_bytes()).map_err(|e| format!("the suite's own name {label}: {e}"))
}

fn file_in(dir: &DirRef, label: &str, bytes: &[u8]) -> Result<FileRef, String> {
    let file = dir.create_file(&name(label)?).context(&format!("create_file {label}"))?;
    write_all_at(&*file, bytes, 0).context(&format!("writing {label}"))?;
    Ok(file)
}

fn content_in(dir: &DirRef, label: &str) -> Result<Vec<u8>, String> {
    let file = dir.open_file(&name(label)?, Access::Read).context(&format!("open_file {label}"))?;
    all_of(&*file).context(&format!("reading {label}"))
}

fn listed_in(dir: &DirRef) -> Result<Vec<Vec<u8>>, String> {
    let mut names = Vec::new();
    dir.list(&mut |entry| names.push(entry.name.to_vec())).context("list")?;
    names.sort();
    Ok(names)
}

/// Everything from the beginning to the first read of 0 bytes.
fn all_of(file: &dyn fcs_sys::File) -> io::Result<Vec<u8>> {
    let mut all = Vec::new();
    let mut piece = vec![0; 64 << 10];
    loop {
        match file.read_at(&mut piece, all.len() as u64)? {
            0 => return Ok(all),
            n if n > piece.len() => return Err(io::Error::other("more was read than there was room for")),
            n => all.extend_from_slice(&piece[..n]),
        }
    }
}

/// Up to `bytes` bytes from `offset`, read until they are there or the file ends.
fn range_of(file: &dyn fcs_sys::File, offset: u64, bytes: usize) -> io::Result<Vec<u8>> {
    let mut found = vec![0; bytes];
    let mut at = 0;
    while at < bytes {
        match file.read_at(&mut found[at..], offset + at as u64)? {
            0 => break,
            n if n > bytes - at => return Err(io::Error::other("more was read than there was room for")),
            n => at += n,
        }
    }
    found.truncate(at);
    Ok(found)
}

/// Bytes in which every piece of a few differs from every other place.
fn pattern(bytes: usize) -> Vec<u8> {
    let mut random = fastrand::Rng::with_seed(bytes as u64);
    let mut all = vec![0; bytes];
    random.fill(&mut all);
    all
}

/// The clock of some systems goes in steps; after this, the next change of an item falls into a later one.
///
/// Goes by the change time of a file of its own, so it neither sleeps nor trusts this process's clock. On a volume
/// without change times the modified time serves.
fn let_time_pass(bench: &Bench<'_>) -> Checked {
    let label = "clock";
    drop(bench.file(label, b"")?);
    // Closed each time: Windows may give a file its new times only then.
    let tick = || -> Result<Time, String> {
        let probe =
            bench.dir.open_file(&name(label)?, Access::ReadWrite).context("open_file of the clock file")?;
        write_all_at(&*probe, b"x", 0).context("writing to the clock file")?;
        drop(probe);
        let now = bench.dir.stat(&name(label)?).context("stat of the clock file")?;
        Ok(now.changed.unwrap_or(now.modified))
    };
    let first = tick()?;
    // Two seconds is the coarsest step there is (FAT).
    let begun = std::time::Instant::now();
    while tick()? == first {
        ensure!(begun.elapsed().as_secs() < 10, "ten seconds of writing moved no time");
    }
    bench.dir.remove_file(&name(label)?).context("remove_file of the clock file")
}

/// Gives errors the call they come from.
trait Context<T> {
    fn context(self, call: &str) -> Result<T, String>;
}

impl<T> Context<T> for io::Result<T> {
    fn context(self, call: &str) -> Result<T, String> {
        self.map_err(|e| format!("{call}: {e} ({:?})", reason(&e)))
    }
}

/// Fails unless a call was refused for one of the given reasons.
fn refused<T: Debug>(result: io::Result<T>, reasons: &[OsReason], call: &str) -> Checked {
    match result {
        Ok(value) => Err(format!("{call}: not refused, but {value:?}")),
        Err(e) if reasons.contains(&reason(&e)) => Ok(()),
        Err(e) => Err(format!("{call}: refused for {:?} ({e}), not for {reasons:?}", reason(&e))),
    }
}

/// Fails unless a call says that the backend cannot do this at all.
fn unsupported<T: Debug>(result: io::Result<T>, call: &str) -> Checked {
    refused(result, &[OsReason::Unsupported], call)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_have_names_of_their_own() {
        let mut names: Vec<_> = all_rules().map(|(name, _)| *name).collect();
        let all = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
