//! Whether what is to be removed can be removed, as far as it shows without trying.
//!
//! Invariant: changes nothing, and promises nothing: the run looks again at each item when its turn comes. That
//! another program has an item open is told where it matters (Windows).

use std::io;

use fcs_sys::{DirRef, Kind, Metadata, OsReason, RelPath, Root, reason};

use crate::identity::Numbers;
use crate::plan::{Plan, Removal};

/// How an item to be removed looks now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Access {
    /// Nothing stands against it.
    Ok,
    /// It is marked read-only, which keeps nobody from removing it where names are removed from folders (Unix).
    ReadOnly,
    /// It is gone.
    Missing,
    /// It is not what was compared, and will not be removed.
    Changed,
    /// You do not have permission to remove names from its folder.
    NoAccess,
    /// A flag keeps everybody from removing it (immutable or append-only).
    Protected,
    /// Another program has it open in a way that lets nobody remove it.
    InUse,
    /// It could not be asked.
    Unknown,
}

impl Access {
    /// In a word or two.
    pub fn words(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::ReadOnly => "read-only",
            Self::Missing => "missing",
            Self::Changed => "changed",
            Self::NoAccess => "no access",
            Self::Protected => "protected",
            Self::InUse => "in use",
            Self::Unknown => "could not be examined",
        }
    }
}

/// Looks at every item that a plan removes from these roots, in the order of [`Plan::removed`].
pub fn of_removals(plan: &Plan, roots: &[&Root]) -> Vec<Access> {
    let mut found = Vec::new();
    for folder in &plan.removals {
        let root = folder.root.of(roots).map_err(|_| io::Error::from(io::ErrorKind::NotFound));
        match root.and_then(|root| open(root, &folder.path)) {
            Ok(dir) => {
                let may_change = dir.may_change().unwrap_or(true)
                    || dir.metadata().is_ok_and(|now| crate::lift::needed(&now).is_some());
                found.extend(folder.items.iter().map(|item| of_item(item, &dir, may_change)));
            }
            Err(e) => found.extend(folder.items.iter().map(|_| of_error(&e))),
        }
    }
    found
}

fn of_error(error: &io::Error) -> Access {
    match reason(error) {
        OsReason::NotFound => Access::Missing,
        OsReason::PermissionDenied => Access::NoAccess,
        OsReason::NotAFolder | OsReason::IsALink => Access::Changed,
        OsReason::InUse => Access::InUse,
        _ => Access::Unknown,
    }
}

fn of_item(item: &Removal, dir: &DirRef, may_change: bool) -> Access {
    match dir.stat(&item.name) {
        Err(e) => of_error(&e),
        Ok(now) if !is_as_seen(item, dir, &now) => Access::Changed,
        Ok(now) if now.protection.is_some() => Access::Protected,
        Ok(_) if !may_change => Access::NoAccess,
        Ok(_) if dir.may_move(&item.name).is_err_and(|e| reason(&e) == OsReason::InUse) => Access::InUse,
        // The bits of a link mean nothing.
        Ok(now) if now.kind == Kind::File && now.attributes.is_read_only() => Access::ReadOnly,
        Ok(_) => Access::Ok,
    }
}

fn is_as_seen(item: &Removal, dir: &DirRef, now: &Metadata) -> bool {
    let now = now.fingerprint();
    now == item.expect || Numbers::of(dir).unchanged(&now, &item.expect)
}

fn open(root: &Root, path: &RelPath) -> io::Result<DirRef> {
    path.names().try_fold(DirRef::clone(&root.dir), |dir, name| dir.open_dir(&name))
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::Arc;

    use fcs_sys::open_root;

    use super::*;
    use crate::compare::{Side, compare};
    use crate::filter::Filter;
    use crate::plan::plan_orphans;
    use crate::scan::scan_pair;
    use crate::{Control, Settings};

    #[test]
    fn what_is_gone_changed_or_marked_is_told_apart() {
        let tmp = tempfile::tempdir().unwrap();
        let path = |name: &str| tmp.path().join(name);
        fs::create_dir_all(path("l")).unwrap();
        fs::create_dir_all(path("r/d")).unwrap();
        for name in ["r/changed", "r/d/in", "r/gone", "r/marked", "r/ok"] {
            fs::write(path(name), "content").unwrap();
        }
        let mut permissions = fs::metadata(path("r/marked")).unwrap().permissions();
        permissions.set_readonly(true);
        fs::set_permissions(path("r/marked"), permissions).unwrap();
        let (l, r) = (open_root(&path("l")).unwrap(), open_root(&path("r")).unwrap());
        let (settings, control) = (Settings::default(), Control::default());
        let (left, right) = scan_pair(&l, &r, &Filter::default(), &settings, &control).unwrap();
        let comparison = compare((&l, Arc::new(left)), (&r, Arc::new(right)), &settings, &control).unwrap();
        let plan = plan_orphans(&comparison, Side::Right, &|_| true, &settings);

        fs::write(path("r/changed"), "other content").unwrap();
        fs::remove_file(path("r/gone")).unwrap();
        fs::remove_file(path("r/d/in")).unwrap();
        fs::remove_dir(path("r/d")).unwrap();
        let found: Vec<_> = plan
            .removed()
            .zip(of_removals(&plan, &[&l, &r]))
            .map(|((folder, item), access)| (folder.path.join(&item.name).to_string(), access))
            .collect();
        let expected = [
            ("d/in", Access::Missing),
            ("changed", Access::Changed),
            ("d", Access::Missing),
            ("gone", Access::Missing),
            ("marked", Access::ReadOnly),
            ("ok", Access::Ok),
        ];
        assert_eq!(found, expected.map(|(name, access)| (name.to_owned(), access)));
    }

    #[cfg(windows)] // Elsewhere a file in use can be removed.
    #[test]
    fn a_file_that_another_program_keeps_is_in_use() {
        use std::os::windows::fs::OpenOptionsExt;
        const SHARE_READ: u32 = 1;
        const SHARE_DELETE: u32 = 4;
        let tmp = tempfile::tempdir().unwrap();
        for (share, expected) in [(SHARE_READ, Access::InUse), (SHARE_READ | SHARE_DELETE, Access::Ok)] {
            let path = tmp.path().join(format!("{share}"));
            fs::write(&path, "content").unwrap();
            let root = open_root(tmp.path()).unwrap();
            let name = fcs_sys::Name::new(share.to_string().as_bytes()).unwrap();
            let expect = root.dir.stat(&name).unwrap().fingerprint();
            let _held = fs::OpenOptions::new().read(true).share_mode(share).open(&path).unwrap();
            assert_eq!(
                of_item(&Removal { name, expect, protection: None, makes_way: false }, &root.dir, true),
                expected
            );
            assert_eq!(fs::remove_file(&path).is_err(), expected == Access::InUse, "as it says");
        }
    }
}
