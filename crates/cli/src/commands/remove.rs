use std::ffi::{OsStr, OsString};

use clap::Args;
use pitstop::{Error, Repository, SessionId, Usage};
use serde::Serialize;

use crate::args::RemovalArgs;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::report::RemovalReport;
use crate::wait::WaitArg;
use crate::{hints, input, output};

/// Remove sessions, with every file in their directories
///
/// They go to the trash: `pitstop trash restore` restores them, `pitstop trash empty` deletes them. A session
/// in use is never removed. After a failure the others are still removed, and the exit code is that of the
/// first failure.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pitstop remove nightly                 move it to the trash
  pitstop remove --dry-run nightly       see what it takes
  pitstop remove --permanently nightly   delete it at once")]
pub(crate) struct RemoveArgs {
    /// The names of the sessions
    #[arg(required = true, value_name = "SESSION")]
    sessions: Vec<OsString>,
    /// Delete the sessions permanently, without the trash
    #[arg(long)]
    permanently: bool,
    #[command(flatten)]
    wait: WaitArg,
    #[command(flatten)]
    removal: RemovalArgs,
}

/// A session that was removed, or would be.
#[derive(Serialize)]
struct RemovedReport {
    /// Its name.
    id: SessionId,
    /// Whether it is in the trash.
    in_trash: bool,
    #[serde(flatten)]
    usage: Option<Usage>,
    /// What could not be deleted, though the session is gone.
    undeleted: Vec<Error>,
}

pub(super) fn run(args: &RemoveArgs, context: &Context) -> Outcome {
    let repository = context.open()?;
    let (mut exit, mut done) = (Exit::Ok, Vec::new());
    for name in &args.sessions {
        match remove(&repository, name, args, context) {
            Ok(removed) => {
                exit = exit.or(if removed.undeleted.is_empty() { Exit::Ok } else { Exit::Failed });
                done.push(removed);
            }
            Err(error) => {
                hints::report(&error, context);
                exit = exit.or(error.exit);
            }
        }
    }
    if let Some(trashed) = done.iter().rev().find(|it| it.in_trash) {
        let restore = context.command_line(&["trash", "restore", trashed.id.as_str()]);
        let empty = context.command_line(&["trash", "empty", trashed.id.as_str()]);
        context.hint(format_args!("run `{restore}` to restore it, `{empty}` to delete it"));
    }
    if args.removal.json.json {
        output::print_json(&RemovalReport::new(args.removal.dry_run, done))?;
    }
    Ok(exit)
}

/// Removes one session, or prints what would be removed.
fn remove(
    repository: &Repository,
    name: &OsStr,
    args: &RemoveArgs,
    context: &Context,
) -> Result<RemovedReport, CommandError> {
    let session = repository.get(input::session_id(name)?)?;
    let id = session.id();
    let of =
        |in_trash, usage, undeleted| RemovedReport { id: id.clone(), in_trash, usage, undeleted };
    if args.removal.dry_run {
        let usage = session.would_remove()?;
        if !args.removal.json.json {
            let noun = if usage.files == 1 { "file" } else { "files" };
            let size = output::size(usage.bytes);
            output::print(format!("would remove {id}: {} {noun}, {size}\n", usage.files))?;
        }
        return Ok(of(false, Some(usage), Vec::new()));
    }
    if args.permanently {
        let removal = args.wait.until_free(&session, || session.remove())?;
        context.print_status(format_args!("removed {id}"));
        removal.remains.iter().for_each(|error| context.warn(error));
        return Ok(of(false, None, removal.remains));
    }
    let trashed = args.wait.until_free(&session, || session.trash())?;
    context.print_status(format_args!("removed {id}: it is in the trash"));
    Ok(of(true, Some(trashed.usage), Vec::new()))
}
