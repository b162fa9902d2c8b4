//! What `fcs doctor` found, in words: each fact, and what it means for a run.
//!
//! Invariant: says what was seen, and of what was not tried that it is not known.

use fcs_engine::doctor::{Diagnosis, NotTried};
use fcs_engine::probe::{DateFacts, Locks, SecondNames, VolumeProbe};
use fcs_sys::{CaseRule, Place};
use fcs_text::{count, number, size};

use crate::hints::{FrontEnd, hint};

/// One fact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about, such as `Names`.
    pub name: &'static str,
    /// What is so.
    pub fact: String,
    /// What it means; empty where it means nothing special.
    pub meaning: String,
}

/// All facts, in the order in which they are reported.
pub fn findings(found: &Diagnosis, who: FrontEnd) -> Vec<Finding> {
    let mut all = Vec::new();
    let mut add = |name, fact: String, meaning: &str| {
        all.push(Finding { name, fact, meaning: meaning.to_owned() });
    };
    volume(found, who, &mut add);
    match &found.tried {
        Ok(probe) => seen(probe, &mut add),
        Err(why) => {
            let names = match found.facts.case {
                CaseRule::Sensitive => "case-sensitive, as far as known",
                CaseRule::Insensitive => "case-insensitive, as far as known",
            };
            add("Names", names.to_owned(), "");
            add("Not tested", not_tried(why), "What the volume supports is not certain.");
        }
    }
    all
}

type Add<'a> = dyn FnMut(&'static str, String, &str) + 'a;

fn volume(found: &Diagnosis, who: FrontEnd, add: &mut Add<'_>) {
    let facts = &found.facts;
    let place = match facts.place {
        Place::Local => "a disk of this machine",
        Place::Removable => "a disk that can be unplugged",
        Place::Network => "a network or a user-space program",
        Place::Memory => "memory",
    };
    let read_only = if facts.read_only { ", read-only" } else { "" };
    add("Volume", format!("{} on {place}{read_only}", facts.file_system), "");
    if let Some(space) = found.space {
        let items = space.free_items.map_or(String::new(), |n| format!(", {} more items", number(n)));
        add("Space", format!("{} of {} free{items}", size(space.free), size(space.total)), "");
    } else {
        add("Space", "unknown".to_owned(), "A run begins without knowing whether it fits.");
    }
    match found.cached_because {
        None => add(
            "Evidence",
            "device".to_owned(),
            "Copies can be read back from the device, as far as the cache can be emptied of them.",
        ),
        Some(why) => add(
            "Evidence",
            format!("cache: {why}"),
            "Copies are read back and compared, but the bytes may come from a cache.",
        ),
    }
    let (numbers, means) = if facts.lasting_numbers {
        ("stable", "A file that was renamed or replaced is recognised by its number.")
    } else {
        ("not stable, as far as known", "Files are recognised by size, dates and content.")
    };
    add("Numbers", numbers.to_owned(), means);
    match &found.holder {
        Some(holder) => add("In use", format!("by {holder}"), "No other run can begin here meanwhile."),
        None => add("In use", "by no run".to_owned(), ""),
    }
    if !found.unfinished.is_empty() {
        let runs = count(found.unfinished.len() as u64, "run", "runs");
        add("Unfinished", runs, "Recover it before anything else is done here.");
    }
    if let Some(error) = &found.runs_error {
        add("Runs", error.to_string(), &hint(error, who));
    }
}

fn not_tried(why: &NotTried) -> String {
    match why {
        NotTried::NotAsked => "a dry run writes nothing".to_owned(),
        NotTried::ReadOnly => "the volume is read-only".to_owned(),
        NotTried::InProgress => "a run is in progress here".to_owned(),
        NotTried::Failed(error) => format!("no folder could be created here or removed again: {error}"),
    }
}

/// What an answer means where there is one.
fn choose(known: Option<bool>, yes: &'static str, no: &'static str) -> &'static str {
    match known {
        Some(true) => yes,
        Some(false) => no,
        None => "not known",
    }
}

fn seen(probe: &VolumeProbe, add: &mut Add<'_>) {
    let names = &probe.names;
    let case = match names.case {
        Some(CaseRule::Sensitive) => "case-sensitive",
        Some(CaseRule::Insensitive) => "case-insensitive",
        None => "not known",
    };
    let clash = "Names that differ only in case cannot be copied here together.";
    add("Case", case.to_owned(), if names.case == Some(CaseRule::Insensitive) { clash } else { "" });
    let mut refused: Vec<String> = Vec::new();
    if let Some(special) = names.refused.as_ref().filter(|special| !special.is_empty()) {
        refused.push(special.chars().map(String::from).collect::<Vec<_>>().join(" "));
    }
    for (allowed, what) in [
        (names.control, "control characters"),
        (names.dot_or_space_at_end, "a dot or space at the end"),
        (names.devices, "names of Windows devices"),
        (names.any_bytes, "names that are not UTF-8"),
    ] {
        if allowed == Some(false) {
            refused.push(what.to_owned());
        }
    }
    match (names.refused.is_some(), refused.is_empty()) {
        (false, _) => add("Names", "not known".to_owned(), ""),
        (true, true) => add("Names", "any".to_owned(), ""),
        (true, false) => {
            add(
                "Names",
                format!("not {}", refused.join(", ")),
                "Items with such names fail; rename them first.",
            );
        }
    }
    let form = choose(names.keeps_unicode_form, "kept", "changed, or two forms are one name");
    add("Unicode", form.to_owned(), "");
    dates(&probe.dates, add);
    let modes = choose(probe.modes.kept, "kept", "not kept");
    let shown = probe.modes.private_shows.filter(|_| probe.modes.kept == Some(false));
    let means = shown.map_or(String::new(), |mode| format!("A private file shows as {mode:04o} here."));
    add("Permissions", modes.to_owned(), &means);
    add("Owners", choose(probe.modes.owners_kept, "kept", "not kept").to_owned(), "");
    add(
        "Attributes",
        choose(probe.modes.xattrs, "extended attributes are kept", "extended attributes are not kept")
            .to_owned(),
        "",
    );
    let (links, means) = match (probe.links.possible, probe.links.own_dates) {
        (Some(false), _) => ("cannot be created", "Symbolic links are left alone."),
        (Some(true), Some(false)) => (
            "can be created, but their dates cannot be set",
            "Dates and owners of links are not set: that could change what a link points to.",
        ),
        (Some(true), _) => ("can be created, with dates", ""),
        (None, _) => ("not known", ""),
    };
    add("Links", links.to_owned(), means);
    let (second, means) = match probe.numbers.second_names {
        SecondNames::Recognised => ("can be created", ""),
        SecondNames::LookForeign => ("look like other files", "Files are replaced by renaming."),
        SecondNames::Refused => ("cannot be created", "Files are replaced by renaming."),
        SecondNames::Unknown => ("not known", ""),
    };
    add("Hard links", second.to_owned(), means);
    let gap = "A replaced file has no name for a moment; recovery closes that gap after a crash.";
    let exchange = choose(probe.numbers.exchange, "in one step", "in two steps");
    add("Replacing", exchange.to_owned(), if probe.numbers.exchange == Some(false) { gap } else { "" });
    let (locks, means) = match probe.storage.locks {
        Some(Locks::Work) => ("work", ""),
        Some(Locks::KeepNobodyOut) => ("have no effect", "Start only one run at a time here."),
        Some(Locks::Refused) => ("are refused", "Start only one run at a time here."),
        None => ("not known", ""),
    };
    add("Locks", locks.to_owned(), means);
    let sync =
        choose(probe.storage.folder_sync, "can be made durable", "cannot be made durable by themselves");
    add("Folders", sync.to_owned(), "");
    add("Holes", choose(probe.storage.holes, "take no room", "take room as zeros").to_owned(), "");
}

fn dates(dates: &DateFacts, add: &mut Add<'_>) {
    let step = |nanos: Option<u64>| match nanos {
        Some(nanos) => fcs_text::step(nanos),
        None => "not settable".to_owned(),
    };
    let (files, folders) = (step(dates.file_step_nanos), step(dates.folder_step_nanos));
    let fact = if files == folders {
        format!("kept in steps of {files}")
    } else {
        format!("files: {files}, folders: {folders}")
    };
    let coarse = dates.file_step_nanos.is_some_and(|nanos| nanos > 1);
    let means = if coarse { "Finer dates are cut off and count as equal." } else { "" };
    add("Dates", fact, means);
    let lost: Vec<_> = [
        (dates.holds_1600, "1600"),
        (dates.holds_1960, "1960"),
        (dates.holds_2100, "2100"),
        (dates.holds_2500, "2500"),
    ]
    .into_iter()
    .filter_map(|(held, year)| (held == Some(false)).then_some(year))
    .collect();
    if !lost.is_empty() {
        let fact = format!("cannot hold {}", lost.join(", "));
        add("Range", fact, "Dates of these years change here; a comparison allows for it.");
    }
}
