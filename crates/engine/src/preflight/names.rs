//! Names that the target's file system will not take. Judged by the rules of the file system, because trying would
//! write.

use std::collections::{HashMap, HashSet};

use fcs_sys::{CaseRule, Name, NameUnits, RelPath, VolumeFacts};

use super::{Problem, Sample, Severity};
use crate::names::{fold, holds_what_windows_forbids, is_device_name, is_reachable_on_windows};
use crate::plan::Part;
use crate::probe::NameFacts;

/// What a file system does with names that Windows does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Strictness {
    /// Takes anything.
    None,
    /// May refuse them, depending on how it is mounted or what serves it.
    Maybe,
    /// Refuses them.
    Always,
}

impl Strictness {
    /// By the file system's name. Linux and Windows name NTFS differently (`ntfs3`, `NTFS`), and only Windows always
    /// refuses.
    fn of(file_system: &str) -> Self {
        match file_system {
            "vfat" | "msdos" | "exfat" | "exFAT" | "FAT" | "FAT32" | "NTFS" | "ReFS" => Self::Always,
            "ntfs" | "ntfs3" | "fuseblk" | "cifs" | "smb3" | "smbfs" => Self::Maybe,
            _ => Self::None,
        }
    }
}

/// Checks every name that the plan makes on the target.
pub(super) fn check(plan: &Part<'_>, volume: &VolumeFacts, probe: &NameFacts, problems: &mut Vec<Problem>) {
    let strictness = Strictness::of(&volume.file_system);
    // A disk that will be used with Windows, and which a driver of this system lets have any name or almost.
    let of_windows =
        strictness != Strictness::None || probe.refused.as_ref().is_some_and(|refused| !refused.is_empty());
    let folded = volume.case == CaseRule::Insensitive;
    // A Windows file system reached by Windows itself. Its own calls take the names that programs cannot type.
    let at_home = volume.name_units == NameUnits::Utf16;
    let (mut too_long, mut illegal, mut refused, mut out_of_reach, mut colliding) =
        (Sample::default(), Sample::default(), Sample::default(), Sample::default(), Sample::default());
    let mut made_folders: HashMap<RelPath, Vec<Name>> = HashMap::new();
    let mut judge = |parent: &RelPath, name: &Name| {
        if volume.name_units.count(name.as_bytes()) > volume.max_name {
            too_long.add(|| parent.join(name));
        }
        if probe.is_known() {
            let foreign =
                holds_what_windows_forbids(name.as_bytes()) || !is_reachable_on_windows(name.as_bytes());
            if probe.refuses(name.as_bytes())
                || probe.devices == Some(false) && is_device_name(name.as_bytes())
            {
                refused.add(|| parent.join(name));
            } else if of_windows && foreign {
                out_of_reach.add(|| parent.join(name));
            }
        } else if strictness != Strictness::None {
            let reachable = is_reachable_on_windows(name.as_bytes());
            if holds_what_windows_forbids(name.as_bytes()) || !reachable && !at_home {
                illegal.add(|| parent.join(name));
            } else if !reachable {
                out_of_reach.add(|| parent.join(name));
            }
        }
    };
    for folder in plan.folders.iter().filter(|f| f.create) {
        if let Some((parent, name)) = folder.target_path.split() {
            judge(&parent, &name);
            if folded {
                made_folders.entry(parent).or_default().push(name);
            }
        }
    }
    let mut taken: HashSet<Vec<u8>> = HashSet::new();
    for folder in plan.folders {
        let new_files = folder.steps.iter().filter(|s| s.expect_target.is_none());
        new_files.for_each(|step| judge(&folder.target_path, &step.target_name));
        if folded {
            taken.clear();
            let subfolders = made_folders.get(&folder.target_path).into_iter().flatten();
            for name in folder.steps.iter().map(|s| &s.target_name).chain(subfolders) {
                if !taken.insert(fold(name.as_bytes())) {
                    colliding.add(|| folder.target_path.join(name));
                }
            }
        }
    }
    let units = match volume.name_units {
        NameUnits::Bytes => "bytes",
        NameUnits::Utf16 => "UTF-16 units",
    };
    problems.extend(too_long.problem(|items, which| {
        format!(
            "{items} longer in name than {} {units}, the most that {} can hold: {which}. Shorten them on the source.",
            volume.max_name, volume.file_system
        )
    }));
    problems.extend(colliding.problem(|items, which| {
        format!(
            "{items} in the way of another: the target is case-insensitive, and the names differ only in case: {which}. \
             Rename one of each on the source."
        )
    }));
    let severity = if strictness == Strictness::Always { Severity::ItemFails } else { Severity::Warns };
    problems.extend(illegal.problem_of(severity, |items, which| {
        let refuses = if strictness == Strictness::Always { "does not allow" } else { "may not allow" };
        format!(
            "{items} named in a way that {} {refuses} (one of < > : \" | ? * \\, a control character, a dot or space \
             at the end, or a device name such as CON): {which}. Rename them on the source.",
            volume.file_system
        )
    }));
    problems.extend(refused.problem(|items, which| {
        format!(
            "{items} named in a way that this volume ({}) does not accept, as a test showed: {which}. Rename them on the \
             source.",
            volume.file_system
        )
    }));
    problems.extend(out_of_reach.problem_of(Severity::Warns, |items, which| {
        format!(
            "{items} named in a way that most Windows programs cannot open (a character such as : or ?, a dot or \
             space at the end, or a device name such as CON): {which}. They are copied as they are; to use them there, rename them on the source."
        )
    }));
}
