//! What a volume is known by again after it was unmounted (Linux).
//!
//! `st_dev` is a number of the mount, so a stick has another one in another socket. What lasts is the UUID in the
//! superblock. Three ways lead to it, none of which needs rights: `f_fsid`, which some file systems make of it; a call
//! of Linux 6.9; and the links that udev keeps. Which way is taken depends on the file system alone where that is
//! possible, so that an update of the system does not make another volume of it.

use std::os::fd::{AsRawFd, BorrowedFd};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use crate::{Place, VolumeFacts};

/// Where udev keeps a link for each volume that it knows.
const BY_UUID: &str = "/dev/disk/by-uuid";

/// The mark of the volume that an open folder is on, with what is known of that volume.
pub(super) fn of(fd: BorrowedFd<'_>, facts: &VolumeFacts) -> Option<String> {
    if matches!(facts.place, Place::Network | Place::Memory) {
        return None;
    }
    if makes_fsid_of_uuid(&facts.file_system) {
        let fsid = rustix::fs::fstatvfs(fd).ok()?.f_fsid;
        return (fsid != 0).then(|| format!("fsid:{fsid:016x}"));
    }
    by_call(fd).or_else(|| by_links(Path::new(BY_UUID), facts.id)).map(|uuid| format!("uuid:{uuid}"))
}

/// File systems whose `f_fsid` is made of what is stored on them (`fs/*/super.c`), on Btrfs also of the subvolume,
/// whose snapshots have the same UUID. XFS, F2FS, FAT and others put the device's number there.
fn makes_fsid_of_uuid(name: &str) -> bool {
    matches!(name, "ext2" | "ext3" | "ext4" | "btrfs" | "bcachefs" | "jfs" | "zfs")
}

/// `FS_IOC_GETFSUUID` of include/uapi/linux/fs.h.
fn by_call(fd: BorrowedFd<'_>) -> Option<String> {
    const GET_UUID: libc::c_ulong = 0x8011_1500;
    // The length, then the number itself.
    let mut answer = [0_u8; 17];
    // SAFETY: the call writes at most the 17 bytes that its number says; the descriptor is borrowed, so open.
    #[allow(unsafe_code)]
    let result = unsafe { libc::ioctl(fd.as_raw_fd(), GET_UUID as _, answer.as_mut_ptr()) };
    let length = usize::from(answer[0]);
    let bytes =
        answer[1..].get(..length).filter(|bytes| result == 0 && bytes.iter().any(|&byte| byte != 0))?;
    Some(spelled(bytes))
}

/// As udev spells it.
fn spelled(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::new();
    for (i, byte) in bytes.iter().enumerate() {
        if bytes.len() == 16 && matches!(i, 4 | 6 | 8 | 10) {
            text.push('-');
        }
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    text
}

/// The name of the link that leads to a device.
fn by_links(folder: &Path, device: u64) -> Option<String> {
    let links = std::fs::read_dir(folder).ok()?;
    let found = links.flatten().find(|link| {
        std::fs::metadata(link.path()).is_ok_and(|there| there.rdev() == device && there.rdev() != 0)
    })?;
    Some(found.file_name().into_string().ok()?.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_is_spelled_as_its_link_is() {
        let bytes = *b"\x01\x23\x45\x67\x89\xab\xcd\xef\x01\x23\x45\x67\x89\xab\xcd\xef";
        assert_eq!(spelled(&bytes), "01234567-89ab-cdef-0123-456789abcdef");
        assert_eq!(spelled(&bytes[..4]), "01234567");
    }

    /// On whatever volume the tests run: what lasts cannot be seen here, only that it is one mark for one volume.
    #[test]
    fn each_folder_of_a_volume_has_its_mark_and_memory_has_none() {
        let tmp = tempfile::tempdir().unwrap();
        std::fs::create_dir(tmp.path().join("sub")).unwrap();
        let mark = |path: &Path| crate::open_root(path).unwrap().dir.volume_identity().unwrap();
        let (top, sub) = (mark(tmp.path()), mark(&tmp.path().join("sub")));
        assert_eq!(top, sub);
        let facts = crate::open_root(tmp.path()).unwrap().dir.volume().unwrap();
        if makes_fsid_of_uuid(&facts.file_system) {
            assert!(top.is_some_and(|mark| mark.starts_with("fsid:") && mark.len() == 21));
        }
        if let Ok(memory) = crate::open_root(Path::new("/dev/shm"))
            && memory.dir.volume().unwrap().place == Place::Memory
        {
            assert_eq!(memory.dir.volume_identity().unwrap(), None);
        }
    }

    #[test]
    fn a_device_is_found_by_its_link_and_nothing_else_is() {
        let tmp = tempfile::tempdir().unwrap();
        let link = |name: &str, to: &str| std::os::unix::fs::symlink(to, tmp.path().join(name)).unwrap();
        link("ABCD-EF01", "/dev/null");
        link("gone", "/nowhere/at/all");
        std::fs::write(tmp.path().join("file"), "").unwrap();
        let null = std::fs::metadata("/dev/null").unwrap().rdev();
        assert_eq!(by_links(tmp.path(), null).as_deref(), Some("abcd-ef01"));
        assert_eq!(by_links(tmp.path(), null + 1), None);
        assert_eq!(by_links(tmp.path(), 0), None, "what is no device has the number 0");
        assert_eq!(by_links(&tmp.path().join("none"), null), None);
    }
}
