//! Pictures of the window's main states, light and dark, compared with those that are kept.
//!
//! `UPDATE_SNAPSHOTS=force` makes them anew.

#![cfg(unix)] // The pictures show paths.
#![allow(clippy::unwrap_used)]

mod common;

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use common::Bench;
use egui::{Theme, vec2};
use egui_kittest::{SnapshotOptions, SnapshotResults};
use fcs_engine::Control;
use fcs_engine::compare::Side;
use fcs_engine::plan::Direction;
use fcs_engine::progress::Phase;
use fcs_view::app::{Busy, Sheet};
use fcs_view::log::Level;
use fcs_view::running::Kind;

/// Pixels that may differ: rounding.
const ALIKE: usize = 20;
/// The same where digits are not the same each time: free room, seconds, the time of a run.
const DIGITS: usize = 900;

fn picture(bench: &mut Bench, all: &mut SnapshotResults, name: &str) {
    picture_within(ALIKE, bench, all, name);
}

fn picture_within(pixels: usize, bench: &mut Bench, all: &mut SnapshotResults, name: &str) {
    bench.h.run();
    let options = SnapshotOptions::new().max_failed_pixels(pixels);
    bench.h.snapshot_options(name, &options);
    all.extend_harness(&mut bench.h);
}

fn photos(size: egui::Vec2, theme: Theme) -> Bench {
    let bench = Bench::for_picture(size, theme);
    let (l, r) = ("Photos", "Backup of Photos");
    for (name, left, right) in [
        ("2024/01 Winter/IMG_0412.jpg", Some((2_400_000, 10)), Some((2_400_000, 10))),
        ("2024/01 Winter/IMG_0413.jpg", Some((2_150_123, 11)), None),
        ("2024/01 Winter/notes.txt", Some((1_734, 40)), Some((1_520, 22))),
        ("2024/01 Winter/panorama.tif", Some((5_120_000, 12)), Some((5_120_000, 12))),
        ("2024/07 Lake/clip.mp4", Some((3_700_000, 200)), None),
        ("2024/07 Lake/IMG_0977.jpg", Some((1_990_000, 201)), Some((1_990_000, 201))),
        ("2024/07 Lake/IMG_0978.jpg", Some((2_010_000, 201)), Some((2_010_000, 205))),
        ("Albums/family.json", Some((48_211, 300)), Some((47_102, 280))),
        ("Albums/old export.zip", None, Some((1_048_576, 5))),
        ("Albums/résumé of the year.docx", Some((94_208, 310)), Some((94_208, 310))),
        ("index.html", Some((12_800, 330)), Some((12_800, 330))),
        ("thumbnails.db", None, Some((655_360, 3))),
    ] {
        for (root, item) in [(l, left), (r, right)] {
            if let Some((size, days)) = item {
                bench.write(&format!("{root}/{name}"), size, days);
            }
        }
    }
    for folder in ["2024/01 Winter", "2024/07 Lake", "2024", "Albums", ""] {
        bench.date(&format!("{l}/{folder}"), 400);
        bench.date(&format!("{r}/{folder}"), 400);
    }
    bench
}

fn compared(size: egui::Vec2, theme: Theme) -> Bench {
    let mut bench = photos(size, theme);
    bench.app_mut().compare();
    bench.idle();
    bench.app_mut().loaded_mut().unwrap().model.open_all();
    bench.app_mut().log.clear();
    bench.h.run();
    bench
}

const DARK: (Theme, &str) = (Theme::Dark, "dark");
const LIGHT: (Theme, &str) = (Theme::Light, "light");
const THEMES: [(Theme, &str); 2] = [DARK, LIGHT];
const USUAL: egui::Vec2 = vec2(1200.0, 700.0);

/// Draws one state in one theme.
fn one(name: &str, (theme, word): (Theme, &str), state: impl Fn(&mut Bench)) {
    let mut all = SnapshotResults::new();
    let mut bench = compared(USUAL, theme);
    state(&mut bench);
    picture_within(DIGITS, &mut bench, &mut all, &format!("{name}_{word}"));
}

/// Draws one state in both themes.
fn both(name: &str, pixels: usize, state: impl Fn(&mut Bench)) {
    let mut all = SnapshotResults::new();
    for (theme, word) in THEMES {
        let mut bench = compared(USUAL, theme);
        state(&mut bench);
        picture_within(pixels, &mut bench, &mut all, &format!("{name}_{word}"));
    }
}

fn plan(bench: &mut Bench) {
    bench.app_mut().tick_all(Side::Left);
    bench.app_mut().copy(Direction::LeftToRight);
    bench.until("a plan", |app| matches!(&app.sheet, Some(Sheet::Confirm(c)) if c.proposed.is_some()));
}

fn copied(bench: &mut Bench) {
    plan(bench);
    bench.app_mut().go(false);
    bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
    bench.idle();
}

#[test]
fn main_window() {
    both("main", ALIKE, |bench| {
        bench.app_mut().tick_all(Side::Left);
        bench.app_mut().said = None;
    });
}

#[test]
fn confirmation() {
    both("confirm", DIGITS, plan);
}

#[test]
fn progress() {
    both("progress", ALIKE, |bench| {
        let control = Control::default();
        let p = &control.progress;
        p.enter(Phase::Copy);
        for (counter, value) in
            [(&p.steps_total, 1_480), (&p.copy_bytes_total, 9 << 30), (&p.verify_bytes_total, 9 << 30)]
        {
            counter.store(value, Relaxed);
        }
        let began = bench.h.input().time;
        bench.app_mut().busy =
            Some(Busy::new(Kind::Run, control.clone(), Duration::from_secs_f64(began.unwrap_or(0.0))));
        for step in 1..600_u64 {
            let wave = 40 + (step / 60 % 5) * 12;
            p.copy_bytes_done.fetch_add(wave << 17, Relaxed);
            p.verify_bytes_done.fetch_add(wave << 16, Relaxed);
            p.steps_done.store(step, Relaxed);
            bench.h.step();
        }
    });
}

#[test]
fn result() {
    both("result", DIGITS, copied);
}

#[test]
fn failures() {
    one("failures", DARK, |bench| {
        plan(bench);
        bench.write("Photos/2024/01 Winter/notes.txt", 1_800, 41);
        bench.write("Photos/Albums/family.json", 48_300, 301);
        bench.app_mut().go(false);
        bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
        bench.idle();
    });
}

#[test]
fn dry_run() {
    one("dry_run", LIGHT, |bench| {
        plan(bench);
        bench.app_mut().go(true);
        bench.until("a result", |app| matches!(app.sheet, Some(Sheet::Ended(_))));
        bench.idle();
    });
}

#[test]
fn orphans() {
    both("orphans", ALIKE, |bench| {
        bench.h.state_mut().orphans.shown.created = Some(false);
        bench.app_mut().delete_orphans(Side::Right);
        bench.until("a look", |app| matches!(&app.sheet, Some(Sheet::Orphans(o)) if o.access.is_some()));
    });
}

#[test]
fn history() {
    one("history", DARK, |bench| {
        copied(bench);
        bench.app_mut().show_history();
        bench.until("the runs", |app| matches!(app.sheet, Some(Sheet::History(Some(_)))));
    });
}

#[test]
fn settings() {
    both("settings", ALIKE, |bench| {
        bench.app_mut().show_settings();
        bench.app_mut().edit_setting("direct_max_bytes", "1GiB");
        bench.app_mut().edit_setting("network_chunk_bytes", "1");
    });
}

#[test]
fn log_keys_and_questions() {
    let mut all = SnapshotResults::new();
    for (theme, word) in THEMES {
        let mut bench = compared(USUAL, theme);
        let dark = theme == Theme::Dark;
        for (level, text) in [
            (Level::Done, "Compared in 0.02 s: 17 items, 10 the same."),
            (Level::Warning, "The left volume stores times in steps of 2 s."),
            (Level::Error, "Could not read a.txt: permission denied."),
        ] {
            bench.app_mut().log.add(fcs_sys::Time::EPOCH, level, text);
        }
        bench.app_mut().show_log();
        if !dark {
            picture(&mut bench, &mut all, &format!("log_{word}"));
        }
        bench.app_mut().sheet = Some(Sheet::Help);
        if dark {
            picture(&mut bench, &mut all, &format!("keys_{word}"));
        }
        bench.app_mut().sheet = Some(Sheet::Stop { closing: false, stood: false });
        if !dark {
            picture(&mut bench, &mut all, &format!("stop_{word}"));
        }
        bench.app_mut().sheet = None;
        bench.h.run();
        bench.click("What counts");
        if dark {
            picture(&mut bench, &mut all, &format!("options_{word}"));
        }
        bench.h.key_press(egui::Key::Escape);
        bench.h.run();
        bench.click("Menu");
        if !dark {
            picture(&mut bench, &mut all, &format!("menu_{word}"));
        }
    }
}

#[test]
fn empty_failed_and_interrupted() {
    let mut all = SnapshotResults::new();
    for (theme, word) in THEMES {
        let mut bench = Bench::for_picture(USUAL, theme);
        picture(&mut bench, &mut all, &format!("empty_{word}"));
        bench.app_mut().set_folder_text(Side::Right, "/nowhere/at all".to_owned());
        bench.app_mut().compare();
        bench.idle();
        if theme == Theme::Dark {
            picture(&mut bench, &mut all, &format!("failed_{word}"));
        }
    }
}

#[test]
fn narrow_and_double() {
    let mut all = SnapshotResults::new();
    let mut bench = compared(vec2(800.0, 600.0), Theme::Light);
    bench.app_mut().tick_all(Side::Left);
    bench.app_mut().said = None;
    picture(&mut bench, &mut all, "narrow_light");
    plan(&mut bench);
    picture_within(DIGITS, &mut bench, &mut all, "narrow_confirm_light");
    bench.app_mut().close_sheet();
    bench.app_mut().show_settings();
    picture(&mut bench, &mut all, "narrow_settings_light");
    bench.app_mut().close_sheet();
    bench.h.state_mut().orphans.shown.created = Some(false);
    bench.app_mut().delete_orphans(Side::Right);
    bench.until("a look", |app| matches!(&app.sheet, Some(Sheet::Orphans(o)) if o.access.is_some()));
    picture(&mut bench, &mut all, "narrow_orphans_light");
    drop(bench);
    // The size is one of pixels: half as many points.
    let mut bench = compared(vec2(1480.0, 960.0), Theme::Dark);
    bench.h.set_pixels_per_point(2.0);
    bench.app_mut().tick_all(Side::Left);
    bench.app_mut().said = None;
    picture(&mut bench, &mut all, "double_dark");
}
