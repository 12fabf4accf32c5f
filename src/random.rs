//! Numbers for names and salts.

use std::time::SystemTime;

/// Eight bytes that nobody can guess.
pub(crate) fn bytes() -> [u8; 8] {
    let mut bytes = [0; 8];
    let filled = rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty());
    if filled != Ok(bytes.len()) {
        // Without a source of randomness, the time and this process make a name unlikely enough.
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        let mix = now.as_nanos() as u64 ^ (u64::from(std::process::id()) << 32);
        bytes = mix.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes();
    }
    bytes
}
