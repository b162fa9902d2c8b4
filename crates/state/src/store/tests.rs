//! Power cuts: a disk that loses what was not synced, in any part and any order.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::sync::{Arc, Mutex};

use fcs_engine::memory::{RULES, RootIdentity, Rule};
use redb::{Builder, StorageBackend};

use super::work::{FULL, SPARSE};
use super::*;
use crate::made::any_known;

const DEVICES: Devices = [7, 8];
/// What a disk writes whole.
const SECTOR: usize = 512;

#[derive(Debug, Clone)]
enum Act {
    Write(u64, Vec<u8>),
    Length(u64),
    Sync,
}

#[derive(Debug, Default)]
struct Disk {
    content: Vec<u8>,
    acts: Vec<Act>,
}

/// A file whose every write is noted.
#[derive(Debug, Clone, Default)]
struct Film(Arc<Mutex<Disk>>);

fn carry_out(content: &mut Vec<u8>, act: &Act) {
    match act {
        Act::Write(at, bytes) => {
            let end = *at as usize + bytes.len();
            content.resize(content.len().max(end), 0);
            content[*at as usize..end].copy_from_slice(bytes);
        }
        Act::Length(length) => content.resize(*length as usize, 0),
        Act::Sync => {}
    }
}

impl Film {
    fn act(&self, act: Act) {
        let mut disk = self.0.lock().unwrap();
        carry_out(&mut disk.content, &act);
        disk.acts.push(act);
    }

    fn acts(&self) -> usize {
        self.0.lock().unwrap().acts.len()
    }
}

type Answer<T> = io::Result<T>;

impl StorageBackend for Film {
    fn len(&self) -> Answer<u64> {
        Ok(self.0.lock().unwrap().content.len() as u64)
    }
    fn read(&self, offset: u64, out: &mut [u8]) -> Answer<()> {
        let disk = self.0.lock().unwrap();
        let at = offset as usize;
        let bytes =
            disk.content.get(at..at + out.len()).ok_or(io::Error::from(io::ErrorKind::UnexpectedEof))?;
        out.copy_from_slice(bytes);
        Ok(())
    }
    fn set_len(&self, len: u64) -> Answer<()> {
        self.act(Act::Length(len));
        Ok(())
    }
    fn sync_data(&self) -> Answer<()> {
        self.act(Act::Sync);
        Ok(())
    }
    fn write(&self, offset: u64, data: &[u8]) -> Answer<()> {
        self.act(Act::Write(offset, data.to_vec()));
        Ok(())
    }
}

fn open(film: Film) -> Database {
    Builder::new().set_check_integrity_on_open(true).create_with_backend(film).unwrap()
}

fn terms() -> Terms {
    let root = RootIdentity {
        path: "/a".into(),
        below: "a".into(),
        volume: None,
        number: None,
        made: None,
        file_system: "ext4".into(),
        device: 7,
    };
    let rule = Rule::new(["x"], "x".into());
    Terms { roots: [root.clone(), root], filter: rule.clone(), criteria: rule, rules: RULES }
}

type Model = BTreeMap<Vec<u8>, Known>;

fn model_of(remembered: &Remembered) -> Model {
    remembered.iter().map(|(path, known)| (path.to_vec(), *known)).collect()
}

/// What may be on the disk after the first `until` acts, if the power is cut then.
fn after_cut(acts: &[Act], until: usize, random: &mut fastrand::Rng) -> Vec<u8> {
    let synced = acts[..until].iter().rposition(|act| matches!(act, Act::Sync)).map_or(0, |at| at + 1);
    let mut content = Vec::new();
    acts[..synced].iter().for_each(|act| carry_out(&mut content, act));
    let chance = random.u8(1..8);
    for act in &acts[synced..until] {
        match act {
            Act::Write(at, bytes) => {
                for (i, sector) in bytes.chunks(SECTOR).enumerate() {
                    if random.u8(..8) < chance {
                        carry_out(&mut content, &Act::Write(at + (i * SECTOR) as u64, sector.to_vec()));
                    }
                }
            }
            other if random.u8(..8) < chance => carry_out(&mut content, other),
            _ => {}
        }
    }
    content
}

#[test]
fn a_power_cut_leaves_what_was_before_a_save_or_what_was_to_be() {
    let seed = 11;
    println!("seed {seed}");
    let mut random = fastrand::Rng::with_seed(seed);
    let film = Film::default();
    let mut database = open(film.clone());
    let mut states = vec![(0, Model::new())];
    let mut history = Vec::new();
    let mut model = Model::new();
    let mut generation = None;
    for step in 0..24 {
        let run: RunId = format!("run{step:02}").parse().unwrap();
        let head = if step % 6 == 5 {
            let (run, changed): (RunId, BTreeSet<Vec<u8>>) = history.pop().unwrap();
            model.retain(|path, _| !changed.contains(path));
            forget_run(&database, DEVICES, &run, Time::now()).unwrap().unwrap()
        } else {
            let changes: Vec<_> = (0..random.usize(1..400))
                .map(|_| {
                    let path = format!("{}/item {}", random.u8(..9), random.u16(..300));
                    let path = RelPath::parse(path.as_bytes()).unwrap();
                    (path, (random.u8(..4) > 0).then(|| any_known(&mut random, DEVICES)))
                })
                .collect();
            let mut changed = BTreeSet::new();
            for (path, known) in &changes {
                let path = path.as_bytes().to_vec();
                let before = match known {
                    Some(known) => model.insert(path.clone(), *known),
                    None => model.remove(&path),
                };
                if before != *known {
                    changed.insert(path);
                }
            }
            history.push((run.clone(), changed));
            let how = Saving {
                wrote: [false; 2],
                notes_all: false,
                devices: DEVICES,
                mirrored: false,
                terms: &terms(),
                run: Some(&run),
                now: Time::now(),
                generation,
                least: 0,
            };
            save(&database, &how, changes.into_iter()).unwrap()
        };
        generation = Some(head.generation);
        states.push((film.acts(), model.clone()));
        if step % 8 == 7 {
            database.compact().unwrap();
            states.push((film.acts(), model.clone()));
        }
    }
    drop(database);
    let acts = film.0.lock().unwrap().acts.clone();
    let (mut cuts, mut newer) = (0, 0);
    for _ in 0..1500 {
        let until = random.usize(1..=acts.len());
        // What was acknowledged before the cut is there; what was under way may be.
        let done = states.iter().rposition(|(at, _)| *at <= until).unwrap();
        if done == 0 {
            // The file has not its name before its first save is done.
            continue;
        }
        let film =
            Film(Arc::new(Mutex::new(Disk { content: after_cut(&acts, until, &mut random), acts: vec![] })));
        let (_, remembered) =
            load(&open(film), DEVICES, false).unwrap_or_else(|fault| panic!("cut after {until}: {fault}"));
        let found = model_of(&remembered);
        let next = states.get(done + 1).map(|(_, model)| model);
        assert!(found == states[done].1 || Some(&found) == next, "cut after {until} of {}", acts.len());
        cuts += 1;
        newer += u32::from(found != states[done].1);
    }
    println!("{cuts} cuts in {} writes, {newer} of them after the save had taken place", acts.len());
    assert!(cuts > 1000);
}

#[test]
fn blocks_are_full_of_items_and_no_larger_than_a_page() {
    let mut random = fastrand::Rng::with_seed(12);
    let film = Film::default();
    let database = open(film);
    let mut generation = None;
    for round in 0..40 {
        let changes: Vec<_> = (0..2000)
            .map(|_| {
                let path = RelPath::parse(format!("{:06}", random.u32(..30_000)).as_bytes()).unwrap();
                (path, (random.u8(..8) > 0).then(|| any_known(&mut random, DEVICES)))
            })
            .collect();
        let terms = terms();
        let how = Saving {
            wrote: [false; 2],
            notes_all: false,
            devices: DEVICES,
            mirrored: false,
            terms: &terms,
            run: None,
            now: Time::now(),
            generation,
            least: 0,
        };
        let head = save(&database, &how, changes.into_iter()).unwrap();
        generation = Some(head.generation);
        let read = database.begin_read().unwrap();
        let lengths: Vec<usize> = read
            .open_table(ITEMS)
            .unwrap()
            .iter()
            .unwrap()
            .map(|found| found.map(|(key, block)| key.value().len() + block.value().len()).unwrap())
            .collect();
        let (sum, largest) = (lengths.iter().sum::<usize>(), lengths.iter().max().unwrap());
        assert_eq!(sum as u64, head.bytes);
        assert!(*largest <= FULL, "{largest}");
        let mean = sum / lengths.len();
        assert!(
            mean > FULL / 2 && lengths.iter().filter(|&&length| length < SPARSE).count() <= 2,
            "{round}: {mean}"
        );
    }
}

/// A file of the version before knows of no run that it was accounted for.
#[test]
fn a_record_of_a_run_is_read_by_this_version_and_by_the_one_before() {
    #[derive(Serialize)]
    struct Old {
        saved: Time,
        blocks: u32,
        changes: u64,
        wrote: [bool; 2],
    }
    let new = RunRecord {
        saved: Time::new(7, 8),
        blocks: 3,
        changes: 900,
        wrote: [true, false],
        accounted: [true, false],
    };
    let bytes = store("r", &new).unwrap();
    assert_eq!(RunRecord::restore("r", &bytes).unwrap(), new);
    let OldRunRecord { saved, blocks, changes, wrote } = restore("r", &bytes).unwrap();
    let old = store("r", &Old { saved, blocks, changes, wrote }).unwrap();
    assert_eq!(RunRecord::restore("r", &old).unwrap(), RunRecord { accounted: [false; 2], ..new });
    assert!(RunRecord::restore("other", &old).is_err());
}
