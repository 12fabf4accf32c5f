use std::ffi::OsString;
use std::io;
use std::process::Command;
use std::time::SystemTime;

use clap::{Args, ValueEnum};
use pitstop::{Owner, ProgramEnd, ProgramState, Repository, Session, SessionId, Writer};
use rustix::process::{Pid, getpid};

use crate::child::{Ended, Signals, become_program};
use crate::context::{Context, quoted};
use crate::error::{CommandError, Exit, Outcome};
use crate::values::NewFormat;
use crate::wait::WaitArg;
use crate::{hints, input, output};

const EXAMPLES: &str = "\
Examples:
  pitstop run --create nightly -- ./import.sh      start it, or resume it
  pitstop run --wait 5min nightly -- ./import.sh   after the one that runs now
  pitstop run --again nightly -- ./import.sh       start anew what is done
  pitstop run --create --when-done trash nightly -- ./import.sh
";

/// Run a program with exclusive write access to a session
///
/// The program and what it starts can save in the session, and nobody else. In them `pitstop save` and
/// `pitstop load` need no name. The environment of the program holds PITSTOP_SESSION, PITSTOP_REPOSITORY, on
/// a local disk PITSTOP_SESSION_DIRECTORY for files of its own, and PITSTOP_RESUMES: 1 if there is a
/// checkpoint to resume from, else empty.
///
/// Signals are passed on. The exit code is that of the program, 128 and the number of the signal that
/// killed it, 126 or 127 if it cannot be started. What it leaves running when it ends can no longer save.
///
/// How the program ended is recorded, and `pitstop status` shows it: done (exit code 0), failed (another
/// one), stopped (after SIGINT, SIGTERM, SIGHUP or SIGQUIT), interrupted (killed). A session that is done is
/// not run again without --again.
///
/// If this command itself is killed, the kernel sends SIGTERM to the program (not to what the program
/// started, nor to a set-user-id program), and later saves fail.
#[derive(Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct RunArgs {
    /// The name of the session
    session: OsString,
    /// The program and its arguments
    #[arg(required = true, last = true)]
    command: Vec<OsString>,
    /// Create the session if it does not exist
    #[arg(long, short)]
    create: bool,
    /// The format of a session that is created [default: journal]
    #[arg(long, value_enum, requires = "create")]
    format: Option<NewFormat>,
    /// Run the program anew if it is done: the session goes to the trash, and an empty one takes its name
    #[arg(long)]
    again: bool,
    /// What becomes of the session when the program ends with exit code 0
    #[arg(long, value_enum, value_name = "ACTION", default_value = "keep")]
    when_done: WhenDone,
    #[command(flatten)]
    wait: WaitArg,
    /// For this command itself: become the program; the value is the process id of the parent
    #[arg(long, hide = true, value_parser = parent)]
    exec: Option<Pid>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum WhenDone {
    /// Keep it, as done
    Keep,
    /// Move it to the trash
    Trash,
}

const NOT_RUN: &str = "the program was not run; try again";

pub(super) fn run(args: &RunArgs, context: &Context) -> Outcome {
    if let Some(parent) = args.exec {
        return Err(exec(args, parent));
    }
    let id = input::session_id(&args.session)?;
    // It is this process that holds the session: its number stands beside the name.
    Owner::set_program(format!("pitstop run {}", name_of(&args.command)));
    let mut repository = context.open()?;
    if let Some(format) = args.format {
        repository = repository.with_format(format.into());
    }
    let signals = Signals::take()
        .map_err(|error| CommandError::io("cannot pass signals on", error).hint(NOT_RUN))?;
    let Some(writer) = begin(&repository, &id, args, context)? else { return Ok(Exit::Ok) };
    let session = writer.session().clone();
    let writer = writer.share()?;
    let resumes = session.status()?.summary.saved.is_some();

    let parent = getpid().as_raw_nonzero().to_string();
    let mut command = Command::new("/proc/self/exe");
    command.args(["run", "--exec", &parent]).arg(&args.session).arg("--").args(&args.command);
    command.envs(writer.environment()).env("PITSTOP_RESUMES", if resumes { "1" } else { "" });
    let ended = signals
        .run(&mut command)
        .map_err(|error| CommandError::io("cannot run a program", error).hint(NOT_RUN))?;
    let end = end_of(&ended);
    writer.into_writer().finish(end).unwrap_or_else(|error| context.warn(&error));
    if end == ProgramEnd::Done && args.when_done == WhenDone::Trash {
        session.trash()?;
    }
    Ok(Exit::Program(ended.code()))
}

/// Becomes the writer; `None` if the program is done already.
fn begin(
    repository: &Repository,
    id: &SessionId,
    args: &RunArgs,
    context: &Context,
) -> Result<Option<Writer>, CommandError> {
    loop {
        let session = match args.create {
            true => repository.get_or_create(id)?,
            false => repository.get(id)?,
        };
        let is_done = |state| state == ProgramState::Done;
        if !session.status().is_ok_and(|it| is_done(it.writer.program())) {
            let writer = args.wait.until_free(&session, || session.writer());
            let writer = writer.map_err(|error| hints::of_session(error, &session, context))?;
            // It may have become so while this waited.
            if !is_done(writer.found()) {
                return Ok(Some(writer));
            }
            writer.finish(ProgramEnd::Done)?;
        }
        if args.again {
            start_anew(repository, &session, args, context)?;
        } else if args.when_done == WhenDone::Trash {
            // The run before this one was killed before it came to that.
            session.trash()?;
        } else {
            say_done(&session, args, context);
            return Ok(None);
        }
    }
}

/// The old session goes to the trash, from which it can be restored.
fn start_anew(
    repository: &Repository,
    session: &Session,
    args: &RunArgs,
    context: &Context,
) -> Result<(), CommandError> {
    let format = session.status()?.summary.format;
    session.trash()?;
    context.print_status(format_args!("{} was done: that session is in the trash", session.id()));
    if args.format.is_none() {
        repository.clone().with_format(format).get_or_create(session.id())?;
    } else {
        repository.get_or_create(session.id())?;
    }
    Ok(())
}

fn say_done(session: &Session, args: &RunArgs, context: &Context) {
    let id = session.id();
    let saved = session.status().ok().and_then(|it| it.summary.saved);
    match saved {
        Some(saved) => {
            let when = output::relative(saved, SystemTime::now());
            context.print_status(format_args!(
                "{id} is done, and was last saved {when}: nothing to run"
            ));
        }
        None => context.print_status(format_args!("{id} is done: nothing to run")),
    }
    let line = context.command_line(&["run", "--again", id.as_str()]);
    context.hint(format_args!("run `{line} -- {}` to run it anew", name_of(&args.command)));
}

/// What is recorded. Whoever was asked to stop can be resumed, however it ended.
fn end_of(ended: &Ended) -> ProgramEnd {
    match (ended.was_asked_to_stop, ended.exit_code()) {
        (true, _) => ProgramEnd::Stopped,
        (false, Some(0)) => ProgramEnd::Done,
        (false, Some(code)) => ProgramEnd::Failed(code),
        (false, None) => ProgramEnd::Interrupted,
    }
}

/// What `status` calls it: the command, as far as it fits into a line.
fn name_of(command: &[OsString]) -> String {
    const LONGEST: usize = 60;
    let words: Vec<_> = command.iter().map(|word| word.to_string_lossy()).collect();
    let mut name: String = words.iter().map(|word| quoted(word)).collect::<Vec<_>>().join(" ");
    if let Some((at, _)) = name.char_indices().nth(LONGEST) {
        name.truncate(at);
        name.push('…');
    }
    name
}

fn parent(text: &str) -> Result<Pid, &'static str> {
    text.parse().ok().and_then(Pid::from_raw).ok_or("not a process id")
}

/// Why the program could not be run.
fn exec(args: &RunArgs, parent: Pid) -> CommandError {
    let program = &args.command[0];
    let error = become_program(Command::new(program).args(&args.command[1..]), parent);
    let exit = match error.kind() {
        io::ErrorKind::NotFound => Exit::Program(127),
        _ => Exit::Program(126),
    };
    let program = program.to_string_lossy();
    CommandError { exit, ..CommandError::io(format!("cannot run {program}"), error) }
        .hint("the session was not changed; a program that is not in $PATH needs its path")
}
