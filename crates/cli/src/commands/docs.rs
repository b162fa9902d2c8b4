//! Completions and manual pages, made from the same definitions as the options themselves.

use std::path::Path;

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;
use fcs_engine::error::display_path;

use crate::args::Cli;
use crate::exit::Code;
use crate::failure::{CommandResult, Failure};
use crate::output::terminal::Screen;

/// `fcs completions`.
pub(crate) fn completions(shell: Shell, screen: &Screen) -> Code {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "fcs", &mut script);
    screen.bytes(&script);
    Code::Done
}

/// `fcs man`.
pub(crate) fn man(out: Option<&Path>, screen: &Screen) -> CommandResult {
    let Some(folder) = out else {
        let mut page = Vec::new();
        Man::new(Cli::command())
            .render(&mut page)
            .map_err(|e| Failure::usage(format_args!("Could not create the manual page: {e}.")))?;
        screen.bytes(&page);
        return Ok(Code::Done);
    };
    std::fs::create_dir_all(folder)
        .and_then(|()| clap_mangen::generate_to(Cli::command(), folder))
        .map_err(|e| Failure::write(folder, &e))?;
    screen.message(&format!("Manual pages written to {}.", display_path(folder)));
    Ok(Code::Done)
}
