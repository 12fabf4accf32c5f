//! Which line of the library makes a file call, for disks that fail there on purpose.

#![allow(unreachable_pub)] // Public only with the feature `seam`.

use std::cell::Cell;
use std::panic::Location;

thread_local! {
    static SITE: Cell<Option<&'static Location<'static>>> = const { Cell::new(None) };
}

/// Makes a file call on behalf of the caller.
#[track_caller]
pub(super) fn on_behalf<T>(call: impl FnOnce() -> T) -> T {
    let before = SITE.replace(Some(Location::caller()));
    let result = call();
    SITE.set(before);
    result
}

/// The line that the call under way is made for.
pub fn current() -> Option<&'static Location<'static>> {
    SITE.get()
}
