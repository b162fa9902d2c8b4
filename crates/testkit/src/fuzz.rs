//! Fuzzing on a stable compiler: a target is a test that is given bytes, first those of its corpus, then many that were
//! made from them by chance.
//!
//! `cargo fuzz` and its like watch which branches an input takes, which a stable compiler does not offer. What that
//! finds by watching, the corpus brings along: one file for each form that a reader tells apart, and words of the format
//! that a target names.
//!
//! Invariant: the same seed gives the same inputs, and a failure prints what repeats it. This module knows no format.
//!
//! | variable | meaning |
//! |---|---|
//! | `FCS_FUZZ_SECONDS` | how long each target looks, instead of for [`QUICK`] inputs |
//! | `FCS_FUZZ_SEED` | where chance begins |
//! | `FCS_FUZZ_FOUND` | a folder for inputs that were found; they are printed whether it is set or not |

use std::ffi::OsString;
use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fastrand::Rng;

/// Inputs made by chance where nothing else is asked for: a second or so, in every run of the tests.
pub const QUICK: u64 = 1000;
/// Longest input made by chance, in bytes. What is in the corpus may be longer.
const LONGEST: usize = 32 << 10;
/// A reader that needs longer for one input can be made to hang. Far above what a busy machine adds to milliseconds.
const PATIENCE: Duration = Duration::from_secs(20);

/// Gives `check` the corpus of `target`, the files in `fuzz/corpus/<target>`, and then what chance makes of them. `words`
/// are pieces of the format that chance alone would not spell.
///
/// # Panics
///
/// When `check` does, with the input; when an input takes too long; and when there is no corpus.
pub fn fuzz(target: &str, words: &[&[u8]], check: impl Fn(&[u8])) {
    let corpus = corpus(target);
    for (file, input) in &corpus {
        println!("{}", file.display());
        attempt(target, input, &check);
    }
    let seed = number("FCS_FUZZ_SEED").unwrap_or(1);
    let budget = number("FCS_FUZZ_SECONDS").map(Duration::from_secs);
    let (mut chance, began) = (Rng::with_seed(seed), Instant::now());
    let inputs: Vec<&[u8]> = corpus.iter().map(|(_, input)| input.as_slice()).collect();
    let mut done = 0;
    while budget.map_or(done < QUICK, |budget| began.elapsed() < budget) {
        attempt(target, &mutated(&inputs, words, &mut chance), &check);
        done += 1;
    }
    println!("fuzz {target}: {} of the corpus and {done} from seed {seed}, none at fault", corpus.len());
}

fn number(variable: &str) -> Option<u64> {
    let text = std::env::var(variable).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{variable} is {text:?}, not a number")))
}

/// The inputs that are kept for `target`, by name.
fn corpus(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let listed = fs::read_dir(&folder).unwrap_or_else(|e| panic!("no corpus {}: {e}", folder.display()));
    let mut files: Vec<PathBuf> = listed.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{} is empty, so chance has nothing to begin with", folder.display());
    files.into_iter().map(|file| (file.clone(), fs::read(&file).unwrap())).collect()
}

fn attempt(target: &str, input: &[u8], check: &impl Fn(&[u8])) {
    let began = Instant::now();
    let fault = catch_unwind(AssertUnwindSafe(|| check(input)));
    let took = began.elapsed();
    if fault.is_ok() && took < PATIENCE {
        return;
    }
    println!("fuzz {target}: after {took:?}, at fault with these {} bytes:", input.len());
    println!("{}", input.escape_ascii());
    if let Some(folder) = std::env::var_os("FCS_FUZZ_FOUND") {
        println!("kept as {}", keep(&folder, target, input).display());
    }
    match fault {
        Err(panic) => resume_unwind(panic),
        Ok(()) => panic!("one input took {took:?}"),
    }
}

fn keep(folder: &OsString, target: &str, input: &[u8]) -> PathBuf {
    use sha2::Digest as _;
    let name = sha2::Sha256::digest(input)
        .iter()
        .take(4)
        .fold(String::new(), |name, byte| format!("{name}{byte:02x}"));
    let folder = Path::new(folder).join(target);
    fs::create_dir_all(&folder).unwrap();
    let file = folder.join(name);
    fs::write(&file, input).unwrap();
    file
}

/// One of the inputs, changed in a few places.
fn mutated(corpus: &[&[u8]], words: &[&[u8]], chance: &mut Rng) -> Vec<u8> {
    let mut input = chance.choice(corpus).map_or(Vec::new(), |input| input.to_vec());
    for _ in 0..1 << chance.u32(0..5) {
        change(&mut input, corpus, words, chance);
    }
    input.truncate(LONGEST);
    input
}

fn change(input: &mut Vec<u8>, corpus: &[&[u8]], words: &[&[u8]], chance: &mut Rng) {
    /// Lengths and counts go wrong at their ends.
    const NUMBERS: [u32; 8] = [0, 1, 0x7f, 0x80, 0xff, 0xffff, 0x7fff_ffff, 0xffff_ffff];
    let at = chance.usize(0..=input.len());
    // Mostly short, sometimes all there is.
    let most = (input.len() - at).min(1 << chance.u32(0..12));
    let some = at..at + chance.usize(0..=most);
    match chance.u32(0..9) {
        0 if at < input.len() => input[at] ^= 1 << chance.u32(0..8),
        1 if at < input.len() => input[at] = chance.u8(..),
        2 => drop(input.drain(some)),
        3 => {
            let twice = input[some].to_vec();
            drop(input.splice(at..at, twice));
        }
        4 => {
            let random: Vec<u8> = (0..chance.usize(1..9)).map(|_| chance.u8(..)).collect();
            drop(input.splice(at..at, random));
        }
        5 => {
            let number = chance.choice(NUMBERS).unwrap_or(0).to_le_bytes();
            let number = &number[..1 << chance.u32(0..3)];
            let over = at..(at + number.len()).min(input.len());
            drop(input.splice(over, number.iter().copied()));
        }
        6 => {
            let other = chance.choice(corpus).copied().unwrap_or_default();
            let from = chance.usize(0..=other.len());
            let piece = &other[from..from + chance.usize(0..=other.len() - from)];
            drop(input.splice(some, piece.iter().copied()));
        }
        7 => input.truncate(at),
        _ => {
            let word = chance.choice(words).copied().unwrap_or_default();
            drop(input.splice(some, word.iter().copied()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::RefCell;
    use std::collections::BTreeSet;

    #[test]
    fn the_same_seed_makes_the_same_inputs_and_they_differ() {
        let made = |seed: u64| -> Vec<Vec<u8>> {
            let mut chance = Rng::with_seed(seed);
            (0..500).map(|_| mutated(&[b"one input", b"another"], &[b"WORD"], &mut chance)).collect()
        };
        assert_eq!(made(7), made(7));
        assert_ne!(made(7), made(8));
        let different: BTreeSet<_> = made(7).into_iter().collect();
        assert!(different.len() > 400, "{}", different.len());
        assert!(different.iter().any(|input| input.windows(4).any(|part| part == b"WORD")));
        assert!(different.iter().all(|input| input.len() <= LONGEST));
    }

    #[test]
    fn an_input_at_fault_is_found_and_kept() {
        let (seen, folder) = (RefCell::new(Vec::new()), tempfile::tempdir().unwrap());
        let check = |input: &[u8]| {
            seen.borrow_mut().push(input.to_vec());
            assert!(!input.contains(&0xff), "planted");
        };
        let mut chance = Rng::with_seed(1);
        let found = catch_unwind(AssertUnwindSafe(|| {
            loop {
                attempt("planted", &mutated(&[b"harmless"], &[], &mut chance), &check);
            }
        }));
        assert!(found.is_err() && seen.borrow().last().unwrap().contains(&0xff));
        let kept = keep(&folder.path().as_os_str().to_owned(), "planted", b"x");
        assert_eq!(fs::read(kept).unwrap(), b"x");
    }
}
