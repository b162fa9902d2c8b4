//! What the backend relies on in times, attributes, numbers, listings, streams, holes and reparse points.

use std::fs;
use std::io::{self, Write};
use std::os::windows::io::AsHandle;

use windows_sys::Wdk::Storage::FileSystem as class;
use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as w;
use windows_sys::Win32::System::{Ioctl, SystemServices};

use super::{Answer, Bench, Check, code, file_system, outcome, wide};
use fcs_sys::native::nt::{self, Open};
use fcs_sys::native::{self, handle, rename, reparse, stream};
use fcs_sys::{Attributes, Kind, LinkTarget, Metadata, Name};

const BASIC: &str = "windows/win32/api/winbase/ns-winbase-file_basic_info";
const TIMES: &str = "windows/win32/sysinfo/file-times";
const STREAMS: &str = "windows/win32/fileio/file-streams";
const REPARSE: &str = "windows/win32/fileio/reparse-points";

/// In 2001 and 2018, with odd ticks.
const CREATED: i64 = 126_227_808_000_000_001;
const MODIFIED: i64 = 131_600_000_000_000_003;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "times: created and modified",
        relies_on: "both are kept to the tick of 100 ns",
        source: TIMES,
        ask: both_times,
    },
    Check {
        name: "times: 0 leaves it",
        relies_on: "a 0 in FILE_BASIC_INFO leaves that time, and the attributes, as they are",
        source: BASIC,
        ask: zero,
    },
    Check {
        name: "times: after a write",
        relies_on: "times set after the last write stay when the handle is closed",
        source: TIMES,
        ask: after_a_write,
    },
    Check {
        name: "times: a read-only file",
        relies_on: "FILE_WRITE_ATTRIBUTES is enough to set its times",
        source: "windows/win32/fileio/file-access-rights-constants",
        ask: read_only,
    },
    Check {
        name: "times: a folder",
        relies_on: "kept as a file's, and moved when something is made in it",
        source: TIMES,
        ask: folder,
    },
    Check {
        name: "times: changed",
        relies_on: "a write, new attributes and a rename each give the item another ChangeTime",
        source: BASIC,
        ask: changed,
    },
    Check {
        name: "attributes",
        relies_on: "read-only, hidden, system, archive and not-indexed are kept together",
        source: "windows/win32/fileio/file-attribute-constants",
        ask: attributes,
    },
    Check {
        name: "attributes of a new item",
        relies_on: "a file and a folder can be made hidden",
        source: "windows/win32/api/winternl/nf-winternl-ntcreatefile",
        ask: made_hidden,
    },
    Check {
        name: "numbers",
        relies_on: "FileIdInfo: each item has its own, which a rename does not change",
        source: "windows/win32/api/winbase/ns-winbase-file_id_info",
        ask: numbers,
    },
    Check {
        name: "listing",
        relies_on: "FileIdExtdDirectoryInfo tells size, times, attributes and number as the item itself does",
        source: "windows/win32/api/winbase/ns-winbase-file_id_extd_dir_info",
        ask: listing,
    },
    Check {
        name: "streams",
        relies_on: "`:name` relative to the open item is its stream: listed with it, not in the folder, removed alone",
        source: STREAMS,
        ask: streams,
    },
    Check {
        name: "streams: asking the volume",
        relies_on: "FILE_NAMED_STREAMS tells whether `file:name` is a stream",
        source: "windows-hardware/drivers/ddi/ntifs/ns-ntifs-_file_fs_attribute_information",
        ask: stream_flag,
    },
    Check {
        name: "holes",
        relies_on: "FSCTL_SET_SPARSE marks the file, and FSCTL_QUERY_ALLOCATED_RANGES tells what is missing",
        source: "windows/win32/api/winioctl/ni-winioctl-fsctl_query_allocated_ranges",
        ask: holes,
    },
    Check {
        name: "symbolic link",
        relies_on: "made as a reparse point, opened as itself, read back word for word",
        source: REPARSE,
        ask: symbolic_link,
    },
    Check {
        name: "junction",
        relies_on: "opened as itself it is neither folder nor link; removed, what it leads to stays",
        source: REPARSE,
        ask: junction,
    },
];

fn basic(bench: &Bench, name: &str) -> io::Result<w::FILE_BASIC_INFO> {
    nt::query(bench.open(name, w::FILE_READ_ATTRIBUTES)?.as_handle())
}

/// As documented, where the backend has another way for Wine.
fn set_times(bench: &Bench, name: &str, created: i64, modified: i64) -> io::Result<()> {
    let info = w::FILE_BASIC_INFO { CreationTime: created, LastWriteTime: modified, ..Default::default() };
    nt::set_basic(bench.open(name, w::FILE_WRITE_ATTRIBUTES)?.as_handle(), &info)
}

fn times_answer(found: &w::FILE_BASIC_INFO) -> Answer {
    let off = (found.CreationTime - CREATED, found.LastWriteTime - MODIFIED);
    let seen = if off == (0, 0) {
        "exact".to_owned()
    } else {
        format!("off by {} ticks (created) and {} (modified)", off.0, off.1)
    };
    Answer::new(off == (0, 0), seen)
}

fn both_times(bench: &Bench) -> io::Result<Answer> {
    bench.file("file", "x")?;
    set_times(bench, "file", CREATED, MODIFIED)?;
    Ok(times_answer(&basic(bench, "file")?))
}

fn zero(bench: &Bench) -> io::Result<Answer> {
    bench.file("file", "x")?;
    handle::set_attributes(
        bench.open("file", w::FILE_WRITE_ATTRIBUTES)?.as_handle(),
        Attributes(w::FILE_ATTRIBUTE_HIDDEN),
    )?;
    let before = basic(bench, "file")?;
    set_times(bench, "file", 0, MODIFIED)?;
    let after = basic(bench, "file")?;
    let created = before.CreationTime == after.CreationTime;
    let attributes = before.FileAttributes == after.FileAttributes;
    let seen = format!("created kept: {created}, attributes kept: {attributes}");
    Ok(Answer::new(created && attributes && after.LastWriteTime == MODIFIED, seen))
}

fn after_a_write(bench: &Bench) -> io::Result<Answer> {
    let made = bench.make("file", w::FILE_GENERIC_READ | w::FILE_GENERIC_WRITE)?;
    let mut file = fs::File::from(made);
    file.write_all(&vec![7; 100_000])?;
    let info = w::FILE_BASIC_INFO { CreationTime: CREATED, LastWriteTime: MODIFIED, ..Default::default() };
    nt::set_basic(file.as_handle(), &info)?;
    handle::flush(file.as_handle())?;
    drop(file);
    Ok(times_answer(&basic(bench, "file")?))
}

fn read_only(bench: &Bench) -> io::Result<Answer> {
    bench.file("file", "x")?;
    let mark = |attributes| {
        handle::set_attributes(
            bench.open("file", w::FILE_WRITE_ATTRIBUTES)?.as_handle(),
            Attributes(attributes),
        )
    };
    mark(w::FILE_ATTRIBUTE_READONLY)?;
    let set = set_times(bench, "file", CREATED, MODIFIED);
    let found = basic(bench, "file")?;
    mark(0)?;
    let modified = found.LastWriteTime == MODIFIED;
    Ok(Answer::new(set.is_ok() && modified, format!("{}, modified kept: {modified}", outcome(set))))
}

fn folder(bench: &Bench) -> io::Result<Answer> {
    fs::create_dir(bench.path("folder"))?;
    set_times(bench, "folder", CREATED, MODIFIED)?;
    let Answer::AsReliedOn(_) = times_answer(&basic(bench, "folder")?) else {
        return Ok(times_answer(&basic(bench, "folder")?));
    };
    bench.file("folder/inside", "x")?;
    let moved = basic(bench, "folder")?.LastWriteTime != MODIFIED;
    Ok(Answer::new(moved, format!("exact; moved by a new file: {moved}")))
}

fn changed(bench: &Bench) -> io::Result<Answer> {
    bench.file("file", "x")?;
    // The clock ticks between two steps, because each waits for it to.
    let mut last = basic(bench, "file")?.ChangeTime;
    let mut moves = |step: &dyn Fn() -> io::Result<()>, name: &str| -> io::Result<bool> {
        wait_for_the_clock(bench)?;
        step()?;
        let now = basic(bench, name)?.ChangeTime;
        let moved = now != last;
        last = now;
        Ok(moved)
    };
    let write =
        moves(&|| fs::OpenOptions::new().append(true).open(bench.path("file"))?.write_all(b"y"), "file")?;
    let mark = moves(
        &|| {
            let file = bench.open("file", w::FILE_WRITE_ATTRIBUTES)?;
            handle::set_attributes(file.as_handle(), Attributes(w::FILE_ATTRIBUTE_HIDDEN))
        },
        "file",
    )?;
    let name = moves(&|| fs::rename(bench.path("file"), bench.path("renamed")), "renamed")?;
    let seen = format!("by a write: {write}, by attributes: {mark}, by a rename: {name}");
    Ok(Answer::new(write && mark && name, seen))
}

/// Returns when new files get another time than before.
fn wait_for_the_clock(bench: &Bench) -> io::Result<()> {
    let stamp = || -> io::Result<i64> {
        bench.file("clock", "x")?;
        Ok(basic(bench, "clock")?.LastWriteTime)
    };
    let before = stamp()?;
    while stamp()? == before {}
    fs::remove_file(bench.path("clock"))
}

fn attributes(bench: &Bench) -> io::Result<Answer> {
    bench.file("file", "x")?;
    let set = |attributes| {
        handle::set_attributes(
            bench.open("file", w::FILE_WRITE_ATTRIBUTES)?.as_handle(),
            Attributes(attributes),
        )
    };
    set(handle::SETTABLE)?;
    let found = basic(bench, "file")?.FileAttributes;
    set(0)?;
    Ok(Answer::new(found == handle::SETTABLE, format!("{found:#x} of {:#x}", handle::SETTABLE)))
}

fn made_hidden(bench: &Bench) -> io::Result<Answer> {
    let hidden = w::FILE_ATTRIBUTE_HIDDEN;
    for (name, sort) in [("file", class::FILE_NON_DIRECTORY_FILE), ("folder", class::FILE_DIRECTORY_FILE)] {
        nt::open_at(bench.dir(), &wide(name), Open::new(w::FILE_READ_ATTRIBUTES, hidden).with(sort))?;
    }
    let found = ["file", "folder"].map(|name| basic(bench, name).map_or(0, |info| info.FileAttributes));
    Ok(Answer::new(
        found.iter().all(|found| found & hidden != 0),
        format!("{:#x}, {:#x}", found[0], found[1]),
    ))
}

fn numbers(bench: &Bench) -> io::Result<Answer> {
    bench.file("one", "x")?;
    bench.file("other", "x")?;
    let number = |name: &str| -> io::Result<_> {
        let item = bench.open(name, w::FILE_READ_ATTRIBUTES)?;
        let info = nt::query::<w::FILE_ID_INFO>(item.as_handle())?;
        Ok((info.VolumeSerialNumber, info.FileId.Identifier))
    };
    let (one, other) = (number("one")?, number("other")?);
    fs::rename(bench.path("one"), bench.path("renamed"))?;
    let kept = number("renamed")? == one;
    let own = one != other && one.0 == other.0;
    Ok(Answer::new(own && kept, format!("own: {own}, kept by a rename: {kept}")))
}

fn listing(bench: &Bench) -> io::Result<Answer> {
    bench.file("file", [1; 12_345])?;
    set_times(bench, "file", CREATED, MODIFIED)?;
    let item = bench.open("file", w::FILE_READ_ATTRIBUTES)?;
    let own = handle::metadata(item.as_handle())?;
    let Some(listed) = native::listed(bench.dir(), &wide("file"), own.id.volume)? else {
        return Ok(Answer::Different("the file is not listed".into()));
    };
    // What the backend does not take from a listing.
    let listed = Metadata { links: own.links, allocated: own.allocated, ..listed };
    let seen = if listed == own { "the same".into() } else { format!("{listed:?} for {own:?}") };
    Ok(Answer::new(listed == own, seen))
}

fn streams(bench: &Bench) -> io::Result<Answer> {
    if file_system(bench.dir())?.0 & SystemServices::FILE_NAMED_STREAMS == 0 {
        return Ok(Answer::NotTried("this file system says it has none".into()));
    }
    bench.file("file", "content")?;
    let item = bench.open("file", w::FILE_GENERIC_READ)?;
    fs::File::from(stream::open(item.as_handle(), b"side", true)?).write_all(b"words")?;
    let listed = stream::list(item.as_handle())?;
    let there = listed.len() == 1 && listed[0].name == b"side" && listed[0].size == 5;
    let beside = bench.names()? == ["file"];
    stream::remove(item.as_handle(), b"side")?;
    let gone = stream::list(item.as_handle())?.is_empty() && bench.content("file") == "content";
    let seen = format!("listed: {there}, no file beside it: {beside}, removed alone: {gone}");
    Ok(Answer::new(there && beside && gone, seen))
}

fn stream_flag(bench: &Bench) -> io::Result<Answer> {
    let (flags, name) = file_system(bench.dir())?;
    let says = flags & SystemServices::FILE_NAMED_STREAMS != 0;
    bench.file("file", "content")?;
    let made = fs::write(bench.path("file:side"), "words");
    let has = made.is_ok() && bench.names()? == ["file"];
    Ok(Answer::new(says == has, format!("{name} says {says}, has them: {has}")))
}

fn holes(bench: &Bench) -> io::Result<Answer> {
    const END: u64 = 64 << 20;
    let made = bench.make("file", w::FILE_GENERIC_READ | w::FILE_GENERIC_WRITE)?;
    let marked = nt::control(made.as_handle(), Ioctl::FSCTL_SET_SPARSE, &[], &mut []);
    let mut file = fs::File::from(made);
    file.set_len(END)?;
    file.write_all(b"content")?;
    let (attributes, _) = handle::attributes(file.as_handle())?;
    let question: Vec<u8> = [0, END].iter().flat_map(|number| number.to_ne_bytes()).collect();
    let mut ranges = [0_u64; 8];
    let asked = nt::control(file.as_handle(), Ioctl::FSCTL_QUERY_ALLOCATED_RANGES, &question, &mut ranges);
    let is_marked = attributes & w::FILE_ATTRIBUTE_SPARSE_FILE != 0;
    let good =
        marked.is_ok() && is_marked && asked.as_ref().is_ok_and(|&bytes| bytes == 16) && ranges[1] < END;
    let seen = format!(
        "mark: {}, is marked: {is_marked}, ranges: {}, first of {} bytes",
        outcome(marked),
        outcome(asked),
        ranges[1]
    );
    Ok(Answer::new(good, seen))
}

fn name(text: &str) -> io::Result<Name> {
    Name::new(text.as_bytes()).map_err(|_| io::ErrorKind::InvalidInput.into())
}

fn symbolic_link(bench: &Bench) -> io::Result<Answer> {
    bench.file("file", "x")?;
    let target = LinkTarget { text: b"file".to_vec(), to_folder: false };
    let link = name("link")?;
    match reparse::create(bench.dir(), &link, &target) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(f::ERROR_PRIVILEGE_NOT_HELD as i32) => {
            return Ok(Answer::NotTried("this user may not make links (developer mode is off)".into()));
        }
        Err(error) => return Ok(Answer::Different(code(&error))),
    }
    let kind = handle::kind(bench.open("link", w::FILE_READ_ATTRIBUTES)?.as_handle())?;
    let read = reparse::read_link(bench.dir(), &link);
    let same = read.as_ref().is_ok_and(|read| *read == target);
    Ok(Answer::new(
        kind == Kind::Symlink && same,
        format!("{kind:?}, read: {}, the same: {same}", outcome(read)),
    ))
}

/// The reparse data of a junction ([MS-FSCC] 2.1.2.5).
fn junction_data(target: &[u16]) -> Vec<u8> {
    let bytes = |units: &[u16]| units.iter().flat_map(|unit| unit.to_le_bytes()).collect::<Vec<u8>>();
    let native = [&wide(r"\??\")[..], target].concat();
    let (native, shown) = (bytes(&native), bytes(target));
    let mut data = SystemServices::IO_REPARSE_TAG_MOUNT_POINT.to_le_bytes().to_vec();
    let length = 8 + native.len() + 2 + shown.len() + 2;
    for field in [length, 0, 0, native.len(), native.len() + 2, shown.len()] {
        data.extend((field as u16).to_le_bytes());
    }
    data.extend([&native[..], &[0, 0], &shown[..], &[0, 0]].concat());
    data
}

fn junction(bench: &Bench) -> io::Result<Answer> {
    use std::os::windows::ffi::OsStrExt;
    fs::create_dir(bench.path("target"))?;
    bench.file("target/inside", "x")?;
    fs::create_dir(bench.path("junction"))?;
    let target: Vec<u16> = std::path::absolute(bench.path("target"))?.as_os_str().encode_wide().collect();
    let item = bench.open("junction", w::FILE_WRITE_ATTRIBUTES | w::FILE_READ_ATTRIBUTES | w::DELETE)?;
    let made =
        nt::control(item.as_handle(), Ioctl::FSCTL_SET_REPARSE_POINT, &junction_data(&target), &mut []);
    if let Err(error) = made {
        return Ok(Answer::Different(format!("not made: {}", code(&error))));
    }
    let through = bench.content("junction/inside") == "x";
    let kind = handle::kind(item.as_handle())?;
    let removed = rename::delete(item.as_handle());
    drop(item);
    let stays = bench.names()? == ["target"] && bench.content("target/inside") == "x";
    let seen =
        format!("leads on: {through}, kind: {kind:?}, removed: {}, target stays: {stays}", outcome(removed));
    Ok(Answer::new(through && kind == Kind::Other && stays, seen))
}
