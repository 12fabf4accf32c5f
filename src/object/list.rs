//! All sessions, by listing alone. What a listing says of an object is its key, its length and when it was
//! changed by the store's clock; the length of a head is made to tell more. See [`HeadFlags`]. A listing in full
//! reads the beginnings of heads as well, of those that are not in the [cache](super::cache).

use std::time::SystemTime;

use object_store::ObjectMeta;

use super::Inner;
use super::cache::Cache;
use super::cached_summary::CachedSummary;
use super::format::head::HeadFlags;
use super::format::keys;
use super::requests::client::Store;
use super::requests::probe;
use crate::backend::{Format, Listing, Problem, Summary};
use crate::checkpoint::Labels;
use crate::error::{Damage, Error, Result};
use crate::id::SessionId;

/// How much of a head a listing in full reads: all but the payloads, unless labels are many and long.
pub(super) const BEGINNING: u64 = 16 * 1024;

/// So many are read before the next ones are asked for; a store that is overloaded is asked for these again.
pub(super) const READ_AT_ONCE: usize = 256;

pub(super) fn list(store: &Store) -> Result<Listing> {
    let (heads, problems) = heads(store)?;
    let sessions = heads.into_iter().map(|Listed { id, flags, object }| {
        let changed = SystemTime::from(object.last_modified);
        Summary {
            id,
            saved: flags.saved.then_some(changed),
            size: None,
            labels: (!flags.saved).then(Labels::new),
            changed,
            format: Format::Object,
            live: flags.live,
            state: None,
            version: object.e_tag.as_deref().map(plain_tag),
        }
    });
    Ok(Listing { sessions: sessions.collect(), problems })
}

pub(super) fn list_in_full(inner: &Inner) -> Result<Listing> {
    let (heads, problems) = heads(&inner.store)?;
    let mut listing = Listing { sessions: Vec::with_capacity(heads.len()), problems };
    let location = inner.store.location().to_string_lossy();
    let mut cache = inner.cache.clone().map(|directory| Cache::read(directory, &location));
    let summary = |id: &SessionId, seen: &CachedSummary, tag: Option<&str>| Summary {
        version: tag.map(plain_tag),
        ..seen.summary(id, seen.writer_state(&inner.machine).program())
    };
    let mut unknown = Vec::new();
    for Listed { id, object, .. } in heads {
        match cache.as_mut().and_then(|cache| cache.get(&id, &object)) {
            Some(seen) => listing.sessions.push(summary(&id, seen, object.e_tag.as_deref())),
            None => unknown.push((id, object)),
        }
    }
    for some in unknown.chunks(READ_AT_ONCE) {
        let keys: Vec<_> = some.iter().map(|(id, _)| keys::head(id)).collect();
        let read = inner.store.get_starts(&keys, BEGINNING)?;
        for ((id, object), read) in some.iter().zip(read) {
            match inner.beginning_of_head(id, read) {
                Ok((head, version)) => {
                    let seen = CachedSummary::of(&head);
                    listing.sessions.push(summary(id, &seen, version.e_tag.as_deref()));
                    if let Some(cache) = &mut cache {
                        cache.put(id, object, &version, seen);
                    }
                }
                // It was removed meanwhile.
                Err(Error::NotFound { .. }) => (),
                Err(error @ (Error::Corrupt { .. } | Error::NewerFormat { .. })) => {
                    let (name, id) = (id.to_string(), Some(id.clone()));
                    listing.problems.push(Problem { name, id, error });
                }
                Err(error) => return Err(error),
            }
        }
    }
    if let Some(cache) = cache {
        cache.write();
    }
    Ok(listing)
}

/// A head, as it is listed.
struct Listed {
    id: SessionId,
    flags: HeadFlags,
    object: ObjectMeta,
}

/// The heads there are, and what lies among them.
fn heads(store: &Store) -> Result<(Vec<Listed>, Vec<Problem>)> {
    let (mut heads, mut problems) = (Vec::new(), Vec::new());
    let listed = store.list((0..keys::SHARDS).map(keys::heads))?;
    if listed.is_empty() {
        probe::is_a_store(store)?;
    }
    for object in listed {
        let Some(flags) = HeadFlags::of(object.size) else { continue };
        let name = object.location.filename().unwrap_or_default();
        match keys::id(name) {
            Some(id) => heads.push(Listed { id, flags, object }),
            None => problems.push(Problem {
                name: name.to_owned(),
                id: None,
                error: Error::Corrupt {
                    path: store.location().join(object.location.as_ref()),
                    damage: Damage::ForeignName,
                    newest_good: None,
                },
            }),
        }
    }
    Ok((heads, problems))
}

/// An ETag as a listing and an answer both have it: Azure's listing leaves its quotation marks away.
pub(super) fn plain_tag(tag: &str) -> String {
    tag.trim_matches('"').to_owned()
}
