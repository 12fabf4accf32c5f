//! The package itself: its tests, its types, its README.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::venv::{Built, Venv, built, directory, run};

#[test]
fn its_tests_pass() {
    let Some(Built { tools, .. }) = built() else { return };
    run(tools.command("pytest").current_dir(env!("CARGO_MANIFEST_DIR")).arg("tests"))
        .unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn its_types_are_those_of_the_stubs() {
    let Some(Built { tools, .. }) = built() else { return };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mypy = |what: &[&str]| {
        let cache = directory().join("mypy");
        let mut mypy = tools.command("python");
        mypy.current_dir(here).env("MYPY_CACHE_DIR", cache).args(["-m"]).args(what);
        run(&mut mypy).unwrap_or_else(|failure| panic!("{failure}"));
    };
    mypy(&["mypy", "--package", "pitstop"]);
    mypy(&["mypy", "tests"]);
    mypy(&["mypy.stubtest", "pitstop", "--mypy-config-file", "pyproject.toml"]);
}

#[test]
fn the_programs_of_the_readmes_run_in_an_empty_environment() {
    let Some(Built { wheel, .. }) = built() else { return };
    let empty = Venv::new("empty", "").unwrap();
    empty.install_wheel(wheel).unwrap();
    for readme in ["README.md", "../../README.md"] {
        let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(readme)).unwrap();
        let home = tempfile::tempdir().unwrap();
        let programs: Vec<&str> =
            text.split("```python\n").skip(1).filter_map(|it| it.split("```").next()).collect();
        assert!(!programs.is_empty(), "there is no Python in {readme}");
        // Each is run again: it goes on from what it saved.
        for program in programs.iter().chain(&programs) {
            let mut python: Command = empty.command("python");
            python.env("XDG_STATE_HOME", home.path()).env_remove("PITSTOP_REPOSITORY");
            run(python.arg("-c").arg(program)).unwrap_or_else(|failure| panic!("{failure}"));
        }
        assert!(home.path().join("pitstop/sessions/nightly-import.session").is_dir());
    }
}
