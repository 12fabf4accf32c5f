//! What to type next after an error of the library.

mod store;

use std::io;

use pitstop::{Error, Format, Session, Subject};

use crate::context::Context;
use crate::error::CommandError;

/// The hints for an error, the likeliest first.
pub(crate) fn of(error: &Error, context: &Context) -> Vec<String> {
    let saving = context.command == "save";
    let line = |words: &[&str]| format!("`{}`", context.command_line(words));
    match error {
        Error::NotFound { id, .. } if saving => {
            vec![format!("{} makes it", line(&["save", "--create", id.as_str()]))]
        }
        Error::NotFound { id, .. } if context.command == "run" => {
            let line = context.command_line(&["run", "--create", id.as_str()]);
            vec![format!("`{line} -- COMMAND` makes it")]
        }
        Error::NotFound { .. } => vec![format!("{} shows what is there", line(&["list"]))],
        Error::NoCheckpoint { id } => {
            vec![format!("{} saves the first one", line(&["save", id.as_str()]))]
        }
        Error::NoRevision { id, .. } => {
            vec![format!("{} shows those that are kept", line(&["history", id.as_str()]))]
        }
        Error::AlreadyExists { id, .. } => vec![
            format!("{} saves in it", line(&["save", id.as_str()])),
            format!("{} makes another", line(&["create", "--prefix", id.as_str()])),
        ],
        Error::Locked { id, .. } => vec![
            "try again in a minute: what a PlainBox that is gone left is then taken over"
                .to_owned(),
            format!(
                "only if you are sure that no PlainBox runs: {}",
                line(&["unlock", id.as_str()])
            ),
        ],
        Error::Busy { id, owner } => {
            let next = match owner {
                Some(owner) => format!("or run `kill {}` on {} to end it", owner.pid, owner.host),
                None => {
                    let status = line(&["status", id.as_str()]);
                    format!("run {status} to see which process is writing")
                }
            };
            let can_wait = ["save", "run", "unlock", "remove"].contains(&context.command);
            let wait = "add `--wait 10s` to wait for the writer to end".to_owned();
            can_wait.then_some(wait).into_iter().chain([next]).collect()
        }
        Error::Conflict { id, found, .. } => {
            let found = found.to_string();
            vec![
                format!("{} gives what was saved in between", line(&["load", id.as_str()])),
                format!("{} saves over it", line(&["save", "--follows", &found, id.as_str()])),
            ]
        }
        Error::Diverged { .. } => {
            vec!["it was left as it is: give the copy another name with `--as NAME`".to_owned()]
        }
        Error::Corrupt { .. } if context.command == "import" => {
            vec!["nothing was left behind; `pitstop export` writes a good one".to_owned()]
        }
        Error::Corrupt { path, .. } if path.ends_with("last-session") => vec![format!(
            "it was left as it is; {} moves it aside and puts a good one in its place",
            line(&["last", "SESSION"])
        )],
        Error::Corrupt { newest_good: Some(revision), .. } => {
            vec![format!("it was left as it is; revision {revision} is good")]
        }
        Error::Corrupt { .. } => {
            vec![format!("it was left as it is; {} says where", line(&["verify", "SESSION"]))]
        }
        Error::Indeterminate { path, .. } => {
            let of_store = error.store_problem().map(|problem| store::of(problem, path));
            of_store.into_iter().chain(["do it again: that settles it".to_owned()]).collect()
        }
        Error::NotDurable { .. } => {
            vec!["use a repository on a local disk: see --repository".to_owned()]
        }
        Error::InvalidId { .. } => vec![
            "a name is 1 to 200 bytes of UTF-8, with no '/', no control character, no dot or dash at \
             the start and no white space at either end"
                .to_owned(),
        ],
        Error::InvalidLocation { location, .. } if location.starts_with("file:") => {
            vec!["name the directory itself, without file://".to_owned()]
        }
        Error::InvalidLocation { location, .. } if location.to_string_lossy().contains("://") => {
            vec!["name it as s3://BUCKET/PREFIX, gs://... or az://..., and set the rest in the environment: \
                  AWS_..., GOOGLE_... or AZURE_..."
                .to_owned()]
        }
        Error::InvalidLocation { .. } => {
            vec!["name a directory with --repository or $PITSTOP_REPOSITORY".to_owned()]
        }
        Error::Input { .. } => vec!["nothing was saved; what was saved before stands".to_owned()],
        Error::LabelsTooLong { .. } => vec!["keep what is long in the checkpoint itself".to_owned()],
        Error::Unsupported { subject: Subject::Store(_), .. } => {
            vec!["use a store that honours If-None-Match and If-Match".to_owned()]
        }
        Error::NewerFormat { .. } => vec!["upgrade Pitstop: a newer version wrote this".to_owned()],
        Error::Unsupported { .. } => {
            vec![format!("{} tells of what kind a session is", line(&["show", "SESSION"]))]
        }
        Error::Storage { path, source, .. } => match error.store_problem() {
            Some(problem) if saving => {
                vec![format!("what was saved before stands; {}", store::of(problem, path))]
            }
            Some(problem) => vec![store::of(problem, path)],
            None if source.kind() == io::ErrorKind::ConnectionRefused => vec![of_orphan(context)],
            None => of_storage(source, saving),
        },
        _ => vec![format!("{} tells how it is used", line(&[context.command, "--help"]))],
    }
}

/// An error of a session, with the hints that need its name.
pub(crate) fn of_session(error: Error, session: &Session, context: &Context) -> CommandError {
    let id = session.id().as_str();
    match &error {
        Error::Corrupt { newest_good: Some(revision), .. } => {
            let hint = match context.command {
                "copy" | "export" => format!(
                    "it was left as it is; `{}` makes revision {revision}, the newest good one, the newest",
                    context.command_line(&["restore", id, "--newest-good"])
                ),
                _ => format!(
                    "it was left as it is; `{}` gives revision {revision}, the newest good one",
                    context.command_line(&["load", id, "--newest-good"])
                ),
            };
            CommandError::from(error).hint(hint)
        }
        Error::Corrupt { .. } if context.command != "verify" => {
            let line = context.command_line(&["verify", id]);
            CommandError::from(error).hint(format!("it was left as it is; `{line}` says where"))
        }
        Error::Unsupported { .. } if is_plain(session) => {
            let line = context.command_line(&["convert", id, "--to", "journal"]);
            CommandError::from(error).hint(format!(
                "a plain session keeps the newest checkpoint alone; `{line}` gives it a history from now on"
            ))
        }
        _ => error.into(),
    }
}

/// Whether it is known to be a plain one; damage is told by what is done with it.
fn is_plain(session: &Session) -> bool {
    session.status().is_ok_and(|it| it.summary.format == Format::Plain)
}

/// The `pitstop run` around this process has ended.
fn of_orphan(context: &Context) -> String {
    let session = std::env::var("PITSTOP_SESSION").unwrap_or_else(|_| "SESSION".to_owned());
    let line = context.command_line(&["run", &session]);
    format!(
        "end this program, and start it again with `{line} -- COMMAND`: its `pitstop run` has ended"
    )
}

fn of_storage(source: &io::Error, saving: bool) -> Vec<String> {
    let next = match source.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded if saving => {
            "free some space and save again"
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space and try again"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "this file system is read-only: name a repository elsewhere with --repository"
        }
        io::ErrorKind::PermissionDenied => {
            "you may not do that there: see who owns it, or name another repository with --repository"
        }
        _ if saving => return vec!["what was saved before stands".to_owned()],
        _ => return vec!["what stood before stands: mend the cause, and do it again".to_owned()],
    };
    match saving {
        true => vec![format!("what was saved before stands; {next}")],
        false => vec![next.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pitstop::{Damage, LocationProblem, NameProblem, Operation, Revision, SessionId, Step};

    use super::*;

    #[test]
    fn every_error_has_a_hint_that_can_be_typed() {
        let id = || SessionId::new("my job").unwrap();
        let source = || io::Error::other("why");
        let place = || "/place".into();
        let errors = [
            Error::NotFound { id: id(), repository: place() },
            Error::NoCheckpoint { id: id() },
            Error::NoRevision { id: id(), revision: Revision::NONE },
            Error::AlreadyExists { id: id(), repository: place() },
            Error::Locked { id: id(), path: place(), age: Duration::ZERO },
            Error::Busy { id: id(), owner: None },
            Error::Conflict { id: id(), expected: Revision::NONE, found: Revision::NONE },
            Error::Diverged { id: id(), repository: place(), revision: Revision::NONE },
            Error::Corrupt { path: place(), damage: Damage::NoMarker, newest_good: None },
            Error::Indeterminate { step: Step::Flush, path: place(), source: source() },
            Error::NotDurable { path: place(), source: source() },
            Error::Input { source: source() },
            Error::InvalidId { id: String::new(), problem: NameProblem::Empty },
            Error::LabelsTooLong { size: 1, limit: 0 },
            Error::InvalidLocation { location: place(), problem: LocationProblem::Empty },
            Error::Unsupported { operation: Operation::History, subject: Subject::Pitstop },
            Error::NewerFormat { path: place(), version: 9 },
            Error::Storage { step: Step::Write, path: place(), source: source() },
        ];
        for command in ["save", "load", "run", "copy"] {
            let context = Context::for_tests(command);
            for error in &errors {
                let hints = of(error, &context);
                assert!(hints.iter().all(|it| !it.is_empty()) && !hints.is_empty(), "{error:?}");
                assert!(hints.iter().all(|it| !it.contains("pitstop load my job")), "{hints:?}");
            }
        }
    }
}
