//! What would keep a run from keeping its journal, found before anything is shown or agreed to.
//!
//! Invariant: nothing is written, not even to try. What cannot be found out is no obstacle: the run will say it.

use std::io;

use fcs_sys::{Access, DirRef, Kind, Metadata, Name, OsReason, Root, reason, user_name};

use super::lock::LOCK;
use super::store::{FOLDER, RUNS, UNDO};
use crate::error::{Remedy, display_path};

/// Something that stands against keeping a journal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Obstacle {
    /// What it is, and what can be done about it.
    pub text: String,
    /// The choice that makes the difference, where there is one.
    pub remedy: Option<Remedy>,
}

/// Why a journal cannot be kept on a root; `None` if nothing is known to stand against it.
pub fn obstacle(root: &Root) -> Option<Obstacle> {
    let name = Name::new(FOLDER.as_bytes()).ok()?;
    let there = root.dir.stat(&name).ok()?;
    let path = display_path(&crate::progress::full_path(&root.path, &fcs_sys::RelPath::root().join(&name)));
    let what = match there.kind {
        Kind::Folder => {
            return refused(&root.dir, &name)
                .then(|| Obstacle { text: not_ours(&path, &there), remedy: Some(Remedy::ShareFolder) });
        }
        Kind::File => "a file",
        Kind::Symlink => "a link",
        Kind::Other => "something",
    };
    let text = format!(
        "{path} is {what} that this program did not make. The journal of a run is kept in a folder of that name. Rename it \
         or move it away."
    );
    Some(Obstacle { text, remedy: None })
}

fn not_ours(path: &str, there: &Metadata) -> String {
    let owner = there.owner.map_or_else(
        || "another user".to_owned(),
        |owner| user_name(owner.user).unwrap_or_else(|| format!("user {}", owner.user)),
    );
    format!(
        "{path} belongs to {owner}, and you may not write there, so the journal of a run cannot be kept. Run as {owner}, or \
         have {owner} give your user or group the right to write in it or prune its runs, after which it is removed."
    )
}

/// Whether this user may not work in `.fcs`, as far as permissions tell.
fn refused(parent: &DirRef, name: &Name) -> bool {
    let denied = |e: &io::Error| reason(e) == OsReason::PermissionDenied;
    let fcs = match parent.open_dir(name) {
        Ok(fcs) => fcs,
        Err(e) => return denied(&e),
    };
    if fcs.may_change().is_ok_and(|may| !may) {
        return true;
    }
    let below = |name: &str| Name::new(name.as_bytes()).ok();
    let closed = |name: &str| {
        below(name).is_some_and(|name| match fcs.open_dir(&name) {
            Ok(dir) => dir.may_change().is_ok_and(|may| !may),
            Err(e) => denied(&e),
        })
    };
    let locked_out =
        below(LOCK).is_some_and(|name| fcs.open_file(&name, Access::ReadWrite).is_err_and(|e| denied(&e)));
    closed(RUNS) || closed(UNDO) || locked_out
}
