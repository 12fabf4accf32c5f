use clap::Args;
use pitstop::{Error, Format};
use serde_json::json;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::input::SessionArg;
use crate::values::NewFormat;
use crate::{hints, output};

const EXAMPLES: &str = "\
Examples:
  pitstop convert job --to journal                 from now on, with a history
  pitstop convert job --to plain --lose-history    so that PlainBox or Checkbox can go on with it
";

/// Change how a session keeps its checkpoints, where it is
///
/// At every moment the session is whole, in the one format or the other. Nobody may be writing it. On the way
/// to plain the newest checkpoint stays, and nothing else.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ConvertArgs {
    #[command(flatten)]
    session: SessionArg,
    /// How it is to keep its checkpoints
    #[arg(long, value_enum)]
    to: NewFormat,
    /// Give up the older revisions and the labels, which a plain session does not keep
    #[arg(long)]
    lose_history: bool,
    #[command(flatten)]
    json: JsonArg,
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
                .hint("it was left as it is; --lose-history keeps the newest checkpoint alone")
                .hint(format!("`{}` makes a plain one beside it", context.command_line(&words)))
        }
        error => hints::of_session(error, &session, context),
    })?;
    let id = session.id();
    match was == to {
        true => context.talk(format_args!("{id} is {to} already")),
        false => context.talk(format_args!("{id} was {was}, and is {to} now")),
    }
    match args.json.json {
        true => output::print_json(&json!({ "id": id, "format": to, "was": was })),
        false => Ok(Exit::Ok),
    }
}
