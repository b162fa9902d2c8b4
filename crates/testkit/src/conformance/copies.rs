//! The native copy: what arrives, its progress, how it is stopped, and what it never touches.

use std::ops::ControlFlow;
use std::sync::Arc;

use fcs_sys::{Access, CopyOptions, File, FileRef, OsReason, write_all_at};

use super::{Bench, Checked, Context, ensure, name, pattern, refused, rules, same};

rules![
    a_copy_has_its_sources_content,
    a_copy_can_be_read_written_and_dressed,
    a_copy_is_private_and_leaves_its_source_alone,
    a_copy_reports_its_progress,
    a_copy_stops_when_told,
    a_copy_stops_at_its_last_byte_too,
    a_copy_fails_if_the_name_is_taken,
    a_copy_of_a_read_only_file_can_be_dressed,
    a_copy_from_another_backend_works,
    a_source_that_ends_early_is_told,
    a_copy_through_chunks_is_the_same,
];

const CHUNK: usize = 256 << 10;

fn options(size: u64) -> CopyOptions {
    CopyOptions { size, chunk: CHUNK, share_blocks: false, writeback_window: 1 << 20 }
}

fn source(b: &Bench, label: &str, bytes: &[u8]) -> Result<FileRef, String> {
    drop(b.file(label, bytes)?);
    b.dir.open_file(&name(label)?, Access::Read).context("open_file of the source")
}

/// A copy that is never told to stop: its handle, and the bytes that arrived.
fn copy(b: &Bench, to: &str, source: &dyn File, size: u64) -> Result<(FileRef, u64), String> {
    let copy = b
        .dir
        .copy_in(&name(to)?, source, options(size), &mut |_| ControlFlow::Continue(()))
        .context("copy_in")?;
    ensure!(!copy.stopped, "a copy that nobody stopped says it was stopped");
    Ok((copy.file.ok_or("a copy that nobody stopped has no file")?, copy.bytes))
}

fn a_copy_has_its_sources_content(b: &Bench) -> Checked {
    for size in [0, 1, 4096, CHUNK - 1, CHUNK, CHUNK + 1, 3 * CHUNK + 17, 5 << 20] {
        let all = pattern(size);
        let from = source(b, &format!("from-{size}"), &all)?;
        let to = format!("to-{size}");
        let (made, bytes) = copy(b, &to, &*from, size as u64)?;
        same!(bytes, size as u64, "bytes that arrived");
        same!(made.metadata().context("metadata")?.size, size as u64, "the copy's size");
        ensure!(
            super::all_of(&*made).context("read_at")? == all,
            "{size} bytes: the copy's handle reads others"
        );
        drop(made);
        ensure!(b.content(&to)? == all, "{size} bytes: the copy holds others");
        ensure!(b.content(&format!("from-{size}"))? == all, "{size} bytes: the source has changed");
    }
    Ok(())
}

fn a_copy_can_be_read_written_and_dressed(b: &Bench) -> Checked {
    let all = pattern(CHUNK);
    let from = source(b, "from", &all)?;
    let (made, _) = copy(b, "to", &*from, CHUNK as u64)?;
    let stat = b.dir.stat(&name("to")?).context("stat")?;
    same!(stat.id, made.metadata().context("metadata")?.id, "the identity of the copy's handle");
    ensure!(stat.id != from.metadata().context("metadata")?.id, "source and copy are one file");
    write_all_at(&*made, b"changed", 10).context("write_at of the copy's handle")?;
    let time = fcs_sys::Time::new(1_000_000_000, 0);
    made.set_times(fcs_sys::Times { modified: Some(time), created: None }).context("set_times")?;
    made.sync().context("sync")?;
    drop(made);
    same!(b.dir.stat(&name("to")?).context("stat")?.modified, time, "the copy's modified time");
    same!(b.content("to")?[10..17], b"changed"[..], "what was written to the copy");
    ensure!(b.content("from")? == all, "writing to the copy changed the source");
    Ok(())
}

fn a_copy_is_private_and_leaves_its_source_alone(b: &Bench) -> Checked {
    let from = source(b, "from", &pattern(CHUNK))?;
    let before = b.dir.stat(&name("from")?).context("stat")?;
    let (made, _) = copy(b, "to", &*from, CHUNK as u64)?;
    super::items::privacy(b, made.metadata().context("metadata")?.attributes)?;
    same!(
        b.dir.stat(&name("from")?).context("stat")?.fingerprint(),
        before.fingerprint(),
        "the source's fingerprint"
    );
    Ok(())
}

fn a_copy_reports_its_progress(b: &Bench) -> Checked {
    if b.lacks.copy_progress {
        return Ok(());
    }
    let size = 8 << 20;
    let from = source(b, "from", &pattern(size))?;
    let mut seen = Vec::new();
    let mut tick = |bytes| {
        seen.push(bytes);
        ControlFlow::Continue(())
    };
    b.dir.copy_in(&name("to")?, &*from, options(size as u64), &mut tick).context("copy_in")?;
    ensure!(seen.is_sorted(), "progress goes backwards: {seen:?}");
    same!(seen.last(), Some(&(size as u64)), "the last progress");
    ensure!(seen.len() >= 4, "8 MiB with {} looks at the cancel flag", seen.len());
    Ok(())
}

fn a_copy_stops_when_told(b: &Bench) -> Checked {
    if b.lacks.copy_progress {
        return Ok(());
    }
    let size = 8 << 20;
    let from = source(b, "from", &pattern(size))?;
    let mut tick = |bytes| {
        if bytes >= 1 << 20 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let made = b.dir.copy_in(&name("to")?, &*from, options(size as u64), &mut tick).context("copy_in")?;
    ensure!(made.stopped, "a copy that was told to stop does not say so");
    ensure!(made.bytes < size as u64, "all {size} bytes were copied after the word to stop");
    if made.file.is_none() {
        return b.absent("to");
    }
    drop(made);
    ensure!(
        b.dir.stat(&name("to")?).context("stat of the part")?.size <= size as u64,
        "the part is too large"
    );
    b.dir.remove_file(&name("to")?).context("remove_file of the part")?;
    same!(b.listed()?, [b"from"], "names after the part was removed");
    Ok(())
}

fn a_copy_stops_at_its_last_byte_too(b: &Bench) -> Checked {
    if b.lacks.copy_progress {
        return Ok(());
    }
    let size = CHUNK as u64;
    let from = source(b, "from", &pattern(CHUNK))?;
    let mut tick = |bytes| if bytes >= size { ControlFlow::Break(()) } else { ControlFlow::Continue(()) };
    let made = b.dir.copy_in(&name("to")?, &*from, options(size), &mut tick).context("copy_in")?;
    ensure!(made.stopped, "a copy that was told to stop at its end does not say so");
    Ok(())
}

fn a_copy_fails_if_the_name_is_taken(b: &Bench) -> Checked {
    let from = source(b, "from", &pattern(CHUNK))?;
    b.file("file", b"kept")?;
    b.folder("folder")?;
    for label in ["file", "folder", "from"] {
        let made =
            b.dir.copy_in(&name(label)?, &*from, options(CHUNK as u64), &mut |_| ControlFlow::Continue(()));
        refused(made, &[OsReason::AlreadyExists], &format!("copy_in to the name of a {label}"))?;
    }
    same!(b.content("file")?, b"kept", "the file at the taken name");
    ensure!(b.content("from")? == pattern(CHUNK), "the source, whose own name was taken");
    same!(b.listed()?.len(), 3, "names");
    Ok(())
}

fn a_copy_of_a_read_only_file_can_be_dressed(b: &Bench) -> Checked {
    // A native copy brings the source's attributes along; the engine sets times after it.
    const READ_ONLY: u32 = if cfg!(windows) { 1 } else { 0o444 };
    let made = b.file("from", &pattern(CHUNK))?;
    made.set_attributes(fcs_sys::Attributes(READ_ONLY)).context("set_attributes")?;
    drop(made);
    let from = b.dir.open_file(&name("from")?, Access::Read).context("open_file of the read-only source")?;
    let (made, _) = copy(b, "to", &*from, CHUNK as u64)?;
    let time = fcs_sys::Time::new(1_000_000_000, 0);
    made.set_times(fcs_sys::Times { modified: Some(time), created: None })
        .context("set_times of the copy")?;
    write_all_at(&*made, b"x", 0).context("write_at of the copy")?;
    drop(made);
    b.dir.remove_file(&name("to")?).context("remove_file of the copy")
}

fn a_copy_from_another_backend_works(b: &Bench) -> Checked {
    let all = pattern(3 * CHUNK + 5);
    drop(b.file("from", &all)?);
    let root = fcs_sys::Root { dir: Arc::clone(&b.dir), path: "stranger".into() };
    let stranger = crate::faulty::wrap(&root, "stranger", Arc::new(|_| crate::faulty::Act::Go));
    let from = stranger.dir.open_file(&name("from")?, Access::Read).context("open_file")?;
    let (made, bytes) = copy(b, "to", &*from, all.len() as u64)?;
    same!(bytes, all.len() as u64, "bytes that arrived");
    drop(made);
    ensure!(b.content("to")? == all, "the copy differs");
    Ok(())
}

fn a_source_that_ends_early_is_told(b: &Bench) -> Checked {
    let all = pattern(CHUNK + 5);
    let from = source(b, "from", &all)?;
    let (made, bytes) = copy(b, "to", &*from, 2 * CHUNK as u64)?;
    same!(bytes, all.len() as u64, "bytes that arrived of a source that is shorter than asked");
    ensure!(super::all_of(&*made).context("read_at")? == all, "the copy of a shorter source");
    Ok(())
}

fn a_copy_through_chunks_is_the_same(b: &Bench) -> Checked {
    let all = pattern(2 * CHUNK + 3);
    let from = source(b, "from", &all)?;
    let to = b.file("to", b"")?;
    let size = all.len() as u64;
    let copied =
        fcs_sys::copy_in_by_chunks(&*to, &*from, 0, options(size), &mut |_| ControlFlow::Continue(()));
    same!(copied.context("copy_in_by_chunks")?, (size, false), "bytes, and whether it was stopped");
    ensure!(b.content("to")? == all, "the copy differs");
    Ok(())
}
