//! `fcs settings`, `completions`, `man`, `demo`, help and version.

#![allow(clippy::unwrap_used)]

mod common;

use std::fs;

use common::{Bench, is_harmless};
use fcs_testkit::bin::Fcs;

fn fcs() -> Fcs {
    Fcs::new(env!("CARGO_BIN_EXE_fcs"))
}

#[test]
fn a_setting_is_kept_read_and_reset() {
    let fcs = fcs();
    let path = fcs.run(["settings", "path"]).expect_code(0).stdout;
    assert!(path.trim().ends_with("settings.toml"), "{path}");
    assert!(!std::path::Path::new(path.trim()).exists());

    let run = fcs.run(["settings", "set", "mmap_window_bytes", "32MiB"]).expect_code(0);
    assert_eq!((run.stdout.as_str(), run.stderr.as_str()), ("", ""));
    assert_eq!(fcs.run(["settings", "get", "mmap_window_bytes"]).expect_code(0).stdout, "33554432\n");
    let _ = fcs.run(["settings", "set", "verify", "none"]).expect_code(0);
    assert!(
        fcs.run(["settings", "list"])
            .stdout
            .lines()
            .any(|l| l.starts_with("mmap_window_bytes") && l.contains(" 32MiB "))
    );

    let _ = fcs.run(["settings", "reset", "mmap_window_bytes"]).expect_code(0);
    assert_eq!(fcs.run(["settings", "get", "mmap_window_bytes"]).stdout, "67108864\n");
    assert_eq!(fcs.run(["settings", "get", "verify"]).stdout, "none\n");
    let _ = fcs.run(["settings", "reset"]).expect_code(0);
    assert_eq!(fcs.run(["settings", "get", "verify"]).stdout, "all\n");
}

#[test]
fn a_refused_value_changes_nothing() {
    let fcs = fcs();
    let _ = fcs.run(["settings", "set", "verify", "below"]).expect_code(0);
    let file = fcs.run(["settings", "path"]).stdout;
    let before = fs::read(file.trim()).unwrap();
    for (name, value, message) in [
        ("mmap_window_bytes", "1", "outside its range"),
        ("mmap_window_bytes", "much", "a size such as"),
        ("verify", "some", "none, all, below"),
        ("mmap_windw_bytes", "1", "mmap_window_bytes"),
    ] {
        let run = fcs.run(["settings", "set", name, value]).expect_code(2);
        assert!(run.stderr.contains(message), "{message:?}\n{run}");
        assert_eq!(fs::read(file.trim()).unwrap(), before);
    }
}

#[test]
fn settings_are_in_force_and_options_beat_them() {
    let bench = Bench::with_differences();
    let _ = bench.fcs.run(["settings", "set", "compare_modified", "off"]).expect_code(0);
    assert!(!bench.run("compare", &["-q"]).stdout.contains("time.txt"));
    assert!(bench.run("compare", &["-q", "--set", "compare_modified=on"]).stdout.contains("time.txt"));
    assert!(bench.run("compare", &["-q", "--criteria", "modified"]).stdout.contains("time.txt"));
}

#[test]
fn the_list_names_every_setting_with_its_meaning() {
    let run = fcs().run(["settings"]).expect_code(0);
    let first = run.stdout.lines().next().unwrap();
    for column in ["NAME", "VALUE", "UNIT", "DEFAULT", "RANGE"] {
        assert!(first.contains(column), "{run}");
    }
    for info in fcs_engine::Settings::table() {
        assert!(run.stdout.contains(info.name), "{}", info.name);
    }
    assert!(run.stdout.lines().all(|line| line.chars().count() <= 120), "{run}");
}

#[test]
fn a_broken_settings_file_can_be_reset() {
    let fcs = fcs();
    let file = fcs.home().join("broken.toml");
    fs::write(&file, "verify = ").unwrap();
    let run = |args: &[&str]| {
        let output = fcs.command().env("FCS_CONFIG", &file).args(args).output().unwrap();
        fcs_testkit::bin::Run::from(output)
    };
    let _ = run(&["settings", "get", "verify"]).expect_code(2);
    let _ = run(&["settings", "set", "verify", "all"]).expect_code(2);
    assert_eq!(fs::read_to_string(&file).unwrap(), "verify = ");
    let _ = run(&["settings", "reset"]).expect_code(0);
    assert_eq!(run(&["settings", "get", "verify"]).expect_code(0).stdout, "all\n");
}

#[cfg(unix)]
#[test]
fn a_device_as_settings_file_can_be_read_and_stays_a_device() {
    let fcs = fcs();
    let run = |args: &[&str]| {
        let output = fcs.command().env("FCS_CONFIG", "/dev/null").args(args).output().unwrap();
        fcs_testkit::bin::Run::from(output)
    };
    assert_eq!(run(&["settings", "get", "verify"]).expect_code(0).stdout, "all\n");
    let refused = run(&["settings", "set", "verify", "none"]).expect_code(2);
    assert!(refused.stderr.contains("it is not a regular file"), "{refused}");
    assert!(!fs::metadata("/dev/null").unwrap().is_file());
}

#[test]
fn completions_and_manual_come_from_the_same_definitions() {
    let fcs = fcs();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let run = fcs.run(["completions", shell]).expect_code(0);
        assert!(run.stdout.contains("compare") && run.stdout.contains("tolerance"), "{shell}");
    }
    let page = fcs.run(["man"]).expect_code(0).stdout;
    assert!(page.contains(".TH fcs 1") && page.contains("Exit codes"), "{page}");
    let out = fcs.home().join("pages/man1");
    let _ = fcs.run(["man", "--out", out.to_str().unwrap()]).expect_code(0);
    for name in [
        "fcs.1",
        "fcs-compare.1",
        "fcs-copy.1",
        "fcs-demo.1",
        "fcs-doctor.1",
        "fcs-gui.1",
        "fcs-settings.1",
        "fcs-settings-set.1",
    ] {
        assert!(fs::metadata(out.join(name)).unwrap().len() > 200, "{name}");
    }
    assert!(fs::read_to_string(out.join("fcs-copy.1")).unwrap().contains("verify"));
}

#[test]
fn help_and_version() {
    let fcs = fcs();
    assert_eq!(fcs.run(["--version"]).expect_code(0).stdout, format!("fcs {}\n", env!("CARGO_PKG_VERSION")));
    let help = fcs.run(["--help"]).expect_code(0).stdout;
    for part in ["compare", "copy", "demo", "settings", "Examples:", "Exit codes:"] {
        assert!(help.contains(part), "{help}");
    }
    let copy = fcs.run(["copy", "--help"]).expect_code(0).stdout;
    for part in ["Run:", "Copying:", "Compare by:", "Output:", "Settings for this run:", "Examples:"] {
        assert!(copy.contains(part), "{copy}");
    }
    assert!(copy.lines().all(|line| line.chars().count() <= 110), "{copy}");
}

#[test]
fn the_demo_runs_through_and_cleans_up_after_itself() {
    let fcs = fcs();
    let tmp = fcs.home().join("tmp");
    fs::create_dir(&tmp).unwrap();
    let output = fcs.command().env("TMPDIR", &tmp).env("TMP", &tmp).arg("demo").output().unwrap();
    let run = fcs_testkit::bin::Run::from(output).expect_code(0);
    assert!(is_harmless(&run.stdout), "{run}");
    for part in [
        "1. Compare",
        "2. Copy and verify",
        "3. Compare again",
        "+ letters/Grüße aus 漢字.txt",
        "+ a photo \\u{202e}gpj.exe",
        if cfg!(windows) { "+  spaces at both ends" } else { "two\\nlines" },
        "- only the copy has this.txt",
    ] {
        assert!(run.stdout.contains(part), "{part:?}\n{run}");
    }
    assert_eq!(fs::read_dir(&tmp).unwrap().count(), 0);
}

#[test]
fn the_demo_uses_only_a_new_or_empty_folder_and_keeps_it() {
    let fcs = fcs();
    let used = fcs.home().join("used");
    fs::create_dir(&used).unwrap();
    fs::write(used.join("mine"), "mine").unwrap();
    let run = fcs.run(["demo", used.to_str().unwrap()]).expect_code(2);
    assert!(run.stderr.contains("it is not empty.\nHint: "), "{run}");
    assert_eq!(fs::read_dir(&used).unwrap().count(), 1);
    let new = fcs.home().join("new");
    let _ = fcs.run(["demo", new.to_str().unwrap()]).expect_code(0);
    assert!(new.join("RIGHT/photos/empty.jpg").exists());
}

/// R15: a home that is no folder has no settings, and that is no error.
#[cfg(target_os = "linux")]
#[test]
fn r15_a_home_that_is_no_folder_means_no_settings() {
    let bench = Bench::with_differences();
    for command in ["compare", "sync"] {
        let mut run = bench.fcs.command();
        for name in ["XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME"] {
            run.env_remove(name);
        }
        run.env("HOME", "/dev/null").arg(command);
        if command == "sync" {
            run.arg("-y");
        }
        let run = fcs_testkit::bin::Run::from(run.arg(&bench.left).arg(&bench.right).output().unwrap());
        let run = run.expect_code(i32::from(command == "compare"));
        assert!(!["Could not", "log", "/dev/null"].iter().any(|word| run.stderr.contains(word)), "{run}");
    }
}
