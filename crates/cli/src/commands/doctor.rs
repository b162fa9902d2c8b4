//! `fcs doctor`: what a folder's volume keeps, takes and lets be proven.
//!
//! Invariant: what is tried is gone again; nothing else is changed.

use std::sync::Arc;

use fcs_app::doctor::Finding;
use fcs_app::hints::FrontEnd;
use fcs_engine::doctor::{Diagnosis, NotTried, examine};
use fcs_engine::error::display_path;
use fcs_engine::probe::VolumeProbe;
use fcs_engine::session;
use fcs_sys::{Space, VolumeFacts};
use serde::Serialize;

use crate::args::DoctorArgs;
use crate::exit::Code;
use crate::failure::{CommandResult, Failure};
use crate::output::json;
use crate::output::terminal::{Screen, Tone};
use crate::output::text::pad;

/// Runs the command.
pub(crate) fn run(args: &DoctorArgs, screen: &Arc<Screen>) -> CommandResult {
    let root = session::open(&args.root)?;
    let found = examine(&root, !args.dry_run).map_err(|e| Failure::of(Code::Failed, &e))?;
    let findings = fcs_app::doctor::findings(&found, FrontEnd::CommandLine);
    let path = display_path(&root.path);
    if args.json {
        json::print(screen, &JsonDoctor::new(&path, &found, &findings));
    } else {
        screen.line(&format!("{}{path}", screen.style.paint(Tone::Strong, pad("Folder", WIDTH))));
        for finding in &findings {
            screen.line(&format!(
                "{}{}",
                screen.style.paint(Tone::Strong, pad(finding.name, WIDTH)),
                finding.fact
            ));
            if !finding.meaning.is_empty() {
                screen.line(&format!(
                    "{}{}",
                    pad("", WIDTH),
                    screen.style.paint(Tone::Dim, &finding.meaning)
                ));
            }
        }
    }
    if let (Err(NotTried::Failed(_)), false) = (&found.tried, args.json) {
        screen.message("Note: you may not write there, so the volume could not be tested.");
    }
    if found.unfinished.is_empty() {
        return Ok(Code::Done);
    }
    if !args.json {
        screen.message(&format!("Hint: {} recovers it.", crate::unfinished::command("recover", &root)));
    }
    Ok(Code::RecoveryNeeded)
}

const WIDTH: usize = 13;

#[derive(Serialize)]
struct JsonDoctor<'a> {
    event: &'static str,
    path: &'a str,
    volume: &'a VolumeFacts,
    /// What was seen; `null` where nothing was tried.
    seen: Option<&'a VolumeProbe>,
    not_tried: Option<&'a NotTried>,
    space: Option<Space>,
    evidence: &'static str,
    evidence_why: Option<&'static str>,
    holder: Option<&'a str>,
    unfinished: Vec<&'a str>,
    findings: Vec<JsonFinding<'a>>,
}

#[derive(Serialize)]
struct JsonFinding<'a> {
    name: &'static str,
    fact: &'a str,
    meaning: &'a str,
}

impl<'a> JsonDoctor<'a> {
    fn new(path: &'a str, found: &'a Diagnosis, findings: &'a [Finding]) -> Self {
        Self {
            event: "doctor",
            path,
            volume: &found.facts,
            seen: found.tried.as_ref().ok(),
            not_tried: found.tried.as_ref().err(),
            space: found.space,
            evidence: if found.cached_because.is_some() { "cache" } else { "device" },
            evidence_why: found.cached_because,
            holder: found.holder.as_deref(),
            unfinished: found.unfinished.iter().map(|run| &*run.run).collect(),
            findings: findings
                .iter()
                .map(|f| JsonFinding { name: f.name, fact: &f.fact, meaning: &f.meaning })
                .collect(),
        }
    }
}
