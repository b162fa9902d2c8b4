//! Comparisons by content that do not read again what is known: where what was read is kept, and for how long it is
//! believed.
//!
//! What is kept is a memory as that of a pair ([`fcs_state`]), in a folder of its own: a comparison sees files that
//! nobody made durable, and what of those is gone after a power cut must not look as if its user had removed it.
//!
//! Invariant: a comparison is never kept from its work by what is known; where that cannot be had, everything is read.
//! What proves that a file did not change is the engine's to say ([`fcs_engine::compare::Trusted`]), and no copy is
//! verified by it.

use std::sync::{Mutex, PoisonError};

use fcs_engine::compare::{Comparison, Trusted};
use fcs_engine::memory::{MemoryChange, Remembered, Terms};
use fcs_engine::session::Folders;
use fcs_engine::settings::TrustKnown;
use fcs_engine::{Control, Note, Settings};
use fcs_state::{Pair, Start, StateError, States};
use fcs_sys::Time;

use crate::pairs;

const DAY_NANOS: i128 = 24 * 3_600_000_000_000;
/// Pairs of which this process keeps what it read.
const MOST_IN_SESSION: usize = 8;

/// What this process read, the latest pair last.
static SESSION: Mutex<Vec<(Terms, Remembered)>> = Mutex::new(Vec::new());

/// Scans and compares two folders as the settings say. Content that is known to be equal is not read, and what is read is
/// remembered.
///
/// # Errors
///
/// As for [`Folders::compare_after`].
pub fn compare(
    folders: &Folders,
    before: Option<&Comparison>,
    settings: &Settings,
    control: &Control,
) -> fcs_engine::Result<Comparison> {
    let trust = settings.trust_known_hashes;
    // An earlier comparison is known content as well.
    let before = before.filter(|_| trust != TrustKnown::Never);
    match Known::of(folders, settings, || pairs::open_content().ok()) {
        Some(known) => known.compare(folders, before, settings, control, Time::now()),
        None => folders.compare_after(before, settings, control),
    }
}

/// What is known before a comparison, and where it goes after it.
struct Known {
    terms: Terms,
    remembered: Remembered,
    place: Place,
    /// Why nothing is known, where that is worth telling.
    note: Option<String>,
}

enum Place {
    /// This process.
    Session,
    /// A file; `None` where there is none yet.
    Kept { states: States, pair: Option<Pair>, start: Start },
    /// Nowhere: it cannot be kept now.
    Nowhere,
}

impl Known {
    /// What is known of two folders; `None` where nothing is to be, or can be.
    fn of(folders: &Folders, settings: &Settings, states: impl FnOnce() -> Option<States>) -> Option<Self> {
        if settings.trust_known_hashes == TrustKnown::Never {
            return None;
        }
        // Folders that cannot be asked say so when they are compared.
        let terms = folders.content_terms(settings).ok().flatten()?;
        let known = Self { terms, remembered: Remembered::default(), place: Place::Session, note: None };
        if settings.trust_known_hashes == TrustKnown::Session {
            let session = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
            let found = session.iter().find(|(terms, _)| known.terms.other_than(terms).is_empty());
            let remembered = found.map(|(_, remembered)| remembered.clone()).unwrap_or_default();
            return Some(Self { remembered, ..known });
        }
        let states = states().filter(|states| states.is_apart(folders.roots()))?;
        Some(known.loaded(states))
    }

    fn loaded(self, states: States) -> Self {
        let cannot = |error: &StateError| Some(format!("What is known of the content is not used: {error}"));
        let mut pair = match states.find(&self.terms.roots) {
            Ok(pair) => pair,
            Err(error) => return Self { place: Place::Nowhere, note: cannot(&error), ..self },
        };
        let mut start = Start::Afresh;
        let (mut remembered, mut note) = (Remembered::default(), None);
        match pair.as_mut().map_or(Err(StateError::Missing), Pair::load) {
            // What was read in another way is not meant, and goes.
            Ok(loaded) if !self.terms.other_than(&loaded.terms).is_empty() => {}
            Ok(loaded) => (remembered, start) = (loaded.remembered, Start::Loaded),
            Err(StateError::Missing) => {}
            Err(error @ StateError::InUse { .. }) => {
                return Self { place: Place::Nowhere, note: cannot(&error), ..self };
            }
            Err(error) => note = cannot(&error),
        }
        Self { remembered, note, place: Place::Kept { states, pair, start }, ..self }
    }

    fn compare(
        self,
        folders: &Folders,
        before: Option<&Comparison>,
        settings: &Settings,
        control: &Control,
        now: Time,
    ) -> fcs_engine::Result<Comparison> {
        let since = match settings.trust_known_hashes {
            TrustKnown::Days(days) => {
                Time::from_nanos(now.as_nanos() - i128::from(days).saturating_mul(DAY_NANOS))
            }
            // All of it was read by this process.
            TrustKnown::Session | TrustKnown::Never => Time::EPOCH,
        };
        let trusted = Trusted { remembered: &self.remembered, since, now };
        let mut comparison = folders.compare_trusting(Some(trusted), before, settings, control)?;
        let changes = comparison.learned_content(&self.remembered);
        let notes = [self.note.clone(), self.save(changes, settings)];
        for note in notes.into_iter().flatten().map(Note::from) {
            control.observer.note(&note);
            comparison.notes.push(note);
        }
        Ok(comparison)
    }

    /// Keeps what was learned; why it could not.
    fn save(self, changes: Vec<MemoryChange>, settings: &Settings) -> Option<String> {
        if changes.is_empty() {
            return None;
        }
        let Self { terms, remembered, place, .. } = self;
        match place {
            Place::Nowhere => None,
            Place::Session => {
                let remembered = remembered.with(changes);
                let mut session = SESSION.lock().unwrap_or_else(PoisonError::into_inner);
                session.retain(|(other, _)| !terms.other_than(other).is_empty());
                if session.len() >= MOST_IN_SESSION {
                    session.remove(0);
                }
                session.push((terms, remembered));
                None
            }
            Place::Kept { states, pair, start } => {
                let saved = pair.map_or_else(|| states.pair(&terms.roots), Ok).and_then(|mut pair| {
                    match pair.save(None, &terms, start, changes.iter().cloned()) {
                        // Another process compared the same folders meanwhile. What was read here holds all the same.
                        Err(StateError::Changed { .. }) => {
                            let other = pair.load().is_ok_and(|now| terms.other_than(&now.terms).is_empty());
                            let start = if other { Start::Loaded } else { Start::Afresh };
                            pair.save(None, &terms, start, changes)?;
                        }
                        saved => drop(saved?),
                    }
                    states.prune(&pairs::limits(settings), Some(pair.id()), Time::now())
                });
                saved.err().map(|error| format!("What was read of the content is not remembered: {error}"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
