//! What lies about of runs whose journal cannot be read: told, and dealt with on demand.
//!
//! Invariant: nothing is deleted of which no other file has the content, and nothing without having been shown.

use std::io::{self, IsTerminal};

use fcs_engine::Control;
use fcs_engine::error::shown;
use fcs_engine::runs::{self, Cleared, Clearing, Leftover, RunInfo};
use fcs_front::folders::{is_still_there, open_one};
use fcs_front::outcome::unreadable_in_words;
use fcs_sys::Root;
use serde::Serialize;

use crate::args::{LeftoversChoice, RecoverArgs};
use crate::exit::Code;
use crate::failure::{Failure, Outcome};
use crate::question::ask;
use crate::recover_cmd::end;
use crate::terminal::Screen;
use crate::text::{count, printable, size};
use crate::{json, unfinished};

/// Most that are shown one by one where nobody asked for the list.
const SHOWN: usize = 10;

/// Runs `fcs recover --leftovers`.
pub(crate) fn run(args: &RecoverArgs, what: LeftoversChoice, root: &Root, screen: &Screen) -> Outcome {
    let source = args.source.as_deref().map(open_one).transpose()?;
    let control = Control::default();
    let found =
        runs::leftovers(root, source.as_ref(), &control).map_err(|e| Failure::new(Code::Failed, e))?;
    if let Some(above) = runs::root_above(root) {
        screen.say(&format!(
            "{} lies in {}, which has runs of its own. What they left here is not listed and stays as it is: it is put in \
             order there, with {}.",
            shown(&root.path),
            shown(&above.path),
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
            found
                .iter()
                .for_each(|leftover| json::print(screen, &Event { event: "leftover", item: leftover }));
            end(Code::Done, screen);
        } else if found.is_empty() {
            screen.line(&format!("No leftovers without a journal on {}.", shown(&root.path)));
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
        found.iter().for_each(|leftover| screen.say(&line(leftover)));
        let files = count(concerned, "file", "files");
        let question = match clearing {
            Clearing::Delete => format!("\nDelete {files} permanently? The others stay. [y/N] "),
            Clearing::Restore => format!("\nRename {files} to recovered-…? [y/N] "),
        };
        if !matches!(ask(&question, screen).as_deref(), Some("y" | "yes")) {
            return Err(Failure::new(Code::Interrupted, "Nothing was changed."));
        }
    }
    is_still_there(root)?;
    let done = runs::clear_leftovers(root, source.as_ref(), clearing, &control)
        .map_err(|error| unfinished::failure(&error, root))?;
    let failed = done.iter().any(|cleared| cleared.error.is_some());
    let code = if failed { Code::Failed } else { Code::Done };
    if args.json {
        done.iter().for_each(|cleared| json::print(screen, &Event { event: "leftover", item: cleared }));
        end(code, screen);
    } else {
        done.iter().for_each(|cleared| screen.line(&outcome(cleared)));
        done.iter().filter_map(|cleared| cleared.error.as_ref()).for_each(|e| screen.say(&e.to_string()));
    }
    Ok(code)
}

/// Says what lies about, after nothing was found that could be recovered.
pub(crate) fn tell(root: &Root, unreadable: &[RunInfo], as_json: bool, screen: &Screen) -> Outcome {
    let control = Control::default();
    let found = runs::leftovers(root, None, &control).map_err(|e| Failure::new(Code::Failed, e))?;
    if as_json {
        found.iter().for_each(|leftover| json::print(screen, &Event { event: "leftover", item: leftover }));
    }
    if found.is_empty() {
        return Ok(Code::Done);
    }
    if !as_json {
        let bytes = found.iter().fold(0u64, |sum, leftover| sum.saturating_add(leftover.size));
        if !unreadable.is_empty() {
            screen.say(&unreadable_in_words(root, unreadable));
        }
        screen.say(&format!(
            "{} ({}) left behind by interrupted runs on {}; no journal says what they are:",
            count(found.len() as u64, "file", "files"),
            size(bytes),
            shown(&root.path)
        ));
        found.iter().take(SHOWN).for_each(|leftover| screen.say(&line(leftover)));
        if found.len() > SHOWN {
            screen.say(&format!("  and {} more", found.len() - SHOWN));
        }
        let command = |what: &str| unfinished::command(&format!("recover --leftovers {what}"), root);
        screen.say(&format!(
            "Hint: {} deletes those whose content another file beside them has; {} gives the others a visible name.",
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
struct Event<'a, T> {
    event: &'static str,
    #[serde(flatten)]
    item: &'a T,
}
