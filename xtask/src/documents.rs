//! Whether the documents are true as far as a program can tell: links lead somewhere, paths that are named exist, tests
//! that promises name exist, and two documents stay short.
//!
//! Invariant: a document that cannot be read is a finding, and so is an empty list of documents. This module knows the
//! names of the documents and of the folders of this repository, and nothing of what they say.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use crate::sh;

/// Folders that hold documents, with all below; `""` is the root alone.
const FOLDERS: [&str; 5] = ["", "docs", "crates", "python", "xtask"];

/// For whoever has one minute.
const README_WORDS: usize = 600;
/// For whoever has ten.
const ARCHITECTURE_BYTES: usize = 9 * 1024;

/// What is wrong with the documents of this repository, a line each.
pub(crate) fn found() -> Result<Vec<String>, String> {
    let root = sh::repository();
    let mut wrong = Vec::new();
    let documents = documents(&root)?;
    if documents.is_empty() {
        wrong.push("there are no documents".to_owned());
    }
    for (path, text) in &documents {
        let name = path.display();
        let folder = path.parent().unwrap_or(Path::new(""));
        wrong.extend(
            links(&root, folder, path, text, &documents).iter().map(|what| format!("{name}: {what}")),
        );
        wrong.extend(paths(&root, folder, text).iter().map(|what| format!("{name}: {what}")));
    }
    let text_of = |name: &str| documents.get(Path::new(name)).map_or("", String::as_str);
    wrong.extend(promises(&root, text_of("PROMISES.md")).iter().map(|what| format!("PROMISES.md: {what}")));
    wrong.extend(too_long(text_of("README.md"), text_of("ARCHITECTURE.md")));
    Ok(wrong)
}

/// All documents: paths below the root, and what is in them.
fn documents(root: &Path) -> Result<BTreeMap<PathBuf, String>, String> {
    let mut found = BTreeMap::new();
    for folder in FOLDERS {
        collect(root, Path::new(folder), !folder.is_empty(), &mut found)?;
    }
    Ok(found)
}

fn collect(
    root: &Path,
    folder: &Path,
    deep: bool,
    found: &mut BTreeMap<PathBuf, String>,
) -> Result<(), String> {
    let said = |error: std::io::Error| format!("Could not read {}: {error}", folder.display());
    for entry in fs::read_dir(root.join(folder)).map_err(said)? {
        let entry = entry.map_err(said)?;
        let path = folder.join(entry.file_name());
        if entry.file_type().map_err(said)?.is_dir() {
            if deep {
                collect(root, &path, deep, found)?;
            }
        } else if path.extension().is_some_and(|end| end == "md") {
            let text = fs::read_to_string(root.join(&path))
                .map_err(|error| format!("Could not read {}: {error}", path.display()))?;
            found.insert(path, text);
        }
    }
    Ok(())
}

/// Relative links that lead nowhere.
fn links(
    root: &Path,
    folder: &Path,
    document: &Path,
    text: &str,
    documents: &BTreeMap<PathBuf, String>,
) -> Vec<String> {
    let prose = prose(text);
    let targets = prose.split("](").skip(1).filter_map(|rest| rest.split_once(')')).map(|(target, _)| target);
    let mut wrong = Vec::new();
    for target in targets.filter(|target| !target.contains("://") && !target.starts_with("mailto:")) {
        let (path, anchor) =
            target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
        let path = if path.is_empty() { document.to_owned() } else { plain(&folder.join(path)) };
        if !root.join(&path).exists() {
            wrong.push(format!("the link to {target} leads nowhere"));
        } else if let Some(anchor) = anchor {
            let headings = documents.get(&path).map(|text| headings(text)).unwrap_or_default();
            if !headings.iter().any(|heading| heading == anchor) {
                wrong.push(format!("the link to {target} leads to no heading"));
            }
        }
    }
    wrong
}

/// A path without `..`: what a link means, also where a folder on the way is missing.
fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            std::path::Component::ParentDir => drop(plain.pop()),
            std::path::Component::CurDir => {}
            part => plain.push(part),
        }
    }
    plain
}

/// The anchors of headings, as hosts of repositories make them.
fn headings(text: &str) -> Vec<String> {
    let titles = text.lines().filter(|line| line.starts_with('#'));
    titles
        .map(|line| {
            let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
            let title = line.trim_start_matches('#').trim().to_lowercase();
            title.chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// Paths in code spans that are none of this repository: below its root, below `crates`, or beside the document.
fn paths(root: &Path, folder: &Path, text: &str) -> Vec<String> {
    let prose = prose(text);
    let named = code_spans(&prose).into_iter().filter(|span| names_a_path(root, span));
    let bases = [root.to_owned(), root.join("crates"), root.join(folder)];
    named
        .filter(|span| !bases.iter().any(|base| base.join(span).exists()))
        .map(|span| format!("there is no {span}"))
        .collect()
}

/// Whether a code span means a file or folder of this repository, and one of them.
fn names_a_path(root: &Path, span: &str) -> bool {
    let Some((first, rest)) = span.split_once('/') else { return false };
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.' | '/');
    if !span.chars().all(plain) || first.is_empty() || first == "target" {
        return false;
    }
    let ours = root.join(first).is_dir() || root.join("crates").join(first).is_dir();
    ours || Path::new(rest).extension().is_some_and(|end| end == "rs")
}

/// Tests that a row of a table names and that are not in the files that it names. A name that ends with `…` or `*` is a
/// beginning.
fn promises(root: &Path, text: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for row in text.lines().filter(|line| line.starts_with('|')) {
        let Some(cell) = row.trim_end_matches('|').rsplit('|').next() else { continue };
        let spans = code_spans(cell);
        let files: Vec<&str> = spans.iter().copied().filter(|span| span.contains('/')).collect();
        let sources: Vec<String> = files
            .iter()
            .flat_map(|file| [root.join("crates").join(file), root.join(file)])
            .flat_map(|path| sources(&path))
            .collect();
        for name in spans.iter().filter(|span| span.contains('_') && !span.contains(['/', '.', ' ', ':'])) {
            let (beginning, end) =
                name.strip_suffix(['…', '*']).map_or((*name, "("), |beginning| (beginning, ""));
            let function = format!("fn {beginning}{end}");
            if !sources.iter().any(|source| source.contains(&function)) {
                let files =
                    if files.is_empty() { "a file that is named".to_owned() } else { files.join(", ") };
                wrong.push(format!("there is no {name} in {files}"));
            }
        }
    }
    wrong
}

/// A source file, or all in a folder and below.
fn sources(path: &Path) -> Vec<String> {
    if let Ok(entries) = fs::read_dir(path) {
        return entries.flatten().flat_map(|entry| sources(&entry.path())).collect();
    }
    fs::read_to_string(path).into_iter().collect()
}

fn too_long(readme: &str, architecture: &str) -> Vec<String> {
    let words = readme.split_whitespace().count();
    let bytes = architecture.len();
    let readme = (words > README_WORDS).then(|| {
        format!("README.md: has {words} words, {README_WORDS} at most; the rest belongs below docs")
    });
    let architecture = (bytes > ARCHITECTURE_BYTES)
        .then(|| format!("ARCHITECTURE.md: has {bytes} bytes, {ARCHITECTURE_BYTES} at most"));
    readme.into_iter().chain(architecture).collect()
}

/// The text without blocks of code, whose lines are examples.
fn prose(text: &str) -> String {
    let mut in_code = false;
    let lines = text.lines().filter(|line| {
        let fence = line.trim_start().starts_with("```");
        in_code ^= fence;
        !(fence || in_code || line.starts_with("    "))
    });
    lines.collect::<Vec<_>>().join("\n")
}

fn code_spans(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A repository with two documents, a picture and a test.
    fn repository() -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for folder in ["docs", "crates/engine/tests", "python", "xtask"] {
            fs::create_dir_all(root.path().join(folder)).unwrap();
        }
        for (path, text) in [
            ("README.md", "# Title\n"),
            ("docs/more.md", "# More, and `code`\n"),
            ("docs/window.png", ""),
            ("crates/engine/tests/copy.rs", "fn a_copy_is_whole() {}\nfn t1_times() {}\n"),
        ] {
            fs::write(root.path().join(path), text).unwrap();
        }
        root
    }

    #[test]
    fn a_link_must_lead_to_a_file_and_to_a_heading() {
        let root = repository();
        let documents = documents(root.path()).unwrap();
        let found =
            |text: &str| links(root.path(), Path::new("docs"), Path::new("docs/more.md"), text, &documents);
        for right in [
            "[a](../README.md) and ![b](window.png)",
            "[a](../README.md#title), [here](#more-and-code)",
            "[a](https://example.org/gone), [b](mailto:a@b)",
            "```\n[a](gone.md)\n```",
        ] {
            assert_eq!(found(right), [""; 0], "{right}");
        }
        assert_eq!(found("[a](gone.md)"), ["the link to gone.md leads nowhere"]);
        assert_eq!(found("[a](README.md)"), ["the link to README.md leads nowhere"]);
        assert_eq!(found("[a](../README.md#gone)"), ["the link to ../README.md#gone leads to no heading"]);
    }

    #[test]
    fn a_path_that_is_named_must_exist() {
        let root = repository();
        let found = |text: &str| paths(root.path(), Path::new(""), text);
        for right in [
            "`engine/tests/copy.rs`, `crates/engine`, `docs/window.png`",
            "`.fcs/undo/`, `target/windows`, `2026/new.raw`, `a / b`, `docs/*.md`",
        ] {
            assert_eq!(found(right), [""; 0], "{right}");
        }
        for gone in ["view/src/app.rs", "engine/tests/gone.rs", "docs/gone.md", "crates/gone/"] {
            assert_eq!(found(&format!("see `{gone}`")), [format!("there is no {gone}")]);
        }
    }

    #[test]
    fn a_test_that_a_promise_names_must_be_in_its_file() {
        let root = repository();
        let found = |cell: &str| promises(root.path(), &format!("| promise with `a_name` | {cell} |\n"));
        for right in [
            "`engine/tests/copy.rs`: `a_copy_is_whole`, `t1_…`",
            "the same; `engine/tests`: `a_copy_is_whole`",
            "`cargo xtask torture kill`",
        ] {
            assert_eq!(found(right), [""; 0], "{right}");
        }
        for gone in ["a_copy_is", "t2_…"] {
            let found = found(&format!("`engine/tests/copy.rs`: `{gone}`"));
            assert_eq!(found, [format!("there is no {gone} in engine/tests/copy.rs")]);
        }
        assert_eq!(found("`a_copy_is_whole`").len(), 1, "without a file nobody finds it");
    }

    #[test]
    fn two_documents_have_limits() {
        let words = |n: usize| "word ".repeat(n);
        assert_eq!(too_long(&words(600), &"x".repeat(9216)), [""; 0]);
        assert_eq!(too_long(&words(601), &"x".repeat(9217)).len(), 2);
    }

    #[test]
    fn the_documents_of_this_repository_are_true() {
        assert_eq!(found().unwrap(), [""; 0]);
    }
}
