//! Removing what a rule picks: sessions of a repository, and older revisions of a session.

mod revisions;
mod sessions;

use std::time::{Duration, SystemTime};

use crate::listing::ListOptions;
pub use revisions::PrunedRevisions;
pub use sessions::{Gone, Pruned, Spared};

/// Which sessions go by [`Repository::prune`](crate::Repository::prune), and which revisions by
/// [`Session::prune`](crate::Session::prune): those that meet every criterion. With no criterion, none does.
///
/// ```
/// # use pitstop::{MemoryBackend, PruneOptions, Repository};
/// # fn main() -> Result<(), pitstop::Error> {
/// # let repository = Repository::with_backend(MemoryBackend::new());
/// # for id in ["one", "two", "three"] { repository.get_or_create(id)?.save(b"")?; }
/// let pruned = repository.prune(&PruneOptions::new().keep(2))?;
/// assert_eq!((pruned.gone.len(), repository.list()?.sessions.len()), (1, 2));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct PruneOptions {
    keep: Option<usize>,
    older_than: Option<Duration>,
    larger_than: Option<u64>,
    total: Option<u64>,
    listing: ListOptions,
    permanently: bool,
    dry_run: bool,
}

impl PruneOptions {
    /// No criterion: nothing goes.
    pub fn new() -> Self {
        Self::default()
    }

    /// All but the newest so many, of those with the [labels](Self::label) asked for.
    pub fn keep(mut self, count: usize) -> Self {
        self.keep = Some(count);
        self
    }

    /// Those that did not change for so long: were not saved, or else made.
    pub fn older_than(mut self, age: Duration) -> Self {
        self.older_than = Some(age);
        self
    }

    /// Those that take more than so many bytes: sessions with all their files, revisions by themselves.
    pub fn larger_than(mut self, bytes: u64) -> Self {
        self.larger_than = Some(bytes);
        self
    }

    /// The oldest, until those with the [labels](Self::label) asked for take no more than so many bytes.
    pub fn total(mut self, bytes: u64) -> Self {
        self.total = Some(bytes);
        self
    }

    /// Those with this label, of this value if one is given. The labels of a session are those of its
    /// newest checkpoint.
    pub fn label(mut self, name: impl Into<String>, value: Option<String>) -> Self {
        self.listing = self.listing.label(name, value);
        self
    }

    /// Delete sessions at once instead of putting them into the trash: nothing brings them back. Revisions
    /// are always deleted at once.
    pub fn permanently(mut self) -> Self {
        self.permanently = true;
        self
    }

    /// Only say what would go.
    pub fn dry_run(mut self) -> Self {
        self.dry_run = true;
        self
    }

    /// Whether there is a criterion.
    pub fn has_criterion(&self) -> bool {
        let Self { keep, older_than, larger_than, total, listing, .. } = self;
        keep.is_some()
            || older_than.is_some()
            || larger_than.is_some()
            || total.is_some()
            || listing.has_labels()
    }
}

/// Goes through what has the labels asked for, the newest first, and says what meets the other criteria.
struct Criteria<'a> {
    options: &'a PruneOptions,
    now: SystemTime,
    count: usize,
    bytes: u64,
}

impl<'a> Criteria<'a> {
    fn new(options: &'a PruneOptions) -> Self {
        Self { options, now: SystemTime::now(), count: 0, bytes: 0 }
    }

    /// Whether the next one goes.
    fn pick(&mut self, changed: SystemTime, takes: u64) -> bool {
        self.count += 1;
        self.bytes += takes;
        let age = self.now.duration_since(changed).unwrap_or_default();
        let PruneOptions { keep, older_than, larger_than, total, .. } = self.options;
        keep.is_none_or(|keep| self.count > keep)
            && older_than.is_none_or(|least| age >= least)
            && larger_than.is_none_or(|most| takes > most)
            && total.is_none_or(|most| self.bytes > most)
    }
}
