//! Gives a copy the named streams of its source (NTFS), so that every strategy makes the same file.
//!
//! Some native copies bring them along, most do not. So nothing is assumed: what the copy has is compared with what
//! the source has, and written only where it differs. What the copy has and the source has not is removed.
//!
//! Streams are made durable one by one, because syncing a file need not reach them, and are read back with the
//! content when verification is on. That read is answered by the system's cache; the evidence of an item speaks of its
//! content only.
//!
//! Invariant: a stream is there whole, or it is named as not kept and no part of it is left.

use std::io;

use fcs_sys::{File, Handle, OsReason, Stream, escaped, read_full, reason, write_all_at};

use crate::report::Digest;
use crate::report::NotKept;

/// A stream that was carried over, and the hash of what was read from the source.
pub(crate) struct Carried {
    name: Vec<u8>,
    hash: Digest,
}

/// Streams are mostly small; large ones go in pieces, between which a cancel is seen.
const CHUNK: usize = 1 << 20;

/// Gives `copy` the streams of `source`. What cannot be kept is listed. The only error is `Interrupted`, when `stop`
/// said so.
pub(crate) fn give(
    copy: &dyn Handle,
    source: &dyn Handle,
    stop: &dyn Fn() -> bool,
    not_kept: &mut Vec<NotKept>,
) -> io::Result<Vec<Carried>> {
    let Ok(wanted) = source.streams() else {
        not_kept.push("named streams (they could not be listed)".into());
        return Ok(Vec::new());
    };
    // Where the copy's own cannot be listed, each attempt to make one shows why.
    let brought = copy.streams().unwrap_or_default();
    for extra in brought.iter().filter(|b| !wanted.iter().any(|w| w.name == b.name)) {
        if copy.remove_stream(&extra.name).is_err() {
            not_kept.push(format!("absence of the named stream {}", escaped(&extra.name)).into());
        }
    }
    let mut carried = Vec::new();
    for stream in wanted {
        let have = brought.iter().find(|b| b.name == stream.name);
        match carry(copy, source, &stream, have, stop) {
            Ok(hash) => carried.push(Carried { name: stream.name, hash }),
            Err(e) if e.kind() == io::ErrorKind::Interrupted && stop() => return Err(e),
            Err(e) => not_kept.extend(lost(copy, &stream, &e).map(NotKept::from)),
        }
    }
    Ok(carried)
}

/// Copies one stream and makes it durable.
fn carry(
    copy: &dyn Handle,
    source: &dyn Handle,
    stream: &Stream,
    have: Option<&Stream>,
    stop: &dyn Fn() -> bool,
) -> io::Result<Digest> {
    let from = source.open_stream(&stream.name, false)?;
    if have.is_some_and(|have| have.size > stream.size) {
        // There is no cutting short; it is made anew.
        copy.remove_stream(&stream.name)?;
    }
    let to = copy.open_stream(&stream.name, true)?;
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; CHUNK.min(stream.size.max(1) as usize)];
    let mut there = vec![0; piece.len()];
    let mut at = 0;
    loop {
        if stop() {
            return Err(io::ErrorKind::Interrupted.into());
        }
        let n = read_full(&*from, &mut piece, at)?;
        if n == 0 {
            break;
        }
        hasher.update(&piece[..n]);
        if have.is_none() || read_full(&*to, &mut there[..n], at)? != n || there[..n] != piece[..n] {
            write_all_at(&*to, &piece[..n], at)?;
        }
        at += n as u64;
    }
    to.sync()?;
    Ok(Digest(*hasher.finalize().as_bytes()))
}

/// What the report says of a stream that was not kept. Removes what there is of it.
fn lost(copy: &dyn Handle, stream: &Stream, error: &io::Error) -> Option<String> {
    let name = escaped(&stream.name);
    match reason(error) {
        OsReason::Unsupported => Some(format!("named stream {name} (the target volume has none)")),
        why => {
            let left = match copy.remove_stream(&stream.name) {
                Ok(()) => "",
                Err(e) if reason(&e) == OsReason::NotFound => "",
                Err(_) => "; a part of it is left",
            };
            // Removed between listing and reading: the source has changed, which is found out elsewhere.
            let gone = why == OsReason::NotFound && left.is_empty();
            (!gone).then(|| format!("named stream {name} ({error}{left})"))
        }
    }
}

/// Reads carried streams back; `false` if one is not what was read from the source.
pub(crate) fn are_whole(copy: &dyn Handle, carried: &[Carried]) -> io::Result<bool> {
    let mut piece = Vec::new();
    for stream in carried {
        let file = copy.open_stream(&stream.name, false)?;
        piece.resize(CHUNK, 0);
        if hash_of(&*file, &mut piece)? != stream.hash {
            return Ok(false);
        }
    }
    Ok(true)
}

fn hash_of(file: &dyn File, piece: &mut [u8]) -> io::Result<Digest> {
    let mut hasher = blake3::Hasher::new();
    let mut at = 0;
    loop {
        match read_full(file, piece, at)? {
            0 => return Ok(Digest(*hasher.finalize().as_bytes())),
            n => {
                hasher.update(&piece[..n]);
                at += n as u64;
            }
        }
    }
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use fcs_sys::{FileRef, Name};
    use fcs_testkit::faulty::{Act, wrap_like_ntfs};
    use fcs_testkit::sim::{Options, SimFs};

    fn two_files() -> (FileRef, FileRef) {
        let root =
            wrap_like_ntfs(&SimFs::new(Options::default()).root(), "sim", std::sync::Arc::new(|_| Act::Go));
        let make = |name: &[u8]| root.dir.create_file(&Name::new(name).unwrap()).unwrap();
        (make(b"source"), make(b"copy"))
    }

    fn put(file: &FileRef, stream: &str, text: &str) {
        let stream = file.open_stream(stream.as_bytes(), true).unwrap();
        write_all_at(&*stream, text.as_bytes(), 0).unwrap();
    }

    fn all(file: &FileRef) -> Vec<(String, String)> {
        let mut found = Vec::new();
        for stream in file.streams().unwrap() {
            let mut bytes = vec![0; stream.size as usize];
            file.open_stream(&stream.name, false).unwrap().read_at(&mut bytes, 0).unwrap();
            found.push((String::from_utf8(stream.name).unwrap(), String::from_utf8(bytes).unwrap()));
        }
        found
    }

    #[test]
    fn whatever_the_copy_came_with_it_ends_with_the_sources_streams() {
        let (source, copy) = two_files();
        for (name, text) in
            [("same", "text"), ("longer", "ab"), ("shorter", "abcdef"), ("other", "abc"), ("new", "n")]
        {
            put(&source, name, text);
        }
        for (name, text) in
            [("same", "text"), ("longer", "abcd"), ("shorter", "ab"), ("other", "aXc"), ("extra", "x")]
        {
            put(&copy, name, text);
        }
        let mut not_kept = Vec::new();
        let carried = give(&*copy, &*source, &|| false, &mut not_kept).unwrap();
        assert_eq!(all(&copy), all(&source));
        assert_eq!((not_kept, carried.len()), (Vec::<NotKept>::new(), 5));
        assert!(are_whole(&*copy, &carried).unwrap());
        put(&copy, "other", "X");
        assert!(!are_whole(&*copy, &carried).unwrap());
    }

    #[test]
    fn nothing_is_written_where_a_native_copy_brought_it_all() {
        let (source, copy) = two_files();
        put(&source, "s", "text");
        put(&copy, "s", "text");
        let before = copy.metadata().unwrap().modified;
        give(&*copy, &*source, &|| false, &mut Vec::new()).unwrap();
        assert_eq!(copy.metadata().unwrap().modified, before, "a write to a stream moves the time");
    }
}
