//! `fcs`: compares two folders, copies what differs, proves that it arrived, and can take it back.
//!
//! Each module has one concern: `args` and `values` say what can be typed, `options` and `session` turn that into
//! work for the engine, the `*_cmd` modules are the commands, `rows`, `preview`, `outcome`, `account`, `events` and
//! `json` show data, `question` and `unfinished` talk with the user before something is done, `terminal`, `progress`
//! and `text` know how text reaches the user, `exit` and `failure` say how it ended. What the window needs as well is
//! in `fcs-front`.
//!
//! Invariant: no decision about files is made here; what to copy and whether it arrived is for the engine to say.

mod account;
mod args;
mod compare_cmd;
mod demo;
mod docs;
mod doctor_cmd;
mod events;
mod exit;
mod failure;
mod gui_cmd;
mod interrupt;
mod json;
mod leftovers;
mod options;
mod outcome;
mod preview;
mod progress;
mod question;
mod recover_cmd;
mod rows;
mod run_cmd;
mod runs_cmd;
mod session;
mod settings_cmd;
mod terminal;
mod text;
mod undo_cmd;
mod unfinished;
mod values;

use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;

use crate::args::{Cli, Command, Show};
use crate::failure::Outcome;
use crate::terminal::Screen;

fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => return terminal::print_usage(&error).into(),
    };
    let (show, live) = match &cli.command {
        Command::Compare(args) => (args.show.clone(), false),
        Command::Copy(args) => (args.show.clone(), true),
        Command::Sync(args) => (args.show.clone(), true),
        Command::Orphans(args) => (args.show.clone(), true),
        Command::Undo(args) => (Show::from(&args.said), true),
        Command::Recover(args) => (Show::from(&args.said), true),
        Command::Runs(args) => (Show { color: args.color, ..Show::default() }, false),
        Command::Doctor(args) => (Show { color: args.color, ..Show::default() }, false),
        Command::Demo(args) => (Show { verbose: true, color: args.color, ..Show::default() }, true),
        _ => (Show::default(), false),
    };
    let screen = Arc::new(Screen::new(show, live));
    let code = run(&cli.command, &screen).unwrap_or_else(|failure| {
        screen.tell(&failure);
        failure.code
    });
    match screen.finish() {
        Ok(()) => code,
        Err(failure) => {
            screen.tell(&failure);
            failure.code
        }
    }
    .into()
}

fn run(command: &Command, screen: &Arc<Screen>) -> Outcome {
    match command {
        Command::Compare(args) => compare_cmd::run(args, screen),
        Command::Copy(args) => run_cmd::run_copy(args, screen),
        Command::Sync(args) => run_cmd::run_sync(args, screen),
        Command::Orphans(args) => run_cmd::run_orphans(args, screen),
        Command::Undo(args) => undo_cmd::run(args, screen),
        Command::Runs(args) => runs_cmd::run(args, screen),
        Command::Recover(args) => recover_cmd::run(args, screen),
        Command::Doctor(args) => doctor_cmd::run(args, screen),
        Command::Gui(args) => gui_cmd::run(args),
        Command::Demo(args) => demo::run(args, screen),
        Command::Settings(args) => settings_cmd::run(args.action.as_ref(), screen),
        Command::Completions(args) => Ok(docs::completions(args.shell, screen)),
        Command::Man(args) => docs::man(args.out.as_deref(), screen),
    }
}
