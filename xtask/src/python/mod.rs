//! The module for Python: its tests, which are a stage of `cargo xtask test`, and its packages, which
//! `cargo xtask dist wheel` makes.
//!
//! Invariant: a package that is put into `target/dist` has been looked into and installed, and what it promises by its
//! name was checked by another program than the one that named it. Where there is no Python, that is a skip with a reason,
//! and never a pass.

mod display;
mod interpreters;
mod pytest;
mod tags;
mod venv;
mod wheel;

use std::env::consts::{DLL_PREFIX, DLL_SUFFIX, EXE_SUFFIX};
use std::fs;
use std::path::{Path, PathBuf};

use crate::sh;
use crate::tally::Tally;
use crate::test;
use interpreters::{Interpreter, WANTED};
use venv::Venv;

/// In pinned versions, with all that they need.
const PYTEST: &str = include_str!("pytest.txt");

/// The name under which the tests are counted when none runs.
const STAGE: &str = "python_tests";

/// `cargo xtask dist wheel [windows]`.
pub(crate) fn dist(args: &[String]) -> Result<bool, String> {
    match args {
        [] => wheel::dist()?,
        [system] if system == "windows" => wheel::dist_windows()?,
        _ => return Err("not understood; see cargo xtask help".to_owned()),
    }
    Ok(true)
}

/// The stage of `cargo xtask test`: adds to `tally` what ran, and to `wrong` what must not be.
pub(crate) fn steps(tally: &mut Tally, wrong: &mut Vec<String>) {
    println!("\n== the module for Python");
    let found = interpreters::provide();
    let chosen = interpreters::chosen(&found);
    for version in WANTED {
        if !chosen.iter().any(|one| one.version == version) {
            let why = format!("no {} that makes environments is here", interpreters::name_of(version));
            tally.skip_unjudged(&format!("{STAGE}_{}_{}", version.0, version.1), &why);
        }
    }
    if chosen.is_empty() {
        println!("not tested: no Python is here");
        if interpreters::could_be_installed() {
            wrong.push("the module for Python: no Python could be installed to test it".to_owned());
        }
        return;
    }
    if let Err(error) = try_steps(&chosen, tally, wrong) {
        wrong.push(format!("the module for Python: {error}"));
        tally.skip(STAGE, &error);
    }
}

fn try_steps(chosen: &[&Interpreter], tally: &mut Tally, wrong: &mut Vec<String>) -> Result<(), String> {
    sh::provide(&[display::NEEDED]);
    let built = build()?;
    let laid = lay(&built.library)?;
    for interpreter in chosen {
        println!("\n== pytest with {}", interpreter.name());
        let name = format!("pytest-{}.{}", interpreter.version.0, interpreter.version.1);
        let venv = Venv::provide(folder().join(&name), interpreter, PYTEST)?;
        let path = venv.packages()?.join("foldercomparesync.pth");
        fs::write(&path, format!("{}\n", laid.display()))
            .map_err(|error| format!("Could not write {}: {error}", path.display()))?;
        let log = folder().join(format!("{name}.log"));
        let (found, has_screen) = display::with(|screen| {
            pytest::run(&venv, &built.program, screen, &log).map(|found| (found, screen.is_some()))
        })??;
        let (found, passed) = found;
        let name = interpreter.name();
        if !passed {
            wrong.push(format!("pytest with {name}: see the failed tests"));
        }
        match not_judged_because(interpreter, has_screen) {
            None => {
                let unexpected =
                    found.unexpected_by(&Path::new("xtask").join("expected-skips-python.txt"))?;
                wrong.extend(unexpected.into_iter().map(|what| format!("{name}: {what}")));
            }
            Some(why) => println!("(skips with {name} are not judged: {why})"),
        }
        tally.absorb(found, &format!("{name}: "));
    }
    Ok(())
}

/// Where some tests cannot run at all, their skips are nobody's fault.
fn not_judged_because(interpreter: &Interpreter, has_screen: bool) -> Option<&'static str> {
    if !interpreter.has_tk {
        Some("it has no Tk")
    } else if !has_screen {
        Some("no Xvfb")
    } else {
        test::not_enforced_because()
    }
}

/// What is made for Python.
fn folder() -> PathBuf {
    sh::target_dir().join("python")
}

/// What the tests use.
struct Built {
    /// The module, under the name that cargo gives to libraries.
    library: PathBuf,
    /// The command line.
    program: PathBuf,
}

/// Builds the module as the other tests are built.
///
/// Together with a test program that is there already: that has cargo build the engine with the features that the
/// tests of all crates ask for, as it did before, and not once more without them.
fn build() -> Result<Built, String> {
    let mut cargo = sh::cargo(&["build", "--workspace", "--lib", "--bin", "fcs", "--test", "planted"]);
    if cfg!(windows) {
        cargo.args(["--exclude", "xtask"]);
    }
    let status = cargo.status().map_err(|error| format!("cargo does not start: {error}"))?;
    if !status.success() {
        return Err("it does not build".to_owned());
    }
    let library = format!("{DLL_PREFIX}_engine{DLL_SUFFIX}");
    let folder = sh::target_dir().join("debug");
    Ok(Built { library: folder.join(library), program: folder.join(format!("fcs{EXE_SUFFIX}")) })
}

/// Lays the module and the sources out as an installation has them. One copy is for all interpreters.
fn lay(library: &Path) -> Result<PathBuf, String> {
    let laid = folder().join("laid");
    venv::remove(&laid)?;
    copy(&sh::repository().join("python").join("src"), &laid)?;
    let module = if cfg!(windows) { "_engine.pyd" } else { "_engine.abi3.so" };
    let module = laid.join("foldercomparesync").join(module);
    fs::copy(library, &module)
        .map_err(|error| format!("Could not copy {} to {}: {error}", library.display(), module.display()))?;
    Ok(laid)
}

/// Copies a folder, but for what Python compiled.
fn copy(from: &Path, to: &Path) -> Result<(), String> {
    let said = |error: std::io::Error| format!("Could not copy {}: {error}", from.display());
    fs::create_dir_all(to).map_err(said)?;
    for entry in fs::read_dir(from).map_err(said)? {
        let entry = entry.map_err(said)?;
        if entry.file_type().map_err(said)?.is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).map_err(said)?;
        } else if entry.file_name() != "__pycache__" {
            copy(&entry.path(), &to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tools_are_pinned() {
        for list in [PYTEST, wheel::TOOLS] {
            let packages: Vec<&str> = list.lines().filter(|line| !line.starts_with('#')).collect();
            assert!(!packages.is_empty());
            assert!(packages.iter().all(|line| line.contains("==")), "{packages:?}");
        }
    }

    #[test]
    fn sources_are_copied_without_what_python_compiled() {
        let place = tempfile::tempdir().unwrap();
        let from = place.path().join("from");
        for folder in ["package/__pycache__", "__pycache__"] {
            fs::create_dir_all(from.join(folder)).unwrap();
            fs::write(from.join(folder).join("a.pyc"), "x").unwrap();
        }
        fs::write(from.join("one.py"), "1").unwrap();
        fs::write(from.join("package/two.py"), "2").unwrap();
        let to = place.path().join("to");
        copy(&from, &to).unwrap();
        assert_eq!(fs::read_to_string(to.join("package/two.py")).unwrap(), "2");
        assert!(to.join("one.py").is_file());
        assert!(!to.join("__pycache__").exists() && !to.join("package/__pycache__").exists());
    }

    #[test]
    fn the_package_carries_the_licences_of_the_repository() {
        for name in ["LICENSE-APACHE", "LICENSE-MIT"] {
            let read = |folder: PathBuf| fs::read_to_string(folder.join(name)).unwrap();
            assert_eq!(read(sh::repository().join("python")), read(sh::repository()), "{name}");
        }
    }
}
