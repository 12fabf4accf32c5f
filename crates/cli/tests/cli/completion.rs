//! Completion in the shells themselves, as a person types.

use super::environment::{Ended, Environment, PITSTOP};

/// A place with sessions, in which a shell finds `pitstop`.
fn place() -> Environment {
    let it = Environment::new();
    for (id, label) in [("nightly", "step=1"), ("night watch", "step=2"), ("other", "step=30")] {
        it.feed(b"1", ["save", "-qc", "-l", label, id]).code(0);
    }
    it.feed(b"2", ["save", "-q", "nightly"]).code(0);
    it.run(["create", "-q", "x$(touch owned)"]).code(0);
    std::fs::create_dir(it.path().join("bin")).unwrap();
    std::os::unix::fs::symlink(PITSTOP, it.path().join("bin/pitstop")).unwrap();
    it
}

fn in_shell(it: &Environment, shell: &[&str], script: &str) -> Option<Ended> {
    if !it.command(shell[0]).arg("--version").output().is_ok_and(|it| it.status.success()) {
        eprintln!("skipped: there is no {}", shell[0]);
        return None;
    }
    let path = format!("{}/bin:/usr/local/bin:/usr/bin:/bin", it.path().display());
    let mut command = it.command("timeout");
    command.arg("60").args(shell).arg(script).env("PATH", path).env("TERM", "dumb");
    Some(it.ended(command.output().unwrap()))
}

/// What bash puts in the place of the last word, one a line.
fn in_bash(it: &Environment, words: &[&str]) -> String {
    let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
    let last = words.len() - 1;
    let script = format!(
        "source <(pitstop completions bash)
         COMP_WORDS=({}); COMP_CWORD={last}; COMP_TYPE=9
         _clap_complete_pitstop pitstop {} {}
         printf '%s\\n' \"${{COMPREPLY[@]}}\"",
        quoted.join(" "),
        quoted[last],
        quoted[last - 1]
    );
    in_shell(it, &["bash", "--norc", "-c"], &script).unwrap().code(0).says("").out
}

#[test]
fn bash_completes_what_stands_in_the_repository() {
    let it = place();
    assert_eq!(in_bash(&it, &["pitstop", "load", "nig"]), "nightly\n'night watch'\n");
    assert_eq!(in_bash(&it, &["pitstop", "load", "x"]), "'x$(touch owned)'\n");
    assert_eq!(in_bash(&it, &["pitstop", "load", "nightly", "--revision", ""]), "2\n1\n");
    assert_eq!(in_bash(&it, &["pitstop", "list", "--label", "step=3"]), "step=30\n");
    assert!(!in_bash(&it, &["pitstop", "-r", "elsewhere", "load", ""]).contains("nightly"));
    let commands = in_bash(&it, &["pitstop", ""]);
    assert!(commands.starts_with("save\n") || commands.starts_with("create\n"), "{commands}");
    let first_option = commands.lines().position(|it| it.starts_with('-'));
    let last_command = commands.lines().position(|it| it == "man").unwrap();
    assert!(first_option.is_none_or(|it| it > last_command), "{commands}");
    it.run(["remove", "-q", "other"]).code(0);
    assert_eq!(in_bash(&it, &["pitstop", "trash", "restore", ""]).lines().next(), Some("other"));
}

#[test]
fn fish_completes_what_stands_in_the_repository() {
    let it = place();
    let script = "pitstop completions fish | source
                  complete -C 'pitstop load nig'; echo end; complete -C 'pitstop load nightly --revision '";
    let Some(ended) = in_shell(&it, &["fish", "--no-config", "-c"], script) else { return };
    let (names, revisions) = ended.out.split_once("end\n").unwrap();
    let names: Vec<_> = names.lines().map(|it| it.split('\t').next().unwrap()).collect();
    assert!(names.contains(&"nightly") && names.len() == 2, "{ended}");
    assert!(revisions.contains("2\tsaved just now"), "{ended}");
}

/// In a terminal of zsh's own, with a tab typed into it.
#[test]
fn zsh_completes_what_stands_in_the_repository() {
    let it = place();
    let script = r#"
        zmodload zsh/zpty
        zpty terminal zsh -f -i
        zpty -w terminal 'PROMPT=; unsetopt zle_bracketed_paste; autoload -Uz compinit; compinit -u -D'
        zpty -w terminal 'source <(pitstop completions zsh); echo is-set-''up'
        zpty -r terminal line '*is-set-up*'
        zpty -w -n terminal $'pitstop load oth\t'
        zpty -r terminal line '*oth*er*'
        zpty -w -n terminal $'-- --revision \t'
        zpty -d terminal
        echo completed"#;
    let Some(ended) = in_shell(&it, &["zsh", "-f", "-c"], script) else { return };
    ended.code(0).prints("completed\n");
}

#[test]
fn help_says_where_a_script_belongs() {
    let it = Environment::new();
    let help = it.run(["completions", "--help"]).code(0).out;
    for place in
        ["bash-completion/completions/pitstop", "~/.zshrc", "fish/completions/pitstop.fish"]
    {
        assert!(help.contains(place), "{help}");
    }
}
