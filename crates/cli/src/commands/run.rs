use std::ffi::OsString;
use std::io;
use std::process::Command;

use clap::Args;
use pitstop::Owner;
use rustix::process::{Pid, getpid};

use crate::child::{Ended, Signals, become_program};
use crate::context::{Context, quoted};
use crate::error::{CommandError, Exit, Outcome};
use crate::input;
use crate::values::NewFormat;
use crate::wait::WaitArg;

/// Run a program that alone can save in a session
///
/// It and what it starts can, and nobody else. Inside, `pitstop save` and `pitstop load` need no name. The environment of the program holds
/// PITSTOP_SESSION, PITSTOP_REPOSITORY, on a local disk PITSTOP_SESSION_DIRECTORY for files of its own, and
/// PITSTOP_RESUMES: 1 if there is a checkpoint to go on from, else empty.
///
/// Signals are passed on. The exit code is that of the program, 128 and the number of the signal that
/// killed it, 126 or 127 if it cannot be started. What it leaves running when it ends can no longer save.
///
/// If this command itself is killed, the kernel sends SIGTERM to the program (not to what the program
/// started, nor to a set-user-id program), and later saves fail.
#[derive(Args)]
pub(crate) struct RunArgs {
    /// The name of the session
    session: OsString,
    /// The program and its arguments
    #[arg(required = true, last = true)]
    command: Vec<OsString>,
    /// Create the session if it does not exist
    #[arg(long, short)]
    create: bool,
    /// If the session is created, how it keeps its checkpoints [default: journal]
    #[arg(long, value_enum, requires = "create")]
    format: Option<NewFormat>,
    #[command(flatten)]
    wait: WaitArg,
    /// For this command itself: become the program; the value is the process id of the parent
    #[arg(long, hide = true, value_parser = parent)]
    exec: Option<Pid>,
}

const NOT_RUN: &str = "the session is as it was: do it again";

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
    let session = match args.create {
        true => repository.get_or_create(&id)?,
        false => repository.get(&id)?,
    };
    let signals = Signals::take()
        .map_err(|error| CommandError::io("cannot pass signals on", error).hint(NOT_RUN))?;
    let writer = args.wait.until_free(&session, || session.writer())?.share()?;
    let resumes = session.status()?.summary.saved.is_some();

    let mut command = Command::new("/proc/self/exe");
    let parent = getpid().as_raw_nonzero().to_string();
    command.args(["run", "--exec", &parent]).arg(&args.session).arg("--").args(&args.command);
    command.envs(writer.environment()).env("PITSTOP_RESUMES", if resumes { "1" } else { "" });
    let ended = signals
        .run(&mut command)
        .map_err(|error| CommandError::io("cannot run a program", error).hint(NOT_RUN))?;
    if matches!(ended, Ended::Killed(_)) && session.location().is_some() {
        // `status` is to tell that it was interrupted. In an object store nobody would see at once that
        // we have ended.
        std::mem::forget(writer);
    }
    Ok(Exit::Program(ended.code()))
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
        .hint("the session is as it was; a program that is not in $PATH needs its path")
}
