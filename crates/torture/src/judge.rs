//! What a tree may look like after a crash: every name complete old or complete new, and nothing else.
//!
//! Invariant: it judges by the testkit's listing, which shares no code with the program it judges.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

use fcs_testkit::{Item, Kind, Listing, Options, diff, listing};

/// The two states between which a run moves a tree.
#[derive(Clone, Debug)]
pub(crate) struct States {
    pub(crate) old: Listing,
    pub(crate) new: Listing,
}

/// Whether the program has had its chance to clean up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    /// Directly after the crash: names of the program's own may lie around, times of folders are not yet set.
    Crashed,
    Recovered,
}

/// What is wrong with a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Wrong {
    pub(crate) path: PathBuf,
    pub(crate) how: Deviation,
}

/// In which way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Deviation {
    /// Neither the old nor the new item is there, but something else.
    Torn,
    /// The content is the old or the new one, but not with its permissions, times and attributes.
    Attributes,
    /// Nothing is there, and neither before nor after was that so.
    Missing,
    /// A name that belongs to neither state.
    Stray,
    /// The time of a folder is neither the old nor the new one. Told apart, because a folder of which only a part was
    /// copied has no right time.
    FolderTime,
}

impl fmt::Display for Wrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let how = match self.how {
            Deviation::Torn => "neither the old nor the new item",
            Deviation::Attributes => "the content of one state, but not its attributes",
            Deviation::Missing => "missing",
            Deviation::Stray => "stray",
            Deviation::FolderTime => "folder with a time neither old nor new",
        };
        // Quoted, because names hold line ends on purpose.
        write!(f, "\"{}\": {how}", self.path.as_os_str().as_encoded_bytes().escape_ascii())
    }
}

/// Everything below `root`, with all that counts.
pub(crate) fn look(root: &Path) -> Result<Listing, String> {
    listing(root, &Options::default()).map_err(|error| said("list", root, &error))
}

/// The message of a failed access to a file by the torture itself.
pub(crate) fn said(what: &str, path: &Path, error: &io::Error) -> String {
    format!("could not {what} {}: {error}", path.display())
}

/// What a copy of `left` onto `right` ends with.
pub(crate) fn copied(left: &Listing, right: &Listing) -> Listing {
    let mut result = right.clone();
    result.extend(left.iter().map(|(path, item)| (path.clone(), item.clone())));
    result
}

impl States {
    /// What is wrong with the tree `now`.
    pub(crate) fn judge(&self, now: &Listing, when: When) -> Vec<Wrong> {
        let mut wrong = Vec::new();
        let mut tell = |path: &Path, how| wrong.push(Wrong { path: path.to_owned(), how });
        for path in self.old.keys().chain(self.new.keys().filter(|path| !self.old.contains_key(*path))) {
            let states = [self.old.get(path), self.new.get(path)];
            let found = now.get(path);
            if states.contains(&found) {
                continue;
            }
            match found {
                None => tell(path, Deviation::Missing),
                Some(found) if found.kind == Kind::Dir => {
                    let states = states.into_iter().flatten().filter(|item| item.kind == Kind::Dir);
                    if let Some(how) = folder(found, states.collect::<Vec<_>>().as_slice(), when) {
                        tell(path, how);
                    }
                }
                Some(found) => tell(path, file_or_link(found, states)),
            }
        }
        for path in now.keys() {
            let known = self.old.contains_key(path) || self.new.contains_key(path);
            let allowed = known || (when == When::Crashed && is_own(path));
            if !allowed {
                tell(path, Deviation::Stray);
            }
        }
        wrong
    }
}

fn file_or_link(found: &Item, states: [Option<&Item>; 2]) -> Deviation {
    let content = |item: &Item| (item.kind, item.content.clone(), item.target.clone());
    let whole = states.into_iter().flatten().any(|state| content(state) == content(found));
    if whole { Deviation::Attributes } else { Deviation::Torn }
}

/// A folder has no content to tear; it may wait for its permissions until the run is over.
fn folder(found: &Item, states: &[&Item], when: When) -> Option<Deviation> {
    if states.is_empty() {
        return Some(Deviation::Torn);
    }
    if when == When::Crashed {
        return None;
    }
    let but_time = |item: &Item| Item { mtime: None, ..item.clone() };
    let only_time = states.iter().any(|state| but_time(state) == but_time(found));
    Some(if only_time { Deviation::FolderTime } else { Deviation::Attributes })
}

/// Whether a path has a name the program reserves for itself.
fn is_own(path: &Path) -> bool {
    path.iter().any(|name| name.as_encoded_bytes().starts_with(b".fcs"))
}

/// What differs from `wanted`, in at most five lines; empty when nothing does.
pub(crate) fn unequal(wanted: &Listing, now: &Listing) -> Vec<String> {
    let mut lines = diff(wanted, now);
    let more = lines.len().saturating_sub(5);
    lines.truncate(5);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::trees;

    #[test]
    fn old_and_new_may_mix_and_nothing_else_may_be_there() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        let pair = trees::pair(1);
        trees::restore(&at("left"), &pair.left).unwrap();
        trees::restore(&at("right"), &pair.right).unwrap();
        let (left, right) = (look(&at("left")).unwrap(), look(&at("right")).unwrap());
        let states = States { old: right.clone(), new: copied(&left, &right) };
        assert_eq!(states.judge(&right, When::Recovered), []);

        fs::copy(at("left").join("new 1"), at("right").join("new 1")).unwrap();
        fs::write(at("right").join("replaced-1"), "").unwrap();
        fs::remove_file(at("right").join("orphan-1")).unwrap();
        fs::write(at("right").join(".fcs-1-2.part"), "").unwrap();
        fs::write(at("right").join("both/.other"), "").unwrap();
        let found = states.judge(&look(&at("right")).unwrap(), When::Crashed);
        let found: Vec<_> = found.iter().map(|wrong| (wrong.path.to_str().unwrap(), wrong.how)).collect();
        // The copied file lacks the time of its source.
        let expected = [
            ("orphan-1", Deviation::Missing),
            ("replaced-1", Deviation::Torn),
            ("new 1", Deviation::Attributes),
            ("both/.other", Deviation::Stray),
        ];
        assert_eq!(found, expected);
        let recovered = states.judge(&look(&at("right")).unwrap(), When::Recovered);
        let has = |path: &str, how| recovered.contains(&Wrong { path: path.into(), how });
        assert!(
            has(".fcs-1-2.part", Deviation::Stray) && has("both", Deviation::FolderTime),
            "{recovered:?}"
        );
    }
}
