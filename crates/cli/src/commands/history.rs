use clap::Args;
use pitstop::{CheckpointInfo, History, Kept, Session};
use serde_json::{Value, json};

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::input::SessionArg;
use crate::output::{self, Time};
use crate::values::LabelFilter;
use crate::{context, hints};

/// List the revisions of a session that are kept, newest first
///
/// STORED is what a revision takes by itself: where little changed, little is stored. No payload is
/// read; whether one is sound is seen when it is loaded.
#[derive(Args)]
pub(crate) struct HistoryArgs {
    #[command(flatten)]
    session: SessionArg,
    /// Only those with this label; may be given again
    #[arg(long, short, value_name = "NAME[=VALUE]")]
    label: Vec<LabelFilter>,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &HistoryArgs, context: &Context) -> Outcome {
    let session = args.session.find(&context.open()?, context)?;
    let history = session.history().map_err(|error| hints::of_session(error, &session, context))?;
    let wanted = |kept: &&Kept| args.label.iter().all(|it| it.matches(&kept.info.labels));
    let revisions: Vec<_> = history.revisions.iter().filter(wanted).collect();
    let nothing = revisions.is_empty() && history.damaged.is_empty();
    let is_lost = history.revisions.is_empty() && history.may_lack_newer;
    if args.json.json {
        output::print_json(&as_json(&session, &revisions, &history))?;
    } else if !nothing {
        output::print(output::history(&revisions, &history))?;
    }
    if nothing && !history.revisions.is_empty() {
        context.talk(format_args!("no revision of '{}' has such a label", session.id()));
    } else if nothing && !is_lost {
        context.talk(format_args!("nothing was saved in '{}' yet", session.id()));
    }
    Ok(warn_of(&session, &history, context))
}

/// Tells of revisions that are damaged, and with which code that ends.
fn warn_of(session: &Session, history: &History, context: &Context) -> Exit {
    let id = session.id();
    if history.may_lack_newer {
        context::warning(&format!("'{id}' is damaged, and the newest may be lost"));
        context.hint(format_args!(
            "`{}` says what is",
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
        context.hint(format_args!("`{line}` gives the newest good one"));
    }
    Exit::Damaged
}

fn as_json(session: &Session, revisions: &[&Kept], history: &History) -> Value {
    let revision = |kept: &&Kept| {
        let CheckpointInfo { revision, saved, size, digest, labels, .. } = &kept.info;
        json!({
            "revision": revision,
            "saved": Time(*saved),
            "size": size,
            "stored": kept.stored,
            "digest": digest,
            "labels": labels,
        })
    };
    json!({
        "id": session.id(),
        "revisions": revisions.iter().map(revision).collect::<Vec<_>>(),
        "damaged": history.damaged,
        "may_lack_newer": history.may_lack_newer,
    })
}
