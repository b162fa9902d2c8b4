//! Environments of Python below the target folder: tools in pinned versions, and empty ones to install into.
//!
//! Invariant: nothing is installed for the system or for its user, and no setting of theirs reaches a program that runs
//! in an environment, but where pip finds packages. What an interrupted chore left is made anew.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::interpreters::Interpreter;
use crate::sh;

/// Tells of what an environment was made.
const MARK: &str = "made-of.txt";

/// An environment.
pub(super) struct Venv {
    root: PathBuf,
}

impl Venv {
    /// The environment at `root` with `requirements`, a text as pip reads it; made unless it is there.
    pub(super) fn provide(
        root: PathBuf,
        interpreter: &Interpreter,
        requirements: &str,
    ) -> Result<Self, String> {
        let mark = format!("{}\n{requirements}", interpreter.program.display());
        if fs::read_to_string(root.join(MARK)).is_ok_and(|made| made == mark) {
            return Ok(Self { root });
        }
        println!("making {} with {}", root.display(), interpreter.name());
        let venv = Self::empty(root, interpreter)?;
        let list = venv.root.join("requirements.txt");
        let said = |error: std::io::Error| format!("Could not write {}: {error}", venv.root.display());
        fs::write(&list, requirements).map_err(said)?;
        sh::quietly(venv.pip_install().arg("--requirement").arg(&list))?;
        fs::write(venv.root.join(MARK), mark).map_err(said)?;
        Ok(venv)
    }

    /// A new environment at `root`, in place of what may be there.
    pub(super) fn empty(root: PathBuf, interpreter: &Interpreter) -> Result<Self, String> {
        remove(&root)?;
        let mut command = Command::new(&interpreter.program);
        sh::quietly(without_settings(command.args(["-I", "-m", "venv"]).arg(&root)))?;
        Ok(Self { root })
    }

    /// `python` in it, which writes no compiled files beside what it imports.
    pub(super) fn python(&self) -> Command {
        let mut command = Command::new(self.program("python"));
        without_settings(&mut command).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }

    /// The start of an installation, for what follows.
    pub(super) fn pip_install(&self) -> Command {
        let mut command = self.python();
        command.args(["-m", "pip", "--disable-pip-version-check", "--no-input", "install", "--quiet"]);
        command
    }

    /// A program in it, which need not be there.
    pub(super) fn program(&self, name: &str) -> PathBuf {
        let folder = self.root.join(if cfg!(windows) { "Scripts" } else { "bin" });
        folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
    }

    /// Where its packages lie.
    pub(super) fn packages(&self) -> Result<PathBuf, String> {
        let question = "import sysconfig; print(sysconfig.get_path('platlib'))";
        let output = self.python().args(["-I", "-c", question]).output();
        let output = output.map_err(|error| format!("Could not start {}: {error}", self.root.display()))?;
        let folder = PathBuf::from(String::from_utf8_lossy(&output.stdout).trim());
        if folder.is_dir() { Ok(folder) } else { Err(format!("{} has no packages", self.root.display())) }
    }
}

/// Without what of the caller's own Python would lead elsewhere.
pub(super) fn without_settings(command: &mut Command) -> &mut Command {
    for own in
        ["PYTHONHOME", "PYTHONPATH", "PYTHONSTARTUP", "VIRTUAL_ENV", "CONDA_PREFIX", "PIP_TARGET", "PIP_USER"]
    {
        command.env_remove(own);
    }
    command
}

/// Removes a folder that may not be there.
pub(super) fn remove(folder: &Path) -> Result<(), String> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("Could not remove {}: {error}", folder.display()))
        }
        _ => Ok(()),
    }
}
