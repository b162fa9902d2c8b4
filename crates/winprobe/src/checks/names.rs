//! What the backend relies on in renames, removals, hard links and names.

use std::fs;
use std::io::{self, Read};
use std::os::windows::io::{AsHandle, BorrowedHandle};

use windows_sys::Wdk::Storage::FileSystem as class;
use windows_sys::Win32::Foundation as f;
use windows_sys::Win32::Storage::FileSystem as w;

use super::{Answer, Bench, Check, file_system, open_sharing, outcome, refusal, said, wide};
use fcs_sys::native::nt::{self, Open, SHARE_ALL, Status};
use fcs_sys::native::{self, handle, rename};
use fcs_sys::{Attributes, Name};

const RENAME: &str = "windows-hardware/drivers/ddi/ntifs/ns-ntifs-_file_rename_information";
const DISPOSE: &str = "windows-hardware/drivers/ddi/ntddk/ns-ntddk-_file_disposition_information_ex";
const LINK: &str = "windows-hardware/drivers/ddi/ntifs/ns-ntifs-_file_link_information";
const NAMING: &str = "windows/win32/fileio/naming-a-file";
const OPEN: &str = "windows/win32/api/winternl/nf-winternl-ntcreatefile";

const REPLACE: u32 = class::FILE_RENAME_REPLACE_IF_EXISTS | class::FILE_RENAME_POSIX_SEMANTICS;

pub(super) const CHECKS: &[Check] = &[
    Check {
        name: "rename: replace",
        relies_on: "FileRenameInformationEx replaces a file by a name in an open folder",
        source: RENAME,
        ask: replace,
    },
    Check {
        name: "rename: replace what is open",
        relies_on: "a target opened with all sharing is replaced, and its reader keeps the old content",
        source: RENAME,
        ask: replace_open,
    },
    Check {
        name: "rename: replace what is held",
        relies_on: "a target opened without sharing deletion refuses with error 5 or 32, and both files stay",
        source: RENAME,
        ask: replace_held,
    },
    Check {
        name: "rename: replace what is read-only",
        relies_on: "error 5, or done with FILE_RENAME_IGNORE_READONLY_ATTRIBUTE",
        source: RENAME,
        ask: replace_read_only,
    },
    Check {
        name: "rename: a taken name",
        relies_on: "without the flag to replace: error 183, and both files stay",
        source: RENAME,
        ask: taken,
    },
    Check {
        name: "rename: while we have it open",
        relies_on: "a file opened with sharing of reads and deletion gets its final name while it is open",
        source: RENAME,
        ask: staged,
    },
    Check {
        name: "rename: another spelling",
        relies_on: "a name changes its case by a rename onto itself",
        source: RENAME,
        ask: spelling,
    },
    Check {
        name: "rename: a folder in use",
        relies_on: "a folder with an open file inside is not renamed: error 5",
        source: RENAME,
        ask: folder_in_use,
    },
    Check {
        name: "rename: by a whole path",
        relies_on: "FileRenameInformation takes a whole native path, for servers that take no open folder",
        source: RENAME,
        ask: whole_path,
    },
    Check {
        name: "rename: another volume",
        relies_on: "error 17, and both volumes stay as they are",
        source: RENAME,
        ask: other_volume,
    },
    Check {
        name: "rename: the created time",
        relies_on: "whatever tunnelling gives it, it can be set again and then stays",
        source: "windows/win32/sysinfo/file-times",
        ask: tunnelling,
    },
    Check {
        name: "remove: what is open",
        relies_on: "the name is free as soon as our handle is closed, and the reader keeps the content",
        source: DISPOSE,
        ask: remove_open,
    },
    Check {
        name: "remove: what is read-only",
        relies_on: "done with FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE",
        source: DISPOSE,
        ask: remove_read_only,
    },
    Check {
        name: "link: a second name",
        relies_on: "one item with two names and a count of 2; removing one leaves the other",
        source: LINK,
        ask: link,
    },
    Check {
        name: "link: a taken name",
        relies_on: "error 183, and both files stay",
        source: LINK,
        ask: link_taken,
    },
    Check {
        name: "open for removal: what is held",
        relies_on: "a file opened elsewhere without sharing deletion refuses with error 32",
        source: "windows/win32/api/fileapi/nf-fileapi-createfilew",
        ask: delete_access,
    },
    Check {
        name: "names: as they are",
        relies_on: "`CON`, `dot.` and `space ` relative to an open folder are those names and no others",
        source: OPEN,
        ask: as_they_are,
    },
    Check {
        name: "names: case",
        relies_on: "another case opens the same item, and cannot be created beside it (error 183)",
        source: NAMING,
        ask: case,
    },
    Check {
        name: "names: which letters are the same",
        relies_on: "on NTFS É is é and Ж is ж, but İ is not i, ı not I, ß not ẞ, Σ not ς, and é composed is not é in two parts",
        source: NAMING,
        ask: letters,
    },
    Check {
        name: "names: length",
        relies_on: "255 UTF-16 units whatever they are; one more is refused",
        source: NAMING,
        ask: length,
    },
    Check {
        name: "names: half a pair",
        relies_on: "a surrogate by itself is a letter like others",
        source: NAMING,
        ask: half_a_pair,
    },
    Check {
        name: "names: depth",
        relies_on: "folders are opened one in the other without end (here 300)",
        source: OPEN,
        ask: depth,
    },
];

fn place(item: BorrowedHandle<'_>, flags: u32, bench: &Bench, name: &str) -> Result<(), Status> {
    rename::place(item, class::FileRenameInformationEx, flags, Some(bench.dir()), &wide(name))
}

/// Two files; renames `new` to `old`, and tells what is at either name then.
fn rename_onto(bench: &Bench, flags: u32) -> io::Result<(i32, String)> {
    let item = bench.open("new", w::DELETE)?;
    let refused = refusal(place(item.as_handle(), flags, bench, "old"));
    drop(item);
    Ok((
        refused,
        format!("{}; `old` holds {}, `new` {}", said(refused), bench.content("old"), bench.content("new")),
    ))
}

fn two(bench: &Bench) -> io::Result<()> {
    bench.file("old", "old")?;
    bench.file("new", "new")?;
    Ok(())
}

fn both_stay(bench: &Bench) -> bool {
    bench.content("old") == "old" && bench.content("new") == "new"
}

fn replaced(bench: &Bench) -> bool {
    bench.content("old") == "new" && bench.names().is_ok_and(|names| names == ["old"])
}

fn mark(bench: &Bench, name: &str, attributes: u32) -> io::Result<()> {
    handle::set_attributes(bench.open(name, w::FILE_WRITE_ATTRIBUTES)?.as_handle(), Attributes(attributes))
}

fn replace(bench: &Bench) -> io::Result<Answer> {
    two(bench)?;
    let (refused, seen) = rename_onto(bench, REPLACE)?;
    Ok(Answer::new(refused == 0 && replaced(bench), seen))
}

fn replace_open(bench: &Bench) -> io::Result<Answer> {
    two(bench)?;
    let mut reader = open_sharing(&bench.path("old"), SHARE_ALL)?;
    let (refused, seen) = rename_onto(bench, REPLACE)?;
    let mut kept = String::new();
    reader.read_to_string(&mut kept)?;
    Ok(Answer::new(
        refused == 0 && replaced(bench) && kept == "old",
        format!("{seen}; the reader has {kept}"),
    ))
}

fn replace_held(bench: &Bench) -> io::Result<Answer> {
    two(bench)?;
    let reader = open_sharing(&bench.path("old"), w::FILE_SHARE_READ | w::FILE_SHARE_WRITE)?;
    let (refused, seen) = rename_onto(bench, REPLACE)?;
    drop(reader);
    Ok(Answer::new(matches!(refused, 5 | 32) && both_stay(bench), seen))
}

fn replace_read_only(bench: &Bench) -> io::Result<Answer> {
    two(bench)?;
    mark(bench, "old", w::FILE_ATTRIBUTE_READONLY)?;
    let (refused, _) = rename_onto(bench, REPLACE)?;
    let stayed = both_stay(bench);
    let (ignoring, seen) = if refused == 0 {
        (0, String::new())
    } else {
        rename_onto(bench, REPLACE | class::FILE_RENAME_IGNORE_READONLY_ATTRIBUTE)?
    };
    let good = refused == f::ERROR_ACCESS_DENIED as i32 && stayed && ignoring == 0 && replaced(bench);
    if let Ok(left) = bench.open("old", w::FILE_WRITE_ATTRIBUTES) {
        handle::set_attributes(left.as_handle(), Attributes(0))?;
    }
    Ok(Answer::new(good, format!("{}; with the flag {seen}", said(refused))))
}

fn taken(bench: &Bench) -> io::Result<Answer> {
    two(bench)?;
    let (refused, seen) = rename_onto(bench, class::FILE_RENAME_POSIX_SEMANTICS)?;
    Ok(Answer::new(refused == f::ERROR_ALREADY_EXISTS as i32 && both_stay(bench), seen))
}

fn staged(bench: &Bench) -> io::Result<Answer> {
    let access = w::FILE_GENERIC_READ | w::FILE_GENERIC_WRITE | w::DELETE;
    let how = Open::new(access, w::FILE_ATTRIBUTE_HIDDEN)
        .share(w::FILE_SHARE_READ | w::FILE_SHARE_DELETE)
        .with(class::FILE_NON_DIRECTORY_FILE);
    let ours = nt::open_at(bench.dir(), &wide("new"), how)?;
    // As the backend does: through a second handle, while the first is open.
    let (refused, seen) = rename_onto(bench, class::FILE_RENAME_POSIX_SEMANTICS)?;
    drop(ours);
    let named = bench.names()?;
    Ok(Answer::new(
        refused == 0 && named == ["old"],
        format!("{}; {named:?}", seen.split(';').next().unwrap_or_default()),
    ))
}

fn spelling(bench: &Bench) -> io::Result<Answer> {
    bench.file("Name", "x")?;
    let item = bench.open("Name", w::DELETE)?;
    let done = place(item.as_handle(), class::FILE_RENAME_POSIX_SEMANTICS, bench, "nAME");
    drop(item);
    let named = bench.names()?;
    Ok(Answer::new(done.is_ok() && named == ["nAME"], format!("{}; {named:?}", outcome(done))))
}

fn folder_in_use(bench: &Bench) -> io::Result<Answer> {
    fs::create_dir(bench.path("new"))?;
    let inside = bench.file("new/file", "x")?;
    let reader = open_sharing(&inside, SHARE_ALL)?;
    let item = bench.open("new", w::DELETE)?;
    let refused = refusal(place(item.as_handle(), class::FILE_RENAME_POSIX_SEMANTICS, bench, "other"));
    drop((item, reader));
    Ok(Answer::new(refused == f::ERROR_ACCESS_DENIED as i32, said(refused)))
}

fn whole_path(bench: &Bench) -> io::Result<Answer> {
    two(bench)?;
    let name = Name::new(*b"old").map_err(|_| io::ErrorKind::InvalidInput)?;
    let whole = rename::native_path(bench.dir(), &name)?;
    let item = bench.open("new", w::DELETE)?;
    let done = rename::place(item.as_handle(), class::FileRenameInformation, 1, None, &whole);
    drop(item);
    Ok(Answer::new(done.is_ok() && replaced(bench), outcome(done)))
}

fn other_volume(bench: &Bench) -> io::Result<Answer> {
    let Some(other) = &bench.places.small else {
        return Ok(Answer::NotTried("no second volume was named".into()));
    };
    bench.file("new", "new")?;
    let other = native::path::open(other, w::FILE_LIST_DIRECTORY | w::SYNCHRONIZE)?;
    let item = bench.open("new", w::DELETE)?;
    let flags = class::FILE_RENAME_POSIX_SEMANTICS;
    let name = wide("fcs-winprobe-moved");
    let done = rename::place(
        item.as_handle(),
        class::FileRenameInformationEx,
        flags,
        Some(other.as_handle()),
        &name,
    );
    drop(item);
    let refused = refusal(done);
    Ok(Answer::new(
        refused == f::ERROR_NOT_SAME_DEVICE as i32 && bench.content("new") == "new",
        said(refused),
    ))
}

/// 2001, in ticks.
const LONG_AGO: i64 = 126_227_808_000_000_001;

fn tunnelling(bench: &Bench) -> io::Result<Answer> {
    let created = |name: &str| -> io::Result<i64> {
        let item = bench.open(name, w::FILE_READ_ATTRIBUTES)?;
        Ok(nt::query::<w::FILE_BASIC_INFO>(item.as_handle())?.CreationTime)
    };
    two(bench)?;
    handle::set_ticks(bench.open("old", w::FILE_WRITE_ATTRIBUTES)?.as_handle(), LONG_AGO, 0)?;
    let own = created("new")?;
    fs::remove_file(bench.path("old"))?;
    let item = bench.open("new", w::DELETE | w::FILE_READ_ATTRIBUTES)?;
    nt_rename(item.as_handle(), bench)?;
    let tunnelled = created("old")? == LONG_AGO;
    handle::set_ticks(item.as_handle(), own, 0)?;
    drop(item);
    let stays = created("old")? == own;
    let seen = format!("it gets that of the name's last owner: {tunnelled}; set again it stays: {stays}");
    Ok(Answer::new(stays, seen))
}

/// The rename that file systems without the newer one have, too.
fn nt_rename(item: BorrowedHandle<'_>, bench: &Bench) -> Result<(), Status> {
    rename::place(item, class::FileRenameInformation, 0, Some(bench.dir()), &wide("old"))
}

fn dispose(bench: &Bench, name: &str, flags: u32) -> Result<(), Status> {
    let item = bench.open(name, w::DELETE)?;
    rename::dispose(item.as_handle(), flags)
}

const REMOVE: u32 = class::FILE_DISPOSITION_DELETE | class::FILE_DISPOSITION_POSIX_SEMANTICS;

fn remove_open(bench: &Bench) -> io::Result<Answer> {
    bench.file("old", "old")?;
    let mut reader = open_sharing(&bench.path("old"), SHARE_ALL)?;
    let done = dispose(bench, "old", REMOVE);
    let free = bench.make("old", w::FILE_GENERIC_WRITE);
    let mut kept = String::new();
    reader.read_to_string(&mut kept)?;
    let seen = (done.is_ok(), free.is_ok());
    let text = format!("removed: {}; made anew: {}; the reader has {kept:?}", outcome(done), outcome(free));
    Ok(Answer::new(seen == (true, true) && kept == "old", text))
}

fn remove_read_only(bench: &Bench) -> io::Result<Answer> {
    bench.file("old", "old")?;
    mark(bench, "old", w::FILE_ATTRIBUTE_READONLY)?;
    let refused = refusal(dispose(bench, "old", REMOVE));
    let ignoring = refusal(dispose(bench, "old", REMOVE | class::FILE_DISPOSITION_IGNORE_READONLY_ATTRIBUTE));
    let gone = bench.names()?.is_empty();
    if !gone {
        mark(bench, "old", 0)?;
    }
    let seen = format!("{}; with the flag {}", said(refused), said(ignoring));
    Ok(Answer::new(ignoring == 0 && gone, seen))
}

fn link_to(bench: &Bench, from: &str, to: &str) -> Result<(), Status> {
    let item = bench.open(from, w::DELETE | w::FILE_WRITE_ATTRIBUTES)?;
    rename::place(item.as_handle(), class::FileLinkInformation, 0, Some(bench.dir()), &wide(to))
}

fn link(bench: &Bench) -> io::Result<Answer> {
    bench.file("old", "old")?;
    link_to(bench, "old", "second")?;
    let (old, second) =
        (bench.open("old", w::FILE_READ_ATTRIBUTES)?, bench.open("second", w::FILE_READ_ATTRIBUTES)?);
    let one = handle::identity(old.as_handle())? == handle::identity(second.as_handle())?;
    let links = nt::query::<nt::StandardInfo>(old.as_handle())?.links;
    drop((old, second));
    fs::remove_file(bench.path("old"))?;
    let left = bench.content("second");
    Ok(Answer::new(
        one && links == 2 && left == "old",
        format!("one item: {one}, names: {links}, left: {left}"),
    ))
}

fn link_taken(bench: &Bench) -> io::Result<Answer> {
    two(bench)?;
    let refused = refusal(link_to(bench, "new", "old"));
    Ok(Answer::new(refused == f::ERROR_ALREADY_EXISTS as i32 && both_stay(bench), said(refused)))
}

fn delete_access(bench: &Bench) -> io::Result<Answer> {
    let path = bench.file("old", "old")?;
    let reader = open_sharing(&path, w::FILE_SHARE_READ | w::FILE_SHARE_WRITE)?;
    let refused = refusal(bench.open("old", w::DELETE));
    drop(reader);
    Ok(Answer::new(refused == f::ERROR_SHARING_VIOLATION as i32, said(refused)))
}

fn as_they_are(bench: &Bench) -> io::Result<Answer> {
    let names = ["CON", "dot.", "space "];
    for name in names {
        bench.make(name, w::FILE_GENERIC_WRITE)?;
    }
    let found = bench.names()?;
    for name in names {
        dispose(bench, name, class::FILE_DISPOSITION_DELETE)?;
    }
    Ok(Answer::new(found == names, format!("{found:?}")))
}

fn case(bench: &Bench) -> io::Result<Answer> {
    bench.file("Name", "x")?;
    let opened = outcome(bench.open("nAME", w::FILE_READ_ATTRIBUTES));
    let made = refusal(bench.make("NAME", w::FILE_GENERIC_WRITE));
    let good = opened == "ok" && made == f::ERROR_ALREADY_EXISTS as i32;
    Ok(Answer::new(good, format!("opened: {opened}; made beside it: {}", said(made))))
}

fn letters(bench: &Bench) -> io::Result<Answer> {
    let name = file_system(bench.dir())?.1;
    if name != "NTFS" {
        return Ok(Answer::NotTried(format!("this is {name}")));
    }
    let pairs = [
        ("É", "é", true),
        ("Ж", "ж", true),
        ("İ", "i", false),
        ("ı", "I", false),
        ("ß", "ẞ", false),
        ("Σ", "ς", false),
        ("é", "e\u{301}", false),
    ];
    let mut wrong = Vec::new();
    for (number, (one, other, same)) in pairs.into_iter().enumerate() {
        bench.make(&format!("{number}{one}"), w::FILE_GENERIC_WRITE)?;
        let found = bench.open(&format!("{number}{other}"), w::FILE_READ_ATTRIBUTES).is_ok();
        if found != same {
            wrong.push(format!("{one} {other}"));
        }
    }
    Ok(Answer::new(
        wrong.is_empty(),
        if wrong.is_empty() { "so they are".to_owned() } else { format!("otherwise: {}", wrong.join(", ")) },
    ))
}

fn length(bench: &Bench) -> io::Result<Answer> {
    let mut seen = Vec::new();
    let mut good = true;
    for letter in ["n", "é", "漢"] {
        let longest = bench.make(&letter.repeat(255), w::FILE_GENERIC_WRITE);
        let listed =
            bench.names()?.iter().any(|name| name.chars().count() == 255 && name.starts_with(letter));
        let longer = bench.make(&letter.repeat(256), w::FILE_GENERIC_WRITE);
        good &= longest.is_ok() && listed && longer.is_err();
        seen.push(format!("{letter}: {}, listed: {listed}, longer: {}", outcome(longest), outcome(longer)));
    }
    Ok(Answer::new(good, seen.join("; ")))
}

fn half_a_pair(bench: &Bench) -> io::Result<Answer> {
    use std::os::windows::ffi::OsStrExt;
    let name = [0x61, 0xD800, 0x62];
    let how = Open::new(w::FILE_GENERIC_WRITE, w::FILE_ATTRIBUTE_NORMAL);
    let made = nt::open_at(bench.dir(), &name, how);
    let listed = fs::read_dir(&bench.folder)?
        .any(|entry| entry.is_ok_and(|entry| entry.file_name().encode_wide().eq(name)));
    Ok(Answer::new(made.is_ok() && listed, format!("{}, listed: {listed}", outcome(made))))
}

fn depth(bench: &Bench) -> io::Result<Answer> {
    const LEVELS: usize = 300;
    let access = w::FILE_LIST_DIRECTORY | w::FILE_ADD_SUBDIRECTORY | w::FILE_READ_ATTRIBUTES | w::DELETE;
    let how = Open::new(access, w::FILE_ATTRIBUTE_NORMAL).with(class::FILE_DIRECTORY_FILE);
    let mut open = vec![nt::open_at(bench.dir(), &wide("n"), how)?];
    let mut stopped = None;
    while let (Some(last), None) = (open.last(), &stopped) {
        match nt::open_at(last.as_handle(), &wide("n"), how) {
            Ok(next) if open.len() < LEVELS => open.push(next),
            Ok(_) => break,
            Err(status) => stopped = Some(io::Error::from(status)),
        }
    }
    let reached = open.len();
    Ok(Answer::new(
        stopped.is_none(),
        format!("{reached} levels, {}", stopped.map_or("ok".into(), |e| super::code(&e))),
    ))
}
