//! The stores for agents below their clients, which come from PyPI in pinned versions.

use std::sync::OnceLock;

use crate::package::run_programs;
use crate::venv::{Built, Venv, available, built, run};

/// An environment with the clients; `None` where PyPI cannot be reached.
pub(crate) fn agents() -> Option<&'static Venv> {
    static AGENTS: OnceLock<Result<Venv, String>> = OnceLock::new();
    let Built { wheel, .. } = built()?;
    let install = || {
        let venv = Venv::new("agents", include_str!("agents/requirements.txt"))?;
        venv.install_wheel(wheel)?;
        Ok::<_, String>(venv)
    };
    available(AGENTS.get_or_init(install).as_ref())
}

#[test]
fn the_stores_for_agents_keep_their_promises() {
    let Some(clients) = agents() else { return };
    let mut pytest = clients.command("pytest");
    pytest.current_dir(env!("CARGO_MANIFEST_DIR")).arg("tests/agents");
    run(&mut pytest).unwrap_or_else(|failure| panic!("{failure}"));
}

#[test]
fn the_programs_for_agents_run() {
    let Some(clients) = agents() else { return };
    run_programs(clients, "../../docs/agents.md");
}
