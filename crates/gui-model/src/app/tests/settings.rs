//! Settings: kept, exported, imported, and a file that cannot be read or written.

use super::*;

#[test]
fn the_verify_mode_and_all_options_outlive_the_window() {
    let mut bench = Bench::new();
    bench.write("left/a.txt", b"a");
    bench.compare();
    bench.plan_copy(Side::Right);
    assert!(bench.proposed().facts.iter().any(|fact| fact.text.starts_with("every file")));
    bench.app.set_verify(Verify::Off);
    bench.until("a plan", |app| matches!(&app.sheet, Some(Sheet::Confirm(c)) if c.proposed.is_some()));
    assert!(bench.proposed().facts.iter().any(|fact| fact.name == "Verify" && fact.text == "nothing"));
    bench.app.close_sheet();
    assert!(!bench.app.is_outdated());
    bench.app.set_setting("compare_content", "blake3");
    assert!(bench.app.is_outdated(), "what counts is not what was compared");
    bench.app.set_setting("compare_content", "none");
    bench.app.kept.exclude = vec!["*.tmp".into()];
    assert!(bench.app.is_outdated(), "and so are the patterns");
    bench.compare();
    assert!(!bench.app.is_outdated());
    bench.app.set_setting("time_tolerance_nanos", "nonsense");
    assert!(bench.app.status_message.as_ref().is_some_and(|said| said.contains("nonsense")));
    bench.app.kept.theme = crate::keep::Theme::Dark;
    bench.app.finish();
    let file = SettingsFile::read(bench.path("home/settings.toml")).unwrap();
    assert_eq!(file.settings().verify, Verify::Off);
    let kept = Remembered::read(&fs::read_to_string(bench.path("home/window.toml")).unwrap()).unwrap();
    assert_eq!(kept.theme, crate::keep::Theme::Dark);
    assert_eq!(kept.left, bench.path("left").to_str().unwrap());
    assert_eq!(kept.pairs.len(), 1);
}

#[test]
fn a_setting_that_could_not_be_written_is_written_with_the_next_and_what_others_wrote_stays() {
    let mut bench = Bench::new();
    let path = bench.path("home/settings.toml");
    fs::write(&path, "verify = nonsense\n").unwrap();
    bench.app.set_verify(Verify::Off);
    let told = |app: &App| app.log.lines().iter().any(|line| line.text.contains("settings.toml"));
    bench.until("an error", told);
    assert_eq!(fs::read_to_string(&path).unwrap(), "verify = nonsense\n");
    fs::write(&path, "copy_workers = 3\n").unwrap();
    bench.app.set_setting("scan_workers", "5");
    bench.app.finish();
    let settings = SettingsFile::read(path).unwrap().settings();
    assert_eq!((settings.verify, settings.copy_workers, settings.scan_workers), (Verify::Off, 3, 5));
}

#[test]
fn a_broken_settings_file_is_told_and_never_overwritten() {
    let mut bench = Bench::with(|scratch| {
        fs::write(scratch.join("home/settings.toml"), "verify = nonsense\n").unwrap();
    });
    assert!(bench.app.log.lines().iter().any(|line| line.text.contains("settings.toml")));
    assert!(matches!(bench.app.sheet, Some(Sheet::UserError(_))), "seen before anything is done");
    bench.app.set_verify(Verify::Off);
    assert_eq!(bench.app.settings().verify, Verify::Off, "in force for now");
    bench.app.finish();
    assert_eq!(fs::read_to_string(bench.path("home/settings.toml")).unwrap(), "verify = nonsense\n");
}

#[test]
fn settings_are_exported_and_imported_and_a_bad_file_changes_nothing() {
    let mut bench = Bench::new();
    bench.app.show_settings();
    bench.app.edit_setting("batch_max_files", "77");
    assert_eq!(bench.app.settings().batch_max_files, 77);
    bench.app.edit_setting("batch_max_files", "0");
    assert_eq!(bench.app.settings().batch_max_files, 77);
    bench.answers.0.lock().unwrap().push(bench.path("home/mine.toml"));
    bench.app.export_settings();
    bench.until("an export", |app| app.status_message.is_some());
    bench.app.reset_setting(None);
    assert_eq!(bench.app.settings(), &Settings::default());
    bench.answers.0.lock().unwrap().push(bench.path("home/mine.toml"));
    bench.app.import_settings();
    bench.until("an import", |app| app.settings().batch_max_files == 77);
    let Some(Sheet::Settings(editor)) = &bench.app.sheet else { unreachable!() };
    assert!(editor.rows().any(|row| row.info.name == "batch_max_files" && row.text == "77" && row.changed));
    bench.write("home/bad.toml", b"batch_max_files = 5\nnonsense = 1\n");
    bench.answers.0.lock().unwrap().push(bench.path("home/bad.toml"));
    bench.app.import_settings();
    bench.until("a refusal", |app| matches!(app.sheet, Some(Sheet::UserError(_))));
    assert_eq!(bench.app.settings().batch_max_files, 77);
}
