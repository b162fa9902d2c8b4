//! What must hold of a disk after a crash.

use std::collections::BTreeSet;

use fcs_engine::Control;
use fcs_engine::history::{
    RecoverMode, RecoveryReport, RunState, StartError, list, originals, recover, undo,
};
use fcs_engine::settings::Undo;
use fcs_sys::Kind;
use fcs_testkit::sim::{Item, SimFs};

use super::cases::{Expect, Tree, root_time, tree};

/// Recovers a disk and looks at everything: names, strays, what was reported as done, the way back.
///
/// `point` is the number of operations before the crash.
pub fn check(fs: &SimFs, expect: &Expect, point: usize, how: RecoverMode) -> Result<(), String> {
    originals_are_known(fs, expect).map_err(|what| format!("before recovery: {what}"))?;
    let recoveries = recover_clean(fs, expect, how)?;
    originals_are_known(fs, expect)?;
    let found = whole(fs, expect)?;
    let state = recoveries.first().map(|recovery| recovery.state);
    match state {
        None if !found_in(&found, expect) => {
            return Err(format!("nothing to recover, and yet neither before nor after: {}", shown(&found)));
        }
        Some(RunState::RolledBack) => as_before(fs, &found, expect)?,
        Some(RunState::Recovered) if how == RecoverMode::Keep => {}
        Some(other) => return Err(format!("recovered with {how:?}, and it is {other:?}")),
        None => {}
    }
    let back = state == Some(RunState::RolledBack) || (expect.goes_back && found == expect.old);
    if !back && state.is_none_or(|_| how == RecoverMode::Keep) {
        promises(&found, expect, point)?;
    }
    let again = recover(&expect.way.root(fs), how, &Control::default()).map_err(|e| e.to_string())?;
    if !again.is_empty() {
        return Err(format!("a second recovery found something: {again:?}"));
    }
    if state == Some(RunState::RolledBack) {
        return Ok(());
    }
    way_back(fs, &found, expect, state.is_some())
}

/// What is listed as kept is there and is what was at its path, and everything that is kept is listed. Of a run that was
/// interrupted nothing is listed.
fn originals_are_known(fs: &SimFs, expect: &Expect) -> Result<(), String> {
    let root = expect.way.root(fs);
    for run in list(&root).map_err(|e| format!("list: {e}"))? {
        let listed = match (originals(&root, &run.run), run.state) {
            (Ok(listed), _) => listed,
            (Err(_), RunState::Unreadable) | (Err(StartError::Unfinished { .. }), RunState::Unfinished) => {
                continue;
            }
            (Err(e), _) => return Err(format!("originals: {e}")),
        };
        let from = listed.read_from();
        let disk = fs.snapshot();
        let store = format!(".fcs/undo/{}/", run.run);
        let ends = |name: &str, with: &str| name.rsplit_once('.').is_some_and(|(_, end)| end == with);
        let is_beside = |path: &str| path.split('/').any(|name| ends(name, "orig"));
        let mut unlisted: BTreeSet<&String> = disk
            .keys()
            .filter(|path| path.starts_with(&store) || is_beside(path))
            // What an undo displaced, and could not delete yet, is no original.
            .filter(|path| !ends(path, "new"))
            .collect();
        for original in listed {
            let (path, kept) = (original.path.to_string(), original.kept.to_string());
            let Some(now) = disk.get(&kept) else {
                return Err(format!("{path} is kept as {kept} says {from:?}, which is not there"));
            };
            let is_it = |old: &Item| {
                (old.kind, &old.bytes, &old.link) == (now.kind, &now.bytes, &now.link)
                    && original.kind == now.kind
                    && (now.kind != Kind::File || original.size == now.bytes.len() as u64)
            };
            if !get(&expect.old, &path, expect).is_some_and(is_it) {
                return Err(format!("{kept} is not what was at {path}, says {from:?}"));
            }
            unlisted.remove(&kept);
        }
        // What a run that was rolled back, or is being pruned, still has in the store is only to be deleted.
        let keeps = !matches!(run.state, RunState::RolledBack | RunState::PartlyPruned);
        if let (Some(path), true) = (unlisted.first(), keeps) {
            return Err(format!("{path} is not listed by {from:?}"));
        }
    }
    Ok(())
}

/// Recovers, without trouble.
fn recover_clean(fs: &SimFs, expect: &Expect, how: RecoverMode) -> Result<Vec<RecoveryReport>, String> {
    let recoveries =
        recover(&expect.way.root(fs), how, &Control::default()).map_err(|e| format!("recover: {e}"))?;
    if recoveries.len() > 1 || !recoveries.iter().all(RecoveryReport::is_clean) {
        return Err(format!("recovery was not clean: {recoveries:?}"));
    }
    Ok(recoveries)
}

fn found_in(found: &Tree, expect: &Expect) -> bool {
    *found == expect.old || expect.ends.contains(found)
}

/// Whether two items are the same, but for the times of folders, which are looked at by themselves.
fn same(a: &Item, b: &Item) -> bool {
    let time = if a.kind == Kind::Folder { a.modified } else { b.modified };
    (a.kind, &a.bytes, a.mode, a.modified, &a.xattrs, &a.link, a.owner)
        == (b.kind, &b.bytes, b.mode, time, &b.xattrs, &b.link, b.owner)
}

/// The first name of ours among the user's.
pub fn strays(found: &Tree) -> Option<&str> {
    found.keys().find(|path| path.split('/').any(|name| name.starts_with(".fcs"))).map(String::as_str)
}

/// The item of a path, under either spelling where that is the same.
fn get<'a>(tree: &'a Tree, path: &str, expect: &Expect) -> Option<&'a Item> {
    tree.get(path).or_else(|| {
        let mut spelled =
            tree.iter().filter(|(other, _)| expect.respelled && other.eq_ignore_ascii_case(path));
        spelled.next().map(|(_, item)| item)
    })
}

/// Every name holds its complete old or its complete new item, and nothing else is there.
pub fn whole(fs: &SimFs, expect: &Expect) -> Result<Tree, String> {
    let found = tree(fs, &expect.way);
    whole_tree(&found, expect)?;
    Ok(found)
}

pub fn whole_tree(found: &Tree, expect: &Expect) -> Result<(), String> {
    if let Some(path) = strays(found) {
        return Err(format!("stray {path}"));
    }
    for (path, item) in found {
        let (old, new) = (get(&expect.old, path, expect), get(&expect.new, path, expect));
        let matches = |wanted: Option<&Item>| wanted.is_some_and(|wanted| same(item, wanted));
        if !matches(old) && !matches(new) {
            return Err(format!("{path} is neither old nor new: {}", line(path, item)));
        }
        let time = |wanted: Option<&Item>| wanted.is_some_and(|wanted| wanted.modified == item.modified);
        if item.kind == Kind::Folder && !expect.partial && !time(old) && !time(new) {
            return Err(format!("{path} has a time of its own: {:?}", item.modified));
        }
    }
    for path in expect.old.keys() {
        if get(found, path, expect).is_none() && get(&expect.new, path, expect).is_some() {
            return Err(format!("{path} is missing"));
        }
    }
    for [from, to] in expect.moves {
        let here = [from, to].map(|path| found.contains_key(*path));
        if here[0] == here[1] {
            return Err(format!(
                "{from} is {} of its two places",
                if here[0] { "in both" } else { "in none" }
            ));
        }
    }
    for paths in expect.together {
        let is_as = |tree: &Tree| {
            paths.iter().all(|path| match (found.get(*path), tree.get(*path)) {
                (Some(now), Some(wanted)) => same(now, wanted),
                (None, None) => true,
                _ => false,
            })
        };
        if !is_as(&expect.old) && !is_as(&expect.new) {
            return Err(format!("of {paths:?} some are old and some are new"));
        }
    }
    let twice = |path: &&String| found.keys().any(|other| other != *path && other.eq_ignore_ascii_case(path));
    match found.keys().find(|path| expect.respelled && twice(path)) {
        Some(path) => Err(format!("{path} is there twice")),
        None => Ok(()),
    }
}

/// The tree is as it was, times of folders included.
fn as_before(fs: &SimFs, found: &Tree, expect: &Expect) -> Result<(), String> {
    for (path, item) in &expect.old {
        let Some(now) = found.get(path) else { return Err(format!("{path} did not come back")) };
        if now != item {
            return Err(format!("{path} is not as it was: {}", line(path, now)));
        }
    }
    if let Some(path) = found.keys().find(|path| !expect.old.contains_key(*path)) {
        return Err(format!("{path} stayed"));
    }
    let time = root_time(fs);
    if time != expect.root_time {
        return Err(format!("the root's time is {time:?}"));
    }
    Ok(())
}

/// What was reported as done is there.
fn promises(found: &Tree, expect: &Expect, point: usize) -> Result<(), String> {
    for (at, path) in expect.done.iter().filter(|(at, _)| *at <= point) {
        let (now, new) = (get(found, path, expect), get(&expect.new, path, expect));
        let kept = match (now, new) {
            // A file whose copy failed may have been renamed all the same.
            (Some(now), Some(new)) => {
                let renamed = expect.partial && expect.respelled;
                now == new || renamed && get(&expect.old, path, expect) == Some(now)
            }
            (None, None) => true,
            // The root's own times.
            _ => path.is_empty() || path == ".",
        };
        if !kept {
            return Err(format!(
                "{path} was done after operation {at}, and now it is {:?}",
                now.map(|now| line(path, now))
            ));
        }
    }
    Ok(())
}

/// Undo restores everything, unless the originals were pruned or nothing had happened.
fn way_back(fs: &SimFs, found: &Tree, expect: &Expect, recovered: bool) -> Result<(), String> {
    match undo(&expect.way.root(fs), None, &Control::default()) {
        Ok(recovery) if recovery.state == RunState::RolledBack => {
            let found = whole(fs, expect)?;
            as_before(fs, &found, expect).map_err(|what| format!("after undo: {what}"))
        }
        Ok(recovery) => Err(format!("undo was not clean: {recovery:?}")),
        Err(StartError::NothingToUndo) => {
            let pruned = expect.way.undo == Undo::Off && !recovered;
            // A change of nothing but times of folders is one too.
            if *found == expect.old || pruned {
                return Ok(());
            }
            Err("the originals are gone".into())
        }
        Err(other) => Err(format!("undo: {other}")),
    }
}

fn shown(tree: &Tree) -> String {
    tree.iter().map(|(path, item)| line(path, item)).collect::<Vec<_>>().join("\n  ")
}

fn line(path: &str, item: &Item) -> String {
    let Item { kind, bytes, mode, modified, link, .. } = item;
    let link = link.as_ref().map(|text| String::from_utf8_lossy(text).into_owned());
    format!("{path} {kind:?} {} bytes {mode:o} {modified:?} {link:?}", bytes.len())
}
