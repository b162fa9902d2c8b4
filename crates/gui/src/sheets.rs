//! The sheets, one module each: which of them is drawn, and what is done with what a user asks of it.
//!
//! Invariant: a sheet is given the part of the model that it shows, and returns what was asked for; only [`carry_out`]
//! turns that into calls of the app. This module must not know how a sheet is drawn.

mod about;
mod ask;
mod confirm;
mod done;
mod ended;
mod history;
mod log;
mod orphans;
mod pick;
mod settings;
mod times;

use std::path::PathBuf;

use egui::Context;
use fcs_engine::OnCancel;
use fcs_engine::compare::Side;
use fcs_engine::directions::Conflicts;
use fcs_engine::history::RunId;
use fcs_engine::settings::Verify;
use fcs_gui_model::app::{App, Choice, Sheet, TimesScope, TimesSheet, TimesTask};
use fcs_gui_model::text;

use crate::sheet;
use crate::table::{Look, Table};
use crate::theme::Palette;
use crate::window::Window;

/// What a user asks for on a sheet.
pub(crate) enum SheetRequest {
    /// To close it.
    Close,
    /// To carry out the plan, or to go through it without writing.
    Go {
        dry_run: bool,
    },
    /// To delete what earlier runs keep.
    MakeRoom,
    Verify(Verify),
    Choose(Choice, bool),
    /// What becomes of conflicts.
    Settle(Conflicts),
    SaveReport,
    CopyFailures,
    RetryFailed,
    /// To be asked about undoing the run that is shown.
    AskUndoShown,
    /// The same for one of these runs.
    AskUndo(Side, RunId),
    /// The same for the run before the one that was undone.
    AskUndoFurther,
    Undo,
    Recover,
    /// To go on with the run that was to be stopped.
    GoOn,
    Stop(OnCancel),
    /// To see what is in a folder.
    List(PathBuf),
    TakePick,
    /// The items whose dates are meant.
    TimesOf(TimesScope),
    TimesTask(TimesTask),
    /// A date that was typed, the modified or the created one.
    TimesTyped(usize, String),
    /// To look at dates, or to set those that are listed.
    GoOnWithTimes,
    LookAtOrphans,
    RemoveOrphans {
        hidden_too: bool,
    },
    SetSetting(&'static str, String),
    /// The default of one setting, or of all.
    ResetSetting(Option<&'static str>),
    ExportSettings,
    ImportSettings,
    CopyLog(Vec<usize>),
    ExportLog(Vec<usize>),
    ClearLog,
}

/// The state of widgets in sheets.
#[derive(Default)]
pub(crate) struct SheetState {
    /// The table of the orphans' dialog.
    orphans: Table,
    /// A setting whose field is edited: its name and text.
    editing: Option<(String, String)>,
}

/// Draws the sheet that is open, and does what was asked of it.
pub(crate) fn show(window: &mut Window, ctx: &Context, pal: &Palette) {
    sheet::note_what_is_open(window.app.sheet.as_ref(), ctx);
    // Taken out while it is drawn, because it shows more of the app than itself.
    let Some(mut open) = window.app.sheet.take() else {
        window.sheets.editing = None;
        return;
    };
    let rows_tick = !window.app.kept.only_boxes_tick && !window.menu_open;
    let requests = draw(&mut open, &window.app, &mut window.sheets, rows_tick, ctx, pal);
    window.app.sheet = Some(open);
    for request in requests.into_iter().flatten() {
        carry_out(&mut window.app, request);
    }
}

/// Draws a sheet over an app. Two things may be asked for in one frame, because a click also leaves the field that was
/// edited.
fn draw(
    open: &mut Sheet,
    app: &App,
    state: &mut SheetState,
    rows_tick: bool,
    ctx: &Context,
    pal: &Palette,
) -> [Option<SheetRequest>; 2] {
    let idle = app.busy.is_none();
    let request = match open {
        Sheet::Confirm(confirm) => confirm::show(confirm, app.settings(), idle, ctx, pal),
        Sheet::Ended(ended) => ended::show(ended, idle, app.can_act(), ctx, pal),
        Sheet::Done(done) => done::show(done, ctx, pal),
        Sheet::Stop { closing, .. } => ask::stop(*closing, ctx, pal),
        Sheet::AskUndo { side, folder, runs, others } => {
            ask::undo(*side, folder, runs, others, idle, ctx, pal)
        }
        Sheet::Pick(picker) => pick::show(picker, ctx, pal),
        Sheet::AskRecover { unfinished, how } => ask::recover(unfinished, how, idle, ctx, pal),
        Sheet::UserError(error) => ask::error(error, ctx, pal),
        Sheet::Orphans(orphans) => {
            let decimals = text::decimals(app.settings().time_tolerance_nanos);
            let look = Look { zone: app.zone(), decimals, access: None, rows_tick };
            orphans::show(orphans, &mut state.orphans, &look, idle, ctx, pal)
        }
        Sheet::Times(times) => times::show(times, idle, ctx, pal),
        Sheet::History(listed) => history::show(listed.as_deref(), app.zone(), idle, ctx, pal),
        Sheet::Settings(editor) => return settings::show(editor, &mut state.editing, ctx, pal),
        Sheet::Log { filter, least } => log::show(&app.log, filter, least, app.zone(), ctx, pal),
        Sheet::Help => about::keys(ctx, pal),
        Sheet::About => about::about(ctx, pal),
    };
    [request, None]
}

/// A choice on the sheet about dates. None counts while work for it is in progress.
fn in_times(app: &mut App, choose: impl FnOnce(&mut TimesSheet)) {
    if let (Some(Sheet::Times(times)), None) = (&mut app.sheet, &app.busy) {
        choose(times);
    }
}

fn carry_out(app: &mut App, request: SheetRequest) {
    match request {
        SheetRequest::Close => app.close_sheet(),
        SheetRequest::Go { dry_run } => app.go(dry_run),
        SheetRequest::MakeRoom => app.make_room(),
        SheetRequest::Verify(verify) => app.set_verify(verify),
        SheetRequest::Choose(choice, replace) => app.choose(choice, replace),
        SheetRequest::Settle(conflicts) => app.settle(conflicts),
        SheetRequest::SaveReport => app.save_report(),
        SheetRequest::CopyFailures => app.copy_failures(),
        SheetRequest::RetryFailed => app.retry_failed(),
        SheetRequest::AskUndoShown => app.ask_undo_shown(),
        SheetRequest::AskUndo(side, run) => app.ask_undo_listed(side, &run),
        SheetRequest::AskUndoFurther => app.undo_further(),
        SheetRequest::Undo => app.undo(),
        SheetRequest::Recover => app.recover(),
        SheetRequest::GoOn => app.do_not_stop(),
        SheetRequest::Stop(request) => app.stop(request),
        SheetRequest::List(folder) => app.list_to_pick(folder),
        SheetRequest::TakePick => app.take_pick(),
        SheetRequest::GoOnWithTimes => app.go_on_with_times(),
        SheetRequest::TimesOf(scope) => in_times(app, |times| times.set_scope(scope)),
        SheetRequest::TimesTask(task) => in_times(app, |times| times.set_task(task)),
        SheetRequest::TimesTyped(which, text) => in_times(app, |times| times.set_typed(which, text)),
        SheetRequest::LookAtOrphans => app.look_at_orphans(),
        SheetRequest::RemoveOrphans { hidden_too } => app.remove_orphans(hidden_too),
        SheetRequest::SetSetting(setting, value) => app.edit_setting(setting, &value),
        SheetRequest::ResetSetting(setting) => app.reset_setting(setting),
        SheetRequest::ExportSettings => app.export_settings(),
        SheetRequest::ImportSettings => app.import_settings(),
        SheetRequest::CopyLog(lines) => app.copy_log(&lines),
        SheetRequest::ExportLog(lines) => app.export_log(&lines),
        SheetRequest::ClearLog => app.log.clear(),
    }
}
