use std::ffi::OsString;
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};
use pitstop::{Error, Repository, Trashed, Usage};
use serde_json::{Value, json};

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{self, Time};
use crate::{input, values};

/// List, bring back or delete the sessions that were removed
///
/// `remove` and `prune` put sessions into the trash. They stay there, in the repository, and take
/// their space, until `trash empty`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pitstop trash list                        see what was removed
  pitstop trash restore nightly             bring it back
  pitstop trash restore nightly --as old    ... under another name
  pitstop trash empty --older-than 30d      delete what was removed 30 days ago or before")]
pub(crate) struct TrashArgs {
    #[command(subcommand)]
    command: TrashCommand,
}

#[derive(Subcommand)]
enum TrashCommand {
    List(ListArgs),
    Restore(RestoreArgs),
    Empty(EmptyArgs),
}

/// List the sessions in the trash, those removed last first
#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    json: JsonArg,
}

/// Bring a session back from the trash, as it was
///
/// Of several that had the same name it is the one removed last.
#[derive(Args)]
struct RestoreArgs {
    /// The name of the session
    session: OsString,
    /// Bring it back under this name
    #[arg(long = "as", value_name = "NAME")]
    name: Option<OsString>,
    #[command(flatten)]
    json: JsonArg,
}

/// Delete what is in the trash: nothing brings it back
#[derive(Args)]
struct EmptyArgs {
    /// Only those of these names [default: all]
    #[arg(value_name = "SESSION")]
    sessions: Vec<OsString>,
    /// Only those that were removed so long ago: 12h, 30d, 4w
    #[arg(long, value_name = "AGE", value_parser = values::age)]
    older_than: Option<Duration>,
    /// Only say what would go
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &TrashArgs, context: &Context) -> Outcome {
    let repository = context.open()?;
    match &args.command {
        TrashCommand::List(args) => list(&repository, args, context),
        TrashCommand::Restore(args) => restore(&repository, args, context),
        TrashCommand::Empty(args) => empty(&repository, args, context),
    }
}

fn list(repository: &Repository, args: &ListArgs, context: &Context) -> Outcome {
    let trash = repository.trash()?;
    if args.json.json {
        let sessions: Vec<Value> = trash.iter().map(as_json).collect();
        let location = repository.location().display().to_string();
        return output::print_json(&json!({ "repository": location, "sessions": sessions }));
    }
    if trash.is_empty() {
        context.talk("the trash is empty");
        return Ok(Exit::Ok);
    }
    output::print(output::trash(&trash))?;
    context.talk(total(&trash.iter().map(|it| it.usage).sum(), trash.len()));
    Ok(Exit::Ok)
}

pub(super) fn as_json(trashed: &Trashed) -> Value {
    json!({
        "id": trashed.id,
        "removed": Time(trashed.removed),
        "saved": trashed.summary.as_ref().and_then(|it| it.saved).map(Time),
        "files": trashed.usage.files,
        "size": trashed.usage.bytes,
    })
}

/// `3 sessions, 1.2 MiB`.
pub(super) fn total(usage: &Usage, count: usize) -> String {
    format!("{}, {}", output::count(count, "session"), output::size(usage.bytes))
}

fn restore(repository: &Repository, args: &RestoreArgs, context: &Context) -> Outcome {
    let wanted = args.session.to_string_lossy();
    let trash = repository.trash()?;
    let Some(trashed) = trash.iter().find(|it| it.id.as_str() == wanted) else {
        let line = context.command_line(&["trash", "list"]);
        let message = format!("there is no session '{wanted}' in the trash");
        return Err(CommandError::new(Exit::NotFound, message)
            .hint(format!("`{line}` shows what is there")));
    };
    let id = match &args.name {
        Some(name) => input::session_id(name)?,
        None => trashed.id.clone(),
    };
    match repository.restore_from_trash(trashed, &id) {
        Err(error @ Error::AlreadyExists { .. }) => {
            let line =
                context.command_line(&["trash", "restore", trashed.id.as_str(), "--as", "NAME"]);
            return Err(CommandError::from(error)
                .hint(format!("`{line}` brings it back under another name")));
        }
        outcome => outcome?,
    };
    context.talk(format_args!("{id} is back"));
    match args.json.json {
        true => output::print_json(&json!({ "id": id, "was": trashed.id })),
        false => Ok(Exit::Ok),
    }
}

fn empty(repository: &Repository, args: &EmptyArgs, context: &Context) -> Outcome {
    let now = SystemTime::now();
    let is_old = |it: &Trashed| {
        let age = now.duration_since(it.removed).unwrap_or_default();
        args.older_than.is_none_or(|least| age >= least)
    };
    let mut trash = repository.trash()?;
    let names = &args.sessions;
    let is_named = |it: &Trashed| names.iter().any(|name| *name == it.id.as_str());
    trash.retain(|it| is_old(it) && (names.is_empty() || is_named(it)));
    let (mut exit, mut gone) = (Exit::Ok, Vec::new());
    for trashed in &trash {
        if !args.dry_run {
            let removal = match repository.delete_from_trash(trashed) {
                // Somebody else did it, or brought it back.
                Err(Error::NotFound { .. }) => continue,
                outcome => outcome?,
            };
            if !removal.remains.is_empty() {
                removal.remains.iter().for_each(|error| context.warn(error));
                exit = Exit::Failed;
            }
        }
        gone.push(trashed);
    }
    let usage: Usage = gone.iter().map(|it| it.usage).sum();
    if args.json.json {
        let deleted: Vec<Value> = gone.iter().map(|it| as_json(it)).collect();
        let (dry_run, size) = (args.dry_run, usage.bytes);
        output::print_json(&json!({ "dry_run": dry_run, "deleted": deleted, "size": size }))?;
    } else if args.dry_run && !gone.is_empty() {
        output::print(output::trash(&trash))?;
    }
    let verb = if args.dry_run { "would delete" } else { "deleted" };
    context.talk(format_args!("{verb} {}", total(&usage, gone.len())));
    Ok(exit)
}
