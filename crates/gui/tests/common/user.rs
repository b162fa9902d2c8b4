//! What a user does at the window and reads on it, by the names that a screen reader says, and folders to do it on.

use std::fs;

use egui::{Key, Modifiers, OutputCommand, Role, Theme, vec2};
use egui_kittest::Node;
use egui_kittest::kittest::NodeT;
use fcs_engine::compare::{RowId, Side};
use fcs_engine::report::RunResult;
use fcs_engine::run::RunOptions;
use fcs_engine::session::{Folders, Limits, Task};
use fcs_engine::{Control, Settings};
use fcs_gui_model::app::Sheet;
use fcs_testkit::{Options, listing};

use super::Bench;

pub const ALT: Modifiers = Modifiers::ALT;
pub const CTRL: Modifiers = Modifiers::COMMAND;
pub const NONE: Modifiers = Modifiers::NONE;
pub const SHIFT: Modifiers = Modifiers::SHIFT;

/// What is read of a node: its name, or of a text the text.
pub fn name_of(node: Node<'_>) -> String {
    let node = node.accesskit_node();
    let is_text = matches!(node.role(), Role::Label | Role::Heading);
    node.label().or_else(|| node.value().filter(|_| is_text)).unwrap_or_default()
}

/// What a user can do, and see.
impl Bench {
    pub fn usual() -> Self {
        Self::new(vec2(1280.0, 800.0), Theme::Dark)
    }

    /// What is meant by a name: of two the one that lies above, which is drawn later.
    pub fn find(&self, role: Role, label: &str) -> Option<Node<'_>> {
        self.h
            .root()
            .children_recursive()
            .filter(|node| node.accesskit_node().role() == role && name_of(*node) == label)
            .last()
    }

    pub fn get(&self, role: Role, label: &str) -> Node<'_> {
        self.find(role, label).unwrap_or_else(|| panic!("no {role:?} {label:?} among {:#?}", self.all()))
    }

    pub fn press(&mut self, role: Role, label: &str) {
        if self.app().sheet.is_some() {
            // As long as a person looks; before that a click on a sheet's foot does not count.
            self.h.run_steps(45);
        }
        self.get(role, label).click();
        self.h.run();
    }

    pub fn button(&mut self, label: &str) {
        self.press(Role::Button, label);
    }

    /// Presses a button as a screen reader does, and draws no more than needed to see what it did.
    pub fn at_once(&mut self, label: &str) {
        self.get(Role::Button, label).click_accesskit();
        self.h.step();
        self.h.step();
    }

    pub fn tick(&mut self, label: &str) {
        self.press(Role::CheckBox, label);
    }

    pub fn is_enabled(&self, label: &str) -> bool {
        !self.get(Role::Button, label).accesskit_node().is_disabled()
    }

    /// Presses a button and says what it put into the clipboard.
    pub fn copied(&mut self, label: &str) -> Option<String> {
        self.get(Role::Button, label).click();
        self.h.step();
        let commands = self.h.output().platform_output.commands.clone();
        self.h.run();
        commands.into_iter().find_map(|command| match command {
            OutputCommand::CopyText(text) => Some(text),
            _ => None,
        })
    }

    pub fn key(&mut self, modifiers: Modifiers, key: Key) {
        self.h.key_press_modifiers(modifiers, key);
        self.h.run();
    }

    /// Types into a field instead of what is in it.
    pub fn type_into(&mut self, label: &str, text: &str) {
        self.press(Role::TextInput, label);
        self.key(CTRL, Key::A);
        if text.is_empty() {
            self.key(NONE, Key::Backspace);
        } else {
            self.get(Role::TextInput, label).type_text(text);
            self.h.run();
        }
    }

    /// Everything that is read on the screen.
    pub fn all(&self) -> Vec<String> {
        self.h.root().children_recursive().map(name_of).filter(|name| !name.is_empty()).collect()
    }

    pub fn says(&self, part: &str) -> bool {
        self.all().iter().any(|name| name.contains(part))
    }

    pub fn focused(&self) -> Option<String> {
        self.h.root().children_recursive().find(|node| node.accesskit_node().is_focused()).map(name_of)
    }

    pub fn listing(&self, name: &str) -> String {
        format!("{:#?}", listing(&self.path(name), &Options::default()).unwrap())
    }

    pub fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub fn compare(&mut self) {
        self.key(NONE, Key::F5);
        self.idle();
    }

    pub fn planned(&mut self) {
        self.until("a plan", |app| matches!(&app.sheet, Some(Sheet::Confirm(c)) if c.proposed.is_some()));
    }

    pub fn ended(&mut self) {
        self.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_) | Sheet::UserError(_))));
        self.idle();
        assert!(matches!(self.app().sheet, Some(Sheet::Ended(_))), "{:#?}", self.all());
    }

    pub fn looked(&mut self) {
        self.until("a look", |app| matches!(&app.sheet, Some(Sheet::Orphans(o)) if o.access.is_some()));
    }

    pub fn asked_undo(&mut self) {
        self.until("a question", |app| matches!(app.sheet, Some(Sheet::AskUndo { .. })));
    }

    pub fn recovered_runs(&mut self) {
        self.until("a recovery", |app| matches!(app.sheet, Some(Sheet::Done(_))));
        self.idle();
    }

    /// Copies all differences to the right.
    pub fn copy_all(&mut self, button: &str, verb: &str) {
        self.button("Tick all differences on the left");
        self.button(button);
        self.planned();
        self.button(verb);
    }

    pub fn cursor(&self) -> String {
        let model = &self.app().loaded().unwrap().model;
        model.rows().index().comparison().path(model.cursor()).to_string()
    }

    pub fn visible(&self) -> Vec<RowId> {
        self.app().loaded().unwrap().model.rows().visible().to_vec()
    }
}

/// Of every kind of row one or two; the dates of folders are the same on both sides.
pub fn small() -> Bench {
    with_small(Bench::usual())
}

/// The same in another window.
pub fn with_small(bench: Bench) -> Bench {
    bench.write("left/new.txt", 3, 1);
    bench.write("left/sub/changed.txt", 13, 2);
    bench.write("right/sub/changed.txt", 19, 3);
    bench.write("left/sub/same.txt", 5, 4);
    bench.write("right/sub/same.txt", 5, 4);
    let content = fs::read(bench.path("left/sub/same.txt")).unwrap();
    fs::write(bench.path("right/sub/same.txt"), content).unwrap();
    bench.date("right/sub/same.txt", 4);
    bench.write("right/only here.txt", 5, 5);
    ["left/sub", "right/sub", "left", "right"].iter().for_each(|folder| bench.date(folder, 9));
    bench
}

pub fn with_orphans() -> Bench {
    with_more_orphans(small())
}

/// Four files more that only the left side has.
pub fn with_more_orphans(bench: Bench) -> Bench {
    for n in 0..4 {
        bench.write(&format!("left/old/{n}.txt"), 10, n);
    }
    ["left", "right", "left/old"].iter().for_each(|folder| bench.date(folder, 9));
    bench
}

/// Leaves a run behind whose journal has no end: its last record is cut off.
pub fn interrupt_a_run(bench: &Bench) {
    let settings = Settings::default();
    let folders = Folders::open(bench.path("left"), bench.path("right"), &[], &[], &settings).unwrap();
    let control = Control::default();
    let comparison = folders.compare(&settings, &control).unwrap();
    let task = Task::Copy(Side::Right);
    let proposal = folders.propose(task, &comparison, &|_| true, &settings, &Limits::default());
    let report = folders.run(&proposal, &settings, &RunOptions::default(), &control).unwrap();
    assert_eq!(report.result, RunResult::Completed);
    let journal = bench.path(&format!("right/.fcs/runs/{}.journal", report.run));
    let content = fs::read(&journal).unwrap();
    let end = content.iter().rposition(|&byte| byte != 0).unwrap() + 1;
    // The record of the end is the last; without its last bytes its checksum is wrong, as after a power cut.
    fs::OpenOptions::new().write(true).open(&journal).unwrap().set_len(end as u64 - 3).unwrap();
}
