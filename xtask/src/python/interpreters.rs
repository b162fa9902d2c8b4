//! Which interpreters of Python this system has.
//!
//! Invariant: an interpreter is what it says itself when it is started; nothing is concluded from its name. The module
//! for Python is for CPython with the global lock, so no other is found.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::sh;

/// Major and minor version.
pub(super) type Version = (u8, u8);

/// The oldest that the module is for, and the one that the programs are written for which it replaces modules of.
pub(super) const WANTED: [Version; 2] = [(3, 11), (3, 13)];
const OLDEST: Version = WANTED[0];

/// Debian takes both out of its interpreter.
const PACKAGES: [&str; 2] = ["python3-venv", "python3-tk"];

/// What an interpreter is asked: what it is, whether it can make environments and has Tk, and where it lies.
const QUESTION: &str = "\
import importlib.util, sys, sysconfig
has = lambda *names: int(all(importlib.util.find_spec(name) for name in names))
free = int(bool(sysconfig.get_config_var('Py_GIL_DISABLED')))
print(sys.implementation.name, *sys.version_info[:2], free, has('venv', 'ensurepip'), has('tkinter', '_tkinter'))
print(sys.executable)
";

/// An interpreter that can import the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interpreter {
    pub(super) program: PathBuf,
    pub(super) version: Version,
    /// Whether it can make environments with pip in them.
    pub(super) has_venv: bool,
    pub(super) has_tk: bool,
}

impl Interpreter {
    /// Its name for people.
    pub(super) fn name(&self) -> String {
        name_of(self.version)
    }

    /// Asks a program what it is; none if it is no interpreter that can import the module.
    fn ask(program: &Path) -> Option<Self> {
        let mut command = Command::new(program);
        // Not in the folder of the moment, whose files it would import.
        command.args(["-I", "-c", QUESTION]).stdin(Stdio::null()).stderr(Stdio::null());
        let output = command.output().ok()?;
        output.status.success().then(|| Self::parse(&String::from_utf8_lossy(&output.stdout)))?
    }

    fn parse(answer: &str) -> Option<Self> {
        let mut lines = answer.lines();
        let mut words = lines.next()?.split(' ');
        if words.next()? != "cpython" {
            return None;
        }
        let mut number = || words.next()?.parse::<u8>().ok();
        let version = (number()?, number()?);
        let is_free_threaded = number()? != 0;
        let (has_venv, has_tk) = (number()? != 0, number()? != 0);
        let program = PathBuf::from(lines.next()?);
        let fits = version >= OLDEST && !is_free_threaded && program.is_absolute();
        fits.then_some(Self { program, version, has_venv, has_tk })
    }
}

pub(super) fn name_of((major, minor): Version) -> String {
    format!("Python {major}.{minor}")
}

/// Finds what is here. As root on a system with apt, an interpreter is installed where none has all that is needed.
pub(super) fn provide() -> Vec<Interpreter> {
    let found = find();
    let is_complete = |one: &Interpreter| one.has_venv && one.has_tk;
    if found.iter().any(is_complete) || !could_be_installed() {
        return found;
    }
    if let Err(error) = sh::provide_packages(&PACKAGES) {
        println!("{error} (what needs them is skipped)");
    }
    find()
}

/// Whether there is no excuse for having none.
pub(super) fn could_be_installed() -> bool {
    sh::is_root() && sh::has("apt-get")
}

/// The ones to test with: those that are wanted; where there is none of them, the newest that is here.
pub(super) fn chosen(found: &[Interpreter]) -> Vec<&Interpreter> {
    let wanted: Vec<&Interpreter> = WANTED.iter().filter_map(|&version| best(found, version)).collect();
    if !wanted.is_empty() {
        return wanted;
    }
    let newest = found.iter().filter(|one| one.has_venv).map(|one| one.version).max();
    newest.and_then(|version| best(found, version)).into_iter().collect()
}

/// Of several of one version the first that has most. One that makes no environments is of no use here.
pub(super) fn best(found: &[Interpreter], version: Version) -> Option<&Interpreter> {
    let fits = |one: &&Interpreter| one.version == version && one.has_venv;
    // The last of the greatest is taken.
    found.iter().rev().filter(fits).max_by_key(|one| one.has_tk)
}

fn find() -> Vec<Interpreter> {
    let mut found = Vec::new();
    for program in candidates() {
        let one = program.is_file().then(|| Interpreter::ask(&program)).flatten();
        found.extend(one.filter(|one| !found.contains(one)));
    }
    found
}

/// Where interpreters may lie: in PATH, by number first, and among those that pyenv built.
fn candidates() -> Vec<PathBuf> {
    let folders: Vec<PathBuf> = std::env::split_paths(&sh::search_path()).collect();
    let numbered = WANTED.iter().map(|(major, minor)| format!("python{major}.{minor}"));
    let names: Vec<String> = numbered.chain(["python3", "python"].map(str::to_owned)).collect();
    let in_path = names.iter().flat_map(|name| {
        let file = format!("{name}{}", std::env::consts::EXE_SUFFIX);
        folders.iter().map(move |folder| folder.join(&file))
    });
    let pyenv = std::env::var_os("PYENV_ROOT").map(PathBuf::from);
    let pyenv = pyenv.or_else(|| std::env::home_dir().map(|home| home.join(".pyenv")));
    let versions = pyenv.and_then(|root| std::fs::read_dir(root.join("versions")).ok());
    let mut built: Vec<PathBuf> =
        versions.into_iter().flatten().flatten().map(|entry| entry.path().join("bin/python3")).collect();
    built.sort();
    in_path.chain(built).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn one(program: &str, minor: u8, has_venv: bool, has_tk: bool) -> Interpreter {
        Interpreter { program: program.into(), version: (3, minor), has_venv, has_tk }
    }

    #[cfg(unix)]
    #[test]
    fn an_interpreter_is_what_it_says() {
        let said = Interpreter::parse("cpython 3 13 0 1 0\n/opt/python\n");
        assert_eq!(said, Some(one("/opt/python", 13, true, false)));
        for other in [
            "cpython 3 10 0 1 1\n/opt/python\n",
            "cpython 3 13 1 1 1\n/opt/python\n",
            "pypy 3 11 0 1 1\n/opt/python\n",
            "cpython 3 13 0 1\n/opt/python\n",
            "cpython 3 13 0 1 1\n",
            "",
        ] {
            assert_eq!(Interpreter::parse(other), None, "{other:?}");
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_program_that_is_no_interpreter_is_none() {
        assert_eq!(Interpreter::ask(Path::new("/bin/true")), None);
        assert_eq!(Interpreter::ask(Path::new("/no/such/python")), None);
    }

    #[test]
    fn of_one_version_the_first_with_tk_is_taken_and_none_without_environments() {
        let found = [
            one("bare", 11, true, false),
            one("first", 11, true, true),
            one("second", 11, true, true),
            one("without", 13, false, true),
        ];
        assert_eq!(best(&found, (3, 11)), Some(&found[1]));
        assert_eq!(best(&found, (3, 13)), None);
        assert_eq!(chosen(&found), [&found[1]]);
    }

    #[test]
    fn where_none_is_wanted_the_newest_is_chosen() {
        let found = [one("a", 12, true, true), one("b", 14, true, false), one("c", 15, false, true)];
        assert_eq!(chosen(&found), [&found[1]]);
        assert!(chosen(&[]).is_empty());
    }
}
