//! Asks this Windows what it does where the backend relies on it, one line per question.
//!
//! For a person with a real Windows, once per version: `cargo run -p fcs-winprobe -- --out probe.md`.
//! In Wine it shows what a green test there cannot mean. The questions are in `checks`, asked by the backend's own calls
//! (`fcs_sys::native`); this file finds the places and writes the answers down.

#[cfg(windows)]
mod checks;

use std::process::ExitCode;

#[cfg(not(windows))]
fn main() -> ExitCode {
    eprintln!("winprobe: there is nothing to ask here; this is for Windows");
    ExitCode::from(2)
}

#[cfg(windows)]
fn main() -> ExitCode {
    windows::main()
}

#[cfg(windows)]
mod windows {
    use std::fs;
    use std::path::PathBuf;
    use std::process::ExitCode;

    use fcs_sys::native::system;

    use crate::checks::{Answer, Check, Places, run};

    const HELP: &str = "\
winprobe [--out FILE] [--folder DIR] [--small DRIVE] [--network DRIVE]
    --out FILE       write a table in Markdown, too
    --folder DIR     where to ask, best on a local NTFS volume (default: the folder for temporary files)
    --small DRIVE    another volume with less than 1 GiB free, which is filled for a moment, such as X:\\
    --network DRIVE  a mapped network drive
Without the last two FCS_TEST_SMALL_VOLUME and FCS_TEST_NETWORK_DRIVE name them.
Exit code: 0 all as relied on, 1 something differs, 2 nothing was asked.
";

    struct Args {
        places: Places,
        out: Option<PathBuf>,
    }

    fn args(words: impl Iterator<Item = std::ffi::OsString>) -> Option<Args> {
        let named = |name: &str| std::env::var_os(name).map(PathBuf::from);
        let mut args = Args {
            places: Places {
                folder: std::env::temp_dir(),
                small: named("FCS_TEST_SMALL_VOLUME"),
                network: named("FCS_TEST_NETWORK_DRIVE"),
            },
            out: None,
        };
        let mut words = words;
        while let Some(word) = words.next() {
            let value = words.next().map(PathBuf::from);
            match word.to_str()? {
                "--out" => args.out = Some(value?),
                "--folder" => args.places.folder = value?,
                "--small" => args.places.small = Some(value?),
                "--network" => args.places.network = Some(value?),
                _ => return None,
            }
        }
        Some(args)
    }

    pub(super) fn main() -> ExitCode {
        let Some(args) = args(std::env::args_os().skip(1)) else {
            eprint!("{HELP}");
            return ExitCode::from(2);
        };
        let mut differ = 0;
        let system = system();
        let mut table =
            format!("| check | what the backend relies on | documented | {system} |\n|---|---|---|---|\n");
        println!("{system}");
        let asked = run(&args.places, &mut |check, answer| {
            differ += usize::from(matches!(answer, Answer::Different(_)));
            println!("{}: {}: {}", check.name, check.relies_on, words(answer));
            table.push_str(&row(check, answer));
        });
        if let Err(error) = asked {
            eprintln!("winprobe: Could not work in {}: {error}", args.places.folder.display());
            return ExitCode::from(2);
        }
        if let Some(out) = &args.out
            && let Err(error) = fs::write(out, table)
        {
            eprintln!("winprobe: Could not write {}: {error}", out.display());
            return ExitCode::from(2);
        }
        println!("{differ} differ");
        if differ == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }

    fn words(answer: &Answer) -> String {
        match answer {
            Answer::AsReliedOn(seen) => format!("{seen}: ok"),
            Answer::Different(seen) => format!("{seen}: DIFFERENT"),
            Answer::NotTried(why) => format!("not tried: {why}"),
        }
    }

    fn row(check: &Check, answer: &Answer) -> String {
        let cell = |text: &str| text.replace('|', "\\|");
        let page = check.source.rsplit('/').next().unwrap_or_default();
        let link = format!("[{page}](https://learn.microsoft.com/{})", check.source);
        let answer = match answer {
            Answer::AsReliedOn(_) => "ok".to_owned(),
            Answer::Different(seen) => format!("**different**: {}", cell(seen)),
            Answer::NotTried(why) => format!("not tried: {}", cell(why)),
        };
        format!("| {} | {} | {link} | {answer} |\n", cell(check.name), cell(check.relies_on))
    }

    #[cfg(test)]
    #[allow(clippy::unwrap_used)]
    mod tests {
        use super::*;

        #[test]
        fn what_is_not_understood_is_refused() {
            let parse = |line: &str| args(line.split_whitespace().map(Into::into));
            assert_eq!(parse("--out x --folder y").unwrap().out, Some("x".into()));
            assert!(parse("--out").is_none() && parse("help").is_none());
        }

        #[test]
        fn every_question_is_asked_once_and_names_its_page() {
            let mut names = std::collections::BTreeSet::new();
            for check in crate::checks::checks() {
                assert!(names.insert(check.name), "{} is there twice", check.name);
                assert!(check.source.starts_with("windows"), "{}", check.source);
                assert_eq!(row(check, &Answer::AsReliedOn(String::new())).matches(" | ").count(), 3);
            }
            assert!(names.len() > 50, "{}", names.len());
        }

        #[test]
        fn a_probe_leaves_nothing_behind() {
            let folder = tempfile::tempdir().unwrap();
            let places = Places { folder: folder.path().to_owned(), ..Places::default() };
            let mut asked = 0;
            run(&places, &mut |_, _| asked += 1).unwrap();
            assert_eq!(asked, crate::checks::checks().count());
            assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
        }
    }
}
