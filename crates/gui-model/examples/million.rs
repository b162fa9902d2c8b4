//! How fast the view model is on a million rows: makes two folder trees below the folder given (best one in memory),
//! scans and compares them, and prints what each action takes.
//!
//! `cargo run --release -p fcs-gui-model --example million -- /dev/shm [rows]`

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use fcs_engine::compare::{Comparison, Side};
use fcs_gui_model::{Chips, Column, Filter, Model};
use jiff::tz::TimeZone;

mod synthetic;

type Outcome<T> = Result<T, Box<dyn Error>>;

fn main() -> Outcome<()> {
    let mut arguments = std::env::args_os().skip(1);
    let base = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let rows = arguments.next().and_then(|n| n.to_str()?.parse().ok()).unwrap_or(1_000_000);
    let scratch = tempfile::tempdir_in(base)?;
    synthetic::make(scratch.path(), rows)?;
    let comparison = Arc::new(synthetic::observe(scratch.path())?);
    println!("{} rows, {} differences", comparison.rows.len(), comparison.summary.differences());
    measure(&comparison)
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
            Ok::<_, fcs_gui_model::FilterError>(filter)
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
