//! The shapes that programs rely on.

use serde_json::{Value, json};

use super::environment::Environment;

#[test]
fn a_document_says_its_version_and_one_thing_by_one_name() {
    let it = Environment::new();
    let directory = it.location().join("job.session").display().to_string();
    let made = it.run(["create", "--json", "job"]).code(0).json();
    assert_eq!(made, json!({ "schema": 1, "id": "job", "location": directory }));

    let saved = it.feed(b"123", ["save", "--json", "-l", "step=7", "job"]).code(0).json();
    let (time, digest) = (&saved["saved"], pitstop::Digest::of(b"123").to_string());
    assert_eq!(
        saved,
        json!({
            "schema": 1, "id": "job", "revision": 1, "saved": time, "size": 3, "digest": digest,
            "labels": { "step": "7" },
        })
    );

    let history = it.run(["history", "job", "--json"]).code(0).json();
    let stored = &history["revisions"][0]["stored_size"];
    assert!(stored.as_u64().unwrap() > 3, "{stored}");
    let revision = json!({
        "revision": 1, "saved": time, "size": 3, "stored_size": stored, "digest": digest,
        "labels": { "step": "7" },
    });
    assert_eq!(
        history,
        json!({
            "schema": 1, "id": "job", "revisions": [revision], "damaged": [],
            "newer_may_be_lost": false,
        })
    );
    let shown = it.run(["show", "job", "--json"]).code(0).json();
    assert_eq!((&shown["checkpoint"]["saved"], &shown["stored_size"]), (time, stored));
    let listed = it.run(["list", "--json", "--details"]).code(0).json();
    assert_eq!((&listed["sessions"][0]["saved"], &listed["total"]["size"]), (time, &json!(3)));
    assert!(listed["sessions"][0]["stored_size"].as_u64().unwrap() > 3, "{listed}");

    let unlocked = it.run(["unlock", "--json", "job"]).code(0).json();
    assert_eq!(unlocked, json!({ "schema": 1, "id": "job", "moved_aside": null, "revoked": null }));
    let dry = it.run(["remove", "--json", "-n", "job"]).code(0).json();
    let removed = it.run(["remove", "--json", "job"]).code(0).json();
    let id = |it: &Value, key: &str| {
        it[key].as_array().unwrap().iter().map(|it| it["id"].clone()).collect::<Vec<_>>()
    };
    assert_eq!((id(&dry, "removed"), id(&dry, "would_remove")), (vec![], vec![json!("job")]));
    assert_eq!(
        (id(&removed, "removed"), id(&removed, "would_remove")),
        (vec![json!("job")], vec![])
    );
    let back = it.run(["trash", "restore", "--json", "job"]).code(0).json();
    assert_eq!(back, json!({ "schema": 1, "restored": [{ "id": "job", "was": "job" }] }));
}

/// As docs/json.md says, where these programs are there.
#[test]
fn times_are_read_by_jq_and_python() {
    let it = Environment::new();
    it.feed(b"1", ["save", "-qc", "job"]).code(0);
    for (program, line) in [
        ("jq", r#"jq -r '.revisions[0].saved | sub("\\.[0-9]+Z$"; "Z") | fromdate'"#),
        (
            "python3",
            "python3 -c 'import datetime, json, sys
t = json.load(sys.stdin)[\"revisions\"][0][\"saved\"].replace(\"Z\", \"+00:00\")
print(int(datetime.datetime.fromisoformat(t).timestamp()))'",
        ),
    ] {
        if it.shell(&format!("command -v {program}")).code != Some(0) {
            eprintln!("skipped: there is no {program}");
            continue;
        }
        let ended = it.shell(&format!("\"$P\" history job --json | {line}")).code(0);
        let seconds: u64 = ended.out.trim().parse().unwrap();
        let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_secs();
        assert!(now - seconds < 60, "{ended}");
    }
}

#[test]
fn load_change_and_save_if_nobody_else_did() {
    let it = Environment::new();
    let line = "\"$P\" load job --default 0 -o state --json";
    let json = it.shell(line).code(0).json();
    assert_eq!(json, json!({ "schema": 1, "revision": 0, "labels": {} }));
    it.run(["save", "-qc", "job", "state", "--follows", "0", "-l", "step=0"]).code(0);
    let json = it.shell(line).code(0).json();
    assert_eq!((&json["revision"], &json["labels"]["step"]), (&json!(1), &json!("0")));
    it.feed(b"other", ["save", "-q", "job"]).code(0);
    it.run(["save", "-q", "job", "state", "--follows", "1"]).code(5);
    it.run(["load", "job", "--json"]).code(2).prints("");
}

#[test]
fn what_a_plain_session_does_not_know_is_null() {
    let it = Environment::new();
    let words = ["save", "--json", "--create", "--format", "plain", "job"];
    let saved = it.feed(b"123", words).code(0).json();
    let shown = it.run(["show", "job", "--json"]).code(0).json();
    assert_eq!(shown["format"], "plain");
    assert_eq!((&shown["history"], &shown["stored_size"]), (&Value::Null, &Value::Null));
    let checkpoint = &shown["checkpoint"];
    assert_eq!((&checkpoint["revision"], &checkpoint["labels"]), (&saved["revision"], &json!({})));
}

#[test]
fn what_was_never_saved_is_null() {
    let it = Environment::new();
    it.run(["create", "job"]).code(0);
    let listed = &it.run(["list", "--json"]).code(0).json()["sessions"][0];
    assert_eq!((&listed["saved"], &listed["size"]), (&Value::Null, &Value::Null));
    let shown = it.run(["show", "--json", "job"]).code(0).json();
    assert_eq!(shown["checkpoint"], Value::Null);
}

#[test]
fn status_names_the_owner() {
    let it = Environment::new();
    it.run(["create", "job"]).code(0);
    it.run(["create", "idle"]).code(0);
    let _writer = it.repository().get("job").unwrap().writer().unwrap();
    let one = it.run(["status", "--json", "job"]).code(0).json();
    assert_eq!((&one["state"], &one["writer"]["state"]), (&json!("running"), &json!("live")));
    assert_eq!(one["writer"]["owner"]["pid"], std::process::id());
    let mut all = it.run(["status", "--json"]).code(0).json();
    all["sessions"][0]["schema"] = json!(1);
    assert_eq!(
        all,
        json!({ "schema": 1, "repository": it.location(), "count": 2, "sessions": [one], "problems": [] })
    );
}

#[test]
fn problems_are_listed_beside_the_sessions() {
    let it = Environment::new();
    it.run(["create", "good"]).code(0);
    std::fs::create_dir_all(it.location().join("bad.session/session")).unwrap();
    let listed = it.run(["list", "--json"]).code(6);
    let json = listed.json();
    assert_eq!(json["sessions"][0]["id"], "good");
    assert_eq!(json["problems"][0]["name"], "bad.session");
    let error = json["problems"][0]["error"].as_str().unwrap();
    assert!(error.ends_with("is damaged: it is a directory, where a file belongs"), "{error}");
}
