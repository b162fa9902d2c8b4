//! The sheet on which dates of items are seen, and set by themselves: copied from one side to the other, repaired, typed,
//! or compared.
//!
//! Invariant: nothing is set before the list of what will be was shown and agreed to; any other choice discards that list.
//! What the filter hides is never acted on unless it was ticked, and then it is said. This module must not know how dates
//! are planned or set.

mod jobs;

use std::sync::Arc;

use fcs_app::overview::Fact;
use fcs_app::times::exact;
use fcs_engine::compare::{RowId, Side};
use fcs_engine::session::Folders;
use fcs_engine::times::{ItemTimes, steps};
use fcs_sys::{Kind, Time, Times};
use fcs_text::{count, number};
use jiff::tz::TimeZone;

use super::jobs::JobEvent;
use super::{App, Sheet};
use crate::bits::Bits;
use crate::cells::Cells;
use crate::index::Index;
use crate::running::JobKind;

pub use jobs::{Checked, Planned};

/// Which items the sheet is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimesScope {
    /// The row that was chosen, by itself.
    Row,
    /// That row and all that is in it.
    Tree,
    /// All rows that are ticked, on either side.
    Ticked,
}

/// What is done with dates.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TimesTask {
    /// The other side's items get the dates of this side's, whatever their content.
    Copy(Side),
    /// So do folders, and files whose content is equal.
    Repair(Side),
    /// This side's items get dates that are typed.
    Set(Side),
    /// The dates of both sides are compared.
    Verify,
}

impl TimesTask {
    /// The side that is written to; `None` if none is.
    pub fn target(self) -> Option<Side> {
        match self {
            Self::Copy(from) | Self::Repair(from) => Some(from.other()),
            Self::Set(side) => Some(side),
            Self::Verify => None,
        }
    }
}

/// The dates of an item, exactly: ISO 8601 with all decimals that its volume stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownTimes {
    /// When its content last changed.
    pub modified: String,
    /// When it was created; `None` where the volume does not store that.
    pub created: Option<String>,
}

/// A choice of items, and how many they are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScopeChoice {
    /// Which items.
    pub scope: TimesScope,
    /// The choice in words, with its number.
    pub words: String,
    /// What is to be known about it.
    pub note: Option<String>,
    rows: Bits,
}

/// How far the sheet is.
pub enum TimesStage {
    /// The user chooses.
    Choosing,
    /// Dates are looked at, and content is read where it matters.
    Working,
    /// What will be set.
    Planned(Arc<Planned>),
    /// What comparing dates has shown.
    Checked(Checked),
}

/// A list that the sheet shows: of what will be set, or of what differs.
#[derive(Debug, Default)]
pub struct TimesList {
    /// What it comes to.
    pub facts: Vec<Fact>,
    /// Worth knowing, each said once: what cannot be set here, and what could not be read.
    pub notes: Vec<String>,
    /// Items: a path, and what is set of it or differs.
    pub items: Vec<(String, String)>,
    /// How many items follow.
    pub more: u64,
}

/// The sheet.
pub struct TimesSheet {
    /// The row's name.
    pub name: String,
    /// The dates of the row's item on each side.
    pub sides: [Option<ShownTimes>; 2],
    /// The choices of items there are.
    pub scopes: Vec<ScopeChoice>,
    /// How far it is.
    pub stage: TimesStage,
    scope: TimesScope,
    task: TimesTask,
    /// What is typed as modified, and as created.
    typed: [String; 2],
    folders: Arc<Folders>,
    index: Arc<Index>,
    zone: TimeZone,
}

/// The dates that were typed, or which of the two texts is none.
type Typed = Result<Times, (&'static str, &'static str)>;

impl TimesSheet {
    fn new(index: Arc<Index>, folders: Arc<Folders>, zone: TimeZone, row: RowId, of: [Bits; 3]) -> Self {
        let [ticked, below, matching] = of;
        let kind = |side| index.entry(row, side).map(|entry| entry.kind);
        let is_folder = [Side::Left, Side::Right].into_iter().any(|side| kind(side) == Some(Kind::Folder));
        let word = if is_folder { "folder" } else { "item" };
        let mut row_alone = Bits::none(index.rows());
        row_alone.add(row);
        let row_words =
            if is_folder { "This folder by itself".to_owned() } else { format!("This {word} only") };
        let mut scopes =
            vec![ScopeChoice { scope: TimesScope::Row, words: row_words, note: None, rows: row_alone }];
        let all = below.count();
        if is_folder && all > 1 {
            let mut shown = below;
            shown.keep(&matching);
            shown.add(row);
            let hidden = u64::from(all - shown.count());
            let note = (hidden > 0).then(|| {
                let items = count(hidden, "item", "items");
                format!("{items} in it that the filter hides are left as they are.")
            });
            let items = count(u64::from(shown.count()) - 1, "item", "items");
            let words = format!("This folder and {items} in it");
            scopes.push(ScopeChoice { scope: TimesScope::Tree, words, note, rows: shown });
        }
        let is_ticked = ticked.has(row);
        if ticked.count() > 0 {
            let mut hidden = ticked.clone();
            hidden.drop_all(&matching);
            let note = (hidden.count() > 0).then(|| {
                let items = count(u64::from(hidden.count()), "item", "items");
                format!("{items} of these cannot be seen, because the filter hides them.")
            });
            let words = match ticked.count() {
                1 => "The ticked item".to_owned(),
                n => format!("The {} ticked items", number(u64::from(n))),
            };
            scopes.push(ScopeChoice { scope: TimesScope::Ticked, words, note, rows: ticked });
        }
        let sides = [Side::Left, Side::Right].map(|side| {
            let entry = index.entry(row, side)?;
            let (modified_step, created_step) = steps(&index.comparison().tree(side).volume);
            let now = ItemTimes::from(&entry);
            let created = now.created.map(|time| exact(time, created_step.unwrap_or(1), &zone));
            Some(ShownTimes { modified: exact(now.modified, modified_step, &zone), created })
        });
        let task = match &sides {
            [Some(_), None] => TimesTask::Set(Side::Left),
            [None, Some(_)] => TimesTask::Set(Side::Right),
            _ => TimesTask::Copy(Side::Left),
        };
        let cells = Cells { index: &index, zone: &zone, decimals: 0, directed: None };
        Self {
            name: cells.name(row, if sides[0].is_some() { Side::Left } else { Side::Right }).into_owned(),
            sides,
            // Who ticked rows and asks for the menu of one of them means them all.
            scope: if is_ticked { TimesScope::Ticked } else { TimesScope::Row },
            scopes,
            stage: TimesStage::Choosing,
            task,
            typed: [const { String::new() }; 2],
            folders,
            index,
            zone,
        }
    }

    /// The items that are meant.
    pub fn scope(&self) -> TimesScope {
        self.scope
    }

    /// What is to be done.
    pub fn task(&self) -> TimesTask {
        self.task
    }

    /// What is typed as modified, and as created.
    pub fn typed(&self) -> &[String; 2] {
        &self.typed
    }

    /// Chooses the items.
    pub fn set_scope(&mut self, scope: TimesScope) {
        if self.scopes.iter().any(|choice| choice.scope == scope) {
            self.scope = scope;
            self.stage = TimesStage::Choosing;
        }
    }

    /// Chooses what is to be done.
    pub fn set_task(&mut self, task: TimesTask) {
        self.task = task;
        self.stage = TimesStage::Choosing;
    }

    /// A date was typed: the modified one, or the created one.
    pub fn set_typed(&mut self, which: usize, text: String) {
        if let Some(typed) = self.typed.get_mut(which).filter(|typed| **typed != text) {
            *typed = text;
            self.stage = TimesStage::Choosing;
        }
    }

    /// The side that alone has every item that is meant.
    fn only(&self) -> Option<Side> {
        let rows = self.rows()?;
        [Side::Left, Side::Right].into_iter().find(|side| {
            let mut others = rows.clone();
            others.keep(self.index.on(side.other()));
            others.count() == 0
        })
    }

    /// Whether something could be done with the items that are meant.
    pub fn can(&self, task: TimesTask) -> bool {
        match (task, self.only()) {
            (_, None) => true,
            (TimesTask::Set(side), Some(only)) => side == only,
            (_, Some(_)) => false,
        }
    }

    fn rows(&self) -> Option<&Bits> {
        self.scopes.iter().find(|choice| choice.scope == self.scope).map(|choice| &choice.rows)
    }

    fn times(&self) -> Typed {
        let read = |which: usize, name: &'static str| {
            let text = self.typed[which].trim();
            match text {
                "" => Ok(None),
                "now" => Ok(Some(Time::now())),
                _ => fcs_text::parse_iso_time(text, &self.zone).map(Some).map_err(|wanted| (name, wanted)),
            }
        };
        Ok(Times { modified: read(0, "modified time")?, created: read(1, "created time")? })
    }

    /// Why nothing can be looked at yet; `None` if it can.
    pub fn obstacle(&self) -> Option<String> {
        if !self.can(self.task) {
            let side = match self.only()? {
                Side::Left => "left",
                Side::Right => "right",
            };
            return Some(format!("Only the {side} side has what is chosen."));
        }
        if !matches!(self.task, TimesTask::Set(_)) {
            return None;
        }
        match self.times() {
            Err((name, wanted)) => Some(format!("The {name} is not understood. Expected {wanted}.")),
            Ok(times) if times == Times::default() => Some("Type a time; what is empty stays.".to_owned()),
            Ok(_) => None,
        }
    }

    /// What the button does next.
    pub fn verb(&self) -> String {
        match &self.stage {
            TimesStage::Working => "Preparing…".to_owned(),
            TimesStage::Planned(planned) => {
                let side = match self.task.target() {
                    Some(Side::Left) => "left",
                    _ => "right",
                };
                let items = count(planned.proposal.changes.len() as u64, "item", "items");
                format!("Set the times of {items} on the {side}")
            }
            TimesStage::Choosing | TimesStage::Checked(_) => match self.task {
                TimesTask::Verify => "Compare the times".to_owned(),
                _ => "Show what will be set".to_owned(),
            },
        }
    }

    /// Whether the button can be pressed.
    pub fn may_go_on(&self) -> bool {
        match &self.stage {
            TimesStage::Working => false,
            TimesStage::Planned(planned) => !planned.proposal.is_empty(),
            TimesStage::Choosing | TimesStage::Checked(_) => self.obstacle().is_none(),
        }
    }

    /// What it shows below the choices.
    pub fn list(&self) -> Option<&TimesList> {
        match &self.stage {
            TimesStage::Choosing | TimesStage::Working => None,
            TimesStage::Planned(planned) => Some(&planned.list),
            TimesStage::Checked(checked) => Some(&checked.list),
        }
    }
}

impl App {
    /// Whether the dates of a row can be worked with now.
    pub fn can_show_times(&self, row: RowId) -> bool {
        self.can_act()
            && self.loaded().is_some_and(|loaded| {
                let index = loaded.model.rows().index();
                [Side::Left, Side::Right].into_iter().any(|side| index.entry(row, side).is_some())
            })
    }

    /// Opens the sheet about the dates of a row.
    pub fn show_times(&mut self, row: RowId) {
        if !self.can_show_times(row) {
            return;
        }
        let Some(loaded) = self.loaded() else { return };
        let (model, index) = (&loaded.model, loaded.model.rows().shared_index());
        let mut ticked = model.selection().ticked(Side::Left).clone();
        ticked.join(model.selection().ticked(Side::Right));
        let mut below = Bits::none(index.rows());
        index.below(row).for_each(|level| _ = below.add_common(level, &[]));
        let of = [ticked, below, model.rows().matching().clone()];
        let folders = Arc::clone(&loaded.folders);
        let sheet = TimesSheet::new(Arc::clone(index), folders, self.zone.clone(), row, of);
        self.sheet = Some(Sheet::Times(Box::new(sheet)));
    }

    /// Goes on with the sheet: looks at what is chosen, or sets what is listed.
    pub fn go_on_with_times(&mut self) {
        let Some(Sheet::Times(sheet)) = &self.sheet else { return };
        if self.busy.is_some() || !sheet.may_go_on() {
            return;
        }
        match &sheet.stage {
            TimesStage::Planned(planned) => {
                let planned = Arc::clone(planned);
                self.set_times(planned);
            }
            _ => self.look_at_times(),
        }
    }

    fn look_at_times(&mut self) {
        let Some(Sheet::Times(sheet)) = &mut self.sheet else { return };
        let (Some(rows), Ok(times)) = (sheet.rows().cloned(), sheet.times()) else { return };
        sheet.stage = TimesStage::Working;
        let (task, zone) = (sheet.task, sheet.zone.clone());
        let (folders, index) = (Arc::clone(&sheet.folders), Arc::clone(&sheet.index));
        let mut settings = self.settings.clone();
        if let Some(loaded) = self.loaded() {
            // What counts as a difference is what the window shows as one.
            settings.time_tolerance_nanos = loaded.settings.time_tolerance_nanos;
        }
        let control = self.begin(JobKind::Plan);
        let request = self.requests.plan.ask();
        self.jobs.start("look at times", move |_| {
            let look =
                jobs::Request { task, times, rows: &rows, folders: &folders, index: &index, zone: &zone };
            JobEvent::Times(request, look.carry_out(&settings, &control))
        });
    }

    fn set_times(&mut self, planned: Arc<Planned>) {
        self.sheet = None;
        let settings = self.settings.clone();
        let control = self.begin(JobKind::Run);
        self.jobs.start("run", move |jobs| jobs::run(&planned, &settings, jobs, &control));
    }

    /// Shows what looking at dates has brought.
    pub(super) fn looked_at_times(&mut self, request: u64, stage: TimesStage) {
        if !self.requests.plan.is_latest(request) {
            return;
        }
        self.busy = None;
        let Some(Sheet::Times(sheet)) = &mut self.sheet else { return };
        if let TimesStage::Checked(checked) = &stage {
            let (level, headline) = (checked.level, checked.headline.clone());
            sheet.stage = stage;
            self.tell(level, &headline);
        } else {
            sheet.stage = stage;
        }
    }

    /// The work for the sheet was stopped, or is not waited for any more.
    pub(super) fn times_not_waited_for(&mut self) {
        if let Some(Sheet::Times(sheet)) = &mut self.sheet
            && matches!(sheet.stage, TimesStage::Working)
        {
            sheet.stage = TimesStage::Choosing;
        }
    }
}
