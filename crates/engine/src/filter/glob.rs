//! One wildcard pattern: what both the engine's filter and the window's understand by `*.jpg`.
//!
//! `*` stands for any run of characters, `?` for one character, `[a-z]` and `[!a-z]` for one of (or none of) these,
//! `{a,b}` for any of these patterns. None of them matches a `/`; `**` as a whole component stands for any number of
//! folders. `\` takes the meaning from what follows, except where the system separates names by it. A byte that is part of
//! no character is matched by `*` and `**` only.
//!
//! A pattern without `/` is about the name, one with `/` about the path below the root. A `/` in front ties it to the
//! root, one at the end to folders.
//!
//! The grammar and its errors are those of `globset`. Its own matcher is not used, because there `?` stands for one byte
//! and a class such as `[é]` for any byte of the letter; here both stand for characters.
//!
//! This module must not know what is done with an item that matches.

use std::path::MAIN_SEPARATOR;

use globset::{ErrorKind, GlobBuilder};
use regex_automata::meta::Regex;
use regex_automata::util::syntax;

use crate::tree::fold;

/// Why a text is no pattern: the end of a sentence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct BadGlob(pub &'static str);

/// What a pattern says, before it is compiled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Parsed {
    /// A regular expression for the whole of a name or path, folded where case does not count.
    pub(super) regex: String,
    /// It is about the path below the root, not about the name.
    pub(super) is_path: bool,
    /// Only folders match.
    pub(super) folders_only: bool,
    /// The longest text that every match holds; may be empty.
    literal: String,
}

impl Parsed {
    /// Reads a pattern of which a part may be one of `roots`: see [`super::Filter::below`].
    pub(super) fn new(
        separator: char,
        roots: &[String],
        written: &str,
        ignore_case: bool,
    ) -> Result<Self, BadGlob> {
        let slashed = written.replace(separator, "/");
        let pattern = below_root(&slashed, roots, ignore_case).unwrap_or(&slashed);
        let (core, folders_only) = match pattern.strip_suffix('/') {
            Some(core) => (core, true),
            None => (pattern, false),
        };
        let (core, is_path) = match core.strip_prefix('/') {
            Some(core) => (core, true),
            None => (core, core.contains('/')),
        };
        if core.is_empty() {
            return Err(BadGlob(if written.is_empty() { "it is empty" } else { "it is only a separator" }));
        }
        let core = if ignore_case {
            String::from_utf8(fold(core.as_bytes())).map_err(|_| BadGlob("it is not text"))?
        } else {
            core.to_owned()
        };
        // `**/` in a path may stand for nothing, with its separator.
        let literal = if is_path { String::new() } else { literal(&core) };
        Ok(Self { regex: translate(&core)?, is_path, folders_only, literal })
    }
}

/// A pattern by itself. Several are matched at once by a [`super::Filter`].
#[derive(Debug, Clone)]
pub struct Glob {
    regex: Regex,
    parsed: Parsed,
}

impl Glob {
    /// Compiles a pattern that is matched without regard to case.
    ///
    /// # Errors
    ///
    /// When it is none.
    pub fn ignoring_case(pattern: &str) -> Result<Self, BadGlob> {
        let parsed = Parsed::new(MAIN_SEPARATOR, &[], pattern, true)?;
        Ok(Self { regex: compile(&[&parsed.regex]).map_err(|()| BadGlob("it is too large"))?, parsed })
    }

    /// Whether it is about the path below the root, not about the name.
    pub fn is_path(&self) -> bool {
        self.parsed.is_path
    }

    /// Whether only folders match.
    pub fn folders_only(&self) -> bool {
        self.parsed.folders_only
    }

    /// The longest text that the name or path of every match holds, folded; may be empty. Looking for it is faster than
    /// matching.
    pub fn literal(&self) -> &[u8] {
        self.parsed.literal.as_bytes()
    }

    /// Whether a name, or the path if it is about that, matches. It must be folded ([`fold`]), paths with `/` between
    /// names. What an item is, the caller looks at.
    pub fn matches(&self, folded: &[u8]) -> bool {
        self.regex.is_match(folded)
    }
}

/// One automaton for several expressions.
pub(super) fn compile(expressions: &[&str]) -> Result<Regex, ()> {
    Regex::builder()
        .syntax(syntax::Config::new().utf8(false).dot_matches_new_line(true))
        .configure(Regex::config().utf8_empty(false))
        .build_many(expressions)
        .map_err(drop)
}

/// What is left of a pattern below one of the roots, with the `/` that keeps it there; `None` if it begins otherwise.
fn below_root<'p>(pattern: &'p str, roots: &[String], ignore_case: bool) -> Option<&'p str> {
    let rest = |prefix: &str| {
        let (begin, rest) = pattern.split_at_checked(prefix.len())?;
        let same = begin == prefix || ignore_case && fold(begin.as_bytes()) == fold(prefix.as_bytes());
        (same && rest.starts_with('/') && rest.len() > 1).then_some(rest)
    };
    rest(".").or_else(|| roots.iter().find_map(|root| rest(root.trim_end_matches('/'))))
}

/// The longest run of characters in a pattern that stand for themselves, outside of classes and of alternatives.
fn literal(pattern: &str) -> String {
    let (mut longest, mut run) = (String::new(), String::new());
    let (mut chars, mut depth) = (pattern.chars(), 0_u32);
    while let Some(c) = chars.next() {
        let literal = match c {
            '\\' => chars.next(),
            '[' => {
                // A `]` in first place is one of the characters.
                let mut in_class =
                    chars.clone().enumerate().skip_while(|(at, c)| *at == 0 && matches!(c, '!' | '^'));
                let first = in_class.next();
                let end = in_class.find(|(_, c)| *c == ']').or(first);
                end.into_iter().for_each(|(at, _)| _ = chars.nth(at));
                None
            }
            '{' => {
                depth += 1;
                None
            }
            '}' => {
                depth = depth.saturating_sub(1);
                None
            }
            '*' | '?' => None,
            c => Some(c),
        };
        match literal.filter(|_| depth == 0) {
            Some(c) => run.push(c),
            None => run.clear(),
        }
        if run.len() > longest.len() {
            longest.clone_from(&run);
        }
    }
    longest
}

/// The regular expression of a wildcard. See the module's head for what differs from `globset`'s own.
pub(super) fn translate(wildcard: &str) -> Result<String, BadGlob> {
    let glob = GlobBuilder::new(wildcard).literal_separator(true).backslash_escape(true).build();
    let glob = glob.map_err(|error| BadGlob(reason(error.kind())))?;
    with_characters(glob.regex()).ok_or(BadGlob("it cannot be understood"))
}

fn reason(kind: &ErrorKind) -> &'static str {
    match kind {
        ErrorKind::UnclosedClass => "a [ has no ] that ends it",
        ErrorKind::InvalidRange(..) => "a range in [ ] ends before it begins",
        ErrorKind::UnopenedAlternates => "a } has no { that begins it",
        ErrorKind::UnclosedAlternates => "a { has no } that ends it",
        ErrorKind::DanglingEscape => "there is nothing after the last \\",
        _ => "it cannot be understood",
    }
}

/// `globset`'s expression for bytes, made one for characters.
fn with_characters(bytes: &str) -> Option<String> {
    let mut rest = bytes.strip_prefix("(?-u)")?;
    let mut out = String::from("(?s-u)");
    while let Some(c) = rest.chars().next() {
        let token = match c {
            '\\' => rest.get(..2)?,
            '[' if rest.starts_with("[^/]*") => "[^/]*",
            '[' => {
                let token = class_token(rest)?;
                out.push_str("(?u:[[");
                push_characters(&mut out, &token[1..token.len() - 1])?;
                out.push_str("]&&[^/]])");
                rest = &rest[token.len()..];
                continue;
            }
            _ => &rest[..c.len_utf8()],
        };
        out.push_str(token);
        rest = &rest[token.len()..];
    }
    Some(out)
}

/// The class at the start of `regex`, brackets included. Every bracket inside is escaped.
fn class_token(regex: &str) -> Option<&str> {
    let bytes = regex.as_bytes();
    let mut at = 1;
    while *bytes.get(at)? != b']' {
        at += if bytes[at] == b'\\' { 2 } else { 1 };
    }
    Some(&regex[..=at])
}

/// Appends the body of a class, its `\xNN` bytes joined to the characters they encode.
fn push_characters(out: &mut String, body: &str) -> Option<()> {
    let mut bytes = Vec::new();
    let mut rest = body;
    while let Some(c) = rest.chars().next() {
        if let Some(hex) = rest.strip_prefix("\\x") {
            bytes.push(u8::from_str_radix(hex.get(..2)?, 16).ok()?);
            rest = hex.get(2..)?;
        } else {
            bytes.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
            rest = &rest[c.len_utf8()..];
        }
    }
    out.push_str(std::str::from_utf8(&bytes).ok()?);
    Some(())
}
