//! What the chores need of the system: finding and running tools, and installing missing ones.
//!
//! Invariant: a package that can't be installed is never an error here. The tests which need it skip, and the list of
//! skips is judged elsewhere.

use std::ffi::OsString;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

/// A tool and the Debian package that brings it.
pub(crate) type Needed = (&'static str, &'static str);

/// The root of the repository.
pub(crate) fn repository() -> PathBuf {
    let xtask = std::env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    xtask.parent().map_or_else(|| PathBuf::from("."), Path::to_owned)
}

/// The folder cargo builds into, which is the one this program was built into.
pub(crate) fn target_dir() -> PathBuf {
    let exe = std::env::current_exe().ok();
    let dir = exe.as_deref().and_then(|exe| exe.ancestors().nth(2));
    dir.map_or_else(|| repository().join("target"), Path::to_owned)
}

/// The cargo that runs this chore, at the root of the repository.
pub(crate) fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.args(args).current_dir(repository());
    command
}

/// Flags for rustc that keep this machine's paths out of a program to hand out.
pub(crate) fn flags_without_paths() -> Vec<String> {
    let cargo_home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let cargo_home = cargo_home.or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let places = [(Some(repository()), "fcs"), (cargo_home, "cargo")];
    let known = places.into_iter().filter_map(|(place, name)| place.map(|place| (place, name)));
    known.map(|(place, name)| format!("--remap-path-prefix={}={name}", place.display())).collect()
}

/// PATH with the folders of the system tools, where the search path of an ordinary login may not look.
pub(crate) fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    if cfg!(unix) {
        path.push(":/usr/local/sbin:/usr/sbin:/sbin");
    }
    path
}

/// Whether `tool` is installed.
pub(crate) fn has(tool: &str) -> bool {
    std::env::split_paths(&search_path()).any(|dir| dir.join(tool).is_file())
}

/// What a quiet command prints, if it succeeds.
pub(crate) fn output_of(tool: &str, args: &[&str]) -> Option<String> {
    let output =
        Command::new(tool).args(args).env("PATH", search_path()).stderr(Stdio::null()).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether this runs as root.
pub(crate) fn is_root() -> bool {
    output_of("id", &["-u"]).as_deref() == Some("0")
}

/// Shows what a program that was started prints, as it comes, and gives each line to `each`; then waits for its end.
pub(crate) fn show(child: &mut Child, mut each: impl FnMut(&str)) -> std::io::Result<ExitStatus> {
    if let Some(stdout) = child.stdout.take() {
        // By bytes: it may print names that are not UTF-8.
        for line in BufReader::new(stdout).split(b'\n') {
            let line = line?;
            let line = String::from_utf8_lossy(&line);
            println!("{line}");
            each(line.trim_end_matches('\r'));
        }
    }
    child.wait()
}

/// Runs a command for its effect. When it fails, the end of what it said is part of the error.
pub(crate) fn quietly(command: &mut Command) -> Result<(), String> {
    let name = command.get_program().to_string_lossy().into_owned();
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last: Vec<&str> = said.lines().rev().filter(|line| !line.trim().is_empty()).take(3).collect();
    let last: Vec<&str> = last.into_iter().rev().collect();
    Err(format!("{name}: {}: {}", output.status, last.join("; ")))
}

/// Installs the packages of those tools that are missing, as root on a system with apt; otherwise, and when that
/// fails, says what is missing.
pub(crate) fn provide(needed: &[Needed]) {
    let packages = install(|| missing(needed));
    if !packages.is_empty() {
        println!("not installed: {} (what needs them is skipped)", packages.join(" "));
    }
}

fn missing(needed: &[Needed]) -> Vec<&'static str> {
    in_order(needed.iter().filter(|(tool, _)| !has(tool)).map(|&(_, package)| package).collect())
}

/// As [`provide`], for packages that no tool in PATH stands for; an error when one can't be had.
pub(crate) fn provide_packages(needed: &[&'static str]) -> Result<(), String> {
    let missing = || {
        let packages = needed.iter().filter(|package| version_of_package(package).is_none());
        in_order(packages.copied().collect())
    };
    let packages = install(missing);
    if packages.is_empty() { Ok(()) } else { Err(format!("could not install {}", packages.join(" "))) }
}

/// The version of an installed Debian package.
pub(crate) fn version_of_package(package: &str) -> Option<String> {
    let told = output_of("dpkg-query", &["-W", "-f", "${Status} ${Version}", package])?;
    told.strip_prefix("install ok installed ").map(str::to_owned)
}

/// Installs what `missing` names, and returns what it names afterwards.
fn install(missing: impl Fn() -> Vec<&'static str>) -> Vec<&'static str> {
    let packages = missing();
    if packages.is_empty() {
        return packages;
    }
    if is_root() && has("apt-get") {
        println!("installing {}", packages.join(" "));
        // The lists of a fresh system are empty, so the first attempt fails there. One by one in the end, so that
        // one unknown package doesn't cost the others.
        let installed = apt_install(&packages) || (apt(&["update"]) && apt_install(&packages));
        if !installed {
            for package in &packages {
                apt_install(&[package]);
            }
        }
    }
    missing()
}

fn in_order(mut packages: Vec<&'static str>) -> Vec<&'static str> {
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn apt_install(packages: &[&str]) -> bool {
    apt(&[&["install", "-y", "--no-install-recommends"], packages].concat())
}

fn apt(args: &[&str]) -> bool {
    apt_get(args).status().is_ok_and(|status| status.success())
}

/// An apt-get that neither asks nor waits without end.
pub(crate) fn apt_get(args: &[&str]) -> Command {
    let limits = ["-q", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20"];
    let mut command = Command::new("apt-get");
    // Another apt may be at work, such as a system's own updates after it started.
    command.args(limits).args(["-o", "DPkg::Lock::Timeout=600"]).args(args);
    command.env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_missing_tools_are_asked_for_and_each_package_once() {
        let present = std::env::current_exe().unwrap();
        let present = Box::leak(present.to_string_lossy().into_owned().into_boxed_str());
        let needed = [(&*present, "dash"), ("no-such-tool-1", "some"), ("no-such-tool-2", "some")];
        assert_eq!(missing(&needed), ["some"]);
    }

    #[cfg(unix)]
    #[test]
    fn a_failed_command_is_reported_with_its_last_words() {
        let sh = |script: &str| quietly(Command::new("sh").args(["-c", script]));
        assert_eq!(sh("echo much >&2"), Ok(()));
        let failed = sh("echo 1 >&2; echo a >&2; echo b >&2; echo c >&2; exit 3");
        assert_eq!(failed, Err("sh: exit status: 3: a; b; c".to_owned()));
        assert!(quietly(&mut Command::new("no-such-tool-1")).unwrap_err().starts_with("no-such-tool-1: "));
    }
}
