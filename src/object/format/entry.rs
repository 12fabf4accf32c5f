//! A revision, as a head or a pack lists it.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use super::nonce::Nonce;
use super::time::Time;
use crate::checkpoint::{CheckpointInfo, Digest, Labels};
use crate::revision::Revision;

/// One revision.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RevisionEntry {
    pub(crate) revision: u64,
    /// By which a writer knows its own.
    pub(crate) nonce: Nonce,
    pub(crate) saved: Time,
    pub(crate) size: u64,
    digest: DigestText,
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub(crate) labels: Labels,
    /// The object that holds the payload; none if that is here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) record: Option<String>,
    /// The payload, if it is here and was read.
    #[serde(skip)]
    pub(crate) payload: Option<Bytes>,
}

impl RevisionEntry {
    pub(crate) fn new(info: &CheckpointInfo, nonce: Nonce) -> Self {
        Self {
            revision: info.revision.number().unwrap_or(0),
            nonce,
            saved: info.saved.into(),
            size: info.size,
            digest: DigestText(info.digest),
            labels: info.labels.clone(),
            record: None,
            payload: None,
        }
    }

    pub(crate) fn digest(&self) -> Digest {
        self.digest.0
    }

    pub(crate) fn info(&self) -> CheckpointInfo {
        CheckpointInfo {
            revision: Revision::from_number(self.revision),
            saved: self.saved.into(),
            size: self.size,
            digest: self.digest(),
            labels: self.labels.clone(),
        }
    }
}

/// 32 hexadecimal digits.
#[derive(Clone, Copy, Debug)]
struct DigestText(Digest);

impl Serialize for DigestText {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:032x}", self.0.as_u128()))
    }
}

impl<'de> Deserialize<'de> for DigestText {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let digest = u128::from_str_radix(&text, 16).map_err(serde::de::Error::custom)?;
        Ok(Self(Digest::from_u128(digest)))
    }
}
