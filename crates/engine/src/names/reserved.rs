//! Names that systems keep for themselves, or do not let files have.

/// Whether a name at the top of a volume is one that systems keep there for themselves: recycle bins, what a check of the
/// disk found, indexes. They belong to the volume, not to what is kept on it.
pub(crate) fn is_system_item(name: &[u8]) -> bool {
    const EXACT: [&[u8]; 9] = [
        b".Trash",
        b".Trashes",
        b"$RECYCLE.BIN",
        b"RECYCLER",
        b"System Volume Information",
        b"lost+found",
        b".Spotlight-V100",
        b".fseventsd",
        b".DocumentRevisions-V100",
    ];
    // One per user where they share no folder (freedesktop.org, trash specification).
    let of_user = name.strip_prefix(b".Trash-".as_slice());
    of_user.is_some_and(|user| !user.is_empty() && user.iter().all(u8::is_ascii_digit))
        || EXACT.iter().any(|known| name.eq_ignore_ascii_case(known))
}

/// Whether a name holds a character that no file of Windows can have in its name. Source of this and the next:
/// Microsoft's "Naming Files, Paths, and Namespaces", <https://learn.microsoft.com/windows/win32/fileio/naming-a-file>.
pub(crate) fn holds_what_windows_forbids(name: &[u8]) -> bool {
    name.iter().any(|b| *b < 0x20 || br#"<>:"|?*\/"#.contains(b))
}

/// Whether a program that gives this name gets this file. Windows drops dots and spaces at the end of what it is given,
/// and takes some names for devices; only paths that begin with `\\?\` reach such files.
pub(crate) fn is_reachable_on_windows(name: &[u8]) -> bool {
    if matches!(name.last(), Some(b'.' | b' ')) {
        return false;
    }
    !is_device_name(name)
}

/// Whether Windows takes a name for a device's: with any extension, and with spaces before the dot.
pub(crate) fn is_device_name(name: &[u8]) -> bool {
    let stem = name.split(|&b| b == b'.').next().unwrap_or_default().trim_ascii_end().to_ascii_uppercase();
    is_device(&stem)
}

fn is_device(stem: &[u8]) -> bool {
    match stem {
        b"CON" | b"PRN" | b"AUX" | b"NUL" | b"CONIN$" | b"CONOUT$" => true,
        // Superscript digits count as digits there.
        [b'C', b'O', b'M', number @ ..] | [b'L', b'P', b'T', number @ ..] => {
            matches!(number, [b'1'..=b'9'] | [0xC2, 0xB9 | 0xB2 | 0xB3])
        }
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_names_windows_refuses_are_known() {
        for forbidden in ["a:b", "a?", "what*", "x\\y", "a\tb", "a\"b"] {
            assert!(holds_what_windows_forbids(forbidden.as_bytes()), "{forbidden:?}");
        }
        for hidden in
            ["end.", "end ", "con", "Con.txt", "nul .tar.gz", "COM1", "lpt9.x", "com\u{b9}", "CONOUT$"]
        {
            assert!(!is_reachable_on_windows(hidden.as_bytes()), "{hidden:?}");
            assert!(!holds_what_windows_forbids(hidden.as_bytes()), "{hidden:?}");
        }
        for good in ["console", "COM0", "COM10", "a.con", ".hidden", "é", "a b", "lpt", "nulls.txt"] {
            assert!(is_reachable_on_windows(good.as_bytes()), "{good:?}");
            assert!(!holds_what_windows_forbids(good.as_bytes()), "{good:?}");
        }
    }
}
