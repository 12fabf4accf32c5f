use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use pitstop::{Copied, CopyOptions, Problem, Repository};

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{self, ProgressBar};
use crate::report::{self, CopyReport};
use crate::values::NewFormat;
use crate::{hints, input};

const EXAMPLES: &str = "\
Examples:
  pitstop copy job --to /mnt/backup/sessions      one session
  pitstop copy --all --to /mnt/backup/sessions    all of them
  pitstop copy job --to /mnt/backup/sessions --as job-of-monday
";

/// Copy sessions into another repository, with history and files
///
/// Revisions keep their numbers, times and labels, and every copy is compared with the original. After an
/// interruption, or when there are new revisions, the same command continues. A session of that name with
/// another history is not changed.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CopyArgs {
    /// The names of the sessions
    #[arg(conflicts_with = "all", value_name = "SESSION")]
    sessions: Vec<OsString>,
    /// All sessions of the repository, and which one is the last
    #[arg(long)]
    all: bool,
    /// The repository to copy to, as for --repository; it is created if it does not exist
    #[arg(long, value_name = "LOCATION")]
    to: PathBuf,
    /// The name of the copy of a single session
    #[arg(long = "as", value_name = "NAME", conflicts_with = "all")]
    name: Option<OsString>,
    /// The format of the copies [default: as here]
    #[arg(long, value_enum)]
    format: Option<NewFormat>,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &CopyArgs, context: &Context) -> Outcome {
    if args.sessions.is_empty() && !args.all {
        return Err(CommandError::new(Exit::Usage, "no session is named")
            .hint("name sessions, or add --all"));
    }
    let (source, destination) = (context.open()?, context.open_at(&args.to)?);
    let bar = ProgressBar::new(context);
    let (copied, problems, exit) = match args.all {
        true => copy_all(args, &source, &destination, &bar, context)?,
        false => copy_some(args, &source, &destination, &bar, context)?,
    };
    drop(bar);
    let mut end = exit;
    for one in &copied {
        end = end.or(report::print_copied(one, &destination, context));
    }
    if args.all && copied.is_empty() && exit == Exit::Ok {
        context.print_status(format_args!("no sessions in {}", source.location().display()));
    }
    if args.json.json {
        let repository = report::location(&destination);
        output::print_json(&CopyReport { repository, copied: &copied, problems: &problems })?;
    }
    Ok(end)
}

/// The copies, what could not be copied, and the exit code for that.
type Outcomes = (Vec<Copied>, Vec<Problem>, Exit);

fn options<'a>(args: &CopyArgs, bar: &'a ProgressBar) -> CopyOptions<'a> {
    let options = CopyOptions::new().progress(|progress| bar.show(progress));
    match args.format {
        Some(format) => options.format(format.into()),
        None => options,
    }
}

fn copy_all(
    args: &CopyArgs,
    source: &Repository,
    destination: &Repository,
    bar: &ProgressBar,
    context: &Context,
) -> Result<Outcomes, CommandError> {
    let all = source.copy_to(destination, options(args, bar))?;
    let mut exit = Exit::Ok;
    for Problem { id, error, .. } in &all.problems {
        let session = id.as_ref().map(|id| source.session(id.clone()));
        hints::report_problem(error, session.as_ref(), context);
        exit = exit.or(Exit::of(error));
    }
    Ok((all.copied, all.problems, exit))
}

/// After a failure the others are still copied, and the exit code is that of the first failure.
fn copy_some(
    args: &CopyArgs,
    source: &Repository,
    destination: &Repository,
    bar: &ProgressBar,
    context: &Context,
) -> Result<Outcomes, CommandError> {
    let name = match &args.name {
        Some(_) if args.sessions.len() > 1 => {
            let message = "--as names one copy, and several sessions are named";
            return Err(CommandError::new(Exit::Usage, message).hint("copy them one by one"));
        }
        Some(name) => Some(input::session_id(name)?),
        None => None,
    };
    let (mut copied, mut exit) = (Vec::new(), Exit::Ok);
    for session in &args.sessions {
        let outcome = input::session_id(session).and_then(|id| source.get(id));
        let outcome = outcome.map_err(CommandError::from).and_then(|session| {
            let mut options = options(args, bar);
            if let Some(name) = &name {
                options = options.id(name.clone());
            }
            (session.copy_to(destination, options))
                .map_err(|error| hints::of_session(error, &session, context))
        });
        match outcome {
            Ok(one) => copied.push(one),
            Err(error) => {
                hints::report(&error, context);
                exit = exit.or(error.exit);
            }
        }
    }
    Ok((copied, Vec::new(), exit))
}
