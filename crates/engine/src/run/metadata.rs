//! Gives a copy the metadata of its source, and says what could not be kept.
//!
//! The order matters: changing the owner clears set-user-id bits and capabilities, streams and attributes need write
//! permission, and every one of these moves the times. So: owner, streams, extended attributes, permissions, times; then
//! read back.

use std::io;
use std::sync::atomic::Ordering;

use fcs_sys::{Attributes, CreatedTime, Handle, Metadata, OsReason, Owner, Times, VolumeFacts, reason};

use super::context::{Context, Tally};
use super::streams::{self, Carried};
use crate::dates::{self, Changed};

/// What setting metadata came to.
pub(super) struct Dressed {
    /// What could not be kept, in words; empty when all was.
    pub(super) not_kept: Vec<String>,
    /// The named streams, which are to be read back with the content.
    pub(super) streams: Vec<Carried>,
    /// The copy's metadata, read back.
    pub(super) now: Metadata,
}

/// Gives `copy` the metadata `wanted`, which was read from `source`.
///
/// Fails only when the copy's metadata cannot be read back, or as `Interrupted` when `stop` said so; what cannot be set
/// is listed instead.
pub(super) fn give(
    context: &Context<'_>,
    copy: &dyn Handle,
    source: &dyn Handle,
    wanted: &Metadata,
    volume: &VolumeFacts,
    stop: &dyn Fn() -> bool,
) -> io::Result<Dressed> {
    let (settings, tally) = (context.settings, &context.tally);
    let mut not_kept = Vec::new();
    let before = copy.metadata()?;
    let mut owner_kept = wanted.owner == before.owner;
    if settings.keep_owner
        && let (Some(want), Some(have)) = (wanted.owner, before.owner)
        && want != have
    {
        owner_kept = give_owner(copy, want, have);
        if !owner_kept {
            tally.owner_not_kept.fetch_add(1, Ordering::Relaxed);
        }
    }
    let streams =
        if settings.keep_streams { streams::give(copy, source, stop, &mut not_kept)? } else { Vec::new() };
    if settings.keep_xattrs {
        give_xattrs(copy, source, &mut not_kept);
    }
    give_attributes(copy, wanted.attributes, owner_kept, &mut not_kept);
    let now = give_times(copy, wanted, volume, tally, &mut not_kept)?;
    Ok(Dressed { not_kept, streams, now })
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

fn give_xattrs(copy: &dyn Handle, source: &dyn Handle, not_kept: &mut Vec<String>) {
    let Ok(names) = source.xattrs() else {
        not_kept.push("extended attributes (they could not be listed)".into());
        return;
    };
    let inherited = copy.xattrs().unwrap_or_default();
    for name in inherited.iter().filter(|n| n.starts_with(b"system.posix_acl_") && !names.contains(n)) {
        // A default access list of the folder would let others read what the source does not let them.
        if copy.remove_xattr(name).is_err() {
            not_kept.push(format!("absence of {}, inherited from the folder", fcs_sys::escaped(name)));
        }
    }
    for name in names {
        let done = source.xattr(&name).and_then(|value| copy.set_xattr(&name, &value));
        if let Err(error) = done {
            // Removed between listing and reading: the source has changed, which is found out elsewhere.
            let gone = reason(&error) == OsReason::NotFound;
            if !gone {
                not_kept.push(format!("extended attribute {}", fcs_sys::escaped(&name)));
            }
        }
    }
}

fn give_attributes(copy: &dyn Handle, want: Attributes, owner_kept: bool, not_kept: &mut Vec<String>) {
    // A set-user-id program must not run as another user than the one it was made for.
    let safe = if owner_kept { want } else { want.without_set_id() };
    if safe != want {
        not_kept.push("set-user-id or set-group-id bit (the owner could not be kept)".into());
    }
    if copy.set_attributes(safe).is_err() {
        not_kept.push("permissions".into());
    }
}

/// Sets the times and reads them back; a time further off than the volume's granularity counts as not kept.
pub(super) fn give_times(
    copy: &dyn Handle,
    wanted: &Metadata,
    volume: &VolumeFacts,
    tally: &Tally,
    not_kept: &mut Vec<String>,
) -> io::Result<Metadata> {
    let created = wanted.created.filter(|_| volume.created == CreatedTime::Settable);
    // An error shows in the read-back.
    let _ = copy.set_times(Times { modified: Some(wanted.modified), created });
    let now = copy.metadata()?;
    tell_times(&now, Times { modified: Some(wanted.modified), created }, volume, tally, not_kept);
    Ok(now)
}

/// Tells which of the `wanted` times an item does not have. One that is what the volume had to make of it is counted
/// and said once; the comparison knows it too.
pub(super) fn tell_times(
    now: &Metadata,
    wanted: Times,
    volume: &VolumeFacts,
    tally: &Tally,
    not_kept: &mut Vec<String>,
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
