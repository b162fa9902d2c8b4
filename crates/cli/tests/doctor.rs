//! `fcs doctor`: what a volume does is said, in text and in JSON, and nothing of the trial stays.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

mod common;

use common::{Bench, json_lines};
use fcs_testkit::test_name;
use fcs_testkit::volume::{Medium, for_each_volume};

#[test]
fn doctor_says_what_a_folder_does_and_leaves_no_trace() {
    let bench = Bench::new();
    bench.right("f", "x", 1);
    let before = bench.traces();
    for args in [&[][..], &["-n"], &["--json"]] {
        let run = bench.run_on_right("doctor", args).expect_code(0);
        assert!(
            run.stdout.contains("Evidence") && run.stdout.contains("Case") != args.contains(&"-n"),
            "{run}"
        );
        assert_eq!(run.stdout.contains("a dry run writes nothing"), args.contains(&"-n"), "{run}");
    }
    assert_eq!(bench.traces(), before);
    let missing = bench.fcs.run(["doctor", "no/such/folder"]).expect_code(2);
    assert!(missing.stderr.contains("it does not exist"), "{missing}");
}

#[test]
fn doctor_names_what_sticks_and_servers_do_not_keep() {
    let media = [Medium::Exfat, Medium::Ntfs, Medium::Sshfs, Medium::Ext4SmallInodes];
    for_each_volume(test_name!(), &media, |volume| {
        let on = volume.medium().name();
        let bench = Bench::new();
        let root = volume.path().join("root");
        std::fs::create_dir(&root).unwrap();
        let run = bench.fcs.run(["doctor".as_ref(), "--json".as_ref(), root.as_os_str()]).expect_code(0);
        let found = &json_lines(&run)[0];
        let seen = &found["seen"];
        assert!(std::fs::read_dir(&root).unwrap().next().is_none(), "{on}: nothing of the trial stays");
        let case = if volume.medium() == Medium::Exfat { "insensitive" } else { "sensitive" };
        assert_eq!(seen["names"]["case"], case, "{on}: {run}");
        let step = if volume.medium() == Medium::Ntfs { 100 } else { 1_000_000_000 };
        assert_eq!(seen["dates"]["file_step_nanos"], step, "{on}: {run}");
        let keeps_modes = matches!(volume.medium(), Medium::Sshfs | Medium::Ext4SmallInodes);
        assert_eq!(seen["modes"]["kept"], keeps_modes, "{on}: {run}");
        assert_eq!(seen["links"]["possible"], volume.medium() != Medium::Exfat, "{on}: {run}");
        let own_dates = matches!(volume.medium(), Medium::Ntfs | Medium::Ext4SmallInodes);
        assert_eq!(seen["links"]["own_dates"] == true, own_dates, "{on}: {run}");
        assert_eq!(
            found["evidence"],
            if volume.medium() == Medium::Ext4SmallInodes { "device" } else { "cache" }
        );
        let text = bench.fcs.run(["doctor".as_ref(), root.as_os_str()]).expect_code(0).stdout;
        assert_eq!(
            text.contains("Symbolic links are left alone."),
            volume.medium() == Medium::Exfat,
            "{text}"
        );
    });
}
