use clap::Args;
use clap_complete::Shell;

use crate::error::Outcome;
use crate::output;

/// Print a completion script for a shell
#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

pub(super) fn run(args: &CompletionsArgs, mut whole: clap::Command) -> Outcome {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut whole, "pitstop", &mut script);
    output::print(script)
}
