use std::ffi::OsString;
use std::fmt::Write as _;
use std::time::SystemTime;

use clap::Args;
use pitstop::{Error, Problem, ProgramState, Repository, Session, SessionId, Status, WriterState};
use serde::Serialize;

use crate::args::JsonArg;
use crate::context::{Context, printable};
use crate::error::{Exit, Outcome};
use crate::values::StateName;
use crate::{input, output, report};

const EXAMPLES: &str = "\
Examples:
  pitstop status                    which programs run, and which can be resumed
  pitstop status --json nightly     one session, for a script
  pitstop status --is done nightly && echo finished
";

/// Show which programs are running, and which were interrupted
///
/// A session is running while a writer lives; stopped if its program was asked to stop (Ctrl-C, SIGTERM);
/// interrupted if its program was killed, or the machine stopped; failed if its program ended with another
/// exit code than 0; done if it ended with 0; else idle. `pitstop run` records how a program ended; the next
/// save replaces that record.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct StatusArgs {
    /// The name of the session [default: all that are running, stopped, interrupted, failed or locked]
    #[arg(conflicts_with = "last")]
    session: Option<OsString>,
    /// The last session instead of a named one
    #[arg(long)]
    last: bool,
    /// Print nothing; the exit code is 0 if the session is in this state, else 1
    #[arg(long, value_enum, value_name = "STATE", conflicts_with = "json")]
    is: Option<StateName>,
    #[command(flatten)]
    json: JsonArg,
}

/// The state of one session.
#[derive(Serialize)]
struct StatusReport<'a> {
    #[serde(flatten)]
    status: &'a Status,
    /// The session's directory, in a repository on a local disk.
    location: Option<String>,
}

impl<'a> StatusReport<'a> {
    fn of(session: &Session, status: &'a Status) -> Self {
        Self { status, location: session.location().map(|it| it.display().to_string()) }
    }
}

/// The states of all sessions that are not idle.
#[derive(Serialize)]
struct StatusListReport<'a> {
    /// The repository.
    repository: String,
    /// How many sessions there are, the idle ones included.
    count: usize,
    /// The sessions that are running, stopped, interrupted, failed or locked.
    sessions: Vec<StatusReport<'a>>,
    /// The entries that could not be read.
    problems: &'a [Problem],
}

pub(super) fn run(args: &StatusArgs, context: &Context) -> Outcome {
    let repository = context.open()?;
    let session = match (&args.session, args.last) {
        (Some(name), _) => repository.get(input::session_id(name)?)?,
        (None, true) => input::last(&repository, context)?,
        (None, false) if args.is.is_some() => repository.session(input::named(None, context)?),
        (None, false) => return all(&repository, args, context),
    };
    let status = session.status()?;
    if let Some(wanted) = args.is {
        return Ok(if wanted.is(status.writer.program()) { Exit::Ok } else { Exit::Failed });
    }
    match args.json.json {
        true => output::print_json(&StatusReport::of(&session, &status)),
        false => {
            output::print(line(session.id(), &report::state(&status, SystemTime::now())))?;
            comfort([&status.writer], context);
            Ok(Exit::Ok)
        }
    }
}

/// Every session that runs or can be resumed.
fn all(repository: &Repository, args: &StatusArgs, context: &Context) -> Outcome {
    let listing = repository.list()?;
    let (mut noted, mut states) = (Vec::new(), Vec::new());
    let mut failed = Exit::Ok;
    for summary in &listing.sessions {
        let session = repository.session(summary.id.clone());
        match session.status() {
            Ok(status) => {
                let state = status.writer.program();
                states.push((state, matches!(status.writer, WriterState::PlainBox { .. })));
                if !matches!(state, ProgramState::Idle | ProgramState::Done) {
                    noted.push((session, status));
                }
            }
            // It was removed while we looked.
            Err(Error::NotFound { .. }) => (),
            Err(error) => {
                context.warn(&error);
                failed = Exit::Failed;
            }
        }
    }
    if args.json.json {
        output::print_json(&StatusListReport {
            repository: report::location(repository),
            count: listing.sessions.len(),
            sessions: noted.iter().map(|(it, status)| StatusReport::of(it, status)).collect(),
            problems: &listing.problems,
        })?;
    } else {
        let now = SystemTime::now();
        let lines = noted.iter().map(|(it, status)| line(it.id(), &report::state(status, now)));
        let counts = counts(&states, listing.sessions.len());
        output::print(lines.chain([counts]).collect::<String>())?;
        comfort(noted.iter().map(|(_, status)| &status.writer), context);
    }
    Ok(report::warn_of_problems(&listing.problems, context).or(failed))
}

fn line(id: &SessionId, sentence: &str) -> String {
    output::wrapped(&format!("{}: {}", printable(id.as_str()), output::with_state(sentence)), 4)
        + "\n"
}

/// `5 sessions: 1 running, 1 interrupted, 2 done`.
fn counts(states: &[(ProgramState, bool)], sessions: usize) -> String {
    let mut text = format!("{}:", output::count(sessions, "session"));
    for name in ["running", "interrupted", "stopped", "failed", "done", "locked"] {
        let is = |(state, is_locked): &&(ProgramState, bool)| match is_locked {
            true => name == "locked",
            false => state.name() == name,
        };
        let count = states.iter().filter(is).count();
        if count > 0 || ["running", "interrupted"].contains(&name) {
            let comma = if text.ends_with(':') { "" } else { "," };
            let _ = write!(text, "{comma} {count} {name}");
        }
    }
    text + "\n"
}

/// Nobody has to look for what to do about a writer that was killed.
fn comfort<'a>(writers: impl IntoIterator<Item = &'a WriterState>, context: &Context) {
    if writers.into_iter().any(|it| matches!(it, WriterState::Interrupted(_))) {
        context.hint("an interrupted session needs no repair: start its program again");
    }
}
