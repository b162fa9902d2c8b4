//! Owners and extended attributes.

use fcs_sys::{Access, Handle, Owner};

use super::{Bench, Checked, Context, ensure, name, pattern, rules, same, unsupported};

rules![owners_are_kept_or_unsupported, extended_attributes_are_kept_or_unsupported,];

fn owners_are_kept_or_unsupported(b: &Bench) -> Checked {
    let file = b.file("file", b"x")?;
    let owner = file.metadata().context("metadata")?.owner;
    if b.lacks.owner {
        same!(owner, None, "an owner where owners are lacking");
        return unsupported(file.set_owner(Owner { user: 0, group: 0 }), "set_owner");
    }
    let owner = owner.ok_or("no owner")?;
    file.set_owner(owner).context("set_owner to the one it has")?;
    file.set_owner(Owner { user: u32::MAX, group: u32::MAX }).context("set_owner to none in particular")?;
    same!(file.metadata().context("metadata")?.owner, Some(owner), "the owner");
    Ok(())
}

fn extended_attributes_are_kept_or_unsupported(b: &Bench) -> Checked {
    let file = b.file("file", b"x")?;
    let ours = |file: &dyn Handle| -> Result<Vec<Vec<u8>>, String> {
        let mut names = file.xattrs().context("xattrs")?;
        names.retain(|n| n.starts_with(b"user.fcs"));
        names.sort();
        Ok(names)
    };
    same!(ours(&*file)?, Vec::<Vec<u8>>::new(), "attributes of a new file");
    ensure!(file.xattr(b"user.fcs-none").is_err(), "an attribute that was never set has a value");
    if b.lacks.xattrs {
        unsupported(file.set_xattr(b"user.fcs", b"x"), "set_xattr")?;
        ensure!(file.remove_xattr(b"user.fcs").is_err(), "an attribute was removed where there are none");
        return Ok(());
    }
    let long = pattern(1000);
    for (attribute, value) in
        [(&b"user.fcs-a"[..], &b"1"[..]), (b"user.fcs-empty", b""), (b"user.fcs-long", &long)]
    {
        file.set_xattr(attribute, value).context("set_xattr")?;
        same!(file.xattr(attribute).context("xattr")?, value, "the value of {}", fcs_sys::escaped(attribute));
    }
    file.set_xattr(b"user.fcs-a", b"22").context("set_xattr over an old value")?;
    same!(file.xattr(b"user.fcs-a").context("xattr")?, b"22", "the new value");
    file.remove_xattr(b"user.fcs-empty").context("remove_xattr")?;
    ensure!(file.xattr(b"user.fcs-empty").is_err(), "a removed attribute has a value");
    drop(file);
    let file = b.dir.open_file(&name("file")?, Access::Read).context("open_file")?;
    same!(ours(&*file)?, [&b"user.fcs-a"[..], b"user.fcs-long"], "the attributes through another handle");
    let folder = b.folder("folder")?;
    folder.set_xattr(b"user.fcs", b"x").context("set_xattr of a folder")?;
    same!(ours(&*folder)?, [b"user.fcs"], "the attributes of a folder");
    Ok(())
}
