//! Where the output goes, and what happens when it cannot go there.

use std::fs;

use super::environment::{Ended, Environment, PITSTOP};

#[test]
fn a_reader_that_goes_away_is_no_trouble() {
    let it = Environment::new();
    for number in 0..3000 {
        fs::create_dir_all(it.location().join(format!("job-{number}.session"))).unwrap();
    }
    for command in ["list", "list --json", "list --ids", "completions bash"] {
        let line = format!("set -o pipefail; \"$P\" {command} | true");
        let line = format!("bash -c '{line}; echo ${{PIPESTATUS[0]}}'");
        it.shell(&line).code(0).says("").prints("0\n");
    }
    // Of a checkpoint every byte counts: half of one is no success.
    let large = vec![0; 1 << 20];
    it.feed(&large, ["save", "-c", "large"]).code(0);
    it.shell("bash -c '\"$P\" load large | true; echo ${PIPESTATUS[0]}'").says("").prints("1\n");
}

#[test]
fn output_that_cannot_be_written_is_an_error() {
    let it = Environment::new();
    it.feed(b"1", ["save", "-c", "job"]).code(0);
    let commands = [
        "load job",
        "list",
        "list --json",
        "list --ids",
        "show job",
        "history job",
        "status",
        "create new",
        "completions fish",
    ];
    for command in commands {
        it.shell(&format!("\"$P\" {command} >/dev/full")).code(1).says(
            "error: cannot write to standard output
             cause: No space left on device (os error 28)
             hint: only the output failed: see where it goes",
        );
    }
    it.run(["load", "job", "-o", "none/file"]).code(1).says(
        "error: cannot write to none/file
         cause: No such file or directory (os error 2)
         hint: only the output failed: see where it goes",
    );
    it.run(["load", "job", "-o", "."]).code(1).says(
        "error: cannot write to .
         cause: Is a directory (os error 21)
         hint: only the output failed: see where it goes",
    );
}

#[test]
fn talk_that_nobody_hears_stops_nothing() {
    let it = Environment::new();
    it.shell("\"$P\" save --create job </dev/null 2>/dev/full").code(0);
    it.shell("\"$P\" save job </dev/null 2>&-").code(0);
    it.shell("\"$P\" load none 2>/dev/full").code(3);
}

#[test]
fn quiet_says_only_what_went_wrong() {
    let it = Environment::new();
    it.feed(b"1", ["--quiet", "save", "--create", "job"]).code(0).says("");
    it.run(["-q", "load", "none"])
        .code(3)
        .says("error: there is no session 'none' in $DIR/sessions");
}

/// Runs a line of shell on a terminal of 60 columns; `None`, and the reason, where there is none.
fn on_terminal(it: &Environment, line: &str) -> Option<Ended> {
    on_terminal_of(it, 60, line)
}

/// Runs a line of shell in a terminal of so many columns, if one can be made.
pub(super) fn on_terminal_of(it: &Environment, columns: usize, line: &str) -> Option<Ended> {
    let script = it.command("script").arg("--version").output();
    if !script.is_ok_and(|it| it.status.success()) {
        eprintln!("skipped: there is no script(1) to make a terminal with");
        return None;
    }
    let line = format!("export TERM=xterm; stty cols {columns} rows 20; {line}");
    let mut command = it.command("script");
    command.args(["-qec", &line, "/dev/null"]).env("P", PITSTOP).env("SHELL", "/bin/sh");
    Some(it.ended(command.output().unwrap()))
}

#[test]
fn a_terminal_is_not_given_what_it_cannot_show() {
    let it = Environment::new();
    it.feed(b"a\x1b[31mb", ["save", "-c", "job"]).code(0);
    it.feed("größe\n".as_bytes(), ["save", "-c", "text"]).code(0);
    let Some(ended) = on_terminal(&it, "NO_COLOR=1 \"$P\" load job") else { return };
    ended.code(1).prints(
        "error: the checkpoint of 'job' is not text, and standard output is a terminal\r\n\
         hint: run `pitstop load job -o FILE` to write it to a file, or use a pipe\r\n",
    );
    on_terminal(&it, "\"$P\" load text").unwrap().code(0).prints("größe\r\n");
}

#[test]
fn a_terminal_says_once_where_the_end_is_and_gets_no_endless_line() {
    let it = Environment::new();
    it.feed(&[b'x'; 5000], ["save", "-c", "long"]).code(0);
    let Some(ended) = on_terminal(&it, "NO_COLOR=1 \"$P\" show long") else { return };
    let end = "xx… 4000 more characters: `pitstop load long`\r\n";
    assert!(ended.out.ends_with(end), "{ended}");
    // `script` passes the end of its own input on, once.
    let line = format!("export TERM=xterm; {PITSTOP} save -c job");
    let mut command = it.command("script");
    command.args(["-qec", &line, "/dev/null"]).env("SHELL", "/bin/sh");
    command.stdin(std::process::Stdio::piped()).stdout(std::process::Stdio::null());
    let mut child = command.spawn().unwrap();
    let mut terminal = child.stdin.take().unwrap();
    std::io::Write::write_all(&mut terminal, b"typed\n\x04").unwrap();
    assert!(child.wait().unwrap().success());
    drop(terminal);
    it.run(["load", "job"]).code(0).prints("typed\n");
}

#[test]
fn a_listing_fits_the_terminal_and_is_coloured_where_that_is_wanted() {
    let it = Environment::new();
    let long = "x".repeat(80);
    it.run(["create", &long]).code(0);
    let _writer = it.repository().get(&long).unwrap().writer().unwrap();
    let Some(ended) = on_terminal(&it, "\"$P\" list") else { return };
    let out = ended.code(0).out;
    let lines: Vec<_> = out.lines().collect();
    assert!(lines[0].starts_with("\u{1b}[1mSESSION"), "{out}");
    assert!(lines[1].ends_with("  \u{1b}[32mrunning\u{1b}[0m"), "{out}");
    let plain = on_terminal(&it, "NO_COLOR=1 \"$P\" list").unwrap().code(0).out;
    assert!(!plain.contains('\u{1b}') && plain.contains("x…  never "), "{plain}");
    assert!(plain.lines().all(|line| line.chars().count() <= 60), "{plain}");
    // What it is about is cut short before the name is.
    let label = format!("text={long}");
    it.feed(b"1", ["save", "-c", "job", "--label", &label]).code(0);
    let plain = on_terminal(&it, "NO_COLOR=1 \"$P\" list").unwrap().code(0).out;
    assert!(plain.contains("  ABOUT\r\n") && plain.contains("  text=xx"), "{plain}");
    assert!(plain.contains("\njob  ") && plain.contains("x…\r\n"), "{plain}");
    assert!(plain.lines().all(|line| line.chars().count() <= 60), "{plain}");
    let narrow = on_terminal(&it, "stty cols 50; NO_COLOR=1 \"$P\" list; \"$P\" history job");
    let narrow = narrow.unwrap().code(0).out;
    assert!(!narrow.contains("ABOUT") && narrow.contains("  text=xx"), "{narrow}");
    assert!(narrow.lines().all(|line| line.chars().count() <= 50), "{narrow}");
    // Whoever is no terminal gets the whole name.
    assert!(it.run(["list"]).out.contains(&long));
}

#[test]
fn help_and_sentences_fit_the_terminal() {
    let it = Environment::new();
    it.feed(b"1", ["save", "-c", "job"]).code(0);
    let record =
        r#"{"host":"h","boot_id":"b","pid":7,"start_time":1,"program":"a program","since":0}"#;
    fs::write(it.location().join("job.session/session.writer"), record).unwrap();
    let line = "stty cols 50; for it in --help 'prune --help' 'export -h' 'status -q' 'status -q job'; do \
                \"$P\" $it; done";
    let Some(ended) = on_terminal(&it, &format!("NO_COLOR=1; export NO_COLOR; {line}")) else {
        return;
    };
    let out = ended.code(0).out;
    assert!(out.lines().all(|line| line.chars().count() <= 50), "{out}");
    assert!(out.contains("\n  verify       Find damage"), "{out}");
    assert!(out.contains("\n  pitstop list\r\n      list the sessions\r\n"), "{out}");
    assert!(
        out.contains("\njob: interrupted: a program (pid 7 on h) was\r\n    killed; saved "),
        "{out}"
    );
}

#[test]
fn help_names_every_command_and_exit_code() {
    let it = Environment::new();
    let help = it.run(["--help"]).code(0).out;
    for word in ["create", "completions", "Examples:", "Exit codes:", "  6  "] {
        assert!(help.contains(word), "{word}: {help}");
    }
    assert!(it.run(["-h"]).code(0).out.lines().count() <= 57);
    for shell in ["bash", "zsh", "fish"] {
        assert!(it.run(["completions", shell]).code(0).out.contains("pitstop"));
    }
}

#[test]
fn there_is_a_manual_page_for_every_command() {
    let it = Environment::new();
    assert!(it.run(["man"]).code(0).out.contains("SH SUBCOMMANDS"));
    let page = it.run(["man", "save"]).code(0).bytes;
    let text = String::from_utf8_lossy(&page);
    assert!(text.contains("TH pitstop-save 1") && text.contains("\\-\\-label"), "{text}");
    let nested = it.run(["man", "trash", "restore"]).code(0).out;
    assert!(nested.contains("TH pitstop-trash-restore 1"), "{nested}");
    let prune = it.run(["man", "prune"]).code(0).out;
    let examples = ".SH EXAMPLES\n.nf\n\\&  pitstop prune \\-\\-keep 20 ";
    assert!(prune.contains(examples), "{prune}");
    it.run(["man", "frobnicate"]).code(2).prints("").says(
        "error: there is no command 'frobnicate'
         hint: run `pitstop --help` to see all commands",
    );
    it.run(["man", "-o", "new/man1"]).code(0).says("wrote the manual pages to new/man1");
    let written = fs::read(it.path().join("new/man1/pitstop-save.1")).unwrap();
    assert_eq!(written, page);
    assert!(it.path().join("new/man1/pitstop.1").exists());
    assert!(it.path().join("new/man1/pitstop-trash-list.1").exists());
    assert!(!it.path().join("new/man1/pitstop-help.1").exists());
}
