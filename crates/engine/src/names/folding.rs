//! Which names are one on a case-insensitive volume, and in what order names come.

use std::cmp::Ordering;

use fcs_sys::{CaseRule, VolumeFacts};

/// How names are ordered and paired.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum NameOrder {
    /// By bytes.
    Exact,
    /// By [`fold`]ed form, then by bytes.
    Folded,
}

impl NameOrder {
    /// The order for two volumes: folded as soon as one of them does not distinguish case.
    pub fn for_pair(left: &VolumeFacts, right: &VolumeFacts) -> Self {
        if left.case == CaseRule::Insensitive || right.case == CaseRule::Insensitive {
            Self::Folded
        } else {
            Self::Exact
        }
    }

    /// What two names that count as one have in common.
    pub(crate) fn key(self, name: &[u8]) -> Vec<u8> {
        match self {
            Self::Exact => name.to_vec(),
            Self::Folded => fold(name),
        }
    }

    /// Total order of names.
    pub fn compare(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::Exact => a.cmp(b),
            Self::Folded => self.compare_keys(a, b).then_with(|| a.cmp(b)),
        }
    }

    /// Whether two names count as one.
    pub fn same(self, a: &[u8], b: &[u8]) -> bool {
        self.compare_keys(a, b) == Ordering::Equal
    }

    /// Order by what counts for pairing only.
    pub fn compare_keys(self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            Self::Exact => a.cmp(b),
            // Comparing lazily keeps the common case free of allocation.
            Self::Folded if a.is_ascii() && b.is_ascii() => {
                a.iter().map(u8::to_ascii_uppercase).cmp(b.iter().map(u8::to_ascii_uppercase))
            }
            Self::Folded => fold(a).cmp(&fold(b)),
        }
    }
}

/// A name as case-insensitive volumes see it: each character by its one-to-one upper case, like NTFS's table.
///
/// Characters whose upper case is more than one character (`ß`) stay, and so do `ς` and `ı`, which NTFS tells apart
/// from `σ` and `i`. Invalid UTF-8 stays as it is.
pub fn fold(name: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        for c in chunk.valid().chars() {
            let mut upper = c.to_uppercase();
            let folded = match (upper.next(), upper.next()) {
                (Some(one), None) if c != 'ς' && c != 'ı' => one,
                _ => c,
            };
            out.extend_from_slice(folded.encode_utf8(&mut [0; 4]).as_bytes());
        }
        out.extend_from_slice(chunk.invalid());
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_follows_the_ntfs_table_for_the_known_hard_cases() {
        let same = |a: &str, b: &str| NameOrder::Folded.same(a.as_bytes(), b.as_bytes());
        assert!(same("readme.TXT", "README.txt"));
        assert!(same("É", "é") && same("Ж", "ж"));
        assert!(!same("İ", "i") && !same("ß", "ẞ") && !same("Σ", "ς") && !same("ı", "I"));
        assert!(!same("é", "e\u{301}"), "composed and decomposed are two names");
        assert!(!NameOrder::Exact.same(b"a", b"A"));
        assert!(NameOrder::Folded.same(b"\xff", b"\xff") && !NameOrder::Folded.same(b"\xff", b"\xfe"));
    }
}
