//! What a repository holds, all of it or by labels.

use crate::backend::Listing;
use crate::checkpoint::Labels;
use crate::error::Result;
use crate::repository::Repository;

/// What a listing is to tell, and of which sessions.
///
/// ```
/// # use pitstop::{ListOptions, MemoryBackend, Repository, SaveOptions};
/// # fn main() -> Result<(), pitstop::Error> {
/// # let repository = Repository::with_backend(MemoryBackend::new());
/// # for id in ["one", "two"] {
/// #     repository.get_or_create(id)?.save_with(b"", &SaveOptions::new().label("step", id))?;
/// # }
/// let found = repository.list_with(&ListOptions::new().label("step", Some("two".to_owned())))?;
/// assert_eq!(found.sessions[0].id.as_str(), "two");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct ListOptions {
    labels: Vec<(String, Option<String>)>,
    in_full: bool,
}

impl ListOptions {
    /// All sessions, and of each what costs nothing to know.
    pub fn new() -> Self {
        Self::default()
    }

    /// Only those whose newest checkpoint has this label, of this value if one is given. Then the listing is
    /// [in full](Self::in_full).
    pub fn label(mut self, name: impl Into<String>, value: Option<String>) -> Self {
        self.labels.push((name.into(), value));
        self
    }

    /// Size and labels of all. On a local disk a listing tells them in any case; in an object store they take
    /// a look into each session that changed since this user last looked.
    pub fn in_full(mut self) -> Self {
        self.in_full = true;
        self
    }

    pub(crate) fn has_labels(&self) -> bool {
        !self.labels.is_empty()
    }

    pub(crate) fn matches(&self, labels: Option<&Labels>) -> bool {
        self.labels.iter().all(|(name, wanted)| {
            let found = labels.and_then(|labels| labels.get(name));
            found.is_some_and(|found| wanted.as_ref().is_none_or(|wanted| wanted == found))
        })
    }
}

impl Repository {
    /// All sessions, those that changed last first, and what could not be read as one.
    /// A repository that does not exist yet holds none.
    ///
    /// # Errors
    /// Only if the repository itself cannot be read.
    pub fn list(&self) -> Result<Listing> {
        self.list_with(&ListOptions::new())
    }

    /// The sessions that are asked for, those that changed last first, and what could not be read as one,
    /// whatever it may be.
    ///
    /// # Errors
    /// Only if the repository itself cannot be read.
    pub fn list_with(&self, options: &ListOptions) -> Result<Listing> {
        let mut listing = match options.in_full || options.has_labels() {
            true => self.backend.list_in_full()?,
            false => self.backend.list()?,
        };
        listing.sessions.retain(|it| options.matches(it.labels.as_ref()));
        listing.sessions.sort_by(|a, b| b.changed.cmp(&a.changed).then_with(|| a.id.cmp(&b.id)));
        listing.problems.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listing)
    }
}
