//! Gives a copy the metadata of its source, and says what could not be kept.
//!
//! The order matters: changing the owner clears set-user-id bits and capabilities, streams and attributes need write
//! permission, and every one of these moves the times. So: owner, streams, extended attributes, permissions, times; then
//! read back.

use std::io;
use std::sync::OnceLock;
use std::sync::atomic::Ordering;

use fcs_sys::{Attributes, CreatedTime, Handle, Kind, Metadata, OsReason, Owner, Times, VolumeFacts, reason};

use super::context::{Context, Tally};
use super::streams::{self, Carried};
use crate::Settings;
use crate::dates::{self, Changed};
use crate::report::NotKept;
use crate::settings::SetgidGroup;

/// What setting metadata came to.
pub(crate) struct AppliedMetadata {
    /// What could not be kept, in words; empty when all was.
    pub(crate) not_kept: Vec<NotKept>,
    /// The named streams, which are to be read back with the content.
    pub(crate) streams: Vec<Carried>,
    /// The copy's metadata, read back.
    pub(crate) now: Metadata,
}

const SET_GROUP_ID: u32 = 0o2000;

/// The group that what is made in a folder keeps, whatever its source has: a set-group-id folder is there so that
/// everything in it belongs to its group. An administrator copies groups as they are.
pub(crate) fn group_of_folder(settings: &Settings, folder: &Metadata) -> Option<u32> {
    let kept = settings.setgid_group == SetgidGroup::Folder
        && !cfg!(windows)
        && !fcs_sys::user::is_administrator()
        && folder.attributes.0 & SET_GROUP_ID != 0;
    folder.owner.filter(|_| kept).map(|owner| owner.group)
}

/// Gives `copy`, just made, the metadata `wanted`, which was read from `source`, with this group if there is one.
///
/// Fails only when the copy's metadata cannot be read back, or as `Interrupted` when `stop` said so; what cannot be set
/// is listed instead.
pub(crate) fn give(
    context: &Context<'_>,
    copy: &dyn Handle,
    source: &dyn Handle,
    wanted: &Metadata,
    volume: &VolumeFacts,
    (group, owner_of_new): (Option<u32>, &OnceLock<Option<Owner>>),
    stop: &dyn Fn() -> bool,
) -> io::Result<AppliedMetadata> {
    let (settings, tally) = (context.settings, &context.tally);
    let mut not_kept = Vec::new();
    // All that is made in one folder begins with the same owner, so it is asked of the first, or of those that a few
    // workers make at once.
    let known = owner_of_new.get().copied();
    let before = if known.is_some() { None } else { Some(copy.metadata()?) };
    let have = known.unwrap_or_else(|| before.and_then(|before| before.owner));
    // Where there are no owners, that is known too.
    let _ = owner_of_new.set(have);
    let mut owner_kept = wanted.owner == have;
    let mut owner_set = false;
    if settings.keep_owner
        && let (Some(source), Some(have)) = (wanted.owner, have)
    {
        let want = Owner { group: group.unwrap_or(source.group), ..source };
        if want != have {
            owner_set = true;
            let given = give_owner(copy, want, have);
            owner_kept = given && want == source;
            if !given {
                tally.owner_not_kept.fetch_add(1, Ordering::Relaxed);
            }
        }
    }
    let streams =
        if settings.keep_streams { streams::give(copy, source, stop, &mut not_kept)? } else { Vec::new() };
    if settings.keep_xattrs {
        give_xattrs(copy, source, &mut not_kept);
    }
    let mut attributes = wanted.attributes;
    if let Some(before) = before.filter(|before| group.is_some() && before.kind == Kind::Folder) {
        // What is made in it later belongs to the same group.
        attributes.0 |= before.attributes.0 & SET_GROUP_ID;
    }
    give_attributes(copy, attributes, owner_kept || attributes != wanted.attributes, &mut not_kept);
    let now = give_times(copy, wanted, volume, tally, &mut not_kept)?;
    if before.is_none() && !owner_set && now.owner != have {
        // Somebody changed whose new items are since the first one was made.
        return give(context, copy, source, wanted, volume, (group, &OnceLock::new()), stop);
    }
    Ok(AppliedMetadata { not_kept, streams, now })
}

/// Sets owner and group, or at least the group, which a plain user may set to one of his own.
fn give_owner(copy: &dyn Handle, want: Owner, have: Owner) -> bool {
    if copy.set_owner(want).is_ok() {
        return true;
    }
    if want.group != have.group {
        // Half a success is still reported as not kept.
        let _ = copy.set_owner(Owner { user: have.user, group: want.group });
    }
    false
}

fn give_xattrs(copy: &dyn Handle, source: &dyn Handle, not_kept: &mut Vec<NotKept>) {
    let Ok(names) = source.xattrs() else {
        not_kept.push("extended attributes (they could not be listed)".into());
        return;
    };
    // Asked of each file: a folder may get a default list at any time.
    let inherited = copy.xattrs().unwrap_or_default();
    for name in inherited.iter().filter(|n| n.starts_with(b"system.posix_acl_") && !names.contains(n)) {
        // A default access list of the folder would let others read what the source does not let them.
        if copy.remove_xattr(name).is_err() {
            not_kept.push(format!("absence of {}, inherited from the folder", fcs_sys::escaped(name)).into());
        }
    }
    for name in names {
        let done = source.xattr(&name).and_then(|value| copy.set_xattr(&name, &value));
        if let Err(error) = done {
            // Removed between listing and reading: the source has changed, which is found out elsewhere.
            let text = || format!("extended attribute {}", fcs_sys::escaped(&name));
            match reason(&error) {
                OsReason::NotFound => {}
                // What this volume does not know, or only an administrator may set, no later run can set.
                OsReason::Unsupported => not_kept.push(NotKept::settled(text())),
                OsReason::PermissionDenied if !name.starts_with(b"user.") => {
                    not_kept.push(NotKept::settled(text()));
                }
                _ => not_kept.push(text().into()),
            }
        }
    }
}

fn give_attributes(copy: &dyn Handle, want: Attributes, owner_kept: bool, not_kept: &mut Vec<NotKept>) {
    // A set-user-id program must not run as another user than the one it was made for.
    let safe = if owner_kept { want } else { want.without_set_id() };
    if safe != want {
        // Only an administrator may change owners, so no later run can set it.
        not_kept.push(NotKept::settled("set-user-id or set-group-id bit (the owner could not be kept)"));
    }
    if copy.set_attributes(safe).is_err() {
        not_kept.push("permissions".into());
    }
}

/// Sets the times and reads them back; a time further off than the volume's granularity counts as not kept.
pub(crate) fn give_times(
    copy: &dyn Handle,
    wanted: &Metadata,
    volume: &VolumeFacts,
    tally: &Tally,
    not_kept: &mut Vec<NotKept>,
) -> io::Result<Metadata> {
    let created = wanted.created.filter(|_| volume.created == CreatedTime::Settable);
    // An error shows in the read-back.
    let set = copy.set_times(Times { modified: Some(wanted.modified), created });
    let now = copy.metadata()?;
    // Only the owner may set dates, and a folder of somebody else's has no dates of this user's to lose.
    if set.is_err_and(|e| reason(&e) == OsReason::PermissionDenied) && !fcs_sys::user::owns(now.owner) {
        return Ok(now);
    }
    tell_times(&now, Times { modified: Some(wanted.modified), created }, volume, tally, not_kept);
    Ok(now)
}

/// Tells which of the `wanted` times an item does not have. One that is what the volume had to make of it is counted
/// and said once; the comparison knows it too.
pub(crate) fn tell_times(
    now: &Metadata,
    wanted: Times,
    volume: &VolumeFacts,
    tally: &Tally,
    not_kept: &mut Vec<NotKept>,
) {
    let granularity = u128::from(volume.time_granularity_nanos.max(1));
    for (name, wanted, now) in [
        ("modified time", wanted.modified, Some(now.modified)),
        ("created time", wanted.created, now.created),
    ] {
        if let (Some(wanted), Some(now)) = (wanted, now)
            && now.distance_nanos(wanted) >= granularity
        {
            match dates::image(wanted, now) {
                Some(Changed::Cut(step)) => {
                    tally.coarsest_step.fetch_max(step, Ordering::Relaxed);
                }
                Some(Changed::OutOfRange) => {
                    tally.dates_out_of_range.fetch_add(1, Ordering::Relaxed);
                }
                None => not_kept.push(name.into()),
            }
        }
    }
}
