//! Skipping a test in the open.
//!
//! The test harness knows no "skipped while running": a test that returns early counts as passed. Each early return
//! therefore goes through [`skip`], which tells the person at the terminal and, when `FCS_SKIP_LOG` names a file,
//! the repository's test command, which lists and enforces the skips. It knows nothing of why a test skips.

use std::fmt;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::Path;

/// Why something a test needs is not to be had on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Skip {
    /// One line for a person: what is missing.
    pub reason: String,
}

impl Skip {
    /// A skip for `reason`.
    pub fn new(reason: impl Into<String>) -> Self {
        Self { reason: reason.into() }
    }
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Records that `test_name` did not run, and why. The caller returns from the test afterwards.
///
/// Prints `SKIP name: reason`, and appends `name<TAB>reason` to the file named by `FCS_SKIP_LOG` if that is set.
///
/// # Panics
///
/// When the log cannot be written: a skip that is not on the list would pass for a green test.
pub fn skip(test_name: &str, reason: &str) {
    println!("SKIP {test_name}: {reason}");
    if let Some(log) = std::env::var_os("FCS_SKIP_LOG") {
        append(Path::new(&log), test_name, reason).expect("the skip log can be written");
    }
}

/// Of many cases of one kind each how-manieth is tried: 1, or what `FCS_TEST_EVERY` says, with which `cargo xtask test
/// quick` asks for a share of what takes minutes. A prime number gives every kind of case its turn.
///
/// # Panics
///
/// When `FCS_TEST_EVERY` is no number above 0.
pub fn every() -> usize {
    let number = |text: String| text.parse().ok().filter(|&every: &usize| every > 0);
    std::env::var("FCS_TEST_EVERY")
        .map_or(1, |text| number(text).expect("FCS_TEST_EVERY is a number above 0"))
}

/// One `write` in append mode per skip, so that lines of tests running at the same time do not mix.
fn append(log: &Path, test_name: &str, reason: &str) -> io::Result<()> {
    let reason = reason.split_whitespace().collect::<Vec<_>>().join(" ");
    let line = format!("{test_name}\t{reason}\n");
    OpenOptions::new().create(true).append(true).open(log)?.write_all(line.as_bytes())
}

/// The path of the function that contains an item whose type name is `inner`. Serves [`test_name!`](crate::test_name).
#[doc(hidden)]
pub fn enclosing(inner: &'static str) -> &'static str {
    let mut name = inner.rsplit_once("::").map_or(inner, |(outer, _)| outer);
    while let Some(outer) = name.strip_suffix("::{{closure}}") {
        name = outer;
    }
    name
}

/// The full path of the function this is written in, such as `fcs_engine::copy::tests::keeps_the_original`.
///
/// Taken from the code and not from the thread, because the harness runs tests on the main thread when there is only
/// one thread.
#[macro_export]
macro_rules! test_name {
    () => {{
        fn here() {}
        $crate::skip::enclosing(::std::any::type_name_of_val(&here))
    }};
}

/// An [`Image`](crate::image::Image) of the given kind and size in bytes, or a recorded skip and a return from the
/// test (which must return nothing).
#[macro_export]
macro_rules! image_or_skip {
    ($kind:expr, $size:expr) => {
        match $crate::image::Image::new($kind, $size) {
            Ok(image) => image,
            Err(skip) => {
                $crate::skip::skip($crate::test_name!(), &skip.reason);
                return;
            }
        }
    };
}

/// A [`Volume`](crate::volume::Volume) of the given medium, or a recorded skip and a return from the test (which must
/// return nothing).
#[macro_export]
macro_rules! volume_or_skip {
    ($medium:expr) => {
        match $crate::volume::Volume::new($medium) {
            Ok(volume) => volume,
            Err(skip) => {
                $crate::skip::skip($crate::test_name!(), &skip.reason);
                return;
            }
        }
    };
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_the_path_of_the_function_even_from_a_closure() {
        let wanted = "fcs_testkit::skip::tests::a_name_is_the_path_of_the_function_even_from_a_closure";
        assert_eq!(test_name!(), wanted);
        let in_closure = || test_name!();
        assert_eq!(in_closure(), wanted);
    }

    #[test]
    fn the_log_keeps_one_line_per_skip() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("skips");
        append(&log, "a::b", "no loop\ndevice").unwrap();
        append(&log, "a::c", "not root").unwrap();
        assert_eq!(std::fs::read_to_string(&log).unwrap(), "a::b\tno loop device\na::c\tnot root\n");
    }
}
