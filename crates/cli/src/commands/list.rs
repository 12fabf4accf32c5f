use std::io::{self, IsTerminal};

use clap::Args;
use pitstop::inspect::{self, Content};
use pitstop::{Error, Format, Labels, ListOptions, Listing, Repository, SessionId, Summary};
use serde::Serialize;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::output::{self, Time};
use crate::values::LabelFilter;

/// List the sessions, newest first
///
/// ABOUT is what a session is about: the labels of its newest checkpoint, and how far a test run of PlainBox
/// or Checkbox came. To know that of a test run it must be read: without --long this is done on a terminal,
/// and for as many and as small ones as take no time.
#[derive(Args)]
pub(crate) struct ListArgs {
    /// Sum up all test runs, however many and large they are
    #[arg(long, conflicts_with = "ids")]
    long: bool,
    /// Only those whose newest checkpoint has this label; may be given again
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    label: Vec<LabelFilter>,
    /// Sizes and labels in an object store, too: that looks into each session that changed
    #[arg(long, conflicts_with = "ids")]
    details: bool,
    #[command(flatten)]
    json: JsonArg,
    /// Print the names alone
    #[arg(long, conflicts_with = "json")]
    ids: bool,
}

#[derive(Serialize)]
struct ListJson<'a> {
    repository: String,
    sessions: Vec<SessionJson<'a>>,
    problems: Vec<ProblemJson<'a>>,
}

#[derive(Serialize)]
struct SessionJson<'a> {
    id: &'a SessionId,
    saved: Option<Time>,
    size: Option<u64>,
    labels: Option<&'a Labels>,
    format: Format,
    live: bool,
    location: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    summary: Option<&'a str>,
}

#[derive(Serialize)]
pub(super) struct ProblemJson<'a> {
    name: &'a str,
    error: String,
}

pub(super) fn run(args: &ListArgs, context: &Context) -> Outcome {
    let repository = context.open()?;
    let listing = repository.list_with(&options(args))?;
    let summaries = summaries(&repository, &listing, args);
    if args.json.json {
        output::print_json(&as_json(&repository, &listing, &summaries))?;
    } else if args.ids {
        output::print_names(listing.sessions.iter().map(|it| &it.id))?;
    } else if !listing.sessions.is_empty() {
        output::print(output::table(&listing.sessions, &summaries))?;
    }
    if listing.sessions.is_empty() && !args.label.is_empty() {
        context.talk("no session has such a label");
    } else if listing.sessions.is_empty() && listing.problems.is_empty() {
        context.talk(format_args!("no sessions in {}", repository.location().display()));
        context.hint(format_args!("`{}` makes one", context.command_line(&["create", "SESSION"])));
    } else if !args.ids && !listing.sessions.iter().all(Summary::is_in_full) {
        let line = context.command_line(&["list", "--details"]);
        context.hint(format_args!("`{line}` looks into the sessions for sizes and labels"));
    }
    Ok(warn_of(&listing, context))
}

fn options(args: &ListArgs) -> ListOptions {
    let mut options = ListOptions::new();
    for label in &args.label {
        options = options.label(label.name(), label.value().map(str::to_owned));
    }
    if args.details || args.long { options.in_full() } else { options }
}

/// What is in the sessions, in a line each, if that was asked for or costs nothing.
fn summaries(repository: &Repository, listing: &Listing, args: &ListArgs) -> Vec<Option<String>> {
    const MOST: usize = 50;
    const LARGEST: u64 = 64 << 10;
    let largest = match args.long {
        true => inspect::LIMIT,
        false if args.json.json || args.ids || !io::stdout().is_terminal() => return Vec::new(),
        false if listing.sessions.len() > MOST => return Vec::new(),
        false => LARGEST,
    };
    let summary = |it: &Summary| {
        let small = it.size.is_some_and(|size| size <= largest);
        // What is wrong with one that cannot be read is told where it is asked for.
        let loaded = small.then(|| repository.session(it.id.clone()).load().ok()).flatten()?;
        Content::of(&loaded.data).summary()
    };
    listing.sessions.iter().map(summary).collect()
}

/// Tells of what could not be read, and with which code that ends.
pub(super) fn warn_of(listing: &Listing, context: &Context) -> Exit {
    warn_of_problems(&listing.problems, context)
}

/// Tells of what could not be read, and with which code that ends.
pub(super) fn warn_of_problems(problems: &[pitstop::Problem], context: &Context) -> Exit {
    problems.iter().for_each(|problem| context.warn(&problem.error));
    match problems.iter().any(|it| matches!(it.error, Error::Corrupt { .. })) {
        true => Exit::Damaged,
        false => Exit::Ok,
    }
}

/// The same, where something was to be done with each: what could not be done is a failure. A name that no
/// session can have is none.
pub(super) fn fail_for_problems(problems: &[pitstop::Problem], context: &Context) -> Exit {
    let is_failure = |it: &pitstop::Problem| !matches!(it.error, Error::InvalidId { .. });
    match warn_of_problems(problems, context) {
        Exit::Ok if problems.iter().any(is_failure) => Exit::Failed,
        exit => exit,
    }
}

pub(super) fn problems(listing: &Listing) -> Vec<ProblemJson<'_>> {
    let problem = |it: &'_ pitstop::Problem| with_causes(&it.error);
    listing.problems.iter().map(|it| ProblemJson { name: &it.name, error: problem(it) }).collect()
}

/// The error and its causes in one line.
pub(super) fn with_causes(error: &Error) -> String {
    let mut text = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        text = format!("{text}: {cause}");
        source = cause.source();
    }
    text
}

fn as_json<'a>(
    repository: &Repository,
    listing: &'a Listing,
    summaries: &'a [Option<String>],
) -> ListJson<'a> {
    let sessions = listing.sessions.iter().enumerate().map(|(n, it)| SessionJson {
        id: &it.id,
        saved: it.saved.map(Time),
        size: it.size,
        labels: it.labels.as_ref(),
        format: it.format,
        live: it.live,
        location: location(&repository.session(it.id.clone())),
        summary: summaries.get(n).and_then(Option::as_deref),
    });
    ListJson {
        repository: repository.location().display().to_string(),
        sessions: sessions.collect(),
        problems: problems(listing),
    }
}

fn location(session: &pitstop::Session) -> Option<String> {
    session.location().map(|it| it.display().to_string())
}
