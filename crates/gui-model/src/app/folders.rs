//! The two folders: named, chosen on the desktop or in the window, and compared.
//!
//! Invariant: what is typed is not asked of a disk before it is compared. This module must not know what is done with a
//! comparison.

use std::path::PathBuf;
use std::sync::Arc;

use fcs_engine::compare::Side;
use fcs_engine::error::display_path;

use super::jobs::{self, CompareRequest, JobEvent};
use super::picker::Purpose;
use super::{App, Picker, Sheet, View};
use crate::carry::Memory;
use crate::index::Index;
use crate::running::JobKind;

/// One of the two folders, as typed or chosen.
#[derive(Debug, Clone, Default)]
pub struct FolderField {
    text: String,
    /// What was chosen, where that is not UTF-8.
    chosen: Option<PathBuf>,
}

impl FolderField {
    pub(super) fn new(path: PathBuf) -> Self {
        match path.to_str() {
            Some(text) => Self { text: text.to_owned(), chosen: None },
            None => Self { text: path.to_string_lossy().into_owned(), chosen: Some(path) },
        }
    }

    /// What is in the field.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The folder.
    pub fn path(&self) -> PathBuf {
        // Paths are pasted with what surrounds them.
        let typed = self.text.trim().trim_matches('"');
        self.chosen.clone().unwrap_or_else(|| typed.into())
    }

    /// Whether nothing is in it.
    pub fn is_empty(&self) -> bool {
        self.path().as_os_str().is_empty()
    }
}

impl App {
    /// One of the two folders.
    pub fn field(&self, side: Side) -> &FolderField {
        &self.fields[side as usize]
    }

    /// The folder that is named on a side: `~` is the user's own, and a slash at the end makes no other one.
    pub fn named(&self, side: Side) -> PathBuf {
        let path = self.field(side).path();
        let below_home = path.strip_prefix("~").ok().filter(|_| self.field(side).chosen.is_none());
        let path = match (&self.home, below_home) {
            (Some(home), Some(rest)) => home.join(rest),
            _ => path,
        };
        path.components().collect()
    }

    /// Whether other folders are named than those that were compared, which is where everything happens.
    pub fn is_elsewhere(&self) -> bool {
        let named = || [Side::Left, Side::Right].map(|side| self.named(side));
        self.busy.is_none() && self.loaded().is_some_and(|loaded| loaded.asked != named())
    }

    /// Whether both folders are named, and could be compared now.
    pub fn can_compare(&self) -> bool {
        self.busy.is_none() && !self.fields.iter().any(FolderField::is_empty)
    }

    /// A folder was typed.
    pub fn set_folder_text(&mut self, side: Side, text: String) {
        self.fields[side as usize] = FolderField { text, chosen: None };
    }

    /// A folder was chosen or dropped.
    pub fn set_folder(&mut self, side: Side, path: PathBuf) {
        self.fields[side as usize] = FolderField::new(path);
    }

    /// Lets the user choose a folder.
    pub fn pick_folder(&self, side: Side) {
        let (desktop, start) = (Arc::clone(&self.desktop), self.named(side));
        let purpose = Purpose::Folder(side);
        self.jobs.start("choose a folder", move |_| {
            let start = Some(start).filter(|start| start.is_dir());
            let answer = desktop.pick_folder(purpose.title(), start.as_deref());
            JobEvent::Picked(Box::new(purpose), answer)
        });
    }

    /// Lets the user choose here, over what is open, because the desktop has no dialog.
    pub(super) fn pick_here(&mut self, purpose: Purpose, missing: String) {
        let named = match purpose {
            Purpose::Folder(side) => Some(self.named(side)).filter(|path| path.is_absolute()),
            _ => None,
        };
        let folder = named.or_else(|| self.home.clone()).unwrap_or_else(|| PathBuf::from("/"));
        let under = self.sheet.take();
        self.sheet = Some(Sheet::Pick(Picker::new(purpose, missing, folder.clone(), under)));
        self.list_to_pick(folder);
    }

    /// Lists another folder to choose from.
    pub fn list_to_pick(&mut self, folder: PathBuf) {
        let Some(Sheet::Pick(picker)) = &mut self.sheet else { return };
        picker.typed = display_path(&folder);
        picker.entries = None;
        if !picker.writes() {
            picker.name.clear();
        }
        picker.folder.clone_from(&folder);
        let request = self.requests.entries.ask();
        self.jobs.start("list a folder", move |_| JobEvent::ToPick(request, jobs::entries(&folder)));
    }

    /// Takes what is chosen in the sheet.
    pub fn take_pick(&mut self) {
        let Some(Sheet::Pick(picker)) = &self.sheet else { return };
        let Some(path) = picker.chosen() else { return };
        let purpose = picker.purpose.clone();
        self.close_sheet();
        self.chosen(purpose, path);
    }

    /// Goes on with what a path was chosen for.
    pub(super) fn chosen(&mut self, purpose: Purpose, path: PathBuf) {
        match purpose {
            Purpose::Folder(side) => self.set_folder(side, path),
            Purpose::Report(ended) => {
                let folders = self.loaded().map(|loaded| Arc::clone(&loaded.folders));
                self.jobs.start("save a report", move |_| {
                    jobs::save_report(path, &ended.report, folders.as_deref())
                });
            }
            Purpose::Save(what, _, content) => {
                self.jobs.start("save", move |_| jobs::save(what, path, &content));
            }
            Purpose::Import => {
                let file = self.file.clone();
                self.jobs.start("import settings", move |_| JobEvent::Imported(jobs::import(file, &path)));
            }
        }
    }

    /// Lets the user choose where something is saved.
    pub(super) fn pick_save(&self, purpose: Purpose) {
        let desktop = Arc::clone(&self.desktop);
        self.jobs.start("choose a file", move |_| {
            let name = purpose.file_name().unwrap_or_default();
            let answer = desktop.pick_save(purpose.title(), &name);
            JobEvent::Picked(Box::new(purpose), answer)
        });
    }

    /// Folders were dropped on the window: two fill both sides, one the side it was dropped on.
    pub fn drop_folders(&mut self, mut paths: Vec<PathBuf>, side: Side) {
        match paths.len() {
            0 => {}
            1 => self.set_folder(side, paths.remove(0)),
            _ => {
                self.set_folder(Side::Right, paths.remove(1));
                self.set_folder(Side::Left, paths.remove(0));
            }
        }
    }

    /// Exchanges the two folders.
    pub fn swap_folders(&mut self) {
        if self.busy.is_some() {
            return;
        }
        self.fields.swap(0, 1);
        if self.loaded().is_some() {
            jobs::Jobs::free_elsewhere(std::mem::replace(&mut self.view, View::Empty));
            self.unfinished.clear();
            self.count_ticks();
            self.compare();
        }
    }

    /// Looks for interrupted runs on the folders that are remembered.
    pub fn look_for_unfinished(&self) {
        let paths = [Side::Left, Side::Right].map(|side| self.named(side));
        if paths.iter().any(|path| !path.as_os_str().is_empty()) {
            self.jobs.start("look for interrupted runs", move |_| jobs::look(paths));
        }
    }

    /// Compares the two folders.
    pub fn compare(&mut self) {
        if !self.can_compare() {
            return;
        }
        let paths = [Side::Left, Side::Right].map(|side| self.named(side));
        let memory = self.loaded().filter(|loaded| loaded.asked == paths).map(|loaded| loaded.model.memory());
        self.compare_with(paths, memory, None);
    }

    /// What `before` read is not read again where nothing changed: after a run. Who asks for a comparison gets one of
    /// everything.
    pub(super) fn compare_with(
        &mut self,
        [left, right]: [PathBuf; 2],
        memory: Option<Memory>,
        before: Option<Arc<Index>>,
    ) {
        let request = CompareRequest {
            left,
            right,
            include: self.kept.include.clone(),
            exclude: self.kept.exclude.clone(),
            settings: self.settings.clone(),
            memory,
            before,
            mode: self.mode(),
            memories: self.memories.clone(),
        };
        let control = self.begin(JobKind::Compare);
        self.jobs.start("compare", move |_| jobs::compare(&request, &control));
    }
}
