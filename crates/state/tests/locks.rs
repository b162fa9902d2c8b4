//! Who may use what at the same time.

#![allow(clippy::unwrap_used)]

mod common;

use common::roots;
use fcs_state::{HeldLocks, LockError, LockName, Use};

#[test]
fn what_is_used_alone_is_used_by_nobody_else_and_what_is_shared_by_many() {
    let tmp = tempfile::tempdir().unwrap();
    let folder = tmp.path().join("locks");
    let [left, right] = roots();
    let (of_left, of_right) = (LockName::of_root(&left), LockName::of_root(&right));
    let take = |wanted: &[(&LockName, Use)]| {
        let wanted: Vec<_> = wanted.iter().map(|(name, how)| ((*name).clone(), *how)).collect();
        HeldLocks::take(&folder, &wanted, "a test")
    };
    let first = take(&[(&of_left, Use::Shared), (&of_right, Use::Alone)]).unwrap();
    let second = take(&[(&of_left, Use::Shared)]).unwrap();
    match take(&[(&of_left, Use::Shared), (&of_right, Use::Shared)]) {
        Err(LockError::InUse { name, holder }) => {
            assert_eq!((name, holder.as_deref()), (of_right.clone(), Some("a test")));
        }
        other => panic!("{other:?}"),
    }
    match take(&[(&of_left, Use::Alone)]) {
        Err(LockError::InUse { name, holder }) => assert_eq!((name, holder), (of_left.clone(), None)),
        other => panic!("{other:?}"),
    }
    first.release();
    assert!(take(&[(&of_left, Use::Alone)]).is_err(), "the second still shares it");
    // As when its process dies.
    drop(second);
    let alone = take(&[(&of_left, Use::Alone)]).unwrap();
    alone.release();
    let left_behind: Vec<_> = std::fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert_eq!(left_behind, ["all"]);
}

#[test]
fn a_pair_has_one_name_whichever_is_left() {
    let [left, right] = roots();
    let name = LockName::of_pair(&[left.clone(), right.clone()]);
    assert_eq!(name, LockName::of_pair(&[right, left.clone()]));
    assert_ne!(name, LockName::of_pair(&[left.clone(), left]));
}
