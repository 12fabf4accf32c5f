use std::ffi::OsString;

use clap::Args;
use pitstop::{CreateOptions, Revision};

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::Outcome;
use crate::input::SessionArg;
use crate::values::NewFormat;
use crate::{hints, input, output, values};

const EXAMPLES: &str = "\
Examples:
  pitstop fork job --as try-again                 from the newest checkpoint of job
  pitstop fork job --as try-again --revision 3    from an older one
";

/// Create a session from a checkpoint of another, and print its name
///
/// The new session starts with that checkpoint and its labels. The files that the program keeps in the
/// session's directory are copied as they are now.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ForkArgs {
    #[command(flatten)]
    session: SessionArg,
    /// The name of the new session [default: the old name, the time and some random letters]
    #[arg(long = "as", value_name = "NAME")]
    name: Option<OsString>,
    /// Use this revision instead of the newest: see `pitstop history`
    #[arg(long, value_name = "REVISION", value_parser = values::revision, allow_hyphen_values = true)]
    revision: Option<Revision>,
    /// The format of the new session [default: that of the old one]
    #[arg(long, value_enum)]
    format: Option<NewFormat>,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &ForkArgs, context: &Context) -> Outcome {
    let session = args.session.find(&context.open()?, context)?;
    let mut options = CreateOptions::new().prefix(session.id().as_str());
    if let Some(name) = &args.name {
        options = options.id(input::session_id(name)?);
    }
    if let Some(format) = args.format {
        options = options.format(format.into());
    }
    let fork = session
        .fork(args.revision, &options)
        .map_err(|error| hints::of_session(error, &session, context))?;
    if args.json.json {
        return output::print_json(&fork);
    }
    output::print(format!("{}\n", fork.id()))
}
