use std::env;
use std::ffi::OsString;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use crate::backend::{
    Backend, Format, Maintenance, NewSession, Removal, Sweep, Trashed, maintenance,
};
use crate::directory::DirectoryBackend;
use crate::error::{Error, LocationProblem, Operation, Result};
use crate::id::SessionId;
use crate::session::Session;

/// A place that holds sessions.
#[derive(Clone)]
pub struct Repository {
    pub(crate) backend: Arc<dyn Backend>,
    pub(crate) format: Option<Format>,
}

impl Repository {
    /// The repository in this directory. It is made when the first session is. Or the one in an object
    /// store (feature `object-store`), where the location is a URL: `s3://bucket/prefix`, `gs://...`,
    /// `az://...`, or `memory://` for tests.
    ///
    /// # Errors
    /// [`Error::InvalidLocation`] if there is something else than a directory, or if it is another URL.
    pub fn open(location: impl AsRef<Path>) -> Result<Self> {
        match url(location.as_ref()) {
            Some(url) => Self::open_url(url),
            None => Ok(Self::with_backend(DirectoryBackend::open(location)?)),
        }
    }

    #[cfg(feature = "object-store")]
    fn open_url(url: &str) -> Result<Self> {
        Ok(Self::with_backend(crate::object::ObjectBackend::open(url)?))
    }

    #[cfg(not(feature = "object-store"))]
    fn open_url(_: &str) -> Result<Self> {
        // The URL is not repeated: somebody may have put a password into it.
        use crate::error::Subject;
        Err(Error::Unsupported { operation: Operation::Url, subject: Subject::Pitstop })
    }

    /// The repository in [`default_location`](Self::default_location).
    ///
    /// # Errors
    /// Those of [`open`](Self::open) and [`default_location`](Self::default_location).
    pub fn open_default() -> Result<Self> {
        Self::open(Self::default_location()?)
    }

    /// The repository that PlainBox uses, in [`plainbox_location`](Self::plainbox_location). New sessions
    /// are plain ones, which PlainBox can read.
    ///
    /// # Errors
    /// Those of [`open`](Self::open) and [`plainbox_location`](Self::plainbox_location).
    pub fn open_plainbox() -> Result<Self> {
        Ok(Self::open(Self::plainbox_location()?)?.with_format(Format::Plain))
    }

    /// Makes new sessions in this format, unless [`CreateOptions::format`] says otherwise. Those that are
    /// there stay as they are.
    pub fn with_format(self, format: Format) -> Self {
        Self { format: Some(format), ..self }
    }

    /// The repository that a backend makes.
    pub fn with_backend(backend: impl Backend + 'static) -> Self {
        Self::of(Arc::new(backend))
    }

    pub(crate) fn maintenance(&self, to: Operation) -> Result<&dyn Maintenance> {
        maintenance(&*self.backend, to)
    }

    pub(crate) fn of(backend: Arc<dyn Backend>) -> Self {
        Self { backend, format: None }
    }

    /// `$PITSTOP_REPOSITORY`, else `$XDG_STATE_HOME/pitstop/sessions`, else
    /// `~/.local/state/pitstop/sessions`. As the XDG specification says, a relative `$XDG_STATE_HOME` is
    /// ignored. The environment is read at each call.
    ///
    /// # Errors
    /// [`Error::InvalidLocation`] if there is no home directory.
    pub fn default_location() -> Result<PathBuf> {
        if let Some(location) = variable("PITSTOP_REPOSITORY") {
            return Ok(location.into());
        }
        let state = variable("XDG_STATE_HOME").map(PathBuf::from).filter(|path| path.is_absolute());
        let state = match state {
            Some(state) => state,
            None => home()?.join(".local/state"),
        };
        Ok(state.join("pitstop/sessions"))
    }

    /// `$XDG_CACHE_HOME/plainbox/sessions`, or `~/.cache/plainbox/sessions` if that is unset or empty.
    /// Like PlainBox, it takes a relative `$XDG_CACHE_HOME` as it is. The environment is read at each
    /// call.
    ///
    /// # Errors
    /// [`Error::InvalidLocation`] if there is no home directory.
    pub fn plainbox_location() -> Result<PathBuf> {
        let cache = match variable("XDG_CACHE_HOME") {
            Some(cache) => cache.into(),
            None => home()?.join(".cache"),
        };
        Ok(cache.join("plainbox/sessions"))
    }

    /// Where it is: an absolute path, or a URL.
    pub fn location(&self) -> &Path {
        self.backend.location()
    }

    /// Makes a new session, and the repository where there is none.
    ///
    /// # Durability
    /// `Ok` means: its directory and every one above it are on stable storage.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] if there is one of the [name](CreateOptions::id) asked for. After any
    /// error there is no new session.
    pub fn create(&self, options: &CreateOptions) -> Result<Session> {
        let replaces = if options.replace_last { self.backend.last()? } else { None };
        let new = NewSession { format: options.format.or(self.format), replaces };
        let id = match &options.id {
            Some(id) => {
                self.backend.create(id, &new)?;
                id.clone()
            }
            None => self.create_generated(&options.prefix, &new)?,
        };
        if options.replace_last && new.replaces.is_none() {
            self.backend.set_last(&id).inspect_err(|_| {
                // Nobody was told of this session.
                let _ = self.backend.remove(&id);
            })?;
        }
        Ok(Session::new(self.backend.clone(), id))
    }

    fn create_generated(&self, prefix: &str, new: &NewSession) -> Result<SessionId> {
        loop {
            let id = SessionId::generate(prefix, SystemTime::now());
            match self.backend.create(&id, new) {
                Err(Error::AlreadyExists { .. }) => continue,
                outcome => return outcome.map(|()| id),
            }
        }
    }

    /// The session of this name. It must exist.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it does not, [`Error::InvalidId`] if nothing can have that name.
    pub fn get(&self, id: impl AsRef<str>) -> Result<Session> {
        let id = SessionId::new(id.as_ref())?;
        match self.backend.status(&id) {
            Err(error @ Error::NotFound { .. }) => Err(error),
            // What is wrong with it is said when it is used.
            _ => Ok(Session::new(self.backend.clone(), id)),
        }
    }

    /// The session of this name, without a look whether it exists: its next call tells.
    pub fn session(&self, id: SessionId) -> Session {
        Session::new(self.backend.clone(), id)
    }

    /// The session of this name, made if there is none. Any number of processes may do this at once.
    ///
    /// # Errors
    /// Those of [`create`](Self::create), but for [`Error::AlreadyExists`].
    pub fn get_or_create(&self, id: impl AsRef<str>) -> Result<Session> {
        match self.get(&id) {
            Err(Error::NotFound { id, .. }) => match self.create(&CreateOptions::new().id(id)) {
                Err(Error::AlreadyExists { id, .. }) => Ok(Session::new(self.backend.clone(), id)),
                outcome => outcome,
            },
            outcome => outcome,
        }
    }

    /// The sessions in the trash, those that went there last first.
    ///
    /// # Errors
    /// If the repository cannot be read.
    pub fn trash(&self) -> Result<Vec<Trashed>> {
        let mut all = self.maintenance(Operation::Trash)?.trashed()?;
        all.sort_by(|a, b| b.removed.cmp(&a.removed).then_with(|| a.id.cmp(&b.id)));
        Ok(all)
    }

    /// Takes a session out of the trash, as it was, under the name that it had or under another.
    ///
    /// # Durability
    /// `Ok` means: it is back, durably. After a crash it is back, or still in the trash.
    ///
    /// # Errors
    /// [`Error::AlreadyExists`] if there is a session of that name, [`Error::NotFound`] if it is not in
    /// the trash any more. [`Error::Indeterminate`] if it may come to be back after a power cut; it is
    /// in the trash now.
    pub fn restore_from_trash(&self, trashed: &Trashed, id: &SessionId) -> Result<Session> {
        self.maintenance(Operation::Trash)?.restore_trashed(trashed, id)?;
        Ok(self.session(id.clone()))
    }

    /// Deletes a session that is in the trash. It is out of the trash, durably, before the first file
    /// goes; what cannot be deleted is in the result.
    ///
    /// # Errors
    /// [`Error::NotFound`] if it is not there any more. [`Error::Indeterminate`] if it may come to be
    /// gone after a power cut; it is in the trash now.
    pub fn delete_from_trash(&self, trashed: &Trashed) -> Result<Removal> {
        self.maintenance(Operation::Trash)?.delete_trashed(trashed)
    }

    /// Deletes what killed processes left behind: sessions that were being removed, or made, when their
    /// process ended. Nothing that a live process needs is touched, and no session, checkpoint or
    /// evidence ever is. With `dry_run`, only says what would go.
    ///
    /// # Errors
    /// If the repository cannot be read or flushed.
    pub fn sweep(&self, dry_run: bool) -> Result<Sweep> {
        self.maintenance(Operation::Sweep)?.sweep(dry_run)
    }

    /// The session that a program offers to resume: the last one that was
    /// [made so](Session::make_last), if it still exists.
    ///
    /// # Errors
    /// [`Error::Corrupt`] if what should name it is something else.
    pub fn last(&self) -> Result<Option<Session>> {
        let last = self.backend.last()?;
        Ok(last.map(|id| Session::new(self.backend.clone(), id)))
    }
}

impl fmt::Debug for Repository {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Repository({})", self.location().display())
    }
}

/// How a session is made.
#[derive(Clone, Debug, Default)]
pub struct CreateOptions {
    id: Option<SessionId>,
    prefix: String,
    replace_last: bool,
    format: Option<Format>,
}

impl CreateOptions {
    /// A session of a name that is made up.
    pub fn new() -> Self {
        Self::default()
    }

    /// This name and no other.
    pub fn id(mut self, id: SessionId) -> Self {
        self.id = Some(id);
        self
    }

    /// A name that is made up, beginning with this text made safe for a file name: a title, say.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How it keeps its checkpoints. On a local disk that is a journal unless this says otherwise.
    pub fn format(mut self, format: Format) -> Self {
        self.format = Some(format);
        self
    }

    /// For programs that keep one session: the new one becomes the last session with its first
    /// checkpoint, and only then the one before it is removed, unless it is in use. Until that moment
    /// the old checkpoint is the one to resume. If there was no last session, it becomes so at once.
    pub fn replace_last(mut self) -> Self {
        self.replace_last = true;
        self
    }
}

/// The location, if it is a URL: letters and `://`.
fn url(location: &Path) -> Option<&str> {
    let url = location.to_str()?;
    let (scheme, _) = url.split_once("://")?;
    let is_scheme = |c: char| c.is_ascii_alphanumeric() || "+-.".contains(c);
    (scheme.starts_with(|c: char| c.is_ascii_alphabetic()) && scheme.chars().all(is_scheme))
        .then_some(url)
}

fn variable(name: &str) -> Option<OsString> {
    env::var_os(name).filter(|value| !value.is_empty())
}

/// `$HOME`, else what the system's user database says. An empty one is the root directory, as for a shell.
fn home() -> Result<PathBuf> {
    match env::var_os("HOME") {
        Some(home) if home.is_empty() => return Ok(PathBuf::from("/")),
        Some(home) => return Ok(home.into()),
        None => (),
    }
    match env::home_dir() {
        Some(home) => Ok(home),
        None => Err(Error::InvalidLocation {
            location: PathBuf::from("~"),
            problem: LocationProblem::NoHome,
        }),
    }
}

impl Session {
    /// The repository that it is in.
    pub fn repository(&self) -> Repository {
        Repository::of(self.backend.clone())
    }
}
