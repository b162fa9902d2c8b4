//! Starts a program so that the supervisor sees its system calls, and only those it asked for.
//!
//! A seccomp filter makes the kernel stop the program at the wanted calls alone; stopping at every call would make a
//! run ten times slower. The filter has to be installed by the process itself, between fork and exec, where Rust
//! allows only `unsafe` code. So this process is an intermediate step: it waits until the supervisor holds it, installs
//! the filter and becomes the program.
//!
//! Invariant: it returns only with an error. It must not know why anyone wants to stop at a call.

use std::convert::Infallible;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::Command;

use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

use crate::syscalls::{self, Syscall};

/// Waits for one byte on standard input, then becomes `program`, which stops at each of the `calls` (their names,
/// separated by commas) with the call's place in that list as the message.
pub(crate) fn launch(calls: &str, program: &[String]) -> Result<Infallible, String> {
    let calls = calls.split(',').filter(|name| !name.is_empty()).map(syscalls::by_name);
    let calls: Vec<Syscall> = calls.collect::<Result<_, _>>()?;
    let mut go = [0];
    let held = std::io::stdin().read_exact(&mut go);
    held.map_err(|error| format!("nobody took hold of the launcher: {error}"))?;
    // One filter per call, because a filter has one message for all it matches.
    for (place, call) in calls.iter().enumerate() {
        let filter = filter(*call, place as u32).map_err(|error| format!("{}: {error}", call.name))?;
        seccompiler::apply_filter(&filter).map_err(|error| format!("{}: {error}", call.name))?;
    }
    let (exe, args) = program.split_first().ok_or("no program to launch")?;
    Err(format!("{exe} does not start: {}", Command::new(exe).args(args).exec()))
}

fn filter(call: Syscall, message: u32) -> Result<BpfProgram, seccompiler::BackendError> {
    let conditions = match call.only_with {
        None => Vec::new(),
        Some((argument, bits)) => {
            let any = |bit: u64| {
                let set = SeccompCmpOp::MaskedEq(bit);
                SeccompCondition::new(argument, SeccompCmpArgLen::Dword, set, bit)
            };
            bits.iter().map(|&bit| SeccompRule::new(vec![any(bit)?])).collect::<Result<_, _>>()?
        }
    };
    let arch = std::env::consts::ARCH.try_into()?;
    let rules = [(call.number, conditions)].into_iter().collect();
    SeccompFilter::new(rules, SeccompAction::Allow, SeccompAction::Trace(message), arch)?.try_into()
}
