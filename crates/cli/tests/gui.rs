//! `fcs gui`: which program it starts, with which arguments, and what it says when there is none.

#![allow(clippy::unwrap_used)]

use fcs_testkit::bin::Fcs;

#[test]
fn one_folder_alone_is_refused() {
    let run = Fcs::new(env!("CARGO_BIN_EXE_fcs")).run(["gui", "LEFT"]).expect_code(2);
    assert!(run.stderr.contains("<RIGHT>"), "{run}");
}

#[cfg(unix)]
mod unix {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use fcs_testkit::bin::{Fcs, Run};
    use tempfile::TempDir;

    /// Prints its path and its arguments in brackets, and fails, which nobody waits for.
    const WINDOW: &str = "printf '[%s]' \"$0\" \"$@\" >&2\nexit 7\n";

    /// A copy of the program in a folder of its own.
    struct ProgramFolder(TempDir);

    impl ProgramFolder {
        fn new() -> Self {
            let place = Self(tempfile::tempdir().unwrap());
            fs::create_dir(place.path("programs")).unwrap();
            sh("cp \"$1\" \"$2\"", &[Path::new(env!("CARGO_BIN_EXE_fcs")), &place.path("programs/fcs")]);
            place
        }

        fn path(&self, name: &str) -> PathBuf {
            self.0.path().canonicalize().unwrap().join(name)
        }

        /// Puts a program in the window's stead into the folder `name`.
        fn plant(&self, name: &str, script: &str) -> PathBuf {
            let (folder, text) = (self.path(name), self.path("text"));
            fs::create_dir_all(&folder).unwrap();
            fs::write(&text, script).unwrap();
            let program = folder.join("fcs-gui");
            sh("cp \"$1\" \"$2\" && chmod +x \"$2\"", &[&text, &program]);
            program
        }

        /// `fcs gui args…` of the program at `exe`, with `path` for PATH. Ends when the window has ended, too, because
        /// that holds its standard error.
        fn run(&self, exe: &str, path: &str, args: &[&[u8]]) -> (Run, Vec<u8>) {
            let fcs = Fcs::new(self.path(exe));
            let mut command = fcs.command();
            command.env("PATH", path).arg("gui").args(args.iter().map(|arg| OsStr::from_bytes(arg)));
            let output = command.output().unwrap();
            let said = output.stderr.clone();
            (output.into(), said)
        }
    }

    /// By a shell, because a program that this process had open for writing may be busy when it is started: another
    /// test's child can hold it for a moment.
    fn sh(script: &str, args: &[&Path]) {
        assert!(Command::new("sh").args(["-c", script, "sh"]).args(args).status().unwrap().success());
    }

    fn bracketed(program: &Path, args: &[&[u8]]) -> Vec<u8> {
        let words = [&[program.as_os_str().as_bytes()], args].concat();
        words.iter().flat_map(|word| [b"[", *word, b"]"].concat()).collect()
    }

    #[test]
    fn the_window_beside_the_program_is_started_with_the_folders_as_they_are() {
        let place = ProgramFolder::new();
        let window = place.plant("programs", &format!("#!/bin/sh\n{WINDOW}"));
        let _ = place.plant("path", "#!/bin/sh\necho wrong >&2\n");
        let path = place.path("path");
        let odd: [&[&[u8]]; 4] = [
            &[],
            &[b"a b/", b"./$HOME/*"],
            &[b"--", b"-x", b"--help"],
            &[b"\xff\xfe", b"\xf0\x9f\x98\x80\n"],
        ];
        for args in odd {
            let (run, said) = place.run("programs/fcs", path.to_str().unwrap(), args);
            let folders = args.strip_prefix(&[&b"--"[..]]).unwrap_or(args);
            assert_eq!(said, bracketed(&window, folders), "{run}");
            let run = run.expect_code(0);
            assert!(run.stdout.is_empty(), "{run}");
        }
    }

    #[test]
    fn a_link_to_the_program_leads_to_the_window_beside_it() {
        let place = ProgramFolder::new();
        let window = place.plant("programs", &format!("#!/bin/sh\n{WINDOW}"));
        symlink(place.path("programs/fcs"), place.path("link")).unwrap();
        let (run, said) = place.run("link", "", &[b"a", b"b"]);
        assert_eq!(said, bracketed(&window, &[b"a", b"b"]), "{run}");
    }

    #[test]
    fn without_one_beside_the_program_path_is_searched() {
        let place = ProgramFolder::new();
        let window = place.plant("a path", &format!("#!/bin/sh\n{WINDOW}"));
        let path = place.path("a path");
        let (run, said) = place.run("programs/fcs", path.to_str().unwrap(), &[b"a", b"b"]);
        assert_eq!(said, bracketed(&window, &[b"a", b"b"]), "{run}");
    }

    #[test]
    fn a_missing_window_is_named_with_where_it_was_looked_for_and_what_to_do() {
        let place = ProgramFolder::new();
        let nowhere = place.path("nowhere");
        let (run, _) = place.run("programs/fcs", nowhere.to_str().unwrap(), &[b"a", b"b"]);
        let run = run.expect_code(2);
        let folder = place.path("programs");
        let what = format!(
            "Could not start fcs-gui: it is neither in {} nor in a folder of PATH. Nothing was changed.",
            folder.display()
        );
        assert!(
            run.stderr.contains(&what) && run.stderr.contains("cargo build --release -p fcs-gui"),
            "{run}"
        );
    }

    #[test]
    fn a_window_that_does_not_start_is_reported_with_the_reason() {
        let place = ProgramFolder::new();
        let window = place.plant("programs", "#!/no/such/interpreter\n");
        let (run, _) = place.run("programs/fcs", "", &[]);
        let run = run.expect_code(2);
        let what = format!("Could not start {}: No such file or directory", window.display());
        assert!(run.stderr.contains(&what), "{run}");
    }
}
