use std::ffi::{OsStr, OsString};
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};
use pitstop::{Error, Repository, SessionId, Trashed, Usage};
use serde::Serialize;

use crate::args::{JsonArg, RemovalArgs};
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::report::RemovalReport;
use crate::{hints, input, output, report, values};

/// List, restore or delete removed sessions
///
/// `remove` and `prune` move sessions to the trash. They stay there, in the repository, and take their space,
/// until `trash empty`.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pitstop trash list                        see what was removed
  pitstop trash restore nightly             restore it
  pitstop trash restore nightly --as old    ... under another name
  pitstop trash empty --older-than 30d      delete those removed 30 days ago or earlier")]
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

/// List the sessions in the trash, most recently removed first
#[derive(Args)]
struct ListArgs {
    #[command(flatten)]
    json: JsonArg,
}

/// Restore sessions from the trash
///
/// If several have the same name, the most recently removed one is restored.
#[derive(Args)]
struct RestoreArgs {
    /// The names of the sessions
    #[arg(required = true, value_name = "SESSION")]
    sessions: Vec<OsString>,
    /// Restore a single session under this name
    #[arg(long = "as", value_name = "NAME")]
    name: Option<OsString>,
    #[command(flatten)]
    json: JsonArg,
}

/// Permanently delete sessions in the trash
#[derive(Args)]
struct EmptyArgs {
    /// Only sessions of these names [default: all]
    #[arg(value_name = "SESSION")]
    sessions: Vec<OsString>,
    /// Only those removed AGE ago or earlier: 12h, 30d, 4w
    #[arg(long, value_name = "AGE", value_parser = values::age, allow_hyphen_values = true)]
    older_than: Option<Duration>,
    #[command(flatten)]
    removal: RemovalArgs,
}

/// The sessions in the trash.
#[derive(Serialize)]
struct TrashReport<'a> {
    /// The repository.
    repository: String,
    /// The sessions, those removed last first.
    sessions: &'a [Trashed],
}

/// The sessions that were restored from the trash.
#[derive(Serialize)]
struct TrashRestoreReport {
    /// The sessions.
    restored: Vec<RestoredReport>,
}

/// A session that was restored from the trash.
#[derive(Serialize)]
struct RestoredReport {
    /// The name that it has now.
    id: SessionId,
    /// The name that it had.
    was: SessionId,
}

/// What was deleted from the trash, or would be.
#[derive(Serialize)]
struct EmptyReport<'a> {
    #[serde(flatten)]
    removal: RemovalReport<&'a Trashed>,
    /// What they take together on the disk, in bytes.
    stored_size: u64,
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
        let repository = report::location(repository);
        return output::print_json(&TrashReport { repository, sessions: &trash });
    }
    if trash.is_empty() {
        context.print_status("the trash is empty");
        return Ok(Exit::Ok);
    }
    output::print(output::trash(&trash))?;
    context.print_status(total(&trash.iter().map(|it| it.usage).sum(), trash.len()));
    Ok(Exit::Ok)
}

/// `3 sessions, 1.2 MiB`.
fn total(usage: &Usage, count: usize) -> String {
    format!("{}, {}", output::count(count, "session"), output::size(usage.bytes))
}

fn restore(repository: &Repository, args: &RestoreArgs, context: &Context) -> Outcome {
    if args.name.is_some() && args.sessions.len() > 1 {
        let message = "--as names one session, and several are named";
        return Err(CommandError::new(Exit::Usage, message).hint("restore them one by one"));
    }
    let trash = repository.trash()?;
    let (mut back, mut exit) = (Vec::new(), Exit::Ok);
    for wanted in &args.sessions {
        match restore_one(repository, &trash, wanted, args, context) {
            Ok((id, was)) => {
                context.print_status(format_args!("restored {id}"));
                back.push(RestoredReport { id, was });
            }
            Err(error) => {
                hints::report(&error, context);
                exit = exit.or(error.exit);
            }
        }
    }
    if args.json.json {
        output::print_json(&TrashRestoreReport { restored: back })?;
    }
    Ok(exit)
}

/// The name that it has now, and the one that it had.
fn restore_one(
    repository: &Repository,
    trash: &[Trashed],
    wanted: &OsStr,
    args: &RestoreArgs,
    context: &Context,
) -> Result<(SessionId, SessionId), CommandError> {
    let Some(trashed) = trash.iter().find(|it| wanted == it.id.as_str()) else {
        let line = context.command_line(&["trash", "list"]);
        let message = format!("there is no session '{}' in the trash", wanted.to_string_lossy());
        return Err(CommandError::new(Exit::NotFound, message)
            .hint(format!("run `{line}` to see what is in the trash")));
    };
    let id = match &args.name {
        Some(name) => input::session_id(name)?,
        None => trashed.id.clone(),
    };
    match repository.restore_from_trash(trashed, &id) {
        Err(error @ Error::AlreadyExists { .. }) => {
            let words = ["trash", "restore", trashed.id.as_str(), "--as", "NAME"];
            let line = context.command_line(&words);
            Err(CommandError::from(error)
                .hint(format!("run `{line}` to restore it under another name")))
        }
        Err(error) => Err(error.into()),
        Ok(_) => Ok((id, trashed.id.clone())),
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
        if !args.removal.dry_run {
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
    let (usage, count): (Usage, _) = (gone.iter().map(|it| it.usage).sum(), gone.len());
    if args.removal.json.json {
        output::print_json(&EmptyReport {
            removal: RemovalReport::new(args.removal.dry_run, gone),
            stored_size: usage.bytes,
        })?;
    } else if args.removal.dry_run && !gone.is_empty() {
        output::print(output::trash(&trash))?;
    }
    let verb = if args.removal.dry_run { "would delete" } else { "deleted" };
    context.print_status(format_args!("{verb} {}", total(&usage, count)));
    Ok(exit)
}
