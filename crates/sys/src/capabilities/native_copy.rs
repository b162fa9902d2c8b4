//! Copying a file's content by the fastest means the system has.

use std::io;
use std::ops::ControlFlow;

use super::pace_writeback;
use crate::{Dir, File, FileRef, Name, write_all_at};

/// Called while a native copy runs, with the bytes copied so far; `Break` asks it to stop.
pub type Tick<'a> = &'a mut dyn FnMut(u64) -> ControlFlow<()>;

/// How bytes of a native copy travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CopyMethod {
    /// Inside the kernel (`copy_file_range`, `CopyFileExW`, `fcopyfile`).
    Kernel,
    /// Read and written through a buffer.
    Buffered,
    /// Both files share the same blocks on the device; nothing was copied.
    Shared,
}

/// Options of [`NativeCopy::copy_in`].
#[derive(Debug, Clone, Copy)]
pub struct CopyOptions {
    /// Bytes to copy: the source's size when it was looked at.
    pub size: u64,
    /// Bytes between two calls of the tick, and the size of the fallback's buffer.
    pub chunk: usize,
    /// Allow a block clone.
    pub share_blocks: bool,
    /// Most bytes written but not yet handed to the device; 0 leaves that to the system.
    pub writeback_window: u64,
}

/// The result of a native copy.
#[derive(Debug)]
pub struct CopyIn {
    /// The new file, open for reading and writing. `None` only when stopped, where the system removes what it made
    /// when it is told to stop (`CopyFileExW`): the name is free again.
    pub file: Option<FileRef>,
    /// Bytes that arrived; less than asked if the source ended early.
    pub bytes: u64,
    /// How they travelled.
    pub method: CopyMethod,
    /// The tick asked to stop; the file, if it is still there, may hold only a part.
    pub stopped: bool,
}

/// Folders into which the system copies by means of its own.
pub trait NativeCopy {
    /// Makes the file `name` (fails if taken) and fills it with the content of `source` by the fastest means the
    /// system has. Content only; the engine sets metadata itself so that both strategies give the same file.
    ///
    /// On error the name may exist, unless the error is `AlreadyExists`; the caller removes it.
    fn copy_in(
        &self,
        name: &Name,
        source: &dyn File,
        options: CopyOptions,
        tick: Tick<'_>,
    ) -> io::Result<CopyIn>;
}

impl dyn Dir + '_ {
    /// As [`NativeCopy::copy_in`]; through a buffer where the backend has no such means.
    pub fn copy_in(
        &self,
        name: &Name,
        source: &dyn File,
        options: CopyOptions,
        tick: Tick<'_>,
    ) -> io::Result<CopyIn> {
        if let Some(native) = self.as_native_copy() {
            return native.copy_in(name, source, options, tick);
        }
        let file = self.create_file(name)?;
        let (bytes, stopped) = copy_in_by_chunks(&*file, source, 0, options, tick)?;
        Ok(CopyIn { file: Some(file), bytes, method: CopyMethod::Buffered, stopped })
    }
}

/// Copies `options.size - from` bytes of `source` into `file` through a buffer, starting at offset `from`.
///
/// Returns the total bytes in `file` (including `from`) and whether the tick asked to stop. The end of the source
/// before `options.size` is not an error here: the caller compares fingerprints and knows what it means.
pub fn copy_in_by_chunks(
    file: &dyn File,
    source: &dyn File,
    from: u64,
    options: CopyOptions,
    tick: Tick<'_>,
) -> io::Result<(u64, bool)> {
    let longest = options.size.saturating_sub(from).min(options.chunk.max(1) as u64) as usize;
    let mut buffer = vec![0; longest];
    let mut at = from;
    while at < options.size {
        let want = buffer.len().min((options.size - at) as usize);
        let n = source.read_at(&mut buffer[..want], at)?;
        if n == 0 {
            break;
        }
        write_all_at(file, &buffer[..n], at)?;
        at += n as u64;
        if options.writeback_window > 0 {
            pace_writeback(file, at, n as u64, options.writeback_window)?;
        }
        if tick(at).is_break() {
            return Ok((at, true));
        }
    }
    Ok((at, false))
}
