//! What recovery makes of a folder: the table of [`super`].

use std::io;

use fcs_sys::{Root, Time};

use crate::dir_cursor::DirCursor;
use crate::history::disk::Judge;
use crate::history::journal::Journal;
use crate::history::ledger::LedgerFolder;
use crate::history::undo::open_of_run;
use crate::history::{Record, RecoveryAction, RecoveryItem};
use crate::progress::full_path;
use crate::{Error, Op};

/// Finds the folders the run made before it could say so ([`Judge::is_made_by_run`]). That they are its own is durable
/// before any folder is given its looks, after which nothing else would tell: also of those of which the run said so, which
/// a power cut may still take.
pub(crate) fn adopt_folders(
    judge: &Judge,
    root: &Root,
    way: &mut DirCursor,
    folders: &mut [LedgerFolder],
    journal: &mut Journal,
    items: &mut Vec<RecoveryItem>,
) -> io::Result<()> {
    for (index, folder) in (0..).zip(folders.iter_mut()) {
        if !folder.record.create || folder.made.is_some() {
            continue;
        }
        let ours = open_of_run(way, folder).and_then(|dir| {
            let Some(dir) = dir else { return Ok(None) };
            let now = dir.metadata()?;
            Ok(judge.is_made_by_run(root, folder, &dir, &now)?.then_some(now))
        });
        match ours {
            Ok(Some(now)) => {
                folder.made = Some(now.id);
                journal.append(&Record::Made { folder: index, id: now.id });
            }
            Ok(None) => {}
            Err(e) => {
                let error = Error::os(Op::Open, full_path(&root.path, &folder.path), e);
                items.push(RecoveryItem::left(folder.path.clone(), error));
            }
        }
    }
    // Said again even if the run said so: what an interrupted writer left may end inside a block, which a power cut can
    // spoil once more when the journal grows. The next record is behind a block that is whole and durable.
    let mut made = (0..).zip(folders.iter()).filter_map(|(index, folder)| Some((index, folder.made?)));
    let Some((folder, id)) = made.next() else { return Ok(()) };
    journal.append(&Record::Made { folder, id });
    journal.sync()
}

/// Gives a folder its looks: one the run made those it was to have, any other its old time, as long as it is not
/// known to be finished.
pub(crate) fn finish_folder(
    judge: &Judge,
    root: &Root,
    way: &mut DirCursor,
    folder: &LedgerFolder,
    wanted: Option<Time>,
    items: &mut Vec<RecoveryItem>,
) {
    let looks = if folder.record.create { folder.record.wanted } else { folder.record.before };
    let Some(looks) = looks else { return };
    // The owner may not be the source's, so a program must not run as one.
    let attributes = looks.attributes.without_set_id();
    let finished = open_of_run(way, folder).and_then(|dir| {
        let Some(dir) = dir else { return Ok(false) };
        let now = dir.metadata()?;
        let is_ours = || judge.is_made_by_run(root, folder, &dir, &now);
        if folder.record.create && !(folder.made.is_some() && is_ours()?) {
            return Ok(false);
        }
        if !folder.record.create && !judge.is_the_folder(&dir, &now, folder)? {
            return Ok(false);
        }
        let apply = folder.record.create && now.attributes != attributes;
        if apply {
            dir.set_attributes(attributes)?;
        }
        // The run may have come as far as to set its time, and to say so.
        let finished = wanted == Some(now.modified);
        // One that the run made has no older time to get back, so it may only be lacking one.
        if !finished || folder.record.create {
            looks.give_times(&*dir, &now)?;
        }
        Ok(apply)
    });
    match finished {
        Ok(true) => items.push(RecoveryItem::done(folder.path.clone(), RecoveryAction::FinishedFolder)),
        Ok(false) => {}
        Err(e) => {
            let error = Error::os(Op::SetMetadata, full_path(&root.path, &folder.path), e);
            items.push(RecoveryItem::left(folder.path.clone(), error));
        }
    }
}
