//! Memories for tests, and a model of what they must be.
#![allow(dead_code)] // Each test program uses its part.

use std::collections::{BTreeMap, BTreeSet};

use fcs_engine::memory::{Grade, Known, MemoryChange, RULES, Remembered, RootIdentity, Rule, Stamp, Terms};
use fcs_sys::{FileId, Kind, RelPath, Time};

pub(crate) type Model = BTreeMap<Vec<u8>, Known>;

pub(crate) const DEVICES: [u64; 2] = [11, 12];

pub(crate) fn root(name: &str, number: u64) -> RootIdentity {
    RootIdentity {
        path: format!("/mnt/{name}/photos").into(),
        below: "photos".into(),
        volume: Some(format!("uuid:{name}")),
        number: Some([number, 0]),
        made: Some(Time::new(5, 0)),
        file_system: "ext4".into(),
        device: DEVICES[usize::from(name != "a")],
    }
}

pub(crate) fn roots() -> [RootIdentity; 2] {
    [root("a", 2), root("b", 2)]
}

pub(crate) fn terms(text: &str) -> Terms {
    let rule = |text: &str| Rule::new([text], text.to_owned());
    Terms { roots: roots(), filter: rule(text), criteria: rule("size"), rules: RULES }
}

pub(crate) fn known(random: &mut fastrand::Rng) -> Known {
    let mut stamp = |side: usize| Stamp {
        kind: Kind::File,
        size: random.u64(..1 << 30),
        modified: Time::new(random.i64(1_500_000_000..1_700_000_000), random.u32(..1_000_000_000)),
        changed: Some(Time::new(1_764_000_000 + random.i64(..9), random.u32(..1_000_000_000))),
        id: FileId { volume: DEVICES[side], file: random.u64(..1 << 24), file_high: 0 },
    };
    let stamps = [stamp(0), stamp(1)];
    Known {
        stamps,
        hash: Some(std::array::from_fn(|_| random.u8(..))),
        grade: Grade::Device,
        seen: Time::new(1_764_000_100, 7),
    }
}

/// Changes of items of which there are few enough that many are met again.
pub(crate) fn changes(random: &mut fastrand::Rng, count: usize) -> Vec<MemoryChange> {
    let change = |random: &mut fastrand::Rng| {
        let path = format!("folder {}/{}/item {}", random.u8(..4), random.u8(..3), random.u16(..200));
        let known = (random.u8(..3) > 0).then(|| known(random));
        MemoryChange { path: RelPath::parse(path.as_bytes()).unwrap(), known }
    };
    (0..count).map(|_| change(random)).collect()
}

/// Returns the paths of what became another one.
pub(crate) fn apply(model: &mut Model, changes: &[MemoryChange]) -> BTreeSet<Vec<u8>> {
    let mut changed = BTreeSet::new();
    for MemoryChange { path, known } in changes {
        let path = path.as_bytes().to_vec();
        let before = match known {
            Some(known) => model.insert(path.clone(), *known),
            None => model.remove(&path),
        };
        if before != *known {
            changed.insert(path);
        }
    }
    changed
}

pub(crate) fn model_of(remembered: &Remembered) -> Model {
    remembered.iter().map(|(path, known)| (path.to_vec(), *known)).collect()
}
