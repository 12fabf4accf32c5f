//! Storage that refuses.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};

use super::environment::{Environment, PITSTOP};

#[test]
fn a_full_disk_is_told_as_such_and_loses_nothing() {
    let it = Environment::new();
    let Some(ended) = it.shell_with_mounts(
        "mkdir disk; mount -t tmpfs -o size=64k tmpfs disk
         export PITSTOP_REPOSITORY=$PWD/disk/sessions
         echo one | \"$P\" -q save --create --format plain job
         head -c 100000 /dev/zero | \"$P\" save job || echo \"save: $?\"
         \"$P\" load job
         cat /dev/zero >disk/filler 2>/dev/null || true
         echo two | \"$P\" -q save job || echo \"save: $?\"
         \"$P\" load job
         rm disk/filler
         echo three | \"$P\" -q save job
         \"$P\" load job",
    ) else {
        return;
    };
    let ended = ended.code(0).prints("save: 1\none\nsave: 1\none\nthree\n");
    let said: Vec<_> = ended.err.lines().collect();
    assert!(said[0].starts_with("error: cannot write "), "{ended}");
    assert_eq!(said[1], "cause: No space left on device (os error 28)");
    assert_eq!(
        said[2],
        "hint: the checkpoint before is unchanged; free some space or inodes, and try again"
    );
    assert!(said[3].starts_with("error: cannot write "), "{ended}");
    assert_eq!(said[4], "cause: No space left on device (os error 28)");
    assert_eq!(said.len(), 5, "{ended}");
}

#[test]
fn a_disk_that_is_nearly_full_is_used_to_the_last() {
    let it = Environment::new();
    let Some(ended) = it.shell_with_mounts(
        "mkdir disk; mount -t tmpfs -o size=400k tmpfs disk
         export PITSTOP_REPOSITORY=$PWD/disk/sessions
         for n in 1 2 3 4; do
           head -c 120000 /dev/urandom | \"$P\" -q save --create job 2>>said || echo \"save $n: $?\"
         done
         \"$P\" load job | wc -c
         \"$P\" verify job",
    ) else {
        return;
    };
    ended.code(0).prints("save 4: 1\n120000\njob: ok: 3 revisions\n");
}

#[test]
fn a_full_disk_does_not_stop_what_fits_into_the_journal() {
    let it = Environment::new();
    let Some(ended) = it.shell_with_mounts(
        "mkdir disk; mount -t tmpfs -o size=64k tmpfs disk
         export PITSTOP_REPOSITORY=$PWD/disk/sessions
         echo one | \"$P\" -q save --create job
         cat /dev/zero >disk/filler 2>/dev/null || true
         echo two | \"$P\" -q save job
         head -c 30000 /dev/zero | \"$P\" save job || echo \"save: $?\"
         \"$P\" load job
         rm disk/filler
         echo three | \"$P\" -q save job
         \"$P\" load job",
    ) else {
        return;
    };
    let ended = ended.code(0).prints("save: 1\ntwo\nthree\n");
    let said: Vec<_> = ended.err.lines().collect();
    assert_eq!(
        said[1..],
        [
            "cause: No space left on device (os error 28)",
            "hint: the checkpoint before is unchanged; free some space or inodes, and try again",
        ]
    );
}

#[test]
fn a_disk_with_no_room_for_a_session_keeps_none_of_it() {
    let it = Environment::new();
    let Some(ended) = it.shell_with_mounts(
        "mkdir disk; mount -t tmpfs -o nr_inodes=6 tmpfs disk
         export PITSTOP_REPOSITORY=$PWD/disk/sessions
         touch disk/one disk/two disk/three
         \"$P\" create job || echo \"create: $?\"
         rm disk/one disk/two disk/three
         \"$P\" list --ids
         \"$P\" create job",
    ) else {
        return;
    };
    let ended = ended.code(0).prints("create: 1\njob\n");
    assert!(ended.err.contains("\ncause: No space left on device (os error 28)\n"), "{ended}");
    assert!(ended.err.contains("\nhint: free some space or inodes, and try again\n"), "{ended}");
}

#[test]
fn a_read_only_repository_can_be_read() {
    let it = Environment::new();
    it.feed(b"one", ["save", "--create", "job"]).code(0);
    let Some(ended) = it.shell_with_mounts(
        "mount --bind sessions sessions; mount -o remount,bind,ro sessions
         \"$P\" list --ids; \"$P\" status; \"$P\" load job; echo
         for command in 'create new' 'save --allow-empty job' 'last job' 'remove job'; do
             \"$P\" $command </dev/null || echo \"$command: $?\"
         done",
    ) else {
        return;
    };
    let ended = ended.code(0).prints(
        "job\n1 session: 0 running, 0 interrupted\none\n\
         create new: 1\nsave --allow-empty job: 1\nlast job: 1\nremove job: 1\n",
    );
    let causes = ended.err.matches("cause: Read-only file system (os error 30)").count();
    let hints = ended
        .err
        .matches("name a repository elsewhere with --repository: this file system")
        .count();
    assert_eq!((causes, hints), (4, 4), "{ended}");
}

#[test]
fn a_repository_of_somebody_else_is_told_as_such() {
    let it = Environment::new();
    it.feed(b"one", ["save", "--create", "job"]).code(0);
    // Root may do everything, so that it has to be somebody else for this.
    let root = fs::metadata("/proc/self").unwrap().uid() == 0;
    let words: &[&str] = match root {
        true => &["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups", PITSTOP],
        false => &[PITSTOP],
    };
    if root {
        fs::set_permissions(it.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let may = it.command(words[0]).args(&words[1..]).arg("--version").output();
        if !may.is_ok_and(|it| it.status.success()) {
            eprintln!("skipped: nobody else can run the command here (setpriv)");
            return;
        }
    }
    fs::set_permissions(it.location(), fs::Permissions::from_mode(if root { 0o700 } else { 0 }))
        .unwrap();
    for command in [&["list"][..], &["load", "job"], &["save", "job"], &["create", "new"]] {
        let run = it.command(words[0]).args(&words[1..]).args(command).output().unwrap();
        let ended = it.ended(run).code(1).prints("");
        assert!(ended.err.contains("cause: Permission denied (os error 13)"), "{ended}");
        assert!(ended.err.contains("check who owns the repository"), "{ended}");
    }
    fs::set_permissions(it.location(), fs::Permissions::from_mode(0o700)).unwrap();
    it.run(["load", "job"]).code(0).prints("one");
}
