//! Virtual environments with the wheel that is tested.

use std::fmt::Display;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// A virtual environment: made once, kept for later runs until what is to be in it changes.
pub(crate) struct Venv(PathBuf);

impl Venv {
    /// One with these requirements, as pip understands them.
    pub(crate) fn new(name: &str, requirements: &str) -> Result<Self, String> {
        let place = directory().join(name);
        let complete = place.join("complete");
        let error = |error: std::io::Error| error.to_string();
        fs::create_dir_all(directory()).map_err(error)?;
        // One process at a time; the lock ends with the file.
        let lock = File::create(directory().join(format!("{name}.lock"))).map_err(error)?;
        lock.lock().map_err(error)?;
        let venv = Self(place);
        if fs::read_to_string(&complete).is_ok_and(|there| there == requirements) {
            return Ok(venv);
        }
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv.0))?;
        let list = venv.0.join("requirements.txt");
        fs::write(&list, requirements).map_err(error)?;
        run(venv.pip().arg("--requirement").arg(&list))?;
        fs::write(complete, requirements).map_err(error)?;
        Ok(venv)
    }

    /// A program in it, with its directory first in the path.
    pub(crate) fn command(&self, program: &str) -> Command {
        let bin = self.0.join("bin");
        let mut command = Command::new(bin.join(program));
        let path = std::env::var("PATH").unwrap_or_default();
        command.env("PATH", format!("{}:{path}", bin.display())).env("VIRTUAL_ENV", &self.0);
        command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        command
    }

    fn pip(&self) -> Command {
        let mut pip = self.command("python");
        pip.args(["-m", "pip", "--quiet", "--disable-pip-version-check", "install"]);
        pip
    }

    /// Installs the wheel, which replaces an older one.
    pub(crate) fn install_wheel(&self, wheel: &Path) -> Result<(), String> {
        run(self.pip().args(["--force-reinstall", "--no-deps", "--no-index"]).arg(wheel))
    }
}

/// The wheel of this source, and the environment with the tools that made it.
pub(crate) struct Built {
    pub(crate) tools: Venv,
    pub(crate) wheel: PathBuf,
}

/// `None` where PyPI cannot be reached, which in CI is a failure.
pub(crate) fn built() -> Option<&'static Built> {
    static BUILT: OnceLock<Result<Built, String>> = OnceLock::new();
    available(BUILT.get_or_init(build).as_ref())
}

/// What was made, or the word that tests are skipped.
pub(crate) fn available<T>(made: Result<T, impl Display>) -> Option<T> {
    match made {
        Ok(made) => Some(made),
        Err(reason) if std::env::var_os("CI").is_some() => panic!("{reason}"),
        Err(reason) => {
            // Past the test harness, which shows nothing of a test that passes.
            let _ = writeln!(std::io::stderr(), "skipped: {reason}");
            None
        }
    }
}

fn build() -> Result<Built, String> {
    let tools = Venv::new("tools", include_str!("requirements.txt"))?;
    let wheels = directory().join("wheels");
    let _ = fs::remove_dir_all(&wheels);
    let mut maturin = tools.command("maturin");
    // What cargo compiled for these tests is used again.
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap();
    maturin.args(["build", "--quiet", "--locked", "--profile", "dev", "--target-dir"]).arg(target);
    run(maturin.arg("--out").arg(&wheels).current_dir(env!("CARGO_MANIFEST_DIR")))?;
    let mut made = fs::read_dir(&wheels).map_err(|error| error.to_string())?;
    let wheel = made.next().ok_or("maturin made no wheel")?.map_err(|error| error.to_string())?;
    tools.install_wheel(&wheel.path())?;
    Ok(Built { tools, wheel: wheel.path() })
}

/// Where all this is kept.
pub(crate) fn directory() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("python")
}

/// Runs a command, which has to succeed.
pub(crate) fn run(command: &mut Command) -> Result<(), String> {
    let output = command.output().map_err(|error| format!("{command:?}: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    let (said, error) =
        (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    Err(format!("{command:?} failed:\n{said}{error}"))
}
