//! Items for tests.

use fcs_engine::memory::{Grade, Known, Stamp};
use fcs_sys::{FileId, Kind, Time};

/// One like no other, as far as chance allows, with the extremes of every part among them.
pub(crate) fn any_known(random: &mut fastrand::Rng, devices: [u64; 2]) -> Known {
    let number = |random: &mut fastrand::Rng| match random.u8(..8) {
        0 => 0,
        1 => u64::MAX,
        _ => random.u64(..) >> random.u32(..64),
    };
    let time = |random: &mut fastrand::Rng| match random.u8(..8) {
        0 => Time::new(i64::MIN, 0),
        1 => Time::new(i64::MAX, 999_999_999),
        _ => Time::new(random.i64(-5..2_000_000_000), random.u32(..1_000_000_000)),
    };
    let stamp = |random: &mut fastrand::Rng, side: usize| Stamp {
        kind: random.choice([Kind::File, Kind::Folder, Kind::Symlink, Kind::Other]).unwrap(),
        size: number(random),
        modified: time(random),
        changed: random.bool().then(|| time(random)),
        id: FileId {
            volume: if random.u8(..4) > 0 { devices[side] } else { random.u64(100..) },
            file: number(random),
            file_high: if random.u8(..4) > 0 { 0 } else { random.u64(..) },
        },
    };
    let left = stamp(random, 0);
    let right = if random.bool() {
        let id = FileId { volume: devices[1], ..left.id };
        Stamp { id, ..left }
    } else {
        stamp(random, 1)
    };
    Known {
        stamps: [left, right],
        hash: random.bool().then(|| std::array::from_fn(|_| random.u8(..))),
        grade: random.choice([Grade::Looks, Grade::Cache, Grade::Device]).unwrap(),
        seen: if random.bool() { Time::new(1_700_000_000, 5) } else { time(random) },
    }
}
