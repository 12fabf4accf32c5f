use std::fmt;

use serde::{Deserialize, Serialize};

use crate::printable::shown;

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
        let (program, host) = (one_name(&self.program), one_name(&self.host));
        write!(f, "{program} (pid {} on {host})", self.pid)
    }
}

/// Nobody checks what is in a record: it is shown as one short word or two.
fn one_name(text: &str) -> String {
    const LONGEST: usize = 80;
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => shown(&text[..end]) + "...",
        None => shown(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_that_somebody_forged_is_shown_in_one_short_line() {
        let owner = Owner {
            host: "host\u{202e}".to_owned(),
            boot_id: String::new(),
            pid: 7,
            start_time: 0,
            program: format!("\u{1b}]0;x\u{7}\nother: idle{}", "!".repeat(60_000)),
            since: 0,
        };
        let text = owner.to_string();
        assert!(text.len() < 300 && !text.contains(char::is_control), "{text}");
        assert!(text.starts_with(r"\u{1b}]0;x\u{7}\nother: idle!"), "{text}");
        assert!(text.ends_with(r"... (pid 7 on host\u{202e})"), "{text}");
    }
}
