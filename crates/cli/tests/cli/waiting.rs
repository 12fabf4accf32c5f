//! Saving while others do, over what should stay, and inside `pitstop run`.

use std::fs;
use std::process::Stdio;

use super::environment::{Environment, PITSTOP};

#[test]
fn saves_of_several_shells_wait_for_each_other() {
    let it = Environment::new();
    it.run(["create", "job"]).code(0);
    it.shell(
        "save() { for n in 1 2 3 4 5 6 7 8 9 10; do echo $n | \"$P\" -q save --wait 60s job || echo failed; done; }
         save & save & save & wait",
    )
    .code(0)
    .says("")
    .prints("");
    let history = it.run(["history", "job", "--json"]).json();
    assert_eq!(history["revisions"][0]["revision"], 30);
}

#[test]
fn whoever_waits_goes_on_when_the_writer_ends_and_gives_up_in_time() {
    let it = Environment::new();
    it.feed(b"1", ["save", "-c", "job"]).code(0);
    let mut writer = it.repository().get("job").unwrap().writer().unwrap();
    let ended = it.run(["unlock", "--wait", "200ms", "job"]).code(2);
    assert!(ended.err.contains("an age is a number and a unit"), "{ended}");
    for command in ["unlock", "remove"] {
        it.run([command, "--wait", "0.5s", "job"]).code(4);
    }
    let mut command = it.command(PITSTOP);
    command.args(["run", "--wait", "60s", "job", "--", PITSTOP, "load"]).stdout(Stdio::piped());
    let waiting = command.stderr(Stdio::piped()).spawn().unwrap();
    // It has seen that the session is in use once it watches the record.
    let watches = || {
        let open = fs::read_dir(format!("/proc/{}/fd", waiting.id())).unwrap();
        let links = open.filter_map(|it| fs::read_link(it.ok()?.path()).ok());
        links.into_iter().any(|it| it.to_string_lossy() == "anon_inode:inotify")
    };
    while !watches() {
        std::thread::yield_now();
    }
    writer.save(b"2").unwrap();
    drop(writer);
    it.ended(waiting.wait_with_output().unwrap()).code(0).says("").prints("2");
}

#[test]
fn an_empty_input_does_not_cover_a_checkpoint() {
    let it = Environment::new();
    it.shell("false | \"$P\" -q save --create job").code(0);
    it.feed(b"good", ["save", "job"]).code(0);
    let says = "error: the input is empty, and the checkpoint of 'job' (4 B) is not
                hint: nothing was saved; see whether the program that made the input failed
                hint: run `pitstop save --allow-empty job` to save the empty input";
    it.shell("false | \"$P\" save job").code(1).says(says);
    it.run(["save", "job", "/dev/null"]).code(1).says(says);
    it.run(["load", "job"]).prints("good");
    it.run(["-q", "save", "--allow-empty", "job", "/dev/null"]).code(0);
    it.run(["load", "job"]).code(0).prints("");
    it.run(["-q", "save", "job", "/dev/null"]).code(0);
}

#[test]
fn a_save_over_damage_says_so() {
    let it = Environment::new();
    it.feed(&[b'1'; 5000], ["save", "-c", "job"]).code(0);
    it.feed(&[b'2'; 5000], ["save", "job"]).code(0);
    // One bit of the newest payload.
    let segment = it.location().join("job.session/session.journal-0");
    let mut bytes = fs::read(&segment).unwrap();
    let at = bytes.windows(4).rposition(|it| it == b"2222").unwrap();
    bytes[at] ^= 1;
    fs::write(&segment, bytes).unwrap();
    let ended = it.feed(b"3", ["save", "job"]).code(0);
    assert!(ended.err.contains("\nwarning: ") && ended.err.contains(" is damaged: "), "{ended}");
    assert!(ended.err.contains(" was saved over this damage\n"), "{ended}");
    let hint = "hint: run `pitstop verify job` to see which revisions can still be loaded\n";
    assert!(ended.err.ends_with(hint), "{ended}");
    assert!(!it.feed(b"4", ["save", "job"]).code(0).err.contains("warning"));
}

#[test]
fn a_file_that_is_named_alone_is_not_taken_for_a_session() {
    let it = Environment::new();
    fs::write(it.path().join("state.json"), "{}").unwrap();
    it.shell("\"$P\" run -c job -- \"$P\" save state.json").code(3).says(
        "error: there is no session 'state.json' in $DIR/sessions
         hint: run `pitstop save --file state.json` to save the file state.json",
    );
    it.shell("\"$P\" run job -- \"$P\" -q save --file state.json").code(0).says("");
    it.run(["load", "job"]).prints("{}");
    it.run(["save", "state.json"]).code(3).says(
        "error: there is no session 'state.json' in $DIR/sessions
         hint: run `pitstop save --create SESSION state.json` to save the file state.json",
    );
    it.run(["save", "job", "state.json", "--file", "state.json"]).code(2);
}
