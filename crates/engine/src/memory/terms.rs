//! What a memory was made under: which two folders, and by which rules. Under other terms it says nothing.
//!
//! Invariant: two roots count as one folder only where something says so that outlasts a mount; where nothing does, the
//! path is all there is, and [`RootIdentity::is_by_path`] says so. This module must not know where a memory is kept.

use std::path::{Path, PathBuf};

use fcs_sys::{FileId, Time};
use serde::{Deserialize, Serialize};

use crate::compare::Side;
use crate::error::display_path;

/// The rules by which this version of the program remembers. It grows when what is remembered means something else.
pub const RULES: u32 = 1;

/// Which folder a root is, so that it is known again wherever its volume is mounted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RootIdentity {
    /// Its absolute path now.
    #[serde(with = "fcs_sys::exact_path")]
    pub path: PathBuf,
    /// Its path below what is mounted there, empty for the top of a volume; the absolute one where that is not known.
    #[serde(with = "fcs_sys::exact_path")]
    pub below: PathBuf,
    /// What its volume is known by when it comes again; see [`fcs_sys::VolumeIdentity`].
    pub volume: Option<String>,
    /// Its own number, both halves, where numbers last.
    pub number: Option<[u64; 2]>,
    /// When it was made, where no program can set that: a number is given again when its folder is gone.
    pub made: Option<Time>,
    /// The file system's name.
    pub file_system: String,
    /// The number of its volume while that is mounted ([`FileId::volume`]). No part of what it is known by: stamps of
    /// another mount are read with it.
    pub device: u64,
}

impl RootIdentity {
    /// Whether this is the same folder as `other`, whatever led to it.
    ///
    /// By the number where numbers last, else by the path below the mount. On volumes that nothing is known of, the
    /// absolute path must be the same as well.
    pub fn is(&self, other: &Self) -> bool {
        if self.volume != other.volume || self.volume.is_none() && self.path != other.path {
            return false;
        }
        match (self.number, other.number) {
            (Some(a), Some(b)) => a == b && self.made.zip(other.made).is_none_or(|(a, b)| a == b),
            (None, None) => self.below == other.below,
            _ => false,
        }
    }

    /// Whether nothing lasting is known of the volume, so that another one at the same path would be taken for it.
    pub fn is_by_path(&self) -> bool {
        self.volume.is_none()
    }

    /// In words, why a folder at the same path is not this one; `None` where it is.
    pub fn unlike(&self, other: &Self) -> Option<String> {
        if self.is(other) {
            return None;
        }
        let path = display_path(&other.path);
        Some(if self.path != other.path && self.below != other.below {
            format!("{path} is another folder")
        } else if self.volume != other.volume {
            format!("{path} is on another volume")
        } else {
            format!("{path} is another folder than the one that was there")
        })
    }
}

/// A rule, to be compared and to be shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// BLAKE3 of all that makes it.
    pub digest: [u8; 32],
    /// In words.
    pub words: String,
}

impl Rule {
    /// Of parts, whose order counts, and their words.
    pub fn new<'a>(parts: impl IntoIterator<Item = &'a str>, words: String) -> Self {
        let mut hasher = blake3::Hasher::new();
        for part in parts {
            // With its length, so that no two lists are one text.
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
        Self { digest: hasher.finalize().into(), words }
    }
}

/// What a memory was made under.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Terms {
    /// Left and right.
    pub roots: [RootIdentity; 2],
    /// What takes part.
    pub filter: Rule,
    /// What counts as equal.
    pub criteria: Rule,
    /// [`RULES`] of the program that made it.
    pub rules: u32,
}

/// Which of the terms is another one now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum OtherTerm {
    /// A root is another folder.
    Root(Side),
    /// Other items take part.
    Filter,
    /// Something else counts as equal.
    Criteria,
    /// Another version of the program made it.
    Rules,
}

impl Terms {
    /// What is not as it was in `before`; nothing if that memory holds.
    pub fn other_than(&self, before: &Self) -> Vec<OtherTerm> {
        let sides = [Side::Left, Side::Right].into_iter().zip(self.roots.iter().zip(&before.roots));
        let roots = sides.filter(|(_, (now, was))| !now.is(was)).map(|(side, _)| OtherTerm::Root(side));
        let rules = [
            (self.filter.digest != before.filter.digest).then_some(OtherTerm::Filter),
            (self.criteria.digest != before.criteria.digest).then_some(OtherTerm::Criteria),
            (self.rules != before.rules).then_some(OtherTerm::Rules),
        ];
        roots.chain(rules.into_iter().flatten()).collect()
    }

    /// With left and right exchanged.
    #[must_use]
    pub fn mirrored(mut self) -> Self {
        self.roots.swap(0, 1);
        self
    }
}

/// What is known of the folder with this metadata and path, for whoever can ask the system.
pub(crate) fn identity(
    path: &Path,
    mount: Option<&Path>,
    volume: Option<String>,
    facts: &fcs_sys::VolumeFacts,
    seen: &fcs_sys::Metadata,
) -> RootIdentity {
    let below = mount.and_then(|mount| path.strip_prefix(mount).ok()).unwrap_or(path);
    let FileId { file, file_high, .. } = seen.id;
    RootIdentity {
        path: path.to_owned(),
        below: below.to_owned(),
        volume,
        number: facts.lasting_numbers.then_some([file, file_high]),
        made: seen.created.filter(|_| facts.created == fcs_sys::CreatedTime::ReadOnly),
        file_system: facts.file_system.clone(),
        device: seen.id.volume,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> RootIdentity {
        RootIdentity {
            path: "/mnt/a/photos".into(),
            below: "photos".into(),
            volume: Some("uuid:1".into()),
            number: Some([7, 0]),
            made: Some(Time::new(5, 0)),
            file_system: "ext4".into(),
            device: 1,
        }
    }

    #[test]
    fn a_folder_is_the_same_one_wherever_its_disk_is_mounted_and_no_other_one_is() {
        let it = root();
        assert!(
            it.is(&RootIdentity { path: "/media/b/photos".into(), device: 9, ..root() }),
            "mounted elsewhere"
        );
        assert!(
            it.is(&RootIdentity { below: "pictures".into(), path: "/mnt/a/pictures".into(), ..root() }),
            "renamed"
        );
        let volume = |volume: &str| RootIdentity { volume: Some(volume.into()), ..root() };
        for (other, why) in [
            (volume("uuid:2"), "is on another volume"),
            (RootIdentity { volume: None, ..root() }, "is on another volume"),
            (RootIdentity { number: Some([8, 0]), ..root() }, "than the one that was there"),
            (RootIdentity { number: None, ..root() }, "than the one that was there"),
            (RootIdentity { made: Some(Time::new(6, 0)), ..root() }, "than the one that was there"),
        ] {
            assert!(!it.is(&other) && !other.is(&it), "{other:?}");
            assert!(it.unlike(&other).unwrap().ends_with(why), "{:?}", it.unlike(&other));
        }
        assert_eq!(it.unlike(&root()), None);
    }

    #[test]
    fn where_numbers_do_not_last_the_path_on_the_volume_counts() {
        let fat = RootIdentity { number: None, made: None, ..root() };
        assert!(fat.is(&RootIdentity { path: "/media/b/photos".into(), ..fat.clone() }));
        assert!(!fat.is(&RootIdentity { below: "pictures".into(), ..fat.clone() }));
    }

    #[test]
    fn where_nothing_is_known_of_the_volume_the_path_is_all_there_is() {
        let share = RootIdentity { volume: None, ..root() };
        assert!(share.is_by_path() && !root().is_by_path());
        assert!(share.is(&share.clone()));
        assert!(!share.is(&RootIdentity { path: "/media/b/photos".into(), ..share.clone() }));
        assert!(!share.is(&RootIdentity { number: Some([8, 0]), ..share.clone() }), "replaced");
    }

    #[test]
    fn other_terms_are_named() {
        let rule = |text: &str| Rule::new([text], text.into());
        let terms = Terms { roots: [root(), root()], filter: rule("f"), criteria: rule("c"), rules: RULES };
        assert_eq!(terms.other_than(&terms), []);
        let other_root = RootIdentity { number: Some([8, 0]), ..root() };
        let other =
            Terms { roots: [root(), other_root], filter: rule("F"), criteria: rule("C"), rules: RULES + 1 };
        let all = [OtherTerm::Root(Side::Right), OtherTerm::Filter, OtherTerm::Criteria, OtherTerm::Rules];
        assert_eq!(other.other_than(&terms), all);
        assert_eq!(terms.mirrored().other_than(&other.mirrored())[0], OtherTerm::Root(Side::Left));
        assert_ne!(Rule::new(["ab", "c"], String::new()), Rule::new(["a", "bc"], String::new()));
    }
}
