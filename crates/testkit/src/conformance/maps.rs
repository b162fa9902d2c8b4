//! Memory windows: they show the file, find the first difference, and never end the process.

use fcs_sys::{Access, File, Window, write_all_at};

use super::{Bench, Checked, Context, ensure, name, pattern, rules, same, unsupported};

rules![
    a_window_shows_its_range,
    a_window_begins_anywhere,
    a_window_refuses_ranges_beyond_itself,
    a_window_beyond_the_end_is_refused,
    windows_find_their_first_difference,
    a_window_finds_the_first_difference_from_bytes,
    a_file_cut_short_under_its_window_is_an_error,
    a_window_outlives_the_handle,
];

/// Maps a range, or makes sure that the backend says it cannot.
fn map(b: &Bench, file: &dyn File, offset: u64, bytes: usize) -> Result<Option<Box<dyn Window>>, String> {
    let mapped = file.map(offset, bytes);
    if b.lacks.maps {
        return match mapped {
            Ok(_) => Err("a map was made where maps are lacking".into()),
            Err(e) => unsupported::<()>(Err(e), "map").map(|()| None),
        };
    }
    mapped.context(&format!("map of {bytes} bytes at {offset}")).map(Some)
}

fn whole(window: &dyn Window) -> Result<Vec<u8>, String> {
    let mut all = vec![0; window.size()];
    window.copy_out(0, &mut all).context("copy_out of the whole window")?;
    Ok(all)
}

fn a_window_shows_its_range(b: &Bench) -> Checked {
    let all = pattern(300_000);
    drop(b.file("file", &all)?);
    let file = b.dir.open_file(&name("file")?, Access::Read).context("open_file")?;
    let Some(window) = map(b, &*file, 0, all.len())? else { return Ok(()) };
    same!(window.size(), all.len(), "the window's size");
    ensure!(whole(&*window)? == all, "the window does not show the file");
    let mut part = [0; 1000];
    for offset in [0, 1, 4095, 65_535, 299_000] {
        window.copy_out(offset, &mut part).context("copy_out")?;
        ensure!(part == all[offset..offset + 1000], "1000 bytes at {offset} are not the file's");
    }
    window.copy_out(300_000, &mut []).context("copy_out of nothing at the end")
}

fn a_window_begins_anywhere(b: &Bench) -> Checked {
    let all = pattern(1_000_000);
    drop(b.file("file", &all)?);
    let file = b.dir.open_file(&name("file")?, Access::Read).context("open_file")?;
    for (offset, bytes) in
        [(4096, 10), (65_536, 65_536), (131_072, 868_928), (1, 5), (65_535, 70_000), (999_999, 1)]
    {
        let Some(window) = map(b, &*file, offset as u64, bytes)? else { return Ok(()) };
        same!(window.size(), bytes, "the window's size");
        ensure!(
            whole(&*window)? == all[offset..offset + bytes],
            "{bytes} bytes at {offset} are not the file's"
        );
    }
    Ok(())
}

fn a_window_refuses_ranges_beyond_itself(b: &Bench) -> Checked {
    let all = pattern(100_000);
    let file = b.file("file", &all)?;
    let Some(window) = map(b, &*file, 0, 50_000)? else { return Ok(()) };
    let Some(other) = map(b, &*file, 0, 50_000)? else { return Ok(()) };
    let mut buffer = [0; 10];
    for offset in [49_991, 50_000, 50_001, usize::MAX - 4] {
        ensure!(window.copy_out(offset, &mut buffer).is_err(), "copy_out of 10 bytes at {offset}");
        ensure!(
            window.first_difference_from(offset, &buffer).is_err(),
            "comparison with 10 bytes at {offset}"
        );
        ensure!(window.first_difference(&*other, offset, 10).is_err(), "comparison of 10 bytes at {offset}");
    }
    Ok(())
}

fn a_window_beyond_the_end_is_refused(b: &Bench) -> Checked {
    let file = b.file("file", b"short")?;
    if b.lacks.maps {
        return map(b, &*file, 0, 5).map(drop);
    }
    for (offset, bytes) in [(0, 1 << 20), (1 << 20, 4096), (1 << 40, 5)] {
        ensure!(file.map(offset, bytes).is_err(), "a map of {bytes} bytes at {offset} of a file of 5 bytes");
    }
    Ok(())
}

fn windows_find_their_first_difference(b: &Bench) -> Checked {
    const BYTES: usize = 1_000_000;
    let all = pattern(BYTES);
    let left = b.file("left", &all)?;
    let right = b.file("right", &all)?;
    let Some(mine) = map(b, &*left, 0, BYTES)? else { return Ok(()) };
    {
        let Some(theirs) = map(b, &*right, 0, BYTES)? else { return Ok(()) };
        same!(mine.first_difference(&*theirs, 0, BYTES).context("comparison")?, None, "of equal files");
        same!(
            mine.first_difference(&*theirs, 123_457, 500_000).context("comparison")?,
            None,
            "of equal ranges"
        );
    }
    for at in [0_usize, 1, 4095, 65_535, 65_536, 500_001, BYTES - 1] {
        write_all_at(&*right, &[all[at] ^ 0x80], at as u64).context("write_at")?;
        let Some(theirs) = map(b, &*right, 0, BYTES)? else { return Ok(()) };
        let ask = |offset, bytes| mine.first_difference(&*theirs, offset, bytes).context("comparison");
        same!(ask(0, BYTES)?, Some(at), "one byte differs, at {at}");
        same!(ask(at, BYTES - at)?, Some(at), "the comparison begins at the difference, {at}");
        same!(ask(0, at)?, None, "the comparison ends before the difference, {at}");
        same!(ask(at + 1, BYTES - at - 1)?, None, "the comparison begins after the difference, {at}");
        drop(theirs);
        write_all_at(&*right, &[all[at]], at as u64).context("write_at")?;
    }
    Ok(())
}

fn a_window_finds_the_first_difference_from_bytes(b: &Bench) -> Checked {
    let mut all = pattern(300_000);
    let file = b.file("file", &all)?;
    let Some(window) = map(b, &*file, 0, all.len())? else { return Ok(()) };
    for at in [0, 1, 65_535, 65_536, 200_001, 299_999] {
        all[at] ^= 1;
        let found = window.first_difference_from(0, &all).context("comparison with bytes")?;
        same!(found, Some(at), "one byte differs, at {at}");
        let found = window.first_difference_from(at, &all[at..]).context("comparison with bytes")?;
        same!(found, Some(at), "the comparison begins at the difference, {at}");
        all[at] ^= 1;
        same!(
            window.first_difference_from(at, &all[at..]).context("comparison")?,
            None,
            "equal bytes from {at}"
        );
    }
    Ok(())
}

fn a_file_cut_short_under_its_window_is_an_error(b: &Bench) -> Checked {
    let Some(place) = b.place.as_ref().filter(|_| !b.lacks.maps) else { return Ok(()) };
    let all = pattern(1 << 20);
    drop((b.file("cut", &all)?, b.file("whole", &all)?));
    let open = |label| b.dir.open_file(&name(label)?, Access::Read).context("open_file");
    let (cut, other) = (open("cut")?, open("whole")?);
    let (Some(window), Some(whole)) = (map(b, &*cut, 0, 1 << 20)?, map(b, &*other, 0, 1 << 20)?) else {
        return Ok(());
    };
    same!(window.first_difference(&*whole, 0, 1 << 20).context("comparison")?, None, "before it is cut");
    let shortened =
        std::fs::File::options().write(true).open(place.join("cut")).and_then(|f| f.set_len(4096));
    if shortened.is_err() {
        // Windows protects mapped files (1224), which is as good.
        ensure!(cfg!(windows), "the file could not be cut short");
        same!(window.first_difference(&*whole, 0, 1 << 20).context("comparison")?, None, "after the attempt");
        return Ok(());
    }
    // Never "equal": the rest is gone.
    let found = window.first_difference(&*whole, 0, 1 << 20);
    ensure!(!matches!(found, Ok(None)), "a file that was cut short compares equal");
    if cfg!(unix) {
        ensure!(found.is_err(), "the lost pages were compared: {found:?}");
        ensure!(window.copy_out(1 << 19, &mut [0; 16]).is_err(), "the lost pages were read");
    }
    Ok(())
}

fn a_window_outlives_the_handle(b: &Bench) -> Checked {
    let all = pattern(100_000);
    let file = b.file("file", &all)?;
    let Some(window) = map(b, &*file, 0, all.len())? else { return Ok(()) };
    drop(file);
    ensure!(whole(&*window)? == all, "the window shows something else once the file is closed");
    Ok(())
}
