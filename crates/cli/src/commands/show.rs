use std::fmt::Write as _;
use std::time::SystemTime;

use clap::Args;
use pitstop::{CheckpointInfo, Error, History, Revision, Session, Status};
use serde_json::{Value, json};

use crate::args::JsonArg;
use crate::commands::status::describe;
use crate::context::{Context, printable};
use crate::error::Outcome;
use crate::input::SessionArg;
use crate::output::{self, Time, WriterJson};
use crate::{hints, values};

/// Show what is known of a session and its newest checkpoint
///
/// Where there is a history no payload is read: whether one is sound is seen when it is loaded.
#[derive(Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    session: SessionArg,
    /// An older revision that is kept: see `pitstop history`
    #[arg(long, value_name = "REVISION", value_parser = values::revision)]
    revision: Option<Revision>,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &ShowArgs, context: &Context) -> Outcome {
    let session = args.session.find(&context.open()?, context)?;
    let hinted = |error| hints::of_session(error, &session, context);
    let status = session.status().map_err(hinted)?;
    let known = Known::of(&session, args.revision).map_err(hinted)?;
    match args.json.json {
        true => output::print_json(&as_json(&session, &status, &known)),
        false => output::print(as_text(&session, &status, &known)),
    }
}

/// What is known of a checkpoint, if there is one.
struct Known {
    checkpoint: Option<CheckpointInfo>,
    /// What it takes by itself, and the others beside it, where there is a history.
    stored: Option<u64>,
    history: Option<History>,
}

impl Known {
    /// Where there is a history no payload is read.
    fn of(session: &Session, revision: Option<Revision>) -> Result<Self, Error> {
        let history = match session.history() {
            Ok(history) => Some(history),
            Err(Error::Unsupported { .. }) => None,
            Err(error) => return Err(error),
        };
        if let Some(history) = &history {
            let found = match revision {
                Some(wanted) => history.revisions.iter().find(|it| it.info.revision == wanted),
                None => history.revisions.first().filter(|it| {
                    history.damaged.iter().all(|lost| lost.number() < it.info.revision.number())
                }),
            };
            if let Some(kept) = found {
                let (checkpoint, stored) = (Some(kept.info.clone()), Some(kept.stored));
                return Ok(Self { checkpoint, stored, history: Some(history.clone()) });
            }
        }
        let loaded = match revision {
            Some(revision) => session.load_revision(revision),
            None => session.load(),
        };
        let checkpoint = match loaded {
            Ok(checkpoint) => Some(checkpoint.info),
            Err(Error::NoCheckpoint { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Self { checkpoint, stored: None, history })
    }
}

fn as_json(session: &Session, status: &Status, known: &Known) -> Value {
    let checkpoint = known.checkpoint.as_ref();
    let history = |it: &History| {
        json!({
            "revisions": it.revisions.len(),
            "stored": stored(it),
            "damaged": it.damaged,
        })
    };
    json!({
        "id": session.id(),
        "location": session.location().map(|it| it.display().to_string()),
        "saved": checkpoint.map(|it| Time(it.saved)),
        "size": checkpoint.map(|it| it.size),
        "stored": known.stored,
        "revision": checkpoint.map(|it| it.revision),
        "digest": checkpoint.map(|it| it.digest),
        "labels": checkpoint.map(|it| &it.labels),
        "history": known.history.as_ref().map(history),
        "format": status.summary.format,
        "writer": WriterJson::from(&status.writer),
    })
}

/// What all revisions take together.
fn stored(history: &History) -> u64 {
    history.revisions.iter().map(|it| it.stored).sum()
}

fn as_text(session: &Session, status: &Status, known: &Known) -> String {
    let now = SystemTime::now();
    let mut text = String::new();
    let mut line = |name: &str, value: &dyn std::fmt::Display| {
        let _ = writeln!(text, "{name:<10}{value}");
    };
    line("session", session.id());
    if let Some(location) = session.location() {
        line("location", &location.display());
    }
    match &known.checkpoint {
        Some(it) => {
            let (absolute, relative) =
                (output::absolute(it.saved), output::relative(it.saved, now));
            line("saved", &format_args!("{absolute} ({relative})"));
            match it.size {
                ..1024 => line("size", &output::size(it.size)),
                _ => line("size", &format_args!("{} ({} bytes)", output::size(it.size), it.size)),
            }
            if let Some(stored) = known.stored {
                line("stored", &output::size(stored));
            }
            line("revision", &it.revision);
            line("digest", &it.digest);
            for (name, value) in &it.labels {
                line("label", &printable(&format!("{name}={value}")));
            }
        }
        None => line("saved", &"never"),
    }
    if let Some(history) = known.history.as_ref().filter(|it| !it.revisions.is_empty()) {
        let (count, all) = (history.revisions.len(), output::size(stored(history)));
        let noun = if count == 1 { "revision" } else { "revisions" };
        line("kept", &format_args!("{count} {noun}, {all}"));
        if !history.damaged.is_empty() {
            line("damaged", &format_args!("{} more", history.damaged.len()));
        }
    }
    line("format", &status.summary.format);
    line("writer", &describe(&status.writer, now));
    text
}
