//! Where the matrix works, and the table of what each place can keep.

use std::io;
use std::path::Path;
use std::time::Duration;

use fcs_testkit::{Call, Medium, Skip, Vice, Volume, Wicked};

/// A file system that is mounted for one test.
pub enum MountedPlace {
    Volume(Volume),
    Wicked(Wicked),
}

impl MountedPlace {
    pub fn of_medium(medium: Medium) -> Result<Self, Skip> {
        Volume::new(medium).map(Self::Volume)
    }

    pub fn of_vices(vices: &[Vice]) -> Result<Self, Skip> {
        Wicked::new(vices).map(Self::Wicked)
    }

    pub fn path(&self) -> &Path {
        match self {
            Self::Volume(volume) => volume.path(),
            Self::Wicked(wicked) => wicked.path(),
        }
    }

    /// As when a disk is removed and plugged in again; nothing where files would not outlast it.
    pub fn remount(&mut self) -> io::Result<()> {
        match self {
            Self::Volume(volume) if volume.outlasts_a_remount() => volume.remount(),
            Self::Volume(_) => Ok(()),
            Self::Wicked(wicked) => wicked.remount(),
        }
    }
}

/// What a place can keep of a file, a folder and a link. What it cannot, a copy there lacks, and nothing else.
#[derive(Clone, Copy, Debug)]
pub struct Keeps {
    /// Whether files can be stored durably at all; if not, every copy there is refused or fails, and harms nothing.
    pub files: bool,
    pub links: bool,
    pub times_of_links: bool,
    pub modes: bool,
    pub owners: bool,
    pub attributes: bool,
    /// Steps of modified times, in nanoseconds.
    pub step: i64,
    /// Seconds since 1970 between which modified times arrive.
    pub from: i64,
    pub until: i64,
}

const SECOND: i64 = 1_000_000_000;
pub const EVERYTHING: Keeps = Keeps {
    files: true,
    links: true,
    times_of_links: true,
    modes: true,
    owners: true,
    attributes: true,
    step: 1,
    from: i64::MIN,
    until: i64::MAX,
};
/// 1901-12-13: what 32 bits reach back to.
const OF_32_BITS: i64 = i32::MIN as i64;

/// The table for file systems: what PROMISES.md says of each, in the same order.
pub fn of_medium(medium: Medium) -> Keeps {
    match medium {
        // 34 bits from 1901 on.
        Medium::Ext4 | Medium::Ext4Inline | Medium::Ext4JournalData | Medium::Overlay => {
            Keeps { from: OF_32_BITS, until: 15_032_385_535, ..EVERYTHING }
        }
        Medium::Ext4SmallInodes => {
            Keeps { step: SECOND, from: OF_32_BITS, until: i64::from(i32::MAX), ..EVERYTHING }
        }
        Medium::Xfs | Medium::XfsNoReflink => Keeps { from: OF_32_BITS, until: 16_299_260_424, ..EVERYTHING },
        Medium::XfsOldTimes => Keeps { from: OF_32_BITS, until: i64::from(i32::MAX), ..EVERYTHING },
        Medium::Btrfs | Medium::BtrfsZstd | Medium::BtrfsNoDataCow | Medium::Tmpfs => EVERYTHING,
        Medium::Exfat => Keeps {
            links: false,
            modes: false,
            owners: false,
            attributes: false,
            step: SECOND,
            // 1980 to 2107.
            from: 315_532_800,
            until: 4_354_819_198,
            ..EVERYTHING
        },
        // In steps of 100 ns since 1601, but fractions before 1970 come out as others. No permissions unless it is
        // mounted with a map of users.
        Medium::Ntfs => Keeps { modes: false, owners: false, step: 100, from: 0, ..EVERYTHING },
        // 32 bits without a sign, whole seconds; attributes of a link would be those of what it points at.
        Medium::Sshfs => Keeps {
            times_of_links: false,
            attributes: false,
            step: SECOND,
            from: 0,
            until: i64::from(u32::MAX),
            ..EVERYTHING
        },
    }
}

/// The table for vices: what each lacks, by itself and together with others.
pub fn of_vices(vices: &[Vice]) -> Keeps {
    let mut keeps = EVERYTHING;
    for vice in vices {
        match vice {
            Vice::Refuses(Call::Fsync, code) if *code != libc::ENOSYS => keeps.files = false,
            Vice::Refuses(Call::Symlink, _) => keeps.links = false,
            Vice::Refuses(Call::Xattr, _) => keeps.attributes = false,
            Vice::Refuses(Call::Chmod, _) | Vice::ChmodLies | Vice::ModesAre(_) => keeps.modes = false,
            Vice::Refuses(Call::Chown, _) | Vice::OwnersLie => keeps.owners = false,
            Vice::FollowsLinks => keeps.times_of_links = false,
            Vice::TimeStep(step) => keeps.step = keeps.step.max(nanos(*step)),
            Vice::TimeRange(from, until) => (keeps.from, keeps.until) = (*from, *until),
            _ => {}
        }
    }
    keeps
}

fn nanos(step: Duration) -> i64 {
    i64::try_from(step.as_nanos()).unwrap()
}
