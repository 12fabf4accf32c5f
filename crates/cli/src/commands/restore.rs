use clap::Args;
use pitstop::{Error, Revision, Session};
use serde::Serialize;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::input::SessionArg;
use crate::report::CheckpointReport;
use crate::{hints, output, values};

const EXAMPLES: &str = "\
Examples:
  pitstop history job                  see the revisions
  pitstop restore job --revision 3     save revision 3 again
  pitstop restore job --newest-good    if the newest is damaged
";

/// Save an older revision again, as the newest
///
/// Nothing is lost: its payload and its labels become a new revision, and the revisions in between stay.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RestoreArgs {
    #[command(flatten)]
    session: SessionArg,
    /// The revision to restore: see `pitstop history`
    #[arg(long, value_name = "REVISION", value_parser = values::revision, allow_hyphen_values = true)]
    revision: Option<Revision>,
    /// Restore the newest good revision, if the newest is damaged
    #[arg(long, conflicts_with = "revision")]
    newest_good: bool,
    #[command(flatten)]
    json: JsonArg,
}

/// An older revision that was saved again.
#[derive(Serialize)]
struct RestoreReport<'a> {
    /// The revision that was restored.
    restored: Revision,
    #[serde(flatten)]
    checkpoint: CheckpointReport<'a>,
}

pub(super) fn run(args: &RestoreArgs, context: &Context) -> Outcome {
    let session = args.session.find(&context.open()?, context)?;
    let hinted = |error| hints::of_session(error, &session, context);
    let revision = match args.revision {
        Some(revision) => revision,
        None if args.newest_good => newest_good(&session, context)?,
        None => {
            let line = context.command_line(&["history", session.id().as_str()]);
            return Err(CommandError::new(Exit::Usage, "no revision is named").hint(format!(
                "run `{line}` to see them, and name one with --revision, or add --newest-good"
            )));
        }
    };
    let info = session.restore(revision).map_err(hinted)?;
    let (id, size, new) = (session.id(), output::size(info.size), info.revision);
    context.print_status(format_args!(
        "revision {revision} of {id} ({size}) is the newest now, as revision {new}"
    ));
    match args.json.json {
        true => output::print_json(&RestoreReport {
            restored: revision,
            checkpoint: CheckpointReport { id, info: &info },
        }),
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
            "run `{}` to see the older ones",
            context.command_line(&["history", session.id().as_str()])
        ))),
        Err(error) => Err(hints::of_session(error, session, context)),
    }
}
