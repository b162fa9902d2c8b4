//! Repository chores, run as `cargo xtask <chore>`.
//!
//! Invariant: a chore that could not do all it says ends with a non-zero exit code. Chores orchestrate cargo and
//! system tools; they must not know how the product works inside.

#[cfg(target_os = "linux")]
mod bench;
mod deny;
mod documents;
mod python;
mod sh;
mod sums;
mod tally;
mod test;
mod torture;
mod windows;

use std::process::ExitCode;

const HELP: &str = "\
cargo xtask test     everything a change must pass: format, lints, tests, documentation
    quick                       what takes minutes, no root and no screen: format, lints, unit and engine tests
    python                      the module for Python alone
cargo xtask bench    fcs against cp, rsync, rclone, fcp, xcp and cpz on a file system in memory (Linux, as root)
    [start|small|large|compare|rerun|undo|growth|all]  which contests (default: all)
    window                      the window's figures at a million rows: actions, frames, memory
    --rounds N                  rounds per contest (default: 5)
    --files N                   files in the trees (default: 50000 to copy and undo, 500000 to compare and to run
                                again, up to 1000000 for growth)
    --mib N                     size of the large file in MiB (default: 1431)
    --real DIR                  on the disk that holds this folder, in a folder of its own there
    --cold                      empty the page cache before each run (default: source in the cache)
    --keep                      leave the file system mounted, or the folder there, at the end
cargo xtask torture  kills and power cuts for fcs on file systems in memory (Linux, as root)
    kill [--kills N]            kill it at every system call that changes something (default: 5000)
    power [--images N]          cut the power at every write (default: 2600)
    states [--exhaustive N] [--samples N]  more crash states of the simulated disk (any system, not as root)
    fuzz [--seconds N]          other inputs for the fuzz targets (default: 60 s each; any system, not as root)
    --fs LIST                   which of ext4,xfs,btrfs; power also knows ext4-noauto
    --seed S                    repeat a torture
    --slice                     a part that takes about a minute
    --baseline cp|rsync         torture another program, which must be found at fault
cargo xtask windows  the tests for Windows, in Wine (Debian 12, as root; installs and builds what they need)
    test [ARGS]                 all of them, or what these arguments of cargo test choose
    run [ARGS] [-- ...]         fcs.exe with the arguments after --; ARGS are those of cargo run
    clippy                      the lints
cargo xtask dist windows    fcs.exe and fcs-gui.exe in a zip below target/dist (Debian 12, as root)
cargo xtask dist wheel      the package for Python: a wheel for this system and a source distribution, below target/dist
    windows                     a wheel for Windows instead (Debian 12, as root)
cargo xtask help     this text
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let result = if std::env::var_os(test::PLANTED).is_some() {
        test::rustc_with_planted_faults(&args)
    } else {
        chore(&args)
    };
    match result {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("xtask: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Does what the words ask for; a chore that nobody knows ends the program.
fn chore(args: &[String]) -> Result<bool, String> {
    match args.split_first().map(|(chore, rest)| (chore.as_str(), rest)) {
        Some(("test", [])) => test::run(),
        Some(("test", [what])) if what == "quick" => test::quick(),
        Some(("test", [what])) if what == "python" => Ok(test::python()),
        #[cfg(target_os = "linux")]
        Some(("bench", rest)) => bench::run(rest),
        Some(("torture", rest)) => torture::run(rest),
        Some(("windows", rest)) => windows::command(rest),
        Some(("dist", [system])) if system == "windows" => windows::dist(),
        Some(("dist", [what, rest @ ..])) if what == "wheel" => python::dist(rest),
        Some(("help" | "--help" | "-h", _)) => {
            print!("{HELP}");
            Ok(true)
        }
        _ => {
            eprint!("{HELP}");
            std::process::exit(2);
        }
    }
}
