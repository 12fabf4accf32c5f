//! Any bytes where Pitstop reads: nothing panics, no session becomes unusable, and nothing outside
//! the repository is touched. The functions are those that the fuzzer runs; see fuzz/README.md.

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

#[path = "../fuzz/src/lib.rs"]
#[allow(unreachable_pub)]
mod targets;

/// Bytes that are like what belongs there, and bytes that are not.
fn bytes() -> impl Strategy<Value = Vec<u8>> {
    let likely = prop::sample::select(vec![
        "other",
        ".session",
        "..",
        ".",
        "/",
        "outside.session",
        "job.session",
        "last-session",
        "\n",
        " ",
        "-",
        "~",
        "+",
        "7",
        "ffffffffffffffff",
        "18446744073709551616",
        "ü",
        "\u{202e}",
        "{\"host\":\"h\",\"boot_id\":\"b\",\"pid\":1,\"start_time\":2,\"program\":\"p\",\"since\":3}",
        "{\"pid\":-1}",
        "[[[[",
        "null",
    ]);
    let piece = prop_oneof![
        2 => likely.prop_map(|text| text.as_bytes().to_owned()),
        1 => prop::collection::vec(any::<u8>(), 0..8),
        1 => (any::<u8>(), 1..300_usize).prop_map(|(byte, n)| vec![byte; n]),
    ];
    let pieces = prop::collection::vec(piece, 0..6);
    (any::<u8>(), pieces).prop_map(|(first, pieces)| {
        std::iter::once(first).chain(pieces.into_iter().flatten()).collect()
    })
}

/// Changes to a journal. Every second one leaves its checksums right.
fn changes() -> impl Strategy<Value = Vec<u8>> {
    let number = prop::sample::select(vec![0_u64, 1, 2, 3, 5, 7, 4096, 1 << 31, 1 << 40, u64::MAX]);
    let bytes = prop_oneof![
        2 => number.prop_map(|number| number.to_le_bytes().to_vec()),
        1 => prop::collection::vec(any::<u8>(), 1..16),
    ];
    // A header, or anywhere in the blocks that are used.
    let at = prop_oneof![(0x80..0x89_u8, 0..96_u8, Just(0)), (0..9_u8, any::<u8>(), any::<u8>())];
    let change = (at, bytes).prop_map(|((block, at, more), bytes)| {
        [vec![block, at, more, bytes.len() as u8], bytes].concat()
    });
    let how = prop_oneof![4 => 0..2_u8, 1 => any::<u8>()];
    (how, prop::collection::vec(change, 0..5))
        .prop_map(|(how, changes)| [vec![how], changes.concat()].concat())
}

fn throw_at(target: fn(&[u8])) {
    throw(bytes(), target);
}

fn throw(bytes: impl Strategy<Value = Vec<u8>>, target: fn(&[u8])) {
    let cases = std::env::var("PROPTEST_CASES").map_or(256, |cases| cases.parse().unwrap());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&bytes, |bytes| {
            target(&bytes);
            Ok(())
        })
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn in_the_files_of_a_session() {
    throw_at(targets::session_files);
}

#[test]
fn in_the_segments_of_a_journal() {
    throw(changes(), targets::journals);
}

#[test]
fn in_the_names_and_links_of_a_repository() {
    throw_at(targets::repository_entries);
}

#[test]
fn in_the_text_of_names_and_revisions() {
    throw_at(|bytes| targets::text(bytes.get(1..).unwrap_or_default()));
}

/// What the fuzzer found once, and what was found by hand.
#[test]
fn in_what_was_found_before() {
    type Target = (&'static str, fn(&[u8]));
    let targets: [Target; 4] = [
        ("journals", targets::journals),
        ("repository_entries", targets::repository_entries),
        ("session_files", targets::session_files),
        ("text", targets::text),
    ];
    let known = std::fs::read_dir("fuzz/seeds").unwrap().map(|it| it.unwrap().file_name());
    for name in known {
        let name = name.into_string().unwrap();
        let (_, target) = targets.iter().find(|(target, _)| *target == name).unwrap();
        for seed in std::fs::read_dir(format!("fuzz/seeds/{name}")).unwrap() {
            let seed = seed.unwrap().path();
            eprintln!("{}", seed.display());
            target(&std::fs::read(&seed).unwrap());
        }
    }
}
