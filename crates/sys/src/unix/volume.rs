//! What a Unix volume is and can do, asked from the system.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use super::{dir::UnixDir, handle};
use crate::{CaseRule, CreatedTime, Dir, Metadata, Name, NameUnits, Place, Space, VolumeFacts};

pub(super) fn facts(dir: &UnixDir) -> io::Result<VolumeFacts> {
    let metadata = handle::metadata(dir.fd.as_fd())?;
    // Some file systems that programs serve do not answer this. What it tells is not worth refusing everything: whether
    // a volume can be written to shows itself, and the name and block sizes are those of nearly all others.
    let vfs = rustix::fs::fstatvfs(&dir.fd).ok();
    let block = vfs.as_ref().map_or(4096, |vfs| vfs.f_bsize);
    let kind = kind_of(dir.fd.as_fd(), &metadata);
    #[cfg(target_os = "linux")]
    if kind.name.starts_with("fuse") {
        handle::note_user_space();
    }
    let table = known(&kind.name);
    #[cfg(target_os = "linux")]
    let by_attribute =
        kind.name.starts_with("fuse") && super::created::is_settable(dir.fd.as_fd(), &metadata);
    #[cfg(not(target_os = "linux"))]
    let by_attribute = false;
    let created = if cfg!(target_vendor = "apple") || by_attribute {
        CreatedTime::Settable
    } else if metadata.created.is_some() {
        CreatedTime::ReadOnly
    } else {
        CreatedTime::Absent
    };
    Ok(VolumeFacts {
        id: metadata.id.volume,
        place: kind.place,
        read_only: vfs.as_ref().is_some_and(|vfs| vfs.f_flag.contains(rustix::fs::StatVfsMountFlags::RDONLY)),
        case: probe_case(dir).unwrap_or(table.case),
        // Whatever the mount is called: `fuseblk` on a device, `fuse` on a file.
        time_granularity_nanos: if by_attribute { table.granularity.max(100) } else { table.granularity },
        created,
        max_name: vfs.as_ref().map_or(255, |vfs| vfs.f_namemax as usize),
        name_units: NameUnits::Bytes,
        sync_volume: kind.sync_volume,
        device_reread: kind.device_reread,
        uncached_reads_device: false,
        in_metadata_max_bytes: in_metadata_max(&kind.name, block),
        max_file_bytes: table.max_file,
        lasting_numbers: keeps_numbers(&kind.name),
        file_system: kind.name,
    })
}

/// Whether `syncfs` reports data that could not be written. Before Linux 5.8 it reports only what went wrong with the
/// file system's own structures (commit 735e4ae5ba28, "vfs: track per-sb writeback errors and report them to syncfs").
#[cfg(target_os = "linux")]
fn syncfs_tells_lost_data() -> bool {
    static TELLS: std::sync::LazyLock<bool> = std::sync::LazyLock::new(|| {
        let system = rustix::system::uname();
        is_at_least(&system.release().to_string_lossy(), (5, 8))
    });
    *TELLS
}

/// Whether a kernel's release, such as `5.10.0-28-amd64`, is this version or later; one that cannot be read is not.
#[cfg(target_os = "linux")]
fn is_at_least(release: &str, wanted: (u32, u32)) -> bool {
    let mut numbers = release.split(|c: char| !c.is_ascii_digit()).map(str::parse);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) >= wanted,
        _ => false,
    }
}

/// The largest file that may be in metadata. None reaches beyond a block, or on NTFS a record of at most 4096 bytes.
/// What is not listed has no such thing, according to its documentation.
fn in_metadata_max(name: &str, block: u64) -> u64 {
    match name {
        "ext4" | "btrfs" | "f2fs" | "ntfs3" | "udf" => block.max(4096),
        _ => 0,
    }
}

struct Kind {
    name: String,
    place: Place,
    sync_volume: bool,
    device_reread: bool,
}

#[cfg(target_os = "linux")]
fn kind_of(fd: BorrowedFd<'_>, metadata: &Metadata) -> Kind {
    let name = mount_type(metadata.id.volume).or_else(|| magic_name(fd)).unwrap_or_else(|| "unknown".into());
    let local_disk = ["ext2", "ext3", "ext4", "xfs", "btrfs", "f2fs"].contains(&name.as_str());
    let place = if is_network(&name) {
        Place::Network
    } else if matches!(name.as_str(), "tmpfs" | "ramfs" | "devtmpfs") {
        Place::Memory
    } else if is_removable(metadata.id.volume) {
        Place::Removable
    } else {
        Place::Local
    };
    // syncfs reports write errors and waits for the device on these; FUSE without a device takes the call and does
    // nothing (fs/fuse/inode.c, fuse_sync_fs), network file systems do what they please.
    let sync_volume = (local_disk || name == "tmpfs") && syncfs_tells_lost_data();
    // File systems that keep a file's pages in its own inode and read them from a block device, so that what
    // `cachestat` counts is what a read would use. Not among them: overlay (the pages belong to the file below),
    // fuseblk (the daemon reads the device through a cache of its own), zfs (ARC).
    let device_reread = local_disk
        || ["vfat", "msdos", "exfat", "ntfs3", "hfsplus", "jfs", "udf", "nilfs2"].contains(&name.as_str());
    Kind { name, place, sync_volume, device_reread }
}

/// File systems whose bytes leave this machine, and user-space ones of which that cannot be known. `fuseblk` is FUSE
/// on a local block device (ntfs-3g, exfat).
#[cfg(target_os = "linux")]
fn is_network(name: &str) -> bool {
    matches!(
        name,
        "nfs"
            | "nfs4"
            | "cifs"
            | "smb3"
            | "smbfs"
            | "ncpfs"
            | "afs"
            | "coda"
            | "ceph"
            | "9p"
            | "gfs2"
            | "ocfs2"
            | "lustre"
            | "beegfs"
            | "glusterfs"
            | "davfs"
            | "virtiofs"
            | "fuse"
            | "vboxsf"
            | "vmhgfs"
            | "prl_fs"
    ) || name.starts_with("fuse.")
}

/// The type of the mount a device number belongs to, as `mountinfo` spells it.
#[cfg(target_os = "linux")]
fn mount_type(device: u64) -> Option<String> {
    let wanted = format!("{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    let table = std::fs::read("/proc/self/mountinfo").ok()?;
    let table = String::from_utf8_lossy(&table);
    let found = table.lines().find(|line| line.split(' ').nth(2) == Some(&wanted));
    // btrfs gives its subvolumes device numbers that no mount has; statfs tells its type.
    let fields = found?.split_once(" - ")?.1;
    fields.split(' ').next().map(str::to_owned)
}

#[cfg(target_os = "linux")]
fn magic_name(fd: BorrowedFd<'_>) -> Option<String> {
    // Numbers from include/uapi/linux/magic.h.
    let name = match rustix::fs::fstatfs(fd).ok()?.f_type as u64 & 0xffff_ffff {
        0xEF53 => "ext4",
        0x5846_5342 => "xfs",
        0x9123_683E => "btrfs",
        0x0102_1994 => "tmpfs",
        0x8584_58f6 => "ramfs",
        0xF2F5_2010 => "f2fs",
        0x6969 => "nfs",
        0xFF53_4D42 => "cifs",
        0xFE53_4D42 => "smb3",
        0x6573_5546 => "fuse",
        0x794c_7630 => "overlay",
        0x4d44 => "vfat",
        0x2011_BAB0 => "exfat",
        0x5346_544e => "ntfs",
        0x0102_1997 => "9p",
        0x00c3_6400 => "ceph",
        _ => return None,
    };
    Some(name.into())
}

#[cfg(target_os = "linux")]
fn is_removable(device: u64) -> bool {
    let base = format!("/sys/dev/block/{}:{}", rustix::fs::major(device), rustix::fs::minor(device));
    // A partition's flag is its disk's.
    [format!("{base}/removable"), format!("{base}/../removable")]
        .iter()
        .any(|path| std::fs::read(path).is_ok_and(|text| text.starts_with(b"1")))
}

#[cfg(not(target_os = "linux"))]
fn kind_of(fd: BorrowedFd<'_>, _metadata: &Metadata) -> Kind {
    #[cfg(target_vendor = "apple")]
    if let Ok(stat) = rustix::fs::fstatfs(fd) {
        let name: Vec<u8> = stat.f_fstypename.iter().map(|&c| c as u8).take_while(|&c| c != 0).collect();
        let name = String::from_utf8_lossy(&name).into_owned();
        let place = match name.as_str() {
            "smbfs" | "nfs" | "afpfs" | "webdav" | "ftp" | "macfuse" | "osxfuse" => Place::Network,
            _ => Place::Local,
        };
        return Kind { name, place, sync_volume: false, device_reread: false };
    }
    let _ = fd;
    Kind { name: "unknown".into(), place: Place::Local, sync_volume: false, device_reread: false }
}

/// File systems that store an item's number with it, or take it from its place on the disk, which never changes. Not FAT and exFAT, whose
/// drivers make numbers up while they remember an item (`iunique`), not overlay, whose numbers depend on the layers, and
/// no user-space file system, where the number is mostly that of the library's own table (`use_ino` of libfuse). Only
/// what cannot be asked is listed: a plain user cannot make the system forget an item to see what becomes of it.
fn keeps_numbers(name: &str) -> bool {
    matches!(
        name,
        "ext2"
            | "ext3"
            | "ext4"
            | "xfs"
            | "btrfs"
            | "f2fs"
            | "jfs"
            | "nilfs2"
            | "bcachefs"
            | "zfs"
            | "ntfs3"
            | "hfs"
            | "hfsplus"
            | "apfs"
            | "ufs"
            | "tmpfs"
            | "ramfs"
            | "devtmpfs"
            | "nfs"
            | "nfs4"
            | "ceph"
            | "gfs2"
            | "ocfs2"
            | "lustre"
    )
}

struct Known {
    case: CaseRule,
    granularity: u64,
    max_file: u64,
}

/// What the file systems' own documentation fixes and no call reports.
fn known(name: &str) -> Known {
    const TWO_SECONDS: u64 = 2_000_000_000;
    let case = match name {
        "vfat" | "msdos" | "exfat" | "cifs" | "smb3" | "smbfs" | "ntfs3" | "hfs" | "hfsplus" | "apfs" => {
            CaseRule::Insensitive
        }
        _ => CaseRule::Sensitive,
    };
    let granularity = match name {
        "vfat" | "msdos" => TWO_SECONDS,
        "exfat" => 10_000_000,
        "ext2" | "ext3" | "hfs" | "hfsplus" => 1_000_000_000,
        "ntfs" | "ntfs3" | "fuseblk" | "cifs" | "smb3" => 100,
        _ => 1,
    };
    let max_file = match name {
        "vfat" | "msdos" => u64::from(u32::MAX),
        _ => u64::MAX,
    };
    Known { case, granularity, max_file }
}

/// Asks the volume itself: is an existing entry also found under its name in the other case? Writes nothing.
/// `None` when no entry has a letter to try.
fn probe_case(dir: &UnixDir) -> Option<CaseRule> {
    let mut tries: Vec<Name> = Vec::new();
    let mut names: std::collections::HashSet<Vec<u8>> = std::collections::HashSet::new();
    dir.list(&mut |entry| {
        if names.len() < 64 {
            names.insert(entry.name.to_vec());
            if tries.len() < 4
                && entry.name.iter().any(u8::is_ascii_alphabetic)
                && let Ok(name) = Name::new(entry.name)
            {
                tries.push(name);
            }
        }
    })
    .ok()?;
    for name in tries {
        let flipped: Vec<u8> = name
            .as_bytes()
            .iter()
            .map(|b| if b.is_ascii_lowercase() { b.to_ascii_uppercase() } else { b.to_ascii_lowercase() })
            .collect();
        if names.contains(&flipped) {
            return Some(CaseRule::Sensitive);
        }
        let Ok(flipped) = Name::new(flipped) else { continue };
        match (dir.stat(&name), dir.stat(&flipped)) {
            (Ok(a), Ok(b)) if a.id == b.id && a.links <= 1 => return Some(CaseRule::Insensitive),
            // Another number is no other item where each spelling gets a number of its own (FUSE): the listing decides.
            (Ok(_), Ok(_)) => return case_by_listing(dir, flipped.as_bytes()),
            (Ok(_), Err(e)) if e.kind() == io::ErrorKind::NotFound => return Some(CaseRule::Sensitive),
            _ => {}
        }
    }
    None
}

/// How names are distinguished in a folder in which `flipped` was found that is another listed name's other spelling.
fn case_by_listing(dir: &UnixDir, flipped: &[u8]) -> Option<CaseRule> {
    let mut is_listed = false;
    dir.list(&mut |entry| is_listed |= entry.name == flipped).ok()?;
    Some(if is_listed { CaseRule::Sensitive } else { CaseRule::Insensitive })
}

pub(super) fn space(fd: BorrowedFd<'_>) -> io::Result<Space> {
    let s = rustix::fs::fstatvfs(fd)?;
    if s.f_blocks == 0 && s.f_bavail == 0 {
        // Some user-space file systems answer with zeros: not asked is not full.
        return Err(io::ErrorKind::Unsupported.into());
    }
    let unit = s.f_frsize.max(1);
    let mut free = s.f_bavail.saturating_mul(unit);
    if let Some(quota) = quota_left(fd) {
        free = free.min(quota);
    }
    Ok(Space {
        free,
        total: s.f_blocks.saturating_mul(unit),
        // btrfs and others say 0 files in all: they make inodes as needed.
        // User-space ones that do not count them say that none are free.
        free_items: (s.f_files > 0 && (s.f_favail > 0 || !is_user_space(fd))).then_some(s.f_favail),
    })
}

#[cfg(target_os = "linux")]
fn is_user_space(fd: BorrowedFd<'_>) -> bool {
    magic_name(fd).is_some_and(|name| name == "fuse")
}

#[cfg(not(target_os = "linux"))]
fn is_user_space(_: BorrowedFd<'_>) -> bool {
    false
}

#[cfg(not(target_os = "linux"))]
fn quota_left(_: BorrowedFd<'_>) -> Option<u64> {
    None
}

/// Bytes left under the user's and the group's quota; `None` where there is none or it cannot be asked.
#[cfg(target_os = "linux")]
fn quota_left(fd: BorrowedFd<'_>) -> Option<u64> {
    use std::os::fd::AsRawFd;
    // Numbers from include/uapi/linux/quota.h; the call by descriptor came with Linux 5.14.
    const Q_GETQUOTA: u32 = 0x0080_0007;
    const QIF_BLIMITS: u32 = 1;
    const USER: u32 = 0;
    const GROUP: u32 = 1;
    let ask = |kind: u32, id: u32| {
        // SAFETY: `dqblk` is plain data for which zero is valid, has the kernel's layout and outlives the call; the
        // descriptor is borrowed, so open.
        #[allow(unsafe_code)]
        let (result, q) = unsafe {
            let mut q: libc::dqblk = std::mem::zeroed();
            let command = (Q_GETQUOTA << 8) | kind;
            (libc::syscall(libc::SYS_quotactl_fd, fd.as_raw_fd(), command, id, &raw mut q), q)
        };
        // Limits are in blocks of 1024 bytes; 0 is none.
        (result == 0 && q.dqb_valid & QIF_BLIMITS != 0 && q.dqb_bhardlimit > 0)
            .then(|| q.dqb_bhardlimit.saturating_mul(1024).saturating_sub(q.dqb_curspace))
    };
    let user = ask(USER, rustix::process::geteuid().as_raw());
    let group = ask(GROUP, rustix::process::getegid().as_raw());
    [user, group].into_iter().flatten().min()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// E2.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_volume_is_synced_as_a_whole_only_where_that_tells_of_lost_data() {
        for (release, tells) in [
            ("5.8", true),
            ("5.7.19", false),
            ("4.19.0-27-amd64", false),
            ("5.10.0-28-amd64", true),
            ("6.18.44-fc", true),
            ("", false),
            ("next", false),
        ] {
            assert_eq!(is_at_least(release, (5, 8)), tells, "{release}");
        }
    }

    #[test]
    fn facts_of_the_temporary_folder_are_believable() {
        let tmp = tempfile::tempdir().unwrap();
        std::fs::write(tmp.path().join("Probe"), "x").unwrap();
        let root = crate::open_root(tmp.path()).unwrap();
        let facts = root.dir.volume().unwrap();
        assert_eq!(facts.id, root.dir.metadata().unwrap().id.volume);
        assert!(facts.max_name >= 200, "{facts:?}");
        assert!(!facts.read_only);
        let space = root.dir.space().unwrap();
        assert!(space.free <= space.total);
        if cfg!(target_os = "linux") {
            assert_eq!(facts.case, CaseRule::Sensitive);
            assert_ne!(facts.file_system, "unknown");
        }
    }
}
