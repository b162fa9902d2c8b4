//! What a copy is going to do, before it does it: the overview that is confirmed, and the dry run's list.
//!
//! Invariant: everything shown comes from the plan and the preflight, so what is confirmed is what is run.

use fcs_engine::Settings;
use fcs_engine::compare::Comparison;
use fcs_engine::plan::{Action, FolderPlan, Plan, Skip, Step};
use fcs_engine::preflight::{Preflight, Severity};
use fcs_engine::report::{ActionKind, Chosen};
use fcs_engine::settings::Verify;
use fcs_sys::RelPath;

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
        }
    }

    /// `+ path` or `* path`, and what it is where that is not a file.
    pub(crate) fn line(&self, style: Style) -> String {
        let (sign, tone) = if self.replaces { ('*', Tone::Changed) } else { ('+', Tone::Good) };
        let path = style.paint(tone, format!("{sign} {}{}", self.path, slash(self.action)));
        let what = match self.action {
            ActionKind::CreateFolder | ActionKind::RemoveFolder | ActionKind::None => String::new(),
            ActionKind::FolderTimes => "times only".to_owned(),
            ActionKind::CopyLink => "link".to_owned(),
            ActionKind::CopyNew | ActionKind::Replace | ActionKind::Remove => size(self.bytes),
        };
        if what.is_empty() { path.into_owned() } else { format!("{path}  {what}") }
    }

    /// The same with every decision, for a dry run.
    pub(crate) fn decision(&self, style: Style) -> String {
        match self.file {
            None => self.line(style),
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

/// Everything the plan does, folders before what is in them.
pub(crate) fn planned(plan: &Plan) -> impl Iterator<Item = Planned> + '_ {
    plan.folders.iter().flat_map(|folder| {
        Planned::folder(folder).into_iter().chain(folder.steps.iter().map(|step| Planned::step(folder, step)))
    })
}

/// One item that is left alone.
pub(crate) fn skipped_line(skip: &Skip, style: Style) -> String {
    format!("{}  left alone: {}", style.paint(Tone::Bad, format!("! {}", skip.path)), skip.why.words())
}

/// The overview: direction, counts, bytes, strategies, verification, space, first paths.
pub(crate) fn overview(session: &Session, plan: &Plan, preflight: &Preflight, style: Style) -> String {
    let totals = &plan.totals;
    let settings = &session.settings;
    let mut lines = vec![
        format!("From  {}", fcs_engine::error::shown(&session.left.path)),
        format!("To    {}", fcs_engine::error::shown(&session.right.path)),
        String::new(),
    ];
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
        fact("Verify", verify_in_words(settings, totals.verified, files));
    }
    let free = preflight.bytes_free.map_or("unknown".to_owned(), size);
    fact("Space", format!("{} needed, {free} free", size(preflight.bytes_needed)));
    if !plan.skipped.is_empty() {
        fact("Left alone", count(plan.skipped.len() as u64, "item", "items"));
    }
    lines.push(String::new());
    lines.extend(planned(plan).take(SHOWN_PATHS).map(|item| format!("  {}", item.line(style))));
    let more = (plan.step_count() as usize).saturating_sub(SHOWN_PATHS) as u64;
    if more > 0 {
        lines.push(format!("  … and {} more", number(more)));
    }
    lines.join("\n")
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
    format!("{}; {}", words.join(", "), size(t.bytes))
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
pub(crate) fn problems(preflight: &Preflight, style: Style) -> Vec<String> {
    preflight
        .problems
        .iter()
        .map(|problem| {
            let (word, tone) = match problem.severity {
                Severity::Refuses => ("Refused:", Tone::Bad),
                Severity::ItemFails => ("Will fail:", Tone::Bad),
                Severity::Warns => ("Note:", Tone::Changed),
            };
            format!("{} {}", style.paint(tone, word), problem.text)
        })
        .collect()
}

/// What is to be said once about the two folders and their comparison.
pub(crate) fn notes(session: &Session, comparison: &Comparison) -> Vec<String> {
    session.warnings.iter().chain(&comparison.notes).cloned().collect()
}
