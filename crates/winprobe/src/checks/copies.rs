//! What the backend relies on in `CopyFileExW`.

use std::fs;
use std::io::{self, Write};
use std::os::windows::io::AsHandle;

use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as w;

use super::{Answer, Bench, Check, code, file_system, outcome, refusal, said, wide};
use fcs_sys::Attributes;
use fcs_sys::native::nt::{self, Open};
use fcs_sys::native::{self, copy, handle, stream};

const COPY: &str = "windows/win32/api/winbase/nf-winbase-copyfileexw";
const ROUTINE: &str = "windows/win32/api/winbase/nc-winbase-lpprogress_routine";

/// Not a multiple of any sector or of the system's pieces.
const SIZE: usize = (24 << 20) + 123;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "copy: progress",
        relies_on: "the routine is called first before any byte, then after each piece, at last with all bytes",
        source: ROUTINE,
        ask: progress,
    },
    Check {
        name: "copy: both ends at the first call",
        relies_on: "the handles are those of source and new file; the new file can be opened by name beside it",
        source: ROUTINE,
        ask: both_ends,
    },
    Check {
        name: "copy: hiding the new file",
        relies_on: "attributes that are set by the routine's handle are still there afterwards",
        source: ROUTINE,
        ask: hiding,
    },
    Check {
        name: "copy: cancel at the first call",
        relies_on: "PROGRESS_CANCEL ends it with error 1235, and the new file is deleted",
        source: ROUTINE,
        ask: cancel_at_once,
    },
    Check {
        name: "copy: cancel half-way",
        relies_on: "PROGRESS_CANCEL ends it with error 1235, and the new file is deleted",
        source: ROUTINE,
        ask: cancel_half_way,
    },
    Check {
        name: "copy: the name is taken",
        relies_on: "COPY_FILE_FAIL_IF_EXISTS: error 80, and what is there stays",
        source: COPY,
        ask: taken,
    },
    Check {
        name: "copy: attributes come along",
        relies_on: "read-only, hidden and system are those of the source, so the backend sets its own afterwards",
        source: COPY,
        ask: attributes,
    },
    Check {
        name: "copy: named streams come along",
        relies_on: "they are copied, and their bytes do not count as content",
        source: COPY,
        ask: streams,
    },
    Check {
        name: "copy: past the cache",
        relies_on: "COPY_FILE_NO_BUFFERING copies a file of any length",
        source: COPY,
        ask: unbuffered,
    },
    Check {
        name: "copy: a locked part",
        relies_on: "a part that another program has locked ends it with error 33, and nothing is left",
        source: "windows/win32/api/fileapi/nf-fileapi-lockfileex",
        ask: locked,
    },
    Check { name: "copy: no room", relies_on: "error 112, and nothing is left", source: COPY, ask: no_room },
];

fn source(bench: &Bench) -> io::Result<std::path::PathBuf> {
    bench.file("from", pattern())
}

fn pattern() -> Vec<u8> {
    (0..SIZE).map(|at| (at * 7 + at / 4096) as u8).collect()
}

fn progress(bench: &Bench) -> io::Result<Answer> {
    let (mut steps, mut shrank) = (Vec::new(), false);
    copy(&source(bench)?, &bench.path("to"), 0, &mut |step| {
        shrank |= steps.last().is_some_and(|&(_, bytes)| step.bytes < bytes);
        steps.push((step.why, step.bytes));
        w::PROGRESS_CONTINUE
    })?;
    let (Some(&first), Some(&last)) = (steps.first(), steps.last()) else {
        return Ok(Answer::Different("the routine is never called".into()));
    };
    let good = first == (w::CALLBACK_STREAM_SWITCH, 0) && last.1 == SIZE as i64 && steps.len() > 2 && !shrank;
    let seen = format!("{} calls, first at {} bytes, last at {} of {SIZE}", steps.len(), first.1, last.1);
    Ok(Answer::new(good, seen))
}

fn both_ends(bench: &Bench) -> io::Result<Answer> {
    let from = source(bench)?;
    let opened = fs::File::open(&from)?;
    let mut seen = None;
    copy(&from, &bench.path("to"), 0, &mut |step| {
        seen.get_or_insert_with(|| {
            let source = handle::identity(step.from)? == handle::identity(opened.as_handle())?;
            let there = nt::open_at(bench.dir(), &wide("to"), Open::existing(w::FILE_READ_ATTRIBUTES))?;
            let new = handle::identity(step.to)? == handle::identity(there.as_handle())?;
            io::Result::Ok((source, new))
        });
        w::PROGRESS_CONTINUE
    })?;
    Ok(match seen {
        None => Answer::Different("the routine is never called".into()),
        Some(Err(error)) => Answer::Different(code(&error)),
        Some(Ok((source, new))) => Answer::new(source && new, format!("source: {source}, new file: {new}")),
    })
}

fn hiding(bench: &Bench) -> io::Result<Answer> {
    let mut set = None;
    copy(&source(bench)?, &bench.path("to"), 0, &mut |step| {
        set.get_or_insert_with(|| handle::set_attributes(step.to, Attributes(w::FILE_ATTRIBUTE_HIDDEN)));
        w::PROGRESS_CONTINUE
    })?;
    let Some(set) = set else { return Ok(Answer::Different("the routine is never called".into())) };
    let after = attributes_of(bench, "to")?;
    let good = set.is_ok() && after & w::FILE_ATTRIBUTE_HIDDEN != 0;
    Ok(Answer::new(good, format!("set: {}, afterwards {after:#x}", outcome(set))))
}

fn attributes_of(bench: &Bench, name: &str) -> io::Result<u32> {
    Ok(handle::attributes(bench.open(name, w::FILE_READ_ATTRIBUTES)?.as_handle())?.0)
}

fn cancel_at_once(bench: &Bench) -> io::Result<Answer> {
    cancel(bench, 0)
}

fn cancel_half_way(bench: &Bench) -> io::Result<Answer> {
    cancel(bench, SIZE as i64 / 2)
}

fn cancel(bench: &Bench, at: i64) -> io::Result<Answer> {
    let done = copy(&source(bench)?, &bench.path("to"), 0, &mut |step| {
        if step.bytes >= at { w::PROGRESS_CANCEL } else { w::PROGRESS_CONTINUE }
    });
    gone(bench, done, f::ERROR_REQUEST_ABORTED)
}

/// Whether a copy to `to` failed with `wanted` and left nothing.
fn gone(bench: &Bench, done: io::Result<()>, wanted: u32) -> io::Result<Answer> {
    let left = bench.path("to").try_exists()?;
    let (refused, there) = (refusal(done), if left { "is there" } else { "is not there" });
    let seen = format!("{}, the new file {there}", said(refused));
    Ok(Answer::new(refused == wanted as i32 && !left, seen))
}

fn taken(bench: &Bench) -> io::Result<Answer> {
    bench.file("to", "precious")?;
    let flags = w::COPY_FILE_FAIL_IF_EXISTS;
    let done = copy(&source(bench)?, &bench.path("to"), flags, &mut |_| w::PROGRESS_CONTINUE);
    let kept = bench.content("to") == "precious";
    let refused = refusal(done);
    Ok(Answer::new(
        refused == f::ERROR_FILE_EXISTS as i32 && kept,
        format!("{}, untouched: {kept}", said(refused)),
    ))
}

fn attributes(bench: &Bench) -> io::Result<Answer> {
    let marks = w::FILE_ATTRIBUTE_READONLY | w::FILE_ATTRIBUTE_HIDDEN | w::FILE_ATTRIBUTE_SYSTEM;
    let from = source(bench)?;
    let mark = |name: &str, marks| {
        handle::set_attributes(bench.open(name, w::FILE_WRITE_ATTRIBUTES)?.as_handle(), Attributes(marks))
    };
    mark("from", marks)?;
    copy(&from, &bench.path("to"), 0, &mut |_| w::PROGRESS_CONTINUE)?;
    let after = attributes_of(bench, "to")?;
    // A read-only file is in the way of those who tidy up.
    mark("from", 0)?;
    mark("to", 0)?;
    Ok(Answer::new(after & marks == marks, format!("{after:#x}")))
}

fn streams(bench: &Bench) -> io::Result<Answer> {
    if file_system(bench.dir())?.0 & windows_sys::Win32::System::SystemServices::FILE_NAMED_STREAMS == 0 {
        return Ok(Answer::NotTried("this file system has no streams".into()));
    }
    let from = source(bench)?;
    let opened = bench.open("from", w::FILE_GENERIC_READ)?;
    let made = fs::File::from(stream::open(opened.as_handle(), b"side", true)?);
    (&made).write_all(&[1; 5000])?;
    drop((made, opened));
    let mut content = 0;
    copy(&from, &bench.path("to"), 0, &mut |step| {
        // The unnamed stream is the first.
        if step.stream <= 1 {
            content = step.bytes;
        }
        w::PROGRESS_CONTINUE
    })?;
    let found = stream::list(bench.open("to", w::FILE_GENERIC_READ)?.as_handle())?;
    let came = found.iter().any(|stream| stream.name == b"side" && stream.size == 5000);
    Ok(Answer::new(
        came && content == SIZE as i64,
        format!("came along: {came}, content counted: {content} of {SIZE}"),
    ))
}

fn unbuffered(bench: &Bench) -> io::Result<Answer> {
    let mut last = 0;
    let done = copy(&source(bench)?, &bench.path("to"), w::COPY_FILE_NO_BUFFERING, &mut |step| {
        last = step.bytes;
        w::PROGRESS_CONTINUE
    });
    let same = fs::read(bench.path("to")).is_ok_and(|content| content == pattern());
    let good = done.is_ok() && same && last == SIZE as i64;
    Ok(Answer::new(good, format!("{}, content equal: {same}, counted: {last} of {SIZE}", outcome(done))))
}

fn locked(bench: &Bench) -> io::Result<Answer> {
    let from = source(bench)?;
    let other = fs::OpenOptions::new().read(true).write(true).open(&from)?;
    native::lock(other.as_handle(), 1 << 20, 4096)?;
    let done = copy(&from, &bench.path("to"), 0, &mut |_| w::PROGRESS_CONTINUE);
    gone(bench, done, f::ERROR_LOCK_VIOLATION)
}

fn no_room(bench: &Bench) -> io::Result<Answer> {
    let Some(small) = &bench.places.small else {
        return Ok(Answer::NotTried("no small volume was named".into()));
    };
    let from = source(bench)?;
    let (ballast, to) = (small.join("fcs-winprobe-ballast"), small.join("fcs-winprobe-copy"));
    let filled = super::access::fill(&ballast, SIZE as u64 / 2);
    let done = filled.and_then(|()| copy(&from, &to, 0, &mut |_| w::PROGRESS_CONTINUE));
    let left = fs::metadata(&to).map(|left| left.len()).ok();
    for file in [&ballast, &to] {
        if file.try_exists()? {
            fs::remove_file(file)?;
        }
    }
    let refused = refusal(done);
    let seen = format!(
        "{}, left: {}",
        said(refused),
        left.map_or("nothing".into(), |bytes| format!("{bytes} bytes"))
    );
    Ok(Answer::new(refused == f::ERROR_DISK_FULL as i32 && left.is_none(), seen))
}
