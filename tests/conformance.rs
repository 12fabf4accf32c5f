//! Every backend keeps the one contract, and gets along with damage.

mod shelf;

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::{FutureExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use pitstop::conformance::{Capabilities, Damageable, NEWEST, Part, check, check_damage};
use pitstop::{DirectoryBackend, Format, MemoryBackend, ObjectBackend, Repository, SessionId};

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

#[test]
fn damage_to_plain_sessions() {
    damage_in_directories(Capabilities::new(Format::Plain).without_history());
}

#[test]
fn damage_to_journals() {
    damage_in_directories(Capabilities::new(Format::Journal));
}

#[test]
fn damage_in_an_object_store() {
    let capabilities = Capabilities::new(Format::Object);
    check_damage(capabilities, || Objects(Arc::default()));
}

fn damage_in_directories(capabilities: Capabilities) {
    check_damage(capabilities, || Files {
        scratch: tempfile::tempdir().unwrap(),
        format: capabilities.format,
    });
}

struct Files {
    scratch: tempfile::TempDir,
    format: Format,
}

impl Files {
    fn location(&self) -> PathBuf {
        self.scratch.path().join("sessions")
    }
}

impl Damageable for Files {
    fn repository(&self) -> Repository {
        Repository::open(self.location()).unwrap().with_format(self.format)
    }

    fn damage(&self, part: Part, id: &SessionId) -> bool {
        let session = self.repository().session(id.clone()).location().unwrap();
        match (part, self.format) {
            // Nothing tells a plain checkpoint from another.
            (Part::Newest, Format::Plain) => false,
            (Part::Newest, _) => {
                let files = fs::read_dir(session).unwrap().map(|it| it.unwrap().path());
                flip_newest(
                    files.map(|path| (path.clone(), fs::read(&path).unwrap())),
                    |path, data| {
                        fs::write(path, data).unwrap();
                    },
                );
                true
            }
            (Part::Session, Format::Plain) => {
                fs::remove_file(session.join("session")).unwrap();
                fs::create_dir(session.join("session")).unwrap();
                true
            }
            (Part::Session, _) => {
                // A lost marker would be no damage: it is made again.
                for file in fs::read_dir(session).unwrap().map(|it| it.unwrap()) {
                    if file.file_name().to_str().unwrap().starts_with("session.journal-") {
                        fs::remove_file(file.path()).unwrap();
                    }
                }
                true
            }
            (Part::Last, _) => {
                let last = self.location().join("last-session");
                fs::remove_file(&last).unwrap();
                fs::write(last, "no link").unwrap();
                true
            }
        }
    }
}

/// Changes a byte in the middle of the newest payload, where that is.
fn flip_newest<N>(all: impl Iterator<Item = (N, Vec<u8>)>, write: impl Fn(N, Vec<u8>)) {
    let middle = &NEWEST[..50_000];
    let mut flipped = 0;
    for (name, mut data) in all {
        if let Some(at) = data.windows(middle.len()).position(|it| it == middle) {
            data[at + 25_000] ^= 1;
            write(name, data);
            flipped += 1;
        }
    }
    assert_eq!(flipped, 1);
}

struct Objects(Arc<InMemory>);

impl Objects {
    fn all(&self) -> Vec<(object_store::path::Path, Vec<u8>)> {
        let all = async {
            let listed: Vec<_> = self.0.list(None).try_collect().await.unwrap();
            let mut all = Vec::new();
            for object in listed {
                let data = self.0.get(&object.location).await.unwrap().bytes().await.unwrap();
                all.push((object.location, data.to_vec()));
            }
            all
        };
        all.now_or_never().unwrap()
    }

    fn put(&self, path: object_store::path::Path, data: Vec<u8>) {
        self.0.put(&path, data.into()).now_or_never().unwrap().unwrap();
    }
}

impl Damageable for Objects {
    fn repository(&self) -> Repository {
        let store: Arc<dyn ObjectStore> = self.0.clone();
        let backend = ObjectBackend::with_store("test://store", store, "p", Duration::ZERO);
        Repository::with_backend(backend.unwrap())
    }

    fn damage(&self, part: Part, id: &SessionId) -> bool {
        let is_it = |key: &str| match part {
            Part::Newest => key.starts_with("p/c/"),
            Part::Session => key.starts_with("p/h/") && key.ends_with(id.as_str()),
            Part::Last => key == "p/last",
        };
        let mut there = self.all().into_iter().filter(|(path, _)| is_it(path.as_ref()));
        if part == Part::Newest {
            flip_newest(there, |path, data| self.put(path, data));
            return true;
        }
        let (path, mut data) = there.next().unwrap();
        data[40] ^= 0x10;
        data.truncate(data.len() / 2);
        self.put(path, data);
        true
    }
}
