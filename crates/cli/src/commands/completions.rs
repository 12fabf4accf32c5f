use clap::{Args, ValueEnum};
use clap_complete::env::Shells;

use crate::completion;
use crate::error::Outcome;
use crate::output::{self, Destination};

/// Print a completion script for a shell
///
/// It completes commands and options, and also the names of sessions, their revisions and labels: for that the
/// script asks `pitstop`.
///
/// bash: pitstop completions bash > ~/.local/share/bash-completion/completions/pitstop
///
/// zsh: add `source <(pitstop completions zsh)` to ~/.zshrc, below `compinit`
///
/// fish: pitstop completions fish > ~/.config/fish/completions/pitstop.fish
#[derive(Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    shell: Shell,
}

#[derive(Clone, Copy, ValueEnum)]
enum Shell {
    Bash,
    Elvish,
    Fish,
    Powershell,
    Zsh,
}

pub(super) fn run(args: &CompletionsArgs) -> Outcome {
    let value = args.shell.to_possible_value();
    let shells = Shells::builtins();
    let completer = value.as_ref().and_then(|it| shells.completer(it.get_name()));
    let mut script = Vec::new();
    if let Some(completer) = completer {
        completer
            .write_registration(completion::VARIABLE, "pitstop", "pitstop", "pitstop", &mut script)
            .map_err(|error| output::cannot_write(Destination::of(None), error))?;
    }
    output::print(script)
}
