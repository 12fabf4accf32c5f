//! What `show` and `list` tell of what is in a checkpoint.

use std::fs;
use std::path::Path;

use super::environment::Environment;

const STATE: &str = r#"{"step": 3, "tables": [{"name": "users"}, {"rows": 1.50}], "note": "a\tb"}"#;

/// A session that Checkbox made.
fn put_test_run(it: &Environment, id: &str) {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/fixtures");
    let from = fixtures.join("checkbox-1.18.1/version-7.session");
    let to = it.location().join(format!("{id}.session"));
    fs::create_dir_all(to.join("io-logs")).unwrap();
    for name in ["session", "io-logs/memory_info.record.gz"] {
        fs::write(to.join(name), fs::read(from.join(name)).unwrap()).unwrap();
    }
}

/// What is printed from the line that begins with `content`.
#[track_caller]
fn content(text: &str) -> &str {
    &text[text.find("content ").expect("there is a content")..]
}

#[test]
fn json_and_text_are_shown() {
    let it = Environment::new();
    it.feed(STATE.as_bytes(), ["save", "-c", "job"]).code(0);
    assert_eq!(
        content(&it.run(["show", "job"]).code(0).out),
        "content   JSON\n\n{\n  \"step\": 3,\n  \"tables\": [\n    {\"name\": \"users\"},\n    \
         {\"rows\": 1.50}\n  ],\n  \"note\": \"a\\tb\"\n}\n"
    );
    it.feed(b"one\ntwo", ["save", "job"]).code(0);
    assert_eq!(content(&it.run(["show", "job"]).code(0).out), "content   text\n\none\ntwo\n");
    let older = it.run(["show", "job", "--revision", "1"]).code(0).out;
    assert!(content(&older).starts_with("content   JSON\n"), "{older}");
    assert_eq!(it.run(["show", "job", "--json"]).json()["content"], "text");
}

#[test]
fn a_part_of_json_is_shown_alone() {
    let it = Environment::new();
    it.feed(STATE.as_bytes(), ["save", "-c", "job"]).code(0);
    it.run(["show", "job", "--path", "tables.0.name"]).code(0).prints("users\n").says("");
    it.run(["show", "job", "-p", "/tables/1/rows"]).code(0).prints("1.50\n");
    it.run(["show", "job", "-p", "note"]).code(0).prints("a\tb\n");
    it.run(["show", "job", "-p", "note", "--json"]).code(0).prints("\"a\\tb\"\n");
    it.run(["show", "job", "-p", ".", "--json"]).code(0).prints(&format!("{STATE}\n"));
    it.run(["show", "job", "-p", "tables.2"]).code(3).prints("").says(
        "error: there is no '2' in 'tables.2'
         hint: there is a list from 0 to 1",
    );
    it.feed(b"text", ["save", "job"]).code(0);
    it.run(["show", "job", "-p", "step"]).code(1).prints("").says(
        "error: the checkpoint of 'job' has no parts: it is text, not JSON
         hint: run `pitstop load job` to write its bytes",
    );
    it.run(["show", "job", "-p", "step", "--revision", "1"]).code(0).prints("3\n");
}

#[test]
fn a_test_run_is_summed_up() {
    let it = Environment::new();
    put_test_run(&it, "run");
    let shown = it.run(["show", "run"]).code(0).out;
    let lines: Vec<_> = content(&shown).lines().collect();
    assert!(lines[5].ends_with(" years ago"), "{shown}");
    assert_eq!(
        [&lines[..5], &lines[6..]].concat(),
        [
            "content   test run of PlainBox or Checkbox, format 7",
            "title     Nightly run",
            "program   com.canonical:checkbox-cli",
            "test plan com.canonical.certification::nightly",
            "flags     bootstrapping, incomplete",
            "jobs      3 of 5 done",
            "outcomes  1 not-supported, 2 pass",
            "retried   1 job",
            "rejected  1 job",
            "logs      1 of 2 missing: wifi_scan.record.gz",
        ]
    );
    let json = it.run(["show", "run", "--json"]).code(0).json();
    assert_eq!((&json["content"], &json["test_run"]["done"]), (&"test run".into(), &3.into()));
    assert_eq!(json["missing_logs"], serde_json::json!(["wifi_scan.record.gz"]));
    let path = "/session/results/com.canonical.certification::disk~1speed/0/outcome";
    it.run(["show", "run", "--path", path]).code(0).prints("fail\n");
}

#[test]
fn a_listing_says_what_sessions_are_about() {
    let it = Environment::new();
    put_test_run(&it, "run");
    it.feed(b"1", ["save", "-c", "job", "-l", "step=7", "-l", "phase=a b"]).code(0);
    it.run(["create", "new"]).code(0);
    let out = it.run(["list", "--summaries"]).code(0).out;
    let (header, rest) = out.split_once('\n').unwrap();
    assert_eq!(header, "SESSION  SAVED              SIZE  FORMAT   ABOUT");
    let mut lines: Vec<_> = rest.lines().collect();
    lines.sort();
    assert!(lines[0].starts_with("job ") && lines[0].ends_with("  journal  phase=\"a b\" step=7"));
    assert!(lines[1].starts_with("new ") && lines[1].ends_with("  journal"), "{out}");
    assert!(lines[2].ends_with("  plain    Nightly run: 3 of 5 jobs, 1 not-supported"), "{out}");
    // Who is no terminal is told of test runs only where that was asked for.
    assert!(!it.run(["list"]).code(0).out.contains("Nightly"));
    let json = it.run(["list", "--summaries", "--json"]).code(0).json();
    let of = |id| json["sessions"].as_array().unwrap().iter().find(|it| it["id"] == id).unwrap();
    assert_eq!(of("run")["about"], "Nightly run: 3 of 5 jobs, 1 not-supported");
    assert_eq!(of("job").get("about"), None);
}

#[test]
fn what_is_known_of_a_damaged_checkpoint_is_shown_all_the_same() {
    let it = Environment::new();
    it.feed(&[b'x'; 300], ["save", "-c", "job"]).code(0);
    let segment = it.location().join("job.session/session.journal-0");
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(8).position(|it| it == b"xxxxxxxx").unwrap();
    bytes[at] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let ended = it.run(["show", "job"]).code(6);
    assert!(ended.out.contains("size      300 B\n") && !ended.out.contains("content"), "{ended}");
    assert!(ended.err.starts_with("error: ") && ended.err.contains(" is damaged: "), "{ended}");
}
