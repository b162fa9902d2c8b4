//! Listing: every entry once, as it is.

use std::collections::HashMap;

use fcs_sys::{LinkTarget, Metadata, Name, Time, Times};

use super::{Bench, Checked, Context, ensure, name, rules, same};

rules![
    an_empty_folder_lists_nothing,
    many_entries_are_listed_once_each,
    a_listing_tells_what_stat_tells,
    a_folder_can_be_listed_twice_and_by_two_at_once,
];

fn an_empty_folder_lists_nothing(b: &Bench) -> Checked {
    same!(b.listed()?, Vec::<Vec<u8>>::new(), "what an empty folder lists");
    Ok(())
}

fn many_entries_are_listed_once_each(b: &Bench) -> Checked {
    // Long names, so that many reads of the folder are needed, and in no order: 7919 is prime.
    let label = |i: usize| format!("{:05}-{}", i * 7919 % b.many, "x".repeat(i % 97));
    let mut wanted = Vec::new();
    for i in 0..b.many {
        drop(b.dir.create_file(&name(&label(i))?).context("create_file")?);
        wanted.push(label(i).into_bytes());
    }
    wanted.sort();
    let found = b.listed()?;
    if found != wanted {
        let missing = wanted.iter().filter(|name| found.binary_search(name).is_err()).count();
        let twice = found.windows(2).filter(|pair| pair[0] == pair[1]).count();
        return Err(format!("{} of {} listed, {missing} missing, {twice} again", found.len(), b.many));
    }
    Ok(())
}

/// What must be the same in a listing and when asked for one item. Room and the count of names are left out: no
/// listing of a whole folder tells them.
fn comparable(m: &Metadata) -> impl PartialEq + std::fmt::Debug + use<> {
    (m.fingerprint(), m.created, m.placeholder)
}

fn a_listing_tells_what_stat_tells(b: &Bench) -> Checked {
    drop(b.file("file", &super::pattern(10_000))?);
    drop(b.file("empty", b"")?);
    drop(b.folder("folder")?);
    let old = b.file("old", b"x")?;
    old.set_times(Times { modified: Some(Time::new(1_000_000_000, 0)), created: None })
        .context("set_times")?;
    drop(old);
    if b.lacks.symlinks.is_none() {
        let link = LinkTarget { text: b"file".into(), to_folder: false };
        b.dir.create_symlink(&name("link")?, &link).context("create_symlink")?;
    }
    let mut listed: HashMap<Vec<u8>, Option<Metadata>> = HashMap::new();
    let mut again = false;
    b.dir
        .list(&mut |entry| again |= listed.insert(entry.name.to_vec(), entry.metadata).is_some())
        .context("list")?;
    ensure!(!again, "an entry was listed twice");
    same!(listed.len(), 4 + usize::from(b.lacks.symlinks.is_none()), "entries");
    for (bytes, metadata) in &listed {
        let entry = Name::new(bytes.as_slice()).map_err(|e| format!("a listed name: {e}"))?;
        let asked = b.dir.stat(&entry).context("stat")?;
        if let Some(metadata) = metadata {
            same!(comparable(metadata), comparable(&asked), "{entry} in the listing and asked for");
        }
    }
    Ok(())
}

fn a_folder_can_be_listed_twice_and_by_two_at_once(b: &Bench) -> Checked {
    for label in ["a", "b", "c"] {
        b.file(label, b"")?;
    }
    let once = b.listed()?;
    same!(b.listed()?, once, "the second listing through one handle");
    let mut inner = Vec::new();
    let mut outer = 0;
    b.dir
        .list(&mut |_| {
            outer += 1;
            inner.push(b.listed());
        })
        .context("list with a listing inside")?;
    same!(outer, 3, "entries of the outer listing");
    for listed in inner {
        same!(listed?, once, "a listing while another goes on");
    }
    Ok(())
}
