//! Named streams for backends that have none, kept on a simulated disk: a folder for each item that has some, called
//! after its identity, and in it a file for each stream.

use std::io;

use fcs_sys::{Access, DirRef, File, FileRef, Handle, Name, OsReason, Stream, copy_in_by_chunks, reason};

use crate::sim::{Options, SimFs};

/// The streams of all items of one root.
pub(super) struct Streams {
    disk: DirRef,
}

impl Streams {
    pub(super) fn new() -> Self {
        Self { disk: SimFs::new(Options::default()).root().dir }
    }

    fn name_of(item: &dyn Handle) -> io::Result<Name> {
        let id = item.metadata()?.id;
        name(format!("{:x}-{:x}", id.volume, id.file).as_bytes())
    }

    /// The folder of an item; `None` where it has no streams.
    fn folder(&self, item: &dyn Handle) -> io::Result<Option<DirRef>> {
        if_there(self.disk.open_dir(&Self::name_of(item)?))
    }

    fn folder_made(&self, item: &dyn Handle) -> io::Result<DirRef> {
        if self.folder(item)?.is_none() {
            self.disk.create_dir(&Self::name_of(item)?)?;
        }
        self.disk.open_dir(&Self::name_of(item)?)
    }

    pub(super) fn list(&self, item: &dyn Handle) -> io::Result<Vec<Stream>> {
        let Some(folder) = self.folder(item)? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        folder.list(&mut |entry| names.push(entry.name.to_vec()))?;
        names.into_iter().map(|n| Ok(Stream { size: folder.stat(&name(&n)?)?.size, name: n })).collect()
    }

    pub(super) fn open(&self, item: &dyn Handle, stream: &[u8], create: bool) -> io::Result<FileRef> {
        let stream = name(stream)?;
        if create {
            let folder = self.folder_made(item)?;
            return match folder.create_file(&stream) {
                Err(e) if reason(&e) == OsReason::AlreadyExists => {
                    folder.open_file(&stream, Access::ReadWrite)
                }
                other => other,
            };
        }
        let folder = self.folder(item)?.ok_or(io::ErrorKind::NotFound)?;
        folder.open_file(&stream, Access::Read)
    }

    pub(super) fn remove(&self, item: &dyn Handle, stream: &[u8]) -> io::Result<()> {
        self.folder(item)?.ok_or(io::ErrorKind::NotFound)?.remove_file(&name(stream)?)
    }

    /// A new item has none, whatever an earlier one with its number had.
    pub(super) fn forget(&self, item: &dyn Handle) -> io::Result<()> {
        for stream in self.list(item)? {
            self.remove(item, &stream.name)?;
        }
        Ok(())
    }

    /// Gives an item the streams that `source` has, wherever those are kept.
    pub(super) fn bring(&self, source: &dyn File, item: &dyn Handle) -> io::Result<()> {
        for stream in source.streams()? {
            let options = fcs_sys::CopyOptions {
                size: stream.size,
                chunk: 1 << 16,
                share_blocks: false,
                writeback_window: 0,
            };
            let from = source.open_stream(&stream.name, false)?;
            let to = self.open(item, &stream.name, true)?;
            copy_in_by_chunks(&*to, &*from, 0, options, &mut |_| std::ops::ControlFlow::Continue(()))?;
        }
        Ok(())
    }
}

fn name(bytes: &[u8]) -> io::Result<Name> {
    Name::new(bytes).map_err(io::Error::other)
}

fn if_there<T>(found: io::Result<T>) -> io::Result<Option<T>> {
    match found {
        Ok(value) => Ok(Some(value)),
        Err(e) if reason(&e) == OsReason::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}
