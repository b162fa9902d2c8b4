//! What the user of this process may do, as far as permission bits and owners tell.
//!
//! Invariant: asks about the calling thread each time, because threads can be different users. Access lists and rights
//! that only the kernel knows are not seen, so a "no" here is a reason to ask the system, and never an answer by itself.

use crate::{Attributes, Owner};

/// The user of a thread and its groups, asked for once where many items are judged.
#[derive(Debug, Clone)]
pub struct User {
    /// `None` where users have no numbers.
    id: Option<u32>,
    groups: Vec<u32>,
}

impl User {
    /// The user of the calling thread.
    pub fn now() -> Self {
        Self { id: user(), groups: groups() }
    }

    /// Whether this user is the administrator, for whom permission bits do not count.
    pub fn is_administrator(&self) -> bool {
        self.id == Some(0)
    }

    /// Whether this user may set dates and permissions of an item: its owner may, and an administrator.
    pub fn owns(&self, owner: Option<Owner>) -> bool {
        owner.is_none_or(|owner| self.id.is_none_or(|user| user == 0 || user == owner.user))
    }

    /// Whether the bits let this user read a file.
    pub fn bits_let_read(&self, attributes: Attributes, owner: Option<Owner>) -> bool {
        self.bits_let(attributes, owner, 0o4)
    }

    /// Whether the bits let this user make, rename and remove names in a folder.
    pub fn bits_let_change(&self, attributes: Attributes, owner: Option<Owner>) -> bool {
        self.bits_let(attributes, owner, 0o3)
    }

    /// Whether the sticky bit of a folder keeps this user from renaming and removing an item of this owner in it, which
    /// it lets only the owner of the item and of the folder do.
    pub fn is_kept_off(&self, folder: Attributes, of_folder: Option<Owner>, of_item: Option<Owner>) -> bool {
        folder.0 & 0o1000 != 0 && of_item.is_some() && !self.owns(of_folder) && !self.owns(of_item)
    }

    fn bits_let(&self, attributes: Attributes, owner: Option<Owner>, wanted: u32) -> bool {
        let (Some(owner), Some(user)) = (owner, self.id) else { return true };
        let shift = if user == owner.user {
            6
        } else if self.groups.contains(&owner.group) {
            3
        } else {
            0
        };
        user == 0 || (attributes.0 >> shift) & wanted == wanted
    }
}

/// Whether this user may set dates and permissions of an item: its owner may, and an administrator.
pub fn owns(owner: Option<Owner>) -> bool {
    User { id: user(), groups: Vec::new() }.owns(owner)
}

/// Whether this user is the administrator, for whom permission bits do not count.
pub fn is_administrator() -> bool {
    user() == Some(0)
}

/// Whether the bits let this user read a file.
pub fn bits_let_read(attributes: Attributes, owner: Option<Owner>) -> bool {
    User::now().bits_let_read(attributes, owner)
}

/// Whether the bits let this user make, rename and remove names in a folder.
pub fn bits_let_change(attributes: Attributes, owner: Option<Owner>) -> bool {
    User::now().bits_let_change(attributes, owner)
}

/// The bits with which this user may make, rename and remove names in a folder of its own that does not let it; `None`
/// where nothing is in the way, where only another user could take it out of the way, and where the bits could not be set
/// back afterwards.
pub fn lifted(attributes: Attributes, owner: Option<Owner>) -> Option<Attributes> {
    let (owner, user) = (owner?, user()?);
    let lifted = attributes.lifted();
    (user != 0 && user == owner.user && lifted != attributes)
        .then_some(lifted)
        .filter(|_| attributes.0 & SET_GROUP_ID == 0 || groups().contains(&owner.group))
}

/// What is made in the folder has its group. The system takes this bit away, and says nothing, when somebody changes the
/// bits of a folder whose group is none of theirs.
const SET_GROUP_ID: u32 = 0o2000;

/// The effective user; `None` where users have no numbers.
#[cfg(unix)]
#[allow(clippy::unnecessary_wraps)] // As where there are none.
fn user() -> Option<u32> {
    Some(rustix::process::geteuid().as_raw())
}

#[cfg(unix)]
fn groups() -> Vec<u32> {
    let more = rustix::process::getgroups().unwrap_or_default();
    std::iter::once(rustix::process::getegid()).chain(more).map(rustix::process::Gid::as_raw).collect()
}

#[cfg(not(unix))]
fn user() -> Option<u32> {
    None
}

#[cfg(not(unix))]
fn groups() -> Vec<u32> {
    Vec::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    const OWNER: Option<Owner> = Some(Owner { user: 7, group: 70 });

    fn user(id: u32, groups: &[u32]) -> User {
        User { id: Some(id), groups: groups.to_vec() }
    }

    #[test]
    fn the_first_class_that_fits_decides_alone() {
        let may = |user: &User, bits| {
            let bits = Attributes(bits);
            (user.bits_let_read(bits, OWNER), user.bits_let_change(bits, OWNER))
        };
        assert_eq!(may(&user(7, &[70]), 0o077), (false, false), "the owner is refused what others may");
        assert_eq!(may(&user(8, &[70]), 0o707), (false, false), "and so is the group");
        assert_eq!(may(&user(8, &[1, 70]), 0o050), (true, false), "to enter is not enough to change");
        assert_eq!(may(&user(8, &[1]), 0o003), (false, true));
        assert_eq!(may(&user(0, &[]), 0), (true, true), "no bits count for root");
        let nobody = User { id: None, groups: Vec::new() };
        assert_eq!(may(&nobody, 0), (true, true), "where users have no numbers bits tell nothing");
    }

    #[test]
    fn a_sticky_folder_lets_the_two_owners_alone() {
        let (sticky, other) = (Attributes(0o1777), Some(Owner { user: 8, group: 80 }));
        assert!(user(9, &[70, 80]).is_kept_off(sticky, OWNER, other));
        assert!(!user(8, &[]).is_kept_off(sticky, OWNER, other), "the owner of the item");
        assert!(!user(7, &[]).is_kept_off(sticky, OWNER, other), "the owner of the folder");
        assert!(!user(0, &[]).is_kept_off(sticky, OWNER, other));
        assert!(!user(9, &[]).is_kept_off(Attributes(0o777), OWNER, other));
    }
}
