use clap::Args;
use clap_complete::Shell;

use crate::error::Outcome;
use crate::{args, output};

/// Print a script that completes commands and options in a shell
#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut args::command(), "pitstop", &mut script);
    output::print(script)
}
