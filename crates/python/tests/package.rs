//! The package itself: its tests, its types, its README.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::agents::agents;
use crate::venv::{Built, Venv, built, directory, run};

#[test]
fn its_tests_pass() {
    let Some(Built { tools, .. }) = built() else { return };
    let mut pytest = tools.command("pytest");
    pytest.current_dir(env!("CARGO_MANIFEST_DIR")).args(["tests", "--ignore=tests/agents"]);
    run(&mut pytest).unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn its_types_are_those_of_the_stubs() {
    let Some(clients) = agents() else { return };
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mypy = |what: &[&str]| {
        let cache = directory().join("mypy");
        let mut mypy = clients.command("python");
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
        let home = run_programs(&empty, readme);
        assert!(home.path().join("pitstop/sessions/nightly-import.session").is_dir());
    }
}

#[test]
fn the_programs_beside_other_tools_run() {
    let Some(Built { tools, .. }) = built() else { return };
    run_programs(tools, "../../docs/python.md");
}

/// Runs each program of a page twice, so that it continues from what it saved. Returns where it was kept.
pub(crate) fn run_programs(venv: &Venv, page: &str) -> tempfile::TempDir {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(page)).unwrap();
    let home = tempfile::tempdir().unwrap();
    let programs: Vec<&str> =
        text.split("```python\n").skip(1).filter_map(|it| it.split("```").next()).collect();
    assert!(!programs.is_empty(), "there is no Python in {page}");
    for program in programs.iter().chain(&programs) {
        let file = home.path().join("test_program.py");
        fs::write(&file, program).unwrap();
        let mut python: Command = venv.command("python");
        if program.contains("def test_") {
            python.args(["-m", "pytest", "-p", "no:cacheprovider"]);
        }
        python.env("XDG_STATE_HOME", home.path()).env_remove("PITSTOP_REPOSITORY");
        run(python.arg(file)).unwrap_or_else(|failure| panic!("{page}: {failure}"));
    }
    home
}

/// On PyPI a relative link leads nowhere.
#[test]
fn its_readme_has_no_relative_links() {
    let readme = Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md");
    let text = fs::read_to_string(readme).unwrap();
    let links: Vec<&str> = text.split("](").skip(1).filter_map(|it| it.split(')').next()).collect();
    let relative: Vec<_> = links.iter().filter(|it| !it.starts_with("https://")).collect();
    assert!(relative.is_empty(), "{relative:?}");
}

#[test]
fn the_wheel_has_its_licences_and_says_what_it_is() {
    let Some(Built { tools, wheel }) = built() else { return };
    let list = "import sys, zipfile; wheel = zipfile.ZipFile(sys.argv[1])\n\
                names = wheel.namelist()\n\
                print(*names, sep='\\n')\n\
                print(wheel.read(next(it for it in names if it.endswith('/METADATA'))).decode())";
    let output = tools.command("python").arg("-c").arg(list).arg(wheel).output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    for expected in [
        "dist-info/licenses/LICENSE-MIT",
        "dist-info/licenses/LICENSE-APACHE",
        "pitstop/py.typed",
        "pitstop/_pitstop.pyi",
        "License-Expression: MIT OR Apache-2.0",
        "Classifier: Typing :: Typed",
        "Provides-Extra: langgraph",
        "Provides-Extra: claude",
        "Provides-Extra: optuna",
    ] {
        assert!(text.contains(expected), "there is no {expected} in {text}");
    }
}
