use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use pitstop::{
    CreateOptions, Error, Repository, Retention, Revision, SaveOptions, Session, SessionId,
};
use serde_json::json;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::input::{self, Input};
use crate::output;
use crate::values::{self, NewFormat};

/// Save a checkpoint from a file or from standard input
///
/// The input may be larger than memory. The first MiB of it is read before anything is done, and nothing is
/// saved before its end. When this command ends with 0, the checkpoint is on stable storage.
#[derive(Args)]
pub(crate) struct SaveArgs {
    /// The name of the session [default: $PITSTOP_SESSION]
    session: Option<OsString>,
    /// What to save [default: standard input, as is -]
    file: Option<PathBuf>,
    /// Make the session if there is none
    #[arg(long, short)]
    create: bool,
    /// If the session is made, it takes the place of the last one, which is then deleted, past the
    /// trash
    #[arg(long, requires = "create")]
    replace_last: bool,
    /// If the session is made, how it keeps its checkpoints [default: journal]
    #[arg(long, value_enum, requires = "create")]
    format: Option<NewFormat>,
    /// Save only if this revision is still the newest (0: nothing was ever saved); in quotes if it
    /// begins with a tilde: '~0123456789abcdef'
    #[arg(long, value_name = "REVISION", value_parser = values::revision, allow_hyphen_values = true)]
    follows: Option<Revision>,
    /// Attach a label to the checkpoint; may be given again
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = values::label)]
    label: Vec<(String, String)>,
    /// Which older revisions to keep when space is needed: so many (50), all, what fits (100MiB) or
    /// the younger ones (30d) [default: 16, within 8 times the size of the newest]
    #[arg(long, value_name = "RULE", value_parser = values::retention, allow_hyphen_values = true)]
    keep: Option<Retention>,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &SaveArgs, context: &Context) -> Outcome {
    let id = input::named(args.session.as_deref(), context)?;
    let options = options(args)?;
    let mut repository = context.open()?;
    if let Some(format) = args.format {
        repository = repository.with_format(format.into());
    }
    if !args.create {
        repository.get(&id)?;
    }
    let input = Input::open(args.file.as_deref(), context)?;
    let session = match args.create {
        true => get_or_create(&repository, &id, args.replace_last)?,
        false => repository.session(id),
    };
    let info = input.save(&session, &options, context)?;
    let (id, size, revision) = (session.id(), output::size(info.size), info.revision);
    context.talk(format_args!("saved {size} in {id} as revision {revision}"));
    match args.json.json {
        true => output::print_json(&json!({
            "id": id,
            "revision": revision,
            "saved": output::Time(info.saved),
            "size": info.size,
            "digest": info.digest,
            "labels": info.labels,
        })),
        false => Ok(Exit::Ok),
    }
}

fn options(args: &SaveArgs) -> Result<SaveOptions, CommandError> {
    let mut options = SaveOptions::new();
    if let Some(revision) = args.follows {
        options = options.follows(revision);
    }
    if let Some(rule) = args.keep {
        options = options.keep(rule);
    }
    for (n, (name, value)) in args.label.iter().enumerate() {
        if args.label[..n].iter().any(|(other, _)| other == name) {
            let message = format!("the label '{name}' is given twice");
            return Err(CommandError::new(Exit::Usage, message).hint("give each label one value"));
        }
        options = options.label(name, value);
    }
    Ok(options)
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
