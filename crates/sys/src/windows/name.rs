//! Names and texts between WTF-8, in which this program keeps them, and UTF-16, in which Windows does.
//!
//! Invariant: nothing is lost either way; unpaired surrogates, which Windows allows in names, survive.

use std::ffi::OsString;
use std::os::windows::ffi::{OsStrExt, OsStringExt};

use crate::Name;

/// A name as Windows takes it.
pub(super) fn wide(name: &Name) -> Vec<u16> {
    name.as_os().encode_wide().collect()
}

/// A text from Windows as WTF-8.
pub(super) fn encoded(units: &[u16]) -> Vec<u8> {
    OsString::from_wide(units).into_encoded_bytes()
}

/// A WTF-8 text, which unlike a name may hold anything, as Windows takes it. `None` if it is not WTF-8.
pub(super) fn decoded(bytes: &[u8]) -> Option<Vec<u16>> {
    let mut units = Vec::with_capacity(bytes.len());
    let mut rest = bytes;
    loop {
        let valid = match std::str::from_utf8(rest) {
            Ok(text) => {
                units.extend(text.encode_utf16());
                return Some(units);
            }
            Err(e) => e.valid_up_to(),
        };
        units.extend(std::str::from_utf8(&rest[..valid]).ok()?.encode_utf16());
        // A surrogate by itself, in the three bytes that UTF-8 would give it if it allowed it.
        let [0xED, second @ 0xA0..=0xBF, third @ 0x80..=0xBF, tail @ ..] = &rest[valid..] else {
            return None;
        };
        units.push(0xD000 | (u16::from(second & 0x3F) << 6) | u16::from(third & 0x3F));
        rest = tail;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_survives_both_ways() {
        let texts: [&[u16]; 5] = [
            &[],
            &[0x61, 0xE9, 0x6F22, 0xD83D, 0xDE00],
            &[0xD800],
            &[0xDC00, 0xD800, 0x62],
            &[0x61, 0xD83D, 0x62, 0xDE00],
        ];
        for units in texts {
            let bytes = encoded(units);
            assert_eq!(decoded(&bytes).as_deref(), Some(units), "{units:x?}");
            if !units.is_empty() {
                assert_eq!(wide(&Name::new(bytes).unwrap()), units, "{units:x?}");
            }
        }
        assert_eq!(decoded(b"\xFF"), None);
        assert_eq!(decoded(b"a\xED"), None);
    }
}
