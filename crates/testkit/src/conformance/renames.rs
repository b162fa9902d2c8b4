//! Renaming, identity, and handles whose item is renamed or loses its name.

use fcs_sys::{Access, DirRef, OsReason, Rename};

use super::{Bench, Checked, Context, content_in, ensure, file_in, name, refused, rules, same, unsupported};

rules![
    no_replace_moves_to_a_free_name,
    no_replace_refuses_a_taken_name,
    replace_takes_the_name_over,
    replace_moves_to_a_free_name,
    exchange_swaps_two_files,
    exchange_needs_both_names,
    renaming_goes_from_folder_to_folder,
    a_folder_is_renamed_with_what_it_holds,
    a_folder_is_not_moved_into_itself,
    renaming_what_is_not_there_changes_nothing,
    a_rename_keeps_identity_and_metadata,
    a_name_gives_its_next_item_no_created_time,
    different_items_have_different_identities,
    identity_is_the_same_however_asked,
    a_file_can_be_renamed_while_it_is_open,
    an_open_file_can_lose_its_name,
    an_open_folder_follows_its_renaming,
    another_backend_is_another_volume,
];

fn rename(b: &Bench, from: &str, to: &str, how: Rename) -> std::io::Result<()> {
    let taken = |e| std::io::Error::other(e);
    b.dir.rename(&name(from).map_err(taken)?, &*b.dir, &name(to).map_err(taken)?, how)
}

fn no_replace_moves_to_a_free_name(b: &Bench) -> Checked {
    b.file("from", b"content")?;
    let moved = rename(b, "from", "to", Rename::NoReplace);
    if b.lacks.no_replace {
        unsupported(moved, "rename without replacing")?;
        same!(b.listed()?, [b"from"], "names after it was refused");
        return Ok(());
    }
    moved.context("rename without replacing")?;
    same!(b.listed()?, [b"to"], "names afterwards");
    same!(b.content("to")?, b"content", "the content under its new name");
    Ok(())
}

fn no_replace_refuses_a_taken_name(b: &Bench) -> Checked {
    b.file("from", b"new")?;
    b.file("file", b"old")?;
    file_in(&b.folder("folder")?, "inside", b"old")?;
    for taken in ["file", "folder"] {
        let why = if b.lacks.no_replace { OsReason::Unsupported } else { OsReason::AlreadyExists };
        let call = format!("rename without replacing, to the name of a {taken}");
        refused(rename(b, "from", taken, Rename::NoReplace), &[why], &call)?;
    }
    same!(b.content("from")?, b"new", "the file that was not moved");
    same!(b.content("file")?, b"old", "the file at the taken name");
    same!(b.listed()?.len(), 3, "names");
    Ok(())
}

fn replace_takes_the_name_over(b: &Bench) -> Checked {
    b.file("from", b"new")?;
    b.file("to", b"old")?;
    let new = b.dir.stat(&name("from")?).context("stat")?.id;
    rename(b, "from", "to", Rename::Replace).context("rename with replacing")?;
    same!(b.listed()?, [b"to"], "names afterwards");
    same!(b.content("to")?, b"new", "the content at the name");
    if !b.lacks.identity {
        same!(b.dir.stat(&name("to")?).context("stat")?.id, new, "the identity at the name");
    }
    Ok(())
}

fn replace_moves_to_a_free_name(b: &Bench) -> Checked {
    b.file("from", b"content")?;
    rename(b, "from", "to", Rename::Replace).context("rename with replacing, to a free name")?;
    same!(b.listed()?, [b"to"], "names afterwards");
    same!(b.content("to")?, b"content", "the content");
    Ok(())
}

fn exchange_swaps_two_files(b: &Bench) -> Checked {
    let one = b.file("one", b"1")?.metadata().context("metadata")?.id;
    let two = b.file("two", b"22")?.metadata().context("metadata")?.id;
    let swapped = rename(b, "one", "two", Rename::Exchange);
    let wanted: [&[u8]; 2] = if b.lacks.exchange {
        unsupported(swapped, "exchange")?;
        [b"1", b"22"]
    } else {
        swapped.context("exchange")?;
        if !b.lacks.identity {
            let now = |label| -> Result<_, String> { Ok(b.dir.stat(&name(label)?).context("stat")?.id) };
            same!([now("one")?, now("two")?], [two, one], "the identities");
        }
        [b"22", b"1"]
    };
    same!([b.content("one")?, b.content("two")?], wanted, "the contents");
    same!(b.listed()?.len(), 2, "names");
    Ok(())
}

fn exchange_needs_both_names(b: &Bench) -> Checked {
    b.file("one", b"1")?;
    // Where exchanging is lacking, either is true; Linux looks for the names first.
    let why: &[OsReason] =
        if b.lacks.exchange { &[OsReason::Unsupported, OsReason::NotFound] } else { &[OsReason::NotFound] };
    refused(rename(b, "one", "none", Rename::Exchange), why, "exchange with a name that is free")?;
    same!(b.listed()?, [b"one"], "names");
    Ok(())
}

fn renaming_goes_from_folder_to_folder(b: &Bench) -> Checked {
    let (p, q) = (b.folder("p")?, b.folder("q")?);
    file_in(&p, "f", b"content")?;
    p.rename(&name("f")?, &*q, &name("g")?, Rename::Replace).context("rename into another folder")?;
    same!(content_in(&q, "g")?, b"content", "the content there");
    same!(super::listed_in(&p)?.len(), 0, "names left behind");
    Ok(())
}

fn a_folder_is_renamed_with_what_it_holds(b: &Bench) -> Checked {
    file_in(&b.folder("from")?, "inside", b"content")?;
    let how = if b.lacks.no_replace { Rename::Replace } else { Rename::NoReplace };
    rename(b, "from", "to", how).context("rename of a folder")?;
    let moved = b.dir.open_dir(&name("to")?).context("open_dir")?;
    same!(content_in(&moved, "inside")?, b"content", "what it holds");
    b.absent("from")
}

fn a_folder_is_not_moved_into_itself(b: &Bench) -> Checked {
    let folder = b.folder("folder")?;
    for how in [Rename::Replace, Rename::NoReplace] {
        let moved = b.dir.rename(&name("folder")?, &*folder, &name("inside")?, how);
        ensure!(moved.is_err(), "a folder was moved into itself, {how:?}");
    }
    same!(b.listed()?, [b"folder"], "names");
    same!(super::listed_in(&folder)?.len(), 0, "names inside");
    Ok(())
}

fn renaming_what_is_not_there_changes_nothing(b: &Bench) -> Checked {
    b.file("to", b"kept")?;
    for how in [Rename::Replace, Rename::NoReplace, Rename::Exchange] {
        let moved = rename(b, "none", "to", how);
        ensure!(moved.is_err(), "a name that is not there was renamed, {how:?}");
    }
    let moved = rename(b, "none", "free", Rename::Replace);
    refused(moved, &[OsReason::NotFound], "rename of a name that is not there")?;
    same!(b.listed()?, [b"to"], "names");
    same!(b.content("to")?, b"kept", "the file at the target name");
    Ok(())
}

fn a_rename_keeps_identity_and_metadata(b: &Bench) -> Checked {
    let folder = b.folder("folder")?;
    drop(b.file("from", b"content")?);
    let before = b.dir.stat(&name("from")?).context("stat")?;
    b.dir.rename(&name("from")?, &*folder, &name("to")?, Rename::Replace).context("rename")?;
    let after = folder.stat(&name("to")?).context("stat")?;
    if !b.lacks.identity {
        same!(after.id, before.id, "the identity");
    }
    same!(
        (after.kind, after.size, after.modified, after.created, after.attributes),
        (before.kind, before.size, before.modified, before.created, before.attributes),
        "the metadata"
    );
    Ok(())
}

/// NTFS gives a file that takes a name the created time of the one that lost it up to 15 seconds ago.
fn a_name_gives_its_next_item_no_created_time(b: &Bench) -> Checked {
    let old = fcs_sys::Times { modified: None, created: Some(fcs_sys::Time::new(1_000_000_000, 0)) };
    b.file("name", b"old")?.set_times(old).context("set_times")?;
    drop(b.file("new", b"new")?);
    let created = b.dir.stat(&name("new")?).context("stat")?.created;
    rename(b, "name", "aside", Rename::Replace).context("rename out of the way")?;
    rename(b, "new", "name", Rename::Replace).context("rename to the free name")?;
    same!(b.dir.stat(&name("name")?).context("stat")?.created, created, "after taking a name just left");
    drop(b.file("third", b"third")?);
    let created = b.dir.stat(&name("third")?).context("stat")?.created;
    rename(b, "third", "name", Rename::Replace).context("rename over the file")?;
    same!(b.dir.stat(&name("name")?).context("stat")?.created, created, "after replacing a file");
    Ok(())
}

fn different_items_have_different_identities(b: &Bench) -> Checked {
    let mut seen = std::collections::HashSet::new();
    for i in 0..100 {
        let label = format!("{i}");
        if i % 2 == 0 {
            b.file(&label, b"same")?;
        } else {
            b.folder(&label)?;
        }
        ensure!(
            seen.insert(b.dir.stat(&name(&label)?).context("stat")?.id),
            "item {i} has another one's identity"
        );
    }
    ensure!(
        seen.insert(b.dir.metadata().context("metadata")?.id),
        "the folder has the identity of an item in it"
    );
    Ok(())
}

fn identity_is_the_same_however_asked(b: &Bench) -> Checked {
    let made = b.file("file", b"x")?.metadata().context("metadata of the file just made")?.id;
    let file = b.dir.open_file(&name("file")?, Access::Read).context("open_file")?;
    same!(file.metadata().context("metadata")?.id, made, "the open file's identity");
    same!(b.dir.stat(&name("file")?).context("stat")?.id, made, "the identity at the name");
    let folder = b.folder("folder")?.metadata().context("metadata")?.id;
    same!(b.dir.stat(&name("folder")?).context("stat")?.id, folder, "the folder's identity");
    same!(made.volume, b.facts.id, "the volume's number");
    same!(folder.volume, b.facts.id, "the volume's number");
    Ok(())
}

fn a_file_can_be_renamed_while_it_is_open(b: &Bench) -> Checked {
    // The staged file is open when it gets its final name.
    let file = b.file("from", b"content")?;
    rename(b, "from", "to", Rename::Replace).context("rename of an open file")?;
    same!(b.content("to")?, b"content", "the content under the new name");
    if !b.lacks.lasting_handles {
        same!(super::all_of(&*file).context("read_at")?, b"content", "what the open handle reads");
        same!(file.metadata().context("metadata")?.size, 7, "the size the open handle tells");
    }
    Ok(())
}

fn an_open_file_can_lose_its_name(b: &Bench) -> Checked {
    if b.lacks.open_names {
        return Ok(());
    }
    drop((b.file("removed", b"first")?, b.file("replaced", b"second")?));
    let open = |label| b.dir.open_file(&name(label)?, Access::Read).context("open_file");
    let (removed, replaced) = (open("removed")?, open("replaced")?);
    b.dir.remove_file(&name("removed")?).context("remove_file of an open file")?;
    b.absent("removed")?;
    b.file("new", b"third")?;
    rename(b, "new", "replaced", Rename::Replace).context("rename over an open file")?;
    same!(b.content("replaced")?, b"third", "the content at the name");
    if !b.lacks.lasting_handles {
        same!(super::all_of(&*removed).context("read_at")?, b"first", "what the removed file's handle reads");
        same!(
            super::all_of(&*replaced).context("read_at")?,
            b"second",
            "what the replaced file's handle reads"
        );
    }
    Ok(())
}

fn an_open_folder_follows_its_renaming(b: &Bench) -> Checked {
    if b.lacks.lasting_handles {
        return Ok(());
    }
    let upper = b.folder("upper")?;
    upper.create_dir(&name("lower")?).context("create_dir")?;
    let lower = upper.open_dir(&name("lower")?).context("open_dir")?;
    file_in(&lower, "inside", b"content")?;
    drop(upper);
    let lower_id = lower.metadata().context("metadata")?.id;
    match rename(b, "upper", "moved", Rename::Replace) {
        Ok(()) => {}
        // Windows refuses to rename a folder in which something is open; then the handle cannot be led astray.
        Err(_) if cfg!(windows) => {
            same!(content_in(&lower, "inside")?, b"content", "what the open folder holds");
            same!(b.listed()?, [b"upper"], "names after the rename was refused");
            return Ok(());
        }
        Err(e) => return Err(format!("rename of a folder with an open one in it: {e}")),
    }
    // Somebody else takes the old path.
    let trap: DirRef = b.folder("upper")?;
    trap.create_dir(&name("lower")?).context("create_dir")?;
    same!(content_in(&lower, "inside")?, b"content", "what the open folder holds");
    file_in(&lower, "made", b"x")?;
    same!(lower.metadata().context("metadata")?.id, lower_id, "the open folder's identity");
    let trapped = trap.open_dir(&name("lower")?).context("open_dir")?;
    same!(super::listed_in(&trapped)?.len(), 0, "names made in the folder at the old path");
    let moved = b.dir.open_dir(&name("moved")?).context("open_dir")?;
    let there = moved.open_dir(&name("lower")?).context("open_dir")?;
    same!(content_in(&there, "made")?, b"x", "what was made through the open folder");
    Ok(())
}

fn another_backend_is_another_volume(b: &Bench) -> Checked {
    b.file("file", b"kept")?;
    let stranger = crate::faulty::wrap(
        &fcs_sys::Root { dir: std::sync::Arc::clone(&b.dir), path: "stranger".into() },
        "stranger",
        std::sync::Arc::new(|_| crate::faulty::Act::Go),
    );
    let far = stranger.dir;
    for how in [Rename::Replace, Rename::NoReplace] {
        let moved = b.dir.rename(&name("file")?, &*far, &name("to")?, how);
        refused(
            moved,
            &[OsReason::OtherVolume, OsReason::Unsupported],
            "rename to another backend's folder",
        )?;
    }
    ensure!(b.dir.hard_link(&name("file")?, &*far, &name("to")?).is_err(), "a link into another backend");
    same!(b.listed()?, [b"file"], "names");
    Ok(())
}
