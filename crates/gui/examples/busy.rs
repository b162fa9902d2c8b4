//! What a frame of the whole window costs the processor while the engine works on other threads: everything that is
//! drawn, the accessibility tree and tessellation, without a graphics card. Makes folder trees below the folder given
//! (best one in memory), compares them, and then copies files as small as they come. Prints one table of milliseconds
//! per frame.
//!
//! `cargo run --release -p fcs-gui --example busy -- [items] [files] [folder]`

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use egui::{Context, RawInput, Rect, pos2, vec2};
use fcs_app::settings_file::SettingsFile;
use fcs_engine::compare::Side;
use fcs_gui::theme;
use fcs_gui::window::Window;
use fcs_gui_model::app::{App, Desktop, DialogAnswer, Sheet, Start, View};
use fcs_gui_model::keep::Remembered;
use jiff::tz::TimeZone;

#[allow(dead_code, reason = "what the other measurements use too")]
#[path = "../../gui-model/examples/synthetic/mod.rs"]
mod synthetic;

/// No frame may take longer, in milliseconds, or a pointer is seen to stutter.
const LIMIT: f64 = 33.0;
/// How long after a frame the next one begins: as a screen has it.
const PACE: Duration = Duration::from_millis(16);
/// Files in a folder that is copied.
const FILES: usize = 200;

struct Nobody;

impl Desktop for Nobody {
    fn pick_folder(&self, _title: &str, _start: Option<&Path>) -> DialogAnswer {
        DialogAnswer::Cancelled
    }
    fn pick_save(&self, _title: &str, _name: &str) -> DialogAnswer {
        DialogAnswer::Cancelled
    }
    fn pick_open(&self, _title: &str) -> DialogAnswer {
        DialogAnswer::Cancelled
    }
    fn open(&self, _path: &Path) -> Result<(), String> {
        Err("this example opens nothing".to_owned())
    }
    fn reveal(&self, _path: &Path) -> Result<(), String> {
        Err("this example opens nothing".to_owned())
    }
}

/// A window that draws for nobody.
struct Screen {
    ctx: Context,
    window: Window,
    began: Instant,
}

impl Screen {
    fn new(base: &Path) -> Self {
        let ctx = Context::default();
        theme::install(&ctx);
        ctx.enable_accesskit();
        let mut app = App::new(Start {
            settings: Ok(SettingsFile::empty(PathBuf::new())),
            kept: Remembered::default(),
            kept_path: None,
            logs: None,
            memories: None,
            home: None,
            zone: TimeZone::UTC,
            desktop: Arc::new(Nobody),
            wake: Arc::new(|| {}),
        });
        app.set_folder(Side::Left, base.join("left"));
        app.set_folder(Side::Right, base.join("right"));
        let mut screen = Self { ctx, window: Window::new(app), began: Instant::now() };
        // The caches of text fill.
        for _ in 0..30 {
            screen.frame();
        }
        screen
    }

    /// Draws one frame; the milliseconds it took.
    fn frame(&mut self) -> f64 {
        let now = self.began.elapsed();
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(pos2(0.0, 0.0), vec2(1600.0, 950.0))),
            time: Some(now.as_secs_f64()),
            ..Default::default()
        };
        let begun = Instant::now();
        let mut output = self.ctx.run_ui(input, |ui| self.window.ui(ui, now));
        let meshes = self.ctx.tessellate(std::mem::take(&mut output.shapes), output.pixels_per_point);
        let time = begun.elapsed().as_secs_f64() * 1000.0;
        std::hint::black_box(&meshes);
        output.textures_delta.clear();
        time
    }

    /// Draws until something is so, and prints what the frames cost.
    fn measure(&mut self, what: &str, is_so: impl Fn(&App) -> bool) {
        let begun = Instant::now();
        let mut times = Vec::new();
        loop {
            times.push(self.frame());
            if is_so(&self.window.app) {
                break;
            }
            // The pace of a screen, not a wait for anything.
            std::thread::sleep(PACE);
        }
        let took = begun.elapsed().as_secs_f64();
        times.sort_by(f64::total_cmp);
        let last = times.len() - 1;
        let [half, most, nearly, max] = [50, 95, 99, 100].map(|part| times[last * part / 100]);
        let verdict = if max < LIMIT { "" } else { "  too long" };
        println!(
            "{what:34} {took:7.1} {:7} {half:7.2} {most:7.2} {nearly:7.2} {max:7.2}{verdict}",
            times.len()
        );
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let mut number = |or| arguments.next().and_then(|n| n.to_str()?.parse().ok()).unwrap_or(or);
    let (items, files) = (number(200_000), number(20_000));
    let base = arguments.next().map_or_else(std::env::temp_dir, Into::into);
    println!("{:34} {:>7} {:>7} {:>7} {:>7} {:>7} {:>7}", "", "s", "frames", "p50", "p95", "p99", "max");

    let scratch = tempfile::tempdir_in(&base)?;
    synthetic::make(scratch.path(), items)?;
    let mut screen = Screen::new(scratch.path());
    screen.window.app.compare();
    screen.measure(&format!("compare {items} items"), |app| app.busy.is_none());
    if let View::Failed(trouble) = &screen.window.app.view {
        return Err(trouble.message.clone().into());
    }
    // With a table to draw and to replace.
    if let Some(loaded) = screen.window.app.loaded_mut() {
        loaded.model.open_all();
    }
    screen.window.app.compare();
    screen.measure(&format!("compare {items} items again"), |app| app.busy.is_none());
    screen.window.app.tick_all(Side::Left);
    screen.window.app.copy(Side::Right);
    screen.measure("plan to copy all differences", |app| app.busy.is_none());
    drop(screen);
    drop(scratch);

    let scratch = tempfile::tempdir_in(&base)?;
    fs::create_dir(scratch.path().join("right"))?;
    for n in 0..files {
        let folder = scratch.path().join(format!("left/{:03}", n / FILES));
        if n % FILES == 0 {
            fs::create_dir_all(&folder)?;
        }
        fs::write(folder.join(format!("{n:05}.txt")), vec![b'x'; 1 + n % 4096])?;
    }
    let mut screen = Screen::new(scratch.path());
    screen.window.app.compare();
    screen.measure(&format!("compare {files} files"), |app| app.busy.is_none());
    screen.window.app.tick_all(Side::Left);
    screen.window.app.copy(Side::Right);
    screen.measure("plan to copy them", |app| app.busy.is_none());
    screen.window.app.go(false);
    screen.measure("copy them and compare again", |app| app.busy.is_none());
    match &screen.window.app.sheet {
        Some(Sheet::Ended(ended)) => println!("{}", ended.headline),
        Some(Sheet::UserError(trouble)) => return Err(trouble.message.clone().into()),
        _ => return Err("no run".into()),
    }
    Ok(())
}
