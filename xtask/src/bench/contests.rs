//! The contests: who takes part, on what trees, and how fast fcs has to be.
//!
//! Invariant: what a contestant is said to prove is what its documentation promises of the copies when it has ended; a
//! program that reads back from a cache proves nothing of the device.

use std::path::PathBuf;

use super::arena::Arena;
use super::contest::{Contest, Contestant, Outcome, Reset, Target, Work};
use super::data::{self, Totals};
use super::{Bench, run, table};

/// Holds a contest; true if who is installed did the work and the targets are met.
type Hold = fn(&mut Bench) -> Result<bool, String>;

/// In the order in which they are held.
pub(super) const ALL: &[(&str, Hold)] = &[
    ("start", start),
    ("small", small),
    ("large", large),
    ("compare", compare),
    ("rerun", rerun),
    ("undo", undo),
    ("growth", growth),
];

const DURABLE: &str = "durable";
const CACHE: &str = "read back from the cache";
const DURABLE_CACHE: &str = "durable, read back from the cache";
const DURABLE_DEVICE: &str = "durable, read back from the device";
const OURS: &str = "durable, read back from the device, each file whole or absent";
const OURS_UNVERIFIED: &str = "durable, each file whole or absent";

const CP: Contestant = Contestant::new("cp -a", "cp", r#"cp -a "$S/." "$D/""#).proves("nothing");
const CP_SYNC: Contestant =
    Contestant::new("cp -a; sync", "cp", r#"cp -a "$S/." "$D/"; sync -f "$D""#).proves(DURABLE);
const CP_SYNC_DIFF: Contestant = Contestant::new(
    "cp -a; sync; diff -rq",
    "diff",
    r#"cp -a "$S/." "$D/"; sync -f "$D"; diff -rq "$S" "$D""#,
)
.proves(DURABLE_CACHE);
const FCP_SYNC: Contestant =
    Contestant::new("fcp; sync", "fcp", r#"fcp "$S"/* "$D/"; sync -f "$D""#).proves("durable, no dates");
const XCP_SYNC: Contestant =
    Contestant::new("xcp -r; sync", "xcp", r#"xcp -r "$S"/* "$D/"; sync -f "$D""#).proves(DURABLE);
const CPZ_SYNC: Contestant =
    Contestant::new("cpz; sync", "cpz", r#"cpz "$S"/* "$D/"; sync -f "$D""#).proves("durable, no dates");
const RSYNC: Contestant = Contestant::new("rsync -a", "rsync", r#"rsync -a "$S/" "$D/""#).proves("nothing");
const RSYNC_CHECK: Contestant =
    Contestant::new("rsync -a; rsync -anc", "rsync", r#"rsync -a "$S/" "$D/"; rsync -anc "$S/" "$D/""#)
        .proves(CACHE);
const RCLONE: Contestant = Contestant::new(
    "rclone copy; check --download",
    "rclone",
    r#"rclone copy "$S" "$D"; rclone check --download "$S" "$D""#,
)
.proves(CACHE);
const FCS: Contestant = Contestant::ours("fcs copy", r#""$FCS" copy "$S" "$D" -y -q"#).proves(OURS);
const FCS_UNVERIFIED: Contestant =
    Contestant::ours("fcs copy --verify none", r#""$FCS" copy "$S" "$D" -y -q --verify none"#)
        .proves(OURS_UNVERIFIED);
const FCS_STAGED: Contestant =
    Contestant::ours("fcs copy --strategy staged", r#""$FCS" copy "$S" "$D" -y -q --strategy staged"#)
        .proves(OURS);

const fn target(ours: &Contestant, reference: &Contestant, at_most: f64) -> Target {
    Target { ours: ours.name, reference: reference.name, at_most }
}

fn said(what: &'static str) -> impl Fn(std::io::Error) -> String {
    move |error| format!("Could not {what}: {error}")
}

impl Bench {
    /// Holds a contest and says how it went.
    fn hold(
        &mut self,
        title: String,
        work: Work,
        (source, target): (PathBuf, PathBuf),
        contestants: &[Contestant],
        goals: &[Target],
    ) -> Result<(Vec<Outcome>, bool), String> {
        println!("== {title}");
        let fcs = self.fcs.clone();
        let contest = Contest { title, work, source, target, fcs: &fcs, contestants, goals };
        let results = contest.play(self.args.rounds, self.args.cold)?;
        let ours = contestants.iter().find(|contestant| contestant.ours).map_or("", |ours| ours.name);
        let (text, good) = table::render(&contest.title, &results, ours, contest.goals);
        self.report.say(&text);
        Ok((results, good))
    }

    /// Says whether a figure that is no ratio of two contestants is small enough.
    fn judge(&mut self, what: &str, reached: Option<f64>, at_most: f64) -> bool {
        let met = reached.is_some_and(|reached| reached <= at_most);
        let reached = reached.map_or("no figure".to_owned(), |reached| format!("{reached:.2}"));
        let verdict = if met { "PASS" } else { "MISS" };
        self.report.say(&format!("target: {what} ≤ {at_most}: {reached}: {verdict}\n"));
        met
    }
}

/// Twenty starts, because one takes less than the clock of a shell can tell.
fn start(bench: &mut Bench) -> Result<bool, String> {
    const RSYNC_N: Contestant = Contestant::new(
        "rsync -an",
        "rsync",
        r#"for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do rsync -an "$S/" "$D/"; done"#,
    );
    const FCS_COMPARE: Contestant = Contestant::ours(
        "fcs compare",
        r#"for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20; do "$FCS" compare "$S" "$D" -q; done"#,
    );
    let arena = Arena::new(0, 0, &bench.args)?;
    let trees = (arena.path("source"), arena.path("target"));
    for folder in [&trees.0, &trees.1] {
        std::fs::create_dir(folder).map_err(said("make a folder"))?;
    }
    let title = "start: 20 times two empty folders".to_owned();
    let goals = [target(&FCS_COMPARE, &RSYNC_N, 0.5)];
    Ok(bench.hold(title, Work::Own(Reset::Stat), trees, &[RSYNC_N, FCS_COMPARE], &goals)?.1)
}

fn small(bench: &mut Bench) -> Result<bool, String> {
    let files = bench.args.files.unwrap_or(50_000);
    let arena = Arena::new(2 * room(files), 2 * files as u64, &bench.args)?;
    let source = arena.path("source");
    let totals = data::realistic(&source, files).map_err(said("make the small files"))?;
    let contestants = [
        CP,
        CP_SYNC,
        CP_SYNC_DIFF,
        FCP_SYNC,
        XCP_SYNC,
        CPZ_SYNC,
        RSYNC,
        RSYNC_CHECK,
        RCLONE,
        FCS,
        FCS_UNVERIFIED,
    ];
    let goals = [
        target(&FCS, &CP_SYNC, 0.8),
        target(&FCS, &RSYNC_CHECK, 0.6),
        target(&FCS, &RCLONE, 0.2),
        target(&FCS_UNVERIFIED, &CP_SYNC, 0.6),
        target(&FCS_UNVERIFIED, &XCP_SYNC, 1.0),
        target(&FCS_UNVERIFIED, &CPZ_SYNC, 1.2),
    ];
    let title = format!("small: copy {totals}");
    let trees = (source, arena.path("target"));
    Ok(bench.hold(title, Work::Copy(totals), trees, &contestants, &goals)?.1)
}

/// Bytes that so many files of [`data::realistic`] take.
fn room(files: usize) -> u64 {
    (data::mean_bytes() + 4096) * files as u64
}

fn large(bench: &mut Bench) -> Result<bool, String> {
    const CP: Contestant = Contestant::new("cp", "cp", r#"cp "$S/large" "$D/""#).proves("nothing");
    const CP_SYNC_CMP: Contestant = Contestant::new(
        "cp; sync; cmp",
        "cmp",
        r#"cp "$S/large" "$D/"; sync -f "$D"; cmp "$S/large" "$D/large""#,
    )
    .proves(DURABLE_CACHE);
    const CP_SYNC_EVICT_CMP: Contestant = Contestant::new(
        "cp; sync; evict; cmp",
        "cmp",
        r#"cp "$S/large" "$D/"; sync -f "$D"
           dd of="$D/large" oflag=nocache conv=notrunc count=0 status=none; cmp "$S/large" "$D/large""#,
    )
    .proves(DURABLE_DEVICE);
    const DEVICE: Contestant = Contestant::new(
        "dd past the cache: read, write, read",
        "dd",
        r#"dd if="$S/large" of="$D/large" bs=4M iflag=direct oflag=direct status=none; sync -f "$D"
           dd if="$D/large" of=/dev/null bs=4M iflag=direct status=none"#,
    )
    .proves("nothing; one pass after the other");
    let bytes = bench.args.mib.map_or(1_500_000_000, |mib| (mib as u64) << 20);
    let arena = Arena::new(2 * bytes, 10, &bench.args)?;
    let source = arena.path("source");
    let totals = data::large(&source, bytes).map_err(said("make the large file"))?;
    let contestants =
        [CP, CP_SYNC_CMP, CP_SYNC_EVICT_CMP, DEVICE, RSYNC, RSYNC_CHECK, RCLONE, FCS, FCS_STAGED];
    let mut goals = vec![target(&FCS, &CP_SYNC_EVICT_CMP, 0.6), target(&FCS_STAGED, &CP_SYNC_EVICT_CMP, 0.6)];
    if bench.args.real.is_some() && bench.args.cold {
        goals.extend([target(&FCS, &DEVICE, 1.15), target(&FCS_STAGED, &DEVICE, 1.15)]);
    }
    let title = format!("large: copy {totals}");
    let trees = (source, arena.path("target"));
    Ok(bench.hold(title, Work::Copy(totals), trees, &contestants, &goals)?.1)
}

fn compare(bench: &mut Bench) -> Result<bool, String> {
    let (metadata, content) = (compare_metadata(bench)?, compare_content(bench)?);
    Ok(compare_large(bench)? && metadata && content)
}

fn compare_metadata(bench: &mut Bench) -> Result<bool, String> {
    const FIND: Contestant =
        Contestant::new("find over both", "find", r#"find "$S" "$D" -printf '%s %T@\n' >/dev/null"#);
    const RSYNC_N: Contestant = Contestant::new("rsync -an", "rsync", r#"rsync -an "$S/" "$D/""#);
    const RCLONE_SIZE: Contestant =
        Contestant::new("rclone check --size-only", "rclone", r#"rclone check --size-only "$S" "$D""#)
            .probed();
    const FCS_COMPARE: Contestant =
        Contestant::ours("fcs compare", r#""$FCS" compare "$S" "$D" -q"#).probed();

    let files = bench.args.files.unwrap_or(500_000);
    let (arena, totals) = twins(bench, files)?;
    let title = format!("compare by metadata: two equal trees, each of {totals}");
    let work = Work::Compare { reset: Reset::Stat, probe: data::grow_a_file };
    let goals = [target(&FCS_COMPARE, &RSYNC_N, 0.35), target(&FCS_COMPARE, &FIND, 0.45)];
    let trees = (arena.path("source"), arena.path("target"));
    Ok(bench.hold(title, work, trees, &[FIND, RSYNC_N, RCLONE_SIZE, FCS_COMPARE], &goals)?.1)
}

/// Two equal trees of [`data::many`], `source` and `target`.
fn twins(bench: &Bench, files: usize) -> Result<(Arena, Totals), String> {
    // One file in five has content, and so a block of its own.
    let arena = Arena::new(2 * files as u64 / 5 * 4096, 2 * files as u64, &bench.args)?;
    let source = arena.path("source");
    let totals = data::many(&source, files).map_err(said("make the many files"))?;
    run::copy_tree(&source, &arena.path("target"))?;
    Ok((arena, totals))
}

const FCS_CONTENT: Contestant = Contestant::ours(
    "fcs compare --criteria existence,size,content",
    r#""$FCS" compare "$S" "$D" -q --criteria existence,size,content"#,
);

fn compare_content(bench: &mut Bench) -> Result<bool, String> {
    const DIFF: Contestant = Contestant::new("diff -rq", "diff", r#"diff -rq "$S" "$D""#).probed();
    const RSYNC_C: Contestant = Contestant::new("rsync -anc", "rsync", r#"rsync -anc "$S/" "$D/""#);

    let files = bench.args.files.unwrap_or(50_000);
    let arena = Arena::new(2 * room(files), 2 * files as u64, &bench.args)?;
    let trees = (arena.path("source"), arena.path("target"));
    let totals = data::realistic(&trees.0, files).map_err(said("make the small files"))?;
    run::copy_tree(&trees.0, &trees.1)?;
    let title = format!("compare by content: two equal trees, each of {totals}");
    let work = Work::Compare { reset: Reset::Read, probe: data::flip_a_byte };
    let goals = [target(&FCS_CONTENT, &DIFF, 0.6)];
    Ok(bench.hold(title, work, trees, &[DIFF, RSYNC_C, FCS_CONTENT.probed()], &goals)?.1)
}

/// Two large files, none of them in the cache.
fn compare_large(bench: &mut Bench) -> Result<bool, String> {
    const COLD: &str = r#"sync -f "$D"; echo 3 >/proc/sys/vm/drop_caches"#;
    const CMP: Contestant = Contestant::new("cmp", "cmp", r#"cmp "$S/large" "$D/large""#).between(COLD, "");
    const DEVICE: Contestant = Contestant::new(
        "dd past the cache: one, then the other",
        "dd",
        r#"for f in "$S/large" "$D/large"; do dd if="$f" of=/dev/null bs=4M iflag=direct status=none; done"#,
    )
    .between(COLD, "");
    const FCS_COLD: Contestant = FCS_CONTENT.between(COLD, "");
    let bytes = bench.args.mib.map_or(1_500_000_000, |mib| (mib as u64) << 20);
    let arena = Arena::new(2 * bytes, 10, &bench.args)?;
    let trees = (arena.path("source"), arena.path("target"));
    let totals = data::large(&trees.0, bytes).map_err(said("make the large file"))?;
    run::copy_tree(&trees.0, &trees.1)?;
    let title = format!("compare by content, cold: twice {totals}");
    let goals = [target(&FCS_COLD, &DEVICE, 1.1)];
    Ok(bench.hold(title, Work::Own(Reset::Nothing), trees, &[CMP, DEVICE, FCS_COLD], &goals)?.1)
}

/// A copy that has been made before, of whose files a hundred have changed.
fn rerun(bench: &mut Bench) -> Result<bool, String> {
    const BEFORE: &str = r#"rsync -a --delete --exclude=/.fcs "$S/" "$D/"
        find "$S" -name 'file-??[05]000.dat' | while read -r f; do echo changed >>"$f"; done"#;
    const AFTER: &str = r#"cd "$S"
        for f in $(find . -name 'file-??[05]000.dat'); do cmp "$f" "$D/$f"; done"#;
    const RSYNC_AGAIN: Contestant = RSYNC.between(BEFORE, AFTER);
    const FCS_AGAIN: Contestant = FCS.between(BEFORE, AFTER);
    let files = bench.args.files.unwrap_or(500_000);
    let (arena, totals) = twins(bench, files)?;
    let changes = files.div_ceil(5000).min(200);
    let title = format!("rerun: {changes} changes among {totals}");
    let goals = [target(&FCS_AGAIN, &RSYNC_AGAIN, 0.4)];
    let trees = (arena.path("source"), arena.path("target"));
    Ok(bench.hold(title, Work::Own(Reset::Stat), trees, &[RSYNC_AGAIN, FCS_AGAIN], &goals)?.1)
}

/// Files that replace others, and the way back.
fn undo(bench: &mut Bench) -> Result<bool, String> {
    const OLD: &str = r#"rm -rf "$D"; cp -a "$S.old" "$D""#;
    const REPLACED: &str = r#"diff -rq --exclude=.fcs "$S" "$D""#;
    const COPIED: &str =
        r#"rm -rf "$D"; cp -a "$S.old" "$D"; "$FCS" copy "$S" "$D" -y -q --max-change 999999999"#;
    const AS_BEFORE: &str = r#"diff -rq --exclude=.fcs "$S.old" "$D""#;
    const FCS_REPLACES: Contestant =
        Contestant::ours("fcs copy over others", r#""$FCS" copy "$S" "$D" -y -q --max-change 999999999"#)
            .proves(OURS)
            .between(OLD, REPLACED);
    const FCS_UNDO: Contestant = Contestant::ours("fcs undo", r#""$FCS" undo "$D" -y -q"#)
        .proves("durable, every original back")
        .between(COPIED, AS_BEFORE);
    const CP_REPLACES: Contestant = CP_SYNC.between(OLD, REPLACED);
    let files = bench.args.files.unwrap_or(50_000);
    let arena = Arena::new(4 * room(files), 4 * files as u64, &bench.args)?;
    let (old, source, target_) = (arena.path("source.old"), arena.path("source"), arena.path("target"));
    let totals = data::realistic(&old, files).map_err(said("make the small files"))?;
    run::copy_tree(&old, &source)?;
    data::replace_all(&source).map_err(said("change all files"))?;
    run::copy_tree(&old, &target_)?;
    let title = format!("undo: {totals}, each of which replaced another");
    let goals = [target(&FCS_UNDO, &FCS_REPLACES, 0.3)];
    let trees = (source, target_);
    let contestants = [FCS_REPLACES, FCS_UNDO, CP_REPLACES];
    Ok(bench.hold(title, Work::Own(Reset::Read), trees, &contestants, &goals)?.1)
}

/// Whether ten times the files take ten times as long and no more, and what a million take of memory.
fn growth(bench: &mut Bench) -> Result<bool, String> {
    const FCS_COMPARE: Contestant = Contestant::ours("fcs compare", r#""$FCS" compare "$S" "$D" -q"#);
    let most = bench.args.files.unwrap_or(1_000_000);
    let sizes = [most / 100, most / 10, most];
    let mut good = true;
    let mut per_file: Vec<[Option<f64>; 3]> = Vec::new();
    let mut memory = None;
    for files in sizes {
        let (arena, totals) = twins(bench, files)?;
        let trees = || (arena.path("source"), arena.path("target"));
        let title = format!("growth: compare two equal trees, each of {totals}");
        let work = Work::Own(Reset::Stat);
        let (compared, fine) = bench.hold(title, work, trees(), &[FCS_COMPARE], &[])?;
        good &= fine;
        let title = format!("growth: copy {totals}");
        let (copied, fine) = bench.hold(title, Work::Copy(totals), trees(), &[CP_SYNC, FCS], &[])?;
        good &= fine;
        let micros = |outcome: &Outcome| outcome.median(|s| Some(s.wall)).map(|s| s / files as f64 * 1e6);
        per_file.push([micros(&compared[0]), micros(&copied[1]), micros(&copied[0])]);
        memory = compared[0].median(|s| s.peak_mib).map(|mib| mib * f64::from(1 << 20) / files as f64 / 2.0);
    }
    let shown = |figure: &Option<f64>| figure.map_or("–".to_owned(), |figure| format!("{figure:.2}"));
    for (files, figures) in sizes.iter().zip(&per_file) {
        let [compare, copy, cp] = figures.each_ref().map(shown);
        let line = format!("{files} files: µs per file: compare {compare}, copy {copy}, cp -a; sync {cp}");
        bench.report.say(&line);
    }
    for (column, what) in ["compare", "copy"].into_iter().enumerate() {
        let grown = per_file.last().and_then(|last| last[column]).zip(per_file[0][column]);
        let what = format!("{what}: time per file at {} ÷ at {}", sizes[2], sizes[0]);
        good &= bench.judge(&what, grown.map(|(last, first)| last / first), 1.1);
    }
    good &= bench.judge("compare: bytes of memory per entry and side", memory, 110.0);
    Ok(good)
}
