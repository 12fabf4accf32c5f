use std::ffi::OsString;
use std::path::PathBuf;

use clap::Args;
use pitstop::{Copied, CopyOptions, Problem, Repository, SessionId};
use serde_json::{Value, json};

use crate::args::JsonArg;
use crate::context::{Context, warning};
use crate::error::{CommandError, Exit, Outcome};
use crate::output::{self, ProgressBar};
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
/// Revisions keep their numbers, times and labels, and everything is compared with what was copied. After
/// an interruption, and when there is something new, the same command goes on where it ended. A
/// session of that name that holds something else is left as it is.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct CopyArgs {
    /// The names of the sessions
    #[arg(conflicts_with = "all", value_name = "SESSION")]
    sessions: Vec<OsString>,
    /// All sessions of the repository, and which of them is the last
    #[arg(long)]
    all: bool,
    /// The repository to copy to, named as by --repository; it is made if there is none
    #[arg(long, value_name = "PLACE")]
    to: PathBuf,
    /// The name of the copy, if it is one session
    #[arg(long = "as", value_name = "NAME", conflicts_with = "all")]
    name: Option<OsString>,
    /// How the copies keep their checkpoints [default: as they are kept here]
    #[arg(long, value_enum)]
    format: Option<NewFormat>,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &CopyArgs, context: &Context) -> Outcome {
    if args.sessions.is_empty() && !args.all {
        return Err(CommandError::new(Exit::Usage, "which sessions are to be copied?")
            .hint("name them, or say --all"));
    }
    let (source, destination) = (context.open()?, context.open_at(&args.to)?);
    let bar = ProgressBar::new(context);
    let (copied, exit) = match args.all {
        true => copy_all(args, &source, &destination, &bar, context)?,
        false => copy_some(args, &source, &destination, &bar, context)?,
    };
    drop(bar);
    let mut end = exit;
    for one in &copied {
        end = end.or(tell(one, &destination, context));
    }
    if args.all && copied.is_empty() && exit == Exit::Ok {
        context.talk(format_args!("no sessions in {}", source.location().display()));
    }
    if args.json.json {
        output::print_json(&as_json(&destination, &copied))?;
    }
    Ok(end)
}

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
) -> Result<(Vec<Copied>, Exit), CommandError> {
    let all = source.copy_to(destination, options(args, bar))?;
    let mut exit = Exit::Ok;
    for Problem { name, error, .. } in all.problems {
        let session = SessionId::new(name).map(|id| source.session(id));
        let error = match session {
            Ok(session) => hints::of_session(error, &session, context),
            Err(_) => error.into(),
        };
        context.report(&error);
        exit = exit.or(error.exit);
    }
    Ok((all.copied, exit))
}

/// After a failure the others are still copied, and the exit code is that of the first failure.
fn copy_some(
    args: &CopyArgs,
    source: &Repository,
    destination: &Repository,
    bar: &ProgressBar,
    context: &Context,
) -> Result<(Vec<Copied>, Exit), CommandError> {
    let name = match &args.name {
        Some(_) if args.sessions.len() > 1 => {
            let message = "--as names one copy, and these are several sessions";
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
                context.report(&error);
                exit = exit.or(error.exit);
            }
        }
    }
    Ok((copied, exit))
}

/// Says what was copied, and what was not.
pub(super) fn tell(copied: &Copied, destination: &Repository, context: &Context) -> Exit {
    let (id, place) = (copied.session.id(), destination.location().display());
    let what = output::revisions_and_files(copied.revisions, copied.files);
    match copied.revisions {
        0 => context.talk(format_args!("{id} was in {place} already")),
        _ if context.command == "import" => {
            context.talk(format_args!("imported {what} of {id} into {place}"));
        }
        _ => context.talk(format_args!("copied {what} of {id} to {place}")),
    }
    if copied.without_history > 0 {
        let stayed = output::count(copied.without_history, "older revision");
        context.talk(format_args!("{stayed} of {id} stayed behind: the copy keeps no history"));
    }
    if !copied.without_labels.is_empty() {
        context.talk(format_args!("the labels of {id} stayed behind: the copy keeps none"));
    }
    for it in &copied.passed_over {
        warning(&format!("{} was not copied: {}", it.place.display(), it.reason));
    }
    for revision in &copied.damaged {
        warning(&format!("revision {revision} of {id} is damaged, and was not copied"));
    }
    match copied.damaged.is_empty() {
        true => Exit::Ok,
        false => Exit::Damaged,
    }
}

pub(super) fn as_json(destination: &Repository, copied: &[Copied]) -> Value {
    let one = |it: &Copied| {
        json!({
            "id": it.session.id(),
            "revisions": it.revisions,
            "files": it.files,
            "damaged": it.damaged,
            "without_history": it.without_history,
            "without_labels": it.without_labels,
            "passed_over": it.passed_over.iter().map(|it| it.place.display().to_string())
                .collect::<Vec<_>>(),
        })
    };
    json!({
        "repository": destination.location().display().to_string(),
        "copied": copied.iter().map(one).collect::<Vec<_>>(),
    })
}
