//! The sheet on which a run is confirmed: from where to where, how much, how it is verified, and what stands against it.
//!
//! Invariant: its button is dead as long as the plan has an obstacle, and says which. This module must not know how a
//! plan is made.

use egui::{Context, RichText, TextEdit, Ui, vec2};
use fcs_app::overview;
use fcs_engine::Settings;
use fcs_engine::directions::Mode;
use fcs_engine::preflight::Severity;
use fcs_engine::session::Task;
use fcs_gui_model::app::{Choice, Confirm, Proposed};
use fcs_gui_model::text;

use super::SheetRequest;
use crate::bottom;
use crate::sheet::{self, Size};
use crate::theme::{self, CONTROL, Palette, icon};
use crate::widgets::{self, name};

/// Draws it.
pub(crate) fn show(
    confirm: &mut Confirm,
    settings: &Settings,
    idle: bool,
    ctx: &Context,
    pal: &Palette,
) -> Option<SheetRequest> {
    let busy = !idle && confirm.proposed.is_some();
    let obstacle = confirm.obstacle();
    let (title, verb) = (confirm.title(), confirm.verb());
    let room = confirm.room_words();
    let proposed = confirm.proposed.clone();
    let deletes = matches!(confirm.task, Task::Orphans(..));
    let both_ways = proposed.as_ref().is_some_and(|proposed| proposed.is_both_ways());
    let permanent = proposed.as_ref().is_some_and(|proposed| proposed.proposal.removes_permanently);
    sheet::frame(
        ctx,
        pal,
        title,
        Size { width: 680.0, height: None },
        |ui| body(confirm, settings, ui, pal),
        |ui| {
            let mut request = None;
            let may = obstacle.is_none() && !busy;
            ui.add_enabled_ui(may, |ui| {
                let icon = match (deletes, both_ways) {
                    (true, _) => icon::TRASH,
                    (_, true) => icon::SWAP,
                    _ => icon::COPY,
                };
                let draw = if permanent { widgets::danger } else { widgets::primary };
                if draw(ui, icon, &verb).clicked() {
                    request = Some(SheetRequest::Go { dry_run: false });
                }
            });
            let can_try = proposed.as_ref().is_some_and(|proposed| !proposed.is_empty()) && !busy;
            ui.add_enabled_ui(can_try, |ui| {
                if widgets::button(ui, icon::EYE, "Dry run")
                    .on_hover_text("Decides everything, writes nothing")
                    .clicked()
                {
                    request = Some(SheetRequest::Go { dry_run: true });
                }
            });
            if let Some(words) = &room {
                ui.add_enabled_ui(!busy, |ui| {
                    let button = widgets::danger(ui, icon::TRASH, words);
                    if button.on_hover_text("Permanently: these runs cannot be undone then").clicked() {
                        request = Some(SheetRequest::MakeRoom);
                    }
                });
            }
            if widgets::button(ui, icon::X, "Cancel").clicked() {
                request = Some(SheetRequest::Close);
            }
            if let Some(text) = obstacle.as_ref().filter(|_| proposed.is_some()) {
                ui.add(egui::Label::new(RichText::new(text).color(pal.warn).size(12.0)).truncate());
            }
            request
        },
    )
}

fn body(confirm: &mut Confirm, settings: &Settings, ui: &mut Ui, pal: &Palette) -> Option<SheetRequest> {
    let Some(proposed) = confirm.proposed.clone() else {
        ui.horizontal(|ui| {
            widgets::glyph(ui, icon::CLOCK, 18.0, pal.accent);
            ui.label("Making the plan and checking the target…");
        });
        return None;
    };
    places(&proposed, ui, pal);
    let mut request = None;
    for note in &proposed.memory_notes {
        ui.horizontal_top(|ui| {
            widgets::glyph(ui, icon::INFO, 16.0, pal.accent);
            widgets::text(ui, note);
        });
    }
    if let Some(words) = proposed.conflict_words() {
        request = conflicts(&words, confirm.task, &proposed, ui, pal);
    }
    let copies = proposed.proposal.plan.totals.direct.0 + proposed.proposal.plan.totals.staged.0 > 0;
    widgets::facts(ui, proposed.facts.iter().map(|fact| (fact.name, fact.text.as_str())));
    if copies {
        ui.add_space(4.0);
        ui.horizontal_wrapped(|ui| request = verify(settings, ui, pal).or(request.take()));
    }
    for &choice in &proposed.choices {
        ui.horizontal_wrapped(|ui| request = choose(choice, &proposed, ui, pal).or(request.take()));
    }
    if let Some(text) = confirm.hidden_words() {
        problem(Severity::Warns, &text, ui, pal);
    }
    problems(&proposed, ui, pal);
    if let Some(text) = proposed.newer_words() {
        problem(Severity::Warns, &text, ui, pal);
        paths("newer", &proposed.newer, proposed.more_newer, ui, pal);
    }
    paths("examples", &proposed.examples, proposed.more, ui, pal);
    if let Some(number) = proposed.must_type() {
        ui.add_space(6.0);
        let (removes, changes) =
            (proposed.proposal.excess.is_some(), proposed.proposal.mass_change.is_some());
        let why = match (proposed.proposal.removes_permanently, removes, changes) {
            (true, ..) => "This cannot be undone.",
            (_, true, true) => "This is more than the limits on deletions and on changed files.",
            (_, _, true) => "This is more than the limit on changed files.",
            _ => "This is more than the limit on deletions.",
        };
        ui.label(RichText::new(why).color(pal.bad).family(theme::semibold()));
        ui.horizontal(|ui| {
            ui.label(format!("To allow it, type {}:", text::number(number)));
            let field = ui.add_sized(vec2(120.0, CONTROL), TextEdit::singleline(&mut confirm.typed));
            name(ui, &field, "Number of items to allow");
        });
    }
    request
}

fn places(proposed: &Proposed, ui: &mut Ui, pal: &Palette) {
    let [first, second] = proposed.places();
    let icons = match proposed.proposal.task {
        Task::Orphans(..) => [icon::TRASH, icon::FOLDER],
        _ if proposed.is_both_ways() => [icon::FOLDER_OPEN, icon::FOLDER_OPEN],
        _ => [icon::FOLDER_OPEN, icon::ARROW_RIGHT],
    };
    for (icon, fact) in icons.into_iter().zip([first, second]) {
        ui.horizontal(|ui| {
            widgets::glyph(ui, icon, 15.0, pal.folder);
            widgets::key_value(ui, 78.0, fact.name, RichText::new(fact.text).family(theme::medium()));
        });
    }
    ui.add_space(4.0);
}

/// The conflicts, and for all of them together what becomes of them where the mode lets that be chosen.
fn conflicts(
    words: &str,
    task: Task,
    proposed: &Proposed,
    ui: &mut Ui,
    pal: &Palette,
) -> Option<SheetRequest> {
    let mut request = None;
    ui.horizontal_top(|ui| {
        widgets::glyph(ui, icon::WARNING, 16.0, pal.warn);
        widgets::text(ui, RichText::new(words).family(theme::semibold()));
    });
    widgets::boxed(ui, "conflicts", |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        for line in &proposed.conflicts {
            two_columns(ui, &line.path, &format!("{}: {}", line.why, line.how), pal);
        }
        more(proposed.more_conflicts, ui, pal);
    });
    if let Task::Directed(Mode::TwoWay { conflicts: now }) = task {
        ui.horizontal_wrapped(|ui| {
            ui.label(RichText::new("Conflicts").color(pal.weak));
            for (choice, words) in proposed.conflict_choices() {
                ui.add_space(4.0);
                let radio = widgets::radio(ui, now == choice, words);
                name(ui, &radio, &format!("Conflicts: {words}"));
                if radio.clicked() && now != choice {
                    request = Some(SheetRequest::Settle(choice));
                }
            }
        });
        widgets::note(ui, "One by one they are decided in the table, with the menu of their rows.");
    } else {
        widgets::note(ui, "What becomes of each is decided in the table, with the menu of its row.");
    }
    ui.add_space(4.0);
    request
}

/// A path and what is said of it.
fn two_columns(ui: &mut Ui, path: &str, words: &str, pal: &Palette) {
    ui.horizontal(|ui| {
        ui.set_height(16.0);
        let half = (ui.available_width() * 0.42).floor();
        ui.allocate_ui(vec2(half, 16.0), |ui| {
            ui.set_min_width(half);
            ui.add(egui::Label::new(RichText::new(path).size(12.0)).truncate());
        });
        let label = egui::Label::new(RichText::new(words).size(12.0).color(pal.weak)).truncate();
        ui.add(label).on_hover_text(words);
    });
}

fn more(more: u64, ui: &mut Ui, pal: &Palette) {
    if more > 0 {
        ui.label(RichText::new(format!("… and {} more", text::number(more))).color(pal.weak).size(12.0));
    }
}

fn verify(settings: &Settings, ui: &mut Ui, pal: &Palette) -> Option<SheetRequest> {
    bottom::verify_choice(settings, ui, pal).0.map(SheetRequest::Verify)
}

/// What becomes of something on the target, for this plan alone.
fn choose(choice: Choice, proposed: &Proposed, ui: &mut Ui, pal: &Palette) -> Option<SheetRequest> {
    let mut request = None;
    ui.label(RichText::new(choice.words()).color(pal.weak));
    let replaces = choice.replaces(proposed.proposal.task, &proposed.settings);
    for (replace, words) in [(true, choice.replace_words()), (false, "Leave alone")] {
        ui.add_space(4.0);
        let radio = widgets::radio(ui, replaces == replace, words);
        name(ui, &radio, &format!("{}: {words}", choice.words()));
        if radio.clicked() && replaces != replace {
            request = Some(SheetRequest::Choose(choice, replace));
        }
    }
    request
}

fn problems(proposed: &Proposed, ui: &mut Ui, pal: &Palette) {
    for (severity, text) in &proposed.problems {
        problem(*severity, text, ui, pal);
    }
}

fn problem(severity: Severity, text: &str, ui: &mut Ui, pal: &Palette) {
    let (glyph, colour) = match severity {
        Severity::Refuses => (icon::PROHIBIT, pal.bad),
        Severity::ItemFails => (icon::X_CIRCLE, pal.bad),
        Severity::Warns => (icon::WARNING, pal.warn),
    };
    ui.horizontal_top(|ui| {
        widgets::glyph(ui, glyph, 16.0, colour);
        widgets::text(ui, format!("{} {text}", overview::head(severity)));
    });
}

/// The first of many paths.
fn paths(salt: &str, shown: &[String], more: u64, ui: &mut Ui, pal: &Palette) {
    if shown.is_empty() {
        return;
    }
    ui.add_space(4.0);
    widgets::boxed(ui, salt, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        for path in shown {
            ui.add(egui::Label::new(RichText::new(path).size(12.0)).truncate());
        }
        self::more(more, ui, pal);
    });
}
