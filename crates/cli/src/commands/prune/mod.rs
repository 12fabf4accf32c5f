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

/// Remove sessions, or older revisions, by criteria
///
/// At least one criterion is required; only what matches all is removed.
///
/// Sessions go to the trash, and take their space there until `pitstop trash empty`. A session that is in
/// use, is the last one, or cannot be read stays. Files that killed processes left beside the sessions are
/// deleted, too.
///
/// With --revisions, revisions are discarded from the oldest on, up to the first that does not match. The
/// newest stays, and so do all of a session in use. They cannot be restored.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pitstop prune --keep 20 --dry-run              see what would be removed
  pitstop prune --older-than 30d                 not saved for 30 days
  pitstop prune --older-than 4h --label kind=test
  pitstop prune --total 10GB --permanently       delete all but 10 GB
  pitstop prune --revisions --keep 4 nightly     keep the newest 4 revisions
  pitstop prune --revisions --older-than 7d --all --dry-run")]
pub(crate) struct PruneArgs {
    /// The sessions whose revisions to remove, with --revisions
    #[arg(value_name = "SESSION", conflicts_with = "all")]
    sessions: Vec<OsString>,
    /// Remove older revisions of these sessions, instead of sessions
    #[arg(long, conflicts_with = "permanently")]
    revisions: bool,
    /// All sessions, with --revisions
    #[arg(long, requires = "revisions")]
    all: bool,
    /// Keep the newest COUNT of those that match --label
    #[arg(long, value_name = "COUNT", value_parser = values::number, allow_hyphen_values = true)]
    keep: Option<usize>,
    /// Those last saved (if never: created) AGE ago or earlier: 4h, 30d, 2w
    #[arg(long, value_name = "AGE", value_parser = values::age, allow_hyphen_values = true)]
    older_than: Option<Duration>,
    /// Those that take more than this on the disk, with all their files: 10MB, 1.5G
    #[arg(long, value_name = "SIZE", value_parser = values::size, allow_hyphen_values = true)]
    larger_than: Option<u64>,
    /// The oldest, until the others together take no more than this
    #[arg(long, value_name = "SIZE", value_parser = values::size, allow_hyphen_values = true)]
    total: Option<u64>,
    /// Those with this label (sessions: on the newest checkpoint); may be given again
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    label: Vec<LabelFilter>,
    /// Delete sessions permanently, without the trash
    #[arg(long)]
    permanently: bool,
    #[command(flatten)]
    removal: RemovalArgs,
}

pub(super) fn run(args: &PruneArgs, context: &Context) -> Outcome {
    let (options, usage) = (options(args), |text| CommandError::new(Exit::Usage, text));
    if !options.has_criterion() {
        let line = context.command_line(&["prune", "--older-than", "30d", "--dry-run"]);
        return Err(usage("no criterion is given")
            .hint(format!("`{line}` shows not saved for 30 days; see also --keep")));
    }
    match (args.revisions, args.sessions.is_empty()) {
        (true, true) if !args.all => {
            Err(usage("--revisions needs session names or --all")
                .hint("name sessions, or add --all"))
        }
        (true, _) => revisions::run(args, &options, context),
        (false, true) => sessions::run(args, &options, context),
        (false, false) => {
            let line = context.command_line(&["remove", "SESSION"]);
            Err(usage("sessions are pruned by criteria, not by name").hint(format!(
                "add --revisions to remove older revisions of them, or run `{line}` to remove sessions"
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
