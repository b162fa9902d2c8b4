//! Reads what was moved back from the device and compares it with what the source has at the new path.
//!
//! A rename changes no byte, so this proves what no rename can: that the bytes which were there before the run are those of
//! the source. Nothing else tells what these are, so the source is read too, once, as the target is.
//!
//! Invariants: of a folder that moved as one is said what is known of all in it, and each file that differs is listed. What
//! cannot be compared or differs is told, and nothing is renamed back, replaced or removed here because of it.

use std::io;
use std::ops::ControlFlow;

use fcs_sys::{Access, DirRef, File, FileRef, Fingerprint, Kind, Name, RelPath, read_full};

use super::context::{Context, Volume};
use super::fill::is_small;
use super::verify::OnTarget;
use crate::dir_cursor::DirCursor;
use crate::hashing::{PumpError, pump, work};
use crate::history::names_in;
use crate::identity::Numbers;
use crate::plan::Moved;
use crate::progress::add;
use crate::report::{Digest, Evidence};
use crate::{Error, ErrorKind, Op, TargetState};

/// An item under its new name.
pub(crate) struct InPlace<'a> {
    pub(crate) item: &'a Moved,
    pub(crate) dir: &'a DirRef,
    pub(crate) name: &'a Name,
    pub(crate) volume: &'a Volume,
}

/// What one thread works with.
struct Reading<'a> {
    context: &'a Context<'a>,
    source: DirCursor,
    buffer: Vec<u8>,
    done: Vec<(usize, Result<Evidence, Error>)>,
}

/// Why a file was not read to its end.
enum Stop {
    Cancelled,
    Error(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// What is known of the content of each, in their order. The user may not have asked for it.
pub(crate) fn read_back(context: &Context<'_>, items: &[InPlace<'_>]) -> Vec<Result<Evidence, Error>> {
    if !context.settings.verify_moves {
        return items.iter().map(|_| Ok(Evidence::NoContent)).collect();
    }
    let jobs: Vec<usize> = (0..items.len()).collect();
    let begin = || Reading {
        context,
        source: DirCursor::new(&context.source.dir),
        buffer: Vec::new(),
        done: Vec::new(),
    };
    let workers = context.settings.effective_copy_workers().max(1);
    let (workers, _) = work("fcs-moved", workers, &jobs, begin, |reading, &at| {
        let evidence = match reading.item(&items[at]) {
            Ok(evidence) => Ok(evidence.unwrap_or(Evidence::NoContent)),
            Err(Stop::Cancelled) => Ok(Evidence::NotRequested),
            Err(Stop::Error(error)) => Err(error.with_target(TargetState::Moved)),
        };
        reading.done.push((at, evidence));
        ControlFlow::Continue(())
    });
    let mut done: Vec<_> = workers.into_iter().flat_map(|reading| reading.done).collect();
    done.sort_unstable_by_key(|(at, _)| *at);
    done.into_iter().map(|(_, evidence)| evidence).collect()
}

impl Reading<'_> {
    /// What is known of an item and of all in it; `None` where there is no content.
    fn item(&mut self, moved: &InPlace<'_>) -> Result<Option<Evidence>, Stop> {
        let Some(source) = &moved.item.source else { return Ok(None) };
        let InPlace { dir, name, volume, .. } = *moved;
        match moved.item.expect.kind {
            Kind::File => {
                let from = (&source.path, Some(&source.expect));
                let found = self.file(from, (dir, name, volume), &moved.item.to);
                self.list_differing(moved.item, &found, &moved.item.to);
                found
            }
            Kind::Folder => {
                let on_target = |e| Error::os(Op::Verify, self.context.target_path(&moved.item.to), e);
                let folder = dir.open_dir(name).map_err(on_target)?;
                self.folder(moved.item, folder, (source.path.clone(), moved.item.to.clone()), volume)
            }
            Kind::Symlink | Kind::Other => Ok(None),
        }
    }

    fn list_differing(&self, item: &Moved, found: &Result<Option<Evidence>, Stop>, path: &RelPath) {
        if matches!(found, Err(Stop::Error(error)) if is_mismatch(error)) {
            self.context.note_differing(&item.from, path.clone());
        }
    }

    fn folder(
        &mut self,
        item: &Moved,
        folder: DirRef,
        paths: (RelPath, RelPath),
        volume: &Volume,
    ) -> Result<Option<Evidence>, Stop> {
        let mut open = vec![(folder, paths)];
        let mut all = None;
        let mut told: Option<Error> = None;
        while let Some((folder, (from, to))) = open.pop() {
            let on_target = |to: &RelPath, e| Error::os(Op::Verify, self.context.target_path(to), e);
            let mut files = Vec::new();
            for name in names_in(&folder).map_err(|e| on_target(&to, e))? {
                let here = to.join(&name);
                match folder.stat(&name).map_err(|e| on_target(&here, e))?.kind {
                    Kind::File => files.push(name),
                    Kind::Folder => {
                        let below = folder.open_dir(&name).map_err(|e| on_target(&here, e))?;
                        open.push((below, (from.join(&name), here)));
                    }
                    Kind::Symlink | Kind::Other => {}
                }
            }
            for name in files {
                let path = to.join(&name);
                let found = self.file((&from.join(&name), None), (&folder, &name, volume), &path);
                self.list_differing(item, &found, &path);
                match found {
                    Ok(found) => all = weaker(all, found),
                    Err(Stop::Cancelled) => return Err(Stop::Cancelled),
                    // The folder is one item of the report, which names one: what could not be compared before what differs,
                    // which is listed whatever is named. Each of the others is told beside it.
                    Err(Stop::Error(error)) => match &told {
                        None => told = Some(error),
                        Some(_) if is_mismatch(&error) => {}
                        Some(first) if is_mismatch(first) => told = Some(error),
                        Some(_) => self.context.complain(&error.with_target(TargetState::Moved)),
                    },
                }
            }
        }
        told.map_or(Ok(all), |error| Err(error.into()))
    }

    /// Compares one file. The comparison that found it saw `expect` on the source; without that the sizes must do.
    fn file(
        &mut self,
        (from, expect): (&RelPath, Option<&Fingerprint>),
        (dir, name, volume): (&DirRef, &Name, &Volume),
        to: &RelPath,
    ) -> Result<Option<Evidence>, Stop> {
        let context = self.context;
        let on_target = |e: io::Error| Error::os(Op::Verify, context.target_path(to), e);
        let on_source = |e: io::Error| Error::os(Op::Read, context.source_path(from), e);
        let refuse = |kind| Error::new(Op::Verify, context.source_path(from), kind);
        let there = dir.stat(name).map_err(on_target)?;
        if there.kind != Kind::File || !context.settings.verifies(there.size) {
            return Ok(Some(Evidence::NotRequested));
        }
        let Some((parent, source_name)) = from.split() else { return Ok(None) };
        let source = self.source.open(&parent).map_err(on_source)?;
        let seen = source.stat(&source_name).map_err(on_source)?;
        let is_as_seen = match expect {
            Some(expect) => {
                seen.fingerprint() == *expect || Numbers::of(&source).unchanged(&seen.fingerprint(), expect)
            }
            None => seen.kind == Kind::File && seen.size == there.size,
        };
        if !is_as_seen {
            return Err(refuse(ErrorKind::SourceStale).into());
        }
        if seen.placeholder && !context.settings.read_placeholders {
            return Ok(Some(Evidence::NotRequested));
        }
        if there.size == 0 {
            return Ok(None);
        }
        add(&context.control.progress.verify_bytes_total, there.size);
        let file = dir.open_file(name, Access::Read).map_err(on_target)?;
        let is_it = |now: &fcs_sys::Metadata| now.id == there.id;
        let reader = OnTarget { dir, name, file: &file, volume, size: there.size, is_it: &is_it }
            .reach_device(context);
        let other: FileRef = source.open_file(&source_name, Access::Read).map_err(on_source)?;
        let wanted = self.digest(&*other, there.size, false, &on_source)?;
        let found = self.digest(reader.file(), there.size, true, &on_target)?;
        let now = source.stat(&source_name).map_err(on_source)?;
        if now.fingerprint() != seen.fingerprint() {
            return Err(refuse(ErrorKind::SourceUnsteady).into());
        }
        if wanted != found {
            let path = context.target_path(to);
            return Err(Error::new(Op::Verify, path, ErrorKind::Mismatch { offset: None }).into());
        }
        Ok(Some(reader.evidence(Some(found.1))))
    }

    /// The bytes of a file and their hash.
    fn digest(
        &mut self,
        file: &dyn File,
        size: u64,
        counts: bool,
        failed: &dyn Fn(io::Error) -> Error,
    ) -> Result<(u64, Digest), Stop> {
        let context = self.context;
        let count = |bytes: u64| {
            if counts {
                add(&context.control.progress.verify_bytes_done, bytes);
            }
        };
        if context.should_stop() {
            return Err(Stop::Cancelled);
        }
        if is_small(context, size) {
            self.buffer.resize(size as usize + 1, 0);
            let n = read_full(file, &mut self.buffer, 0).map_err(failed)?;
            count(n as u64);
            return Ok((n as u64, Digest(*blake3::hash(&self.buffer[..n]).as_bytes())));
        }
        let chunk = context.settings.verify_chunk_bytes as usize;
        let read = pump(file, size, chunk, true, |_, bytes: &[u8]| {
            count(bytes.len() as u64);
            if context.should_stop() { Err(()) } else { Ok(()) }
        });
        match read {
            Ok((bytes, Some(hash))) => Ok((bytes, hash)),
            Ok((_, None)) | Err(PumpError::Consume(())) => Err(Stop::Cancelled),
            Err(PumpError::Read(e)) => Err(failed(e).into()),
        }
    }
}

fn is_mismatch(error: &Error) -> bool {
    matches!(error.kind, ErrorKind::Mismatch { .. })
}

/// What is known of two together. A single file's hash is not that of a folder.
fn weaker(all: Option<Evidence>, one: Option<Evidence>) -> Option<Evidence> {
    let rank = |evidence: &Evidence| match evidence {
        Evidence::NotRequested => 0,
        Evidence::SharedExtents => 1,
        Evidence::CacheReread { .. } => 2,
        Evidence::DeviceReread { .. } => 3,
        Evidence::NoContent => 4,
    };
    let without_hash = |evidence| match evidence {
        Evidence::DeviceReread { .. } => Evidence::DeviceReread { hash: None },
        Evidence::CacheReread { why, .. } => Evidence::CacheReread { hash: None, why },
        other => other,
    };
    all.into_iter().chain(one).min_by_key(rank).map(without_hash)
}
