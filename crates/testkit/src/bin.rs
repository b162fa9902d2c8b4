//! Running the `fcs` program as a user would, but in a clean environment.
//!
//! Invariant: what a run sees depends on the test alone. The caller's variables are withheld and the folders for
//! settings, state and logs are empty ones that vanish with the [`Fcs`]. It must not know any command of the program.

use std::ffi::OsStr;
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use tempfile::TempDir;

/// The program under test together with a home of its own.
///
/// Runs of one `Fcs` share that home, so that what one run stores (settings, recent folders) the next one finds.
#[derive(Debug)]
pub struct Fcs {
    exe: PathBuf,
    home: TempDir,
    /// Number of the user and group it runs as, where that is not the one of the test.
    #[cfg(unix)]
    user: Option<u32>,
}

/// What one run of the program left behind.
#[derive(Clone, Debug)]
pub struct Run {
    /// The exit code; 128 + signal number when a signal ended the program, as a shell reports it.
    pub code: i32,
    /// Standard output, with bytes that are not UTF-8 replaced.
    pub stdout: String,
    /// Standard error, with bytes that are not UTF-8 replaced.
    pub stderr: String,
    /// Standard output as it came, for output that holds raw names.
    pub stdout_bytes: Vec<u8>,
}

impl Fcs {
    /// The program at `exe`; in an integration test of its package that is `env!("CARGO_BIN_EXE_fcs")`.
    pub fn new(exe: impl Into<PathBuf>) -> Self {
        let home = tempfile::Builder::new().prefix("fcs-home-").tempdir().expect("a home can be made");
        Self {
            exe: exe.into(),
            home,
            #[cfg(unix)]
            user: None,
        }
    }

    /// As [`Fcs::new`], but the program runs as the plain user of [`crate::user`], whose the home is too.
    ///
    /// # Errors
    ///
    /// When this process must not become another user, that is, without root.
    #[cfg(unix)]
    pub fn of_plain_user(exe: impl Into<PathBuf>) -> Result<Self, crate::Skip> {
        use crate::user::PLAIN_USER;
        let mut fcs = Self::new(exe);
        // The folder for what is built may be closed to others; a second name needs no room.
        let reachable = fcs.home().join("program");
        place_program(&fcs.exe, &reachable);
        fcs.exe = reachable;
        // The folder alone: the program's second name would take the owner of the first along.
        std::os::unix::fs::lchown(fcs.home(), Some(PLAIN_USER), Some(PLAIN_USER))
            .map_err(|error| crate::Skip::new(format!("giving a home to another user: {error}")))?;
        fcs.user = Some(PLAIN_USER);
        Ok(fcs)
    }

    /// The home folder of the runs.
    pub fn home(&self) -> &Path {
        self.home.path()
    }

    /// A command for the program with the clean environment, for tests that need more than [`Fcs::run`] gives.
    ///
    /// Standard input is empty. The current folder is the home, so that a stray relative path harms nothing.
    pub fn command(&self) -> Command {
        let home = self.home.path();
        let mut command = Command::new(&self.exe);
        command.env_clear();
        // PATH for tools the program may look for; LLVM_PROFILE_FILE lets coverage of the program reach its report;
        // without SystemRoot, Windows programs cannot load parts of the system.
        for name in ["PATH", "LLVM_PROFILE_FILE", "SystemRoot"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        command
            .env("HOME", home)
            .env("USERPROFILE", home)
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_STATE_HOME", home.join("state"))
            .env("XDG_CACHE_HOME", home.join("cache"))
            .env("TMPDIR", std::env::temp_dir())
            .env("TMP", std::env::temp_dir())
            .env("NO_COLOR", "1")
            .env("LC_ALL", "C.UTF-8")
            .env("TZ", "UTC")
            .current_dir(home)
            .stdin(Stdio::null());
        #[cfg(unix)]
        if let Some(user) = self.user {
            use std::os::unix::process::CommandExt;
            // std takes the supplementary groups away with the user.
            command.uid(user).gid(user).env("TMPDIR", home);
        }
        if cfg!(windows) {
            // Windows is asked where settings are, and its answer does not depend on any of these variables.
            command.env("FCS_CONFIG", home.join("config").join("settings.toml"));
        }
        command
    }

    /// Runs the program with `args` and waits for its end.
    pub fn run<I, S>(&self, args: I) -> Run
    where
        I: IntoIterator<Item = S>,
        S: AsRef<OsStr>,
    {
        let output = self.command().args(args).output();
        output.unwrap_or_else(|error| panic!("{} does not start: {error}", self.exe.display())).into()
    }
}

/// Gives a program a second name, or where the folders are on two volumes a copy under it, unless it is there already.
///
/// The copy is written by a process of its own. Written by this one, another thread that starts a process just then
/// would hand the open file on to it for a moment, and the system starts no program that is open for writing.
///
/// # Panics
///
/// When that fails.
#[cfg(unix)]
pub fn place_program(program: &Path, to: &Path) {
    if !to.exists() && std::fs::hard_link(program, to).is_err() {
        let copied = Command::new("cp").arg("--").args([program, to]).output().expect("cp starts");
        let said = String::from_utf8_lossy(&copied.stderr);
        assert!(copied.status.success(), "{} cannot be copied: {said}", program.display());
    }
}

impl From<Output> for Run {
    fn from(output: Output) -> Self {
        Self {
            code: code_of(output.status),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            stdout_bytes: output.stdout,
        }
    }
}

impl Run {
    /// Itself, when the program ended with `code`.
    ///
    /// # Panics
    ///
    /// With everything the program said, when it ended otherwise.
    #[track_caller]
    #[must_use = "use `let _ =` when only the code matters"]
    pub fn expect_code(self, code: i32) -> Self {
        assert!(self.code == code, "expected exit code {code}\n{self}");
        self
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { code, stdout, stderr, .. } = self;
        write!(f, "exit code {code}\n--- stdout\n{stdout}\n--- stderr\n{stderr}\n---")
    }
}

#[cfg(unix)]
fn code_of(status: std::process::ExitStatus) -> i32 {
    use std::os::unix::process::ExitStatusExt;
    status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(-1)
}

#[cfg(not(unix))]
fn code_of(status: std::process::ExitStatus) -> i32 {
    status.code().unwrap_or(-1)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_run_yields_code_and_both_streams() {
        let run = Fcs::new("/bin/sh").run(["-c", "echo out; echo err >&2; exit 7"]).expect_code(7);
        assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("out\n", "err\n"));
    }

    #[test]
    fn a_signal_is_reported_like_a_shell_does() {
        let _ = Fcs::new("/bin/sh").run(["-c", "kill -KILL $$"]).expect_code(137);
    }

    #[test]
    fn the_environment_is_clean_and_points_into_the_home() {
        let fcs = Fcs::new("/usr/bin/env");
        let run = fcs.run([] as [&str; 0]).expect_code(0);
        let home = fcs.home().to_str().unwrap();
        assert!(run.stdout.lines().any(|line| line == format!("HOME={home}")), "{run}");
        assert!(run.stdout.lines().any(|line| line == format!("XDG_CONFIG_HOME={home}/config")), "{run}");
        // Cargo sets this for every test, so its absence shows that the caller's variables are withheld.
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        assert!(!run.stdout.contains("CARGO_MANIFEST_DIR"), "{run}");
    }

    #[test]
    fn a_plain_user_is_one_in_every_respect() {
        match Fcs::of_plain_user("/usr/bin/id") {
            Ok(fcs) => {
                let run = fcs.run(["-u"]).expect_code(0);
                assert_eq!(run.stdout, "1000\n");
                assert_eq!(fcs.run(["-G"]).expect_code(0).stdout, "1000\n");
            }
            Err(reason) => crate::skip(crate::test_name!(), &reason.reason),
        }
    }

    #[test]
    fn raw_bytes_of_names_survive() {
        let run = Fcs::new("/bin/sh").run(["-c", r"printf 'a\377b'"]).expect_code(0);
        assert_eq!(run.stdout_bytes, b"a\xffb");
    }
}
