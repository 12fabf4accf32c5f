//! How a run ends, what becomes of its session, and how sessions are found by that.

use super::environment::{Environment, PITSTOP};

fn run(it: &Environment, words: &[&str], script: &str) -> super::environment::Ended {
    let mut command = it.command(PITSTOP);
    command
        .args(["run", "-c"])
        .args(words)
        .args(["job", "--", "sh", "-c", script])
        .env("P", PITSTOP);
    it.ended(command.output().unwrap())
}

#[test]
fn how_a_run_ended_is_recorded() {
    let it = Environment::new();
    for (script, code, state, sentence) in [
        ("exit 3", 3, "failed", "failed (exit 3): pitstop run sh -c 'exit 3' (pid "),
        (
            "kill -KILL $$",
            137,
            "interrupted",
            "interrupted: pitstop run sh -c 'kill -KILL $$' (pid ",
        ),
        ("kill -TERM $$", 143, "stopped", "stopped: pitstop run sh -c 'kill -TERM $$' (pid "),
        // Whoever was asked to stop, and saved and ended in order, is to be resumed.
        (
            "trap 'exit 0' INT; kill -INT $PPID; sleep 9 & wait",
            0,
            "stopped",
            "stopped: pitstop run ",
        ),
        ("no-such-program", 127, "failed", "failed (exit 127): "),
    ] {
        run(&it, &[], script).code(code);
        let told = it.run(["status", "job"]).code(0).out;
        assert!(told.starts_with(&format!("job: {sentence}")), "{told}");
        it.run(["status", "--is", state, "job"]).code(0).prints("").says("");
        it.run(["status", "--is", "running", "job"]).code(1).prints("").says("");
        let listed = it.run(["list"]).code(0).out;
        let last = listed.lines().nth(1).unwrap().split("journal  ").nth(1);
        let shown =
            if state == "failed" { format!("failed (exit {code})") } else { state.to_owned() };
        assert_eq!(last, Some(&*shown), "{listed}");
        let json = it.run(["status", "--json", "job"]).code(0).json();
        assert_eq!(json["state"], state);
    }
    let all = it.run(["status"]).code(0).out;
    assert!(all.ends_with("1 session: 0 running, 0 interrupted, 1 failed\n"), "{all}");
    // What is saved by hand is no end of a program.
    it.feed(b"1", ["save", "-q", "job"]).code(0);
    it.run(["status", "--is", "idle", "job"]).code(0);
    it.run(["status", "--is", "done", "none"]).code(3);
}

#[test]
fn what_is_done_is_run_again_only_when_that_is_asked_for() {
    let it = Environment::new();
    let script = "echo \"[$PITSTOP_RESUMES] $($P load --default 0)\"; echo 9 | $P -q save";
    run(&it, &[], script).code(0).prints("[] 0\n");
    let ended = run(&it, &[], script).code(0).prints("");
    assert!(ended.err.starts_with("job is done, and was last saved just now: nothing to run\n"));
    assert!(ended.err.contains("hint: run `pitstop run --again job -- sh -c "), "{ended}");
    it.run(["status", "--is", "done", "job"]).code(0);
    let all = it.run(["status"]).code(0).prints("1 session: 0 running, 0 interrupted, 1 done\n");
    assert!(all.err.is_empty());
    // It begins anew, and what it had is in the trash.
    let ended = run(&it, &["--again"], script).code(0).prints("[] 0\n");
    assert!(ended.err.starts_with("job was done: that session is in the trash\n"), "{ended}");
    let trash = it.run(["trash", "list", "--json"]).json();
    assert_eq!(trash["sessions"][0]["summary"]["state"], "done");
    // Of what is not done it resumes.
    it.feed(b"4", ["save", "-q", "job"]).code(0);
    run(&it, &["--again"], script).code(0).prints("[1] 4\n");
    // Housekeeping is no run.
    it.run(["prune", "--revisions", "--keep", "1", "job"]).code(0);
    it.run(["convert", "job", "--to", "plain"]).code(0);
    it.run(["status", "--is", "done", "job"]).code(0);
}

#[test]
fn a_session_may_go_when_its_program_is_done() {
    let it = Environment::new();
    let words = ["--when-done", "trash"];
    run(&it, &words, "echo 1 | $P -q save; exit 3").code(3);
    it.run(["load", "job"]).prints("1\n");
    run(&it, &words, "echo 2 | $P -q save").code(0);
    it.run(["list", "--ids"]).prints("");
    assert_eq!(it.run(["trash", "list", "--json"]).json()["sessions"][0]["id"], "job");
    // One that is done, and stayed because its run was killed, is in the way of none.
    run(&it, &[], "echo 3 | $P -q save").code(0);
    run(&it, &words, "$P load --default none").code(0).prints("none");
    assert_eq!(it.run(["trash", "list", "--json"]).json()["sessions"].as_array().unwrap().len(), 3);
}

#[test]
fn a_run_that_waits_for_one_that_is_done_does_not_run() {
    let it = Environment::new();
    let both = "mkfifo go
                \"$P\" -q run -c job -- sh -c 'echo up; cat go; echo 1 | \"$P\" -q save' | {
                    read up; \"$P\" -q run --wait 60s job -- echo 'run twice' & echo > go; wait $!; echo $?; cat; }";
    it.shell(both).code(0).prints("0\n\n");
}

#[test]
fn sessions_are_found_by_name_state_age_and_size() {
    let it = Environment::new();
    for (id, size) in [("nightly-1", 10), ("nightly-2", 200_000), ("weekly", 3000)] {
        it.feed(&vec![b'x'; size], ["save", "-qc", id]).code(0);
    }
    it.run(["run", "-qc", "failed", "--", "false"]).code(1);
    std::fs::create_dir_all(it.location().join("bad.session/session")).unwrap();
    let ids = |words: &[&str]| it.run([&["list", "--ids"], words].concat()).out;
    assert_eq!(ids(&["nightly-*", "--sort", "name"]), "nightly-1\nnightly-2\n");
    assert_eq!(ids(&["weekl?"]), "weekly\n");
    assert_eq!(ids(&["--state", "failed"]), "failed\n");
    assert_eq!(ids(&["--state", "idle", "--sort", "size", "--limit", "2"]), "nightly-2\nweekly\n");
    assert_eq!(ids(&["--older-than", "1h"]), "");
    assert_eq!(ids(&["--newer-than", "1h"]).lines().count(), 4);
    assert_eq!(ids(&["--larger-than", "150k"]), "nightly-2\n");
    it.run(["list", "--state", "idle"]).code(0);
    it.run(["list", "no-such-*"]).code(0).prints("").says("no session matches");
    // One that cannot be read is a row, and what all take together is the last.
    let listed = it.run(["list", "--details", "--sort", "stored"]).code(6).out;
    let rows: Vec<Vec<&str>> = listed.lines().map(|it| it.split_whitespace().collect()).collect();
    assert_eq!(rows[0], ["SESSION", "SAVED", "SIZE", "STORED", "FORMAT", "STATE"]);
    assert_eq!((rows[1][0], rows[5][0], rows[5].last()), ("nightly-2", "bad", Some(&"damaged")));
    assert!(listed.contains("\n4 sessions: 198 KiB, "), "{listed}");
    let json = it.run(["list", "--json", "--details"]).code(6).json();
    assert_eq!(
        (&json["total"]["size"], &json["problems"][0]["id"]),
        (&203_010.into(), &"bad".into())
    );
}

#[test]
fn a_session_is_renamed_whole() {
    let it = Environment::new();
    for text in [b"1", b"2"] {
        it.feed(text, ["save", "-qc", "old"]).code(0);
    }
    it.run(["create", "taken"]).code(0);
    it.run(["last", "-q", "old"]).code(0);
    it.run(["rename", "old", "taken"]).code(1);
    it.run(["rename", "none", "new"]).code(3);
    let writer = it.repository().get("old").unwrap().writer().unwrap();
    it.run(["rename", "old", "new"]).code(4);
    drop(writer);
    it.run(["rename", "old", "new"]).code(0).prints("").says("old is called new now");
    it.run(["load", "--revision", "1", "new"]).prints("1");
    it.run(["last"]).prints("new\n");
    it.run(["load", "old"]).code(3);
    it.run(["trash", "list"]).says("the trash is empty");
}

#[test]
fn the_history_of_a_plain_session_is_one_row() {
    let it = Environment::new();
    it.run(["create", "job", "--format", "plain"]).code(0);
    it.run(["history", "job"]).code(0).prints("").says("nothing was saved in 'job' yet");
    it.feed(b"123", ["save", "-q", "job"]).code(0);
    let rows = it.run(["history", "job"]).code(0).says("").out;
    assert_eq!(rows.lines().count(), 2, "{rows}");
    assert!(rows.lines().nth(1).unwrap().starts_with("~REVISION  just now"), "{rows}");
    // What would be removed can be, whatever is damaged in it.
    std::fs::create_dir_all(it.location().join("bad.session/session")).unwrap();
    it.run(["remove", "-n", "bad"]).code(0);
    it.run(["remove", "bad"]).code(0);
}
