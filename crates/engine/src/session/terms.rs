//! What a memory of two open folders is made under.
//!
//! Invariant: asks and computes; nothing is written. Two lists of patterns or settings that can lead to another
//! comparison have another digest.

use std::path::Path;

use fcs_sys::Root;

use super::{Folders, SessionError, mounts::mount_of};
use crate::compare::{Side, is_provable};
use crate::memory::{RULES, RootIdentity, Rule, Terms, identity};
use crate::settings::ContentCheck;
use crate::{Error, Op, Settings};

impl Folders {
    /// What a memory of these two is made under, with these settings.
    ///
    /// # Errors
    ///
    /// [`SessionError::Open`] where a folder or its volume cannot be asked.
    pub fn terms(&self, settings: &Settings) -> Result<Terms, SessionError> {
        let of = |side| {
            let root = self.root(side);
            root_identity(root).map_err(|error| {
                let error = Error::os(Op::Examine, root.path.clone(), error);
                SessionError::Open { side: Some(side), error }
            })
        };
        Ok(Terms {
            roots: [of(Side::Left)?, of(Side::Right)?],
            filter: self.filter_rule(settings),
            criteria: criteria_rule(settings),
            rules: RULES,
        })
    }

    /// What a memory of known content is made under; `None` where none may be made or believed: content is no criterion, or
    /// these volumes prove nothing of what became of their files, or nothing lasting is known of them, so that another disk
    /// could be taken for one of them.
    ///
    /// Whatever takes part in the comparison, what is known of a file holds. But what was read in another way does not
    /// count: who has each byte compared does not mean a digest.
    ///
    /// # Errors
    ///
    /// As for [`Folders::terms`].
    pub fn content_terms(&self, settings: &Settings) -> Result<Option<Terms>, SessionError> {
        if settings.compare_content == ContentCheck::Off
            || !self.roots().iter().all(|root| root.dir.volume().is_ok_and(|volume| is_provable(&volume)))
        {
            return Ok(None);
        }
        let Terms { roots, .. } = self.terms(settings)?;
        let filter = Rule::new(["known content"], "everything".to_owned());
        let method = settings.compare_content.to_string();
        let criteria = Rule::new(["content", &method], format!("content ({method})"));
        let is_lasting = |root: &RootIdentity| !root.is_by_path() && root.number.is_some();
        let terms = Terms { roots, filter, criteria, rules: RULES };
        Ok(terms.roots.iter().all(is_lasting).then_some(terms))
    }

    fn filter_rule(&self, settings: &Settings) -> Rule {
        let [include, exclude] = self.filter.written();
        // An empty folder may not show yet that its volume tells no case, and without patterns nothing depends on it.
        let has_patterns = !include.is_empty() || !exclude.is_empty();
        let case = if self.filter.ignores_case() && has_patterns { "any case" } else { "exact case" };
        let bounds = if settings.one_file_system { "one file system" } else { "" };
        let lists = [("include", include), ("exclude", exclude)];
        let parts = lists.iter().flat_map(|(what, patterns)| {
            // Their order does not matter.
            let mut sorted: Vec<&str> = patterns.iter().map(String::as_str).collect();
            sorted.sort_unstable();
            std::iter::once(*what).chain(sorted)
        });
        let words =
            lists.iter().flat_map(|(what, patterns)| patterns.iter().map(move |p| format!("{what} {p}")));
        let words: Vec<String> = words.chain((!bounds.is_empty()).then(|| bounds.to_owned())).collect();
        let words = if words.is_empty() { "everything".to_owned() } else { words.join(", ") };
        Rule::new(parts.chain([case, bounds]), words)
    }
}

/// Which folder a root is.
///
/// # Errors
///
/// Those of the system, asked for the folder and its volume.
pub fn root_identity(root: &Root) -> std::io::Result<RootIdentity> {
    let (facts, seen) = (root.dir.volume()?, root.dir.metadata()?);
    let volume = root.dir.volume_identity()?;
    let mount = mount_of(&root.path);
    Ok(identity(&root.path, mount.as_deref().map(Path::new), volume, &facts, &seen))
}

/// What counts as equal.
fn criteria_rule(settings: &Settings) -> Rule {
    const SETTINGS: [&str; 7] = [
        "compare_existence",
        "compare_size",
        "compare_created",
        "compare_modified",
        "compare_content",
        "time_tolerance_nanos",
        "ignore_whole_hours",
    ];
    let values = SETTINGS.map(|name| format!("{name} = {}", settings.get(name).unwrap_or_default()));
    Rule::new(values.iter().map(String::as_str), values.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::memory::OtherTerm::{Criteria, Filter, Root as OtherRoot};

    #[test]
    fn terms_are_the_same_as_long_as_folders_patterns_and_criteria_are() {
        let tmp = tempfile::tempdir().unwrap();
        let (l, r) = (tmp.path().join("l"), tmp.path().join("r"));
        for folder in [&l, &r] {
            std::fs::create_dir(folder).unwrap();
        }
        let settings = Settings::default();
        let terms = |exclude: &[&str], settings: &Settings| {
            let exclude: Vec<String> = exclude.iter().map(|&p| p.to_owned()).collect();
            Folders::open(&l, &r, &[], &exclude, settings).unwrap().terms(settings).unwrap()
        };
        let first = terms(&["*.o", "b"], &settings);
        assert_eq!(first, terms(&["b", "*.o"], &settings).clone_with_words_of(&first), "in any order");
        assert_eq!(first.filter.words, "exclude *.o, exclude b");
        assert_eq!(first.roots[0].path, fcs_sys::open_root(&l).unwrap().path);
        assert!(!first.roots[0].is(&first.roots[1]));
        let other = |terms: &Terms| terms.other_than(&first);
        assert_eq!(other(&terms(&["*.o"], &settings)), [Filter]);
        assert_eq!(
            other(&terms(&["*.o", "b"], &Settings { one_file_system: true, ..settings.clone() })),
            [Filter]
        );
        assert_eq!(
            other(&terms(&["*.o", "b"], &Settings { compare_size: false, ..settings.clone() })),
            [Criteria]
        );
        let with_case = |exclude: &[&str], ignores| {
            let exclude: Vec<String> = exclude.iter().map(|&p| p.to_owned()).collect();
            let mut folders = Folders::open(&l, &r, &[], &exclude, &settings).unwrap();
            folders.filter = crate::filter::Filter::below(&[], &[], &exclude, ignores).unwrap();
            folders.terms(&settings).unwrap().filter.digest
        };
        assert_eq!(with_case(&[], true), with_case(&[], false), "nothing depends on it");
        assert_ne!(with_case(&["*.o"], true), with_case(&["*.o"], false));
        // Renamed, it is still the same where numbers last; a new one under its name is not.
        std::fs::rename(&r, tmp.path().join("away")).unwrap();
        std::fs::create_dir(&r).unwrap();
        let now = terms(&["*.o", "b"], &settings);
        if now.roots[1].number.is_some() {
            assert_eq!(other(&now), [OtherRoot(Side::Right)]);
        }
    }

    impl Terms {
        fn clone_with_words_of(&self, other: &Self) -> Self {
            let filter = Rule { words: other.filter.words.clone(), ..self.filter.clone() };
            Self { filter, ..self.clone() }
        }
    }
}
