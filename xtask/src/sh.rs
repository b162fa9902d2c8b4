//! What the chores need of the system: finding and running tools, and installing missing ones.
//!
//! Invariant: a package that can't be installed is never an error here. The tests which need it skip, and the list of
//! skips is judged elsewhere.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

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

/// PATH with the folders of the system tools, where the search path of an ordinary login may not look.
pub(crate) fn search_path() -> OsString {
    let mut path = std::env::var_os("PATH").unwrap_or_default();
    path.push(":/usr/local/sbin:/usr/sbin:/sbin");
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

/// Installs the packages of those tools that are missing, as root on a system with apt; otherwise, and when that
/// fails, says what is missing.
pub(crate) fn provide(needed: &[Needed]) {
    let packages = missing(needed);
    if packages.is_empty() {
        return;
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
    let packages = missing(needed);
    if !packages.is_empty() {
        println!("not installed: {} (what needs them is skipped)", packages.join(" "));
    }
}

fn missing(needed: &[Needed]) -> Vec<&'static str> {
    let mut packages: Vec<_> =
        needed.iter().filter(|(tool, _)| !has(tool)).map(|&(_, package)| package).collect();
    packages.sort_unstable();
    packages.dedup();
    packages
}

fn apt_install(packages: &[&str]) -> bool {
    apt(&[&["install", "-y", "--no-install-recommends"], packages].concat())
}

fn apt(args: &[&str]) -> bool {
    let limits = ["-q", "-o", "Acquire::Retries=1", "-o", "Acquire::http::Timeout=20"];
    let mut command = Command::new("apt-get");
    command.args(limits).args(args).env("DEBIAN_FRONTEND", "noninteractive").stdin(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_missing_tools_are_asked_for_and_each_package_once() {
        let needed = [("sh", "dash"), ("no-such-tool-1", "some"), ("no-such-tool-2", "some")];
        assert_eq!(missing(&needed), ["some"]);
    }
}
