use clap::Args;
use pitstop::{Error, Revision, Session};
use serde_json::json;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::input::SessionArg;
use crate::{hints, output, values};

const EXAMPLES: &str = "\
Examples:
  pitstop history job                  see what there is to go back to
  pitstop restore job --revision 3     what revision 3 was is the newest now
  pitstop restore job --newest-good    go on from what is good, where the newest is damaged
";

/// Make an older revision the newest
///
/// Nothing is lost: its payload and its labels are saved again, as a new revision, and those in between
/// stay.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    session: SessionArg,
    /// The revision to go back to: see `pitstop history`
    #[arg(long, value_name = "REVISION", value_parser = values::revision, allow_hyphen_values = true)]
    revision: Option<Revision>,
    /// The newest good revision, where the newest is damaged
    #[arg(long, conflicts_with = "revision")]
    newest_good: bool,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &RestoreArgs, context: &Context) -> Outcome {
    let session = args.session.find(&context.open()?, context)?;
    let hinted = |error| hints::of_session(error, &session, context);
    let revision = match args.revision {
        Some(revision) => revision,
        None if args.newest_good => newest_good(&session, context)?,
        None => {
            let line = context.command_line(&["history", session.id().as_str()]);
            return Err(CommandError::new(Exit::Usage, "which revision is to be restored?").hint(
                format!("`{line}` shows them: name one with --revision, or say --newest-good"),
            ));
        }
    };
    let info = session.restore(revision).map_err(hinted)?;
    let (id, size, new) = (session.id(), output::size(info.size), info.revision);
    context.talk(format_args!(
        "revision {revision} of {id} ({size}) is the newest now, as revision {new}"
    ));
    match args.json.json {
        true => output::print_json(&json!({
            "id": id,
            "restored": revision,
            "revision": new,
            "saved": output::Time(info.saved),
            "size": info.size,
            "digest": info.digest,
            "labels": info.labels,
        })),
        false => Ok(Exit::Ok),
    }
}

fn newest_good(session: &Session, context: &Context) -> Result<Revision, CommandError> {
    match session.load() {
        Err(Error::Corrupt { newest_good: Some(good), .. }) => Ok(good),
        Ok(newest) => Err(CommandError::new(
            Exit::Failed,
            format!(
                "the newest checkpoint of '{}', revision {}, is good already",
                session.id(),
                newest.info.revision
            ),
        )
        .hint(format!(
            "`{}` shows the older ones",
            context.command_line(&["history", session.id().as_str()])
        ))),
        Err(error) => Err(hints::of_session(error, session, context)),
    }
}
