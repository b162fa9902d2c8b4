//! The plan is shown, and the user agrees to it or does not.
//!
//! Invariant: without a terminal, `-y` or the word that is asked for there is no consent; problems are always told.

use fcs_app::hints::{FrontEnd, note_words, with_hint};
use fcs_app::{overview, remembering};
use fcs_engine::compare::Side;
use fcs_engine::preflight::MakeRoom;

use super::proposal::Proposal;
use super::{events, preview};
use crate::exit::Code;
use crate::failure::Failure;
use crate::interrupt::Interrupt;
use crate::output::terminal::{Screen, Style};
use crate::output::text::{count, number, size};
use crate::question::{ask, ask_to_type};
use crate::session::Session;
use crate::unfinished;

/// Shows what will be done: to be confirmed on standard error, else as a record on standard output. Problems are
/// never left out and always go to standard error.
pub(super) fn show_plan(proposal: &Proposal<'_>, screen: &Screen) {
    let spec = proposal.spec;
    let asks = proposal.asks();
    if spec.json {
        events::plan(proposal, screen);
    }
    if asks {
        show_overview(proposal, screen.show.verbose, screen.err_style, &|text| screen.message(text));
    } else if !spec.json && !screen.show.quiet {
        if spec.dry_run {
            preview::decisions(proposal, screen.style).for_each(|line| screen.line(&line));
        }
        show_overview(proposal, false, screen.style, &|text| screen.line(text));
    }
    if asks || proposal.refuses() || !spec.json {
        for text in preview::problems(proposal, screen.err_style) {
            screen.message(&text);
        }
    }
}

fn show_overview(proposal: &Proposal<'_>, whole: bool, style: Style, print: &dyn Fn(&str)) {
    for note in &proposal.notes {
        print(&format!("Note: {}", note_words(note, FrontEnd::CommandLine)));
    }
    let plan = &proposal.proposed.plan;
    if !plan.is_empty() {
        print(&preview::overview(proposal, whole, style));
    } else if plan.skipped.is_empty() {
        print(&overview::nothing_to_do(proposal.spec.task));
    } else {
        print("Nothing to do; some items are left alone.");
    }
}

/// Asks on the terminal. Anything but a yes, or the very word that is asked for, is a no.
pub(super) fn confirm(
    proposal: &Proposal<'_>,
    screen: &Screen,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    interrupt.idle("Nothing was written.");
    let refused = || Failure::new(Code::Interrupted, "Nothing was written.");
    let agreed = |yes: bool| if yes { Ok(()) } else { Err(refused()) };
    if let Some(excess) = proposal.proposed.excess {
        let what = format!("\nType the number of items to remove ({}) to go ahead: ", number(excess.items));
        agreed(ask_to_type(&what, &excess.items.to_string(), screen))?;
    }
    if let Some(change) = proposal.proposed.mass_change {
        let what = format!("\nType the number of files to change ({}) to go ahead: ", number(change.files));
        agreed(ask_to_type(&what, &change.files.to_string(), screen))?;
    }
    if proposal.proposed.removes_permanently {
        return agreed(ask_to_type(
            "\nThis cannot be undone. Type \"delete\" to go ahead: ",
            "delete",
            screen,
        ));
    }
    if proposal.proposed.excess.is_some() || proposal.proposed.mass_change.is_some() {
        return Ok(());
    }
    agreed(matches!(ask("\nGo ahead? [y/N] ", screen).as_deref(), Some("y" | "yes")))
}

/// Where all that is missing is room that earlier runs take, and the user agrees, prunes them and looks again.
pub(super) fn make_room(
    proposal: &mut Proposal<'_>,
    screen: &Screen,
    interrupt: &Interrupt,
) -> Result<(), Failure> {
    let side = |room: &MakeRoom| if room.root == Side::Left.into() { Side::Left } else { Side::Right };
    let Some(room) = proposal.room_to_make().cloned() else {
        if let Some(room) = &proposal.proposed.preflight.make_room {
            let root = proposal.session.folders.root(side(room));
            let command = unfinished::command("runs --prune", root);
            screen.message(&format!("Hint: {command} deletes what earlier runs keep."));
        }
        return Ok(());
    };
    let what = format!(
        "the originals of {} ({})",
        count(room.runs, "earlier run", "earlier runs"),
        size(room.bytes)
    );
    if proposal.spec.yes {
        screen.message(&format!("Note: {what} were to be kept until this run; they are deleted first."));
    } else {
        interrupt.idle("Nothing was written.");
        let question =
            format!("\nDelete {what} permanently to make room? They cannot be undone then. [y/N] ");
        if !matches!(ask(&question, screen).as_deref(), Some("y" | "yes")) {
            return Err(Failure::new(Code::Interrupted, "Nothing was written."));
        }
    }
    let pruned = remembering::prune(proposal.session.folders.root(side(&room)), Some(&room.newest))?;
    pruned
        .errors
        .iter()
        .for_each(|error| screen.message(&format!("Warning: {}", with_hint(error, FrontEnd::CommandLine))));
    let Session { folders, settings, .. } = proposal.session;
    proposal.proposed.preflight = folders.preflight(&proposal.proposed, settings);
    for text in preview::problems(proposal, screen.err_style) {
        screen.message(&text);
    }
    Ok(())
}
