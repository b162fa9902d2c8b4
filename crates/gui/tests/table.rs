//! The paired tree, driven through what a screen reader sees of it, and compared as text and in pictures.

#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use std::path::Path;
use std::sync::Arc;

use common::{CpuRenderer, Item, Trees, assert_told, file, folder, has_icon, told};
use egui::{Key, Modifiers, Role, Theme, Ui, accesskit, pos2, vec2};
use egui_kittest::kittest::{NodeT, Queryable, by};
use egui_kittest::{Harness, SnapshotOptions, SnapshotResults};
use fcs_engine::Settings;
use fcs_engine::compare::{Comparison, RowId, Side, Verdict};
use fcs_engine::settings::ContentCheck;
use fcs_gui::table::{Context, Look, ShownColumns, Table};
use fcs_gui::theme;
use fcs_gui_model::{Column, Field, Model};
use jiff::tz::TimeZone;

struct State {
    table: Table,
    model: Model,
    context: Option<Context>,
    activated: Option<RowId>,
    rows_tick: bool,
}

impl State {
    fn new(comparison: Comparison) -> Self {
        let model = Model::new(Arc::new(comparison));
        // All that can be had, so that nothing depends on how wide a test is.
        let shown = ShownColumns { created: Some(true), digest: None, status: Some(true) };
        let mut table = Table::default();
        table.shown = shown;
        Self { table, model, context: None, activated: None, rows_tick: true }
    }

    fn ui(&mut self, ui: &mut Ui) {
        let look = Look { zone: &TimeZone::UTC, decimals: 0, access: None, rows_tick: self.rows_tick };
        let background = theme::Palette::of(ui.theme()).bg;
        ui.painter().rect_filled(ui.ctx().content_rect(), 0, background);
        let response = self.table.ui(ui, &mut self.model, &look);
        self.context = response.context.or(self.context);
        self.activated = response.activated.or(self.activated);
    }

    fn row(&self, path: &str) -> RowId {
        let comparison = self.model.rows().index().comparison();
        comparison.walk().find(|&row| comparison.path(row).as_bytes() == path.as_bytes()).unwrap()
    }

    fn ticked(&self, path: &str, side: Side) -> bool {
        self.model.selection().is_ticked(self.row(path), side)
    }
}

type Test = Harness<'static, State>;

fn trees() -> Trees {
    let left = |size, seconds| [Some(Item::File(size, seconds)), None];
    let right = |size, seconds| [None, Some(Item::File(size, seconds))];
    let differ = |a, b, seconds| [Some(Item::File(a, seconds)), Some(Item::File(b, seconds + 86_400))];
    Trees::new(&[
        ("Clients", folder()),
        ("Clients/budget_05593.jpg", file(5_580_000, 31_000)),
        ("Clients/chapter_93548.txt", file(21_474_836, 9_000_000)),
        ("Clients/chapter_98837.docx", left(6_840_000, 4_000_000)),
        ("Clients/draft_94621.xlsx", differ(8_290_000, 4_147_000, 7_000_000)),
        ("Clients/IMG_81747.flac", right(2_684_354, 5_000_000)),
        ("Clients/notes and a name that is so long that it does not fit.pdf", file(0, 0)),
        ("Archive", [Some(Item::Folder), None]),
        ("Archive/old.zip", left(12_288, 100)),
        ("Projects", folder()),
        ("Projects/Photos 001", folder()),
        ("Projects/Photos 001/данные_07078.rs", file(1234, 777)),
        ("Projects/Photos 001/résumé_03435.docx", differ(1_234_567, 1_234_567, 888)),
        ("clash", [Some(Item::Folder), Some(Item::File(5, 5))]),
        ("report.mp4", file(1, 1)),
    ])
}

fn harness_of(state: State, theme: Theme, size: egui::Vec2) -> Test {
    let mut harness = Harness::builder()
        .with_size(size)
        .with_theme(theme)
        .with_step_dt(1.0 / 60.0)
        .with_context_setup(theme::install)
        .renderer(CpuRenderer::default())
        .build_ui_state(|ui, state: &mut State| state.ui(ui), state);
    harness.run();
    harness
}

fn harness() -> Test {
    let state = State::new(trees().compare(&Settings::default()));
    let mut harness = harness_of(state, Theme::Dark, vec2(1400.0, 600.0));
    harness.state_mut().model.open_all();
    harness.run();
    harness
}

fn many(files: usize) -> Test {
    let names: Vec<String> =
        (0..files).map(|n| format!("{} {n:04}", ["alpha", "beta", "gamma"][n % 3])).collect();
    let items: Vec<_> = names.iter().map(|name| (name.as_str(), file(1, 1))).collect();
    harness_of(State::new(Trees::new(&items).compare(&Settings::default())), Theme::Dark, vec2(1200.0, 400.0))
}

fn focus(harness: &mut Test) {
    harness.get_by_label("Comparison").focus();
    harness.run();
}

fn press(harness: &mut Test, key: Key) {
    harness.key_press(key);
    harness.run();
}

#[test]
fn a_click_on_a_mark_closes_and_opens_a_folder_on_both_sides() {
    let mut h = harness();
    let before = h.state().model.rows().visible().len();
    h.get_by_label("Collapse Clients").click();
    h.run();
    assert_eq!(h.state().model.rows().visible().len(), before - 6);
    h.get_by_label("Expand Clients (right)").click();
    h.run();
    assert_eq!(h.state().model.rows().visible().len(), before);
}

#[test]
fn boxes_tick_their_own_side_and_say_so() {
    let mut h = harness();
    let ticked = |h: &Test, label: &str| {
        h.get(by().role(Role::CheckBox).label(label)).accesskit_node().toggled().unwrap()
    };
    h.get_by_label("Left Clients").click();
    h.run();
    assert!(h.state().ticked("Clients/draft_94621.xlsx", Side::Left));
    assert!(!h.state().ticked("Clients/draft_94621.xlsx", Side::Right));
    assert!(!h.state().ticked("Clients/budget_05593.jpg", Side::Left), "the same");
    assert_eq!(ticked(&h, "Left Clients"), accesskit::Toggled::True);
    h.get_by_label("Right IMG_81747.flac").click();
    h.run();
    assert!(h.state().ticked("Clients/IMG_81747.flac", Side::Right));
    assert_eq!(ticked(&h, "Right Clients"), accesskit::Toggled::Mixed, "one of two differences");
    assert_eq!(ticked(&h, "Right Projects"), accesskit::Toggled::False);
}

/// Presses the primary button in a row, on a side, so many times.
fn click_row(h: &mut Test, label: &str, side: Side, times: usize) {
    // What was pressed before is too long ago to belong to this.
    h.run_steps(60);
    let area = h.get_by_label_contains(label).rect();
    let x = if side == Side::Left { area.left() + 260.0 } else { area.right() - 100.0 };
    let pos = pos2(x, area.center().y);
    (0..times).for_each(|_| click_at(h, pos));
    h.run();
}

fn click_at(h: &mut Test, pos: egui::Pos2) {
    for pressed in [true, false] {
        let button = egui::PointerButton::Primary;
        h.event(egui::Event::PointerMoved(pos));
        h.event(egui::Event::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE });
        h.step();
    }
}

#[test]
fn a_click_anywhere_on_a_row_ticks_the_side_it_was_on_unless_only_boxes_do() {
    let mut h = harness();
    let same = "report.mp4, Same";
    for ticked in [true, false] {
        click_row(&mut h, same, Side::Right, 1);
        assert_eq!(h.state().ticked("report.mp4", Side::Right), ticked, "a row that is the same too");
        assert!(!h.state().ticked("report.mp4", Side::Left));
    }
    click_row(&mut h, "chapter_98837.docx, ", Side::Right, 1);
    assert_eq!(h.state().model.selection().count(Side::Right), 0, "there is nothing on that side");
    h.state_mut().rows_tick = false;
    click_row(&mut h, same, Side::Right, 1);
    assert!(!h.state().ticked("report.mp4", Side::Right));
    assert_eq!(h.state().model.cursor(), h.state().row("report.mp4"));
}

#[test]
fn a_double_click_opens_or_closes_a_folder_and_leaves_the_ticks_as_they_were() {
    let mut h = harness();
    h.get_by_label("Left Clients").click();
    h.run();
    h.get_by_label("Left draft_94621.xlsx").click();
    h.run();
    let before = h.state().model.selection().ticked(Side::Left).clone();
    assert!(before.count() > 0, "a folder with some of it ticked");
    let rows = h.state().model.rows().visible().len();
    for fewer in [6, 0] {
        click_row(&mut h, "Clients, ", Side::Left, 2);
        assert_eq!(h.state().model.rows().visible().len(), rows - fewer);
        assert_eq!(*h.state().model.selection().ticked(Side::Left), before);
    }
    click_row(&mut h, "report.mp4, Same", Side::Left, 2);
    assert_eq!(*h.state().model.selection().ticked(Side::Left), before);
    assert_eq!(h.state().activated, Some(h.state().row("report.mp4")));
}

#[test]
fn two_clicks_on_rows_beside_each_other_are_two_clicks() {
    let mut h = harness();
    h.run_steps(60);
    let area = h.get_by_label_contains("chapter_93548.txt, Same").rect();
    for y in [area.top() - 2.0, area.top() + 2.0] {
        click_at(&mut h, pos2(area.left() + 260.0, y));
    }
    h.run();
    for name in ["Clients/budget_05593.jpg", "Clients/chapter_93548.txt"] {
        assert!(h.state().ticked(name, Side::Left), "{name}");
    }
    assert_eq!(h.state().activated, None);
}

#[test]
fn a_row_missing_on_a_side_has_no_box_there_and_two_kinds_have_one_each() {
    let h = harness();
    assert!(h.query_by_label("Left chapter_98837.docx").is_some());
    assert!(h.query_by_label("Right chapter_98837.docx").is_none());
    let clash = h.state().row("clash");
    let comparison = h.state().model.rows().index().comparison();
    assert_eq!(comparison.row(clash).verdict, Verdict::KindClash);
    // The whole of what is of another kind can be replaced.
    assert!(h.query_by_label("Left clash").is_some() && h.query_by_label("Right clash").is_some());
    assert!(
        h.query_by_label_contains("clash, Kinds clash").is_some(),
        "and it says why nothing else ticks it"
    );
}

#[test]
fn a_click_on_a_head_sorts_and_another_one_turns_it_round() {
    let mut h = harness();
    let column = Column::Size(Side::Left);
    for (descending, direction) in
        [(false, accesskit::SortDirection::Ascending), (true, accesskit::SortDirection::Descending)]
    {
        h.get_by_label("Sort by left size").click();
        h.run();
        let sort = h.state().model.rows().sort();
        assert_eq!((sort.column, sort.descending), (column, descending));
        let head = h.get_by_label("Sort by left size");
        assert_eq!(head.accesskit_node().data().sort_direction(), Some(direction));
    }
    h.get_by_label("Sort by status").click();
    h.run();
    assert_eq!(h.state().model.rows().sort().column, Column::Status);
}

#[test]
fn keys_reach_the_last_row_and_come_back() {
    let mut h = many(300);
    focus(&mut h);
    press(&mut h, Key::End);
    let last = *h.state().model.rows().visible().last().unwrap();
    assert_eq!(h.state().model.cursor(), last);
    assert!(h.state().table.visible().contains(&300), "scrolled to");
    let tree = h.get_by_label("Comparison");
    assert_eq!(tree.accesskit_node().data().row_count(), Some(301));
    let rows = h.query_all_by_role(Role::TreeItem).count();
    assert!((10..40).contains(&rows), "only what is on the screen: {rows}");
    press(&mut h, Key::PageUp);
    press(&mut h, Key::ArrowUp);
    press(&mut h, Key::Home);
    assert_eq!(h.state().model.cursor(), Comparison::ROOT);
    assert_eq!(h.state().table.visible().start, 0);
    press(&mut h, Key::ArrowLeft);
    assert_eq!(h.state().model.rows().visible().len(), 1, "the root is closed");
    press(&mut h, Key::Enter);
    assert_eq!(h.state().model.rows().visible().len(), 301);
    h.get_by_label("Comparison").focus();
    press(&mut h, Key::ArrowDown);
    press(&mut h, Key::ArrowDown);
    press(&mut h, Key::Enter);
    assert_eq!(h.state().activated, Some(h.state().model.cursor()));
}

#[test]
fn space_ticks_on_the_side_last_clicked_and_with_shift_on_the_other() {
    let mut h = harness();
    let row = h.state().row("report.mp4");
    focus(&mut h);
    h.state_mut().model.set_cursor(row);
    press(&mut h, Key::Space);
    assert!(h.state().ticked("report.mp4", Side::Left) && !h.state().ticked("report.mp4", Side::Right));
    h.key_press_modifiers(Modifiers::SHIFT, Key::Space);
    h.run();
    assert!(h.state().ticked("report.mp4", Side::Left) && h.state().ticked("report.mp4", Side::Right));
    // A box on the right makes that the side.
    h.get_by_label("Right report.mp4").click();
    h.run();
    assert!(!h.state().ticked("report.mp4", Side::Right));
    press(&mut h, Key::Space);
    assert!(h.state().ticked("report.mp4", Side::Right));
    h.key_press_modifiers(Modifiers::CTRL, Key::Space);
    h.run();
    assert!(h.state().ticked("report.mp4", Side::Right), "with Ctrl it is the window's");
}

#[test]
fn typing_goes_to_the_next_name_that_begins_so() {
    let mut h = many(90);
    focus(&mut h);
    let name = |h: &Test| {
        let comparison = h.state().model.rows().index().comparison();
        String::from_utf8(comparison.name(h.state().model.cursor()).to_vec()).unwrap()
    };
    let letters = |h: &mut Test, text: &str| {
        for letter in text.chars() {
            h.event(egui::Event::Text(letter.to_string()));
            h.step();
        }
    };
    letters(&mut h, "Be");
    assert_eq!(name(&h), "beta 0001");
    h.run_steps(70); // more than a second
    letters(&mut h, "b");
    assert_eq!(name(&h), "beta 0004", "the next one after a pause");
    letters(&mut h, "b");
    assert_eq!(name(&h), "beta 0007", "the same letter again");
    h.run_steps(70);
    letters(&mut h, "gam");
    assert_eq!(name(&h), "gamma 0002");
    let place = h.state().model.rows().place(h.state().model.cursor()).unwrap();
    h.run();
    assert!(h.state().table.visible().contains(&place), "in sight");
}

#[test]
fn a_heads_edge_can_be_dragged_and_fits_what_is_seen_when_double_clicked() {
    let mut h = harness();
    let label = "Resize left size";
    let edge = h.get_by_label(label).rect().center();
    h.drag_at(edge);
    h.run();
    h.hover_at(edge + vec2(30.0, 0.0));
    h.run();
    h.drop_at(edge + vec2(30.0, 0.0));
    h.run();
    let width = h.state().table.widths.0[Field::Size as usize].unwrap();
    assert!((width - 110.0).abs() < 3.0, "{width}");
    let moved = h.get_by_label(label).rect().center();
    assert!(moved.x > edge.x - 1.0, "{moved} {edge}");
    for _ in 0..2 {
        for pressed in [true, false] {
            let button = egui::PointerButton::Primary;
            h.event(egui::Event::PointerMoved(moved));
            h.event(egui::Event::PointerButton { pos: moved, button, pressed, modifiers: Modifiers::NONE });
            h.step();
        }
    }
    h.run();
    let fitted = h.state().table.widths.0[Field::Size as usize].unwrap();
    assert!(fitted < 100.0, "{fitted}");
}

#[test]
fn a_heads_width_and_menu_can_be_reached_by_keys() {
    let mut h = harness();
    let width = |h: &Test| h.state().table.widths.0[Field::Size as usize];
    h.get_by_label("Sort by left size").focus();
    h.run();
    h.key_press_modifiers(Modifiers::SHIFT, Key::ArrowRight);
    h.run();
    let wider = width(&h).unwrap();
    h.key_press_modifiers(Modifiers::SHIFT, Key::ArrowLeft);
    h.run();
    assert!(width(&h).unwrap() < wider, "{wider}");
    assert!(h.get_by_label("Sort by left size").is_focused());
    h.key_press_modifiers(Modifiers::SHIFT, Key::F10);
    h.run();
    h.get_by_label("Fit the width to the content").click();
    h.run();
    assert!(width(&h).unwrap() < 100.0 && h.query_by_label("Fit the width to the content").is_none());
    press(&mut h, Key::Enter);
    assert_eq!(h.state().model.rows().sort().column, Column::Size(Side::Left));
}

#[test]
fn in_a_narrow_window_the_last_column_can_be_scrolled_to_on_both_sides() {
    let state = State::new(trees().compare(&Settings::default()));
    let mut h = harness_of(state, Theme::Dark, vec2(800.0, 300.0));
    assert!(h.query_by_label("Sort by left status").is_none(), "out of sight");
    h.event(egui::Event::PointerMoved(pos2(200.0, 100.0)));
    h.event(egui::Event::MouseWheel {
        unit: egui::MouseWheelUnit::Point,
        delta: vec2(-900.0, 0.0),
        modifiers: Modifiers::NONE,
        phase: egui::TouchPhase::Move,
        source: egui::MouseWheelSource::Wheel,
    });
    h.run_steps(60);
    for label in ["Sort by left status", "Sort by right status"] {
        assert!(h.get_by_label(label).rect().width() > 80.0, "{label}");
    }
    assert!(h.state().table.across > 0.0);
    h.get_by_label("Scroll right columns");
    focus(&mut h);
    for _ in 0..40 {
        h.key_press_modifiers(Modifiers::SHIFT, Key::ArrowLeft);
        h.run();
    }
    assert!(h.state().table.across < 0.1, "and back with keys");
}

#[test]
fn pointing_at_a_cell_shows_the_exact_value() {
    let mut h = harness();
    let row = h.get_by_label_contains("chapter_93548.txt, Same").rect();
    let point_at = |h: &mut Test, head: &str| {
        h.hover_at(pos2(h.get_by_label(head).rect().center().x, row.center().y));
        h.run_steps(90);
    };
    point_at(&mut h, "Sort by left size");
    h.get_by_label("21,474,836 bytes");
    point_at(&mut h, "Sort by right modified");
    h.get_by_label("2024-02-27 02:13:20.000000000 +00:00");
}

#[test]
fn a_right_click_reports_the_row_the_side_and_the_place() {
    let mut h = harness();
    let area = h.get_by_label_contains("report.mp4, Same").rect();
    let pos = pos2(area.right() - 100.0, area.center().y);
    for pressed in [true, false] {
        let button = egui::PointerButton::Secondary;
        h.event(egui::Event::PointerMoved(pos));
        h.event(egui::Event::PointerButton { pos, button, pressed, modifiers: Modifiers::NONE });
        h.step();
    }
    h.run();
    let row = h.state().row("report.mp4");
    assert_eq!(h.state().context, Some(Context { row, side: Side::Right, at: pos }));
    assert_eq!(h.state().model.cursor(), row);
    focus(&mut h);
    h.state_mut().context = None;
    h.key_press_modifiers(Modifiers::SHIFT, Key::F10);
    h.run();
    assert_eq!(h.state().context.map(|context| context.row), Some(row), "by key too");
}

#[test]
fn columns_can_be_hidden_by_the_menu_of_any_head() {
    let mut h = harness();
    h.get_by_label("Sort by right size").click_secondary();
    h.run();
    h.get(by().role(Role::CheckBox).label("Created")).click();
    h.run();
    assert_eq!(h.state().table.shown.created, Some(false));
    assert!(h.query_by_label("Sort by left created").is_none());
    assert!(h.query_by_label("Sort by left digest").is_none(), "there are none to show");
    h.get(by().role(Role::CheckBox).label("Digest")).click();
    h.run();
    h.get_by_label("Sort by left digest");
}

#[test]
fn everything_that_can_be_pressed_has_a_name_without_icons() {
    let mut h = harness();
    h.get_by_label("Left Clients").click();
    h.run();
    let mut boxes = 0;
    for node in h.root().children_recursive() {
        let node = node.accesskit_node();
        let label = node.label().unwrap_or_default();
        assert!(!has_icon(&label), "{label:?}");
        if node.role() == Role::CheckBox {
            boxes += 1;
            assert!(label.starts_with("Left ") || label.starts_with("Right "), "{label:?}");
        }
        if [Role::CheckBox, Role::DisclosureTriangle, Role::ColumnHeader, Role::TreeItem]
            .contains(&node.role())
        {
            assert!(!label.is_empty(), "{:?}", node.role());
        }
    }
    assert!(boxes > 20, "{boxes}");
}

#[test]
fn a_name_cannot_pass_for_another() {
    let trees = Trees::new(&[("holiday\u{202e}gpj.exe", file(1, 1))]);
    let h = harness_of(State::new(trees.compare(&Settings::default())), Theme::Dark, vec2(1400.0, 300.0));
    h.get_by_label("Left holiday\\u{202e}gpj.exe");
    for node in h.root().children_recursive() {
        let label = node.accesskit_node().label().unwrap_or_default();
        assert!(!label.contains('\u{202e}'), "{label:?}");
    }
}

#[test]
fn digests_are_shown_where_there_are_any() {
    let trees = Trees::new(&[("a", file(3000, 1))]);
    let settings = Settings { compare_content: ContentCheck::Blake3, ..Settings::default() };
    let mut h = harness_of(State::new(trees.compare(&settings)), Theme::Dark, vec2(1900.0, 300.0));
    h.get_by_label("Sort by right digest").click();
    h.run();
    assert_eq!(h.state().model.rows().sort().column, Column::Digest(Side::Right));
}

/// Trees whose times and paths do not change from run to run.
fn fixed() -> State {
    let mut comparison = trees().compare(&Settings::default());
    for (side, path) in [(&mut comparison.left, "D:/Projects"), (&mut comparison.right, "Z:/Backup/Projects")]
    {
        Arc::get_mut(side).unwrap().root_path = path.into();
    }
    let mut state = State::new(comparison);
    state.table.shown.created = Some(false);
    state.model.open_all();
    state
}

/// With a row ticked, and another one half.
fn ticked(theme: Theme, size: egui::Vec2, scale: f32) -> Test {
    let mut h = harness_of(fixed(), theme, size);
    h.set_pixels_per_point(scale);
    h.run();
    h.get_by_label("Left chapter_98837.docx").click();
    h.run();
    h.get_by_label("Left draft_94621.xlsx").click();
    h.run();
    // The pointer elsewhere, so that nothing depends on where the box was.
    h.hover_at(pos2(300.0, 30.0 + 26.0 * 5.5));
    h.run();
    h
}

#[test]
fn every_row_is_told_with_its_verdict_and_its_boxes() {
    let h = ticked(Theme::Dark, vec2(1100.0, 420.0), 1.0);
    assert_told("table", &told(h.root(), h.ctx.content_rect()), Path::new("/nowhere"));
}

#[test]
fn pictures() {
    let mut results = SnapshotResults::new();
    for (theme, name, size, scale) in [
        (Theme::Dark, "table_dark", vec2(800.0, 300.0), 1.0),
        (Theme::Light, "table_double", vec2(1000.0, 560.0), 2.0),
    ] {
        let mut h = ticked(theme, size, scale);
        h.snapshot_options(name, &SnapshotOptions::new().threshold(1.0).max_failed_pixels(20));
        results.extend_harness(&mut h);
    }
}
