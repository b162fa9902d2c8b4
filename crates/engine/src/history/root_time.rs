//! The root's own modified time, while `.fcs` is made in it or removed from it.
//!
//! Both move that time, and it is given back at once; a kill in between would lose it. So it is first kept in an attribute
//! of the root itself: setting one does not move the time, and what is in the root could not do it, because it would
//! have to go last itself.

use std::io;

use fcs_sys::{Metadata, Root, Time, Times};

const NAME: &[u8] = b"user.fcs.modified";
/// Between the attribute and the folder lies one call. A root that changed later than this was changed by somebody else.
const SOON_NANOS: u128 = 10_000_000_000;

/// A time to be given back.
pub(super) struct RootTime {
    modified: Time,
    kept: bool,
}

impl RootTime {
    /// Only the owner may set a time; for others it is that of a folder in which something was made, which is true. Where
    /// there are no attributes a kill in between costs the time.
    pub(super) fn keep(root: &Root, now: &Metadata) -> Self {
        let modified = now.modified;
        let set = |changed: Time| {
            let [a, b] = [modified, changed].map(|time| format!("{} {}", time.seconds(), time.nanos()));
            root.dir.set_xattr(NAME, format!("{a} {b}").as_bytes())
        };
        // By the clock of the file system, which the attribute itself moves.
        let kept =
            set(Time::EPOCH).and_then(|()| set(root.dir.metadata()?.changed.unwrap_or_else(Time::now)));
        Self { modified, kept: kept.is_ok() }
    }

    pub(super) fn give_back(self, root: &Root) {
        let _ = root.dir.set_times(Times { modified: Some(self.modified), created: None });
        if self.kept {
            let _ = root.dir.remove_xattr(NAME);
        }
    }
}

/// Gives the root its time back if whoever was about to do that was killed.
pub(super) fn restore(root: &Root) {
    let Some((modified, changed)) = read(root) else { return };
    match root.dir.metadata() {
        Ok(now) if now.modified >= changed && now.modified.distance_nanos(changed) < SOON_NANOS => {
            RootTime { modified, kept: true }.give_back(root);
        }
        // Not touched yet, or changed by somebody else since.
        Ok(_) => {
            let _ = root.dir.remove_xattr(NAME);
        }
        Err(_) => {}
    }
}

fn read(root: &Root) -> Option<(Time, Time)> {
    let value: io::Result<Vec<u8>> = root.dir.xattr(NAME);
    let text = String::from_utf8(value.ok()?).ok()?;
    let mut fields = text.split(' ');
    let mut time = || Some(Time::new(fields.next()?.parse().ok()?, fields.next()?.parse().ok()?));
    Some((time()?, time()?))
}

#[cfg(all(test, unix))]
#[allow(clippy::unwrap_used)]
mod tests {
    use fcs_testkit::sim::{Options, SimFs};

    use super::*;

    fn old() -> Time {
        Time::new(1_000_000_000, 5)
    }

    fn aged(options: Options) -> (SimFs, Root) {
        let disk = SimFs::new(options);
        let root = disk.root();
        root.dir.set_times(Times { modified: Some(old()), created: None }).unwrap();
        (disk, root)
    }

    /// E13: a kill between the attribute and the giving back.
    #[test]
    fn the_time_of_a_root_comes_back_after_a_kill_unless_somebody_changed_the_root() {
        let (_, root) = aged(Options::default());
        let now = || root.dir.metadata().unwrap();
        assert!(RootTime::keep(&root, &now()).kept);
        restore(&root);
        assert_eq!((now().modified, read(&root)), (old(), None), "not touched yet");

        for foreign in [false, true] {
            let (disk, root) = aged(Options::default());
            let now = || root.dir.metadata().unwrap();
            let _killed = RootTime::keep(&root, &now());
            disk.mkdir("made");
            assert_ne!(now().modified, old());
            let later = Time::new(now().modified.seconds() + 60, 0);
            if foreign {
                root.dir.set_times(Times { modified: Some(later), created: None }).unwrap();
            }
            restore(&root);
            assert_eq!((now().modified, read(&root)), (if foreign { later } else { old() }, None));
        }
    }

    /// As on FAT, and on Windows.
    #[test]
    fn without_attributes_the_time_comes_back_but_not_after_a_kill() {
        let (disk, root) = aged(Options { xattrs: false, ..Options::default() });
        let now = || root.dir.metadata().unwrap();
        let kept = RootTime::keep(&root, &now());
        assert!(!kept.kept);
        disk.mkdir("made");
        let moved = now().modified;
        restore(&root);
        assert_eq!(now().modified, moved, "whoever was killed kept nothing");
        kept.give_back(&root);
        assert_eq!(now().modified, old());
    }
}
