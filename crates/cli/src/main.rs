//! `fcs`: compares two folders, copies the differences, verifies every copy, and can undo each run.
//!
//! A command line becomes an exit code in one direction:
//!
//! ```text
//! args ─▶ options ─▶ session ─▶ run (copy, sync, orphans) ─▶ exit, failure
//!                          ╰──▶ commands (all others) ────╯
//! ```
//!
//! `args` says what can be typed and `options` which settings that means; `session` is two open folders. On the way
//! `unfinished`, `question` and `interrupt` hear the user, and `output` knows the two streams. What the window needs as
//! well is in `fcs-app`.
//!
//! Invariant: no decision about files is made here; what to copy and whether it arrived is for the engine to say.

mod args;
mod commands;
mod exit;
mod failure;
mod interrupt;
mod options;
mod output;
mod question;
mod run;
mod session;
mod unfinished;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

use crate::args::{Cli, Command, Show};
use crate::commands::{compare, demo, docs, doctor, gui, recover, runs, settings, state, times, undo};
use crate::failure::CommandResult;
use crate::output::terminal::Screen;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return output::terminal::print_usage(&error).into(),
    };
    let (show, live) = match &cli.command {
        Command::Compare(args) => (args.show.clone(), false),
        Command::Copy(args) => (args.show.clone(), true),
        Command::Sync(args) => (args.show.clone(), true),
        Command::Orphans(args) => (args.show.clone(), true),
        Command::Times(args) => (args.action.common().show.clone(), true),
        Command::Undo(args) => (Show::from(&args.output), true),
        Command::Recover(args) => (Show::from(&args.output), true),
        Command::Runs(args) => (Show { color: args.color, ..Show::default() }, false),
        Command::State(args) => (Show { color: args.action.color(), ..Show::default() }, false),
        Command::Doctor(args) => (Show { color: args.color, ..Show::default() }, false),
        Command::Demo(args) => (Show { verbose: true, color: args.color, ..Show::default() }, true),
        _ => (Show::default(), false),
    };
    let screen = Arc::new(Screen::new(show, live));
    let code = dispatch(&cli.command, &screen).unwrap_or_else(|failure| {
        screen.show_failure(&failure);
        failure.code
    });
    match screen.finish() {
        Ok(()) => code,
        Err(failure) => {
            screen.show_failure(&failure);
            failure.code
        }
    }
    .into()
}

fn dispatch(command: &Command, screen: &Arc<Screen>) -> CommandResult {
    match command {
        Command::Compare(args) => compare::run(args, screen),
        Command::Copy(args) => run::copy(args, screen),
        Command::Sync(args) => run::sync(args, screen),
        Command::Orphans(args) => run::orphans(args, screen),
        Command::Undo(args) => undo::run(args, screen),
        Command::Runs(args) => runs::run(args, screen),
        Command::Recover(args) => recover::run(args, screen),
        Command::State(args) => state::run(&args.action, screen),
        Command::Times(args) => times::run(&args.action, screen),
        Command::Doctor(args) => doctor::run(args, screen),
        Command::Gui(args) => gui::run(args),
        Command::Demo(args) => demo::run(args, screen),
        Command::Settings(args) => settings::run(args.action.as_ref(), screen),
        Command::Completions(args) => Ok(docs::completions(args.shell, screen)),
        Command::Man(args) => docs::man(args.out.as_deref(), screen),
    }
}
