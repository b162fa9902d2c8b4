//! The engine states facts: none of its messages names a command, an option or a setting, because what to do about a
//! fact is for each front end to say in its own words. Asked of the source, so that a message counts also where no test
//! makes it appear.

#![cfg(unix)]
#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use fcs_engine::Settings;

/// Commands of systems. This program's own and options are found by their form.
const COMMANDS: [&str; 8] = ["net use", "chattr", "chmod", "chown", "mount -", "sudo", "umount", "attrib "];

/// Texts that may: the one that explains the folder `.fcs` to whoever finds it is no message, and that a name is none of
/// a setting is the fact itself.
const NO_MESSAGES: [&str; 2] = ["This folder belongs to FolderCompareSync", "there is no setting called {0}"];

#[test]
fn no_message_names_a_command_an_option_or_a_setting() {
    let mut found = Vec::new();
    let mut looked_at = 0;
    for file in ["../engine/src", "../sys/src"].into_iter().flat_map(|folder| sources(&here(folder))) {
        let source = fs::read_to_string(&file).unwrap();
        for text in texts(without_tests(&source)) {
            looked_at += usize::from(is_sentence(&text));
            found.extend(ui_word(&text).map(|word| format!("{}: {word}: {text}", file.display())));
        }
    }
    assert!(looked_at > 200, "only {looked_at} texts were found, so the search itself is broken");
    assert_eq!(found, [""; 0], "say it in fcs_app::hints, or as a fcs_engine::error::Remedy");
}

#[test]
fn the_search_finds_what_it_is_to_find() {
    let planted = r##"
        /// A comment may say --verify or `fcs undo`.
        fn f() { g('"', "Could not open it. Add --verify all.", r#"Run `fcs undo`."#) } // "--x"
        const A: &str = "Set max_items \"higher\" \
                         there.";
        #[cfg(test)]
        mod tests { const B: &str = "--only in a test"; }
    "##;
    let words: Vec<_> = texts(without_tests(planted)).iter().filter_map(|text| ui_word(text)).collect();
    assert_eq!(words, ["--verify", "`fcs undo`", "max_items"]);
    for fine in ["it is immutable", "max_items", "a -- b", "the device (sda) -- gone", "net user", "--"] {
        assert_eq!(ui_word(fine), None, "{fine}");
    }
    for bad in ["Use net use Z: for it.", "Run fcs recover there.", "See the setting newer."] {
        assert!(ui_word(bad).is_some(), "{bad}");
    }
}

fn here(folder: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(folder)
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = entry.file_name().unwrap().to_string_lossy().into_owned();
        if entry.is_dir() {
            // What is asked of a real Windows by hand is a program of its own.
            found.extend(if name == "probe" && folder.ends_with("windows") {
                Vec::new()
            } else {
                sources(&entry)
            });
        } else if entry.extension().is_some_and(|ending| ending == "rs") && name != "tests.rs" {
            found.push(entry);
        }
    }
    found
}

/// What comes before the tests of a file, which are its end.
fn without_tests(source: &str) -> &str {
    source
        .find("#[cfg(test)]\nmod tests")
        .or_else(|| source.find("#[cfg(test)]\n        mod tests"))
        .map_or(source, |at| &source[..at])
}

fn is_sentence(text: &str) -> bool {
    text.contains(' ')
}

/// The first word of a front end in a text.
fn ui_word(text: &str) -> Option<String> {
    if !is_sentence(text) && !text.starts_with("--") || NO_MESSAGES.iter().any(|no| text.contains(no)) {
        return None;
    }
    let option = || {
        let mut words = text.split(|c: char| c.is_whitespace() || "(),.;:`'\"=".contains(c));
        words.find(|word| {
            word.strip_prefix("--").is_some_and(|name| name.starts_with(|c: char| c.is_ascii_lowercase()))
        })
    };
    let command = || COMMANDS.into_iter().find(|command| starts_word(text, command));
    let own = || starts_word(text, "fcs ").then_some("fcs");
    let quoted = || {
        let from = text.find('`')?;
        let to = text[from + 1..].find('`')? + from + 2;
        Some(&text[from..to])
    };
    let setting = || {
        let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').collect();
        let named = |name: &str| name.contains('_') && words.contains(&name);
        if words.contains(&"setting") || words.contains(&"settings") {
            return Some("setting".to_owned());
        }
        Settings::table().iter().map(|info| info.name).find(|name| named(name)).map(str::to_owned)
    };
    option().or_else(quoted).or_else(command).or_else(own).map(str::to_owned).or_else(setting)
}

/// Whether a text has `word` at the beginning of a word. One that is followed by more letters is another word.
fn starts_word(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let ends = !text[at + word.len()..].starts_with(|c: char| c.is_alphanumeric()) || word.ends_with(' ');
        ends && !text[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == '-' || c == '.')
    })
}

/// The string literals of a source, with what is escaped as it is there and lines that go on joined. No parser of the
/// language: enough for a formatted source.
fn texts(source: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(c) = rest.chars().next() {
        let next = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").map_or(rest.len(), |end| end + 2)
        } else if let Some(hashes) = raw(rest) {
            let end = format!("\"{}", "#".repeat(hashes));
            let begin = hashes + 2;
            let length = rest[begin..].find(&end).unwrap_or(rest.len() - begin);
            found.push(rest[begin..begin + length].to_owned());
            (begin + length + end.len()).min(rest.len())
        } else if let Some(after) = rest.strip_prefix('"') {
            let length = quoted(after);
            found.push(joined(&after[..length]));
            (length + 2).min(rest.len())
        } else if rest.starts_with("'\"'") {
            3
        } else if let Some(after) = rest.strip_prefix("'\\") {
            after.char_indices().nth(1).map_or(rest.len(), |(at, _)| at + 2)
        } else {
            c.len_utf8()
        };
        rest = &rest[next..];
    }
    found
}

/// How many `#` a raw string that begins here has.
fn raw(rest: &str) -> Option<usize> {
    let after = rest.strip_prefix('r')?;
    let hashes = after.len() - after.trim_start_matches('#').len();
    after[hashes..].starts_with('"').then_some(hashes)
}

/// How long a string is, up to the quote that ends it.
fn quoted(text: &str) -> usize {
    let mut escaped = false;
    for (at, c) in text.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at,
            _ => {}
        }
    }
    text.len()
}

/// A literal that goes on in the next line, as one line.
fn joined(text: &str) -> String {
    let mut out = String::new();
    let mut lines = text.split("\\\n");
    out.push_str(lines.next().unwrap_or_default());
    lines.for_each(|line| out.push_str(line.trim_start()));
    out
}
