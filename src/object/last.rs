//! The last session.

use serde::{Deserialize, Serialize};

use super::format::keys::LAST;
use super::format::nonce::Nonce;
use super::requests::cas::{CasOutcome, Expected};
use super::requests::client::{Object, Store};
use crate::error::{Damage, Error, Result};
use crate::id::SessionId;

#[derive(Serialize, Deserialize)]
struct Last {
    id: String,
    nonce: Nonce,
}

/// What was made the last session, whether or not it is still there.
pub(super) fn last(store: &Store) -> Result<Option<SessionId>> {
    let Some(object) = store.get(LAST)? else { return Ok(None) };
    let last: Option<Last> = serde_json::from_slice(&object.bytes).ok();
    let id = last.and_then(|last| SessionId::new(last.id).ok());
    id.map(Some).ok_or_else(|| Error::Corrupt {
        path: store.place(LAST),
        damage: Damage::ForeignName,
        newest_good: None,
    })
}

pub(super) fn set_last(store: &Store, id: &SessionId) -> Result<()> {
    let last = Last { id: id.to_string(), nonce: Nonce::fresh() };
    let bytes = serde_json::to_vec(&last).unwrap_or_default().into();
    let mut there = store.get(LAST)?;
    loop {
        let version = |object: &Object| Expected::Version(object.version.clone());
        let expected = there.as_ref().map_or(Expected::Nothing, version);
        match store.compare_and_put(LAST, &expected, &bytes, |_| false)? {
            CasOutcome::Applied(_) | CasOutcome::Superseded => return Ok(()),
            CasOutcome::Rejected(other) => there = other,
        }
    }
}
