//! A disk that writes down everything that arrives at it: a FUSE file system with one file, below a loop device.
//!
//! Invariant: an event is written down before it is answered, by one thread, so the order of the record is an order
//! the disk could have seen. The loop device passes writes and flushes on without a cache in between; that is checked,
//! not assumed.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, UNIX_EPOCH};

use fcs_testkit::unmount;
use fuser::{
    BackgroundSession, Config, Errno, FileAttr, FileHandle, FileType, Filesystem, FopenFlags, Generation,
    INodeNo, LockOwner, MountOption, OpenFlags, ReplyAttr, ReplyData, ReplyEmpty, ReplyEntry, ReplyOpen,
    ReplyWrite, Request, WriteFlags,
};
use tempfile::TempDir;

use super::disk::{Disk, Event};
use crate::judge::said;

const FILE: INodeNo = INodeNo(2);
const NAME: &str = "disk.img";
/// Nothing but this program changes the attributes.
const FOREVER: Duration = Duration::from_hours(1);

/// The disk and its record.
struct Recorded {
    disk: Disk,
    events: Vec<Event>,
}

type Shared = Arc<Mutex<Recorded>>;

fn lock(shared: &Shared) -> MutexGuard<'_, Recorded> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

struct OneFile(Shared);

impl OneFile {
    fn attributes(&self, ino: INodeNo) -> FileAttr {
        let file = ino == FILE;
        let size = if file { lock(&self.0).disk.size() } else { 0 };
        FileAttr {
            ino,
            size,
            blocks: size / 512,
            atime: UNIX_EPOCH,
            mtime: UNIX_EPOCH,
            ctime: UNIX_EPOCH,
            crtime: UNIX_EPOCH,
            kind: if file { FileType::RegularFile } else { FileType::Directory },
            perm: if file { 0o600 } else { 0o700 },
            nlink: 1,
            uid: 0,
            gid: 0,
            rdev: 0,
            blksize: 4096,
            flags: 0,
        }
    }
}

impl Filesystem for OneFile {
    fn lookup(&self, _: &Request, _: INodeNo, name: &OsStr, reply: ReplyEntry) {
        if name == NAME {
            reply.entry(&FOREVER, &self.attributes(FILE), Generation(0));
        } else {
            reply.error(Errno::ENOENT);
        }
    }

    fn getattr(&self, _: &Request, ino: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        reply.attr(&FOREVER, &self.attributes(ino));
    }

    fn open(&self, _: &Request, _: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        reply.opened(FileHandle(0), FopenFlags::FOPEN_DIRECT_IO);
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // Of a file handle, at close; not of the disk.
        reply.ok();
    }

    fn read(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        reply.data(lock(&self.0).disk.part(offset, size as usize));
    }

    fn write(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        let mut recorded = lock(&self.0);
        let written = recorded.disk.write(offset, data);
        recorded.events.push(Event::Write { offset, data: data[..written].to_vec() });
        reply.written(written as u32);
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        lock(&self.0).events.push(Event::Flush);
        reply.ok();
    }

    fn fallocate(&self, _: &Request, _: INodeNo, _: FileHandle, _: u64, _: u64, _: i32, reply: ReplyEmpty) {
        // Without discards and quick zeros the kernel writes zeros, which are recorded like all else.
        reply.error(Errno::EOPNOTSUPP);
    }
}

/// A mounted file system on a recording disk.
pub(super) struct Recorder {
    shared: Shared,
    session: Option<BackgroundSession>,
    loop_device: Option<PathBuf>,
    mount_point: PathBuf,
    mounted: bool,
    dir: Option<TempDir>,
}

impl Recorder {
    /// Mounts `disk`, which holds a file system of type `kind`, with `options` at this mount point: journals name folders by
    /// their paths, so what is mounted after a cut is to be found where it was.
    pub(super) fn new(disk: Disk, kind: &str, options: &str, mount_point: &Path) -> Result<Self, String> {
        let dir = tempfile::Builder::new().prefix("fcs-record-").tempdir_in("/dev/shm");
        let dir = dir.map_err(|error| error.to_string())?;
        let shared = Arc::new(Mutex::new(Recorded { disk, events: Vec::new() }));
        // Built before anything is attached, so that an early return through `?` undoes what was done so far.
        let mut recorder = Self {
            shared,
            session: None,
            loop_device: None,
            mount_point: mount_point.to_owned(),
            mounted: false,
            dir: Some(dir),
        };
        let fuse = recorder.fuse();
        fs::create_dir(&fuse).map_err(|error| said("make", &fuse, &error))?;
        let mut config = Config::default();
        config.mount_options = vec![MountOption::FSName("fcs-torture".to_owned())];
        let served = fuser::spawn_mount(OneFile(Arc::clone(&recorder.shared)), &fuse, &config);
        recorder.session = Some(served.map_err(|error| format!("FUSE: {error}"))?);

        let image = fuse.join(NAME);
        let device = tool("losetup", &["--find", "--show", "--direct-io=on", &image.display().to_string()])?;
        let device = PathBuf::from(device.trim());
        recorder.loop_device = Some(device.clone());
        let direct = Path::new("/sys/block").join(device.file_name().unwrap_or_default()).join("loop/dio");
        if fs::read_to_string(&direct).is_ok_and(|dio| dio.trim() != "1") {
            return Err("the loop device caches writes".to_owned());
        }
        mount(kind, options, &device, mount_point)?;
        recorder.mounted = true;
        Ok(recorder)
    }

    fn fuse(&self) -> PathBuf {
        self.dir.as_ref().map_or_else(PathBuf::new, |dir| dir.path().join("fuse"))
    }

    pub(super) fn mount_point(&self) -> &Path {
        &self.mount_point
    }

    /// How many events there are so far.
    pub(super) fn now(&self) -> usize {
        lock(&self.shared).events.len()
    }

    /// Unmounts, and yields what was recorded, that of the unmounting too.
    pub(super) fn finish(mut self) -> Result<Vec<Event>, String> {
        self.dismantle()?;
        Ok(std::mem::take(&mut lock(&self.shared).events))
    }

    fn dismantle(&mut self) -> Result<(), String> {
        if self.mounted {
            unmount(&self.mount_point)?;
            self.mounted = false;
        }
        if let Some(device) = self.loop_device.take() {
            tool("losetup", &["--detach", &device.display().to_string()])?;
        }
        if let Some(session) = self.session.take() {
            // The kernel closes the file a moment after the device is detached.
            let fuse = self.fuse();
            unmount(&fuse)?;
            session.join().map_err(|error| format!("FUSE: {error}"))?;
        }
        match self.dir.take() {
            Some(dir) => dir.close().map_err(|error| error.to_string()),
            None => Ok(()),
        }
    }
}

impl Drop for Recorder {
    fn drop(&mut self) {
        if self.dir.is_some()
            && let Err(error) = self.dismantle()
        {
            eprintln!("left behind: {:?}: {error}", self.dir.take().map(TempDir::keep));
        }
    }
}

/// Mounts a device, or a file through a loop device of its own that vanishes with the mount.
pub(super) fn mount(kind: &str, options: &str, what: &Path, mount_point: &Path) -> Result<(), String> {
    let [what, at] = [what, mount_point].map(|path| path.display().to_string());
    let options = if options.is_empty() { "defaults" } else { options };
    tool("mount", &["-t", kind, "-o", options, &what, &at]).map(drop)
}

/// What a tool prints; an error with what it complains about.
pub(super) fn tool(name: &str, args: &[&str]) -> Result<String, String> {
    let output = Command::new(name).args(args).output().map_err(|error| format!("{name}: {error}"))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    Err(format!("{name}: {}", String::from_utf8_lossy(&output.stderr).trim()))
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use fcs_testkit::{FsKind, Image, skip, test_name};

    use super::*;

    /// Without this the whole torture would prove nothing.
    #[test]
    fn a_sync_of_a_file_arrives_as_writes_and_then_a_flush() {
        let image = match Image::new(FsKind::Ext4, 64 << 20) {
            Ok(image) => image,
            Err(reason) => return skip(test_name!(), &reason.reason),
        };
        if !Path::new("/dev/fuse").exists() {
            return skip(test_name!(), "no /dev/fuse");
        }
        image.sync();
        let disk = Disk::read(image.backing_file().unwrap()).unwrap();
        image.close().unwrap();
        let at = tempfile::tempdir().unwrap();
        let recorder = Recorder::new(disk, "ext4", "", at.path()).unwrap();
        let before = recorder.now();
        let path = recorder.mount_point().join("file");
        fs::write(&path, [7; 10_000]).unwrap();
        File::open(&path).unwrap().sync_all().unwrap();
        let after = recorder.now();
        let events = recorder.finish().unwrap();
        let during = &events[before..after];
        assert_eq!(during.last(), Some(&Event::Flush), "the sync returned before the flush");
        let holds =
            |event: &Event| matches!(event, Event::Write { data, .. } if data.starts_with(&[7; 4096]));
        assert!(during.iter().any(holds), "the content was not written before the sync returned");
    }
}
