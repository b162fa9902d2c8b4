//! What the file system holds, and under which numbers it shows it.
//!
//! Two kinds of numbers: an *object* is a file, a folder or a link; a *node* is what the kernel knows one by, and what
//! `stat` shows. On an honest file system they are the same. With [`Vice::NumbersLast`] or
//! [`Vice::LinksHaveOwnNumbers`] each name gets a node of its own, as programs on libfuse do that know files by paths.

use std::collections::{BTreeMap, HashMap};
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use fuser::{Errno, FileAttr, FileType, INodeNo, Request};

use super::{Call, Vice};

/// Seconds since 1970, negative before, and nanoseconds to add.
pub(super) type Time = (i64, u32);

pub(super) const ROOT: u64 = 1;
/// Nodes that are no objects have numbers from here on.
const FIRST_NODE: u64 = 1 << 32;
/// What it can hold, in blocks.
pub(super) const BLOCKS: u64 = 1 << 18;
pub(super) const BLOCK: u32 = 4096;

#[derive(Debug)]
pub(super) enum Content {
    File(Vec<u8>),
    Dir(BTreeMap<OsString, u64>),
    Link(Vec<u8>),
    /// A pipe or a socket.
    Other(FileType),
}

#[derive(Debug)]
pub(super) struct Object {
    pub(super) content: Content,
    /// The last name it was given; vices that are for one name go by it.
    pub(super) name: OsString,
    pub(super) mode: u16,
    pub(super) uid: u32,
    pub(super) gid: u32,
    pub(super) names: u32,
    pub(super) accessed: Time,
    pub(super) modified: Time,
    pub(super) changed: Time,
    pub(super) attributes: BTreeMap<OsString, Vec<u8>>,
}

#[derive(Debug)]
pub(super) struct Disk {
    pub(super) vices: Vec<Vice>,
    pub(super) fired: HashMap<Vice, u64>,
    pub(super) objects: HashMap<u64, Object>,
    next_object: u64,
    /// Objects of the nodes that are none themselves. Never forgotten: the kernel may ask about an open file.
    nodes: HashMap<u64, u64>,
    /// The node of a name in a folder, and how often it was looked up.
    shown: HashMap<(u64, OsString), (u64, u32)>,
    next_node: u64,
}

impl Disk {
    pub(super) fn new(vices: &[Vice]) -> Self {
        let mut disk = Self {
            vices: vices.to_vec(),
            fired: HashMap::new(),
            objects: HashMap::new(),
            next_object: ROOT,
            nodes: HashMap::new(),
            shown: HashMap::new(),
            next_node: FIRST_NODE,
        };
        disk.add(Content::Dir(BTreeMap::new()), OsStr::new(""), 0o777, (0, 0));
        disk
    }

    pub(super) fn fire(&mut self, vice: &Vice) {
        *self.fired.entry(vice.clone()).or_default() += 1;
    }

    /// The first vice that `pick` wants, counted.
    pub(super) fn vice<T>(&mut self, pick: impl Fn(&Vice) -> Option<T>) -> Option<T> {
        let (vice, found) = self.vices.iter().find_map(|vice| Some((vice.clone(), pick(vice)?)))?;
        self.fire(&vice);
        Some(found)
    }

    /// Whether it has this vice, counted.
    pub(super) fn has(&mut self, vice: &Vice) -> bool {
        self.vice(|other| (other == vice).then_some(())).is_some()
    }

    pub(super) fn refuse(&mut self, call: Call) -> Result<(), Errno> {
        let refused = |vice: &Vice| match vice {
            Vice::Refuses(refused, code) if *refused == call => Some(*code),
            _ => None,
        };
        self.vice(refused).map_or(Ok(()), |code| Err(Errno::from_i32(code)))
    }

    pub(super) fn add(&mut self, content: Content, name: &OsStr, mode: u16, owner: (u32, u32)) -> u64 {
        let number = self.next_object;
        self.next_object += 1;
        let now = self.stored(now());
        let object = Object {
            content,
            name: name.to_owned(),
            mode,
            uid: owner.0,
            gid: owner.1,
            names: 1,
            accessed: now,
            modified: now,
            changed: now,
            attributes: BTreeMap::new(),
        };
        self.objects.insert(number, object);
        number
    }

    /// The object of a node.
    pub(super) fn number(&self, node: INodeNo) -> u64 {
        self.nodes.get(&node.0).copied().unwrap_or(node.0)
    }

    pub(super) fn object(&mut self, node: INodeNo) -> Result<&mut Object, Errno> {
        let number = self.number(node);
        self.objects.get_mut(&number).ok_or(Errno::ESTALE)
    }

    pub(super) fn entries(&mut self, folder: u64) -> Result<&mut BTreeMap<OsString, u64>, Errno> {
        match &mut self.objects.get_mut(&folder).ok_or(Errno::ESTALE)?.content {
            Content::Dir(entries) => Ok(entries),
            _ => Err(Errno::ENOTDIR),
        }
    }

    /// The name as it is stored, of a name that is looked for or made.
    pub(super) fn spelled(&mut self, folder: u64, name: &OsStr) -> Result<OsString, Errno> {
        let mut name = name.to_owned();
        if self.vices.contains(&Vice::TrimsEnds) {
            let bytes = name.as_bytes();
            let kept = bytes.iter().rposition(|byte| !b" .".contains(byte)).map_or(0, |last| last + 1);
            if kept < bytes.len() {
                name = OsString::from_vec(bytes[..kept].to_vec());
                self.fire(&Vice::TrimsEnds);
            }
        }
        if self.vices.contains(&Vice::IgnoresCase) && !self.entries(folder)?.contains_key(&name) {
            let wanted = name.to_string_lossy().to_lowercase();
            let same = |other: &&OsString| other.to_string_lossy().to_lowercase() == wanted;
            if let Some(other) = self.entries(folder)?.keys().find(same).cloned() {
                self.fire(&Vice::IgnoresCase);
                name = other;
            }
        }
        Ok(name)
    }

    /// Whether a name may be made.
    pub(super) fn allowed(&mut self, name: &OsStr) -> Result<(), Errno> {
        let text = name.to_string_lossy().into_owned();
        if name.len() > 255 {
            return Err(Errno::ENAMETOOLONG);
        }
        let refused = |vice: &Vice| match vice {
            Vice::Forbids(characters) => text.contains(|c| characters.contains(c)).then_some(()),
            _ => None,
        };
        self.vice(refused).map_or(Ok(()), |()| Err(Errno::EINVAL))
    }

    /// The object that has a name.
    pub(super) fn named(&mut self, folder: u64, name: &OsStr) -> Result<u64, Errno> {
        let name = self.spelled(folder, name)?;
        self.entries(folder)?.get(&name).copied().ok_or(Errno::ENOENT)
    }

    /// What the kernel gets to know about a name: a look-up.
    pub(super) fn show(&mut self, folder: u64, name: &OsStr) -> Result<FileAttr, Errno> {
        let object = self.named(folder, name)?;
        let hidden =
            |vice: &Vice| matches!(vice, Vice::ListedNotFound(hidden) if name == *hidden).then_some(());
        if self.vice(hidden).is_some() {
            return Err(Errno::ENOENT);
        }
        let node = self.node_of(folder, name, object);
        self.attr(INodeNo(node))
    }

    fn node_of(&mut self, folder: u64, name: &OsStr, object: u64) -> u64 {
        let own = self.vices.contains(&Vice::LinksHaveOwnNumbers);
        let lasts = self.vices.iter().find_map(|vice| match vice {
            Vice::NumbersLast(times) => Some(*times),
            _ => None,
        });
        if !own && lasts.is_none() {
            return object;
        }
        let key = (folder, name.to_owned());
        let known = self.shown.get(&key).copied().filter(|(node, _)| self.nodes.get(node) == Some(&object));
        let (node, seen) = match (known, lasts) {
            (Some((node, seen)), Some(times)) if seen < times => (node, seen + 1),
            (Some((node, seen)), None) => (node, seen + 1),
            (known, _) => {
                if let (Some(_), Some(times)) = (known, lasts) {
                    self.fire(&Vice::NumbersLast(times));
                }
                let node = self.next_node;
                self.next_node += 1;
                self.nodes.insert(node, object);
                if own && self.objects[&object].names > 1 {
                    self.fire(&Vice::LinksHaveOwnNumbers);
                }
                (node, 1)
            }
        };
        self.shown.insert(key, (node, seen));
        node
    }

    pub(super) fn forget_all(&mut self) {
        let lasting = self.vices.iter().find(|vice| matches!(vice, Vice::NumbersLast(_))).cloned();
        if let Some(vice) = lasting {
            self.fire(&vice);
            self.shown.clear();
        }
    }

    /// A name goes from one place to another: the kernel goes on knowing its node.
    pub(super) fn moved(&mut self, from: (u64, &OsStr), to: (u64, &OsStr), exchanged: bool) {
        let (from, to) = ((from.0, from.1.to_owned()), (to.0, to.1.to_owned()));
        let (first, second) = (self.shown.remove(&from), self.shown.remove(&to));
        if let Some(node) = first {
            self.shown.insert(to, node);
        }
        if let (Some(node), true) = (second, exchanged) {
            self.shown.insert(from, node);
        }
    }

    pub(super) fn attr(&mut self, node: INodeNo) -> Result<FileAttr, Errno> {
        let object = self.object(node)?;
        let (kind, size) = match &object.content {
            Content::File(bytes) => (FileType::RegularFile, bytes.len() as u64),
            Content::Dir(_) => (FileType::Directory, u64::from(BLOCK)),
            Content::Link(target) => (FileType::Symlink, target.len() as u64),
            Content::Other(kind) => (*kind, 0),
        };
        let inner = match &object.content {
            Content::Dir(entries) => entries.values().copied().collect(),
            _ => Vec::new(),
        };
        let mut attr = FileAttr {
            ino: node,
            size,
            blocks: size.div_ceil(512),
            atime: system(object.accessed),
            mtime: system(object.modified),
            ctime: system(object.changed),
            crtime: UNIX_EPOCH,
            kind,
            perm: object.mode,
            nlink: object.names,
            uid: object.uid,
            gid: object.gid,
            rdev: 0,
            blksize: BLOCK,
            flags: 0,
        };
        if kind == FileType::Directory {
            let is_dir = |number: &u64| matches!(self.objects[number].content, Content::Dir(_));
            attr.nlink = 2 + inner.iter().filter(|number| is_dir(number)).count() as u32;
        }
        self.distort(node, &mut attr);
        Ok(attr)
    }

    /// The vices of what is told about an object.
    fn distort(&mut self, node: INodeNo, attr: &mut FileAttr) {
        let name = self.objects[&self.number(node)].name.clone();
        for vice in self.vices.clone() {
            match vice {
                Vice::NoChangeTime => attr.ctime = attr.mtime,
                Vice::ModesAre(mode) if attr.kind != FileType::Symlink => attr.perm = mode,
                Vice::OwnersLie => (attr.uid, attr.gid) = (0, 0),
                Vice::SizeZero(hidden) if name == hidden => (attr.size, attr.blocks) = (0, 0),
                _ => continue,
            }
            self.fire(&vice);
        }
    }

    /// A time as this file system stores it.
    pub(super) fn stored(&mut self, (mut seconds, mut nanos): Time) -> Time {
        for vice in self.vices.clone() {
            let before = (seconds, nanos);
            match vice {
                Vice::TimeRange(first, _) if seconds < first => (seconds, nanos) = (first, 0),
                Vice::TimeRange(_, last) if seconds > last => (seconds, nanos) = (last, 0),
                Vice::TimeStep(step) if step >= Duration::from_secs(1) => {
                    (seconds, nanos) = (seconds - seconds.rem_euclid(step.as_secs() as i64), 0);
                }
                Vice::TimeStep(step) => nanos -= nanos % step.subsec_nanos(),
                _ => {}
            }
            if before != (seconds, nanos) {
                self.fire(&vice);
            }
        }
        (seconds, nanos)
    }

    /// Takes note of a change to an object, and, when `content` says so, to what is in it.
    pub(super) fn touch(&mut self, number: u64, content: bool) {
        let now = self.stored(now());
        if let Some(object) = self.objects.get_mut(&number) {
            object.changed = now;
            if content {
                object.modified = now;
            }
        }
    }

    /// Gives a new object a name.
    pub(super) fn make(
        &mut self,
        request: &Request,
        folder: INodeNo,
        name: &OsStr,
        content: Content,
        mode: u32,
    ) -> Result<FileAttr, Errno> {
        let folder = self.number(folder);
        self.allowed(name)?;
        if self.named(folder, name).is_ok() {
            return Err(Errno::EEXIST);
        }
        let name = self.spelled(folder, name)?;
        let parent = self.objects.get(&folder).ok_or(Errno::ESTALE)?;
        let (mut mode, mut group) = ((mode & 0o7777) as u16, request.gid());
        // A folder with the set-group-id bit gives its group away, and to folders the bit as well.
        if parent.mode & 0o2000 != 0 {
            group = parent.gid;
            if matches!(content, Content::Dir(_)) {
                mode |= 0o2000;
            }
        }
        let made = self.add(content, &name, mode, (request.uid(), group));
        self.entries(folder)?.insert(name.clone(), made);
        self.touch(folder, true);
        self.show(folder, &name)
    }

    /// Takes a name away.
    pub(super) fn remove(&mut self, folder: INodeNo, name: &OsStr, dir: bool) -> Result<(), Errno> {
        let folder = self.number(folder);
        let name = self.spelled(folder, name)?;
        let number = self.named(folder, &name)?;
        match &self.objects[&number].content {
            Content::Dir(_) if !dir => return Err(Errno::EISDIR),
            Content::Dir(entries) if !entries.is_empty() => return Err(Errno::ENOTEMPTY),
            Content::Dir(_) => {}
            _ if dir => return Err(Errno::ENOTDIR),
            _ => {}
        }
        self.entries(folder)?.remove(&name);
        self.shown.remove(&(folder, name));
        if let Some(object) = self.objects.get_mut(&number) {
            object.names = object.names.saturating_sub(1);
        }
        self.touch(number, false);
        self.touch(folder, true);
        Ok(())
    }

    /// Where a link leads within this file system, whose root `/` is.
    pub(super) fn follow(&mut self, folder: u64, target: &[u8], depth: u32) -> Result<u64, Errno> {
        if depth > 8 {
            return Err(Errno::ELOOP);
        }
        let mut at = if target.starts_with(b"/") { ROOT } else { folder };
        for part in target.split(|&byte| byte == b'/').filter(|part| !part.is_empty() && *part != b".") {
            if part == b".." {
                at = self.parent_of(at);
                continue;
            }
            let found = self.named(at, OsStr::from_bytes(part))?;
            at = match &self.objects[&found].content {
                Content::Link(next) => {
                    let next = next.clone();
                    self.follow(at, &next, depth + 1)?
                }
                _ => found,
            };
        }
        Ok(at)
    }

    /// The folder that an object is in: the first that has it.
    pub(super) fn parent_of(&self, number: u64) -> u64 {
        let holds = |object: &Object| match &object.content {
            Content::Dir(entries) => entries.values().any(|&inner| inner == number),
            _ => false,
        };
        self.objects.iter().find(|(_, object)| holds(object)).map_or(ROOT, |(&folder, _)| folder)
    }
}

pub(super) fn now() -> Time {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("the clock is past 1970");
    (now.as_secs() as i64, now.subsec_nanos())
}

fn system((seconds, nanos): Time) -> SystemTime {
    let whole = if seconds >= 0 {
        UNIX_EPOCH + Duration::from_secs(seconds as u64)
    } else {
        UNIX_EPOCH - Duration::from_secs(seconds.unsigned_abs())
    };
    whole + Duration::from_nanos(u64::from(nanos))
}

/// A time as fuser passes it on. Before 1970 it subtracts the nanoseconds that were to be added (0.18).
pub(super) fn time_of(time: SystemTime) -> Time {
    match time.duration_since(UNIX_EPOCH) {
        Ok(after) => (after.as_secs() as i64, after.subsec_nanos()),
        Err(before) => (-(before.duration().as_secs() as i64), before.duration().subsec_nanos()),
    }
}
