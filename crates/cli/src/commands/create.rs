use std::ffi::OsString;

use clap::Args;
use pitstop::CreateOptions;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::Outcome;
use crate::values::NewFormat;
use crate::{input, output};

/// Create a session, and print its name
#[derive(Args)]
pub(crate) struct CreateArgs {
    /// Its name [default: the time and some random letters]
    session: Option<OsString>,
    /// Start the generated name with this text, made safe for a file name
    #[arg(long, value_name = "TEXT", conflicts_with = "session")]
    prefix: Option<String>,
    /// Replace the last session, which is deleted permanently after the first save in the new one
    #[arg(long)]
    replace_last: bool,
    /// Its format [default: journal]
    #[arg(long, value_enum)]
    format: Option<NewFormat>,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &CreateArgs, context: &Context) -> Outcome {
    let mut options = CreateOptions::new().prefix(args.prefix.as_deref().unwrap_or_default());
    if let Some(name) = &args.session {
        options = options.id(input::session_id(name)?);
    }
    if args.replace_last {
        options = options.replace_last();
    }
    if let Some(format) = args.format {
        options = options.format(format.into());
    }
    let session = context.open()?.create(&options)?;
    if args.json.json {
        return output::print_json(&session);
    }
    output::print(format!("{}\n", session.id()))
}
