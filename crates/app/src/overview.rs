//! What a run is going to do, before it does it: what is confirmed, as facts and as a list.
//!
//! Invariant: everything shown comes from the plan and the preflight, so what is confirmed is what is run. This module
//! must not know colours, widths or how many items are shown.

use fcs_engine::Settings;
use fcs_engine::access::Access;
use fcs_engine::compare::Side;
use fcs_engine::error::display_path;
use fcs_engine::guard::{Excess, MassChange};
use fcs_engine::plan::{
    Action, FolderPlan, ItemChange, Plan, Removal, RemovalFolder, Renamed, RenamedIn, RootIndex, Step, Totals,
};
use fcs_engine::preflight::Severity;
use fcs_engine::report::{ActionKind, Chosen, SkipReason};
use fcs_engine::run::RemovedTo;
use fcs_engine::session::{Folders, Proposal, Task};
use fcs_engine::settings::{ContentCheck, Undo, Verify};
use fcs_sys::{Kind, RelPath};
use fcs_text::{count, number, size};

use crate::actions::{self, slash};
use crate::hints::{FrontEnd, problem_words, skip_words};

/// A fact about what is going to be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fact {
    /// What it is about, such as `Copy` or `Space`.
    pub name: &'static str,
    /// The fact.
    pub text: String,
}

impl Fact {
    fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into() }
    }
}

/// What counts, in words: `existence, size, modified`. Created times are left out where the volumes cannot have them.
pub fn criteria_in_words(settings: &Settings, created_is_settable: bool) -> String {
    let content = match settings.compare_content {
        ContentCheck::Off => None,
        ContentCheck::Blake3 => Some("content (BLAKE3)"),
        ContentCheck::Sha512 => Some("content (SHA-512)"),
        ContentCheck::Bytes => Some("content (byte for byte)"),
    };
    let words = [
        settings.compare_existence.then_some("existence"),
        settings.compare_size.then_some("size"),
        (settings.compare_created && created_is_settable).then_some("created"),
        settings.compare_modified.then_some("modified"),
        content,
    ];
    words.into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// Which folders, and which way.
pub fn places(task: Task, folders: &Folders) -> [Fact; 2] {
    let target = display_path(&folders.root(task.target()).path);
    let other = display_path(&folders.root(task.target().other()).path);
    match task {
        Task::Orphans(..) => [Fact::new("In", target), Fact::new("Missing in", other)],
        // The right one is the target, as far as there is one.
        Task::Directed(_) if task.targets().len() > 1 => {
            [Fact::new("Left", other), Fact::new("Right", target)]
        }
        Task::Copy(_) | Task::Sync(_) | Task::Directed(_) => {
            [Fact::new("From", other), Fact::new("To", target)]
        }
    }
}

/// Counts, bytes, strategies, verification, originals and space; what does not apply is left out.
pub fn facts(proposal: &Proposal, settings: &Settings, who: FrontEnd) -> Vec<Fact> {
    let plan = &proposal.plan;
    let totals = &plan.totals;
    let mut facts = Vec::new();
    let mut fact = |name, text: String| {
        if !text.is_empty() {
            facts.push(Fact { name, text });
        }
    };
    fact("Copy", what_is_done(totals));
    fact("Newer", what_is_newer(proposal));
    fact("Other kind", what_is_of_another_kind(plan));
    let files = totals.direct.0 + totals.staged.0;
    if files > 0 {
        let split = |name: &str, (n, bytes): (u64, u64)| {
            (n > 0).then(|| format!("{name} {} ({})", count(n, "file", "files"), size(bytes)))
        };
        let parts: Vec<_> =
            [split("direct", totals.direct), split("staged", totals.staged)].into_iter().flatten().collect();
        fact("Strategy", parts.join(", "));
        fact("Verify", verify_in_words(settings, totals.verified, files));
    }
    fact("Remove", what_is_removed(totals));
    fact("Originals", originals(proposal, settings));
    if !matches!(proposal.task, Task::Orphans(..)) {
        let free = proposal.preflight.bytes_free.map_or("unknown".to_owned(), size);
        fact("Space", format!("{} needed, {free} free", size(proposal.preflight.bytes_needed)));
    }
    for (why, n, first) in left_alone(plan) {
        let more = if n > 1 { ", …" } else { "" };
        let why = skip_words(why, who);
        fact("Left alone", format!("{} ({first}{more}): {why}", count(n, "item", "items")));
    }
    facts
}

/// What the plan does on each side that it writes to, the left one first: what comes there, and what goes.
pub fn on_each_side(plan: &Plan) -> Vec<Fact> {
    let sides = [(Side::Left, "On the left"), (Side::Right, "On the right")].into_iter();
    let facts = sides.flat_map(|(side, name)| {
        let totals = plan.targets.iter().filter(move |target| target.root == side.into());
        totals.filter_map(move |target| {
            let removed = what_is_removed(&target.totals);
            let removed = (!removed.is_empty()).then(|| format!("removed: {removed}"));
            let done = Some(what_is_done(&target.totals)).filter(|done| !done.is_empty());
            let parts: Vec<String> = done.into_iter().chain(removed).collect();
            (!parts.is_empty()).then(|| Fact::new(name, parts.join("; ")))
        })
    });
    facts.collect()
}

/// What is selected and left alone: why, how many items, and the first of them.
fn left_alone(plan: &Plan) -> Vec<(SkipReason, u64, &RelPath)> {
    let mut found: Vec<(SkipReason, u64, &RelPath)> = Vec::new();
    for skip in &plan.skipped {
        match found.iter_mut().find(|(why, ..)| *why == skip.why) {
            Some((_, n, _)) => *n += 1,
            None => found.push((skip.why, 1, &skip.path)),
        }
    }
    found
}

/// What is said when there is nothing to do at all.
pub fn nothing_to_do(task: Task) -> String {
    let name = |side| if side == Side::Left { "the left folder" } else { "the right folder" };
    let (target, other) = (name(task.target()), name(task.target().other()));
    match task {
        Task::Copy(_) => format!("Nothing to copy: {target} has everything that {other} has."),
        Task::Sync(_) => format!("Nothing to do: {target} is as {other} is."),
        Task::Orphans(..) => format!("No orphans: {other} has everything that {target} has."),
        Task::Directed(_) if task.targets().len() > 1 => {
            "Nothing to do: both folders have what they are to have.".to_owned()
        }
        Task::Directed(_) => format!("Nothing to do: {target} has what it is to have."),
    }
}

/// `→` for the right side of a comparison, `←` for the left one.
pub fn arrow(root: RootIndex) -> char {
    if root == Side::Left.into() { '←' } else { '→' }
}

/// One thing the plan does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Planned {
    /// The root that is written to.
    pub root: RootIndex,
    /// Where it is or will be on the target.
    pub path: RelPath,
    /// What a report calls it.
    pub action: ActionKind,
    /// Content bytes that are copied or removed.
    pub bytes: u64,
    /// Strategy, and whether it is verified, for files that are copied.
    pub file: Option<(Chosen, bool)>,
    /// Whether something is there already.
    pub replaces: bool,
    /// The name that an item is given, where only its spelling changes; the path, where it moves.
    pub renamed_to: Option<String>,
    /// How an item to be removed looks now, where that was asked.
    pub access: Option<Access>,
}

impl Planned {
    fn folder(folder: &FolderPlan) -> Option<Self> {
        let action = folder.kind()?;
        Some(Self {
            root: folder.target_root,
            path: folder.target_path.clone(),
            action,
            bytes: 0,
            file: None,
            replaces: action == ActionKind::FolderTimes,
            renamed_to: None,
            access: None,
        })
    }

    fn rename(folder: &RenamedIn, item: &Renamed) -> Self {
        Self {
            root: folder.root,
            path: folder.path.join(&item.from),
            action: ActionKind::Rename,
            bytes: 0,
            file: None,
            replaces: true,
            renamed_to: Some(item.to.to_string()),
            access: None,
        }
    }

    fn change(change: &ItemChange) -> Self {
        Self {
            root: change.root(),
            path: change.path().clone(),
            action: change.action(),
            bytes: 0,
            file: None,
            replaces: true,
            renamed_to: change.new_path().map(ToString::to_string),
            access: None,
        }
    }

    fn step(folder: &FolderPlan, step: &Step) -> Self {
        let (bytes, file) = match step.action {
            Action::CopyFile { strategy, verify } => (step.expect_source.size, Some((strategy, verify))),
            Action::CopyLink | Action::SetTimes => (0, None),
        };
        Self {
            root: folder.target_root,
            path: folder.target_path.join(&step.target_name),
            action: step.kind(),
            bytes,
            file,
            replaces: step.expect_target.is_some(),
            renamed_to: None,
            access: None,
        }
    }

    fn removal(folder: &RemovalFolder, item: &Removal, access: Option<Access>) -> Self {
        let is_folder = item.expect.kind == Kind::Folder;
        Self {
            root: folder.root,
            path: folder.path.join(&item.name),
            action: if is_folder { ActionKind::RemoveFolder } else { ActionKind::Remove },
            bytes: if item.expect.kind == Kind::File { item.expect.size } else { 0 },
            file: None,
            replaces: false,
            renamed_to: None,
            access,
        }
    }

    /// Whether the target loses an item.
    pub fn removes(&self) -> bool {
        matches!(self.action, ActionKind::Remove | ActionKind::RemoveFolder)
    }

    /// `+` for what is new, `*` for what replaces something, `>` for what moves, `-` for what is removed.
    pub fn sign(&self) -> char {
        match (self.removes(), self.replaces) {
            _ if self.action == ActionKind::Move => '>',
            (true, _) => '-',
            (false, true) => '*',
            (false, false) => '+',
        }
    }

    /// `→` for what is done on the right side, `←` on the left one.
    pub fn arrow(&self) -> char {
        arrow(self.root)
    }

    /// The path, with a `/` after a folder's.
    pub fn name(&self) -> String {
        format!("{}{}", self.path, slash(self.action))
    }

    /// The sign, the path, and where it goes: `+ path`, `> path → path`; before it an arrow where two sides may be written to.
    pub fn line(&self, both_ways: bool) -> String {
        let arrow = if both_ways { format!("{} ", self.arrow()) } else { String::new() };
        let to = self.renamed_to.as_ref().filter(|_| self.action == ActionKind::Move);
        let to = to.map_or_else(String::new, |to| format!(" → {to}{}", slash(self.action)));
        format!("{arrow}{} {}{to}", self.sign(), self.name())
    }

    /// What it is: a file's size, `link` or `times only`; empty for folders.
    pub fn what(&self) -> String {
        actions::planned(self.action, self.bytes, self.renamed_to.as_deref())
    }

    /// How a file is copied and why so, or how an item to be removed looks now; empty for the rest.
    pub fn decision_words(&self) -> String {
        match (self.file, self.access) {
            (None, None) => String::new(),
            (None, Some(access)) => access.words().to_owned(),
            (Some((chosen, verify)), _) => {
                let verify = if verify { "verified" } else { "not verified" };
                format!("{}, {verify} ({})", chosen.strategy(), chosen.reason())
            }
        }
    }
}

/// What the plan makes and replaces, folders before what is in them; then what it renames.
pub fn copied(plan: &Plan) -> impl Iterator<Item = Planned> + '_ {
    let copied = plan.folders.iter().flat_map(|folder| {
        Planned::folder(folder).into_iter().chain(folder.steps.iter().map(|step| Planned::step(folder, step)))
    });
    let goes_elsewhere = |change: &&ItemChange| change.new_path().is_some();
    let renamed = plan.renames.iter().rev();
    copied
        .chain(plan.changes.iter().filter(goes_elsewhere).map(Planned::change))
        .chain(renamed.flat_map(|folder| folder.items.iter().map(move |item| Planned::rename(folder, item))))
        .chain(plan.changes.iter().filter(move |change| !goes_elsewhere(change)).map(Planned::change))
}

/// What the plan removes, folders before what is in them, as people read a tree; the plan has them the other way
/// round. `access` is in the order of the plan, or empty where it was not asked.
pub fn removed(plan: &Plan, access: &[Access]) -> Vec<Planned> {
    let access = access.iter().copied().map(Some).chain(std::iter::repeat(None));
    let mut found: Vec<Planned> = plan
        .removed()
        .zip(access)
        .map(|((folder, item), access)| Planned::removal(folder, item, access))
        .collect();
    // A byte that no name holds and that comes before all others keeps what is in a folder together.
    found.sort_by_cached_key(|item| {
        item.path.as_bytes().iter().map(|&b| if b == b'/' { 0 } else { b }).collect::<Vec<_>>()
    });
    found
}

/// Everything the plan does: what it makes and replaces, then what it removes.
pub fn planned<'a>(plan: &'a Plan, access: &[Access]) -> impl Iterator<Item = Planned> + use<'a> {
    copied(plan).chain(removed(plan, access))
}

/// What becomes of what is replaced and removed.
fn originals(proposal: &Proposal, settings: &Settings) -> String {
    let totals = &proposal.plan.totals;
    if (totals.replaced_files, totals.links, totals.removed_files, totals.removed_folders) == (0, 0, 0, 0) {
        return String::new();
    }
    match proposal.task.removed_to() {
        RemovedTo::RecycleBin => return "go to the recycle bin".to_owned(),
        RemovedTo::Permanent => return "are deleted permanently; this cannot be undone".to_owned(),
        RemovedTo::Undo => {}
    }
    let kept = size(proposal.preflight.bytes_kept);
    match settings.undo {
        Undo::Off => "not kept; this cannot be undone".to_owned(),
        Undo::Last => format!("{kept} kept for undo until the next run"),
        Undo::Days(days) => format!("{kept} kept for undo for {}", count(days, "day", "days")),
    }
}

/// What is replaced by an item of another kind, and what goes with it.
fn what_is_of_another_kind(plan: &Plan) -> String {
    let is_other = |step: &&Step| step.expect_target.is_some_and(|old| old.kind != step.expect_source.kind);
    let items = plan.steps().filter(|(_, step)| is_other(step)).count() as u64;
    let folders = plan.removed().filter(|(_, item)| item.makes_way).count() as u64;
    let with = plan.totals.replaced_kinds.saturating_sub(items);
    match (items + folders, with) {
        (0, _) => String::new(),
        (n, 0) => format!("{} replaced by one of another kind", count(n, "item", "items")),
        (n, with) => format!(
            "{} replaced by one of another kind, with {} in it",
            count(n, "item", "items"),
            count(with, "item", "items")
        ),
    }
}

/// How many of the replaced files are newer than what replaces them: the wrong way round, or a change that is lost.
fn what_is_newer(proposal: &Proposal) -> String {
    let on_each = proposal.plan.targets.iter().filter_map(|target| {
        let totals = &target.totals;
        let side = if target.root == Side::Left.into() { "left" } else { "right" };
        let of = format!("{} replaced files", number(totals.replaced_files));
        match totals.replaced_newer {
            0 => None,
            1 => Some(format!("1 of {of} is newer on the {side}")),
            n => Some(format!("{} of {of} are newer on the {side}", number(n))),
        }
    });
    on_each.collect::<Vec<_>>().join("; ")
}

fn what_is_removed(t: &Totals) -> String {
    let parts =
        [(t.removed_files, "file or link", "files and links"), (t.removed_folders, "folder", "folders")];
    let words: Vec<_> =
        parts.into_iter().filter(|p| p.0 > 0).map(|(n, one, many)| count(n, one, many)).collect();
    if words.is_empty() { String::new() } else { format!("{}; {}", words.join(", "), size(t.bytes_removed)) }
}

fn what_is_done(t: &Totals) -> String {
    let copied = [
        (t.new_files, ["new file", "new files"]),
        (t.replaced_files, ["file replaced", "files replaced"]),
        (t.links, ["link", "links"]),
        (t.create_folders, ["new folder", "new folders"]),
        (t.file_times, ["file with equal content (times only)", "files with equal content (times only)"]),
    ];
    let renamed = actions::counted(ActionKind::Rename).map(|words| (t.renamed, words));
    let changes = actions::changes(&t.changes).chain(renamed).map(|(n, words)| (n, words.planned));
    let parts = copied.into_iter().chain(changes).chain([(t.folder_times, ["folder time", "folder times"])]);
    let words: Vec<_> = parts.filter(|part| part.0 > 0).map(|(n, [one, many])| count(n, one, many)).collect();
    if words.is_empty() { String::new() } else { format!("{}; {}", words.join(", "), size(t.bytes)) }
}

fn verify_in_words(settings: &Settings, (files, bytes): (u64, u64), all: u64) -> String {
    match settings.verify {
        Verify::Off => "nothing".to_owned(),
        Verify::All => format!("every file ({} to read back)", size(bytes)),
        Verify::Below => format!(
            "files below {}: {} of {} ({} to read back)",
            size(settings.verify_below_bytes),
            number(files),
            number(all),
            size(bytes)
        ),
    }
}

/// Every problem that is known beforehand, the guard's first, then worst first. Whether the run is refused is for the
/// front end to say, and so is what can be done about an excess.
pub fn problems(
    proposal: &Proposal,
    refused: bool,
    advice: &dyn Fn(&Excess) -> String,
    who: FrontEnd,
) -> Vec<(Severity, String)> {
    let by_guard = if refused { Severity::Refuses } else { Severity::Warns };
    // Where two may be written to, each is judged by itself.
    let both = proposal.task.targets().len() > 1;
    let on = |side: Side| match (both, side) {
        (false, _) => "",
        (_, Side::Left) => "On the left: ",
        (_, Side::Right) => "On the right: ",
    };
    let guarded = || proposal.guarded.iter();
    let guard = guarded().filter_map(|at| {
        let excess = at.excess.as_ref()?;
        Some((by_guard, format!("{}{excess}. {}", on(at.side), advice(excess))))
    });
    let found =
        proposal.preflight.problems.iter().map(|problem| (problem.severity, problem_words(problem, who)));
    let missing = proposal.missing_volumes.iter().map(|text| (by_guard, text.clone()));
    let changes = guarded().filter_map(|at| {
        let change = at.mass_change.as_ref()?;
        Some((by_guard, format!("{}{change}. {}", on(at.side), advice_on_changes(change, who))))
    });
    missing.chain(guard).chain(changes).chain(found).collect()
}

/// What can be done where many files would get other content.
fn advice_on_changes(change: &MassChange, who: FrontEnd) -> String {
    let files = change.files;
    let look = "Check that the other folder's files can be read: encrypted or damaged ones look like this";
    match who {
        FrontEnd::CommandLine => format!("{look}; --max-change {files} allows it."),
        FrontEnd::Window => format!("{look}."),
        FrontEnd::Library => format!("{look}; max_change={files} allows it."),
    }
}

/// The word in front of a problem.
pub fn head(severity: Severity) -> &'static str {
    match severity {
        Severity::Refuses => "Refused:",
        Severity::ItemFails => "Will fail:",
        Severity::Warns => "Note:",
    }
}

#[cfg(test)]
mod tests {
    use fcs_engine::Control;

    use fcs_engine::session::Limits;

    use super::*;

    #[test]
    fn places_and_facts_follow_the_direction() {
        let tmp = tempfile::tempdir().unwrap();
        let (left, right) = (tmp.path().join("l"), tmp.path().join("r"));
        for (folder, text) in [(&left, "old"), (&right, "newer")] {
            std::fs::create_dir(folder).unwrap();
            std::fs::write(folder.join("both"), text).unwrap();
        }
        std::fs::write(right.join("new"), "").unwrap();
        let settings = Settings { undo: Undo::Last, ..Settings::default() };
        let folders = Folders::open(&left, &right, &[], &[], &settings).unwrap();
        let task = Task::Copy(Side::Left);
        let [from, to] = places(task, &folders);
        assert_eq!((from.name, &*from.text), ("From", &*display_path(&folders.right.path)));
        assert_eq!((to.name, &*to.text), ("To", &*display_path(&folders.left.path)));

        let comparison = folders.compare(&settings, &Control::default()).unwrap();
        let proposal = folders.propose(task, &comparison, &|_| true, &settings, &Limits::default());
        let facts = facts(&proposal, &settings, FrontEnd::CommandLine);
        let of = |name| facts.iter().find(|fact| fact.name == name).map(|fact| &*fact.text);
        // Whether the root's time is one of the differences depends on the clock.
        let copied = of("Copy").unwrap_or_default();
        assert!(copied.starts_with("1 new file, 1 file replaced") && copied.ends_with("; 5 B"), "{copied}");
        assert_eq!(of("Originals"), Some("3 B kept for undo until the next run"));
        assert_eq!((of("Remove"), of("Left alone")), (None, None), "what does not apply is left out");
        assert!(of("Space").is_some_and(|text| text.contains(" needed, ") && text.ends_with(" free")));

        let listed: Vec<_> = planned(&proposal.plan, &[])
            .filter(|item| item.action != ActionKind::FolderTimes)
            .map(|item| (item.sign(), item.name(), item.what()))
            .collect();
        let row = |sign, name: &str, what: &str| (sign, name.to_owned(), what.to_owned());
        assert_eq!(listed, [row('*', "both", "5 B"), row('+', "new", "0 B")]);
        assert!(planned(&proposal.plan, &[]).any(|item| item.decision_words().contains(", verified (")));
    }

    #[test]
    fn nothing_to_do_names_the_side_that_lacks_nothing() {
        let orphans = |side| nothing_to_do(Task::Orphans(side, RemovedTo::Undo));
        let texts = [
            (
                nothing_to_do(Task::Copy(Side::Right)),
                "Nothing to copy: the right folder has everything that the left folder has.",
            ),
            (
                nothing_to_do(Task::Copy(Side::Left)),
                "Nothing to copy: the left folder has everything that the right folder has.",
            ),
            (
                nothing_to_do(Task::Sync(Side::Right)),
                "Nothing to do: the right folder is as the left folder is.",
            ),
            (
                nothing_to_do(Task::Sync(Side::Left)),
                "Nothing to do: the left folder is as the right folder is.",
            ),
            (orphans(Side::Left), "No orphans: the right folder has everything that the left folder has."),
            (orphans(Side::Right), "No orphans: the left folder has everything that the right folder has."),
        ];
        for (text, expected) in texts {
            assert_eq!(text, expected);
        }
    }

    #[test]
    fn changes_of_single_items_are_planned_in_their_own_words() {
        let mut totals = serde_json::to_value(Totals::default()).unwrap();
        for (name, count) in [("new_files", 1), ("moved", 2), ("metadata", 1), ("renamed", 3)] {
            totals[name] = count.into();
        }
        let plan = Plan { totals: serde_json::from_value(totals).unwrap(), ..Plan::empty() };
        assert_eq!(
            what_is_done(&plan.totals),
            "1 new file, 2 items moved, 1 item (permissions or times only), 3 names respelled; 0 B"
        );
        assert_eq!(plan.step_count(), 7);
    }
}
