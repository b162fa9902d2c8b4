use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use fcs_sys::{Time, VolumeFacts};
use fcs_testkit::faulty::{Act, Call, Event, wrap};
use fcs_testkit::sim::{Options, SimFs};

use super::{NumberFacts, SecondNames, VolumeProbe, probe};

fn probed(options: Options) -> (VolumeProbe, SimFs) {
    let disk = SimFs::new(options);
    disk.put("a", b"of the user", 0o644, Time::new(1000, 0));
    disk.put(".fcs-probe-9/first", b"left by a kill", 0o600, Time::new(1000, 0));
    let root = disk.root();
    let before = root.dir.metadata().unwrap().modified;
    let facts = root.dir.volume().unwrap();
    let found = probe(&root.dir, &facts);
    assert_eq!(root.dir.metadata().unwrap().modified, before, "the root's time");
    (found, disk)
}

#[test]
fn what_a_volume_without_lasting_numbers_does_is_tried_and_nothing_stays() {
    let (found, disk) = probed(Options { lasting_numbers: false, ..Options::default() });
    let expected = NumberFacts {
        second_names: SecondNames::Recognised,
        survive_rename: Some(false),
        exchange: Some(true),
        no_replace: Some(true),
    };
    assert_eq!(found.numbers, expected);
    assert_eq!(disk.snapshot().into_keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn what_a_volume_refuses_is_found_out() {
    let (found, disk) = probed(Options { lasting_numbers: false, ..Options::fat() });
    assert_eq!(found.numbers.second_names, SecondNames::Refused);
    assert_eq!(found.numbers.exchange, Some(false));
    assert!(!found.numbers.may_link());
    assert_eq!(disk.snapshot().into_keys().collect::<Vec<_>>(), ["a"]);
}

#[test]
fn nothing_is_written_where_nothing_is_in_doubt() {
    let disk = SimFs::new(Options::default());
    let facts: VolumeFacts = disk.root().dir.volume().unwrap();
    let before = disk.ticks();
    let found = probe(&disk.root().dir, &facts);
    assert_eq!(disk.ticks(), before);
    assert!(found.numbers.may_link());
}

#[test]
fn what_was_seen_is_true_although_the_scratch_folder_cannot_be_removed() {
    let disk = SimFs::new(Options::default());
    let refused = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&refused);
    let script = move |event: &Event<'_>| {
        if event.call != Call::RemoveDir {
            return Act::Go;
        }
        count.fetch_add(1, Ordering::SeqCst);
        Act::Fail(16)
    };
    let busy = wrap(&disk.root(), "busy", Arc::new(script));
    let seen = super::shows_as_made(&busy.dir);
    assert!(refused.load(Ordering::SeqCst) > 0, "the fault fired");
    assert_eq!(seen.ok(), super::shows_as_made(&disk.root().dir).ok());
    assert_eq!(disk.snapshot().len(), 0, "the next trial takes it away");
}
