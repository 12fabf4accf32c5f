use std::ffi::OsString;
use std::path::{Path, PathBuf};

use clap::Args;
use pitstop::{
    CreateOptions, Error, Format, Repository, Retention, Revision, SaveOptions, Session, SessionId,
    Status,
};

use crate::args::JsonArg;
use crate::context::{self, Context};
use crate::error::{CommandError, Exit, Outcome};
use crate::input::{self, Input};
use crate::output;
use crate::report::CheckpointReport;
use crate::values::{self, NewFormat};
use crate::wait::WaitArg;

/// Save a checkpoint from a file or from standard input
///
/// The input may be larger than memory. Its first 8 MiB are read before anything is done, and nothing is
/// saved before its end. When this command ends with 0, the checkpoint is on stable storage.
///
/// It prints a warning if it saves over a damaged checkpoint; the payload of one larger than 1 MiB is not
/// read for that.
#[derive(Args)]
pub(crate) struct SaveArgs {
    /// The name of the session [default: $PITSTOP_SESSION]
    session: Option<OsString>,
    /// The file to save [default: standard input, as is -]
    #[arg(value_name = "FILE", conflicts_with = "file")]
    positional_file: Option<PathBuf>,
    /// The file to save, where no session needs to be named
    #[arg(long, value_name = "FILE")]
    file: Option<PathBuf>,
    /// Create the session if it does not exist
    #[arg(long, short)]
    create: bool,
    /// If the session is created, it replaces the last session, which is then deleted permanently
    #[arg(long, requires = "create")]
    replace_last: bool,
    /// The format of a session that is created [default: journal]
    #[arg(long, value_enum, requires = "create")]
    format: Option<NewFormat>,
    /// Save only if this revision is still the newest (0: nothing was ever saved); in quotes if it
    /// begins with a tilde: '~0123456789abcdef'
    #[arg(long, value_name = "REVISION", value_parser = values::revision, allow_hyphen_values = true)]
    follows: Option<Revision>,
    /// Attach a label to the checkpoint; may be given again
    #[arg(long, short, value_name = "NAME=VALUE", value_parser = values::label)]
    label: Vec<(String, String)>,
    /// Which older revisions to keep when space is needed: a number (50), all, a total size (100MiB) or
    /// an age (30d) [default: 16, within 8 times the size of the newest]
    #[arg(long, value_name = "RULE", value_parser = values::retention, allow_hyphen_values = true)]
    keep: Option<Retention>,
    /// Save nothing (0 bytes) over a checkpoint that is not empty
    #[arg(long)]
    allow_empty: bool,
    #[command(flatten)]
    wait: WaitArg,
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
    let found = match repository.session(id.clone()).status() {
        Err(error @ Error::NotFound { .. }) if !args.create => {
            return Err(not_found(error, &id, args, context));
        }
        found => found,
    };
    let is_missing = matches!(found, Err(Error::NotFound { .. }));
    let input = Input::open(args.file.as_deref().or(args.positional_file.as_deref()), context)?;
    if input.is_empty() && !args.allow_empty {
        refuse_empty(&id, found.as_ref().ok(), context)?;
    }
    let session = match is_missing {
        true => get_or_create(&repository, &id, args.replace_last)?,
        false => repository.session(id),
    };
    let damage = damage_of_newest(&session, found);
    let info = input.save(&session, &options, &args.wait, context)?;
    let (id, size, revision) = (session.id(), output::size(info.size), info.revision);
    context.print_status(format_args!("saved {size} in {id} as revision {revision}"));
    if let Some(damage) = damage {
        context.warn(&damage);
        context::warning(&format!("revision {revision} was saved over this damage"));
        let line = context.command_line(&["verify", id.as_str()]);
        context.hint(format_args!("run `{line}` to see which revisions can still be loaded"));
    }
    match args.json.json {
        true => output::print_json(&CheckpointReport { id, info: &info }),
        false => Ok(Exit::Ok),
    }
}

/// Somebody who names the file alone means the session around this process.
fn not_found(error: Error, id: &SessionId, args: &SaveArgs, context: &Context) -> CommandError {
    let (error, file) = (CommandError::from(error), id.as_str());
    let is_alone = args.file.is_none() && args.positional_file.is_none();
    let line = match input::session_around() {
        _ if !(is_alone && Path::new(file).is_file()) => return error,
        Some(_) => context.command_line(&["save", "--file", file]),
        None => context.command_line(&["save", "--create", "SESSION", file]),
    };
    error.hint(format!("run `{line}` to save the file {file}"))
}

/// A producer that failed leaves an empty pipe or an empty file.
fn refuse_empty(
    id: &SessionId,
    found: Option<&Status>,
    context: &Context,
) -> Result<(), CommandError> {
    match found.and_then(|it| it.summary.size) {
        None | Some(0) => Ok(()),
        Some(size) => {
            let size = output::size(size);
            let message =
                format!("the input is empty, and the checkpoint of '{id}' ({size}) is not");
            let line = context.command_line(&["save", "--allow-empty", id.as_str()]);
            Err(CommandError::new(Exit::Failed, message)
                .hint("nothing was saved; see whether the program that made the input failed")
                .hint(format!("run `{line}` to save the empty input")))
        }
    }
}

/// The damage that a save is about to cover. What is small is read for that.
fn damage_of_newest(session: &Session, found: pitstop::Result<Status>) -> Option<Error> {
    const LARGEST: u64 = 1 << 20;
    let is_read = |it: &Status| {
        it.summary.format == Format::Journal && it.summary.size.is_some_and(|it| it <= LARGEST)
    };
    let damage = match found {
        Ok(status) if is_read(&status) => session.open_checkpoint().err(),
        found => found.err(),
    };
    damage.filter(|error| matches!(error, Error::Corrupt { .. }))
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
