//! Links: symbolic ones are never followed and keep their text; second names lead to one file.

use fcs_sys::{Access, Kind, LinkTarget, OsReason, Rename, Time, Times, write_all_at};

use super::{Bench, Checked, Context, ensure, name, refused, rules, same, unsupported};

rules![
    making_a_link_fails_if_the_name_is_taken,
    a_link_to_a_folder_is_not_opened,
    a_link_to_a_file_is_not_opened,
    a_link_has_metadata_of_its_own,
    a_link_keeps_its_text,
    what_is_no_link_has_no_text,
    removing_a_link_leaves_what_it_leads_to,
    renaming_a_link_moves_the_link,
    times_of_a_link_are_its_own,
    a_second_name_leads_to_the_same_file,
    a_second_name_fails_if_the_name_is_taken,
];

/// A link `link` to the file `target` or, with `to_folder`, the folder `target`; false where none can be made.
fn link(b: &Bench, to_folder: bool) -> Result<bool, String> {
    if to_folder {
        super::file_in(&b.folder("target")?, "inside", b"kept")?;
    } else {
        b.file("target", b"kept")?;
    }
    let made = match b.lacks.symlinks {
        None => b
            .dir
            .create_symlink(&name("link")?, &LinkTarget { text: b"target".into(), to_folder })
            .context("create_symlink")
            .map(|()| true)?,
        // A backend that makes no links still must not follow those it finds.
        Some(_) => foreign_link(b),
    };
    Ok(made)
}

#[cfg(unix)]
fn foreign_link(b: &Bench) -> bool {
    b.place.as_ref().is_some_and(|place| std::os::unix::fs::symlink("target", place.join("link")).is_ok())
}

#[cfg(not(unix))]
fn foreign_link(_: &Bench) -> bool {
    false
}

const NOT_A_FILE: &[OsReason] = &[OsReason::IsALink, OsReason::NotAFolder, OsReason::Unsupported];

fn making_a_link_fails_if_the_name_is_taken(b: &Bench) -> Checked {
    let link = LinkTarget { text: b"elsewhere".into(), to_folder: false };
    if let Some(why) = b.lacks.symlinks {
        refused(b.dir.create_symlink(&name("new")?, &link), &[why], "create_symlink")?;
        return b.absent("new");
    }
    for label in super::items::taken(b)? {
        let call = format!("create_symlink at a {label}");
        refused(b.dir.create_symlink(&name(label)?, &link), &[OsReason::AlreadyExists], &call)?;
        super::items::untouched(b, &call)?;
    }
    Ok(())
}

fn a_link_to_a_folder_is_not_opened(b: &Bench) -> Checked {
    if link(b, true)? {
        refused(b.dir.open_dir(&name("link")?), NOT_A_FILE, "open_dir of a link")?;
        ensure!(
            b.dir.open_file(&name("link")?, Access::Read).is_err(),
            "open_file opened a link to a folder"
        );
    }
    Ok(())
}

fn a_link_to_a_file_is_not_opened(b: &Bench) -> Checked {
    if link(b, false)? {
        for access in [Access::Read, Access::ReadWrite, Access::ReadUncached] {
            let call = format!("open_file of a link, {access:?}");
            refused(b.dir.open_file(&name("link")?, access), NOT_A_FILE, &call)?;
        }
        refused(b.dir.open_dir(&name("link")?), NOT_A_FILE, "open_dir of a link to a file")?;
        refused(b.dir.create_file(&name("link")?), &[OsReason::AlreadyExists], "create_file at a link")?;
        same!(b.content("target")?, b"kept", "what the link leads to");
    }
    Ok(())
}

fn a_link_has_metadata_of_its_own(b: &Bench) -> Checked {
    if link(b, false)? {
        let (link, target) = (b.dir.stat(&name("link")?), b.dir.stat(&name("target")?));
        let (link, target) = (link.context("stat of the link")?, target.context("stat of its target")?);
        same!((link.kind, target.kind), (Kind::Symlink, Kind::File), "the kinds of link and target");
        ensure!(link.id != target.id, "the link has its target's identity");
    }
    Ok(())
}

fn a_link_keeps_its_text(b: &Bench) -> Checked {
    if b.lacks.symlinks.is_some() {
        return Ok(());
    }
    let texts: &[&str] = &["target", "../up", "grüße/漢", "😀", "not/there"];
    for (number, text) in texts.iter().enumerate() {
        for to_folder in [false, true] {
            let label = name(&format!("{number}-{to_folder}"))?;
            let wanted = LinkTarget { text: text.as_bytes().to_vec(), to_folder };
            b.dir.create_symlink(&label, &wanted).context("create_symlink")?;
            let found = b.dir.read_link(&label).context("read_link")?;
            same!(found.text, wanted.text, "a link's text");
            if cfg!(windows) {
                same!(found.to_folder, to_folder, "the sort of the link to {text}");
            }
        }
    }
    Ok(())
}

fn what_is_no_link_has_no_text(b: &Bench) -> Checked {
    b.file("file", b"x")?;
    b.folder("folder")?;
    for label in ["file", "folder"] {
        ensure!(b.dir.read_link(&name(label)?).is_err(), "a {label} has a link's text");
    }
    Ok(())
}

fn removing_a_link_leaves_what_it_leads_to(b: &Bench) -> Checked {
    for to_folder in [false, true] {
        if link(b, to_folder)? {
            b.dir.remove_file(&name("link")?).context("remove_file of a link")?;
            b.absent("link")?;
            let target = b.dir.stat(&name("target")?).context("stat of what it led to")?;
            same!(target.kind == Kind::Folder, to_folder, "whether a folder is left");
        }
        if to_folder {
            let folder = b.dir.open_dir(&name("target")?).context("open_dir")?;
            same!(super::content_in(&folder, "inside")?, b"kept", "what is in the folder it led to");
        } else {
            same!(b.content("target")?, b"kept", "what it led to");
            b.dir.remove_file(&name("target")?).context("remove_file")?;
        }
    }
    Ok(())
}

fn renaming_a_link_moves_the_link(b: &Bench) -> Checked {
    if link(b, false)? {
        let (from, to) = (name("link")?, name("moved")?);
        b.dir.rename(&from, &*b.dir, &to, Rename::Replace).context("rename of a link")?;
        same!(b.dir.stat(&to).context("stat")?.kind, Kind::Symlink, "what was moved");
        same!(b.dir.read_link(&to).context("read_link")?.text, b"target", "its text");
        // Over a link: the link goes, not what it leads to.
        b.file("other", b"new")?;
        b.dir.rename(&name("other")?, &*b.dir, &to, Rename::Replace).context("rename over a link")?;
        same!(b.dir.stat(&to).context("stat")?.kind, Kind::File, "what stands at the link's name");
        same!(b.content("target")?, b"kept", "what the link led to");
    }
    Ok(())
}

fn times_of_a_link_are_its_own(b: &Bench) -> Checked {
    if !link(b, false)? {
        return Ok(());
    }
    let (link, target) = (name("link")?, name("target")?);
    let before = b.dir.stat(&target).context("stat")?.modified;
    let time = Time::new(1_000_000_000, 0);
    let set = b.dir.set_link_times(&link, Times { modified: Some(time), created: None });
    if b.lacks.link_times {
        unsupported(set, "set_link_times")?;
    } else {
        set.context("set_link_times")?;
        same!(b.dir.stat(&link).context("stat")?.modified, time, "the link's modified time");
    }
    same!(b.dir.stat(&target).context("stat")?.modified, before, "the modified time of what it leads to");
    Ok(())
}

fn a_second_name_leads_to_the_same_file(b: &Bench) -> Checked {
    drop(b.file("one", b"old")?);
    let (one, two) = (name("one")?, name("two")?);
    let linked = b.dir.hard_link(&one, &*b.dir, &two);
    if b.lacks.hard_links {
        unsupported(linked, "hard_link")?;
        return b.absent("two");
    }
    linked.context("hard_link")?;
    let file = b.dir.open_file(&two, Access::ReadWrite).context("open_file by the second name")?;
    write_all_at(&*file, b"new", 0).context("write_at")?;
    drop(file);
    same!(b.content("one")?, b"new", "the content under the first name");
    if !b.lacks.identity {
        let (m, n) = (b.dir.stat(&one).context("stat")?, b.dir.stat(&two).context("stat")?);
        same!((m.id, m.links, n.links), (n.id, 2, 2), "identity and names");
    }
    b.dir.remove_file(&one).context("remove_file of the first name")?;
    same!(b.content("two")?, b"new", "the content under the name that stays");
    Ok(())
}

fn a_second_name_fails_if_the_name_is_taken(b: &Bench) -> Checked {
    b.file("one", b"1")?;
    b.file("two", b"2")?;
    let why = if b.lacks.hard_links { OsReason::Unsupported } else { OsReason::AlreadyExists };
    refused(b.dir.hard_link(&name("one")?, &*b.dir, &name("two")?), &[why], "hard_link to a taken name")?;
    same!(b.content("two")?, b"2", "the file at the taken name");
    Ok(())
}
