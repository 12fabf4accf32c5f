//! Where `load -o` and `export -o` lead: descriptors, files, links, pipes, devices, files of others.

use std::fs;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, chown, lchown, symlink};

use super::environment::Environment;

/// Somebody else than the one who runs the tests as root.
const NOBODY: u32 = 65534;

fn saved() -> Environment {
    let it = Environment::new();
    it.feed(b"one\n", ["save", "--create", "job"]).code(0);
    it
}

fn is_root() -> bool {
    let is_root = rustix::process::geteuid().is_root();
    if !is_root {
        eprintln!("skipped: only root can give files to others");
    }
    is_root
}

#[test]
fn a_descriptor_is_written_where_it_stands() {
    let it = saved();
    for name in ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "-"] {
        it.shell(&format!(
            "echo before > log; ls -i log > inode
             {{ echo first; \"$P\" -q load job -o {name}; echo last; }} >> log
             {{ \"$P\" -q load job -o {name}; echo end; }} 1<> log
             ls -i log | cmp - inode && cat log"
        ))
        .code(0)
        .says("")
        .prints("one\nend\nirst\none\nlast\n");
    }
    it.shell("\"$P\" load job -o /dev/fd/7 7>new; cat new").says("wrote 4 B to descriptor 7");
    it.shell("{ echo a; \"$P\" -q load job -o /dev/fd/7 7>&1; echo b; } > log; cat log")
        .prints("a\none\nb\n");
    it.shell("\"$P\" -q load job -o /dev/stderr 2>log; cat log").prints("one\n");
    it.shell("\"$P\" -q export job -o /dev/stdout | tar tf - | head -n 1").prints("pitstop.json\n");
    it.run(["load", "job", "-o", "/dev/fd/77"]).code(1).says(
        "error: cannot write to descriptor 77
         cause: Bad file descriptor (os error 9)
         hint: only the output failed: see where it goes",
    );
    it.run(["export", "job", "--json", "-o", "/dev/stdout"]).code(2);
}

#[test]
fn a_file_of_ones_own_is_replaced_and_keeps_its_mode() {
    let it = saved();
    let file = it.path().join("file");
    fs::write(&file, "older and longer").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let inode = fs::metadata(&file).unwrap().ino();
    it.run(["load", "job", "-o", "file"]).code(0).prints("").says("wrote 4 B to file");
    let there = fs::metadata(&file).unwrap();
    assert_eq!((fs::read(&file).unwrap(), there.mode() & 0o777), (b"one\n".to_vec(), 0o640));
    assert_ne!(there.ino(), inode);
    it.run(["-q", "load", "job", "-o", "new"]).code(0).says("");
    assert_eq!(fs::metadata(it.path().join("new")).unwrap().mode() & 0o777, 0o600);
    // One that cannot be finished stays, and nothing is left beside it.
    it.shell("trap '' XFSZ; ulimit -f 0; \"$P\" -q load job -o file 2>/dev/null; cat file")
        .prints("one\n");
    let left: Vec<_> = fs::read_dir(it.path()).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(left.iter().all(|it| !it.to_string_lossy().contains(".pitstop-")), "{left:?}");
    it.run(["load", "job", "-o", "none/file"]).code(1);
    it.run(["load", "job", "-o", "none/"]).code(1);
    it.run(["load", "job", "-o", "."]).code(1);
}

#[test]
fn a_link_is_followed_by_the_kernel_alone() {
    let it = saved();
    let file = it.path().join("file");
    fs::write(&file, "older and longer").unwrap();
    let inode = fs::metadata(&file).unwrap().ino();
    symlink("file", it.path().join("link")).unwrap();
    it.run(["load", "job", "-o", "link"]).code(0);
    assert!(it.path().join("link").is_symlink());
    assert_eq!(fs::read(&file).unwrap(), b"one\n");
    assert_eq!(fs::metadata(&file).unwrap().ino(), inode, "as a shell's > writes it");
    symlink("fresh", it.path().join("dangling")).unwrap();
    it.run(["load", "job", "-o", "dangling"]).code(0);
    assert_eq!(fs::read(it.path().join("fresh")).unwrap(), b"one\n");
}

#[test]
fn a_link_that_another_user_planted_leads_root_nowhere() {
    let it = saved();
    let is_protected = fs::read("/proc/sys/fs/protected_symlinks").is_ok_and(|it| it == b"1\n");
    if !is_root() || !is_protected {
        return;
    }
    let victim = it.path().join("victim");
    fs::write(&victim, "root's own").unwrap();
    fs::create_dir(it.path().join("shared")).unwrap();
    fs::set_permissions(it.path().join("shared"), fs::Permissions::from_mode(0o1777)).unwrap();
    let link = it.path().join("shared/out");
    symlink(&victim, &link).unwrap();
    lchown(&link, Some(NOBODY), Some(NOBODY)).unwrap();
    let ended = it.run(["load", "job", "-o", "shared/out"]).code(1);
    assert!(ended.err.contains("cause: Permission denied"), "{ended}");
    assert_eq!(fs::read(&victim).unwrap(), b"root's own");
}

#[test]
fn a_file_of_another_user_is_written_in_place() {
    let it = saved();
    if !is_root() {
        return;
    }
    let file = it.path().join("file");
    fs::write(&file, "older and longer").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o606)).unwrap();
    chown(&file, Some(NOBODY), Some(NOBODY)).unwrap();
    let before = fs::metadata(&file).unwrap();
    it.run(["load", "job", "-o", "file"]).code(0);
    let after = fs::metadata(&file).unwrap();
    assert_eq!(fs::read(&file).unwrap(), b"one\n");
    let what = |it: &fs::Metadata| (it.ino(), it.uid(), it.mode());
    assert_eq!(what(&before), what(&after));
}

#[test]
fn pipes_and_devices_stay_what_they_are() {
    let it = saved();
    it.shell("mkfifo pipe; cat pipe & \"$P\" -q load job -o pipe; wait").code(0).prints("one\n");
    it.shell("mkfifo late; \"$P\" -q load job -o late & exec 5<late; cat <&5; wait $!")
        .code(0)
        .prints("one\n");
    assert!(fs::metadata(it.path().join("pipe")).unwrap().file_type().is_fifo());
    it.run(["load", "job", "-o", "pipe"]).code(1).says(
        "error: cannot write to pipe
         cause: nothing reads from this pipe
         hint: only the output failed: see where it goes",
    );
    it.run(["load", "job", "-o", "/dev/null"]).code(0);
    assert!(fs::metadata("/dev/null").unwrap().file_type().is_char_device());
    let ended = it.run(["load", "job", "-o", "/dev/full"]).code(1);
    assert!(ended.err.contains("cause: No space left on device"), "{ended}");
}

#[test]
fn a_default_is_for_a_session_in_which_nothing_was_saved() {
    let it = Environment::new();
    let default = |words: &[&str]| it.run([&["load", "--default", "-1", "job"], words].concat());
    default(&[]).code(0).says("").prints("-1");
    it.run(["create", "job"]).code(0);
    default(&["-o", "file"]).code(0).says("");
    assert_eq!(fs::read(it.path().join("file")).unwrap(), b"-1");
    it.run(["load", "--last", "--default", "none"]).code(0).says("").prints("none");
    it.feed(b"7", ["save", "job"]).code(0);
    default(&[]).code(0).says("").prints("7");
    default(&["--revision", "1"]).code(2);
    // What cannot be read, or is damaged, is not nothing.
    for segment in fs::read_dir(it.location().join("job.session")).unwrap() {
        let segment = segment.unwrap();
        if segment.file_name().to_string_lossy().starts_with("session.journal-") {
            fs::write(segment.path(), vec![0xff; 8192]).unwrap();
        }
    }
    let ended = default(&[]).code(6).prints("");
    assert!(ended.err.contains(" is damaged: "), "{ended}");
    it.run(["load", "--default", "0", "a/b"]).code(2);
    fs::create_dir_all(it.location().join("bad.session/session")).unwrap();
    it.run(["load", "--default", "0", "bad"]).code(6).prints("");
}
