//! What is done at each place, and what must come of it.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fcs_testkit::bin::{Fcs, Run};
use fcs_testkit::listing::{Kind, Listing, Options, diff, listing};
use fcs_testkit::{Call, Medium, PLAIN_USER, Skip, Vice, Volume, as_plain_user, give_to_plain_user};
use serde_json::Value;

use crate::places::{self, Keeps, MountedPlace};
use crate::trees;

/// Exit codes that mean that all was done that can be.
const DONE: [i32; 1] = [0];
/// … where something could not be kept, and that was said.
const DONE_WITH_NOTES: [i32; 2] = [0, 3];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum User {
    Root,
    Plain,
}

/// One place, one user, and all that went wrong there.
pub struct Trial {
    pub keeps: Keeps,
    user: User,
    fcs: Fcs,
    /// Where LEFT lies: in memory, with all that a file can have.
    lefts: Volume,
    pub place: MountedPlace,
    /// Codes with which a run may end that did all it could.
    fine: &'static [i32],
    wrong: Vec<String>,
    step: String,
}

impl Trial {
    pub fn new(place: MountedPlace, keeps: Keeps, user: User) -> Result<Self, Skip> {
        let exe = env!("CARGO_BIN_EXE_fcs");
        let fcs = match user {
            User::Root => Fcs::new(exe),
            User::Plain => Fcs::of_plain_user(exe)?,
        };
        let lefts = Volume::new(Medium::Tmpfs)?;
        let plain = keeps.links && keeps.modes && keeps.attributes && keeps.times_of_links && keeps.owners;
        let lossless = plain && keeps.step == 1 && keeps.from == i64::MIN && keeps.until == i64::MAX;
        let fine: &'static [i32] = if lossless { &DONE } else { &DONE_WITH_NOTES };
        Ok(Self { keeps, user, fcs, lefts, place, fine, wrong: Vec::new(), step: String::new() })
    }

    /// Two empty folders of the user's.
    pub fn pair(&self, name: &str) -> (PathBuf, PathBuf) {
        let [left, right] = [self.lefts.path(), self.place.path()].map(|base| base.join(name));
        fs::create_dir(&left).unwrap();
        if self.user == User::Plain {
            give_to_plain_user(&left).unwrap();
            // Where nobody owns anything, all may do all.
            if !self.keeps.owners {
                self.made(|| fs::create_dir(&right).unwrap());
                return (left, right);
            }
        }
        fs::create_dir(&right).unwrap();
        if self.user == User::Plain {
            give_to_plain_user(&right).unwrap();
        }
        (left, right)
    }

    /// What the user does.
    fn made(&self, make: impl FnOnce() + Send) {
        match self.user {
            User::Root => make(),
            User::Plain => as_plain_user(make).unwrap(),
        }
    }

    pub fn step(&mut self, step: &str) {
        step.clone_into(&mut self.step);
    }

    pub fn wrong(&mut self, what: impl std::fmt::Display) {
        self.wrong.push(format!("{}: {what}", self.step));
    }

    /// The program on both folders or one.
    pub fn run(&self, args: &[&str], folders: &[&Path]) -> Run {
        let mut command = self.command(args, folders);
        command.output().unwrap().into()
    }

    fn command(&self, args: &[&str], folders: &[&Path]) -> Command {
        let mut command = self.fcs.command();
        command.args(args).arg("--").args(folders);
        command
    }

    /// Runs it and minds the code.
    pub fn expect(&mut self, codes: &[i32], args: &[&str], folders: &[&Path]) -> Run {
        let run = self.run(args, folders);
        if !codes.contains(&run.code) {
            self.wrong(format_args!("`{}` ended otherwise than with {codes:?}: {run}", args.join(" ")));
        }
        run
    }

    /// A run that finds nothing to do, does nothing, and says so with 0.
    pub fn expect_nothing(&mut self, command: &str, left: &Path, right: &Path) {
        let before = self.seen(right);
        let run = self.run(&[command, "-y", "--json"], &[left, right]);
        // Where a link cannot be, its folder is looked after again each time, and stays as it is.
        let idle = |line: &str| !self.keeps.links && line.contains("\"folder-times\"");
        let done = run.stdout.lines().filter(|line| is_item(line) && !idle(line));
        let done: Vec<String> = done.map(str::to_owned).collect();
        if run.code != 0 || !done.is_empty() {
            self.wrong(format_args!(
                "a second {command} is not empty: {} {}\n{}",
                run.code,
                done.join("\n"),
                run.stderr
            ));
        }
        self.expect_same(&before, right);
    }

    /// Everything in RIGHT, by a judge of its own.
    #[allow(clippy::unused_self)] // It reads as the others do.
    pub fn seen(&self, right: &Path) -> Listing {
        listing(right, &Options::default()).unwrap()
    }

    /// RIGHT is what it was, to the last detail.
    pub fn expect_same(&mut self, before: &Listing, right: &Path) {
        let differ = diff(before, &self.seen(right));
        if !differ.is_empty() {
            self.wrong(format_args!("RIGHT is not what it was:\n  {}", differ.join("\n  ")));
        }
        self.expect_tidy(right);
    }

    /// Nothing of a run lies about outside `.fcs`.
    pub fn expect_tidy(&mut self, right: &Path) {
        let stray = |path: &&PathBuf| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".fcs-"))
        };
        let strays: Vec<_> =
            self.seen(right).keys().filter(stray).map(|path| path.display().to_string()).collect();
        if !strays.is_empty() {
            self.wrong(format_args!("left lying about: {}", strays.join(", ")));
        }
    }

    /// RIGHT has all that LEFT has, as far as the place can keep it; and, when `exactly`, nothing else.
    pub fn expect_copied(&mut self, left: &Path, right: &Path, exactly: bool) {
        let (mut wanted, mut got) = (self.seen(left), self.seen(right));
        let keeps = self.keeps;
        wanted.retain(|_, item| keeps.links || item.kind != Kind::Symlink);
        if !exactly {
            got.retain(|path, _| wanted.contains_key(path));
        }
        for (path, item) in &mut wanted {
            let time = item.mtime.filter(|_| keeps.times_of_links || item.kind != Kind::Symlink);
            let kept = time.filter(|(seconds, _)| (keeps.from..=keeps.until).contains(seconds));
            item.mtime = kept.map(|time| cut(time, keeps.step));
            if let Some(other) = got.get_mut(path)
                && item.mtime.is_none()
            {
                other.mtime = None;
            }
        }
        for item in wanted.values_mut().chain(got.values_mut()) {
            if !keeps.modes {
                item.mode = 0;
            }
            if !keeps.owners || self.user == User::Plain {
                (item.uid, item.gid) = (0, 0);
            }
            if !keeps.attributes {
                item.xattrs.clear();
            }
        }
        let differ = diff(&wanted, &got);
        if !differ.is_empty() {
            self.wrong(format_args!("RIGHT is not as LEFT:\n  {}", differ.join("\n  ")));
        }
        self.expect_tidy(right);
    }

    pub fn remount(&mut self) {
        if let Err(error) = self.place.remount() {
            self.wrong(format_args!("something is still open: {error}"));
        }
    }

    /// Copy, again, update, sync, kinds, and back, step by step.
    pub fn main_story(&mut self) {
        let (left, right) = self.pair("story");
        let (left, right) = (&*left, &*right);
        let both = [left, right];
        let fine = self.fine;
        self.made(|| trees::first(left, true));

        self.step("copy");
        self.expect(fine, &["copy", "-y"], &both);
        self.expect_copied(left, right, true);
        self.step("second run");
        self.expect_nothing("copy", left, right);
        self.remount();
        self.step("second run after a remount");
        self.expect_nothing("sync", left, right);

        self.step("update");
        let before = self.seen(right);
        self.made(|| trees::second(left, true));
        self.expect(fine, &["copy", "-y"], &both);
        self.expect_copied(left, right, true);
        self.step("second run after the update");
        self.expect_nothing("copy", left, right);
        self.step("undo of the update after a remount");
        self.remount();
        self.expect(&DONE, &["undo", "-y"], &[right]);
        self.expect_same(&before, right);

        self.step("sync with removals");
        self.expect(fine, &["copy", "-y"], &both);
        let before = self.seen(right);
        self.made(|| trees::third(left));
        self.expect(fine, &["sync", "-y"], &both);
        self.expect_copied(left, right, true);
        self.step("second sync");
        self.expect_nothing("sync", left, right);
        self.step("undo of the sync");
        self.expect(&DONE, &["undo", "-y"], &[right]);
        self.expect_same(&before, right);
    }

    /// File, folder and link stand in each other's place.
    pub fn kinds(&mut self) {
        let (left, right) = self.pair("kinds");
        let (left, right) = (&*left, &*right);
        let both = [left, right];
        let (fine, links) = (self.fine, self.keeps.links);
        self.step("before a kind change");
        self.made(|| trees::first(left, links));
        self.expect(fine, &["sync", "-y"], &both);
        let before = self.seen(right);
        self.step("kind change");
        self.made(|| trees::fourth(left, links));
        self.expect(fine, &["sync", "-y"], &both);
        self.expect_copied(left, right, true);
        self.step("second sync after a kind change");
        self.expect_nothing("sync", left, right);
        self.step("undo of a kind change");
        self.expect(&DONE, &["undo", "-y"], &[right]);
        self.expect_same(&before, right);
    }

    /// Killed after `items` were reported, and recovered: with `rollback` as before, else each file old or new.
    pub fn killed(&mut self, items: usize, rollback: bool) {
        self.step(&format!("killed after {items} items, {}", if rollback { "rolled back" } else { "kept" }));
        let (left, right) = self.pair(&format!("kill-{items}-{rollback}"));
        let (left, right) = (&*left, &*right);
        self.made(|| trees::many(left, right, 150));
        let (before, after) = (self.seen(right), self.seen(left));
        if !self.kill_after(items, left, right) {
            return;
        }
        let how: &[&str] = if rollback { &["recover", "-y", "--rollback"] } else { &["recover", "-y"] };
        self.expect(&DONE, how, &[right]);
        let now = self.seen(right);
        if rollback {
            self.expect_same(&before, right);
        } else {
            self.expect_tidy(right);
            for (path, item) in &now {
                let content = |all: &Listing| all.get(path).map(|item| item.content.clone());
                let known = [content(&before), content(&after)].contains(&Some(item.content.clone()));
                if item.kind == Kind::File && !known {
                    self.wrong(format_args!("{} is neither old nor new", path.display()));
                }
            }
            let lost = before.keys().filter(|path| !now.contains_key(*path));
            for path in lost.cloned().collect::<Vec<_>>() {
                self.wrong(format_args!("{} is lost", path.display()));
            }
        }
        self.expect(self.fine, &["copy", "-y"], &[left, right]);
        self.expect_copied(left, right, true);
        self.expect_nothing("copy", left, right);
    }

    /// Whether the kill came in time, or that was noted as wrong.
    fn kill_after(&mut self, items: usize, left: &Path, right: &Path) -> bool {
        let args =
            ["copy", "-y", "--json", "--jobs", "1", "--set", "batch_max_files=10", "--max-change", "100000"];
        let mut command = self.command(&args, &[left, right]);
        let (mut out, theirs) = std::io::pipe().unwrap();
        // The program stands still when nobody reads on. A pipe that holds a few items sees to it that the end does not
        // come before the kill.
        rustix::pipe::fcntl_setpipe_size(&out, 4096).unwrap();
        let mut child = command.stdout(theirs).stderr(Stdio::null()).spawn().unwrap();
        // It holds the other end of the pipe too.
        drop(command);
        let (mut seen, mut buffer) = (Vec::new(), [0; 256]);
        while String::from_utf8_lossy(&seen).lines().filter(|line| is_item(line)).count() < items {
            let n = out.read(&mut buffer).unwrap();
            if n == 0 {
                let _ = child.wait();
                self.wrong(format_args!("ended before the kill: {}", String::from_utf8_lossy(&seen)));
                return false;
            }
            seen.extend_from_slice(&buffer[..n]);
        }
        child.kill().unwrap();
        let _ = child.wait().unwrap();
        true
    }

    /// The place as the source: all that is seen there arrives, again and again, and however its numbers change.
    pub fn as_source(&mut self) {
        let (right, left) = self.pair("source");
        let (left, right) = (&*left, &*right);
        let both = [left, right];
        let keeps_of_place = std::mem::replace(&mut self.keeps, places::EVERYTHING);
        self.made(|| trees::first(left, keeps_of_place.links));
        // exfat-fuse shows a date beyond its range as it was given, until it is mounted anew.
        self.remount();
        self.step("copy from there");
        self.expect(&DONE, &["copy", "-y"], &both);
        self.expect_copied(left, right, true);
        self.step("second run from there after a remount");
        self.remount();
        self.expect_nothing("sync", left, right);
        self.step("update from there");
        self.made(|| trees::second(left, keeps_of_place.links));
        self.made(|| trees::third(left));
        self.expect(&DONE, &["sync", "-y"], &both);
        self.expect_copied(left, right, true);
        self.expect_nothing("sync", left, right);
        self.keeps = keeps_of_place;
    }

    /// The place as the source, with a file of this `name`: whether its copy is whole, or it was said why there is none.
    pub fn odd_source(&mut self, name: &str, judge: impl Fn(&[u8], &[u8]) -> bool) {
        self.step(&format!("copy from there with {name}"));
        let (right, left) = self.pair("odd");
        let (left, right) = (&*left, &*right);
        self.made(|| {
            trees::write(&left.join("other"), 1, 5000, 1_600_000_000);
            trees::write(&left.join(name), 2, 50_000, 1_600_000_000);
        });
        let run = self.run(&["copy", "-y"], &[left, right]);
        let source = fs::read(left.join(name)).unwrap();
        match fs::read(right.join(name)) {
            Ok(copy) if !judge(&source, &copy) => {
                self.wrong(format_args!("{} bytes of {}: {run}", copy.len(), source.len()));
            }
            Ok(_) if ![0, 3].contains(&run.code) => self.wrong(format_args!("copied, and yet: {run}")),
            Err(_) if ![3, 4].contains(&run.code) || !run.to_string().contains(name) => {
                self.wrong(format_args!("not copied, and not named: {run}"));
            }
            _ => {}
        }
        if fs::read(left.join("other")).unwrap() != fs::read(right.join("other")).unwrap_or_default() {
            self.wrong(format_args!("the file beside it did not arrive: {run}"));
        }
        self.expect_tidy(right);
    }

    /// The place as the source, where `ghost` is listed and not found: its copy stays, what is truly gone goes or waits,
    /// and it is reported.
    pub fn ghost(&mut self, ghost: &str) {
        self.step("sync from there with a name that is not found");
        let (right, left) = self.pair("ghosts");
        let (left, right) = (&*left, &*right);
        self.made(|| {
            for folder in [left, right] {
                trees::write(&folder.join("there"), 1, 500, 1_600_000_000);
            }
            trees::write(&right.join(ghost), 2, 500, 1_600_000_000);
            fs::rename(left.join("there"), left.join(ghost)).unwrap();
        });
        let before = fs::read(right.join(ghost)).unwrap();
        let run = self.run(&["sync", "-y"], &[left, right]);
        if run.code == 0 || !run.to_string().contains(ghost) {
            self.wrong(format_args!("nobody heard of it: {run}"));
        }
        if fs::read(right.join(ghost)).is_ok_and(|now| now == before) {
            return;
        }
        self.wrong(format_args!("the copy of what LEFT lists is gone: {run}"));
    }

    /// Where files cannot be kept: nothing is harmed, and it is reported.
    pub fn refused(&mut self) {
        let (left, right) = self.pair("refused");
        let (left, right) = (&*left, &*right);
        self.made(|| trees::many(left, right, 10));
        let before = self.seen(right);
        self.step("copy where nothing can be made durable");
        let run = self.run(&["copy", "-y"], &[left, right]);
        if ![4, 8].contains(&run.code) {
            self.wrong(format_args!("neither refused nor failed: {run}"));
        }
        self.expect_same(&before, right);
    }

    /// A vice that had no effect would show nothing.
    pub fn expect_fired(&mut self, vices: &[Vice]) {
        let MountedPlace::Wicked(wicked) = &self.place else { return };
        let idle = |vice: &&Vice| match vice {
            // A plain user gives nothing away, and a program may replace files without such a rename.
            Vice::Refuses(Call::Chown | Call::Replace, _) => false,
            vice => wicked.fired(vice) == 0,
        };
        let idle: Vec<_> = vices.iter().filter(idle).collect();
        if !idle.is_empty() {
            self.step("at the end");
            self.wrong(format_args!("without effect: {idle:?}"));
        }
    }

    /// All of it for one place.
    pub fn all(&mut self) {
        if self.keeps.files {
            self.main_story();
            self.as_source();
            let kills: &[_] = match self.user {
                User::Root => &[(1, true), (40, false), (120, true)],
                User::Plain => &[(40, false)],
            };
            for &(items, rollback) in kills {
                self.killed(items, rollback);
            }
        } else {
            self.refused();
        }
    }

    /// All that went wrong, a line or more each.
    pub fn end(self, name: &str) -> Vec<String> {
        let user = if self.user == User::Plain { format!(" as user {PLAIN_USER}") } else { String::new() };
        self.wrong.into_iter().map(|what| format!("on {name}{user}, {what}")).collect()
    }
}

/// Whether something was done, or tried.
fn is_item(line: &str) -> bool {
    let event = serde_json::from_str::<Value>(line).unwrap_or_default();
    event["event"] == "item" && event["outcome"]["kind"] != "skipped"
}

/// A time as one in steps of so many nanoseconds keeps it.
fn cut((seconds, nanos): (i64, i64), step: i64) -> (i64, i64) {
    if step < 1_000_000_000 {
        return (seconds, nanos - nanos % step);
    }
    (seconds - seconds.rem_euclid(step / 1_000_000_000), 0)
}
