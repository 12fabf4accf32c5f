//! The `pitstop` command: keeps the state of a long-running program.

#![forbid(unsafe_code)]

mod args;
mod child;
mod command_line;
mod commands;
mod completion;
mod context;
mod error;
mod hints;
mod input;
mod output;
#[cfg(test)]
mod reference;
mod report;
mod values;
mod wait;
mod warnings;

use std::process::ExitCode;

fn main() -> ExitCode {
    completion::complete_if_asked();
    let args = command_line::parse();
    let context = context::Context::new(&args.global, args.command.name());
    warnings::show();
    let exit = args.command.run(&context, command_line::command).unwrap_or_else(|error| {
        hints::report(&error, &context);
        error.exit
    });
    exit.into()
}
