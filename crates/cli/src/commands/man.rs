use std::io;
use std::path::{Path, PathBuf};

use clap::Args;
use clap_mangen::Man;

use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::{args, output};

/// Print a manual page, or write all of them into a directory
///
/// `pitstop man save | man -l -` shows one. `pitstop man -o ~/.local/share/man/man1` installs them:
/// then `man pitstop-save` does.
#[derive(Args)]
pub(crate) struct ManArgs {
    /// The command to print the page of [default: pitstop itself]
    #[arg(conflicts_with = "output")]
    command: Option<String>,
    /// Write one page for each command into this directory
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs, context: &Context) -> Outcome {
    let mut command = args::command().disable_help_subcommand(true);
    command.build();
    if let Some(directory) = &args.output {
        let made = std::fs::create_dir_all(directory);
        made.and_then(|()| write_all(command, directory)).map_err(|error| {
            CommandError::io(format!("cannot write to {}", directory.display()), error)
                .hint("name a directory that you may write to with --output")
        })?;
        context.talk(format_args!("wrote the manual pages to {}", directory.display()));
        return Ok(Exit::Ok);
    }
    if let Some(name) = &args.command {
        let found = command.find_subcommand(name).cloned().ok_or_else(|| {
            CommandError::new(Exit::Usage, format!("there is no command '{name}'"))
                .hint(format!("`{}` names them all", context.command_line(&["--help"])))
        })?;
        command = found;
    }
    let mut text = Vec::new();
    page(command).render(&mut text).map_err(output::cannot_write)?;
    output::print(text)
}

fn write_all(command: clap::Command, directory: &Path) -> io::Result<()> {
    for subcommand in command.get_subcommands().filter(|it| it.get_name() != "help") {
        write_all(subcommand.clone(), directory)?;
    }
    page(command).generate_to(directory).map(drop)
}

fn page(command: clap::Command) -> Man {
    Man::new(command).source(concat!("pitstop ", env!("CARGO_PKG_VERSION"))).manual("Pitstop")
}
