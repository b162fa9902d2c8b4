//! Names: which are kept as they are, how they are told apart, and that a link is never followed.

use fcs_sys::{Access, CaseRule, Kind, LinkTarget, Name, OsReason, Rename, Time, Times};

use super::{Bench, Checked, Said, ensure, name, refused, rules, same, unsupported};

rules![
    odd_names_are_kept_or_refused,
    names_of_the_longest_kind_are_kept,
    longer_names_are_refused,
    names_are_told_apart_as_the_volume_says,
    a_link_to_a_folder_is_not_opened,
    a_link_to_a_file_is_not_opened,
    a_link_has_metadata_of_its_own,
    a_link_keeps_its_text,
    what_is_no_link_has_no_text,
    removing_a_link_leaves_what_it_leads_to,
    renaming_a_link_moves_the_link,
    times_of_a_link_are_its_own,
];

/// Names that programs trip over. Not all systems allow all of them, which is why each may be refused.
fn odd_names() -> Vec<Vec<u8>> {
    let mut names: Vec<Vec<u8>> = [
        " leading",
        "trailing ",
        "trailing.",
        "...",
        "-rf",
        "~",
        "$HOME",
        "%TEMP%",
        "a&b",
        "a;b",
        "'",
        "`x`",
        "grüße",
        "gru\u{308}ße",
        "漢字",
        "😀",
        "\u{202e}txt.exe",
        "\u{200b}",
        "\u{feff}bom",
        "ẞ",
        "İ",
        "CON",
        "con.txt",
        "nul",
        "COM1",
        "lpt9.x",
        "desktop.ini",
        "a\tb",
        "a\nb",
        "a\rb",
        "\x01",
        "\x7f",
        "a\\b",
        "a:b",
        "a*b",
        "a?b",
        "\"",
        "<",
        ">",
        "|",
        ".hidden",
        "..x",
        "x..",
    ]
    .iter()
    .map(|text| text.as_bytes().to_vec())
    .collect();
    // No text at all on Unix; an unpaired high and low surrogate, in WTF-8, on Windows.
    let raw: &[&[u8]] = if cfg!(windows) {
        &[b"a\xED\xA0\x80b", b"\xED\xB0\x80", b"\xED\xB0\x80\xED\xA0\x80"]
    } else {
        &[b"\xff", b"a\xC3", b"\xED\xA0\x80"]
    };
    names.extend(raw.iter().map(|name| name.to_vec()));
    names
}

/// Makes a file under a name; the name is then the only one in the folder and leads to it, or nothing was made.
fn kept_or_refused(b: &Bench, bytes: &[u8]) -> Result<bool, String> {
    let shown = fcs_sys::escaped(bytes).into_owned();
    let Ok(odd) = Name::new(bytes) else { return Ok(false) };
    let before = b.listed()?;
    let Ok(made) = b.dir.create_file(&odd) else {
        same!(b.listed()?, before, "names after {shown} was refused");
        return Ok(false);
    };
    let id = made.metadata().said("metadata")?.id;
    drop(made);
    let mut wanted = before;
    wanted.push(bytes.to_vec());
    wanted.sort();
    same!(b.listed()?, wanted, "names after {shown} was made");
    same!(b.dir.stat(&odd).said(&format!("stat of {shown}"))?.id, id, "what stands at {shown}");
    let moved = name("moved")?;
    b.dir.rename(&odd, &*b.dir, &moved, Rename::Replace).said(&format!("renaming {shown} away"))?;
    b.dir.rename(&moved, &*b.dir, &odd, Rename::Replace).said(&format!("renaming {shown} back"))?;
    same!(b.listed()?, wanted, "names after {shown} was renamed to and fro");
    b.dir.remove_file(&odd).said(&format!("remove_file of {shown}"))?;
    Ok(true)
}

fn odd_names_are_kept_or_refused(b: &Bench) -> Checked {
    let mut kept = 0;
    for odd in odd_names() {
        kept += usize::from(kept_or_refused(b, &odd)?);
    }
    ensure!(kept >= 15, "only {kept} odd names were taken");
    let must: &[&str] = &["grüße", "漢字", "😀", "trailing.x", ".hidden", "..x", "a&b"];
    for plain in must {
        ensure!(kept_or_refused(b, plain.as_bytes())?, "{plain} was refused");
    }
    #[cfg(unix)]
    ensure!(kept_or_refused(b, b"a\nb\\c:d")?, "a name that Unix allows was refused");
    Ok(())
}

/// As long as the volume says, in characters of one to four bytes.
fn names_of_the_longest_kind_are_kept(b: &Bench) -> Checked {
    for letter in ["a", "é", "漢", "😀"] {
        let count = b.facts.max_name / b.facts.name_units.count(letter.as_bytes());
        let long = letter.repeat(count);
        ensure!(kept_or_refused(b, long.as_bytes())?, "{count} times {letter} was refused");
    }
    Ok(())
}

fn longer_names_are_refused(b: &Bench) -> Checked {
    let long = name(&"a".repeat(b.facts.max_name + 1))?;
    let reasons = &[OsReason::NameTooLong, OsReason::InvalidName];
    refused(b.dir.create_file(&long), reasons, "create_file with too long a name")?;
    refused(b.dir.create_dir(&long), reasons, "create_dir with too long a name")?;
    b.file("short", b"")?;
    let renamed = b.dir.rename(&name("short")?, &*b.dir, &long, Rename::Replace);
    refused(renamed, reasons, "rename to too long a name")?;
    same!(b.listed()?, [b"short"], "the names that are left");
    Ok(())
}

fn names_are_told_apart_as_the_volume_says(b: &Bench) -> Checked {
    let made = b.file("Mixed", b"")?.metadata().said("metadata")?;
    match (b.facts.case, b.dir.stat(&name("mIXED")?)) {
        (CaseRule::Sensitive, other) => refused(other, &[OsReason::NotFound], "stat in another case")?,
        (CaseRule::Insensitive, other) => {
            let other = other.said("stat in another case")?;
            if !b.lacks.identity {
                same!(other.id, made.id, "what stands at the name in another case");
            }
            refused(
                b.dir.create_file(&name("mIXED")?),
                &[OsReason::AlreadyExists],
                "create_file in another case",
            )?;
        }
    }
    same!(b.listed()?, [b"Mixed"], "the name as it was given");
    Ok(())
}

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
            .said("create_symlink")
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
        let (link, target) = (link.said("stat of the link")?, target.said("stat of its target")?);
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
            b.dir.create_symlink(&label, &wanted).said("create_symlink")?;
            let found = b.dir.read_link(&label).said("read_link")?;
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
            b.dir.remove_file(&name("link")?).said("remove_file of a link")?;
            b.absent("link")?;
            let target = b.dir.stat(&name("target")?).said("stat of what it led to")?;
            same!(target.kind == Kind::Folder, to_folder, "whether a folder is left");
        }
        if to_folder {
            let folder = b.dir.open_dir(&name("target")?).said("open_dir")?;
            same!(super::content_in(&folder, "inside")?, b"kept", "what is in the folder it led to");
        } else {
            same!(b.content("target")?, b"kept", "what it led to");
            b.dir.remove_file(&name("target")?).said("remove_file")?;
        }
    }
    Ok(())
}

fn renaming_a_link_moves_the_link(b: &Bench) -> Checked {
    if link(b, false)? {
        let (from, to) = (name("link")?, name("moved")?);
        b.dir.rename(&from, &*b.dir, &to, Rename::Replace).said("rename of a link")?;
        same!(b.dir.stat(&to).said("stat")?.kind, Kind::Symlink, "what was moved");
        same!(b.dir.read_link(&to).said("read_link")?.text, b"target", "its text");
        // Over a link: the link goes, not what it leads to.
        b.file("other", b"new")?;
        b.dir.rename(&name("other")?, &*b.dir, &to, Rename::Replace).said("rename over a link")?;
        same!(b.dir.stat(&to).said("stat")?.kind, Kind::File, "what stands at the link's name");
        same!(b.content("target")?, b"kept", "what the link led to");
    }
    Ok(())
}

fn times_of_a_link_are_its_own(b: &Bench) -> Checked {
    if !link(b, false)? {
        return Ok(());
    }
    let (link, target) = (name("link")?, name("target")?);
    let before = b.dir.stat(&target).said("stat")?.modified;
    let time = Time::new(1_000_000_000, 0);
    let set = b.dir.set_link_times(&link, Times { modified: Some(time), created: None });
    if b.lacks.link_times {
        unsupported(set, "set_link_times")?;
    } else {
        set.said("set_link_times")?;
        same!(b.dir.stat(&link).said("stat")?.modified, time, "the link's modified time");
    }
    same!(b.dir.stat(&target).said("stat")?.modified, before, "the modified time of what it leads to");
    Ok(())
}
