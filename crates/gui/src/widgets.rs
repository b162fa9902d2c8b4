//! Controls that egui has not, or not with the looks and names that this window wants.
//!
//! Invariant: every control has an accessible name made of words; the glyph of an icon is never part of one. What can be
//! pressed is 28 points high, the one thing that a view is for 32. This module must not know what a control is for.

use egui::{
    Align2, Button, Color32, CornerRadius, FontId, Frame, Label, Margin, Rect, Response, RichText, Role,
    Sense, Stroke, StrokeKind, TextEdit, Ui, Vec2, WidgetInfo, WidgetText, pos2, vec2,
};

use crate::theme::{self, CONTROL, GRID, PRIMARY, Palette, ROUND, icon};

/// The height of a line that cannot be pressed.
const LINE: f32 = 20.0;

/// Gives a control the name that a screen reader says.
pub fn name(ui: &Ui, response: &Response, label: &str) {
    ui.accesskit_node_builder(response.id, |node| node.set_label(label));
}

/// A button with an icon and a text.
pub fn button(ui: &mut Ui, icon: &str, text: &str) -> Response {
    let response = ui.add(Button::new(labelled(icon, text)).min_size(vec2(0.0, CONTROL)));
    name(ui, &response, text);
    ring(ui, &response, ROUND);
    response
}

/// A button that is only an icon; its name is shown to whoever points at it.
pub fn icon_button(ui: &mut Ui, icon: &str, label: &str) -> Response {
    let text = RichText::new(icon).size(16.0);
    let response = ui.add(Button::new(text).min_size(Vec2::splat(CONTROL)));
    name(ui, &response, label);
    ring(ui, &response, ROUND);
    response.on_hover_text(label)
}

/// The button that a view is for; there is one of them at most. Without an icon if that is empty.
pub fn primary(ui: &mut Ui, icon: &str, text: &str) -> Response {
    filled(ui, icon, text, |palette| (palette.primary, palette.primary_hover, palette.on_primary))
}

/// The one thing that a view is for, where it cannot be undone.
pub fn danger(ui: &mut Ui, icon: &str, text: &str) -> Response {
    filled(ui, icon, text, |palette| (palette.danger, palette.danger_hover, palette.on_primary))
}

fn filled(
    ui: &mut Ui,
    icon: &str,
    text: &str,
    colours: fn(&Palette) -> (Color32, Color32, Color32),
) -> Response {
    let palette = Palette::of(ui.theme());
    let (fill, hot, ink) =
        if ui.is_enabled() { colours(&palette) } else { (palette.button, palette.button, palette.weak) };
    let shown = RichText::new(labelled(icon, text)).color(ink).family(theme::semibold());
    let response = ui
        .scope(|ui| {
            let widgets = &mut ui.visuals_mut().widgets;
            for (widget, fill) in [
                (&mut widgets.inactive, fill),
                (&mut widgets.hovered, hot),
                (&mut widgets.active, hot),
                (&mut widgets.noninteractive, fill),
            ] {
                widget.weak_bg_fill = fill;
                widget.bg_stroke = Stroke::NONE;
            }
            ui.spacing_mut().button_padding.x = 16.0;
            ui.add(Button::new(shown).min_size(vec2(0.0, PRIMARY)))
        })
        .inner;
    name(ui, &response, text);
    ring(ui, &response, ROUND);
    response
}

/// A switch for what is shown, with a count: `Show Different` to a screen reader. Whether it was pressed.
pub fn chip(ui: &mut Ui, label: &str, count: u64, icon: &str, color: Color32, on: bool) -> Response {
    let palette = Palette::of(ui.theme());
    let ink = if on { palette.text } else { palette.weak };
    let font = FontId::new(12.0, theme::medium());
    let text = format!("{label}  {}", fcs_gui_model::text::number(count));
    let galley = ui.painter().layout_no_wrap(text, font, ink);
    let (area, response) = ui.allocate_exact_size(vec2(galley.size().x + 34.0, CONTROL), Sense::click());
    let fill = if on { color.gamma_multiply(0.14) } else { Color32::TRANSPARENT };
    let line = match (response.hovered(), on) {
        (true, _) => color,
        (false, true) => color.gamma_multiply(0.6),
        (false, false) => palette.line_strong,
    };
    let round = (CONTROL / 2.0) as u8;
    let p = ui.painter();
    p.rect(area, CornerRadius::same(round), fill, Stroke::new(1.0, line), StrokeKind::Inside);
    let mark = if on { color } else { palette.weak };
    // Not by colour alone: what is off has another glyph.
    let icon = if on { icon } else { icon::EYE_SLASH };
    let at = area.left_center() + vec2(15.0, 0.0);
    p.text(at, Align2::CENTER_CENTER, icon, FontId::proportional(13.0), mark);
    let text_at = pos2(area.left() + 25.0, area.center().y - galley.size().y / 2.0);
    p.galley(text_at, galley, ink);
    ring(ui, &response, round);
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::selected(Role::CheckBox, enabled, on, format!("Show {label}")));
    response
}

/// A slim bar over the width there is, or as much of it as `width` says; `fraction` is from 0 to 1, and what a screen
/// reader is told of it is `value`.
pub fn progress(
    ui: &mut Ui,
    label: &str,
    fraction: f32,
    height: f32,
    color: Color32,
    value: &str,
) -> Response {
    let palette = Palette::of(ui.theme());
    let fraction = if fraction.is_finite() { fraction.clamp(0.0, 1.0) } else { 0.0 };
    let size = vec2(ui.available_width().max(40.0), height);
    let (area, response) = ui.allocate_exact_size(size, Sense::hover());
    let round = CornerRadius::same((height / 2.0) as u8);
    ui.painter().rect_filled(area, round, palette.line);
    if fraction > 0.0 {
        // Never shorter than its own roundness, so that the beginning is seen.
        let done = Rect::from_min_size(area.min, vec2((area.width() * fraction).max(height), height));
        ui.painter().rect_filled(done, round, color);
    }
    response.widget_info(|| {
        let mut info = WidgetInfo::labeled(Role::ProgressIndicator, true, label);
        info.value = Some(f64::from((fraction * 100.0).round()));
        info
    });
    ui.accesskit_node_builder(response.id, |node| {
        node.set_min_numeric_value(0.0);
        node.set_max_numeric_value(100.0);
        node.set_value(value);
    });
    response
}

/// One of several alternatives.
pub fn radio(ui: &mut Ui, on: bool, text: &str) -> Response {
    let palette = Palette::of(ui.theme());
    let ink = if ui.is_enabled() { palette.text } else { palette.weak };
    let galley = ui.painter().layout_no_wrap(text.to_owned(), FontId::proportional(13.0), ink);
    let (area, response) = ui.allocate_exact_size(vec2(galley.size().x + 32.0, CONTROL), Sense::click());
    let center = pos2(area.left() + 8.0, area.center().y);
    let p = ui.painter();
    if on {
        let fill = if ui.is_enabled() { palette.primary } else { palette.weak };
        p.circle_filled(center, 8.0, fill);
        p.circle_filled(center, 3.0, palette.on_primary);
    } else {
        let edge = if response.hovered() { palette.accent } else { palette.edge };
        p.circle(center, 7.5, palette.field, Stroke::new(1.0, edge));
    }
    p.galley(pos2(area.left() + 24.0, area.center().y - galley.size().y / 2.0), galley, ink);
    if response.has_focus() {
        p.circle_stroke(center, 10.5, Stroke::new(2.0, palette.accent));
    }
    let enabled = ui.is_enabled();
    response.widget_info(|| WidgetInfo::selected(Role::RadioButton, enabled, on, text));
    response
}

/// The end of a text after an ellipsis, as much of it as fits; `None` if all of it does.
pub(crate) fn end_that_fits(p: &egui::Painter, text: &str, font: &FontId, room: f32) -> Option<String> {
    if width(p, text, font.clone()) <= room {
        return None;
    }
    let starts: Vec<usize> = text.char_indices().map(|(at, _)| at).skip(1).collect();
    let shown = |at: usize| format!("…{}", &text[at..]);
    let first = starts.partition_point(|&at| width(p, &shown(at), font.clone()) > room);
    Some(starts.get(first).map_or_else(|| "…".to_owned(), |&at| shown(at)))
}

/// The width of a line of text.
pub(crate) fn width(p: &egui::Painter, text: &str, font: FontId) -> f32 {
    p.layout_no_wrap(text.to_owned(), font, Color32::PLACEHOLDER).size().x
}

/// What hangs from a button, scrolled where the window is too low for it.
pub(crate) fn hanging<R>(ui: &mut Ui, content: impl FnOnce(&mut Ui) -> R) -> R {
    let room = ui.ctx().content_rect().height() - 24.0;
    // An area that is as large as what is in it offers no room of its own.
    egui::ScrollArea::vertical().min_scrolled_height(room).max_height(room).show(ui, content).inner
}

/// Draws controls in a menu as they are elsewhere: a menu's own look has no frames, so that an empty box or field could
/// not be seen.
pub(crate) fn framed(ui: &mut Ui) {
    ui.set_style(ui.ctx().style_of(ui.theme()));
}

/// What stands above a part of a view.
pub fn heading(ui: &mut Ui, text: &str) -> Response {
    ui.add_space(GRID / 2.0);
    let response = ui.label(RichText::new(text).size(14.0).family(theme::semibold()));
    ui.accesskit_node_builder(response.id, |node| node.set_role(Role::Heading));
    response
}

/// Text of any length, over several lines if it must be.
pub fn text(ui: &mut Ui, text: impl Into<RichText>) -> Response {
    // The font's own lines stand too close for sentences.
    ui.add(Label::new(text.into().line_height(Some(18.0))).wrap())
}

/// The same, smaller and of less weight.
pub fn note(ui: &mut Ui, text: impl Into<RichText>) -> Response {
    let color = Palette::of(ui.theme()).weak;
    ui.add(Label::new(text.into().size(12.0).color(color).line_height(Some(16.0))).wrap())
}

/// Text of less weight.
pub fn weak(ui: &mut Ui, text: impl Into<String>) -> Response {
    let color = Palette::of(ui.theme()).weak;
    ui.label(RichText::new(text).size(12.0).color(color))
}

/// A line of what something is called and what it is, the latter in one column if `width` is the same for all lines.
pub fn key_value(ui: &mut Ui, width: f32, key: &str, value: impl Into<WidgetText>) -> Response {
    ui.scope(|ui| {
        // Lines of a text, not of controls.
        ui.spacing_mut().interact_size.y = LINE;
        key_value_line(ui, width, key, value)
    })
    .inner
}

fn key_value_line(ui: &mut Ui, width: f32, key: &str, value: impl Into<WidgetText>) -> Response {
    ui.horizontal(|ui| {
        let color = Palette::of(ui.theme()).weak;
        let (area, _) = ui.allocate_exact_size(vec2(width, LINE), Sense::hover());
        let mut room = ui.new_child(egui::UiBuilder::new().max_rect(area).layout(*ui.layout()));
        room.add(Label::new(RichText::new(key).color(color)).truncate());
        // Not labelled by the key: a screen reader would then say the key twice and the value never.
        ui.add(Label::new(value).wrap())
    })
    .inner
}

/// A field to search in, with its glass; the text is coloured when it is not understood.
pub fn search(
    ui: &mut Ui,
    text: &mut String,
    label: &str,
    hint: &str,
    width: f32,
    understood: bool,
) -> Response {
    let palette = Palette::of(ui.theme());
    let edit = TextEdit::singleline(text)
        .id_salt(label)
        .hint_text(RichText::new(hint).color(palette.weak))
        .prefix(RichText::new(format!("{}  ", icon::SEARCH)).color(palette.weak))
        .margin(Margin::symmetric(10, 5))
        .align(Align2::LEFT_CENTER);
    let edit = if understood { edit } else { edit.text_color(palette.bad) };
    let response = ui.add_sized(vec2(width, CONTROL), edit);
    name(ui, &response, label);
    response
}

/// A list in a box.
pub fn boxed(ui: &mut Ui, salt: &str, content: impl FnOnce(&mut Ui)) {
    let palette = Palette::of(ui.theme());
    Frame::new()
        .fill(palette.field)
        .stroke(Stroke::new(1.0, palette.line))
        .corner_radius(ROUND)
        .inner_margin(Margin::symmetric(12, 8))
        .show(ui, |ui| {
            ui.set_width(ui.available_width());
            ui.push_id(salt, content);
        });
}

/// Facts below each other, their names in one column. One that is called like the one before is not called again.
pub fn facts<'a>(ui: &mut Ui, facts: impl Iterator<Item = (&'a str, &'a str)>) {
    ui.scope(|ui| {
        ui.spacing_mut().item_spacing.y = 4.0;
        let mut before = "";
        for (name, text) in facts {
            let mut letters = name.chars();
            let first = letters.next().into_iter().flat_map(char::to_uppercase);
            let title: String = first.chain(letters).collect();
            key_value(ui, 104.0, if name == before { "" } else { &title }, text);
            before = name;
        }
    });
}

/// A glyph that says nothing which the text beside it does not say: a screen reader passes it over.
pub fn glyph(ui: &mut Ui, icon: &str, size: f32, color: Color32) {
    let (area, _) = ui.allocate_exact_size(Vec2::splat(size + 2.0), Sense::hover());
    ui.painter().text(area.center(), Align2::CENTER_CENTER, icon, FontId::proportional(size), color);
}

/// The history of a rate, the highest point named.
pub fn graph(ui: &mut Ui, points: &[f32], size: Vec2) {
    let palette = Palette::of(ui.theme());
    let (area, response) = ui.allocate_exact_size(size, Sense::hover());
    let p = ui.painter_at(area);
    p.rect(
        area,
        CornerRadius::same(ROUND),
        palette.field,
        Stroke::new(1.0, palette.line),
        StrokeKind::Inside,
    );
    let most = points.iter().copied().fold(0.0_f32, f32::max);
    let peak = format!("peak {}/s", fcs_gui_model::text::size(most as u64));
    response.widget_info(|| WidgetInfo::labeled(Role::Label, true, format!("Rate so far, {peak}")));
    if points.len() < 2 || most <= 0.0 {
        return;
    }
    let room = area.shrink2(vec2(4.0, 6.0));
    let room = Rect::from_min_max(pos2(room.left(), room.top() + 12.0), room.max);
    let step = room.width() / (points.len() - 1) as f32;
    let at = |(i, rate): (usize, &f32)| {
        pos2(room.left() + step * i as f32, room.bottom() - room.height() * rate / most)
    };
    let line: Vec<_> = points.iter().enumerate().map(at).collect();
    for pair in line.windows(2) {
        let below = |x: f32| pos2(x, room.bottom());
        let quad = vec![pair[0], pair[1], below(pair[1].x), below(pair[0].x)];
        p.add(egui::Shape::convex_polygon(quad, palette.accent.gamma_multiply(0.18), Stroke::NONE));
    }
    p.add(egui::Shape::line(line, Stroke::new(1.5, palette.accent)));
    p.text(
        area.left_top() + vec2(6.0, 3.0),
        Align2::LEFT_TOP,
        peak,
        FontId::proportional(10.0),
        palette.weak,
    );
}

fn labelled(icon: &str, text: &str) -> String {
    if icon.is_empty() { text.to_owned() } else { format!("{icon}  {text}") }
}

/// The ring of the focus, outside of the control, so that it is seen on any fill.
fn ring(ui: &Ui, response: &Response, round: u8) {
    if response.has_focus() {
        let color = Palette::of(ui.theme()).accent;
        let area = response.rect.expand(2.0);
        ui.painter().rect_stroke(area, round + 2, Stroke::new(2.0, color), StrokeKind::Inside);
    }
}
