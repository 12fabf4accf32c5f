use std::fs::{self, File, OpenOptions};
use std::io::{self, IsTerminal, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use clap::Args;
use pitstop::{Checkpoint, Error, Revision, Session};

use crate::context::Context;
use crate::error::{CommandError, Exit, Outcome};
use crate::input::SessionArg;
use crate::{context, hints, output, values};

/// Write a checkpoint to standard output or to a file
#[derive(Args)]
pub(crate) struct LoadArgs {
    #[command(flatten)]
    session: SessionArg,
    /// Write to this file; one that is there stays until the new one is whole [default: -]
    #[arg(long, short, value_name = "FILE")]
    output: Option<PathBuf>,
    /// An older revision that is kept: see `pitstop history`
    #[arg(long, value_name = "REVISION", value_parser = values::revision)]
    revision: Option<Revision>,
    /// Where the newest is damaged, take the newest good one, and say so
    #[arg(long, conflicts_with = "revision")]
    newest_good: bool,
}

pub(super) fn run(args: &LoadArgs, context: &Context) -> Outcome {
    let session = args.session.find(&context.open()?, context)?;
    let data = checkpoint(&session, args, context)?.data;
    if let Some(path) = args.output.as_deref().filter(|path| path.as_os_str() != "-") {
        write_file(path, &data)
            .map_err(|error| CommandError::io(format!("cannot write {}", path.display()), error))?;
        context.talk(format_args!(
            "wrote {} to {}",
            output::size(data.len() as u64),
            path.display()
        ));
        return Ok(Exit::Ok);
    }
    if io::stdout().is_terminal() && !is_text(&data) {
        let id = session.id().as_str();
        let line = context.command_line(&["load", id, "-o", "FILE"]);
        return Err(CommandError::new(
            Exit::Failed,
            format!("the checkpoint of '{id}' is not text, and standard output is a terminal"),
        )
        .hint(format!("`{line}` writes it to a file; or use a pipe")));
    }
    match output::write(&data) {
        // The reader went away. It knows, and has not got everything.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(Exit::Failed),
        outcome => outcome.map(|()| Exit::Ok).map_err(output::cannot_write),
    }
}

fn checkpoint(
    session: &Session,
    args: &LoadArgs,
    context: &Context,
) -> Result<Checkpoint, CommandError> {
    let loaded = match args.revision {
        Some(revision) => session.load_revision(revision),
        None => session.load(),
    };
    match loaded {
        Err(error @ Error::Corrupt { newest_good: Some(good), .. }) if args.newest_good => {
            let checkpoint = session.load_revision(good)?;
            context.warn(&error);
            let when = output::relative(checkpoint.info.saved, SystemTime::now());
            context::warning(&format!(
                "this is revision {good}, saved {when}: the newest good one"
            ));
            Ok(checkpoint)
        }
        outcome => outcome.map_err(|error| hints::of_session(error, session, context)),
    }
}

/// Whether a terminal can show it and is not steered by it.
fn is_text(data: &[u8]) -> bool {
    std::str::from_utf8(data)
        .is_ok_and(|text| text.chars().all(|c| !c.is_control() || "\n\r\t".contains(c)))
}

/// Puts a new file in place of the old one when it is whole and on stable storage.
fn write_file(path: &Path, data: &[u8]) -> io::Result<()> {
    // What a link leads to is replaced, not the link. One that leads nowhere yet is replaced itself.
    let path = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let there = fs::metadata(&path).ok();
    if there.as_ref().is_some_and(|it| !it.is_file()) {
        // A pipe or a device has nothing to lose, and must not become a file.
        return OpenOptions::new().write(true).open(&path)?.write_all(data);
    }
    let directory = match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => parent,
        _ => Path::new("."),
    };
    let mut new = tempfile::Builder::new().make_in(directory, |name| {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(name)
    })?;
    new.write_all(data)?;
    if let Some(there) = there {
        new.as_file().set_permissions(there.permissions())?;
    }
    new.as_file().sync_all()?;
    new.persist(&path)?;
    File::open(directory)?.sync_all()
}
