//! What stands under the name of a session that is gone.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::changes::{Changes, IN_TOMBSTONE};
use super::container::{self, Unreadable};
use super::head::Head;
use super::nonce::Nonce;
use super::time::Time;

const TOMBSTONE: &[u8; 8] = b"PITSTOMB";

/// What is left of a session that was removed, so that what comes late finds no free name. What it says has to
/// be done before something else takes its place.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Tombstone {
    pub(crate) nonce: Nonce,
    /// The life that was removed, and of which nothing is needed any more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) removed: Option<Nonce>,
    /// The last part of the key of the copy in the trash that counts by this. The whole may be too long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) trashed: Option<String>,
    #[serde(default)]
    pub(crate) changes: Changes,
}

impl Tombstone {
    /// Of a session that was removed, by the request of this nonce.
    pub(crate) fn of_removed(head: &Head, request: Nonce) -> Self {
        Self { removed: Some(head.incarnation), ..Self::after(head, request) }
    }

    /// Of a session that was put into the trash as the copy of this key.
    pub(crate) fn of_trashed(head: &Head, key: &str, request: Nonce) -> Self {
        let name = key.rsplit('/').next().map(str::to_owned);
        Self { trashed: name, ..Self::after(head, request) }
    }

    fn after(head: &Head, request: Nonce) -> Self {
        let changes = head.changes.with(request, IN_TOMBSTONE);
        Self { nonce: Nonce::fresh(), removed: None, trashed: None, changes }
    }

    /// Whether the copy of this key, of the same session, counts by it.
    pub(crate) fn names(&self, key: &str) -> bool {
        self.trashed.as_deref().is_some_and(|name| key.rsplit('/').next() == Some(name))
    }

    /// Where a head was moved aside that could not be read, and so its log of changes neither.
    pub(crate) fn of_damaged(now: Time) -> Self {
        Self { nonce: Nonce::fresh(), changes: Changes::lost(now), ..Self::default() }
    }

    /// The same, naming no copy in the trash.
    pub(crate) fn without_copy(&self) -> Self {
        Self { trashed: None, ..self.next() }
    }

    /// The same in another version.
    pub(crate) fn next(&self) -> Self {
        Self { nonce: Nonce::fresh(), ..self.clone() }
    }

    pub(crate) fn is_one(bytes: &[u8]) -> bool {
        bytes.starts_with(TOMBSTONE)
    }

    pub(crate) fn read(bytes: &Bytes) -> Result<Self, Unreadable> {
        Ok(container::read(TOMBSTONE, bytes)?.0)
    }

    pub(crate) fn to_bytes(&self) -> Bytes {
        container::write(TOMBSTONE, self, [], |len| len)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::backend::NewSession;
    use crate::object::format::head::HeadFlags;
    use crate::object::format::keys;

    /// A listing knows a tombstone by its length.
    #[test]
    fn a_tombstone_is_always_shorter_than_a_head() {
        let mut head = Head::new(&NewSession::default());
        let id = crate::id::SessionId::new("ü".repeat(100)).unwrap();
        for count in 0..10 {
            head.changes = Changes::lost(Time::from(std::time::SystemTime::now()));
            (0..count).for_each(|_| head.changes = head.changes.with(Nonce::fresh(), 64));
            let key = keys::trashed(&id, head.created, Nonce::fresh());
            let request = Nonce::fresh();
            for tombstone in
                [Tombstone::of_trashed(&head, &key, request), Tombstone::of_removed(&head, request)]
            {
                assert_eq!(HeadFlags::of(tombstone.to_bytes().len() as u64), None);
                assert!(HeadFlags::of(head.to_bytes().len() as u64).is_some());
            }
        }
    }
}
