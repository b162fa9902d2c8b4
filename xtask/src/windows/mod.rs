//! `cargo xtask windows`, and its part of `cargo xtask test`: the tests built for Windows and run in Wine, on Debian 12.
//!
//! Wine is not Windows, so what passes here shows our handling and not what Windows does; docs/windows.md tells the
//! two apart. Invariant: where it cannot run, that is a skip with a reason, and never a pass.

mod cache;
mod checks;
mod dist;
mod session;
mod toolchain;
mod wine;

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};

use crate::sh;
use crate::tally::Tally;
use cache::Cache;
use session::Session;
use toolchain::{TARGET, Toolchain};
use wine::Wine;

/// The names under which the tests of another system are counted when they do not run.
const STEPS: [&str; 2] = ["windows_clippy", "windows_tests_in_wine"];

/// `cargo xtask windows …`; true if all that was asked for passed.
pub(crate) fn command(args: &[String]) -> Result<bool, String> {
    let Some((what, rest)) = args.split_first() else {
        return Err("say what to do: cargo xtask help".to_owned());
    };
    if let Some(why) = impossible_because() {
        return Err(format!("not possible here: {why}"));
    }
    let cache = Cache::take()?;
    let toolchain = Toolchain::provide(&cache)?;
    match (what.as_str(), rest) {
        ("clippy", []) => checks::clippy(&toolchain),
        ("test", []) => in_wine(&cache, |session| {
            let (tally, mut passed) = checks::all(&toolchain, session)?;
            tally.print_skips();
            for what in checks::judge(&tally, session)? {
                println!("FAILED: {what}");
                passed = false;
            }
            println!("{}", tally.summary());
            Ok(passed)
        }),
        ("test", some) => in_wine(&cache, |session| checks::some(&toolchain, session, some)),
        ("run", args) => in_wine(&cache, |session| checks::run(&toolchain, session, args)),
        _ => Err("not understood; see cargo xtask help".to_owned()),
    }
}

/// `cargo xtask dist windows`: an archive for people with Windows.
pub(crate) fn dist() -> Result<bool, String> {
    if let Some(why) = impossible_because() {
        return Err(format!("not possible here: {why}"));
    }
    let cache = Cache::take()?;
    let toolchain = Toolchain::provide(&cache)?;
    let programs = dist::build(&toolchain)?;
    in_wine(&cache, |session| programs.iter().try_for_each(|program| dist::starts(program, session)))?;
    dist::pack(&programs)?;
    Ok(true)
}

/// What a wheel for Windows is made with.
pub(crate) struct ForWheel {
    /// The target of its module.
    pub(crate) target: &'static str,
    /// What cargo needs in its environment to build for it.
    pub(crate) settings: Vec<(&'static str, OsString)>,
    /// The command line, which was started once.
    pub(crate) program: PathBuf,
}

/// Does `work` with what makes a wheel for Windows.
pub(crate) fn for_wheel<T>(work: impl FnOnce(&ForWheel) -> Result<T, String>) -> Result<T, String> {
    if let Some(why) = impossible_because() {
        return Err(format!("not possible here: {why}"));
    }
    let cache = Cache::take()?;
    let toolchain = Toolchain::provide(&cache)?;
    let program = dist::build_command_line(&toolchain)?;
    in_wine(&cache, |session| dist::starts(&program, session))?;
    work(&ForWheel { target: TARGET, settings: toolchain.settings_for_release(), program })
}

/// An error unless a module for Python needs only what every Windows and the interpreter itself have.
pub(crate) fn check_module(module: &Path) -> Result<(), String> {
    // The interpreter's library for every version; that of one version would be another family.
    dist::check_imports(module, &["python3.dll"])
}

/// The Windows steps of `cargo xtask test`: adds to `tally` what ran, and to `wrong` what must not be.
pub(crate) fn steps(tally: &mut Tally, wrong: &mut Vec<String>) {
    if cfg!(windows) {
        // Its own tests are the tests for Windows.
        return;
    }
    if let Some(why) = impossible_because() {
        println!("\n== tests for Windows: not here: {why}");
        for step in STEPS {
            tally.skip_unjudged(step, why);
        }
        return;
    }
    if let Err(error) = try_steps(tally, wrong) {
        wrong.push(format!("tests for Windows: {error}"));
        for step in STEPS {
            tally.skip(step, &error);
        }
    }
}

fn try_steps(tally: &mut Tally, wrong: &mut Vec<String>) -> Result<(), String> {
    println!("\n== what builds for Windows");
    let cache = Cache::take()?;
    let toolchain = Toolchain::provide(&cache)?;
    println!("\n== cargo clippy for Windows");
    if !checks::clippy(&toolchain)? {
        wrong.push("cargo clippy for Windows: see above".to_owned());
    }
    println!("\n== cargo test for Windows, in Wine");
    in_wine(&cache, |session| {
        let (found, passed) = checks::all(&toolchain, session)?;
        if !passed {
            wrong.push("cargo test for Windows: see the failed tests".to_owned());
        }
        wrong.extend(checks::judge(&found, session)?);
        tally.absorb(found, "in Wine: ");
        Ok(())
    })
}

fn in_wine<T>(cache: &Cache, work: impl FnOnce(&Session<'_>) -> Result<T, String>) -> Result<T, String> {
    let wine = Wine::provide(cache)?;
    Session::with(cache, &wine, work)
}

/// Why the tests for Windows cannot run on this system at all.
fn impossible_because() -> Option<&'static str> {
    let system = fs::read_to_string("/etc/os-release").unwrap_or_default();
    if !cfg!(target_arch = "x86_64") || !is_debian_12(&system) {
        Some("only Debian 12 on x86-64 has what builds them")
    } else if !sh::is_root() {
        Some("not running as root")
    } else {
        None
    }
}

/// By the text of `/etc/os-release`.
fn is_debian_12(system: &str) -> bool {
    let says = |line: &str| system.lines().any(|found| found.trim().replace('"', "") == line);
    says("ID=debian") && says("VERSION_CODENAME=bookworm")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debian_12_is_told_from_its_relatives() {
        assert!(is_debian_12("PRETTY_NAME=\"x\"\nVERSION_CODENAME=bookworm\nID=debian\n"));
        assert!(!is_debian_12("VERSION_CODENAME=bookworm\nID=raspbian\nID_LIKE=debian\n"));
        assert!(!is_debian_12("VERSION_CODENAME=trixie\nID=debian\n"));
        assert!(!is_debian_12(""));
    }
}
