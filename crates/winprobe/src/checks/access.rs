//! What the backend relies on in share modes, locks, unbuffered reads, mappings, flushes, paths and volumes.

use std::fs;
use std::io::{self, Read, Write};
use std::os::windows::fs::{FileExt, OpenOptionsExt};
use std::os::windows::io::AsHandle;
use std::path::Path;

use windows_sys::Wdk::Storage::FileSystem as class;
use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as w;

use super::{Answer, Bench, Check, file_system, open_sharing, outcome, refusal, said, wide};
use fcs_sys::native::nt::{self, Open};
use fcs_sys::native::{self, handle, path, rename};
use fcs_sys::{AlignedBuffer, Place};

const CREATE: &str = "windows/win32/api/fileapi/nf-fileapi-createfilew";
const BUFFERING: &str = "windows/win32/fileio/file-buffering";
const LOCK: &str = "windows/win32/api/fileapi/nf-fileapi-lockfileex";
const FLUSH: &str = "windows/win32/api/fileapi/nf-fileapi-flushfilebuffers";

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "sharing: nothing",
        relies_on: "who shares nothing keeps others from the content (error 32), but not from looking",
        source: CREATE,
        ask: shares_nothing,
    },
    Check {
        name: "sharing: an unfinished copy",
        relies_on: "nobody can write into it, or open it so that it could not be renamed: error 32",
        source: CREATE,
        ask: unfinished,
    },
    Check {
        name: "locks: a part of the content",
        relies_on: "others can neither read nor write it: error 33",
        source: LOCK,
        ask: locked_part,
    },
    Check {
        name: "locks: beyond the content",
        relies_on: "a second lock on the byte is refused with error 33, and the content can be read",
        source: LOCK,
        ask: lock_beyond,
    },
    Check {
        name: "unbuffered: aligned",
        relies_on: "whole sectors are read, at the end as many bytes as there are, then none",
        source: BUFFERING,
        ask: unbuffered,
    },
    Check {
        name: "unbuffered: not aligned",
        relies_on: "refused with error 87: what is read comes in whole sectors from the device",
        source: BUFFERING,
        ask: unaligned,
    },
    Check {
        name: "unbuffered: after a write",
        relies_on: "it sees what was written and flushed through another handle",
        source: BUFFERING,
        ask: coherent,
    },
    Check {
        name: "sectors",
        relies_on: "FileStorageInfo tells their size, at most 4096",
        source: "windows/win32/api/winbase/ns-winbase-file_storage_info",
        ask: sectors,
    },
    Check {
        name: "mapping: shortened",
        relies_on: "a file that is mapped cannot be shortened: error 1224",
        source: "windows/win32/api/memoryapi/nf-memoryapi-createfilemappingw",
        ask: mapped_shortened,
    },
    Check {
        name: "mapping: removed or replaced",
        relies_on: "the file keeps its content while it is mapped, whether that is refused or done",
        source: "windows-hardware/drivers/ddi/ntddk/ns-ntddk-_file_disposition_information_ex",
        ask: mapped_removed,
    },
    Check {
        name: "flush: a file",
        relies_on: "done for a handle that may write, error 5 for one that may only read",
        source: FLUSH,
        ask: flush_file,
    },
    Check {
        name: "flush: a folder",
        relies_on: "done for a handle that may add a file",
        source: FLUSH,
        ask: flush_folder,
    },
    Check {
        name: "paths: where an open folder is now",
        relies_on: "GetFinalPathNameByHandleW follows a rename, and begins with \\\\?\\",
        source: "windows/win32/api/fileapi/nf-fileapi-getfinalpathnamebyhandlew",
        ask: final_path,
    },
    Check {
        name: "paths: over 260 characters",
        relies_on: "\\\\?\\ paths are taken whatever their length (here 700)",
        source: "windows/win32/fileio/maximum-file-path-limitation",
        ask: long_path,
    },
    Check {
        name: "volume",
        relies_on: "it tells its file system, its longest name and its room",
        source: "windows-hardware/drivers/ddi/ntifs/ns-ntifs-_file_fs_attribute_information",
        ask: volume,
    },
    Check {
        name: "case by folder",
        relies_on: "FileCaseSensitiveInfo answers for a folder",
        source: "windows/wsl/case-sensitivity",
        ask: case_by_folder,
    },
    Check {
        name: "no room: a write",
        relies_on: "error 112",
        source: "windows/win32/debug/system-error-codes--0-499-",
        ask: no_room,
    },
    Check {
        name: "network drive",
        relies_on: "one of drive type, FileRemoteProtocolInfo, final path and device tells that it is one",
        source: "windows/win32/api/fileapi/nf-fileapi-getdrivetypew",
        ask: network,
    },
];

/// Writes a file until less than `leave` bytes are free.
pub(super) fn fill(file: &Path, leave: u64) -> io::Result<()> {
    let folder = file.parent().unwrap_or(file);
    let open = path::open(folder, w::FILE_LIST_DIRECTORY | w::SYNCHRONIZE)?;
    let free = native::volume::space(open.as_handle())?.free;
    if free > 1 << 30 {
        return Err(io::Error::other("the volume is too large to be filled"));
    }
    let mut file = fs::File::create(file)?;
    let piece = vec![1; 1 << 16];
    for _ in 0..free.saturating_sub(leave) / piece.len() as u64 {
        file.write_all(&piece)?;
    }
    file.sync_all()
}

fn shares_nothing(bench: &Bench) -> io::Result<Answer> {
    let path = bench.file("file", "content")?;
    let other = open_sharing(&path, 0)?;
    let read = refusal(bench.open("file", w::FILE_GENERIC_READ));
    let look = bench.open("file", w::FILE_READ_ATTRIBUTES);
    drop(other);
    let good = read == f::ERROR_SHARING_VIOLATION as i32 && look.is_ok();
    Ok(Answer::new(good, format!("read: {}, look: {}", said(read), outcome(look))))
}

fn unfinished(bench: &Bench) -> io::Result<Answer> {
    let access = w::FILE_GENERIC_READ | w::FILE_GENERIC_WRITE | w::DELETE;
    let how = Open::new(access, w::FILE_ATTRIBUTE_HIDDEN)
        .share(w::FILE_SHARE_READ | w::FILE_SHARE_DELETE)
        .with(class::FILE_NON_DIRECTORY_FILE);
    let ours = nt::open_at(bench.dir(), &wide("file"), how)?;
    let path = bench.path("file");
    let write = refusal(fs::OpenOptions::new().write(true).open(&path));
    let hold = refusal(open_sharing(&path, w::FILE_SHARE_READ | w::FILE_SHARE_WRITE));
    let read = open_sharing(&path, nt::SHARE_ALL);
    drop(ours);
    let denied = f::ERROR_SHARING_VIOLATION as i32;
    let seen = format!("write: {}, hold: {}, read: {}", said(write), said(hold), outcome(read));
    Ok(Answer::new(write == denied && hold == denied, seen))
}

fn locked_part(bench: &Bench) -> io::Result<Answer> {
    let path = bench.file("file", [1; 1000])?;
    let open = || fs::OpenOptions::new().read(true).write(true).open(&path);
    let (ours, other) = (open()?, open()?);
    native::lock(ours.as_handle(), 100, 100)?;
    let read = refusal(other.seek_read(&mut [0; 10], 150));
    let write = refusal(other.seek_write(&[0; 10], 150));
    let denied = f::ERROR_LOCK_VIOLATION as i32;
    Ok(Answer::new(
        read == denied && write == denied,
        format!("read: {}, write: {}", said(read), said(write)),
    ))
}

fn lock_beyond(bench: &Bench) -> io::Result<Answer> {
    let path = bench.file("file", "who holds it")?;
    let open = || fs::OpenOptions::new().read(true).write(true).open(&path);
    let (ours, other) = (open()?, open()?);
    native::lock(ours.as_handle(), native::LOCK_OFFSET, 1)?;
    let second = refusal(native::lock(other.as_handle(), native::LOCK_OFFSET, 1));
    let mut read = String::new();
    (&other).read_to_string(&mut read)?;
    let good = second == f::ERROR_LOCK_VIOLATION as i32 && read == "who holds it";
    Ok(Answer::new(good, format!("second: {}, read: {read:?}", said(second))))
}

fn open_unbuffered(path: &Path) -> io::Result<fs::File> {
    fs::OpenOptions::new().read(true).custom_flags(w::FILE_FLAG_NO_BUFFERING).open(path)
}

fn unbuffered(bench: &Bench) -> io::Result<Answer> {
    const SIZE: usize = (64 << 10) + 123;
    let file = open_unbuffered(&bench.file("file", vec![7; SIZE])?)?;
    let mut buffer = AlignedBuffer::new(64 << 10);
    let mut read = |offset: u64| match file.seek_read(&mut buffer, offset) {
        Ok(bytes) => bytes as i32,
        Err(error) if error.raw_os_error() == Some(f::ERROR_HANDLE_EOF as i32) => 0,
        Err(error) => -error.raw_os_error().unwrap_or_default(),
    };
    let found = [read(0), read(64 << 10), read(128 << 10)];
    Ok(Answer::new(found == [64 << 10, 123, 0], format!("{found:?} bytes")))
}

fn unaligned(bench: &Bench) -> io::Result<Answer> {
    let file = open_unbuffered(&bench.file("file", vec![7; 64 << 10])?)?;
    let mut buffer = AlignedBuffer::new(8192);
    let length = refusal(file.seek_read(&mut buffer[..1000], 0));
    let offset = refusal(file.seek_read(&mut buffer[..4096], 100));
    let refused = f::ERROR_INVALID_PARAMETER as i32;
    let seen = format!("length: {}, offset: {}", said(length), said(offset));
    Ok(Answer::new(length == refused && offset == refused, seen))
}

fn coherent(bench: &Bench) -> io::Result<Answer> {
    let path = bench.file("file", vec![1; 8192])?;
    let reader = open_unbuffered(&path)?;
    let mut buffer = AlignedBuffer::new(8192);
    reader.seek_read(&mut buffer, 0)?;
    let writer = fs::OpenOptions::new().write(true).open(&path)?;
    writer.seek_write(&[2; 8192], 0)?;
    writer.sync_all()?;
    reader.seek_read(&mut buffer, 0)?;
    let new = buffer.iter().all(|&byte| byte == 2);
    Ok(Answer::new(new, format!("new bytes: {new}")))
}

#[allow(clippy::unnecessary_wraps, reason = "all checks have one signature")]
fn sectors(bench: &Bench) -> io::Result<Answer> {
    let info = nt::query::<w::FILE_STORAGE_INFO>(bench.dir());
    let size = info.as_ref().map_or(0, |info| info.LogicalBytesPerSector);
    Ok(Answer::new((1..=4096).contains(&size), format!("{}, {size} bytes", outcome(info))))
}

fn mapped_shortened(bench: &Bench) -> io::Result<Answer> {
    let path = bench.file("file", vec![1; 1 << 17])?;
    let file = fs::File::open(&path)?;
    let mapped = native::map(file.as_handle(), 0, 1 << 17)?;
    let refused = refusal(fs::OpenOptions::new().write(true).open(&path)?.set_len(10));
    drop(mapped);
    Ok(Answer::new(refused == f::ERROR_USER_MAPPED_FILE as i32, said(refused)))
}

fn mapped_removed(bench: &Bench) -> io::Result<Answer> {
    let path = bench.file("file", vec![1; 1 << 17])?;
    let file = fs::File::open(&path)?;
    let mapped = native::map(file.as_handle(), 0, 1 << 17)?;
    let item = bench.open("file", w::DELETE | w::FILE_READ_ATTRIBUTES)?;
    let removed = rename::delete(item.as_handle());
    drop(item);
    let mut content = vec![0; 1 << 17];
    let kept = mapped.copy_out(0, &mut content).is_ok() && content.iter().all(|&byte| byte == 1);
    drop(mapped);
    Ok(Answer::new(kept, format!("removed: {}, content kept: {kept}", outcome(removed))))
}

fn flush_file(bench: &Bench) -> io::Result<Answer> {
    bench.file("file", "x")?;
    let write = handle::flush(bench.open("file", w::FILE_GENERIC_WRITE)?.as_handle());
    let read = refusal(handle::flush(bench.open("file", w::FILE_GENERIC_READ)?.as_handle()));
    let good = write.is_ok() && read == f::ERROR_ACCESS_DENIED as i32;
    Ok(Answer::new(good, format!("may write: {}, may read: {}", outcome(write), said(read))))
}

fn flush_folder(bench: &Bench) -> io::Result<Answer> {
    let done = handle::flush(handle::reopen(bench.dir(), w::FILE_ADD_FILE)?.as_handle());
    Ok(Answer::new(done.is_ok(), outcome(done)))
}

fn final_path(bench: &Bench) -> io::Result<Answer> {
    fs::create_dir(bench.path("before"))?;
    let open = bench.open("before", w::FILE_READ_ATTRIBUTES)?;
    fs::rename(bench.path("before"), bench.path("after"))?;
    let found = String::from_utf16_lossy(&path::final_path(open.as_handle())?);
    let (start, last) = (found.get(..4).unwrap_or_default(), found.rsplit('\\').next().unwrap_or_default());
    Ok(Answer::new(start == r"\\?\" && last == "after", format!("{start}…{last}")))
}

fn long_path(bench: &Bench) -> io::Result<Answer> {
    let mut long =
        std::path::PathBuf::from(format!(r"\\?\{}", std::path::absolute(&bench.folder)?.display()));
    while long.as_os_str().len() < 700 {
        long.push("n".repeat(50));
    }
    let made = fs::create_dir_all(&long).and_then(|()| fs::write(long.join("file"), "x"));
    let opened = path::open(&long, w::FILE_LIST_DIRECTORY | w::SYNCHRONIZE);
    let good = made.is_ok() && opened.is_ok();
    Ok(Answer::new(good, format!("made: {}, opened: {}", outcome(made), outcome(opened))))
}

fn volume(bench: &Bench) -> io::Result<Answer> {
    let facts = fcs_sys::open_root(&bench.folder).map_err(io::Error::other)?.dir.volume()?;
    let space = native::volume::space(bench.dir())?;
    let (flags, name) = file_system(bench.dir())?;
    let good = facts.max_name == 255 && space.free > 0 && space.free <= space.total;
    let seen = format!(
        "{name}, flags {flags:#x}, names to {}, {:?}, free {} MiB of {}",
        facts.max_name,
        facts.place,
        space.free >> 20,
        space.total >> 20
    );
    Ok(Answer::new(good, seen))
}

#[allow(clippy::unnecessary_wraps, reason = "all checks have one signature")]
fn case_by_folder(bench: &Bench) -> io::Result<Answer> {
    let info = nt::query::<w::FILE_CASE_SENSITIVE_INFO>(bench.dir());
    let flags = info.as_ref().map_or(0, |info| info.Flags);
    Ok(Answer::new(info.is_ok(), format!("{}, flags {flags}", outcome(info))))
}

fn no_room(bench: &Bench) -> io::Result<Answer> {
    let Some(small) = &bench.places.small else {
        return Ok(Answer::NotTried("no small volume was named".into()));
    };
    let ballast = small.join("fcs-winprobe-ballast");
    let filled = fill(&ballast, 1 << 20);
    let refused = match filled {
        Ok(()) => {
            let mut file = fs::OpenOptions::new().append(true).open(&ballast)?;
            refusal(file.write_all(&vec![1; 4 << 20]).and_then(|()| file.sync_all()))
        }
        Err(error) => return Ok(Answer::NotTried(error.to_string())),
    };
    fs::remove_file(&ballast)?;
    Ok(Answer::new(refused == f::ERROR_DISK_FULL as i32, said(refused)))
}

fn network(bench: &Bench) -> io::Result<Answer> {
    let Some(drive) = &bench.places.network else {
        return Ok(Answer::NotTried("no network drive was named".into()));
    };
    let root = fcs_sys::open_root(drive).map_err(io::Error::other)?;
    let open = path::open(drive, w::FILE_LIST_DIRECTORY | w::SYNCHRONIZE)?;
    let protocol = nt::query::<w::FILE_REMOTE_PROTOCOL_INFO>(open.as_handle());
    let shown = String::from_utf16_lossy(&path::final_path(open.as_handle())?);
    let place = root.dir.volume()?.place;
    let is_unc = shown.to_ascii_uppercase().starts_with(r"\\?\UNC\");
    let seen = format!("{place:?}; protocol: {}, path to a server: {is_unc}", outcome(protocol));
    Ok(Answer::new(place == Place::Network, seen))
}
