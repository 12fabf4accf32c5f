use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, IsTerminal, Read, Write};
use std::path::PathBuf;
use std::time::SystemTime;

use clap::Args;
use pitstop::{CheckpointReader, Error, Labels, Revision, Session};
use serde::Serialize;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::input::SessionArg;
use crate::output::Destination;
use crate::report::CheckpointReport;
use crate::{context, hints, output, values};

/// Write a checkpoint to standard output or to a file
#[derive(Args)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    session: SessionArg,
    /// Write to this file, which is replaced once the new one is whole [default: -]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Use this revision instead of the newest: see `pitstop history`
    #[arg(long, value_name = "REVISION", value_parser = values::revision, allow_hyphen_values = true)]
    revision: Option<Revision>,
    /// If the newest is damaged, load the newest good one and print a warning
    #[arg(long, conflicts_with = "revision")]
    newest_good: bool,
    /// Write this value if nothing was ever saved; damage is still an error
    #[arg(long, value_name = "VALUE", conflicts_with = "revision", allow_hyphen_values = true)]
    default: Option<OsString>,
    /// Print JSON: the revision and the labels, for `save --follows`; the payload needs -o
    #[command(flatten)]
    json: JsonArg,
}

/// What was loaded when nothing was ever saved.
#[derive(Serialize)]
struct DefaultReport {
    /// 0: what a save that must be the first one follows.
    revision: Revision,
    /// No labels.
    labels: Labels,
}

pub(super) fn run(args: &LoadArgs, context: &Context) -> Outcome {
    let repository = context.open()?;
    let destination = Destination::of(args.output.as_deref());
    if args.json.json && destination.is_standard_output() {
        let message = "the payload and JSON cannot both go to standard output";
        return Err(CommandError::new(Exit::Usage, message).hint("name a file with -o"));
    }
    let found = args.session.find(&repository, context);
    let found = found.and_then(|it| open(&it, args, context).map(|checkpoint| (it, checkpoint)));
    let (session, mut checkpoint) = match (found, &args.default) {
        (Err(error), Some(value)) if error.exit == Exit::NotFound => {
            return write_default(value, destination, args);
        }
        (found, _) => found?,
    };
    let written = match destination.is_standard_output() && io::stdout().is_terminal() {
        true => show(&mut checkpoint),
        false => destination.write(|to| copy(&mut checkpoint, to)),
    };
    match written {
        // The reader went away. It knows, and has not got everything.
        Err(Failed::Write(error)) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Failed),
        Err(why) => Err(why.explain(destination, &session, context)),
        Ok(()) => {
            if !destination.is_standard_output() {
                let size = output::size(checkpoint.info().size);
                context.print_status(format_args!("wrote {size} to {destination}"));
            }
            if args.json.json {
                let (id, info) = (session.id(), checkpoint.info());
                output::print_json(&CheckpointReport { id, info })?;
            }
            Ok(Exit::Ok)
        }
    }
}

fn write_default(value: &OsStr, destination: Destination<'_>, args: &LoadArgs) -> Outcome {
    destination
        .write(|mut to| to.write_all(value.as_encoded_bytes()))
        .map_err(|error| output::cannot_write(destination, error))?;
    if args.json.json {
        let (revision, labels) = (Revision::NONE, Labels::new());
        output::print_json(&DefaultReport { revision, labels })?;
    }
    Ok(Exit::Ok)
}

fn open(
    session: &Session,
    args: &LoadArgs,
    context: &Context,
) -> Result<CheckpointReader, CommandError> {
    let opened = match args.revision {
        Some(revision) => session.open_revision(revision),
        None => session.open_checkpoint(),
    };
    match opened {
        Err(error @ Error::Corrupt { newest_good: Some(good), .. }) if args.newest_good => {
            let checkpoint = session.open_revision(good)?;
            context.warn(&error);
            let when = output::relative(checkpoint.info().saved, SystemTime::now());
            context::warning(&format!(
                "this is revision {good}, saved {when}: the newest good one"
            ));
            Ok(checkpoint)
        }
        outcome => outcome.map_err(|error| hints::of_session(error, session, context)),
    }
}

/// Why a checkpoint could not be written somewhere.
enum Failed {
    Read(io::Error),
    Write(io::Error),
    NotText,
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl Failed {
    fn explain(self, to: Destination<'_>, session: &Session, context: &Context) -> CommandError {
        let id = session.id().as_str();
        match self {
            Self::Read(error) => match error.downcast() {
                Ok(error) => hints::of_session(error, session, context),
                Err(error) => {
                    CommandError::io(format!("cannot read the checkpoint of '{id}'"), error)
                        .hint("nothing was changed; try again")
                }
            },
            Self::Write(error) => output::cannot_write(to, error),
            Self::NotText => {
                let line = context.command_line(&["load", id, "-o", "FILE"]);
                let text = format!(
                    "the checkpoint of '{id}' is not text, and standard output is a terminal"
                );
                CommandError::new(Exit::Failed, text)
                    .hint(format!("run `{line}` to write it to a file, or use a pipe"))
            }
        }
    }
}

fn copy(checkpoint: &mut CheckpointReader, mut to: File) -> Result<(), Failed> {
    let mut piece = vec![0; 64 * 1024];
    loop {
        match checkpoint.read(&mut piece).map_err(Failed::Read)? {
            0 => return Ok(()),
            read => to.write_all(&piece[..read])?,
        }
    }
}

/// Writes it to a terminal, if that can show it and is not steered by it.
fn show(checkpoint: &mut CheckpointReader) -> Result<(), Failed> {
    let mut data = Vec::new();
    checkpoint.read_to_end(&mut data).map_err(Failed::Read)?;
    match is_text(&data) {
        true => Ok(output::write(&data)?),
        false => Err(Failed::NotText),
    }
}

/// Whether a terminal can show it and is not steered by it.
fn is_text(data: &[u8]) -> bool {
    std::str::from_utf8(data)
        .is_ok_and(|text| text.chars().all(|c| !context::steers(c) || "\n\r\t".contains(c)))
}
