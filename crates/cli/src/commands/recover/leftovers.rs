//! Leftovers: files of runs whose journal cannot be read. They are listed, and deleted or restored on request.
//!
//! Invariant: nothing is deleted of which no other file has the content, and nothing without having been shown.

use std::borrow::Cow;
use std::io::{self, IsTerminal};

use fcs_app::hints::{FrontEnd, hint};
use fcs_app::outcome::unreadable_in_words;
use fcs_engine::Control;
use fcs_engine::error::display_path;
use fcs_engine::history::{self, Cleared, Clearing, Leftover, RunInfo};
use fcs_engine::session;
use fcs_sys::Root;
use serde::Serialize;

use super::super::recovery::end;
use crate::args::{LeftoversChoice, RecoverArgs};
use crate::exit::Code;
use crate::failure::{CommandResult, Failure};
use crate::output::json;
use crate::output::terminal::Screen;
use crate::output::text::{count, printable, size};
use crate::question::ask;
use crate::unfinished;

/// Most that are shown one by one where nobody asked for the list.
const SHOWN: usize = 10;

/// Runs `fcs recover --leftovers`.
pub(crate) fn run(args: &RecoverArgs, what: LeftoversChoice, root: &Root, screen: &Screen) -> CommandResult {
    let source = args.source.as_deref().map(session::open).transpose()?;
    let control = Control::default();
    let found =
        history::leftovers(root, source.as_ref(), &control).map_err(|e| Failure::of(Code::Failed, &e))?;
    if let Some(above) = history::root_above(root) {
        screen.message(&format!(
            "{} is inside {}, which has runs of its own. Their leftovers are not listed and stay as they are; {} recovers \
             them.",
            display_path(&root.path),
            display_path(&above.path),
            unfinished::command("recover", &above)
        ));
    }
    let clearing = match what {
        LeftoversChoice::List => None,
        LeftoversChoice::Delete => Some(Clearing::Delete),
        LeftoversChoice::Restore => Some(Clearing::Restore),
    };
    let Some(clearing) = clearing else {
        if args.json {
            found.iter().for_each(|leftover| {
                json::print(screen, &JsonLeftover { event: "leftover", item: leftover, hint: None });
            });
            end(Code::Done, screen);
        } else if found.is_empty() {
            screen.line(&format!("No leftovers without a journal on {}.", display_path(&root.path)));
        } else {
            found.iter().for_each(|leftover| screen.line(&line(leftover)));
        }
        return Ok(Code::Done);
    };
    let applies = |leftover: &&Leftover| (clearing == Clearing::Delete) == leftover.same_as.is_some();
    let concerned = found.iter().filter(applies).count() as u64;
    if !args.yes && concerned > 0 {
        if !io::stdin().is_terminal() {
            return Err(Failure::usage(
                "Could not ask whether to go ahead: standard input is not a terminal.",
            )
            .hint("Add -y to go ahead without asking."));
        }
        found.iter().for_each(|leftover| screen.message(&line(leftover)));
        let files = count(concerned, "file", "files");
        let question = match clearing {
            Clearing::Delete => format!("\nDelete {files} permanently? The others stay. [y/N] "),
            Clearing::Restore => format!("\nRename {files} to recovered-…? [y/N] "),
        };
        if !matches!(ask(&question, screen).as_deref(), Some("y" | "yes")) {
            return Err(Failure::new(Code::Interrupted, "Nothing was changed."));
        }
    }
    let done = session::clear_leftovers(root, source.as_ref(), clearing, &control)?;
    let failed = done.iter().any(|cleared| cleared.error.is_some());
    let code = if failed { Code::Failed } else { Code::Done };
    if args.json {
        done.iter().for_each(|cleared| {
            let hint = cleared.error.as_ref().map(|error| hint(error, FrontEnd::CommandLine));
            json::print(screen, &JsonLeftover { event: "leftover", item: cleared, hint });
        });
        end(code, screen);
    } else {
        done.iter().for_each(|cleared| screen.line(&outcome(cleared)));
        done.iter().filter_map(|cleared| cleared.error.as_ref()).for_each(|e| screen.error_message(e));
    }
    Ok(code)
}

/// Lists leftovers where no run was found that could be recovered.
pub(crate) fn list(root: &Root, unreadable: &[RunInfo], as_json: bool, screen: &Screen) -> CommandResult {
    let control = Control::default();
    let found = history::leftovers(root, None, &control).map_err(|e| Failure::of(Code::Failed, &e))?;
    if as_json {
        found.iter().for_each(|leftover| {
            json::print(screen, &JsonLeftover { event: "leftover", item: leftover, hint: None });
        });
    }
    if found.is_empty() {
        return Ok(Code::Done);
    }
    if !as_json {
        let bytes = found.iter().fold(0u64, |sum, leftover| sum.saturating_add(leftover.size));
        if !unreadable.is_empty() {
            screen.message(&unreadable_in_words(&root.path, unreadable));
        }
        screen.message(&format!(
            "{} ({}) left behind by interrupted runs on {}; no journal says what they are:",
            count(found.len() as u64, "file", "files"),
            size(bytes),
            display_path(&root.path)
        ));
        found.iter().take(SHOWN).for_each(|leftover| screen.message(&line(leftover)));
        if found.len() > SHOWN {
            screen.message(&format!("  and {} more", found.len() - SHOWN));
        }
        let command = |what: &str| unfinished::command(&format!("recover --leftovers {what}"), root);
        screen.message(&format!(
            "Hint: {} deletes those whose content another file beside them has; {} renames the others to visible names.",
            command("delete"),
            command("restore")
        ));
    }
    Ok(Code::RecoveryNeeded)
}

fn line(leftover: &Leftover) -> String {
    let judged = match &leftover.same_as {
        Some(other) => format!("same content as {}", printable(other)),
        None => "may be the only copy".to_owned(),
    };
    format!("  {}  {}, {judged}", leftover.path, size(leftover.size))
}

fn outcome(cleared: &Cleared) -> String {
    let path = &cleared.leftover.path;
    match (&cleared.restored_as, cleared.deleted) {
        (Some(new), _) => format!("< {path}  restored as {new}"),
        (None, true) => format!("- {path}  deleted"),
        (None, false) => format!("= {path}  stays"),
    }
}

#[derive(Serialize)]
struct JsonLeftover<'a, T> {
    event: &'static str,
    #[serde(flatten)]
    item: &'a T,
    /// What to do about an error.
    #[serde(skip_serializing_if = "Option::is_none")]
    hint: Option<Cow<'static, str>>,
}
