//! What is found when the power comes back: the disk after a cut is mounted, looked at, recovered and undone.
//!
//! Invariant: a disk that the file system itself refuses, or finds damaged, is counted apart; everything else that is
//! wrong is a fault of the program. A disk is mounted from a file of its own that is gone afterwards.

use std::fs;
use std::path::{Path, PathBuf};

use fcs_testkit::unmount;
use rustix::fs::StatVfsMountFlags;
use tempfile::TempDir;

use super::disk::Disk;
use super::film::{self, Film, Mounted};
use super::record::mount;
use crate::both::{self, Both, Stage};
use crate::judge::{self, Deviation, States, When};
use crate::program::{Program, Ran, Side, Subject, Verb};
use crate::supervise::{Kill, ProcessEnd};

/// Where disks are mounted, one after the other.
pub(super) struct Socket {
    on: Mounted,
    subject: Subject,
    dir: TempDir,
}

/// What is asked of one disk.
pub(super) struct Question<'a> {
    pub(super) film: &'a Film,
    pub(super) states: States,
    /// The last command that had begun.
    pub(super) verb: Verb,
    /// Whether the last command had said that it was done.
    pub(super) done: bool,
    /// Whether the disk may hold what no disk should: then damage is no surprise.
    pub(super) garbage: bool,
    /// Whether the file system may refuse the disk for a block of its own.
    pub(super) may_not_mount: bool,
    pub(super) undo: bool,
    /// Of which side of a pair whose changes go both ways recovery and undo are asked.
    pub(super) from: Side,
}

/// What came of one disk: names of columns of the table, and texts for a person.
#[derive(Debug, Default)]
pub(super) struct Finding {
    pub(super) columns: Vec<&'static str>,
    pub(super) faults: Vec<String>,
    /// What each command said that was run on it.
    story: Vec<String>,
}

impl Finding {
    fn count(&mut self, column: &'static str) {
        if !self.columns.contains(&column) {
            self.columns.push(column);
        }
    }

    /// Of a command that said it was `done` whatever is not there is lost.
    fn deviates(&mut self, how: Deviation, done: bool, text: String) {
        match how {
            Deviation::FolderTime => self.count("folder times"),
            Deviation::Stray => self.fault("strays", text),
            _ if done => self.fault("lost", format!("{text} (it was reported done)")),
            Deviation::Torn | Deviation::Missing => self.fault("torn", text),
            Deviation::Attributes => self.fault("attributes", text),
        }
    }

    fn fault(&mut self, column: &'static str, text: String) {
        self.count(column);
        self.faults.push(text);
    }
}

impl Socket {
    pub(super) fn new(on: Mounted, subject: Subject) -> Result<Self, String> {
        let dir = tempfile::Builder::new().prefix("fcs-replay-").tempdir_in("/dev/shm");
        let dir = dir.map_err(|error| error.to_string())?;
        fs::create_dir(dir.path().join("mnt")).map_err(|error| error.to_string())?;
        Ok(Self { on, subject, dir })
    }

    fn image(&self) -> PathBuf {
        self.dir.path().join("disk.img")
    }

    /// Where disks are mounted.
    pub(super) fn mount_point(&self) -> PathBuf {
        self.dir.path().join("mnt")
    }

    /// Mounts `disk` and examines it. An error is one of the torture itself.
    pub(super) fn examine(
        &self,
        disk: &Disk,
        program: &Program,
        question: &Question<'_>,
    ) -> Result<Finding, String> {
        disk.store(&self.image()).map_err(|error| judge::said("store", &self.image(), &error))?;
        let mut finding = Finding::default();
        finding.count("images");
        let options = [self.on.options, "loop"].into_iter().filter(|option| !option.is_empty());
        let options = options.collect::<Vec<_>>().join(",");
        if let Err(error) = mount(self.on.kind.name(), &options, &self.image(), &self.mount_point()) {
            if !question.may_not_mount {
                finding.faults.push(format!("does not mount: {error}"));
            }
            finding.count("unmountable");
        } else {
            let judged = self.judge(program, question, &mut finding);
            // A file system that found damage says so by refusing reads or writes, and all else follows from that.
            let damaged = self.damaged() || judged.is_err();
            unmount(&self.mount_point())?;
            if damaged {
                let faults = std::mem::take(&mut finding.faults);
                finding.columns = vec!["images", "damaged"];
                if !question.garbage {
                    finding.faults = faults;
                    finding.faults.push(format!("the file system is damaged: {:?}", judged.err()));
                }
            }
        }
        fs::remove_file(self.image()).map_err(|error| judge::said("remove", &self.image(), &error))?;
        Ok(finding)
    }

    fn damaged(&self) -> bool {
        rustix::fs::statvfs(self.mount_point()).is_ok_and(|fs| fs.f_flag.contains(StatVfsMountFlags::RDONLY))
    }

    /// An error means that the file system could not be read.
    fn judge(&self, program: &Program, question: &Question<'_>, finding: &mut Finding) -> Result<(), String> {
        finding.count("mounted");
        if let Some(both) = &question.film.both {
            return self.judge_both(both, program, question, finding);
        }
        let [left, right] = ["left", "right"].map(|side| self.mount_point().join(side));
        let source = judge::unequal(&question.film.left, &judge::look(&left)?);
        if !source.is_empty() {
            finding.fault("source", format!("the source changed: {}", source.join("; ")));
        }
        let fcs = self.subject == Subject::Fcs;
        let when = if fcs { When::Crashed } else { When::Recovered };
        Self::judge_names(question, &right, when, finding)?;
        if program.has(Verb::Recover) {
            self.ask(program, Verb::Recover, finding)?;
            Self::judge_names(question, &right, When::Recovered, finding)?;
        }
        if question.undo && program.has(Verb::Undo) {
            self.undo(program, question, &right, finding)?;
        }
        Ok(())
    }

    /// Of a pair whose changes went both ways: no version is lost, both sides are recovered from one, and then the next run, or
    /// an undo and the run after it, has the memory that lies on the same disk.
    fn judge_both(
        &self,
        both: &Both,
        program: &Program,
        question: &Question<'_>,
        finding: &mut Finding,
    ) -> Result<(), String> {
        finding.count("both ways");
        let folder = self.mount_point();
        let stage = match question.verb {
            Verb::TwoWay if question.done => Stage::Merged,
            _ if question.done => Stage::Edited,
            _ => Stage::Between,
        };
        let look = |after: &str, when, finding: &mut Finding| {
            let now = both::look(&folder)?;
            for wrong in both.judge(&now, when, stage) {
                finding.deviates(wrong.how, question.done, format!("{after}: {wrong}"));
            }
            both.lost(&folder)?
                .into_iter()
                .for_each(|what| finding.fault("lost", format!("{after}: {what}")));
            Ok::<_, String>(())
        };
        look("after the cut", When::Crashed, finding)?;
        self.ask(program, Verb::RecoverAt(question.from), finding)?;
        // Where the journal of one side alone is not over, only that side knows that there is something to do.
        self.ask(program, Verb::RecoverAt(question.from.other()), finding)?;
        look("recovered", When::Recovered, finding)?;
        // Whoever opens a memory writes to its first block. Where that may be garbage, the memory is refused, and the rules of a
        // first run hold.
        let mut afresh = question.verb != Verb::TwoWay || question.garbage;
        if question.undo {
            finding.count("undone");
            let undo = Verb::UndoAt(question.from);
            // When nothing was done there is nothing to undo, and it says so.
            if both::look(&folder)? == both.edited {
                self.run(program, undo, finding)?;
            } else {
                self.ask(program, undo, finding)?;
                afresh = true;
            }
            let wrong = both.not_undone(&both::look(&folder)?);
            if !wrong.is_empty() {
                finding.fault("undo failed", format!("undone, but:\n  {}", wrong.join("\n  ")));
            }
        }
        self.ask(program, Verb::TwoWay, finding)?;
        let wrong = both.unsettled(&both::look(&folder)?, afresh);
        if !wrong.is_empty() {
            let story = finding.story.join("\n  ");
            finding.fault("unsettled", format!("after the next run:\n  {}\n  {story}", wrong.join("\n  ")));
        }
        both.lost(&folder)?
            .into_iter()
            .for_each(|what| finding.fault("lost", format!("after the next run: {what}")));
        Ok(())
    }

    fn run(&self, program: &Program, verb: Verb, finding: &mut Finding) -> Result<Ran, String> {
        let folder = self.mount_point();
        let [left, right] = both::roots(&folder);
        let words = program.words(verb, &left, &right);
        let ran = program.run_keeping(&words, Kill::Never, &film::state(&folder))?;
        finding.story.push(format!("{verb} ended with {:?}: {}", ran.end, ran.said.trim_end()));
        Ok(ran)
    }

    fn ask(&self, program: &Program, verb: Verb, finding: &mut Finding) -> Result<(), String> {
        let ran = self.run(program, verb, finding)?;
        if ran.end != ProcessEnd::Code(0) {
            finding.fault("failed", format!("{verb} ended with {:?}: {}", ran.end, ran.said.trim_end()));
        }
        Ok(())
    }

    fn judge_names(
        question: &Question<'_>,
        right: &Path,
        when: When,
        finding: &mut Finding,
    ) -> Result<(), String> {
        for wrong in question.states.judge(&judge::look(right)?, when) {
            let after = if when == When::Crashed { "after the cut" } else { "recovered" };
            finding.deviates(wrong.how, question.done, format!("{after}: {wrong}"));
        }
        Ok(())
    }

    /// Whatever had been reached: the way back leads to where it all began.
    fn undo(
        &self,
        program: &Program,
        question: &Question<'_>,
        right: &Path,
        finding: &mut Finding,
    ) -> Result<(), String> {
        finding.count("undone");
        let start = &question.film.right;
        // When nothing was done, or it was rolled back, there is nothing to undo, and it says so.
        if judge::look(right)? == *start {
            self.run(program, Verb::Undo, finding)?;
        } else {
            self.ask(program, Verb::Undo, finding)?;
        }
        let unequal = judge::unequal(start, &judge::look(right)?);
        if !unequal.is_empty() {
            finding.fault("undo failed", format!("undone, but:\n  {}", unequal.join("\n  ")));
        }
        Ok(())
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        // Only after an error in between; its own mount point, and the loop device goes with it.
        if rustix::fs::stat(self.mount_point()).is_ok_and(|mounted| {
            rustix::fs::stat(self.dir.path()).is_ok_and(|outside| mounted.st_dev != outside.st_dev)
        }) && let Err(error) = unmount(&self.mount_point())
        {
            eprintln!("left behind: {error}");
        }
    }
}
