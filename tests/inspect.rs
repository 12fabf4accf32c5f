//! What the bytes of a checkpoint tell: real ones of PlainBox and Checkbox, and hostile ones.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use flate2::Compression;
use flate2::write::GzEncoder;
use pitstop::inspect::{Content, LIMIT, TestRun};
use proptest::prelude::*;
use serde_json::{Value, json};

fn fixture(name: &str) -> (PathBuf, Vec<u8>) {
    let location = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name);
    let data = std::fs::read(location.join("session")).unwrap();
    (location, data)
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[track_caller]
fn run_in(data: &[u8]) -> TestRun {
    match Content::of(data) {
        Content::TestRun(run, _) => *run,
        other => panic!("{other:?}"),
    }
}

fn outcomes(of: &[(&str, usize)]) -> BTreeMap<String, usize> {
    of.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[test]
fn checkpoints_of_plainbox_are_read() {
    let (location, data) = fixture("plainbox-0.4/pbox-run.session");
    let run = run_in(&data);
    assert_eq!((run.version, run.title.as_deref()), (2, Some("Nightly run")));
    assert_eq!(
        (run.flags.as_slice(), run.running_job.as_deref()),
        (&["incomplete".to_owned()][..], Some("disk/speed"))
    );
    assert_eq!((run.done, run.desired, run.retried), (1, 2, 0));
    assert_eq!(run.outcomes, outcomes(&[("pass", 1)]));
    assert!(run.missing_logs(&location).unwrap().is_empty());
    assert_eq!(run.summary(), "Nightly run: 1 of 2 jobs");
}

#[test]
fn checkpoints_of_checkbox_are_read_in_every_version_that_it_writes() {
    for version in 1..=7 {
        let (location, data) = fixture(&format!("checkbox-1.18.1/version-{version}.session"));
        let run = run_in(&data);
        let since = |from: u64| move |text: &str| (version >= from).then(|| text.to_owned());
        assert_eq!(run.version, version);
        assert_eq!(run.title.as_deref(), Some("Nightly run"));
        assert_eq!(run.flags, ["bootstrapping", "incomplete"]);
        assert_eq!(run.running_job.as_deref(), Some("com.canonical.certification::power/suspend"));
        assert_eq!(run.app_id, since(3)("com.canonical:checkbox-cli"));
        assert_eq!(run.test_plan, since(2)("com.canonical.certification::nightly"));
        assert_eq!((run.done, run.desired), (3, 5), "version {version}");
        assert_eq!(run.outcomes, outcomes(&[("pass", 2), ("not-supported", 1)]));
        assert_eq!(run.retried, usize::from(version >= 4), "version {version}");
        assert_eq!(run.rejected, usize::from(version >= 6));
        let started = SystemTime::UNIX_EPOCH + Duration::from_millis(1_385_550_000_250);
        assert_eq!(run.last_job_started, (version >= 7).then_some(started));
        assert_eq!(run.logs.len(), 2);
        assert_eq!(run.missing_logs(&location).unwrap(), ["wifi_scan.record.gz"]);
        assert_eq!(run.summary(), "Nightly run: 3 of 5 jobs, 1 not-supported");
    }
}

#[test]
fn checkpoints_of_newer_versions_are_read() {
    let (_, data) = fixture("checkbox-1.18.1/version-7.session");
    let Content::TestRun(seventh, json) = Content::of(&data) else { panic!() };
    let mut whole: Value = serde_json::from_str(json.as_str()).unwrap();
    // 8 and 9 keep what is known of the system, 10 nothing new, 11 whether jobs remain; 12 is unknown.
    for version in 8..=12 {
        whole["version"] = json!(version);
        whole["session"]["system_information"] =
            json!({"inxi": {"tool_version": "3", "outputs": {}}});
        if version >= 11 {
            whole["session"]["metadata"]["remaining_todo_jobs"] = json!(true);
        }
        let run = run_in(&gzip(whole.to_string().as_bytes()));
        assert_eq!(run, {
            let mut it = (*seventh).clone();
            it.version = version;
            it
        });
    }
}

#[test]
fn whatever_is_missing_or_of_another_kind_is_left_out() {
    let read = |whole: Value| run_in(&gzip(whole.to_string().as_bytes()));
    let empty = read(json!({"version": 7, "session": {}}));
    assert_eq!((empty.desired, empty.title), (0, None));
    // Every field in turn is of another kind; the others are still read.
    let (_, data) = fixture("checkbox-1.18.1/version-7.session");
    let Content::TestRun(good, json) = Content::of(&data) else { panic!() };
    let good_json: Value = serde_json::from_str(json.as_str()).unwrap();
    for wrong in
        [json!(null), json!(7), json!("x"), json!([1, [2]]), json!({"a": {}}), json!(-1e300)]
    {
        for field in
            ["title", "flags", "running_job_name", "app_id", "app_blob", "last_job_start_time"]
        {
            let mut whole = good_json.clone();
            whole["session"]["metadata"][field] = wrong.clone();
            let run = read(whole);
            assert_eq!((run.done, run.desired, &run.outcomes), (3, 5, &good.outcomes), "{field}");
        }
        for field in ["jobs", "results", "desired_job_list", "metadata"] {
            let mut whole = good_json.clone();
            whole["session"][field] = wrong.clone();
            let run = read(whole);
            assert!(run.title == good.title || field == "metadata", "{field} is {wrong}");
        }
        let mut whole = good_json.clone();
        for job in ["memory/info", "disk/speed"] {
            whole["session"]["results"][format!("com.canonical.certification::{job}")] =
                wrong.clone();
        }
        assert_eq!(read(whole).outcomes, outcomes(&[("not-supported", 1)]), "{wrong}");
    }
}

#[test]
fn text_and_json_are_told_apart_and_other_bytes_from_both() {
    let kind = |data: &[u8]| Content::of(data).kind();
    for (data, expected) in [
        (&b""[..], "empty"),
        (b"{\"step\": 3}\n", "JSON"),
        (b"3", "JSON"),
        (b"step 3", "text"),
        (b"{\"step\": 3", "text"),
        (b"a\x1b[31mb", "text"),
        ("größe".as_bytes(), "text"),
        (b"\xff\xfe", "binary"),
        (b"a\0b", "binary"),
        (b"\x1f\x8b", "damaged gzip"),
        (b"\x1f\x8b\x08\x00\x00\x00\x00\x00", "damaged gzip"),
    ] {
        assert_eq!(kind(data), expected, "{data:?}");
        if !expected.contains("gzip") {
            assert_eq!(kind(&gzip(data)), expected, "compressed: {data:?}");
        }
    }
    assert_eq!(kind(&gzip(br#"{"version": "7", "session": {}}"#)), "JSON");
    assert_eq!(kind(&gzip(br#"{"version": 7, "session": []}"#)), "JSON");
    // PlainBox compresses always.
    assert_eq!(kind(br#"{"version": 7, "session": {}}"#), "JSON");
}

#[test]
fn a_checkpoint_that_was_cut_short_or_flipped_is_never_more_than_that() {
    let (_, data) = fixture("checkbox-1.18.1/version-7.session");
    for length in 2..data.len() {
        assert_eq!(Content::of(&data[..length]).kind(), "damaged gzip", "{length}");
    }
    for at in 10..data.len() {
        let mut flipped = data.clone();
        flipped[at] ^= 0x10;
        match Content::of(&flipped) {
            Content::DamagedGzip => (),
            // The last byte before the checksum has bits that stand for nothing.
            Content::TestRun(run, _) => assert_eq!((*run, at), (run_in(&data), data.len() - 9)),
            other => panic!("{at}: {other:?}"),
        }
    }
}

#[test]
fn a_little_that_decompresses_to_very_much_is_not_looked_into() {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let zeros = vec![b' '; 1 << 20];
    for _ in 0..64 {
        encoder.write_all(&zeros).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 100_000);
    assert_eq!(Content::of(&bomb).kind(), "too large to look into");
    // One within another is not opened.
    assert_eq!(Content::of(&gzip(&bomb)).kind(), "binary");
    let large = vec![b'x'; usize::try_from(LIMIT).unwrap()];
    assert_eq!(Content::of(&large).kind(), "text");
    assert_eq!(Content::of(&[large, vec![b'x']].concat()).kind(), "too large to look into");
}

#[test]
fn depth_and_number_of_what_is_nested_do_no_harm() {
    let deep = "[".repeat(1 << 16) + &"]".repeat(1 << 16);
    let Content::Json(json) = Content::of(&gzip(deep.as_bytes())) else { panic!() };
    assert_eq!(json.part("0.0.0").unwrap().as_str().len(), deep.len() - 6);
    assert!(json.pretty().to_string().len() < 2 * deep.len());
    for part in [&deep, &"{\"a\":".repeat(1 << 16)] {
        let closing = if part.starts_with('{') {
            "1".to_owned() + &"}".repeat(1 << 16)
        } else {
            String::new()
        };
        let nested = format!("{part}{closing}");
        let whole = format!(
            r#"{{"version": 7, "session": {{"results": {nested}, "metadata": {{"title": {nested}, "flags": {nested}}}}}}}"#
        );
        assert_eq!(run_in(&gzip(whole.as_bytes())).title, None);
    }
}

#[test]
fn logs_are_looked_for_in_the_sessions_directory_alone() {
    let scratch = tempfile::tempdir().unwrap();
    let session = scratch.path().join("run.session");
    std::fs::create_dir(&session).unwrap();
    std::fs::write(scratch.path().join("outside"), "").unwrap();
    let results: Vec<_> = ["../outside", "/etc/passwd", "..", "", "io-logs/there"]
        .iter()
        .map(|log| json!({"outcome": "pass", "io_log_filename": log}))
        .collect();
    let whole = json!({"version": 7, "session": {"results": {"job": results}}}).to_string();
    let run = run_in(&gzip(whole.as_bytes()));
    assert_eq!(run.missing_logs(&session).unwrap(), ["outside", "passwd", "there"]);
    std::os::unix::fs::symlink("/etc", session.join("io-logs")).unwrap();
    assert!(run.missing_logs(&session).is_err(), "a link is not followed");
    std::fs::remove_file(session.join("io-logs")).unwrap();
    std::fs::create_dir(session.join("io-logs")).unwrap();
    std::fs::write(session.join("io-logs/there"), "").unwrap();
    assert_eq!(run.missing_logs(&session).unwrap(), ["outside", "passwd"]);
}

/// JSON of any kind, with what is hard to print.
fn any_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "[a-z\"\\\\\\[\\]{}:, /~.\u{1b}\n\u{e9}]{0,12}".prop_map(Value::from),
    ];
    leaf.prop_recursive(5, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
            prop::collection::hash_map("[a-z/~.\"\\\\ ]{0,4}", inner, 0..6)
                .prop_map(|it| Value::Object(it.into_iter().collect())),
        ]
    })
}

proptest! {
    #[test]
    fn any_json_is_printed_as_it_is_and_each_part_is_found(value in any_json()) {
        let Content::Json(json) = Content::of(value.to_string().as_bytes()) else { panic!() };
        let pretty: Value = serde_json::from_str(&json.pretty().to_string()).unwrap();
        prop_assert_eq!(&pretty, &value);
        for (name, member) in value.as_object().into_iter().flatten() {
            let path = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
            let part: Value = serde_json::from_str(json.part(&path).unwrap().as_str()).unwrap();
            prop_assert_eq!(&part, member);
        }
    }

    #[test]
    fn a_test_run_of_any_content_is_read(metadata in any_json(), results in any_json(), jobs in any_json()) {
        let session = json!({"metadata": metadata, "results": results, "desired_job_list": jobs});
        let whole = json!({"version": 7, "session": session}).to_string();
        let run = run_in(&gzip(whole.as_bytes()));
        prop_assert!(run.done <= run.desired);
    }

    #[test]
    fn any_bytes_are_something(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(!Content::of(&bytes).kind().is_empty());
        prop_assert!(!Content::of(&gzip(&bytes)).kind().is_empty());
    }
}
