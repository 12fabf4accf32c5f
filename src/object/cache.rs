//! What was seen in heads, kept in the user's cache directory, so that a listing in full asks only for those
//! that changed since.
//!
//! It is only a cache. An entry counts for the version of a head that it was made from, which the listing
//! names; and a file that is not whole counts for nothing. So it may go, or be spoilt, at any time. No checkpoint
//! is ever in it. Each repository has one of sixteen files, and the last that was listed keeps it.

use std::collections::HashMap;
use std::path::PathBuf;

use object_store::ObjectMeta;
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use super::cached_summary::CachedSummary;
use super::format::container;
use super::list::plain_tag;
use super::requests::client::Version;
use crate::id::SessionId;
use crate::sys::cache as files;

const KIND: &[u8; 8] = b"PITSEENS";

/// How many files there are at most.
const FILES: u64 = 16;

/// No file is longer.
const MOST: usize = 32 * 1024 * 1024;

/// The entries of one repository, while it is listed.
#[derive(Debug)]
pub(super) struct Cache {
    directory: PathBuf,
    location: String,
    /// As it was read.
    old: HashMap<String, CacheEntry>,
    /// What is to be kept, by the names of the sessions.
    now: Vec<(String, CacheEntry)>,
    has_news: bool,
}

#[derive(Debug, Serialize, Deserialize)]
struct CacheEntry {
    version: ListedVersion,
    seen: CachedSummary,
}

/// All that a listing says of the version of a head. The tag alone would do in a store that never gives it twice.
#[derive(Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ListedVersion {
    tag: String,
    len: u64,
    modified: i64,
}

/// What is in a file.
#[derive(Serialize, Deserialize)]
struct Contents<E> {
    location: String,
    entries: E,
}

impl Cache {
    pub(super) fn read(directory: PathBuf, location: &str) -> Self {
        let (name, location) = (name(location), location.to_owned());
        let old = match files::read(&directory, &name, MOST as u64) {
            Ok(bytes) => container::read::<Contents<HashMap<_, _>>>(KIND, &bytes.into())
                .ok()
                .filter(|(contents, _)| contents.location == location)
                .map(|(contents, _)| contents.entries)
                .unwrap_or_default(),
            Err(_) => HashMap::new(),
        };
        Self { directory, location, old, now: Vec::new(), has_news: false }
    }

    /// What was seen in this version of a head.
    pub(super) fn get(&mut self, id: &SessionId, listed: &ObjectMeta) -> Option<&CachedSummary> {
        let entry = self.old.remove(id.as_str())?;
        if Some(&entry.version) != ListedVersion::of(listed).as_ref() {
            return None;
        }
        self.now.push((id.to_string(), entry));
        self.now.last().map(|(_, entry)| &entry.seen)
    }

    /// Notes what was seen, if it is what was listed.
    pub(super) fn put(
        &mut self,
        id: &SessionId,
        listed: &ObjectMeta,
        read: &Version,
        seen: CachedSummary,
    ) {
        let Some(version) = ListedVersion::of(listed) else { return };
        if read.e_tag.as_deref().map(plain_tag).as_ref() == Some(&version.tag) {
            self.now.push((id.to_string(), CacheEntry { version, seen }));
            self.has_news = true;
        }
    }

    /// Keeps what is there now, and gives up what is not.
    pub(super) fn write(mut self) {
        if !self.has_news {
            return;
        }
        let name = name(&self.location);
        let bytes = loop {
            let entries: HashMap<_, _> = self.now.iter().map(|(id, entry)| (id, entry)).collect();
            let contents = Contents { location: self.location.clone(), entries };
            let bytes = container::write(KIND, &contents, [], |len| len);
            if bytes.len() <= MOST {
                break bytes;
            }
            // What fits, as far as they are of one length.
            let each = bytes.len().div_ceil(self.now.len().max(1));
            self.now.truncate(MOST / 16 * 15 / each);
        };
        if let Err(error) = files::write(&self.directory, &name, &bytes) {
            tracing::debug!(%error, "what was seen in a listing could not be kept");
        }
    }
}

fn name(location: &str) -> String {
    format!("heads-{:x}", XxHash3_64::oneshot(location.as_bytes()) % FILES)
}

impl ListedVersion {
    fn of(listed: &ObjectMeta) -> Option<Self> {
        let tag = plain_tag(listed.e_tag.as_deref()?);
        let modified = listed.last_modified.timestamp_nanos_opt()?;
        Some(Self { tag, len: listed.size, modified })
    }
}
