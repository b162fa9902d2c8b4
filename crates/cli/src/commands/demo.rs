//! `fcs demo`: compare, copy and verification on two small example folders, step by step.
//!
//! Invariant: runs the same functions as the real commands, and touches nothing but the folders it made itself.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use fcs_engine::error::display_path;
use fcs_engine::settings::ContentCheck;
use fcs_engine::{Control, Settings};
use fcs_sys::{Time, Times, open_root};
use tempfile::TempDir;

use super::compare::{Shape, compare};
use crate::args::{CompareOptions, DemoArgs, Pair};
use crate::exit::Code;
use crate::failure::{CommandResult, Failure};
use crate::interrupt::Interrupt;
use crate::output::terminal::{Screen, Tone};
use crate::output::text::wrap;
use crate::run::copy_unasked;
use crate::session::Session;

/// Runs the command.
pub(crate) fn run(args: &DemoArgs, screen: &Arc<Screen>) -> CommandResult {
    let place = DemoFolder::new(args)?;
    let interrupt = Interrupt::install(screen)?;
    interrupt.also_leaves(format!("The folders of the demo are in {}.", display_path(place.path())));
    let result = make_folders(place.path())
        .map_err(|e| Failure::write(place.path(), &e))
        .and_then(|pair| show(&pair, screen, &interrupt));
    // Also after a failure: nobody should have to clean up after a demonstration.
    let cleaned = place.end(args.keep, screen);
    let code = result?;
    cleaned?;
    Ok(code)
}

/// Where the folders are made.
enum DemoFolder {
    Temporary(TempDir),
    Given(PathBuf),
}

impl DemoFolder {
    fn new(args: &DemoArgs) -> Result<Self, Failure> {
        let Some(dir) = &args.dir else {
            let made = tempfile::Builder::new().prefix("fcs-demo-").tempdir();
            return made.map(Self::Temporary).map_err(|e| {
                Failure::usage(format_args!("Could not create a temporary folder: {e}."))
                    .hint("Name a new or empty folder: fcs demo DIR")
            });
        };
        if dir.exists() && !dir.is_dir() {
            return Err(Failure::usage(format_args!(
                "Could not use {} for the demo: it is not a folder.",
                display_path(dir)
            ))
            .hint("Name a new or empty folder, or none at all."));
        }
        fs::create_dir_all(dir).map_err(|e| Failure::write(dir, &e))?;
        let used = fs::read_dir(dir).map_err(|e| Failure::write(dir, &e))?.next().is_some();
        if used {
            return Err(Failure::usage(format_args!(
                "Could not use {} for the demo: it is not empty.",
                display_path(dir)
            ))
            .hint("Name a new or empty folder, or none at all."));
        }
        Ok(Self::Given(dir.clone()))
    }

    fn path(&self) -> &Path {
        match self {
            Self::Temporary(dir) => dir.path(),
            Self::Given(dir) => dir,
        }
    }

    fn end(self, keep: bool, screen: &Screen) -> Result<(), Failure> {
        match self {
            Self::Temporary(dir) if !keep => {
                let path = dir.path().to_owned();
                dir.close().map_err(|e| Failure::write(&path, &e))
            }
            Self::Temporary(dir) => {
                screen.line(&format!("\nThe folders are kept in {}.", display_path(&dir.keep())));
                Ok(())
            }
            Self::Given(dir) => {
                screen.line(&format!("\nThe folders are in {}.", display_path(&dir)));
                Ok(())
            }
        }
    }
}

fn show(pair: &Pair, screen: &Arc<Screen>, interrupt: &Interrupt) -> CommandResult {
    let step = |title: &str, text: &str| {
        screen.line(&format!("\n{}", screen.style.paint(Tone::Strong, title)));
        for line in wrap(text, screen.width().min(100)) {
            screen.line(&line);
        }
        screen.line("");
    };
    let open = |settings: Settings, control: Control| {
        Session::open(pair, &CompareOptions::default(), settings, control)
    };

    step(
        "1. Compare",
        "Two folders were created: LEFT is the original, RIGHT an old copy of it. What differs? A plus is only in LEFT, \
         a minus only in RIGHT, a star is in both but different, and an equals sign is the same. Names that would \
         upset a terminal are shown with their odd characters spelled out.",
    );
    command(screen, "fcs compare -v LEFT RIGHT");
    compare(&open(Settings::default(), Control::default())?, Shape::Lines, screen, interrupt)?;

    step(
        "2. Copy and verify",
        "Everything with a plus or a star is brought to RIGHT. Each file is written beside its target under a \
         staged name, synced, read back and compared; only then does it get its real name. What only RIGHT \
         has stays.",
    );
    command(screen, "fcs copy -y -v LEFT RIGHT");
    let copied = copy_unasked(|control| open(Settings::default(), control), screen, interrupt)?;
    if !matches!(copied, Code::Done | Code::Warnings) {
        return Ok(copied);
    }

    step("3. Compare again, byte for byte", "Now only what was never in LEFT is left as a difference.");
    command(screen, "fcs compare -v --criteria size,modified,bytes LEFT RIGHT");
    let settings =
        Settings { compare_content: ContentCheck::Bytes, compare_created: false, ..Settings::default() };
    let session = open(settings, Control::default())?;
    let code = compare(&session, Shape::Lines, screen, interrupt)?;
    // The file that only RIGHT has is the one difference that must be left.
    let as_expected = code == Code::Differences;
    step(
        "That is all",
        "Try it on folders of your own: `fcs compare LEFT RIGHT` changes nothing, `fcs copy --dry-run LEFT RIGHT` \
         neither, and `fcs copy LEFT RIGHT` asks before it begins. `fcs --help` explains the rest.",
    );
    Ok(if as_expected { copied } else { code })
}

fn command(screen: &Screen, text: &str) {
    screen.line(&screen.style.paint(Tone::Dim, format!("$ {text}")));
}

/// Makes LEFT and RIGHT below `dir`.
fn make_folders(dir: &Path) -> io::Result<Pair> {
    let (left, right) = (dir.join("LEFT"), dir.join("RIGHT"));
    let year_ago = SystemTime::now() - Duration::from_hours(365 * 24);
    let week_ago = SystemTime::now() - Duration::from_hours(7 * 24);
    for folder in ["letters", "photos", "an empty folder"] {
        fs::create_dir_all(left.join(folder))?;
    }
    fs::create_dir_all(right.join("letters"))?;

    for side in [&left, &right] {
        file(&side.join("the same on both sides.txt"), b"Nothing to do here.\n", year_ago)?;
    }
    file(&left.join("letters/report.txt"), b"The second, longer version.\n", week_ago)?;
    file(&right.join("letters/report.txt"), b"The first version.\n", year_ago)?;
    file(&left.join("letters/same size.txt"), b"AAAA\n", week_ago)?;
    file(&right.join("letters/same size.txt"), b"BBBB\n", year_ago)?;
    file(&left.join("letters/Grüße aus 漢字.txt"), "Viele Grüße!\n".as_bytes(), week_ago)?;
    file(&left.join("-begins with a dash"), b"-\n", week_ago)?;
    file(&left.join("photos/holiday 😀.raw"), &pattern(3 << 20), week_ago)?;
    file(&left.join("photos/empty.jpg"), b"", week_ago)?;
    file(&right.join("only the copy has this.txt"), b"It stays.\n", year_ago)?;
    for odd in ["two\nlines", "colour \x1b[31mred", " spaces at both ends ", "a photo \u{202e}gpj.exe"] {
        // Some file systems do not allow such names; then the demo does without.
        drop(file(&left.join(odd), b"odd\n", week_ago));
    }
    // Else they would be different wherever it takes longer to fill one of them.
    for side in [&left, &right] {
        folder_time(&side.join("letters"), week_ago)?;
        folder_time(side, week_ago)?;
    }
    Ok(Pair { left, right })
}

fn folder_time(path: &Path, modified: SystemTime) -> io::Result<()> {
    let folder = open_root(path).map_err(io::Error::other)?;
    folder.dir.set_times(Times { modified: Some(Time::from(modified)), created: None })
}

fn file(path: &Path, content: &[u8], modified: SystemTime) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    file.write_all(content)?;
    file.set_modified(modified)
}

/// Bytes that do not repeat soon, so that a shifted copy would show.
fn pattern(bytes: u64) -> Vec<u8> {
    (0..bytes).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect()
}
