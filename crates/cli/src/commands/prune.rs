use std::time::Duration;

use clap::Args;
use pitstop::{Gone, PruneOptions, Pruned, Spared};
use serde_json::{Value, json};

use crate::args::JsonArg;
use crate::commands::list;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{self, Time};
use crate::values::{self, LabelFilter};

/// Remove the sessions that are no longer needed, by a rule
///
/// What goes meets every criterion given, of which there must be one. Never a session that somebody
/// writes, nor the last one, nor one that cannot be read. They go to the trash, and take their space
/// there until `pitstop trash empty`. What killed processes left behind is deleted, too.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pitstop prune --keep 20 --dry-run              see what would go
  pitstop prune --older-than 30d                 what was not saved for 30 days
  pitstop prune --older-than 4h --label kind=test
  pitstop prune --total 10GB --permanently       delete the oldest until 10 GB are left")]
pub(crate) struct PruneArgs {
    /// All but the newest so many
    #[arg(long, value_name = "COUNT")]
    keep: Option<usize>,
    /// Those not saved for so long: 4h, 30d, 2w
    #[arg(long, value_name = "AGE", value_parser = values::age)]
    older_than: Option<Duration>,
    /// Those that take more than this, with all their files: 10MB, 1.5G
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    larger_than: Option<u64>,
    /// The oldest, until the others take no more than this together
    #[arg(long, value_name = "SIZE", value_parser = values::size)]
    total: Option<u64>,
    /// Those whose newest checkpoint has this label; may be given again
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    label: Vec<LabelFilter>,
    /// Only say what would go
    #[arg(long, short = 'n')]
    dry_run: bool,
    /// Delete at once, past the trash: nothing brings it back
    #[arg(long)]
    permanently: bool,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &PruneArgs, context: &Context) -> Outcome {
    let options = options(args);
    if !options.has_criterion() {
        let line = context.command_line(&["prune", "--older-than", "30d", "--dry-run"]);
        return Err(CommandError::new(
            Exit::Usage,
            "what is to go? Nothing goes without a criterion",
        )
        .hint(format!("`{line}` shows what was not saved for 30 days; see also --keep")));
    }
    let pruned = context.open()?.prune(&options)?;
    if args.json.json {
        output::print_json(&as_json(args, &pruned))?;
    } else if !pruned.gone.is_empty() {
        output::print(output::pruned(&pruned.gone))?;
    }
    tell(args, &pruned, context);
    pruned.sweep.remains.iter().for_each(|error| context.warn(error));
    Ok(match list::warn_of_problems(&pruned.problems, context) {
        Exit::Ok if !pruned.sweep.remains.is_empty() => Exit::Failed,
        exit => exit,
    })
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
    if args.dry_run { options.dry_run() } else { options }
}

fn tell(args: &PruneArgs, pruned: &Pruned, context: &Context) {
    for (id, why) in &pruned.spared {
        let why = match why {
            Spared::InUse => "somebody writes it",
            Spared::Last => "it is the last session",
            _ => "it was saved meanwhile",
        };
        context.talk(format_args!("{id} stays: {why}"));
    }
    let (sessions, leftovers) = (pruned.gone.len(), pruned.sweep.leftovers.len());
    let bytes = output::size(pruned.usage().bytes);
    let verb = if args.dry_run { "would remove" } else { "removed" };
    let left = match leftovers {
        0 => String::new(),
        many => format!(" and {many} left by killed processes"),
    };
    context.talk(format_args!("{verb} {}{left}, {bytes}", output::count(sessions, "session")));
    if sessions > 0 && !args.dry_run && !args.permanently {
        let line = context.command_line(&["trash", "empty"]);
        context.hint(format_args!("they take their space until `{line}`"));
    }
}

fn as_json(args: &PruneArgs, pruned: &Pruned) -> Value {
    let gone = |it: &Gone| {
        json!({
            "id": it.summary.id,
            "saved": it.summary.saved.map(Time),
            "files": it.usage.files,
            "size": it.usage.bytes,
            "trash": it.trashed.is_some(),
        })
    };
    let spared = |(id, why): &(pitstop::SessionId, Spared)| {
        let why = match why {
            Spared::InUse => "in use",
            Spared::Last => "last",
            _ => "changed",
        };
        json!({ "id": id, "why": why })
    };
    json!({
        "dry_run": args.dry_run,
        "removed": pruned.gone.iter().map(gone).collect::<Vec<_>>(),
        "spared": pruned.spared.iter().map(spared).collect::<Vec<_>>(),
        "leftovers": pruned.sweep.leftovers.len(),
        "size": pruned.usage().bytes,
    })
}
