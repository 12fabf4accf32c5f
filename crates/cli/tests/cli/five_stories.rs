//! Five stories of people who have the binary and its help: each goes on by what it printed before.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rustix::process::{Pid, Signal, kill_process};

use super::environment::{Ended, Environment, PITSTOP};
use super::output::on_terminal_of;
use super::s3::{S3, without_secrets};

/// A place in which a shell finds `pitstop`.
fn place() -> Environment {
    let it = Environment::new();
    fs::create_dir(it.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(PITSTOP, it.path().join("bin/pitstop")).unwrap();
    it
}

fn shell_command(it: &Environment, line: &str) -> Command {
    let mut command = it.command("sh");
    let path = format!("{}/bin:/usr/local/bin:/usr/bin:/bin", it.path().display());
    command.args(["-c", line]).env("PATH", path);
    command
}

fn sh(it: &Environment, line: &str) -> Ended {
    it.ended(shell_command(it, line).output().unwrap())
}

/// The commands that the hints name, as they are to be typed.
fn hinted(ended: &Ended) -> Vec<String> {
    let hints = ended.err.lines().filter(|it| it.starts_with("hint: "));
    let quoted = hints.flat_map(|it| it.split('`').skip(1).step_by(2));
    quoted.filter(|it| it.starts_with("pitstop ")).map(str::to_owned).collect()
}

/// README.md has it.
const SCRIPT: &str = "\
step=$(pitstop load --default 0) || exit    # 0 if nothing was ever saved
while [ \"$step\" -lt 5 ]; do
    step=$((step + 1))                      # ... the work of one step ...
    echo \"$step\" | pitstop -q save --label \"step=$step\" || exit
done
";

#[test]
fn a_backup_that_is_killed_is_resumed_by_cron() {
    let it = place();
    let readme = include_str!("../../../../README.md");
    let indented: String = SCRIPT.lines().map(|line| format!("    {line}\n")).collect();
    assert!(readme.contains(&indented), "README.md has another script");
    // The third step is killed, with the `pitstop run` around it, as by a machine that stops.
    let work = "echo \"step $step\"; [ $step != 3 ] || [ -e killed ] || { touch killed; kill -KILL $PPID; exit; }";
    let script = SCRIPT.replace("# ... the work of one step ...", &format!("; {work}"));
    fs::write(it.path().join("backup.sh"), script).unwrap();
    let cron = "pitstop run --create --wait 60s backup -- sh backup.sh";
    let killed = sh(&it, cron);
    assert_eq!(killed.out, "step 1\nstep 2\nstep 3\n", "{killed}");
    assert_ne!(killed.code, Some(0));
    // Somebody looks: nothing has to be done.
    let status = sh(&it, "pitstop status").code(0);
    assert!(
        status.out.starts_with("backup: interrupted: pitstop run sh backup.sh (pid "),
        "{status}"
    );
    assert!(status.err.contains("needs no repair: start its program again"), "{status}");
    sh(&it, cron).code(0).prints("step 3\nstep 4\nstep 5\n");
    // Cron goes on doing what it does, and a person may want all of it again.
    let done = sh(&it, cron).code(0).prints("");
    let again = hinted(&done).remove(0);
    sh(&it, &again).code(0).prints("step 1\nstep 2\nstep 3\nstep 4\nstep 5\n");
    sh(&it, "pitstop status --is done backup").code(0);
}

#[test]
fn two_hosts_have_their_jobs_in_one_store() {
    let s3 = S3::start();
    let (one, two) = (Environment::new(), Environment::new());
    let on = |host: &Environment, line: &str| {
        let mut command = s3.command(host);
        let ended = command.args(line.split(' ')).output().unwrap();
        without_secrets(host.ended(ended))
    };
    fs::write(one.path().join("a"), "from one").unwrap();
    fs::write(two.path().join("b"), "from two").unwrap();
    on(&one, "save -c ingest a -l host=one").code(0);
    on(&two, "save -c report b -l host=two").code(0);
    // Each sees both, and may take over where the other has ended.
    let listed = on(&two, "list --details --sort name").code(0).out;
    let rows: Vec<Vec<&str>> = listed.lines().map(|it| it.split_whitespace().collect()).collect();
    assert_eq!((rows[1][0], rows[1].last()), ("ingest", Some(&"host=one")), "{listed}");
    assert_eq!((rows[2][0], rows[2].last()), ("report", Some(&"host=two")), "{listed}");
    let info = on(&two, "load ingest -o state --json").code(0).json();
    on(&one, "save ingest a").code(0);
    let revision = info["revision"].to_string();
    let late = on(&two, &format!("save ingest state --follows {revision}")).code(5);
    let (load, over) = (hinted(&late).remove(0), hinted(&late).remove(1));
    let without_name = |line: &str| line.trim_start_matches("pitstop ").to_owned();
    on(&two, &without_name(&load)).code(0).prints("from one");
    on(&two, &format!("{} --file state", without_name(&over))).code(0);
    // A program of one host has it alone.
    let busy = on(&one, &format!("run ingest -- {PITSTOP} status --is running ingest")).code(0);
    assert!(busy.out.is_empty(), "{busy}");
    on(&two, "status --is done ingest").code(0);
    on(&two, "copy --all --to backup").code(0);
    on(&two, "-r backup load report").code(0).prints("from two");
}

#[test]
fn a_night_of_failures_is_cleaned_up_in_the_morning() {
    let it = place();
    sh(&it, "for n in 1 2 3; do pitstop run -qc good-$n -- sh -c 'echo 1 | pitstop -q save'; done")
        .code(0);
    sh(&it, "pitstop run -qc bad -- sh -c 'echo 1 | pitstop -q save; exit 3'").code(3);
    let _ =
        sh(&it, "pitstop run -qc killed -- sh -c 'echo 1 | pitstop -q save; kill -KILL $PPID $$'");
    fs::create_dir_all(it.location().join("rotten.session/session")).unwrap();

    // What happened? `pitstop --help` names the command for it.
    assert!(sh(&it, "pitstop --help").out.contains("status       Show which programs are running"));
    let status = sh(&it, "pitstop status").code(6).out;
    assert!(
        status.contains("\nkilled: interrupted: ") || status.starts_with("killed: interrupted: ")
    );
    assert!(status.contains("bad: failed (exit 3): "), "{status}");
    assert!(
        status.ends_with("5 sessions: 0 running, 1 interrupted, 1 failed, 3 done\n"),
        "{status}"
    );
    let wanted = "pitstop list --ids --state failed --state interrupted --sort name";
    sh(&it, wanted).code(0).prints("bad\nkilled\n");
    let damaged = sh(&it, "pitstop list --state damaged").code(6);
    assert!(damaged.out.lines().nth(1).unwrap().starts_with("rotten "), "{damaged}");

    // Those that can be resumed are, in one line; the rotten one is repaired or removed, as it is told.
    let resume = "for id in $(pitstop list --ids --state failed --state interrupted); do
                      pitstop run -q $id -- sh -c 'echo 2 | pitstop -q save'; done";
    sh(&it, resume).code(0);
    let verify = sh(&it, "pitstop verify rotten").code(6);
    let repaired = sh(&it, &hinted(&verify)[0]);
    assert!(repaired.code == Some(0) || !hinted(&repaired).is_empty(), "{repaired}");
    sh(&it, "pitstop remove -n rotten").code(0);
    sh(&it, "pitstop remove rotten").code(0);
    sh(&it, "pitstop verify").code(0);

    // What is done may go: first a look, then for good.
    let look = sh(&it, "pitstop prune --keep 1 --dry-run").code(0);
    assert!(look.err.contains("would remove 4 sessions"), "{look}");
    let pruned = sh(&it, "pitstop prune --keep 1").code(0);
    let empty = hinted(&pruned).remove(0);
    sh(&it, &empty).code(0);
    sh(&it, "pitstop trash list").code(0).says("the trash is empty");
    assert_eq!(sh(&it, "pitstop list --ids").out.lines().count(), 1);
}

#[test]
fn a_disk_that_rots_is_noticed_and_the_newest_good_state_is_used() {
    let it = place();
    for (letter, id) in [('a', "job"), ('b', "job"), ('c', "job"), ('d', "other")] {
        it.feed(letter.to_string().repeat(5000).as_bytes(), ["save", "-qc", id]).code(0);
    }
    for (id, letter) in [("job", b'c'), ("other", b'd')] {
        let directory = it.location().join(format!("{id}.session"));
        for entry in fs::read_dir(directory).unwrap().map(|it| it.unwrap().path()) {
            let mut bytes = fs::read(&entry).unwrap();
            if let Some(at) = bytes.windows(100).position(|it| it == [letter; 100]) {
                bytes[at + 50] ^= 1;
                fs::write(entry, bytes).unwrap();
            }
        }
    }
    // A job finds it first. It ends, and does not begin from nothing.
    let found = sh(&it, "pitstop load --default 0 job").code(6).prints("");
    let good = sh(&it, &hinted(&found)[0]).code(0);
    assert_eq!(good.out, "b".repeat(5000));
    assert!(good.err.contains("warning: this is revision 2, saved just now: the newest good one"));
    // There is a hint for each that is damaged, with its name.
    let verify = sh(&it, "pitstop verify").code(6);
    let hints = hinted(&verify);
    assert_eq!(hints, ["pitstop verify --repair job", "pitstop verify --repair other"], "{verify}");
    assert!(!verify.err.contains("SESSION"), "{verify}");
    let repaired = sh(&it, &hints[0]).code(0);
    assert!(repaired.err.contains("job: revision 2 was saved again, as revision "), "{repaired}");
    assert_eq!(sh(&it, "pitstop load job").code(0).out, "b".repeat(5000));
    // Of the other nothing is left but what was moved aside or is kept.
    let lost = sh(&it, &hints[1]).code(6);
    let start_anew = hinted(&lost).remove(0);
    sh(&it, &format!("echo new | {start_anew}")).code(0);
    sh(&it, "pitstop load other").code(0).prints("new\n");
    // The damaged revision is discarded as the note says.
    let note = sh(&it, "pitstop verify job").code(6);
    sh(&it, &hinted(&note)[0]).code(0);
    sh(&it, "pitstop verify job").code(0);
}

#[test]
fn a_laptop_sleeps_under_a_writer() {
    let it = place();
    let mut command = shell_command(
        &it,
        "exec pitstop -q run -c job -- sh -c 'echo 1 | pitstop -q save; echo up; read line; echo 2 | pitstop -q save'",
    );
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line, "up\n");
    // It sleeps: nobody takes its place, and whoever looks is told who has it.
    kill_process(Pid::from_child(&child), Signal::STOP).unwrap();
    sh(&it, "pitstop status --is running job").code(0);
    let status = sh(&it, "pitstop status job").code(0).out;
    assert!(status.starts_with("job: running: pitstop run sh -c "), "{status}");
    let busy = sh(&it, "echo 3 | pitstop save job").code(4);
    assert!(busy.err.contains("hint: add `--wait 10s` to wait for the writer to end"), "{busy}");
    sh(&it, "pitstop load job").code(0).prints("1\n");
    let waiting = shell_command(&it, "echo 3 | pitstop -q save --wait 60s job").spawn().unwrap();
    // It wakes up and goes on as if nothing had been.
    kill_process(Pid::from_child(&child), Signal::CONT).unwrap();
    drop(child.stdin.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(waiting.wait_with_output().unwrap().status.success());
    sh(&it, "pitstop load job").code(0).prints("3\n");
    let history = sh(&it, "pitstop history --json job").json();
    assert_eq!(history["revisions"].as_array().unwrap().len(), 3);
}

/// What the stories print fits narrow terminals, and no word breaks.
#[test]
fn what_is_printed_fits_50_and_80_columns() {
    let it = place();
    it.feed(
        b"1",
        ["save", "-qc", "a-session-of-a-rather-long-name", "-l", "phase=the import of tables"],
    )
    .code(0);
    let _ = it.shell("\"$P\" run -qc failed -- sh -c 'exit 3'; \"$P\" run -qc killed -- sh -c 'kill -KILL $PPID'");
    let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    for columns in [50, 80] {
        for line in [
            "list",
            "list --details",
            "status",
            "verify",
            "history a-session-of-a-rather-long-name",
            "--help",
            "run --help",
            "save --help",
            "status --help",
            "list --help",
            "prune --help",
        ] {
            let Some(ended) = on_terminal_of(&it, columns, &format!("NO_COLOR=1 \"$P\" -q {line}"))
            else {
                return;
            };
            let long = ended.out.lines().find(|it| it.chars().count() > columns);
            assert!(long.is_none(), "{columns} columns, {line}: {long:?}");
            if line.ends_with("--help") {
                let whole =
                    on_terminal_of(&it, 100, &format!("NO_COLOR=1 \"$P\" -q {line}")).unwrap();
                assert_eq!(words(&ended.out), words(&whole.out), "{columns} columns, {line}");
            }
        }
    }
}
