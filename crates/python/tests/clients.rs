//! The drop-ins below unmodified clients: releases of PlainBox and Checkbox from PyPI.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::OnceLock;

use serde_json::Value;

use crate::venv::{Built, Venv, available, built, run};

/// A client, in an environment of its own in which it runs on its drop-in.
pub(crate) struct Client {
    release: &'static str,
    venv: OnceLock<Result<Venv, String>>,
}

pub(crate) static CHECKBOX: Client = Client::new("checkbox-ng==1.18.1");
static PLAINBOX_0_38: Client = Client::new("plainbox==0.38.0");
static PLAINBOX_0_5: Client = Client::new("plainbox==0.5.4");
static PLAINBOX_0_4: Client = Client::new("plainbox==0.4");

impl Client {
    const fn new(release: &'static str) -> Self {
        Self { release, venv: OnceLock::new() }
    }

    /// `None` where PyPI cannot be reached.
    pub(crate) fn venv(&'static self) -> Option<&'static Venv> {
        let Built { wheel, .. } = built()?;
        available(self.venv.get_or_init(|| self.install(wheel)).as_ref())
    }

    fn install(&self, wheel: &Path) -> Result<Venv, String> {
        // Newer ones are not for these clients.
        let requirements = format!("{}\njinja2<3.1\nmarkupsafe<2.1\npsutil\ntqdm\n", self.release);
        let venv = Venv::new(&self.release.replace("==", "-"), &requirements)?;
        venv.install_wheel(wheel)?;
        run(venv.command("python").args(["-m", "pitstop.compat", "install"]))?;
        Ok(venv)
    }
}

/// Runs the client's own session tests on its own storage and on the drop-in: each test has to come
/// out as it did, and so many have to pass.
fn session_tests_come_out_the_same(client: &'static Client, drop_in: &str, passes: usize) {
    let Some(venv) = client.venv() else { return };
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/session_tests.py");
    let outcomes = |storage: &str| {
        let place = tempfile::tempdir().unwrap();
        let mut python = venv.command("python");
        python.arg(&script).arg(place.path().join("checkbox")).current_dir(place.path());
        let output = answer(python.env("HOME", place.path()).env("PITSTOP_COMPAT", storage));
        let used = output["storage"].as_str().unwrap().to_owned();
        let tests: BTreeMap<String, String> =
            serde_json::from_value(output["tests"].clone()).unwrap();
        (used, tests)
    };
    let (own, before) = outcomes("off");
    let (used, after) = outcomes("auto");
    assert!(own.ends_with("plainbox/impl/session/storage.py"), "{own}");
    assert!(used.ends_with(&format!("pitstop/compat/{drop_in}.py")), "{used}");
    let differ: Vec<_> = before.iter().filter(|(test, it)| after.get(*test) != Some(it)).collect();
    assert!(differ.is_empty(), "these came out otherwise: {differ:#?} now {after:#?}");
    assert_eq!(before.len(), after.len());
    assert_eq!(after.values().filter(|it| *it == "ok").count(), passes);
}

fn answer(command: &mut Command) -> Value {
    let output = command.stdin(Stdio::null()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{command:?}: {said}"))
}

#[test]
fn plainbox_0_4_passes_its_session_tests() {
    session_tests_come_out_the_same(&PLAINBOX_0_4, "plainbox", 302);
}

#[test]
fn plainbox_0_5_passes_its_session_tests() {
    session_tests_come_out_the_same(&PLAINBOX_0_5, "plainbox", 427);
}

#[test]
fn plainbox_0_38_passes_its_session_tests() {
    session_tests_come_out_the_same(&PLAINBOX_0_38, "plainbox_0_6", 784);
}

#[test]
fn checkbox_passes_its_session_tests() {
    session_tests_come_out_the_same(&CHECKBOX, "checkbox_ng", 738);
}
