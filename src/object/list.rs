//! All sessions, by listing alone. What a listing says of an object is its key, its length and when it was
//! changed by the store's clock; the length of a head is made to tell more. See [`Glimpse`].

use std::time::SystemTime;

use object_store::ObjectMeta;

use super::head::Glimpse;
use super::names;
use super::store::Store;
use crate::backend::{Format, Listing, Problem, Summary};
use crate::checkpoint::Labels;
use crate::error::{Error, Result};

pub(super) fn list(store: &Store) -> Result<Listing> {
    let mut listing = Listing::default();
    for object in store.list((0..names::SHARDS).map(names::heads))? {
        match summarize(&object) {
            Ok(summary) => listing.sessions.extend(summary),
            Err(name) => listing.problems.push(Problem {
                id: None,
                error: Error::Corrupt {
                    place: store.location().join(object.location.as_ref()),
                    problem: "its name is none that a session has".to_owned(),
                    newest_good: None,
                },
                name,
            }),
        }
    }
    Ok(listing)
}

/// An ETag as a listing and an answer both have it: Azure's listing leaves its quotation marks away.
pub(super) fn plain_tag(tag: &str) -> String {
    tag.trim_matches('"').to_owned()
}

/// `None` for a session that was removed; the name, if that is none.
fn summarize(object: &ObjectMeta) -> Result<Option<Summary>, String> {
    let Some(glimpse) = Glimpse::of(object.size) else { return Ok(None) };
    let name = object.location.filename().unwrap_or_default();
    let id = names::id(name).ok_or_else(|| name.to_owned())?;
    let changed = SystemTime::from(object.last_modified);
    Ok(Some(Summary {
        id,
        saved: glimpse.saved.then_some(changed),
        size: None,
        labels: Labels::new(),
        changed,
        format: Format::Object,
        live: glimpse.live,
        version: object.e_tag.as_deref().map(plain_tag),
    }))
}
