//! The folders that are copied: one of each of what people have, the same from the same seed.

use std::fs::{self, File, FileTimes, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// Seed of all random content, printed with each failure through the name of its test.
pub const SEED: u64 = 11;

/// A moment, to the nanosecond.
pub fn moment(seconds: i64, nanos: u32) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 { UNIX_EPOCH - whole } else { UNIX_EPOCH + whole };
    time + Duration::from_nanos(u64::from(nanos))
}

pub fn set_time(path: &Path, seconds: i64, nanos: u32) {
    // Both: exfat-fuse is not asked at all when only one of them is given, and the file keeps the time of now.
    let times = FileTimes::new().set_modified(moment(seconds, nanos)).set_accessed(moment(seconds, nanos));
    // Some file systems refuse dates that they cannot store; then the file has another one.
    let _ = File::open(path).unwrap().set_times(times);
}

/// Writes `bytes` random bytes; the same seed gives the same file.
pub fn write(path: &Path, seed: u64, bytes: usize, seconds: i64) {
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let mut content = vec![0; bytes];
    fastrand::Rng::with_seed(SEED ^ seed.wrapping_mul(0x9e37_79b9_7f4a_7c15)).fill(&mut content);
    let _ = fs::remove_file(path);
    fs::write(path, content).unwrap();
    set_time(path, seconds, 123_456_789);
}

/// Where there are no permissions, and where they are refused, nothing is there to be kept.
fn mode(path: &Path, mode: u32) {
    let _ = fs::set_permissions(path, Permissions::from_mode(mode));
}

fn link(target: &str, path: &Path, links: bool) {
    let _ = fs::remove_file(path);
    if links {
        symlink(target, path).unwrap();
    }
}

const DAY: i64 = 86_400;
/// 2020-09-13, in a year that every file system knows.
const THEN: i64 = 1_600_000_000;
const IN_1850: i64 = -3_786_825_600;
const IN_1975: i64 = 157_766_400;
const IN_2100: i64 = 4_102_444_800;

/// The first state of LEFT.
pub fn first(root: &Path, links: bool) {
    let sizes = [0, 1, 100, 4095, 4096, 20_000, 300_000];
    for (at, &bytes) in sizes.iter().enumerate() {
        write(&root.join(format!("docs/{bytes}.bin")), at as u64, bytes, THEN + at as i64);
    }
    // Above what is copied in one piece by default (1 MiB).
    write(&root.join("large.bin"), 20, (1 << 20) + 1, THEN);
    write(&root.join("a/large too.bin"), 21, 2_500_000, THEN + DAY);
    for (at, name) in ["ünïcode ☃.txt", "with space", "-dash", ".hidden", "%41+~"].into_iter().enumerate()
    {
        write(&root.join("names").join(name), 30 + at as u64, 50, THEN + 3 * DAY);
    }
    for (name, seconds) in [("1850", IN_1850), ("1970", 1), ("1975", IN_1975), ("2100", IN_2100)] {
        write(&root.join("dates").join(name), 40, 10, seconds);
    }
    write(&root.join("a/b/c/d/deep"), 50, 77, THEN);
    write(&root.join("modes/read-only"), 51, 60, THEN);
    write(&root.join("modes/private"), 52, 60, THEN);
    write(&root.join("modes/program"), 53, 60, THEN);
    write(&root.join("kinds/file"), 54, 60, THEN);
    write(&root.join("kinds/folder/one"), 55, 60, THEN);
    write(&root.join("kinds/folder/two/three"), 56, 60, THEN);
    write(&root.join("kinds/another file"), 57, 60, THEN);
    fs::create_dir_all(root.join("kinds/empty folder")).unwrap();
    fs::create_dir_all(root.join("empty")).unwrap();
    link("docs/100.bin", &root.join("link"), links);
    link("nowhere/at/all", &root.join("a/dangling"), links);
    link("a/b", &root.join("to folder"), links);
    link("folder", &root.join("kinds/link"), links);
    // Not every file system has them; then nothing is there to be kept.
    let _ = xattr::set(root.join("docs/100.bin"), "user.note", b"of mine");
    for (path, bits) in [("modes/read-only", 0o444), ("modes/private", 0o600), ("modes/program", 0o755)] {
        mode(&root.join(path), bits);
    }
    mode(&root.join("a/b/c"), 0o750);
    // Root's alone to do.
    let _ = std::os::unix::fs::lchown(root.join("modes/program"), Some(1234), Some(1234));
    settle(root);
}

/// What people do to their folders in a day: changed, grown, emptied, replaced, new, pointed elsewhere.
pub fn second(root: &Path, links: bool) {
    write(&root.join("docs/100.bin"), 60, 100, THEN + 9 * DAY);
    write(&root.join("docs/4096.bin"), 61, 9000, THEN + 9 * DAY);
    write(&root.join("docs/20000.bin"), 62, 0, THEN + 9 * DAY);
    write(&root.join("docs/0.bin"), 63, 2_000_000, THEN + 9 * DAY);
    write(&root.join("large.bin"), 64, (1 << 20) + 1, THEN + 9 * DAY);
    write(&root.join("a/b/c/d/deep"), 65, 78, THEN + 9 * DAY);
    write(&root.join("modes/read-only"), 66, 61, THEN + 9 * DAY);
    mode(&root.join("modes/read-only"), 0o444);
    write(&root.join("new/folder/with a file"), 67, 500, THEN + 9 * DAY);
    fs::create_dir_all(root.join("new/empty")).unwrap();
    link("docs/4096.bin", &root.join("link"), links);
    // The same content at another time.
    set_time(&root.join("docs/1.bin"), THEN + 9 * DAY, 0);
    settle(root);
}

/// What LEFT has no more: files and folders of the second state.
pub fn third(root: &Path) {
    for gone in ["docs/300000.bin", "names/-dash", "a/large too.bin"] {
        fs::remove_file(root.join(gone)).unwrap();
    }
    fs::remove_dir_all(root.join("new")).unwrap();
    fs::remove_dir(root.join("empty")).unwrap();
    write(&root.join("docs/4095.bin"), 70, 4095, THEN + 10 * DAY);
    settle(root);
}

/// Items that are of another kind now.
pub fn fourth(root: &Path, links: bool) {
    fs::remove_file(root.join("kinds/file")).unwrap();
    write(&root.join("kinds/file/is a folder now"), 80, 60, THEN + 11 * DAY);
    fs::remove_dir_all(root.join("kinds/folder")).unwrap();
    write(&root.join("kinds/folder"), 81, 60, THEN + 11 * DAY);
    fs::remove_dir(root.join("kinds/empty folder")).unwrap();
    write(&root.join("kinds/empty folder"), 82, 60, THEN + 11 * DAY);
    if links {
        link("folder", &root.join("kinds/another file"), links);
        fs::remove_file(root.join("kinds/link")).unwrap();
        write(&root.join("kinds/link/was a link"), 83, 60, THEN + 11 * DAY);
    }
    settle(root);
}

/// Many small files, half of which RIGHT has in an older version.
pub fn many(left: &Path, right: &Path, files: u64) {
    for at in 0..files {
        let path = format!("{:02}/{at:04}", at / 25);
        write(&left.join(&path), 1000 + at, 64, THEN + DAY);
        if at % 2 == 0 {
            write(&right.join(&path), 2000 + at, 48, THEN);
        }
    }
    settle(left);
}

/// Gives all folders a time of long ago: what was done to a folder a moment ago is nothing to be compared.
fn settle(root: &Path) {
    fn below(folder: &Path) {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            if entry.file_type().unwrap().is_dir() {
                below(&entry.path());
            }
        }
        set_time(folder, THEN, 500_000_000);
    }
    below(root);
}
