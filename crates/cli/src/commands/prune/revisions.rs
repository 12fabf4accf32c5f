use pitstop::{Error, Kept, PruneOptions, PrunedRevisions, Repository, Session, SessionId, Usage};
use serde::Serialize;

use super::PruneArgs;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::report::RemovalReport;
use crate::{hints, input, output};

/// The revisions that were pruned, or would be.
#[derive(Serialize)]
struct PruneRevisionsReport {
    /// The sessions.
    sessions: Vec<PrunedReport>,
    /// The sessions that stay as they are because they are in use.
    in_use: Vec<SessionId>,
    /// What was freed on the disk, or would be, in bytes.
    stored_size: u64,
}

/// What was pruned of one session, or would be.
#[derive(Serialize)]
struct PrunedReport {
    /// Its name.
    id: SessionId,
    #[serde(flatten)]
    removal: RemovalReport<Kept>,
    #[serde(flatten)]
    usage: Usage,
    /// What could not be deleted, though the revisions are gone.
    undeleted: Vec<Error>,
}

pub(super) fn run(args: &PruneArgs, options: &PruneOptions, context: &Context) -> Outcome {
    let repository = context.open()?;
    let (mut pruned, mut in_use, mut exit) = (Vec::new(), Vec::new(), Exit::Ok);
    let mut note = |error: CommandError| {
        hints::report(&error, context);
        exit = exit.or(error.exit);
    };
    for session in sessions(args, &repository, &mut note)? {
        match session.prune(options) {
            Ok(one) => pruned.push((session.id().clone(), one)),
            Err(Error::Busy { .. } | Error::Locked { .. }) if args.all => {
                context.print_status(format_args!("{} stays as it is: it is in use", session.id()));
                in_use.push(session.id().clone());
            }
            // It was removed while we looked.
            Err(Error::NotFound { .. }) if args.all => (),
            Err(error) => note(hints::of_session(error, &session, context)),
        }
    }
    for (id, one) in &pruned {
        print_summary(id, one, args, context);
        one.remains.iter().for_each(|error| context.warn(error));
    }
    if pruned.iter().any(|(_, one)| !one.remains.is_empty()) {
        exit = exit.or(Exit::Failed);
    }
    let usage: Usage = pruned.iter().map(|(_, one)| one.usage).sum();
    let count = pruned.iter().map(|(_, one)| one.gone.len()).sum();
    if args.all || pruned.len() > 1 {
        context.print_status(sentence(args, &output::count(count, "revision"), usage));
    }
    if count > 0 && usage.bytes == 0 {
        context.hint(
            "later saves reuse the space of these revisions, once nothing beside them is kept",
        );
    }
    if args.removal.json.json {
        let sessions = pruned.into_iter().map(|(id, it)| PrunedReport {
            id,
            removal: RemovalReport::new(args.removal.dry_run, it.gone),
            usage: it.usage,
            undeleted: it.remains,
        });
        let sessions = sessions.collect();
        output::print_json(&PruneRevisionsReport { sessions, in_use, stored_size: usage.bytes })?;
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

fn print_summary(id: &SessionId, pruned: &PrunedRevisions, args: &PruneArgs, context: &Context) {
    let numbers = match pruned.gone.as_slice() {
        // Of many sessions only those are told of.
        [] if args.all => return,
        [] => String::new(),
        [one] => format!(" ({})", one.info.revision),
        [newest, .., oldest] => format!(" ({} to {})", oldest.info.revision, newest.info.revision),
    };
    let what = format!("{} of {id}{numbers}", output::count(pruned.gone.len(), "revision"));
    context.print_status(sentence(args, &what, pruned.usage));
}

fn sentence(args: &PruneArgs, what: &str, usage: Usage) -> String {
    let (verb, bytes) =
        (if args.removal.dry_run { "would remove" } else { "removed" }, output::size(usage.bytes));
    format!("{verb} {what}, which frees {bytes}")
}
