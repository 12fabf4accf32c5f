//! Each exit code, and what is said with it.

use std::fs;
use std::os::unix::ffi::OsStrExt;

use super::environment::Environment;

#[test]
fn not_found_is_3() {
    let it = Environment::new();
    for command in ["load", "show", "status", "last", "unlock", "remove"] {
        it.run([command, "job"]).code(3).prints("").says(
            "error: there is no session 'job' in $DIR/sessions
             hint: run `pitstop list` to see all sessions",
        );
    }
    it.feed(b"1", ["save", "job"]).code(3).says(
        "error: there is no session 'job' in $DIR/sessions
         hint: run `pitstop save --create job` to create it",
    );
    assert!(!it.location().exists());
    it.run(["create", "job"]).code(0);
    it.run(["load", "job"]).code(3).prints("").says(
        "error: session 'job' has no checkpoint yet
         hint: run `pitstop save job` to save the first one",
    );
}

#[test]
fn a_name_that_is_taken_is_1() {
    let it = Environment::new();
    it.run(["create", "my job"]).code(0);
    it.run(["create", "my job"]).code(1).prints("").says(
        "error: there is a session 'my job' in $DIR/sessions already
         hint: run `pitstop save 'my job'` to save in it
         hint: or run `pitstop create --prefix 'my job'` to create another",
    );
    // The hints name the repository if the command line did.
    let ended = it.run(["-r", "sessions", "create", "my job"]).code(1);
    assert!(ended.err.contains("`pitstop --repository sessions save 'my job'`"), "{ended}");
}

#[test]
fn busy_is_4() {
    let it = Environment::new();
    it.feed(b"1", ["save", "--create", "job"]).code(0);
    let writer = it.repository().get("job").unwrap().writer().unwrap();
    for command in ["save", "unlock", "remove"] {
        let ended = it.feed(b"2", [command, "job"]).code(4).prints("");
        assert!(ended.err.starts_with("error: session 'job' is in use: "), "{ended}");
        assert!(ended.err.contains(" (pid PID on "), "{ended}");
        let hint = "hint: add `--wait 10s` to wait for the writer to end\nhint: or run `kill ";
        assert!(ended.err.contains(hint), "{ended}");
    }
    drop(writer);
    it.run(["load", "job"]).code(0).prints("1");
    it.feed(b"2", ["save", "job"]).code(0);
}

#[test]
fn a_lock_of_plainbox_is_4_until_it_is_cleared() {
    let it = Environment::new();
    it.feed(b"1", ["save", "--create", "--format", "plain", "job"]).code(0);
    fs::write(it.location().join("job.session/session.next"), "half").unwrap();
    for command in ["save", "remove"] {
        it.feed(b"2", [command, "job"]).code(4).says(
            "error: session 'job' is locked: PlainBox's $DIR/sessions/job.session/session.next \
             exists and may be in use
             hint: try again in a minute: Pitstop takes over a lock whose PlainBox has ended
             hint: run `pitstop unlock job` only if you are sure that no PlainBox is running",
        );
    }
    it.run(["remove", "-n", "job"]).code(4).prints("");
    let out = it.run(["status"]).code(0).out;
    assert!(out.starts_with("job: locked by PlainBox, which may be writing; "), "{out}");
    assert!(out.ends_with("1 session: 0 running, 0 interrupted, 1 locked\n"));
    it.run(["unlock", "job"])
        .code(0)
        .prints("")
        .says("unlocked: the lock is kept as $DIR/sessions/job.session/session.aside-1");
    it.run(["unlock", "job"]).code(0).says("'job' was not locked");
    it.feed(b"2", ["save", "job"]).code(0);
}

#[test]
fn a_conflict_is_5() {
    let it = Environment::new();
    it.run(["create", "job"]).code(0);
    it.feed(b"1", ["save", "--follows", "0", "job"]).code(0);
    it.feed(b"2", ["save", "--follows", "1", "job"]).code(0);
    it.feed(b"3", ["save", "--follows", "1", "job"]).code(5).prints("").says(
        "error: session 'job' is at revision 2, not at 1: somebody saved in between
         hint: run `pitstop load job` to load what was saved in between
         hint: or run `pitstop save --follows 2 job` to save over it",
    );
    it.run(["load", "job"]).code(0).prints("2");
}

#[test]
fn a_conflict_in_a_plain_session_is_5() {
    let it = Environment::new();
    it.run(["create", "job", "--format", "plain"]).code(0);
    let first = it.feed(b"1", ["save", "--json", "--follows", "0", "job"]).code(0).json();
    let first = first["revision"].as_str().unwrap();
    it.feed(b"2", ["save", "--follows", first, "job"]).code(0);
    it.feed(b"3", ["save", "--follows", first, "job"]).code(5).prints("").says(
        "error: session 'job' is at revision ~REVISION, not at ~REVISION: somebody saved in between
         hint: run `pitstop load job` to load what was saved in between
         hint: or run `pitstop save --follows '~REVISION' job` to save over it",
    );
    it.run(["load", "job"]).code(0).prints("2");
}

#[test]
fn damage_is_6_and_hides_nothing() {
    let it = Environment::new();
    it.feed(b"1", ["save", "--create", "good"]).code(0);
    fs::create_dir_all(it.location().join("bad.session/session")).unwrap();
    it.run(["load", "bad"]).code(6).prints("").says(
        "error: $DIR/sessions/bad.session/session is damaged: it is a directory, where a file \
         belongs
         hint: nothing was changed; run `pitstop verify bad` to see what is damaged",
    );
    it.run(["list", "--ids"]).code(6).prints("good\n").says(
        "warning: $DIR/sessions/bad.session/session is damaged: it is a directory, where a file \
         belongs",
    );
    it.run(["status"]).code(6).prints("1 session: 0 running, 0 interrupted\n");
    fs::write(it.location().join("last-session"), "").unwrap();
    let ended = it.run(["last"]).code(6);
    assert!(ended.err.contains("run `pitstop last SESSION` to move it aside"), "{ended}");
    it.run(["last", "good"]).code(0);
}

#[test]
fn an_entry_that_is_no_session_is_a_warning() {
    let it = Environment::new();
    it.run(["create", "good"]).code(0);
    let name = std::ffi::OsStr::from_bytes(b"a\xff.session");
    fs::create_dir(it.location().join(name)).unwrap();
    let ended = it.run(["list", "--ids"]).code(0).prints("good\n");
    assert!(ended.err.starts_with("warning: 'a\u{fffd}"), "{ended}");
    assert!(ended.err.ends_with(" cannot be the name of a session: it is not UTF-8\n"), "{ended}");
}

#[test]
fn a_wrong_command_line_is_2() {
    let it = Environment::new();
    it.run::<&str>([]).code(2);
    it.run(["frobnicate"]).code(2);
    it.run(["create", "job", "--prefix", "x"]).code(2);
    it.run(["save", "--replace-last", "job"]).code(2);
    for (word, tip) in [("resume", "'run', 'load'"), ("rm", "'remove'"), ("log", "'history'")] {
        let ended = it.run([word, "job"]).code(2);
        assert!(
            ended.err.contains(&format!("exist: {tip}"))
                || ended.err.contains(&format!("exists: {tip}")),
            "{ended}"
        );
    }
    for (words, problem) in [
        (["prune", "--older-than", "-1d"], "an age is a number and a unit"),
        (["prune", "--keep", "-1"], "a number is written in digits"),
        (["load", "--revision", "-1"], "a revision is a number"),
        (["copy", "--to", "there"], "hint: name sessions, or add --all"),
        (["restore", "-q", "job"], "no revision is named"),
    ] {
        let ended = it.run(words).code(2);
        assert!(ended.err.contains(problem), "{ended}");
    }
    let ended = it.run(["save", "--follows", "seven", "job"]).code(2);
    assert!(ended.err.contains("a revision is a number, or ~ and 16 digits"), "{ended}");
}
