//! Named streams: further contents of a file or folder, each under a name of its own (NTFS, ReFS, many servers).
//!
//! A stream is opened relative to the open item, as `:name`, so it is always that item's, wherever its name leads by
//! now. The unnamed stream is the content and not listed here.
//!
//! Whether a volume has such streams is asked first: some systems take `file:name` for the name of a second file.

use std::io;
use std::mem::offset_of;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};

use windows_sys::Wdk::Storage::FileSystem as nt;
use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as fs;
use windows_sys::Win32::System::SystemServices::FILE_NAMED_STREAMS;

use super::name::{decoded, encoded};
use super::nt::{self as call, Open};
use super::rename;
use crate::Stream;

/// How the system writes that a stream holds data, which all streams that programs make do.
const DATA: &[u16] = &[b':' as u16, b'$' as u16, b'D' as u16, b'A' as u16, b'T' as u16, b'A' as u16];

/// All entries of one item must fit; a file can have thousands of streams, but not without end.
const LARGEST_BUFFER: usize = 16 << 20;

/// The named streams of an open item.
pub fn list(item: BorrowedHandle<'_>) -> io::Result<Vec<Stream>> {
    if !has_streams(item)? {
        return Ok(Vec::new());
    }
    // Enough for a few streams; more are rare, and this is asked of each file.
    let mut words = vec![0_u64; (1 << 10) / 8];
    loop {
        match call::list_into(item, fs::FileStreamInfo, &mut words) {
            Ok(true) => return parse(&words),
            Ok(false) => return Ok(Vec::new()),
            Err(e) => match e.raw_os_error().map(|code| code as u32) {
                // A folder without any.
                Some(f::ERROR_HANDLE_EOF) => return Ok(Vec::new()),
                Some(f::ERROR_MORE_DATA | f::ERROR_INSUFFICIENT_BUFFER)
                    if words.len() * 8 < LARGEST_BUFFER =>
                {
                    words.resize(words.len() * 4, 0);
                }
                _ => return Err(e),
            },
        }
    }
}

/// Reads a chain of `FILE_STREAM_INFO`. Every length is checked, because they come from a file system driver, which
/// may be a server's.
fn parse(words: &[u64]) -> io::Result<Vec<Stream>> {
    type Entry = fs::FILE_STREAM_INFO;
    let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let damaged = || io::Error::from_raw_os_error(f::ERROR_INVALID_DATA as i32);
    let number = |at: usize| -> io::Result<usize> {
        let four = bytes.get(at..at + 4).and_then(|four| four.try_into().ok()).ok_or_else(damaged)?;
        Ok(u32::from_ne_bytes(four) as usize)
    };
    let mut streams = Vec::new();
    let mut at = 0;
    loop {
        let next = number(at + offset_of!(Entry, NextEntryOffset))?;
        let length = number(at + offset_of!(Entry, StreamNameLength))?;
        let size_at = at + offset_of!(Entry, StreamSize);
        let size =
            bytes.get(size_at..size_at + 8).and_then(|eight| eight.try_into().ok()).ok_or_else(damaged)?;
        let text = at + offset_of!(Entry, StreamName);
        let name = bytes.get(text..text + length).ok_or_else(damaged)?;
        let units: Vec<u16> =
            name.chunks_exact(2).map(|unit| u16::from_ne_bytes([unit[0], unit[1]])).collect();
        if let Some(name) = bare(&units) {
            let size = i64::from_ne_bytes(size).max(0) as u64;
            streams.push(Stream { name: encoded(name), size });
        }
        if next == 0 {
            return Ok(streams);
        }
        // Entries go forward, so the chain ends.
        at += next;
    }
}

/// `:name:$DATA` without its colons; `None` for the content itself (`::$DATA`) and for what holds no data.
fn bare(units: &[u16]) -> Option<&[u16]> {
    let name = units.strip_prefix(&[u16::from(b':')])?.strip_suffix(DATA)?;
    (!name.is_empty()).then_some(name)
}

/// Opens a named stream.
pub fn open(item: BorrowedHandle<'_>, name: &[u8], create: bool) -> io::Result<OwnedHandle> {
    let relative = relative(item, name)?;
    let how = if create {
        let how = Open::existing(fs::FILE_GENERIC_READ | fs::FILE_GENERIC_WRITE);
        Open { disposition: nt::FILE_OPEN_IF, ..how }
    } else {
        Open::existing(fs::FILE_GENERIC_READ)
    };
    Ok(call::open_at(item, &relative, how.with(nt::FILE_NON_DIRECTORY_FILE))?)
}

/// Removes a named stream. Deleting an open stream deletes that stream, never the item
/// (<https://learn.microsoft.com/windows-hardware/drivers/ddi/ntddk/ns-ntddk-_file_disposition_information>).
pub fn remove(item: BorrowedHandle<'_>, name: &[u8]) -> io::Result<()> {
    let relative = relative(item, name)?;
    let how = Open::existing(fs::DELETE | fs::FILE_READ_ATTRIBUTES).with(nt::FILE_NON_DIRECTORY_FILE);
    rename::delete(call::open_at(item, &relative, how)?.as_handle())
}

/// A stream's name as it is opened relative to its item. Names with a colon would mean another type of stream, those
/// with a separator another item.
fn relative(item: BorrowedHandle<'_>, name: &[u8]) -> io::Result<Vec<u16>> {
    if !has_streams(item)? {
        return Err(io::ErrorKind::Unsupported.into());
    }
    if name.is_empty() || name.iter().any(|b| matches!(b, 0 | b':' | b'\\' | b'/')) {
        return Err(io::Error::from_raw_os_error(f::ERROR_INVALID_NAME as i32));
    }
    let name = decoded(name).ok_or_else(|| io::Error::from_raw_os_error(f::ERROR_INVALID_NAME as i32))?;
    Ok([u16::from(b':')].into_iter().chain(name).collect())
}

/// Whether the volume keeps named streams.
fn has_streams(item: BorrowedHandle<'_>) -> io::Result<bool> {
    // Flags, longest name and the name's length, then the name, of which nothing is needed here.
    let mut answer = [0_u64; 80];
    call::query_volume(item, nt::FileFsAttributeInformation, &mut answer)?;
    Ok(answer[0] as u32 & FILE_NAMED_STREAMS != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn units(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    /// Entries as the system lays them out: each begins at a multiple of 8.
    fn chain(entries: &[(&str, i64)]) -> Vec<u64> {
        let mut bytes = Vec::new();
        for (i, (name, size)) in entries.iter().enumerate() {
            let name: Vec<u8> = units(name).iter().flat_map(|unit| unit.to_ne_bytes()).collect();
            let length = (24 + name.len()).next_multiple_of(8);
            let next = if i + 1 == entries.len() { 0 } else { length as u32 };
            bytes.extend(next.to_ne_bytes());
            bytes.extend((name.len() as u32).to_ne_bytes());
            bytes.extend(size.to_ne_bytes());
            bytes.extend(size.to_ne_bytes());
            bytes.extend(&name);
            bytes.resize(bytes.len().next_multiple_of(8), 0);
        }
        bytes.chunks_exact(8).map(|eight| u64::from_ne_bytes(eight.try_into().unwrap())).collect()
    }

    #[test]
    fn names_lose_their_colons_and_the_content_is_left_out() {
        let found = parse(&chain(&[
            ("::$DATA", 100),
            (":Zone.Identifier:$DATA", 26),
            (":漢😀:$DATA", 0),
            (":$I30:$INDEX_ALLOCATION", 4096),
            (":a:$DATA", 1 << 40),
        ]));
        let wanted = [("Zone.Identifier", 26), ("漢😀", 0), ("a", 1 << 40)];
        let wanted: Vec<Stream> = wanted
            .iter()
            .map(|(name, size)| Stream { name: name.as_bytes().to_vec(), size: *size })
            .collect();
        assert_eq!(found.unwrap(), wanted);
        assert_eq!(parse(&chain(&[("::$DATA", 0)])).unwrap(), []);
        assert_eq!(bare(&units(":$DATA")), None);
    }

    #[test]
    fn a_damaged_chain_is_an_error_and_ends() {
        let good = chain(&[("::$DATA", 100), (":a:$DATA", 1)]);
        assert!(parse(&[]).is_err());
        assert!(parse(&good[..3]).is_err(), "cut within a name");
        let mut long = good.clone();
        long[0] = long[0] & 0xFFFF_FFFF | 0xFFFF << 32;
        assert!(parse(&long).is_err(), "a name that is longer than everything");
        let mut far = good;
        far[0] |= 0xFFFF_FFF8;
        assert!(parse(&far).is_err(), "an entry beyond the end");
    }
}
