//! Wine for the time of one chore: its drives are there at the beginning, and at the end nothing is left running or
//! mounted, also after a failure or an interrupt.
//!
//! Invariant: only what this chore started is ended, the server by its prefix and the file system by its name.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::{Mutex, PoisonError};

use super::cache::Cache;
use super::wine::{Wine, seen_from_inside};
use crate::sh;

/// Megabytes of the volume that tests may fill.
const SMALL_MB: u32 = 32;
/// What tests may read about their surroundings; on a real Windows a person can set the same.
const SMALL_VOLUME: (&str, &str) = ("FCS_TEST_SMALL_VOLUME", r"T:\");
const NETWORK_DRIVE: (&str, &str) = ("FCS_TEST_NETWORK_DRIVE", r"N:\");
const SHARE: (&str, &str) = ("FCS_TEST_SHARE", r"\\srv\share");

/// What an interrupt has to end.
static LIVE: Mutex<Option<Live>> = Mutex::new(None);

#[derive(Clone)]
struct Live {
    wine: Wine,
    small: Option<PathBuf>,
    /// The cargo that runs, by its process number.
    cargo: Option<u32>,
}

/// Wine with its drives.
pub(super) struct Session<'a> {
    cache: &'a Cache,
    pub(super) wine: &'a Wine,
    /// Why there is no small volume.
    pub(super) no_small_volume: Option<String>,
}

impl<'a> Session<'a> {
    /// Does `work` with Wine at hand, and ends Wine afterwards however the work ended.
    pub(super) fn with<T>(
        cache: &'a Cache,
        wine: &'a Wine,
        work: impl FnOnce(&Self) -> Result<T, String>,
    ) -> Result<T, String> {
        let place = cache.folder("small-volume")?;
        // What a killed chore left.
        wine.end()?;
        unmount(&place)?;
        let mounted = mount(&place);
        let small = mounted.is_ok().then(|| place.clone());
        set_live(Some(Live { wine: wine.clone(), small: small.clone(), cargo: None }));
        end_on_interrupt();
        let connected = match small {
            Some(_) => wine.connect("t", &place),
            None => wine.disconnect("t"),
        };
        let session = Self { cache, wine, no_small_volume: mounted.err() };
        let done = connected.and_then(|()| work(&session));
        let ended = take_live().map_or(Ok(()), |live| live.end());
        done.and_then(|value| ended.map(|()| value))
    }

    /// Starts cargo with what the Windows programs that it runs need. They log skips to `skips`.
    pub(super) fn spawn(&self, command: &mut Command, skips: Option<&Path>) -> Result<Child, String> {
        self.wine.set_environment(command);
        command.env(NETWORK_DRIVE.0, NETWORK_DRIVE.1).env(SHARE.0, SHARE.1);
        if self.no_small_volume.is_none() {
            command.env(SMALL_VOLUME.0, SMALL_VOLUME.1);
        }
        if let Some(skips) = skips {
            command.env("FCS_SKIP_LOG", seen_from_inside(skips));
        }
        let child = command.spawn().map_err(|error| format!("cargo does not start: {error}"))?;
        if let Some(live) = LIVE.lock().unwrap_or_else(PoisonError::into_inner).as_mut() {
            live.cargo = Some(child.id());
        }
        Ok(child)
    }

    /// The start of a command that runs one Windows program, for [`Session::spawn`].
    pub(super) fn wine_command(&self) -> Command {
        let runner = self.wine.runner(Some(60));
        let mut command = Command::new(&runner[0]);
        command.args(&runner[1..]);
        command
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.cache.path(name)
    }
}

impl Live {
    /// Tries every part, and reports the first that failed.
    fn end(&self) -> Result<(), String> {
        let ended = self.wine.end();
        let unmounted = self.small.as_deref().map_or(Ok(()), unmount);
        ended.and(unmounted)
    }
}

fn set_live(live: Option<Live>) {
    *LIVE.lock().unwrap_or_else(PoisonError::into_inner) = live;
}

fn take_live() -> Option<Live> {
    LIVE.lock().unwrap_or_else(PoisonError::into_inner).take()
}

/// Ctrl-C reaches cargo, but not what `timeout` started, nor Wine's server. Whoever comes first ends them.
fn end_on_interrupt() {
    let end = || {
        if let Some(live) = take_live() {
            if let Some(cargo) = live.cargo.filter(|&cargo| is_ours(cargo)) {
                // Otherwise it would go on with the next test program.
                let _ = Command::new("kill").arg(cargo.to_string()).status();
            }
            if let Err(error) = live.end() {
                eprintln!("xtask: {error}");
            }
        }
        std::process::exit(130);
    };
    // It can be set once; a second session of this chore finds the first one's, which does the same.
    let _ = ctrlc::set_handler(end);
}

/// Whether a process is a child of this one. Once a child has been waited for, its number may be another's.
fn is_ours(process: u32) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let parent = status.lines().find_map(|line| line.strip_prefix("PPid:"));
    parent.is_some_and(|parent| parent.trim() == std::process::id().to_string())
}

/// A small file system in memory at `place`, under a name that shows whose it is.
fn mount(place: &Path) -> Result<(), String> {
    let size = format!("size={SMALL_MB}m,mode=0777");
    sh::quietly(Command::new("mount").args(["-t", "tmpfs", "-o", &size, NAME]).arg(place))
}

const NAME: &str = "fcs-small-volume";

/// Unmounts that file system from `place`, if it is there.
fn unmount(place: &Path) -> Result<(), String> {
    let mounts = fs::read_to_string("/proc/self/mounts").unwrap_or_default();
    if is_mounted(&mounts, place) {
        sh::quietly(Command::new("umount").arg(place))?;
    }
    Ok(())
}

/// Whether lines of `/proc/self/mounts` show ours at `place`.
fn is_mounted(mounts: &str, place: &Path) -> bool {
    // Spaces and the like are written as octal numbers there, see proc_pid_mounts(5).
    let place = place.to_string_lossy().replace('\\', "\\134").replace(' ', "\\040").replace('\t', "\\011");
    mounts.lines().any(|line| {
        let mut fields = line.split(' ');
        fields.next() == Some(NAME) && fields.next() == Some(&place)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn only_what_this_process_started_is_ours() {
        let mut child = Command::new("sleep").arg("60").spawn().unwrap();
        let number = child.id();
        assert!(is_ours(number) && !is_ours(1) && !is_ours(std::process::id()));
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(!is_ours(number));
    }

    #[test]
    fn only_our_file_system_at_our_place_is_taken_for_ours() {
        let mounts = "tmpfs /a/small tmpfs rw 0 0\nfcs-small-volume /b\\040c/small tmpfs rw 0 0\n";
        assert!(is_mounted(mounts, Path::new("/b c/small")));
        assert!(!is_mounted(mounts, Path::new("/a/small")));
        assert!(!is_mounted(mounts, Path::new("/b c")));
    }
}
