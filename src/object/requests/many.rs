//! Many requests side by side, of which those are made again that fail in a way that may pass.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::{Either, join_all, select};
use futures_util::{FutureExt, StreamExt};
use object_store::path::Path;
use object_store::{ObjectMeta, ObjectStore};

use super::client::{Object, Store, found, get, range};
use super::clock::Clock;
use super::failure::RequestError;
use crate::error::{Result, Step};

/// How many objects are asked for at once.
const GETS_AT_ONCE: usize = 32;

/// How long a listing may go on without a key.
const SILENCE: Duration = Duration::from_secs(120);

impl Store {
    /// Many objects or the beginnings of them, in their order; `None` for those that are not there.
    pub(crate) fn get_starts(
        &self,
        keys: &[String],
        len: Option<u64>,
    ) -> Result<Vec<Option<Object>>> {
        let mut got: Vec<Option<Option<Object>>> = keys.iter().map(|_| None).collect();
        let mut left = Vec::new();
        for (n, key) in keys.iter().enumerate() {
            left.push((n, self.path(key)?));
        }
        let round = |left: Vec<(usize, Path)>| {
            let outcomes = self.attempt(|store| get_once(store, left, len).map(Ok).boxed())?;
            let (mut left, mut failure) = (Vec::new(), None);
            for (n, path, outcome) in outcomes {
                match outcome.map(|outcome| outcome.map_err(|error| RequestError::of(&error))) {
                    Some(Ok(object)) => got[n] = Some(object),
                    Some(Err(error)) => {
                        failure = Some(error);
                        left.push((n, path));
                    }
                    None => left.push((n, path)),
                }
            }
            Ok((left, failure))
        };
        self.in_rounds(left, round).map_err(|it| it.at(Step::Read, self.location().to_owned()))?;
        Ok(got.into_iter().map(Option::flatten).collect())
    }

    /// All objects below these keys, listed side by side.
    pub(crate) fn list(&self, keys: impl IntoIterator<Item = String>) -> Result<Vec<ObjectMeta>> {
        let mut listings = Vec::new();
        for key in keys {
            listings.push(Listing { below: self.path(&key)?, ..Listing::default() });
        }
        let mut listed = Vec::new();
        let round = |left: Vec<Listing>| {
            let clock = self.clock.clone();
            let go_on = |store: Arc<dyn ObjectStore>| {
                join_all(left.into_iter().map(move |it| it.go_on(store.clone(), clock.clone())))
            };
            let (mut left, mut failure) = (Vec::new(), None);
            for (listing, error) in self.attempt(|store| go_on(store).map(Ok).boxed())? {
                match error {
                    None => listed.extend(listing.objects),
                    Some(error) => {
                        failure = Some(error);
                        left.push(listing);
                    }
                }
            }
            Ok((left, failure))
        };
        self.in_rounds(listings, round)
            .map_err(|it| it.at(Step::List, self.location().to_owned()))?;
        Ok(listed)
    }

    /// Does something with many, and again with those that are left, as long as the failures may pass. There are new
    /// attempts as long as it goes on.
    fn in_rounds<T: Progress>(
        &self,
        mut left: Vec<T>,
        mut round: impl FnMut(Vec<T>) -> Result<(Vec<T>, Option<RequestError>), RequestError>,
    ) -> Result<(), RequestError> {
        let mut backoff = self.backoff();
        loop {
            let before = T::done(&left);
            let failure;
            (left, failure) = round(left)?;
            let Some(failure) = failure else { return Ok(()) };
            if T::done(&left) != before {
                backoff = self.backoff();
            }
            if !failure.is_passing() || !backoff.wait(failure.class) {
                return Err(failure);
            }
        }
    }
}

/// Of what is left, something that changes when it goes on.
trait Progress: Sized {
    fn done(left: &[Self]) -> (usize, usize);
}

impl Progress for (usize, Path) {
    fn done(left: &[Self]) -> (usize, usize) {
        (left.len(), 0)
    }
}

impl Progress for Listing {
    fn done(left: &[Self]) -> (usize, usize) {
        (left.len(), left.iter().map(|it| it.objects.len()).sum())
    }
}

type Got = (usize, Path, Option<object_store::Result<Option<Object>>>);

/// Asks for each once, or for none any more when one failed.
async fn get_once(
    store: Arc<dyn ObjectStore>,
    left: Vec<(usize, Path)>,
    len: Option<u64>,
) -> Vec<Got> {
    let (failed, options) = (AtomicBool::new(false), range(len));
    let one = |(n, path): (usize, Path)| {
        let (store, options, failed) = (store.clone(), options.clone(), &failed);
        async move {
            if failed.load(Ordering::Relaxed) {
                return (n, path, None);
            }
            let outcome = found(get(store, path.clone(), options).await);
            failed.fetch_or(outcome.is_err(), Ordering::Relaxed);
            (n, path, Some(outcome))
        }
    };
    futures_util::stream::iter(left).map(one).buffer_unordered(GETS_AT_ONCE).collect().await
}

/// What is below a key, as far as it was listed.
#[derive(Default)]
struct Listing {
    below: Path,
    objects: Vec<ObjectMeta>,
    /// An object that was listed before, and how many are to be listed before this is another one.
    mark: Option<Path>,
    until: usize,
    /// The store lists in another order than that of the keys.
    is_unordered: bool,
}

impl Listing {
    /// Lists what comes next, up to the end or an error.
    async fn go_on(
        mut self,
        store: Arc<dyn ObjectStore>,
        clock: Arc<dyn Clock>,
    ) -> (Self, Option<RequestError>) {
        if self.is_unordered {
            self = Self { below: self.below, ..Self::default() };
        }
        let mut stream = match self.objects.last() {
            Some(last) => store.list_with_offset(Some(&self.below), &last.location),
            None => store.list(Some(&self.below)),
        };
        loop {
            match select(stream.next(), clock.later(SILENCE)).await {
                Either::Left((None, _)) => return (self, None),
                Either::Left((Some(Ok(object)), _)) if self.is_repeated(&object.location) => {
                    return (self, Some(RequestError::endless()));
                }
                Either::Left((Some(Ok(object)), _)) => self.objects.push(object),
                Either::Left((Some(Err(error)), _)) => {
                    return (self, Some(RequestError::of(&error)));
                }
                // Pages come, and nothing is in them.
                Either::Right(_) => return (self, Some(RequestError::endless())),
            }
        }
    }

    /// Whether this one was listed before: then the listing has no end. The mark moves on ever more seldom, so that a
    /// listing that goes round is noticed after one round more, however long that is.
    fn is_repeated(&mut self, key: &Path) -> bool {
        if self.mark.as_ref() == Some(key) {
            return true;
        }
        self.is_unordered |= self.objects.last().is_some_and(|last| last.location >= *key);
        if self.objects.len() >= self.until {
            (self.mark, self.until) = (Some(key.clone()), 2 * self.until + 1);
        }
        false
    }
}
