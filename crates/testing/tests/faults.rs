//! Every call of the system fails with every error, at every moment.

use std::collections::BTreeSet;
use std::path::Path;

use pitstop_testing::{FiredFault, Place};

#[test]
fn every_call_may_fail_with_every_error() {
    let verdicts = pitstop_testing::faults();
    for verdict in &verdicts {
        println!("{verdict}");
    }
    let faults: usize = verdicts.iter().map(|verdict| verdict.faults).sum();
    println!("{faults} faults");
    assert!(verdicts.iter().all(|verdict| verdict.failures.is_empty()));
    if std::env::var_os("PITSTOP_SCENARIO").is_some() {
        return;
    }
    let fired: BTreeSet<FiredFault> =
        verdicts.iter().flat_map(|it| it.fired.iter().cloned()).collect();
    let known = pitstop_testing::known_faults();
    println!("{} pairs of a call and its fault", fired.len());
    let never: Vec<_> = known.symmetric_difference(&fired).collect();
    assert!(never.is_empty(), "no call ever failed so: {never:?}");
    let failed: BTreeSet<Place> = verdicts.into_iter().flat_map(|it| it.places).collect();
    println!("{} lines that call the system failed", failed.len());
    let source = |(file, line, _): &Place| {
        let text = std::fs::read_to_string(root().join(file)).unwrap();
        (
            file.rsplit('/').next().unwrap().to_owned(),
            text.lines().nth(*line as usize - 1).unwrap().trim().to_owned(),
        )
    };
    let never: BTreeSet<_> = calls_in_source().difference(&failed).map(source).collect();
    let is_known =
        |(file, line): &(String, String)| file == "lock.rs" && NOT_REACHED.contains(&line.as_str());
    let never: Vec<_> = never.into_iter().filter(|it| !is_known(it)).collect();
    assert!(never.is_empty(), "no scenario comes to these calls: {never:?}");
}

/// Calls in `lock.rs` that no scenario comes to yet: of locks that two mounts do not share (`places` does), of a
/// program that records its end (`pitstop::conformance` does), and of a record that is put back from the trash.
const NOT_REACHED: [&str; 7] = [
    "_ => file.unlock()?,",
    "file.unlock()?;",
    "file.write_all(&left.encode())?;",
    "if file.metadata()?.size == 0 {",
    "if file.try_lock()? {",
    "let outcome = session.open_file(names::WRITER, Access::Write).and_then(|file| {",
    "self.file.sync()",
];

/// The workspace, to whose files the places of calls are relative.
fn root() -> &'static Path {
    Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../.."))
}

/// Every call in `src/directory` and `src/files.rs` that goes to the system, as the source text has it.
fn calls_in_source() -> BTreeSet<Place> {
    const CALLS: [&str; 31] = [
        "Directory::open",
        ".open_directory",
        ".open_file",
        ".make_directory",
        ".remove_directory",
        ".remove_file",
        ".rename",
        ".link",
        ".make_symlink",
        ".read_link",
        ".metadata",
        ".metadata_below",
        ".own_metadata",
        ".dated",
        ".own_dated",
        ".identity",
        ".own_identity",
        ".entries",
        ".sync",
        ".sync_data",
        ".is_local",
        ".read",
        ".read_at",
        ".write_all",
        ".write_all_at",
        ".extent",
        ".set_len",
        ".set_modified",
        ".try_lock",
        ".unlock",
        ".is_locked",
    ];
    let mut files = vec![root().join("src/files.rs")];
    let mut directories = vec![root().join("src/directory")];
    // Nobody is offered a journal of version 2 yet, and no scenario of this suite makes one.
    let is_offered = |path: &Path| !path.ends_with("journal/v2");
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let entry = entry.unwrap();
            if !is_offered(&entry.path()) {
                continue;
            }
            let is_directory = entry.file_type().unwrap().is_dir();
            if is_directory { &mut directories } else { &mut files }.push(entry.path());
        }
    }
    let mut places = BTreeSet::new();
    for path in files {
        let text = std::fs::read_to_string(&path).unwrap();
        for (number, line) in text.lines().enumerate() {
            for call in CALLS {
                for (at, _) in line.match_indices(&format!("{call}(")) {
                    // A method's place is its name.
                    let column = at + 1 + usize::from(call.starts_with('.'));
                    let path = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                    places.insert((path, number as u32 + 1, column as u32));
                }
            }
        }
    }
    places
}
