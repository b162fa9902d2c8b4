//! Which of the states of a crash point are visited: all where they are few, else the extreme ones and a sample.
//!
//! Everything here is decided by the recording, the budget and the seed, so that a state has the same number in
//! every run.

use std::ops::{AddAssign, ControlFlow};

use super::crash::{CrashPoint, CrashState};
use super::damage::{ALL_BITS, ALL_FATES, Choice, Dirty, Fate};

/// How much of a crash point is visited.
#[derive(Debug, Clone, Copy)]
pub struct Budget {
    /// All states are visited where they are at most this many; where that holds only for the sets of names, all of
    /// those.
    pub exhaustive: u64,
    /// Elsewhere also the extreme states (a few per unsynced operation, inode and block), and this many at random.
    pub samples: u64,
}

impl Default for Budget {
    fn default() -> Self {
        Self { exhaustive: 512, samples: 64 }
    }
}

/// What was visited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Explored {
    /// Crash points.
    pub points: u64,
    /// Of those, the ones all of whose states were visited.
    pub exhaustive_points: u64,
    /// States.
    pub states: u64,
    /// The visitor ended it.
    pub stopped: bool,
}

impl AddAssign for Explored {
    fn add_assign(&mut self, other: Self) {
        self.points += other.points;
        self.exhaustive_points += other.exhaustive_points;
        self.states += other.states;
        self.stopped |= other.stopped;
    }
}

/// Blocks of one file that are varied by themselves among the extremes; more of a file tell nothing new.
const BLOCKS_VARIED: usize = 8;

type Visit<'a> = &'a mut dyn FnMut(&CrashState<'_>) -> ControlFlow<()>;

impl CrashPoint {
    /// The states of this point, within the budget. Stops when `f` says so.
    pub fn for_each_state(&self, budget: Budget, seed: u64, f: Visit<'_>) -> Explored {
        let seed = seed ^ (self.number() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        let mut walk = Walk { point: self, seed, states: 0, f };
        let subsets = self.kept_sets(budget.exhaustive);
        let few = |coarse| subsets.as_ref().is_some_and(|s| self.few_states(s, coarse, budget.exhaustive));
        let exhaustive = few(false);
        let flow = walk.visit_all(subsets.as_deref(), exhaustive, few(true), budget.samples);
        Explored {
            points: 1,
            exhaustive_points: u64::from(exhaustive),
            states: walk.states,
            stopped: flow.is_break(),
        }
    }

    /// Every set of operations that can be kept, if they are at most `limit`.
    fn kept_sets(&self, limit: u64) -> Option<Vec<Vec<bool>>> {
        let mut found = Vec::new();
        self.subsets(&mut Vec::new(), limit, &mut found)?;
        Some(found)
    }

    /// Whether what can have become of names and content together is at most `limit` states.
    fn few_states(&self, subsets: &[Vec<bool>], coarse: bool, limit: u64) -> bool {
        let mut states = 0_u64;
        subsets.iter().all(|kept| {
            let of_content = self.digits(kept, coarse).iter().map(|d| d.radix).fold(1, u64::saturating_mul);
            states = states.saturating_add(of_content);
            states <= limit
        })
    }

    fn subsets(&self, kept: &mut Vec<bool>, limit: u64, found: &mut Vec<Vec<bool>>) -> Option<()> {
        if kept.len() == self.unsynced_operations() {
            found.push(kept.clone());
            return (found.len() as u64 <= limit).then_some(());
        }
        let possible = self.needs(kept.len()).iter().all(|&needed| kept[needed]);
        for keep in [true, false] {
            if !keep || possible {
                kept.push(keep);
                let go_on = self.subsets(kept, limit, found);
                kept.pop();
                go_on?;
            }
        }
        Some(())
    }

    /// What can be chosen once it is known which operations were kept.
    fn digits(&self, kept: &[bool], coarse: bool) -> Vec<Digit> {
        let visible = self.visible(kept);
        let mut digits = Vec::new();
        let mut folders = false;
        for (place, dirty) in self.dirty.iter().enumerate().filter(|(place, _)| visible[*place]) {
            if dirty.is_folder() {
                // Their times follow what was kept in them on every real disk; all old and all new is enough here,
                // the rest is for samples.
                if !folders {
                    digits.push(Digit { place, what: What::Folders, radix: 2 });
                }
                folders = true;
                continue;
            }
            digits.push(Digit { place, what: What::Size, radix: dirty.sizes(coarse) as u64 });
            for (block, &number) in dirty.blocks(coarse).iter().enumerate() {
                let radix = dirty.fates(number, coarse).len() as u64;
                digits.push(Digit { place, what: What::Block(block), radix });
            }
            // The change time goes with the others, or is new.
            for bit in &ALL_BITS[..4] {
                if dirty.meta & bit != 0 {
                    digits.push(Digit { place, what: What::Meta(*bit), radix: 2 });
                }
            }
        }
        digits
    }

    /// All that a kept operation needs is kept too; what needs a lost one is lost.
    fn without(&self, lost: usize) -> Vec<bool> {
        let mut kept: Vec<bool> = Vec::with_capacity(self.unsynced_operations());
        for i in 0..self.unsynced_operations() {
            let keep = i != lost && self.needs(i).iter().all(|&needed| kept[needed]);
            kept.push(keep);
        }
        kept
    }

    fn only(&self, wanted: usize) -> Vec<bool> {
        let mut kept = vec![false; self.unsynced_operations()];
        kept[wanted] = true;
        for i in (0..=wanted).rev() {
            if kept[i] {
                self.needs(i).iter().for_each(|&needed| kept[needed] = true);
            }
        }
        kept
    }
}

struct Digit {
    place: usize,
    what: What,
    radix: u64,
}

enum What {
    Size,
    Block(usize),
    Meta(u8),
    Folders,
}

/// Where all blocks share a fate it matters little how large they are; pages are faster.
const COARSE: bool = true;

fn uniform(dirty: &Dirty, coarse: bool, fate: Fate) -> Choice {
    Choice { size: dirty.new.len(), coarse, fates: vec![fate; dirty.blocks(coarse).len()], meta: 0xff }
}

fn new(dirty: &Dirty) -> Choice {
    uniform(dirty, COARSE, Fate::New)
}

fn old(dirty: &Dirty) -> Choice {
    Choice { size: dirty.old.len(), meta: 0, ..uniform(dirty, COARSE, Fate::Old) }
}

struct Walk<'a, 'f> {
    point: &'a CrashPoint,
    seed: u64,
    states: u64,
    f: Visit<'f>,
}

impl Walk<'_, '_> {
    fn visit(&mut self, kept: Vec<bool>, choices: Vec<Choice>) -> ControlFlow<()> {
        let state = CrashState { point: self.point, number: self.states, seed: self.seed, kept, choices };
        self.states += 1;
        (self.f)(&state)
    }

    fn each(&self, choice: impl Fn(&Dirty) -> Choice) -> Vec<Choice> {
        self.point.dirty.iter().map(choice).collect()
    }

    /// By sector if those states are few; else by page if at least those are; else every set of names with a few
    /// sorts of content. Whatever is less than everything is filled up with extremes and samples.
    fn visit_all(
        &mut self,
        subsets: Option<&[Vec<bool>]>,
        few_by_sector: bool,
        few_by_page: bool,
        samples: u64,
    ) -> ControlFlow<()> {
        for kept in subsets.into_iter().flatten() {
            if few_by_sector || few_by_page {
                self.all_of(kept, !few_by_sector)?;
            } else {
                self.visit(kept.clone(), self.each(new))?;
                self.visit(kept.clone(), self.each(old))?;
            }
        }
        if few_by_sector {
            return ControlFlow::Continue(());
        }
        self.extremes()?;
        self.samples(samples)
    }

    /// Everything that can have become of the content, given the names.
    fn all_of(&mut self, kept: &[bool], coarse: bool) -> ControlFlow<()> {
        let digits = self.point.digits(kept, coarse);
        let mut count = vec![0; digits.len()];
        loop {
            let mut choices = self.each(|dirty| uniform(dirty, coarse, Fate::New));
            for (digit, &n) in digits.iter().zip(&count) {
                let (choice, dirty) = (&mut choices[digit.place], &self.point.dirty[digit.place]);
                match digit.what {
                    What::Size => choice.size = dirty.size(n as usize, choice.coarse),
                    What::Block(block) => {
                        let number = dirty.blocks(choice.coarse)[block];
                        choice.fates[block] = dirty.fates(number, choice.coarse)[n as usize];
                    }
                    What::Meta(bit) if n == 1 => choice.meta &= !bit,
                    What::Folders if n == 1 => {
                        for (choice, dirty) in choices.iter_mut().zip(&self.point.dirty) {
                            if dirty.is_folder() {
                                choice.meta = 0;
                            }
                        }
                    }
                    What::Meta(_) | What::Folders => {}
                }
            }
            self.visit(kept.to_vec(), choices)?;
            let Some(next) = (0..count.len()).find(|&i| count[i] + 1 < digits[i].radix) else {
                return ControlFlow::Continue(());
            };
            count[..next].fill(0);
            count[next] += 1;
        }
    }

    fn extremes(&mut self) -> ControlFlow<()> {
        let n = self.point.unsynced_operations();
        let (none, every) = (vec![false; n], vec![true; n]);
        self.visit(every.clone(), self.each(new))?;
        self.visit(none.clone(), self.each(old))?;
        self.visit(none, self.each(new))?;
        self.visit(every.clone(), self.each(old))?;
        for fate in [Fate::Zero, Fate::Garbage, Fate::Torn] {
            self.visit(every.clone(), self.each(|dirty| uniform(dirty, COARSE, fate)))?;
        }
        for i in 0..n {
            self.visit(self.point.without(i), self.each(new))?;
            self.visit(self.point.only(i), self.each(new))?;
            self.visit(self.point.only(i), self.each(old))?;
            // A disk that keeps one order: everything up to here, with and without its content.
            let so_far: Vec<bool> = (0..n).map(|j| j <= i).collect();
            self.visit(so_far.clone(), self.each(new))?;
            self.visit(so_far, self.each(|dirty| uniform(dirty, COARSE, Fate::Zero)))?;
        }
        (0..self.point.dirty.len()).try_for_each(|place| self.one_inode(&every, place))
    }

    /// One inode varied by itself, everything else new.
    fn one_inode(&mut self, every: &[bool], place: usize) -> ControlFlow<()> {
        let point = self.point;
        let dirty = &point.dirty[place];
        let with = |walk: &mut Self, choice: Choice| {
            let mut choices = walk.each(new);
            choices[place] = choice;
            walk.visit(every.to_vec(), choices)
        };
        with(self, old(dirty))?;
        for bit in ALL_BITS.into_iter().filter(|bit| dirty.meta & bit != 0) {
            with(self, Choice { meta: !bit, ..new(dirty) })?;
            with(self, Choice { meta: bit, ..new(dirty) })?;
        }
        for coarse in [false, true] {
            let blocks = dirty.blocks(coarse);
            let whole = uniform(dirty, coarse, Fate::New);
            for n in spread(dirty.sizes(coarse)).filter(|&n| n > 0) {
                with(self, Choice { size: dirty.size(n, coarse), ..whole.clone() })?;
            }
            for block in spread(blocks.len()) {
                for &fate in &dirty.fates(blocks[block], coarse)[1..] {
                    let mut choice = whole.clone();
                    choice.fates[block] = fate;
                    with(self, choice)?;
                }
            }
        }
        ControlFlow::Continue(())
    }

    fn samples(&mut self, samples: u64) -> ControlFlow<()> {
        let mut random = fastrand::Rng::with_seed(self.seed);
        for _ in 0..samples {
            let keep = *random.choice(&[0.05, 0.5, 0.9]).unwrap_or(&0.5);
            let mut kept: Vec<bool> = Vec::with_capacity(self.point.unsynced_operations());
            for i in 0..self.point.unsynced_operations() {
                let possible = self.point.needs(i).iter().all(|&needed| kept[needed]);
                kept.push(possible && random.f64() < keep);
            }
            let mut choices = Vec::with_capacity(self.point.dirty.len());
            for dirty in &self.point.dirty {
                choices.push(random_choice(dirty, &mut random));
            }
            self.visit(kept, choices)?;
        }
        ControlFlow::Continue(())
    }
}

fn random_choice(dirty: &Dirty, random: &mut fastrand::Rng) -> Choice {
    match random.u8(..8) {
        0 => return old(dirty),
        1 | 2 => return new(dirty),
        _ => {}
    }
    let coarse = random.bool();
    let size = dirty.size(random.usize(..dirty.sizes(coarse)), coarse);
    // Mostly one sort of damage in a file, as one cause gives; sometimes a mix.
    let usual = ALL_FATES[random.usize(..5)];
    let mixed = random.bool();
    let fates = dirty
        .blocks(coarse)
        .iter()
        .map(|_| if mixed { ALL_FATES[random.usize(..5)] } else { usual })
        .collect();
    Choice { size, coarse, fates, meta: random.u8(..) }
}

/// At most [`BLOCKS_VARIED`] numbers below `n`: the first and last ones.
fn spread(n: usize) -> impl Iterator<Item = usize> {
    let half = BLOCKS_VARIED / 2;
    (0..n).filter(move |&i| i < half || i + half >= n)
}
