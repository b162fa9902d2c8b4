//! What the user of this process may do, as far as permission bits and owners tell.
//!
//! Invariant: asks about the calling thread each time, because threads can be different users. Access lists and rights
//! that only the kernel knows are not seen, so a "no" here is a reason to ask the system, and never an answer by itself.

use crate::{Attributes, Owner};

/// Whether this user may set dates and permissions of an item: its owner may, and an administrator.
pub fn owns(owner: Option<Owner>) -> bool {
    owner.is_none_or(|owner| user().is_none_or(|user| user == 0 || user == owner.user))
}

/// Whether this user is the administrator, for whom permission bits do not count.
pub fn is_administrator() -> bool {
    user() == Some(0)
}

/// Whether the bits let this user read a file.
pub fn bits_let_read(attributes: Attributes, owner: Option<Owner>) -> bool {
    bits_let(attributes, owner, 0o4)
}

/// Whether the bits let this user make, rename and remove names in a folder.
pub fn bits_let_change(attributes: Attributes, owner: Option<Owner>) -> bool {
    bits_let(attributes, owner, 0o3)
}

fn bits_let(attributes: Attributes, owner: Option<Owner>, wanted: u32) -> bool {
    let (Some(owner), Some(user)) = (owner, user()) else { return true };
    let shift = if user == owner.user {
        6
    } else if in_group(owner.group) {
        3
    } else {
        0
    };
    user == 0 || (attributes.0 >> shift) & wanted == wanted
}

/// The effective user; `None` where users have no numbers.
#[cfg(unix)]
#[allow(clippy::unnecessary_wraps)] // As where there are none.
fn user() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

#[cfg(unix)]
fn in_group(group: u32) -> bool {
    rustix::process::getegid().as_raw() == group
        || rustix::process::getgroups().is_ok_and(|groups| groups.iter().any(|own| own.as_raw() == group))
}

#[cfg(not(unix))]
fn user() -> Option<u32> {
    None
}

#[cfg(not(unix))]
fn in_group(_group: u32) -> bool {
    true
}
