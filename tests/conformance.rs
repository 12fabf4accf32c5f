//! Every backend keeps the one contract.

use pitstop::testing::conformance::{Capabilities, check};
use pitstop::{MemoryBackend, Repository};

#[test]
fn memory() {
    check(Capabilities { labels: true }, || Repository::with_backend(MemoryBackend::new()));
}

#[test]
fn directory_with_plain_sessions() {
    let scratch = tempfile::tempdir().unwrap();
    let mut made = 0;
    let places = std::iter::from_fn(|| {
        made += 1;
        Some(scratch.path().join(format!("{made}/sessions")))
    });
    let places = std::cell::RefCell::new(places);
    check(Capabilities { labels: false }, || {
        Repository::open(places.borrow_mut().next().unwrap()).unwrap()
    });
}
