//! Every named threshold, size and choice of the engine: one table.
//!
//! Invariant: a setting exists in exactly one place, here, with its unit, default, range and meaning; the command
//! line, the settings file and the window read this table. This module reads no file and no environment.

mod terms;

use std::fmt;
use std::ops::RangeInclusive;

use fcs_sys::RelPath;
use serde::{Deserialize, Serialize};

pub use terms::{TrustKnown, Undo};

use crate::directions::ConflictName;

/// What a setting's number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Bytes; read as `1048576`, `1MiB`, `1M` (1024-based).
    Bytes,
    /// A plain count.
    Count,
    /// Nanoseconds; read as `10000000`, `10ms`, `0.5s`, `100us`.
    Nanoseconds,
    /// Milliseconds; read as `2000`, `2s`, `500ms`.
    Milliseconds,
    /// One of a few words.
    Choice(&'static [&'static str]),
    /// `true` or `false`.
    Switch,
    /// A path below both folders, or nothing.
    Path,
    /// A name with placeholders; see [`ConflictName`].
    Name,
}

impl Unit {
    /// The unit's name as shown in tables; empty for counts, choices and switches.
    pub fn name(self) -> &'static str {
        match self {
            Self::Bytes => "bytes",
            Self::Nanoseconds => "ns",
            Self::Milliseconds => "ms",
            Self::Count | Self::Choice(_) | Self::Switch | Self::Path | Self::Name => "",
        }
    }
}

/// One row of the table.
#[derive(Debug, Clone)]
pub struct SettingInfo {
    /// The name used in the file, on the command line and in the code.
    pub name: &'static str,
    /// What the number counts.
    pub unit: Unit,
    /// The default, as text.
    pub default: String,
    /// Smallest and largest value; `None` for choices and switches.
    pub range: Option<RangeInclusive<u64>>,
    /// What it does, in one or two sentences.
    pub meaning: &'static str,
}

/// Why a value was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SettingError {
    /// No setting of that name.
    #[error("there is no setting called {0}")]
    UnknownName(String),
    /// The text is not a value of the setting's unit.
    #[error("{value:?} is not a valid value for {name}: {expected}")]
    BadValue {
        /// The setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What would have been accepted.
        expected: String,
    },
    /// The number is outside the range.
    #[error("{name} = {value} is outside its range {min} to {max}")]
    OutOfRange {
        /// The setting.
        name: &'static str,
        /// What was given.
        value: u64,
        /// Smallest value.
        min: u64,
        /// Largest value.
        max: u64,
    },
}

macro_rules! choice {
    ($(#[$meta:meta])* $name:ident { $($(#[$vmeta:meta])* $variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum $name { $($(#[$vmeta])* #[serde(rename = $word)] $variant),+ }

        impl $name {
            /// The words a user may write, in the order of the variants.
            pub const WORDS: &'static [&'static str] = &[$($word),+];
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(match self { $(Self::$variant => $word),+ })
            }
        }

        impl Value for $name {
            fn parse(text: &str, _unit: Unit) -> Result<Self, String> {
                match text { $($word => Ok(Self::$variant),)+ _ => Err(format!("one of {}", Self::WORDS.join(", "))) }
            }
            fn number(&self) -> Option<u64> { None }
        }
    };
}

/// A type a setting can have.
trait Value: Sized + fmt::Display {
    fn parse(text: &str, unit: Unit) -> Result<Self, String>;
    /// The number that the range bounds; `None` where there is no range.
    fn number(&self) -> Option<u64>;
}

impl Value for u64 {
    fn parse(text: &str, unit: Unit) -> Result<Self, String> {
        match unit {
            Unit::Bytes => parse_bytes(text).ok_or_else(|| "a size such as 1048576, 64MiB or 2G".into()),
            Unit::Nanoseconds => parse_nanos(text).ok_or_else(|| "a time such as 10ms, 2s or 100us".into()),
            Unit::Milliseconds => text
                .parse()
                .ok()
                .or_else(|| parse_nanos(text).map(|n| n / 1_000_000))
                .ok_or_else(|| "a time such as 500ms or 2s".into()),
            _ => text.parse().map_err(|_| "a whole number".into()),
        }
    }
    fn number(&self) -> Option<u64> {
        Some(*self)
    }
}

impl Value for bool {
    fn parse(text: &str, _unit: Unit) -> Result<Self, String> {
        match text {
            "true" | "on" | "yes" => Ok(true),
            "false" | "off" | "no" => Ok(false),
            _ => Err("true or false".into()),
        }
    }
    fn number(&self) -> Option<u64> {
        None
    }
}

impl Value for String {
    fn parse(text: &str, _unit: Unit) -> Result<Self, String> {
        let is_plain = !text.chars().any(|c| c.is_control() || c == '"' || c == '\\');
        if text.is_empty() || is_plain && RelPath::parse(text.as_bytes()).is_ok_and(|path| !path.is_root()) {
            Ok(text.to_owned())
        } else {
            Err("a path below both folders such as .canary, without \\ and \", or nothing".into())
        }
    }
    fn number(&self) -> Option<u64> {
        None
    }
}

/// A size in bytes from text such as `4096`, `64MiB`, `1.5G` (K, M, G, T are powers of 1024).
pub fn parse_bytes(text: &str) -> Option<u64> {
    // Where one more digit follows the largest number, parse-size 1.1 rounds up past it: a panic, or 0 in a release.
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let beyond = digits.trim_start_matches('0').strip_prefix(&u64::MAX.to_string());
    if beyond.is_some_and(|more| !more.is_empty()) {
        return None;
    }
    parse_size::Config::new().with_binary().parse_size(text).ok()
}

/// Nanoseconds from text such as `250`, `10ms`, `0.5s`, `100us`, `2m`; a bare number is nanoseconds.
pub fn parse_nanos(text: &str) -> Option<u64> {
    let text = text.trim();
    let split = text.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let scale: u64 = match unit.trim() {
        "" | "ns" => 1,
        "us" | "µs" => 1_000,
        "ms" => 1_000_000,
        "s" => 1_000_000_000,
        "m" | "min" => 60_000_000_000,
        "h" => 3_600_000_000_000,
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if whole.is_empty() && fraction.is_empty() {
        return None;
    }
    let mut nanos = if whole.is_empty() { 0 } else { whole.parse::<u64>().ok()?.checked_mul(scale)? };
    let mut step = scale;
    for digit in fraction.bytes() {
        step /= 10;
        nanos = nanos.checked_add(u64::from(digit.checked_sub(b'0')?) * step)?;
    }
    Some(nanos)
}

choice! {
    /// Which strategy copies a file.
    Strategy {
        /// Direct for local files below `direct_max_bytes`, staged for the rest.
        Auto = "auto",
        /// Copied by the fastest means of the system, then compared with the source.
        Direct = "direct",
        /// Chunked copy with a hash of the source, then a re-read of the copy.
        Staged = "staged",
    }
}

choice! {
    /// Which copied files are re-read and compared with their source.
    Verify {
        /// None.
        Off = "none",
        /// Every file.
        All = "all",
        /// Only files smaller than `verify_below_bytes`.
        Below = "below",
    }
}

impl Value for ConflictName {
    fn parse(text: &str, _unit: Unit) -> Result<Self, String> {
        text.parse()
    }
    fn number(&self) -> Option<u64> {
        None
    }
}

choice! {
    /// How large copies are read back from the device.
    Reread {
        /// Past the system's cache, which keeps what it holds.
        Uncached = "uncached",
        /// Through the cache after the file was evicted from it, in memory windows.
        Evicted = "evicted",
    }
}

choice! {
    /// How large copies are written.
    LargeWrite {
        /// Past the system's cache, which keeps what it holds, where the file system can do that.
        Uncached = "uncached",
        /// Through the cache.
        Cached = "cached",
    }
}

choice! {
    /// What is removed when items failed or could not be read.
    RemoveDespiteFailures {
        /// What was to be removed, whatever failed.
        Always = "always",
        /// What is outside the folders of the items that failed or could not be read.
        Unrelated = "unrelated",
        /// Nothing.
        Never = "never",
    }
}

choice! {
    /// Which group a new item in a set-group-id folder gets when an ordinary user copies it.
    SetgidGroup {
        /// The folder's.
        Folder = "folder",
        /// The source's.
        Source = "source",
    }
}

choice! {
    /// Who replaces what is of another kind on the target.
    ReplaceKinds {
        /// Nobody.
        Never = "never",
        /// Whoever makes the target what the source is.
        Sync = "sync",
        /// Whoever copies, too.
        Always = "always",
    }
}

choice! {
    /// What becomes of an item that has another path on the source than on the target.
    MoveChoice {
        /// It is copied there and removed here.
        Off = "off",
        /// It is renamed where it is known for the same without reading it.
        On = "on",
        /// And where only its content can tell, that is read.
        Content = "content",
    }
}

choice! {
    /// What becomes of a newer file on the target.
    Newer {
        /// It is kept, and told.
        Keep = "keep",
        /// It is replaced like any other.
        Replace = "replace",
    }
}

choice! {
    /// What becomes of a target that has the read-only attribute (Windows) and is to be replaced.
    ReadOnlyTargets {
        /// It stays, and the step fails.
        Fail = "fail",
        /// It is replaced like any other.
        Replace = "replace",
    }
}

choice! {
    /// What the log of a run says; each says more than the one before.
    #[derive(PartialOrd, Ord)]
    LogLevel {
        /// There is none.
        Off = "off",
        /// What failed.
        Error = "error",
        /// And what is worth knowing.
        Warn = "warn",
        /// And each item: how it was copied and why so, and how sure it is that it arrived.
        Info = "info",
    }
}

choice! {
    /// Whether and how content counts when two files are compared.
    ContentCheck {
        /// Content is not read.
        Off = "none",
        /// BLAKE3 of both sides.
        Blake3 = "blake3",
        /// SHA-512 of both sides.
        Sha512 = "sha512",
        /// Byte for byte.
        Bytes = "bytes",
    }
}

macro_rules! settings {
    ($($(#[doc = $doc:literal])+ $name:ident: $type:ty = $default:expr, $unit:expr $(, $range:expr)?;)+) => {
        /// All settings of the engine, by name. See [`Settings::table`] for units, defaults, ranges and meanings.
        #[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
        #[serde(default, deny_unknown_fields)]
        pub struct Settings {
            $($(#[doc = $doc])+ pub $name: $type,)+
        }

        impl Default for Settings {
            fn default() -> Self {
                Self { $($name: $default,)+ }
            }
        }

        impl Settings {
            /// One row per setting, in the order of the groups: strategy, verification, batches, threads, comparison.
            pub fn table() -> Vec<SettingInfo> {
                let d = Self::default();
                vec![$(SettingInfo {
                    name: stringify!($name),
                    unit: $unit,
                    default: d.$name.to_string(),
                    range: settings!(@range $($range)?),
                    meaning: concat!($($doc),+).trim_ascii(),
                },)+]
            }

            /// The value of a setting as text that [`Settings::set`] reads back.
            pub fn get(&self, name: &str) -> Result<String, SettingError> {
                match name {
                    $(stringify!($name) => Ok(self.$name.to_string()),)+
                    _ => Err(SettingError::UnknownName(name.into())),
                }
            }

            /// Sets one setting from text; the old value stays if the text is refused.
            pub fn set(&mut self, name: &str, value: &str) -> Result<(), SettingError> {
                match name {
                    $(stringify!($name) => {
                        let parsed = <$type as Value>::parse(value.trim(), $unit).map_err(|expected| {
                            SettingError::BadValue { name: stringify!($name), value: value.into(), expected }
                        })?;
                        check(stringify!($name), parsed.number(), settings!(@range $($range)?))?;
                        self.$name = parsed;
                    })+
                    _ => return Err(SettingError::UnknownName(name.into())),
                }
                Ok(())
            }

            /// Checks every range; for settings that came from a file.
            pub fn check(&self) -> Result<(), SettingError> {
                $(check(stringify!($name), self.$name.number(), settings!(@range $($range)?))?;)+
                Ok(())
            }
        }
    };
    (@range) => { None };
    (@range $range:expr) => { Some($range) };
}

fn check(
    name: &'static str,
    number: Option<u64>,
    range: Option<RangeInclusive<u64>>,
) -> Result<(), SettingError> {
    match (number, range) {
        (Some(value), Some(range)) if !range.contains(&value) => {
            Err(SettingError::OutOfRange { name, value, min: *range.start(), max: *range.end() })
        }
        _ => Ok(()),
    }
}

const KIB: u64 = 1 << 10;
const MIB: u64 = 1 << 20;
const GIB: u64 = 1 << 30;

settings! {
    /// Which strategy copies a file: chosen per file, or always direct, or always staged.
    strategy: Strategy = Strategy::Auto, Unit::Choice(Strategy::WORDS);
    /// Local files below this size are copied directly; larger ones are staged in chunks with a hash.
    direct_max_bytes: u64 = 2 * GIB, Unit::Bytes, 0..=u64::MAX;
    /// Size of one read and write of a direct copy, and bytes between two progress reports of it.
    direct_chunk_bytes: u64 = 8 * MIB, Unit::Bytes, 64 * KIB..=8 * MIB;
    /// Size of one read and write of a staged copy.
    network_chunk_bytes: u64 = 4 * MIB, Unit::Bytes, MIB..=8 * MIB;
    /// How files too large for a batch are written: past the cache where the file system can do that, or through it.
    large_write: LargeWrite = LargeWrite::Uncached, Unit::Choice(LargeWrite::WORDS);
    /// Most bytes a copy may have in the system's cache before it waits for the device; 0 leaves it to the system.
    writeback_window_bytes: u64 = 64 * MIB, Unit::Bytes, 0..=4 * GIB;
    /// Read files whose content is not on this disk (cloud placeholders), which fetches it; else they are left alone.
    read_placeholders: bool = false, Unit::Switch;
    /// Allow the file system to share blocks between source and copy instead of copying them.
    reflink: bool = false, Unit::Switch;

    /// Which copied files are re-read from the device and compared with their source.
    verify: Verify = Verify::All, Unit::Choice(Verify::WORDS);
    /// With verify = below: files of this size or larger are not verified.
    verify_below_bytes: u64 = GIB, Unit::Bytes, 1..=u64::MAX;
    /// How files too large for a batch are read back: past the cache, or through it after they are evicted.
    large_reread: Reread = Reread::Uncached, Unit::Choice(Reread::WORDS);
    /// Size of one memory window when source and copy are compared after a direct copy.
    mmap_window_bytes: u64 = 64 * MIB, Unit::Bytes, 8 * MIB..=256 * MIB;
    /// A file fails when more windows in a row than this cannot be mapped or read.
    mmap_max_failures: u64 = 5, Unit::Count, 0..=1000;
    /// Size of one read when a staged copy is verified.
    verify_chunk_bytes: u64 = 4 * MIB, Unit::Bytes, MIB..=8 * MIB;
    /// How often a file is copied again because its source changed while it was read.
    source_retries: u64 = 2, Unit::Count, 0..=10;

    /// Files up to this size are synced, verified and committed in batches.
    batch_max_file_bytes: u64 = MIB, Unit::Bytes, 0..=64 * MIB;
    /// Most files in a batch.
    batch_max_files: u64 = 4096, Unit::Count, 1..=1_000_000;
    /// Most bytes in a batch.
    batch_max_bytes: u64 = 64 * MIB, Unit::Bytes, MIB..=4 * GIB;
    /// Longest time a batch waits for more files.
    batch_max_milliseconds: u64 = 2000, Unit::Milliseconds, 1..=600_000;

    /// Files copied at once; 0 chooses by the number of processors.
    copy_workers: u64 = 0, Unit::Count, 0..=64;
    /// Files too large for a batch that are copied at once; more than one makes a spinning disk seek.
    large_file_workers: u64 = 1, Unit::Count, 1..=64;
    /// Folders listed and files hashed at once; 0 chooses by the number of processors.
    scan_workers: u64 = 0, Unit::Count, 0..=64;

    /// How long a run's replaced and removed originals are kept for undo: off, last (until the next run), or days:N.
    undo: Undo = Undo::Days(30), Unit::Choice(Undo::FORMS);
    /// Most that the originals of all runs take of the volume, in percent; the oldest are deleted first, the last run's stay.
    undo_max_percent: u64 = 10, Unit::Count, 1..=100;
    /// Removing more than this share of a side's items must be allowed for the run or confirmed.
    max_delete_percent: u64 = 50, Unit::Count, 0..=100;
    /// Removing more items than this must be allowed for the run or confirmed.
    max_delete_items: u64 = 10_000, Unit::Count, 0..=u64::MAX;
    /// Replacing the content of more than this share of a side's files must be allowed for the run or confirmed: what a source
    /// looks like that somebody encrypted.
    max_change_percent: u64 = 50, Unit::Count, 0..=100;
    /// Replacing the content of no more files than this need never be allowed or confirmed, whatever share they are.
    max_change_files: u64 = 100, Unit::Count, 0..=u64::MAX;
    /// Path of a file that tells whether a folder is whole. A run is refused where the folder that is read lacks it, or where it is
    /// not what it was. Nothing is none.
    canary: String = String::new(), Unit::Path;

    /// What to remove although items failed or could not be read: always all, only unrelated items (outside the
    /// folders of those items), or never any.
    remove_despite_failures: RemoveDespiteFailures = RemoveDespiteFailures::Unrelated, Unit::Choice(RemoveDespiteFailures::WORDS);

    /// Room that must stay free on a local target after the copy; at its default, at most 1 % of the volume and at most
    /// what is written.
    space_margin_bytes: u64 = 64 * MIB, Unit::Bytes, 0..=u64::MAX;
    /// What replaces items of another kind on the target (a folder by a file, or a file by a folder): only sync, always
    /// also copy, or never either.
    replace_kinds: ReplaceKinds = ReplaceKinds::Sync, Unit::Choice(ReplaceKinds::WORDS);
    /// Whether sync renames what was renamed or moved on the source, instead of copying it again: off, on, or content,
    /// which also reads files of equal size and date of which neither the name nor the folder agrees.
    moves: MoveChoice = MoveChoice::On, Unit::Choice(MoveChoice::WORDS);
    /// Read what was renamed instead of copied back from the device, and compare it with the source, which is read too; as far as
    /// copies of its size are verified.
    verify_moves: bool = true, Unit::Switch;
    /// What to do with files that are newer on the target than on the source: keep or replace.
    newer: Newer = Newer::Replace, Unit::Choice(Newer::WORDS);
    /// What the version that loses its name is called where both versions are kept: a name with {stem}, the file's name without
    /// {ext}, which has its dot; {side} is left or right, {date} and {time} are when it was modified (UTC).
    conflict_name: ConflictName = ConflictName::default(), Unit::Name;
    /// What to do with a file to be replaced that has the read-only attribute (Windows). Missing write permission
    /// on Unix protects nothing, and immutable files are never replaced.
    read_only_targets: ReadOnlyTargets = ReadOnlyTargets::Fail, Unit::Choice(ReadOnlyTargets::WORDS);

    /// Apply the owner and group of the source to its copy, where permitted.
    keep_owner: bool = true, Unit::Switch;
    /// Which group new items get in a set-group-id folder when an ordinary user copies: the folder's or the source's.
    setgid_group: SetgidGroup = SetgidGroup::Folder, Unit::Choice(SetgidGroup::WORDS);
    /// Apply the extended attributes of the source to its copy, access control lists included.
    keep_xattrs: bool = true, Unit::Switch;
    /// Copy the named streams of the source, where its volume has any.
    keep_streams: bool = true, Unit::Switch;

    /// Most items one side of a comparison may hold.
    max_items: u64 = 20_000_000, Unit::Count, 1..=4_000_000_000;
    /// Items on one side only count as differences.
    compare_existence: bool = true, Unit::Switch;
    /// Do not enter folders in which another volume is mounted, on either side; what is in them does not take part.
    one_file_system: bool = false, Unit::Switch;
    /// Files of different size count as different.
    compare_size: bool = true, Unit::Switch;
    /// Different created times count, where both volumes can set them.
    compare_created: bool = true, Unit::Switch;
    /// Different modified times count.
    compare_modified: bool = true, Unit::Switch;
    /// Whether content counts; only files of equal size on both sides are read.
    compare_content: ContentCheck = ContentCheck::Off, Unit::Choice(ContentCheck::WORDS);
    /// Whether a comparison reads files again that were read and found equal, and that provably did not change since: never
    /// trusts that, session trusts what this process itself read, days:N what was read so many days ago at most. Copies are
    /// verified by reading them, whatever this says.
    trust_known_hashes: TrustKnown = TrustKnown::Days(30), Unit::Choice(TrustKnown::FORMS);
    /// Times differ when they are further apart than this; raised to what the coarser volume can store.
    time_tolerance_nanos: u64 = 10_000_000, Unit::Nanoseconds, 0..=3_600_000_000_000;
    /// Dates that are up to this many whole hours apart count as equal: 1 for a stick that was written before a
    /// clock change. 0 is off. An edit exactly that much later that keeps the size is not detected.
    ignore_whole_hours: u64 = 0, Unit::Count, 0..=24;

    /// What the log of each run says; info has a line for each item. The logs are in the folder for logs of this user.
    log_level: LogLevel = LogLevel::Info, Unit::Choice(LogLevel::WORDS);
    /// Logs of runs that are kept; older ones, but none of the last day, are deleted when another run begins.
    log_files: u64 = 100, Unit::Count, 1..=100_000;
}

impl Settings {
    /// Whether the copy of a file of this size is read back.
    pub fn verifies(&self, size: u64) -> bool {
        match self.verify {
            Verify::Off => false,
            Verify::All => true,
            Verify::Below => size < self.verify_below_bytes,
        }
    }

    /// The number of scan workers in force.
    pub fn effective_scan_workers(&self) -> usize {
        effective(self.scan_workers, 16)
    }

    /// The number of copy workers in force.
    pub fn effective_copy_workers(&self) -> usize {
        effective(self.copy_workers, 8)
    }
}

fn effective(setting: u64, most: usize) -> usize {
    match setting {
        0 => std::thread::available_parallelism().map_or(2, std::num::NonZero::get).min(most),
        n => n as usize,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_default_is_inside_its_range_and_reads_back() {
        let defaults = Settings::default();
        assert_eq!(defaults.check(), Ok(()));
        for info in Settings::table() {
            let mut changed = Settings::default();
            changed.set(info.name, &info.default).unwrap();
            assert_eq!(changed, defaults, "{}", info.name);
            assert_eq!(changed.get(info.name).unwrap(), info.default);
            assert!(!info.meaning.is_empty());
        }
    }

    #[test]
    fn values_outside_the_range_are_refused_and_change_nothing() {
        let mut s = Settings::default();
        assert!(matches!(s.set("mmap_window_bytes", "1"), Err(SettingError::OutOfRange { .. })));
        assert!(matches!(s.set("verify", "some"), Err(SettingError::BadValue { .. })));
        for no_path in ["../up", "/root", "a\"b", "a\\b"] {
            assert!(matches!(s.set("canary", no_path), Err(SettingError::BadValue { .. })), "{no_path}");
        }
        assert!(matches!(s.set("conflict_name", "{stem}{ext}"), Err(SettingError::BadValue { .. })));
        assert!(matches!(s.set("nonsense", "1"), Err(SettingError::UnknownName(_))));
        assert_eq!(s, Settings::default());
        s.mmap_window_bytes = 1;
        assert!(s.check().is_err());
    }

    #[test]
    fn sizes_and_times_read_as_people_write_them() {
        assert_eq!(parse_bytes("1GiB"), Some(GIB));
        assert_eq!(parse_bytes("64M"), Some(64 * MIB));
        assert_eq!(parse_bytes("1.5k"), Some(1536));
        assert_eq!(parse_bytes("-1"), None);
        assert_eq!(parse_bytes("18446744073709551615 B"), Some(u64::MAX));
        assert_eq!(parse_bytes("184467440737095516155"), None);
        assert_eq!(parse_bytes("18446744073709551615.5"), None);
        assert_eq!(parse_nanos("10ms"), Some(10_000_000));
        assert_eq!(parse_nanos("0.01s"), Some(10_000_000));
        assert_eq!(parse_nanos("2"), Some(2));
        assert_eq!(parse_nanos("ms"), None);
        assert_eq!(parse_nanos("1x"), None);
    }
}
