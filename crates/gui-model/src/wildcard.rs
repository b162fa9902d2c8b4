//! What the window's filter looks for in names and paths, without regard to case: a wildcard, as the engine's filter
//! takes it ([`Glob`]), or a text.
//!
//! A text is what has none of `*`, `?` and `[`, because whoever types a name into the window looks for it. It is found
//! anywhere in a name; with a separator anywhere in a path, with one in front where the path begins.
//!
//! Invariant: texts and names are compared folded as case-insensitive volumes fold them. This module must not know rows.

use fcs_engine::filter::glob::Glob;
use fcs_engine::tree::fold;
use memchr::memmem::Finder;

/// A pattern that was read.
#[derive(Debug, Clone)]
pub(crate) enum Pattern {
    /// A text that names hold.
    Holds(Finder<'static>),
    /// A text that paths hold.
    PathHolds(Finder<'static>),
    /// A text that paths begin with.
    PathBegins(Vec<u8>),
    /// A wildcard, and a text by which names that cannot match are passed over.
    Glob(Glob, Option<Finder<'static>>),
}

impl Pattern {
    /// Reads a pattern that is not empty; an error says in words what is wrong.
    pub(crate) fn new(written: &str) -> Result<Self, &'static str> {
        if written.contains(['*', '?', '[']) {
            let glob = Glob::ignoring_case(written).map_err(|bad| bad.0)?;
            let literal = Some(glob.literal()).filter(|text| !text.is_empty());
            let finder = literal.map(|text| Finder::new(text).into_owned());
            return Ok(Self::Glob(glob, finder));
        }
        let separated = written.chars().map(|c| if std::path::is_separator(c) { '/' } else { c });
        let text = fold(separated.collect::<String>().as_bytes());
        let finder = |text: &[u8]| Finder::new(text).into_owned();
        match text.strip_prefix(b"/") {
            Some([]) => Err("it is only a separator"),
            Some(beginning) => Ok(Self::PathBegins(beginning.to_vec())),
            None if text.contains(&b'/') => Ok(Self::PathHolds(finder(&text))),
            None => Ok(Self::Holds(finder(&text))),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Whether a path below the root matches; its last component is the name.
    fn hits(pattern: &str, path: &str) -> bool {
        matches(&Pattern::new(pattern).unwrap(), path.as_bytes(), false)
    }

    fn matches(pattern: &Pattern, path: &[u8], is_folder: bool) -> bool {
        let folded = fold(path);
        let name = folded.rsplit(|&b| b == b'/').next().unwrap();
        match pattern {
            Pattern::Holds(text) => text.find(name).is_some(),
            Pattern::PathHolds(text) => text.find(&folded).is_some(),
            Pattern::PathBegins(text) => folded.starts_with(text),
            Pattern::Glob(glob, text) => {
                let hit = glob.matches(if glob.is_path() { &folded } else { name });
                assert!(!hit || text.as_ref().is_none_or(|text| text.find(name).is_some()));
                hit && (is_folder || !glob.folders_only())
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
        assert!(hits("*.{jpg,PNG}", "x.png") && hits("{1}", "a{1}b") && !hits("{a,b}", "a"));
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
        assert!(hits(&"x/".repeat(100), &"x/".repeat(101)), "no matter how deep");
    }

    #[test]
    fn bad_patterns_say_what_is_wrong() {
        for (bad, why) in [
            ("[a", "a [ has no"),
            ("[]", "a [ has no"),
            ("[z-a]", "a range"),
            ("/", "it is only"),
            ("x/[", "a ["),
            ("*{a", "a { has no"),
        ] {
            assert!(Pattern::new(bad).unwrap_err().starts_with(why), "{bad}");
        }
    }

    #[test]
    fn bytes_that_are_no_character_match_stars_only() {
        let matches = |text, name: &[u8]| matches(&Pattern::new(text).unwrap(), name, false);
        assert!(matches("*.T", b"\xff\xfe.T") && !matches("??.t", b"\xff\xfe.T"));
        assert!(!matches("[!a]", b"\xff"));
    }

    /// Of names, one of them no character.
    const PIECES: &[&[u8]] = &[b"a", b"A", "É".as_bytes(), b".", b"-", b"{", b",", b"\xff", b"]", b"!"];

    proptest! {
        #[test]
        fn on_plain_text_a_wildcard_means_what_globset_says(
            pattern in "[ab?*\\[\\]!/-]{1,9}",
            paths in proptest::collection::vec("[ab]{1,3}(/[ab]{1,3}){0,3}", 8),
        ) {
            let glob = globset::GlobBuilder::new(&pattern.to_uppercase()).literal_separator(true).build();
            // Where the grammar differs on purpose: where a pattern is tied, and classes across separators.
            let is_path = pattern.contains('/');
            let tied = pattern.starts_with('/') || pattern.ends_with('/') || pattern.contains("//");
            prop_assume!(pattern.contains(['*', '?', '[']) && !tied && glob.is_ok());
            prop_assume!(!is_path || !pattern.contains('['));
            let matcher = glob.unwrap().compile_matcher();
            for path in paths {
                let path = if is_path { &path } else { path.split('/').next().unwrap() };
                prop_assert_eq!(matcher.is_match(path.to_uppercase()), hits(&pattern, path), "{}", path);
            }
        }

        /// The same pattern includes the same items on the command line and in the window.
        #[test]
        fn the_engine_s_filter_and_the_window_s_agree(
            pattern in "[aAé*?./{},!^\\\\\\[\\]-]{1,9}",
            paths in proptest::collection::vec(
                proptest::collection::vec(
                    proptest::sample::select(PIECES),
                    1..4,
                ).prop_map(|parts| parts.concat()),
                1..4,
            ).prop_map(|names| names.join(&b'/')),
            is_folder: bool,
        ) {
            prop_assume!(pattern.contains(['*', '?', '[']));
            let window = Pattern::new(&pattern);
            let engine = fcs_engine::filter::Filter::new(&[], std::slice::from_ref(&pattern), true);
            prop_assert_eq!(window.is_ok(), engine.is_ok());
            let (Ok(window), Ok(engine)) = (window, engine) else { return Ok(()) };
            let Ok(path) = fcs_sys::RelPath::parse(&paths) else { return Ok(()) };
            // The engine's takes along what is below a folder that matches.
            let mut above = fcs_sys::RelPath::root();
            let mut hit = false;
            for name in path.names() {
                above.push(&name);
                hit |= matches(&window, above.as_bytes(), is_folder || above != path);
            }
            prop_assert_eq!(hit, !engine.accepts(&path, is_folder));
        }
    }
}
