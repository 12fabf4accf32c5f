//! A job of a hundred steps that saves after each, and goes on where it was when it is started again.
//!
//! `cargo run --example resume` runs it; press Ctrl-C or kill it, and run it again.
//! `cargo run --example resume -- --story` shows the whole story by itself: the job kills itself
//! half-way with SIGKILL, and a second process finishes it. The session is kept where `pitstop list` finds it.
//!
//! `-- --move-to s3://bucket/prefix` takes the session to another repository, from which the job goes on where
//! `PITSTOP_REPOSITORY` names it: see docs/object-store.md.

use std::error::Error;
use std::process::Command;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use pitstop::{CopyOptions, Repository, Session};

const STEPS: u64 = 100;

/// What the job has to remember: how far it is, and what it found so far.
#[derive(serde::Serialize, serde::Deserialize, Default)]
struct State {
    step: u64,
    sum: u64,
}

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Err(error) = start(&arguments.iter().map(String::as_str).collect::<Vec<_>>()) {
        eprintln!("error: {error}");
        std::process::exit(1);
    }
}

pub(crate) fn start(arguments: &[&str]) -> Result<(), Box<dyn Error>> {
    match *arguments {
        [] => run(None),
        ["--kill-at", step] => run(Some(step.parse()?)),
        ["--move-to", repository] => move_to(repository),
        ["--story"] => story(),
        _ => Err("usage: resume [--story | --kill-at STEP | --move-to REPOSITORY]".into()),
    }
}

const NAME: &str = "hundred-steps";

fn run(kill_at: Option<u64>) -> Result<(), Box<dyn Error>> {
    let session = Repository::open_default()?.get_or_create(NAME)?;
    let mut writer = session.writer()?;
    let mut state = load(&session)?;
    match state.step {
        0 => println!("a fresh start"),
        step => println!("going on after step {step}"),
    }
    let bar = ProgressBar::new(STEPS).with_position(state.step);
    bar.set_style(ProgressStyle::with_template("{bar:50} step {pos} of {len}")?);
    while state.step < STEPS {
        std::thread::sleep(Duration::from_millis(20)); // The work of one step.
        state.step += 1;
        state.sum += state.step;
        writer.save(&serde_json::to_vec(&state)?)?;
        bar.set_position(state.step);
        if kill_at == Some(state.step) {
            nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL)?;
        }
    }
    bar.finish();
    drop(writer);
    println!("done: the sum of 1 to {STEPS} is {}", state.sum);
    session.remove()?;
    Ok(())
}

fn load(session: &Session) -> Result<State, Box<dyn Error>> {
    match session.load() {
        Ok(checkpoint) => Ok(serde_json::from_slice(&checkpoint.data)?),
        Err(pitstop::Error::NoCheckpoint { .. }) => Ok(State::default()),
        Err(error) => Err(error.into()),
    }
}

/// From here on the job goes on there: on another machine, if that is an object store.
fn move_to(repository: &str) -> Result<(), Box<dyn Error>> {
    let session = Repository::open_default()?.get(NAME)?;
    let there = Repository::open(repository)?;
    let copied = session.copy_to(&there, CopyOptions::new())?;
    session.remove()?;
    println!("moved {} revisions to {repository}", copied.revisions);
    Ok(())
}

fn story() -> Result<(), Box<dyn Error>> {
    let program = std::env::current_exe()?;
    println!("$ resume --kill-at {}", STEPS / 2);
    let killed = Command::new(&program).args(["--kill-at", &(STEPS / 2).to_string()]).status()?;
    println!("\nthe job ended with {killed}\n$ resume");
    let finished = Command::new(&program).status()?;
    if killed.success() || !finished.success() {
        return Err("the story went otherwise".into());
    }
    Ok(())
}
