//! Named streams: kept beside the content, each by itself.

use fcs_sys::{Access, Handle, OsReason, write_all_at};

use super::{Bench, Checked, Context, all_of, ensure, name, pattern, refused, rules, same, unsupported};

rules![
    streams_are_kept_or_unsupported,
    streams_with_odd_names_are_kept,
    a_stream_that_is_not_there_is_not_found,
    a_removed_stream_is_gone,
    folders_have_streams_too,
];

fn names(item: &dyn Handle) -> Result<Vec<(Vec<u8>, u64)>, String> {
    let streams = item.streams().context("streams")?;
    let mut names: Vec<_> = streams.into_iter().map(|stream| (stream.name, stream.size)).collect();
    names.sort();
    Ok(names)
}

fn put(item: &dyn Handle, stream: &[u8], bytes: &[u8]) -> Checked {
    let file = item.open_stream(stream, true).context("open_stream to make one")?;
    write_all_at(&*file, bytes, 0).context("write_at of a stream")
}

fn get(item: &dyn Handle, stream: &[u8]) -> Result<Vec<u8>, String> {
    let file = item.open_stream(stream, false).context("open_stream to read")?;
    all_of(&*file).context("read_at of a stream")
}

/// What an item answers where there are no streams; `true` means that there are.
fn has(b: &Bench, item: &dyn Handle) -> Result<bool, String> {
    same!(names(item)?, Vec::new(), "streams of a new item");
    if b.lacks.streams {
        unsupported(item.open_stream(b"s", true), "open_stream to make one")?;
        unsupported(item.open_stream(b"s", false), "open_stream to read")?;
        unsupported(item.remove_stream(b"s"), "remove_stream")?;
    }
    Ok(!b.lacks.streams)
}

fn streams_are_kept_or_unsupported(b: &Bench) -> Checked {
    let file = b.file("file", b"content")?;
    if !has(b, &*file)? {
        return Ok(());
    }
    let long = pattern(300_000);
    put(&*file, b"one", b"1")?;
    put(&*file, b"long", &long)?;
    put(&*file, b"empty", b"")?;
    let wanted = [(b"empty".to_vec(), 0), (b"long".to_vec(), 300_000), (b"one".to_vec(), 1)];
    same!(names(&*file)?, wanted, "the streams through the handle that made them");
    put(&*file, b"one", b"2")?;
    drop(file);
    let file = b.dir.open_file(&name("file")?, Access::Read).context("open_file")?;
    same!(names(&*file)?, wanted, "the streams through another handle");
    same!(get(&*file, b"one")?, b"2", "a stream that was opened again and written over");
    ensure!(get(&*file, b"long")? == long, "a long stream differs");
    same!(get(&*file, b"empty")?, b"", "an empty stream");
    let size = file.metadata().context("metadata")?.size;
    drop(file);
    same!((b.content("file")?, size), (b"content".to_vec(), 7), "the content beside the streams");
    same!(b.listed()?, [b"file"], "names in the folder");
    Ok(())
}

fn streams_with_odd_names_are_kept(b: &Bench) -> Checked {
    let file = b.file("file", b"")?;
    if !has(b, &*file)? {
        return Ok(());
    }
    let mut wanted: Vec<(Vec<u8>, u64)> = Vec::new();
    for odd in ["Zone.Identifier", "grüße", "漢😀", "with space ", "dots..", "CON", "a*b?"] {
        put(&*file, odd.as_bytes(), odd.as_bytes())?;
        same!(get(&*file, odd.as_bytes())?, odd.as_bytes(), "the stream {odd}");
        wanted.push((odd.as_bytes().to_vec(), odd.len() as u64));
    }
    wanted.sort();
    same!(names(&*file)?, wanted, "the streams");
    Ok(())
}

fn a_stream_that_is_not_there_is_not_found(b: &Bench) -> Checked {
    let file = b.file("file", b"")?;
    if has(b, &*file)? {
        refused(file.open_stream(b"none", false), &[OsReason::NotFound], "open_stream to read")?;
        refused(file.remove_stream(b"none"), &[OsReason::NotFound], "remove_stream")?;
        same!(names(&*file)?, Vec::new(), "streams that came of it");
    }
    Ok(())
}

fn a_removed_stream_is_gone(b: &Bench) -> Checked {
    let file = b.file("file", b"content")?;
    if has(b, &*file)? {
        put(&*file, b"gone", b"1")?;
        put(&*file, b"kept", b"2")?;
        file.remove_stream(b"gone").context("remove_stream")?;
        same!(names(&*file)?, [(b"kept".to_vec(), 1)], "the streams that stay");
        refused(file.open_stream(b"gone", false), &[OsReason::NotFound], "open_stream of a removed one")?;
        put(&*file, b"gone", b"")?;
        same!(get(&*file, b"gone")?, b"", "a stream made anew under the name of a removed one");
        drop(file);
        same!(b.content("file")?, b"content", "the content");
    }
    Ok(())
}

fn folders_have_streams_too(b: &Bench) -> Checked {
    let folder = b.folder("folder")?;
    if has(b, &*folder)? {
        put(&*folder, b"s", b"text")?;
        same!(get(&*folder, b"s")?, b"text", "a folder's stream");
        same!(names(&*folder)?, [(b"s".to_vec(), 4)], "a folder's streams");
    }
    Ok(())
}
