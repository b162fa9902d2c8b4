//! Trees to test with: one of everything that has ever broken a copy program, and random ones grown from a seed.
//!
//! Invariant: deterministic. Building the same tree twice gives equal listings, times and modes included, whatever
//! the umask. It must not know what the engine does with any of it.

use std::ffi::{OsStr, OsString};
use std::fs::{self, File, FileTimes, Permissions};
use std::io;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::os::unix::fs::{FileExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::fs::{AtFlags, CWD, FileType, Mode, OFlags, Timespec, Timestamps};

/// What [`hostile_tree`] made.
#[derive(Clone, Debug, Default)]
#[must_use = "a test that needs one of the entries has to look into `left_out`"]
pub struct Hostile {
    /// How many entries were made.
    pub entries: usize,
    /// What this file system refused, each with its reason; empty on ext4, XFS, Btrfs and tmpfs.
    pub left_out: Vec<String>,
}

/// Names that are legal on Linux and have each been mistaken for something else by some program.
pub fn hostile_names() -> Vec<OsString> {
    let text = [
        "new\nline",
        "\nfirst",
        "carriage\rreturn",
        "escape\u{1b}[31mred\u{1b}[0m\u{7}",
        "tab\there",
        "control\u{1}\u{7f}",
        "-rf",
        "--delete",
        " both ends ",
        " ",
        "...",
        ".hidden",
        "trailing dot.",
        "trailing space ",
        "back\\slash",
        "..\\up",
        "quo\"te",
        "apos'trophe",
        "glob*?[a-z]{b,c}!",
        "$HOME",
        "$(id)",
        "`id`",
        "%PATH%",
        "~",
        "#hash",
        "a:b",
        "C:",
        "CON",
        "nul.txt",
        "semi;colon|pipe&<>",
        "=formula",
        "rtl\u{202e}txt.exe",
        "zero\u{200b}width",
        "\u{feff}bom",
        "emoji 👩‍👩‍👧 🎉",
        // One name to a reader, two to the file system: composed and decomposed.
        "caf\u{e9}",
        "cafe\u{301}",
        "Case",
        "case",
        // Upper and lower case of these are not of one length, or not one letter.
        "stra\u{df}e",
        "STRASSE",
        "\u{130}stanbul",
        "line\u{2028}separator",
        "file.part",
        "file.orig",
    ];
    let mut names: Vec<OsString> = text.iter().map(OsString::from).collect();
    names.push(OsString::from("n".repeat(255)));
    names.push(OsString::from("é".repeat(127) + "x"));
    for raw in [&b"bad\xff\xfeutf8"[..], b"\x80", b"half\xc3", b"surrogate\xed\xa0\x80"] {
        names.push(OsString::from_vec(raw.to_vec()));
    }
    names
}

/// Fills the empty folder `dir` with one of everything that is hard to copy.
///
/// Top-level folders and what they hold: `names` hostile names as files and folders, `sizes` files around powers of
/// two, `modes` odd permissions, `times` before 1970, beyond 2038 and 2200 and with single nanoseconds, `links`
/// symbolic links of all sorts and a pair of hard links, `special` a named pipe, `sparse` files with holes, `xattrs`
/// extended attributes, `deep` 40 levels, `empty` nothing. Some 12 MiB with the holes, 5 MiB on the device.
///
/// # Errors
///
/// When an entry can't be made that every Unix file system can hold; what only some can is in [`Hostile::left_out`].
pub fn hostile_tree(dir: &Path) -> io::Result<Hostile> {
    let mut builder = Builder { made: Hostile::default(), clock: 1_500_000_000, folders: Vec::new() };
    builder.names(&dir.join("names"))?;
    builder.sizes(&dir.join("sizes"))?;
    builder.modes(&dir.join("modes"))?;
    builder.times(&dir.join("times"))?;
    builder.links(&dir.join("links"))?;
    builder.special(&dir.join("special"))?;
    builder.sparse(&dir.join("sparse"))?;
    builder.xattrs(&dir.join("xattrs"))?;
    builder.deep(&dir.join("deep"))?;
    builder.folder(&dir.join("empty"))?;
    builder.finish_folders()?;
    Ok(builder.made)
}

struct Builder {
    made: Hostile,
    /// Seconds given to the next entry, so that no two are alike.
    clock: i64,
    /// Folders with their modes and times, in the order they were made: both are set last, because filling a folder
    /// changes its time and may need permissions that its mode lacks.
    folders: Vec<(PathBuf, u32, (i64, u32))>,
}

impl Builder {
    fn tick(&mut self) -> (i64, u32) {
        self.clock += 1;
        self.made.entries += 1;
        // Digits that show at which of them a copy cut the fraction off.
        (self.clock, 123_456_789)
    }

    fn folder(&mut self, path: &Path) -> io::Result<()> {
        self.folder_with(path, 0o755)
    }

    fn folder_with(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        fs::create_dir(path)?;
        let time = self.tick();
        self.folders.push((path.to_owned(), mode, time));
        Ok(())
    }

    fn file(&mut self, path: &Path, content: &[u8]) -> io::Result<()> {
        let time = self.tick();
        make_file(path, content, 0o644, time)
    }

    fn link(&mut self, target: impl AsRef<Path>, path: &Path) -> io::Result<()> {
        symlink(target, path)?;
        let time = self.tick();
        set_time_nofollow(path, time)
    }

    fn finish_folders(&mut self) -> io::Result<()> {
        for (path, mode, time) in self.folders.drain(..).rev() {
            fs::set_permissions(&path, Permissions::from_mode(mode))?;
            set_time_nofollow(&path, time)?;
        }
        Ok(())
    }

    fn leave_out(&mut self, what: &str, error: &io::Error) {
        self.made.left_out.push(format!("{what}: {error}"));
    }

    fn names(&mut self, dir: &Path) -> io::Result<()> {
        self.folder(dir)?;
        for (index, name) in hostile_names().into_iter().enumerate() {
            let path = dir.join(&name);
            // On file systems that fold case or demand UTF-8 some names clash or are refused.
            let made = if path.symlink_metadata().is_ok() {
                Err(io::Error::other("another name here is taken for the same"))
            } else if index % 4 == 3 {
                self.folder(&path).and_then(|()| self.file(&path.join(&name), name.as_bytes()))
            } else {
                self.file(&path, name.as_bytes())
            };
            if let Err(error) = made {
                self.leave_out(&format!("name {name:?}"), &error);
            }
        }
        Ok(())
    }

    fn sizes(&mut self, dir: &Path) -> io::Result<()> {
        self.folder(dir)?;
        let around = |n: usize| [n - 1, n, n + 1];
        let sizes =
            [vec![0, 1], [512, 4096, 64 << 10, 1 << 20].into_iter().flat_map(around).collect()].concat();
        for size in sizes {
            let mut content = vec![0; size];
            fastrand::Rng::with_seed(size as u64).fill(&mut content);
            self.file(&dir.join(size.to_string()), &content)?;
        }
        Ok(())
    }

    fn modes(&mut self, dir: &Path) -> io::Result<()> {
        self.folder(dir)?;
        for mode in [0o400, 0o444, 0o600, 0o640, 0o755, 0o777, 0o4755, 0o2755, 0o1644] {
            let time = self.tick();
            make_file(&dir.join(format!("file-{mode:04o}")), b"mode", mode, time)?;
        }
        for mode in [0o1777, 0o2775, 0o700, 0o555] {
            let folder = dir.join(format!("folder-{mode:04o}"));
            self.folder_with(&folder, mode)?;
            self.file(&folder.join("inside"), b"inside")?;
        }
        Ok(())
    }

    fn times(&mut self, dir: &Path) -> io::Result<()> {
        self.folder(dir)?;
        let year_2200 = 7_258_118_400;
        let times = [
            ("epoch", (0, 0)),
            ("one-ns-after-epoch", (0, 1)),
            ("one-ns-before-epoch", (-1, 999_999_999)),
            ("year-1910", (-1_893_456_000, 500_000_000)),
            ("last-second-of-32-bits", (i64::from(i32::MAX), 999_999_999)),
            ("first-second-beyond-32-bits", (i64::from(i32::MAX) + 1, 1)),
            ("year-2200", (year_2200, 123_456_789)),
        ];
        for (name, time) in times {
            self.made.entries += 1;
            make_file(&dir.join(name), name.as_bytes(), 0o644, time)?;
        }
        let folder = dir.join("folder-of-1969");
        fs::create_dir(&folder)?;
        self.made.entries += 1;
        self.folders.push((folder, 0o755, (-86_400, 7)));
        Ok(())
    }

    fn links(&mut self, dir: &Path) -> io::Result<()> {
        self.folder(dir)?;
        self.file(&dir.join("file"), b"linked to")?;
        self.folder(&dir.join("folder"))?;
        self.file(&dir.join("folder/inside"), b"inside")?;
        let raw = OsStr::from_bytes(b"no\xffwhere\n");
        for (name, target) in [
            ("relative", OsStr::new("file")),
            ("to-folder", OsStr::new("folder")),
            ("up-and-down", OsStr::new("../links/./folder//inside")),
            ("absolute", OsStr::new("/etc/hostname")),
            ("dangling", OsStr::new("does/not/exist")),
            ("raw-bytes", raw),
            ("to-itself", OsStr::new("to-itself")),
            ("loop-a", OsStr::new("loop-b")),
            ("loop-b", OsStr::new("loop-a")),
            ("to-parent", OsStr::new("..")),
            // XFS ends at 1024 bytes.
            ("long", OsStr::new(&"t/".repeat(500))),
        ] {
            self.link(target, &dir.join(name))?;
        }
        self.file(&dir.join("hard-1"), b"one file, two names")?;
        self.made.entries += 1;
        if let Err(error) = fs::hard_link(dir.join("hard-1"), dir.join("hard-2")) {
            self.leave_out("hard link", &error);
        }
        Ok(())
    }

    fn special(&mut self, dir: &Path) -> io::Result<()> {
        self.folder(dir)?;
        let fifo = dir.join("fifo");
        match rustix::fs::mknodat(CWD, &fifo, FileType::Fifo, Mode::from_raw_mode(0o644), 0) {
            Ok(()) => {
                fs::set_permissions(&fifo, Permissions::from_mode(0o644))?;
                let time = self.tick();
                set_time_nofollow(&fifo, time)?;
            }
            Err(error) => self.leave_out("named pipe", &error.into()),
        }
        Ok(())
    }

    fn sparse(&mut self, dir: &Path) -> io::Result<()> {
        self.folder(dir)?;
        for (name, data_at) in
            [("hole-only", None), ("data-in-the-middle", Some(2 << 20)), ("data-first", Some(0))]
        {
            let path = dir.join(name);
            self.file(&path, b"")?;
            let file = File::options().write(true).open(&path)?;
            file.set_len((3 << 20) + 1)?;
            if let Some(offset) = data_at {
                file.write_all_at(b"not a hole", offset)?;
            }
            set_time_nofollow(&path, (self.clock, 5))?;
        }
        Ok(())
    }

    fn xattrs(&mut self, dir: &Path) -> io::Result<()> {
        self.folder(dir)?;
        let (file, folder) = (dir.join("file"), dir.join("folder"));
        self.file(&file, b"with attributes")?;
        self.folder(&folder)?;
        let long = vec![0xa5; 2000];
        let (name, last) = (OsStr::from_bytes(b"user.na\xffme"), self.clock - 1);
        for (path, name, value) in [
            (&file, OsStr::new("user.empty"), &b""[..]),
            (&file, OsStr::new("user.text"), b"value"),
            (&file, OsStr::new("user.binary"), b"\0\xff\n"),
            (&file, OsStr::new("user.long"), &long),
            (&file, name, b"name that is not UTF-8"),
            (&folder, OsStr::new("user.text"), b"of a folder"),
        ] {
            if let Err(error) = xattr::set(path, name, value) {
                self.leave_out(&format!("attribute {name:?}"), &error);
            }
        }
        set_time_nofollow(&file, (last, 9))
    }

    fn deep(&mut self, dir: &Path) -> io::Result<()> {
        let mut path = dir.to_owned();
        self.folder(&path)?;
        for level in 1..=40 {
            path.push(format!("level {level}"));
            self.folder(&path)?;
        }
        self.file(&path.join("bottom"), b"the bottom")
    }
}

/// Nests folders below `dir` until the path below it has more than `path_bytes` bytes, and puts the file `bottom` into
/// the last one. Returns the path below `dir` of that file.
///
/// Works beyond the 4096 bytes that system calls accept, because it goes down by handles.
pub fn deep_tree(dir: &Path, path_bytes: usize) -> io::Result<PathBuf> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut folder = rustix::fs::open(dir, flags, Mode::empty())?;
    let mut below = PathBuf::new();
    while below.as_os_str().len() <= path_bytes {
        let name = format!("{:0100}", below.components().count());
        rustix::fs::mkdirat(&folder, &name, Mode::from_raw_mode(0o755))?;
        folder = rustix::fs::openat(&folder, &name, flags, Mode::empty())?;
        below.push(name);
    }
    let create = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::CLOEXEC;
    let file = rustix::fs::openat(&folder, "bottom", create, Mode::from_raw_mode(0o644))?;
    File::from(file).write_all_at(b"the bottom", 0)?;
    Ok(below.join("bottom"))
}

/// How large and how strange a random tree is to be.
#[derive(Clone, Debug)]
pub struct TreeSpec {
    /// Number of files.
    pub files: usize,
    /// Number of folders.
    pub folders: usize,
    /// Number of symbolic links, most of them dangling.
    pub links: usize,
    /// Folders are at most this many levels below the root.
    pub max_depth: usize,
    /// Largest file in bytes. Small files are far more frequent than large ones.
    pub max_file_bytes: usize,
    /// Whether some names are hard to print, as in [`hostile_names`].
    pub hostile_names: bool,
    /// Whether some files carry extended attributes.
    pub xattrs: bool,
}

impl Default for TreeSpec {
    fn default() -> Self {
        Self {
            files: 200,
            folders: 30,
            links: 10,
            max_depth: 6,
            max_file_bytes: 64 << 10,
            hostile_names: true,
            xattrs: true,
        }
    }
}

/// What [`random_tree`] made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TreeTotals {
    /// Number of files.
    pub files: usize,
    /// Number of folders.
    pub folders: usize,
    /// Number of symbolic links.
    pub links: usize,
    /// Bytes of all files together.
    pub bytes: u64,
}

/// Grows a tree in the empty folder `dir`. The same seed and spec give the same tree; the seed is printed, so that a
/// failing test shows it.
pub fn random_tree(dir: &Path, seed: u64, spec: &TreeSpec) -> io::Result<TreeTotals> {
    println!("random tree: seed {seed}, {spec:?}");
    let mut rng = fastrand::Rng::with_seed(seed);
    let odd = if spec.hostile_names { short_hostile_names() } else { Vec::new() };
    let mut totals = TreeTotals::default();
    let mut folders = vec![(dir.to_owned(), 0)];
    let mut times = Vec::new();

    for index in 0..spec.folders {
        let shallow: Vec<usize> =
            (0..folders.len()).filter(|&i| folders[i].1 < spec.max_depth.max(1)).collect();
        let (parent, depth) = &folders[shallow[rng.usize(..shallow.len())]];
        let (path, depth) = (parent.join(random_name(&mut rng, &odd, index)), depth + 1);
        fs::create_dir(&path)?;
        let mode = if rng.u8(..8) == 0 { 0o700 } else { 0o755 };
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        times.push((path.clone(), random_time(&mut rng)));
        folders.push((path, depth));
        totals.folders += 1;
    }
    let mut content = Vec::new();
    for index in 0..spec.files {
        let folder = &folders[rng.usize(..folders.len())].0;
        let path = folder.join(random_name(&mut rng, &odd, spec.folders + index));
        // Uniform in the number of digits, with some empty ones.
        let digits = rng.f64() * (spec.max_file_bytes as f64 + 1.0).ln();
        let size = if rng.u8(..16) == 0 { 0 } else { (digits.exp() as usize).min(spec.max_file_bytes) };
        content.resize(size, 0);
        rng.fill(&mut content);
        let mode = [0o644, 0o644, 0o644, 0o600, 0o755, 0o444][rng.usize(..6)];
        make_file(&path, &content, 0o600, random_time(&mut rng))?;
        if spec.xattrs && rng.u8(..10) == 0 {
            xattr::set(&path, "user.random", &rng.u64(..).to_le_bytes())?;
        }
        // Last: whoever is not root can't set an attribute of a read-only file.
        fs::set_permissions(&path, Permissions::from_mode(mode))?;
        totals.files += 1;
        totals.bytes += size as u64;
    }
    for index in 0..spec.links {
        let folder = &folders[rng.usize(..folders.len())].0;
        let path = folder.join(format!("link {index}"));
        symlink(random_name(&mut rng, &odd, index), &path)?;
        set_time_nofollow(&path, random_time(&mut rng))?;
        totals.links += 1;
    }
    for (path, time) in times.into_iter().rev() {
        set_time_nofollow(&path, time)?;
    }
    Ok(totals)
}

fn short_hostile_names() -> Vec<OsString> {
    hostile_names().into_iter().filter(|name| name.len() <= 64).collect()
}

/// Unique through the number at its end, for every mixture of names in one folder.
fn random_name(rng: &mut fastrand::Rng, odd: &[OsString], index: usize) -> OsString {
    let mut name = if !odd.is_empty() && rng.u8(..4) == 0 {
        odd[rng.usize(..odd.len())].clone()
    } else {
        (0..rng.usize(1..12)).map(|_| rng.lowercase()).collect::<String>().into()
    };
    name.push(format!("-{index}"));
    name
}

/// From 1950 to 2100, any nanosecond.
fn random_time(rng: &mut fastrand::Rng) -> (i64, u32) {
    (rng.i64(-631_152_000..4_102_444_800), rng.u32(..1_000_000_000))
}

fn make_file(path: &Path, content: &[u8], mode: u32, time: (i64, u32)) -> io::Result<()> {
    let file = File::create_new(path)?;
    file.write_all_at(content, 0)?;
    // After the content: writing takes the set-user-ID bit away.
    file.set_permissions(Permissions::from_mode(mode))?;
    file.set_times(FileTimes::new().set_modified(system_time(time)))
}

fn system_time((seconds, nanos): (i64, u32)) -> SystemTime {
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let base = if seconds < 0 { UNIX_EPOCH - whole } else { UNIX_EPOCH + whole };
    base + Duration::from_nanos(u64::from(nanos))
}

/// Sets the time of modification (seconds since 1970 and nanoseconds) of the entry itself, also when that is a link or
/// a pipe, which must not be opened.
pub fn set_time_nofollow(path: &Path, (seconds, nanos): (i64, u32)) -> io::Result<()> {
    let time = Timespec { tv_sec: seconds, tv_nsec: i64::from(nanos) };
    let times = Timestamps { last_access: time, last_modification: time };
    Ok(rustix::fs::utimensat(CWD, path, &times, AtFlags::SYMLINK_NOFOLLOW)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::listing::{Kind, Options, diff, listing};
    use crate::{FsKind, for_each_image, test_name};

    fn whole(dir: &Path) -> crate::Listing {
        listing(dir, &Options::default()).unwrap()
    }

    fn pair() -> (tempfile::TempDir, PathBuf, PathBuf) {
        let dir = tempfile::tempdir().unwrap();
        let [a, b] = ["a", "b"].map(|name| dir.path().join(name));
        fs::create_dir(&a).unwrap();
        fs::create_dir(&b).unwrap();
        (dir, a, b)
    }

    #[test]
    fn the_hostile_tree_is_the_same_each_time() {
        let (_dir, a, b) = pair();
        let made = hostile_tree(&a).unwrap();
        let again = hostile_tree(&b).unwrap();
        let listed = whole(&a);
        assert_eq!(diff(&listed, &whole(&b)), [""; 0]);
        assert_eq!((made.entries, &made.left_out), (again.entries, &again.left_out));
        assert_eq!(listed.len(), made.entries);
    }

    #[test]
    fn the_hostile_tree_fits_each_file_system_in_full() {
        for_each_image(test_name!(), &FsKind::ALL, 64 << 20, |image| {
            let made = hostile_tree(image.mount_point()).unwrap();
            assert_eq!(made.left_out, [""; 0], "{}", image.kind());
            let listed = whole(image.mount_point());
            assert_eq!(listed[Path::new("times/year-2200")].mtime, Some((7_258_118_400, 123_456_789)));
            assert_eq!(listed[Path::new("times/one-ns-before-epoch")].mtime, Some((-1, 999_999_999)));
            assert_eq!(listed[Path::new("times/folder-of-1969")].mtime, Some((-86_400, 7)));
            assert_eq!(listed[Path::new("modes/file-4755")].mode, 0o4755);
            assert_eq!(listed[Path::new("modes/folder-1777")].mode, 0o1777);
            assert_eq!(listed[Path::new("special/fifo")].kind, Kind::Fifo);
            assert_eq!(listed[Path::new("links/dangling")].target.as_deref(), Some(&b"does/not/exist"[..]));
            assert_eq!(listed[Path::new("xattrs/file")].xattrs.len(), 5);
        });
    }

    #[test]
    fn a_seed_gives_one_tree_and_another_seed_another() {
        let (dir, a, b) = pair();
        let spec = TreeSpec { files: 60, folders: 12, ..TreeSpec::default() };
        let totals = random_tree(&a, 42, &spec).unwrap();
        assert_eq!(random_tree(&b, 42, &spec).unwrap(), totals);
        assert_eq!(diff(&whole(&a), &whole(&b)), [""; 0]);
        assert_eq!((totals.files, totals.folders, totals.links), (60, 12, 10));
        assert_eq!(whole(&a).len(), 60 + 12 + 10);

        let c = dir.path().join("c");
        fs::create_dir(&c).unwrap();
        random_tree(&c, 43, &spec).unwrap();
        assert_ne!(diff(&whole(&a), &whole(&c)), [""; 0]);
    }

    #[test]
    fn a_tree_deeper_than_any_path_can_be_listed() {
        let dir = tempfile::tempdir().unwrap();
        let bottom = deep_tree(dir.path(), 5000).unwrap();
        assert!(bottom.as_os_str().len() > 5000);
        assert!(dir.path().join(&bottom).symlink_metadata().is_err(), "no single path reaches it");
        assert_eq!(whole(dir.path())[&bottom].size, 10);
    }
}
