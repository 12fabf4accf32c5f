use std::fmt::Write as _;
use std::time::SystemTime;

use clap::Args;
use pitstop::inspect::{self, Content, TestRun};
use pitstop::{
    CheckpointInfo, Error, Format, History, ProgramState, Revision, Session, Status, WriterState,
};
use serde::Serialize;

use crate::args::JsonArg;
use crate::context::{Context, printable};
use crate::error::{CommandError, Exit, Outcome};
use crate::input::SessionArg;
use crate::output;
use crate::{hints, report, values};

/// Show the details and the content of a session
///
/// Text and JSON are printed, a test run of PlainBox or Checkbox is summed up. Of other checkpoints only the
/// kind is shown; `pitstop load` writes their bytes.
#[derive(Args)]
pub(crate) struct ShowArgs {
    #[command(flatten)]
    session: SessionArg,
    /// Use this revision instead of the newest: see `pitstop history`
    #[arg(long, value_name = "REVISION", value_parser = values::revision, allow_hyphen_values = true)]
    revision: Option<Revision>,
    /// Only this part of a JSON checkpoint: names and numbers with dots between them
    /// (tables.0.name), or a JSON pointer (/tables/0/name); '.' is all of it
    #[arg(long, short, value_name = "PATH")]
    path: Option<String>,
    #[command(flatten)]
    json: JsonArg,
}

/// What is known of a session.
#[derive(Serialize)]
struct ShowReport<'a> {
    #[serde(flatten)]
    session: &'a Session,
    /// The checkpoint; null if nothing was ever saved.
    checkpoint: Option<&'a CheckpointInfo>,
    /// What that checkpoint takes by itself, in bytes; null where there is no history.
    stored_size: Option<u64>,
    /// The revisions that are kept; null where there is no history.
    history: Option<KeptReport<'a>>,
    /// How the session keeps its checkpoints.
    format: Format,
    /// When the session was made, where that is known.
    #[serde(serialize_with = "output::optional_time")]
    created: Option<SystemTime>,
    /// The state of the session's program.
    #[serde(flatten)]
    state: ProgramState,
    /// Whether the session has a writer.
    writer: &'a WriterState,
    /// The kind of content: text, JSON, a test run or binary.
    content: Option<&'a str>,
    /// The test run of PlainBox or Checkbox in the checkpoint.
    test_run: Option<&'a TestRun>,
    /// The logs of that test run that are not in the session's directory.
    missing_logs: Option<Vec<String>>,
}

/// The revisions that a session keeps.
#[derive(Serialize)]
struct KeptReport<'a> {
    /// How many.
    revisions: usize,
    /// What they take together, in bytes.
    stored_size: u64,
    /// The revisions that are lost to damage.
    damaged: &'a [Revision],
}

pub(super) fn run(args: &ShowArgs, context: &Context) -> Outcome {
    let session = args.session.find(&context.open()?, context)?;
    let hinted = |error| hints::of_session(error, &session, context);
    if let Some(path) = &args.path {
        return part(&session, path, args, context);
    }
    let status = session.status().map_err(hinted)?;
    let known = Known::of(&session, args.revision).map_err(hinted)?;
    let content = known.content(&session);
    let inside = content.as_ref().ok().and_then(Option::as_ref);
    let missing = match (inside, session.location()) {
        (Some(Content::TestRun(run, _)), Some(place)) => Some(run.missing_logs(&place)?),
        _ => None,
    };
    match args.json.json {
        true => output::print_json(&as_json(&session, &status, &known, inside, missing))?,
        false => {
            let mut text = as_text(&session, &status, &known);
            if let Some(inside) = inside {
                let id = session.id().as_str();
                let more = match inside {
                    Content::Json(_) => context.command_line(&["show", id, "--path", "."]),
                    _ => context.command_line(&["load", id]),
                };
                text += &output::content(inside, missing.as_deref(), &more);
            }
            output::print(text)?
        }
    };
    // What is known of a damaged checkpoint was shown; that it is damaged is said last.
    content.map(|_| Exit::Ok).map_err(hinted)
}

/// Prints a part of a checkpoint and nothing else.
fn part(session: &Session, path: &str, args: &ShowArgs, context: &Context) -> Outcome {
    let loaded = match args.revision {
        Some(revision) => session.load_revision(revision),
        None => session.load(),
    };
    let data = loaded.map_err(|error| hints::of_session(error, session, context))?.data;
    let json = match Content::of(&data) {
        Content::Json(json) | Content::TestRun(_, json) => json,
        other => {
            let id = session.id().as_str();
            let line = context.command_line(&["load", id]);
            let kind = other.kind();
            return Err(CommandError::new(
                Exit::Failed,
                format!("the checkpoint of '{id}' has no parts: it is {kind}, not JSON"),
            )
            .hint(format!("run `{line}` to write its bytes")));
        }
    };
    let part = json.part(path).map_err(|error| {
        let message = format!("there is no '{}' in '{path}'", error.name);
        CommandError::new(Exit::NotFound, message).hint(error.instead)
    })?;
    match args.json.json {
        true => output::print(format!("{}\n", part.as_str())),
        false => output::print(output::part(&part)),
    }
}

/// What is known of a checkpoint, if there is one.
struct Known {
    checkpoint: Option<CheckpointInfo>,
    /// What it takes by itself, and the others beside it, where there is a history.
    stored: Option<u64>,
    history: Option<History>,
    /// Its bytes, where they had to be read to know the rest.
    data: Option<Vec<u8>>,
}

impl Known {
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
                let history = Some(history.clone());
                return Ok(Self { checkpoint, stored, history, data: None });
            }
        }
        let loaded = match revision {
            Some(revision) => session.load_revision(revision),
            None => session.load(),
        };
        let (checkpoint, data) = match loaded {
            Ok(checkpoint) => (Some(checkpoint.info), Some(checkpoint.data)),
            Err(Error::NoCheckpoint { .. }) => (None, None),
            Err(error) => return Err(error),
        };
        Ok(Self { checkpoint, stored: None, history, data })
    }

    /// What is in the checkpoint. One that is too large to look into is not even read.
    fn content(&self, session: &Session) -> Result<Option<Content>, Error> {
        match (&self.checkpoint, &self.data) {
            (None, _) => Ok(None),
            (Some(_), Some(data)) => Ok(Some(Content::of(data))),
            (Some(info), None) if info.size > inspect::LIMIT => Ok(Some(Content::TooLarge)),
            (Some(info), None) => {
                let data = session.load_revision(info.revision)?.data;
                Ok(Some(Content::of(&data)))
            }
        }
    }
}

fn as_json<'a>(
    session: &'a Session,
    status: &'a Status,
    known: &'a Known,
    content: Option<&'a Content>,
    missing_logs: Option<Vec<String>>,
) -> ShowReport<'a> {
    let test_run = match content {
        Some(Content::TestRun(run, _)) => Some(&**run),
        _ => None,
    };
    let history = |it: &'a History| KeptReport {
        revisions: it.revisions.len(),
        stored_size: stored(it),
        damaged: &it.damaged,
    };
    ShowReport {
        session,
        checkpoint: known.checkpoint.as_ref(),
        stored_size: known.stored,
        history: known.history.as_ref().map(history),
        format: status.summary.format,
        created: status.created,
        state: status.writer.program(),
        writer: &status.writer,
        content: content.map(Content::kind),
        test_run,
        missing_logs,
    }
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
        let revisions = output::count(history.revisions.len(), "revision");
        line("kept", &format_args!("{revisions}, {}", output::size(stored(history))));
        if !history.damaged.is_empty() {
            line("damaged", &format_args!("{} more", history.damaged.len()));
        }
    }
    line("format", &status.summary.format);
    line("state", &output::with_state(&report::writer(&status.writer, now)));
    text
}
