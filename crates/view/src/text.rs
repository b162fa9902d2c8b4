//! What stands in a cell.
//!
//! Invariant: pure; nothing is asked of the system, not even its time zone. A value that is not known gives an empty
//! text, never a zero. This module must not know columns or widths.

use fcs_engine::compare::{Differences, Group, Verdict};
pub use fcs_text::{decimals, number, size, time};

/// A size to the byte, for whoever points at a cell: `1,234,567 bytes`.
pub fn exact_size(bytes: u64) -> String {
    format!("{} {}", number(bytes), if bytes == 1 { "byte" } else { "bytes" })
}

/// The beginning of a digest: 16 hexadecimal digits.
pub fn digest(first: [u8; 8]) -> String {
    format!("{:016x}", u64::from_be_bytes(first))
}

/// What a chip is called.
pub fn chip(group: Group) -> &'static str {
    match group {
        Group::Different => "Different",
        Group::LeftOnly => "Left only",
        Group::RightOnly => "Right only",
        Group::Same => "Same",
        Group::Problem => "Problems",
    }
}

/// What the status column says; for a difference also in what.
pub fn status(verdict: Verdict) -> String {
    let word = match verdict {
        Verdict::Same => "Same",
        Verdict::LeftOnly => "Left only",
        Verdict::RightOnly => "Right only",
        Verdict::Different(differences) => return different(differences),
        Verdict::KindClash => "Kinds clash",
        Verdict::NameClash => "Names clash",
        Verdict::Unreadable => "Unreadable",
        Verdict::NotComparable => "Not comparable",
    };
    word.to_owned()
}

fn different(d: Differences) -> String {
    let ways = [(d.size, "size"), (d.content, "content"), (d.created, "created"), (d.modified, "modified")];
    let ways: Vec<&str> = ways.into_iter().filter_map(|(is, word)| is.then_some(word)).collect();
    if ways.is_empty() { "Different".to_owned() } else { format!("Different: {}", ways.join(", ")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_size_can_be_had_to_the_byte() {
        assert_eq!((&*exact_size(1), &*exact_size(1_234_567)), ("1 byte", "1,234,567 bytes"));
    }

    #[test]
    fn a_difference_says_in_what() {
        let differences = Differences { size: true, modified: true, ..Differences::default() };
        assert_eq!(status(Verdict::Different(differences)), "Different: size, modified");
        assert_eq!(status(Verdict::NotComparable), "Not comparable");
        assert_eq!(digest([0, 1, 2, 3, 4, 5, 6, 255]), "00010203040506ff");
    }
}
