//! The log of the changes of a session's name, by which a request is recognised whose response was lost.
//!
//! A session is made, saved, removed, put into the trash and restored by changes that take effect once. Each has a
//! number, one above that of the change before it, and a random nonce. The head or tombstone that a change puts lists it
//! first, and those that come after keep it for a while, whatever becomes of the revisions. Changes that may be
//! made twice, as of the lease, are not in it.

use serde::{Deserialize, Serialize};

use super::nonce::Nonce;
use super::time::Time;

/// How many changes a head lists. It has to be more than are made by others while one request is under way: one that was
/// overtaken more often cannot be told.
pub(crate) const IN_HEAD: usize = 256;

/// How many changes a tombstone lists: it has to stay shorter than a head.
pub(crate) const IN_TOMBSTONE: usize = 4;

/// The changes of a name, through all its incarnations.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Changes {
    /// The number of the newest.
    count: u64,
    /// The nonces of the newest, the newest first; as one text, since they are many.
    #[serde(with = "text")]
    recent: Vec<Nonce>,
}

/// One change of a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Change {
    number: u64,
    nonce: Nonce,
}

/// What a log says of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Trace {
    /// It was made.
    Made,
    /// It was not made.
    NotMade,
    /// The log does not reach back so far.
    TooOld,
}

impl Changes {
    /// The log with one change more, cut to the newest `keep`.
    pub(crate) fn with(&self, nonce: Nonce, keep: usize) -> Self {
        let older = self.recent.iter().copied();
        Self {
            count: self.count + 1,
            recent: [nonce].into_iter().chain(older).take(keep).collect(),
        }
    }

    /// A log that was lost to damage. Its number is above all that were before, so that none of these is taken for one
    /// that was not made.
    pub(crate) fn lost(now: Time) -> Self {
        Self { count: now.as_number(), recent: Vec::new() }
    }

    /// The newest change; `None` if there was none.
    pub(crate) fn newest(&self) -> Option<Change> {
        let nonce = *self.recent.first()?;
        Some(Change { number: self.count, nonce })
    }

    pub(crate) fn trace(&self, change: Change) -> Trace {
        let Some(after) = self.count.checked_sub(change.number) else { return Trace::NotMade };
        match usize::try_from(after).ok().and_then(|after| self.recent.get(after)) {
            Some(nonce) if *nonce == change.nonce => Trace::Made,
            Some(_) => Trace::NotMade,
            None => Trace::TooOld,
        }
    }

    /// Whether this log cannot have come after one whose newest change was `known`: the store lost it.
    pub(crate) fn lacks(&self, known: Option<Change>) -> bool {
        known.is_some_and(|known| self.trace(known) == Trace::NotMade)
    }
}

/// Nonces one after the other, 16 hexadecimal digits each.
mod text {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use super::Nonce;

    pub(super) fn serialize<S: Serializer>(nonces: &[Nonce], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&nonces.iter().map(Nonce::to_string).collect::<String>())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<Nonce>, D::Error> {
        let text = String::deserialize(from)?;
        let nonce = |digits: &[u8]| std::str::from_utf8(digits).ok()?.parse().ok();
        let nonces = text.as_bytes().chunks(16).map(nonce);
        nonces.collect::<Option<_>>().ok_or_else(|| D::Error::custom("not a list of nonces"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_recognised_as_long_as_it_is_listed_and_never_mistaken_after() {
        let mut log = Changes::default();
        let mut made = Vec::new();
        for _ in 0..IN_HEAD + 36 {
            let lost = Change { number: log.count + 1, nonce: Nonce::fresh() };
            assert_eq!(log.trace(lost), Trace::NotMade);
            log = log.with(Nonce::fresh(), IN_HEAD);
            assert_eq!(log.trace(lost), Trace::NotMade);
            made.push(log.newest().unwrap());
            assert!(!log.lacks(made.last().copied()) && log.lacks(Some(lost)));
        }
        for (n, change) in made.iter().rev().enumerate() {
            let expected = if n < IN_HEAD { Trace::Made } else { Trace::TooOld };
            assert_eq!(log.trace(*change), expected, "{n} changes before the newest");
        }
        let next = log.with(Nonce::fresh(), IN_TOMBSTONE);
        assert_eq!(
            (next.trace(made[IN_HEAD + 35]), next.trace(made[IN_HEAD + 32])),
            (Trace::Made, Trace::TooOld)
        );
        let read: Changes = serde_json::from_slice(&serde_json::to_vec(&log).unwrap()).unwrap();
        assert_eq!(read, log);
        assert!(serde_json::from_str::<Changes>(r#"{"count":1,"recent":"00x0"}"#).is_err());
        assert!(!Changes::default().lacks(None) && Changes::default().lacks(log.newest()));
    }
}
