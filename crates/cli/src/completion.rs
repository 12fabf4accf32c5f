//! Completing what stands in a repository: the names of sessions, their revisions and labels.

use std::ffi::{OsStr, OsString};
use std::time::SystemTime;

use clap_complete::engine::{ArgValueCompleter, CompletionCandidate};
use clap_complete::env::CompleteEnv;
use pitstop::{Labels, Repository, Session, SessionId};

use crate::context::{quoted, steers};
use crate::{command_line, output};

/// In the environment of a command line that is to be completed, this names the shell.
pub(crate) const VARIABLE: &str = "PITSTOP_COMPLETE";

/// Completes a command line and ends the process, where that is asked for.
pub(crate) fn complete_if_asked() {
    CompleteEnv::with_factory(command_line::command).var(VARIABLE).complete();
}

/// The same command, with completers at the options that take what stands in a repository.
pub(crate) fn with_completers(command: clap::Command) -> clap::Command {
    let is_trash = command.get_name() == "trash";
    let command = command.mut_args(|arg| match arg.get_id().as_str() {
        "session" | "sessions" => arg.add(ArgValueCompleter::new(sessions)),
        "revision" | "follows" => arg.add(ArgValueCompleter::new(revisions)),
        "label" => arg.add(ArgValueCompleter::new(labels)),
        _ => arg,
    });
    command.mut_subcommands(|it| if is_trash { with_trash(it) } else { with_completers(it) })
}

fn with_trash(command: clap::Command) -> clap::Command {
    command.mut_args(|arg| match arg.get_id().as_str() {
        "sessions" => arg.add(ArgValueCompleter::new(trashed)),
        _ => arg,
    })
}

fn sessions(current: &OsStr) -> Vec<CompletionCandidate> {
    let listing = Words::read().repository().and_then(|it| it.list().ok());
    let sessions = listing.map(|it| it.sessions).unwrap_or_default();
    let now = SystemTime::now();
    let candidate = |it: pitstop::Summary| {
        let saved = it.saved.map(|saved| output::relative(saved, now).to_string());
        let help = saved.map_or_else(|| "never saved".to_owned(), |it| format!("saved {it}"));
        (it.id.to_string(), help)
    };
    starting_with(current, sessions.into_iter().map(candidate))
}

fn trashed(current: &OsStr) -> Vec<CompletionCandidate> {
    let trash = Words::read().repository().and_then(|it| it.trash().ok()).unwrap_or_default();
    let now = SystemTime::now();
    let help = |it: &pitstop::Trashed| format!("removed {}", output::relative(it.removed, now));
    starting_with(current, trash.iter().map(|it| (it.id.to_string(), help(it))))
}

fn revisions(current: &OsStr) -> Vec<CompletionCandidate> {
    let history = Words::read().session().and_then(|it| it.history().ok()).unwrap_or_default();
    let now = SystemTime::now();
    let candidate = |it: pitstop::Kept| {
        let saved = output::relative(it.info.saved, now);
        (
            it.info.revision.to_string(),
            format!("saved {saved}  {}", output::labels(&it.info.labels)),
        )
    };
    starting_with(current, history.revisions.into_iter().map(candidate))
}

/// Those of the session that is named, or else of all.
fn labels(current: &OsStr) -> Vec<CompletionCandidate> {
    let words = Words::read();
    let all: Vec<Labels> = match words.session().and_then(|it| it.history().ok()) {
        Some(history) => history.revisions.into_iter().map(|it| it.info.labels).collect(),
        None => {
            let listing = words.repository().and_then(|it| it.list().ok()).unwrap_or_default();
            listing.sessions.into_iter().filter_map(|it| it.labels).collect()
        }
    };
    let mut pairs: Vec<String> =
        all.iter().flatten().map(|(name, value)| format!("{name}={value}")).collect();
    pairs.sort();
    pairs.dedup();
    starting_with(current, pairs.into_iter().map(|it| (it, String::new())))
}

fn starting_with(
    current: &OsStr,
    all: impl Iterator<Item = (String, String)>,
) -> Vec<CompletionCandidate> {
    /// More than anybody looks through.
    const MOST: usize = 1000;
    let current = current.to_string_lossy();
    let wanted = all.filter(|(value, _)| value.starts_with(&*current) && !value.contains(steers));
    // The script for bash sets this. The other shells quote what they insert.
    let is_bash = std::env::var_os("_CLAP_COMPLETE_COMP_TYPE").is_some();
    let candidate = |(value, help): (String, String)| {
        let value = if is_bash { quoted(&value).into_owned() } else { value };
        CompletionCandidate::new(value).help((!help.is_empty()).then(|| help.into()))
    };
    wanted.take(MOST).map(candidate).collect()
}

/// The command line that is completed.
struct Words(Vec<OsString>);

impl Words {
    fn read() -> Self {
        let mut words = std::env::args_os().skip_while(|it| it != "--");
        words.next();
        Self(words.skip(1).collect())
    }

    fn repository(&self) -> Option<Repository> {
        let named = self.0.iter().enumerate().find_map(|(n, word)| {
            let word = word.to_str()?;
            match word {
                "-r" | "--repository" => self.0.get(n + 1).cloned(),
                _ => word.strip_prefix("--repository=").map(OsString::from),
            }
        });
        match named {
            Some(location) => Repository::open(location).ok(),
            None => Repository::open_default().ok(),
        }
    }

    /// The first session that is named, after the command; or the one around this process.
    fn session(&self) -> Option<Session> {
        let repository = self.repository()?;
        let around = crate::input::session_around();
        let names = self.0.iter().skip(1).chain(&around);
        let mut found = names.filter_map(|it| SessionId::new(it.to_str()?).ok());
        found.find_map(|id| repository.get(id).ok())
    }
}
