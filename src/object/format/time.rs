//! Times as objects have them.

use std::fmt;
use std::time::{Duration, SystemTime};

use serde::{Deserialize, Serialize};

/// A time, in nanoseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Time(i64);

impl Time {
    pub(crate) fn as_number(self) -> u64 {
        self.0.unsigned_abs()
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:020}", self.0)
    }
}

impl From<SystemTime> for Time {
    fn from(time: SystemTime) -> Self {
        let nanoseconds = |it: Duration| i64::try_from(it.as_nanos()).unwrap_or(i64::MAX);
        Self(match time.duration_since(SystemTime::UNIX_EPOCH) {
            Ok(since) => nanoseconds(since),
            Err(before) => -nanoseconds(before.duration()),
        })
    }
}

impl From<Time> for SystemTime {
    fn from(time: Time) -> Self {
        let distance = Duration::from_nanos(time.0.unsigned_abs());
        match time.0 {
            0.. => Self::UNIX_EPOCH + distance,
            _ => Self::UNIX_EPOCH - distance,
        }
    }
}
