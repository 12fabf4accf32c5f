use crate::checkpoint::SaveOptions;
use crate::error::Result;
use crate::repository::{CreateOptions, Repository};
use crate::revision::Revision;
use crate::session::Session;
use crate::stream::CheckpointReader;

impl Session {
    /// Makes a new session of a checkpoint of this one, in the same repository: of the newest, or of an
    /// older revision. It is revision 1 there, with its labels. The program's own files come with it, as
    /// they are now.
    ///
    /// # Durability
    /// That of [`Repository::create`] and of [`save`](Self::save).
    ///
    /// # Errors
    /// Those of [`load_revision`](Self::load_revision), of [`Repository::create`] and of
    /// [`save`](Self::save). After any there is no new session.
    pub fn fork(&self, revision: Option<Revision>, options: &CreateOptions) -> Result<Session> {
        let checkpoint = match revision {
            Some(revision) => self.open_revision(revision)?,
            None => self.open_checkpoint()?,
        };
        let format = self.status()?.summary.format;
        let repository = Repository { backend: self.backend.clone(), format: Some(format) };
        let fork = repository.create(options)?;
        let Err(error) = fill_fork(self, &fork, checkpoint) else { return Ok(fork) };
        // Nobody was told of it.
        let _ = fork.remove();
        Err(error)
    }
}

fn fill_fork(session: &Session, fork: &Session, checkpoint: CheckpointReader) -> Result<()> {
    let mut writer = fork.writer()?;
    if let Some(from) = session.backend.files(session.id())?
        && let Some(to) = fork.backend.files(fork.id())?
    {
        for it in from.copy_to(&to, &mut |_| ())?.1 {
            tracing::warn!(place = %it.place.display(), reason = it.reason, "a file was not copied");
        }
    }
    let options = SaveOptions::new().labels_of(checkpoint.info());
    writer.save_checkpoint(checkpoint, &options).map(drop)
}
