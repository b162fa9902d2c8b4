//! How fast the view model is on a million rows: makes two folder trees below the folder given (best one in memory),
//! scans and compares them, and prints what each action takes.
//!
//! `cargo run --release -p fcs-view --example million -- /dev/shm [rows]`

use std::error::Error;
use std::fs::{self, File, FileTimes};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant, UNIX_EPOCH};

use fcs_engine::compare::{Comparison, Side, compare};
use fcs_engine::scan::scan_pair;
use fcs_engine::{Control, Settings};
use fcs_view::{Chips, Column, Filter, Model};
use jiff::tz::TimeZone;

type Outcome<T> = Result<T, Box<dyn Error>>;

const STEMS: [&str; 8] = ["report", "invoice", "IMG", "holiday", "résumé", "данные", "写真", "render"];
const ENDS: [&str; 5] = ["pdf", "jpg", "docx", "txt", "flac"];
/// Files in a folder.
const FILES: usize = 25;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args_os().skip(1);
    let base = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let rows = arguments.next().and_then(|n| n.to_str()?.parse().ok()).unwrap_or(1_000_000);
    let scratch = tempfile::tempdir_in(base)?;
    make(scratch.path(), rows)?;
    let comparison = Arc::new(observe(scratch.path())?);
    println!("{} rows, {} differences", comparison.rows.len(), comparison.summary.differences());
    measure(&comparison)
}

fn make(base: &Path, rows: usize) -> Outcome<()> {
    for folder in 0..rows / (FILES + 1) {
        let path = format!("Projects {:03}/Photos {:05}", folder / 200, folder);
        for file in 0..FILES {
            let n = folder * FILES + file;
            let name = format!("{}_{:05}.{}", STEMS[n % 8], n.wrapping_mul(7919) % 100_000, ENDS[n / 8 % 5]);
            // Of twenty files two differ and one each is missing.
            for (side, absent) in [("left", 3), ("right", 2)] {
                let folder = base.join(side).join(&path);
                if file == 0 {
                    fs::create_dir_all(&folder)?;
                }
                if n % 20 == absent {
                    continue;
                }
                let differs = n % 20 < 2 && side == "right";
                let made = File::create(folder.join(&name))?;
                made.set_len((n as u64).wrapping_mul(104_729) % 50_000_000 + u64::from(differs))?;
                let modified = UNIX_EPOCH + Duration::from_secs(1_700_000_000 + n as u64 * 31);
                made.set_times(FileTimes::new().set_modified(modified))?;
            }
        }
    }
    Ok(())
}

fn observe(base: &Path) -> Outcome<Comparison> {
    let (left, right) = (fcs_sys::open_root(&base.join("left"))?, fcs_sys::open_root(&base.join("right"))?);
    let settings = Settings::default();
    let control = Control::default();
    let trees = scan_pair(&left, &right, &fcs_engine::filter::Filter::default(), &settings, &control)?;
    Ok(compare((&left, Arc::new(trees.0)), (&right, Arc::new(trees.1)), &settings, &control)?)
}

fn measure(comparison: &Arc<Comparison>) -> Outcome<()> {
    let mut model = timed("build", || Model::new(Arc::clone(comparison)));
    timed("open all", || model.open_all());
    for text in [
        "9",
        "holiday_4",
        "写真",
        "*.jpg",
        "?m*9.*",
        "[a-h]*",
        "05/*.jpg",
        "ph/re",
        ">10MB",
        "<2024-01; *.txt",
        "nope",
    ] {
        let filter = timed(&format!("filter {text}"), || {
            let filter = Filter::new(text, Chips::ALL, &TimeZone::UTC)?;
            model.set_filter(&filter);
            Ok::<_, fcs_view::FilterError>(filter)
        })?;
        println!("{:>27} rows match", filter.matching(model.rows().index()).count());
    }
    timed("filter away", || model.set_filter(&Filter::default()));
    for column in [Column::Size(Side::Left), Column::Modified(Side::Right), Column::Status, Column::Name] {
        timed(&format!("sort by {column:?}"), || model.sort_by(column));
    }
    timed("tick the root", || model.toggle(Comparison::ROOT, Side::Left));
    timed("untick the root", || model.toggle(Comparison::ROOT, Side::Left));
    timed("select all differences", || model.tick_all_differences(Side::Right));
    let last = model.rows().visible()[model.rows().visible().len() - 1];
    timed("close one folder", || model.set_open(comparison.row(last).parent, false));
    timed("close all", || model.close_all());
    timed("next difference", || model.next_difference());
    model.set_cursor(Comparison::ROOT);
    println!("{:.1} bytes a row", model.bytes() as f64 / comparison.rows.len() as f64);
    Ok(())
}

fn timed<T>(what: &str, action: impl FnOnce() -> T) -> T {
    let begun = Instant::now();
    let result = action();
    println!("{what:24} {:8.1} ms", begun.elapsed().as_secs_f64() * 1000.0);
    result
}
