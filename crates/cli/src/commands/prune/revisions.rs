use pitstop::{Error, Kept, PruneOptions, PrunedRevisions, Repository, Session, SessionId, Usage};
use serde_json::{Value, json};

use super::PruneArgs;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::{hints, input, output};

pub(super) fn run(args: &PruneArgs, options: &PruneOptions, context: &Context) -> Outcome {
    let repository = context.open()?;
    let (mut pruned, mut in_use, mut exit) = (Vec::new(), Vec::new(), Exit::Ok);
    let mut note = |error: CommandError| {
        context.report(&error);
        exit = exit.or(error.exit);
    };
    for session in sessions(args, &repository, &mut note)? {
        match session.prune(options) {
            Ok(one) => pruned.push((session.id().clone(), one)),
            Err(Error::Busy { .. } | Error::Locked { .. }) if args.all => {
                context.talk(format_args!("{} stays as it is: somebody writes it", session.id()));
                in_use.push(session.id().clone());
            }
            // It was removed while we looked.
            Err(Error::NotFound { .. }) if args.all => (),
            Err(error) => note(hints::of_session(error, &session, context)),
        }
    }
    for (id, one) in &pruned {
        tell(id, one, args, context);
        one.remains.iter().for_each(|error| context.warn(error));
    }
    if pruned.iter().any(|(_, one)| !one.remains.is_empty()) {
        exit = exit.or(Exit::Failed);
    }
    let usage: Usage = pruned.iter().map(|(_, one)| one.usage).sum();
    let count = pruned.iter().map(|(_, one)| one.gone.len()).sum();
    if args.all || pruned.len() > 1 {
        context.talk(sentence(args, &output::count(count, "revision"), usage));
    }
    if count > 0 && usage.bytes == 0 {
        context.hint(
            "what they took lies between others: later saves use it, once nothing beside it is kept",
        );
    }
    if args.removal.json.json {
        output::print_json(&as_json(args, &pruned, &in_use, usage))?;
    }
    Ok(exit)
}

fn sessions(
    args: &PruneArgs,
    repository: &Repository,
    note: &mut impl FnMut(CommandError),
) -> Result<Vec<Session>, CommandError> {
    if args.all {
        let listing = repository.list()?;
        listing.problems.into_iter().for_each(|problem| note(problem.error.into()));
        return Ok(listing.sessions.into_iter().map(|it| repository.session(it.id)).collect());
    }
    let named = args.sessions.iter().map(|name| repository.get(input::session_id(name)?));
    Ok(named.filter_map(|session| session.map_err(|error| note(error.into())).ok()).collect())
}

fn tell(id: &SessionId, pruned: &PrunedRevisions, args: &PruneArgs, context: &Context) {
    let numbers = match pruned.gone.as_slice() {
        // Of many sessions only those are told of.
        [] if args.all => return,
        [] => String::new(),
        [one] => format!(" ({})", one.info.revision),
        [newest, .., oldest] => format!(" ({} to {})", oldest.info.revision, newest.info.revision),
    };
    let what = format!("{} of {id}{numbers}", output::count(pruned.gone.len(), "revision"));
    context.talk(sentence(args, &what, pruned.usage));
}

fn sentence(args: &PruneArgs, what: &str, usage: Usage) -> String {
    let (verb, bytes) =
        (if args.removal.dry_run { "would remove" } else { "removed" }, output::size(usage.bytes));
    format!("{verb} {what}, which gives back {bytes}")
}

fn as_json(
    args: &PruneArgs,
    pruned: &[(SessionId, PrunedRevisions)],
    in_use: &[SessionId],
    usage: Usage,
) -> Value {
    let one = |(id, it): &(SessionId, PrunedRevisions)| {
        let number = |kept: &Kept| kept.info.revision;
        let revisions: Vec<_> = it.gone.iter().map(number).collect();
        json!({ "id": id, "revisions": revisions, "files": it.usage.files, "size": it.usage.bytes })
    };
    json!({
        "dry_run": args.removal.dry_run,
        "sessions": pruned.iter().map(one).collect::<Vec<_>>(),
        "in_use": in_use,
        "size": usage.bytes,
    })
}
