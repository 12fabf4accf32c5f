use pitstop::{Gone, PruneOptions, Pruned, Spared};
use serde_json::{Value, json};

use super::PruneArgs;
use crate::commands::list;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::output::{self, Time};

pub(super) fn run(args: &PruneArgs, options: &PruneOptions, context: &Context) -> Outcome {
    let pruned = context.open()?.prune(options)?;
    if args.removal.json.json {
        output::print_json(&as_json(args, &pruned))?;
    } else if !pruned.gone.is_empty() {
        output::print(output::pruned(&pruned.gone))?;
    }
    tell(args, &pruned, context);
    pruned.sweep.remains.iter().for_each(|error| context.warn(error));
    Ok(match list::fail_for_problems(&pruned.problems, context) {
        Exit::Ok if !pruned.sweep.remains.is_empty() => Exit::Failed,
        exit => exit,
    })
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
    let verb = if args.removal.dry_run { "would remove" } else { "removed" };
    let left = match leftovers {
        0 => String::new(),
        many => format!(" and {many} left by killed processes"),
    };
    context.talk(format_args!("{verb} {}{left}, {bytes}", output::count(sessions, "session")));
    if sessions > 0 && !args.removal.dry_run && !args.permanently {
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
        "dry_run": args.removal.dry_run,
        "removed": pruned.gone.iter().map(gone).collect::<Vec<_>>(),
        "spared": pruned.spared.iter().map(spared).collect::<Vec<_>>(),
        "leftovers": pruned.sweep.leftovers.len(),
        "size": pruned.usage().bytes,
    })
}
