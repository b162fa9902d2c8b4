//! What a screen reader is told of a window, as text that is kept and compared: role, name, value and state of each thing
//! in the order in which it is told.
//!
//! Invariant: nothing in the text depends on the day or the machine. Where something lies is told only of a control that
//! lies where nobody can press it. This module must not know what a window is about.

use std::fmt::Write as _;

use egui::accesskit::{Role, SortDirection, Toggled};
use egui_kittest::Node;
use egui_kittest::kittest::NodeT;

/// Everything below a node, one line for each thing, deeper ones further in. `screen` is what is seen, in points.
pub fn told(root: Node<'_>, screen: egui::Rect) -> String {
    let mut text = String::new();
    add(root, screen, 0, &mut text);
    text
}

fn add(node: Node<'_>, screen: egui::Rect, depth: usize, text: &mut String) {
    let line = line(node, screen);
    let below = depth + usize::from(line.is_some());
    if let Some(line) = line {
        let _ = writeln!(text, "{:1$}{line}", "", depth * 2);
    }
    node.children().for_each(|child| add(child, screen, below, text));
}

/// A thing in words; `None` for what is only there to hold others.
fn line(node: Node<'_>, screen: egui::Rect) -> Option<String> {
    let area = node.accesskit_node().has_bounds().then(|| node.rect());
    let node = node.accesskit_node();
    let role = node.role();
    let name = node.label().unwrap_or_default();
    let holds = matches!(role, Role::GenericContainer | Role::Unknown | Role::Window | Role::ScrollView);
    // The letters of a text are told once more.
    if role == Role::TextRun || (holds && name.is_empty()) {
        return None;
    }
    let is_text = matches!(role, Role::Label | Role::Heading);
    let value = node.value();
    let name = if name.is_empty() && is_text { value.clone().unwrap_or_default() } else { name };
    let mut line = format!("{role:?}");
    if !(name.is_empty() && matches!(role, Role::Pane | Role::Menu)) {
        let _ = write!(line, " {name:?}");
    }
    if let Some(value) = value.filter(|value| !(is_text || value.is_empty() && role == Role::CheckBox)) {
        let _ = write!(line, " = {value:?}");
    }
    if let Some(number) = node.numeric_value() {
        let _ = write!(line, ", at {number:.0}");
    }
    let state = |word: &'static str, is: bool| is.then_some(word);
    let toggled = node.toggled().map(|toggled| match toggled {
        Toggled::True => "on",
        Toggled::False => "off",
        Toggled::Mixed => "some",
    });
    let expanded = node.data().is_expanded().map(|open| if open { "open" } else { "closed" });
    let sorted = node.sort_direction().map(|direction| match direction {
        SortDirection::Descending => "sorted, the last first",
        _ => "sorted",
    });
    let is_control = toggled.is_some() || matches!(role, Role::Button | Role::TextInput | Role::ComboBox);
    let out_of_reach = is_control && area.is_some_and(|area| !screen.expand(1.0).contains_rect(area));
    let states = [
        toggled,
        expanded,
        sorted,
        state("selected", node.is_selected() == Some(true)),
        state("disabled", node.is_disabled()),
        state("focused", node.is_focused()),
        state("modal", node.is_modal()),
        state("out of reach", out_of_reach),
    ];
    for word in states.into_iter().flatten() {
        let _ = write!(line, ", {word}");
    }
    Some(line)
}

/// Compares a text with the one that is kept under this name. What names a `place` is replaced, and so is what is of
/// another day or machine.
pub fn assert_told(name: &str, text: &str, place: &std::path::Path) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path("../snapshots");
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(r"\b[0-9a-f]{17}\b", "[RUN]");
    // Dates that tests give are of 2023 and 2024.
    settings.add_filter(r"\b20(2[5-9]|[3-9]\d)-\d\d-\d\d[ T]\d\d:\d\d(:\d\d)?(\.\d+)?", "[NOW]");
    settings.add_filter(r"\bin \d+\.\d+ s\b", "in [TIME]");
    settings.add_filter(r"\d[\d.,]* (B|KiB|MiB|GiB|TiB) free", "[ROOM] free");
    // One frame more or less, while something is waited for, is a tenth.
    settings.add_filter(r"\d[\d.,]* (KiB|MiB|GiB)/s    \d+:\d\d left", "[RATE]    [TIME] left");
    settings.add_filter(r"peak \d[\d.,]* (KiB|MiB|GiB)/s", "peak [RATE]");
    settings.add_filter(r"Version \d+\.\d+\.\d+", "Version [VERSION]");
    let text = text.replace(&*place.to_string_lossy(), "[PLACE]");
    settings.bind(|| insta::assert_snapshot!(name, text));
}
