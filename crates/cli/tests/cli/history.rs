//! Older revisions, labels, and what is done about damage.

use std::fs;
use std::path::PathBuf;

use super::environment::Environment;

/// A session with revisions 1 to 3, each of one block of the letter of its number.
fn three_revisions() -> Environment {
    let it = Environment::new();
    for (number, letter) in ["1", "2", "3"].into_iter().zip([b'a', b'b', b'c']) {
        let label = format!("step={number}");
        it.feed(&[letter; 5000], ["save", "-c", "-l", &label, "job"]).code(0);
    }
    it
}

/// Changes one byte in the journal: the first of the given run of one letter.
fn damage(it: &Environment, letter: u8) {
    let segment = segment(it);
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(100).position(|it| it == [letter; 100]).unwrap();
    bytes[at] ^= 1;
    fs::write(segment, bytes).unwrap();
}

/// The one file of the journal that is not empty.
fn segment(it: &Environment) -> PathBuf {
    let entries = fs::read_dir(it.location().join("job.session")).unwrap();
    let mut files = entries.map(|it| it.unwrap().path()).filter(|it| {
        it.file_name().unwrap().to_str().unwrap().starts_with("session.journal")
            && fs::metadata(it).unwrap().len() > 0
    });
    files.next().unwrap()
}

#[test]
fn history_lists_the_revisions_newest_first() {
    let it = Environment::new();
    it.run(["create", "job"]).code(0);
    it.run(["history", "job"]).code(0).prints("").says("nothing was saved in 'job' yet");
    it.feed(b"1", ["save", "job"]).code(0);
    it.feed(b"12", ["save", "job", "--label", "step=7", "--label", "phase=the end"]).code(0);
    it.run(["history", "job"]).code(0).says("").prints(
        "REVISION  SAVED              SIZE    STORED  LABELS\n\
        \x20      2  just now            2 B   4.0 KiB  phase=\"the end\" step=7\n\
        \x20      1  just now            1 B   4.0 KiB\n",
    );
    for (filter, revisions) in [("step", 1), ("step=7", 1), ("step=8", 0), ("other", 0)] {
        let ended = it.run(["history", "--json", "job", "--label", filter]).code(0);
        assert_eq!(ended.json()["revisions"].as_array().unwrap().len(), revisions, "{filter}");
    }
    it.run(["history", "job", "-l", "x"]).says("no revision of 'job' has such a label");
}

#[test]
fn an_older_revision_comes_back() {
    let it = three_revisions();
    it.run(["load", "job"]).code(0).prints(&"c".repeat(5000));
    it.run(["load", "job", "--revision", "1"]).code(0).prints(&"a".repeat(5000));
    let shown = it.run(["show", "job", "--revision", "2"]).code(0).out;
    assert!(shown.contains("\nrevision  2\n") && shown.contains("\nlabel     step=2\n"), "{shown}");
    for command in ["load", "show"] {
        it.run([command, "job", "--revision", "4"]).code(3).prints("").says(
            "error: session 'job' has no revision 4
             hint: run `pitstop history job` to see the revisions it keeps",
        );
    }
    it.run(["load", "job", "--revision", "1", "--newest-good"]).code(2);
}

#[test]
fn the_newest_good_revision_is_offered_and_one_call_takes_it() {
    let it = three_revisions();
    it.run(["load", "job", "--newest-good"]).code(0).says("").prints(&"c".repeat(5000));
    damage(&it, b'c');
    let offered = "hint: nothing was changed; run `pitstop load job --newest-good` to load revision 2, \
                   the newest good one";
    for words in [&["load", "job"][..], &["load", "job", "--revision", "3"]] {
        let ended = it.run(words).code(6).prints("");
        assert!(ended.err.starts_with("error: $DIR/sessions/job.session/"), "{ended}");
        assert!(ended.err.trim_end().ends_with(offered), "{ended}");
    }
    let ended = it.run(["load", "job", "--newest-good"]).code(0).prints(&"b".repeat(5000));
    let (first, second) = ended.err.split_once('\n').unwrap();
    assert!(first.ends_with(" is damaged: revision 3 cannot be read"), "{ended}");
    assert_eq!(second, "warning: this is revision 2, saved just now: the newest good one\n");
    // Scripts that are quiet are told too.
    let quiet = it.run(["-q", "load", "job", "--newest-good"]).code(0);
    assert_eq!(quiet.err, ended.err);
    it.run(["load", "job", "--revision", "2"]).code(0).says("");
}

#[test]
fn revisions_that_are_lost_are_marked() {
    let it = three_revisions();
    let segment = segment(&it);
    let mut bytes = fs::read(&segment).unwrap();
    // The header of a record stands before its payload, in the same block.
    let payload = bytes.windows(100).position(|it| it == [b'b'; 100]).unwrap();
    bytes[payload - 20] ^= 1;
    fs::write(segment, bytes).unwrap();
    let ended = it.run(["history", "job"]).code(6).says("warning: revision 2 of 'job' is damaged");
    let lines: Vec<_> = ended.out.lines().collect();
    assert!(
        lines[1].starts_with("       3  just now") && lines[1].ends_with("  step=3"),
        "{ended}"
    );
    assert_eq!(lines[2], "       2  damaged", "{ended}");
    assert!(lines[3].starts_with("       1  just now"), "{ended}");
    let json = it.run(["history", "--json", "job"]).code(6).json();
    assert_eq!(json["damaged"], serde_json::json!([2]));
    it.run(["load", "job"]).code(0);
    let ended = it.run(["load", "job", "--revision", "2"]).code(6);
    assert!(ended.err.contains(" is damaged: revision 2 cannot be read\n"), "{ended}");
    it.run(["show", "job", "--revision", "2"]).code(6);
}

#[test]
fn a_newest_revision_that_is_lost_hides_neither_the_others_nor_stops_the_next() {
    let it = three_revisions();
    let segment = segment(&it);
    let mut bytes = fs::read(&segment).unwrap();
    let payload = bytes.windows(100).position(|it| it == [b'c'; 100]).unwrap();
    bytes[payload - 20] ^= 1;
    fs::write(segment, bytes).unwrap();
    for command in ["show", "load"] {
        let ended = it.run([command, "job"]).code(6).prints("");
        assert!(
            ended.err.contains("run `pitstop load job --newest-good` to load revision 2"),
            "{ended}"
        );
    }
    it.run(["list", "--ids"]).code(6);
    let ended = it.run(["history", "job"]).code(6).says(
        "warning: revision 3 of 'job' is damaged
         hint: run `pitstop load job --newest-good` to load the newest good one",
    );
    assert_eq!(ended.out.lines().nth(1), Some("       3  damaged"), "{ended}");
    it.feed(b"4", ["save", "job", "--keep", "all"]).code(0);
    it.run(["load", "job"]).code(0).prints("4");
}

#[test]
fn what_to_keep_can_be_said() {
    let it = Environment::new();
    for number in 1..=30_u8 {
        let state: Vec<u8> = (0..8000_u32).map(|n| ((n * n) >> 3) as u8 ^ number).collect();
        it.feed(&state, ["save", "-qc", "all", "--keep", "all"]).code(0);
        it.feed(&state, ["save", "-qc", "few", "--keep", "2"]).code(0);
    }
    let kept = |id| it.run(["show", "--json", id]).code(0).json()["history"]["revisions"].clone();
    assert_eq!(kept("all"), 30);
    assert!(kept("few").as_u64().unwrap() < 30);
}

#[test]
fn a_plain_session_says_that_it_keeps_none_of_this() {
    let it = Environment::new();
    it.feed(b"1", ["save", "-c", "--format", "plain", "job"]).code(0);
    let hint = "hint: a plain session keeps only its newest checkpoint; run `pitstop convert job --to journal` \
                to keep a history from now on";
    for (words, what) in [
        (&["save", "job", "--allow-empty", "-l", "step=7"][..], "a label"),
        (&["save", "job", "--allow-empty", "--keep", "all"], "a retention rule"),
        (&["load", "job", "--revision", "1"], "an older revision"),
        (&["show", "job", "--revision", "1"], "an older revision"),
    ] {
        let error = format!("error: {what} is not supported by the plain session 'job'\n{hint}");
        it.run(words).code(1).prints("").says(&error);
    }
    it.run(["load", "job"]).code(0).prints("1");
    it.run(["load", "job", "--newest-good"]).code(0).prints("1");
}

#[test]
fn labels_and_rules_that_are_none_are_refused() {
    let it = Environment::new();
    it.run(["create", "job"]).code(0);
    for (words, problem) in [
        (["--label", "step"], "a label is NAME=VALUE"),
        (["--label", "=7"], "a label has a name before the '='"),
        (["--keep", "some"], "a rule is a number of revisions, `all`, a size"),
        (["--format", "plain"], "--create"),
    ] {
        let ended = it.run(["save", "job"].into_iter().chain(words)).code(2).prints("");
        assert!(ended.err.contains(problem), "{ended}");
    }
    it.run(["save", "job", "-l", "a=1", "-l", "a=2"]).code(2).says(
        "error: the label 'a' is given twice
         hint: give each label one value",
    );
    let long = format!("a={}", "x".repeat(4000));
    it.run(["save", "job", "-l", &long]).code(2).says(
        "error: the labels take 4005 bytes, and at most 3000 are kept with a checkpoint
         hint: put long values into the checkpoint itself",
    );
}
