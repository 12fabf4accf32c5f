//! Ends waits for a store on request.

use std::cell::Cell;
use std::thread;
use std::time::{Duration, Instant};

/// How often a wait asks whether to end.
pub(super) const LOOK: Duration = Duration::from_millis(50);

thread_local! {
    static IS_INTERRUPTED: Cell<Option<fn() -> bool>> = const { Cell::new(None) };
}

/// Runs `call`, and asks `is_interrupted` every 50 ms while it waits for an object store: for programs that
/// must handle signals then.
///
/// Once it has returned `true` it must do so until the call returns. The call then stops waiting and fails: a
/// request without a response counts as one whose outcome is unknown, and nothing is sent again.
pub fn interruptible<T>(is_interrupted: fn() -> bool, call: impl FnOnce() -> T) -> T {
    struct Restore(Option<fn() -> bool>);
    impl Drop for Restore {
        fn drop(&mut self) {
            IS_INTERRUPTED.set(self.0);
        }
    }
    let _restore = Restore(IS_INTERRUPTED.replace(Some(is_interrupted)));
    call()
}

/// Whether a call of this thread can be interrupted.
pub(super) fn is_possible() -> bool {
    IS_INTERRUPTED.get().is_some()
}

/// Whether this thread's call is to end.
pub(super) fn is_requested() -> bool {
    IS_INTERRUPTED.get().is_some_and(|is_interrupted| is_interrupted())
}

/// Sleeps, unless the call is to end.
pub(super) fn sleep(pause: Duration) {
    if !is_possible() {
        return thread::sleep(pause);
    }
    let end = Instant::now() + pause;
    while !is_requested() {
        match end.saturating_duration_since(Instant::now()) {
            Duration::ZERO => return,
            left => thread::sleep(left.min(LOOK)),
        }
    }
}
