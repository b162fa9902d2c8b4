//! The requests of the kernel, answered from a [`Disk`].

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::{Duration, SystemTime};

use fuser::{
    BsdFileFlags, Errno, FileHandle, FileType, Filesystem, FopenFlags, Generation, INodeNo, InitFlags,
    KernelConfig, LockOwner, OpenFlags, RenameFlags, ReplyAttr, ReplyCreate, ReplyData, ReplyDirectory,
    ReplyEmpty, ReplyEntry, ReplyLock, ReplyOpen, ReplyStatfs, ReplyWrite, ReplyXattr, Request, TimeOrNow,
    WriteFlags,
};

use super::disk::{BLOCK, BLOCKS, Content, Disk, now, time_of};
use super::{Call, Vice};

/// Nothing is kept by the kernel, so that each vice shows at once.
const TTL: Duration = Duration::ZERO;

pub(super) struct Server {
    disk: Arc<Mutex<Disk>>,
}

/// What `setattr` may set.
struct Changes {
    mode: Option<u32>,
    owner: (Option<u32>, Option<u32>),
    size: Option<u64>,
    accessed: Option<TimeOrNow>,
    modified: Option<TimeOrNow>,
}

impl Server {
    pub(super) fn new(disk: Arc<Mutex<Disk>>) -> Self {
        Self { disk }
    }

    fn lock(&self) -> MutexGuard<'_, Disk> {
        self.disk.lock().expect("no request panics")
    }

    fn change(&self, node: INodeNo, changes: &Changes) -> Result<fuser::FileAttr, Errno> {
        let disk = &mut *self.lock();
        let mut number = disk.number(node);
        let target = match &disk.object(node)?.content {
            Content::Link(target) => Some(target.clone()),
            _ => None,
        };
        if let Some(target) = target
            && disk.has(&Vice::FollowsLinks)
        {
            let folder = disk.parent_of(number);
            number = disk.follow(folder, &target, 0)?;
        }
        if let Some(mode) = changes.mode {
            disk.refuse(Call::Chmod)?;
            let fixed = |vice: &Vice| matches!(vice, Vice::ModesAre(_) | Vice::ChmodLies).then_some(());
            if disk.vice(fixed).is_none() {
                disk.objects.get_mut(&number).ok_or(Errno::ESTALE)?.mode = (mode & 0o7777) as u16;
            }
        }
        if changes.owner != (None, None) {
            disk.refuse(Call::Chown)?;
            if !disk.has(&Vice::OwnersLie) {
                let object = disk.objects.get_mut(&number).ok_or(Errno::ESTALE)?;
                object.uid = changes.owner.0.unwrap_or(object.uid);
                object.gid = changes.owner.1.unwrap_or(object.gid);
            }
        }
        disk.touch(number, changes.size.is_some());
        if let Some(size) = changes.size
            && let Content::File(bytes) = &mut disk.objects.get_mut(&number).ok_or(Errno::ESTALE)?.content
        {
            bytes.resize(usize::try_from(size).map_err(|_| Errno::EFBIG)?, 0);
        }
        if changes.accessed.is_some() || changes.modified.is_some() {
            // Those that come along with a change of size are the kernel's own.
            if changes.size.is_none() {
                disk.refuse(Call::SetTimes)?;
            }
            let given = |time: TimeOrNow| match time {
                TimeOrNow::SpecificTime(time) => time_of(time),
                TimeOrNow::Now => now(),
            };
            let accessed = changes.accessed.map(|time| disk.stored(given(time)));
            let modified = changes.modified.map(|time| disk.stored(given(time)));
            let object = disk.objects.get_mut(&number).ok_or(Errno::ESTALE)?;
            object.accessed = accessed.unwrap_or(object.accessed);
            object.modified = modified.unwrap_or(object.modified);
        }
        disk.attr(node)
    }

    fn rename_to(
        &self,
        (from_node, from): (INodeNo, &OsStr),
        (to_node, to): (INodeNo, &OsStr),
        flags: RenameFlags,
    ) -> Result<(), Errno> {
        let disk = &mut *self.lock();
        let (from_dir, to_dir) = (disk.number(from_node), disk.number(to_node));
        disk.allowed(to)?;
        let exchange = flags.contains(RenameFlags::RENAME_EXCHANGE);
        if exchange {
            disk.refuse(Call::Exchange)?;
        }
        if flags.contains(RenameFlags::RENAME_NOREPLACE) {
            disk.refuse(Call::NoReplace)?;
        }
        let (from, mut spelled) = (disk.spelled(from_dir, from)?, disk.spelled(to_dir, to)?);
        let moving = disk.named(from_dir, &from)?;
        if matches!(disk.objects[&moving].content, Content::Dir(_)) {
            disk.refuse(Call::RenameDir)?;
        }
        let mut there = disk.named(to_dir, &spelled).ok();
        if there == Some(moving) {
            if from_dir != to_dir || from != spelled {
                // Two names of one file: nothing is done, says POSIX.
                return Ok(());
            }
            // The same name in another spelling.
            (there, spelled) = (None, to.to_owned());
        }
        if there.is_some() && flags.contains(RenameFlags::RENAME_NOREPLACE) {
            return Err(Errno::EEXIST);
        }
        if exchange {
            let other = there.ok_or(Errno::ENOENT)?;
            disk.entries(from_dir)?.insert(from.clone(), other);
            disk.entries(to_dir)?.insert(spelled.clone(), moving);
            for (number, name) in [(moving, &spelled), (other, &from)] {
                disk.objects.get_mut(&number).ok_or(Errno::ESTALE)?.name.clone_from(name);
            }
            disk.touch(other, false);
        } else {
            if let Some(other) = there {
                disk.refuse(Call::Replace)?;
                let dir = matches!(disk.objects[&moving].content, Content::Dir(_));
                let over_dir = matches!(disk.objects[&other].content, Content::Dir(_));
                if dir != over_dir {
                    return Err(if dir { Errno::ENOTDIR } else { Errno::EISDIR });
                }
                disk.remove(to_node, &spelled, dir)?;
            }
            disk.entries(from_dir)?.remove(&from);
            disk.entries(to_dir)?.insert(spelled.clone(), moving);
            disk.objects.get_mut(&moving).ok_or(Errno::ESTALE)?.name.clone_from(&spelled);
        }
        disk.moved((from_dir, &from), (to_dir, &spelled), exchange);
        disk.touch(moving, false);
        disk.touch(from_dir, true);
        disk.touch(to_dir, true);
        Ok(())
    }

    fn second_name(&self, node: INodeNo, folder: INodeNo, name: &OsStr) -> Result<fuser::FileAttr, Errno> {
        let disk = &mut *self.lock();
        disk.refuse(Call::Link)?;
        disk.allowed(name)?;
        let (number, folder) = (disk.number(node), disk.number(folder));
        if disk.named(folder, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        let name = disk.spelled(folder, name)?;
        disk.entries(folder)?.insert(name.clone(), number);
        let object = disk.objects.get_mut(&number).ok_or(Errno::ESTALE)?;
        object.names += 1;
        object.name.clone_from(&name);
        disk.touch(number, false);
        disk.touch(folder, true);
        disk.show(folder, &name)
    }

    fn bytes(&self, node: INodeNo, offset: u64, size: u32) -> Result<Vec<u8>, Errno> {
        let disk = &mut *self.lock();
        let number = disk.number(node);
        let name = disk.object(node)?.name.clone();
        let grows = |vice: &Vice| matches!(vice, Vice::Grows(growing) if name == *growing).then_some(());
        // Once for each time through, or nobody would ever come to an end.
        if offset == 0 && disk.vice(grows).is_some() {
            if let Content::File(bytes) = &mut disk.object(node)?.content {
                bytes.extend_from_slice(b"and another line\n");
            }
            disk.touch(number, true);
        }
        let Content::File(bytes) = &disk.object(node)?.content else {
            return Err(Errno::EISDIR);
        };
        let start = bytes.len().min(usize::try_from(offset).unwrap_or(usize::MAX));
        let end = bytes.len().min(start + size as usize);
        Ok(bytes[start..end].to_vec())
    }

    fn store(&self, node: INodeNo, offset: u64, data: &[u8]) -> Result<u32, Errno> {
        let disk = &mut *self.lock();
        let number = disk.number(node);
        let Content::File(bytes) = &mut disk.object(node)?.content else {
            return Err(Errno::EISDIR);
        };
        let start = usize::try_from(offset).map_err(|_| Errno::EFBIG)?;
        let end = start + data.len();
        if bytes.len() < end {
            bytes.resize(end, 0);
        }
        bytes[start..end].copy_from_slice(data);
        disk.touch(number, true);
        Ok(data.len() as u32)
    }

    fn attribute<T>(
        &self,
        node: INodeNo,
        act: impl FnOnce(&mut BTreeMap<std::ffi::OsString, Vec<u8>>) -> Result<T, Errno>,
        changes: bool,
    ) -> Result<T, Errno> {
        let disk = &mut *self.lock();
        disk.refuse(Call::Xattr)?;
        let done = act(&mut disk.object(node)?.attributes)?;
        if changes {
            let number = disk.number(node);
            disk.touch(number, false);
        }
        Ok(done)
    }

    /// The kernel asks nobody when a file is closed: a process that is killed while it serves this file system and has
    /// a file of it open would wait for itself without end.
    fn open_flags(&self, node: INodeNo) -> Result<FopenFlags, Errno> {
        let disk = &mut *self.lock();
        let name = disk.object(node)?.name.clone();
        let untrue = |vice: &Vice| matches!(vice, Vice::SizeZero(hidden) if name == *hidden).then_some(());
        let mut flags = FopenFlags::FOPEN_NOFLUSH;
        // The kernel would read no further than the size that it was told.
        flags.set(FopenFlags::FOPEN_DIRECT_IO, disk.vice(untrue).is_some());
        Ok(flags)
    }
}

fn entry(reply: ReplyEntry, answer: Result<fuser::FileAttr, Errno>) {
    match answer {
        Ok(attr) => reply.entry(&TTL, &attr, Generation(0)),
        Err(error) => reply.error(error),
    }
}

fn empty(reply: ReplyEmpty, answer: Result<(), Errno>) {
    match answer {
        Ok(()) => reply.ok(),
        Err(error) => reply.error(error),
    }
}

fn sized(reply: ReplyXattr, size: u32, answer: Result<Vec<u8>, Errno>) {
    match answer {
        Ok(bytes) if size == 0 => reply.size(bytes.len() as u32),
        Ok(bytes) if bytes.len() > size as usize => reply.error(Errno::ERANGE),
        Ok(bytes) => reply.data(&bytes),
        Err(error) => reply.error(error),
    }
}

impl Filesystem for Server {
    fn init(&mut self, _: &Request, config: &mut KernelConfig) -> io::Result<()> {
        let locks = self.lock().vices.iter().any(|vice| matches!(vice, Vice::Refuses(Call::Flock, _)));
        if locks {
            // Without this the kernel keeps the locks itself and asks nobody.
            let asked = InitFlags::FUSE_FLOCK_LOCKS | InitFlags::FUSE_POSIX_LOCKS;
            config.add_capabilities(asked).map_err(|_| io::ErrorKind::Unsupported)?;
        }
        Ok(())
    }

    fn lookup(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        let disk = &mut *self.lock();
        let folder = disk.number(parent);
        entry(reply, disk.show(folder, name));
    }

    fn getattr(&self, _: &Request, node: INodeNo, _: Option<FileHandle>, reply: ReplyAttr) {
        match self.lock().attr(node) {
            Ok(attr) => reply.attr(&TTL, &attr),
            Err(error) => reply.error(error),
        }
    }

    fn setattr(
        &self,
        _: &Request,
        node: INodeNo,
        mode: Option<u32>,
        uid: Option<u32>,
        gid: Option<u32>,
        size: Option<u64>,
        accessed: Option<TimeOrNow>,
        modified: Option<TimeOrNow>,
        _: Option<SystemTime>,
        _: Option<FileHandle>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<SystemTime>,
        _: Option<BsdFileFlags>,
        reply: ReplyAttr,
    ) {
        match self.change(node, &Changes { mode, owner: (uid, gid), size, accessed, modified }) {
            Ok(attr) => reply.attr(&TTL, &attr),
            Err(error) => reply.error(error),
        }
    }

    fn readlink(&self, _: &Request, node: INodeNo, reply: ReplyData) {
        match self.lock().object(node).map(|object| &object.content) {
            Ok(Content::Link(target)) => reply.data(target),
            Ok(_) => reply.error(Errno::EINVAL),
            Err(error) => reply.error(error),
        }
    }

    fn mknod(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: u32,
        reply: ReplyEntry,
    ) {
        let content = match mode & libc::S_IFMT {
            libc::S_IFREG => Content::File(Vec::new()),
            libc::S_IFIFO => Content::Other(FileType::NamedPipe),
            libc::S_IFSOCK => Content::Other(FileType::Socket),
            _ => return reply.error(Errno::EPERM),
        };
        entry(reply, self.lock().make(req, parent, name, content, mode));
    }

    fn mkdir(&self, req: &Request, parent: INodeNo, name: &OsStr, mode: u32, _: u32, reply: ReplyEntry) {
        entry(reply, self.lock().make(req, parent, name, Content::Dir(BTreeMap::new()), mode));
    }

    fn symlink(&self, req: &Request, parent: INodeNo, name: &OsStr, target: &Path, reply: ReplyEntry) {
        let disk = &mut *self.lock();
        let content = Content::Link(target.as_os_str().as_bytes().to_vec());
        let made = disk.refuse(Call::Symlink).and_then(|()| disk.make(req, parent, name, content, 0o777));
        entry(reply, made);
    }

    fn unlink(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.lock().remove(parent, name, false));
    }

    fn rmdir(&self, _: &Request, parent: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.lock().remove(parent, name, true));
    }

    fn rename(
        &self,
        _: &Request,
        parent: INodeNo,
        name: &OsStr,
        new_parent: INodeNo,
        new_name: &OsStr,
        flags: RenameFlags,
        reply: ReplyEmpty,
    ) {
        empty(reply, self.rename_to((parent, name), (new_parent, new_name), flags));
    }

    fn link(&self, _: &Request, node: INodeNo, parent: INodeNo, name: &OsStr, reply: ReplyEntry) {
        entry(reply, self.second_name(node, parent, name));
    }

    fn open(&self, _: &Request, node: INodeNo, _: OpenFlags, reply: ReplyOpen) {
        match self.open_flags(node) {
            Ok(flags) => reply.opened(FileHandle(0), flags),
            Err(error) => reply.error(error),
        }
    }

    fn create(
        &self,
        req: &Request,
        parent: INodeNo,
        name: &OsStr,
        mode: u32,
        _: u32,
        _: i32,
        reply: ReplyCreate,
    ) {
        match self.lock().make(req, parent, name, Content::File(Vec::new()), mode) {
            Ok(attr) => reply.created(&TTL, &attr, Generation(0), FileHandle(0), FopenFlags::FOPEN_NOFLUSH),
            Err(error) => reply.error(error),
        }
    }

    fn read(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        size: u32,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyData,
    ) {
        match self.bytes(node, offset, size) {
            Ok(bytes) => reply.data(&bytes),
            Err(error) => reply.error(error),
        }
    }

    fn write(
        &self,
        _: &Request,
        node: INodeNo,
        _: FileHandle,
        offset: u64,
        data: &[u8],
        _: WriteFlags,
        _: OpenFlags,
        _: Option<LockOwner>,
        reply: ReplyWrite,
    ) {
        match self.store(node, offset, data) {
            Ok(written) => reply.written(written),
            Err(error) => reply.error(error),
        }
    }

    fn flush(&self, _: &Request, _: INodeNo, _: FileHandle, _: LockOwner, reply: ReplyEmpty) {
        // This answer says: permanently.
        reply.error(Errno::ENOSYS);
    }

    fn fsync(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(reply, self.lock().refuse(Call::Fsync));
    }

    fn fsyncdir(&self, _: &Request, _: INodeNo, _: FileHandle, _: bool, reply: ReplyEmpty) {
        empty(reply, self.lock().refuse(Call::FsyncDir));
    }

    fn readdir(&self, _: &Request, node: INodeNo, _: FileHandle, offset: u64, mut reply: ReplyDirectory) {
        let disk = &mut *self.lock();
        let folder = disk.number(node);
        let entries = match disk.entries(folder) {
            Ok(entries) => entries.clone(),
            Err(error) => return reply.error(error),
        };
        let kind = |number: &u64| match &disk.objects[number].content {
            Content::File(_) => FileType::RegularFile,
            Content::Dir(_) => FileType::Directory,
            Content::Link(_) => FileType::Symlink,
            Content::Other(kind) => *kind,
        };
        let dots = [(".".into(), node.0, FileType::Directory), ("..".into(), node.0, FileType::Directory)];
        let named = entries.iter().map(|(name, number)| (name.clone(), *number, kind(number)));
        let all = dots.into_iter().chain(named).enumerate();
        for (at, (name, number, kind)) in all.skip(offset as usize) {
            if reply.add(INodeNo(number), at as u64 + 1, kind, name) {
                break;
            }
        }
        reply.ok();
    }

    fn statfs(&self, _: &Request, _: INodeNo, reply: ReplyStatfs) {
        let disk = &mut *self.lock();
        if let Err(error) = disk.refuse(Call::Statfs) {
            return reply.error(error);
        }
        let used = disk.objects.values().map(|object| match &object.content {
            Content::File(bytes) if object.names > 0 => (bytes.len() as u64).div_ceil(u64::from(BLOCK)),
            _ => 1,
        });
        let free = BLOCKS.saturating_sub(used.sum());
        let (files, free_files) = if disk.has(&Vice::NoInodes) { (0, 0) } else { (1 << 20, 1 << 19) };
        reply.statfs(BLOCKS, free, free, files, free_files, BLOCK, 255, BLOCK);
    }

    fn setxattr(
        &self,
        _: &Request,
        node: INodeNo,
        name: &OsStr,
        value: &[u8],
        flags: i32,
        _: u32,
        reply: ReplyEmpty,
    ) {
        let set = |all: &mut BTreeMap<std::ffi::OsString, Vec<u8>>| match all.contains_key(name) {
            true if flags & libc::XATTR_CREATE != 0 => Err(Errno::EEXIST),
            false if flags & libc::XATTR_REPLACE != 0 => Err(Errno::NO_XATTR),
            _ => {
                all.insert(name.to_owned(), value.to_vec());
                Ok(())
            }
        };
        empty(reply, self.attribute(node, set, true));
    }

    fn getxattr(&self, _: &Request, node: INodeNo, name: &OsStr, size: u32, reply: ReplyXattr) {
        sized(reply, size, self.attribute(node, |all| all.get(name).cloned().ok_or(Errno::NO_XATTR), false));
    }

    fn listxattr(&self, _: &Request, node: INodeNo, size: u32, reply: ReplyXattr) {
        let list = |all: &mut BTreeMap<std::ffi::OsString, Vec<u8>>| {
            Ok(all.keys().flat_map(|name| name.as_bytes().iter().copied().chain([0])).collect())
        };
        sized(reply, size, self.attribute(node, list, false));
    }

    fn removexattr(&self, _: &Request, node: INodeNo, name: &OsStr, reply: ReplyEmpty) {
        empty(reply, self.attribute(node, |all| all.remove(name).map(drop).ok_or(Errno::NO_XATTR), true));
    }

    fn getlk(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: LockOwner,
        start: u64,
        end: u64,
        _: i32,
        pid: u32,
        reply: ReplyLock,
    ) {
        match self.lock().refuse(Call::Flock) {
            Ok(()) => reply.locked(start, end, libc::F_UNLCK, pid),
            Err(error) => reply.error(error),
        }
    }

    fn setlk(
        &self,
        _: &Request,
        _: INodeNo,
        _: FileHandle,
        _: LockOwner,
        _: u64,
        _: u64,
        _: i32,
        _: u32,
        _: bool,
        reply: ReplyEmpty,
    ) {
        empty(reply, self.lock().refuse(Call::Flock));
    }
}
