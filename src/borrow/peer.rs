//! Who is at the other end of a shared writer's socket.
//!
//! The kernel tells the other end's user, and every user can bind the socket's name once its holder has ended. So
//! both ends look at the user, and then say what only the holder and the programs that it starts know.

use std::fmt;
use std::io;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use rustix::process::geteuid;

use crate::random;

/// How long the other end has to say who it is.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

/// Checks that who holds the writer may be trusted with a payload: this user or root. Root trusts the secret.
pub(crate) fn check_holder(stream: &UnixStream) -> io::Result<()> {
    let me = geteuid().as_raw();
    check(stream, |user| user == 0 || user == me || me == 0).map(drop)
}

/// Checks that a program may save through this writer: who may not read the session may not write it either. Gives
/// its process id.
pub(crate) fn check_program(stream: &UnixStream) -> io::Result<u32> {
    let me = geteuid().as_raw();
    check(stream, |user| user == 0 || user == me)
}

fn check(stream: &UnixStream, may: impl FnOnce(u32) -> bool) -> io::Result<u32> {
    let peer = getsockopt(stream, PeerCredentials)?;
    let nobody = unmapped_user();
    let problem = if peer.uid() == nobody || geteuid().as_raw() == nobody {
        "its user, or this one, is nobody: in another user namespace that can be anybody"
    } else if peer.pid() <= 0 {
        "its process is in another PID namespace"
    } else if !may(peer.uid()) {
        "another user is at the other end of the socket"
    } else {
        return Ok(peer.pid().unsigned_abs());
    };
    Err(refused(problem))
}

/// The user that the kernel names for those that a namespace does not have.
fn unmapped_user() -> u32 {
    let said = std::fs::read_to_string("/proc/sys/kernel/overflowuid");
    said.ok().and_then(|it| it.trim().parse().ok()).unwrap_or(65534)
}

/// Whoever is there, it is not the process that shared the writer.
pub(crate) fn refused(problem: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::ConnectionRefused, problem)
}

/// What only the holder and the programs that it starts know: the programs say one half, the holder the other.
#[derive(Clone)]
pub(crate) struct Secret {
    pub(crate) call: String,
    pub(crate) answer: String,
}

impl Secret {
    pub(crate) fn new() -> Self {
        Self { call: digits(), answer: digits() }
    }

    /// As it stands in the environment.
    pub(crate) fn to_text(&self) -> String {
        format!("{}{}", self.call, self.answer)
    }

    pub(crate) fn from_text(text: &str) -> Option<Self> {
        let is_secret = text.len() == 64 && text.bytes().all(|it| it.is_ascii_hexdigit());
        let (call, answer) = is_secret.then(|| text.split_at(32))?;
        Some(Self { call: call.to_owned(), answer: answer.to_owned() })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

/// Compares in a time that does not tell where they differ.
pub(crate) fn is_same(said: &str, known: &str) -> bool {
    let differ = |(a, b): (u8, u8)| a ^ b;
    said.len() == known.len()
        && said.bytes().zip(known.bytes()).map(differ).fold(0, |all, one| all | one) == 0
}

/// 32 random hexadecimal digits.
pub(crate) fn digits() -> String {
    let number = || u64::from_le_bytes(random::bytes());
    format!("{:016x}{:016x}", number(), number())
}
