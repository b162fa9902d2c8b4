//! Items as bytes: many in one block, each told by how it differs from the one before.
//!
//! ```text
//! block   first 8 bytes of the BLAKE3 of key and rest | items, to the end
//! item    flags, 2 bytes | shared, suffix length, suffix | sizes | modified | changed | file numbers | seen | hash
//! ```
//!
//! Paths repeat the beginning of the path before, dates and file numbers are near those before, and one volume has one
//! number; so an item takes about half of what its parts take. Numbers are of as many bytes as they need.
//!
//! Invariant: what is read is what was written, or an error: a block is checked before it is read, with the key under
//! which it lies, so that one in the place of another is noticed too. This module must not know what a block is for.

use fcs_engine::memory::{Grade, Known, Stamp};
use fcs_sys::{FileId, Kind, Time};

/// Bytes of a check.
const CHECK: usize = 8;
/// Longest path that is read; the longest that any system has is a thirtieth of it.
const LONGEST_PATH: usize = 1 << 20;

/// Why bytes are no block.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadBlock(pub(crate) &'static str);

type Read<T> = Result<T, BadBlock>;

/// Which volume the two roots are on while they are mounted. A stamp from there is stored without that number, which is
/// another one after the next mount.
pub(crate) type Devices = [u64; 2];

/// What items are told by: the one before.
#[derive(Debug, Clone, Default)]
struct Before {
    path: Vec<u8>,
    modified: [i64; 2],
    changed: [i64; 2],
    file: [u64; 2],
    seen: (i64, u32),
}

/// Writes items one after the other.
#[derive(Debug)]
pub(crate) struct Encoder {
    devices: Devices,
    before: Before,
    bytes: Vec<u8>,
}

impl Encoder {
    /// For a block whose first item may begin with the block's key.
    pub(crate) fn new(devices: Devices, key: &[u8]) -> Self {
        Self { devices, before: Before { path: key.to_vec(), ..Before::default() }, bytes: vec![0; CHECK] }
    }

    /// How long the block is by now.
    pub(crate) fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Adds an item; `None` is one that is not remembered.
    pub(crate) fn push(&mut self, path: &[u8], known: Option<&Known>) {
        let shared = path.iter().zip(&self.before.path).take_while(|(a, b)| a == b).count();
        let flags = known.map_or([0, ABSENT], |known| self.flags(known));
        self.bytes.extend_from_slice(&flags);
        self.number(shared as u64);
        self.number((path.len() - shared) as u64);
        self.bytes.extend_from_slice(&path[shared..]);
        self.before.path.truncate(shared);
        self.before.path.extend_from_slice(&path[shared..]);
        let Some(known) = known else { return };
        let [left, right] = known.stamps;
        self.number(left.size);
        if flags[0] & SAME_SIZE == 0 {
            self.number(right.size);
        }
        for (side, stamp) in known.stamps.iter().enumerate() {
            if side == 0 || flags[1] & SAME_MODIFIED == 0 {
                self.time(stamp.modified, self.before.modified[side]);
            }
            self.before.modified[side] = stamp.modified.seconds();
        }
        for (side, stamp) in known.stamps.iter().enumerate() {
            if let Some(changed) = stamp.changed {
                self.time(changed, self.before.changed[side]);
                self.before.changed[side] = changed.seconds();
            }
        }
        for (side, id) in [left.id, right.id].into_iter().enumerate() {
            self.number(zigzag(id.file.wrapping_sub(self.before.file[side]) as i64));
            self.before.file[side] = id.file;
            if flags[1] & HIGH_HALVES != 0 {
                self.bytes.extend_from_slice(&id.file_high.to_le_bytes());
            }
            if flags[1] & (ON_ROOT[side]) == 0 {
                self.bytes.extend_from_slice(&id.volume.to_le_bytes());
            }
        }
        if flags[1] & SAME_SEEN == 0 {
            self.time(known.seen, self.before.seen.0);
            self.before.seen = (known.seen.seconds(), known.seen.nanos());
        }
        if let Some(hash) = &known.hash {
            self.bytes.extend_from_slice(hash);
        }
    }

    /// Forgets the bytes, and keeps what the next item is told by.
    pub(crate) fn shorten(&mut self) {
        self.bytes.truncate(CHECK);
    }

    /// The whole block, with its check.
    pub(crate) fn finish(mut self, key: &[u8]) -> Vec<u8> {
        let check = check(key, &self.bytes[CHECK..]);
        self.bytes[..CHECK].copy_from_slice(&check);
        self.bytes
    }

    fn flags(&self, known: &Known) -> [u8; 2] {
        let [left, right] = &known.stamps;
        let seen = (known.seen.seconds(), known.seen.nanos());
        let set = |flag, on| if on { flag } else { 0 };
        let on_root = |side: usize| set(ON_ROOT[side], known.stamps[side].id.volume == self.devices[side]);
        [
            kind_bits(left.kind)
                | kind_bits(right.kind) << 2
                | set(HASH, known.hash.is_some())
                | grade_bits(known.grade)
                | set(SAME_SIZE, left.size == right.size),
            set(CHANGED[0], left.changed.is_some())
                | set(CHANGED[1], right.changed.is_some())
                | set(SAME_MODIFIED, left.modified == right.modified)
                | on_root(0)
                | on_root(1)
                | set(SAME_SEEN, seen == self.before.seen)
                | set(HIGH_HALVES, left.id.file_high | right.id.file_high != 0),
        ]
    }

    fn time(&mut self, time: Time, before: i64) {
        self.number(zigzag(time.seconds().wrapping_sub(before)));
        self.number(u64::from(time.nanos()));
    }

    fn number(&mut self, mut number: u64) {
        while number >= 0x80 {
            self.bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        self.bytes.push(number as u8);
    }
}

const HASH: u8 = 1 << 4;
const SAME_SIZE: u8 = 1 << 7;
const CHANGED: [u8; 2] = [1, 1 << 1];
const SAME_MODIFIED: u8 = 1 << 2;
const ON_ROOT: [u8; 2] = [1 << 3, 1 << 4];
const SAME_SEEN: u8 = 1 << 5;
const ABSENT: u8 = 1 << 6;
const HIGH_HALVES: u8 = 1 << 7;

fn kind_bits(kind: Kind) -> u8 {
    match kind {
        Kind::File => 0,
        Kind::Folder => 1,
        Kind::Symlink => 2,
        Kind::Other => 3,
    }
}

fn kind(bits: u8) -> Kind {
    match bits & 3 {
        0 => Kind::File,
        1 => Kind::Folder,
        2 => Kind::Symlink,
        _ => Kind::Other,
    }
}

fn grade_bits(grade: Grade) -> u8 {
    match grade {
        Grade::Looks => 0,
        Grade::Cache => 1 << 5,
        Grade::Device => 2 << 5,
    }
}

fn zigzag(number: i64) -> u64 {
    ((number << 1) ^ (number >> 63)) as u64
}

fn unzigzag(number: u64) -> i64 {
    (number >> 1) as i64 ^ -((number & 1) as i64)
}

/// The check of what lies under a key.
pub(crate) fn check(key: &[u8], bytes: &[u8]) -> [u8; CHECK] {
    let mut hasher = blake3::Hasher::new();
    hasher.update(&(key.len() as u64).to_le_bytes());
    hasher.update(key);
    hasher.update(bytes);
    let mut check = [0; CHECK];
    check.copy_from_slice(&hasher.finalize().as_bytes()[..CHECK]);
    check
}

/// Reads the items of a block.
#[derive(Debug)]
pub(crate) struct Decoder<'a> {
    devices: Devices,
    before: Before,
    rest: &'a [u8],
}

impl<'a> Decoder<'a> {
    /// Of a whole block under its key, once its check is right.
    pub(crate) fn new(devices: Devices, key: &[u8], block: &'a [u8]) -> Read<Self> {
        let (found, rest) = block.split_first_chunk::<CHECK>().ok_or(BadBlock("a block ends early"))?;
        if *found != check(key, rest) {
            return Err(BadBlock("a block is not as it was written"));
        }
        Ok(Self { devices, before: Before { path: key.to_vec(), ..Before::default() }, rest })
    }

    /// Whether there is no further item.
    pub(crate) fn is_at_end(&self) -> bool {
        self.rest.is_empty()
    }

    /// The next item; its path is then [`Decoder::path`].
    pub(crate) fn next(&mut self) -> Read<Option<Known>> {
        let flags: [u8; 2] = self.exactly()?;
        let (shared, added) = (self.number()? as usize, self.number()? as usize);
        if shared > self.before.path.len() || added > LONGEST_PATH {
            return Err(BadBlock("a path does not follow from the one before"));
        }
        let (suffix, rest) = self.rest.split_at_checked(added).ok_or(BadBlock("a path ends early"))?;
        self.rest = rest;
        self.before.path.truncate(shared);
        self.before.path.extend_from_slice(suffix);
        if flags[1] & ABSENT != 0 {
            return Ok(None);
        }
        let size = self.number()?;
        let sizes = [size, if flags[0] & SAME_SIZE != 0 { size } else { self.number()? }];
        let mut modified = [self.time(self.before.modified[0])?; 2];
        if flags[1] & SAME_MODIFIED == 0 {
            modified[1] = self.time(self.before.modified[1])?;
        }
        let mut changed = [None; 2];
        for side in 0..2 {
            self.before.modified[side] = modified[side].seconds();
            if flags[1] & CHANGED[side] != 0 {
                let time = self.time(self.before.changed[side])?;
                self.before.changed[side] = time.seconds();
                changed[side] = Some(time);
            }
        }
        let mut ids = [FileId { volume: 0, file: 0, file_high: 0 }; 2];
        for (side, id) in ids.iter_mut().enumerate() {
            id.file = self.before.file[side].wrapping_add(unzigzag(self.number()?) as u64);
            self.before.file[side] = id.file;
            if flags[1] & HIGH_HALVES != 0 {
                id.file_high = u64::from_le_bytes(self.exactly()?);
            }
            let is_on_root = flags[1] & ON_ROOT[side] != 0;
            id.volume = if is_on_root { self.devices[side] } else { u64::from_le_bytes(self.exactly()?) };
        }
        if flags[1] & SAME_SEEN == 0 {
            let seen = self.time(self.before.seen.0)?;
            self.before.seen = (seen.seconds(), seen.nanos());
        }
        let hash = if flags[0] & HASH != 0 { Some(self.exactly()?) } else { None };
        let grade = match flags[0] >> 5 & 3 {
            0 => Grade::Looks,
            1 => Grade::Cache,
            2 => Grade::Device,
            _ => return Err(BadBlock("an item has a grade that there is not")),
        };
        let stamp = |side: usize| Stamp {
            kind: kind(flags[0] >> (2 * side)),
            size: sizes[side],
            modified: modified[side],
            changed: changed[side],
            id: ids[side],
        };
        let seen = Time::new(self.before.seen.0, self.before.seen.1);
        Ok(Some(Known { stamps: [stamp(0), stamp(1)], hash, grade, seen }))
    }

    /// The path of the item that was read last.
    pub(crate) fn path(&self) -> &[u8] {
        &self.before.path
    }

    fn exactly<const N: usize>(&mut self) -> Read<[u8; N]> {
        let (bytes, rest) = self.rest.split_first_chunk::<N>().ok_or(BadBlock("an item ends early"))?;
        self.rest = rest;
        Ok(*bytes)
    }

    fn time(&mut self, before: i64) -> Read<Time> {
        let seconds = before.wrapping_add(unzigzag(self.number()?));
        let nanos = u32::try_from(self.number()?).ok().filter(|&nanos| nanos < 1_000_000_000);
        Ok(Time::new(seconds, nanos.ok_or(BadBlock("a second has too many parts"))?))
    }

    fn number(&mut self) -> Read<u64> {
        let mut number = 0;
        for shift in (0..64).step_by(7) {
            let [byte] = self.exactly()?;
            number |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(number);
            }
        }
        Err(BadBlock("a number is too long"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::made::any_known;

    const DEVICES: Devices = [7, 8];

    fn written(items: &[(Vec<u8>, Option<Known>)], key: &[u8]) -> Vec<u8> {
        let mut encoder = Encoder::new(DEVICES, key);
        for (path, known) in items {
            encoder.push(path, known.as_ref());
        }
        encoder.finish(key)
    }

    fn read(devices: Devices, key: &[u8], block: &[u8]) -> Read<Vec<(Vec<u8>, Option<Known>)>> {
        let mut decoder = Decoder::new(devices, key, block)?;
        let mut items = Vec::new();
        while !decoder.is_at_end() {
            let known = decoder.next()?;
            items.push((decoder.path().to_vec(), known));
        }
        Ok(items)
    }

    fn any_items(random: &mut fastrand::Rng) -> Vec<(Vec<u8>, Option<Known>)> {
        (0..random.usize(1..40))
            .map(|_| {
                let path = (0..random.usize(0..12)).map(|_| random.u8(b'a'..b'd')).collect();
                (path, random.u8(..).ge(&20).then(|| any_known(random, DEVICES)))
            })
            .collect()
    }

    #[test]
    fn what_is_read_is_what_was_written() {
        let mut random = fastrand::Rng::with_seed(1);
        for _ in 0..3000 {
            let items = any_items(&mut random);
            let key = items[0].0.clone();
            assert_eq!(read(DEVICES, &key, &written(&items, &key)).as_ref(), Ok(&items));
        }
    }

    #[test]
    fn a_stamp_of_the_roots_volume_has_that_volumes_number_of_today() {
        let mut known = any_known(&mut fastrand::Rng::with_seed(2), DEVICES);
        (known.stamps[0].id.volume, known.stamps[1].id.volume) = (7, 99);
        let block = written(&[(b"a".to_vec(), Some(known))], b"a");
        let today = read([70, 80], b"a", &block).unwrap()[0].1.unwrap();
        assert_eq!(today.stamps.map(|stamp| stamp.id.volume), [70, 99]);
    }

    #[test]
    fn a_changed_block_is_refused_and_so_is_one_under_another_key() {
        let mut random = fastrand::Rng::with_seed(3);
        for _ in 0..200 {
            let items = any_items(&mut random);
            let block = written(&items, b"key");
            assert!(read(DEVICES, b"kez", &block).is_err());
            let mut cut = block.clone();
            cut.truncate(random.usize(..block.len()));
            assert!(read(DEVICES, b"key", &cut).is_err());
            let mut flipped = block;
            let at = random.usize(..flipped.len());
            flipped[at] ^= 1 << random.u8(..8);
            assert!(read(DEVICES, b"key", &flipped).is_err());
        }
    }

    /// What a check that is right by chance or by intent lets through must not do harm either.
    #[test]
    fn bytes_with_a_right_check_are_read_or_refused_and_never_more() {
        let mut random = fastrand::Rng::with_seed(4);
        let mut refused = 0;
        for _ in 0..3000 {
            let mut block = written(&any_items(&mut random), b"key");
            for _ in 0..random.usize(1..4) {
                let at = random.usize(CHECK..block.len());
                block[at] = random.u8(..);
            }
            let right = check(b"key", &block[CHECK..]);
            block[..CHECK].copy_from_slice(&right);
            refused += u32::from(read(DEVICES, b"key", &block).is_err());
        }
        assert!(refused > 1000, "{refused}");
    }
}
