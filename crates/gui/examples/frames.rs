//! What a frame of the table costs the processor on a million rows: layout, reactions, the accessibility tree and
//! tessellation, without a graphics card. Makes two folder trees below the folder given (best one in memory), scans and
//! compares them, opens all folders, and scrolls. Prints one table of milliseconds per frame.
//!
//! `cargo run --release -p fcs-gui --example frames -- [rows] [folder]`

use std::error::Error;
use std::sync::Arc;
use std::time::Instant;

use egui::{Context, RawInput, Rect, Vec2, ViewportId, ViewportInfo, pos2, vec2};
use fcs_gui::table::{Look, Table};
use fcs_gui::theme;
use fcs_gui_model::Model;
use jiff::tz::TimeZone;

#[path = "../../gui-model/examples/synthetic/mod.rs"]
mod synthetic;

/// Frames that are measured; before them the caches of text fill.
const FRAMES: usize = 600;
const WARM: usize = 30;

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let rows = arguments.next().and_then(|n| n.to_str()?.parse().ok()).unwrap_or(1_000_000);
    let base = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    let scratch = tempfile::tempdir_in(base)?;
    synthetic::make(scratch.path(), rows)?;
    let mut model = Model::new(Arc::new(synthetic::observe(scratch.path())?));
    model.open_all();
    println!("{} rows; milliseconds of processor time per frame", model.rows().visible().len());
    println!("{:34} {:>7} {:>7} {:>7} {:>7}", "", "p50", "p95", "p99", "max");
    for (size, scale) in [(vec2(1600.0, 950.0), 1.0), (vec2(2560.0, 1400.0), 1.5)] {
        for accesskit in [false, true] {
            for (what, step) in [("scroll", 137.0), ("jump", 50_000.0)] {
                let times = frames(&mut model, size, scale, accesskit, step);
                let [half, most, nearly, max] = times;
                let reader = if accesskit { " with screen reader" } else { "" };
                let label = format!("{what} {}x{}{reader}", size.x * scale, size.y * scale);
                println!("{label:34} {half:7.2} {most:7.2} {nearly:7.2} {max:7.2}");
            }
        }
    }
    Ok(())
}

/// p50, p95, p99 and the longest.
fn frames(model: &mut Model, size: Vec2, scale: f32, accesskit: bool, step: f64) -> [f64; 4] {
    let ctx = Context::default();
    theme::install(&ctx);
    if accesskit {
        ctx.enable_accesskit();
    }
    let mut table = Table::default();
    let look = Look { zone: &TimeZone::UTC, decimals: 2, access: None, rows_tick: true };
    let mut times = Vec::with_capacity(FRAMES);
    for frame in 0..WARM + FRAMES {
        table.scroll = 1_000.0 + frame as f64 * step;
        let viewport = ViewportInfo { native_pixels_per_point: Some(scale), ..Default::default() };
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), size)),
            time: Some(frame as f64 / 60.0),
            viewports: std::iter::once((ViewportId::ROOT, viewport)).collect(),
            ..Default::default()
        };
        let begun = Instant::now();
        let mut output = ctx.run_ui(input, |ui| _ = table.ui(ui, model, &look));
        let shapes = std::mem::take(&mut output.shapes);
        let meshes = ctx.tessellate(shapes, output.pixels_per_point);
        let time = begun.elapsed().as_secs_f64() * 1000.0;
        std::hint::black_box(&meshes);
        output.textures_delta.clear();
        if frame >= WARM {
            times.push(time);
        }
    }
    times.sort_by(f64::total_cmp);
    [FRAMES / 2, FRAMES * 95 / 100, FRAMES * 99 / 100, FRAMES - 1].map(|at| times[at])
}
