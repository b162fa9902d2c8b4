//! Making, opening and removing items: what is refused, and that nothing else happens then.

use fcs_sys::{Access, Kind, LinkTarget, OsReason, write_all_at};

use super::{Bench, Bits, Checked, Context, ensure, name, refused, rules, same};

rules![
    a_new_file_is_empty_and_can_be_read_and_written,
    a_new_file_is_private,
    a_new_folder_is_private,
    making_a_file_fails_if_the_name_is_taken,
    making_a_folder_fails_if_the_name_is_taken,
    what_is_not_there_is_not_found,
    a_folder_is_not_opened_as_a_file,
    a_file_is_not_opened_as_a_folder,
    a_pipe_is_refused_and_does_not_hang,
    a_file_opened_to_read_cannot_be_written,
    removing_a_file_removes_its_name,
    removing_a_file_refuses_a_folder,
    removing_a_folder_refuses_a_file,
    removing_a_folder_refuses_one_that_holds_something,
    a_removed_name_can_be_used_again,
    the_folder_may_be_changed,
];

fn a_new_file_is_empty_and_can_be_read_and_written(b: &Bench) -> Checked {
    let file = b.dir.create_file(&name("new")?).context("create_file")?;
    let made = file.metadata().context("metadata")?;
    same!((made.kind, made.size), (Kind::File, 0), "the new file");
    if !b.lacks.identity {
        same!(made.links, 1, "names of the new file");
    }
    write_all_at(&*file, b"content", 0).context("write_at")?;
    same!(super::all_of(&*file).context("read_at")?, b"content", "what the handle that wrote reads");
    drop(file);
    same!(b.content("new")?, b"content", "what another handle reads");
    Ok(())
}

pub(super) fn privacy(b: &Bench, attributes: fcs_sys::Attributes) -> Checked {
    const HIDDEN: u32 = 2;
    match b.lacks.bits {
        _ if b.lacks.private_items => {}
        Bits::Modes => same!(attributes.0 & 0o077, 0, "what others may do with a new item"),
        Bits::Attributes { .. } => same!(attributes.0 & HIDDEN, HIDDEN, "the hidden bit of a new item"),
        Bits::ReadOnlyMark => return Err("this backend has no way to make an item private".into()),
    }
    Ok(())
}

fn a_new_file_is_private(b: &Bench) -> Checked {
    let file = b.file("new", b"")?;
    privacy(b, file.metadata().context("metadata")?.attributes)
}

fn a_new_folder_is_private(b: &Bench) -> Checked {
    let folder = b.folder("new")?.metadata().context("metadata")?;
    same!(folder.kind, Kind::Folder, "the new folder's kind");
    // Hiding is for staged files; a folder is made under its final name.
    if b.lacks.bits == Bits::Modes { privacy(b, folder.attributes) } else { Ok(()) }
}

/// A file, a folder that holds a file and, where they can be made, a link that leads nowhere; the names they take.
pub(super) fn taken(b: &Bench) -> Result<Vec<&'static str>, String> {
    b.file("file", b"kept")?;
    super::file_in(&b.folder("folder")?, "inside", b"kept too")?;
    let mut labels = vec!["file", "folder"];
    if b.lacks.symlinks.is_none() {
        let link = LinkTarget { text: b"nowhere".into(), to_folder: false };
        b.dir.create_symlink(&name("link")?, &link).context("create_symlink")?;
        labels.push("link");
    }
    Ok(labels)
}

/// Fails unless everything [`taken`] made is as it was.
pub(super) fn untouched(b: &Bench, after: &str) -> Checked {
    same!(b.content("file")?, b"kept", "the file's content after {after}");
    let folder = b.dir.open_dir(&name("folder")?).context("open_dir")?;
    same!(super::content_in(&folder, "inside")?, b"kept too", "the folder's content after {after}");
    if b.lacks.symlinks.is_none() {
        let link = b.dir.read_link(&name("link")?).context("read_link")?;
        same!(link.text, b"nowhere", "the link after {after}");
    }
    b.absent("nowhere")
}

fn making_a_file_fails_if_the_name_is_taken(b: &Bench) -> Checked {
    for label in taken(b)? {
        let call = format!("create_file at a {label}");
        refused(b.dir.create_file(&name(label)?), &[OsReason::AlreadyExists], &call)?;
        untouched(b, &call)?;
    }
    Ok(())
}

fn making_a_folder_fails_if_the_name_is_taken(b: &Bench) -> Checked {
    for label in taken(b)? {
        let call = format!("create_dir at a {label}");
        refused(b.dir.create_dir(&name(label)?), &[OsReason::AlreadyExists], &call)?;
        untouched(b, &call)?;
    }
    Ok(())
}

fn what_is_not_there_is_not_found(b: &Bench) -> Checked {
    let gone = &[OsReason::NotFound];
    let absent = &name("absent")?;
    refused(b.dir.stat(absent), gone, "stat")?;
    refused(b.dir.open_dir(absent), gone, "open_dir")?;
    refused(b.dir.open_file(absent, Access::Read), gone, "open_file to read")?;
    refused(b.dir.open_file(absent, Access::ReadWrite), gone, "open_file to write")?;
    if b.dir.as_symlinks().is_some() {
        refused(b.dir.read_link(absent), gone, "read_link")?;
    }
    refused(b.dir.remove_file(absent), gone, "remove_file")?;
    refused(b.dir.remove_dir(absent), gone, "remove_dir")?;
    same!(b.listed()?, Vec::<Vec<u8>>::new(), "names that came of it");
    Ok(())
}

fn a_folder_is_not_opened_as_a_file(b: &Bench) -> Checked {
    b.folder("folder")?;
    for access in [Access::Read, Access::ReadWrite] {
        refused(
            b.dir.open_file(&name("folder")?, access),
            &[OsReason::IsAFolder, OsReason::Unsupported],
            &format!("open_file of a folder, {access:?}"),
        )?;
    }
    Ok(())
}

fn a_file_is_not_opened_as_a_folder(b: &Bench) -> Checked {
    b.file("file", b"x")?;
    refused(b.dir.open_dir(&name("file")?), &[OsReason::NotAFolder], "open_dir of a file")
}

/// Makes a pipe; false where the system has none among its files, or the folder lies nowhere.
#[cfg(target_os = "linux")]
fn pipe(b: &Bench, label: &str) -> Result<bool, String> {
    use rustix::fs::{CWD, FileType, Mode, mknodat};
    let Some(place) = &b.place else { return Ok(false) };
    let made = mknodat(CWD, place.join(label), FileType::Fifo, Mode::RWXU, 0);
    made.map(|()| true).map_err(|e| format!("making a pipe: {e}"))
}

#[cfg(not(target_os = "linux"))]
#[allow(clippy::unnecessary_wraps)]
fn pipe(_: &Bench, _: &str) -> Result<bool, String> {
    Ok(false)
}

fn a_pipe_is_refused_and_does_not_hang(b: &Bench) -> Checked {
    if pipe(b, "pipe")? {
        let pipe = name("pipe")?;
        same!(b.dir.stat(&pipe).context("stat")?.kind, Kind::Other, "the pipe's kind");
        for access in [Access::Read, Access::ReadWrite] {
            ensure!(b.dir.open_file(&pipe, access).is_err(), "a pipe was opened as a file, {access:?}");
        }
        b.dir.remove_file(&pipe).context("remove_file of the pipe")?;
    }
    Ok(())
}

fn a_file_opened_to_read_cannot_be_written(b: &Bench) -> Checked {
    b.file("file", b"kept")?;
    let file = b.dir.open_file(&name("file")?, Access::Read).context("open_file")?;
    ensure!(file.write_at(b"x", 0).is_err(), "a handle opened to read took a write");
    same!(b.content("file")?, b"kept", "the content after the attempt");
    Ok(())
}

fn removing_a_file_removes_its_name(b: &Bench) -> Checked {
    b.file("gone", b"x")?;
    b.file("kept", b"x")?;
    b.dir.remove_file(&name("gone")?).context("remove_file")?;
    b.absent("gone")?;
    same!(b.listed()?, [b"kept"], "the names that stay");
    Ok(())
}

fn removing_a_file_refuses_a_folder(b: &Bench) -> Checked {
    b.folder("folder")?;
    ensure!(b.dir.remove_file(&name("folder")?).is_err(), "remove_file took a folder");
    same!(b.dir.stat(&name("folder")?).context("stat")?.kind, Kind::Folder, "what stands there");
    Ok(())
}

fn removing_a_folder_refuses_a_file(b: &Bench) -> Checked {
    b.file("file", b"kept")?;
    ensure!(b.dir.remove_dir(&name("file")?).is_err(), "remove_dir took a file");
    same!(b.content("file")?, b"kept", "the file");
    Ok(())
}

fn removing_a_folder_refuses_one_that_holds_something(b: &Bench) -> Checked {
    let folder = b.folder("folder")?;
    super::file_in(&folder, "inside", b"kept")?;
    refused(b.dir.remove_dir(&name("folder")?), &[OsReason::FolderNotEmpty], "remove_dir of a full folder")?;
    same!(super::content_in(&folder, "inside")?, b"kept", "what it holds");
    folder.remove_file(&name("inside")?).context("remove_file")?;
    drop(folder);
    b.dir.remove_dir(&name("folder")?).context("remove_dir of the emptied folder")?;
    b.absent("folder")
}

fn a_removed_name_can_be_used_again(b: &Bench) -> Checked {
    for round in [b"first", b"again"] {
        drop(b.file("name", round)?);
        same!(b.content("name")?, round, "the content");
        b.dir.remove_file(&name("name")?).context("remove_file")?;
        drop(b.folder("name")?);
        b.dir.remove_dir(&name("name")?).context("remove_dir")?;
    }
    b.absent("name")
}

fn the_folder_may_be_changed(b: &Bench) -> Checked {
    same!(b.dir.may_change().context("may_change")?, true, "may_change of a folder just made");
    same!(b.facts.read_only, false, "the volume's read-only attribute");
    Ok(())
}

/// What holds on a volume that takes no changes, where `file` is a file in it; asked apart, because all other rules
/// begin by making something.
pub fn check_read_only(dir: &fcs_sys::DirRef, file: &str) -> Vec<String> {
    let ask = || -> Checked {
        let no = &[OsReason::ReadOnlyVolume];
        same!(dir.may_change().context("may_change")?, false, "may_change");
        same!(dir.volume().context("volume")?.read_only, true, "the volume's read-only attribute");
        refused(dir.create_file(&name("new")?), no, "create_file")?;
        refused(dir.create_dir(&name("new")?), no, "create_dir")?;
        refused(dir.open_file(&name(file)?, Access::ReadWrite), no, "open_file to write")?;
        refused(dir.remove_file(&name(file)?), no, "remove_file")?;
        refused(dir.rename(&name(file)?, &**dir, &name("new")?, fcs_sys::Rename::Replace), no, "rename")?;
        super::content_in(dir, file).map(drop)
    };
    ask().err().into_iter().collect()
}
