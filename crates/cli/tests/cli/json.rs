//! The shapes that programs rely on.

use serde_json::{Value, json};

use super::environment::Environment;

/// What differs from run to run, as long as it is what it should be.
fn take(value: &mut Value, key: &str) -> Value {
    value.as_object_mut().unwrap().remove(key).unwrap()
}

#[test]
fn every_command_that_prints_prints_json() {
    let it = Environment::new();
    let directory = it.location().join("job.session").display().to_string();
    let made = it.run(["create", "--json", "job"]).code(0).json();
    assert_eq!(made, json!({ "id": "job", "location": directory }));

    let mut saved = it.feed(b"123", ["save", "--json", "-l", "step=7", "job"]).code(0).json();
    let time = take(&mut saved, "saved");
    assert!(time.as_str().unwrap().ends_with('Z'), "{time}");
    let digest = pitstop::Digest::of(b"123").to_string();
    assert_eq!(
        saved,
        json!({
            "id": "job", "revision": 1, "size": 3, "digest": digest, "labels": { "step": "7" },
        })
    );

    let mut history = it.run(["history", "job", "--json"]).code(0).json();
    let stored = take(&mut history["revisions"][0], "stored");
    assert!(stored.as_u64().unwrap() > 3, "{stored}");
    let revision = json!({
        "revision": 1, "saved": time, "size": 3, "digest": digest, "labels": { "step": "7" },
    });
    assert_eq!(
        history,
        json!({ "id": "job", "revisions": [revision], "damaged": [], "may_lack_newer": false })
    );

    let expected = json!({
        "id": "job", "location": directory, "saved": time, "size": 3, "stored": stored,
        "revision": 1, "digest": digest, "labels": { "step": "7" },
        "history": { "revisions": 1, "stored": stored, "damaged": [] },
        "format": "journal", "writer": { "state": "idle" },
        "content": "JSON", "test_run": null, "missing_logs": null,
    });
    assert_eq!(it.run(["show", "job", "--json"]).code(0).json(), expected);

    let expected = json!({
        "repository": it.location(),
        "sessions": [{
            "id": "job", "saved": time, "size": 3, "labels": { "step": "7" },
            "format": "journal", "live": false, "location": directory,
        }],
        "problems": [],
    });
    assert_eq!(it.run(["list", "--json"]).code(0).json(), expected);

    let last = it.run(["last", "--json", "job"]).code(0).json();
    assert_eq!(last, json!({ "id": "job", "location": directory }));
    let unlocked = it.run(["unlock", "--json", "job"]).code(0).json();
    assert_eq!(unlocked, json!({ "id": "job", "moved_aside": null, "displaced": null }));
    let mut removed = it.run(["remove", "--json", "-n", "job"]).code(0).json();
    assert!(take(&mut removed["removed"][0], "size").as_u64().unwrap() > 3);
    let expected = json!({ "id": "job", "files": 3 });
    assert_eq!(removed, json!({ "dry_run": true, "removed": [expected] }));
    let mut removed = it.run(["remove", "--json", "job"]).code(0).json();
    assert!(take(&mut removed["removed"][0], "size").as_u64().unwrap() > 3);
    let expected = json!({ "id": "job", "files": 3, "trash": true });
    assert_eq!(removed, json!({ "dry_run": false, "removed": [expected] }));
    let mut trash = it.run(["trash", "list", "--json"]).code(0).json();
    let mut trashed = take(&mut trash, "sessions");
    for key in ["removed", "saved", "size"] {
        take(&mut trashed[0], key);
    }
    assert_eq!(trashed, json!([{ "id": "job", "files": 3 }]));
    let back = it.run(["trash", "restore", "--json", "job"]).code(0).json();
    assert_eq!(back, json!({ "restored": [{ "id": "job", "was": "job" }] }));
    let removed = it.run(["remove", "--json", "--permanently", "job"]).code(0).json();
    let expected = json!({ "id": "job", "trash": false, "remains": [] });
    assert_eq!(removed, json!({ "dry_run": false, "removed": [expected] }));
    let none = it.run(["list", "--json"]).code(0).json();
    assert_eq!(none, json!({ "repository": it.location(), "sessions": [], "problems": [] }));
}

#[test]
fn what_a_plain_session_does_not_know_is_null() {
    let it = Environment::new();
    let words = ["save", "--json", "--create", "--format", "plain", "job"];
    let saved = it.feed(b"123", words).code(0).json();
    let shown = it.run(["show", "job", "--json"]).code(0).json();
    assert_eq!(shown["format"], "plain");
    assert_eq!((&shown["history"], &shown["stored"]), (&Value::Null, &Value::Null));
    assert_eq!((&shown["revision"], &shown["labels"]), (&saved["revision"], &json!({})));
}

#[test]
fn what_was_never_saved_is_null() {
    let it = Environment::new();
    it.run(["create", "job"]).code(0);
    let listed = &it.run(["list", "--json"]).code(0).json()["sessions"][0];
    assert_eq!((&listed["saved"], &listed["size"]), (&Value::Null, &Value::Null));
    let shown = it.run(["show", "--json", "job"]).code(0).json();
    assert_eq!((&shown["revision"], &shown["digest"]), (&Value::Null, &Value::Null));
}

#[test]
fn status_names_the_owner() {
    let it = Environment::new();
    it.run(["create", "job"]).code(0);
    it.run(["create", "idle"]).code(0);
    let _writer = it.repository().get("job").unwrap().writer().unwrap();
    let one = it.run(["status", "--json", "job"]).code(0).json();
    assert_eq!(one["writer"]["state"], "live");
    assert_eq!(one["writer"]["owner"]["pid"], std::process::id());
    let all = it.run(["status", "--json"]).code(0).json();
    assert_eq!(
        all,
        json!({ "repository": it.location(), "count": 2, "sessions": [one], "problems": [] })
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
