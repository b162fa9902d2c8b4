//! What can be typed, and which torture it starts.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use fcs_testkit::FsKind;

use crate::program::{Program, Subject};
use crate::{interrupt, kill, launch};

/// Kills and power cuts for fcs; needs root.
#[derive(Debug, Parser)]
#[command(name = "fcs-torture")]
struct Cli {
    #[command(subcommand)]
    torture: Torture,
}

#[derive(Debug, Subcommand)]
enum Torture {
    /// Kill the program at every system call that changes something, and at random instants
    Kill {
        /// How many kills in all
        #[arg(long)]
        kills: Option<u64>,
        #[command(flatten)]
        common: Common,
        /// Repeat one cycle, as a fault report shows it
        #[arg(long)]
        repeat: Option<String>,
    },
    /// Start a program under a supervisor; used by this program itself
    #[command(hide = true)]
    Launch {
        calls: String,
        #[arg(last = true)]
        program: Vec<String>,
    },
}

#[derive(Debug, Args)]
struct Common {
    /// The fcs program
    #[arg(long)]
    fcs: PathBuf,
    /// Which file systems: a list of ext4, xfs, btrfs
    #[arg(long, value_delimiter = ',', default_value = "ext4,xfs,btrfs")]
    fs: Vec<Fs>,
    /// The seed of all that is random; a new one if left out
    #[arg(long)]
    seed: Option<u64>,
    /// A part that fits into continuous integration
    #[arg(long)]
    slice: bool,
    /// Torture another program, to see that the torture finds something
    #[arg(long, value_name = "cp|rsync")]
    baseline: Option<Subject>,
    /// Where faulty trees are kept
    #[arg(long, default_value = "/tmp/fcs-torture")]
    keep: PathBuf,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Fs {
    Ext4,
    Xfs,
    Btrfs,
}

impl From<Fs> for FsKind {
    fn from(fs: Fs) -> Self {
        match fs {
            Fs::Ext4 => Self::Ext4,
            Fs::Xfs => Self::Xfs,
            Fs::Btrfs => Self::Btrfs,
        }
    }
}

/// Runs what was typed; true when it found nothing.
pub(crate) fn run() -> Result<bool, String> {
    match Cli::parse().torture {
        Torture::Launch { calls, program } => match launch::launch(&calls, &program)? {},
        Torture::Kill { kills, common, repeat } => {
            let (seed, subject) = begin(&common)?;
            kill::run(&kill::Options {
                kills: kills.unwrap_or(if common.slice { 600 } else { 5000 }),
                kinds: common.fs.iter().map(|&fs| fs.into()).collect(),
                seed,
                subject,
                fcs: common.fcs,
                keep: common.keep,
                repeat,
            })
        }
    }
}

fn begin(common: &Common) -> Result<(u64, Subject), String> {
    interrupt::listen()?;
    let seed = common.seed.unwrap_or_else(|| fastrand::u64(0..1_000_000));
    let subject = common.baseline.unwrap_or(Subject::Fcs);
    println!("seed {seed}, subject {subject:?}");
    for line in Program::new(subject, &common.fcs)?.missing() {
        println!("{line}");
    }
    Ok((seed, subject))
}
