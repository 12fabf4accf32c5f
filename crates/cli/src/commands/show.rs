use std::fmt::Write as _;
use std::time::SystemTime;

use clap::Args;
use pitstop::{CheckpointInfo, Error, Session, Status};
use serde_json::json;

use crate::args::JsonArg;
use crate::commands::status::describe;
use crate::context::Context;
use crate::error::Outcome;
use crate::input::SessionArg;
use crate::output::{self, Time, WriterJson};

/// Show what is known of a session and its newest checkpoint
#[derive(Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    session: SessionArg,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &ShowArgs, context: &Context) -> Outcome {
    let session = args.session.find(&context.open()?, context)?;
    let status = session.status()?;
    let checkpoint = match session.load() {
        Ok(checkpoint) => Some(checkpoint.info),
        Err(Error::NoCheckpoint { .. }) => None,
        Err(error) => return Err(error.into()),
    };
    let checkpoint = checkpoint.as_ref();
    match args.json.json {
        true => output::print_json(&as_json(&session, &status, checkpoint)),
        false => output::print(as_text(&session, &status, checkpoint)),
    }
}

fn as_json(
    session: &Session,
    status: &Status,
    checkpoint: Option<&CheckpointInfo>,
) -> serde_json::Value {
    json!({
        "id": session.id(),
        "location": session.location().map(|it| it.display().to_string()),
        "saved": checkpoint.map(|it| Time(it.saved)),
        "size": checkpoint.map(|it| it.size),
        "revision": checkpoint.map(|it| it.revision),
        "digest": checkpoint.map(|it| it.digest),
        "labels": checkpoint.map(|it| &it.labels),
        "format": status.summary.format,
        "writer": WriterJson::from(&status.writer),
    })
}

fn as_text(session: &Session, status: &Status, checkpoint: Option<&CheckpointInfo>) -> String {
    let now = SystemTime::now();
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "{name:<10}{value}");
    };
    line("session", session.id());
    if let Some(location) = session.location() {
        line("location", &location.display());
    }
    match checkpoint {
        Some(it) => {
            let (absolute, relative) =
                (output::absolute(it.saved), output::relative(it.saved, now));
            line("saved", &format_args!("{absolute} ({relative})"));
            match it.size {
                ..1024 => line("size", &output::size(it.size)),
                _ => line("size", &format_args!("{} ({} bytes)", output::size(it.size), it.size)),
            }
            line("revision", &it.revision);
            line("digest", &it.digest);
            for (name, value) in &it.labels {
                line("label", &format_args!("{name}={value}"));
            }
        }
        None => line("saved", &"never"),
    }
    line("format", &status.summary.format);
    line("writer", &describe(&status.writer, now));
    text
}
