//! Real file systems for tests: a sparse file, formatted, attached to a loop device and mounted.
//!
//! Invariant: an [`Image`] undoes exactly what it did. It unmounts its own mount point and detaches its own loop
//! device, after checking that the device still holds its own file; it never looks for leftovers of others.
//!
//! It needs root and the tools of the file system; without them there is a [`Skip`] and no error, because a machine
//! without them can still run all other tests. It must not know what tests store in the images.
//!
//! Limit: a process that is killed (SIGKILL) leaves its mount and loop device behind.

use std::ffi::OsStr;
use std::fmt;
use std::fs::{self, File, Permissions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use memchr::memmem;
use rustix::fs::{FallocateFlags, SeekFrom};
use tempfile::TempDir;

use crate::skip::{Skip, skip};
use crate::user::may_act_as_root;

/// A file system that images can hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FsKind {
    /// ext4 with 256-byte inodes (nanosecond times up to the year 2446).
    Ext4,
    /// XFS; images smaller than 300 MiB are made that large, which is the least its tools accept.
    Xfs,
    /// Btrfs; images smaller than 120 MiB are made that large. Data carries checksums: a flipped bit is EIO.
    Btrfs,
    /// tmpfs: memory only, without a backing file and a loop device.
    Tmpfs,
    /// exFAT as most sticks and cards have it, through the program `exfat-fuse`: no permissions, no owners, no links, no
    /// second names, times in steps of 2 s or less, names without regard to case.
    Exfat,
    /// NTFS through the program `ntfs-3g`.
    Ntfs,
    /// FAT32 by the kernel: as exFAT, with times in steps of 2 s that are those of the local clock.
    Vfat,
}

impl FsKind {
    /// All kinds that the kernel itself knows.
    pub const ALL: [Self; 4] = [Self::Ext4, Self::Xfs, Self::Btrfs, Self::Tmpfs];
    /// The kinds that have a device under them.
    pub const ON_DEVICE: [Self; 3] = [Self::Ext4, Self::Xfs, Self::Btrfs];

    /// The name of the type as `mount -t` takes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ext4 => "ext4",
            Self::Xfs => "xfs",
            Self::Btrfs => "btrfs",
            Self::Tmpfs => "tmpfs",
            Self::Exfat => "exfat-fuse",
            Self::Ntfs => "ntfs-3g",
            Self::Vfat => "vfat",
        }
    }

    /// What formats it. The programs that serve the last two are not named as their file systems are.
    fn format_tool(self) -> String {
        match self {
            Self::Exfat => "mkfs.exfat".to_owned(),
            Self::Ntfs => "mkfs.ntfs".to_owned(),
            _ => format!("mkfs.{self}"),
        }
    }

    fn least_bytes(self) -> u64 {
        match self {
            Self::Ext4 => 8 << 20,
            Self::Xfs => 300 << 20,
            Self::Btrfs => 120 << 20,
            Self::Tmpfs => 1 << 20,
            Self::Exfat | Self::Ntfs => 16 << 20,
            // Smaller ones are FAT16.
            Self::Vfat => 40 << 20,
        }
    }

    /// Arguments that make formatting quick and leave no work to a kernel thread that would write to the device
    /// while a test watches it.
    fn format_args(self) -> &'static [&'static str] {
        match self {
            Self::Ext4 => {
                const NO_LATER_WORK: &str = "lazy_itable_init=0,lazy_journal_init=0,nodiscard";
                // Small images would get blocks of 1 KiB, which no disk of today has.
                &["-F", "-q", "-m", "0", "-b", "4096", "-I", "256", "-E", NO_LATER_WORK]
            }
            Self::Xfs | Self::Btrfs => &["-f", "-q", "-K"],
            Self::Ntfs => &["-F", "-Q", "-q"],
            Self::Vfat => &["-F", "32"],
            Self::Tmpfs | Self::Exfat => &[],
        }
    }
}

impl fmt::Display for FsKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// What a test may change about an image.
#[derive(Clone, Copy, Debug, Default)]
pub struct ImageOptions<'a> {
    /// Further arguments of the formatting tool, such as `["-N", "1000000"]` for ext4.
    pub format_args: &'a [&'a str],
    /// Mount options in the form of `mount -o`; empty for the defaults.
    pub mount_options: &'a str,
    /// Whether the whole backing file gets its memory at once, so that no later write pays for it. For measurements.
    pub allocated: bool,
}

/// A mounted file system of its own, gone when dropped or closed.
#[derive(Debug)]
pub struct Image {
    kind: FsKind,
    mount_options: String,
    /// Hours by which the zone of the machine it is in is east of UTC.
    zone: i32,
    mount_point: PathBuf,
    backing: Option<PathBuf>,
    loop_device: Option<PathBuf>,
    mounted: bool,
    // Last, and taken out by hand: removing the folder while the mount is up would empty the mounted file system.
    dir: Option<TempDir>,
}

impl Image {
    /// A mounted, empty file system of `kind` with at least `size_bytes` in total.
    pub fn new(kind: FsKind, size_bytes: u64) -> Result<Self, Skip> {
        Self::with_options(kind, size_bytes, ImageOptions::default())
    }

    /// Like [`Image::new`], with `options`.
    pub fn with_options(kind: FsKind, size_bytes: u64, options: ImageOptions<'_>) -> Result<Self, Skip> {
        may_act_as_root("mounting").map_err(|why| Skip::new(format!("{kind} image: {why}")))?;
        let size = size_bytes.max(kind.least_bytes());
        let failed = |error: String| Skip::new(format!("{kind} image: {error}"));
        let dir = roomy_dir(size).map_err(|error| failed(error.to_string()))?;
        // Other users get to the mount point too; what they may do there is up to the file system.
        let entered = fs::set_permissions(dir.path(), Permissions::from_mode(0o755));
        entered.map_err(|error| failed(error.to_string()))?;
        let mount_point = dir.path().join("mnt");
        fs::create_dir(&mount_point).map_err(|error| failed(error.to_string()))?;

        // Built before anything is attached, so that an early return through `?` undoes what was done so far.
        let mut image = Self {
            kind,
            mount_options: options.mount_options.to_owned(),
            zone: 0,
            mount_point,
            backing: None,
            loop_device: None,
            mounted: false,
            dir: Some(dir),
        };
        if kind == FsKind::Tmpfs {
            let given = if image.mount_options.is_empty() { "" } else { "," };
            image.mount_options = format!("size={size}{given}{}", image.mount_options);
        } else {
            image.format(size, &options).map_err(failed)?;
            image.attach().map_err(failed)?;
        }
        image.mount().map_err(failed)?;
        Ok(image)
    }

    fn format(&mut self, size: u64, options: &ImageOptions<'_>) -> Result<(), String> {
        let backing = self.mount_point.with_file_name("backing.img");
        let file = File::create_new(&backing).map_err(|error| error.to_string())?;
        file.set_len(size).map_err(|error| error.to_string())?;
        if options.allocated {
            let all = rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, size);
            all.map_err(|error| format!("allocating {size} bytes: {error}"))?;
        }
        let tool = self.kind.format_tool();
        let args = self.kind.format_args().iter().chain(options.format_args).map(OsStr::new);
        run(&tool, args.chain([backing.as_os_str()]))?;
        self.backing = Some(backing);
        Ok(())
    }

    fn attach(&mut self) -> Result<(), String> {
        let backing = self.backing.as_ref().expect("formatted before attached");
        // Another process can take the free device between the search and the attaching; the tool retries by
        // itself, but stops trying early when many do so at once.
        let mut last = String::new();
        for _ in 0..5 {
            match run("losetup", [OsStr::new("--find"), OsStr::new("--show"), backing.as_os_str()]) {
                Ok(printed) => {
                    self.loop_device = Some(PathBuf::from(printed.trim()));
                    return Ok(());
                }
                Err(error) => last = error,
            }
        }
        Err(last)
    }

    fn mount(&mut self) -> Result<(), String> {
        let source = self.loop_device.as_deref().map_or(OsStr::new("fcs-test"), Path::as_os_str);
        let mut options = self.mount_options.clone();
        if self.kind == FsKind::Vfat {
            let comma = if options.is_empty() { "" } else { "," };
            options = format!("{options}{comma}time_offset={}", 60 * self.zone);
        }
        let mut args = vec![OsStr::new("-t"), OsStr::new(self.kind.name())];
        if !options.is_empty() {
            args.extend([OsStr::new("-o"), OsStr::new(&options)]);
        }
        args.extend([source, self.mount_point.as_os_str()]);
        if matches!(self.kind, FsKind::Exfat | FsKind::Ntfs) {
            // `mount` would say no more than that it does not know the type.
            let helper = format!("mount.{}", self.kind);
            installed(&helper)?;
        }
        patiently(|| run("mount", args.iter()).map(drop))?;
        self.mounted = true;
        Ok(())
    }

    /// The kind it was made with.
    pub fn kind(&self) -> FsKind {
        self.kind
    }

    /// The folder where the file system is mounted. On ext4 it holds `lost+found` at first.
    pub fn mount_point(&self) -> &Path {
        &self.mount_point
    }

    /// The file that stores the file system; none for tmpfs.
    pub fn backing_file(&self) -> Option<&Path> {
        self.backing.as_deref()
    }

    /// The loop device between the backing file and the mount; none for tmpfs.
    pub fn loop_device(&self) -> Option<&Path> {
        self.loop_device.as_deref()
    }

    /// Unmounts and mounts again: afterwards everything is read from the device. Fails while a file in it is open.
    pub fn remount(&mut self) -> io::Result<()> {
        assert!(self.kind != FsKind::Tmpfs, "tmpfs forgets its files when it is unmounted");
        unmount(&self.mount_point).map_err(io::Error::other)?;
        self.mounted = false;
        self.mount().map_err(io::Error::other)
    }

    /// As [`Image::remount`], by a machine whose clock is so many hours east of UTC: what FAT keeps is taken for its time.
    pub fn remount_in_zone(&mut self, hours_east: i32) -> io::Result<()> {
        self.zone = hours_east;
        self.remount()
    }

    /// Where `needle` starts in the backing file, in bytes: the first of [`Image::find_all_in_backing`].
    pub fn find_in_backing(&self, needle: &[u8]) -> Option<u64> {
        self.find_all_in_backing(needle).first().copied()
    }

    /// All places where `needle` starts in the backing file, in bytes, ascending; empty for tmpfs.
    ///
    /// Syncs the file system first. A file system may keep small files in its own structures, and a copy that was
    /// deleted stays on the device: use a needle that no other file ever held, in a file of 4 KiB or more.
    pub fn find_all_in_backing(&self, needle: &[u8]) -> Vec<u64> {
        assert!(!needle.is_empty() && needle.len() <= CHUNK / 2);
        let Some(backing) = &self.backing else {
            return Vec::new();
        };
        self.sync();
        find_all(backing, needle)
    }

    /// Flips the lowest bit of the byte at `offset` of the backing file, as a failing disk might.
    ///
    /// Pages the file system has already cached keep the old byte until they are evicted.
    pub fn flip_bit(&self, offset: u64) {
        let backing = self.backing.as_ref().expect("tmpfs has no device to flip a bit on");
        flip_bit(backing, offset);
    }

    /// Writes everything that is cached for this file system to its device.
    pub fn sync(&self) {
        let root = File::open(&self.mount_point).expect("the mount point can be opened");
        rustix::fs::syncfs(root).expect("the file system can be synced");
    }

    /// Unmounts, detaches and removes the image; the error says what was left behind.
    pub fn close(mut self) -> io::Result<()> {
        self.dismantle().map_err(io::Error::other)
    }

    /// Unmounts, and keeps the file that stores the file system as `path`, which must be beside the images: see
    /// [`Image::backing_file`].
    pub fn into_file(mut self, path: &Path) -> io::Result<()> {
        assert!(self.kind != FsKind::Tmpfs, "tmpfs has no file");
        unmount(&self.mount_point).map_err(io::Error::other)?;
        self.mounted = false;
        if let Some(device) = self.loop_device.take() {
            run("losetup", [OsStr::new("--detach"), device.as_os_str()]).map_err(io::Error::other)?;
        }
        if let Some(backing) = &self.backing {
            fs::rename(backing, path)?;
        }
        self.dismantle().map_err(io::Error::other)
    }

    fn dismantle(&mut self) -> Result<(), String> {
        if self.mounted {
            if let Err(error) = unmount(&self.mount_point) {
                // Something still has a file open here. The name has to go at least; the kernel ends the mount with
                // the last of these files.
                let lazy = [OsStr::new("-l"), self.mount_point.as_os_str()];
                if let Err(worse) = run("umount", lazy) {
                    let kept = self.dir.take().map(TempDir::keep);
                    return Err(format!("{error}; {worse}; left behind: {kept:?}"));
                }
            }
            self.mounted = false;
        }
        let mut result = Ok(());
        if let (Some(device), Some(backing)) = (self.loop_device.take(), &self.backing)
            && holds(&device, backing)
        {
            result = run("losetup", [OsStr::new("--detach"), device.as_os_str()]).map(drop);
        }
        if let Some(dir) = self.dir.take() {
            result = result.and(dir.close().map_err(|error| error.to_string()));
        }
        result
    }
}

/// Unmounts, and waits a while for whoever still looks at it: a program that another thread is starting just now has
/// copies of all our open files until it is loaded, and the last of a killed program's files closes after its end. The
/// kernel tells nobody when a mount is free, so there is nothing to wait for but time; a mount that stays busy is an
/// error.
pub fn unmount(mount_point: &Path) -> Result<(), String> {
    patiently(|| run("umount", [mount_point]).map(drop))
}

/// Tries again for about two seconds: also because a program that serves a file system closes its device only
/// after the end of its mount.
fn patiently(mut attempt: impl FnMut() -> Result<(), String>) -> Result<(), String> {
    let mut last = String::new();
    for pause in [0, 1, 2, 5, 10, 20, 50, 100, 200, 500, 1000] {
        std::thread::sleep(Duration::from_millis(pause));
        match attempt() {
            Ok(()) => return Ok(()),
            Err(error) => last = error,
        }
        if last.ends_with(NOT_INSTALLED) {
            break;
        }
    }
    Err(last)
}

const NOT_INSTALLED: &str = "is not installed";

/// Whether a tool is there; the error is the text of a skip.
pub(crate) fn installed(tool: &str) -> Result<(), String> {
    // Looked for by hand: a folder on the path that must not be entered turns "not found" into "permission denied".
    let found = std::env::split_paths(&search_path()).any(|dir| dir.join(tool).is_file());
    if found { Ok(()) } else { Err(format!("{tool} {NOT_INSTALLED}")) }
}

/// The tools live where the search path of an ordinary login may not look.
fn search_path() -> String {
    std::env::var("PATH").unwrap_or_default() + ":/usr/local/sbin:/usr/sbin:/sbin"
}

impl Drop for Image {
    fn drop(&mut self) {
        if self.dir.is_some()
            && let Err(error) = self.dismantle()
        {
            eprintln!("{} image: {error}", self.kind);
        }
    }
}

/// Runs `body` on a fresh image of each of `kinds`; an image that is not to be had is a recorded skip of
/// `test_name`, and the others still run.
pub fn for_each_image(test_name: &str, kinds: &[FsKind], size_bytes: u64, mut body: impl FnMut(&Image)) {
    for &kind in kinds {
        match Image::new(kind, size_bytes) {
            Ok(image) => {
                println!("on {kind}");
                body(&image);
            }
            Err(reason) => skip(test_name, &reason.reason),
        }
    }
}

const CHUNK: usize = 1 << 20;

/// All places where `needle` starts in a backing file, as [`Image::find_all_in_backing`] but without syncing first:
/// what is on the device at this moment.
pub fn find_all(backing: &Path, needle: &[u8]) -> Vec<u64> {
    let file = File::open(backing).expect("the backing file can be opened");
    let finder = memmem::Finder::new(needle);
    let mut found = Vec::new();
    let mut buffer = vec![0; CHUNK];
    for (start, end) in data_ranges(&file) {
        // A range begins and ends at file system blocks, so a needle can only run on into the next range when a
        // hole of zeros is between them, and then it is not the needle.
        let mut at = start;
        while at < end {
            let length = CHUNK.min(usize::try_from(end - at).unwrap_or(CHUNK));
            file.read_exact_at(&mut buffer[..length], at).expect("the backing file can be read");
            found.extend(finder.find_iter(&buffer[..length]).map(|offset| at + offset as u64));
            if at + length as u64 == end {
                break;
            }
            at += (length - needle.len() + 1) as u64;
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// Flips the lowest bit of one byte of a backing file.
pub fn flip_bit(backing: &Path, offset: u64) {
    let file = File::options().read(true).write(true).open(backing).expect("the backing file can be opened");
    let mut byte = [0];
    file.read_exact_at(&mut byte, offset).expect("the offset is inside the backing file");
    byte[0] ^= 1;
    file.write_all_at(&byte, offset).expect("the backing file can be written");
}

/// The parts of a sparse file that hold data, as (start, end).
fn data_ranges(file: &File) -> Vec<(u64, u64)> {
    let mut ranges = Vec::new();
    let mut at = 0;
    // ENXIO, no more data, ends the search.
    while let Ok(start) = rustix::fs::seek(file, SeekFrom::Data(at)) {
        at = rustix::fs::seek(file, SeekFrom::Hole(start)).expect("data ends somewhere");
        ranges.push((start, at));
    }
    ranges
}

/// Whether the loop device is attached to `backing`. Numbers of loop devices are reused, so one is only detached after
/// asking.
fn holds(device: &Path, backing: &Path) -> bool {
    let Some(name) = device.file_name() else {
        return false;
    };
    let attached = Path::new("/sys/block").join(name).join("loop/backing_file");
    fs::read_to_string(attached).is_ok_and(|path| Path::new(path.trim_end()) == backing)
}

/// A folder with room for `bytes`: in memory if possible, because tests sync often and a disk would set their pace.
pub(crate) fn roomy_dir(bytes: u64) -> io::Result<TempDir> {
    let memory = Path::new("/dev/shm");
    let spare = 64 << 20;
    let roomy = rustix::fs::statvfs(memory).is_ok_and(|fs| fs.f_bavail * fs.f_frsize >= bytes + spare);
    let mut builder = tempfile::Builder::new();
    builder.prefix("fcs-image-");
    // Canonical, because the path is compared with the one the kernel reports.
    let parent = if roomy { memory.to_owned() } else { std::env::temp_dir() };
    builder.tempdir_in(parent.canonicalize()?)
}

/// The standard output of a tool that succeeded, otherwise one line with what it said.
pub(crate) fn run<I, S>(tool: &str, args: I) -> Result<String, String>
where
    I: IntoIterator<Item = S>,
    S: AsRef<OsStr>,
{
    installed(tool)?;
    let output = Command::new(tool).args(args).env("PATH", search_path()).env("LC_ALL", "C").output();
    let output = output.map_err(|error| format!("{tool}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("{tool}: {}: {}", output.status, said.split_whitespace().collect::<Vec<_>>().join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{image_or_skip, test_name};
    use rustix::fs::Advice;
    use std::io::Write;

    const SIZE: u64 = 64 << 20;

    fn payload(seed: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        fastrand::Rng::with_seed(seed).fill(&mut bytes);
        bytes
    }

    fn mounted_type(path: &Path) -> Option<String> {
        let table = fs::read_to_string("/proc/self/mounts").unwrap();
        let mut fields = table.lines().map(|line| line.split(' ').collect::<Vec<_>>());
        fields.find(|f| Path::new(f[1]) == path).map(|f| f[2].to_owned())
    }

    #[test]
    fn an_image_is_a_file_system_of_its_kind_and_leaves_no_trace() {
        for_each_image(test_name!(), &FsKind::ALL, SIZE, |image| {
            assert_eq!(mounted_type(image.mount_point()).as_deref(), Some(image.kind().name()));
            fs::write(image.mount_point().join("f"), "x").unwrap();
        });
        for kind in FsKind::ALL {
            let image = image_or_skip!(kind, SIZE);
            let (mount_point, device) =
                (image.mount_point().to_owned(), image.loop_device().map(Path::to_owned));
            let backing = image.backing_file().map(Path::to_owned);
            image.close().unwrap();
            assert!(!mount_point.exists() && mounted_type(&mount_point).is_none());
            if let (Some(device), Some(backing)) = (device, backing) {
                assert!(!backing.exists() && !holds(&device, &backing));
            }
        }
    }

    #[test]
    fn a_stick_and_a_disk_of_windows_keep_files_over_a_remount() {
        for kind in [FsKind::Exfat, FsKind::Ntfs] {
            let mut image = image_or_skip!(kind, SIZE);
            assert_eq!(mounted_type(image.mount_point()).as_deref(), Some("fuseblk"));
            fs::write(image.mount_point().join("f"), "x").unwrap();
            image.remount().unwrap();
            assert_eq!(fs::read_to_string(image.mount_point().join("f")).unwrap(), "x");
            image.close().unwrap();
        }
    }

    #[test]
    fn dropping_while_a_file_is_open_frees_the_name_and_spares_the_file() {
        let image = image_or_skip!(FsKind::Ext4, SIZE);
        let dir = image.mount_point().parent().unwrap().to_owned();
        fs::write(image.mount_point().join("f"), "still here").unwrap();
        let open = File::open(image.mount_point().join("f")).unwrap();
        drop(image);
        assert!(!dir.exists());
        assert_eq!(io::read_to_string(open).unwrap(), "still here");
    }

    #[test]
    fn a_flipped_bit_shows_once_the_pages_are_evicted() {
        for kind in [FsKind::Ext4, FsKind::Xfs] {
            let image = image_or_skip!(kind, SIZE);
            let bytes = payload(7, 64 << 10);
            let path = image.mount_point().join("f");
            let mut file = File::create_new(&path).unwrap();
            file.write_all(&bytes).unwrap();
            file.sync_all().unwrap();

            let needle = &bytes[5000..5064];
            let places = image.find_all_in_backing(needle);
            assert_eq!(places.len(), 1, "{kind}: {places:?}");
            image.flip_bit(places[0]);
            assert_eq!(fs::read(&path).unwrap(), bytes, "{kind}: the cache hides the flip");

            rustix::fs::fadvise(&file, 0, None, Advice::DontNeed).unwrap();
            let mut flipped = bytes.clone();
            flipped[5000] ^= 1;
            assert!(fs::read(&path).unwrap() == flipped, "{kind}: the device has the flip");
        }
    }

    #[test]
    fn btrfs_reports_a_flipped_bit_by_itself() {
        let mut image = image_or_skip!(FsKind::Btrfs, SIZE);
        let bytes = payload(8, 64 << 10);
        let path = image.mount_point().join("f");
        fs::write(&path, &bytes).unwrap();
        let place = image.find_in_backing(&bytes[5000..5064]).unwrap();
        image.flip_bit(place);
        image.remount().unwrap();
        assert!(fs::read(&path).is_err());
    }

    #[test]
    fn a_needle_is_found_wherever_the_reading_is_cut() {
        let image = image_or_skip!(FsKind::Ext4, SIZE);
        let bytes = payload(9, 3 * CHUNK);
        fs::write(image.mount_point().join("f"), &bytes).unwrap();
        let start = image.find_in_backing(&bytes[..64]).unwrap();
        // The file is in one piece on a fresh file system; around each place where the search reads the next chunk
        // there must be no gap.
        for cut in (1..3).map(|n| n * CHUNK) {
            for at in [cut - 100, cut - 33, cut - 1, cut] {
                assert_eq!(image.find_in_backing(&bytes[at..at + 64]), Some(start + at as u64), "{at}");
            }
        }
        assert_eq!(image.find_in_backing(&payload(10, 64)), None);
    }

    #[test]
    fn a_tool_that_is_missing_is_named() {
        let error = run("mkfs.no-such-file-system", [""]).unwrap_err();
        assert_eq!(error, "mkfs.no-such-file-system is not installed");
    }
}
