//! What a Windows volume is and can do, asked through an open folder on it.

use std::io;
use std::os::windows::io::{AsHandle, BorrowedHandle};
use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use windows_sys::Wdk::Storage::FileSystem as class;
use windows_sys::Wdk::System::SystemServices::{
    FILE_READ_ONLY_DEVICE, FILE_REMOTE_DEVICE, FILE_REMOVABLE_MEDIA,
};
use windows_sys::Win32::Storage::FileSystem as fs;
use windows_sys::Win32::System::Ioctl;
use windows_sys::Win32::System::SystemServices::{FILE_CS_FLAG_CASE_SENSITIVE_DIR, FILE_READ_ONLY_VOLUME};
use windows_sys::Win32::System::WindowsProgramming::{
    DRIVE_CDROM, DRIVE_RAMDISK, DRIVE_REMOTE, DRIVE_REMOVABLE,
};

use super::dir::WindowsDir;
use super::list::Form;
use super::{nt, path};
use crate::{CaseRule, CreatedTime, FileId, Metadata, NameUnits, Place, Space, VolumeFacts};

/// Items that must agree with the listing, one after the other, before it is believed.
const ENOUGH: u32 = 8;
/// Items that may disagree before listings of the volume are no longer tried.
const TOO_MANY: u32 = 4;

/// What all open folders below one root have in common. They are on one volume, because nothing that leads to
/// another is followed.
#[derive(Debug)]
pub(super) struct Shared {
    serial: u64,
    /// [`FileId::OF_PLACE`] where numbers are of 64 bits and a place's, else 0.
    number_high: u64,
    form: AtomicU8,
    agreed: AtomicU32,
    disagreed: AtomicU32,
}

impl Shared {
    /// `root` is the folder's own identity.
    pub(super) fn new(root: FileId) -> Self {
        Self {
            serial: root.volume,
            number_high: if root.is_of_place() { FileId::OF_PLACE } else { 0 },
            form: AtomicU8::new(0),
            agreed: AtomicU32::new(0),
            disagreed: AtomicU32::new(0),
        }
    }

    /// The volume's number.
    pub(super) fn serial(&self) -> u64 {
        self.serial
    }

    /// The identity of an item, from what a listing tells of it.
    pub(super) fn listed(&self, id: FileId) -> FileId {
        FileId { volume: self.serial, file_high: id.file_high | self.number_high, ..id }
    }

    /// The form of listing that worked last.
    pub(super) fn form(&self) -> Form {
        match self.form.load(Ordering::Relaxed) {
            0 => Form::IdExtd,
            1 => Form::IdBoth,
            _ => Form::Full,
        }
    }

    pub(super) fn set_form(&self, form: Form) {
        self.form.store(form as u8, Ordering::Relaxed);
    }

    /// What the listing says of a file, once it has proved right on this volume; until then what the file says when
    /// asked. `None` where listings proved wrong, or the file could not be asked.
    pub(super) fn believe(
        &self,
        listed: Metadata,
        ask: impl FnOnce() -> io::Result<Metadata>,
    ) -> Option<Metadata> {
        if self.agreed.load(Ordering::Relaxed) >= ENOUGH {
            return Some(listed);
        }
        if self.disagreed.load(Ordering::Relaxed) >= TOO_MANY {
            return None;
        }
        let asked = ask().ok()?;
        // What the listing cannot know, or rounds in its own way, and nothing depends on.
        let comparable = Metadata { links: listed.links, allocated: listed.allocated, ..asked };
        if comparable == listed {
            self.agreed.fetch_add(1, Ordering::Relaxed);
        } else {
            self.agreed.store(0, Ordering::Relaxed);
            self.disagreed.fetch_add(1, Ordering::Relaxed);
        }
        Some(asked)
    }
}

pub(super) fn facts(dir: &WindowsDir) -> io::Result<VolumeFacts> {
    let handle = dir.handle.as_handle();
    let volume = FileSystem::of(handle)?;
    let device = Device::of(handle);
    let place = place(handle, &device);
    let known = known(&volume.name);
    let is_network = place == Place::Network;
    // Only file systems whose unbuffered reads are documented to go to the device; not those of other makers, which
    // may keep a cache of their own. Wine ignores the request.
    let device_reread = known.unbuffered && !is_network && place != Place::Memory && !nt::is_wine();
    Ok(VolumeFacts {
        id: dir.shared.serial(),
        place,
        read_only: volume.flags & FILE_READ_ONLY_VOLUME != 0 || device.traits & FILE_READ_ONLY_DEVICE != 0,
        case: case(handle),
        time_granularity_nanos: known.granularity,
        // Wine takes the call and stores nothing.
        created: if nt::is_wine() { CreatedTime::Absent } else { CreatedTime::Settable },
        max_name: volume.longest_name,
        name_units: NameUnits::Utf16,
        // A handle to the whole volume, which could be flushed, is for administrators only.
        sync_volume: false,
        device_reread,
        uncached_reads_device: device_reread,
        // What is in a file's record is refused when it is opened to be read past the cache.
        in_metadata_max_bytes: 0,
        max_file_bytes: known.max_file,
        // Documented to last as long as the file; on FAT a number is that of a place.
        lasting_numbers: matches!(volume.name.as_str(), "NTFS" | "ReFS"),
        file_system: volume.name,
    })
}

/// What the file system says about itself.
struct FileSystem {
    name: String,
    flags: u32,
    /// In UTF-16 units.
    longest_name: usize,
}

impl FileSystem {
    fn of(handle: BorrowedHandle<'_>) -> io::Result<Self> {
        // Flags, longest name and the name's length, four bytes each, then the name.
        let mut answer = [0_u64; 80];
        nt::query_volume(handle, class::FileFsAttributeInformation, &mut answer)?;
        let (flags, longest) = (answer[0] as u32, (answer[0] >> 32) as u32);
        let name_bytes = answer[1] as u32 as usize;
        let bytes: Vec<u8> =
            answer.iter().flat_map(|word| word.to_ne_bytes()).skip(12).take(name_bytes).collect();
        let units: Vec<u16> =
            bytes.chunks_exact(2).map(|unit| u16::from_ne_bytes([unit[0], unit[1]])).collect();
        let name = String::from_utf16_lossy(&units);
        Ok(Self {
            name: if name.is_empty() { "unknown".into() } else { name },
            flags,
            longest_name: longest as usize,
        })
    }
}

/// Whether a file's number tells where its name is in its folder, so that a rename can change it: documented for FAT
/// (<https://learn.microsoft.com/windows/win32/api/fileapi/ns-fileapi-by_handle_file_information>), not ruled out for
/// exFAT. A server says which file system its folder is on, too.
pub(super) fn numbers_are_of_places(handle: BorrowedHandle<'_>) -> bool {
    FileSystem::of(handle).is_ok_and(|volume| volume.name.starts_with("FAT") || volume.name == "exFAT")
}

/// What the device below the file system is.
#[derive(Default)]
struct Device {
    kind: u32,
    traits: u32,
}

impl Device {
    fn of(handle: BorrowedHandle<'_>) -> Self {
        let mut answer = [0_u64; 1];
        match nt::query_volume(handle, class::FileFsDeviceInformation, &mut answer) {
            Ok(()) => Self { kind: answer[0] as u32, traits: (answer[0] >> 32) as u32 },
            Err(_) => Self::default(),
        }
    }

    fn is_remote(&self) -> bool {
        self.traits & FILE_REMOTE_DEVICE != 0
            || matches!(
                self.kind,
                Ioctl::FILE_DEVICE_NETWORK
                    | Ioctl::FILE_DEVICE_NETWORK_FILE_SYSTEM
                    | Ioctl::FILE_DEVICE_NETWORK_REDIRECTOR
            )
    }
}

/// Where the bytes live. Any sign of a network counts: the folder may have been reached by a mapped drive, `subst`, a
/// mount point or a junction, and what matters is where it ends.
fn place(handle: BorrowedHandle<'_>, device: &Device) -> Place {
    let final_path = path::final_path(handle).unwrap_or_default();
    let is_unc = String::from_utf16_lossy(&final_path).to_ascii_uppercase().starts_with(r"\\?\UNC\");
    let is_protocol = nt::query::<fs::FILE_REMOTE_PROTOCOL_INFO>(handle).is_ok();
    let drive = drive_type(final_path);
    if is_unc || is_protocol || device.is_remote() || drive == DRIVE_REMOTE {
        Place::Network
    } else if drive == DRIVE_RAMDISK {
        Place::Memory
    } else if matches!(drive, DRIVE_REMOVABLE | DRIVE_CDROM) || device.traits & FILE_REMOVABLE_MEDIA != 0 {
        Place::Removable
    } else {
        Place::Local
    }
}

/// What `GetDriveTypeW` says of the volume that a path is on.
fn drive_type(mut path: Vec<u16>) -> u32 {
    path.push(0);
    let mut top = vec![0_u16; path.len() + 1];
    // SAFETY: the path ends in NUL; the buffer is writable for its length, and the answer ends in NUL.
    #[allow(unsafe_code)]
    unsafe {
        if fs::GetVolumePathNameW(path.as_ptr(), top.as_mut_ptr(), top.len() as u32) == 0 {
            return 0;
        }
    }
    // A letter by itself is what the letters are known by.
    let device = r"\\?\".encode_utf16().collect::<Vec<u16>>();
    let is_letter = top.starts_with(&device) && top.get(5) == Some(&u16::from(b':'));
    let top = if is_letter { &top[device.len()..] } else { &top[..] };
    // SAFETY: the string ends in NUL, as the call before left it.
    #[allow(unsafe_code)]
    unsafe {
        fs::GetDriveTypeW(top.as_ptr())
    }
}

/// Folders can be marked case-sensitive one by one; whether one is can be asked since Windows 10 1803.
fn case(handle: BorrowedHandle<'_>) -> CaseRule {
    match nt::query::<fs::FILE_CASE_SENSITIVE_INFO>(handle) {
        Ok(info) if info.Flags & FILE_CS_FLAG_CASE_SENSITIVE_DIR != 0 => CaseRule::Sensitive,
        _ => CaseRule::Insensitive,
    }
}

struct Known {
    granularity: u64,
    max_file: u64,
    unbuffered: bool,
}

/// What the file systems' own documentation fixes and no call reports
/// (<https://learn.microsoft.com/windows/win32/sysinfo/file-times>).
fn known(name: &str) -> Known {
    const MILLISECOND: u64 = 1_000_000;
    let (granularity, unbuffered) = match name {
        "FAT" | "FAT12" | "FAT16" | "FAT32" => (2000 * MILLISECOND, true),
        "exFAT" => (10 * MILLISECOND, true),
        "CDFS" => (1000 * MILLISECOND, false),
        "UDF" => (1000, false),
        "NTFS" | "ReFS" => (100, true),
        _ => (100, false),
    };
    let max_file = if name.starts_with("FAT") { u64::from(u32::MAX) } else { u64::MAX };
    Known { granularity, max_file, unbuffered }
}

/// Bytes of a cluster; `None` where the volume does not tell.
pub(super) fn cluster(handle: BorrowedHandle<'_>) -> Option<u64> {
    // Two counts of clusters, then sectors in one and bytes in a sector, four bytes each.
    let mut answer = [0_u64; 3];
    nt::query_volume(handle, class::FileFsSizeInformation, &mut answer).ok()?;
    Some(u64::from(answer[2] as u32) * (answer[2] >> 32)).filter(|&bytes| bytes > 0)
}

/// Room for the current user, quotas included.
pub fn space(handle: BorrowedHandle<'_>) -> io::Result<Space> {
    // Three counts of clusters (all that this user may have, free for this user, free) and the size of one.
    let mut answer = [0_u64; 4];
    nt::query_volume(handle, class::FileFsFullSizeInformation, &mut answer)?;
    let [total, free, _, unit] = answer;
    let cluster = u64::from(unit as u32) * (unit >> 32);
    Ok(Space {
        free: free.saturating_mul(cluster),
        total: total.saturating_mul(cluster),
        // NTFS makes records for items as needed.
        free_items: None,
    })
}
