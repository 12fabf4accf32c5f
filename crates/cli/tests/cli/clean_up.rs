//! What is damaged, and what can go.

use std::fs;

use super::environment::Environment;

fn segment(it: &Environment, id: &str) -> std::path::PathBuf {
    it.location().join(format!("{id}.session/session.journal-0"))
}

#[test]
fn damage_is_told_and_repaired() {
    let it = Environment::new();
    it.run(["verify"]).code(0).prints("").says("");
    for letter in [b'a', b'b', b'c'] {
        it.feed(&[letter; 5000], ["save", "-qc", "-l", "step=7", "job"]).code(0);
    }
    it.feed(b"x", ["save", "-qc", "--format", "plain", "old"]).code(0);
    it.run(["create", "new"]).code(0);
    it.run(["verify"]).code(0).says("").prints(
        "job: ok: 3 revisions\nnew: ok: never saved\nold: ok: readable; a plain session has no checksum\n",
    );
    let mut bytes = fs::read(segment(&it, "job")).unwrap();
    let at = bytes.windows(100).position(|it| it == [b'c'; 100]).unwrap();
    bytes[at] ^= 1;
    fs::write(segment(&it, "job"), bytes).unwrap();
    let ended = it.run(["verify", "job"]).code(6);
    let expected = "job: damaged: 2 of 3 revisions can be loaded, the newest is 2\n  damage: revision 3: \
                    $DIR/sessions/job.session/session.journal-0, byte ";
    assert!(ended.out.starts_with(expected), "{ended}");
    let hint = "hint: run `pitstop verify --repair job` to save revision 2 of 'job', which is good, as the newest";
    let ended = ended.says(hint);
    let all = it.run(["verify"]).code(6).says(&format!("3 sessions: 1 damaged\n{hint}"));
    assert_eq!(all.out.lines().count(), ended.out.lines().count() + 2);
    let quiet = it.run(["verify", "-q"]).code(6).says("");
    assert_eq!(quiet.out, ended.out, "those that are good are not told of");
    let json = it.run(["verify", "--json", "job"]).code(6).json();
    assert_eq!(
        (&json["sessions"][0]["damaged"], &json["sessions"][0]["newest_good"]),
        (&true.into(), &2.into())
    );
    let ended = it.run(["verify", "--repair"]).code(0);
    assert!(
        ended.err.contains("job: revision 2 was saved again, as revision 5: the newest\n"),
        "{ended}"
    );
    it.run(["load", "job"]).code(0).prints(&"b".repeat(5000));
    let shown = it.run(["show", "job"]).code(0).out;
    assert!(shown.contains("step=7"), "{shown}");
    // Once is enough.
    let ended = it.run(["verify", "--repair"]).code(0);
    assert!(!ended.err.contains("again") && ended.err.contains("hint: the newest"), "{ended}");
    it.run(["verify"]).code(6);
    it.run(["verify", "none"]).code(3);
}

#[test]
fn a_loss_that_is_over_needs_no_repair() {
    let it = Environment::new();
    for letter in [b'a', b'b', b'c'] {
        it.feed(&[letter; 5000], ["save", "-qc", "job"]).code(0);
    }
    let mut bytes = fs::read(segment(&it, "job")).unwrap();
    let at = bytes.windows(100).position(|it| it == [b'a'; 100]).unwrap();
    bytes[at] ^= 1;
    fs::write(segment(&it, "job"), bytes).unwrap();
    it.run(["verify", "job"]).code(6).says(
        "hint: the newest revision of 'job' is good; the damaged one stays listed until newer ones replace it: \
         run `pitstop prune --revisions --keep 2 job` to discard it now, with all that are older",
    );
    it.run(["prune", "--revisions", "--keep", "2", "job"]).code(0);
    it.run(["verify", "job"]).code(0).prints("job: ok: 2 revisions\n");
}

#[test]
fn a_damage_is_told_once_and_each_total_loss_is() {
    let it = Environment::new();
    for id in ["one", "two"] {
        it.feed(b"1", ["save", "-qc", id]).code(0);
        fs::remove_file(segment(&it, id)).unwrap();
        fs::create_dir(segment(&it, id)).unwrap();
    }
    let ended = it.run(["verify"]).code(6).says(
        "2 sessions: 2 damaged
         warning: no revision of 'one' can be loaded
         hint: run `pitstop verify --repair one` to move aside what is in the way; nothing is deleted
         warning: no revision of 'two' can be loaded
         hint: run `pitstop verify --repair two` to move aside what is in the way; nothing is deleted",
    );
    assert_eq!(ended.out.matches("it is a directory, where a file belongs").count(), 2, "{ended}");
    let hint = "hint: nothing was changed; run `pitstop verify one` to see what is damaged\n";
    assert!(it.run(["load", "one"]).code(6).err.ends_with(hint));
}

#[test]
fn what_could_not_be_pruned_or_verified_is_a_failure() {
    let it = Environment::new();
    it.feed(b"1", ["save", "-qc", "job"]).code(0);
    let line = "chmod 000 sessions/job.session; \"$P\" verify; echo $?; \"$P\" prune --keep 0; echo $?; \
                chmod 700 sessions/job.session";
    // Root may read everything, but for one without its rights.
    let is_root = rustix::process::geteuid().is_root();
    let ended = match is_root {
        true => it.shell(&format!("setpriv --bounding-set=-all --inh-caps=-all -- sh -c '{line}'")),
        false => it.shell(line),
    };
    if is_root && ended.out.is_empty() {
        return eprintln!("skipped: setpriv(1) cannot take root's rights away");
    }
    let refused = "cannot open $DIR/sessions/job.session";
    assert_eq!((ended.out.as_str(), ended.err.matches(refused).count()), ("1\n1\n", 2), "{ended}");
}

#[test]
fn what_lies_beside_the_sessions_is_told() {
    let it = Environment::new();
    it.run(["create", "job"]).code(0);
    fs::create_dir(it.location().join("last-session")).unwrap();
    fs::create_dir(it.location().join(".job.removed")).unwrap();
    fs::write(it.location().join("notes"), "mine").unwrap();
    let ended = it.run(["verify"]).code(6);
    for line in [
        "job: ok: never saved\n",
        "damage: $DIR/sessions/last-session: it is a directory",
        "note: $DIR/sessions/notes: a file, and no session\n",
        "leftover: $DIR/sessions/.job.removed: a session that was being removed\n",
    ] {
        assert!(ended.out.contains(line), "{line}: {ended}");
    }
    std::os::unix::fs::symlink("job.session", it.location().join("link.session")).unwrap();
    let ended = it.run(["verify", "--repair"]).code(6);
    let link =
        "damage: $DIR/sessions/link.session: it is a link, where a session's directory belongs\n";
    assert!(ended.out.contains(link), "{ended}");
    fs::remove_file(it.location().join("link.session")).unwrap();
    let ended = it.run(["verify", "--repair"]).code(0);
    let aside = "note: $DIR/sessions/.last-session.aside-1: moved aside and kept as evidence\n";
    assert!(ended.out.contains(aside), "{ended}");
}

#[test]
fn pruning_needs_a_rule_and_says_what_goes() {
    let it = Environment::new();
    for id in ["a", "b", "c"] {
        it.feed(&[7; 5000], ["save", "-qc", "-l", "kind=test", id]).code(0);
    }
    let ended = it.run(["prune"]).code(2).prints("");
    assert!(ended.err.starts_with("error: no criterion is given\n"), "{ended}");
    it.run(["prune", "--older-than", "3m"]).code(2);
    it.run(["last", "b"]).code(0);
    let ended = it.run(["prune", "-n", "--label", "kind=test"]).code(0);
    assert_eq!(ended.out.lines().count(), 3, "{ended}");
    let ended = ended.says("b stays: it is the last session\nwould remove 2 sessions, 64 KiB");
    assert!(ended.out.starts_with("SESSION  SAVED             TAKES\n"), "{ended}");
    it.run(["list", "--ids"]).code(0).prints("c\nb\na\n");
    let json = it.run(["prune", "--json", "--keep", "2"]).code(0).json();
    assert_eq!(
        (&json["removed"][0]["id"], &json["removed"][0]["trashed"]["id"]),
        (&"a".into(), &"a".into())
    );
    it.run(["trash", "restore", "b"]).code(3);
    it.run(["trash", "restore", "a"]).code(0).says("restored a");
    it.run(["prune", "--keep", "0", "--permanently"]).code(0);
    it.run(["list", "--ids"]).code(0).prints("b\n");
    it.run(["trash", "list"]).code(0).prints("").says("the trash is empty");
}

#[test]
fn the_trash_is_listed_and_emptied() {
    let it = Environment::new();
    for n in 0..2 {
        it.feed(format!("{n}").as_bytes(), ["save", "-qc", "job"]).code(0);
        it.run(["remove", "-q", "job"]).code(0);
    }
    let ended = it.run(["trash", "list"]).code(0);
    assert!(ended.out.starts_with("SESSION  REMOVED        SAVED             TAKES\n"), "{ended}");
    assert_eq!(ended.out.lines().count(), 3, "{ended}");
    it.run(["trash", "restore", "job"]).code(0);
    it.run(["load", "job"]).code(0).prints("1");
    let ended = it.run(["trash", "restore", "job"]).code(1);
    assert!(ended.err.contains("`pitstop trash restore job --as NAME`"), "{ended}");
    it.run(["trash", "restore", "job", "--as", "older"]).code(0);
    it.run(["load", "older"]).code(0).prints("0");
    it.run(["remove", "-q", "job", "older"]).code(0);
    it.run(["trash", "empty", "--older-than", "1h"]).code(0).says("deleted 0 sessions, 0 B");
    it.run(["trash", "empty", "-n", "older"]).code(0).says("would delete 1 session, 32 KiB");
    it.run(["trash", "empty", "older"]).code(0).says("deleted 1 session, 32 KiB");
    it.run(["trash", "empty"]).code(0);
    it.run(["trash", "list"]).code(0).says("the trash is empty");
}

#[test]
fn revisions_are_pruned_by_a_rule() {
    let it = Environment::new();
    let payload = |n: u8| [vec![n; 700_000], n.to_le_bytes().repeat(9)].concat();
    for n in 1..=5 {
        let label = format!("step={n}");
        it.feed(&payload(n), ["save", "-qc", "--keep", "all", "-l", &label, "job"]).code(0);
    }
    it.feed(b"1", ["save", "-qc", "--format", "plain", "old"]).code(0);
    let ended = it.run(["prune", "--keep", "2", "job"]).code(2);
    assert!(ended.err.contains("add --revisions to remove older revisions of them"), "{ended}");
    it.run(["prune", "--revisions", "job"]).code(2);
    it.run(["prune", "--revisions", "--keep", "2"])
        .code(2)
        .says("error: --revisions needs session names or --all\nhint: name sessions, or add --all");
    let rule = ["prune", "--revisions", "--keep", "2"];
    let ended = it.run(rule.iter().chain(&["job", "--dry-run"])).code(0).prints("");
    let would = ended.err.strip_prefix("would remove 3 revisions of job (1 to 3), which frees ");
    let would = would.expect("what goes is told").to_owned();
    assert_eq!(
        it.run(["history", "--json", "job"]).json()["revisions"].as_array().unwrap().len(),
        5
    );

    // A live writer is told of, and nothing else is kept from going.
    let writer = it.repository().get("job").unwrap().writer().unwrap();
    it.run(rule.iter().chain(&["job"])).code(4);
    let ended = it.run(rule.iter().chain(&["--all"])).code(0);
    let spared = "job stays as it is: it is in use\nremoved 0 revisions, which frees 0 B\n";
    assert_eq!(ended.err, spared);
    drop(writer);

    let before = it.shell("du -s --block-size=1 sessions/job.session").out;
    let ended = it.run(rule.iter().chain(&["job"])).code(0);
    assert_eq!(ended.err, format!("removed 3 revisions of job (1 to 3), which frees {would}"));
    let bytes = |du: &str| du.split_whitespace().next().unwrap().parse::<u64>().unwrap();
    let after = it.shell("du -s --block-size=1 sessions/job.session").out;
    assert!(bytes(&before) - bytes(&after) >= 1_400_000, "{before}{after}");
    it.run(["load", "--revision", "3", "job"]).code(3);
    assert_eq!(it.run(["load", "job"]).code(0).out.len(), payload(5).len());
    it.run(["verify", "job"]).code(0);
    let json = it.run(rule.iter().chain(&["--json", "job", "old"])).code(0).json();
    let nothing = |id: &str| {
        serde_json::json!({
            "id": id, "dry_run": false, "removed": [], "would_remove": [], "files": 0,
            "stored_size": 0, "undeleted": [],
        })
    };
    assert_eq!(json["sessions"], serde_json::json!([nothing("job"), nothing("old")]));
    it.run(rule.iter().chain(&["none"])).code(3);
}

/// Nothing that was saved goes without a word: not the end of a file, nor a file, nor what says what it is.
#[test]
fn what_is_gone_is_missed() {
    let it = Environment::new();
    for text in [b"1", b"2", b"3"] {
        it.feed(text, ["save", "-qc", "job"]).code(0);
    }
    let whole = fs::read(segment(&it, "job")).unwrap();
    fs::write(segment(&it, "job"), &whole[..3 * 4096]).unwrap();
    it.run(["load", "job"]).code(6);
    let said = "warning: 'job' is damaged, and the newest may be lost
hint: run `pitstop verify job` to see what is damaged";
    it.run(["history", "job"]).code(6).says(said);
    let ended = it.run(["verify", "job"]).code(6);
    assert!(ended.out.contains("cut short to 12288 of 32768 bytes"), "{ended}");
    it.run(["load", "--newest-good", "job"]).code(0).prints("2");

    fs::remove_file(segment(&it, "job")).unwrap();
    it.run(["load", "job"]).code(6);
    let ended = it.run(["history", "job"]).code(6).says(said);
    assert!(ended.out.is_empty(), "{ended}");
    it.run(["verify", "job"]).code(6);
    let ended = it.run(["verify", "--repair", "job"]).code(6);
    assert!(ended.err.contains("run `pitstop save job` to start anew"), "{ended}");

    fs::write(segment(&it, "job"), &whole).unwrap();
    fs::remove_file(segment(&it, "job").with_file_name("session.journal")).unwrap();
    it.feed(b"4", ["save", "job"]).code(6);
    it.run(["verify", "--repair", "job"]).code(0);
    it.run(["load", "job"]).code(0).prints("3");
}
