//! The bytes of a head, a tombstone or a pack: what it says, as JSON with a checksum, and the payloads.
//!
//! | bytes | what |
//! | --- | --- |
//! | 8 | which of them it is |
//! | 4 | the version of the format, little-endian |
//! | 4 | the length of the JSON, with the spaces after it |
//! | 8 | XXH3 of the JSON, with the spaces after it |
//! | | the JSON; the payloads, one after the other |

use bytes::{BufMut, Bytes, BytesMut};
use serde::{Serialize, de::DeserializeOwned};
use twox_hash::XxHash3_64;

const VERSION: u32 = 1;
const PRELUDE: usize = 24;

/// `padded` says how long it is to be, at least as long as it has to be.
pub(crate) fn write<'a>(
    kind: &[u8; 8],
    what: &impl Serialize,
    payloads: impl IntoIterator<Item = &'a Bytes>,
    padded: impl FnOnce(usize) -> usize,
) -> Bytes {
    let payloads: Vec<&Bytes> = payloads.into_iter().collect();
    // Nothing in these structures can fail to be written.
    let mut json = serde_json::to_vec(what).unwrap_or_default();
    let others = PRELUDE + payloads.iter().map(|payload| payload.len()).sum::<usize>();
    json.resize(padded(others + json.len()) - others, b' ');
    let mut bytes = BytesMut::with_capacity(others + json.len());
    bytes.put_slice(kind);
    bytes.put_u32_le(VERSION);
    bytes.put_u32_le(json.len() as u32);
    bytes.put_u64_le(XxHash3_64::oneshot(&json));
    bytes.put_slice(&json);
    payloads.into_iter().for_each(|payload| bytes.put_slice(payload));
    bytes.freeze()
}

/// Why an object cannot be read.
#[derive(Debug)]
pub(crate) enum Unreadable {
    /// What is wrong with it.
    Damaged(String),
    /// A newer Pitstop wrote it.
    Newer(u32),
}

impl From<&str> for Unreadable {
    fn from(problem: &str) -> Self {
        Self::Damaged(problem.to_owned())
    }
}

/// What it says, and the payloads as far as they were read.
pub(crate) fn read<T: DeserializeOwned>(
    kind: &[u8; 8],
    bytes: &Bytes,
) -> Result<(T, Bytes), Unreadable> {
    let field = |start: usize, len: usize| bytes.get(start..start + len).ok_or("it is cut short");
    let number = |start| {
        let bytes: [u8; 4] = field(start, 4)?.try_into().map_err(|_| "it is cut short")?;
        Ok::<_, Unreadable>(u32::from_le_bytes(bytes))
    };
    if field(0, 8)? != kind {
        return Err("it is nothing that Pitstop wrote there".into());
    }
    match number(8)? {
        VERSION => (),
        0 => return Err("it has no version".into()),
        version => return Err(Unreadable::Newer(version)),
    }
    let end = PRELUDE + number(12)? as usize;
    let json = field(PRELUDE, end - PRELUDE)?;
    if field(16, 8)? != XxHash3_64::oneshot(json).to_le_bytes() {
        return Err("its checksum is wrong".into());
    }
    let what = serde_json::from_slice(json)
        .map_err(|error| Unreadable::Damaged(format!("it cannot be read: {error}")))?;
    Ok((what, bytes.slice(end..)))
}
