//! The packages for Python: a wheel with the module, the sources and the program `fcs`, and a source distribution.
//!
//! Invariant: what is handed out holds the files of `python/src` and nothing that lay beside them, keeps the promises of
//! its name, and was installed into an empty environment of each interpreter here. A source distribution has been built
//! from, in an empty folder.

use std::collections::BTreeSet;
use std::ffi::OsString;
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::Command;

use zip::ZipArchive;

use super::folder;
use super::interpreters::{self, Interpreter};
use super::tags::{self, System};
use super::venv::{self, Venv};
use crate::{sh, sums, windows};

/// maturin and abi3audit, in pinned versions, with all that they need.
pub(super) const TOOLS: &str = include_str!("tools.txt");

const VERSION: &str = env!("CARGO_PKG_VERSION");
const PACKAGE: &str = "foldercomparesync";

/// What is set for cargo.
type Settings = Vec<(&'static str, OsString)>;

/// A wheel, and what must be in it.
struct Wheel {
    path: PathBuf,
    system: System,
    has_program: bool,
}

/// Makes the wheel for this system, and the source distribution.
pub(super) fn dist() -> Result<(), String> {
    let found = interpreters::provide();
    let chosen = interpreters::chosen(&found);
    let &first = chosen.first().ok_or("no Python that makes environments is here")?;
    let tools = Venv::provide(folder().join("tools"), first, TOOLS)?;

    let settings = settings();
    let program = build_program(&settings)?;
    let system = System::this();
    let path = with_program(&program, || maturin(&tools, first, "build", &settings, &[]))?;
    let wheel = Wheel { path, system, has_program: true };
    wheel.check()?;
    if system == System::Linux {
        wheel.check_libraries()?;
    }
    audit(&tools, &wheel.path)?;
    for interpreter in &chosen {
        wheel.install(interpreter)?;
    }

    let sources = maturin(&tools, first, "sdist", &settings, &[])?;
    build_from(&sources, first)?;
    for package in [&wheel.path, &sources] {
        publish(package)?;
    }
    Ok(())
}

/// Makes the wheel for Windows on this system.
pub(super) fn dist_windows() -> Result<(), String> {
    let found = interpreters::provide();
    let chosen = interpreters::chosen(&found);
    let &first = chosen.first().ok_or("no Python that makes environments is here")?;
    let tools = Venv::provide(folder().join("tools"), first, TOOLS)?;

    let path = windows::for_wheel(|made| {
        let mut settings = made.settings.clone();
        settings.extend(time());
        with_program(&made.program, || maturin(&tools, first, "build", &settings, &["--target", made.target]))
    })?;
    let wheel = Wheel { path, system: System::Windows, has_program: true };
    wheel.check()?;
    let module = folder().join("_engine.pyd");
    fs::write(&module, wheel.read("foldercomparesync/_engine.pyd")?)
        .map_err(|error| format!("Could not write {}: {error}", module.display()))?;
    windows::check_module(&module)?;
    audit(&tools, &wheel.path)?;
    publish(&wheel.path)
}

/// What cargo needs to build for this system what is handed out. Apart from other builds: other flags make it.
fn settings() -> Settings {
    let mut settings = vec![
        ("CARGO_TARGET_DIR", folder().join("builds").into()),
        ("CARGO_ENCODED_RUSTFLAGS", sh::flags_without_paths().join("\u{1f}").into()),
        ("CARGO_PROFILE_RELEASE_STRIP", "true".into()),
    ];
    settings.extend(time());
    settings
}

/// The files in a package get the time of the commit.
fn time() -> Option<(&'static str, OsString)> {
    let repository = sh::repository().to_string_lossy().into_owned();
    let seconds = sh::output_of("git", &["-C", &repository, "log", "-1", "--format=%ct"])?;
    Some(("SOURCE_DATE_EPOCH", seconds.into()))
}

/// Builds the command line.
fn build_program(settings: &Settings) -> Result<PathBuf, String> {
    let mut cargo = sh::cargo(&["build", "--release", "--locked", "-p", "fcs-cli", "--bin", "fcs"]);
    let status = cargo.envs(settings.clone()).status();
    if !status.map_err(|error| format!("cargo does not start: {error}"))?.success() {
        return Err("fcs does not build".to_owned());
    }
    Ok(folder().join("builds/release").join(format!("fcs{}", std::env::consts::EXE_SUFFIX)))
}

/// Does `work` while the program lies where maturin looks for what else goes into a wheel.
fn with_program<T>(program: &Path, work: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    let data = sh::repository().join("python/foldercomparesync._engine.data");
    let scripts = data.join("scripts");
    let said = |error: std::io::Error| format!("Could not put {} there: {error}", program.display());
    let put = || {
        fs::create_dir_all(&scripts)?;
        fs::copy(program, scripts.join(program.file_name().unwrap_or_default()))
    };
    venv::remove(&data)?;
    let done = put().map_err(said).and_then(|_| work());
    let removed = venv::remove(&data);
    done.and_then(|value| removed.map(|()| value))
}

/// Has maturin make one package.
fn maturin(
    tools: &Venv,
    interpreter: &Interpreter,
    what: &str,
    settings: &Settings,
    more: &[&str],
) -> Result<PathBuf, String> {
    println!("\n== maturin {what} {}", more.join(" "));
    let out = folder().join(format!("out-{what}"));
    venv::remove(&out)?;
    let mut command = Command::new(tools.program("maturin"));
    command.arg(what).arg("--out").arg(&out).args(more);
    if what == "build" {
        // Libraries of this system would be packed into the wheel otherwise, and a name that no index takes is refused.
        command.args(["--release", "--auditwheel", "check", "--compatibility", "pypi"]);
        // Not in pyproject.toml: from a source distribution, whose workspace is smaller, nothing would build any more.
        command.args(["--locked", "--interpreter"]);
        command.arg(&interpreter.program);
    }
    venv::without_settings(&mut command).envs(settings.clone()).current_dir(sh::repository().join("python"));
    let status = command.status().map_err(|error| format!("maturin does not start: {error}"))?;
    if !status.success() {
        return Err(format!("maturin {what} ended with {status}"));
    }
    only_file(&out)
}

fn only_file(folder: &Path) -> Result<PathBuf, String> {
    let said = |error: std::io::Error| format!("Could not list {}: {error}", folder.display());
    let entries = fs::read_dir(folder).map_err(said)?.collect::<Result<Vec<_>, _>>().map_err(said)?;
    match &entries[..] {
        [one] => Ok(one.path()),
        other => Err(format!("{} files are in {}, instead of one", other.len(), folder.display())),
    }
}

impl Wheel {
    fn name(&self) -> String {
        file_name(&self.path)
    }

    /// An error unless its tags and its contents are what they should be.
    fn check(&self) -> Result<(), String> {
        let metadata = self.read(&format!("{PACKAGE}-{VERSION}.dist-info/WHEEL"))?;
        tags::check(&self.name(), &String::from_utf8_lossy(&metadata), VERSION, self.system)?;
        let sources = sources(&sh::repository().join("python/src"))?;
        let expected = expected(&sources, self.system, self.has_program);
        let wrong = differences(&expected, &self.files()?);
        if wrong.is_empty() { Ok(()) } else { Err(format!("{}: {}", self.name(), wrong.join(", "))) }
    }

    fn open(&self) -> Result<ZipArchive<fs::File>, String> {
        let said = |error: &dyn std::fmt::Display| format!("Could not open {}: {error}", self.path.display());
        let file = fs::File::open(&self.path).map_err(|error| said(&error))?;
        ZipArchive::new(file).map_err(|error| said(&error))
    }

    fn files(&self) -> Result<BTreeSet<String>, String> {
        let mut files = BTreeSet::new();
        for name in self.open()?.file_names() {
            let name = name.map_err(|error| format!("{}: {error}", self.name()))?;
            if !name.ends_with('/') {
                files.insert(name.into_owned());
            }
        }
        Ok(files)
    }

    fn read(&self, name: &str) -> Result<Vec<u8>, String> {
        let mut archive = self.open()?;
        let mut file = archive.by_name(name).map_err(|error| format!("{}: {name}: {error}", self.name()))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(|error| format!("{}: {name}: {error}", self.name()))?;
        Ok(bytes)
    }

    /// An error if the module or the program needs a newer C library than the name promises, or another library.
    fn check_libraries(&self) -> Result<(), String> {
        let promised = tags::glibc_promised(&self.name())
            .ok_or_else(|| format!("{} promises no C library", self.name()))?;
        for name in [module(self.system).to_owned(), program(self.system)] {
            let path = folder().join("looked-into");
            fs::write(&path, self.read(&name)?)
                .map_err(|error| format!("Could not write {}: {error}", path.display()))?;
            let path = path.to_string_lossy();
            let told = |what| {
                sh::output_of("objdump", &[what, &path]).ok_or_else(|| format!("objdump cannot read {name}"))
            };
            let needed = tags::glibc_needed(&told("-T")?);
            let headers = told("-p")?;
            let foreign = tags::foreign_libraries(&headers);
            let version = |(major, minor): (u32, u32)| format!("glibc {major}.{minor}");
            println!("{name} needs {}", needed.map_or_else(String::new, version));
            if needed.is_none_or(|needed| needed > promised) {
                return Err(format!("{name} needs more than the {} of {}", version(promised), self.name()));
            }
            if !foreign.is_empty() {
                return Err(format!("{name} needs {foreign:?}, which not every Linux has"));
            }
        }
        Ok(())
    }

    /// Installs it into an empty environment without a network, and uses all three things it brings.
    fn install(&self, interpreter: &Interpreter) -> Result<(), String> {
        let at = folder().join(format!("installed-{}.{}", interpreter.version.0, interpreter.version.1));
        let venv = Venv::empty(at, interpreter)?;
        sh::quietly(venv.pip_install().args(["--no-index", "--no-deps"]).arg(&self.path))?;
        let modules = sources(&sh::repository().join("python/src"))?;
        let modules: Vec<&str> = modules.iter().filter_map(|file| top_level_module(file)).collect();
        let question = format!(
            "import importlib.util, sys, foldercomparesync, foldercomparesync._engine as engine\n\
             missing = [name for name in sys.argv[1:] if importlib.util.find_spec(name) is None]\n\
             sys.exit(f'not found: {{missing}}') if missing else None\n\
             sys.exit(f'_engine is {{engine.VERSION}}') if engine.VERSION != {VERSION:?} else None"
        );
        let elsewhere = folder();
        sh::quietly(venv.python().args(["-I", "-c", &question]).args(modules).current_dir(elsewhere))
            .map_err(|error| format!("{} with {}: {error}", self.name(), interpreter.name()))?;
        if self.has_program {
            let program = venv.program("fcs").to_string_lossy().into_owned();
            let said = sh::output_of(&program, &["--version"]);
            if said != Some(format!("fcs {VERSION}")) {
                return Err(format!("{program} --version said {said:?}"));
            }
        }
        println!("{} works with {}", self.name(), interpreter.name());
        Ok(())
    }
}

/// An error unless every symbol that the module needs is in the interface that its name promises.
fn audit(tools: &Venv, wheel: &Path) -> Result<(), String> {
    println!("\n== abi3audit --strict");
    let mut command = Command::new(tools.program("abi3audit"));
    venv::without_settings(command.args(["--strict", "--verbose"]).arg(wheel));
    let status = command.status().map_err(|error| format!("abi3audit does not start: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("abi3audit refuses {}", file_name(wheel))) }
}

/// An error unless a source distribution builds in an empty folder, with nothing but what the registries have.
fn build_from(sources: &Path, interpreter: &Interpreter) -> Result<(), String> {
    println!("\n== pip wheel, from the source distribution");
    let place = tempfile::tempdir().map_err(|error| format!("Could not make a folder: {error}"))?;
    sh::quietly(Command::new("tar").arg("-xzf").arg(sources).arg("-C").arg(place.path()))?;
    let unpacked = only_file(place.path())?;
    for file in ["Cargo.lock", "pyproject.toml", "PKG-INFO"] {
        if !unpacked.join(file).is_file() {
            return Err(format!("{} has no {file}", file_name(sources)));
        }
    }
    let at = folder().join("builder");
    let venv = Venv::empty(at, interpreter)?;
    let out = place.path().join("out");
    let mut pip = venv.python();
    pip.args(["-m", "pip", "--disable-pip-version-check", "--no-input", "wheel", "--no-deps", "--wheel-dir"]);
    pip.arg(&out).arg(&unpacked).current_dir(place.path());
    // Neither this repository's settings nor its builds.
    for own in ["PYO3_NO_PYTHON", "PYO3_BUILD_EXTENSION_MODULE", "CARGO_BUILD_TARGET"] {
        pip.env_remove(own);
    }
    pip.env("CARGO_TARGET_DIR", place.path().join("builds"));
    let status = pip.status().map_err(|error| format!("pip does not start: {error}"))?;
    if !status.success() {
        return Err(format!("{} does not build", file_name(sources)));
    }
    let wheel = Wheel { path: only_file(&out)?, system: System::this(), has_program: false };
    // For this machine alone, so its platform is no promise.
    if !wheel.name().starts_with(&format!("{PACKAGE}-{VERSION}-cp311-abi3-")) {
        return Err(format!("{} was built from {}", wheel.name(), file_name(sources)));
    }
    wheel.install(interpreter)
}

fn publish(package: &Path) -> Result<(), String> {
    let bytes =
        fs::read(package).map_err(|error| format!("Could not read {}: {error}", package.display()))?;
    sums::publish(&file_name(package), &bytes)
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// The files below a folder of sources, as a wheel names them, but for what Python compiled.
fn sources(root: &Path) -> Result<BTreeSet<String>, String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![(root.to_owned(), String::new())];
    while let Some((folder, prefix)) = folders.pop() {
        let said = |error: std::io::Error| format!("Could not list {}: {error}", folder.display());
        for entry in fs::read_dir(&folder).map_err(said)? {
            let entry = entry.map_err(said)?;
            let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
            if entry.file_type().map_err(said)?.is_file() {
                found.insert(name);
            } else if entry.file_name() != "__pycache__" {
                folders.push((entry.path(), format!("{name}/")));
            }
        }
    }
    Ok(found)
}

fn top_level_module(file: &str) -> Option<&str> {
    file.strip_suffix(".py").filter(|name| !name.contains('/'))
}

fn module(system: System) -> &'static str {
    match system {
        System::Windows => "foldercomparesync/_engine.pyd",
        System::Linux | System::MacOs => "foldercomparesync/_engine.abi3.so",
    }
}

fn program(system: System) -> String {
    let name = if system == System::Windows { "fcs.exe" } else { "fcs" };
    format!("{PACKAGE}-{VERSION}.data/scripts/{name}")
}

/// What a wheel holds.
fn expected(sources: &BTreeSet<String>, system: System, has_program: bool) -> BTreeSet<String> {
    let info = |name: &str| format!("{PACKAGE}-{VERSION}.dist-info/{name}");
    let mut files = sources.clone();
    files.insert(module(system).to_owned());
    files.extend(has_program.then(|| program(system)));
    files
        .extend(["METADATA", "RECORD", "WHEEL", "licenses/LICENSE-APACHE", "licenses/LICENSE-MIT"].map(info));
    files
}

/// What is missing, and what is there besides.
fn differences(expected: &BTreeSet<String>, there: &BTreeSet<String>) -> Vec<String> {
    let missing = expected.difference(there).map(|name| format!("has no {name}"));
    let besides = there.difference(expected);
    missing.chain(besides.map(|name| format!("has {name} besides"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|&name| name.to_owned()).collect()
    }

    #[test]
    fn a_wheel_holds_the_sources_the_module_the_program_and_the_licences() {
        let files = expected(&set(&["A.py", "foldercomparesync/__init__.py"]), System::Linux, true);
        assert_eq!(differences(&files, &files), [""; 0]);
        for one in [
            "A.py",
            "foldercomparesync/_engine.abi3.so",
            "foldercomparesync-0.1.0.data/scripts/fcs",
            "foldercomparesync-0.1.0.dist-info/licenses/LICENSE-MIT",
        ] {
            let mut less = files.clone();
            assert!(less.remove(&one.replace("0.1.0", VERSION)), "{one}");
            assert_eq!(differences(&files, &less).len(), 1, "{one}");
        }
        let windows = expected(&set(&[]), System::Windows, true);
        assert!(windows.contains("foldercomparesync/_engine.pyd"));
        assert!(windows.iter().any(|name| name.ends_with("scripts/fcs.exe")));
    }

    #[test]
    fn what_lay_beside_the_sources_is_seen() {
        let files = expected(&set(&["A.py"]), System::Linux, false);
        let with = |name: &str| files.iter().cloned().chain([name.to_owned()]).collect::<BTreeSet<_>>();
        assert_eq!(differences(&files, &with("notes.txt")), ["has notes.txt besides"]);
    }

    #[test]
    fn sources_are_named_as_in_a_wheel() {
        let place = tempfile::tempdir().unwrap();
        fs::create_dir_all(place.path().join("package/__pycache__")).unwrap();
        for file in ["A.py", "package/b.py", "package/py.typed", "package/__pycache__/b.pyc"] {
            fs::write(place.path().join(file), "").unwrap();
        }
        let found = sources(place.path()).unwrap();
        assert_eq!(found, set(&["A.py", "package/b.py", "package/py.typed"]));
        assert_eq!(found.iter().filter_map(|file| top_level_module(file)).collect::<Vec<_>>(), ["A"]);
    }

    #[test]
    fn one_package_is_made_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        assert!(only_file(place.path()).is_err());
        fs::write(place.path().join("a"), "").unwrap();
        assert_eq!(only_file(place.path()), Ok(place.path().join("a")));
        fs::write(place.path().join("b"), "").unwrap();
        assert!(only_file(place.path()).is_err());
    }
}
