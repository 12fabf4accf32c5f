use std::path::{Path, PathBuf};
use std::{fs, io};

use clap::Args;
use clap_mangen::Man;

use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{self, Destination};

/// Print a manual page, or write all of them to a directory
///
/// `pitstop man save | man -l -` shows one. `pitstop man -o ~/.local/share/man/man1` installs them:
/// then `man pitstop-save` does.
#[derive(Args)]
pub(crate) struct ManArgs {
    /// The command [default: pitstop itself]
    #[arg(conflicts_with = "output")]
    command: Vec<String>,
    /// Write one page for each command into this directory
    #[arg(long, short, value_name = "DIR")]
    output: Option<PathBuf>,
}

pub(super) fn run(args: &ManArgs, whole: clap::Command, context: &Context) -> Outcome {
    let mut command = whole.disable_help_subcommand(true);
    command.build();
    if let Some(directory) = &args.output {
        let made = std::fs::create_dir_all(directory);
        made.and_then(|()| write_all(command, directory)).map_err(|error| {
            CommandError::io(format!("cannot write to {}", directory.display()), error)
                .hint("name a directory that you may write to with --output")
        })?;
        context.print_status(format_args!("wrote the manual pages to {}", directory.display()));
        return Ok(Exit::Ok);
    }
    for name in &args.command {
        let found = command.find_subcommand(name).cloned().ok_or_else(|| {
            CommandError::new(Exit::Usage, format!("there is no command '{name}'"))
                .hint(format!("run `{}` to see all commands", context.command_line(&["--help"])))
        })?;
        command = found;
    }
    let mut text = Vec::new();
    render(command, &mut text)
        .map_err(|error| output::cannot_write(Destination::of(None), error))?;
    output::print(text)
}

fn write_all(command: clap::Command, directory: &Path) -> io::Result<()> {
    for subcommand in command.get_subcommands().filter(|it| it.get_name() != "help") {
        write_all(subcommand.clone(), directory)?;
    }
    let place = directory.join(page(command.clone()).get_filename());
    let mut text = Vec::new();
    render(command, &mut text)?;
    fs::write(place, text)
}

fn page(command: clap::Command) -> Man {
    Man::new(command).source(concat!("pitstop ", env!("CARGO_PKG_VERSION"))).manual("Pitstop")
}

fn render(command: clap::Command, to: &mut Vec<u8>) -> io::Result<()> {
    let examples = command.get_after_long_help().or_else(|| command.get_after_help());
    let examples = examples.map(ToString::to_string).unwrap_or_default();
    let has_commands = command.has_subcommands();
    let page = page(command);
    page.render_title(to)?;
    page.render_name_section(to)?;
    page.render_synopsis_section(to)?;
    page.render_description_section(to)?;
    page.render_options_section(to)?;
    if has_commands {
        page.render_subcommands_section(to)?;
    }
    to.extend(sections(&examples).bytes());
    Ok(())
}

/// What follows the options, line by line as it is: what stands at the left and ends in a colon is a heading.
fn sections(text: &str) -> String {
    let mut roff = String::new();
    for line in text.lines() {
        match line.strip_suffix(':').filter(|heading| !heading.starts_with(' ')) {
            Some(heading) => roff += &format!(".fi\n.SH {}\n.nf\n", heading.to_uppercase()),
            None => {
                // Else a dot or a quotation mark at the beginning would be a command.
                let line = line.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
                roff += &format!("\\&{line}\n");
            }
        }
    }
    roff + ".fi\n"
}
