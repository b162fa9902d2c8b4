//! Times, bits, the facts of the volume, and the words for errors.

use fcs_sys::{Access, Attributes, CreatedTime, Handle, Time, Times, write_all_at};

use super::{Bench, Bits, Checked, Context, ensure, let_time_pass, name, rules, same, unsupported};

rules![
    modified_times_are_kept_to_the_volumes_step,
    a_time_not_given_is_left_alone,
    created_times_are_kept_where_the_volume_says_so,
    a_set_time_stays_when_the_file_is_closed,
    folders_have_times_too,
    the_change_time_moves_with_every_change,
    bits_are_kept,
    a_read_only_file_can_still_be_dressed,
    folders_keep_bits_too,
    metadata_is_the_same_by_handle_and_by_name,
    the_volumes_facts_are_believable,
    room_is_believable,
];

/// Times of every sort that the volume says it holds.
fn times(b: &Bench) -> Vec<Time> {
    let (earliest, latest) = b.lacks.times;
    let seconds = [
        1_000_000_000,
        0,
        1,
        -1,
        -86_400 * 365 * 20,
        951_782_400,
        4_102_444_800,
        7_258_118_400,
        253_402_300_799,
        earliest,
        latest,
    ];
    let mut times = Vec::new();
    for second in seconds.into_iter().filter(|s| (earliest..=latest).contains(s)) {
        for nanos in [0, 1, 100, 123_456_789, 999_999_999] {
            times.push(Time::new(second, nanos));
        }
    }
    times
}

/// Whether a stored time is as close to the wanted one as the volume's step allows, and exact where it can be.
fn kept(b: &Bench, found: Time, wanted: Time, what: &str) -> Checked {
    let step = b.step();
    ensure!(
        found.distance_nanos(wanted) < u128::from(step),
        "{what}: found {found:?}, wanted {wanted:?}, in steps of {step} ns"
    );
    if wanted == wanted.rounded_down(step) {
        same!(found, wanted, "{what}, in whole steps of {step} ns");
    }
    Ok(())
}

fn modified(time: Time) -> Times {
    Times { modified: Some(time), created: None }
}

fn modified_times_are_kept_to_the_volumes_step(b: &Bench) -> Checked {
    let file = b.file("file", b"x")?;
    let all = times(b);
    ensure!(all.len() > 20, "the suite has only {} times for this volume", all.len());
    for wanted in all.iter().flat_map(|t| [*t, t.rounded_down(b.step())]) {
        if wanted.seconds() < b.lacks.times.0 {
            continue;
        }
        file.set_times(modified(wanted)).context(&format!("set_times to {wanted:?}"))?;
        kept(b, file.metadata().context("metadata")?.modified, wanted, "by handle")?;
        kept(b, b.dir.stat(&name("file")?).context("stat")?.modified, wanted, "by name")?;
    }
    Ok(())
}

fn a_time_not_given_is_left_alone(b: &Bench) -> Checked {
    let file = b.file("file", b"x")?;
    file.set_times(modified(Time::new(1_000_000_000, 0))).context("set_times")?;
    let before = file.metadata().context("metadata")?;
    file.set_times(Times::default()).context("set_times of none")?;
    let after = file.metadata().context("metadata")?;
    same!((after.modified, after.created), (before.modified, before.created), "the times");
    file.set_times(modified(Time::new(1_100_000_000, 0))).context("set_times of the modified time")?;
    same!(file.metadata().context("metadata")?.created, before.created, "the created time");
    Ok(())
}

fn created_times_are_kept_where_the_volume_says_so(b: &Bench) -> Checked {
    let file = b.file("file", b"x")?;
    let before = file.metadata().context("metadata")?;
    let (created, changed) = (Time::new(1_234_567_890, 500_000_000), Time::new(1_300_000_000, 0));
    let both = Times { modified: Some(changed), created: Some(created) };
    file.set_times(both).context("set_times of both")?;
    let after = b.dir.stat(&name("file")?).context("stat")?;
    kept(b, after.modified, changed, "the modified time")?;
    match b.facts.created {
        CreatedTime::Settable => {
            let found = after.created.ok_or("no created time on a volume that says it keeps them")?;
            kept(b, found, created, "the created time")?;
            let only = Times { modified: None, created: Some(Time::new(1_111_111_111, 0)) };
            file.set_times(only).context("set_times of the created time alone")?;
            let after = file.metadata().context("metadata")?;
            kept(b, after.modified, changed, "the modified time")?;
            same!(after.created, only.created, "the created time set alone");
        }
        CreatedTime::ReadOnly => same!(after.created, before.created, "a created time that cannot be set"),
        CreatedTime::Absent => same!(after.created, None, "a created time that the volume does not keep"),
    }
    Ok(())
}

fn a_set_time_stays_when_the_file_is_closed(b: &Bench) -> Checked {
    let wanted = Time::new(1_000_000_000, 0);
    let file = b.file("file", b"")?;
    write_all_at(&*file, &super::pattern(100_000), 0).context("write_at")?;
    file.set_times(modified(wanted)).context("set_times")?;
    file.sync().context("sync")?;
    drop(file);
    same!(
        b.dir.stat(&name("file")?).context("stat")?.modified,
        wanted,
        "after the handle that wrote was closed"
    );
    b.content("file")?;
    b.dir.rename(&name("file")?, &*b.dir, &name("moved")?, fcs_sys::Rename::Replace).context("rename")?;
    same!(b.dir.stat(&name("moved")?).context("stat")?.modified, wanted, "after it was read and renamed");
    Ok(())
}

fn folders_have_times_too(b: &Bench) -> Checked {
    let folder = b.folder("folder")?;
    super::file_in(&folder, "inside", b"x")?;
    for wanted in [Time::new(1_000_000_000, 0), Time::new(-86_400, 0)] {
        if (b.lacks.times.0..=b.lacks.times.1).contains(&wanted.seconds()) {
            folder.set_times(modified(wanted)).context("set_times of a folder")?;
            same!(folder.metadata().context("metadata")?.modified, wanted, "by handle");
            same!(b.dir.stat(&name("folder")?).context("stat")?.modified, wanted, "by name");
        }
    }
    Ok(())
}

fn the_change_time_moves_with_every_change(b: &Bench) -> Checked {
    let file = b.file("file", b"x")?;
    let changed = || file.metadata().context("metadata").map(|m| m.changed);
    if b.lacks.change_time {
        same!(changed()?, None, "a change time that is said to be lacking");
        return Ok(());
    }
    let old = Time::new(1_000_000_000, 0);
    let other = if matches!(b.lacks.bits, Bits::Attributes { .. }) { 0x20 | 0x2 } else { 0o640 };
    let acts: [(&str, &dyn Fn() -> std::io::Result<()>); 4] = [
        ("write_at", &|| write_all_at(&*file, b"y", 0)),
        ("set_times", &|| file.set_times(modified(old))),
        ("set_attributes", &|| file.set_attributes(Attributes(other))),
        ("write_at the same byte, then set_times back", &|| {
            write_all_at(&*file, b"y", 0)?;
            file.set_times(modified(old))
        }),
    ];
    let mut last = changed()?.ok_or("no change time")?;
    for (call, act) in acts {
        let_time_pass(b)?;
        act().context(call)?;
        let now = changed()?.ok_or("no change time")?;
        ensure!(now > last, "{call} left the change time at {now:?}");
        last = now;
    }
    Ok(())
}

/// Bits to be kept, and those of what is read back that count.
fn bits(b: &Bench) -> (&'static [u32], u32) {
    match b.lacks.bits {
        Bits::Modes => (&[0o644, 0o600, 0o444, 0o755, 0o400, 0o4755, 0o2711, 0o1777, 0o000], 0o7777),
        // Read-only 1, hidden 2, system 4, archive 0x20.
        Bits::Attributes { archive: true } => (&[0x20, 0x21, 0x22, 0x26, 0x27, 0x01, 0x02, 0x00, 0x20], 0x27),
        Bits::Attributes { archive: false } => (&[0x20, 0x21, 0x22, 0x26, 0x27, 0x20], 0x07),
        Bits::ReadOnlyMark => (&[READ_ONLY, WRITABLE, READ_ONLY, WRITABLE], 0),
    }
}

const READ_ONLY: u32 = if cfg!(windows) { 1 } else { 0o444 };
const WRITABLE: u32 = if cfg!(windows) { 0x20 } else { 0o644 };

fn keeps_bits(b: &Bench, item: &dyn Handle, label: &str, wanted: u32, mask: u32) -> Checked {
    item.set_attributes(Attributes(wanted)).context(&format!("set_attributes {wanted:#o} of a {label}"))?;
    for (how, found) in [
        ("by handle", item.metadata().context("metadata")?),
        ("by name", b.dir.stat(&name(label)?).context("stat")?),
    ] {
        let found = found.attributes;
        same!(found.0 & mask, wanted & mask, "bits {wanted:#o} of a {label}, {how}");
        same!(
            found.is_read_only(),
            Attributes(wanted).is_read_only(),
            "the read-only attribute of a {label}, {how}"
        );
    }
    Ok(())
}

fn bits_are_kept(b: &Bench) -> Checked {
    let file = b.file("file", b"x")?;
    let (wanted, mask) = bits(b);
    for bits in wanted {
        keeps_bits(b, &*file, "file", *bits, mask)?;
    }
    Ok(())
}

fn a_read_only_file_can_still_be_dressed(b: &Bench) -> Checked {
    // Attributes may be set before times, and the mark must come off again.
    let file = b.file("file", b"x")?;
    file.set_attributes(Attributes(READ_ONLY)).context("set_attributes")?;
    let time = Time::new(1_000_000_000, 0);
    file.set_times(modified(time)).context("set_times of a read-only file")?;
    same!(file.metadata().context("metadata")?.modified, time, "its modified time");
    b.dir
        .rename(&name("file")?, &*b.dir, &name("moved")?, fcs_sys::Rename::Replace)
        .context("rename of a read-only file")?;
    drop(file);
    same!(b.content("moved")?, b"x", "its content");
    let file = b.dir.open_file(&name("moved")?, Access::Read).context("open_file to read")?;
    file.set_attributes(Attributes(WRITABLE)).context("set_attributes through a handle that reads")?;
    drop(file);
    let file = b.dir.open_file(&name("moved")?, Access::ReadWrite).context("open_file to write")?;
    write_all_at(&*file, b"y", 0).context("write_at")
}

fn folders_keep_bits_too(b: &Bench) -> Checked {
    let folder = b.folder("folder")?;
    match b.lacks.bits {
        Bits::Modes => {
            for bits in [0o755, 0o700, 0o2775, 0o1777] {
                keeps_bits(b, &*folder, "folder", bits, 0o7777)?;
            }
        }
        Bits::Attributes { .. } => {
            for bits in [0x02, 0x00, 0x06] {
                keeps_bits(b, &*folder, "folder", bits, 0x06)?;
            }
        }
        // A read-only attribute on a folder means nothing on Windows and locks its owner out elsewhere.
        Bits::ReadOnlyMark => {}
    }
    Ok(())
}

fn metadata_is_the_same_by_handle_and_by_name(b: &Bench) -> Checked {
    drop(b.file("file", &super::pattern(12_345))?);
    drop(b.folder("folder")?);
    let file =
        b.dir.open_file(&name("file")?, Access::Read).context("open_file")?.metadata().context("metadata")?;
    same!(file, b.dir.stat(&name("file")?).context("stat")?, "the file, by handle and by name");
    same!(file.size, 12_345, "its size");
    ensure!(!file.placeholder, "a file just written is called a placeholder");
    let folder = b.dir.open_dir(&name("folder")?).context("open_dir")?.metadata().context("metadata")?;
    same!(folder, b.dir.stat(&name("folder")?).context("stat")?, "the folder, by handle and by name");
    Ok(())
}

fn the_volumes_facts_are_believable(b: &Bench) -> Checked {
    let facts = &b.facts;
    same!(facts.id, b.dir.metadata().context("metadata")?.id.volume, "the volume's number");
    ensure!(!facts.file_system.is_empty(), "the file system has no name");
    ensure!((200..=1024).contains(&facts.max_name), "names of up to {} units", facts.max_name);
    ensure!((1..=2_000_000_000).contains(&facts.time_granularity_nanos), "{facts:?}");
    ensure!(facts.max_file_bytes >= u64::from(u32::MAX), "{facts:?}");
    let has_created = b.dir.metadata().context("metadata")?.created.is_some();
    same!(has_created, facts.created != CreatedTime::Absent, "whether items have a created time");
    Ok(())
}

fn room_is_believable(b: &Bench) -> Checked {
    let space = b.dir.space();
    if b.lacks.space {
        return unsupported(space, "space");
    }
    let space = space.context("space")?;
    ensure!(space.total > 0 && space.free <= space.total, "{space:?}");
    Ok(())
}
