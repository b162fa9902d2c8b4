//! Sources that grow while they are read, and such as do not say how long they are.
//!
//! A file that is only appended to, such as a log, never holds still, and what it held when it was opened is whole and
//! stays so. That nothing else happened to it is not to be seen from outside, so it is proven: once the copy has been
//! made, the source's beginning is read again and must equal it. Then the copy is what the source began with at that
//! moment. This module must not know how the copy was made.

use fcs_sys::{File, Fingerprint, read_full, write_all_at};

use super::context::{Context, CopyJob};
use super::fill::{Filled, Stop, create, source_path, target_path};
use super::meter::Meter;
use super::staged::Expected;
use crate::report::{Digest, NotKept};
use crate::{Error, Op};

/// Bytes compared at once.
const STEP: usize = 1 << 20;

/// Whether a source looks as if something was appended to it and nothing else happened.
pub(super) fn looks_grown(now: &Fingerprint, seen: &Fingerprint) -> bool {
    now.kind == seen.kind
        && now.id == seen.id
        && now.size > seen.size
        && now.attributes == seen.attributes
        && now.modified >= seen.modified
}

/// What the copy of a file that grew does not have.
pub(super) fn note(bytes: u64) -> NotKept {
    format!("what follows its first {bytes} bytes (it grew during the copy)").into()
}

/// Whether the source still begins with what was copied.
pub(super) fn begins_with(
    context: &Context<'_>,
    job: &CopyJob<'_>,
    source: &dyn File,
    copy: &dyn File,
    size: u64,
) -> Result<bool, Stop> {
    let (mut left, mut right) = (vec![0; STEP], vec![0; STEP]);
    let mut at = 0;
    while at < size {
        if context.should_stop() {
            return Err(Stop::Cancelled);
        }
        let want = (size - at).min(STEP as u64) as usize;
        let read = read_full(source, &mut left[..want], at)
            .map_err(|e| Error::os(Op::Read, source_path(context, job), e))?;
        let copied = read_full(copy, &mut right[..want], at)
            .map_err(|e| Error::os(Op::Copy, target_path(context, job), e))?;
        if read < want || copied < want || left[..want] != right[..want] {
            return Ok(false);
        }
        at += want as u64;
    }
    Ok(true)
}

/// Copies a file that has more bytes than it says, although nobody changes it (`/proc`, some user-space file systems):
/// to its end, as far as the system gives it. `begun` was read already.
pub(super) fn fill_to_end(
    context: &Context<'_>,
    job: &CopyJob<'_>,
    name: &fcs_sys::Name,
    source: &dyn File,
    begun: &[u8],
    verify: bool,
    meter: &mut Meter<'_>,
) -> Result<Filled, (Stop, bool)> {
    let file = create(context, job, name)?;
    let write = |bytes: &[u8], at| {
        write_all_at(&*file, bytes, at)
            .map_err(|e| (Error::os(Op::Copy, target_path(context, job), e).into(), true))
    };
    let mut hasher = blake3::Hasher::new();
    hasher.update(begun);
    write(begun, 0)?;
    let mut bytes = begun.len() as u64;
    let mut buffer = vec![0; STEP];
    loop {
        if context.should_stop() {
            return Err((Stop::Cancelled, true));
        }
        let n = read_full(source, &mut buffer, bytes)
            .map_err(|e| (Error::os(Op::Read, source_path(context, job), e).into(), true))?;
        if n == 0 {
            break;
        }
        hasher.update(&buffer[..n]);
        write(&buffer[..n], bytes)?;
        bytes += n as u64;
        meter.reach(bytes);
    }
    let hash = Digest(*hasher.finalize().as_bytes());
    let expected = if verify { Expected::Hash(hash) } else { Expected::Nothing };
    Ok(Filled { file, bytes, expected, hash: Some(hash), beyond_its_size: true })
}
