//! Every backend keeps the one contract.

mod shelf;

use std::sync::Arc;

use pitstop::conformance::{Capabilities, check};
use pitstop::{DirectoryBackend, Format, MemoryBackend, Repository};

#[test]
fn memory() {
    let capabilities = Capabilities::new(Format::Memory);
    check(capabilities, || Repository::with_backend(MemoryBackend::new()));
}

/// A backend that was written outside of the library, with public names alone.
#[test]
fn outside() {
    let capabilities = Capabilities::new(Format::Other).without_history().without_maintenance();
    check(capabilities, || Repository::with_backend(Arc::new(shelf::Shelf::default())));
    check(capabilities, || Repository::with_backend(Box::new(shelf::Shelf::default())));
}

#[test]
fn directory_with_plain_sessions() {
    in_directories(Capabilities::new(Format::Plain).without_history());
}

#[test]
fn directory_with_journals() {
    in_directories(Capabilities::new(Format::Journal));
}

#[test]
fn directory_with_journals_of_version_2() {
    let scratch = tempfile::tempdir().unwrap();
    let made = std::cell::Cell::new(0);
    check(Capabilities::new(Format::Journal), || {
        made.set(made.get() + 1);
        let place = scratch.path().join(format!("{}/sessions", made.get()));
        let backend = DirectoryBackend::open(place).unwrap().with_journals_of_version_2();
        Repository::with_backend(backend).with_format(Format::Journal)
    });
}

#[test]
fn object_store_in_memory() {
    let made = std::cell::Cell::new(0);
    check(Capabilities::new(Format::Object), || {
        made.set(made.get() + 1);
        Repository::open(format!("memory://conformance-{}/sessions", made.get())).unwrap()
    });
}

fn in_directories(capabilities: Capabilities) {
    let scratch = tempfile::tempdir().unwrap();
    let made = std::cell::Cell::new(0);
    check(capabilities, || {
        made.set(made.get() + 1);
        Repository::open(scratch.path().join(format!("{}/sessions", made.get()))).unwrap()
    });
}
