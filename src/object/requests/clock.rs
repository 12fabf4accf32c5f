//! The time that a backend goes by, so that a test can bring its own.

#![allow(unreachable_pub)] // Public only with the feature `seam`.

use std::fmt::Debug;
use std::time::{Duration, Instant};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;

use super::interrupt;

/// Tells and passes time. Every wait of a backend goes through one.
pub trait Clock: Debug + Send + Sync {
    /// Returns the monotonic time since some fixed moment.
    fn now(&self) -> Duration;

    /// Blocks the calling thread for this long, or until its call is interrupted.
    fn sleep(&self, time: Duration);

    /// Waits this long in the background, on the thread of the requests.
    fn later(&self, time: Duration) -> BoxFuture<'static, ()>;

    /// Gives a random byte, which keeps rivals from coming back together.
    fn jitter(&self) -> u8;
}

/// The system's monotonic clock.
#[derive(Debug)]
pub(crate) struct SystemClock {
    start: Instant,
}

impl SystemClock {
    pub(crate) fn new() -> Self {
        Self { start: Instant::now() }
    }
}

impl Clock for SystemClock {
    fn now(&self) -> Duration {
        self.start.elapsed()
    }

    fn sleep(&self, time: Duration) {
        interrupt::sleep(time);
    }

    fn later(&self, time: Duration) -> BoxFuture<'static, ()> {
        // A timer can be made only where the runtime is.
        async move { tokio::time::sleep(time).await }.boxed()
    }

    fn jitter(&self) -> u8 {
        crate::random::bytes()[0]
    }
}
