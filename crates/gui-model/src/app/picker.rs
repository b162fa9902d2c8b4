//! A folder or file chosen in the window itself, where the desktop has no dialogs: a plain window manager, `ssh -X`.
//!
//! Invariant: nothing here asks a disk; a folder is listed by a job, and a list that nobody waits for any more changes
//! nothing. What would be replaced is said on the button. This module must not know what is done with a choice.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use fcs_engine::compare::Side;
use fcs_engine::error::display_path;

use super::{EndedRun, Sheet};

/// What the desktop's dialog came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DialogAnswer {
    /// This was chosen.
    Chosen(PathBuf),
    /// The user wants none.
    Cancelled,
    /// There is no dialog, because this is missing.
    Missing(String),
}

/// What a path is chosen for.
#[derive(Clone)]
pub(super) enum Purpose {
    /// A side's folder.
    Folder(Side),
    /// Where the report of a run goes.
    Report(Arc<EndedRun>),
    /// Where a text goes: what it is, the name that is proposed, and the text.
    Save(&'static str, &'static str, Vec<u8>),
    /// Which settings are read.
    Import,
}

impl Purpose {
    pub(super) fn title(&self) -> &'static str {
        match self {
            Self::Folder(Side::Left) => "Choose the left folder",
            Self::Folder(Side::Right) => "Choose the right folder",
            Self::Report(_) => "Save the report",
            Self::Save(..) => "Save",
            Self::Import => "Import settings",
        }
    }

    /// The name that a file is proposed to have, if one is to be written.
    pub(super) fn file_name(&self) -> Option<String> {
        match self {
            Self::Report(ended) => Some(format!("fcs-report-{}.json", ended.report.run)),
            Self::Save(_, name, _) => Some((*name).to_owned()),
            Self::Folder(_) | Self::Import => None,
        }
    }
}

/// An item of the folder that is listed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderEntry {
    /// Its name.
    pub name: OsString,
    /// It can be entered.
    pub folder: bool,
}

/// The sheet.
pub struct Picker {
    /// What is missing, so that this sheet is shown instead.
    pub missing: String,
    /// The folder that is listed.
    pub folder: PathBuf,
    /// What is typed as the folder.
    pub typed: String,
    /// What is in it, folders first; `None` while it is listed.
    pub entries: Option<Result<Vec<FolderEntry>, String>>,
    /// The name of the file that is written or read.
    pub name: String,
    pub(super) purpose: Purpose,
    /// The sheet that this one lies over.
    pub(super) under: Option<Box<Sheet>>,
}

impl Picker {
    pub(super) fn new(purpose: Purpose, missing: String, folder: PathBuf, under: Option<Sheet>) -> Self {
        Self {
            missing,
            typed: display_path(&folder),
            folder,
            entries: None,
            name: purpose.file_name().unwrap_or_default(),
            purpose,
            under: under.map(Box::new),
        }
    }

    /// What is asked.
    pub fn title(&self) -> &'static str {
        self.purpose.title()
    }

    /// Whether a file is chosen, not a folder.
    pub fn wants_file(&self) -> bool {
        !matches!(self.purpose, Purpose::Folder(_))
    }

    /// Whether the file is written, so that its name is typed.
    pub fn writes(&self) -> bool {
        self.purpose.file_name().is_some()
    }

    /// What the button does.
    pub fn verb(&self) -> String {
        let there = || {
            let entries = self.entries.iter().flatten().flatten();
            entries.into_iter().any(|entry| entry.name == *self.name)
        };
        match self.purpose {
            Purpose::Folder(_) => "Choose this folder".to_owned(),
            Purpose::Import => "Import".to_owned(),
            Purpose::Report(_) | Purpose::Save(..) if there() => format!("Replace {}", self.name),
            Purpose::Report(_) | Purpose::Save(..) => "Save".to_owned(),
        }
    }

    /// What is chosen now; `None` where that is nothing yet.
    pub fn chosen(&self) -> Option<PathBuf> {
        let listed = matches!(self.entries, Some(Ok(_)));
        let name = self.name.trim();
        if !listed {
            None
        } else if !self.wants_file() {
            Some(self.folder.clone())
        } else if Path::new(name).components().count() == 1 && name != ".." && name != "." {
            Some(self.folder.join(name))
        } else {
            None
        }
    }
}
