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

fn throw_at(target: fn(&[u8])) {
    let cases = std::env::var("PROPTEST_CASES").map_or(256, |cases| cases.parse().unwrap());
    let config = Config { cases, failure_persistence: None, ..Config::default() };
    TestRunner::new(config)
        .run(&bytes(), |bytes| {
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
fn in_the_names_and_links_of_a_repository() {
    throw_at(targets::repository_entries);
}

#[test]
fn in_the_text_of_names_and_revisions() {
    throw_at(|bytes| targets::text(bytes.get(1..).unwrap_or_default()));
}
