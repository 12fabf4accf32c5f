use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use clap::Args;
use pitstop::{Error, Repository, Session, WriterState};
use serde_json::{Value, json};

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::{input, output};

/// Remove sessions, with every file in their directories
///
/// A session that somebody writes is never removed. After a failure the others are still removed,
/// and the exit code is that of the first failure.
#[derive(Args)]
pub(crate) struct RemoveArgs {
    /// The names of the sessions
    #[arg(required = true, value_name = "SESSION")]
    sessions: Vec<OsString>,
    /// Only say what would go
    #[arg(long, short = 'n')]
    dry_run: bool,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &RemoveArgs, context: &Context) -> Outcome {
    let repository = context.open()?;
    let mut exit = Exit::Ok;
    let mut done = Vec::new();
    for name in &args.sessions {
        let outcome = match args.dry_run {
            true => would_remove(&repository, name, args.json.json),
            false => remove(&repository, name, context),
        };
        let ended = match outcome {
            Ok((ended, what)) => {
                done.push(what);
                ended
            }
            Err(error) => {
                context.report(&error);
                error.exit
            }
        };
        if exit == Exit::Ok {
            exit = ended;
        }
    }
    if args.json.json {
        output::print_json(&json!({ "dry_run": args.dry_run, "removed": done }))?;
    }
    Ok(exit)
}

fn remove(
    repository: &Repository,
    name: &OsStr,
    context: &Context,
) -> Result<(Exit, Value), CommandError> {
    let session = repository.get(input::session_id(name)?)?;
    let removal = session.remove()?;
    context.talk(format_args!("removed {}", session.id()));
    removal.remains.iter().for_each(|error| context.warn(error));
    let exit = if removal.remains.is_empty() { Exit::Ok } else { Exit::Failed };
    let remains: Vec<_> = removal.remains.iter().map(ToString::to_string).collect();
    Ok((exit, json!({ "id": session.id(), "remains": remains })))
}

/// Says what would go, or why it would not.
fn would_remove(
    repository: &Repository,
    name: &OsStr,
    json: bool,
) -> Result<(Exit, Value), CommandError> {
    let session = repository.get(input::session_id(name)?)?;
    refuse_if_in_use(&session)?;
    let id = session.id();
    let (files, bytes) = session.location().map_or((0, 0), |it| measure(&it));
    if !json {
        let noun = if files == 1 { "file" } else { "files" };
        output::print(format!("would remove {id}: {files} {noun}, {}\n", output::size(bytes)))?;
    }
    Ok((Exit::Ok, json!({ "id": id, "files": files, "size": bytes })))
}

fn refuse_if_in_use(session: &Session) -> Result<(), Error> {
    let id = session.id().clone();
    match session.status()?.writer {
        WriterState::Live(owner) => Err(Error::Busy { id, owner: owner.map(Box::new) }),
        WriterState::PlainBox { age, stale: false } => {
            let place = session.location().unwrap_or_default().join("session.next");
            Err(Error::Locked { id, place, age })
        }
        _ => Ok(()),
    }
}

/// How many files are below a directory, and how large they are. No link is followed.
fn measure(directory: &Path) -> (u64, u64) {
    let (mut files, mut bytes) = (0, 0);
    let mut left: Vec<PathBuf> = vec![directory.to_owned()];
    while let Some(directory) = left.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.metadata() {
                Ok(it) if it.is_dir() => left.push(entry.path()),
                Ok(it) => (files, bytes) = (files + 1, bytes + it.len()),
                Err(_) => (),
            }
        }
    }
    (files, bytes)
}
