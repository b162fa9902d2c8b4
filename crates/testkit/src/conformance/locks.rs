//! Advisory locks: held by one handle, and no obstacle to readers.

use fcs_sys::{Access, write_all_at};

use super::{Bench, Checked, Context, all_of, name, rules, same, unsupported};

rules![a_lock_is_held_by_one_handle, a_locked_file_can_be_read_and_written,];

fn a_lock_is_held_by_one_handle(b: &Bench) -> Checked {
    drop(b.file("lock", b"")?);
    if b.lacks.locks {
        let file = b.dir.open_file(&name("lock")?, Access::ReadWrite).context("open_file")?;
        unsupported(file.try_lock(), "try_lock")?;
        return unsupported(file.is_locked(), "is_locked");
    }
    let first = b.dir.open_file(&name("lock")?, Access::ReadWrite).context("open_file")?;
    let second = b.dir.open_file(&name("lock")?, Access::ReadWrite).context("open_file")?;
    let third = b.dir.open_file(&name("lock")?, Access::Read).context("open_file to read")?;
    same!(first.try_lock().context("try_lock")?, true, "a lock nobody holds");
    same!(second.try_lock().context("try_lock")?, false, "a lock held by another handle");
    same!(
        third.try_lock().context("try_lock")?,
        false,
        "a lock held by another handle, asked by one that reads"
    );
    drop(first);
    same!(third.try_lock().context("try_lock")?, true, "a lock whose holder was closed");
    same!(second.try_lock().context("try_lock")?, false, "a lock held by a handle that reads");
    Ok(())
}

fn a_locked_file_can_be_read_and_written(b: &Bench) -> Checked {
    if b.lacks.locks {
        return Ok(());
    }
    // Whoever finds the lock held reads there who holds it.
    drop(b.file("lock", b"")?);
    let holder = b.dir.open_file(&name("lock")?, Access::ReadWrite).context("open_file")?;
    same!(holder.try_lock().context("try_lock")?, true, "a lock nobody holds");
    write_all_at(&*holder, b"held by", 0).context("writing as the holder")?;
    let other = b.dir.open_file(&name("lock")?, Access::Read).context("open_file")?;
    if !b.lacks.readable_locks {
        same!(all_of(&*other).context("reading as another")?, b"held by", "what the holder wrote");
    }
    same!(all_of(&*holder).context("reading as the holder")?, b"held by", "what the holder wrote");
    Ok(())
}
