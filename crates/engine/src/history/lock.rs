//! One run at a time: who works on a root, and whether that one still does.
//!
//! The system's lock decides wherever it reaches. It does not reach from one mount of a server to another, and some file
//! systems refuse it. So the lock file also says who holds it, on which machine, and carries a count that goes up while
//! the holder works. Whoever gets the lock and finds such an entry of somebody whom the lock may not have kept out asks
//! the system whether that process still runs, or, on another machine, watches the count for as long as a living holder
//! needs to move it. Where there are no locks, the same entry is in a file that only one can make.
//!
//! Invariants: asking who holds the lock does not take it. An entry is believed to be stale only when the system's lock
//! speaks for all who could write here and its process is not known to run, its process is known to have ended, or its
//! count stood still. Whoever finds its own entry gone works on no longer.

use std::fmt::Write;
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Duration, Instant};

use fcs_sys::{Access, DirRef, FileRef, Machine, OsReason, Place, Rename, Time, reason, write_all_at};

use super::disk::if_there;
use crate::names::own;

pub(super) const LOCK: &str = "lock";
pub(super) const LEASE: &str = "lease";
/// An entry has one length, so that a new one hides all of the one before.
const ENTRY_BYTES: usize = 1024;
/// Begins the last line of an entry: the checksum of those before.
const SUM: &str = "sum=";
/// How often a holder moves its count.
const BEAT: Duration = Duration::from_secs(2);
/// How long a count is watched that may belong to a living holder: it had time to move twice.
const WATCH: Duration = Duration::from_secs(5);
/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(250);
/// A lock that is refused is tried for again: where a system can only ask by taking, or a handle is being closed.
const TRIES: u32 = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// What the lock file says.
#[derive(Debug, Clone, PartialEq, Eq)]
struct LockEntry {
    /// One line for whoever finds it locked.
    who: String,
    machine: Machine,
    since: Time,
    /// Tells two locks of one process apart.
    token: String,
    beat: u64,
}

impl LockEntry {
    fn text(&self) -> Vec<u8> {
        let Self { who, machine, since, token, beat } = self;
        let Machine { host, boot, space, process, began } = machine;
        let line = |text: &str| text.replace(['\n', '\r'], " ");
        let mut text = format!("{}\n", line(who));
        for (name, value) in [("host", host), ("boot", boot), ("space", space), ("token", token)] {
            let _ = writeln!(text, "{name}={}", line(value));
        }
        let _ = writeln!(text, "process={process}\nbegan={began}\nsince={}\nbeat={beat}", since.seconds());
        // What a power cut tore is nobody's.
        let sum = blake3::hash(text.as_bytes()).to_hex();
        let _ = writeln!(text, "{SUM}{}", &sum[..16]);
        let mut text = text.into_bytes();
        text.truncate(ENTRY_BYTES - 1);
        text.resize(ENTRY_BYTES - 1, b' ');
        text.push(b'\n');
        text
    }

    /// `None` if nobody holds it, or it is none of ours.
    fn parse(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let (text, sum) = text.split_once(SUM)?;
        if sum.trim_end() != &blake3::hash(text.as_bytes()).to_hex()[..16] {
            return None;
        }
        let (who, rest) = text.split_once('\n')?;
        let field = |name: &str| {
            rest.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
        };
        Some(Self {
            who: fcs_sys::escaped(who.as_bytes()).into_owned(),
            machine: Machine {
                host: fcs_sys::escaped(field("host")?.as_bytes()).into_owned(),
                boot: field("boot")?,
                space: field("space")?,
                process: field("process")?.parse().ok()?,
                began: field("began")?.parse().ok()?,
            },
            since: Time::new(field("since")?.parse().ok()?, 0),
            token: field("token")?,
            beat: field("beat")?.parse().ok()?,
        })
    }

    /// For a message. On another machine nobody knows for certain.
    fn holder(&self) -> String {
        if self.machine.shares_system(&Machine::this()) {
            self.who.clone()
        } else {
            format!(
                "{}, which may be running on {} since {}",
                self.who,
                if self.machine.host.is_empty() { "another machine" } else { &self.machine.host },
                fcs_text::utc_time(self.since)
            )
        }
    }
}

/// A lock that is held.
#[derive(Debug)]
pub(super) struct Held {
    beating: Arc<Beating>,
}

#[derive(Debug)]
struct Beating {
    file: FileRef,
    /// Where its file is found by name, as whoever comes next finds it.
    fcs: DirRef,
    name: &'static str,
    entry: Mutex<LockEntry>,
    last: Mutex<Instant>,
    /// Each count is made durable, so that it gets to the server.
    sync: bool,
    /// Somebody else took it for stale: this process was stopped for long.
    lost: AtomicBool,
    over: AtomicBool,
    /// The process that took the lock.
    process: u32,
}

/// What asking for the lock came to.
pub(super) enum LockAnswer {
    Held(Held),
    /// Somebody else holds it, in words.
    Taken(String),
}

/// Takes the lock whose file is `file` in `fcs`, or says who has it.
pub(super) fn take(fcs: &DirRef, file: &FileRef, who: &str) -> io::Result<LockAnswer> {
    let place = fcs.volume().map_or(Place::Network, |volume| volume.place);
    let entry = new_entry(who);
    let mut refused = None;
    for _ in 0..TRIES {
        match file.try_lock() {
            Ok(true) => {
                if let Some(found) = read(file) {
                    let again = || read_named(fcs, LOCK);
                    if runs(&found, &again, place != Place::Network) {
                        return Ok(LockAnswer::Taken(found.holder()));
                    }
                }
                return Held::begin(Arc::clone(file), entry, place, (fcs, LOCK)).map(LockAnswer::Held);
            }
            Ok(false) => refused = read(file),
            // Whatever the reason: where there is no lock, the lease does, and where nothing can be written, it cannot.
            Err(error) => {
                tracing::info!(%error, "the file system refuses locks; a lease file is used");
                return take_lease(fcs, entry, place);
            }
        }
        std::thread::sleep(PAUSE);
    }
    Ok(LockAnswer::Taken(refused.map_or_else(|| "another process".to_owned(), |entry| entry.holder())))
}

/// Who holds the lock, if anybody does. Takes nothing; may take as long as a holder on another machine has to be watched.
pub(super) fn holder(fcs: &DirRef) -> io::Result<Option<String>> {
    let place = fcs.volume().map_or(Place::Network, |volume| volume.place);
    let Some(file) = if_there(fcs.open_file(&own(LOCK)?, Access::Read))? else { return Ok(None) };
    let locked = file.is_locked();
    if locked.as_ref().is_ok_and(|locked| *locked) {
        let holder = read(&file).map(|entry| entry.holder());
        return Ok(Some(holder.unwrap_or_else(|| "another process".to_owned())));
    }
    let (name, reaches) = if locked.is_ok() { (LOCK, place != Place::Network) } else { (LEASE, false) };
    let Some(found) = read_named(fcs, name) else { return Ok(None) };
    Ok(runs(&found, &|| read_named(fcs, name), reaches).then(|| found.holder()))
}

fn take_lease(fcs: &DirRef, entry: LockEntry, place: Place) -> io::Result<LockAnswer> {
    let lease = own(LEASE)?;
    for _ in 0..TRIES {
        match fcs.create_file(&lease) {
            Ok(made) => {
                write_all_at(&*made, &entry.text(), 0)?;
                drop(made);
                // Opened anew: the handle that makes a file may keep others from opening it.
                let file = fcs.open_file(&lease, Access::ReadWrite)?;
                return Held::begin(file, entry, place, (fcs, LEASE)).map(LockAnswer::Held);
            }
            Err(e) if reason(&e) == OsReason::AlreadyExists => {}
            Err(e) => return Err(e),
        }
        let Some(found) = read_named(fcs, LEASE) else {
            // Made a moment ago and not written yet, or left so by a kill.
            std::thread::sleep(WATCH / TRIES);
            if read_named(fcs, LEASE).is_none() {
                if_there(fcs.remove_file(&lease))?;
            }
            continue;
        };
        if runs(&found, &|| read_named(fcs, LEASE), false) {
            return Ok(LockAnswer::Taken(found.holder()));
        }
        // Of several processes that find it stale one moves it away; a newer one is moved back.
        let aside = own(&format!("{LEASE}-{}", entry.token))?;
        if if_there(super::store::move_to(fcs, &lease, fcs, &aside))?.is_some() {
            let same = read_named(fcs, &format!("{LEASE}-{}", entry.token)).is_some_and(|now| now == found);
            if same {
                if_there(fcs.remove_file(&aside))?;
            } else {
                fcs.rename(&aside, &**fcs, &lease, Rename::NoReplace)?;
            }
        }
    }
    Ok(LockAnswer::Taken("another process".to_owned()))
}

fn new_entry(who: &str) -> LockEntry {
    LockEntry {
        who: who.to_owned(),
        machine: Machine::this(),
        since: Time::now(),
        token: super::RunId::make().to_string(),
        beat: 0,
    }
}

/// Again where the holder may just be writing: no file system promises that a read sees a whole write.
fn read(file: &FileRef) -> Option<LockEntry> {
    (0..TRIES).find_map(|_| read_once(file))
}

fn read_once(file: &FileRef) -> Option<LockEntry> {
    let mut text = [0; ENTRY_BYTES];
    let mut got = 0;
    while got < text.len() {
        match file.read_at(&mut text[got..], got as u64) {
            Ok(0) | Err(_) => break,
            Ok(n) => got = (got + n).min(text.len()),
        }
    }
    LockEntry::parse(&text[..got])
}

/// Opened anew each time, because a client asks its server only then.
fn read_named(fcs: &DirRef, name: &str) -> Option<LockEntry> {
    read(&fcs.open_file(&own(name).ok()?, Access::Read).ok()?)
}

/// Whether the holder of an entry still works. `reaches`: the lock would have kept it out on this machine.
fn runs(found: &LockEntry, again: &dyn Fn() -> Option<LockEntry>, reaches: bool) -> bool {
    let this = Machine::this();
    if found.machine.shares_system(&this) {
        // Asked even where the lock reaches: the holder may have come through a mount that leads back to this folder
        // (sshfs), and its lock has stayed there.
        if (found.machine.process, found.machine.began) == (this.process, this.began) {
            return is_ours(&found.token);
        }
        if let Some(runs) = found.machine.runs() {
            return runs;
        }
        if reaches {
            return false;
        }
    }
    if is_known_stale(found) {
        return false;
    }
    let began = Instant::now();
    while began.elapsed() < WATCH {
        std::thread::sleep(LOOK);
        match again() {
            Some(now) if now == *found => {}
            Some(now) => return now.token == found.token,
            // Released in this very moment.
            None => return false,
        }
    }
    let mut known = KNOWN_STALE.lock().unwrap_or_else(PoisonError::into_inner);
    known.retain(|known| known.token != found.token);
    known.push(found.clone());
    false
}

/// Entries that were watched once: each command looks several times, and one wait is enough. With its count: a holder
/// whose machine only slept moves it again, and is watched anew.
static KNOWN_STALE: Mutex<Vec<LockEntry>> = Mutex::new(Vec::new());

fn is_known_stale(found: &LockEntry) -> bool {
    KNOWN_STALE.lock().unwrap_or_else(PoisonError::into_inner).contains(found)
}

/// What a process holds, and whether a thread of it moves the counts.
struct Holding {
    held: Vec<Weak<Beating>>,
    beats: bool,
    /// Which process.
    process: u32,
}

static HOLDING: Mutex<Holding> = Mutex::new(Holding { held: Vec::new(), beats: false, process: 0 });

/// What this process holds. What it was forked from holds its own, and its thread is not here.
fn holding() -> MutexGuard<'static, Holding> {
    let mut holding = HOLDING.lock().unwrap_or_else(PoisonError::into_inner);
    let process = std::process::id();
    if holding.process != process {
        *holding = Holding { held: Vec::new(), beats: false, process };
    }
    holding
}

fn is_ours(token: &str) -> bool {
    let holding = holding();
    let mut held = holding.held.iter().filter_map(Weak::upgrade);
    held.any(|held| held.entry.lock().unwrap_or_else(PoisonError::into_inner).token == token)
}

impl Held {
    fn begin(
        file: FileRef,
        entry: LockEntry,
        place: Place,
        (fcs, name): (&DirRef, &'static str),
    ) -> io::Result<Self> {
        write_all_at(&*file, &entry.text(), 0)?;
        let beating = Arc::new(Beating {
            file,
            fcs: Arc::clone(fcs),
            name,
            entry: Mutex::new(entry),
            last: Mutex::new(Instant::now()),
            sync: place == Place::Network,
            lost: AtomicBool::new(false),
            over: AtomicBool::new(false),
            process: std::process::id(),
        });
        let mut holding = holding();
        // Else who takes thousands of locks between two beats looks through all of them each time.
        holding.held.retain(|held| held.strong_count() > 0);
        holding.held.push(Arc::downgrade(&beating));
        if !holding.beats {
            // Refused: the lock itself still holds where there is one.
            let thread = std::thread::Builder::new().name("fcs-lock".into()).spawn(beat_while_held);
            holding.beats = thread.is_ok();
        }
        Ok(Self { beating })
    }

    /// Whether somebody else has taken the lock because this process did not move its count.
    pub(super) fn is_lost(&self) -> bool {
        self.beating.lost.load(Ordering::SeqCst)
    }

    /// Says that nobody holds it any more, so that the next comer need not wonder. What is not said is found out.
    pub(super) fn release(&self) {
        // Of a process that was forked off nothing is its own.
        let is_own = self.beating.process == std::process::id();
        if self.beating.over.swap(true, Ordering::SeqCst) || self.is_lost() || !is_own {
            return;
        }
        let _last = self.beating.last.lock().unwrap_or_else(PoisonError::into_inner);
        if self.beating.name == LEASE {
            let _ = own(LEASE).and_then(|lease| self.beating.fcs.remove_file(&lease));
        } else {
            let mut free = vec![b' '; ENTRY_BYTES];
            (free[0], free[ENTRY_BYTES - 1]) = (b'\n', b'\n');
            let _ = write_all_at(&*self.beating.file, &free, 0);
            // What was forked off meanwhile has the handle too.
            let _ = self.beating.file.unlock();
        }
    }
}

impl Drop for Held {
    /// For every way out. Nothing depends on it: an entry that stays is judged by whether its process still runs.
    fn drop(&mut self) {
        self.release();
    }
}

impl Beating {
    fn beat(&self) {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.elapsed() < BEAT || self.over.load(Ordering::SeqCst) {
            return;
        }
        let mut entry = self.entry.lock().unwrap_or_else(PoisonError::into_inner);
        if self.is_gone(&entry.token) {
            self.lost.store(true, Ordering::SeqCst);
            return;
        }
        entry.beat += 1;
        // One that fails is missed by whoever looks from another machine; the next may succeed.
        let _ = write_all_at(&*self.file, &entry.text(), 0);
        if self.sync {
            let _ = self.file.sync();
        }
        *last = Instant::now();
    }

    /// Whether the entry that the next comer finds is not this one any more: somebody else's, none, or no file. Whoever
    /// took it may be done already. What cannot be asked may still be there.
    fn is_gone(&self, token: &str) -> bool {
        let mut text = [0; ENTRY_BYTES];
        for attempt in 0..TRIES {
            let Ok(name) = own(self.name) else { return false };
            let got = match if_there(self.fcs.open_file(&name, Access::Read)) {
                Ok(Some(file)) => file.read_at(&mut text, 0),
                Ok(None) => return true,
                Err(_) => return false,
            };
            match got.map(|got| LockEntry::parse(&text[..got.min(ENTRY_BYTES)])) {
                Ok(Some(now)) => return now.token != token,
                // No file system promises that a read sees a whole write.
                Ok(None) if attempt + 1 < TRIES => std::thread::sleep(PAUSE),
                Ok(None) => return true,
                Err(_) => return false,
            }
        }
        false
    }
}

/// Moves the counts of everything that this process holds.
fn beat_while_held() {
    loop {
        std::thread::sleep(BEAT);
        let held: Vec<Arc<Beating>> = {
            let mut holding = holding();
            holding.held.retain(|held| held.strong_count() > 0);
            if holding.held.is_empty() {
                holding.beats = false;
                return;
            }
            holding.held.iter().filter_map(Weak::upgrade).collect()
        };
        held.iter().for_each(|held| held.beat());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_back_and_hides_a_longer_one() {
        let entry = new_entry("run 1 (copy)\nby process 5");
        let text = entry.text();
        assert_eq!(text.len(), ENTRY_BYTES);
        let back = LockEntry::parse(&text).unwrap();
        assert_eq!(back.who, "run 1 (copy) by process 5");
        assert_eq!((back.machine, back.token), (entry.machine, entry.token));
        assert_eq!(LockEntry::parse(b"\n   \n"), None, "a free one");
        assert_eq!(LockEntry::parse(b"run 1 by process 5\n"), None, "of an earlier version");
    }

    /// R4: on this machine the system tells; on another one the count does.
    #[test]
    fn a_holder_runs_if_the_system_says_so_or_its_count_moves() {
        let mine = new_entry("me");
        let none = || None;
        assert!(!runs(&mine, &none, true), "the lock would have kept it out");
        assert!(!runs(&mine, &none, false), "this process holds no such lock");
        let ended =
            LockEntry { machine: Machine { process: u32::MAX, ..mine.machine.clone() }, ..mine.clone() };
        if ended.machine.runs().is_some() {
            assert!(!runs(&ended, &none, false));
        }
        let far =
            LockEntry { machine: Machine { host: "far".into(), ..mine.machine.clone() }, ..mine.clone() };
        let moved = LockEntry { beat: 1, ..far.clone() };
        for reaches in [true, false] {
            assert!(runs(&far, &|| Some(moved.clone()), reaches), "its count moved");
            assert!(!runs(&far, &none, reaches), "it gave the lock up");
        }
        assert!(far.holder().contains("may be running on far since"), "{}", far.holder());
        let began = Instant::now();
        assert!(!runs(&far, &|| Some(far.clone()), false), "its count stood still");
        assert!(began.elapsed() >= WATCH);
        assert!(!runs(&far, &|| unreachable!("watched once"), false));
        // Its machine had only slept.
        let later = LockEntry { beat: 2, ..far.clone() };
        assert!(runs(&moved, &|| Some(later.clone()), false), "its count moves again");
    }

    /// R4: whoever took the lock may have given it up again, or have removed `.fcs` at its end.
    #[test]
    fn a_holder_whose_entry_is_gone_has_lost_the_lock() {
        let tmp = tempfile::tempdir().unwrap();
        let path = tmp.path().join(LOCK);
        let fcs = fcs_sys::open_root(tmp.path()).unwrap().dir;
        let hold = || {
            std::fs::write(&path, "").unwrap();
            let file = fcs.open_file(&own(LOCK).unwrap(), Access::ReadWrite).unwrap();
            let LockAnswer::Held(held) = take(&fcs, &file, "me").unwrap() else { panic!("nobody holds it") };
            let beat = |held: &Held| {
                // As if the time for the next one had come; what moves the counts may have come first.
                if let Some(before) = Instant::now().checked_sub(BEAT) {
                    *held.beating.last.lock().unwrap() = before;
                }
                held.beating.beat();
                held.is_lost()
            };
            assert!(!beat(&held), "its entry is there");
            (held, beat)
        };
        let (held, beat) = hold();
        std::fs::write(&path, new_entry("another").text()).unwrap();
        assert!(beat(&held), "somebody else's");
        held.release();
        assert!(read_named(&fcs, LOCK).is_some_and(|now| now.who == "another"), "and it stays that one's");
        drop(held);
        let (held, beat) = hold();
        std::fs::write(&path, [b' '; ENTRY_BYTES]).unwrap();
        assert!(beat(&held), "released by another thread");
        drop(held);
        let (held, beat) = hold();
        // Not removed: on Windows the name of an open file may stay until it is closed, and so does the lock.
        std::fs::rename(&path, path.with_extension("moved")).unwrap();
        assert!(beat(&held), "no file");
    }
}
