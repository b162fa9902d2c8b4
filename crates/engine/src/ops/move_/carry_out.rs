//! The moves of a run: looked at, written down, renamed and made durable, many at once.
//!
//! Invariant: the chains of names (see [`super::chain`]) move whole or not at all. Between leaving the old names and
//! getting the new ones everything is synced, so that no disk can have kept the second rename and lost the first.

use std::collections::{HashMap, HashSet};
use std::io;
use std::sync::Arc;

use fcs_sys::{DirRef, Fingerprint, Kind, Metadata, Name, OsReason, RelPath, reason};

use super::{Moved, chain};
use crate::dir_cursor::DirCursor;
use crate::history::{FileStamp, Record};
use crate::identity::Numbers;
use crate::lift::move_lifted;
use crate::names::aside_name;
use crate::ops::{ItemChange, Place, SingleItem, When, placed};
use crate::report::{Outcome, SkipReason};
use crate::run::context::{Context, Volume};
use crate::run::verify_moved::{InPlace, read_back};
use crate::{Error, ErrorKind, Op, TargetState};

/// A folder that items leave or come to.
#[derive(Clone)]
struct Open {
    dir: DirRef,
    volume: Arc<Volume>,
}

/// A move that is about to be made.
struct Ready<'a> {
    item: &'a Moved,
    number: u64,
    from: (Open, Name),
    to: (Open, Name),
    was: Metadata,
}

/// Where an item of a chain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Spot {
    Old,
    Aside,
    New,
}

/// Moves everything that the plan says.
pub(crate) fn carry_out(context: &Context<'_>) {
    let plan = context.plan;
    let moves = placed(&plan, When::BeforeRemovals).filter_map(|(place, change)| {
        let ItemChange::Move(item) = change else { return None };
        Some((place, item))
    });
    let moves: Vec<(Place, &Moved)> = moves.collect();
    let entangled = entangled(&moves);
    let mut rest = Vec::with_capacity(moves.len());
    for (number, &(place, item)) in moves.iter().enumerate() {
        if entangled.contains(&number) {
            let error =
                Error::os(Op::Move, context.target_path(&item.from), io::ErrorKind::InvalidInput.into());
            fail(context, item, error);
        } else {
            rest.push((place, item));
        }
    }
    let chains = chain::of(rest.iter().map(|(_, item)| [&item.from, &item.to]));
    let in_chains: HashSet<usize> = chains.iter().flatten().copied().collect();
    let alone = (0..rest.len()).filter(|number| !in_chains.contains(number)).map(|number| vec![number]);
    let mut batch = Batch::new(context);
    for unit in chains.into_iter().chain(alone) {
        let unit: Vec<(Place, &Moved)> = unit.into_iter().map(|number| rest[number]).collect();
        if context.should_stop() {
            unit.iter().for_each(|(_, item)| leave(context, item, context.why_stopping()));
            continue;
        }
        batch.add(&unit);
        if batch.is_full() {
            batch.end();
        }
    }
    batch.end();
}

/// Those that begin, end or pass below another one, or share an end of the same sort with one.
fn entangled(moves: &[(Place, &Moved)]) -> HashSet<usize> {
    let mut ends: HashSet<&RelPath> = HashSet::with_capacity(moves.len() * 2);
    let mut times: [HashMap<&RelPath, u32>; 2] = Default::default();
    for (_, item) in moves {
        for (end, times) in [&item.from, &item.to].into_iter().zip(&mut times) {
            ends.insert(end);
            *times.entry(end).or_default() += 1;
        }
    }
    let is_below = |path: &RelPath| {
        std::iter::successors(path.split(), |(parent, _)| parent.split())
            .any(|(parent, _)| ends.contains(&parent))
    };
    let is_entangled = |item: &Moved| {
        let ends = [&item.from, &item.to];
        ends.into_iter().zip(&times).any(|(end, times)| is_below(end) || times.get(end) != Some(&1))
    };
    moves.iter().enumerate().filter(|(_, (_, item))| is_entangled(item)).map(|(number, _)| number).collect()
}

/// Moves that are written down, renamed and synced together.
struct Batch<'c, 'a> {
    context: &'c Context<'a>,
    way: DirCursor,
    open: HashMap<RelPath, Open>,
    /// A chain each, or one item.
    units: Vec<Vec<Ready<'c>>>,
    items: usize,
}

impl<'c> Batch<'c, '_> {
    fn is_full(&self) -> bool {
        self.items >= self.context.batch_files || self.open.len() >= self.context.batch_handles
    }

    /// Looks at a chain, or at one item. Where one of a chain cannot move, none of it does.
    fn add(&mut self, unit: &[(Place, &'c Moved)]) {
        let mut ready = Vec::with_capacity(unit.len());
        for &(place, item) in unit {
            match self.look(item, place) {
                Ok(found) => ready.push(found),
                Err(error) => {
                    let items = unit.iter().map(|(_, item)| *item);
                    return fail_all(self.context, items, item, error, TargetState::Original);
                }
            }
        }
        self.items += ready.len();
        self.units.push(ready);
    }

    /// Opens a folder in which something is to be renamed. `number` is the one that the journal has of it, with what it
    /// looked like; none where this run made it, which may still be worked in.
    fn folder(&mut self, path: &RelPath, listed: Option<(usize, &Fingerprint)>) -> Result<Open, Error> {
        if let Some(open) = self.open.get(path) {
            return Ok(open.clone());
        }
        let os = |e| Error::os(Op::Open, self.context.target_path(path), e);
        let dir = self.way.open(path).map_err(os)?;
        let now = dir.metadata().map_err(os)?;
        let volume = self.context.volume_numbered(now.id.volume, &dir).map_err(os)?;
        if let Some(protection) = now.protection {
            let path = self.context.target_path(path);
            return Err(Error::new(Op::Change, path, ErrorKind::Protected(protection)));
        }
        if let Some((number, seen)) = listed {
            self.context.lift(path, &dir, &now, (number, Some(seen.attributes))).map_err(os)?;
        }
        let open = Open { dir, volume };
        self.open.insert(path.clone(), open.clone());
        Ok(open)
    }

    /// Opens both folders, if the item is what the plan saw. Whether something is where it goes the rename tells, which goes over
    /// nothing.
    fn look(&mut self, item: &'c Moved, place: Place) -> Result<Ready<'c>, Error> {
        let context = self.context;
        let os = |e| Error::os(Op::Move, context.target_path(&item.from), e);
        let refuse = |kind| Error::new(Op::Move, context.target_path(&item.from), kind);
        if let Some(protection) = item.protection {
            return Err(refuse(ErrorKind::Protected(protection)));
        }
        let Some([(from_path, from_name), (to_path, to_name)]) = item.split() else {
            return Err(os(io::ErrorKind::InvalidInput.into()));
        };
        let from = self.folder(&from_path, Some((place.folder, &item.from_folder)))?;
        let was = from.dir.stat(&from_name).map_err(|e| match reason(&e) {
            OsReason::NotFound => refuse(ErrorKind::TargetStale),
            _ => os(e),
        })?;
        if !is_as_planned(context, from.volume.numbers, &was, &item.expect) {
            return Err(refuse(ErrorKind::TargetStale));
        }
        let on_new = |kind| Error::new(Op::Create, context.target_path(&item.to), kind);
        if from.volume.probe.names.refuses(to_name.as_bytes()) {
            return Err(on_new(ErrorKind::Os(OsReason::InvalidName)));
        }
        let listed = item.to_folder.as_ref().map(|seen| (place.folder + 1, seen));
        let to = self.folder(&to_path, listed)?;
        Ok(Ready { item, number: place.step, from: (from, from_name), to: (to, to_name), was })
    }

    /// Moves what is ready.
    fn end(&mut self) {
        let units = std::mem::take(&mut self.units);
        if !units.is_empty() {
            move_all(self.context, units);
        }
        // A folder that has moved is not to be met by its old path.
        *self = Self::new(self.context);
    }
}

impl<'c, 'a> Batch<'c, 'a> {
    fn new(context: &'c Context<'a>) -> Self {
        let way = DirCursor::new(&context.target.dir);
        Self { context, way, open: HashMap::new(), units: Vec::new(), items: 0 }
    }
}

/// What is in a folder may have changed; it goes along.
fn is_as_planned(context: &Context<'_>, numbers: Numbers, now: &Metadata, seen: &Fingerprint) -> bool {
    if now.kind == Kind::Folder && seen.kind == Kind::Folder {
        return numbers.same_folder(now, seen.id);
    }
    context.target_unchanged(numbers, now, seen)
}

fn move_all(context: &Context<'_>, units: Vec<Vec<Ready<'_>>>) {
    let intent = |ready: &Ready<'_>| Record::Intent {
        step: ready.number,
        new: Some(FileStamp::of(&ready.was)),
        hash: None,
    };
    if !context.promise(units.iter().flatten().map(intent)) {
        units.iter().flatten().for_each(|ready| leave(context, ready.item, SkipReason::Stopped));
        return;
    }
    let (chains, alone): (Vec<_>, Vec<_>) = units.into_iter().partition(|unit| unit.len() > 1);
    let mut done = move_chains(context, chains);
    for ready in alone.into_iter().flatten() {
        match move_one(context, &ready) {
            Ok(seen) => done.push((ready, seen)),
            Err(error) => fail(context, ready.item, error),
        }
    }
    if done.is_empty() {
        return;
    }
    let failed = sync(context, done.iter().map(|(ready, _)| ready)).err();
    if let Some(e) = &failed {
        context.set_untidy();
        for (ready, _) in &done {
            let error = Error::os(Op::Sync, context.target_path(&ready.item.to), again(e));
            fail(context, ready.item, error.with_target(TargetState::Unknown));
        }
        return;
    }
    for (ready, seen) in &done {
        context.committed(ready.number, Some(FileStamp::of(seen)));
        context.note_moved(ready.item.expect.id, seen.fingerprint());
    }
    let in_place = done.iter().map(|(Ready { item, to: (open, name), .. }, _)| InPlace {
        item,
        dir: &open.dir,
        name,
        volume: &open.volume,
    });
    let in_place: Vec<InPlace<'_>> = in_place.collect();
    for ((ready, _), known) in done.iter().zip(read_back(context, &in_place)) {
        match known {
            Ok(evidence) => context.emit(ready.item.report(Outcome::Done { evidence })),
            Err(error) => fail(context, ready.item, error),
        }
    }
}

/// The same error once more.
fn again(e: &io::Error) -> io::Error {
    e.raw_os_error().map_or_else(|| e.kind().into(), io::Error::from_raw_os_error)
}

/// Makes the names in the folders of these durable.
fn sync<'r, 'a: 'r>(context: &Context<'_>, moved: impl IntoIterator<Item = &'r Ready<'a>>) -> io::Result<()> {
    if let Some(error) = context.sync_all_volumes() {
        return Err(error());
    }
    let mut synced: Vec<*const ()> = Vec::new();
    for ready in moved {
        for open in [&ready.to.0, &ready.from.0] {
            if open.volume.syncs_whole() {
                continue;
            }
            let place = Arc::as_ptr(&open.dir).cast::<()>();
            if !synced.contains(&place) {
                open.dir.sync()?;
                synced.push(place);
            }
        }
    }
    Ok(())
}

fn move_one(context: &Context<'_>, ready: &Ready<'_>) -> Result<Metadata, Error> {
    let (from, to) = (&ready.from, &ready.to);
    let seen = ready.rename(context, (&from.0, &from.1), (&to.0, &to.1));
    seen.map_err(|failed| failed.told(context, ready.item))
}

/// Why a rename was not made.
enum Failed {
    Os(io::Error),
    /// It was, of an item that is not the one that was to move, and could not be reversed.
    Astray(io::Error),
    /// The item is not there, another one is where it goes, or what came out is another one, and is back.
    Stale,
}

impl Failed {
    fn told(self, context: &Context<'_>, item: &Moved) -> Error {
        let path = context.target_path(&item.from);
        match self {
            Self::Os(e) => Error::os(Op::Move, path, e),
            Self::Astray(e) => {
                context.set_untidy();
                Error::os(Op::Move, path, e).with_target(TargetState::Unknown)
            }
            Self::Stale => Error::new(Op::Move, path, ErrorKind::TargetStale),
        }
    }
}

impl Ready<'_> {
    /// Gives the item another name, and looks whether it was the item that got it.
    fn rename(
        &self,
        context: &Context<'_>,
        from: (&Open, &Name),
        to: (&Open, &Name),
    ) -> Result<Metadata, Failed> {
        let lift = |attributes| {
            let record = Record::LiftedItem { step: self.number, was: attributes };
            if context.promise([record]) { Ok(()) } else { Err(io::ErrorKind::Other.into()) }
        };
        let rename = |from: (&Open, &Name), to: (&Open, &Name)| {
            move_lifted(&from.0.dir, from.1, &to.0.dir, to.1, lift)
        };
        rename(from, to).map_err(|e| match reason(&e) {
            OsReason::AlreadyExists | OsReason::NotFound => Failed::Stale,
            _ => Failed::Os(e),
        })?;
        match to.0.dir.stat(to.1) {
            Ok(now) if self.is_item(&now) => Ok(now),
            // Another program replaced it between the look and the rename, or has taken it away since.
            _ => Err(rename(to, from).map_or_else(Failed::Astray, |()| Failed::Stale)),
        }
    }

    fn is_item(&self, now: &Metadata) -> bool {
        let (numbers, was) = (self.from.0.volume.numbers, &self.was);
        match now.kind {
            Kind::Folder => {
                was.kind == Kind::Folder
                    && (numbers == Numbers::ProveNothing || now.id.may_be_after_rename(was.id))
            }
            _ => numbers.same_after_rename(&now.fingerprint(), &was.fingerprint()),
        }
    }

    /// The place where the item waits between its two names.
    fn rename_between(&self, context: &Context<'_>, now: Spot, then: Spot) -> Result<Metadata, Failed> {
        let aside = aside_name(&context.run_id, self.number).map_err(Failed::Os)?;
        let place = |spot| match spot {
            Spot::Old => (&self.from.0, &self.from.1),
            Spot::Aside => (&self.from.0, &aside),
            Spot::New => (&self.to.0, &self.to.1),
        };
        self.rename(context, place(now), place(then))
    }
}

/// Moves chains: all items of each leave their names, and then get their new ones.
fn move_chains<'a>(context: &Context<'_>, chains: Vec<Vec<Ready<'a>>>) -> Vec<(Ready<'a>, Metadata)> {
    let (mut waiting, mut done) = (Vec::new(), Vec::new());
    for chain in chains {
        let mut spots = vec![Spot::Old; chain.len()];
        match go(context, &chain, &mut spots, Spot::Aside) {
            Ok(_) => waiting.push(chain),
            Err((at, failed)) => back_out(context, &chain, &mut spots, at, failed),
        }
    }
    if waiting.is_empty() {
        return done;
    }
    let synced = sync(context, waiting.iter().flatten());
    for chain in waiting {
        let mut spots = vec![Spot::Aside; chain.len()];
        let moved = match &synced {
            Ok(()) => go(context, &chain, &mut spots, Spot::New),
            Err(e) => Err((0, Failed::Os(again(e)))),
        };
        match moved {
            Ok(seen) => done.extend(chain.into_iter().zip(seen)),
            Err((at, failed)) => back_out(context, &chain, &mut spots, at, failed),
        }
    }
    done
}

/// Brings each item of a chain to the next place; which of them could not be, and why.
fn go(
    context: &Context<'_>,
    chain: &[Ready<'_>],
    spots: &mut [Spot],
    then: Spot,
) -> Result<Vec<Metadata>, (usize, Failed)> {
    let mut seen = Vec::with_capacity(chain.len());
    for (at, ready) in chain.iter().enumerate() {
        seen.push(ready.rename_between(context, spots[at], then).map_err(|failed| (at, failed))?);
        spots[at] = then;
    }
    Ok(seen)
}

/// Brings each item of a chain back to its old name, because one of them could not go on, and reports all.
fn back_out(context: &Context<'_>, chain: &[Ready<'_>], spots: &mut [Spot], at: usize, failed: Failed) {
    let is_astray = matches!(failed, Failed::Astray(_));
    let error = failed.told(context, chain[at].item);
    let mut back = |now: Spot, then: Spot| {
        chain.iter().zip(spots.iter_mut()).filter(|(_, spot)| **spot == now).all(|(ready, spot)| {
            let went = ready.rename_between(context, now, then).is_ok();
            *spot = if went { then } else { now };
            went
        })
    };
    // From the new names first, and durably: see the head.
    let is_back = !is_astray
        && back(Spot::New, Spot::Aside)
        && sync(context, chain).is_ok()
        && back(Spot::Aside, Spot::Old);
    if !is_back {
        // What is left between its names is found at the end of the run, as by a recovery.
        context.set_untidy();
    }
    let state = if is_back { TargetState::Original } else { TargetState::Unknown };
    fail_all(context, chain.iter().map(|ready| ready.item), chain[at].item, error, state);
}

fn leave(context: &Context<'_>, item: &Moved, why: SkipReason) {
    context.emit(item.report(Outcome::Skipped { why }));
}

/// Reports items of which `first` could not move, and so none could.
fn fail_all<'m>(
    context: &Context<'_>,
    items: impl Iterator<Item = &'m Moved>,
    first: &Moved,
    error: Error,
    state: TargetState,
) {
    let mut error = Some(error);
    for item in items {
        let own = if std::ptr::eq(item, first) { error.take() } else { None };
        let other = || Error::new(Op::Move, context.target_path(&item.from), ErrorKind::ChainFailed);
        let mut told = own.unwrap_or_else(other);
        told.target.get_or_insert(state);
        fail(context, item, told);
    }
}

/// The item is where it was.
fn fail(context: &Context<'_>, item: &Moved, mut error: Error) {
    error.target.get_or_insert(TargetState::Original);
    context.note_failed_move([&item.from, &item.to], item.expect);
    context.emit(item.report(Outcome::Failed { error }));
}
