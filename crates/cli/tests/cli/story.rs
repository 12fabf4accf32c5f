//! What a person does with it, from the first save to the last removal.

use std::fs;

use super::environment::Environment;

#[test]
fn a_checkpoint_comes_back_as_it_was_saved() {
    let it = Environment::new();
    it.feed(b"{\"step\": 3}\n", ["save", "--create", "job"])
        .code(0)
        .prints("")
        .says("saved 12 B in job as revision 1");
    it.run(["load", "job"]).code(0).says("").prints("{\"step\": 3}\n");
    // Bytes of any kind, and none at all.
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    it.feed(&bytes, ["save", "job", "-"]).code(0).says("saved 98 KiB in job as revision 2");
    assert_eq!(it.run(["load", "job"]).code(0).bytes, bytes);
    it.feed(b"", ["save", "--allow-empty", "job"]).code(0).says("saved 0 B in job as revision 3");
    it.run(["load", "job", "-o", "-"]).code(0).prints("");
}

#[test]
fn files_are_saved_and_loaded() {
    let it = Environment::new();
    fs::write(it.path().join("state"), "one").unwrap();
    it.run(["save", "--create", "job", "state"]).code(0);
    fs::write(it.path().join("out"), "older").unwrap();
    it.run(["load", "job", "-o", "out"]).code(0).prints("").says("wrote 3 B to out");
    assert_eq!(fs::read(it.path().join("out")).unwrap(), b"one");
    it.run(["-q", "load", "job", "-o", "new"]).code(0).says("");
    assert_eq!(fs::read(it.path().join("new")).unwrap(), b"one");
    // Nothing is left beside them.
    let mut names: Vec<_> =
        fs::read_dir(it.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    names.sort();
    assert_eq!(names, ["new", "out", "sessions", "state"]);
}

#[test]
fn the_listing_shows_what_is_there_newest_first() {
    let it = Environment::new();
    it.run(["list"]).code(0).prints("").says(
        "no sessions in $DIR/sessions
         hint: run `pitstop create SESSION` to create one",
    );
    it.feed(&[b'x'; 4301], ["save", "--create", "nightly-import"]).code(0);
    it.run(["create", "my job"]).code(0).prints("my job\n");
    let writer = it.repository().get("my job").unwrap().writer().unwrap();
    it.run(["list"]).code(0).says("").prints(
        "SESSION         SAVED              SIZE  FORMAT   STATE\n\
         my job          never                 -  journal  running\n\
         nightly-import  just now        4.2 KiB  journal\n",
    );
    drop(writer);
    it.run(["list", "--ids"]).code(0).says("").prints("my job\nnightly-import\n");
}

#[test]
fn the_last_session_is_the_one_to_resume() {
    let it = Environment::new();
    it.run(["last"]).code(3).prints("").says(
        "error: there is no last session in $DIR/sessions
         hint: run `pitstop last SESSION` to set it",
    );
    it.feed(b"one", ["save", "-c", "job"]).code(0);
    it.run(["last", "job"]).code(0).prints("").says("job is the last session now");
    it.run(["last"]).code(0).prints("job\n").says("");
    it.run(["load", "--last"]).code(0).prints("one");
    it.run(["status", "--last"]).code(0).prints("job: idle\n");
    let shown = it.run(["show", "--last"]).code(0).out;
    assert!(shown.starts_with("session   job\n"), "{shown}");
    it.run(["load", "--last", "job"]).code(2);
    it.run(["load"]).code(2);
}

#[test]
fn a_new_session_takes_the_place_of_the_last() {
    let it = Environment::new();
    it.feed(b"1", ["save", "--create", "--replace-last", "first"]).code(0);
    it.run(["last"]).code(0).prints("first\n");
    let new = it.run(["create", "--replace-last", "--prefix", "My title"]).code(0).out;
    let new = new.trim_end();
    assert!(new.starts_with("My-title-20"), "{new}");
    it.run(["load", "--last"]).code(0).prints("1");
    it.feed(b"2", ["save", new]).code(0);
    it.run(["list", "--ids"]).code(0).prints(&format!("{new}\n"));
    it.run(["load", "--last"]).code(0).prints("2");
}

#[test]
fn a_last_session_that_cannot_be_replaced_is_a_warning() {
    let it = Environment::new();
    it.feed(b"1", ["save", "--create", "--replace-last", "first"]).code(0);
    let writer = it.location().join("first.session/session.writer");
    fs::remove_file(&writer).unwrap();
    fs::create_dir(&writer).unwrap();
    let ended = it.feed(b"2", ["save", "--create", "--replace-last", "second"]).code(0);
    assert!(ended.err.starts_with("warning: could not replace the last session, "), "{ended}");
    assert!(ended.err.ends_with("\nsaved 1 B in second as revision 1\n"), "{ended}");
    it.run(["load", "--last"]).code(0).prints("2");
}

#[test]
fn show_tells_what_is_known() {
    let it = Environment::new();
    it.run(["create", "job"]).code(0);
    it.run(["show", "job"]).code(0).prints(
        "session   job\n\
         location  $DIR/sessions/job.session\n\
         saved     never\n\
         format    journal\n\
         state     idle\n",
    );
    it.feed(&[0; 2048], ["save", "job", "--label", "step=7", "-l", "odd=\u{1b}"]).code(0);
    let shown = it.run(["show", "job"]).code(0).out;
    let lines: Vec<_> = shown.lines().collect();
    assert!(lines[2].starts_with("saved     20") && lines[2].ends_with("+00:00 (just now)"));
    assert_eq!(lines[3..5], ["size      2.0 KiB (2048 bytes)", "stored    4.0 KiB"]);
    assert_eq!(lines[5], "revision  1");
    assert_eq!(lines[6], format!("digest    {}", pitstop::Digest::of(&[0; 2048])));
    assert_eq!(lines[7..9], ["label     odd=\\u{1b}", "label     step=7"]);
    assert_eq!(lines[9], "kept      1 revision, 4.0 KiB");
    assert_eq!(lines[10..], ["format    journal", "state     idle", "content   binary"]);
}

#[test]
fn status_tells_who_is_writing_and_who_was_killed() {
    let it = Environment::new();
    it.run(["status"]).code(0).prints("0 sessions: 0 running, 0 interrupted\n");
    for id in ["idle", "killed", "live"] {
        it.run(["create", id]).code(0);
    }
    let record = r#"{"host":"h","boot_id":"b","pid":7,"start_time":1,"program":"job","since":0}"#;
    fs::write(it.location().join("killed.session/session.writer"), record).unwrap();
    let _writer = it.repository().get("live").unwrap().writer().unwrap();
    let hint = "hint: an interrupted session needs no repair: start its program again";
    let out = it.run(["status"]).code(0).says(hint).out;
    let lines: Vec<_> = out.lines().collect();
    assert_eq!(lines.len(), 3, "{out}");
    assert!(
        lines[0].starts_with("live: running: ") || lines[1].starts_with("live: running: "),
        "{out}"
    );
    assert!(out.contains("(pid PID on ") && out.contains(", begun just now\n"), "{out}");
    assert!(
        out.contains("killed: interrupted: job (pid 7 on h) was killed; never saved\n"),
        "{out}"
    );
    assert_eq!(lines[2], "3 sessions: 1 running, 1 interrupted");
    // Nothing has to be done about one that was killed.
    it.feed(b"1", ["save", "killed"]).code(0);
    it.run(["status", "killed"]).code(0).prints("killed: idle\n");
}

#[test]
fn removing_is_deliberate() {
    let it = Environment::new();
    it.run(["remove"]).code(2);
    for id in ["one", "two", "three"] {
        it.feed(b"123", ["save", "-c", "--format", "plain", id]).code(0);
    }
    fs::create_dir(it.location().join("one.session/more")).unwrap();
    fs::write(it.location().join("one.session/more/file"), "1234").unwrap();
    it.run(["remove", "--dry-run", "one"]).code(0).prints("would remove one: 3 files, 8.0 KiB\n");
    it.run(["load", "one"]).code(0).prints("123");
    let writer = it.repository().get("two").unwrap().writer().unwrap();
    it.run(["remove", "-n", "two"]).code(4).prints("");
    // It goes on past a failure, and ends with the code of the first.
    let ended = it.run(["remove", "none", "two", "one"]).code(3).prints("");
    assert!(ended.err.contains("error: there is no session 'none'"), "{ended}");
    assert!(ended.err.contains("error: session 'two' is in use: "), "{ended}");
    assert!(ended.err.contains("removed one: it is in the trash\n"), "{ended}");
    drop(writer);
    it.run(["remove", "two", "three"]).code(0).says(
        "removed two: it is in the trash
         removed three: it is in the trash
         hint: run `pitstop trash restore three` to restore it, `pitstop trash empty three` to delete it",
    );
    it.run(["list", "--ids"]).code(0).prints("");
    it.run(["trash", "restore", "one", "two", "--as", "x"]).code(2);
    let ended = it.run(["trash", "restore", "one", "none", "two"]).code(3);
    assert!(ended.err.contains("error: there is no session 'none' in the trash\n"), "{ended}");
    assert!(ended.err.ends_with("restored two\n"), "{ended}");
    // A hint is about the same repository.
    let hint = "`pitstop --repository sessions trash empty one` to delete it\n";
    let ended = it.run(["-r", "sessions", "remove", "one"]).code(0);
    assert!(ended.err.ends_with(hint), "{ended}");
}

#[test]
fn the_default_place_is_below_home() {
    let it = Environment::new();
    let mut command = it.command(super::environment::PITSTOP);
    command.env_remove("PITSTOP_REPOSITORY").args(["create", "job"]);
    it.ended(command.output().unwrap()).code(0);
    assert!(it.path().join("home/.local/state/pitstop/sessions/job.session").is_dir());
}
