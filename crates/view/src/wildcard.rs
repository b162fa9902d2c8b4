//! Wildcards on names and paths, without regard to case.
//!
//! `*` stands for any run of characters, `?` for one character, `[a-z]` and `[!a-z]` for one of (or none of) these.
//! None of them crosses a separator; `**` as a whole component stands for any number of folders. A pattern without any
//! of these is looked for anywhere in the name. With a separator, pattern and path are matched component by component:
//! with a wildcard the whole path, without one any part of it; a separator in front ties either to the root.
//!
//! Invariant: patterns and names are compared folded as case-insensitive volumes fold them, and a wildcard stands for
//! characters, not bytes. This module must not know rows.

use fcs_engine::tree::fold;
use memchr::memmem::{self, Finder};

/// A pattern that was read.
#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    /// A text that names hold.
    Holds(Finder<'static>),
    /// What a whole name looks like.
    Name(Wildcard),
    /// What a path looks like.
    Path(PathPattern),
}

impl Pattern {
    /// Reads a pattern that is not empty; an error says in words what is wrong.
    pub(crate) fn new(text: &str) -> Result<Self, &'static str> {
        let text: String =
            text.chars().map(|c| if c != '/' && std::path::is_separator(c) { '/' } else { c }).collect();
        if text.contains('/') {
            return PathPattern::new(&text).map(Self::Path);
        }
        if !has_wildcard(&text) {
            return Ok(Self::Holds(Finder::new(&fold(text.as_bytes())).into_owned()));
        }
        Wildcard::new(&text).map(Self::Name)
    }
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?', '['])
}

/// A pattern for one name.
#[derive(Debug, Clone)]
pub(crate) struct Wildcard {
    /// What stands between the stars; one part means that there is no star.
    parts: Vec<Vec<Unit>>,
    /// The longest text in it, by which names that cannot match are passed over.
    literal: Option<Finder<'static>>,
}

#[derive(Debug, Clone, PartialEq)]
enum Unit {
    Text(Vec<u8>),
    Any,
    Class { not: bool, ranges: Vec<(char, char)> },
}

impl Wildcard {
    fn new(text: &str) -> Result<Self, &'static str> {
        // Folding is by character and leaves the signs of the grammar as they are.
        let folded = fold(text.as_bytes());
        let mut chars = str::from_utf8(&folded).map_err(|_| "it is not text")?.chars();
        let mut parts = vec![Vec::new()];
        while let Some(c) = chars.next() {
            if c == '*' {
                parts.push(Vec::new());
                continue;
            }
            let Some(part) = parts.last_mut() else { continue };
            match (c, part.last_mut()) {
                ('?', _) => part.push(Unit::Any),
                ('[', _) => part.push(class(&mut chars)?),
                (_, Some(Unit::Text(text))) => text.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes()),
                _ => part.push(Unit::Text(c.to_string().into_bytes())),
            }
        }
        let texts = parts.iter().flatten().filter_map(|unit| match unit {
            Unit::Text(text) => Some(text),
            _ => None,
        });
        let literal = texts.max_by_key(|text| text.len()).map(|text| Finder::new(text).into_owned());
        Ok(Self { parts, literal })
    }

    /// A text that every matching name holds.
    pub(crate) fn literal(&self) -> Option<&Finder<'static>> {
        self.literal.as_ref()
    }

    /// Whether a folded name is what the pattern says.
    pub(crate) fn matches(&self, name: &[u8]) -> bool {
        let [first, rest @ ..] = &self.parts[..] else { return false };
        let Some(mut at) = after(first, name) else { return false };
        let [middle @ .., last] = rest else { return at == name.len() };
        // The leftmost place for each part leaves the most room for the next, so no choice is ever taken back.
        for part in middle {
            match find(part, &name[at..]) {
                Some(end) => at += end,
                None => return false,
            }
        }
        ends_with(last, &name[at..])
    }
}

/// The class that `chars` is just inside of. As in shells, a `]` in first place is one of the characters.
fn class(chars: &mut std::str::Chars<'_>) -> Result<Unit, &'static str> {
    const OPEN: &str = "a [ has no ] that ends it";
    let not = chars.clone().next() == Some('!');
    if not {
        chars.next();
    }
    let mut ranges = Vec::new();
    loop {
        let from = chars.next().ok_or(OPEN)?;
        if from == ']' && !ranges.is_empty() {
            return Ok(Unit::Class { not, ranges });
        }
        let mut ahead = chars.clone();
        let to = match (ahead.next(), ahead.next()) {
            (Some('-'), Some(to)) if to != ']' => {
                *chars = ahead;
                to
            }
            _ => from,
        };
        if from > to {
            return Err("a range in [ ] ends before it begins");
        }
        ranges.push((from, to));
    }
}

/// The first character of a name and its length; a byte that is part of no character is no character, of length 1.
fn first_char(name: &[u8]) -> Option<(Option<char>, usize)> {
    let length = match name.first()? {
        0..0x80 => 1,
        0xC0..0xE0 => 2,
        0xE0..0xF0 => 3,
        0xF0.. => 4,
        _ => return Some((None, 1)),
    };
    let c =
        name.get(..length).and_then(|bytes| str::from_utf8(bytes).ok()).and_then(|text| text.chars().next());
    Some((c, if c.is_some() { length } else { 1 }))
}

/// Where a part ends that begins where the name does.
fn after(part: &[Unit], name: &[u8]) -> Option<usize> {
    let mut at = 0;
    for unit in part {
        let rest = &name[at..];
        at += match unit {
            Unit::Text(text) => rest.starts_with(text).then_some(text.len())?,
            Unit::Any => match first_char(rest)? {
                (Some(_), length) => length,
                (None, _) => return None,
            },
            Unit::Class { not, ranges } => match first_char(rest)? {
                (Some(c), length) if ranges.iter().any(|&(a, b)| a <= c && c <= b) != *not => length,
                _ => return None,
            },
        };
    }
    Some(at)
}

/// Where the leftmost place of a part ends.
fn find(part: &[Unit], name: &[u8]) -> Option<usize> {
    if let [Unit::Text(text)] = part {
        return memmem::find(name, text).map(|at| at + text.len());
    }
    (0..=name.len()).find_map(|at| after(part, &name[at..]).map(|length| at + length))
}

fn ends_with(part: &[Unit], name: &[u8]) -> bool {
    match part {
        [] => true,
        [Unit::Text(text)] => name.ends_with(text),
        _ => (0..=name.len()).rev().any(|at| after(part, &name[at..]) == Some(name.len() - at)),
    }
}

/// A pattern for paths: matched one component at a time on the way down, so that no path is ever put together.
#[derive(Debug, Clone)]
pub(crate) struct PathPattern {
    /// `None` stands for any number of folders.
    components: Vec<Option<Wildcard>>,
}

impl PathPattern {
    fn new(text: &str) -> Result<Self, &'static str> {
        let (core, anchored) = text.strip_prefix('/').map_or((text, false), |core| (core, true));
        if core.is_empty() {
            return Err("it is only a separator");
        }
        let components = if has_wildcard(core) { Self::whole(core) } else { Self::part(core, anchored) }?;
        if components.len() >= State::BITS as usize {
            return Err("it has too many separators");
        }
        Ok(Self { components })
    }

    fn whole(core: &str) -> Result<Vec<Option<Wildcard>>, &'static str> {
        let mut components = Vec::new();
        for component in core.trim_end_matches('/').split('/') {
            components.push(if component == "**" { None } else { Some(Wildcard::new(component)?) });
        }
        // What is in a folder is not the folder itself.
        if components.len() > 1 && components.last().is_some_and(Option::is_none) {
            components.insert(components.len() - 1, Some(Wildcard::new("*")?));
        }
        Ok(components)
    }

    /// `a/b` is wherever a name that ends with `a` holds one that begins with `b`, and in all that is below.
    fn part(core: &str, anchored: bool) -> Result<Vec<Option<Wildcard>>, &'static str> {
        let mut components = if anchored { Vec::new() } else { vec![None] };
        let last = core.split('/').count() - 1;
        for (at, component) in core.split('/').enumerate() {
            let before = if at == 0 && !anchored { "*" } else { "" };
            let behind = if at == last { "*" } else { "" };
            components.push(Some(Wildcard::new(&format!("{before}{component}{behind}"))?));
        }
        components.push(None);
        Ok(components)
    }

    /// How far the root's path is along the pattern.
    pub(crate) fn start(&self) -> State {
        self.skip(1)
    }

    /// How far a path is that goes on from another by this folded name.
    pub(crate) fn step(&self, from: State, name: &[u8]) -> State {
        let mut to = 0;
        for (at, component) in self.components.iter().enumerate() {
            if from >> at & 1 != 0 {
                match component {
                    None => to |= 1 << at,
                    Some(component) if component.matches(name) => to |= 1 << (at + 1),
                    Some(_) => {}
                }
            }
        }
        self.skip(to)
    }

    /// Whether a path that is so far along is what the pattern says.
    pub(crate) fn accepts(&self, state: State) -> bool {
        state >> self.components.len() & 1 != 0
    }

    /// Any number of folders may be none.
    fn skip(&self, mut state: State) -> State {
        for (at, component) in self.components.iter().enumerate() {
            if component.is_none() && state >> at & 1 != 0 {
                state |= 1 << (at + 1);
            }
        }
        state
    }
}

/// Which beginnings of a [`PathPattern`] a path has come through: bit N stands for the first N components.
pub(crate) type State = u64;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether a path below the root matches; its last component is the name.
    fn hits(pattern: &str, path: &str) -> bool {
        let folded = fold(path.as_bytes());
        let name = folded.rsplit(|&b| b == b'/').next().unwrap();
        match Pattern::new(pattern).unwrap() {
            Pattern::Holds(text) => text.find(name).is_some(),
            Pattern::Name(wildcard) => {
                let hit = wildcard.matches(name);
                assert!(!hit || wildcard.literal().is_none_or(|text| text.find(name).is_some()));
                hit
            }
            Pattern::Path(path) => {
                let mut names = folded.split(|&b| b == b'/');
                path.accepts(names.try_fold(path.start(), |s, n| Some(path.step(s, n))).unwrap())
            }
        }
    }

    #[test]
    fn a_text_is_found_anywhere_in_a_name_and_a_wildcard_is_the_whole_name() {
        assert!(hits("OLI", "a/Holiday.jpg") && !hits("oli", "holi/x"));
        assert!(hits("*.JPG", "x.jpg") && !hits("*.jpg", "x.jpg.bak") && !hits("h*", "x/oh"));
        assert!(
            hits("?.é", "x/Ü.É") && !hits("?", "üü") && hits("[!a-c]*[É-ü]", "xyÉ") && !hits("[!a-c]", "B")
        );
        assert!(hits("[]x]", "]") && hits("[a-]", "-") && hits("*ß", "straß"));
    }

    #[test]
    fn a_pattern_with_a_separator_is_about_the_path() {
        assert!(hits("a/*.o", "a/x.o") && !hits("a/*.o", "q/a/x.o") && !hits("a/*.o", "a/b/x.o"));
        assert!(hits("/*.o", "x.o") && !hits("/*.o", "a/x.o"));
        assert!(hits("**/b/**", "a/b/c/d") && hits("**/b/**", "b/c") && !hits("**/b/**", "a/b"));
        assert!(hits("x/**/z", "x/z") && hits("x/**/z", "x/1/2/z") && !hits("x/**/z", "x/1/2/zz"));
        assert!(
            hits("ta/ph", "data/photos")
                && hits("ta/ph", "x/data/photos/y")
                && !hits("ta/ph", "data/x/photos")
        );
        assert!(hits("photos/", "x/photos/y") && !hits("photos/", "x/photos"));
        assert!(hits("/top", "topmost/x") && !hits("/top", "x/top"));
    }

    #[test]
    fn bad_patterns_say_what_is_wrong() {
        for (bad, why) in [
            ("[a", "a [ has no"),
            ("[]", "a [ has no"),
            ("[z-a]", "a range"),
            ("/", "it is only"),
            ("x/[", "a ["),
        ] {
            assert!(Pattern::new(bad).unwrap_err().starts_with(why), "{bad}");
        }
        assert!(Pattern::new(&"x/".repeat(100)).unwrap_err().contains("too many"));
    }

    #[test]
    fn bytes_that_are_no_character_match_stars_only() {
        let wildcard = |text| Wildcard::new(text).unwrap();
        assert!(wildcard("*.T").matches(b"\xff\xfe.T") && !wildcard("??.t").matches(b"\xff\xfe.T"));
        assert!(!wildcard("[!a]").matches(b"\xff"));
    }

    proptest! {
        #[test]
        fn on_plain_text_a_wildcard_means_what_globset_says(
            pattern in "[ab?*\\[\\]!/-]{1,9}",
            paths in proptest::collection::vec("[ab]{1,3}(/[ab]{1,3}){0,3}", 8),
        ) {
            let glob = globset::GlobBuilder::new(&pattern.to_uppercase()).literal_separator(true).build();
            // Where the two grammars differ on purpose: where a pattern is tied, `**` beside other characters, classes
            // across separators, a text without wildcards.
            let is_path = pattern.contains('/');
            let odd_stars = pattern.split('/').any(|c| c.contains("**") && (c != "**" || !is_path));
            let tied = pattern.starts_with('/') || pattern.ends_with('/') || pattern.contains("//");
            prop_assume!(has_wildcard(&pattern) && !odd_stars && !tied && glob.is_ok());
            prop_assume!(!is_path || !pattern.contains('['));
            let matcher = glob.unwrap().compile_matcher();
            for path in paths {
                let path = if is_path { &path } else { path.split('/').next().unwrap() };
                prop_assert_eq!(matcher.is_match(path.to_uppercase()), hits(&pattern, path), "{}", path);
            }
        }
    }
}
