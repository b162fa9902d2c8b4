//! Running one contestant once: wall-clock time, processor time, peak memory, and an end to it on Ctrl-C.
//!
//! Invariant: a contestant runs in a process group of its own, and an interrupt ends that group and nothing else.

use std::ffi::OsString;
use std::fs;
use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::sh;

static INTERRUPTED: AtomicBool = AtomicBool::new(false);
/// Process group of the contestant that runs; 0 when none does.
static RUNNING: AtomicU32 = AtomicU32::new(0);

/// From now on Ctrl-C and termination end the running contestant, and the bench cleans up.
pub(super) fn catch_interrupts() -> Result<(), String> {
    let end = || {
        INTERRUPTED.store(true, Ordering::SeqCst);
        let group = RUNNING.load(Ordering::SeqCst);
        if group != 0 {
            let _ = Command::new("sh").args(["-c", &format!("kill -TERM -{group}")]).status();
        }
    };
    ctrlc::set_handler(end).map_err(|error| format!("Could not watch for Ctrl-C: {error}"))
}

/// An error after an interrupt, so that callers can leave by `?` and clean up on the way.
pub(super) fn stop_if_interrupted() -> io::Result<()> {
    if INTERRUPTED.load(Ordering::SeqCst) {
        return Err(io::Error::new(io::ErrorKind::Interrupted, "interrupted"));
    }
    Ok(())
}

/// What one run took.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// Wall-clock seconds.
    pub(super) wall: f64,
    /// User and system seconds of all its processes, in steps of 10 ms. Work of kernel threads is not in it.
    pub(super) cpu: f64,
    /// Largest resident set of any of its processes in MiB, where `time` is installed.
    pub(super) peak_mib: Option<f64>,
}

/// How one run ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) sample: Sample,
    /// None when a signal ended it.
    pub(super) code: Option<i32>,
    pub(super) stderr: String,
}

/// Runs a shell script with the variables S (source), D (target) and FCS (the program). Its `;` stop at a failure.
pub(super) fn script(script: &str, source: &Path, target: &Path, fcs: &Path) -> Result<Ended, String> {
    stop_if_interrupted().map_err(|error| error.to_string())?;
    let said = |error: io::Error| format!("Could not run a contestant: {error}");
    // Everybody starts with an empty home: no caches, no settings, no history.
    let scratch = tempfile::Builder::new().prefix("fcs-bench-").tempdir().map_err(said)?;
    let (home, peak, errors) = (scratch.path(), scratch.path().join("peak"), scratch.path().join("stderr"));

    let mut command = if Path::new("/usr/bin/time").exists() {
        let mut command = Command::new("/usr/bin/time");
        command.args(["--quiet", "-f", "%M", "-o"]).arg(&peak).arg("sh");
        command
    } else {
        Command::new("sh")
    };
    command
        .args(["-ec", script])
        .env("PATH", search_path())
        .env("HOME", home)
        .env("XDG_CONFIG_HOME", home.join("config"))
        .env("XDG_DATA_HOME", home.join("data"))
        .env("XDG_STATE_HOME", home.join("state"))
        .env("XDG_CACHE_HOME", home.join("cache"))
        .env("LC_ALL", "C.UTF-8")
        .env("S", source)
        .env("D", target)
        .env("FCS", fcs)
        .current_dir(home)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        // A file and not a pipe: nobody reads a pipe while the clock runs.
        .stderr(fs::File::create(&errors).map_err(said)?)
        .process_group(0);
    let cpu_before = children_cpu();
    let start = Instant::now();
    let mut child = command.spawn().map_err(said)?;
    RUNNING.store(child.id(), Ordering::SeqCst);
    let status = child.wait();
    let wall = start.elapsed();
    RUNNING.store(0, Ordering::SeqCst);
    let cpu = children_cpu().saturating_sub(cpu_before);
    stop_if_interrupted().map_err(|error| error.to_string())?;
    let peak_kib =
        fs::read_to_string(&peak).ok().and_then(|text| text.lines().last()?.trim().parse::<f64>().ok());
    Ok(Ended {
        sample: Sample {
            wall: wall.as_secs_f64(),
            cpu: cpu.as_secs_f64(),
            peak_mib: peak_kib.map(|kib| kib / 1024.0),
        },
        code: status.map_err(said)?.code(),
        stderr: String::from_utf8_lossy(&fs::read(&errors).map_err(said)?).trim().to_owned(),
    })
}

/// Where contestants are looked for: what cargo built for the bench, then the system's.
fn search_path() -> OsString {
    let mut path = super::tools_dir().join("bin").into_os_string();
    path.push(":");
    path.push(sh::search_path());
    path
}

/// Whether `tool` can take part.
pub(super) fn has(tool: &str) -> bool {
    std::env::split_paths(&search_path()).any(|dir| dir.join(tool).is_file())
}

/// Processor time of all children this process has waited for, and of theirs.
fn children_cpu() -> Duration {
    let stat = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // The second field, the name, may hold spaces; it ends with the last bracket. After it, cutime and cstime are the
    // 14th and 15th field, in ticks of which Linux shows 100 per second to programs on all its processors.
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace().skip(13).take(2);
    Duration::from_millis(fields.filter_map(|field| field.parse::<u64>().ok()).sum::<u64>() * 10)
}

/// Copies a tree with all times, for contests that start from two equal ones.
pub(super) fn copy_tree(source: &Path, target: &Path) -> Result<(), String> {
    fs::create_dir(target).map_err(|error| format!("Could not create the second tree: {error}"))?;
    let ended = script(r#"cp -a "$S/." "$D/""#, source, target, Path::new(""))?;
    if ended.code == Some(0) { Ok(()) } else { Err(format!("Could not copy the tree: {}", ended.stderr)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run(text: &str) -> Ended {
        script(text, Path::new("/source dir"), Path::new("/target"), Path::new("/bin/fcs")).unwrap()
    }

    #[test]
    fn a_run_reports_its_end_its_words_and_its_cost() {
        let ended = run(r#"test "$S" = "/source dir"; echo "no $FCS" >&2; exit 3"#);
        assert_eq!((ended.code, ended.stderr.as_str()), (Some(3), "no /bin/fcs"));
        assert_eq!(run("false; true").code, Some(1), "a failing part fails the whole");

        let busy = run("i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done").sample;
        assert!(busy.cpu > 0.0 && busy.wall > 0.0, "{busy:?}");
        if Path::new("/usr/bin/time").exists() {
            assert!(busy.peak_mib.is_some_and(|mib| mib > 0.0), "{busy:?}");
        }
    }
}
