//! The memory of one pair: loaded, saved, forgotten.
//!
//! Invariant: the memory is open only while a call lasts. Whoever saves goes on from what was loaded, which must still
//! be what is there, or forgets all that was there.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use fcs_engine::history::{ChangedPaths, RunId};
use fcs_engine::memory::{MemoryChange, Remembered, RootIdentity, Terms};
use fcs_sys::{RelPath, Time};
use redb::{Builder, Database};

use crate::StateError;
use crate::codec::Devices;
use crate::index::{Index, PairId, put, unfinished};
use crate::store::{self, Fault, Head, KeptRun, Saving};

/// Most memory for pages of the database, in bytes.
const CACHE: usize = 64 << 20;
/// A file that is larger than twice its content and this is made smaller: the database does not return pages by itself.
const SLACK: u64 = 1 << 20;

/// What was loaded.
#[derive(Debug)]
pub struct Loaded {
    /// What it was made under; see [`Terms::other_than`].
    pub terms: Terms,
    /// All items.
    pub remembered: Remembered,
    /// When it was saved last, by this machine's clock.
    pub saved: Time,
    /// By which run.
    pub run: Option<RunId>,
}

/// How a save begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// From what was loaded; what is not among the changes stays.
    Loaded,
    /// From nothing, as a first run does.
    Afresh,
}

/// What was saved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Saved {
    /// Items that are remembered now.
    pub items: u64,
    /// What the memory takes on the disk.
    pub bytes: u64,
}

/// The memory of one pair.
#[derive(Debug)]
pub struct Pair {
    folder: PathBuf,
    id: PairId,
    devices: Devices,
    mirrored: bool,
    generation: Option<u64>,
    wrote: [bool; 2],
}

impl Pair {
    pub(crate) fn new(folder: &Path, id: PairId, roots: &[RootIdentity; 2], mirrored: bool) -> Self {
        let mut devices = [roots[0].device, roots[1].device];
        if mirrored {
            devices.swap(0, 1);
        }
        Self { mirrored, ..Self::with_devices(folder, id, devices) }
    }

    pub(crate) fn with_devices(folder: &Path, id: PairId, devices: Devices) -> Self {
        Self { folder: folder.to_owned(), id, devices, mirrored: false, generation: None, wrote: [false; 2] }
    }

    /// The name of the pair.
    pub fn id(&self) -> &PairId {
        &self.id
    }

    /// Whether it was made with left and right exchanged; what is loaded and saved is as the caller sees it.
    pub fn is_mirrored(&self) -> bool {
        self.mirrored
    }

    /// The sides, left and right, that the run of the next save wrote to: on each of them the journal has it, until it is undone
    /// or pruned there ([`KeptRun::wrote`]).
    #[must_use]
    pub fn of_run_on(self, wrote: [bool; 2]) -> Self {
        Self { wrote: self.turned(wrote), ..self }
    }

    /// Both sides as the memory has them, or from there as the caller does.
    fn turned(&self, [left, right]: [bool; 2]) -> [bool; 2] {
        if self.mirrored { [right, left] } else { [left, right] }
    }

    fn file(&self) -> PathBuf {
        self.id.memory(&self.folder)
    }

    /// All that is remembered. Stamps that were taken on the volumes of the roots have the numbers that these volumes
    /// have now.
    ///
    /// # Errors
    ///
    /// Whatever the error, nothing is known, and the rules of a first run hold.
    pub fn load(&mut self) -> Result<Loaded, StateError> {
        self.generation = None;
        let file = self.file();
        let database = open(&file).map_err(|error| self.lost(error))?;
        let loaded = store::load(&database, self.devices, self.mirrored);
        let (head, remembered) = loaded.map_err(|fault| state_error(fault, &file, "read"))?;
        self.check_generation(&head)?;
        self.generation = Some(head.generation);
        let terms = if self.mirrored { head.terms.mirrored() } else { head.terms };
        Ok(Loaded { terms, remembered, saved: head.saved, run: head.run })
    }

    /// A memory that was saved and is not there was lost.
    fn lost(&self, error: StateError) -> StateError {
        let was_saved = Index::read(&self.id.index(&self.folder)).is_ok_and(|index| index.generation > 0);
        match error {
            StateError::Missing if was_saved => {
                StateError::Damaged { path: self.file(), why: "it is not there any more".into() }
            }
            error => error,
        }
    }

    /// The database takes damage to its newest state for a save that did not come to pass, and shows the one before.
    /// The file beside it was written after that save.
    fn check_generation(&self, head: &Head) -> Result<(), StateError> {
        match Index::read(&self.id.index(&self.folder)) {
            Ok(index) if index.generation > head.generation => {
                let why = "it is older than it was".to_owned();
                Err(StateError::Damaged { path: self.file(), why })
            }
            _ => Ok(()),
        }
    }

    /// Saves what became of items, in one transaction that is durable when this returns. Whatever is in `changes` must
    /// be durable before. Under the id of a run it is noted which items it changed, for [`Pair::forget_run`]; several saves
    /// of one run are forgotten together. Of a path that comes twice, the last counts.
    ///
    /// # Errors
    ///
    /// [`StateError::Changed`] if somebody else saved since the load, [`StateError::NotLoaded`], [`StateError::InUse`].
    /// What was remembered before is then still remembered. A memory that is damaged or of another version can only be
    /// saved [`Start::Afresh`].
    pub fn save(
        &mut self,
        run: Option<&RunId>,
        terms: &Terms,
        start: Start,
        changes: impl IntoIterator<Item = MemoryChange>,
    ) -> Result<Saved, StateError> {
        self.save_noting(run, terms, start, changes, false)
    }

    /// As [`Pair::save`]; with `notes_all` the run is said to have changed also what stays as it is remembered.
    fn save_noting(
        &mut self,
        run: Option<&RunId>,
        terms: &Terms,
        start: Start,
        changes: impl IntoIterator<Item = MemoryChange>,
        notes_all: bool,
    ) -> Result<Saved, StateError> {
        let file = self.file();
        let generation = match start {
            Start::Loaded => {
                Some(self.generation.ok_or_else(|| StateError::NotLoaded { path: file.clone() })?)
            }
            Start::Afresh => None,
        };
        let own_terms = if self.mirrored { terms.clone().mirrored() } else { terms.clone() };
        let least = Index::read(&self.id.index(&self.folder)).map_or(0, |index| index.generation);
        let how = Saving {
            devices: self.devices,
            mirrored: self.mirrored,
            terms: &own_terms,
            run,
            wrote: self.wrote,
            notes_all,
            now: Time::now(),
            generation,
            least,
        };
        let changes = changes.into_iter().map(|change| (change.path, change.known));
        let opened = match open(&file) {
            // Nothing can be gone on from, and nothing can be lost.
            Err(StateError::Missing | StateError::Damaged { .. } | StateError::OtherVersion { .. })
                if start == Start::Afresh =>
            {
                None
            }
            opened => Some(opened?),
        };
        let is_sound = |database: &Database| {
            start == Start::Loaded || store::load(database, self.devices, false).is_ok()
        };
        let (head, database) = match opened.filter(is_sound) {
            Some(database) => (store::save(&database, &how, changes), database),
            None => return self.save_new(&file, &how, changes),
        };
        let head = head.map_err(|fault| state_error(fault, &file, "save"))?;
        close(database, &file, head.bytes)?;
        self.saved(&head)
    }

    /// Makes the file under another name first: a memory that is only begun would look damaged.
    fn save_new(
        &mut self,
        file: &Path,
        how: &Saving<'_>,
        changes: impl Iterator<Item = (RelPath, Option<fcs_engine::memory::Known>)>,
    ) -> Result<Saved, StateError> {
        let begun = unfinished(file);
        let head = (|| {
            let database = Builder::new().set_cache_size(CACHE).create(&begun).map_err(Fault::from)?;
            let head = store::save(&database, how, changes)?;
            Ok((head, database))
        })();
        let made = head.map_err(|fault| state_error(fault, &begun, "save")).and_then(|(head, database)| {
            close(database, &begun, head.bytes)?;
            put(&begun, file).map_err(StateError::io("save", file))?;
            Ok(head)
        });
        let head = made.inspect_err(|_| drop(fs::remove_file(&begun)))?;
        self.saved(&head)
    }

    /// Notes beside the memory what it is now.
    fn saved(&mut self, head: &Head) -> Result<Saved, StateError> {
        self.generation = Some(head.generation);
        let path = self.id.index(&self.folder);
        Index::of(head).write(&path)?;
        let file = self.file();
        let bytes = fs::metadata(&file).map_err(StateError::io("examine", &file))?.len();
        Ok(Saved { items: head.items, bytes })
    }

    /// Forgets whatever a run changed, also what a later one changed again: in doubt an item is new. It is not set back to
    /// what it was before that run: undo leaves what changed since, and what it restores may look as it never did.
    ///
    /// # Errors
    ///
    /// [`StateError::NoSuchRun`] where it is not known (any more) what it changed, and those of [`Pair::load`].
    pub fn forget_run(&mut self, run: &RunId) -> Result<(), StateError> {
        let file = self.file();
        let database = open(&file)?;
        let head = store::forget_run(&database, self.devices, run, Time::now())
            .map_err(|fault| state_error(fault, &file, "save"))?
            .ok_or_else(|| StateError::NoSuchRun { path: file.clone(), run: run.as_str().to_owned() })?;
        close(database, &file, head.bytes)?;
        self.saved(&head).map(drop)
    }

    /// Forgets the items whose paths, spelled as in what is loaded, are among these.
    ///
    /// # Errors
    ///
    /// Those of [`Pair::load`] and [`Pair::save`].
    pub fn forget_items(&mut self, paths: &ChangedPaths) -> Result<(), StateError> {
        let Loaded { terms, remembered, .. } = self.load()?;
        let known = remembered.iter().filter_map(|(path, _)| RelPath::parse(path).ok());
        let gone = known.filter(|path| paths.has(path)).map(|path| MemoryChange { path, known: None });
        let gone: Vec<_> = gone.collect();
        if gone.is_empty() { Ok(()) } else { self.save(None, &terms, Start::Loaded, gone).map(drop) }
    }

    /// The runs of which it is known what they changed, oldest first.
    ///
    /// # Errors
    ///
    /// Those of [`Pair::load`].
    pub fn runs(&self) -> Result<Vec<KeptRun>, StateError> {
        let file = self.file();
        let mut runs = store::runs(&open(&file)?).map_err(|fault| state_error(fault, &file, "read"))?;
        runs.sort_by_key(|kept| kept.saved);
        for kept in &mut runs {
            (kept.wrote, kept.accounted) = (self.turned(kept.wrote), self.turned(kept.accounted));
        }
        Ok(runs)
    }

    /// Notes that the journals of these sides, left and right, let these runs go because they were pruned there, or undone
    /// after all of it was forgotten: that they are not there any more says nothing. What is not noted must be taken for undone,
    /// so this comes after it was done.
    ///
    /// # Errors
    ///
    /// Those of [`Pair::load`].
    pub fn account(&mut self, sides: [bool; 2], runs: &[RunId]) -> Result<(), StateError> {
        let file = self.file();
        let database = open(&file)?;
        let noted = store::account(&database, self.turned(sides), runs);
        noted.map(drop).map_err(|fault| state_error(fault, &file, "save"))
    }

    /// Notes which of what is remembered a run changed that saved nothing here, and on which sides, left and right: for
    /// [`Pair::forget_run`]. What is remembered stays.
    ///
    /// # Errors
    ///
    /// Those of [`Pair::load`] and [`Pair::save`].
    pub fn note_run(
        &mut self,
        run: &RunId,
        wrote: [bool; 2],
        paths: &ChangedPaths,
    ) -> Result<(), StateError> {
        let Loaded { terms, remembered, .. } = self.load()?;
        let changed = remembered.iter().filter_map(|(path, known)| {
            let path = RelPath::parse(path).ok().filter(|path| paths.has(path))?;
            Some(MemoryChange { path, known: Some(*known) })
        });
        let changed: Vec<_> = changed.collect();
        let wrote = self.turned(wrote);
        let own = std::mem::replace(&mut self.wrote, wrote);
        let saved = self.save_noting(Some(run), &terms, Start::Loaded, changed, true);
        self.wrote = own;
        saved.map(drop)
    }

    /// Drops what is known of runs, which cannot be forgotten here any more; what is remembered stays.
    ///
    /// # Errors
    ///
    /// Those of [`Pair::load`].
    pub fn drop_runs(&mut self, runs: &[RunId]) -> Result<(), StateError> {
        let file = self.file();
        let database = open(&file)?;
        let head = store::drop_runs(&database, runs).map_err(|fault| state_error(fault, &file, "save"))?;
        let Some(head) = head else { return Ok(()) };
        close(database, &file, head.bytes)?;
        Index::of(&head).write(&self.id.index(&self.folder))
    }

    /// As [`Pair::drop_runs`], of all that saved last longer ago than this; returns how many.
    ///
    /// # Errors
    ///
    /// Those of [`Pair::load`].
    pub fn drop_runs_older_than(&mut self, term: Duration, now: Time) -> Result<usize, StateError> {
        let oldest = Time::from_nanos(now.as_nanos().saturating_sub(term.as_nanos() as i128));
        let over: Vec<RunId> =
            self.runs()?.into_iter().filter(|kept| kept.saved < oldest).map(|kept| kept.run).collect();
        if !over.is_empty() {
            self.drop_runs(&over)?;
        }
        Ok(over.len())
    }

    /// Forgets the pair; its next run is a first one.
    ///
    /// # Errors
    ///
    /// [`StateError::InUse`] and [`StateError::Io`].
    pub fn forget(&mut self) -> Result<(), StateError> {
        self.generation = None;
        let file = self.file();
        // Damaged or not, but not while somebody works with it.
        if let Err(error @ StateError::InUse { .. }) = open(&file) {
            return Err(error);
        }
        for path in [file, self.id.index(&self.folder)] {
            match fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(StateError::io("remove", path)(error));
                }
                _ => {}
            }
        }
        Ok(())
    }
}

/// How long another process may have a memory open, which loads it or saves to it.
pub(crate) const LONGEST_WAIT: Duration = Duration::from_secs(5);
pub(crate) const BETWEEN_TRIES: Duration = Duration::from_millis(20);

/// Opens a memory, after whoever has it open, every page of which is checked: a damaged one is an error here, and not a panic later.
fn open(file: &Path) -> Result<Database, StateError> {
    match fs::metadata(file) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(StateError::Missing),
        Err(error) => return Err(StateError::io("open", file)(error)),
        Ok(seen) if seen.len() == 0 => {
            return Err(StateError::Damaged { path: file.to_owned(), why: "it is empty".into() });
        }
        Ok(_) => {}
    }
    let begun = Instant::now();
    loop {
        let opened = Builder::new().set_cache_size(CACHE).set_check_integrity_on_open(true).open(file);
        match opened.map_err(|error| state_error(error.into(), file, "open")) {
            Err(StateError::InUse { .. }) if begun.elapsed() < LONGEST_WAIT => {
                std::thread::sleep(BETWEEN_TRIES);
            }
            opened => return opened,
        }
    }
}

/// Makes the file smaller where that is worth it, and closes it.
fn close(mut database: Database, file: &Path, content: u64) -> Result<(), StateError> {
    let length = fs::metadata(file).map_err(StateError::io("examine", file))?.len();
    if length > content.saturating_mul(2).saturating_add(SLACK) {
        database.compact().map_err(|error| state_error(error.into(), file, "save"))?;
    }
    Ok(())
}

pub(crate) fn state_error(fault: Fault, file: &Path, op: &'static str) -> StateError {
    use redb::Error;
    let path = file.to_owned();
    match fault {
        Fault::Changed => StateError::Changed { path },
        Fault::OtherVersion(_) => StateError::OtherVersion { path, why: fault.to_string() },
        Fault::Database(Error::DatabaseAlreadyOpen | Error::LockProtocolMismatch) => {
            StateError::InUse { path }
        }
        Fault::Database(Error::UpgradeRequired(version)) => {
            let why = format!("its database has format {version}, which this program does not read");
            StateError::OtherVersion { path, why }
        }
        // The database says so of bytes that are none of its own.
        Fault::Database(Error::Io(error))
            if !matches!(error.kind(), io::ErrorKind::InvalidData | io::ErrorKind::UnexpectedEof) =>
        {
            StateError::Io { op, path, error }
        }
        Fault::Database(error) => StateError::Damaged { path, why: error.to_string() },
        Fault::Block(_) | Fault::Wrong(_) => StateError::Damaged { path, why: fault.to_string() },
    }
}
