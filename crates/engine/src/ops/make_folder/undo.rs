//! How undo goes back on a folder.

use std::io;

use fcs_sys::Kind;

use crate::history::disk::if_there;
use crate::history::later::is_within;
use crate::history::ledger::LedgerFolder;
use crate::history::undo::{Back, is_no_folder};
use crate::history::{RecoveryAction, RecoveryItem};
use crate::progress::full_path;
use crate::{Error, ErrorKind, Op};

impl Back<'_> {
    /// Removes a folder the run made, or gives one that was there its time back.
    pub(crate) fn folder(&mut self, folder: &LedgerFolder) {
        let is_made = folder.record.before.is_none();
        if is_made && (is_within(&self.out_of_reach, &folder.path) || self.later.moved(&folder.path)) {
            let error = RecoveryItem::refusal(self.root, &folder.path, ErrorKind::ChangedSince);
            self.leave(RecoveryItem::left(folder.path.clone(), error));
            return;
        }
        let done = match &folder.record.before {
            _ if self.refused.contains(&folder.path) => Ok(None),
            // The later run gave it its time.
            Some(_) if self.is_elsewhere(&folder.path) => Ok(None),
            Some(before) => if_there(self.way.open(&folder.path)).and_then(|dir| {
                let Some(dir) = dir else { return Ok(None) };
                let now = dir.metadata()?;
                if self.judge.is_the_folder(&dir, &now, folder)? {
                    before.give_times(&*dir, &now)?;
                }
                Ok(None)
            }),
            None => self.remove_made(folder),
        };
        match done {
            Ok(action) => {
                self.found.items.extend(action.map(|action| RecoveryItem::done(folder.path.clone(), action)));
            }
            Err(e) => {
                let error = Error::os(Op::Restore, full_path(&self.root.path, &folder.path), e);
                self.refused.extend(folder.path.split().map(|(parent, _)| parent));
                self.found.items.push(RecoveryItem::left(folder.path.clone(), error));
            }
        }
    }

    /// Removes a folder that the run made. One that is not empty stays, and so does one that somebody else made.
    pub(crate) fn remove_made(&mut self, folder: &LedgerFolder) -> io::Result<Option<RecoveryAction>> {
        let Some((parent, name)) = folder.path.split() else { return Ok(None) };
        let parent = match self.open(&parent) {
            Ok(parent) => parent,
            Err(e) if is_no_folder(&e) => return Ok(None),
            Err(e) => return Err(e),
        };
        let Some(now) = if_there(parent.stat(&name))? else { return Ok(None) };
        if now.kind != Kind::Folder {
            // What it was to replace is still there, or there again.
            return if folder.made.is_some() { Err(io::ErrorKind::AlreadyExists.into()) } else { Ok(None) };
        }
        if !self.judge.is_made_by_run(self.root, folder, &parent, &now)? {
            return Ok(None);
        }
        parent.remove_dir(&name)?;
        Ok(Some(RecoveryAction::RemovedFolder))
    }
}
