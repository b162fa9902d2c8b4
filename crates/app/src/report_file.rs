//! The file a report is written to: checked before anything is copied, written after.
//!
//! Invariant: the report never becomes a part of what it reports on: a file inside one of the two folders is refused.

use std::path::{Path, PathBuf};

use fcs_engine::error::display_path;
use fcs_engine::report::Report;
use fcs_sys::{Nesting, Root, RootError, is_unc, nesting, open_root};
use serde::Serialize;

use crate::hints::{self, FrontEnd, ItemHint, map_a_letter};
use crate::settings_file::write_in_one_step;
use crate::user_error::{UserError, UserErrorKind};

/// Whether a file begins as our reports do; an empty one is nobody's loss.
fn is_report(path: &Path) -> bool {
    use std::io::Read;
    let mut start = String::new();
    let opened = std::fs::File::open(path).map(|file| file.take(256).read_to_string(&mut start));
    matches!(opened, Ok(Ok(_))) && (start.is_empty() || start.contains("\"fcs-report/"))
}

/// A place for a report that was found to be good.
pub struct ReportFile {
    path: PathBuf,
}

impl ReportFile {
    /// Checks the place, so that a long run does not end without its report. Leaves nothing there.
    pub fn check(path: &Path, left: &Root, right: &Root) -> Result<Self, UserError> {
        let refused = |why: &str| {
            UserError::usage(format_args!("Could not write the report {}: {why}.", display_path(path)))
        };
        if is_unc(path) {
            return Err(refused(&RootError::Unc.to_string()).hint(map_a_letter(path)));
        }
        let extension = path.extension().unwrap_or_default().to_ascii_lowercase();
        if extension == "html" || extension == "htm" || extension == "csv" {
            return Err(refused("reports are written as JSON only").hint("Choose a name that ends in .json."));
        }
        if path.is_dir() || path.file_name().is_none() {
            return Err(refused("it is a folder").hint("Choose the name of a file."));
        }
        let folder = path.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let folder = open_root(folder).map_err(|error| match error {
            RootError::Unc => refused(&error.to_string()).hint(map_a_letter(path)),
            RootError::NotAFolder => refused("the place it should be in is not a folder"),
            RootError::Io(error) => refused(&format!("its folder cannot be opened: {error}"))
                .hint("Create the folder first, or use another name."),
        })?;
        for (side, root) in [("LEFT", left), ("RIGHT", right)] {
            let inside = matches!(nesting(&folder, root), Ok(Nesting::Same | Nesting::FirstInSecond));
            if inside {
                return Err(refused(&format!("it would be inside {side} and a difference itself"))
                    .hint("Choose a file outside both folders."));
            }
        }
        let path = folder.path.join(path.file_name().unwrap_or_default());
        // A link could lead into one of the folders, and any other file may be somebody's only copy; a report is
        // something of ours to replace.
        if path.is_symlink() {
            return Err(refused("it is a link").hint("Name the file itself."));
        }
        if path.exists() && !is_report(&path) {
            return Err(refused("a file of that name is there, and it is not a report")
                .hint("Choose another name, or move that file away."));
        }
        if !path.exists() {
            let probe = path.with_file_name(format!(".fcs-probe-{}", std::process::id()));
            std::fs::File::create_new(&probe)
                .and_then(|_| std::fs::remove_file(&probe))
                .map_err(|e| refused(&e.to_string()))?;
        }
        Ok(Self { path })
    }

    /// Writes the report. A failure makes a good run one with warnings; it does not make it a failed one.
    pub fn write(&self, report: &Report, who: FrontEnd) -> Result<(), UserError> {
        let failed = |why: String| {
            UserError::new(
                UserErrorKind::Failed,
                format_args!("Could not write the report {}: {why}.", display_path(&self.path)),
            )
        };
        let mut text = serde_json::to_vec_pretty(&Content { report, hints: hints::of_report(report, who) })
            .map_err(|e| failed(e.to_string()))?;
        text.push(b'\n');
        write_in_one_step(&self.path, &text).map_err(|e| failed(e.to_string()))
    }
}

/// What is in the file: the report as the engine has it, and what to do about each item that failed.
#[derive(Serialize)]
struct Content<'a> {
    #[serde(flatten)]
    report: &'a Report,
    hints: Vec<ItemHint>,
}
