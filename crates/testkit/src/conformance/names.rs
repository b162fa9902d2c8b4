//! Names: which are kept as they are, and how they are distinguished.

use fcs_sys::{CaseRule, Name, OsReason, Rename};

use super::{Bench, Checked, Context, ensure, name, refused, rules, same};

rules![
    odd_names_are_kept_or_refused,
    names_of_the_longest_kind_are_kept,
    longer_names_are_refused,
    names_are_told_apart_as_the_volume_says,
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
    let id = made.metadata().context("metadata")?.id;
    drop(made);
    let mut wanted = before;
    wanted.push(bytes.to_vec());
    wanted.sort();
    same!(b.listed()?, wanted, "names after {shown} was made");
    same!(b.dir.stat(&odd).context(&format!("stat of {shown}"))?.id, id, "what stands at {shown}");
    let moved = name("moved")?;
    b.dir.rename(&odd, &*b.dir, &moved, Rename::Replace).context(&format!("renaming {shown} away"))?;
    b.dir.rename(&moved, &*b.dir, &odd, Rename::Replace).context(&format!("renaming {shown} back"))?;
    same!(b.listed()?, wanted, "names after {shown} was renamed to and fro");
    b.dir.remove_file(&odd).context(&format!("remove_file of {shown}"))?;
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
    let made = b.file("Mixed", b"")?.metadata().context("metadata")?;
    match (b.facts.case, b.dir.stat(&name("mIXED")?)) {
        (CaseRule::Sensitive, other) => refused(other, &[OsReason::NotFound], "stat in another case")?,
        (CaseRule::Insensitive, other) => {
            let other = other.context("stat in another case")?;
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
