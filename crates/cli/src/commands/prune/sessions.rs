use pitstop::{Gone, Problem, PruneOptions, Pruned, SessionId, Spared, Sweep};
use serde::Serialize;

use super::PruneArgs;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::report::RemovalReport;
use crate::{output, report};

/// The sessions that were pruned, or would be.
#[derive(Serialize)]
struct PruneReport<'a> {
    #[serde(flatten)]
    removal: RemovalReport<&'a Gone>,
    /// The sessions that match and stay.
    skipped: Vec<SkippedReport<'a>>,
    /// The entries that could not be read, and the sessions that could not be removed.
    problems: &'a [Problem],
    #[serde(flatten)]
    sweep: &'a Sweep,
    /// What all of it takes on the disk, in bytes. Sessions in the trash take it still.
    stored_size: u64,
}

/// A session that matches and stays.
#[derive(Serialize)]
struct SkippedReport<'a> {
    /// Its name.
    id: &'a SessionId,
    /// `in use`, `last` (it is the last session) or `changed` (it was saved meanwhile).
    reason: Spared,
}

pub(super) fn run(args: &PruneArgs, options: &PruneOptions, context: &Context) -> Outcome {
    let pruned = context.open()?.prune(options)?;
    if args.removal.json.json {
        output::print_json(&PruneReport {
            removal: RemovalReport::new(args.removal.dry_run, pruned.gone.iter().collect()),
            skipped: pruned
                .spared
                .iter()
                .map(|(id, reason)| SkippedReport { id, reason: *reason })
                .collect(),
            problems: &pruned.problems,
            sweep: &pruned.sweep,
            stored_size: pruned.usage().bytes,
        })?;
    } else if !pruned.gone.is_empty() {
        output::print(output::pruned(&pruned.gone))?;
    }
    print_summary(args, &pruned, context);
    pruned.sweep.remains.iter().for_each(|error| context.warn(error));
    Ok(match report::fail_for_problems(&pruned.problems, context) {
        Exit::Ok if !pruned.sweep.remains.is_empty() => Exit::Failed,
        exit => exit,
    })
}

fn print_summary(args: &PruneArgs, pruned: &Pruned, context: &Context) {
    for (id, why) in &pruned.spared {
        let why = match why {
            Spared::InUse => "it is in use",
            Spared::Last => "it is the last session",
            _ => "it was saved meanwhile",
        };
        context.print_status(format_args!("{id} stays: {why}"));
    }
    let (sessions, leftovers) = (pruned.gone.len(), pruned.sweep.leftovers.len());
    let bytes = output::size(pruned.usage().bytes);
    let verb = if args.removal.dry_run { "would remove" } else { "removed" };
    let left = match leftovers {
        0 => String::new(),
        many => format!(" and {many} left by killed processes"),
    };
    context
        .print_status(format_args!("{verb} {}{left}, {bytes}", output::count(sessions, "session")));
    if sessions > 0 && !args.removal.dry_run && !args.permanently {
        let line = context.command_line(&["trash", "empty"]);
        context.hint(format_args!("run `{line}` to free their space"));
    }
}
