//! Removing the sessions or the revisions that a rule picks.

mod revisions;
mod sessions;

use std::ffi::OsString;
use std::time::Duration;

use clap::Args;
use pitstop::PruneOptions;

use crate::args::RemovalArgs;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::values::{self, LabelFilter};

/// Remove sessions, or older revisions of them, by a rule
///
/// What goes meets every criterion given, of which there must be one.
///
/// Of sessions, never one that somebody writes, nor the last one, nor one that cannot be read. They go to
/// the trash, and take their space there until `pitstop trash empty`. What killed processes left beside
/// the sessions is deleted, too; what is left within one is used again by its next save.
///
/// Of revisions (--revisions), never the newest, and none of a session that somebody writes. They go from
/// the oldest on, up to the first that does not meet the criteria. They are deleted at once: nothing brings
/// them back.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pitstop prune --keep 20 --dry-run              see what would go
  pitstop prune --older-than 30d                 what was not saved for 30 days
  pitstop prune --older-than 4h --label kind=test
  pitstop prune --total 10GB --permanently       delete all but 10 GB
  pitstop prune --revisions --keep 4 nightly     all but the newest 4 revisions
  pitstop prune --revisions --older-than 7d --all --dry-run")]
pub(crate) struct PruneArgs {
    /// The sessions of which revisions go, with --revisions
    #[arg(value_name = "SESSION", conflicts_with = "all")]
    sessions: Vec<OsString>,
    /// Remove older revisions of these sessions, instead of sessions
    #[arg(long, conflicts_with = "permanently")]
    revisions: bool,
    /// Of all sessions, with --revisions
    #[arg(long, requires = "revisions")]
    all: bool,
    /// All but the newest so many, of those with the labels asked for
    #[arg(long, value_name = "COUNT", value_parser = values::number, allow_hyphen_values = true)]
    keep: Option<usize>,
    /// Those not saved for so long: 4h, 30d, 2w
    #[arg(long, value_name = "AGE", value_parser = values::age, allow_hyphen_values = true)]
    older_than: Option<Duration>,
    /// Those that take more than this, sessions with all their files: 10MB, 1.5G
    #[arg(long, value_name = "SIZE", value_parser = values::size, allow_hyphen_values = true)]
    larger_than: Option<u64>,
    /// The oldest, until the others take no more than this together
    #[arg(long, value_name = "SIZE", value_parser = values::size, allow_hyphen_values = true)]
    total: Option<u64>,
    /// Those with this label, sessions by their newest checkpoint; may be given again
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    label: Vec<LabelFilter>,
    /// Delete sessions at once, past the trash: nothing brings them back
    #[arg(long)]
    permanently: bool,
    #[command(flatten)]
    removal: RemovalArgs,
}

pub(super) fn run(args: &PruneArgs, context: &Context) -> Outcome {
    let (options, usage) = (options(args), |text| CommandError::new(Exit::Usage, text));
    if !options.has_criterion() {
        let line = context.command_line(&["prune", "--older-than", "30d", "--dry-run"]);
        return Err(usage("what is to go? Nothing goes without a criterion")
            .hint(format!("`{line}` shows what was not saved for 30 days; see also --keep")));
    }
    match (args.revisions, args.sessions.is_empty()) {
        (true, true) if !args.all => {
            Err(usage("of which sessions are revisions to go?").hint("name them, or say --all"))
        }
        (true, _) => revisions::run(args, &options, context),
        (false, true) => sessions::run(args, &options, context),
        (false, false) => {
            let line = context.command_line(&["remove", "SESSION"]);
            Err(usage("sessions are pruned by a rule, and not by their names").hint(format!(
                "--revisions removes older revisions of those named; `{line}` removes sessions"
            )))
        }
    }
}

fn options(args: &PruneArgs) -> PruneOptions {
    let mut options = PruneOptions::new();
    if let Some(count) = args.keep {
        options = options.keep(count);
    }
    if let Some(age) = args.older_than {
        options = options.older_than(age);
    }
    if let Some(bytes) = args.larger_than {
        options = options.larger_than(bytes);
    }
    if let Some(bytes) = args.total {
        options = options.total(bytes);
    }
    for label in &args.label {
        options = options.label(label.name(), label.value().map(str::to_owned));
    }
    if args.permanently {
        options = options.permanently();
    }
    if args.removal.dry_run { options.dry_run() } else { options }
}
