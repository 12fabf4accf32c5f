use std::ffi::OsString;

use clap::Args;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::{input, output};

/// Show or set the last session, the one that --last selects
#[derive(Args)]
pub(crate) struct LastArgs {
    /// The session to set as the last
    session: Option<OsString>,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &LastArgs, context: &Context) -> Outcome {
    let repository = context.open()?;
    let session = match &args.session {
        Some(name) => {
            let session = repository.get(input::session_id(name)?)?;
            session.make_last()?;
            context.print_status(format_args!("{} is the last session now", session.id()));
            session
        }
        None => input::last(&repository, context)?,
    };
    if args.json.json {
        output::print_json(&session)
    } else if args.session.is_none() {
        output::print(format!("{}\n", session.id()))
    } else {
        Ok(Exit::Ok)
    }
}
