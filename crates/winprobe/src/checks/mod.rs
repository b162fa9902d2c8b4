//! What this Windows really does where the backend relies on what is documented.
//!
//! The backend is tested in Wine for the most part, which differs from Windows in just these things, so a person with
//! a real Windows runs this once (`cargo run -p fcs-winprobe`) and compares. Each check makes what it
//! needs in a folder of its own and asks one thing, through the calls the backend itself makes.
//!
//! Invariant: a check tells what it saw, and whether the backend relies on exactly that. It never judges by what kind
//! of system this is. It must not know what a copy or a run is.

mod access;
mod copies;
mod metadata;
mod names;

use std::fs;
use std::io;
use std::os::windows::fs::OpenOptionsExt;
use std::os::windows::io::{AsHandle, BorrowedHandle, OwnedHandle};
use std::path::{Path, PathBuf};

use windows_sys::Wdk::Storage::FileSystem as class;
use windows_sys::Win32::Storage::FileSystem as w;

use fcs_sys::native::nt::{self, Open, Status};
use fcs_sys::native::path;

/// Places that only some machines have.
#[derive(Debug, Clone, Default)]
pub(crate) struct Places {
    /// An existing folder on the volume to ask, best a local NTFS one.
    pub(crate) folder: PathBuf,
    /// The root of another volume, small enough to be filled.
    pub(crate) small: Option<PathBuf>,
    /// The root of a mapped network drive.
    pub(crate) network: Option<PathBuf>,
}

/// What one check is about.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Check {
    /// A few words.
    pub(crate) name: &'static str,
    /// What the backend takes for granted.
    pub(crate) relies_on: &'static str,
    /// Where that is written: below <https://learn.microsoft.com/>.
    pub(crate) source: &'static str,
    ask: fn(&Bench) -> io::Result<Answer>,
}

/// What came of a check.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// As the backend relies on; with what was seen.
    AsReliedOn(String),
    /// Otherwise.
    Different(String),
    /// This machine lacks what the check needs.
    NotTried(String),
}

impl Answer {
    fn new(as_relied_on: bool, seen: impl Into<String>) -> Self {
        if as_relied_on { Self::AsReliedOn(seen.into()) } else { Self::Different(seen.into()) }
    }
}

/// All checks, in the order in which [`run`] makes them.
pub(crate) fn checks() -> impl Iterator<Item = &'static Check> {
    [copies::CHECKS, names::CHECKS, metadata::CHECKS, access::CHECKS].into_iter().flatten()
}

/// Makes every check below `places.folder`, and hands each to `report`.
///
/// Fails only when the folders for the checks cannot be made; they are removed again.
pub(crate) fn run(places: &Places, report: &mut dyn FnMut(&Check, &Answer)) -> io::Result<()> {
    let top = places.folder.join(format!("fcs-winprobe-{}", std::process::id()));
    fs::create_dir(&top)?;
    for (number, check) in checks().enumerate() {
        let answer = Bench::new(places, &top.join(number.to_string())).and_then(|bench| (check.ask)(&bench));
        report(
            check,
            &answer.unwrap_or_else(|error| Answer::Different(format!("stopped: {}", code(&error)))),
        );
    }
    fs::remove_dir_all(&top)
}

/// A folder for one check.
struct Bench<'a> {
    places: &'a Places,
    folder: PathBuf,
    open: OwnedHandle,
}

impl<'a> Bench<'a> {
    fn new(places: &'a Places, folder: &Path) -> io::Result<Self> {
        fs::create_dir(folder)?;
        let open = path::open(folder, w::FILE_LIST_DIRECTORY | w::FILE_READ_ATTRIBUTES | w::SYNCHRONIZE)?;
        Ok(Self { places, folder: folder.to_owned(), open })
    }

    fn dir(&self) -> BorrowedHandle<'_> {
        self.open.as_handle()
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// A file with this content, closed.
    fn file(&self, name: &str, content: impl AsRef<[u8]>) -> io::Result<PathBuf> {
        let path = self.path(name);
        fs::write(&path, content)?;
        Ok(path)
    }

    /// Opens an item as the backend does to rename, remove or ask it.
    fn open(&self, name: &str, access: u32) -> Result<OwnedHandle, Status> {
        nt::open_at(self.dir(), &wide(name), Open::existing(access))
    }

    /// Makes a file as the backend does, open.
    fn make(&self, name: &str, access: u32) -> Result<OwnedHandle, Status> {
        let how = Open::new(access, w::FILE_ATTRIBUTE_NORMAL).with(class::FILE_NON_DIRECTORY_FILE);
        nt::open_at(self.dir(), &wide(name), how)
    }

    fn names(&self) -> io::Result<Vec<String>> {
        let entries = fs::read_dir(&self.folder)?;
        let mut names: Vec<String> = entries
            .map(|entry| Ok(entry?.file_name().to_string_lossy().into_owned()))
            .collect::<io::Result<_>>()?;
        names.sort();
        Ok(names)
    }

    fn content(&self, name: &str) -> String {
        match fs::read(self.path(name)) {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(error) => code(&error),
        }
    }
}

fn wide(name: &str) -> Vec<u16> {
    name.encode_utf16().collect()
}

/// An error by its number, which is what the documentation speaks of.
fn code(error: &io::Error) -> String {
    error.raw_os_error().map_or_else(|| format!("error ({error})"), |code| format!("error {code}"))
}

/// "ok" or the error.
fn outcome<T, E: Into<io::Error>>(result: Result<T, E>) -> String {
    result.map_or_else(|error| code(&error.into()), |_| "ok".to_owned())
}

/// The code of a refusal; 0 when it was none.
fn refusal<T, E: Into<io::Error>>(result: Result<T, E>) -> i32 {
    result.err().map_or(0, |error| error.into().raw_os_error().unwrap_or(-1))
}

/// What [`refusal`] found.
fn said(refusal: i32) -> String {
    if refusal == 0 { "ok".to_owned() } else { format!("error {refusal}") }
}

/// Opens an existing file for reading in a given share mode, as other programs do.
fn open_sharing(path: &Path, share: u32) -> io::Result<fs::File> {
    fs::OpenOptions::new().read(true).share_mode(share).open(path)
}

/// A file system's own words about the volume: its flags and its name.
fn file_system(handle: BorrowedHandle<'_>) -> io::Result<(u32, String)> {
    let mut answer = [0_u64; 80];
    nt::query_volume(handle, class::FileFsAttributeInformation, &mut answer)?;
    let name: Vec<u8> = answer.iter().flat_map(|word| word.to_ne_bytes()).skip(12).collect();
    let name: Vec<u16> = name
        .chunks_exact(2)
        .take(answer[1] as u32 as usize / 2)
        .map(|unit| u16::from_ne_bytes([unit[0], unit[1]]))
        .collect();
    Ok((answer[0] as u32, String::from_utf16_lossy(&name)))
}
