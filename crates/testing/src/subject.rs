//! The formats that the suites are run on, and what each promises.
//!
//! A new version of a format is added here, and all suites that are about any journal take it from
//! here.

use pitstop::{CreateOptions, Error, Format, Repository, SessionId};

use super::disk::Tear;
use super::step::Id;

/// A format.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub name: &'static str,
    /// Makes an empty session.
    pub create: fn(&Repository, Id) -> Result<(), Error>,
    /// What writes may be torn into by a power cut.
    pub tears: &'static [Tear],
    /// Whether a number that somebody saw, be it in the kernel's memory alone, is never given to something else.
    pub seen_numbers_last: bool,
}

/// The versions of the journal.
pub(crate) const JOURNALS: [Subject; 1] = [Subject {
    name: "journal-1",
    create: |repository, id| {
        let options = CreateOptions::new().id(SessionId::new(id)?).format(Format::Journal);
        repository.create(&options).map(drop)
    },
    // docs/format.md asks for sectors that are written whole or not at all.
    tears: &[Tear::Sectors, Tear::Pages],
    // docs/format.md names the exception.
    seen_numbers_last: false,
}];
