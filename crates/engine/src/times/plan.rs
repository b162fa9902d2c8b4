//! What dates are to be set, as a plan that a run carries out: with a journal, a recovery and an undo.
//!
//! Folders go the way of folders in every run, whose dates are set last and come back with an undo, the
//! root's own too; files are changes of metadata. So nothing here can be planned that writes content.
//!
//! Invariant: pure but for asking volumes; an item whose date is not to change is in no plan, and what is
//! left as it is has a reason.

use std::collections::HashMap;
use std::path::Path;

use fcs_sys::user::User;
use fcs_sys::{Fingerprint, Kind, RelPath, Root, Time, Times, VolumeFacts};

use super::list::{Listing, Scope};
use super::pair::{Exactness, Pairs};
use super::{DateKind, ItemTimes, NotSet, NotSetReason, compared, created_unsettable, steps};
use crate::dir_cursor::DirCursor;
use crate::ops::ItemChange;
use crate::plan::{FolderPlan, ItemMetadata, MetadataChange, Plan, RootIndex, Target, Totals};
use crate::probe::{self, links};
use crate::report::Report;
use crate::run::{RunOptions, run};
use crate::session::{self, SessionError, check_not_moved};
use crate::tree::Entry;
use crate::{Control, Error, Note, Settings};

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Task {
    /// Items get dates that were given.
    Set,
    /// Items get the dates of those at another place, whatever the content.
    Copy,
    /// So do those of which the content is equal.
    Repair,
}

impl Task {
    /// The command's name, as journals and reports have it.
    pub fn command(self) -> &'static str {
        match self {
            Self::Set => "times set",
            Self::Copy => "times copy",
            Self::Repair => "times repair",
        }
    }
}

/// An item and the dates that it is to get.
#[derive(Debug, Clone)]
pub struct Change {
    /// Below the root that is written to.
    pub path: RelPath,
    /// What it is.
    pub kind: Kind,
    /// What it has.
    pub was: ItemTimes,
    /// What it gets; what is `None` stays.
    pub set: Times,
}

/// Why the dates of an item stay as they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum LeftReason {
    /// A symbolic link on a volume that may set the dates of what it points to.
    Link,
    /// A device, pipe, socket, junction or the like.
    SpecialFile,
    /// Only its owner may set its dates.
    OtherOwner,
    /// An item of another kind has its name on the other side.
    KindClash,
    /// Two names on one side are one name on the other.
    NameClash,
    /// The content of the two files differs.
    ContentDiffers,
    /// The content could not be compared.
    ContentUnknown,
}

impl LeftReason {
    /// The reason in words.
    pub fn words(self) -> &'static str {
        match self {
            Self::Link => "a symbolic link, and the volume may set the times of what it points to",
            Self::SpecialFile => "not a file, folder or link",
            Self::OtherOwner => "only its owner may set its times",
            Self::KindClash => "an item of another kind on the other side",
            Self::NameClash => "two names here are one name on the other side",
            Self::ContentDiffers => "the content differs",
            Self::ContentUnknown => "the content could not be compared",
        }
    }

    /// Whether no later run changes that.
    pub fn is_settled(self) -> bool {
        matches!(self, Self::Link | Self::SpecialFile)
    }
}

/// An item whose dates stay as they are.
#[derive(Debug, Clone)]
pub struct LeftAlone {
    /// Below the root that is written to.
    pub path: RelPath,
    /// Why.
    pub why: LeftReason,
}

/// Dates that are to be set below one root, and all that is known about it beforehand.
#[derive(Debug)]
pub struct Proposal {
    /// What was asked for.
    pub task: Task,
    /// Where the dates come from; the target where they were given.
    pub source: Root,
    /// The root that is written to.
    pub target: Root,
    /// The volume of the target.
    pub volume: VolumeFacts,
    /// What is to be set.
    pub changes: Vec<Change>,
    /// How many items have the dates already that they are to have.
    pub same: u64,
    /// What stays as it is, and why.
    pub left_alone: Vec<LeftAlone>,
    /// How many items only the source has, and how many only the target.
    pub one_sided: [u64; 2],
    /// What could not be read.
    pub errors: Vec<Error>,
    /// Worth knowing, said once.
    pub notes: Vec<Note>,
    /// A created time was asked for, and cannot be set.
    pub lacks_created: bool,
    /// The work was cancelled, and nothing must be done.
    pub cancelled: bool,
    plan: Plan,
}

const SOURCE: RootIndex = RootIndex(0);
const TARGET: RootIndex = RootIndex(1);

/// Plans to set these dates of everything that was listed.
pub fn plan_set(listing: Listing, times: Times) -> Proposal {
    let Listing { root, volume, items, errors, cancelled, .. } = listing;
    let mut planner = Planner::new(Task::Set, root.clone(), root, volume);
    planner.found.errors = errors;
    planner.found.cancelled = cancelled;
    for item in &items {
        let now = ItemTimes::from(&item.entry);
        let due = |date, wanted: Option<Time>, now: Option<Time>, step: u64| {
            wanted.filter(|&wanted| Some(wanted) != now && compared_at(date, wanted, now, step).is_some())
        };
        let (modified_step, created_step) = steps(&planner.found.volume);
        let wanted = Times {
            modified: due(DateKind::Modified, times.modified, Some(now.modified), modified_step),
            created: due(DateKind::Created, times.created, now.created, created_step.unwrap_or(1)),
        };
        let own = (&item.path, &item.entry);
        planner.add(own, item.folder, own, wanted);
    }
    planner.done()
}

/// As [`compared`], where what this step cuts off is no difference.
fn compared_at(date: DateKind, wanted: Time, now: Option<Time>, step: u64) -> Option<NotSet> {
    let is_cut = now == Some(wanted.rounded_down(step));
    compared(date, wanted, now).filter(|_| !is_cut)
}

/// Plans to give the item or tree at `right` the dates of that at `left`, whatever the content. Items that
/// only one of them has stay as they are.
///
/// # Errors
///
/// Where a path cannot be opened or compared, or they are not of one kind.
pub fn plan_copy(
    left: &Path,
    right: &Path,
    scope: Scope<'_>,
    settings: &Settings,
    control: &Control,
) -> Result<Proposal, SessionError> {
    let pairs = Pairs::of([left, right], scope, Exactness::as_shown(), settings, control)?;
    Ok(of_pairs(Task::Copy, pairs))
}

/// As [`plan_copy`], of folders and of those files alone whose content is equal: of files whose dates differ
/// both are read.
///
/// # Errors
///
/// As for [`plan_copy`].
pub fn plan_repair(
    left: &Path,
    right: &Path,
    scope: Scope<'_>,
    exactness: Exactness,
    settings: &Settings,
    control: &Control,
) -> Result<Proposal, SessionError> {
    let mut pairs = Pairs::of([left, right], scope, exactness, settings, control)?;
    if !pairs.cancelled {
        pairs.keep_equal_content(settings, control);
    }
    Ok(of_pairs(Task::Repair, pairs))
}

pub(super) fn of_pairs(task: Task, pairs: Pairs) -> Proposal {
    let Pairs { left, right, right_volume, both, only, left_alone, errors, notes, cancelled, .. } = pairs;
    let mut planner = Planner::new(task, left, right, right_volume);
    let found = &mut planner.found;
    found.one_sided = only.map(|paths| paths.len() as u64);
    (found.errors, found.left_alone, found.cancelled) = (errors, left_alone, cancelled);
    found.notes = notes;
    for pair in &both {
        let from = ItemTimes::from(&pair.left.1);
        let wanted = Times {
            modified: Some(from.modified).filter(|_| pair.modified),
            created: from.created.filter(|_| pair.created),
        };
        let (target, source) = ((&pair.right.0, &pair.right.1), (&pair.left.0, &pair.left.1));
        planner.add(target, pair.folder, source, wanted);
    }
    planner.done()
}

type At<'a> = (&'a RelPath, &'a Entry);

struct Planner {
    found: Proposal,
    user: User,
    way: DirCursor,
    /// Volumes that are mounted below the root.
    volumes: HashMap<u64, VolumeFacts>,
}

impl Planner {
    fn new(task: Task, source: Root, target: Root, volume: VolumeFacts) -> Self {
        let plan = Plan {
            targets: vec![Target { root: TARGET, source: SOURCE, totals: Totals::default() }],
            ..Plan::empty()
        };
        Self {
            user: User::now(),
            way: DirCursor::new(&target.dir),
            volumes: HashMap::new(),
            found: Proposal {
                task,
                source,
                target,
                volume,
                changes: Vec::new(),
                same: 0,
                left_alone: Vec::new(),
                one_sided: [0; 2],
                errors: Vec::new(),
                notes: Vec::new(),
                lacks_created: false,
                cancelled: false,
                plan,
            },
        }
    }

    /// Takes an item in, if it is to get other dates. Those of a folder come from `source`, which says how
    /// that looks.
    fn add(&mut self, target: At<'_>, folder: Fingerprint, source: At<'_>, mut wanted: Times) {
        let (path, entry) = target;
        if wanted == Times::default() {
            self.found.same += 1;
            return;
        }
        let why = match entry.kind {
            Kind::Other => Some(LeftReason::SpecialFile),
            Kind::Symlink if self.volume_of(target).is_none_or(links::in_doubt) => Some(LeftReason::Link),
            _ if !self.user.owns(entry.owner()) => Some(LeftReason::OtherOwner),
            _ => None,
        };
        if let Some(why) = why {
            self.found.left_alone.push(LeftAlone { path: path.clone(), why });
            return;
        }
        if wanted.created.is_some()
            && let Some(note) = self.unsettable(target)
        {
            wanted.created = None;
            self.found.lacks_created = true;
            if !self.found.notes.contains(&note) {
                self.found.notes.push(note);
            }
        }
        if wanted == Times::default() {
            return;
        }
        let was = ItemTimes::from(entry);
        self.found.changes.push(Change { path: path.clone(), kind: entry.kind, was, set: wanted });
        if entry.kind == Kind::Folder {
            self.add_folder(target, source, wanted);
        } else {
            self.add_file(target, folder, wanted);
        }
    }

    /// The volume that an item is on; `None` where it cannot be asked.
    fn volume_of(&mut self, (path, entry): At<'_>) -> Option<&VolumeFacts> {
        let root = &self.found.volume;
        if entry.volume() == root.id {
            return Some(root);
        }
        if !self.volumes.contains_key(&entry.volume()) {
            let folder = if entry.kind == Kind::Folder { path.clone() } else { path.split()?.0 };
            let facts = self.way.open(&folder).and_then(|dir| dir.volume()).ok()?;
            self.volumes.insert(entry.volume(), facts);
        }
        self.volumes.get(&entry.volume())
    }

    /// Why the created time of an item cannot be set, once for each volume.
    fn unsettable(&mut self, target: At<'_>) -> Option<Note> {
        let volume = self.volume_of(target)?;
        let why = match created_unsettable(volume)? {
            NotSetReason::NotStored => "does not store them",
            _ => "stores them, and no program can set them on this system",
        };
        Some(format!("Created times stay as they are: {} {why}.", volume.file_system).into())
    }

    fn add_file(&mut self, (path, entry): At<'_>, folder: Fingerprint, wanted: Times) {
        let set = ItemMetadata { modified: wanted.modified, created: wanted.created, attributes: None };
        self.found.plan.add_change(ItemChange::SetMetadata(MetadataChange {
            root: TARGET,
            path: path.clone(),
            expect: entry.fingerprint(),
            folder,
            set,
            protection: entry.protection(),
        }));
    }

    fn add_folder(&mut self, target: At<'_>, source: At<'_>, wanted: Times) {
        let ((path, entry), (source_path, source)) = (target, source);
        // A date that stays is set again as it is.
        let modified = wanted.modified.unwrap_or(entry.modified);
        let created = wanted.created.or(entry.created());
        let plan = &mut self.found.plan;
        plan.totals.folder_times += 1;
        plan.targets[0].totals.folder_times += 1;
        plan.folders.push(FolderPlan {
            source_root: SOURCE,
            target_root: TARGET,
            source_path: source_path.clone(),
            target_path: path.clone(),
            create: false,
            replaces: false,
            sync_times: true,
            expect_source: Fingerprint { modified, ..source.fingerprint() },
            expect_target: Some(entry.fingerprint()),
            target_protection: entry.protection(),
            created: [created, entry.created()],
            steps: Vec::new(),
        });
    }

    fn done(mut self) -> Proposal {
        self.found.plan.notes = self.found.notes.iter().map(Note::to_string).collect();
        self.found
    }
}

impl Proposal {
    /// Whether nothing is to be set.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Tries on a new file of ours, which is gone again afterwards, which of the dates that were asked for
    /// the volume of the target does not store. Only for who is about to write there: the caller has made
    /// sure that no run is in progress on it. Empty where it could not be tried.
    pub fn try_dates(&self, times: Times) -> Vec<NotSet> {
        let created = times.created.filter(|_| created_unsettable(&self.volume).is_none());
        let given = Times { created, ..times };
        match probe::shown_dates(&self.target.dir, given) {
            Ok(Some(now)) => {
                let now = ItemTimes::from(&now);
                let modified = given
                    .modified
                    .and_then(|wanted| compared(DateKind::Modified, wanted, Some(now.modified)));
                let created = created.and_then(|wanted| compared(DateKind::Created, wanted, now.created));
                created.into_iter().chain(modified).collect()
            }
            // The system does not take the date at all.
            Ok(None) => {
                let why = NotSetReason::OutOfRange;
                let date = if given.modified.is_some() { DateKind::Modified } else { DateKind::Created };
                vec![NotSet { date, why }]
            }
            Err(error) => {
                tracing::debug!(%error, "the dates could not be tried");
                Vec::new()
            }
        }
    }

    /// Carries it out.
    ///
    /// # Errors
    ///
    /// [`SessionError::Moved`] and [`SessionError::Start`]. What fails later is in the report.
    pub fn run(
        &self,
        settings: &Settings,
        options: &RunOptions,
        control: &Control,
    ) -> Result<Report, SessionError> {
        check_not_moved(&self.target)?;
        let options = RunOptions { command: self.task.command().to_owned(), ..options.clone() };
        run(&self.plan, &[&self.source, &self.target], settings, &options, control)
            .map_err(|error| session::start(&self.target, error))
    }
}
