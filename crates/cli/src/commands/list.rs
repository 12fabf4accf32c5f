use std::cmp::Reverse;
use std::io::{self, IsTerminal};
use std::time::{Duration, SystemTime};

use clap::{Args, ValueEnum};
use pitstop::inspect::{self, Content};
use pitstop::{ListOptions, Listing, Problem, Repository, Summary, Usage};
use serde::Serialize;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::Outcome;
use crate::output::{self, Row};
use crate::report;
use crate::values::{self, LabelFilter, Pattern, StateName};

const EXAMPLES: &str = "\
Examples:
  pitstop list 'nightly-*'                      those of this name
  pitstop list --state failed --state damaged   those to look at
  pitstop list --sort stored --limit 10         the largest on the disk
  pitstop list --ids --older-than 30d           names for a script
";

/// List the sessions, newest first
///
/// SIZE is that of the newest checkpoint, STORED what the session takes on the disk with all its files.
/// ABOUT is what a session is about: the labels of its newest checkpoint, and how far a test run of
/// PlainBox or Checkbox came. STORED and test runs must be looked at: without --details and --summaries this
/// is done on a terminal, for as many sessions and as small ones as take no time.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ListArgs {
    /// Only sessions whose names match: * stands for any text, ? for one character
    #[arg(value_name = "PATTERN")]
    patterns: Vec<Pattern>,
    /// Sum up all test runs, however many and large they are
    #[arg(long, conflicts_with = "ids")]
    summaries: bool,
    /// Only those whose newest checkpoint has this label; may be given again
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    label: Vec<LabelFilter>,
    /// Only those in this state; may be given again
    #[arg(long, value_enum, value_name = "STATE")]
    state: Vec<ListedState>,
    /// Only those last saved (if never: created) AGE ago or earlier: 4h, 30d, 2w
    #[arg(long, value_name = "AGE", value_parser = values::age, allow_hyphen_values = true)]
    older_than: Option<Duration>,
    /// Only those last saved (if never: created) within AGE
    #[arg(long, value_name = "AGE", value_parser = values::age, allow_hyphen_values = true)]
    newer_than: Option<Duration>,
    /// Only those that take more than this on the disk, with all their files: 10MB, 1.5G
    #[arg(long, value_name = "SIZE", value_parser = values::size, allow_hyphen_values = true)]
    larger_than: Option<u64>,
    /// The order: newest, by name, or largest first
    #[arg(long, value_enum, value_name = "KEY", default_value = "saved")]
    sort: SortKey,
    /// Only the first COUNT
    #[arg(long, value_name = "COUNT", value_parser = values::number, allow_hyphen_values = true)]
    limit: Option<usize>,
    /// What each takes on the disk; in an object store sizes, labels and states, too
    #[arg(long, conflicts_with = "ids")]
    details: bool,
    #[command(flatten)]
    json: JsonArg,
    /// Print the names alone
    #[arg(long, conflicts_with = "json")]
    ids: bool,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListedState {
    Running,
    Stopped,
    Interrupted,
    Failed,
    Done,
    Idle,
    Damaged,
}

impl ListedState {
    fn program(self) -> Option<StateName> {
        Some(match self {
            Self::Running => StateName::Running,
            Self::Stopped => StateName::Stopped,
            Self::Interrupted => StateName::Interrupted,
            Self::Failed => StateName::Failed,
            Self::Done => StateName::Done,
            Self::Idle => StateName::Idle,
            Self::Damaged => return None,
        })
    }
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum SortKey {
    Saved,
    Name,
    Size,
    Stored,
}

/// The sessions of a repository.
#[derive(Serialize)]
struct ListReport<'a> {
    /// The repository.
    repository: String,
    /// The sessions, in the order asked for.
    sessions: Vec<SessionReport<'a>>,
    /// The entries that could not be read.
    problems: &'a [Problem],
    /// What these sessions take together.
    total: TotalReport,
}

/// A session in a listing.
#[derive(Serialize)]
struct SessionReport<'a> {
    #[serde(flatten)]
    summary: &'a Summary,
    /// Its directory, in a repository on a local disk.
    location: Option<String>,
    #[serde(flatten)]
    usage: Option<Usage>,
    /// What the test run in its newest checkpoint is about, with --summaries.
    #[serde(skip_serializing_if = "Option::is_none")]
    about: Option<&'a str>,
}

/// What the sessions of a listing take together.
#[derive(Serialize)]
struct TotalReport {
    /// How many sessions.
    sessions: usize,
    /// The bytes of their newest checkpoints, as far as they are known.
    size: u64,
    /// The bytes that they take on the disk; null unless it was asked for.
    stored_size: Option<u64>,
}

/// A session, and what of it had to be looked at.
struct Found {
    summary: Summary,
    usage: Option<Usage>,
    about: Option<String>,
}

/// For more sessions than this, nothing is looked at unasked.
const MOST_UNASKED: usize = 50;

pub(super) fn run(args: &ListArgs, context: &Context) -> Outcome {
    let repository = context.open()?;
    let mut listing = repository.list_with(&options(args))?;
    let is_empty = listing.sessions.is_empty() && listing.problems.is_empty();
    keep_wanted(&mut listing, args);
    let problems = std::mem::take(&mut listing.problems);
    let found = found(&repository, listing, args);
    let total = total(&found);
    if args.json.json {
        output::print_json(&as_json(&repository, &found, &problems, total))?;
    } else if args.ids {
        let names = found.iter().flat_map(|it| [it.summary.id.as_str(), "\n"]);
        output::print(names.collect::<String>())?;
    } else {
        print_table(&found, &problems, &total)?;
    }
    if is_empty && args.label.is_empty() {
        context.print_status(format_args!("no sessions in {}", report::location(&repository)));
        let line = context.command_line(&["create", "SESSION"]);
        context.hint(format_args!("run `{line}` to create one"));
    } else if found.is_empty() && problems.is_empty() {
        context.print_status("no session matches");
    } else if !args.ids && !found.iter().all(|it| it.summary.is_in_full()) {
        let line = context.command_line(&["list", "--details"]);
        context.hint(format_args!("run `{line}` for sizes, labels and states"));
    }
    Ok(report::warn_of_problems(&problems, context))
}

fn options(args: &ListArgs) -> ListOptions {
    let mut options = ListOptions::new();
    for label in &args.label {
        options = options.label(label.name(), label.value().map(str::to_owned));
    }
    let is_in_full = args.details || args.summaries || !args.state.is_empty();
    if is_in_full || args.sort == SortKey::Size { options.in_full() } else { options }
}

fn keep_wanted(listing: &mut Listing, args: &ListArgs) {
    let now = SystemTime::now();
    let is_named =
        |name: &str| args.patterns.is_empty() || args.patterns.iter().any(|it| it.matches(name));
    let is_in_state = |it: &Summary| {
        let of = |wanted: &ListedState| wanted.program().zip(it.state);
        args.state.is_empty() || args.state.iter().filter_map(of).any(|(name, it)| name.is(it))
    };
    let has_age = |it: &Summary| {
        let age = now.duration_since(it.changed).unwrap_or_default();
        args.older_than.is_none_or(|least| age >= least)
            && args.newer_than.is_none_or(|most| age <= most)
    };
    listing.sessions.retain(|it| is_named(it.id.as_str()) && is_in_state(it) && has_age(it));
    let is_damaged = args.state.is_empty() || args.state.contains(&ListedState::Damaged);
    let name = |it: &Problem| it.id.as_ref().map_or(it.name.clone(), ToString::to_string);
    listing.problems.retain(|it| is_damaged && is_named(&name(it)));
}

/// Looks at what was asked for, or costs nothing, and puts the sessions in order.
fn found(repository: &Repository, listing: Listing, args: &ListArgs) -> Vec<Found> {
    let is_small = listing.sessions.len() <= MOST_UNASKED;
    let is_seen = !args.json.json && !args.ids && io::stdout().is_terminal() && is_small;
    let by_usage = args.larger_than.is_some() || args.sort == SortKey::Stored;
    let look = |summary: Summary| {
        let session = repository.session(summary.id.clone());
        let is_local = session.location().is_some();
        let takes = args.details || by_usage || (is_seen && is_local);
        // What is wrong with one that cannot be read is told where it is asked for.
        let usage = takes.then(|| session.usage().ok()).flatten();
        Found { summary, usage, about: None }
    };
    let mut found: Vec<_> = listing.sessions.into_iter().map(look).collect();
    let stored = |it: &Found| it.usage.map_or(0, |it| it.bytes);
    if let Some(least) = args.larger_than {
        found.retain(|it| stored(it) > least);
    }
    match args.sort {
        SortKey::Saved => (),
        SortKey::Name => found.sort_by(|a, b| a.summary.id.cmp(&b.summary.id)),
        SortKey::Size => found.sort_by_key(|it| Reverse(it.summary.size)),
        SortKey::Stored => found.sort_by_key(|it| Reverse(stored(it))),
    }
    found.truncate(args.limit.unwrap_or(usize::MAX));
    let largest = match args.summaries {
        true => inspect::LIMIT,
        false if is_seen => 64 << 10,
        false => return found,
    };
    for it in found.iter_mut().filter(|it| it.summary.size.is_some_and(|it| it <= largest)) {
        let loaded = repository.session(it.summary.id.clone()).load().ok();
        it.about = loaded.and_then(|it| Content::of(&it.data).summary());
    }
    found
}

fn total(found: &[Found]) -> TotalReport {
    let usages: Option<Vec<u64>> = found.iter().map(|it| Some(it.usage?.bytes)).collect();
    TotalReport {
        sessions: found.len(),
        size: found.iter().filter_map(|it| it.summary.size).sum(),
        stored_size: usages.map(|it| it.iter().sum()),
    }
}

fn print_table(found: &[Found], problems: &[Problem], total: &TotalReport) -> Outcome {
    let row = |it| {
        let Found { summary, usage, about }: &Found = it;
        Row { session: summary, stored: usage.map(|it| it.bytes), about: about.as_deref() }
    };
    let rows: Vec<_> = found.iter().map(row).collect();
    let named: Vec<_> = problems.iter().filter(|it| it.id.is_some()).collect();
    if rows.is_empty() && named.is_empty() {
        return output::print("");
    }
    let mut text = output::table(&rows, &named);
    if let Some(stored) = total.stored_size.filter(|_| rows.len() > 1) {
        let (sessions, size) = (output::count(rows.len(), "session"), output::size(total.size));
        text += &format!("{sessions}: {size}, {} on the disk\n", output::size(stored));
    }
    output::print(text)
}

fn as_json<'a>(
    repository: &Repository,
    found: &'a [Found],
    problems: &'a [Problem],
    total: TotalReport,
) -> ListReport<'a> {
    let sessions = found.iter().map(|it| SessionReport {
        summary: &it.summary,
        location: repository
            .session(it.summary.id.clone())
            .location()
            .map(|it| it.display().to_string()),
        usage: it.usage,
        about: it.about.as_deref(),
    });
    ListReport {
        repository: report::location(repository),
        sessions: sessions.collect(),
        problems,
        total,
    }
}
