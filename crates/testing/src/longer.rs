//! Longer runs of the suites that pick at random.

/// How many times as much is to be looked at: `PITSTOP_LONGER`, or 1.
pub(crate) fn times() -> usize {
    std::env::var("PITSTOP_LONGER").ok().and_then(|it| it.parse().ok()).unwrap_or(1)
}
