//! What a run is going to do, before it does it: the overview that is confirmed, and the dry run's list.
//!
//! Invariant: everything shown comes from the plan and the preflight, so what is confirmed is what is run.

use fcs_engine::Settings;
use fcs_engine::access::{self, Access};
use fcs_engine::compare::{Comparison, Side};
use fcs_engine::error::shown;
use fcs_engine::guard::Limit;
use fcs_engine::plan::{Action, FolderPlan, Plan, Removal, RemovalFolder, Skip, Step};
use fcs_engine::preflight::Severity;
use fcs_engine::report::{ActionKind, Chosen};
use fcs_engine::run::RemovedTo;
use fcs_engine::settings::{Undo, Verify};
use fcs_sys::{Kind, RelPath};

use crate::run_cmd::{Proposal, Task};
use crate::session::Session;
use crate::terminal::{Style, Tone};
use crate::text::{count, number, pad, size};

/// Paths shown in the overview; the rest is counted.
const SHOWN_PATHS: usize = 10;

/// One thing the plan does.
pub(crate) struct Planned {
    pub(crate) path: RelPath,
    pub(crate) action: ActionKind,
    pub(crate) bytes: u64,
    /// Strategy and verification, for files.
    pub(crate) file: Option<(Chosen, bool)>,
    pub(crate) replaces: bool,
    /// How an item to be removed looks now, where that was asked.
    pub(crate) access: Option<Access>,
}

impl Planned {
    fn folder(folder: &FolderPlan) -> Option<Self> {
        let action = folder.kind()?;
        Some(Self {
            path: folder.target_path.clone(),
            action,
            bytes: 0,
            file: None,
            replaces: action == ActionKind::FolderTimes,
            access: None,
        })
    }

    fn step(folder: &FolderPlan, step: &Step) -> Self {
        let (bytes, file) = match step.action {
            Action::CopyFile { strategy, verify } => (step.expect_source.size, Some((strategy, verify))),
            Action::CopyLink => (0, None),
        };
        Self {
            path: folder.target_path.join(&step.target_name),
            action: step.kind(),
            bytes,
            file,
            replaces: step.expect_target.is_some(),
            access: None,
        }
    }

    fn removal(folder: &RemovalFolder, item: &Removal, access: Option<Access>) -> Self {
        let is_folder = item.expect.kind == Kind::Folder;
        Self {
            path: folder.path.join(&item.name),
            action: if is_folder { ActionKind::RemoveFolder } else { ActionKind::Remove },
            bytes: if item.expect.kind == Kind::File { item.expect.size } else { 0 },
            file: None,
            replaces: false,
            access,
        }
    }

    fn removes(&self) -> bool {
        matches!(self.action, ActionKind::Remove | ActionKind::RemoveFolder)
    }

    /// `+ path` or `* path`, and what it is where that is not a file.
    pub(crate) fn line(&self, style: Style) -> String {
        let (sign, tone) = match (self.removes(), self.replaces) {
            (true, _) => ('-', Tone::Bad),
            (false, true) => ('*', Tone::Changed),
            (false, false) => ('+', Tone::Good),
        };
        let path = style.paint(tone, format!("{sign} {}{}", self.path, slash(self.action)));
        let what = match self.action {
            ActionKind::CreateFolder | ActionKind::RemoveFolder | ActionKind::None => String::new(),
            ActionKind::FolderTimes => "times only".to_owned(),
            ActionKind::CopyLink => "link".to_owned(),
            ActionKind::CopyNew | ActionKind::Replace | ActionKind::Remove => size(self.bytes),
        };
        if what.is_empty() { path.into_owned() } else { format!("{path}  {what}") }
    }

    /// [`Planned::decision`] or [`Planned::line`].
    fn decision_if(&self, whole: bool, style: Style) -> String {
        if whole { self.decision(style) } else { self.line(style) }
    }

    /// The same with every decision, for a dry run.
    pub(crate) fn decision(&self, style: Style) -> String {
        match self.file {
            None => match self.access {
                None => self.line(style),
                Some(Access::Ok) => {
                    format!("{}  {}", self.line(style), style.paint(Tone::Dim, Access::Ok.words()))
                }
                Some(access) => {
                    format!("{}  {}", self.line(style), style.paint(Tone::Changed, access.words()))
                }
            },
            Some((chosen, verify)) => {
                let verify = if verify { "verified" } else { "not verified" };
                let why =
                    style.paint(Tone::Dim, format!("{} ({}), {verify}", chosen.strategy(), chosen.reason()));
                format!("{}  {why}", self.line(style))
            }
        }
    }
}

/// `/` after the names of folders.
pub(crate) fn slash(action: ActionKind) -> &'static str {
    if matches!(action, ActionKind::CreateFolder | ActionKind::FolderTimes | ActionKind::RemoveFolder) {
        "/"
    } else {
        ""
    }
}

/// What the plan makes and replaces, folders before what is in them.
fn copied(plan: &Plan) -> impl Iterator<Item = Planned> + '_ {
    plan.folders.iter().flat_map(|folder| {
        Planned::folder(folder).into_iter().chain(folder.steps.iter().map(|step| Planned::step(folder, step)))
    })
}

/// What the plan removes, folders before what is in them, as people read a tree; the plan has them the other way
/// round. `access` is in the order of the plan, or empty where it was not asked.
fn removed(plan: &Plan, access: &[Access]) -> Vec<Planned> {
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
pub(crate) fn planned<'a>(plan: &'a Plan, access: &[Access]) -> impl Iterator<Item = Planned> + use<'a> {
    copied(plan).chain(removed(plan, access))
}

/// The list of a dry run.
pub(crate) fn decisions<'a>(
    proposal: &'a Proposal<'_>,
    style: Style,
) -> impl Iterator<Item = String> + use<'a> {
    let plan = &proposal.plan;
    let access = access::of_removals(plan, proposal.target());
    let planned = planned(plan, &access).map(move |item| item.decision(style));
    planned.chain(plan.skipped.iter().map(move |skip| skipped_line(skip, style)))
}

/// One item that is left alone.
pub(crate) fn skipped_line(skip: &Skip, style: Style) -> String {
    format!("{}  left alone: {}", style.paint(Tone::Bad, format!("! {}", skip.path)), skip.why.words())
}

/// What is said when there is nothing to do at all.
pub(crate) fn nothing_to_do(task: Task) -> &'static str {
    match task {
        Task::Copy => "Nothing to copy: RIGHT has everything that LEFT has.",
        Task::Sync => "Nothing to do: RIGHT is as LEFT is.",
        Task::Orphans(Side::Left, _) => "No orphans: RIGHT has everything that LEFT has.",
        Task::Orphans(Side::Right, _) => "No orphans: LEFT has everything that RIGHT has.",
    }
}

/// The overview: direction, counts, bytes, strategies, verification, originals, space, paths. With `whole`, all items
/// that are removed instead of the first ones, and how each looks now.
pub(crate) fn overview(proposal: &Proposal<'_>, whole: bool, style: Style) -> String {
    let (plan, session) = (&proposal.plan, proposal.session);
    let totals = &plan.totals;
    let mut lines = places(proposal);
    let mut fact = |name: &str, text: String| {
        if !text.is_empty() {
            lines.push(format!("{}{text}", style.paint(Tone::Strong, pad(name, 12))));
        }
    };
    fact("Copy", what_is_done(plan));
    let files = totals.direct.0 + totals.staged.0;
    if files > 0 {
        let split = |name: &str, (n, bytes): (u64, u64)| {
            (n > 0).then(|| format!("{name} {} ({})", count(n, "file", "files"), size(bytes)))
        };
        let parts: Vec<_> =
            [split("direct", totals.direct), split("staged", totals.staged)].into_iter().flatten().collect();
        fact("Strategy", parts.join(", "));
        fact("Verify", verify_in_words(&session.settings, totals.verified, files));
    }
    fact("Remove", what_is_removed(plan));
    fact("Originals", originals(proposal));
    if !matches!(proposal.how.task, Task::Orphans(..)) {
        let free = proposal.preflight.bytes_free.map_or("unknown".to_owned(), size);
        fact("Space", format!("{} needed, {free} free", size(proposal.preflight.bytes_needed)));
    }
    if !plan.skipped.is_empty() {
        fact("Left alone", count(plan.skipped.len() as u64, "item", "items"));
    }
    let removed_count = totals.removed_files + totals.removed_folders;
    let copied_count = plan.step_count() - removed_count;
    let mut list = |items: &mut dyn Iterator<Item = Planned>, all: u64| {
        lines.push(String::new());
        let before = lines.len();
        lines.extend(items.map(|item| format!("  {}", item.decision_if(whole, style))));
        let more = all.saturating_sub((lines.len() - before) as u64);
        if more > 0 {
            lines.push(format!("  … and {} more", number(more)));
        }
    };
    if copied_count > 0 {
        list(&mut copied(plan).take(SHOWN_PATHS), copied_count);
    }
    if removed_count > 0 {
        let access = if whole { access::of_removals(plan, proposal.target()) } else { Vec::new() };
        let shown = if whole { usize::MAX } else { SHOWN_PATHS };
        list(&mut removed(plan, &access).into_iter().take(shown), removed_count);
    }
    lines.join("\n")
}

/// Which folders, and which way.
fn places(proposal: &Proposal<'_>) -> Vec<String> {
    let (left, right) = (shown(&proposal.session.left.path), shown(&proposal.session.right.path));
    match proposal.how.task {
        Task::Copy | Task::Sync => vec![format!("From  {left}"), format!("To    {right}"), String::new()],
        Task::Orphans(side, _) => {
            let (here, other) = if side == Side::Left { (left, right) } else { (right, left) };
            vec![format!("In          {here}"), format!("Missing in  {other}"), String::new()]
        }
    }
}

/// What becomes of what is replaced and removed.
fn originals(proposal: &Proposal<'_>) -> String {
    let totals = &proposal.plan.totals;
    if totals.replaced_files + totals.links + totals.removed_files + totals.removed_folders == 0 {
        return String::new();
    }
    match proposal.how.task.removed_to() {
        RemovedTo::RecycleBin => return "go to the recycle bin".to_owned(),
        RemovedTo::Nowhere => return "are deleted for good; this cannot be undone".to_owned(),
        RemovedTo::Undo => {}
    }
    let kept = size(proposal.preflight.bytes_kept);
    match proposal.session.settings.undo {
        Undo::Off => "not kept; this cannot be undone".to_owned(),
        Undo::Last => format!("{kept} kept for undo until the next run"),
        Undo::Days(days) => format!("{kept} kept for undo for {}", count(days, "day", "days")),
    }
}

fn what_is_removed(plan: &Plan) -> String {
    let t = &plan.totals;
    let parts =
        [(t.removed_files, "file or link", "files and links"), (t.removed_folders, "folder", "folders")];
    let words: Vec<_> =
        parts.into_iter().filter(|p| p.0 > 0).map(|(n, one, many)| count(n, one, many)).collect();
    if words.is_empty() { String::new() } else { format!("{}; {}", words.join(", "), size(t.bytes_removed)) }
}

fn what_is_done(plan: &Plan) -> String {
    let t = &plan.totals;
    let parts = [
        (t.new_files, "new file", "new files"),
        (t.replaced_files, "file replaced", "files replaced"),
        (t.links, "link", "links"),
        (t.create_folders, "new folder", "new folders"),
        (t.folder_times, "folder time", "folder times"),
    ];
    let words: Vec<_> =
        parts.into_iter().filter(|p| p.0 > 0).map(|(n, one, many)| count(n, one, many)).collect();
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

/// Every problem that is known beforehand, worst first.
pub(crate) fn problems(proposal: &Proposal<'_>, style: Style) -> Vec<String> {
    let word = |word: &'static str, tone| style.paint(tone, word);
    let mut texts = Vec::new();
    if let Some(excess) = &proposal.excess {
        let refused = proposal.refuses();
        let head = if refused { word("Refused:", Tone::Bad) } else { word("Note:", Tone::Changed) };
        let advice = match excess.limit {
            Limit::Allowed(_) => "Raise --max-delete if all of them should go.".to_owned(),
            _ => format!(
                "Check that the other folder is the right one and complete; --max-delete {} allows it.",
                excess.items
            ),
        };
        texts.push(format!("{head} {excess}. {advice}"));
    }
    texts.extend(proposal.preflight.problems.iter().map(|problem| {
        let head = match problem.severity {
            Severity::Refuses => word("Refused:", Tone::Bad),
            Severity::ItemFails => word("Will fail:", Tone::Bad),
            Severity::Warns => word("Note:", Tone::Changed),
        };
        format!("{head} {}", problem.text)
    }));
    texts
}

/// What is to be said once about the two folders and their comparison.
pub(crate) fn notes(session: &Session, comparison: &Comparison) -> Vec<String> {
    session.warnings.iter().chain(&comparison.notes).cloned().collect()
}
