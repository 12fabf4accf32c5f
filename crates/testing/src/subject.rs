//! The formats that the suites are run on, and what each promises.
//!
//! A new version of a format is added here, and all suites that are about any journal take it from
//! here.

use std::path::Path;
use std::sync::Arc;

use pitstop::seam::{Disk, open_on};
use pitstop::{CreateOptions, Error, Format, Repository, SessionId};

use super::disk::Tear;
use super::step::Id;

/// A format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub name: &'static str,
    /// Whether the journals that it makes are of version 2.
    pub is_version_2: bool,
    /// What writes may be torn into by a power cut.
    pub tears: &'static [Tear],
    /// Whether a number that somebody saw, be it in the kernel's memory alone, is never given to something else.
    pub seen_numbers_last: bool,
}

/// The versions of the journal.
pub(crate) const JOURNALS: [Subject; 2] = [
    Subject {
        name: "journal-1",
        is_version_2: false,
        // docs/format.md asks for sectors that are written whole or not at all.
        tears: &[Tear::Sectors, Tear::Pages],
        // docs/format.md names the exception.
        seen_numbers_last: false,
    },
    Subject {
        name: "journal-2",
        is_version_2: true,
        tears: &[Tear::Sectors, Tear::Pages, Tear::Garbage],
        seen_numbers_last: true,
    },
];

impl Subject {
    /// A repository whose file calls all go to `disk`.
    pub(crate) fn open(&self, disk: Arc<dyn Disk>, location: &Path) -> Result<Repository, Error> {
        let mut backend = open_on(disk, location)?;
        if self.is_version_2 {
            backend = backend.with_journals_of_version_2();
        }
        Ok(Repository::with_backend(backend))
    }
}

/// Makes an empty session that keeps a journal.
pub(crate) fn create(repository: &Repository, id: Id) -> Result<(), Error> {
    let options = CreateOptions::new().id(SessionId::new(id)?).format(Format::Journal);
    repository.create(&options).map(drop)
}
