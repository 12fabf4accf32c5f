//! Every key in a repository. docs/object-store.md has the layout.

use twox_hash::XxHash3_64;

use super::head::Time;
use super::nonce::Nonce;
use crate::id::SessionId;

/// The name of the last session.
pub(crate) const LAST: &str = "last";

/// What the probe writes. It says, too, that this is a repository.
pub(crate) const MARKER: &str = "pitstop";

/// Heads are spread over so many prefixes, so that they can be listed side by side.
pub(crate) const SHARDS: u64 = 16;

/// All heads of a shard.
pub(crate) fn heads(shard: u64) -> String {
    format!("h/{shard:x}")
}

/// A session's head.
pub(crate) fn head(id: &SessionId) -> String {
    format!("{}/{}", heads(shard(id)), encoded(id))
}

/// The signs of life in a shard.
pub(crate) fn beats(shard: u64) -> String {
    format!("w/{shard:x}")
}

/// What a session's writer changes from time to time, to show that it lives.
pub(crate) fn beat(id: &SessionId) -> String {
    format!("{}/{}", beats(shard(id)), encoded(id))
}

/// The records and packs of all sessions.
pub(crate) const RECORDS: &str = "c";

/// All records and packs of one life of a session. They stay where they are if it gets another name.
pub(crate) fn records(incarnation: Nonce) -> String {
    format!("{RECORDS}/{incarnation}")
}

/// All sessions in the trash.
pub(crate) const TRASH: &str = "t";

/// All in the trash that had this name.
pub(crate) fn trash_of(id: &SessionId) -> String {
    format!("{TRASH}/{}", encoded(id))
}

/// A session in the trash: when it went there, and a number of its own.
pub(crate) fn trashed(id: &SessionId, removed: Time, nonce: Nonce) -> String {
    format!("{}{nonce}", trashed_start(id, removed))
}

/// How the key of that begins.
pub(crate) fn trashed_start(id: &SessionId, removed: Time) -> String {
    format!("{}/{removed}-", trash_of(id))
}

/// What a record or a pack is called: the revision that it came with, and a number of its own.
pub(crate) fn record(revision: u64, nonce: Nonce) -> String {
    format!("{revision:020}-{nonce}")
}

/// The revision that a record or a pack came with.
pub(crate) fn record_revision(name: &str) -> Option<u64> {
    name.get(..20)?.parse().ok()
}

/// The session whose head this is, by the last part of its key.
pub(crate) fn id(encoded: &str) -> Option<SessionId> {
    let mut bytes = Vec::with_capacity(encoded.len());
    let mut rest = encoded.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'!' => {
                let hex = std::str::from_utf8(rest.get(..2)?).ok()?;
                bytes.push(u8::from_str_radix(hex, 16).ok()?);
                rest = &rest[2..];
            }
            plain => bytes.push(*plain),
        }
    }
    SessionId::new(String::from_utf8(bytes).ok()?).ok()
}

/// A name in the characters that every store takes as they are.
fn encoded(id: &SessionId) -> String {
    let mut key = String::with_capacity(id.as_str().len());
    for byte in id.as_str().bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => key.push(byte.into()),
            _ => key.push_str(&format!("!{byte:02x}")),
        }
    }
    key
}

fn shard(id: &SessionId) -> u64 {
    XxHash3_64::oneshot(id.as_str().as_bytes()) % SHARDS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_has_a_key_of_its_own_that_reads_back() {
        for name in ["a", "my job (größer)", "a!20", "50%", "a..b", "~", &"ü".repeat(100)] {
            let session = SessionId::new(name).unwrap();
            let key = head(&session);
            assert!(key.len() < 800 && key.bytes().all(|it| it.is_ascii_graphic()), "{key}");
            assert_eq!(id(key.rsplit_once('/').unwrap().1).unwrap(), session);
        }
        assert!(id("a!2").is_none() && id("!2f").is_none() && id("!zz").is_none());
        assert_eq!(record_revision(&record(7, Nonce::fresh())), Some(7));
    }
}
