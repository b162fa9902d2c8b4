//! The archive for Windows: both programs and what a person needs beside them.
//!
//! Invariant: the same commit, compiler and cargo packages give the same bytes. What is packed has been started once,
//! and needs nothing that is not part of every Windows 10.

use std::fs;
use std::io::{Cursor, Write};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use zip::write::SimpleFileOptions;
use zip::{CompressionMethod, DateTime, ZipWriter};

use super::session::Session;
use super::toolchain::{TARGET, Toolchain};
use crate::{sh, sums};

const VERSION: &str = env!("CARGO_PKG_VERSION");

/// A program, and the package that it comes from.
const PROGRAMS: [(&str, &str); 2] = [("fcs", "fcs-cli"), ("fcs-gui", "fcs-gui")];

/// Beside the programs: where a text is in the repository, and its name in the archive. The repository's README would
/// lead to documents and sources that nobody has who unpacks this. The licences of the window's fonts must go where
/// the window goes.
const TEXTS: [(&str, &str); 7] = [
    ("CHANGELOG.md", "CHANGELOG.md"),
    ("LICENSE-APACHE", "LICENSE-APACHE"),
    ("LICENSE-MIT", "LICENSE-MIT"),
    ("PROMISES.md", "PROMISES.md"),
    ("assets/windows-readme.txt", "README.txt"),
    ("crates/gui/assets/LICENSE-Inter.txt", "LICENSE-Inter.txt"),
    ("crates/gui/assets/LICENSE-Phosphor.txt", "LICENSE-Phosphor.txt"),
];

/// Libraries that are in the system folder of every Windows 10, in lower case. A library that is missing here is
/// either one more of these, or one that people don't have, such as `libgcc_s_seh-1.dll`.
const OF_THE_SYSTEM: [&str; 28] = [
    "advapi32.dll",
    "bcrypt.dll",
    "bcryptprimitives.dll",
    "combase.dll",
    "dwmapi.dll",
    "dwrite.dll",
    "dxgi.dll",
    "gdi32.dll",
    "imm32.dll",
    "kernel32.dll",
    "mpr.dll",
    "msvcrt.dll",
    "ntdll.dll",
    "ole32.dll",
    "oleaut32.dll",
    "opengl32.dll",
    "propsys.dll",
    "rpcrt4.dll",
    "rstrtmgr.dll",
    "secur32.dll",
    "setupapi.dll",
    "shell32.dll",
    "shlwapi.dll",
    "uiautomationcore.dll",
    "user32.dll",
    "userenv.dll",
    "uxtheme.dll",
    "ws2_32.dll",
];

/// Builds the programs, and looks at what they need of the system.
pub(super) fn build(toolchain: &Toolchain) -> Result<Vec<PathBuf>, String> {
    let mut command = toolchain.cargo_for_release("build");
    for (program, package) in PROGRAMS {
        command.args(["-p", package, "--bin", program]);
    }
    let status = command.status().map_err(|error| format!("cargo does not start: {error}"))?;
    if !status.success() {
        return Err("the programs do not build for Windows".to_owned());
    }
    let folder = toolchain.builds.join(TARGET).join("release");
    let programs: Vec<PathBuf> =
        PROGRAMS.iter().map(|(name, _)| folder.join(format!("{name}.exe"))).collect();
    for program in &programs {
        check_imports(program, &[])?;
    }
    Ok(programs)
}

/// Builds the command line alone.
pub(super) fn build_command_line(toolchain: &Toolchain) -> Result<PathBuf, String> {
    let (program, package) = PROGRAMS[0];
    let mut command = toolchain.cargo_for_release("build");
    let status = command.args(["-p", package, "--bin", program]).status();
    if !status.map_err(|error| format!("cargo does not start: {error}"))?.success() {
        return Err(format!("{program} does not build for Windows"));
    }
    let program = toolchain.builds.join(TARGET).join("release").join(format!("{program}.exe"));
    check_imports(&program, &[])?;
    Ok(program)
}

/// An error if a program needs a library that neither every Windows has nor `also` names.
pub(super) fn check_imports(program: &Path, also: &[&str]) -> Result<(), String> {
    let path = program.to_string_lossy();
    let headers = sh::output_of("x86_64-w64-mingw32-objdump", &["-p", &path]);
    let headers = headers.ok_or_else(|| format!("Could not read the headers of {path}"))?;
    let imports: Vec<String> = imports(&headers).collect();
    let is_there = |dll: &&String| is_of_the_system(dll) || also.contains(&dll.as_str());
    let foreign: Vec<&String> = imports.iter().filter(|dll| !is_there(dll)).collect();
    let name = file_name(program);
    if imports.is_empty() || !foreign.is_empty() {
        return Err(format!("{name} needs {foreign:?} of {imports:?}, which not every Windows has"));
    }
    println!("{name} needs {}", imports.join(", "));
    Ok(())
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The libraries by the words of `objdump -p`.
fn imports(headers: &str) -> impl Iterator<Item = String> {
    headers.lines().filter_map(|line| line.trim().strip_prefix("DLL Name: ")).map(str::to_ascii_lowercase)
}

fn is_of_the_system(dll: &str) -> bool {
    // Sets of functions which each Windows maps to the libraries that have them.
    dll.starts_with("api-ms-win-") || OF_THE_SYSTEM.contains(&dll)
}

/// An error unless a program starts and tells its version.
pub(super) fn starts(program: &Path, session: &Session<'_>) -> Result<(), String> {
    let mut command = session.wine_command();
    command.arg(program).arg("--version").stdout(Stdio::piped());
    let output = session.spawn(&mut command, None)?.wait_with_output();
    let file = file_name(program);
    let output = output.map_err(|error| format!("Could not start {file}: {error}"))?;
    let said = String::from_utf8_lossy(&output.stdout);
    if output.status.success() && said.trim() == format!("{} {VERSION}", file.trim_end_matches(".exe")) {
        return Ok(());
    }
    Err(format!("{file} --version ended with {} and said {said:?}", output.status))
}

/// Packs the programs and the texts into `target/dist`.
pub(super) fn pack(programs: &[PathBuf]) -> Result<(), String> {
    let folder = format!("fcs-{VERSION}-windows-x86_64");
    let read =
        |path: &Path| fs::read(path).map_err(|error| format!("Could not read {}: {error}", path.display()));
    let texts = TEXTS.iter().map(|(path, name)| (sh::repository().join(path), (*name).to_owned()));
    let mut files = Vec::new();
    for (path, name) in programs.iter().map(|path| (path.clone(), file_name(path))).chain(texts) {
        files.push((name, read(&path)?));
    }
    files.sort();
    files.extend(sums::of(&files));
    let archive =
        archive(&folder, &files, commit_time()).map_err(|error| format!("Could not pack: {error}"))?;

    sums::publish(&format!("{folder}.zip"), &archive)
}

/// A zip archive of `files`, all in one folder and of one time.
fn archive(folder: &str, files: &[(String, Vec<u8>)], time: DateTime) -> zip::result::ZipResult<Vec<u8>> {
    let options = SimpleFileOptions::default()
        .compression_method(CompressionMethod::Deflated)
        .last_modified_time(time)
        .unix_permissions(0o644);
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in files {
        zip.start_file(format!("{folder}/{name}"), options)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// When the commit was made, in UTC: the same for everyone who builds it. The format's first day where there is none.
fn commit_time() -> DateTime {
    let repository = sh::repository().to_string_lossy().into_owned();
    let seconds = sh::output_of("git", &["-C", &repository, "log", "-1", "--format=%ct"]);
    let date = seconds.and_then(|seconds| {
        sh::output_of("date", &["-u", "-d", &format!("@{seconds}"), "+%Y %m %d %H %M %S"])
    });
    date.as_deref().and_then(date_time).unwrap_or_default()
}

fn date_time(words: &str) -> Option<DateTime> {
    let mut numbers = words.split(' ').map(|word| word.parse::<u16>().ok());
    let year = numbers.next()??;
    let mut small = || numbers.next()?.and_then(|number| u8::try_from(number).ok());
    DateTime::from_date_and_time(year, small()?, small()?, small()?, small()?, small()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_library_that_people_do_not_have_is_seen() {
        let headers = "\tDLL Name: KERNEL32.dll\n\tvma: x\n\tDLL Name: libgcc_s_seh-1.dll\n \tDLL Name: api-ms-win-core-synch-l1-2-0.dll\n";
        let foreign: Vec<String> = imports(headers).filter(|dll| !is_of_the_system(dll)).collect();
        assert_eq!(foreign, ["libgcc_s_seh-1.dll"]);
    }

    #[test]
    fn every_text_is_there_and_leads_to_nothing_that_is_not_packed() {
        for (path, name) in TEXTS {
            let text = fs::read_to_string(sh::repository().join(path)).unwrap();
            let links = text.split("](").skip(1).filter_map(|rest| rest.split(')').next());
            let dead: Vec<&str> = links
                .filter(|to| !to.starts_with("http") && !to.starts_with('#'))
                .filter(|to| TEXTS.iter().all(|(_, packed)| packed != to))
                .collect();
            assert!(dead.is_empty(), "{name}: {dead:?}");
        }
        let readme = fs::read_to_string(sh::repository().join("assets/windows-readme.txt")).unwrap();
        for named in ["PROMISES.md", "CHANGELOG.md"] {
            assert!(readme.contains(named) && TEXTS.iter().any(|(_, packed)| *packed == named), "{named}");
        }
    }

    #[test]
    fn an_archive_is_the_same_each_time() {
        let files = vec![("b".to_owned(), b"text".to_vec()), ("a".to_owned(), Vec::new())];
        let time = date_time("2026 01 02 03 04 06").unwrap();
        let archived = archive("f", &files, time).unwrap();
        assert_eq!(archived, archive("f", &files, time).unwrap());
        let mut read = zip::ZipArchive::new(Cursor::new(archived)).unwrap();
        assert_eq!(read.len(), 2);
        assert_eq!(std::io::read_to_string(read.by_name("f/b").unwrap()).unwrap(), "text");
    }
}
