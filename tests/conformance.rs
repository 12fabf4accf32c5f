//! Every backend keeps the one contract.

use pitstop::conformance::{Capabilities, check};
use pitstop::{Format, MemoryBackend, Repository};

#[test]
fn memory() {
    let capabilities = Capabilities { format: Format::Memory, history: true };
    check(capabilities, || Repository::with_backend(MemoryBackend::new()));
}

#[test]
fn directory_with_plain_sessions() {
    in_directories(Capabilities { format: Format::Plain, history: false });
}

#[test]
fn directory_with_journals() {
    in_directories(Capabilities { format: Format::Journal, history: true });
}

#[test]
fn object_store_in_memory() {
    let made = std::cell::Cell::new(0);
    check(Capabilities { format: Format::Object, history: true }, || {
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
