use std::ffi::OsString;

use clap::Args;
use pitstop::CreateOptions;
use serde_json::json;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::Outcome;
use crate::values::NewFormat;
use crate::{input, output};

/// Make a session, and print its name
#[derive(Args)]
pub(crate) struct CreateArgs {
    /// Its name [default: the time and some random letters]
    session: Option<OsString>,
    /// Begin the name that is made up with this text, made safe for a file name
    #[arg(long, value_name = "TEXT", conflicts_with = "session")]
    prefix: Option<String>,
    /// Take the place of the last session, which is deleted, past the trash, after the first save in the new
    /// one
    #[arg(long)]
    replace_last: bool,
    /// How it keeps its checkpoints [default: journal]
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
        return output::print_json(&json!({
            "id": session.id(),
            "location": session.location().map(|it| it.display().to_string()),
        }));
    }
    output::print_names([session.id()])
}
