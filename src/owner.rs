use std::fmt;

use serde::{Deserialize, Serialize};

/// The record a writer leaves of itself. It tells people who it is; only the kernel's lock decides
/// whether it lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Owner {
    /// The name of its machine.
    pub host: String,
    /// The kernel's id of the boot it runs in, so that a record from before a reboot is told.
    pub boot_id: String,
    /// Its process id, as seen inside its own container.
    pub pid: u32,
    /// When its process started, in clock ticks since boot, so that a pid used again is told.
    pub start_time: u64,
    /// The name of its program.
    pub program: String,
    /// When it became the writer, in seconds since 1970.
    pub since: u64,
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (pid {} on {})", self.program, self.pid, self.host)
    }
}
