use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use pitstop::{CreateOptions, Error, Repository, Revision, SaveOptions, Session, SessionId};
use serde_json::json;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::{input, output};

/// Save a checkpoint from a file or from standard input
///
/// The input is read to its end before anything is saved. When this command ends with 0, the
/// checkpoint is on stable storage.
#[derive(Args)]
pub(crate) struct SaveArgs {
    /// The name of the session
    session: OsString,
    /// What to save [default: standard input, as is -]
    file: Option<PathBuf>,
    /// Make the session if there is none
    #[arg(long, short)]
    create: bool,
    /// If the session is made, it takes the place of the last one, which is then removed
    #[arg(long, requires = "create")]
    replace_last: bool,
    /// Save only if this is still the newest revision (0: if nothing was ever saved)
    #[arg(long, value_name = "REVISION", value_parser = revision)]
    follows: Option<Revision>,
    #[command(flatten)]
    json: JsonArg,
}

fn revision(text: &str) -> Result<Revision, &'static str> {
    text.parse()
        .map_err(|_| "a revision is what `pitstop show` prints: a number, or ~ and 16 digits")
}

pub(super) fn run(args: &SaveArgs, context: &Context) -> Outcome {
    let id = input::session_id(&args.session)?;
    let repository = context.open()?;
    if !args.create {
        repository.get(&id)?;
    }
    let data = input::read(args.file.as_deref(), context)?;
    let session = match args.create {
        true => get_or_create(&repository, &id, args.replace_last)?,
        false => repository.session(id),
    };
    let mut options = SaveOptions::new();
    if let Some(revision) = args.follows {
        options = options.follows(revision);
    }
    let info = session.save_with(&data, &options)?;
    let (id, size, revision) = (session.id(), output::size(info.size), info.revision);
    context.talk(format_args!("saved {size} in {id} as revision {revision}"));
    match args.json.json {
        true => output::print_json(&json!({
            "id": id,
            "revision": revision,
            "saved": output::Time(info.saved),
            "size": info.size,
            "digest": info.digest,
        })),
        false => Ok(Exit::Ok),
    }
}

fn get_or_create(
    repository: &Repository,
    id: &SessionId,
    replace_last: bool,
) -> pitstop::Result<Session> {
    if !replace_last {
        return repository.get_or_create(id);
    }
    match repository.create(&CreateOptions::new().id(id.clone()).replace_last()) {
        Err(Error::AlreadyExists { .. }) => Ok(repository.session(id.clone())),
        outcome => outcome,
    }
}
