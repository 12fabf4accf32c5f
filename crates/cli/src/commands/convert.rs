use clap::Args;
use pitstop::{Error, Format, SessionId};
use serde::Serialize;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::input::SessionArg;
use crate::values::NewFormat;
use crate::{hints, output};

const EXAMPLES: &str = "\
Examples:
  pitstop convert job --to journal                 keep a history from now on
  pitstop convert job --to plain --lose-history    for PlainBox or Checkbox
";

/// Change the format of a session in place
///
/// At every moment the session is whole, in one format or the other. It must not be in use. A conversion to
/// plain keeps only the newest checkpoint.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    session: SessionArg,
    /// The new format
    #[arg(long, value_enum)]
    to: NewFormat,
    /// Discard the older revisions and the labels, which a plain session does not keep
    #[arg(long)]
    lose_history: bool,
    #[command(flatten)]
    json: JsonArg,
}

/// How a session keeps its checkpoints now.
#[derive(Serialize)]
struct ConvertReport<'a> {
    /// The name of the session.
    id: &'a SessionId,
    /// Its format.
    format: Format,
    /// The format that it had.
    was: Format,
}

pub(super) fn run(args: &ConvertArgs, context: &Context) -> Outcome {
    let repository = context.open()?;
    let session = args.session.find(&repository, context)?;
    let to = Format::from(args.to);
    let was = session.status().map_err(|it| hints::of_session(it, &session, context))?;
    let was = was.summary.format;
    session.convert(to, args.lose_history).map_err(|error| match error {
        Error::Unsupported { .. } if to == Format::Plain && !args.lose_history => {
            let (id, place) = (session.id().as_str(), repository.location().to_string_lossy());
            let words = ["copy", id, "--to", &place, "--as", "NAME", "--format", "plain"];
            CommandError::from(error)
                .hint("nothing was changed; add --lose-history to keep only the newest checkpoint")
                .hint(format!("or run `{}` to make a plain copy", context.command_line(&words)))
        }
        error => hints::of_session(error, &session, context),
    })?;
    let id = session.id();
    match was == to {
        true => context.print_status(format_args!("{id} is {to} already")),
        false => context.print_status(format_args!("{id} was {was}, and is {to} now")),
    }
    match args.json.json {
        true => output::print_json(&ConvertReport { id, format: to, was }),
        false => Ok(Exit::Ok),
    }
}
