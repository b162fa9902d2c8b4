//! Capabilities that a backend does not have at all: declared, and answered as the traits say.

use std::path::Path;

use fcs_sys::{Dir, Eviction, File, Handle, LinkTarget, Owner, Times};

use super::{Bench, Checked, Context, ensure, name, rules, same, unsupported};

rules![
    what_an_item_has_not_is_declared_and_unsupported,
    what_a_folder_has_not_is_declared_and_unsupported,
    what_a_file_has_not_is_declared_and_unsupported,
];

/// Fails if a capability is missing that is said to be there.
fn declared(missing: bool, lacks: bool, what: &str) -> Checked {
    ensure!(!missing || lacks, "{what} are missing, and nobody said so");
    Ok(())
}

macro_rules! item_has_not {
    ($bench:expr, $item:expr) => {{
        let (lacks, item) = ($bench.lacks, $item);
        let handle: &dyn Handle = item;
        declared(handle.as_xattrs().is_none(), lacks.xattrs, "extended attributes")?;
        declared(handle.as_streams().is_none(), lacks.streams, "streams")?;
        declared(handle.as_owners().is_none(), lacks.owner, "owners")?;
        // Once as the item it is, once as any item: these are calls of their own.
        if handle.as_xattrs().is_none() {
            same!(
                (item.xattrs().context("xattrs")?, handle.xattrs().context("xattrs")?),
                (vec![], vec![]),
                "names"
            );
            unsupported(item.xattr(b"user.x"), "xattr")?;
            unsupported(handle.xattr(b"user.x"), "xattr")?;
            unsupported(item.set_xattr(b"user.x", b"x"), "set_xattr")?;
            unsupported(handle.remove_xattr(b"user.x"), "remove_xattr")?;
        }
        if handle.as_streams().is_none() {
            same!(
                (item.streams().context("streams")?, handle.streams().context("streams")?),
                (vec![], vec![]),
                "streams"
            );
            unsupported(item.open_stream(b"s", true), "open_stream")?;
            unsupported(handle.remove_stream(b"s"), "remove_stream")?;
        }
        if handle.as_owners().is_none() {
            unsupported(item.set_owner(Owner { user: 0, group: 0 }), "set_owner")?;
            unsupported(handle.set_owner(Owner { user: 0, group: 0 }), "set_owner")?;
        }
    }};
}

fn what_an_item_has_not_is_declared_and_unsupported(b: &Bench) -> Checked {
    let (file, folder) = (b.file("file", b"x")?, b.folder("folder")?);
    item_has_not!(b, &*file);
    item_has_not!(b, &*folder);
    same!(b.content("file")?, b"x", "the content afterwards");
    Ok(())
}

fn what_a_folder_has_not_is_declared_and_unsupported(b: &Bench) -> Checked {
    drop(b.file("file", b"x")?);
    let dir: &dyn Dir = &*b.dir;
    let (file, new) = (name("file")?, name("new")?);
    declared(dir.as_symlinks().is_none(), b.lacks.symlinks.is_some(), "symbolic links")?;
    declared(dir.as_hard_links().is_none(), b.lacks.hard_links, "second names")?;
    declared(dir.as_volume_sync().is_none(), b.lacks.sync_volume, "syncs of the volume")?;
    if dir.as_symlinks().is_none() {
        let link = LinkTarget { text: b"file".into(), to_folder: false };
        unsupported(dir.create_symlink(&new, &link), "create_symlink")?;
        unsupported(dir.read_link(&file), "read_link")?;
        unsupported(dir.set_link_times(&file, Times::default()), "set_link_times")?;
        unsupported(dir.set_link_owner(&file, Owner { user: 0, group: 0 }), "set_link_owner")?;
    }
    if dir.as_hard_links().is_none() {
        unsupported(dir.hard_link(&file, dir, &new), "hard_link")?;
    }
    if dir.as_volume_sync().is_none() {
        unsupported(dir.sync_volume(), "sync_volume")?;
    }
    if dir.as_volume_identity().is_none() {
        same!(dir.volume_identity().context("volume_identity")?, None, "what the volume is known by");
    }
    if dir.as_recycle().is_none() {
        unsupported(dir.recycle(Path::new("/"), &file), "recycle")?;
    }
    if dir.as_access_check().is_none() {
        same!(
            dir.may_change().context("may_change")?,
            true,
            "whether a folder that cannot be asked may be changed"
        );
        dir.may_move(&file).context("may_move")?;
        same!(dir.holders(Path::new("/")), Vec::<String>::new(), "who holds an item");
    }
    same!(b.listed()?, [b"file"], "names afterwards");
    Ok(())
}

fn what_a_file_has_not_is_declared_and_unsupported(b: &Bench) -> Checked {
    let made = b.file("file", b"x")?;
    let file: &dyn File = &*made;
    declared(file.as_evict().is_none(), b.lacks.eviction, "proofs of an empty cache")?;
    declared(file.as_locks().is_none(), b.lacks.locks, "locks")?;
    declared(file.as_holes().is_none(), b.lacks.holes, "holes")?;
    declared(file.as_map().is_none(), b.lacks.maps, "memory windows")?;
    if file.as_cache_hints().is_none() {
        file.start_writeback(0, 1).context("start_writeback")?;
        file.wait_writeback(0, 1).context("wait_writeback")?;
        file.prefetch(0, 1);
    }
    if file.as_write_past_cache().is_none() {
        unsupported(file.write_past_cache(true), "write_past_cache")?;
    }
    if file.as_evict().is_none() {
        let evicted = file.evict().context("evict")?;
        ensure!(matches!(evicted, Eviction::Unproven(why) if !why.is_empty()), "evicted: {evicted:?}");
        same!(
            file.is_in_metadata().context("is_in_metadata")?,
            false,
            "whether content is known to be metadata"
        );
    }
    if file.as_locks().is_none() {
        unsupported(file.try_lock(), "try_lock")?;
        unsupported(file.is_locked(), "is_locked")?;
    }
    if file.as_holes().is_none() {
        same!(file.has_holes().context("has_holes")?, false, "holes");
    }
    if file.as_map().is_none() {
        ensure!(file.map(0, 1).is_err_and(|e| e.kind() == std::io::ErrorKind::Unsupported), "map");
    }
    same!(b.content("file")?, b"x", "the content afterwards");
    Ok(())
}
