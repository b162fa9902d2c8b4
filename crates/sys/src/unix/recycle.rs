//! The recycle bin of Linux desktops, by the freedesktop.org Trash specification 1.0
//! (<https://specifications.freedesktop.org/trash-spec/1.0/>).
//!
//! Invariant: an item goes to a bin by one rename or stays where it is; nothing is ever copied or deleted. A volume
//! that has no bin and cannot be given one is `Unsupported`.
//!
//! Why not the crate `trash`: where a rename is not possible its version 5.3 copies the item into the bin of the home
//! folder and then deletes it, without a sync; that happens not only between volumes but also between two mounts,
//! subvolumes or project quotas of one volume, which nobody can see beforehand. It also goes by path, so another
//! program could make it take something else.

use std::ffi::OsStr;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, Mode, OFlags, StatxFlags};

use super::dir::UnixDir;
use super::retry;
use crate::{Dir, Name, OsReason as R, Rename};

/// Names tried in a bin before it is taken as broken; from the second on they hold the time.
const MOST_NAMES: u32 = 1000;
/// The longest name in a bin, so that `.trashinfo` and a number still fit into 255 bytes.
const LONGEST: usize = 200;

/// Moves an item to the bin of its volume; `path` is where `dir` is.
pub(super) fn recycle(dir: &UnixDir, path: &Path, name: &Name) -> io::Result<()> {
    recycle_with(dir, path, name, home_bin().as_deref())
}

fn recycle_with(dir: &UnixDir, path: &Path, name: &Name, home: Option<&Path>) -> io::Result<()> {
    let mount = Mount::of(dir.fd.as_fd())?;
    if super::path_identity(path) != Some(dir_identity(dir)?) {
        // The bin would remember a place where the item never was.
        return Err(io::ErrorKind::NotFound.into());
    }
    if let Some(bin) = home.and_then(|home| Bin::in_home(home, mount)) {
        match bin.take(dir, path, name) {
            // A limit between two parts of one volume that shows only now.
            Err(e) if e.kind() == io::ErrorKind::CrossesDevices => {}
            done => return done,
        }
    }
    let Some(bin) = Bin::at_top(&top_of(path, mount))? else { return Err(io::ErrorKind::Unsupported.into()) };
    bin.take(dir, path, name).map_err(|e| match e.kind() {
        io::ErrorKind::CrossesDevices => io::ErrorKind::Unsupported.into(),
        _ => e,
    })
}

fn dir_identity(dir: &UnixDir) -> io::Result<crate::FileId> {
    let stat = retry(|| rustix::fs::fstat(&dir.fd))?;
    Ok(crate::FileId { volume: stat.st_dev as u64, file: stat.st_ino as u64, file_high: 0 })
}

/// Where the bin of the home folder is or would be.
fn home_bin() -> Option<PathBuf> {
    // "All paths set in these environment variables must be absolute" (XDG Base Directory Specification).
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let data = absolute("XDG_DATA_HOME").or_else(|| Some(absolute("HOME")?.join(".local/share")))?;
    Some(data.join("Trash"))
}

/// What a rename cannot leave: a device, and where the kernel tells (Linux 5.8), a mount.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Mount {
    device: (u32, u32),
    mount: u64,
}

impl Mount {
    fn of(fd: BorrowedFd<'_>) -> io::Result<Self> {
        let wanted = StatxFlags::BASIC_STATS | StatxFlags::MNT_ID;
        let s = retry(|| rustix::fs::statx(fd, c"", AtFlags::EMPTY_PATH, wanted))?;
        let has_mount = s.stx_mask & StatxFlags::MNT_ID.bits() != 0;
        Ok(Self {
            device: (s.stx_dev_major, s.stx_dev_minor),
            mount: if has_mount { s.stx_mnt_id } else { 0 },
        })
    }

    fn of_path(path: &Path) -> io::Result<Self> {
        Self::of(open_path(path)?.as_fd())
    }
}

fn open_path(path: &Path) -> io::Result<OwnedFd> {
    let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
    retry(|| rustix::fs::open(path, flags, Mode::empty()))
}

/// The highest folder above `path`, or itself, on the same mount.
fn top_of(path: &Path, mount: Mount) -> PathBuf {
    let here = |folder: &&Path| Mount::of_path(folder).is_ok_and(|found| found == mount);
    path.ancestors().take_while(here).last().unwrap_or(path).to_path_buf()
}

/// An open bin.
struct Bin {
    files: UnixDir,
    info: UnixDir,
    /// Paths in the bin's notes begin here; `None` where they are absolute.
    top: Option<PathBuf>,
}

impl Bin {
    /// The home folder's bin, made if it is not there, if it is on the same mount. `None` where there is none to be
    /// had; then the volume may have one.
    fn in_home(path: &Path, mount: Mount) -> Option<Self> {
        let exists = path.ancestors().find(|folder| folder.is_dir())?;
        if Mount::of_path(exists).ok()? != mount {
            return None;
        }
        std::os::unix::fs::DirBuilderExt::mode(std::fs::DirBuilder::new().recursive(true), 0o700)
            .create(path)
            .ok()?;
        Self::open(&open_path(path).ok()?, None).ok()
    }

    /// The bin at the top of a volume: this user's folder in one that an administrator made for all, else one of
    /// this user alone, made if it is not there. `None` where the volume does not let one be made.
    fn at_top(top: &Path) -> io::Result<Option<Self>> {
        let folder = open_path(top)?;
        let user = rustix::process::getuid();
        let shared = open_own(folder.as_fd(), OsStr::new(".Trash")).ok().filter(is_for_all);
        if let Some(shared) = shared
            && let Ok(own) = make_own(shared.as_fd(), OsStr::new(&user.as_raw().to_string()))
        {
            return Self::open(&own, Some(top.to_path_buf())).map(Some);
        }
        match make_own(folder.as_fd(), OsStr::new(&format!(".Trash-{}", user.as_raw()))) {
            Ok(own) => Self::open(&own, Some(top.to_path_buf())).map(Some),
            Err(e) => match crate::reason(&e) {
                R::PermissionDenied | R::ReadOnlyVolume | R::NotAFolder | R::IsALink | R::Unsupported => {
                    Ok(None)
                }
                _ => Err(e),
            },
        }
    }

    fn open(bin: &OwnedFd, top: Option<PathBuf>) -> io::Result<Self> {
        let sub = |name: &str| make_own(bin.as_fd(), OsStr::new(name)).map(UnixDir::new);
        Ok(Self { files: sub("files")?, info: sub("info")?, top })
    }

    /// Moves the item in. Its note comes first and goes again if the move fails: an item without a note could not be
    /// put back, a note without an item is harmless.
    fn take(&self, dir: &UnixDir, path: &Path, name: &Name) -> io::Result<()> {
        let note = self.note(&path.join(name.as_os()));
        for attempt in 0..MOST_NAMES {
            let kept = name_in_bin(name, attempt);
            let (Ok(kept), Ok(note_name)) =
                (Name::new(kept.as_slice()), Name::new([&kept, b".trashinfo".as_slice()].concat()))
            else {
                return Err(io::ErrorKind::InvalidFilename.into());
            };
            match self.write_note(&note_name, &note) {
                Ok(()) => {}
                Err(e) if e.kind() == io::ErrorKind::AlreadyExists => continue,
                Err(e) => return Err(e),
            }
            match dir.rename(name, &self.files, &kept, Rename::NoReplace) {
                // Until the new name is durable, the caller must not make the loss of the old one durable.
                Ok(()) => return retry(|| rustix::fs::fsync(&self.files.fd)),
                Err(e) => {
                    let _ = self.info.remove_file(&note_name);
                    if e.kind() != io::ErrorKind::AlreadyExists {
                        return Err(e);
                    }
                }
            }
        }
        Err(io::ErrorKind::AlreadyExists.into())
    }

    fn write_note(&self, name: &Name, note: &[u8]) -> io::Result<()> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let fd = retry(|| rustix::fs::openat(&self.info.fd, name.as_bytes(), flags, mode))?;
        let mut file = std::fs::File::from(fd);
        let written = file.write_all(note).and_then(|()| file.sync_all());
        if written.is_err() {
            let _ = self.info.remove_file(name);
        }
        written
    }

    /// Where the item was and when it went, as the specification writes it.
    fn note(&self, path: &Path) -> Vec<u8> {
        let path = self.top.as_ref().and_then(|top| path.strip_prefix(top).ok()).unwrap_or(path);
        let mut note = b"[Trash Info]\nPath=".to_vec();
        for &byte in path.as_os_str().as_bytes() {
            // The unreserved characters of RFC 3986; everything else is spelled in hex.
            if byte.is_ascii_alphanumeric() || b"-_.~/".contains(&byte) {
                note.push(byte);
            } else {
                note.extend_from_slice(format!("%{byte:02X}").as_bytes());
            }
        }
        let now = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S");
        note.extend_from_slice(format!("\nDeletionDate={now}\n").as_bytes());
        note
    }
}

/// The item's name, cut where it would be too long; with the time from the second attempt on, so that many items of
/// one name find their places soon.
fn name_in_bin(name: &Name, attempt: u32) -> Vec<u8> {
    let bytes = name.as_bytes();
    let mut end = bytes.len().min(LONGEST);
    // Not in the middle of a character.
    while end < bytes.len() && end > 0 && bytes[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    let mut kept = bytes[..end].to_vec();
    if attempt > 0 {
        let now = crate::Time::now();
        kept.extend_from_slice(format!(".{:x}-{:08x}-{attempt}", now.seconds(), now.nanos()).as_bytes());
    }
    kept
}

/// Opens a folder that is no link and belongs to this user.
fn own(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let fd = open_own(parent, name)?;
    let stat = retry(|| rustix::fs::fstat(&fd))?;
    // Somebody else's folder of that name would hand them what is thrown away.
    if stat.st_uid != rustix::process::getuid().as_raw() {
        return Err(io::ErrorKind::PermissionDenied.into());
    }
    Ok(fd)
}

fn open_own(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    retry(|| rustix::fs::openat(parent, name, flags, Mode::empty()))
}

/// The same, made if it is not there.
fn make_own(parent: BorrowedFd<'_>, name: &OsStr) -> io::Result<OwnedFd> {
    match retry(|| rustix::fs::mkdirat(parent, name, Mode::RWXU)) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists && crate::reason(&e) != R::ReadOnlyVolume => {
            Err(e)
        }
        _ => own(parent, name),
    }
}

/// "If the .Trash directory is not sticky, it must not be used": anybody could remove what others threw away.
fn is_for_all(folder: &OwnedFd) -> bool {
    retry(|| rustix::fs::fstat(folder)).is_ok_and(|stat| stat.st_mode & 0o1000 != 0)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    /// A folder with items, and a place for bins, on one volume.
    struct Place {
        tmp: tempfile::TempDir,
        dir: UnixDir,
    }

    impl Place {
        fn new() -> Self {
            let tmp = tempfile::tempdir().unwrap();
            fs::create_dir(tmp.path().join("from")).unwrap();
            let dir =
                UnixDir::new(open_own(open_path(tmp.path()).unwrap().as_fd(), OsStr::new("from")).unwrap());
            Self { tmp, dir }
        }

        fn path(&self, below: &str) -> PathBuf {
            self.tmp.path().canonicalize().unwrap().join(below)
        }

        fn recycle(&self, name: &str) -> io::Result<()> {
            let name = Name::new(name.as_bytes()).unwrap();
            recycle_with(&self.dir, &self.path("from"), &name, Some(&self.path("home/Trash")))
        }

        fn kept(&self, bin: &str) -> Vec<String> {
            let list = fs::read_dir(self.path(bin).join("files")).unwrap();
            let mut names: Vec<_> = list.map(|e| e.unwrap().file_name().into_string().unwrap()).collect();
            names.sort();
            names
        }
    }

    #[test]
    fn an_item_goes_to_the_home_bin_with_a_note_of_where_it_was() {
        let place = Place::new();
        fs::write(place.path("from/a file ä%"), "content").unwrap();
        place.recycle("a file ä%").unwrap();
        assert!(!place.path("from/a file ä%").exists());
        assert_eq!(fs::read_to_string(place.path("home/Trash/files/a file ä%")).unwrap(), "content");
        let note = fs::read_to_string(place.path("home/Trash/info/a file ä%.trashinfo")).unwrap();
        let lines: Vec<&str> = note.lines().collect();
        assert_eq!(lines[0], "[Trash Info]");
        assert!(lines[1].starts_with("Path=/") && lines[1].ends_with("/from/a%20file%20%C3%A4%25"), "{note}");
        let date = lines[2].strip_prefix("DeletionDate=").unwrap();
        assert!(date.len() == 19 && date.as_bytes()[10] == b'T', "{note}");
        assert_eq!(fs::metadata(place.path("home/Trash")).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn items_of_one_name_and_long_names_all_find_a_place() {
        let place = Place::new();
        let long = "ä".repeat(127);
        for content in ["1", "2", "3"] {
            fs::write(place.path("from/x"), content).unwrap();
            place.recycle("x").unwrap();
            fs::write(place.path("from").join(&long), content).unwrap();
            place.recycle(&long).unwrap();
        }
        let kept = place.kept("home/Trash");
        assert_eq!(kept.len(), 6, "{kept:?}");
        let notes = fs::read_dir(place.path("home/Trash/info")).unwrap().count();
        assert_eq!(notes, 6);
        let contents: std::collections::BTreeSet<_> = kept
            .iter()
            .filter(|n| n.starts_with('x'))
            .map(|n| fs::read_to_string(place.path("home/Trash/files").join(n)).unwrap())
            .collect();
        assert_eq!(contents.len(), 3, "nothing was replaced");
    }

    #[test]
    fn folders_and_links_go_as_they_are_and_a_link_is_not_followed() {
        let place = Place::new();
        fs::create_dir(place.path("from/d")).unwrap();
        fs::write(place.path("outside"), "stays").unwrap();
        std::os::unix::fs::symlink("../outside", place.path("from/l")).unwrap();
        place.recycle("d").unwrap();
        place.recycle("l").unwrap();
        assert_eq!(place.kept("home/Trash"), ["d", "l"]);
        assert!(place.path("home/Trash/files/l").is_symlink());
        assert_eq!(fs::read_to_string(place.path("outside")).unwrap(), "stays");
    }

    #[test]
    fn what_is_not_there_leaves_no_note() {
        let place = Place::new();
        assert_eq!(place.recycle("none").unwrap_err().kind(), io::ErrorKind::NotFound);
        assert_eq!(fs::read_dir(place.path("home/Trash/info")).unwrap().count(), 0);
    }

    #[test]
    fn a_folder_that_is_no_longer_at_its_path_is_refused() {
        let place = Place::new();
        fs::write(place.path("from/x"), "stays").unwrap();
        fs::rename(place.path("from"), place.path("moved")).unwrap();
        fs::create_dir(place.path("from")).unwrap();
        assert!(place.recycle("x").is_err());
        assert!(place.path("moved/x").exists());
    }

    #[test]
    fn a_home_on_another_volume_offers_no_bin_here() {
        let place = Place::new();
        let mount = Mount::of(place.dir.fd.as_fd()).unwrap();
        assert!(Bin::in_home(Path::new("/proc/none/Trash"), mount).is_none());
        assert!(Bin::in_home(&place.path("home/Trash"), mount).is_some());
        assert_ne!(Mount::of_path(Path::new("/proc")).unwrap(), mount);
        assert_eq!(
            top_of(Path::new("/proc/self"), Mount::of_path(Path::new("/proc")).unwrap()),
            Path::new("/proc")
        );
    }

    #[test]
    fn the_bin_at_the_top_of_a_volume_is_this_users_own_and_notes_paths_below_the_top() {
        let place = Place::new();
        fs::write(place.path("from/x"), "content").unwrap();
        let bin = Bin::at_top(&place.path("")).unwrap().unwrap();
        bin.take(&place.dir, &place.path("from"), &Name::new(b"x".as_slice()).unwrap()).unwrap();
        let own = format!(".Trash-{}", rustix::process::getuid().as_raw());
        assert_eq!(place.kept(&own), ["x"]);
        let note = fs::read_to_string(place.path(&own).join("info/x.trashinfo")).unwrap();
        assert!(note.contains("\nPath=from/x\n"), "{note}");
    }

    #[test]
    fn a_bin_for_all_is_used_only_if_it_is_sticky_and_no_link() {
        let user = rustix::process::getuid().as_raw();
        let place = Place::new();
        fs::create_dir(place.path(".Trash")).unwrap();
        fs::set_permissions(place.path(".Trash"), fs::Permissions::from_mode(0o777)).unwrap();
        Bin::at_top(&place.path("")).unwrap().unwrap();
        assert!(
            !place.path(&format!(".Trash/{user}")).exists() && place.path(&format!(".Trash-{user}")).exists()
        );
        fs::set_permissions(place.path(".Trash"), fs::Permissions::from_mode(0o1777)).unwrap();
        Bin::at_top(&place.path("")).unwrap().unwrap();
        assert!(place.path(&format!(".Trash/{user}/files")).exists());

        let linked = Place::new();
        std::os::unix::fs::symlink(place.path(""), linked.path(&format!(".Trash-{user}"))).unwrap();
        assert!(Bin::at_top(&linked.path("")).unwrap().is_none(), "a link could lead anywhere");
    }
}
