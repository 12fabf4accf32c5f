//! Reads little-endian numbers and labels, for both versions of the format.

use crate::checkpoint::Labels;

/// Encodes labels: each name and value as its length in two bytes and its text.
pub(super) fn encode_labels(labels: &Labels) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(encoded_labels_len(labels));
    for text in labels.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend((text.len() as u16).to_le_bytes());
        bytes.extend(text.as_bytes());
    }
    bytes
}

pub(super) fn encoded_labels_len(labels: &Labels) -> usize {
    labels.iter().map(|(name, value)| 4 + name.len() + value.len()).sum()
}

pub(super) fn decode_labels(mut bytes: &[u8]) -> Option<Labels> {
    let mut labels = Labels::new();
    while !bytes.is_empty() {
        let name = take_text(&mut bytes)?;
        labels.insert(name, take_text(&mut bytes)?);
    }
    Some(labels)
}

fn take_text(bytes: &mut &[u8]) -> Option<String> {
    let (len, rest) = bytes.split_at_checked(2)?;
    let (text, rest) = rest.split_at_checked(usize::from(u16_at(len, 0)))?;
    *bytes = rest;
    String::from_utf8(text.to_vec()).ok()
}

pub(super) fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from(u16_at(bytes, at)) | u32::from(u16_at(bytes, at + 2)) << 16
}

pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from(u32_at(bytes, at)) | u64::from(u32_at(bytes, at + 4)) << 32
}

pub(super) fn u128_at(bytes: &[u8], at: usize) -> u128 {
    u128::from(u64_at(bytes, at)) | u128::from(u64_at(bytes, at + 8)) << 64
}
