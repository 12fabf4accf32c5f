//! Every key in a repository. docs/object-store.md has the layout.

use twox_hash::XxHash3_64;

use super::nonce::Nonce;
use super::time::Time;
use crate::id::SessionId;

/// The name of the last session.
pub(crate) const LAST: &str = "last";

/// What the probe writes. It says, too, that this is a repository.
pub(crate) const MARKER: &str = "pitstop";

/// That a store honours conditions, as was found on this way to it.
pub(crate) fn probed(way: u64) -> String {
    format!("p/{way:016x}")
}

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

/// All heartbeats in a shard.
pub(crate) fn heartbeats(shard: u64) -> String {
    format!("w/{shard:x}")
}

/// What the holder of a lease changes from time to time, to show that it lives. The key is that of this lease alone:
/// whoever held one before, and wakes up, is not taken for this holder.
pub(crate) fn heartbeat(id: &SessionId, token: Nonce) -> String {
    format!("{}/{}/{token}", heartbeats(shard(id)), encoded(id))
}

/// The session whose heartbeat has this key.
pub(crate) fn heartbeat_id(key: &str) -> Option<SessionId> {
    match key.split('/').collect::<Vec<_>>()[..] {
        ["w", _, encoded, _] => id(encoded),
        _ => None,
    }
}

/// All damaged objects that were moved aside.
pub(crate) const ASIDE: &str = "a";

/// All of a session that was moved aside.
pub(crate) fn aside_of(id: &SessionId) -> String {
    format!("{ASIDE}/{}", encoded(id))
}

/// A head that was moved aside, when, and a number of its own.
pub(crate) fn aside(id: &SessionId, moved: Time, nonce: Nonce) -> String {
    format!("{}/{moved}-{nonce}", aside_of(id))
}

/// The records and packs of all sessions.
pub(crate) const RECORDS: &str = "c";

/// All records and packs of one life of a session. They stay where they are if it gets another name.
pub(crate) fn records(incarnation: Nonce) -> String {
    format!("{RECORDS}/{incarnation}")
}

/// What named the last session and was moved aside. No session is called so.
pub(crate) fn last_aside(moved: Time, nonce: Nonce) -> String {
    format!("{ASIDE}/!last/{moved}-{nonce}")
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

/// The session whose copy in the trash has this key.
pub(crate) fn trashed_id(key: &str) -> Option<SessionId> {
    let (encoded, _) = key.strip_prefix(TRASH)?.strip_prefix('/')?.split_once('/')?;
    id(encoded)
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
        let session = SessionId::new("my job").unwrap();
        let key = trashed(&session, std::time::SystemTime::now().into(), Nonce::fresh());
        assert_eq!(trashed_id(&key), Some(session));
        assert!(trashed_id("t/a").is_none() && trashed_id("h/a/b").is_none());
        assert!(
            id("!last").is_none()
                && id("a!2").is_none()
                && id("!2f").is_none()
                && id("!zz").is_none()
        );
        assert_eq!(record_revision(&record(7, Nonce::fresh())), Some(7));
    }
}
