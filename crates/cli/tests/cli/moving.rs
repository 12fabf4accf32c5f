//! Going back, and going on elsewhere.

use std::fs;

use super::environment::Environment;

fn three_steps() -> Environment {
    let it = Environment::new();
    for step in ["1", "2", "3"] {
        let label = format!("step={step}");
        it.feed(step.as_bytes(), ["save", "-qc", "-l", &label, "job"]).code(0);
    }
    it
}

#[test]
fn an_older_revision_is_made_the_newest_and_nothing_is_lost() {
    let it = three_steps();
    it.run(["restore", "job", "--revision", "1"])
        .code(0)
        .prints("")
        .says("revision 1 of job (1 B) is the newest now, as revision 4");
    it.run(["load", "job"]).code(0).prints("1");
    it.run(["load", "job", "--revision", "3"]).code(0).prints("3");
    let json = it.run(["restore", "--json", "job", "--revision", "2"]).code(0).json();
    assert_eq!((&json["restored"], &json["revision"]), (&2.into(), &5.into()));
    assert_eq!(json["labels"]["step"], "2");
    it.run(["restore", "job", "--revision", "9"]).code(3).says(
        "error: session 'job' has no revision 9
         hint: run `pitstop history job` to see the revisions it keeps",
    );
    it.run(["restore", "job"]).code(2);
    it.run(["restore", "job", "--newest-good"]).code(1).says(
        "error: the newest checkpoint of 'job', revision 5, is good already
         hint: run `pitstop history job` to see the older ones",
    );
}

#[test]
fn a_session_goes_on_from_what_is_good() {
    let it = Environment::new();
    for state in [b'a', b'b'] {
        it.feed(&[state; 5000], ["save", "-qc", "job"]).code(0);
    }
    let segment = it.location().join("job.session/session.journal-0");
    let mut bytes = fs::read(&segment).unwrap();
    let payload = bytes.windows(100).position(|it| it == [b'b'; 100]).unwrap();
    bytes[payload + 50] ^= 1;
    fs::write(segment, bytes).unwrap();
    let ended = it.run(["copy", "job", "--to", "backup"]).code(6);
    let hint = "hint: nothing was changed; run `pitstop restore job --newest-good` to save revision 1, \
                the newest good one, again\n";
    assert!(ended.err.ends_with(hint), "{ended}");
    it.run(["restore", "job", "--newest-good"])
        .code(0)
        .says("revision 1 of job (4.9 KiB) is the newest now, as revision 4");
    it.run(["load", "job"]).code(0).prints(&"a".repeat(5000));
    let ended = it.run(["copy", "job", "--to", "backup"]).code(6);
    assert!(
        ended.err.ends_with("warning: revision 2 of job is damaged, and was not copied\n"),
        "{ended}"
    );
}

#[test]
fn a_fork_goes_its_own_way() {
    let it = three_steps();
    let directory = it.location().join("job.session");
    fs::write(directory.join("log"), "of the program").unwrap();
    it.run(["fork", "job", "--as", "try", "--revision", "2"]).code(0).prints("try\n").says("");
    it.run(["load", "try"]).code(0).prints("2");
    assert_eq!(fs::read(it.location().join("try.session/log")).unwrap(), b"of the program");
    let listed = it.run(["list", "--label", "step=2"]).code(0).out;
    assert!(listed.lines().count() == 2 && listed.contains("\ntry "), "{listed}");
    let made = it.run(["fork", "job"]).code(0).out;
    assert!(made.starts_with("job-20"), "{made}");
    it.run(["load", made.trim_end()]).code(0).prints("3");
    it.run(["fork", "job", "--as", "try"]).code(1);
}

#[test]
fn labels_are_listed_and_looked_for() {
    let it = three_steps();
    it.feed(b"x", ["save", "-qc", "other"]).code(0);
    it.run(["list"]).code(0).prints(
        "SESSION  SAVED              SIZE  FORMAT   ABOUT\n\
         other    just now            1 B  journal\n\
         job      just now            1 B  journal  step=3\n",
    );
    it.run(["list", "--ids", "--label", "step"]).code(0).prints("job\n");
    it.run(["list", "--ids", "--label", "step=3"]).code(0).prints("job\n");
    it.run(["list", "--label", "step=2"]).code(0).prints("").says("no session matches");
}

#[test]
fn a_copy_is_made_and_brought_up_to_date() {
    let it = three_steps();
    fs::create_dir(it.location().join("job.session/logs")).unwrap();
    fs::write(it.location().join("job.session/logs/1"), "log").unwrap();
    it.run(["copy", "job", "--to", "backup"])
        .code(0)
        .prints("")
        .says("copied 3 revisions and 1 file of job to $DIR/backup");
    assert_eq!(fs::read(it.path().join("backup/job.session/logs/1")).unwrap(), b"log");
    let history = |at: &str| it.run(["history", "--json", "-r", at, "job"]).code(0).json();
    let infos = |at: &str| {
        let mut all = history(at)["revisions"].clone();
        all.as_array_mut().unwrap().iter_mut().for_each(|it| it["stored_size"] = 0.into());
        all
    };
    assert_eq!(infos("backup"), infos("sessions"));
    it.run(["copy", "job", "--to", "backup"]).code(0).says("job was in $DIR/backup already");
    it.feed(b"4", ["save", "-q", "job"]).code(0);
    it.run(["copy", "job", "--to", "backup"])
        .code(0)
        .says("copied 1 revision and 1 file of job to $DIR/backup");
    it.feed(b"another 5", ["save", "-q", "-r", "backup", "job"]).code(0);
    it.run(["copy", "job", "--to", "backup"]).code(5).says(
        "error: session 'job' in $DIR/backup has diverged: its revision 5 is not in the source
         hint: nothing was changed; add `--as NAME` to give the copy another name",
    );
    it.run(["copy", "job", "--to", "backup", "--as", "other"]).code(0);
    it.run(["load", "-r", "backup", "other"]).code(0).prints("4");
}

#[test]
fn a_whole_repository_is_copied() {
    let it = three_steps();
    it.feed(b"plain", ["save", "-qc", "--format", "plain", "old"]).code(0);
    it.run(["last", "-q", "old"]).code(0);
    it.run(["copy", "--all", "--to", "backup", "-q"]).code(0).says("");
    it.run(["list", "--ids", "-r", "backup"]).code(0).prints("old\njob\n");
    it.run(["last", "-r", "backup"]).code(0).prints("old\n");
    it.run(["load", "-r", "backup", "old"]).code(0).prints("plain");
    // For PlainBox: the newest of each, and what stays behind is said.
    it.run(["copy", "job", "--to", "plain", "--format", "plain"]).code(0).says(
        "copied 1 revision of job to $DIR/plain
         2 older revisions of job stayed behind: the copy keeps no history
         the labels of job stayed behind: the copy keeps no labels",
    );
    assert_eq!(fs::read(it.path().join("plain/job.session/session")).unwrap(), b"3");
    it.run(["copy", "--to", "backup"]).code(2);
    it.run(["copy", "--all", "job", "--to", "backup"]).code(2);
    it.run(["copy", "job", "old", "--to", "backup", "--as", "x"]).code(2);
    let ended = it.run(["copy", "none", "old", "--to", "backup"]).code(3);
    assert!(ended.err.ends_with("old was in $DIR/backup already\n"), "{ended}");
}

#[test]
fn a_session_goes_on_on_another_machine() {
    let it = three_steps();
    fs::write(it.location().join("job.session/log"), "log").unwrap();
    it.shell("cd sessions/job.session && echo : > go && chmod 755 go && chmod 644 log").code(0);
    it.run(["export", "job", "-o", "job.tar"])
        .code(0)
        .prints("")
        .says("wrote 3 revisions and 2 files of job to job.tar");
    let listed = it.shell("tar tf job.tar").code(0).out;
    assert!(listed.contains("files/log\n") && listed.ends_with("checkpoints/3\nend.json\n"));
    it.run(["import", "-r", "there", "job.tar"])
        .code(0)
        .says("imported 3 revisions and 2 files of job into $DIR/there");
    it.run(["load", "-r", "there", "job"]).code(0).prints("3");
    assert_eq!(fs::read(it.path().join("there/job.session/log")).unwrap(), b"log");
    // Its owner may execute what they could before, and nobody else may do anything.
    it.run(["copy", "-q", "job", "--to", "elsewhere"]).code(0);
    it.run(["fork", "-q", "job", "--as", "forked"]).code(0);
    for place in ["there/job", "elsewhere/job", "sessions/forked"] {
        let modes = it.shell(&format!("cd {place}.session && stat -c %a go log")).out;
        assert_eq!(modes, "700\n600\n", "{place}");
    }
    it.run(["history", "-r", "there", "job", "--label", "step=1"]).code(0);
    // Through a pipe, and under another name.
    it.shell("\"$P\" export -q job | \"$P\" import -r there --as other")
        .code(0)
        .says("imported 3 revisions and 2 files of other into $DIR/there");
    let json = it.run(["export", "--json", "job", "-o", "again.tar"]).code(0).json();
    assert_eq!((&json["revisions"], &json["files"]), (&3.into(), &2.into()));
    it.run(["export", "--json", "job"]).code(2);
    it.feed(b"its own", ["save", "-q", "-r", "there", "job"]).code(0);
    it.run(["import", "-r", "there", "job.tar"]).code(5);
    // What is no archive, or not a whole one, leaves nothing.
    it.shell("head -c 5000 job.tar > cut.tar; echo no archive > text.tar").code(0);
    for file in ["cut.tar", "text.tar"] {
        it.run(["import", "-r", "there", "--as", "new", file]).code(6).prints("").says(
            "error: the archive is damaged: it is no tar archive, or not a whole one
             hint: nothing was imported; run `pitstop export` to make a good archive",
        );
    }
    it.run(["load", "-r", "there", "new"]).code(3);
    it.run(["import", "none.tar"]).code(1);
    // An archive that cannot be written leaves the one that is there.
    let before = fs::read(it.path().join("job.tar")).unwrap();
    it.run(["export", "none", "-o", "job.tar"]).code(3);
    it.run(["export", "job", "-o", "/dev/full"]).code(1).says(
        "error: cannot write to /dev/full
         cause: No space left on device (os error 28)
         hint: only the output failed: see where it goes",
    );
    assert_eq!(fs::read(it.path().join("job.tar")).unwrap(), before);
}

#[test]
fn a_session_is_converted_where_it_is() {
    let it = three_steps();
    it.run(["convert", "job", "--to", "plain"]).code(1).says(
        "error: keeping the history or the labels is not supported by the format 'plain'
         hint: nothing was changed; add --lose-history to keep only the newest checkpoint
         hint: or run `pitstop copy job --to $DIR/sessions --as NAME --format plain` to make a plain copy",
    );
    let place = it.location();
    let words =
        ["copy", "job", "--to", place.to_str().unwrap(), "--as", "beside", "--format", "plain"];
    it.run(words).code(0);
    it.run(["load", "beside"]).code(0).prints(&it.run(["load", "job"]).out);
    let saved = it.run(["show", "--json", "job"]).code(0).json()["checkpoint"]["saved"].clone();
    it.run(["convert", "job", "--to", "plain", "--lose-history"])
        .code(0)
        .says("job was journal, and is plain now");
    let directory = it.location().join("job.session");
    assert_eq!(fs::read(directory.join("session")).unwrap(), b"3");
    let names = || it.shell("ls sessions/job.session").code(0).out;
    assert_eq!(names(), "session\nsession.writer\n");
    assert_eq!(it.run(["show", "--json", "job"]).code(0).json()["checkpoint"]["saved"], saved);
    it.run(["convert", "job", "--to", "plain"]).code(0).says("job is plain already");
    // PlainBox may be saving, and a live writer is not disturbed.
    fs::write(directory.join("session.next"), "half").unwrap();
    it.run(["convert", "job", "--to", "journal"]).code(4);
    fs::remove_file(directory.join("session.next")).unwrap();
    let writer = it.repository().get("job").unwrap().writer().unwrap();
    it.run(["convert", "job", "--to", "journal"]).code(4);
    drop(writer);
    let json = it.run(["convert", "--json", "job", "--to", "journal"]).code(0).json();
    assert_eq!(
        json,
        serde_json::json!({ "schema": 1, "id": "job", "format": "journal", "was": "plain" })
    );
    assert_eq!(names(), "session.journal\nsession.journal-0\nsession.writer\n");
    let history = it.run(["history", "--json", "job"]).code(0).json();
    assert_eq!(history["revisions"][0]["saved"], saved);
    it.feed(b"4", ["save", "job"]).code(0).says("saved 1 B in job as revision 2");
    // One that was never saved.
    it.run(["create", "-q", "--format", "plain", "new"]).code(0);
    for to in ["journal", "plain", "journal"] {
        it.run(["convert", "-q", "new", "--to", to]).code(0);
        it.run(["load", "new"]).code(3);
    }
    it.feed(b"1", ["save", "new"]).code(0).says("saved 1 B in new as revision 1");
}

#[test]
fn no_link_leads_out_of_a_copy() {
    let it = three_steps();
    let directory = it.location().join("job.session");
    std::os::unix::fs::symlink("/etc/passwd", directory.join("out")).unwrap();
    std::os::unix::fs::symlink("log", directory.join("in")).unwrap();
    fs::write(directory.join("log"), "log").unwrap();
    it.shell("mkfifo sessions/job.session/pipe").code(0);
    it.run(["copy", "job", "--to", "backup"]).code(0).says(
        "copied 3 revisions and 1 file of job to $DIR/backup
         warning: $DIR/sessions/job.session/out was not copied: it is a link that leads out of the \
         session's directory
         warning: $DIR/sessions/job.session/pipe was not copied: it is neither a file, a directory \
         nor a link",
    );
    let copy = it.path().join("backup/job.session");
    assert_eq!(fs::read_link(copy.join("in")).unwrap().to_str(), Some("log"));
    assert!(!copy.join("out").exists() && !copy.join("pipe").exists());
}
