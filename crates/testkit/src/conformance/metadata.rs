//! Times, bits, owners, extended attributes, the facts of the volume, and the words for errors.

use fcs_sys::{Access, Attributes, CreatedTime, Handle, Owner, Time, Times, write_all_at};

use super::{Bench, Bits, Checked, Said, ensure, let_time_pass, name, rules, same, unsupported};

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
    owners_are_kept_or_unsupported,
    extended_attributes_are_kept_or_unsupported,
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
        file.set_times(modified(wanted)).said(&format!("set_times to {wanted:?}"))?;
        kept(b, file.metadata().said("metadata")?.modified, wanted, "by handle")?;
        kept(b, b.dir.stat(&name("file")?).said("stat")?.modified, wanted, "by name")?;
    }
    Ok(())
}

fn a_time_not_given_is_left_alone(b: &Bench) -> Checked {
    let file = b.file("file", b"x")?;
    file.set_times(modified(Time::new(1_000_000_000, 0))).said("set_times")?;
    let before = file.metadata().said("metadata")?;
    file.set_times(Times::default()).said("set_times of none")?;
    let after = file.metadata().said("metadata")?;
    same!((after.modified, after.created), (before.modified, before.created), "the times");
    file.set_times(modified(Time::new(1_100_000_000, 0))).said("set_times of the modified time")?;
    same!(file.metadata().said("metadata")?.created, before.created, "the created time");
    Ok(())
}

fn created_times_are_kept_where_the_volume_says_so(b: &Bench) -> Checked {
    let file = b.file("file", b"x")?;
    let before = file.metadata().said("metadata")?;
    let (created, changed) = (Time::new(1_234_567_890, 500_000_000), Time::new(1_300_000_000, 0));
    let both = Times { modified: Some(changed), created: Some(created) };
    file.set_times(both).said("set_times of both")?;
    let after = b.dir.stat(&name("file")?).said("stat")?;
    kept(b, after.modified, changed, "the modified time")?;
    match b.facts.created {
        CreatedTime::Settable => {
            let found = after.created.ok_or("no created time on a volume that says it keeps them")?;
            kept(b, found, created, "the created time")?;
            let only = Times { modified: None, created: Some(Time::new(1_111_111_111, 0)) };
            file.set_times(only).said("set_times of the created time alone")?;
            let after = file.metadata().said("metadata")?;
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
    write_all_at(&*file, &super::pattern(100_000), 0).said("write_at")?;
    file.set_times(modified(wanted)).said("set_times")?;
    file.sync().said("sync")?;
    drop(file);
    same!(
        b.dir.stat(&name("file")?).said("stat")?.modified,
        wanted,
        "after the handle that wrote was closed"
    );
    b.content("file")?;
    b.dir.rename(&name("file")?, &*b.dir, &name("moved")?, fcs_sys::Rename::Replace).said("rename")?;
    same!(b.dir.stat(&name("moved")?).said("stat")?.modified, wanted, "after it was read and renamed");
    Ok(())
}

fn folders_have_times_too(b: &Bench) -> Checked {
    let folder = b.folder("folder")?;
    super::file_in(&folder, "inside", b"x")?;
    for wanted in [Time::new(1_000_000_000, 0), Time::new(-86_400, 0)] {
        if (b.lacks.times.0..=b.lacks.times.1).contains(&wanted.seconds()) {
            folder.set_times(modified(wanted)).said("set_times of a folder")?;
            same!(folder.metadata().said("metadata")?.modified, wanted, "by handle");
            same!(b.dir.stat(&name("folder")?).said("stat")?.modified, wanted, "by name");
        }
    }
    Ok(())
}

fn the_change_time_moves_with_every_change(b: &Bench) -> Checked {
    let file = b.file("file", b"x")?;
    let changed = || file.metadata().said("metadata").map(|m| m.changed);
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
        act().said(call)?;
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
    item.set_attributes(Attributes(wanted)).said(&format!("set_attributes {wanted:#o} of a {label}"))?;
    for (how, found) in [
        ("by handle", item.metadata().said("metadata")?),
        ("by name", b.dir.stat(&name(label)?).said("stat")?),
    ] {
        let found = found.attributes;
        same!(found.0 & mask, wanted & mask, "bits {wanted:#o} of a {label}, {how}");
        same!(
            found.is_read_only(),
            Attributes(wanted).is_read_only(),
            "the read-only mark of a {label}, {how}"
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
    file.set_attributes(Attributes(READ_ONLY)).said("set_attributes")?;
    let time = Time::new(1_000_000_000, 0);
    file.set_times(modified(time)).said("set_times of a read-only file")?;
    same!(file.metadata().said("metadata")?.modified, time, "its modified time");
    b.dir
        .rename(&name("file")?, &*b.dir, &name("moved")?, fcs_sys::Rename::Replace)
        .said("rename of a read-only file")?;
    drop(file);
    same!(b.content("moved")?, b"x", "its content");
    let file = b.dir.open_file(&name("moved")?, Access::Read).said("open_file to read")?;
    file.set_attributes(Attributes(WRITABLE)).said("set_attributes through a handle that reads")?;
    drop(file);
    let file = b.dir.open_file(&name("moved")?, Access::ReadWrite).said("open_file to write")?;
    write_all_at(&*file, b"y", 0).said("write_at")
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
        // A read-only mark on a folder means nothing on Windows and locks its owner out elsewhere.
        Bits::ReadOnlyMark => {}
    }
    Ok(())
}

fn owners_are_kept_or_unsupported(b: &Bench) -> Checked {
    let file = b.file("file", b"x")?;
    let owner = file.metadata().said("metadata")?.owner;
    if b.lacks.owner {
        same!(owner, None, "an owner where owners are lacking");
        return unsupported(file.set_owner(Owner { user: 0, group: 0 }), "set_owner");
    }
    let owner = owner.ok_or("no owner")?;
    file.set_owner(owner).said("set_owner to the one it has")?;
    file.set_owner(Owner { user: u32::MAX, group: u32::MAX }).said("set_owner to none in particular")?;
    same!(file.metadata().said("metadata")?.owner, Some(owner), "the owner");
    Ok(())
}

fn extended_attributes_are_kept_or_unsupported(b: &Bench) -> Checked {
    let file = b.file("file", b"x")?;
    let ours = |file: &dyn Handle| -> Result<Vec<Vec<u8>>, String> {
        let mut names = file.xattrs().said("xattrs")?;
        names.retain(|n| n.starts_with(b"user.fcs"));
        names.sort();
        Ok(names)
    };
    same!(ours(&*file)?, Vec::<Vec<u8>>::new(), "attributes of a new file");
    ensure!(file.xattr(b"user.fcs-none").is_err(), "an attribute that was never set has a value");
    if b.lacks.xattrs {
        unsupported(file.set_xattr(b"user.fcs", b"x"), "set_xattr")?;
        ensure!(file.remove_xattr(b"user.fcs").is_err(), "an attribute was removed where there are none");
        return Ok(());
    }
    let long = super::pattern(1000);
    for (attribute, value) in
        [(&b"user.fcs-a"[..], &b"1"[..]), (b"user.fcs-empty", b""), (b"user.fcs-long", &long)]
    {
        file.set_xattr(attribute, value).said("set_xattr")?;
        same!(file.xattr(attribute).said("xattr")?, value, "the value of {}", fcs_sys::escaped(attribute));
    }
    file.set_xattr(b"user.fcs-a", b"22").said("set_xattr over an old value")?;
    same!(file.xattr(b"user.fcs-a").said("xattr")?, b"22", "the new value");
    file.remove_xattr(b"user.fcs-empty").said("remove_xattr")?;
    ensure!(file.xattr(b"user.fcs-empty").is_err(), "a removed attribute has a value");
    drop(file);
    let file = b.dir.open_file(&name("file")?, Access::Read).said("open_file")?;
    same!(ours(&*file)?, [&b"user.fcs-a"[..], b"user.fcs-long"], "the attributes through another handle");
    let folder = b.folder("folder")?;
    folder.set_xattr(b"user.fcs", b"x").said("set_xattr of a folder")?;
    same!(ours(&*folder)?, [b"user.fcs"], "the attributes of a folder");
    Ok(())
}

fn metadata_is_the_same_by_handle_and_by_name(b: &Bench) -> Checked {
    drop(b.file("file", &super::pattern(12_345))?);
    drop(b.folder("folder")?);
    let file =
        b.dir.open_file(&name("file")?, Access::Read).said("open_file")?.metadata().said("metadata")?;
    same!(file, b.dir.stat(&name("file")?).said("stat")?, "the file, by handle and by name");
    same!(file.size, 12_345, "its size");
    ensure!(!file.placeholder, "a file just written is called a placeholder");
    let folder = b.dir.open_dir(&name("folder")?).said("open_dir")?.metadata().said("metadata")?;
    same!(folder, b.dir.stat(&name("folder")?).said("stat")?, "the folder, by handle and by name");
    Ok(())
}

fn the_volumes_facts_are_believable(b: &Bench) -> Checked {
    let facts = &b.facts;
    same!(facts.id, b.dir.metadata().said("metadata")?.id.volume, "the volume's number");
    ensure!(!facts.file_system.is_empty(), "the file system has no name");
    ensure!((200..=1024).contains(&facts.max_name), "names of up to {} units", facts.max_name);
    ensure!((1..=2_000_000_000).contains(&facts.time_granularity_nanos), "{facts:?}");
    ensure!(facts.max_file_bytes >= u64::from(u32::MAX), "{facts:?}");
    let has_created = b.dir.metadata().said("metadata")?.created.is_some();
    same!(has_created, facts.created != CreatedTime::Absent, "whether items have a created time");
    Ok(())
}

fn room_is_believable(b: &Bench) -> Checked {
    let space = b.dir.space();
    if b.lacks.space {
        return unsupported(space, "space");
    }
    let space = space.said("space")?;
    ensure!(space.total > 0 && space.free <= space.total, "{space:?}");
    Ok(())
}
