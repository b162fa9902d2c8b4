//! What the options mean for the engine: settings for one run.
//!
//! Invariant: the nearer wish wins: defaults, then the settings file, then `--set`, then the options that name a
//! thing directly. Every value passes the range checks of the engine's table.

use fcs_app::settings_file::{self, refused};
use fcs_engine::Settings;
use fcs_engine::settings::{SettingError, Verify};

use crate::args::values::VerifyChoice;
use crate::args::{Applying, CompareOptions, Copying, Removing, Running, TimesCommon, Tuning};
use crate::failure::Failure;

/// Settings for a comparison.
pub(crate) fn for_compare(compare: &CompareOptions, tuning: &Tuning) -> Result<Settings, Failure> {
    let mut settings = settings_file::load()?;
    apply(&mut settings, compare, tuning).map_err(|e| refused(&e))?;
    Ok(settings)
}

/// Settings for a run.
pub(crate) fn for_run(
    compare: &CompareOptions,
    tuning: &Tuning,
    running: &Running,
    copying: &Copying,
) -> Result<Settings, Failure> {
    let mut settings = for_compare(compare, tuning)?;
    apply_run(&mut settings, running, copying).map_err(|e| refused(&e))?;
    Ok(settings)
}

/// Settings for what is done with dates alone.
pub(crate) fn for_times(common: &TimesCommon, applying: Option<&Applying>) -> Result<Settings, Failure> {
    let one_file_system = common.choosing.one_file_system;
    let compare = CompareOptions { one_file_system, ..CompareOptions::default() };
    let settings = for_compare(&compare, &common.tuning)?;
    let undo = applying.and_then(|applying| applying.undo).unwrap_or(settings.undo);
    Ok(Settings { undo, ..settings })
}

/// What the options say about removals, on top of the settings for a run.
pub(crate) fn for_removals(mut settings: Settings, removing: &Removing) -> Result<Settings, Failure> {
    if let Some(when) = &removing.remove_despite_failures {
        settings.set("remove_despite_failures", when).map_err(|e| refused(&e))?;
    }
    Ok(settings)
}

fn apply(settings: &mut Settings, compare: &CompareOptions, tuning: &Tuning) -> Result<(), SettingError> {
    for wish in &tuning.set {
        settings.set(&wish.name, &wish.value)?;
    }
    if let Some(jobs) = tuning.jobs {
        settings.set("scan_workers", &jobs.0.to_string())?;
        settings.set("copy_workers", &jobs.0.to_string())?;
    }
    if tuning.fetch_placeholders {
        settings.read_placeholders = true;
    }
    if let Some(criteria) = compare.criteria {
        settings.compare_size = criteria.size;
        settings.compare_created = criteria.created;
        settings.compare_modified = criteria.modified;
        settings.compare_content = criteria.content;
    }
    if let Some(tolerance) = compare.tolerance {
        settings.set("time_tolerance_nanos", &tolerance.0.to_string())?;
    }
    if let Some(hours) = compare.ignore_whole_hours {
        settings.set("ignore_whole_hours", &hours.to_string())?;
    }
    settings.one_file_system |= compare.one_file_system;
    Ok(())
}

fn apply_run(settings: &mut Settings, running: &Running, copying: &Copying) -> Result<(), SettingError> {
    match copying.verify {
        None => {}
        Some(VerifyChoice::Nothing) => settings.verify = Verify::Off,
        Some(VerifyChoice::All) => settings.verify = Verify::All,
        Some(VerifyChoice::BelowSetting) => settings.verify = Verify::Below,
        Some(VerifyChoice::Below(bytes)) => {
            settings.verify = Verify::Below;
            settings.set("verify_below_bytes", &bytes.to_string())?;
        }
    }
    if let Some(strategy) = &copying.strategy {
        settings.set("strategy", strategy)?;
    }
    if let Some(newer) = &copying.newer {
        settings.set("newer", newer)?;
    }
    settings.reflink |= copying.reflink;
    if let Some(undo) = running.undo {
        settings.undo = undo;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::Parser;
    use fcs_app::overview::criteria_in_words;
    use fcs_engine::settings::{ContentCheck, Undo};

    use super::*;
    use crate::args::{Cli, Command};

    fn copy(args: &[&str]) -> Result<Settings, SettingError> {
        let cli = Cli::try_parse_from(["fcs", "copy", "a", "b"].iter().chain(args)).unwrap();
        let Command::Copy(args) = cli.command else { panic!("not copy") };
        let mut settings = Settings::default();
        apply(&mut settings, &args.compare, &args.tuning)?;
        apply_run(&mut settings, &args.running, &args.copying)?;
        Ok(settings)
    }

    #[test]
    fn options_reach_the_settings_they_stand_for() {
        let s = copy(&[
            "--verify",
            "1MiB",
            "--strategy",
            "staged",
            "--reflink",
            "--fetch-placeholders",
            "--jobs",
            "3",
            "--tolerance",
            "2s",
            "--criteria",
            "size,sha512",
            "--set",
            "batch_max_files=7",
            "--undo",
            "days:30",
            "--ignore-whole-hours",
            "-x",
        ])
        .unwrap();
        assert_eq!((s.verify, s.verify_below_bytes), (Verify::Below, 1 << 20));
        assert_eq!((s.scan_workers, s.copy_workers, s.batch_max_files), (3, 3, 7));
        assert_eq!(
            (s.compare_content, s.compare_modified, s.compare_existence),
            (ContentCheck::Sha512, false, true)
        );
        assert_eq!((s.time_tolerance_nanos, s.reflink, s.read_placeholders), (2_000_000_000, true, true));
        assert_eq!(s.undo, Undo::Days(30));
        assert_eq!((s.ignore_whole_hours, s.one_file_system), (1, true));
        assert_eq!(criteria_in_words(&s, true), "existence, size, content (SHA-512)");
    }

    #[test]
    fn an_option_wins_over_set_whatever_the_order() {
        assert_eq!(copy(&["--verify", "all", "--set", "verify=none"]).unwrap().verify, Verify::All);
    }

    #[test]
    fn set_is_checked_like_the_settings_file() {
        assert!(matches!(copy(&["--set", "nonsense=1"]), Err(SettingError::UnknownName(_))));
        assert!(matches!(copy(&["--set", "mmap_window_bytes=1"]), Err(SettingError::OutOfRange { .. })));
    }
}
