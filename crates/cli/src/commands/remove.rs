use std::ffi::{OsStr, OsString};

use clap::Args;
use pitstop::{Repository, Usage};
use serde_json::{Value, json};

use crate::args::RemovalArgs;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::wait::WaitArg;
use crate::{input, output};

/// Remove sessions, with every file in their directories
///
/// They go to the trash, from which `pitstop trash restore` brings them back and `pitstop trash empty`
/// deletes them. A session that somebody writes is never removed. After a failure the others are still
/// removed, and the exit code is that of the first failure.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pitstop remove nightly                 put it into the trash
  pitstop remove --dry-run nightly       see what would go, and what it takes
  pitstop remove --permanently nightly   delete it at once")]
pub(crate) struct RemoveArgs {
    /// The names of the sessions
    #[arg(required = true, value_name = "SESSION")]
    sessions: Vec<OsString>,
    /// Delete at once, past the trash: nothing brings it back
    #[arg(long)]
    permanently: bool,
    #[command(flatten)]
    wait: WaitArg,
    #[command(flatten)]
    removal: RemovalArgs,
}

pub(super) fn run(args: &RemoveArgs, context: &Context) -> Outcome {
    let repository = context.open()?;
    let mut exit = Exit::Ok;
    let mut done = Vec::new();
    for name in &args.sessions {
        let outcome = match (args.removal.dry_run, args.permanently) {
            (true, _) => would_remove(&repository, name, args.removal.json.json),
            (false, true) => remove(&repository, name, args, context),
            (false, false) => trash(&repository, name, args, context),
        };
        exit = exit.or(match outcome {
            Ok((ended, what)) => {
                done.push(what);
                ended
            }
            Err(error) => {
                context.report(&error);
                error.exit
            }
        });
    }
    let trashed = done.iter().rev().find(|it| it["trash"] == true);
    if let Some(id) = trashed.and_then(|it| it["id"].as_str()) {
        let restore = context.command_line(&["trash", "restore", id]);
        let empty = context.command_line(&["trash", "empty", id]);
        context.hint(format_args!("`{restore}` brings it back; `{empty}` deletes it"));
    }
    if args.removal.json.json {
        output::print_json(&json!({ "dry_run": args.removal.dry_run, "removed": done }))?;
    }
    Ok(exit)
}

fn trash(
    repository: &Repository,
    name: &OsStr,
    args: &RemoveArgs,
    context: &Context,
) -> Result<(Exit, Value), CommandError> {
    let session = repository.get(input::session_id(name)?)?;
    let trashed = args.wait.until_free(&session, || session.trash())?;
    let id = session.id();
    context.talk(format_args!("removed {id}: it is in the trash"));
    let Usage { files, bytes, .. } = trashed.usage;
    Ok((Exit::Ok, json!({ "id": id, "trash": true, "files": files, "size": bytes })))
}

fn remove(
    repository: &Repository,
    name: &OsStr,
    args: &RemoveArgs,
    context: &Context,
) -> Result<(Exit, Value), CommandError> {
    let session = repository.get(input::session_id(name)?)?;
    let removal = args.wait.until_free(&session, || session.remove())?;
    context.talk(format_args!("removed {}", session.id()));
    removal.remains.iter().for_each(|error| context.warn(error));
    let exit = if removal.remains.is_empty() { Exit::Ok } else { Exit::Failed };
    let remains: Vec<_> = removal.remains.iter().map(ToString::to_string).collect();
    Ok((exit, json!({ "id": session.id(), "trash": false, "remains": remains })))
}

/// Says what would go, or why it would not.
fn would_remove(
    repository: &Repository,
    name: &OsStr,
    json: bool,
) -> Result<(Exit, Value), CommandError> {
    let session = repository.get(input::session_id(name)?)?;
    let Usage { files, bytes, .. } = session.would_remove()?;
    let id = session.id();
    if !json {
        let noun = if files == 1 { "file" } else { "files" };
        output::print(format!("would remove {id}: {files} {noun}, {}\n", output::size(bytes)))?;
    }
    Ok((Exit::Ok, json!({ "id": id, "files": files, "size": bytes })))
}
