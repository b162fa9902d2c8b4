//! Where a contest is held: a file system in memory of its own, or a folder on a real disk.
//!
//! Invariant: it is gone afterwards, whatever happened, unless it was asked to stay.

use std::path::{Path, PathBuf};

use fcs_testkit::{FsKind, Image, ImageOptions};

use super::Args;

/// A place with room.
pub(super) struct Arena {
    place: Option<Place>,
    keep: bool,
}

enum Place {
    Image(Image),
    Folder(tempfile::TempDir),
}

impl Arena {
    /// With room for `bytes` of content in `files` files, all trees counted.
    pub(super) fn new(bytes: u64, files: u64, args: &Args) -> Result<Self, String> {
        let keep = args.keep;
        if let Some(dir) = &args.real {
            let folder = tempfile::Builder::new().prefix("fcs-bench-").tempdir_in(dir);
            let folder = folder.map_err(|error| format!("Could not make a folder: {error}"))?;
            return Ok(Self { place: Some(Place::Folder(folder)), keep });
        }
        let inodes = (files * 3 / 2 + 10_000).to_string();
        // Each inode takes 256 bytes; folders, journal and what fcs keeps take the rest.
        let size = bytes * 5 / 4 + files * 600 + (1 << 30);
        let options = ImageOptions { format_args: &["-N", &inodes], mount_options: "", allocated: true };
        let image = Image::with_options(FsKind::Ext4, size, options).map_err(|skip| skip.reason)?;
        let backing = image.backing_file().map(Path::display);
        if !image.mount_point().starts_with("/dev/shm") {
            println!("note: the memory file system is too small, so this runs on {backing:?}");
        }
        Ok(Self { place: Some(Place::Image(image)), keep })
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        match &self.place {
            Some(Place::Image(image)) => image.mount_point().join(name),
            Some(Place::Folder(folder)) => folder.path().join(name),
            None => PathBuf::new(),
        }
    }
}

impl Drop for Arena {
    fn drop(&mut self) {
        if !self.keep {
            return;
        }
        match self.place.take() {
            Some(Place::Image(image)) => {
                let (at, device) = (image.mount_point().display(), image.loop_device().map(Path::display));
                println!("kept: {at} on {device:?}; end it with umount and losetup --detach");
                std::mem::forget(image);
            }
            Some(Place::Folder(folder)) => println!("kept: {}", folder.keep().display()),
            None => {}
        }
    }
}
