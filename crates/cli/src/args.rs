//! What may be written on the command line.

use std::fmt::Write as _;
use std::path::PathBuf;

use clap::{Args, CommandFactory, FromArgMatches, Parser};

use crate::commands::{self, Command};
use crate::error::Exit;

/// Keeps the state of a long-running program, so that it picks up where it left off after a crash
#[derive(Parser)]
#[command(name = "pitstop", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Args, Clone)]
pub(crate) struct GlobalArgs {
    /// Where the sessions are [default: $PITSTOP_REPOSITORY or ~/.local/state/pitstop/sessions]
    #[arg(long, short, global = true, value_name = "DIR", display_order = 900)]
    pub(crate) repository: Option<PathBuf>,
    /// Say nothing but errors and warnings
    #[arg(long, short, global = true, display_order = 901)]
    pub(crate) quiet: bool,
}

/// For commands that print something.
#[derive(Args)]
pub(crate) struct JsonArg {
    /// Print JSON
    #[arg(long)]
    pub(crate) json: bool,
}

const EXAMPLES: &str = "\
Examples:
  echo '{\"step\": 3}' | pitstop save --create nightly   save; make it if new
  pitstop load nightly > state.json                    get it back
  pitstop run --create nightly -- ./import.sh          run what saves by itself
  pitstop list                                         what is there
  pitstop status                                       what runs or was killed
";

/// Reads the command line. Prints help and ends the process where that was asked for or needed.
pub(crate) fn parse() -> Arguments {
    let matches = command().get_matches();
    Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit())
}

/// The command with its help, in which the subcommands are grouped.
pub(crate) fn command() -> clap::Command {
    let command = Arguments::command();
    let style = clap::builder::Styles::default();
    let (header, literal) = (*style.get_header(), *style.get_literal());
    let mut template = "{about}\n\n{usage-heading} {usage}\n".to_owned();
    for (heading, names) in commands::GROUPS {
        let colon = if heading.ends_with('?') { "" } else { ":" };
        let _ = write!(template, "\n{header}{heading}{colon}{header:#}\n");
        for name in *names {
            let about = command.find_subcommand(name).and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let _ = writeln!(template, "  {literal}{name:<13}{literal:#}{about}");
        }
    }
    let _ = write!(template, "\n{header}Options:{header:#}\n{{options}}{{after-help}}");
    let mut long = format!("{EXAMPLES}\nExit codes:\n");
    for (exit, meaning) in Exit::TABLE {
        let _ = writeln!(long, "  {}  {meaning}", exit.code());
    }
    long += "Of `pitstop run` it is that of the program; 128 and more if a signal killed it.\n";
    command.help_template(template).after_help(EXAMPLES).after_long_help(long)
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_command_line_is_consistent_and_every_command_is_in_a_group() {
        let mut command = super::command();
        command.build();
        let grouped: Vec<_> =
            super::commands::GROUPS.iter().flat_map(|(_, names)| *names).collect();
        for name in command.get_subcommands().map(clap::Command::get_name) {
            assert!(name == "help" || grouped.contains(&&name), "{name} is in no group");
        }
        for command in command.get_subcommands() {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(about.len() <= 65, "in a terminal of 80 columns this takes two lines: {about}");
        }
        command.debug_assert();
    }
}
