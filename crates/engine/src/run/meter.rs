//! Counts the bytes of a run, so that what is done only grows and reaches the total at the end.
//!
//! Each step owes the bytes that the plan counted for it. What is copied or verified pays them off. A file that starts
//! over owes its bytes again, so the total grows by what was in vain; one that fails, or is not begun any more, is done
//! with, so what it still owes counts as done. Were counters rolled back instead, bars would run backwards and the time
//! that is left would end above zero. This module must not know why anything starts over.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::plan::{Action, Step};
use crate::progress::{Progress, add};

/// Bytes that a step still adds to the counters before it is done with.
#[derive(Debug, Default)]
pub(crate) struct Owed {
    copy: AtomicU64,
    verify: AtomicU64,
}

impl Owed {
    /// As the plan counts it.
    pub(crate) fn of(step: &Step) -> Self {
        let size = step.expect_source.size;
        let (copy, verify) = match step.action {
            Action::CopyFile { verify, .. } => (size, if verify { size } else { 0 }),
            Action::CopyLink | Action::SetTimes => (0, 0),
        };
        Self { copy: copy.into(), verify: verify.into() }
    }

    /// The step is done with, however it ended.
    pub(crate) fn settle(&self, progress: &Progress) {
        add(&progress.copy_bytes_done, self.copy.swap(0, Ordering::Relaxed));
        add(&progress.verify_bytes_done, self.verify.swap(0, Ordering::Relaxed));
    }
}

/// Counts one way through one file.
pub(crate) struct Meter<'a> {
    done: &'a AtomicU64,
    owed: &'a AtomicU64,
    file: Option<&'a AtomicU64>,
    counted: u64,
}

impl<'a> Meter<'a> {
    /// Counts `size` bytes that are to be copied.
    pub(crate) fn copy(
        progress: &'a Progress,
        owed: &'a Owed,
        size: u64,
        file: Option<&'a AtomicU64>,
    ) -> Self {
        Self::new(&progress.copy_bytes_done, &progress.copy_bytes_total, &owed.copy, size, file)
    }

    /// Counts `size` bytes that are to be verified.
    pub(crate) fn verify(
        progress: &'a Progress,
        owed: &'a Owed,
        size: u64,
        file: Option<&'a AtomicU64>,
    ) -> Self {
        Self::new(&progress.verify_bytes_done, &progress.verify_bytes_total, &owed.verify, size, file)
    }

    fn new(
        done: &'a AtomicU64,
        total: &AtomicU64,
        owed: &'a AtomicU64,
        size: u64,
        file: Option<&'a AtomicU64>,
    ) -> Self {
        let before = owed.swap(size, Ordering::Relaxed);
        // First the total: who polls in between must not see more done than there is.
        add(total, size.saturating_sub(before));
        add(done, before.saturating_sub(size));
        if let Some(file) = file {
            file.store(0, Ordering::Relaxed);
        }
        Self { done, owed, file, counted: 0 }
    }

    /// The file is done up to `bytes`.
    pub(crate) fn reach(&mut self, bytes: u64) {
        let more = bytes.saturating_sub(self.counted).min(self.owed.load(Ordering::Relaxed));
        self.owed.fetch_sub(more, Ordering::Relaxed);
        add(self.done, more);
        self.counted = self.counted.max(bytes);
        if let Some(file) = self.file {
            file.store(self.counted, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counters(progress: &Progress) -> (u64, u64) {
        let now = progress.snapshot();
        (now.copy_bytes_done, now.copy_bytes_total)
    }

    /// E8.
    #[test]
    fn what_is_done_only_grows_and_reaches_the_total() {
        let progress = Progress::default();
        progress.copy_bytes_total.store(100, Ordering::Relaxed);
        let owed = Owed { copy: 100.into(), verify: 0.into() };
        Meter::copy(&progress, &owed, 100, None).reach(30);
        assert_eq!(counters(&progress), (30, 100));
        Meter::copy(&progress, &owed, 100, None).reach(100);
        assert_eq!(counters(&progress), (130, 130), "started over: 30 more were to be copied");
        Meter::copy(&progress, &owed, 100, None).reach(60);
        assert_eq!(counters(&progress), (190, 230), "and once more, when it was whole already");
        let mut smaller = Meter::copy(&progress, &owed, 10, None);
        assert_eq!(counters(&progress), (220, 230), "the file became smaller");
        smaller.reach(20);
        assert_eq!(counters(&progress), (230, 230), "never more than the total");
        owed.settle(&progress);
        assert_eq!(counters(&progress), (230, 230));

        let failed = Owed { copy: 50.into(), verify: 50.into() };
        progress.copy_bytes_total.store(280, Ordering::Relaxed);
        Meter::copy(&progress, &failed, 50, None).reach(20);
        failed.settle(&progress);
        assert_eq!(counters(&progress), (280, 280), "a file that failed is done with");
        assert_eq!(progress.snapshot().verify_bytes_done, 50);
    }
}
