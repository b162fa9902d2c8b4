//! The volumes on which the run works: what they do, whether an item there is the one that was seen, and the permissions
//! that folders had before this user was let in.

use std::sync::atomic::{AtomicBool, AtomicU64};
use std::sync::{Arc, PoisonError};

use fcs_sys::{Attributes, DirRef, FileId, Fingerprint, Metadata, RelPath};

use super::{Context, Volume};
use crate::history::Record;
use crate::identity::Numbers;
use crate::probe::{self};
use crate::{Error, Op};

impl Context<'_> {
    /// The volume a target folder is on, asked and tried once per volume.
    pub(crate) fn volume_of(&self, dir: &DirRef) -> std::io::Result<Arc<Volume>> {
        self.volume_numbered(dir.metadata()?.id.volume, dir)
    }

    /// As [`Context::volume_of`], where the volume's number is known.
    pub(crate) fn volume_numbered(&self, id: u64, dir: &DirRef) -> std::io::Result<Arc<Volume>> {
        let mut volumes = self.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(volume) = volumes.get(&id) {
            return Ok(Arc::clone(volume));
        }
        let facts = dir.volume()?;
        // The caller may have tried the root's volume already, for the preview.
        let probe = match &self.probe {
            Some(known) if self.target.dir.metadata()?.id.volume == id => known.clone(),
            _ => probe::probe(dir, &facts),
        };
        let numbers = Numbers::on(&facts);
        let volume = Arc::new(Volume {
            facts,
            dir: Arc::clone(dir),
            probe,
            numbers,
            sync_failed: AtomicBool::new(false),
            uncounted: AtomicU64::new(0),
            unreadable_past_cache: AtomicU64::new(0),
            written_past_cache: Default::default(),
            tiny_uncounted: AtomicBool::new(false),
        });
        volumes.insert(id, Arc::clone(&volume));
        Ok(volume)
    }

    /// Syncs every volume the run wrote to that can be synced as a whole. Returns a maker of the first error.
    pub(crate) fn sync_all_volumes(&self) -> Option<impl Fn() -> std::io::Error + use<>> {
        let volumes = self.volumes.lock().unwrap_or_else(PoisonError::into_inner);
        let failed = volumes.values().filter(|v| v.syncs_whole()).find_map(|v| v.sync_whole().err())?;
        Some(move || match failed.raw_os_error() {
            Some(code) => std::io::Error::from_raw_os_error(code),
            None => failed.kind().into(),
        })
    }

    /// Lets this user work in a folder of the target, which has `now` and in the journal this number and these
    /// permissions.
    pub(crate) fn lift(
        &self,
        path: &RelPath,
        dir: &DirRef,
        now: &Metadata,
        (number, listed): (usize, Option<Attributes>),
    ) -> std::io::Result<()> {
        let mut lifted = self.lifted.lock().unwrap_or_else(PoisonError::into_inner);
        lifted.lift(path, dir, now, |was| {
            let log = self.log_or_refused()?;
            if listed == Some(was) {
                return Ok(());
            }
            log.promise([Record::LiftedFolder { folder: number as u32, was }])
        })
    }

    /// What a folder of the target had before it was lifted, which now goes elsewhere.
    pub(crate) fn take_lifted(&self, path: &RelPath) -> Option<Attributes> {
        self.lifted.lock().unwrap_or_else(PoisonError::into_inner).take(path)
    }

    /// Gives folders of the target back the permissions that they had. Whether all of them have them; failures are reported.
    pub(crate) fn give_back_lifted(&self) -> bool {
        let left = self.lifted.lock().unwrap_or_else(PoisonError::into_inner).give_back(&self.target.dir);
        let all = left.is_empty();
        for (path, e) in left {
            self.complain(&Error::os(Op::SetMetadata, self.target_path(&path), e));
        }
        all
    }

    /// Remembers a target that is about to be displaced and has further names.
    pub(crate) fn will_move(&self, target: &Metadata) {
        if target.links > 1 {
            self.moved.lock().unwrap_or_else(PoisonError::into_inner).insert(target.id);
        }
    }

    /// Whether the target item `now` is what was seen, unchanged but for what this run itself did.
    pub(crate) fn target_unchanged(&self, numbers: Numbers, now: &Metadata, seen: &Fingerprint) -> bool {
        numbers.unchanged(&now.fingerprint(), seen)
            || self.is_moved_by_us(now, seen)
            || self.is_renamed_by_us(numbers, now, seen)
    }

    /// Remembers what a file became that was moved, which a rename gives another change time. `seen` is its number in the plan.
    pub(crate) fn note_moved(&self, seen: FileId, now: Fingerprint) {
        self.renamed.lock().unwrap_or_else(PoisonError::into_inner).insert(seen, now);
    }

    fn is_renamed_by_us(&self, numbers: Numbers, now: &Metadata, seen: &Fingerprint) -> bool {
        let renamed = self.renamed.lock().unwrap_or_else(PoisonError::into_inner);
        renamed.get(&seen.id).is_some_and(|then| numbers.unchanged(&now.fingerprint(), then))
    }

    /// Whether a target differs from what was expected only in its change time, which this run itself moved when it
    /// displaced another name of the same file.
    fn is_moved_by_us(&self, now: &Metadata, expected: &Fingerprint) -> bool {
        let same = Fingerprint { changed: expected.changed, ..now.fingerprint() } == *expected;
        same && self.moved.lock().unwrap_or_else(PoisonError::into_inner).contains(&now.id)
    }
}
