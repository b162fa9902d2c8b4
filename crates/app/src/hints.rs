//! What to do about what the engine found, in the words of whoever asks.
//!
//! The engine states facts and knows no option, button or command. The same fact has another remedy on a command line, in
//! a window and in a program that calls the library, so each says which one it is.
//!
//! Invariant: a hint adds to the fact and repeats nothing of it. A front end shows both, once.

use std::borrow::Cow;
use std::path::Path;

use fcs_engine::compare::Side;
use fcs_engine::error::{Remedy, display_path};
use fcs_engine::history::RecoveryReport;
use fcs_engine::preflight::Problem;
use fcs_engine::report::{Outcome, Report, SkipReason};
use fcs_engine::session::{OutOfReach, SessionError};
use fcs_engine::{Error, ErrorKind, Note, StartError, TargetState};
use fcs_sys::{OsReason, Protection, RelPath, unc_share};
use serde::Serialize;

/// Who asks what to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FrontEnd {
    /// The command line: options and commands.
    CommandLine,
    /// The window: its buttons, and its settings as it titles them.
    Window,
    /// A program that uses the engine as a library: names of settings.
    Library,
}

/// What to do about an error: one or more sentences, never none.
pub fn hint(error: &Error, who: FrontEnd) -> Cow<'static, str> {
    Cow::Borrowed(match error.kind {
        ErrorKind::Unc => return Cow::Owned(map_a_letter(&error.path)),
        ErrorKind::Os(reason) => of_system(reason, who),
        ErrorKind::Placeholder => of_setting("read_placeholders", who),
        ErrorKind::TargetReadOnly => of_setting("read_only_targets", who),
        ErrorKind::TooManyItems => of_setting("max_items", who),
        ErrorKind::Protected(protection) => remedy(Remedy::ClearFlag(protection), who),
        ErrorKind::SourceStale | ErrorKind::TargetStale => "Compare again, then copy.",
        ErrorKind::ChangedMeanwhile | ErrorKind::SourceHasIt => "Compare again.",
        ErrorKind::SourceUnsteady => "Close the program that writes to it and run again.",
        // The item that was renamed may never have been the source's: size and date are all that was compared.
        ErrorKind::Mismatch { .. } if error.target == Some(TargetState::Moved) => {
            "It may be another file of the same size and date: compare by content, and copy it again. If it should be the same \
             one, do not trust this disk, cable or memory until you have tested it."
        }
        ErrorKind::Mismatch { .. } => {
            "Do not trust this disk, cable or memory until you have tested it; then run again."
        }
        ErrorKind::LocksOut => "Let its owner read it, too.",
        ErrorKind::KindClash => "Move or rename one of the two.",
        ErrorKind::ParentFailed => "See the message about the folder.",
        ErrorKind::ChainFailed => "See the message about the other item.",
        ErrorKind::NotAFolder => "Choose a folder.",
        ErrorKind::BadPattern => "Wildcards are *, ?, [abc], {a,b} and ** for any depth.",
        ErrorKind::StagedLost => "Run again.",
        ErrorKind::ChangedSince => "Move it away and undo again before the next run, or leave it as it is.",
        ErrorKind::OriginalLost => "Look for it in a backup.",
        ErrorKind::InRecycleBin => "Restore it from there.",
        ErrorKind::NoRecycleBin => match who {
            FrontEnd::CommandLine => "Remove it to the undo store instead (--to undo).",
            FrontEnd::Window | FrontEnd::Library => "Remove it to the undo store instead.",
        },
        ErrorKind::ListedNotFound => {
            "Check that file system; until then it counts as present, and its copy is kept."
        }
        ErrorKind::Vanished => "Compare again when nothing changes there.",
        ErrorKind::Overlap => match who {
            FrontEnd::CommandLine => {
                "Choose other folders, or leave it out: --exclude names it, and --one-file-system does not enter other \
                 volumes."
            }
            FrontEnd::Window => "Choose other folders, or leave it out by a pattern.",
            FrontEnd::Library => {
                "Choose other folders, or leave it out: by a pattern, or set one_file_system."
            }
        },
        ErrorKind::BadJournal => "Look into the folder .fcs before you delete it: it may hold originals.",
        ErrorKind::EndsEarly => {
            "If the system generates its content, as below /sys, leave it out; else check its file system."
        }
        ErrorKind::Defect => "Recover the run before you go on, and report this with the log of the run.",
        ErrorKind::Served => "Look at what that one says, and at its connection or disk; then run again.",
    })
}

fn of_system(reason: OsReason, who: FrontEnd) -> &'static str {
    match reason {
        OsReason::NotFound => "Check the spelling, or compare again if it was there a moment ago.",
        OsReason::AlreadyExists => "Compare again, then copy.",
        OsReason::PermissionDenied => "Change its permissions, or run as a user who may do this.",
        OsReason::ReadOnlyVolume => "Make the volume writable.",
        OsReason::NoSpace | OsReason::QuotaExceeded => "Free some room and run again.",
        OsReason::FileTooLarge => "Use a target volume whose file system can hold it.",
        OsReason::NameTooLong | OsReason::InvalidName => "Rename it on the source, or use another target.",
        OsReason::InUse => "Close that program and run again.",
        OsReason::IsALink => "Check who put a link there, then compare again.",
        OsReason::Stale | OsReason::Network => "Check the connection and run again.",
        OsReason::DeviceError => "Check the device; copy what you can from it soon.",
        OsReason::Exhausted => of_setting("copy_workers", who),
        _ => "Run again; if it stays, report it with the code above.",
    }
}

/// What to do instead of giving a network path.
pub fn map_a_letter(path: &Path) -> String {
    let share = unc_share(path).unwrap_or_else(|| r"\\server\share".to_owned());
    let quoted = if share.contains(' ') { format!("\"{share}\"") } else { share };
    format!(
        "Map a drive letter to it, such as `net use Z: {quoted}`, and use Z: instead (elsewhere: mount it)."
    )
}

/// The error and what to do about it.
pub fn with_hint(error: &Error, who: FrontEnd) -> String {
    format!("{error} {}", hint(error, who))
}

/// How the choice that makes the difference is made.
pub fn remedy(remedy: Remedy, who: FrontEnd) -> &'static str {
    match remedy {
        Remedy::Setting(name) => of_setting(name, who),
        Remedy::ClearFlag(Protection::Immutable) => {
            "Nobody may change it until an administrator clears that flag (chattr -i)."
        }
        Remedy::ClearFlag(Protection::AppendOnly) => {
            "Nobody may replace or remove it until an administrator clears that flag (chattr -a)."
        }
        Remedy::ShareFolder => "Its owner can grant your group that right with chmod -R g+rwX.",
    }
}

/// Settings that decide about an error or a problem. One that has no words here has no remedy to tell.
fn of_setting(name: &str, who: FrontEnd) -> &'static str {
    use FrontEnd::{CommandLine, Library, Window};
    match (name, who) {
        ("read_placeholders", CommandLine) => {
            "Make it available offline first, or let it be fetched (--fetch-placeholders)."
        }
        ("read_placeholders", Window) => {
            "Make it available offline first, or switch \"Read placeholders\" on in the settings."
        }
        ("read_placeholders", Library) => "Make it available offline first, or set read_placeholders.",
        ("read_only_targets", CommandLine) => {
            "Clear the attribute, or add --set read_only_targets=replace, if it should be replaced."
        }
        ("read_only_targets", Window) => {
            "Clear the attribute, or choose \"Replace\" for read-only files where the plan is shown, if it should be \
             replaced."
        }
        ("read_only_targets", Library) => {
            "Clear the attribute, or set read_only_targets to replace, if it should be replaced."
        }
        ("max_items", CommandLine) => "Choose a smaller folder, or raise the limit (--set max_items=N).",
        ("max_items", Window) => "Choose a smaller folder, or raise \"Max items\" in the settings.",
        ("max_items", Library) => "Choose a smaller folder, or raise the setting max_items.",
        ("copy_workers", CommandLine) => "Close other programs, or use fewer workers (--jobs).",
        ("copy_workers", Window) => "Close other programs, or lower \"Copy workers\" in the settings.",
        ("copy_workers", Library) => "Close other programs, or use fewer workers (setting copy_workers).",
        ("space_margin_bytes", CommandLine) => "Or let less stay free (--set space_margin_bytes=BYTES).",
        ("space_margin_bytes", Window) => "Or let less stay free (\"Space margin bytes\" in the settings).",
        ("space_margin_bytes", Library) => "Or let less stay free (setting space_margin_bytes).",
        ("time_tolerance_nanos", CommandLine) => "--tolerance decides that.",
        ("time_tolerance_nanos", Window) => "The tolerance for dates, beside the criteria, decides that.",
        ("time_tolerance_nanos", Library) => "The setting time_tolerance_nanos decides that.",
        ("undo_max_percent", CommandLine) => "--set undo_max_percent=N allows another share.",
        ("undo_max_percent", Window) => "\"Undo max percent\" in the settings decides that.",
        ("undo_max_percent", Library) => "The setting undo_max_percent decides that.",
        ("newer", CommandLine) => "--newer decides that.",
        ("newer", Window) => "\"Newer files\" decides that where the plan is shown.",
        ("newer", Library) => "The setting newer decides that.",
        ("trust_known_hashes", CommandLine) => "--set trust_known_hashes=never reads everything.",
        ("trust_known_hashes", Window) => "\"Trust known hashes\" in the settings decides that.",
        ("trust_known_hashes", Library) => "The setting trust_known_hashes decides that.",
        _ => "",
    }
}

/// What to do about a session that could not begin, where there is something to say.
pub fn of_session(error: &SessionError, who: FrontEnd) -> Option<Cow<'static, str>> {
    Some(match error {
        SessionError::Open { side, error } => of_opening(*side, error, who),
        SessionError::Pattern(error) => hint(error, who),
        SessionError::Moved { .. } => "Nothing was written. Look at what is there, and begin again.".into(),
        SessionError::OutOfReach { root, out } => of_out_of_reach(root, out, who).into(),
        SessionError::Start { root, error } => return of_start(error, root, who),
        // Each problem says it.
        SessionError::Refused(_) => return None,
    })
}

/// What to do about a root that a run wrote to and that is not where it was.
pub fn of_out_of_reach(root: &Path, out: &OutOfReach, who: FrontEnd) -> String {
    let again = match who {
        FrontEnd::CommandLine => format!("{} again", command("undo", root)),
        FrontEnd::Window | FrontEnd::Library => "undo the run again".to_owned(),
    };
    let there = fcs_text::printable(&out.path);
    let forget = match who {
        FrontEnd::CommandLine => {
            format!("{} forgets the run, and --run names another one", command("runs --prune", root))
        }
        FrontEnd::Window | FrontEnd::Library => "prune the run, or choose another one".to_owned(),
    };
    format!(
        "Connect the volume of {there}, so that the folder is at that path, and {again}. If it is gone for good, {forget}."
    )
}

fn of_opening(side: Option<Side>, error: &Error, who: FrontEnd) -> Cow<'static, str> {
    match (error.kind, side) {
        (ErrorKind::NotAFolder, None) => "Choose the folder it is in.",
        (ErrorKind::NotAFolder, Some(_)) => {
            "Choose the folder it is in; to copy it alone, include only its name."
        }
        (ErrorKind::Os(OsReason::NotFound), Some(Side::Right)) => {
            "Check the spelling, or create the folder first."
        }
        (ErrorKind::Os(OsReason::NotFound), _) => "Check the spelling.",
        (ErrorKind::Os(OsReason::PermissionDenied), _) => "Run as a user who may read it.",
        _ => return hint(error, who),
    }
    .into()
}

/// What to do about a run, a recovery or an undo that could not begin on a root, where the error itself does not say it.
pub fn of_start(error: &StartError, root: &Path, who: FrontEnd) -> Option<Cow<'static, str>> {
    use FrontEnd::{CommandLine, Library, Window};
    match (error, who) {
        (StartError::Unfinished { .. }, CommandLine) => Some(
            format!(
                "{} shows what can be done and recovers the run; with -y it keeps what was done without asking.",
                command("recover", root)
            )
            .into(),
        ),
        (StartError::Unfinished { .. }, Window) => {
            Some("Choose \"Keep what was done\" or \"Roll it back\" above the table.".into())
        }
        (StartError::Unfinished { .. }, Library) => Some("Recover the folder first.".into()),
        (StartError::NoSuchRun(_), CommandLine) => {
            Some(format!("{} lists them.", command("runs", root)).into())
        }
        (StartError::OtherVersion { .. }, CommandLine) => Some(
            format!(
                "Or {} renames what it keeps to visible names and drops the run.",
                command("recover --leftovers restore", root)
            )
            .into(),
        ),
        _ => None,
    }
}

/// A command as it can be typed: `fcs recover '/path with spaces'`.
pub fn command(name: &str, root: &Path) -> String {
    format!("`fcs {name} {}`", quoted(&display_path(root)))
}

fn quoted(text: &str) -> String {
    // A backslash at the end, as in D:\, would escape the quote after it.
    let plain =
        |c: char| c.is_alphanumeric() || if cfg!(windows) { r"\/._-:~" } else { "/._-+=:,@%" }.contains(c);
    if !text.is_empty() && text.chars().all(plain) && !text.starts_with('-') {
        text.to_owned()
    } else if cfg!(windows) {
        format!("\"{text}\"")
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

/// A note, and the choice that decides it.
pub fn note_words(note: &Note, who: FrontEnd) -> String {
    match note_hint(note, who) {
        Some(choice) => format!("{} {choice}", note.text),
        None => note.text.clone(),
    }
}

/// The choice that decides what a note states, beside data in which notes are facts.
pub fn note_hint(note: &Note, who: FrontEnd) -> Option<&'static str> {
    note.remedy.map(|choice| remedy(choice, who)).filter(|words| !words.is_empty())
}

/// A problem that is known beforehand, and the choice that makes the difference.
pub fn problem_words(problem: &Problem, who: FrontEnd) -> String {
    match problem.remedy.map(|choice| remedy(choice, who)).filter(|words| !words.is_empty()) {
        Some(choice) => format!("{} {choice}", problem.text),
        None => problem.text.clone(),
    }
}

/// Why an item was left alone, and what decides it.
pub fn skip_words(why: SkipReason, who: FrontEnd) -> Cow<'static, str> {
    let decides = match (why.remedy(), who) {
        (Some(Remedy::Setting("newer")), FrontEnd::CommandLine) => " (--newer)",
        (Some(Remedy::Setting("newer")), FrontEnd::Window) => " (\"Newer files\")",
        (Some(Remedy::Setting("newer")), FrontEnd::Library) => " (setting newer)",
        (Some(Remedy::Setting("read_placeholders")), FrontEnd::CommandLine) => {
            "; make it available offline, or add --fetch-placeholders to fetch it"
        }
        (Some(Remedy::Setting("read_placeholders")), FrontEnd::Window) => {
            "; make it available offline, or switch \"Read placeholders\" on in the settings to fetch it"
        }
        (Some(Remedy::Setting("read_placeholders")), FrontEnd::Library) => {
            "; make it available offline, or set read_placeholders to fetch it"
        }
        _ => return Cow::Borrowed(why.words()),
    };
    Cow::Owned(format!("{}{decides}", why.words()))
}

/// What to do about one item, beside data in which errors are facts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ItemHint {
    /// The item, below the root.
    pub path: RelPath,
    /// What to do.
    pub hint: Cow<'static, str>,
}

/// What to do about each item of a report that failed, in its order.
pub fn of_report(report: &Report, who: FrontEnd) -> Vec<ItemHint> {
    let hint_of = |item: &fcs_engine::report::ItemReport| match &item.outcome {
        Outcome::Failed { error } => Some(ItemHint { path: item.path.clone(), hint: hint(error, who) }),
        _ => None,
    };
    report.items.iter().filter_map(hint_of).collect()
}

/// What to do about each item that recovery or undo could not deal with, in its order.
pub fn of_recovery(recovery: &RecoveryReport, who: FrontEnd) -> Vec<ItemHint> {
    let failed = recovery.items.iter().filter_map(|item| Some((&item.path, item.error.as_ref()?)));
    failed.map(|(path, error)| ItemHint { path: path.clone(), hint: hint(error, who) }).collect()
}

#[cfg(test)]
mod tests {
    use fcs_engine::{Op, Settings};

    use super::*;

    const ALL: [FrontEnd; 3] = [FrontEnd::CommandLine, FrontEnd::Window, FrontEnd::Library];

    #[test]
    fn a_message_says_what_why_what_is_there_now_and_what_to_do() {
        let error =
            Error::new(Op::Replace, "/d/a", ErrorKind::TargetReadOnly).with_target(TargetState::Original);
        let fact = "Could not replace /d/a: the target file has the read-only attribute. The original is unchanged. ";
        let texts = ALL.map(|who| with_hint(&error, who));
        assert!(texts.iter().all(|text| text.starts_with(fact)), "{texts:?}");
        let does = [
            "--set read_only_targets=replace",
            "\"Replace\" for read-only files",
            "set read_only_targets to",
        ];
        for (text, what) in texts.iter().zip(does) {
            assert!(text.contains(what) && text.ends_with("if it should be replaced."), "{text}");
        }
    }

    #[test]
    fn each_front_end_hears_its_own_words_only() {
        let settings = [
            "newer",
            "read_placeholders",
            "read_only_targets",
            "max_items",
            "copy_workers",
            "space_margin_bytes",
            "time_tolerance_nanos",
            "undo_max_percent",
            "trust_known_hashes",
        ];
        for name in settings {
            assert!(Settings::table().iter().any(|info| info.name == name), "{name}");
            for who in ALL {
                let words = remedy(Remedy::Setting(name), who);
                assert!(!words.is_empty(), "{name}");
                assert_eq!(words.contains("--"), who == FrontEnd::CommandLine, "{words}");
                let is_name = words.contains(name) && name.contains('_');
                assert!(who != FrontEnd::Window || !is_name, "a window has titles: {words}");
                assert!(who != FrontEnd::Library || words.contains(name), "{words}");
            }
        }
        for who in ALL {
            let words = skip_words(SkipReason::Newer, who);
            assert!(
                words.starts_with(SkipReason::Newer.words()) && words.len() > SkipReason::Newer.words().len()
            );
        }
        assert_eq!(skip_words(SkipReason::Mounted, FrontEnd::Window), SkipReason::Mounted.words());
    }

    #[test]
    fn what_refuses_a_network_path_says_how_to_map_it() {
        let error = Error::new(Op::Open, r"\\s\a b\c", ErrorKind::Unc);
        assert!(with_hint(&error, FrontEnd::Window).contains("`net use Z: \"\\\\s\\a b\"`"));
    }

    #[test]
    fn paths_are_quoted_for_a_shell_where_they_must_be() {
        assert_eq!(quoted("/mnt/b/Fotos_2.0"), "/mnt/b/Fotos_2.0");
        assert_eq!(quoted("/mnt/Größe"), "/mnt/Größe");
        if cfg!(windows) {
            assert_eq!(quoted(r"D:\"), r"D:\");
            assert_eq!(quoted(r"D:\a b"), "\"D:\\a b\"");
        } else {
            assert_eq!(quoted("/a b"), "'/a b'");
            assert_eq!(quoted("/it's"), r"'/it'\''s'");
            assert_eq!(quoted("/$(x)"), "'/$(x)'");
        }
    }
}
