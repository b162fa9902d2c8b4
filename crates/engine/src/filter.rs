//! Which items take part in a comparison, by wildcard.
//!
//! Invariant: the verdict on an item depends on its path and on whether it is a folder, nothing else; so both sides
//! of a pair are judged alike. Names are bytes: one that is not valid UTF-8 can be matched too. This module must not
//! touch a disk. What a pattern means is in [`glob`].

pub mod glob;

use std::path::MAIN_SEPARATOR;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use regex_automata::meta::Regex;
use regex_automata::{Input, PatternSet};

use fcs_sys::RelPath;

use self::glob::{Parsed, compile};

use crate::tree::fold;
use crate::{Error, ErrorKind, Op, Result};

/// Compiled include and exclude patterns.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    include: Option<Patterns>,
    exclude: Option<Patterns>,
    ignore_case: bool,
}

impl Filter {
    /// Compiles patterns. A pattern without `/` is matched against the name, one with `/` against the path below the
    /// root; a pattern that matches a folder takes everything below with it. Excludes win. With any include, only
    /// files and links that match one (or are in a folder that does) take part; folders stay, because they hold them.
    ///
    /// Where the system separates names by `\`, that is a `/` too. Elsewhere it takes the meaning from what follows.
    ///
    /// A leading `/` matches at the root only, a trailing `/` folders only. `*` and `?` do not match `/`; `**` does,
    /// as a whole component. With `ignore_case`, letters of all scripts match as on case-insensitive volumes.
    ///
    /// A pattern that is not valid is an error of kind [`ErrorKind::BadPattern`] whose path is the pattern.
    pub fn new(include: &[String], exclude: &[String], ignore_case: bool) -> Result<Self> {
        Self::below(&[], include, exclude, ignore_case)
    }

    /// As [`Filter::new`], for roots of which a user may have written the whole path: a pattern that begins with one of
    /// `roots` (absolute, with `/` between names), or with `./`, is matched against the rest, at the root only. With
    /// `ignore_case` the root may be written in another case.
    pub fn below(
        roots: &[String],
        include: &[String],
        exclude: &[String],
        ignore_case: bool,
    ) -> Result<Self> {
        Self::as_written(MAIN_SEPARATOR, roots, include, exclude, ignore_case)
    }

    fn as_written(
        separator: char,
        roots: &[String],
        include: &[String],
        exclude: &[String],
        ignore_case: bool,
    ) -> Result<Self> {
        Ok(Self {
            include: Patterns::new(separator, roots, include, ignore_case)?,
            exclude: Patterns::new(separator, roots, exclude, ignore_case)?,
            ignore_case,
        })
    }

    /// The patterns, as written, that no item asked about so far has matched.
    pub fn unmatched(&self) -> impl Iterator<Item = &str> {
        [&self.include, &self.exclude]
            .into_iter()
            .flatten()
            .flat_map(|patterns| {
                let used = &patterns.used;
                patterns.written.iter().zip(used.each.iter()).filter(|(_, hit)| !hit.load(Ordering::Relaxed))
            })
            .map(|(pattern, _)| pattern.as_str())
    }

    /// The patterns, as written: those of what is included, and those of what is excluded.
    pub fn written(&self) -> [&[String]; 2] {
        [&self.include, &self.exclude].map(|patterns| patterns.as_ref().map_or(&[][..], |p| &p.written[..]))
    }

    /// Whether letters of both cases match.
    pub fn ignores_case(&self) -> bool {
        self.ignore_case
    }

    /// Whether an item takes part; a folder that does not is not entered.
    pub fn accepts(&self, path: &RelPath, is_folder: bool) -> bool {
        is_folder && !self.is_excluded(path, is_folder) || self.picks(path, is_folder)
    }

    /// Whether an item takes part for its own sake: a folder that only holds what an include pattern matches does not.
    pub fn picks(&self, path: &RelPath, is_folder: bool) -> bool {
        let included = self.include.is_none() || steps(path, is_folder).any(|item| self.includes(item));
        (included || path.is_root()) && !self.is_excluded(path, is_folder)
    }

    fn is_excluded(&self, path: &RelPath, is_folder: bool) -> bool {
        steps(path, is_folder).any(|item| self.excludes(item))
    }

    /// Whether everything takes part.
    pub(crate) fn is_empty(&self) -> bool {
        self.include.is_none() && self.exclude.is_none()
    }

    /// Whether any pattern looks at more than the name, so that [`Candidate::path`] must be filled.
    pub(crate) fn needs_path(&self) -> bool {
        [&self.include, &self.exclude].into_iter().flatten().any(|p| p.paths.is_some())
    }

    /// Whether an exclude pattern matches this very item; folders above it are not looked at.
    pub(crate) fn excludes(&self, item: Candidate<'_>) -> bool {
        self.exclude.as_ref().is_some_and(|p| p.match_item(item, self.ignore_case))
    }

    /// Whether an include pattern matches this very item, or there is none.
    pub(crate) fn includes(&self, item: Candidate<'_>) -> bool {
        self.include.as_ref().is_none_or(|p| p.match_item(item, self.ignore_case))
    }
}

/// What a pattern can look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Candidate<'a> {
    /// The last component.
    pub(crate) name: &'a [u8],
    /// All components, joined by `/`.
    pub(crate) path: &'a [u8],
    /// Patterns with a trailing `/` match folders only.
    pub(crate) is_folder: bool,
}

/// An item and the folders it is in, from the top.
fn steps(path: &RelPath, is_folder: bool) -> impl Iterator<Item = Candidate<'_>> {
    let bytes = path.as_bytes();
    let mut start = 0;
    std::iter::from_fn(move || {
        if start >= bytes.len() {
            return None;
        }
        let end = bytes[start..].iter().position(|&b| b == b'/').map_or(bytes.len(), |at| start + at);
        let item = Candidate {
            name: &bytes[start..end],
            path: &bytes[..end],
            is_folder: end < bytes.len() || is_folder,
        };
        start = end + 1;
        Some(item)
    })
}

#[derive(Debug, Clone)]
struct Patterns {
    names: Option<Set>,
    paths: Option<Set>,
    written: Vec<String>,
    used: Arc<Used>,
}

/// Which patterns have matched anything.
#[derive(Debug)]
struct Used {
    each: Box<[AtomicBool]>,
    /// How many have not. Once it is 0 nobody looks any more which pattern it was.
    left: AtomicUsize,
}

impl Used {
    fn mark(&self, pattern: usize) {
        if !self.each[pattern].swap(true, Ordering::Relaxed) {
            self.left.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

impl Patterns {
    fn new(
        separator: char,
        roots: &[String],
        patterns: &[String],
        ignore_case: bool,
    ) -> Result<Option<Self>> {
        if patterns.is_empty() {
            return Ok(None);
        }
        let (mut names, mut paths) = (Vec::new(), Vec::new());
        for (number, written) in patterns.iter().enumerate() {
            let bad = |_| Error::new(Op::UsePattern, written, ErrorKind::BadPattern);
            let parsed = Parsed::new(separator, roots, written, ignore_case).map_err(bad)?;
            let list = if parsed.is_path { &mut paths } else { &mut names };
            list.push((parsed.regex, parsed.folders_only, number));
        }
        let bad = |()| Error::new(Op::UsePattern, patterns.join(" "), ErrorKind::BadPattern);
        let each = patterns.iter().map(|_| AtomicBool::new(false)).collect();
        Ok(Some(Self {
            names: Set::new(&names).map_err(bad)?,
            paths: Set::new(&paths).map_err(bad)?,
            written: patterns.to_vec(),
            used: Arc::new(Used { each, left: AtomicUsize::new(patterns.len()) }),
        }))
    }

    fn match_item(&self, item: Candidate<'_>, ignore_case: bool) -> bool {
        let hit = |set: &Option<Set>, text: &[u8]| {
            set.as_ref().is_some_and(|set| {
                if ignore_case {
                    set.hits(&fold(text), item.is_folder, &self.used)
                } else {
                    set.hits(text, item.is_folder, &self.used)
                }
            })
        };
        hit(&self.names, item.name) || hit(&self.paths, item.path)
    }
}

/// Several patterns matched in one pass.
#[derive(Debug, Clone)]
struct Set {
    any_kind: Option<Several>,
    all: Several,
}

/// Several patterns as one automaton, with their numbers.
#[derive(Debug, Clone)]
struct Several {
    regex: Regex,
    numbers: Box<[usize]>,
}

impl Several {
    fn hits(&self, text: &[u8], used: &Used) -> bool {
        if !self.regex.is_match(text) {
            return false;
        }
        if used.left.load(Ordering::Relaxed) > 0 {
            let mut which = PatternSet::new(self.numbers.len());
            self.regex.which_overlapping_matches(&Input::new(text), &mut which);
            which.iter().for_each(|pattern| used.mark(self.numbers[pattern.as_usize()]));
        }
        true
    }
}

impl Set {
    fn new(patterns: &[(String, bool, usize)]) -> std::result::Result<Option<Self>, ()> {
        let several = |only_any_kind: bool| -> std::result::Result<Option<Several>, ()> {
            let (chosen, numbers): (Vec<&str>, Vec<usize>) = patterns
                .iter()
                .filter(|(_, folders_only, _)| !(only_any_kind && *folders_only))
                .map(|(regex, _, number)| (regex.as_str(), *number))
                .unzip();
            if chosen.is_empty() {
                return Ok(None);
            }
            compile(&chosen).map(|regex| Some(Several { regex, numbers: numbers.into() }))
        };
        several(false)?.map(|all| Ok(Self { all, any_kind: several(true)? })).transpose()
    }

    fn hits(&self, text: &[u8], is_folder: bool, used: &Used) -> bool {
        if is_folder {
            self.all.hits(text, used)
        } else {
            self.any_kind.as_ref().is_some_and(|several| several.hits(text, used))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(include: &[&str], exclude: &[&str]) -> Filter {
        let own = |list: &[&str]| list.iter().map(ToString::to_string).collect::<Vec<_>>();
        Filter::new(&own(include), &own(exclude), false).unwrap()
    }

    fn takes(filter: &Filter, path: &str) -> bool {
        let (path, is_folder) = path.strip_suffix('/').map_or((path, false), |p| (p, true));
        filter.accepts(&RelPath::parse(path.as_bytes()).unwrap(), is_folder)
    }

    #[test]
    fn a_folder_is_picked_only_for_its_own_sake() {
        let filter = Filter::new(&["*.bak".into(), "old/".into()], &["keep.*".into()], false).unwrap();
        let picks =
            |path: &str, is_folder| filter.picks(&RelPath::parse(path.as_bytes()).unwrap(), is_folder);
        assert!(picks("a/x.bak", false) && picks("a/old", true) && picks("a/old/any/thing", false));
        assert!(!picks("a", true) && !picks("a/x.txt", false) && !picks("a/keep.bak", false));
        assert!(!picks("old", false), "a trailing slash means folders");
        assert!(Filter::default().picks(&RelPath::parse(b"a").unwrap(), true));
    }

    #[test]
    fn a_pattern_without_slash_is_matched_against_the_name_at_any_depth() {
        let f = filter(&[], &["*.tmp"]);
        assert!(!takes(&f, "a.tmp") && !takes(&f, "x/y/a.tmp"));
        assert!(!takes(&f, "x.tmp/inside/file"), "a matching folder takes everything below with it");
        assert!(takes(&f, "a.tmpx") && takes(&f, "tmp") && takes(&f, ""));
    }

    #[test]
    fn a_pattern_with_slash_is_matched_against_the_path_from_the_root() {
        let f = filter(&[], &["a/*.o", "/top", "x/**/z"]);
        assert!(!takes(&f, "a/b.o") && takes(&f, "q/a/b.o") && takes(&f, "a/b/c.o"));
        assert!(!takes(&f, "top") && takes(&f, "q/top"));
        assert!(!takes(&f, "x/z") && !takes(&f, "x/1/2/z") && !takes(&f, "x/1/z/below"));
    }

    #[test]
    fn a_trailing_slash_matches_folders_only() {
        let f = filter(&[], &["build/"]);
        assert!(takes(&f, "build") && !takes(&f, "build/") && !takes(&f, "a/build/x"));
    }

    #[test]
    fn includes_choose_files_and_whole_folders_and_excludes_win() {
        let f = filter(&["*.jpg", "keep/"], &["*.raw.jpg"]);
        assert!(takes(&f, "a.jpg") && takes(&f, "d/a.jpg") && !takes(&f, "a.txt") && !takes(&f, "a.raw.jpg"));
        assert!(takes(&f, "x/keep/a.txt") && !takes(&f, "x/keep/a.raw.jpg") && !takes(&f, "keep"));
        assert!(takes(&f, "d/"), "a folder may hold something that matches");
    }

    #[test]
    fn wildcards_stand_for_characters_not_bytes() {
        let f = filter(&[], &["?.a", "[é-ü].b", "[!x].c", "{ö,p}.d"]);
        for out in ["é.a", "q.a", "ê.b", "é.c", "y.c", "ö.d", "p.d"] {
            assert!(!takes(&f, out), "{out}");
        }
        for kept in ["éé.a", "qq.a", "e.b", "x.c", "éé.c", "o.d"] {
            assert!(takes(&f, kept), "{kept}");
        }
        assert!(takes(&filter(&[], &["a[!b]c/d"]), "a/c/d"), "a class never matches a separator");
    }

    #[test]
    fn names_that_are_not_text_can_be_matched() {
        let f = filter(&[], &["*.tmp"]);
        // Any bytes on Unix, a surrogate by itself on Windows.
        let odd: &[u8] = if cfg!(windows) { b"\xed\xa0\x80" } else { b"\xff\xfe" };
        let path = |end: &str| RelPath::parse(&[odd, end.as_bytes()].concat()).unwrap();
        assert!(!f.accepts(&path(".tmp"), false));
        assert!(f.accepts(&path(".txt"), false));
    }

    #[test]
    fn case_is_ignored_in_all_scripts_when_asked() {
        let f = Filter::new(&[], &["É*.TXT".into(), "[a-c]/x".into()], true).unwrap();
        assert!(!takes(&f, "éa.txt") && !takes(&f, "B/X"));
        assert!(takes(&filter(&[], &["É*.TXT"]), "éa.txt"));
    }

    #[test]
    fn case_w2_a_path_below_a_root_and_dot_slash_are_understood() {
        let roots = ["/home/me/L".to_owned(), "/".to_owned()];
        for pattern in ["./cache", "/home/me/L/cache", "/cache"] {
            let f = Filter::below(&roots, &[], &[pattern.into()], false).unwrap();
            assert!(!takes(&f, "cache/") && !takes(&f, "cache/x") && takes(&f, "q/cache"), "{pattern}");
        }
        let f = Filter::below(&roots[..1], &[], &["/home/me/L".into(), "L/cache".into()], false).unwrap();
        assert!(takes(&f, "cache") && !takes(&f, "home/me/L"), "no more than what is written");
    }

    #[test]
    fn case_w2_paths_are_understood_as_the_system_spells_them() {
        let below = |separator, pattern: &str, ignore_case| {
            let roots = ["C:/Users/me/L".to_owned(), "//srv/share/R".to_owned(), "D:/".to_owned()];
            Filter::as_written(separator, &roots, &[], &[pattern.to_owned()], ignore_case).unwrap()
        };
        let whole = [r"C:\Users\me\L\cache", r"c:\USERS\me/l\CACHE\", r"\\srv\share\r\cache", r"D:\cache"];
        for pattern in whole.into_iter().chain([r".\cache", r"\cache", "/cache"]) {
            let f = below('\\', pattern, true);
            assert!(!takes(&f, "cache/") && !takes(&f, "cache/x") && takes(&f, "q/cache"), "{pattern}");
        }
        let f = below('\\', r"a\*.o", false);
        assert!(!takes(&f, "a/b.o") && takes(&f, "q/a/b.o"));
        let f = below('\\', r"[[]x\", false);
        assert!(!takes(&f, "[x/") && takes(&f, "[x"));
        // Where a name may hold what separates elsewhere.
        let f = below('/', r"\[x", false);
        assert!(!takes(&f, "[x") && takes(&f, "x"));
        let f = below('/', r"c:/users/me/l/cache", false);
        assert!(takes(&f, "cache"), "the case of a root counts as that of names does");
    }

    #[test]
    fn case_w2_patterns_that_match_nothing_are_named() {
        let f = filter(&["*.jpg", "*.png"], &["CACHE", "a/*.jpg", "x.*"]);
        assert!(takes(&f, "b.jpg") && !takes(&f, "a/b.jpg") && !takes(&f, "x.jpg"));
        assert_eq!(f.unmatched().collect::<Vec<_>>(), ["*.png", "CACHE"]);
        assert!(takes(&f, "y.png/below"));
        assert_eq!(f.clone().unmatched().collect::<Vec<_>>(), ["CACHE"], "and clones know it");
    }

    #[test]
    fn a_bad_pattern_is_named() {
        for bad in ["[a", "", "/", "a{b", "[z-a]"] {
            let error = Filter::new(&[], &["ok".into(), bad.into()], false).unwrap_err();
            assert_eq!((error.kind, error.path.to_str()), (ErrorKind::BadPattern, Some(bad)), "{bad}");
        }
    }

    proptest::proptest! {
        #[test]
        fn on_plain_text_every_wildcard_means_what_globset_says(
            pattern in "[ab?*{},!\\[\\]\\-\\\\]{1,8}",
            names in proptest::collection::vec("[ab,!\\-\\]\\[]{1,5}", 8),
        ) {
            let glob = globset::GlobBuilder::new(&pattern).literal_separator(true).backslash_escape(true).build();
            let ours = glob::translate(&pattern).ok();
            proptest::prop_assert_eq!(glob.is_ok(), ours.is_some());
            if let Ok(glob) = glob {
                let matcher = glob.compile_matcher();
                let set = Set::new(&[(ours.unwrap(), false, 0)]).unwrap().unwrap();
                for name in names {
                    proptest::prop_assert_eq!(matcher.is_match(&name), set.any_kind.as_ref().unwrap().regex.is_match(name.as_bytes()), "{}", name);
                }
            }
        }
    }

    /// Lines: a path, and then patterns.
    #[test]
    fn fuzz_patterns() {
        let words: &[&[u8]] =
            &[b"**", b"/**/", b"[!", b"[a-", b"{a,", b"}", b"\\", b"./", b"\n", "\u{e9}".as_bytes()];
        fcs_testkit::fuzz::fuzz("patterns", words, |input| {
            let mut lines = input.split(|&byte| byte == b'\n');
            let Ok(path) = RelPath::parse(lines.next().unwrap_or_default()) else { return };
            let patterns: Vec<String> =
                lines.take(6).filter_map(|l| String::from_utf8(l.to_vec()).ok()).collect();
            let excludes = |patterns: &[String], path: &RelPath, ignore_case: bool| {
                let filter = Filter::as_written('/', &[], &[], patterns, ignore_case).ok()?;
                let excluded = !filter.accepts(path, false);
                assert!(!excluded || filter.unmatched().count() < patterns.len(), "nothing did it");
                assert!(!excluded || !filter.picks(path, false));
                Some(excluded)
            };
            for ignore_case in [false, true] {
                let each: Option<Vec<bool>> = patterns
                    .iter()
                    .map(|one| excludes(std::slice::from_ref(one), &path, ignore_case))
                    .collect();
                let all = excludes(&patterns, &path, ignore_case);
                // Together they are too much for one automaton sooner than one by one.
                if let (Some(each), Some(all)) = (each, all) {
                    assert_eq!(all, each.contains(&true), "together they match what one of them matches");
                    assert!(
                        !all || excludes(&patterns, &below(&path), ignore_case) == Some(true),
                        "and what is below"
                    );
                }
            }
            if let Ok(text) = str::from_utf8(path.as_bytes())
                && !text.is_empty()
            {
                let special = |c: char| "*?[]{}\\!,-".contains(c);
                let literal = text.chars().map(|c| if special(c) { format!("\\{c}") } else { c.into() });
                let literal = format!("/{}", literal.collect::<String>());
                assert_eq!(excludes(&[literal], &path, false), Some(true), "a path matches itself");
            }
        });
    }

    fn below(path: &RelPath) -> RelPath {
        let mut below = path.clone();
        below.push(&fcs_sys::Name::new(*b"x").unwrap());
        below
    }
}
