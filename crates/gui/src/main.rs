//! `fcs-gui [LEFT RIGHT]`: the window.
//!
//! Invariant: the window opens wherever one of the renderers works; if none does, the reason is shown, not swallowed.

#![cfg_attr(not(debug_assertions), windows_subsystem = "windows")]

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use eframe::{CreationContext, NativeOptions, Renderer};
use egui::{Context, ViewportBuilder, ViewportCommand};
use fcs_app::settings_file::{self, SettingsFile};
use fcs_engine::compare::Side;
use fcs_engine::error::display_path;
use fcs_gui::desktop::System;
use fcs_gui::window::Window;
use fcs_gui::{app_icon, theme};
use fcs_gui_model::app::{App, Start};
use fcs_gui_model::keep::Remembered;
use jiff::tz::TimeZone;

const HELP: &str = "\
The window of FolderCompareSync.

Usage: fcs-gui [LEFT RIGHT]

With two folders it compares them at once; without, it offers those used last.
Settings are those of fcs; FCS_CONFIG names another settings file.
";

/// How often the window draws while work is in progress.
const PACE: Duration = Duration::from_millis(100);
/// The same where drawing itself is work (no graphics card), or nobody looks.
const SLOW_PACE: Duration = Duration::from_millis(400);
/// A frame that takes longer than this makes the pace slow, in seconds.
const SLOW_FRAME: f32 = 0.012;

fn main() -> ExitCode {
    let args: Vec<PathBuf> = std::env::args_os().skip(1).map(PathBuf::from).collect();
    let words: Vec<&str> = args.iter().filter_map(|arg| arg.to_str()).collect();
    let folders = match words.as_slice() {
        ["--help" | "-h"] => {
            print!("{HELP}");
            return ExitCode::SUCCESS;
        }
        ["--version" | "-V"] => {
            println!("fcs-gui {}", env!("CARGO_PKG_VERSION"));
            return ExitCode::SUCCESS;
        }
        _ => match <[PathBuf; 2]>::try_from(args) {
            Ok(folders) => Some(folders),
            Err(none) if none.is_empty() => None,
            Err(_) => {
                eprint!("{HELP}");
                return ExitCode::from(2);
            }
        },
    };
    open(folders.as_ref())
}

/// How a window ended.
enum WindowEnd {
    Well,
    /// Nothing was ever seen of it.
    Unseen(String),
    /// It was in use.
    Broken(String),
}

/// Tries one renderer after the other: an OpenGL that is too old (remote desktops) or no Direct3D 12 must not mean no
/// window.
fn open(folders: Option<&[PathBuf; 2]>) -> ExitCode {
    let known = ["wgpu", "glow"].into_iter().filter_map(|name| name.parse::<Renderer>().ok());
    let mut reasons = Vec::new();
    for renderer in known {
        match attempt(renderer, folders) {
            WindowEnd::Well => return ExitCode::SUCCESS,
            WindowEnd::Unseen(reason) => {
                reasons.push(format!("{renderer}: {}", reason.trim_end_matches('.')));
            }
            WindowEnd::Broken(reason) => {
                tell(&format!(
                    "Could not go on with the window: {reason}. If files were being copied, that run is interrupted. \
                     Open the window again: it offers to recover the run."
                ));
                return ExitCode::FAILURE;
            }
        }
    }
    tell(&format!(
        "Could not open a window: {}. Nothing was changed. The command line program fcs does the same work.",
        reasons.join("; ")
    ));
    ExitCode::FAILURE
}

/// Renderers panic as well as they return errors. Before the first frame is on the screen there is nothing to lose.
fn attempt(renderer: Renderer, folders: Option<&[PathBuf; 2]>) -> WindowEnd {
    let seen = Arc::new(AtomicBool::new(false));
    let reason = match catch_unwind(AssertUnwindSafe(|| run(renderer, folders, &seen))) {
        Ok(Ok(())) => return WindowEnd::Well,
        Ok(Err(error)) => error.to_string(),
        Err(panic) => words(panic.as_ref()).to_owned(),
    };
    if seen.load(Ordering::Relaxed) { WindowEnd::Broken(reason) } else { WindowEnd::Unseen(reason) }
}

fn words(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("a fault without words")
}

/// Where there is a terminal, and in a dialog: on Windows nobody sees the former.
fn tell(text: &str) {
    eprintln!("{text}");
    rfd::MessageDialog::new().set_title("FolderCompareSync").set_description(text).show();
}

fn run(renderer: Renderer, folders: Option<&[PathBuf; 2]>, seen: &Arc<AtomicBool>) -> eframe::Result {
    let kept_path = settings_file::path().ok().map(|path| path.with_file_name("window.toml"));
    let kept = kept_path.as_deref().and_then(|path| std::fs::read_to_string(path).ok());
    let kept = kept.and_then(|text| Remembered::read(&text).ok()).unwrap_or_default();
    let size = kept.size.unwrap_or([1280.0, 800.0]);
    let viewport = ViewportBuilder::default()
        .with_title("FolderCompareSync")
        .with_app_id("fcs-gui")
        .with_icon(app_icon::largest())
        .with_inner_size(size)
        .with_min_inner_size([360.0, 240.0])
        .with_maximized(kept.maximized)
        .with_drag_and_drop(true);
    let options = NativeOptions { viewport, renderer, run_and_return: true, ..NativeOptions::default() };
    let (folders, seen) = (folders.cloned(), Arc::clone(seen));
    let create = move |context: &CreationContext<'_>| {
        let shell = Shell::new(&context.egui_ctx, kept, kept_path, folders, seen);
        Ok(Box::new(shell) as Box<dyn eframe::App>)
    };
    eframe::run_native("FolderCompareSync", options, Box::new(create))
}

/// What the system's window runs.
struct Shell {
    window: Window,
    drawn: bool,
    /// Set once a frame is on the screen.
    seen: Arc<AtomicBool>,
    began: Instant,
    title: String,
}

impl Shell {
    fn new(
        ctx: &Context,
        kept: Remembered,
        kept_path: Option<PathBuf>,
        folders: Option<[PathBuf; 2]>,
        seen: Arc<AtomicBool>,
    ) -> Self {
        theme::install(ctx);
        if let Some(zoom) = kept.zoom {
            ctx.set_zoom_factor(zoom);
        }
        let wake = ctx.clone();
        let settings = settings_file::path().and_then(SettingsFile::read);
        let mut app = App::new(Start {
            settings,
            kept,
            kept_path,
            logs: fcs_app::run_log::folder(),
            memories: fcs_app::pairs::folder(),
            home: std::env::home_dir().filter(|home| home.is_absolute()),
            zone: TimeZone::system(),
            desktop: Arc::new(System),
            wake: Arc::new(move || wake.request_repaint()),
        });
        // Many files are open at once while a batch is copied.
        if let Some([left, right]) = folders {
            // They are remembered, and the next window may begin elsewhere.
            let [left, right] = [left, right].map(|path| std::path::absolute(&path).unwrap_or(path));
            app.set_folder(Side::Left, left);
            app.set_folder(Side::Right, right);
            app.compare();
        } else {
            app.look_for_unfinished();
        }
        Self { window: Window::new(app), drawn: false, seen, began: Instant::now(), title: String::new() }
    }

    fn set_title(&mut self, ctx: &Context) {
        let app = &self.window.app;
        let title = match app.loaded() {
            Some(loaded) => {
                let name = |side| {
                    let path = &loaded.folders.root(side).path;
                    path.file_name().map_or_else(|| display_path(path), |name| display_path(name.as_ref()))
                };
                format!("{} ↔ {} – FolderCompareSync", name(Side::Left), name(Side::Right))
            }
            None => "FolderCompareSync".to_owned(),
        };
        if title != self.title {
            ctx.send_viewport_cmd(ViewportCommand::Title(title.clone()));
            self.title = title;
        }
    }
}

impl eframe::App for Shell {
    fn ui(&mut self, ui: &mut egui::Ui, frame: &mut eframe::Frame) {
        let ctx = ui.ctx().clone();
        if self.drawn {
            self.seen.store(true, Ordering::Relaxed);
        }
        self.drawn = true;
        self.window.ui(ui, self.began.elapsed());
        self.set_title(&ctx);
        if ctx.input(|i| i.viewport().close_requested()) && !self.window.app.should_close() {
            self.window.app.ask_to_stop(true);
            if !self.window.app.should_close() {
                ctx.send_viewport_cmd(ViewportCommand::CancelClose);
            }
        } else if self.window.app.should_close() {
            ctx.send_viewport_cmd(ViewportCommand::Close);
        }
        if self.window.app.busy.is_some() {
            let dear = frame.info().cpu_usage.is_some_and(|seconds| seconds > SLOW_FRAME);
            let watched = ctx.input(|i| i.viewport().focused.unwrap_or(true));
            ctx.request_repaint_after(if dear || !watched { SLOW_PACE } else { PACE });
        }
    }

    fn on_exit(&mut self, _gl: Option<&eframe::glow::Context>) {
        self.window.app.finish();
    }
}
