//! What a command is given: names and bytes.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io::{self, Cursor, IsTerminal, Read};
use std::os::fd::AsFd;
use std::path::Path;

use clap::Args;
use pitstop::{
    CheckpointInfo, Copied, CopyOptions, Error, InvalidId, NameProblem, Repository, SaveOptions,
    Session, SessionId,
};
use rustix::fs::{self, OFlags};

use crate::context::Context;
use crate::error::{CommandError, Exit};
use crate::hints;
use crate::wait::WaitArg;

/// The session that a command is about.
#[derive(Args)]
pub(crate) struct SessionArg {
    /// The name of the session [default: $PITSTOP_SESSION]
    #[arg(conflicts_with = "last")]
    session: Option<OsString>,
    /// The last session instead of a named one
    #[arg(long)]
    last: bool,
}

impl SessionArg {
    pub(crate) fn find(
        &self,
        repository: &Repository,
        context: &Context,
    ) -> Result<Session, CommandError> {
        match self.last {
            true => last(repository, context),
            false => Ok(repository.session(named(self.session.as_deref(), context)?)),
        }
    }
}

/// The name that was given, or that of the session whose program this runs in: see `pitstop run`.
pub(crate) fn named(name: Option<&OsStr>, context: &Context) -> Result<SessionId, CommandError> {
    let around = session_around();
    match name.or(around.as_deref()) {
        Some(name) => Ok(session_id(name)?),
        None => {
            let list = context.command_line(&["list"]);
            Err(CommandError::new(Exit::Usage, "no session is named").hint(format!(
                "name one: run `{list}` to see them; inside `pitstop run` no name is needed"
            )))
        }
    }
}

/// The name of the session whose program this runs in.
pub(crate) fn session_around() -> Option<OsString> {
    std::env::var_os("PITSTOP_SESSION").filter(|it| !it.is_empty())
}

/// The last session, which must be there.
pub(crate) fn last(repository: &Repository, context: &Context) -> Result<Session, CommandError> {
    repository.last()?.ok_or_else(|| {
        let location = repository.location().display();
        CommandError::new(Exit::NotFound, format!("there is no last session in {location}"))
            .hint(format!("run `{}` to set it", context.command_line(&["last", "SESSION"])))
    })
}

/// A name from the command line.
pub(crate) fn session_id(name: &OsStr) -> Result<SessionId, Error> {
    match name.to_str() {
        Some(name) => Ok(SessionId::new(name)?),
        None => Err(InvalidId::new(&name.to_string_lossy(), NameProblem::NotUtf8).into()),
    }
}

/// What is to be saved. Its beginning is in memory, and all of it if it is small.
pub(crate) struct Input {
    name: String,
    head: Vec<u8>,
    /// What follows the head. A terminal that said once that this is the end is not asked again.
    rest: io::Take<File>,
}

impl Input {
    /// So much is read before anything is done.
    const HEAD: usize = 8 << 20;

    /// Opens a file, or standard input, and reads its beginning.
    pub(crate) fn open(file: Option<&Path>, context: &Context) -> Result<Self, CommandError> {
        let (name, file) = match file.filter(|file| file.as_os_str() != "-") {
            Some(path) => (path.display().to_string(), File::open(path)),
            None => ("standard input".to_owned(), standard_input(context)),
        };
        let mut head = Vec::with_capacity(Self::HEAD);
        let begin = |file: File| {
            (&file).take(Self::HEAD as u64).read_to_end(&mut head)?;
            Ok(file)
        };
        match file.and_then(begin) {
            Ok(file) => {
                let rest = if head.len() < Self::HEAD { 0 } else { u64::MAX };
                Ok(Self { name, head, rest: file.take(rest) })
            }
            Err(error) => Err(cannot_read(&name, error)),
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.head.is_empty()
    }

    /// Saves it.
    pub(crate) fn save(
        self,
        session: &Session,
        options: &SaveOptions,
        wait: &WaitArg,
        context: &Context,
    ) -> Result<CheckpointInfo, CommandError> {
        let saved = match self.rest.limit() {
            0 => wait.until_free(session, || session.save_with(&self.head, options)),
            _ => wait
                .until_free(session, || session.writer())
                .and_then(|mut it| it.save_from(Cursor::new(self.head).chain(self.rest), options)),
        };
        saved.map_err(|error| match error {
            Error::Input { source } => cannot_read(&self.name, source),
            error => hints::of_session(error, session, context),
        })
    }

    /// Makes a session of it.
    pub(crate) fn import(
        self,
        repository: &Repository,
        options: CopyOptions<'_>,
    ) -> Result<Copied, CommandError> {
        let source = Cursor::new(self.head).chain(self.rest);
        repository.import(source, options).map_err(|error| match error {
            Error::Input { source } => {
                CommandError::io(format!("cannot read {}", self.name), source)
            }
            error => error.into(),
        })
    }
}

fn cannot_read(name: &str, error: io::Error) -> CommandError {
    CommandError::io(format!("cannot read {name}"), error)
        .hint("nothing was saved; the checkpoint before is unchanged")
}

fn standard_input(context: &Context) -> io::Result<File> {
    let stdin = io::stdin();
    if stdin.is_terminal() {
        context.print_status("reading from the terminal: end with Ctrl-D at the start of a line");
    }
    let stdin = File::from(stdin.as_fd().try_clone_to_owned()?);
    // In place of a closed one, Rust's runtime opens the null device for reading and writing. It is
    // empty, and must not take the place of a good checkpoint.
    let is_null = stdin.metadata().is_ok_and(|it| is_null_device(&it));
    if is_null && fs::fcntl_getfl(&stdin)?.contains(OFlags::RDWR) {
        return Err(io::Error::other("it is closed (to save nothing, name /dev/null)"));
    }
    Ok(stdin)
}

/// Whether this is /dev/null, by whatever name.
fn is_null_device(it: &std::fs::Metadata) -> bool {
    use std::os::unix::fs::{FileTypeExt, MetadataExt};
    it.file_type().is_char_device()
        && std::fs::metadata("/dev/null").is_ok_and(|null| null.rdev() == it.rdev())
}
