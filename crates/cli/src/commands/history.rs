use clap::Args;
use pitstop::{Error, History, Kept, Revision, Session, SessionId};
use serde::Serialize;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::input::SessionArg;
use crate::output;
use crate::values::LabelFilter;
use crate::{context, hints};

/// List the revisions that a session keeps, newest first
///
/// STORED is what a revision takes by itself: where little changed, little is stored. No payload is
/// read; `pitstop verify` reads them all. A plain session keeps one checkpoint and no history.
///
/// Numbers may jump: a save whose outcome was unknown, and a revision lost to damage, keep their numbers,
/// so that no number is ever given twice.
#[derive(Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    session: SessionArg,
    /// Only revisions with this label; may be given again
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    label: Vec<LabelFilter>,
    #[command(flatten)]
    json: JsonArg,
}

/// The revisions of a session.
#[derive(Serialize)]
struct HistoryReport<'a> {
    /// The name of the session.
    id: &'a SessionId,
    /// The revisions that are kept, the newest first.
    revisions: Vec<&'a Kept>,
    /// The revisions that are lost to damage, the newest first.
    damaged: &'a [Revision],
    /// Whether damage may have taken revisions that are newer than all of these.
    newer_may_be_lost: bool,
}

pub(super) fn run(args: &HistoryArgs, context: &Context) -> Outcome {
    let session = args.session.find(&context.open()?, context)?;
    let history = history(&session).map_err(|error| hints::of_session(error, &session, context))?;
    let wanted = |kept: &&Kept| args.label.iter().all(|it| it.matches(&kept.info.labels));
    let revisions: Vec<_> = history.revisions.iter().filter(wanted).collect();
    let nothing = revisions.is_empty() && history.damaged.is_empty();
    let is_lost = history.revisions.is_empty() && history.may_lack_newer;
    if args.json.json {
        let (damaged, newer_may_be_lost) = (&history.damaged, history.may_lack_newer);
        output::print_json(&HistoryReport {
            id: session.id(),
            revisions,
            damaged,
            newer_may_be_lost,
        })?;
    } else if !nothing {
        output::print(output::history(&revisions, &history))?;
    }
    if nothing && !history.revisions.is_empty() {
        context.print_status(format_args!("no revision of '{}' has such a label", session.id()));
    } else if nothing && !is_lost {
        context.print_status(format_args!("nothing was saved in '{}' yet", session.id()));
    }
    Ok(warn_of(&session, &history, context))
}

/// The history; that of a plain session is its one checkpoint.
fn history(session: &Session) -> Result<History, Error> {
    match session.history() {
        Err(Error::Unsupported { .. }) => (),
        history => return history,
    }
    let mut history = History::default();
    match session.open_checkpoint() {
        Ok(checkpoint) => {
            let info = checkpoint.info().clone();
            let stored = info.size;
            history.revisions.push(Kept::new(info, stored));
        }
        Err(Error::NoCheckpoint { .. }) => (),
        Err(error) => return Err(error),
    }
    Ok(history)
}

/// Tells of revisions that are damaged, and with which code that ends.
fn warn_of(session: &Session, history: &History, context: &Context) -> Exit {
    let id = session.id();
    if history.may_lack_newer {
        context::warning(&format!("'{id}' is damaged, and the newest may be lost"));
        context.hint(format_args!(
            "run `{}` to see what is damaged",
            context.command_line(&["verify", id.as_str()])
        ));
        return Exit::Damaged;
    }
    match history.damaged.as_slice() {
        [] => return Exit::Ok,
        [one] => context::warning(&format!("revision {one} of '{id}' is damaged")),
        many => context::warning(&format!("{} revisions of '{id}' are damaged", many.len())),
    }
    let newest = history.revisions.first().map(|it| it.info.revision.number());
    if newest.is_some_and(|newest| newest < history.damaged[0].number()) {
        let line = context.command_line(&["load", id.as_str(), "--newest-good"]);
        context.hint(format_args!("run `{line}` to load the newest good one"));
    }
    Exit::Damaged
}
