//! A run keeps within the open files the system allows, however many folders it works in at a time.

#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used)]

use fcs_testkit::{Fcs, Options, diff, listing};

#[test]
fn thousands_of_one_file_folders_are_copied_and_undone_with_few_descriptors() {
    let place = tempfile::tempdir().unwrap();
    let [left, right] = ["left", "right"].map(|side| place.path().join(side));
    std::fs::create_dir(&right).unwrap();
    for i in 0..3000 {
        let folder = left.join(format!("{i}"));
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("f"), i.to_string()).unwrap();
    }
    let shell = Fcs::new("/bin/sh");
    for limit in ["64", "128", "1024"] {
        // Both limits: the program raises the soft one as far as the hard one lets it.
        let limited = |command: &str| {
            let line = format!("ulimit -n {limit} && exec \"$0\" {command}");
            shell.run([
                "-c",
                &line,
                env!("CARGO_BIN_EXE_fcs"),
                left.to_str().unwrap(),
                right.to_str().unwrap(),
            ])
        };
        let run = limited("copy -y \"$1\" \"$2\"").expect_code(0);
        assert!(run.stdout.contains("3,000 files") || run.stdout.contains("3000 files"), "{limit}: {run}");
        let all = |side| listing(side, &Options::default()).unwrap();
        assert_eq!(diff(&all(&left), &all(&right)), [""; 0], "{limit}");
        let _ = limited("undo -y \"$2\"").expect_code(0);
        assert_eq!(std::fs::read_dir(&right).unwrap().count(), 0, "{limit}: undone");
    }
}
