//! What a run leaves behind: one versioned data type that front ends print and programs read.
//!
//! Invariant: evidence is never rounded up, and a failed item is never missing.

use fcs_sys::{RelPath, Time};
use serde::Serialize;

use crate::error::Remedy;
use crate::history::RunId;
pub use crate::ops::change_counts::ChangeCounts;
pub use crate::ops::vocabulary::ActionKind;
use crate::plan::RootIndex;
use crate::settings::Strategy;
use crate::tree::Entry;
use crate::{Error, Note, Settings, TargetState};

/// The version of the report's shape; raised when a field changes its meaning or goes away, not when one is added.
pub const SCHEMA: &str = "fcs-report/1";

/// A BLAKE3 hash, shown as 64 hex digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Digest(pub [u8; 32]);

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl std::fmt::Debug for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// What is known about a copy being equal to its source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Evidence {
    /// Every byte was read back from the device, past any cache, and equals the source.
    DeviceReread {
        /// BLAKE3 of the content; absent where it was not needed, because the bytes were compared.
        hash: Option<Digest>,
    },
    /// Every byte was read back and equals the source, but may have come from a cache.
    CacheReread {
        /// BLAKE3 of the content; absent where it was not needed, because the bytes were compared.
        hash: Option<Digest>,
        /// Why the device could not be reached.
        why: String,
    },
    /// Source and copy are the same blocks on the device; there is one copy of the bytes, not two.
    SharedExtents,
    /// The user asked for no verification of this file.
    NotRequested,
    /// The item has no content to verify (folder, link).
    NoContent,
}

/// Which strategy copied a file, and why it was chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chosen {
    /// Direct: local and small enough.
    Direct,
    /// Direct because the user said so.
    DirectForced,
    /// Staged: a side is on a network volume.
    StagedNetwork,
    /// Staged: at least `direct_max_bytes` large.
    StagedSize,
    /// Staged: the content comes from elsewhere (cloud placeholder), so it is read once only.
    StagedPlaceholder,
    /// Staged because the user said so.
    StagedForced,
}

impl Evidence {
    /// BLAKE3 of the content, where it was computed.
    pub fn hash(&self) -> Option<Digest> {
        match self {
            Self::DeviceReread { hash } | Self::CacheReread { hash, .. } => *hash,
            Self::SharedExtents | Self::NotRequested | Self::NoContent => None,
        }
    }
}

impl Chosen {
    /// How a file is copied; `network` says that a side is on a network volume.
    pub(crate) fn of(source: &Entry, network: bool, settings: &Settings) -> Self {
        match settings.strategy {
            Strategy::Direct => Self::DirectForced,
            Strategy::Staged => Self::StagedForced,
            Strategy::Auto if network => Self::StagedNetwork,
            Strategy::Auto if source.is_placeholder() => Self::StagedPlaceholder,
            Strategy::Auto if source.size < settings.direct_max_bytes => Self::Direct,
            Strategy::Auto => Self::StagedSize,
        }
    }

    /// Whether it is one of the direct reasons.
    pub fn is_direct(self) -> bool {
        matches!(self, Self::Direct | Self::DirectForced)
    }

    /// `direct` or `staged`.
    pub fn strategy(self) -> &'static str {
        if self.is_direct() { "direct" } else { "staged" }
    }

    /// The reason in words.
    pub fn reason(self) -> &'static str {
        match self {
            Self::Direct => "local and below the size limit",
            Self::DirectForced | Self::StagedForced => "as requested",
            Self::StagedNetwork => "a side is on a network volume",
            Self::StagedSize => "not below the size limit",
            Self::StagedPlaceholder => "its content is not on this disk",
        }
    }
}

/// Why an item was left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum SkipReason {
    /// A device, pipe, socket, junction or the like.
    SpecialFile,
    /// The target holds an item of another kind under that name.
    KindClash,
    /// Two names on one side are one name on the other.
    NameClash,
    /// The target's file is newer, and the setting `newer` keeps such.
    Newer,
    /// The item, or what it would replace, could not be read.
    Unreadable,
    /// Whether the two sides differ could not be found out.
    NotComparable,
    /// Reading its content would fetch it from elsewhere, and the setting `read_placeholders` does not allow that.
    Placeholder,
    /// The run was cancelled first.
    Cancelled,
    /// A dry run writes nothing.
    DryRun,
    /// Not removed, because another item failed or could not be read: what looks like an orphan may be its last copy.
    CopyFailed,
    /// The journal could not be written, or a part of the program failed, so nothing further was changed.
    Stopped,
    /// A folder that is not removed, because something in it stays: chosen by nobody, left out by a pattern, or not
    /// to be touched.
    NotEmpty,
    /// A symbolic link that the target volume cannot hold: it has no links, or does not let this one be read back.
    LinkNotHeld,
    /// Only the target has it, and a volume is mounted there: not an orphan, but another disk.
    Mounted,
    /// Both sides have a version of their own, and which one is wanted is not known.
    Conflict,
    /// Not removed: it has another path on the other side, and is not brought over to that.
    NewPathLacking,
}

impl SkipReason {
    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::SpecialFile => "not a file, folder or link",
            Self::KindClash => "the target has an item of another kind under that name",
            Self::NameClash => "two names here are one name on the other side",
            Self::Newer => "the target has a newer one, which is kept",
            Self::Unreadable => "it could not be read",
            Self::NotComparable => "it could not be compared",
            Self::Placeholder => "its content is not on this disk",
            Self::Cancelled => "the run was cancelled first",
            Self::DryRun => "dry run",
            Self::CopyFailed => "not removed, because another item failed or could not be read",
            Self::Stopped => "the run had to stop before it",
            Self::NotEmpty => "not removed, because something in it stays",
            Self::LinkNotHeld => "the target volume cannot hold this symbolic link",
            Self::Mounted => "a volume is mounted here",
            Self::Conflict => "each side has a version of its own, and which one is wanted is not known",
            Self::NewPathLacking => {
                "not removed, because it has another path on the other side and is not brought over to that"
            }
        }
    }
}

impl SkipReason {
    /// The choice that decides it, where there is one.
    pub fn remedy(self) -> Option<Remedy> {
        match self {
            Self::Newer => Some(Remedy::Setting("newer")),
            Self::Placeholder => Some(Remedy::Setting("read_placeholders")),
            _ => None,
        }
    }

    /// Whether it is settled permanently that the item is left alone, so that no later run will change that: a
    /// circumstance to be told, and nothing to be warned of every night.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::SpecialFile | Self::Newer | Self::LinkNotHeld | Self::Mounted)
    }
}

/// How a step ended.
#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Outcome {
    /// Committed and durable.
    Done {
        /// What proves it.
        evidence: Evidence,
    },
    /// Left alone.
    Skipped {
        /// Why.
        why: SkipReason,
    },
    /// Done, and rolled back because the run was rolled back: the target is as it was.
    RolledBack,
    /// Not done; the error says what is at the target's name.
    Failed {
        /// What went wrong.
        error: Error,
    },
}

/// Something about an item that its copy does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotKept {
    /// In words.
    text: String,
    settled: bool,
}

impl NotKept {
    /// Something that this target, or this user, can never keep. It is a circumstance, told as such, and nothing that
    /// another run could make good.
    pub fn settled(text: impl Into<String>) -> Self {
        Self { text: text.into(), settled: true }
    }

    /// Whether it can never be kept here.
    pub fn is_settled(&self) -> bool {
        self.settled
    }
}

impl From<String> for NotKept {
    fn from(text: String) -> Self {
        Self { text, settled: false }
    }
}

impl From<&str> for NotKept {
    fn from(text: &str) -> Self {
        text.to_owned().into()
    }
}

impl std::ops::Deref for NotKept {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl PartialEq<&str> for NotKept {
    fn eq(&self, other: &&str) -> bool {
        self.text == *other
    }
}

impl PartialEq<String> for NotKept {
    fn eq(&self, other: &String) -> bool {
        self.text == *other
    }
}

impl Serialize for NotKept {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.text)
    }
}

/// One item of a run.
#[derive(Debug, Clone, Serialize)]
pub struct ItemReport {
    /// The root that was to be written to, by its place in [`Report::roots`].
    pub root: RootIndex,
    /// Path below it.
    pub path: RelPath,
    /// What was to be done.
    pub action: ActionKind,
    /// Content bytes.
    pub bytes: u64,
    /// Which strategy, for files.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Chosen>,
    /// How it ended.
    pub outcome: Outcome,
    /// What could not be kept, such as `owner`, `xattr user.foo`; empty when the copy is complete.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_kept: Vec<NotKept>,
    /// The item, below the same root, because of which this one was left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because_of: Option<RelPath>,
}

impl ItemReport {
    /// What is at the target's name, if the step failed.
    pub fn failed_target(&self) -> Option<TargetState> {
        match &self.outcome {
            Outcome::Failed { error } => error.target,
            _ => None,
        }
    }
}

/// A file that was moved, by itself or with a folder, and is not what the source has at its new path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Differing {
    /// The root in which it was moved, by its place in [`Report::roots`].
    pub root: RootIndex,
    /// What was moved, by its old path below the root: the file, or a folder that it is in.
    pub moved: RelPath,
    /// Where the file is now, below the root.
    pub path: RelPath,
    /// The source's version was copied over it and verified, by an item of its own. Else it is still what it was.
    pub replaced: bool,
}

/// Totals of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Files and links copied.
    pub copied: u64,
    /// Of these, read back from the device.
    pub verified_on_device: u64,
    /// Of these, read back, possibly from a cache.
    pub verified_in_cache: u64,
    /// Of these, sharing blocks with their source.
    pub shared_extents: u64,
    /// Of these, files that were not verified because the user asked for it.
    pub not_verified: u64,
    /// Folders made.
    pub folders_created: u64,
    /// Existing folders whose times were set.
    pub folder_times: u64,
    /// Files with equal content whose dates were set.
    pub file_times: u64,
    /// Items that were given another spelling of their names.
    pub renamed: u64,
    /// Items of which something was changed by itself.
    #[serde(flatten, serialize_with = "crate::ops::change_counts::done::serialize")]
    pub changes: ChangeCounts,
    /// Files and links removed.
    pub removed: u64,
    /// Folders removed.
    pub folders_removed: u64,
    /// Content bytes of the files removed.
    pub bytes_removed: u64,
    /// Items left alone.
    pub skipped: u64,
    /// Items that were done and rolled back.
    pub rolled_back: u64,
    /// Items that failed.
    pub failed: u64,
    /// Of these, because the copy was not equal to its source.
    pub failed_verification: u64,
    /// Of these, because source or target changed after the comparison.
    pub failed_stale: u64,
    /// Content bytes copied.
    pub bytes_copied: u64,
    /// Content bytes read back.
    pub bytes_verified: u64,
    /// Items of which something could not be kept.
    pub incomplete: u64,
    /// Items of which something can never be kept here, and everything else was.
    pub incomplete_settled: u64,
}

impl Counts {
    /// Of these items.
    pub(crate) fn of(items: &[ItemReport]) -> Self {
        let mut counts = Self::default();
        items.iter().for_each(|item| counts.add(item));
        counts
    }

    /// Whether anything was made, changed or removed.
    pub fn any_change(&self) -> bool {
        let made = self.copied + self.folders_created + self.removed + self.folders_removed;
        made + self.renamed + self.changes.sum() + self.file_times + self.folder_times > 0
    }

    /// Adds one item.
    pub fn add(&mut self, item: &ItemReport) {
        use crate::ErrorKind as K;
        match &item.outcome {
            Outcome::Done { evidence } => {
                match item.action {
                    ActionKind::CreateFolder => self.folders_created += 1,
                    ActionKind::FolderTimes => self.folder_times += 1,
                    ActionKind::Rename => self.renamed += 1,
                    ActionKind::FileTimes => self.file_times += 1,
                    ActionKind::CopyNew | ActionKind::Replace | ActionKind::CopyLink => {
                        self.copied += 1;
                        self.bytes_copied += item.bytes;
                    }
                    ActionKind::Remove => {
                        self.removed += 1;
                        self.bytes_removed += item.bytes;
                    }
                    ActionKind::RemoveFolder => self.folders_removed += 1,
                    ActionKind::None => {}
                    change => self.changes.count(change),
                }
                match evidence {
                    Evidence::DeviceReread { .. } => self.verified_on_device += 1,
                    Evidence::CacheReread { .. } => self.verified_in_cache += 1,
                    Evidence::SharedExtents => self.shared_extents += 1,
                    Evidence::NotRequested => self.not_verified += 1,
                    Evidence::NoContent => {}
                }
                if matches!(evidence, Evidence::DeviceReread { .. } | Evidence::CacheReread { .. }) {
                    self.bytes_verified += item.bytes;
                }
            }
            Outcome::Skipped { .. } => self.skipped += 1,
            Outcome::RolledBack => self.rolled_back += 1,
            Outcome::Failed { error } => {
                self.failed += 1;
                self.failed_verification += u64::from(matches!(error.kind, K::Mismatch { .. }));
                self.failed_stale +=
                    u64::from(matches!(error.kind, K::SourceStale | K::TargetStale | K::SourceHasIt));
            }
        }
        let settled = item.not_kept.iter().all(NotKept::is_settled);
        self.incomplete += u64::from(!settled);
        self.incomplete_settled += u64::from(settled && !item.not_kept.is_empty());
    }
}

/// How a run ended as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunResult {
    /// Every step was done or skipped.
    Completed,
    /// Some steps failed.
    CompletedWithFailures,
    /// The user ended it early; what was committed stays.
    Cancelled,
    /// Everything it did was rolled back, because a step failed or the user wanted it.
    RolledBack,
    /// Rolled back, except for items that could not be; these are failures.
    PartlyRolledBack,
    /// The journal could not be written, or something could not be recovered. Nothing further was changed; the run
    /// must be recovered.
    Stopped,
    /// Nothing was written because it was a dry run.
    DryRun,
}

impl RunResult {
    /// How a run ended that was neither rolled back nor stopped.
    pub(crate) fn of(items: &[ItemReport], counts: &Counts) -> Self {
        let is_cancelled =
            |item: &ItemReport| matches!(item.outcome, Outcome::Skipped { why: SkipReason::Cancelled });
        if items.iter().any(is_cancelled) {
            Self::Cancelled
        } else if counts.failed > 0 {
            Self::CompletedWithFailures
        } else {
            Self::Completed
        }
    }
}

/// Everything about one run.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: &'static str,
    /// Version of the engine.
    pub engine_version: &'static str,
    /// The run's id, as in the names of its staged files.
    pub run: RunId,
    /// When it began, seconds and nanoseconds since 1970 UTC.
    pub started: Time,
    /// When it ended.
    pub finished: Time,
    /// Seconds it took.
    pub seconds: f64,
    /// The source root; where the run wrote to several, the source of the first.
    pub source: String,
    /// The target root; the first of several.
    pub target: String,
    /// All roots that the plan could read and write.
    pub roots: Vec<String>,
    /// The settings in force.
    pub settings: Settings,
    /// How it ended.
    pub result: RunResult,
    /// Totals.
    pub counts: Counts,
    /// Things the user should know once: criteria that volumes cannot support, sparse files, hard links.
    pub notes: Vec<Note>,
    /// Every item the run touched or left alone.
    pub items: Vec<ItemReport>,
    /// Files that were moved and were not what the source has.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub differing: Vec<Differing>,
    /// Runs that cannot be undone any more since, in the root of that number, and of which nothing was undone; for who
    /// remembers what runs did.
    #[serde(skip)]
    pub pruned: Vec<(RootIndex, RunId)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_digest_prints_as_hex() {
        let mut d = Digest([0; 32]);
        d.0[0] = 0xab;
        assert_eq!(d.to_string(), format!("ab{}", "00".repeat(31)));
    }
}
