use std::fs::File;
use std::io::{self, BufWriter, IsTerminal};
use std::path::PathBuf;

use clap::Args;
use pitstop::{Error, Exported, Session, SessionId};
use serde::Serialize;

use crate::args::JsonArg;
use crate::context::{Context, warning};
use crate::error::{CommandError, Exit, Outcome};
use crate::hints;
use crate::input::SessionArg;
use crate::output::{self, Destination, ProgressBar};

const EXAMPLES: &str = "\
Examples:
  pitstop export job -o job.tar                  on this machine
  pitstop import job.tar                         on the other one
  pitstop export job | ssh host pitstop import   without a file
";

/// Write a session into a single file, with history and files
///
/// The file is a tar archive: `tar tf` lists its content, and `pitstop import` creates a session from it on
/// any machine.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct ExportArgs {
    #[command(flatten)]
    session: SessionArg,
    /// Write to this file, which is replaced once the new one is whole [default: -]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Print JSON; the archive needs a file then
    #[command(flatten)]
    json: JsonArg,
}

/// What was written into an archive.
#[derive(Serialize)]
struct ExportReport<'a> {
    /// The name of the session.
    id: &'a SessionId,
    #[serde(flatten)]
    exported: &'a Exported,
}

pub(super) fn run(args: &ExportArgs, context: &Context) -> Outcome {
    let session = args.session.find(&context.open()?, context)?;
    let destination = Destination::of(args.output.as_deref());
    if destination.is_standard_output() {
        if args.json.json {
            let message = "the archive and JSON cannot both go to standard output";
            return Err(CommandError::new(Exit::Usage, message).hint("name a file with -o"));
        }
        if io::stdout().is_terminal() {
            let line = context.command_line(&["export", session.id().as_str(), "-o", "FILE"]);
            let message = "an archive cannot be shown on a terminal";
            return Err(CommandError::new(Exit::Usage, message)
                .hint(format!("run `{line}` to write it to a file, or use a pipe")));
        }
    }
    let exported = destination
        .write(|to| export(&session, to, context))
        .map_err(|why| why.explain(destination, &session, context))?;
    let exit = print_summary(&session, &exported, destination, context);
    if args.json.json {
        output::print_json(&ExportReport { id: session.id(), exported: &exported })?;
    }
    Ok(exit)
}

enum Failed {
    Session(Error),
    Write(io::Error),
}

impl From<io::Error> for Failed {
    fn from(error: io::Error) -> Self {
        Self::Write(error)
    }
}

impl Failed {
    fn explain(self, to: Destination<'_>, session: &Session, context: &Context) -> CommandError {
        match self {
            Self::Write(error) | Self::Session(Error::Output { source: error }) => {
                output::cannot_write(to, error)
            }
            Self::Session(error) => hints::of_session(error, session, context),
        }
    }
}

fn export(session: &Session, to: File, context: &Context) -> Result<Exported, Failed> {
    let bar = ProgressBar::new(context);
    let to = BufWriter::with_capacity(256 * 1024, to);
    session.export(to, |progress| bar.show(progress)).map_err(Failed::Session)
}

/// Says what is in it, and what is not.
fn print_summary(
    session: &Session,
    exported: &Exported,
    to: Destination<'_>,
    context: &Context,
) -> Exit {
    let id = session.id();
    let what = output::revisions_and_files(exported.revisions, exported.files);
    match to.is_standard_output() {
        true => context.print_status(format_args!("wrote {what} of {id}")),
        false => context.print_status(format_args!("wrote {what} of {id} to {to}")),
    }
    for it in &exported.passed_over {
        warning(&format!("{} was not exported: {}", it.place.display(), it.reason));
    }
    for revision in &exported.damaged {
        warning(&format!("revision {revision} of {id} is damaged, and was not exported"));
    }
    if exported.damaged.is_empty() { Exit::Ok } else { Exit::Damaged }
}
