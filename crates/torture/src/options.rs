//! What can be typed, and which torture it starts.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use fcs_testkit::FsKind;

use crate::power::Mounted;
use crate::program::{Program, Subject};
use crate::{interrupt, kill, launch, power};

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
    /// Cut the power at every write, and mount what is left
    Power {
        /// How many cuts in all
        #[arg(long)]
        images: Option<u64>,
        #[command(flatten)]
        common: Common,
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
    /// Which file systems; all of them if left out. Kills know no ext4-noauto, which differs only after a power cut
    #[arg(long, value_delimiter = ',')]
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
    /// With `noauto_da_alloc`: without the kernel's repair for programs that forget to sync before a rename.
    Ext4Noauto,
    Xfs,
    Btrfs,
}

impl Fs {
    fn all_if_none(chosen: &[Self]) -> Vec<Self> {
        if chosen.is_empty() { Self::value_variants().to_vec() } else { chosen.to_vec() }
    }

    fn mounted(self) -> Mounted {
        let (name, options) = match self {
            Self::Ext4 => ("ext4", ""),
            Self::Ext4Noauto => ("ext4-noauto", "noauto_da_alloc"),
            Self::Xfs => ("xfs", ""),
            Self::Btrfs => ("btrfs", ""),
        };
        Mounted { name, kind: self.into(), options }
    }

    /// Its share of the images: ext4 is what most disks hold.
    fn share(self) -> u64 {
        match self {
            Self::Ext4 | Self::Ext4Noauto => 10,
            Self::Xfs | Self::Btrfs => 3,
        }
    }
}

impl From<Fs> for FsKind {
    fn from(fs: Fs) -> Self {
        match fs {
            Fs::Ext4 | Fs::Ext4Noauto => Self::Ext4,
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
                kinds: kill_kinds(&common.fs),
                seed,
                subject,
                fcs: common.fcs,
                keep: common.keep,
                repeat,
            })
        }
        Torture::Power { images, common } => {
            let (seed, subject) = begin(&common)?;
            let images = images.unwrap_or(if common.slice { 400 } else { 2600 });
            let chosen = Fs::all_if_none(&common.fs);
            let shares: u64 = chosen.iter().map(|fs| fs.share()).sum();
            let on = chosen.iter().map(|fs| (fs.mounted(), (images * fs.share()).div_ceil(shares)));
            Ok(power::run(&power::Options {
                on: on.collect(),
                seed,
                subject,
                fcs: common.fcs,
                keep: common.keep,
            }))
        }
    }
}

fn kill_kinds(chosen: &[Fs]) -> Vec<FsKind> {
    let mut kinds: Vec<FsKind> = Fs::all_if_none(chosen).into_iter().map(FsKind::from).collect();
    kinds.dedup();
    kinds
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
