//! Wine 10, and a Windows in it that is like the one the tests expect.
//!
//! Debian 12 has Wine 8, whose Windows lacks a library that every Rust program imports (`bcryptprimitives.dll`) and
//! whose `FileDispositionInfoEx` fails. So Wine comes from Debian 13, unpacked beside the system with the C library it
//! needs: no other version of anything is installed, and the system's list of sources stays as it is.
//!
//! What Wine does otherwise than Windows is in docs/windows.md. Invariant: nothing outside the cache is written, and
//! the Windows sees no folder of the user's home.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::cache::{self, Cache};
use crate::sh;

/// Tools and libraries of the system: `patchelf` is for unpacking, the others Wine loads.
const PACKAGES: [&str; 4] = ["patchelf", "libfreetype6", "libfontconfig1", "gcc-mingw-w64-x86-64-win32"];
/// From Debian 13: Wine, the libraries it is linked to, and the zlib for its Windows side.
const FROM_TRIXIE: [&str; 7] =
    ["libwine", "wine64", "libc6", "libunwind8", "liblzma5", "libgcc-s1", "libz-mingw-w64"];
const SYSTEM_LIBRARIES: &str = "/usr/lib/x86_64-linux-gnu";

/// An unpacked Wine and a Windows to run programs in.
#[derive(Clone)]
pub(super) struct Wine {
    programs: PathBuf,
    prefix: PathBuf,
    home: PathBuf,
}

impl Wine {
    /// Unpacks and sets up what is missing.
    pub(super) fn provide(cache: &Cache) -> Result<Self, String> {
        sh::provide_packages(&PACKAGES)?;
        if !cache.is_made("wine") {
            println!("unpacking Wine 10 from Debian 13");
            let made = unpack(cache);
            let removed = cache.remove("debian13");
            made.and(removed)?;
        }
        let wine = Self {
            programs: cache.path("wine/usr/lib/wine"),
            prefix: cache.path("prefix"),
            home: cache.folder("home")?,
        };
        if !cache.is_made("prefix") {
            println!("setting up a Windows in it");
            cache.empty("prefix")?;
            let set_up = wine.set_up(cache);
            let ended = wine.end();
            set_up.and(ended)?;
            cache.mark_made("prefix")?;
        }
        Ok(wine)
    }

    /// The command that starts a Windows program, which follows; it is stopped after `seconds`.
    pub(super) fn runner(&self, seconds: Option<u32>) -> Vec<String> {
        let program = self.programs.join("wine64").to_string_lossy().into_owned();
        match seconds {
            Some(seconds) => vec!["timeout".into(), "-k".into(), "5".into(), seconds.to_string(), program],
            None => vec![program],
        }
    }

    /// The environment in which Wine runs programs in this Windows.
    pub(super) fn set_environment(&self, command: &mut Command) {
        command.env("WINEPREFIX", &self.prefix).env("WINEDEBUG", "-all");
        // Neither .NET nor a browser, which it would offer to install.
        command.env("WINEDLLOVERRIDES", "mscoree=;mshtml=");
        // Names that are not ASCII are lost in any other.
        command.env("LANG", "C.UTF-8");
        for other in ["LC_ALL", "WINESERVER", "WINELOADER", "WINEDLLPATH", "WINEARCH", "DISPLAY"] {
            command.env_remove(other);
        }
    }

    /// The letter `letter`, or a share `server/share`, is the folder `to` from now on.
    pub(super) fn connect(&self, name: &str, to: &Path) -> Result<(), String> {
        let devices = self.prefix.join("dosdevices");
        let at = match name.split_once('/') {
            Some((server, share)) => devices.join("unc").join(server).join(share),
            None => devices.join(format!("{name}:")),
        };
        if let Some(folder) = at.parent() {
            fs::create_dir_all(folder)
                .map_err(|error| format!("Could not make {}: {error}", folder.display()))?;
        }
        sh::quietly(Command::new("ln").arg("-sfn").arg(to).arg(at))
    }

    pub(super) fn disconnect(&self, letter: &str) -> Result<(), String> {
        let at = self.prefix.join("dosdevices").join(format!("{letter}:"));
        match fs::remove_file(&at) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(format!("Could not remove {}: {error}", at.display()))
            }
            _ => Ok(()),
        }
    }

    /// Ends every program in this Windows and Wine's server for it, and waits for that.
    pub(super) fn end(&self) -> Result<(), String> {
        let mut command = Command::new(self.programs.join("wineserver"));
        self.set_environment(&mut command);
        // Its exit code is 1 when nothing ran, which is as good.
        let status = command.arg("-k").status();
        status.map(|_| ()).map_err(|error| format!("Could not end Wine: {error}"))
    }

    fn set_up(&self, cache: &Cache) -> Result<(), String> {
        let wine = self.runner(Some(300));
        let run = |args: &[&str]| {
            let mut command = Command::new(&wine[0]);
            command.args(&wine[1..]).args(args);
            self.set_environment(&mut command);
            // Its folders for documents and the like would lead into the user's home.
            command.env("HOME", &self.home);
            sh::quietly(&mut command)
        };
        // Without a display it reports that as a failure, after everything else is done.
        let booted = run(&["wineboot", "-i"]);
        if !self.prefix.join("system.reg").exists() {
            return booted.and(Err("Wine made no Windows".to_owned()));
        }
        self.connect("n", &cache.folder("network-drive")?)?;
        self.connect("srv/share", &cache.folder("share")?)?;
        // N: is a network drive: GetDriveTypeW tells 4.
        run(&["reg", "add", r"HKLM\Software\Wine\Drives", "/v", "n:", "/d", "network", "/f"])
    }
}

/// The path by which programs in Wine see a file of this system: Z: is the root.
pub(super) fn seen_from_inside(path: &Path) -> String {
    format!("Z:{}", path.to_string_lossy().replace('/', "\\"))
}

fn unpack(cache: &Cache) -> Result<(), String> {
    let packages = download(cache)?;
    let root = cache.empty("wine")?;
    for package in packages {
        sh::quietly(Command::new("dpkg-deb").arg("-x").arg(package).arg(&root))?;
    }
    let libraries = root.join("usr/lib/x86_64-linux-gnu");
    let programs = root.join("usr/lib/wine");
    let search = [&libraries, &libraries.join("wine/x86_64-unix"), Path::new(SYSTEM_LIBRARIES)];
    let search: Vec<_> = search.iter().map(|path| path.to_string_lossy()).collect();
    for program in ["wine64", "wineserver64"] {
        let mut patchelf = Command::new("patchelf");
        patchelf.arg("--set-interpreter").arg(libraries.join("ld-linux-x86-64.so.2"));
        patchelf.args(["--force-rpath", "--set-rpath", &search.join(":")]).arg(programs.join(program));
        sh::quietly(&mut patchelf)?;
    }
    let link = |to: &Path, at: &Path| sh::quietly(Command::new("ln").arg("-sfn").arg(to).arg(at));
    // In place of a script which names the program in /usr.
    link(Path::new("wineserver64"), &programs.join("wineserver"))?;
    // Where the server looks for its tables of character sets.
    link(Path::new("."), &root.join("usr/share/wine/wine"))?;
    let dlls = libraries.join("wine/x86_64-windows");
    put_zlib(&root.join("usr/x86_64-w64-mingw32/lib/zlib1.dll"), &dlls.join("zlib1.dll"))?;
    strip(&dlls)?;
    cache.mark_made("wine")
}

/// Downloads the packages of Debian 13 from the mirror this system uses, with lists and an archive of their own.
fn download(cache: &Cache) -> Result<Vec<PathBuf>, String> {
    let mirror = sh::output_of(
        "apt-get",
        &["indextargets", "--format", "$(REPO_URI)", "Codename: bookworm", "Created-By: Packages"],
    );
    let mirror = mirror.as_deref().and_then(|mirrors| mirrors.lines().next());
    let mirror = mirror.ok_or("apt knows no mirror of Debian 12 here")?;
    let place = cache.empty("debian13")?;
    for folder in ["lists/partial", "archives/partial", "packages"] {
        cache.folder(&format!("debian13/{folder}"))?;
    }
    let at = |name: &str| place.join(name).to_string_lossy().into_owned();
    let keys = "/usr/share/keyrings/debian-archive-keyring.gpg";
    cache::write(&place.join("status"), "")?;
    cache::write(&place.join("sources.list"), format!("deb [signed-by={keys}] {mirror} trixie main\n"))?;
    let configuration = [
        ("Dir::State", at("")),
        ("Dir::State::lists", at("lists")),
        ("Dir::State::status", at("status")),
        ("Dir::Cache", at("")),
        ("Dir::Etc::sourcelist", at("sources.list")),
        ("Dir::Etc::sourceparts", "/dev/null".to_owned()),
        // A folder of root's is none that the user `_apt` may write to.
        ("APT::Sandbox::User", "root".to_owned()),
        ("Acquire::Languages", "none".to_owned()),
        ("Acquire::IndexTargets::deb::DEP-11::DefaultEnabled", "false".to_owned()),
    ];
    let lines = configuration.iter().map(|(key, value)| format!("{key} \"{value}\";\n"));
    let text = lines.chain(["APT::Architectures { \"amd64\"; };\n".to_owned()]).collect::<String>();
    cache::write(&place.join("apt.conf"), text)?;

    let packages = place.join("packages");
    let apt = |args: &[&str]| {
        let mut command = sh::apt_get(args);
        command.env("APT_CONFIG", place.join("apt.conf")).current_dir(&packages);
        sh::quietly(&mut command)
    };
    apt(&["update"])?;
    apt(&[&["download"], &FROM_TRIXIE[..]].concat())?;
    let found = files(&packages)?;
    if found.len() == FROM_TRIXIE.len() {
        Ok(found)
    } else {
        Err(format!("apt downloaded {} packages of {}", found.len(), FROM_TRIXIE.len()))
    }
}

/// What the package's installation does: Wine loads only libraries that are marked as its own from there.
fn put_zlib(from: &Path, to: &Path) -> Result<(), String> {
    let said = |error: std::io::Error| format!("Could not put {}: {error}", to.display());
    let mut dll = fs::read(from).map_err(said)?;
    let mark = dll.get_mut(64..96).ok_or_else(|| format!("{} is no program", from.display()))?;
    mark.fill(0);
    mark[..16].copy_from_slice(b"Wine builtin DLL");
    fs::write(to, dll).map_err(said)
}

/// Without debugging symbols they take 252 MB instead of 711, and so does each Windows made of them.
fn strip(dlls: &Path) -> Result<(), String> {
    sh::quietly(Command::new("x86_64-w64-mingw32-strip").arg("--strip-debug").args(files(dlls)?))
}

fn files(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let said = |error: std::io::Error| format!("Could not list {}: {error}", folder.display());
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).map_err(said)? {
        let entry = entry.map_err(said)?;
        if entry.file_type().map_err(said)?.is_file() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_seen_below_z_from_inside() {
        assert_eq!(seen_from_inside(Path::new("/a b/c")), r"Z:\a b\c");
    }

    #[test]
    fn a_library_is_marked_as_wines_own_and_otherwise_unchanged() {
        let place = tempfile::tempdir().unwrap();
        let (from, to) = (place.path().join("from"), place.path().join("to"));
        fs::write(&from, [7; 200]).unwrap();
        put_zlib(&from, &to).unwrap();
        let marked = fs::read(&to).unwrap();
        assert_eq!(&marked[64..80], b"Wine builtin DLL");
        assert!(marked[80..96].iter().all(|&byte| byte == 0));
        assert!(marked[..64].iter().chain(&marked[96..]).all(|&byte| byte == 7) && marked.len() == 200);
        fs::write(&from, [7; 10]).unwrap();
        assert!(put_zlib(&from, &to).is_err());
    }
}
