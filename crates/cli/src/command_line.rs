//! What may be written on the command line.

use std::fmt::Write as _;

use clap::error::{ContextKind, ContextValue};
use clap::{CommandFactory, FromArgMatches, Parser};

use crate::args::GlobalArgs;
use crate::commands::{self, Command};
use crate::completion;
use crate::error::Exit;
use crate::output;

/// Keeps the state of a long-running program, so that it resumes after a crash
#[derive(Parser)]
#[command(name = "pitstop", version)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// In a wider terminal lines of help are no longer.
const WIDEST: usize = 100;

const EXAMPLES: &str = "\
Examples:
  echo '{\"step\": 3}' | pitstop save --create nightly   save a checkpoint
  pitstop load nightly > state.json                    load it
  pitstop run --create nightly -- ./import.sh          run a program that saves
  pitstop list                                         list the sessions
  pitstop status                                       what runs or was killed
";

/// Reads the command line. Prints help and ends the process where that was asked for or needed.
pub(crate) fn parse() -> Arguments {
    let matches = command().try_get_matches().map_err(with_better_tip);
    matches.and_then(|it| Arguments::from_arg_matches(&it)).unwrap_or_else(|error| error.exit())
}

/// What other tools call our commands. That they are spelled alike would not lead there.
const SYNONYMS: &[(&str, &[&str])] = &[
    ("resume", &["run", "load"]),
    ("continue", &["run", "load"]),
    ("get", &["load"]),
    ("cat", &["load"]),
    ("put", &["save"]),
    ("ls", &["list"]),
    ("ps", &["status"]),
    ("log", &["history"]),
    ("info", &["show"]),
    ("inspect", &["show"]),
    ("check", &["verify"]),
    ("fsck", &["verify"]),
    ("repair", &["verify"]),
    ("rm", &["remove"]),
    ("delete", &["remove"]),
    ("gc", &["prune"]),
    ("clean", &["prune"]),
    ("undelete", &["trash"]),
    ("mv", &["rename"]),
    ("move", &["rename", "copy"]),
    ("backup", &["copy", "export"]),
];

fn with_better_tip(mut error: clap::Error) -> clap::Error {
    let wrong = match error.get(ContextKind::InvalidSubcommand) {
        Some(ContextValue::String(wrong)) => SYNONYMS.iter().find(|(word, _)| word == wrong),
        _ => None,
    };
    if let Some((_, commands)) = wrong {
        let commands = commands.iter().map(|it| (*it).to_owned()).collect();
        error.insert(ContextKind::SuggestedSubcommand, ContextValue::Strings(commands));
    }
    error
}

/// The command with its help, in which the subcommands are grouped.
pub(crate) fn command() -> clap::Command {
    let width = output::width().map_or(WIDEST, |width| width.min(WIDEST));
    let command = with_narrow_examples(Arguments::command(), width);
    let command = completion::with_completers(command);
    let command = with_narrow_usages(command, "pitstop", width);
    let style = clap::builder::Styles::default();
    let (header, literal) = (*style.get_header(), *style.get_literal());
    let mut template = "{about}\n\n{usage-heading} {usage}\n".to_owned();
    for (heading, names) in commands::GROUPS {
        let colon = if heading.ends_with('?') { "" } else { ":" };
        let _ = write!(template, "\n{header}{heading}{colon}{header:#}\n");
        for name in *names {
            let about = command.find_subcommand(name).and_then(clap::Command::get_about);
            let about = about.map(ToString::to_string).unwrap_or_default();
            let line = output::wrap(&format!("  {name:<13}{about}"), width, 15);
            let line = line.replacen(name, &format!("{literal}{name}{literal:#}"), 1);
            let _ = writeln!(template, "{line}");
        }
    }
    let _ = write!(template, "\n{header}Options:{header:#}\n{{options}}{{after-help}}");
    let mut long = format!("{EXAMPLES}\nExit codes:\n");
    for (exit, meaning) in Exit::TABLE {
        let _ = writeln!(long, "  {}  {meaning}", exit.code());
    }
    long += "`pitstop run` ends with the exit code of the program, or 128 + the signal that killed it.\n";
    let [short, long] = [EXAMPLES, &long].map(|it| narrow(it, width));
    command.help_template(template).after_help(short).after_long_help(long)
}

/// Those of every command below this one.
fn with_narrow_examples(command: clap::Command, width: usize) -> clap::Command {
    command.mut_subcommands(|it| {
        let examples = it.get_after_help().map(|it| narrow(&it.to_string(), width));
        let it = with_narrow_examples(it, width);
        examples.iter().fold(it, |it, examples| it.after_help(examples))
    })
}

/// Those of every command below this one, whose words come first on their command lines.
fn with_narrow_usages(command: clap::Command, words: &str, width: usize) -> clap::Command {
    const HEADING: &str = "Usage: ";
    command.mut_subcommands(|it| {
        let words = format!("{words} {}", it.get_name());
        let usage = it.clone().bin_name(&words).render_usage().to_string();
        let it = match usage.strip_prefix(HEADING).filter(|_| usage.len() > width) {
            Some(_) => {
                let usage = output::wrap(&usage, width, HEADING.len() + 4);
                it.override_usage(usage[HEADING.len()..].to_owned())
            }
            None => it,
        };
        with_narrow_usages(it, &words, width)
    })
}

/// Where an example does not fit, what it does stands below it.
fn narrow(examples: &str, width: usize) -> String {
    let line = |line: &str| match line.trim_start().split_once("   ") {
        Some((example, what)) if line.chars().count() > width => {
            let what = output::wrap(&format!("      {}", what.trim_start()), width, 6);
            let example = output::wrap(&format!("  {example}"), width, 6);
            format!("{example}\n{what}\n")
        }
        _ => output::wrap(line, width, 6) + "\n",
    };
    examples.lines().map(line).collect()
}

#[cfg(test)]
mod tests {
    #[test]
    fn what_an_example_does_stands_below_it_where_there_is_no_room() {
        let examples = "Examples:\n  pitstop list        what is there\n";
        assert_eq!(super::narrow(examples, 40), examples);
        let narrow = "Examples:\n  pitstop list\n      what is there\n";
        assert_eq!(super::narrow(examples, 30), narrow);
    }

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
