//! Content: reads and writes at offsets, past the cache, by several handles and threads; syncs.

use fcs_sys::{Access, AlignedBuffer, OsReason, reason, write_all_at};

use super::{Bench, Checked, Context, all_of, ensure, name, pattern, range_of, refused, rules, same};

rules![
    reads_begin_where_they_are_told,
    reads_at_and_past_the_end_find_nothing,
    writes_go_where_they_are_told,
    a_gap_left_by_writes_reads_as_zeros,
    two_handles_see_one_content,
    one_handle_serves_several_threads,
    uncached_reads_take_any_offset_and_length,
    uncached_reads_see_what_was_written,
    writes_past_the_cache_and_through_it_make_one_file,
    offsets_beyond_four_gibibytes_work,
    syncs_succeed_and_change_nothing,
];

fn reads_begin_where_they_are_told(b: &Bench) -> Checked {
    let all = pattern(100_003);
    drop(b.file("file", &all)?);
    let file = b.dir.open_file(&name("file")?, Access::Read).context("open_file")?;
    for (offset, bytes) in
        [(0, 1), (1, 4096), (4095, 2), (65_535, 10_000), (100_002, 1), (50, 0), (0, 100_003)]
    {
        let found = range_of(&*file, offset as u64, bytes).context("read_at")?;
        ensure!(
            found == all[offset..offset + bytes],
            "{bytes} bytes at {offset} are not what was written there"
        );
    }
    Ok(())
}

fn reads_at_and_past_the_end_find_nothing(b: &Bench) -> Checked {
    drop(b.file("file", &pattern(5000))?);
    let file = b.dir.open_file(&name("file")?, Access::Read).context("open_file")?;
    let mut buffer = [7; 100];
    for offset in [5000, 5001, 8192, 1 << 40] {
        same!(file.read_at(&mut buffer, offset).context("read_at")?, 0, "bytes read at {offset}");
    }
    ensure!(buffer == [7; 100], "a read of nothing changed the buffer");
    same!(
        range_of(&*file, 4990, 100).context("read_at")?,
        pattern(5000)[4990..],
        "what is left before the end"
    );
    Ok(())
}

fn writes_go_where_they_are_told(b: &Bench) -> Checked {
    let mut all = pattern(20_000);
    let file = b.file("file", &all)?;
    for (offset, text) in
        [(5_usize, &b"inside"[..]), (4095, b"over a page's end"), (19_999, b"over the end"), (0, b"s")]
    {
        write_all_at(&*file, text, offset as u64).context("write_at")?;
        all.resize(all.len().max(offset + text.len()), 0);
        all[offset..offset + text.len()].copy_from_slice(text);
    }
    same!(file.metadata().context("metadata")?.size, all.len() as u64, "the size the handle tells");
    drop(file);
    same!(b.dir.stat(&name("file")?).context("stat")?.size, all.len() as u64, "the size at the name");
    ensure!(b.content("file")? == all, "the content is not what was written");
    Ok(())
}

fn a_gap_left_by_writes_reads_as_zeros(b: &Bench) -> Checked {
    let file = b.file("file", b"begin")?;
    write_all_at(&*file, b"end", 100_000).context("write_at past the end")?;
    let mut wanted = b"begin".to_vec();
    wanted.resize(100_000, 0);
    wanted.extend_from_slice(b"end");
    ensure!(b.content("file")? == wanted, "what lies between is not all zeros");
    Ok(())
}

fn two_handles_see_one_content(b: &Bench) -> Checked {
    // Not the handle that made the file: it may keep others from writing.
    drop(b.file("file", b"1111")?);
    let one = b.dir.open_file(&name("file")?, Access::ReadWrite).context("a handle that writes")?;
    let two = b.dir.open_file(&name("file")?, Access::ReadWrite).context("a second handle that writes")?;
    let three = b.dir.open_file(&name("file")?, Access::Read).context("a third that reads")?;
    write_all_at(&*two, b"22", 1).context("write_at")?;
    for (label, file) in [("first", &one), ("second", &two), ("third", &three)] {
        same!(all_of(&**file).context("read_at")?, b"1221", "what the {label} handle reads");
    }
    Ok(())
}

fn one_handle_serves_several_threads(b: &Bench) -> Checked {
    const PIECE: usize = 4096;
    let all = pattern(64 * PIECE);
    let file = b.file("file", &all)?;
    let ask = |first: usize| -> Checked {
        for i in 0..500 {
            let piece = (first * 17 + i * 7) % 64;
            let found = range_of(&*file, (piece * PIECE) as u64, PIECE).context("read_at")?;
            ensure!(
                found == all[piece * PIECE..(piece + 1) * PIECE],
                "piece {piece} was mixed up with another"
            );
        }
        Ok(())
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4).map(|first| scope.spawn(move || ask(first))).collect();
        threads
            .into_iter()
            .try_for_each(|thread| thread.join().unwrap_or_else(|_| Err("a thread panicked".into())))
    })
}

/// A file of an odd size, synced, opened past the cache; `None` where that cannot be done.
fn uncached(b: &Bench, all: &[u8]) -> Result<Option<fcs_sys::FileRef>, String> {
    let file = b.file("file", all)?;
    file.sync().context("sync")?;
    drop(file);
    let opened = b.dir.open_file(&name("file")?, Access::ReadUncached);
    if b.lacks.uncached {
        return refused(
            opened,
            &[OsReason::Unsupported, OsReason::Other],
            "open_file past the cache where that is lacking",
        )
        .map(|()| None);
    }
    opened.context("open_file past the cache").map(Some)
}

fn uncached_reads_take_any_offset_and_length(b: &Bench) -> Checked {
    let all = pattern(3 * 65_536 + 123);
    let Some(file) = uncached(b, &all)? else { return Ok(()) };
    let (size, page) = (all.len(), 4096);
    let ranges = [
        (0, 1),
        (0, page),
        (1, 4095),
        (511, 513),
        (page, page),
        (page - 1, page + 2),
        (3, 100_000),
        (0, size),
        (0, size + 10_000),
        (size - 1, 10),
        (size - 123, page),
        (size - 123 - page, 2 * page),
    ];
    let mut aligned = AlignedBuffer::new(4 * 65_536);
    for (offset, bytes) in ranges {
        let wanted = &all[offset..size.min(offset + bytes)];
        let found = range_of(&*file, offset as u64, bytes).context(&format!("{bytes} bytes at {offset}"))?;
        ensure!(found == wanted, "{bytes} bytes at {offset}: {} came, and not those", found.len());
        let n = file.read_at(&mut aligned[..bytes], offset as u64).context("into an aligned buffer")?;
        ensure!(
            n > 0 && n <= wanted.len() && aligned[..n] == wanted[..n],
            "{bytes} at {offset}, aligned buffer"
        );
    }
    for offset in [size, size + 1, size.next_multiple_of(page), size + 1_000_000] {
        same!(
            range_of(&*file, offset as u64, page).context("past the end")?,
            b"",
            "what is read at {offset}"
        );
    }
    Ok(())
}

fn uncached_reads_see_what_was_written(b: &Bench) -> Checked {
    let Some(past) = uncached(b, &pattern(10_000))? else { return Ok(()) };
    let file = b.dir.open_file(&name("file")?, Access::ReadWrite).context("open_file")?;
    write_all_at(&*file, b"changed", 5000).context("write_at")?;
    file.sync().context("sync")?;
    same!(range_of(&*past, 5000, 7).context("read past the cache")?, b"changed", "what the device holds");
    Ok(())
}

/// Whole blocks past the cache, the rest through it, in either order, and over what the cache holds already.
fn writes_past_the_cache_and_through_it_make_one_file(b: &Bench) -> Checked {
    const BLOCK: usize = 4096;
    let all = pattern(5 * BLOCK + 123);
    let mut aligned = AlignedBuffer::new(2 * BLOCK);
    let file = b.file("file", &[7; 2 * BLOCK])?;
    for at in [0, 2 * BLOCK] {
        match file.write_past_cache(true) {
            Err(e) if reason(&e) == OsReason::Unsupported => return Ok(()),
            turned => turned.context("write_past_cache")?,
        }
        aligned.copy_from_slice(&all[at..at + 2 * BLOCK]);
        write_all_at(&*file, &aligned, at as u64).context("write_at past the cache")?;
    }
    same!(
        range_of(&*file, 0, 4 * BLOCK).context("read_at")?,
        all[..4 * BLOCK],
        "what was written past the cache"
    );
    file.write_past_cache(false).context("write_past_cache, back")?;
    write_all_at(&*file, &all[4 * BLOCK..], 4 * BLOCK as u64).context("write_at through the cache")?;
    same!(range_of(&*file, 0, all.len() + 10).context("read_at")?, all[..], "the whole file");
    file.sync().context("sync")?;
    let again = b.dir.open_file(&name("file")?, Access::Read).context("open_file")?;
    same!(range_of(&*again, 0, all.len() + 10).context("read_at")?, all[..], "the whole file, opened again");
    Ok(())
}

fn offsets_beyond_four_gibibytes_work(b: &Bench) -> Checked {
    // A hole of 5 GiB; where there are no holes, or no room, this would be 5 GiB of zeros.
    if b.lacks.holes || b.place.is_none() {
        return Ok(());
    }
    let far = (5 << 30) + 7;
    let file = b.file("file", b"near")?;
    write_all_at(&*file, b"far", far).context("write_at far away")?;
    same!(file.metadata().context("metadata")?.size, far + 3, "the size");
    same!(range_of(&*file, far, 10).context("read_at")?, b"far", "what lies there");
    same!(range_of(&*file, far - (4 << 30), 3).context("read_at")?, [0; 3], "what lies 4 GiB before");
    same!(range_of(&*file, 0, 4).context("read_at")?, b"near", "what lies at the beginning");
    Ok(())
}

fn syncs_succeed_and_change_nothing(b: &Bench) -> Checked {
    let all = pattern(100_000);
    let file = b.file("file", &all)?;
    file.sync().context("sync of a file")?;
    b.dir.sync().context("sync of a folder")?;
    drop(file);
    ensure!(b.content("file")? == all, "the content changed with a sync");
    same!(b.listed()?, [b"file"], "names after a sync");
    Ok(())
}
