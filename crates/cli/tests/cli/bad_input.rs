//! Names, places and input that cannot be what they should be.

use std::ffi::OsStr;
use std::fs;
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::process::Stdio;

use super::environment::{Environment, PITSTOP};

#[test]
fn names_that_no_session_can_have_are_refused() {
    let it = Environment::new();
    let long = "x".repeat(300);
    for (name, problem) in [
        ("a/b", "it has a '/' in it"),
        ("../job", "it has a '/' in it"),
        ("..", "it starts with a dot"),
        ("", "it is empty"),
        (" job", "it has white space at an end"),
        ("a\nb", "it has a control character in it"),
        ("\u{1b}[31m", "it has a control character in it"),
        (&long, "it is longer than 200 bytes"),
    ] {
        for command in ["create", "save", "load", "show", "status", "last", "unlock", "remove"] {
            let ended = it.run([command, name]).code(2).prints("");
            let (error, hint) = ended.err.split_once('\n').unwrap();
            assert!(error.starts_with("error: '") && error.ends_with(problem), "{ended}");
            assert!(error.len() < 200 && !error.contains(char::is_control), "{ended}");
            assert!(hint.starts_with("hint: use 1 to 200 bytes of UTF-8, without '/'"));
        }
    }
    // One that begins with a dash is taken for an option, unless the options have ended.
    it.run(["create", "-x"]).code(2);
    let ended = it.run(["create", "--", "-x"]).code(2);
    assert!(ended.err.contains("it starts with a dash, like an option"), "{ended}");
    assert!(!it.location().exists());
}

#[test]
fn a_name_that_is_not_utf_8_is_refused() {
    let it = Environment::new();
    for command in ["create", "save", "load", "remove"] {
        let ended = it.run([OsStr::new(command), OsStr::from_bytes(b"a\xffb")]).code(2).prints("");
        let error = "error: 'a\u{fffd}b' cannot be the name of a session: it is not UTF-8\n";
        assert!(ended.err.starts_with(error), "{ended}");
    }
}

#[test]
fn names_with_spaces_and_letters_of_any_kind_are_fine() {
    let it = Environment::new();
    for name in ["my job", "größe", "日本", "it's", "a..b"] {
        it.feed(name.as_bytes(), ["save", "--create", name]).code(0);
        it.run(["load", name]).code(0).prints(name);
    }
    it.feed(b"1", ["save", "it's new"]).code(3).says(
        r"error: there is no session 'it's new' in $DIR/sessions
          hint: run `pitstop save --create 'it'\''s new'` to create it",
    );
}

#[test]
fn a_repository_that_is_a_file_is_refused() {
    let it = Environment::new();
    fs::write(it.path().join("file"), "").unwrap();
    for place in ["file", "file/below"] {
        for command in ["create", "list", "status", "last"] {
            let ended = it.run(["--repository", place, command]).code(1).prints("");
            let (error, hint) = ended.err.split_once('\n').unwrap();
            assert!(error.starts_with(&format!("error: $DIR/{place} cannot be a repository: ")));
            assert_eq!(hint, "hint: name a directory with --repository or $PITSTOP_REPOSITORY\n");
        }
    }
    it.run(["--repository", "", "list"]).code(2).prints("");
}

#[test]
fn a_repository_that_is_a_link_is_where_it_leads() {
    let it = Environment::new();
    fs::create_dir(it.path().join("real")).unwrap();
    symlink("real", it.path().join("link")).unwrap();
    it.feed(b"1", ["-r", "link", "save", "-c", "job"]).code(0);
    it.run(["-r", "real", "load", "job"]).code(0).prints("1");
    symlink("nowhere", it.path().join("dangling")).unwrap();
    it.run(["-r", "dangling", "list"]).code(0).prints("");
    it.run(["-r", "dangling", "create", "job"]).code(1).prints("").says(
        "error: $DIR/dangling cannot be a repository: it is a link that leads nowhere
         hint: name a directory with --repository or $PITSTOP_REPOSITORY",
    );
    assert!(!it.path().join("nowhere").exists());
}

#[test]
fn a_session_that_is_a_link_is_not_followed() {
    let it = Environment::new();
    it.run(["create", "good"]).code(0);
    fs::create_dir(it.path().join("outside")).unwrap();
    fs::write(it.path().join("outside/session"), "secret").unwrap();
    symlink("../outside", it.location().join("link.session")).unwrap();
    it.run(["load", "link"]).code(6).prints("");
    it.run(["remove", "link"]).code(6);
    it.run(["list", "--ids"]).code(0).prints("good\n");
    assert!(it.path().join("outside/session").exists());
}

#[test]
fn input_that_cannot_be_read_saves_nothing() {
    let it = Environment::new();
    it.feed(b"good", ["save", "--create", "job"]).code(0);
    for (line, problem) in [
        ("\"$P\" save job missing", "missing\ncause: No such file or directory (os error 2)"),
        ("\"$P\" save job .", ".\ncause: Is a directory (os error 21)"),
        ("\"$P\" save job <.", "standard input\ncause: Is a directory (os error 21)"),
        (
            "\"$P\" save job <&-",
            "standard input\ncause: it is closed (to save nothing, name /dev/null)",
        ),
    ] {
        it.shell(line).code(1).prints("").says(&format!(
            "error: cannot read {problem}
             hint: nothing was saved; the checkpoint before is unchanged"
        ));
        it.run(["load", "job"]).code(0).prints("good");
    }
    // Not even the session is made.
    it.shell("\"$P\" save --create new missing").code(1);
    it.run(["list", "--ids"]).code(0).prints("job\n");
    // Somebody who means to save nothing may.
    it.shell("\"$P\" save --allow-empty job </dev/null && \"$P\" save job /dev/null").code(0);
    it.run(["load", "job"]).code(0).prints("");
}

#[test]
fn a_session_that_is_removed_while_the_input_comes_is_not_found() {
    let it = Environment::new();
    it.run(["create", "job"]).code(0);
    let mut command = it.command(PITSTOP);
    command.args(["save", "job"]).stdin(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut input = child.stdin.take().unwrap();
    // More than a pipe holds: once it is written, the command is reading.
    input.write_all(&[0; 1 << 20]).unwrap();
    it.run(["remove", "job"]).code(0);
    drop(input);
    let ended = it.ended(child.wait_with_output().unwrap()).code(3);
    assert!(ended.err.starts_with("error: there is no session 'job' in $DIR/sessions"), "{ended}");
    assert!(!it.location().join("job.session").exists());
}
