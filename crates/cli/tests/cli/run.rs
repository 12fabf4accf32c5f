//! A program that holds a session, and its shell scripts that save in it.

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::{Child, ChildStdout, Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::environment::{Environment, PITSTOP};

/// `pitstop run job`, with a script in which `$P` is `pitstop`. What it prints is read as it comes.
struct Running {
    child: Child,
    out: BufReader<ChildStdout>,
}

impl Running {
    fn start(it: &Environment, script: &str) -> Self {
        let mut command = with_default_signals(it, PITSTOP);
        command.args(["-q", "run", "--create", "job", "--", "sh", "-c", script]);
        let mut child =
            command.env("P", PITSTOP).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// The next line that it prints.
    fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).unwrap();
        line
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The rest of what it and all that it left running print, and its code. It was not killed.
    fn end(mut self) -> (String, Option<i32>) {
        let mut rest = String::new();
        self.out.read_to_string(&mut rest).unwrap();
        let status = self.child.wait().unwrap();
        assert_eq!(status.signal(), None);
        (rest, status.code())
    }
}

/// A shell lets no script handle what was ignored when it began, as Ctrl-C is in the background of another.
fn with_default_signals(it: &Environment, program: &str) -> Command {
    let mut command = it.command("env");
    command.arg("--default-signal").arg(program);
    command
}

fn run(it: &Environment, script: &str) -> super::environment::Ended {
    let mut command = it.command(PITSTOP);
    command.args(["-q", "run", "-c", "job", "--", "sh", "-c", script]).env("P", PITSTOP);
    it.ended(command.output().unwrap())
}

#[test]
fn a_script_saves_and_is_told_whether_it_resumes() {
    let it = Environment::new();
    let script = "echo \"[$PITSTOP_RESUMES] $PITSTOP_SESSION $PITSTOP_SESSION_DIRECTORY\"
                  echo $(( $($P load 2>/dev/null || echo 0) + 1 )) | $P -q save --label \"by=a script\"
                  $P load";
    let directory = "job $DIR/sessions/job.session";
    run(&it, &format!("{script}; exit 3")).code(3).says("").prints(&format!("[] {directory}\n1\n"));
    run(&it, script).code(0).says("").prints(&format!("[1] {directory}\n2\n"));
    let history = it.run(["history", "job", "--json"]).json();
    assert_eq!(history["revisions"][0]["labels"]["by"], "a script");
    it.feed(b"2", ["-q", "save", "job"]).code(0);
    it.run(["status", "job"]).prints("job: idle\n");
    // Its conditions are kept, and its errors are those of any save.
    run(&it, "echo x | $P save --follows 1").code(5);
    run(&it, "echo x | $P save --follows 3 && $P show -p . && $P save none </dev/null")
        .code(1)
        .prints("");
}

#[test]
fn nobody_else_saves_meanwhile() {
    let it = Environment::new();
    let mut running = Running::start(&it, "echo in | $P save && echo saved; exec sleep 60");
    assert_eq!(running.line(), "saved\n");
    it.feed(b"out", ["save", "job"]).code(4);
    it.run(["remove", "job"]).code(4);
    let told = it.run(["status", "job"]).out;
    let program =
        "job: running: pitstop run sh -c 'echo in | $P save && echo saved; exec sleep 60' (pid ";
    assert!(told.starts_with(program), "{told}");
    running.signal(Signal::TERM);
    assert_eq!(running.end().1, Some(128 + 15));
    let told = it.run(["status", "job"]).out;
    assert!(told.starts_with("job: stopped: pitstop run sh "), "{told}");
    assert!(told.contains(" was asked to stop; saved just now\n"), "{told}");
    it.run(["load", "job"]).prints("in\n");
    it.feed(b"out", ["save", "job"]).code(0);
}

#[test]
fn its_code_is_that_of_the_program() {
    let it = Environment::new();
    run(&it, "exit 9").code(9);
    run(&it, "kill -KILL $$").code(137);
    run(&it, "kill -USR1 $$").code(138);
    it.run(["run", "job", "--", "no-such-program"]).code(127).prints("").says(
        "error: cannot run no-such-program
         cause: No such file or directory (os error 2)
         hint: the session was not changed; a program that is not in $PATH needs its path",
    );
    it.run(["run", "job", "--", "/etc/passwd"]).code(126);
    it.run(["run", "none", "--", "true"]).code(3).prints("").says(
        "error: there is no session 'none' in $DIR/sessions
         hint: run `pitstop run --create none -- COMMAND` to create it",
    );
    it.run(["run", "job"]).code(2);
    it.run(["load"]).code(2).says(
        "error: no session is named
         hint: name one: run `pitstop list` to see them; inside `pitstop run` no name is needed",
    );
}

#[test]
fn signals_are_passed_on_and_the_program_may_answer_them() {
    let it = Environment::new();
    for (signal, name) in
        [(Signal::TERM, "TERM"), (Signal::INT, "INT"), (Signal::HUP, "HUP"), (Signal::USR1, "USR1")]
    {
        let script = format!(
            "trap 'echo {name} | $P save; exit 7' {name}; echo up; while :; do sleep 0.05; done"
        );
        let mut running = Running::start(&it, &script);
        assert_eq!(running.line(), "up\n");
        running.signal(signal);
        assert_eq!(running.end().1, Some(7), "{name}");
        it.run(["load", "job"]).prints(&format!("{name}\n"));
    }
    // The program starts with its signals as they were, and none is blocked.
    let blocked = run(&it, "grep SigBlk /proc/self/status").out;
    assert_eq!(blocked.trim_end(), "SigBlk:\t0000000000000000");
}

#[test]
fn ctrl_c_reaches_the_program_once() {
    let it = Environment::new();
    if !it.command("script").arg("--version").output().is_ok_and(|it| it.status.success()) {
        eprintln!("skipped: there is no script(1) to make a terminal with");
        return;
    }
    // A signal that goes by way of `pitstop run`, behind the Ctrl-C, shows that no second one is to come.
    std::fs::write(
        it.path().join("script.sh"),
        "n=0; trap 'n=$((n+1))' INT; trap 'last=1' USR1; echo up
         until [ $n -gt 0 ]; do sleep 0.02; done
         (kill -USR1 $PPID); until [ -n \"$last\" ]; do sleep 0.02; done
         echo \"interrupted $n\"; exit 7",
    )
    .unwrap();
    let mut command = with_default_signals(&it, "script");
    command.args(["-qec", "exec \"$P\" run -c job -- sh script.sh", "/dev/null"]);
    command.env("P", PITSTOP).env("SHELL", "/bin/sh");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut terminal = child.stdin.take().unwrap();
    let out = BufReader::new(child.stdout.take().unwrap());
    let mut running = Running { child, out };
    assert_eq!(running.line(), "up\r\n");
    terminal.write_all(b"\x03").unwrap();
    let (rest, code) = running.end();
    assert!(rest.ends_with("interrupted 1\r\n"), "{rest:?}");
    assert_eq!(code, Some(7));
}

#[test]
fn a_run_that_was_killed_ends_its_program() {
    let it = Environment::new();
    let script = "echo in time | $P save; trap 'echo told; exit 9' TERM; echo up
                  while :; do sleep 0.02; done";
    let mut running = Running::start(&it, script);
    assert_eq!(running.line(), "up\n");
    running.signal(Signal::KILL);
    running.child.wait().unwrap();
    // The end of its output is the end of the program.
    assert_eq!(running.line(), "told\n");
    assert_eq!(running.line(), "");
    it.run(["load", "job"]).prints("in time\n");
}

#[test]
fn a_program_that_outlives_its_run_saves_no_more() {
    let it = Environment::new();
    let script = "trap '' TERM; echo in time | $P save; echo $$; kill -STOP $$
                  echo late | $P save 2>&1; echo $?";
    let mut running = Running::start(&it, script);
    let orphan = Pid::from_raw(running.line().trim().parse().unwrap()).unwrap();
    running.signal(Signal::KILL);
    running.child.wait().unwrap();
    // Its program lives on, stopped. The next one goes on, without and with it.
    it.run(["load", "job"]).prints("in time\n");
    let mut next = Running::start(&it, "echo next | $P save; echo up; exec sleep 60");
    assert_eq!(next.line(), "up\n");
    kill_process(orphan, Signal::CONT).unwrap();
    let mut rest = String::new();
    running.out.read_to_string(&mut rest).unwrap();
    let hint = "hint: end this program, and start it again with `pitstop run job -- COMMAND`: \
                its `pitstop run` has ended\n1\n";
    assert!(rest.ends_with(hint), "{rest}");
    next.signal(Signal::TERM);
    assert_eq!(next.end().1, Some(143));
    it.run(["load", "job"]).prints("next\n");
    assert_eq!(
        it.run(["history", "job", "--json"]).json()["revisions"].as_array().unwrap().len(),
        2
    );
}

#[test]
fn what_a_program_leaves_running_can_no_longer_save() {
    let it = Environment::new();
    std::process::Command::new("mkfifo").arg(it.path().join("go")).status().unwrap();
    let script = "(cat go >/dev/null; echo late | $P save; echo $?) & echo end | $P save";
    let mut running = Running::start(&it, script);
    assert_eq!(running.child.wait().unwrap().code(), Some(0));
    it.run(["status", "--is", "done", "job"]).code(0).prints("");
    std::fs::write(it.path().join("go"), "").unwrap();
    assert_eq!(running.end().0, "1\n");
    it.run(["load", "job"]).prints("end\n");
}

#[test]
fn one_runs_within_another() {
    let it = Environment::new();
    let script = "$P -q run -c other -- sh -c 'echo a | $P save; echo b | $P save job'
                  $P load; $P load other
                  $P -q run job -- sh -c 'echo c | $P save'; $P load; exit 3";
    run(&it, script).code(3).prints("b\na\nc\n");
    // While an inner one holds the session, the outer one's script does not.
    let busy = "mkfifo go; $P run job -- sh -c 'echo up; cat go' | {
                  read up; echo x | $P save 2>/dev/null; echo $?; echo >go; cat; }
                echo y | $P save; echo $?";
    run(&it, busy).prints("4\n\n0\n");
}

#[test]
fn plain_sessions_are_held_too() {
    let it = Environment::new();
    it.run(["run", "-c", "--format", "plain", "job", "--", PITSTOP, "-q", "save"]).code(0);
    it.run(["status", "--is", "done", "job"]).code(0);
    it.feed(b"", ["-q", "save", "job"]).code(0);
    it.run(["load", "job"]).code(0).prints("");
    run(&it, "echo 1 | $P save --label a=b").code(1);
    run(&it, "echo 1 | $P save && $P load").code(0).prints("1\n");
}
