//! What a power cut leaves of the writes that were not flushed.
//!
//! Assumptions about disks, which are those file systems make: what was flushed stays; of the rest any part may have
//! arrived, in any order; a sector that was being written may be garbage. Invariant: a cut changes nothing that was
//! flushed before it and not written again since.

use std::fmt;

use fastrand::Rng;
use fcs_testkit::FsKind;

use super::disk::{Before, Disk, Event};

/// Which part arrived.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cut {
    /// Everything up to the cut, as if the disk had no cache.
    Prefix,
    /// Whole writes, chosen at random.
    SomeWrites,
    /// Blocks of 4 KiB, chosen at random.
    SomeBlocks,
    /// Everything, but the last write only up to some sector.
    Torn,
    /// Everything, but one sector of one write holds noise.
    Garbage,
}

impl Cut {
    pub(super) const ALL: [Self; 5] =
        [Self::Prefix, Self::SomeWrites, Self::SomeBlocks, Self::Torn, Self::Garbage];
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Prefix => "prefix",
            Self::SomeWrites => "some writes",
            Self::SomeBlocks => "some blocks",
            Self::Torn => "torn write",
            Self::Garbage => "garbage",
        })
    }
}

const SECTOR: usize = 512;
const BLOCK: usize = 4096;

/// In which pieces a write is torn.
///
/// Btrfs overwrites its superblock of 4 KiB in place under one checksum, so it asks for disks that write 4 KiB as a
/// whole: one cut inside is refused at the next mount, whatever program was running (seen once in some hundred cuts).
/// Ext4 does the same with 1 KiB (seen in 3 of 3,000 cuts), but its files are worth being torn by sectors: see
/// [`Left::inside_a_block`].
pub(super) fn tears(kind: FsKind) -> &'static [usize] {
    if kind == FsKind::Btrfs { &[BLOCK] } else { &[SECTOR, BLOCK] }
}

/// What a cut did.
pub(super) struct Left {
    pub(super) before: Before,
    /// Whether the last write was torn inside a block of 4 KiB. Such a disk may be refused for a superblock, which is
    /// the file system's own: no program can write it.
    pub(super) inside_a_block: bool,
}

/// Applies to `disk`, which holds all that was flushed, what a cut leaves of `pending`, the writes since.
pub(super) fn apply(cut: Cut, disk: &mut Disk, pending: &[Event], tears: &[usize], rng: &mut Rng) -> Left {
    let mut inside_a_block = false;
    let mut before = Before::nothing();
    let writes = pending.iter().filter_map(|event| match event {
        Event::Write { offset, data } => Some((*offset, data.as_slice())),
        Event::Flush => None,
    });
    let writes: Vec<(u64, &[u8])> = writes.collect();
    // Sometimes nearly all arrives, sometimes nearly nothing.
    let share = rng.f64();
    for &(offset, data) in &writes {
        match cut {
            Cut::Prefix | Cut::Garbage | Cut::Torn => disk.try_write(offset, data, &mut before),
            Cut::SomeWrites if rng.f64() < share => disk.try_write(offset, data, &mut before),
            Cut::SomeWrites => {}
            Cut::SomeBlocks => {
                for (index, block) in data.chunks(BLOCK).enumerate() {
                    if rng.f64() < share {
                        disk.try_write(offset + (index * BLOCK) as u64, block, &mut before);
                    }
                }
            }
        }
    }
    let Some(&(last_offset, last)) = writes.last() else {
        return Left { before, inside_a_block };
    };
    match cut {
        Cut::Torn => {
            // All of it was written above; what did not arrive is what was there before that.
            disk.undo(before);
            before = Before::nothing();
            for &(offset, data) in &writes[..writes.len() - 1] {
                disk.try_write(offset, data, &mut before);
            }
            let unit = *rng.choice(tears).unwrap_or(&BLOCK);
            let arrived = unit * rng.usize(0..=last.len() / unit);
            disk.try_write(last_offset, &last[..arrived], &mut before);
            let end = last_offset + arrived as u64;
            inside_a_block = arrived < last.len() && !end.is_multiple_of(BLOCK as u64);
        }
        Cut::Garbage => {
            let (offset, data) = writes[rng.usize(0..writes.len())];
            let sector = rng.usize(0..data.len().div_ceil(SECTOR).max(1)) * SECTOR;
            let mut noise = vec![0; SECTOR.min(data.len().saturating_sub(sector))];
            rng.fill(&mut noise);
            disk.try_write(offset + sector as u64, &noise, &mut before);
        }
        _ => {}
    }
    Left { before, inside_a_block }
}

#[cfg(test)]
mod tests {
    use std::fs::File;

    use super::*;

    #[test]
    fn a_cut_touches_only_what_was_pending_and_can_be_taken_back() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("disk");
        File::create(&path).unwrap().set_len(1 << 20).unwrap();
        let mut disk = Disk::read(&path).unwrap();
        disk.write(0, &vec![1; 1 << 20]);
        let pending: Vec<Event> =
            (0..4).map(|n| Event::Write { offset: 98_304 + n * 20_480, data: vec![2; 12_288] }).collect();
        let mut rng = Rng::with_seed(1);
        let mut torn_inside = 0;
        for round in 0..50 {
            let cut = Cut::ALL[round % Cut::ALL.len()];
            let Left { before, inside_a_block } =
                apply(cut, &mut disk, &pending, tears(FsKind::Ext4), &mut rng);
            torn_inside += u64::from(inside_a_block);
            assert!(cut == Cut::Torn || !inside_a_block);
            let twos: usize = disk.part(0, 1 << 20).iter().map(|byte| usize::from(*byte == 2)).sum();
            match cut {
                Cut::Prefix => assert_eq!(twos, 49_152),
                Cut::Torn => assert!((36_864..=49_152).contains(&twos)),
                Cut::Garbage => assert!((48_552..49_152).contains(&twos)),
                _ => assert!(twos <= 49_152),
            }
            assert!(disk.part(0, 98_304).iter().all(|byte| *byte == 1));
            disk.undo(before);
            assert!(disk.part(0, 1 << 20).iter().all(|byte| *byte == 1), "{cut}");
        }
        assert!((1..10).contains(&torn_inside), "{torn_inside}");
    }
}
