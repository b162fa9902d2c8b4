//! Volumes as people have them: file systems of the kernel with the options that change what they keep, layers over
//! others, and those that a program serves.
//!
//! Invariant: as with [`Image`]: a [`Volume`] undoes exactly what it did, innermost last, and nothing of others. What
//! is missing (root, a tool, a kernel module) is a [`Skip`]. It must not know what tests store on a volume.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, Permissions};
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use crate::image::{FsKind, Image, ImageOptions, installed, roomy_dir, run, unmount};
use crate::skip::{Skip, skip};

/// Where `openssh-sftp-server` is on Debian.
const SFTP_SERVER: &str = "/usr/lib/openssh/sftp-server";

/// A file system together with how it was made and mounted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Medium {
    /// ext4 as it comes.
    Ext4,
    /// ext4 with inodes of 128 bytes: whole seconds, 1901 to 2038.
    Ext4SmallInodes,
    /// ext4 that keeps small files within their inodes.
    Ext4Inline,
    /// ext4 that writes data to its journal first (`data=journal`): `O_DIRECT` is answered from the cache.
    Ext4JournalData,
    /// XFS as it comes.
    Xfs,
    /// XFS with times from 1901 to 2038 (`bigtime=0`), as all were made before 2021.
    XfsOldTimes,
    /// XFS whose files share no blocks (`reflink=0`).
    XfsNoReflink,
    /// Btrfs as it comes.
    Btrfs,
    /// Btrfs that compresses everything (`compress-force=zstd`).
    BtrfsZstd,
    /// Btrfs that writes in place and without checksums (`nodatacow`).
    BtrfsNoDataCow,
    /// tmpfs.
    Tmpfs,
    /// overlay with both layers on ext4, as in a container.
    Overlay,
    /// exFAT by `exfat-fuse`, mounted for the plain user.
    Exfat,
    /// NTFS by `ntfs-3g`, mounted for the plain user.
    Ntfs,
    /// A folder of this machine by `sshfs`, without a network: its ssh is a script that starts the server.
    Sshfs,
}

impl Medium {
    /// All of them.
    pub const ALL: [Self; 15] = [
        Self::Ext4,
        Self::Ext4SmallInodes,
        Self::Ext4Inline,
        Self::Ext4JournalData,
        Self::Xfs,
        Self::XfsOldTimes,
        Self::XfsNoReflink,
        Self::Btrfs,
        Self::BtrfsZstd,
        Self::BtrfsNoDataCow,
        Self::Tmpfs,
        Self::Overlay,
        Self::Exfat,
        Self::Ntfs,
        Self::Sshfs,
    ];

    /// A short name for messages and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Ext4SmallInodes => "ext4 -I 128",
            Self::Ext4Inline => "ext4 inline_data",
            Self::Ext4JournalData => "ext4 data=journal",
            Self::Xfs => "xfs",
            Self::XfsOldTimes => "xfs bigtime=0",
            Self::XfsNoReflink => "xfs reflink=0",
            Self::Btrfs => "btrfs",
            Self::BtrfsZstd => "btrfs compress-force=zstd",
            Self::BtrfsNoDataCow => "btrfs nodatacow",
            Self::Tmpfs => "tmpfs",
            Self::Overlay => "overlay",
            Self::Exfat => "exfat-fuse",
            Self::Ntfs => "ntfs-3g",
            Self::Sshfs => "sshfs",
        }
    }

    fn image(self) -> (FsKind, &'static [&'static str], &'static str) {
        match self {
            Self::Ext4 | Self::Overlay => (FsKind::Ext4, &[], ""),
            Self::Ext4SmallInodes => (FsKind::Ext4, &["-I", "128"], ""),
            Self::Ext4Inline => (FsKind::Ext4, &["-O", "inline_data"], ""),
            Self::Ext4JournalData => (FsKind::Ext4, &[], "data=journal"),
            Self::Xfs => (FsKind::Xfs, &[], ""),
            Self::XfsOldTimes => (FsKind::Xfs, &["-m", "bigtime=0"], ""),
            Self::XfsNoReflink => (FsKind::Xfs, &["-m", "reflink=0"], ""),
            Self::Btrfs => (FsKind::Btrfs, &[], ""),
            Self::BtrfsZstd => (FsKind::Btrfs, &[], "compress-force=zstd"),
            Self::BtrfsNoDataCow => (FsKind::Btrfs, &[], "nodatacow"),
            Self::Tmpfs | Self::Sshfs => (FsKind::Tmpfs, &[], ""),
            // As desktops mount them: all belongs to who sits there.
            Self::Exfat => (FsKind::Exfat, &[], "uid=1000,gid=1000"),
            Self::Ntfs => (FsKind::Ntfs, &[], "uid=1000,gid=1000"),
        }
    }
}

impl fmt::Display for Medium {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A mounted [`Medium`], gone when dropped or closed.
#[derive(Debug)]
pub struct Volume {
    medium: Medium,
    // In the order in which they go: what lies over something goes before it.
    over: Option<Over>,
    under: Option<Image>,
}

/// How large a volume is unless told: small enough for a machine with little memory, large enough for all kinds.
const SIZE: u64 = 320 << 20;

impl Volume {
    /// A fresh volume of about 320 MiB.
    pub fn new(medium: Medium) -> Result<Self, Skip> {
        Self::with_size(medium, SIZE)
    }

    /// A fresh volume of at least `size_bytes`; for `sshfs` that is the size of what it serves.
    pub fn with_size(medium: Medium, size_bytes: u64) -> Result<Self, Skip> {
        let (kind, format_args, mount_options) = medium.image();
        let options = ImageOptions { format_args, mount_options, ..ImageOptions::default() };
        let named = |skip: Skip| Skip::new(format!("{medium}: {}", skip.reason));
        let under = Image::with_options(kind, size_bytes, options).map_err(named)?;
        match medium {
            Medium::Overlay => Self::overlay_over(under, |_| Ok(())),
            Medium::Sshfs => {
                let over = Over::sshfs(under.mount_point()).map_err(|error| skipped(medium, &error))?;
                Ok(Self { medium, over: Some(over), under: Some(under) })
            }
            _ => Ok(Self { medium, over: None, under: Some(under) }),
        }
    }

    /// An overlay on a fresh file system of `kind`, whose lower layer holds what `fill` puts into the folder that it
    /// is given. XFS, ext4, Btrfs and tmpfs can hold both layers.
    pub fn overlay(kind: FsKind, fill: impl FnOnce(&Path) -> io::Result<()>) -> Result<Self, Skip> {
        Self::overlay_over(Image::new(kind, SIZE)?, fill)
    }

    fn overlay_over(under: Image, fill: impl FnOnce(&Path) -> io::Result<()>) -> Result<Self, Skip> {
        let medium = Medium::Overlay;
        let over = Over::overlay(under.mount_point(), fill).map_err(|error| skipped(medium, &error))?;
        Ok(Self { medium, over: Some(over), under: Some(under) })
    }

    /// The folder `served`, which stays its owner's, through `sshfs`.
    pub fn sshfs_of(served: &Path) -> Result<Self, Skip> {
        let over = Over::sshfs(served).map_err(|error| skipped(Medium::Sshfs, &error))?;
        Ok(Self { medium: Medium::Sshfs, over: Some(over), under: None })
    }

    /// What it is.
    pub fn medium(&self) -> Medium {
        self.medium
    }

    /// The folder where it is mounted. On ext4 it holds `lost+found` at first.
    pub fn path(&self) -> &Path {
        match (&self.over, &self.under) {
            (Some(over), _) => &over.mount_point,
            (None, Some(image)) => image.mount_point(),
            (None, None) => unreachable!("a volume is mounted until it is closed"),
        }
    }

    /// The image below it: itself, or what holds the layers of an overlay or the folder that `sshfs` serves.
    pub fn image(&self) -> Option<&Image> {
        self.under.as_ref()
    }

    /// The loop device that its bytes come from, if any.
    pub fn loop_device(&self) -> Option<&Path> {
        self.under.as_ref().and_then(Image::loop_device)
    }

    /// Whether it keeps its files over a remount: all but tmpfs do.
    pub fn outlasts_a_remount(&self) -> bool {
        self.medium != Medium::Tmpfs
    }

    /// Unmounts and mounts again, all layers. Fails while a file in it is open.
    pub fn remount(&mut self) -> io::Result<()> {
        if let Some(over) = &mut self.over {
            over.unmount().map_err(io::Error::other)?;
        }
        if let Some(image) = &mut self.under
            && image.kind() != FsKind::Tmpfs
        {
            image.remount()?;
        } else {
            assert!(self.over.is_some(), "tmpfs forgets its files when it is unmounted");
        }
        if let Some(over) = &mut self.over {
            over.mount().map_err(io::Error::other)?;
        }
        Ok(())
    }

    /// Unmounts, detaches and removes it; the error says what was left behind.
    pub fn close(mut self) -> io::Result<()> {
        let over = self.over.take().map_or(Ok(()), Over::close);
        over.and(self.under.take().map_or(Ok(()), Image::close))
    }
}

fn skipped(medium: Medium, error: &str) -> Skip {
    Skip::new(format!("{medium}: {error}"))
}

/// Runs `body` on a fresh volume of each of `media`; one that is not to be had is a recorded skip of `test_name`, and
/// the others still run.
pub fn for_each_volume(test_name: &str, media: &[Medium], mut body: impl FnMut(&mut Volume)) {
    for &medium in media {
        match Volume::new(medium) {
            Ok(mut volume) => {
                println!("on {medium}");
                body(&mut volume);
            }
            Err(reason) => skip(test_name, &reason.reason),
        }
    }
}

/// A mount that needs another file system below it.
#[derive(Debug)]
struct Over {
    /// What mounts it.
    tool: &'static str,
    args: Vec<String>,
    mount_point: PathBuf,
    mounted: bool,
    // Last: removing the folder while the mount is up would empty the mounted file system.
    dir: Option<TempDir>,
}

impl Over {
    fn prepare(tool: &'static str) -> Result<Self, String> {
        crate::user::may_act_as_root("mounting")?;
        installed(tool)?;
        let dir = roomy_dir(0).map_err(|error| error.to_string())?;
        fs::set_permissions(dir.path(), Permissions::from_mode(0o755)).map_err(|error| error.to_string())?;
        let mount_point = dir.path().join("mnt");
        fs::create_dir(&mount_point).map_err(|error| error.to_string())?;
        Ok(Self { tool, args: Vec::new(), mount_point, mounted: false, dir: Some(dir) })
    }

    fn overlay(base: &Path, fill: impl FnOnce(&Path) -> io::Result<()>) -> Result<Self, String> {
        let mut over = Self::prepare("mount")?;
        let [lower, upper, work] = ["lower", "upper", "work"].map(|name| base.join(name));
        for folder in [&lower, &upper, &work] {
            fs::create_dir(folder).map_err(|error| error.to_string())?;
        }
        fill(&lower).map_err(|error| error.to_string())?;
        let shown = [lower, upper, work].map(|path| path.display().to_string());
        let layers = format!("lowerdir={},upperdir={},workdir={}", shown[0], shown[1], shown[2]);
        over.args = ["-t", "overlay", "-o", &layers, "overlay"].map(str::to_owned).to_vec();
        over.mount()?;
        Ok(over)
    }

    fn sshfs(served: &Path) -> Result<Self, String> {
        let mut over = Self::prepare("sshfs")?;
        if !Path::new(SFTP_SERVER).is_file() {
            return Err(format!("{SFTP_SERVER} is not installed"));
        }
        let ssh = over.mount_point.with_file_name("ssh");
        let made = fs::write(&ssh, format!("#!/bin/sh\nexec {SFTP_SERVER}\n"))
            .and_then(|()| fs::set_permissions(&ssh, Permissions::from_mode(0o755)));
        made.map_err(|error| error.to_string())?;
        let options = format!("ssh_command={},allow_other,default_permissions", ssh.display());
        over.args = vec!["-o".to_owned(), options, format!("host:{}", served.display())];
        over.mount()?;
        Ok(over)
    }

    fn mount(&mut self) -> Result<(), String> {
        let args = self.args.iter().map(OsStr::new).chain([self.mount_point.as_os_str()]);
        run(self.tool, args)?;
        self.mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> Result<(), String> {
        if self.mounted {
            unmount(&self.mount_point)?;
            self.mounted = false;
        }
        Ok(())
    }

    fn dismantle(&mut self) -> Result<(), String> {
        if let Err(error) = self.unmount() {
            // As with an image: the name has to go at least.
            if let Err(worse) = run("umount", [OsStr::new("-l"), self.mount_point.as_os_str()]) {
                let kept = self.dir.take().map(TempDir::keep);
                return Err(format!("{error}; {worse}; left behind: {kept:?}"));
            }
            self.mounted = false;
        }
        self.dir.take().map_or(Ok(()), |dir| dir.close().map_err(|error| error.to_string()))
    }

    fn close(mut self) -> io::Result<()> {
        self.dismantle().map_err(io::Error::other)
    }
}

impl Drop for Over {
    fn drop(&mut self) {
        if self.dir.is_some()
            && let Err(error) = self.dismantle()
        {
            eprintln!("{}: {error}", self.mount_point.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{test_name, volume_or_skip};
    use std::os::unix::fs::MetadataExt;
    use std::time::{Duration, UNIX_EPOCH};

    fn mounts() -> String {
        fs::read_to_string("/proc/self/mounts").unwrap()
    }

    #[test]
    fn each_medium_is_mounted_keeps_files_over_a_remount_and_leaves_no_trace() {
        for medium in Medium::ALL {
            let mut volume = match Volume::new(medium) {
                Ok(volume) => volume,
                Err(reason) => {
                    skip(test_name!(), &reason.reason);
                    continue;
                }
            };
            let path = volume.path().to_owned();
            let shown = path.display().to_string();
            assert!(mounts().contains(&shown), "{medium}");
            fs::write(path.join("f"), "x").unwrap();
            if volume.outlasts_a_remount() {
                volume.remount().unwrap();
                assert_eq!(fs::read_to_string(path.join("f")).unwrap(), "x", "{medium}");
            }
            volume.close().unwrap();
            assert!(!mounts().contains(&shown) && !path.exists(), "{medium}");
        }
    }

    #[test]
    fn options_change_what_a_medium_keeps() {
        let fraction_after = |medium| {
            Volume::new(medium).map(|volume| {
                let file = fs::File::create(volume.path().join("f")).unwrap();
                file.set_modified(UNIX_EPOCH + Duration::new(1_600_000_000, 123_456_789)).unwrap();
                drop(file);
                fs::metadata(volume.path().join("f")).unwrap().mtime_nsec()
            })
        };
        for (medium, kept) in [(Medium::Ext4, 123_456_789), (Medium::Ext4SmallInodes, 0), (Medium::Sshfs, 0)]
        {
            match fraction_after(medium) {
                Ok(fraction) => assert_eq!(fraction, kept, "{medium}"),
                Err(reason) => skip(test_name!(), &reason.reason),
            }
        }
    }

    #[test]
    fn the_lower_layer_of_an_overlay_shows_through() {
        let filled = Volume::overlay(FsKind::Tmpfs, |lower| fs::write(lower.join("f"), "below"));
        match filled {
            Ok(volume) => assert_eq!(fs::read_to_string(volume.path().join("f")).unwrap(), "below"),
            Err(reason) => skip(test_name!(), &reason.reason),
        }
    }

    #[test]
    fn a_folder_is_served_where_it_lies() {
        let served = volume_or_skip!(Medium::Tmpfs);
        fs::write(served.path().join("f"), "there").unwrap();
        match Volume::sshfs_of(served.path()) {
            Ok(volume) => assert_eq!(fs::read_to_string(volume.path().join("f")).unwrap(), "there"),
            Err(reason) => skip(test_name!(), &reason.reason),
        }
    }
}
