use std::ffi::OsString;
use std::fmt::Write as _;
use std::time::SystemTime;

use clap::Args;
use pitstop::{Error, Owner, Repository, SessionId, Status, WriterState, printable};
use serde::Serialize;

use crate::args::JsonArg;
use crate::commands::list;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::input;
use crate::output::{self, WriterJson};

/// Tell what is running, and what was interrupted
#[derive(Args)]
pub(crate) struct StatusArgs {
    /// The name of the session [default: all that somebody writes, or wrote when it was killed]
    #[arg(conflicts_with = "last")]
    session: Option<OsString>,
    /// The last session instead of a named one
    #[arg(long)]
    last: bool,
    #[command(flatten)]
    json: JsonArg,
}

#[derive(Serialize)]
struct StatusJson<'a> {
    id: &'a SessionId,
    writer: WriterJson<'a>,
}

pub(super) fn run(args: &StatusArgs, context: &Context) -> Outcome {
    let repository = context.open()?;
    let session = match (&args.session, args.last) {
        (Some(name), _) => repository.get(input::session_id(name)?)?,
        (None, true) => input::last(&repository, context)?,
        (None, false) => return all(&repository, args, context),
    };
    let status = session.status()?;
    let writer = &status.writer;
    match args.json.json {
        true => output::print_json(&StatusJson { id: session.id(), writer: writer.into() }),
        false => {
            let text = sentence(&status, SystemTime::now());
            output::print(line(session.id(), &text))?;
            comfort([writer], context);
            Ok(Exit::Ok)
        }
    }
}

/// Every session about whose writer there is something to say.
fn all(repository: &Repository, args: &StatusArgs, context: &Context) -> Outcome {
    let listing = repository.list()?;
    let mut noted = Vec::new();
    let mut failed = Exit::Ok;
    for summary in &listing.sessions {
        match repository.session(summary.id.clone()).status() {
            Ok(status) if status.writer == WriterState::Idle => (),
            Ok(status) => noted.push((&summary.id, status)),
            // It was removed while we looked.
            Err(Error::NotFound { .. }) => (),
            Err(error) => {
                context.warn(&error);
                failed = Exit::Failed;
            }
        }
    }
    if args.json.json {
        let noted = noted.iter().map(|(id, it)| StatusJson { id, writer: (&it.writer).into() });
        output::print_json(&serde_json::json!({
            "repository": repository.location().display().to_string(),
            "count": listing.sessions.len(),
            "sessions": noted.collect::<Vec<_>>(),
            "problems": list::problems(&listing),
        }))?;
    } else {
        output::print(as_text(&noted, listing.sessions.len()))?;
        comfort(noted.iter().map(|(_, status)| &status.writer), context);
    }
    Ok(list::warn_of(&listing, context).or(failed))
}

fn line(id: &SessionId, sentence: &str) -> String {
    output::wrapped(
        &format!("{}: {}", printable(id.as_str()), output::with_state(&printable(sentence))),
        4,
    ) + "\n"
}

fn as_text(noted: &[(&SessionId, Status)], count: usize) -> String {
    let now = SystemTime::now();
    let mut text = String::new();
    for (id, status) in noted {
        text += &line(id, &sentence(status, now));
    }
    let states = || noted.iter().map(|(_, it)| WriterJson::from(&it.writer).state);
    let of = |state: &str| states().filter(|it| *it == state).count();
    let (live, interrupted, locked) = (of("live"), of("interrupted"), of("plainbox"));
    let sessions = output::count(count, "session");
    let _ = write!(text, "{sessions}: {live} live, {interrupted} interrupted");
    let _ = match locked {
        0 => writeln!(text),
        _ => writeln!(text, ", {locked} with a lock of PlainBox"),
    };
    text
}

/// Nobody has to look for what to do about a writer that was killed.
fn comfort<'a>(writers: impl IntoIterator<Item = &'a WriterState>, context: &Context) {
    if writers.into_iter().any(|it| matches!(it, WriterState::Interrupted(_))) {
        context.hint("an interrupted session needs no repair: the next save goes on");
    }
}

/// The state of its writer, and of one that was killed what there is to go on from.
fn sentence(status: &Status, now: SystemTime) -> String {
    match (&status.writer, status.summary.saved) {
        (WriterState::Interrupted(owner), Some(saved)) => {
            format!("interrupted: {owner} was killed; saved {}", output::relative(saved, now))
        }
        (WriterState::Interrupted(owner), None) => {
            format!("interrupted: {owner} was killed; never saved")
        }
        (writer, _) => describe(writer, now),
    }
}

/// The state of a writer in a sentence.
pub(super) fn describe(writer: &WriterState, now: SystemTime) -> String {
    let since = |owner: &Owner| output::relative(output::since(owner), now).to_string();
    match writer {
        WriterState::Idle => "idle".to_owned(),
        WriterState::Live(Some(owner)) => format!("live: {owner}, begun {}", since(owner)),
        WriterState::Live(None) => "live: a writer that left no record of itself".to_owned(),
        WriterState::Interrupted(owner) => {
            format!("interrupted: {owner} was killed; begun {}", since(owner))
        }
        WriterState::PlainBox { age, stale: true } => format!(
            "left locked by PlainBox {} ago; the next save takes it over",
            output::age(*age)
        ),
        WriterState::PlainBox { age, stale: false } => format!(
            "locked by PlainBox, which may be writing; the lock is unchanged for {}",
            output::age(*age)
        ),
        _ => "unknown".to_owned(),
    }
}
