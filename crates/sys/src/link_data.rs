//! The bytes of a symbolic link as Windows stores it, to its text and back ([MS-FSCC] 2.1.2.4).
//!
//! Invariant: pure, and any bytes are taken: they come from a disk. What is returned as a link's text makes the same link
//! again; a link of which no text does is refused, because its copy would lead elsewhere.

/// `IO_REPARSE_TAG_SYMLINK`.
const SYMLINK: u32 = 0xA000_000C;
/// Set where a symbolic link's text is relative ([MS-FSCC] 2.1.2.4).
const SYMLINK_FLAG_RELATIVE: u32 = 1;
/// The most that a reparse point can hold ([MS-FSCC] 2.1.2).
pub(crate) const MOST_BYTES: usize = 16 << 10;
/// Tag, length and reserved field, before the data.
const HEADER: usize = 8;
/// The four offsets and the flags of a symbolic link, before its text.
const LINK_HEADER: usize = 12;

/// The text of a symbolic link from its reparse data: what the system follows, spelled as a Win32 path where that
/// spelling leads back to it. `None` for data that is damaged, or that no text would make again.
pub(crate) fn parse(bytes: &[u8]) -> Option<Vec<u16>> {
    let u16_at = |at: usize| Some(u16::from_le_bytes(bytes.get(at..at + 2)?.try_into().ok()?));
    let u32_at = |at: usize| Some(u32::from_le_bytes(bytes.get(at..at + 4)?.try_into().ok()?));
    if u32_at(0)? != SYMLINK {
        return None;
    }
    let (offset, length) = (usize::from(u16_at(HEADER)?), usize::from(u16_at(HEADER + 2)?));
    let is_relative = u32_at(HEADER + 8)? & SYMLINK_FLAG_RELATIVE != 0;
    let start = HEADER + LINK_HEADER + offset;
    let text = bytes.get(start..start + length)?;
    let text: Vec<u16> = text.chunks_exact(2).map(|unit| u16::from_le_bytes([unit[0], unit[1]])).collect();
    let is_made_again = |spelled: &Vec<u16>| native_of_win32(spelled) == (text.clone(), is_relative);
    let win32 = if is_relative { None } else { Some(win32_of_native(text.clone())) };
    win32.filter(is_made_again).or_else(|| Some(text.clone()).filter(is_made_again))
}

/// `\??\C:\a` is spelled `C:\a` in Win32, `\??\UNC\s\x` is `\\s\x`. Anything else stays as it is.
fn win32_of_native(text: Vec<u16>) -> Vec<u16> {
    let native: Vec<u16> = r"\??\".encode_utf16().collect();
    let unc: Vec<u16> = r"\??\UNC\".encode_utf16().collect();
    if let Some(rest) = text.strip_prefix(unc.as_slice()) {
        let mut path: Vec<u16> = r"\\".encode_utf16().collect();
        path.extend_from_slice(rest);
        return path;
    }
    match text.strip_prefix(native.as_slice()) {
        Some(rest) if rest.get(1) == Some(&u16::from(b':')) => rest.to_vec(),
        _ => text,
    }
}

/// The reverse of [`win32_of_native`], and whether the text is relative.
fn native_of_win32(text: &[u16]) -> (Vec<u16>, bool) {
    let slash = |unit: Option<&u16>| unit == Some(&u16::from(b'\\')) || unit == Some(&u16::from(b'/'));
    let prefixed = |prefix: &str, rest: &[u16]| prefix.encode_utf16().chain(rest.iter().copied()).collect();
    let native: Vec<u16> = r"\??\".encode_utf16().collect();
    if text.starts_with(&native) {
        (text.to_vec(), false)
    } else if slash(text.first()) && slash(text.get(1)) {
        match text.get(2) {
            // `\\?\` and `\\.\` are device spellings of what follows.
            Some(&unit) if (unit == u16::from(b'?') || unit == u16::from(b'.')) && slash(text.get(3)) => {
                (prefixed(r"\??\", &text[4..]), false)
            }
            _ => (prefixed(r"\??\UNC\", &text[2..]), false),
        }
    } else if text.get(1) == Some(&u16::from(b':')) && slash(text.get(2)) {
        (prefixed(r"\??\", text), false)
    } else {
        (text.to_vec(), true)
    }
}

/// The reparse data of a symbolic link; `None` if the text is too long for one.
pub(crate) fn build(text: &[u16]) -> Option<Vec<u8>> {
    let (substitute, is_relative) = native_of_win32(text);
    let bytes_of = |units: &[u16]| units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>();
    let (substitute, print) = (bytes_of(&substitute), bytes_of(text));
    let size = LINK_HEADER + substitute.len() + print.len();
    if HEADER + size > MOST_BYTES {
        return None;
    }
    let mut data = Vec::with_capacity(HEADER + size);
    data.extend_from_slice(&SYMLINK.to_le_bytes());
    data.extend_from_slice(&(size as u16).to_le_bytes());
    data.extend_from_slice(&[0; 2]);
    for field in [0, substitute.len(), substitute.len(), print.len()] {
        data.extend_from_slice(&(field as u16).to_le_bytes());
    }
    data.extend_from_slice(&u32::from(is_relative).to_le_bytes());
    data.extend_from_slice(&substitute);
    data.extend_from_slice(&print);
    Some(data)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    #[test]
    fn link_texts_survive_being_stored() {
        for text in
            [r"a\b", r"..\x", "C:\\Users\\é\u{1F600}", r"\\server\share\f", r"D:relative", r"\rooted", "."]
        {
            let data = build(&units(text)).unwrap();
            assert_eq!(parse(&data), Some(units(text)), "{text}");
        }
        let lone = [0x61, 0xD800, 0x62];
        assert_eq!(parse(&build(&lone).unwrap()).unwrap(), lone);
    }

    #[test]
    fn only_absolute_texts_lose_the_relative_mark() {
        assert_eq!(native_of_win32(&units(r"C:\a")), (units(r"\??\C:\a"), false));
        assert_eq!(native_of_win32(&units(r"\\?\C:\a")), (units(r"\??\C:\a"), false));
        assert_eq!(native_of_win32(&units(r"\\s\x")), (units(r"\??\UNC\s\x"), false));
        assert_eq!(native_of_win32(&units(r"..\a")), (units(r"..\a"), true));
        assert_eq!(native_of_win32(&units(r"\a")), (units(r"\a"), true));
        assert_eq!(native_of_win32(&units("C:a")), (units("C:a"), true));
        assert_eq!(win32_of_native(units(r"\??\Volume{1}\a")), units(r"\??\Volume{1}\a"));
    }

    #[test]
    fn damaged_reparse_data_is_no_link() {
        let data = build(&units(r"C:\somewhere")).unwrap();
        for n in 0..HEADER + LINK_HEADER + 2 {
            assert_eq!(parse(&data[..n]), None, "{n} bytes");
        }
        let mut beyond = data.clone();
        beyond[HEADER + 2] = 0xFF;
        assert_eq!(parse(&beyond), None, "a length beyond the data");
        let mut junction = data;
        junction[..4].copy_from_slice(&0xA000_0003_u32.to_le_bytes());
        assert_eq!(parse(&junction), None);
        assert!(build(&vec![0x61; MOST_BYTES]).is_none());
    }

    /// Found by `fuzz_reparse_data`: their copies led elsewhere.
    #[test]
    fn a_text_that_would_make_another_link_is_not_told() {
        let data = |substitute: &str, relative: u8| {
            let mut data = build(&units(substitute)).unwrap();
            data[HEADER + 8] = relative;
            data
        };
        // In Win32 `\\?\C:\a` is the drive, and no server whose name is `?`.
        assert_eq!(parse(&data(r"\??\UNC\?\C:\a", 0)), Some(units(r"\??\UNC\?\C:\a")));
        assert_eq!(parse(&data(r"\??\C:a", 0)), Some(units(r"\??\C:a")));
        assert_eq!(parse(&data(r"\Device\Null", 0)), None, "it would be made relative to the drive");
        assert_eq!(parse(&data(r"\??\C:\a", 1)), None, "it would no longer be relative");
    }

    #[test]
    fn fuzz_reparse_data() {
        fcs_testkit::fuzz::fuzz("reparse", &[br"\x00?\x00?\x00\x00"], |input| {
            let Some(text) = parse(input) else { return };
            assert!(text.len() * 2 <= input.len() + 4, "a text of {} from {} bytes", text.len(), input.len());
            // What is too long to be stored twice, as what is followed and as what is shown, is refused when it is made.
            if let Some(data) = build(&text) {
                assert_eq!(parse(&data), Some(text), "the copy of a link has its text");
                let substitute = |data: &[u8]| {
                    let at = |at: usize| usize::from(u16::from_le_bytes([data[at], data[at + 1]]));
                    let start = HEADER + LINK_HEADER + at(HEADER);
                    data[start..start + at(HEADER + 2) / 2 * 2].to_vec()
                };
                assert_eq!(substitute(&data), substitute(input), "the copy of a link leads where it leads");
                assert_eq!(data[HEADER + 8] & 1, input[HEADER + 8] & 1, "and from the same folder");
            }
        });
    }
}
