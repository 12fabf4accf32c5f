//! Keeps clean-up tools that go by age from taking the files of a session that is written: some of them, like the
//! marker of a journal, no save ever changes.

use std::time::{Duration, SystemTime};

use super::names;
use crate::sys::{Access, Directory, Disk, Kind, Outcome, found};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// When the files of a session were touched last.
#[derive(Debug)]
pub(super) struct Touched(SystemTime);

impl Touched {
    /// Touches them if the file that was changed at this time says that nobody did for a day.
    pub(super) fn since(session: &Directory, disk: &dyn Disk, oldest: Option<SystemTime>) -> Self {
        let mut touched = Self(oldest.unwrap_or_else(|| disk.now()));
        touched.once_a_day(session, disk);
        touched
    }

    /// Nobody misses what may go wrong here.
    pub(super) fn once_a_day(&mut self, session: &Directory, disk: &dyn Disk) {
        let now = disk.now();
        if now.duration_since(self.0).is_ok_and(|age| age < DAY) {
            return;
        }
        self.0 = now;
        if let Err(failure) = touch(session, now) {
            tracing::debug!(error = %failure.source, "the files of a session were not touched");
        }
    }
}

/// Of a plain checkpoint the time is when it was saved: that stays.
fn touch(session: &Directory, now: SystemTime) -> Outcome<()> {
    for (name, kind) in session.entries()? {
        let is_ours = name.as_encoded_bytes().starts_with(names::CHECKPOINT.as_bytes());
        if !is_ours || kind != Kind::File || name == names::PLAINBOX_LOCK {
            continue;
        }
        let Some(file) = found(session.open_file(&name, Access::Write))? else { continue };
        let modified = if name == names::CHECKPOINT { file.dated()?.modified } else { now };
        file.set_modified(modified)?;
    }
    Ok(())
}
