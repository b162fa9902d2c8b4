//! The sheet about dates: what the row's item has on each side, which items are meant, what is done, and the list of it.
//!
//! Invariant: the button that sets dates is there only below the list of them. This module must not know how dates are
//! looked at or set.

use egui::{Align, Context, RichText, ScrollArea, TextEdit, Ui, vec2};
use fcs_engine::compare::Side;
use fcs_gui_model::app::{ShownTimes, TimesList, TimesSheet, TimesStage, TimesTask};
use fcs_gui_model::text;

use super::SheetRequest;
use crate::sheet::{self, Size};
use crate::theme::{self, CONTROL, Palette, icon};
use crate::widgets::{self, name};

/// The room that the names of lines have.
const NAMES: f32 = 104.0;
/// The height of a line of the list.
const LINE: f32 = 18.0;

/// Draws it.
pub(crate) fn show(times: &TimesSheet, idle: bool, ctx: &Context, pal: &Palette) -> Option<SheetRequest> {
    sheet::frame(
        ctx,
        pal,
        "Times",
        Size { width: 760.0, height: None },
        |ui| body(times, ui, pal),
        |ui| {
            let mut request = None;
            let sets = matches!(times.stage, TimesStage::Planned(_));
            let glyph = if sets { icon::CLOCK } else { icon::EYE };
            ui.add_enabled_ui(idle && times.may_go_on(), |ui| {
                if widgets::primary(ui, glyph, &times.verb()).clicked() {
                    request = Some(SheetRequest::GoOnWithTimes);
                }
            });
            if widgets::button(ui, icon::X, "Cancel").clicked() {
                request = Some(SheetRequest::Close);
            }
            if let Some(obstacle) = times.obstacle().filter(|_| idle) {
                let text = RichText::new(obstacle).color(pal.weak).size(12.0);
                ui.add(egui::Label::new(text).wrap().halign(Align::RIGHT));
            }
            request
        },
    )
}

fn body(times: &TimesSheet, ui: &mut Ui, pal: &Palette) -> Option<SheetRequest> {
    let mut request = None;
    ui.add(egui::Label::new(RichText::new(&times.name).family(theme::medium())).truncate());
    shown(times, ui, pal);
    ui.add_space(4.0);
    let is_free = !matches!(times.stage, TimesStage::Working);
    ui.add_enabled_ui(is_free, |ui| {
        request = scopes(times, ui, pal).or(request.take());
        request = tasks(times, ui, pal).or(request.take());
        if let TimesTask::Set(_) = times.task() {
            request = typed(times, ui, pal).or(request.take());
        }
    });
    let listed = ui.scope(|ui| times.list().map(|found| list(found, ui, pal)));
    // In a low window it would be there unseen.
    let was_listed = ui.data_mut(|data| {
        std::mem::replace(
            data.get_temp_mut_or_default::<bool>(egui::Id::unique("times listed")),
            listed.inner.is_some(),
        )
    });
    if listed.inner.is_some() && !was_listed {
        ui.scroll_to_rect(listed.response.rect, Some(Align::Max));
    }
    request
}

/// The dates of the item on each side.
fn shown(times: &TimesSheet, ui: &mut Ui, pal: &Palette) {
    widgets::boxed(ui, "dates", |ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        for (side, shown) in ["Left", "Right"].into_iter().zip(&times.sides) {
            let Some(ShownTimes { modified, created }) = shown else {
                widgets::key_value(ui, NAMES, side, RichText::new("not there").color(pal.weak));
                continue;
            };
            widgets::key_value(ui, NAMES, &format!("{side} modified"), modified.as_str());
            let none = RichText::new("not stored by this volume").color(pal.weak);
            let created = created.as_ref().map_or(none, RichText::new);
            widgets::key_value(ui, NAMES, &format!("{side} created"), created);
        }
    });
}

/// A line that begins with what it is about.
fn line<R>(ui: &mut Ui, pal: &Palette, words: &str, content: impl FnOnce(&mut Ui) -> R) -> R {
    ui.horizontal_wrapped(|ui| {
        ui.spacing_mut().item_spacing.y = 0.0;
        let label = egui::Label::new(RichText::new(words).color(pal.weak));
        ui.allocate_ui_with_layout(
            vec2(NAMES + 12.0, CONTROL),
            egui::Layout::left_to_right(Align::Center),
            |ui| {
                ui.set_min_width(NAMES + 12.0);
                ui.add(label);
            },
        );
        content(ui)
    })
    .inner
}

fn scopes(times: &TimesSheet, ui: &mut Ui, pal: &Palette) -> Option<SheetRequest> {
    let mut request = None;
    line(ui, pal, "Items", |ui| {
        for choice in &times.scopes {
            if widgets::radio(ui, times.scope() == choice.scope, &choice.words).clicked() {
                request = Some(SheetRequest::TimesOf(choice.scope));
            }
        }
    });
    if let Some(note) =
        times.scopes.iter().find(|choice| choice.scope == times.scope()).and_then(|it| it.note.as_ref())
    {
        widgets::note(ui, note);
    }
    request
}

fn tasks(times: &TimesSheet, ui: &mut Ui, pal: &Palette) -> Option<SheetRequest> {
    let mut request = None;
    let both = ["from left to right", "from right to left"];
    let lines = [
        ("Copy times", both, [TimesTask::Copy(Side::Left), TimesTask::Copy(Side::Right)], ""),
        (
            "Repair times",
            both,
            [TimesTask::Repair(Side::Left), TimesTask::Repair(Side::Right)],
            "only of files whose content is equal; both are read",
        ),
        (
            "Set times",
            ["on the left", "on the right"],
            [TimesTask::Set(Side::Left), TimesTask::Set(Side::Right)],
            "",
        ),
    ];
    for (words, choices, tasks, note) in lines {
        line(ui, pal, words, |ui| {
            for (choice, task) in choices.into_iter().zip(tasks) {
                request = radio(times, ui, task, choice, &format!("{words} {choice}")).or(request.take());
            }
            if !note.is_empty() {
                widgets::weak(ui, note);
            }
        });
    }
    line(ui, pal, "Verify times", |ui| {
        request =
            radio(times, ui, TimesTask::Verify, "compare both sides now", "Verify times").or(request.take());
    });
    request
}

fn radio(times: &TimesSheet, ui: &mut Ui, task: TimesTask, words: &str, label: &str) -> Option<SheetRequest> {
    ui.add_enabled_ui(times.can(task), |ui| {
        let radio = widgets::radio(ui, times.task() == task, words);
        name(ui, &radio, label);
        radio.clicked().then_some(SheetRequest::TimesTask(task))
    })
    .inner
}

fn typed(times: &TimesSheet, ui: &mut Ui, pal: &Palette) -> Option<SheetRequest> {
    let mut request = None;
    for (which, label) in ["Modified", "Created"].into_iter().enumerate() {
        line(ui, pal, label, |ui| {
            let mut text = times.typed()[which].clone();
            let edit = TextEdit::singleline(&mut text)
                .hint_text(RichText::new("stays; or 2026-11-22T10:00:00+01:00, now").color(pal.weak))
                .margin(egui::Margin::symmetric(8, 5))
                .align(egui::Align2::LEFT_CENTER);
            let field = ui.add_sized(vec2(320.0, CONTROL), edit);
            name(ui, &field, &format!("{label} time to set"));
            if field.changed() {
                request = Some(SheetRequest::TimesTyped(which, text));
            }
        });
    }
    request
}

fn list(found: &TimesList, ui: &mut Ui, pal: &Palette) {
    ui.add_space(4.0);
    widgets::facts(ui, found.facts.iter().map(|fact| (fact.name, fact.text.as_str())));
    for note in &found.notes {
        ui.horizontal_top(|ui| {
            widgets::glyph(ui, icon::INFO, 16.0, pal.warn);
            widgets::text(ui, note);
        });
    }
    if found.items.is_empty() {
        return;
    }
    ui.add_space(4.0);
    widgets::boxed(ui, "times", |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        let more = usize::from(found.more > 0);
        let area = ScrollArea::vertical().id_salt("times").max_height(190.0).auto_shrink([false, true]);
        area.show_rows(ui, LINE, found.items.len() + more, |ui, rows| {
            for at in rows {
                let Some((path, words)) = found.items.get(at) else {
                    widgets::weak(ui, format!("… and {} more", text::number(found.more)));
                    continue;
                };
                ui.horizontal(|ui| {
                    ui.set_height(LINE - 2.0);
                    let part = (ui.available_width() * 0.3).floor();
                    ui.allocate_ui(vec2(part, LINE - 2.0), |ui| {
                        ui.set_min_width(part);
                        ui.add(egui::Label::new(RichText::new(path).size(12.0)).truncate());
                    });
                    let text = RichText::new(words).size(12.0).color(pal.weak);
                    ui.add(egui::Label::new(text).truncate()).on_hover_text(format!("{path}\n{words}"));
                });
            }
        });
    });
}
