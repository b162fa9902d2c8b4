//! What builds for Windows on Debian: rustc and mingw from its packages, and a Windows standard library built once.
//!
//! The standard library of a compiler can only be built from that compiler's own sources, and Debian ships both: the
//! compiler as `rustc-web`, its sources with all crates they need as `rust-web-src`. So nothing comes from anywhere but
//! the system's own mirror. cargo stays the one that runs this chore. Kept as a sysroot rather than rebuilt by
//! `-Zbuild-std`: that costs a minute at each build, and build scripts would believe to be on a nightly compiler.
//!
//! Invariant: the sysroot's folder is named after the compiler's version, so an update makes a new one.

use std::ffi::OsString;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cache::Cache;
use crate::sh;

/// The target of the Windows builds: mingw links it without anything from Microsoft.
pub(super) const TARGET: &str = "x86_64-pc-windows-gnu";

const PACKAGES: [&str; 3] = ["rustc-web", "rust-web-clippy", "gcc-mingw-w64-x86-64-win32"];
const COMPILER: &str = "/usr/bin/rustc";
/// The oldest compiler that builds the workspace.
const NEEDED: &str = env!("CARGO_PKG_RUST_VERSION");
const HOST_LIBRARIES: &str = "/usr/lib/rustlib/x86_64-unknown-linux-gnu";
const LINKER: &str = "x86_64-w64-mingw32-gcc";

/// A compiler, linker and standard library for Windows.
pub(super) struct Toolchain {
    sysroot: PathBuf,
    /// Where its builds go. Not the folder of the system's own builds: another compiler makes these, and a cargo that
    /// waits for the other's lock would wait for as long as that builds.
    pub(super) builds: PathBuf,
}

impl Toolchain {
    /// Installs and builds what is missing.
    pub(super) fn provide(cache: &Cache) -> Result<Self, String> {
        sh::provide_packages(&PACKAGES)?;
        let mut version = compiler_version()?;
        if is_too_old(&version) {
            // Lists that are older than the system's updates name an old compiler.
            println!("updating rustc-web {version}");
            upgrade()?;
            version = compiler_version()?;
            if is_too_old(&version) {
                return Err(format!("rustc-web is {version}, and the workspace needs {NEEDED}"));
            }
        }
        if !cache.is_made(&std_name(&version)) {
            println!("building the standard library for {TARGET} with rustc {version}");
            let sources = Sources::fetch(cache, &mut version)?;
            let made = build(cache, &version, &sources);
            let removed = cache.remove("building");
            made.and(removed)?;
        }
        Ok(Self { sysroot: cache.path(&std_name(&version)), builds: cache.path("cargo") })
    }

    /// cargo for Windows: `subcommand`, then what `.args` adds. `runner` starts the programs it builds.
    pub(super) fn cargo(&self, subcommand: &str, runner: &[String]) -> Command {
        self.cargo_with(subcommand, runner, &[])
    }

    /// cargo for a program to hand out, in release mode: the same bytes wherever and whenever it is built from the
    /// same sources by the same compiler.
    pub(super) fn cargo_for_release(&self, subcommand: &str) -> Command {
        let flags = self.flags_for_release();
        // All settings stand before the subcommand: one after it would replace them.
        let mut command = self.cargo_with(subcommand, &[], &flags);
        command.args(["--release", "--locked"]);
        command
    }

    /// The same, for a program that starts cargo itself: what to set in its environment.
    pub(super) fn settings_for_release(&self) -> Vec<(&'static str, OsString)> {
        let sysroot = format!("--sysroot={}", self.sysroot.display());
        let flags = [vec![sysroot], self.flags_for_release()].concat();
        vec![
            ("RUSTC", COMPILER.into()),
            ("CARGO_TARGET_DIR", self.builds.clone().into()),
            ("CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER", LINKER.into()),
            ("CARGO_ENCODED_RUSTFLAGS", flags.join("\u{1f}").into()),
            ("CARGO_PROFILE_RELEASE_STRIP", "true".into()),
        ]
    }

    fn flags_for_release(&self) -> Vec<String> {
        let mut flags = sh::flags_without_paths();
        flags.push(format!("--remap-path-prefix={}=rust", self.sysroot.display()));
        // The linker writes the time into the header otherwise.
        flags.push("-Clink-arg=-Wl,--no-insert-timestamp".to_owned());
        flags
    }

    fn cargo_with(&self, subcommand: &str, runner: &[String], flags: &[String]) -> Command {
        let sysroot = format!("--sysroot={}", self.sysroot.display());
        // As configuration rather than by the environment, whose lists are split at spaces.
        let set = |key: &str, value: &str| format!("target.{TARGET}.{key}={value}");
        let mut command = sh::cargo(&[]);
        if !runner.is_empty() {
            command.arg("--config").arg(set("runner", &toml_list(runner)));
        }
        for setting in [
            set("linker", &toml_text(LINKER)),
            set("rustdocflags", &toml_list(&[&sysroot])),
            set("rustflags", &toml_list(&[&[sysroot], flags].concat())),
            // Nobody debugs these, and they link in half the time.
            "profile.dev.debug=false".to_owned(),
            // The crash suite, for which these are optimised, runs on Linux only.
            "profile.dev.package.fcs-engine.opt-level=0".to_owned(),
            "profile.dev.package.fcs-testkit.opt-level=0".to_owned(),
            // What is handed out.
            "profile.release.strip=true".to_owned(),
        ] {
            command.arg("--config").arg(setting);
        }
        command.args([subcommand, "--target", TARGET]);
        // RUSTDOC too: a doc test of one compiler cannot use the libraries of another (E0514).
        command.env("RUSTC", COMPILER).env("RUSTDOC", "/usr/bin/rustdoc");
        command.env("CARGO_TARGET_DIR", &self.builds);
        for own in ["RUSTFLAGS", "CARGO_ENCODED_RUSTFLAGS", "RUSTDOCFLAGS", "CARGO_BUILD_TARGET"] {
            command.env_remove(own);
        }
        command
    }

    /// clippy for Windows, with warnings as errors.
    ///
    /// `cargo clippy` would take the linter of cargo's own toolchain, so this is what it does inside, see
    /// <https://github.com/rust-lang/rust-clippy/blob/master/src/main.rs>.
    pub(super) fn clippy(&self) -> Command {
        let mut command = self.cargo("check", &[]);
        command.env("RUSTC_WORKSPACE_WRAPPER", "/usr/bin/clippy-driver");
        command.env("CLIPPY_ARGS", "-D__CLIPPY_HACKERY__warnings__CLIPPY_HACKERY__");
        command.env("SYSROOT", &self.sysroot);
        command
    }
}

fn compiler_version() -> Result<String, String> {
    sh::version_of_package("rustc-web").ok_or_else(|| "rustc-web is not installed".to_owned())
}

/// Brings the packages to the newest version that the mirror has.
fn upgrade() -> Result<(), String> {
    sh::quietly(&mut sh::apt_get(&["update"]))?;
    let install = [&["install", "-y", "--no-install-recommends"], &PACKAGES[..]].concat();
    sh::quietly(&mut sh::apt_get(&install))
}

/// Whether a compiler is older than the workspace allows, by the first two numbers of its version.
fn is_too_old(version: &str) -> bool {
    let numbers = |version: &str| {
        let mut parts = version.split('.').map(|part| part.parse::<u32>().unwrap_or(0));
        (parts.next().unwrap_or(0), parts.next().unwrap_or(0))
    };
    numbers(version) < numbers(NEEDED)
}

/// The name of the sysroot of a compiler; versions of packages hold characters that are a nuisance in paths.
fn std_name(version: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '.' { c } else { '-' };
    format!("std-{}", version.chars().map(plain).collect::<String>())
}

fn toml_text(text: &str) -> String {
    format!("{text:?}")
}

fn toml_list<S: AsRef<str>>(words: &[S]) -> String {
    format!("[{}]", words.iter().map(|word| toml_text(word.as_ref())).collect::<Vec<_>>().join(","))
}

/// The compiler's own sources.
struct Sources {
    /// The folder that holds `library`.
    root: PathBuf,
}

impl Sources {
    /// Downloads and unpacks those of `version`. A mirror forgets all but the newest version, so the compiler may have
    /// to be updated to the one whose sources can be had; `version` then changes.
    fn fetch(cache: &Cache, version: &mut String) -> Result<Self, String> {
        let folder = cache.empty("building/package")?;
        let download = |version: &str| {
            let package = format!("rust-web-src={version}");
            // A folder of root's is none that the user `_apt` may write to.
            let as_root = ["-o", "APT::Sandbox::User=root", "download", &package];
            sh::quietly(sh::apt_get(&as_root).current_dir(&folder))
        };
        if download(version).is_err() {
            sh::quietly(&mut sh::apt_get(&["update"]))?;
            if download(version).is_err() {
                upgrade()?;
                *version = compiler_version()?;
                download(version)?;
            }
        }
        let package = only_entry(&folder, "deb")?;
        let unpacked = cache.empty("building/unpacked")?;
        unpack(&package, &unpacked)?;
        Ok(Self { root: only_entry(&unpacked.join("usr/src"), "")? })
    }
}

/// Unpacks the library's part of the package; the compiler's own sources are 20 times as much.
fn unpack(package: &Path, into: &Path) -> Result<(), String> {
    let mut unpacking = Command::new("dpkg-deb");
    unpacking.arg("--fsys-tarfile").arg(package).stdout(std::process::Stdio::piped());
    let mut unpacking = unpacking.spawn().map_err(|error| format!("dpkg-deb: {error}"))?;
    let mut tar = Command::new("tar");
    tar.args(["-x", "--wildcards", "-C"]).arg(into).arg("./usr/src/rustc-*/library/*");
    if let Some(archive) = unpacking.stdout.take() {
        tar.stdin(archive);
    }
    let tar = tar.status().map_err(|error| format!("tar: {error}"))?;
    let unpacked = unpacking.wait().map_err(|error| format!("dpkg-deb: {error}"))?;
    if tar.success() && unpacked.success() {
        Ok(())
    } else {
        Err(format!("Could not unpack {}", package.display()))
    }
}

/// The only entry of a folder whose name ends with `.extension`, or any when that is empty.
fn only_entry(folder: &Path, extension: &str) -> Result<PathBuf, String> {
    let said = |error: std::io::Error| format!("Could not list {}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(said)? {
        let path = entry.map_err(said)?.path();
        if extension.is_empty() || path.extension().is_some_and(|found| found == extension) {
            found.push(path);
        }
    }
    match <[PathBuf; 1]>::try_from(found) {
        Ok([only]) => Ok(only),
        Err(found) => Err(format!("{} holds {} instead of one", folder.display(), found.len())),
    }
}

/// Builds the standard library and puts it into a sysroot.
fn build(cache: &Cache, version: &str, sources: &Sources) -> Result<(), String> {
    let name = std_name(version);
    let sysroot = cache.empty(&name)?;
    let libraries = sysroot.join("lib/rustlib").join(TARGET).join("lib");
    let library_sources = sysroot.join("lib/rustlib/src");
    fs::create_dir_all(&libraries)
        .and_then(|()| fs::create_dir_all(&library_sources))
        .map_err(|error| format!("Could not make the sysroot {}: {error}", sysroot.display()))?;
    // Where cargo looks for the sources, and the host's libraries for build scripts and macros.
    link(&sources.root, &library_sources.join("rust"))?;
    link(Path::new(HOST_LIBRARIES), &sysroot.join("lib/rustlib/x86_64-unknown-linux-gnu"))?;

    let project = cache.empty("building/project")?;
    let vendored = toml_text(&sources.root.join("library/vendor").to_string_lossy());
    let files = [
        // A workspace of its own: the cache is below the repository, which is one too.
        (
            "Cargo.toml",
            "[package]\nname=\"stdbuild\"\nversion=\"0.0.0\"\nedition=\"2021\"\n[workspace]\n".to_owned(),
        ),
        ("src/lib.rs", String::new()),
        (
            ".cargo/config.toml",
            format!("[source.crates-io]\nreplace-with=\"v\"\n[source.v]\ndirectory={vendored}\n"),
        ),
    ];
    for (file, text) in files {
        super::cache::write(&project.join(file), text)?;
    }
    let wrapper = wrapper(&sysroot, &cache.path("building/rustc"))?;
    let mut cargo = sh::cargo(&["build", "--quiet", "--offline", "--release", "--target", TARGET]);
    cargo.arg("-Zbuild-std=std,panic_unwind,panic_abort,test").current_dir(&project);
    // Both only here: what is built with the sysroot later is built as by a stable compiler.
    cargo.env("RUSTC", wrapper).env("RUSTC_BOOTSTRAP", "1").env("CARGO_TARGET_DIR", project.join("target"));
    for own in ["CARGO_ENCODED_RUSTFLAGS", "CARGO_BUILD_TARGET"] {
        cargo.env_remove(own);
    }
    // What is handed out is optimised across crates, the standard library's too.
    cargo.env("RUSTFLAGS", "-Cembed-bitcode=yes");
    sh::quietly(&mut cargo)?;
    copy_libraries(&project.join("target").join(TARGET).join("release/deps"), &libraries)?;
    fs::remove_dir_all(&library_sources).map_err(|error| format!("Could not tidy the sysroot: {error}"))?;
    cache.mark_made(&name)
}

/// The compiler with the sysroot. `-Zbuild-std` asks `rustc --print sysroot` for the place of the sources, and gives
/// it no flags.
fn wrapper(sysroot: &Path, at: &Path) -> Result<PathBuf, String> {
    super::cache::write(
        at,
        format!("#!/bin/sh\nexec {COMPILER} --sysroot '{}' \"$@\"\n", sysroot.display()),
    )?;
    sh::quietly(Command::new("chmod").arg("+x").arg(at))?;
    Ok(at.to_owned())
}

fn link(to: &Path, at: &Path) -> Result<(), String> {
    sh::quietly(Command::new("ln").args(["-sfn"]).arg(to).arg(at))
}

fn copy_libraries(from: &Path, to: &Path) -> Result<(), String> {
    let said = |error: std::io::Error| format!("Could not copy the standard library: {error}");
    let mut copied = 0;
    for entry in fs::read_dir(from).map_err(said)? {
        let entry = entry.map_err(said)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        let is_library = Path::new(&name).extension().is_some_and(|extension| extension == "rlib");
        if is_library && !name.starts_with("libstdbuild") {
            fs::copy(entry.path(), to.join(&name)).map_err(said)?;
            copied += 1;
        }
    }
    if copied == 0 { Err("the standard library came out empty".to_owned()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sysroot_is_named_after_its_compiler() {
        assert_eq!(std_name("1.96.0+dfsg1-1~deb12u2"), "std-1.96.0-dfsg1-1-deb12u2");
    }

    #[test]
    fn an_old_compiler_is_seen() {
        assert!(is_too_old("1.85.0+dfsg3-1~deb12u3") && is_too_old("0.99.0"));
        assert!(!is_too_old("1.196.0+dfsg1-1~deb12u2") && !is_too_old("2.0") && !is_too_old(NEEDED));
    }

    #[test]
    fn settings_survive_spaces_and_quotes() {
        assert_eq!(toml_list(&["a b", "c\"d", r"e\f"]), r#"["a b","c\"d","e\\f"]"#);
        assert_eq!(toml_list::<&str>(&[]), "[]");
    }
}
