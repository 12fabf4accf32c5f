use std::ffi::OsString;

use clap::Args;
use pitstop::{Error, SessionId};
use serde::Serialize;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::wait::WaitArg;
use crate::{input, output};

/// Rename a session
///
/// The session goes to the trash and comes back under its new name, whole each time. If this command is
/// killed in between, `pitstop trash restore` brings it back. If it was the last session, it still is.
#[derive(Args)]
pub(crate) struct RenameArgs {
    /// The name of the session
    session: OsString,
    /// Its new name
    new: OsString,
    #[command(flatten)]
    wait: WaitArg,
    #[command(flatten)]
    json: JsonArg,
}

/// A session that was renamed.
#[derive(Serialize)]
struct RenameReport<'a> {
    /// Its name.
    id: &'a SessionId,
    /// The name that it had.
    was: &'a SessionId,
}

pub(super) fn run(args: &RenameArgs, context: &Context) -> Outcome {
    let repository = context.open()?;
    let (old, new) = (input::session_id(&args.session)?, input::session_id(&args.new)?);
    let session = repository.get(&old)?;
    match repository.get(&new) {
        Err(Error::NotFound { .. }) => (),
        found => {
            found?;
            let repository = repository.location().to_owned();
            return Err(Error::AlreadyExists { id: new, repository }.into());
        }
    }
    let is_last = repository.last()?.is_some_and(|it| *it.id() == old);
    let trashed = args.wait.until_free(&session, || session.trash())?;
    let renamed = repository.restore_from_trash(&trashed, &new).map_err(|error| {
        let back = repository.restore_from_trash(&trashed, &old);
        let hint = match back {
            Ok(_) => format!("the session is still called '{old}'"),
            Err(_) => {
                let line = context.command_line(&["trash", "restore", old.as_str()]);
                format!("the session is in the trash; run `{line}` to restore it")
            }
        };
        CommandError::from(error).hint(hint)
    })?;
    if is_last {
        renamed.make_last()?;
    }
    context.print_status(format_args!("{old} is called {new} now"));
    match args.json.json {
        true => output::print_json(&RenameReport { id: &new, was: &old }),
        false => Ok(Exit::Ok),
    }
}
