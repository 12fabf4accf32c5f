//! docs/cli.md: what `--help` says of each command, in one page.

use clap::Command;

use crate::{command_line, commands};

const HEAD: &str = "\
# The command, in full

This is what `pitstop help COMMAND` says. It is generated: `UPDATE=1 cargo test -p pitstop-cli cli_reference`
makes it anew. Every command also takes the options of `pitstop` itself.
";

fn reference() -> String {
    let mut command = command_line::command().disable_help_subcommand(true).term_width(100);
    command.build();
    let mut text = HEAD.to_owned();
    text += &section(2, &mut command);
    let names = commands::GROUPS.iter().flat_map(|(_, names)| *names);
    for name in names {
        let found = command.find_subcommand(name).expect("a command of the groups is there");
        text += &with_subcommands(3, found.clone());
    }
    text
}

fn with_subcommands(level: usize, command: Command) -> String {
    // What is common to all is said once.
    let common = |id: &str| ["repository", "quiet", "help"].contains(&id);
    let mut command = command.mut_args(|arg| match common(arg.get_id().as_str()) {
        true => arg.hide(true),
        false => arg,
    });
    let mut text = section(level, &mut command);
    for subcommand in command.get_subcommands().filter(|it| it.get_name() != "help") {
        text += &with_subcommands(level + 1, subcommand.clone());
    }
    text
}

fn section(level: usize, command: &mut Command) -> String {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name()).to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<_> = help.trim().lines().map(str::trim_end).collect();
    format!("\n{} {name}\n\n```text\n{}\n```\n", "#".repeat(level), lines.join("\n"))
}

#[test]
fn cli_reference_is_up_to_date() {
    let place = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/cli.md");
    let reference = reference();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(place, &reference).unwrap();
    }
    let there = std::fs::read_to_string(place).unwrap_or_default();
    assert!(
        there == reference,
        "docs/cli.md is out of date: `UPDATE=1 cargo test -p pitstop-cli cli_reference` mends it"
    );
}
