//! What to type next after an error of the library.

mod store;

use std::io;

use pitstop::{Damage, Error, FileKind, LocationProblem, Owner, Session, SessionId, Subject};

use crate::context::Context;
use crate::error::CommandError;

/// Prints what went wrong, why, and what to do next.
pub(crate) fn report(error: &CommandError, context: &Context) {
    context.error(&*error.error);
    match error.error.downcast_ref() {
        Some(library) if error.hints.is_empty() => {
            of(library, context).iter().for_each(|hint| context.hint(hint));
        }
        _ => error.hints.iter().for_each(|hint| context.hint(hint)),
    }
}

/// Prints the error of one session among several.
pub(crate) fn report_problem(error: &Error, session: Option<&Session>, context: &Context) {
    context.error(error);
    let hints = session.and_then(|it| hints_of_session(error, it, context));
    hints.unwrap_or_else(|| of(error, context)).iter().for_each(|hint| context.hint(hint));
}

/// The hints for an error, the likeliest first.
pub(crate) fn of(error: &Error, context: &Context) -> Vec<String> {
    let saving = context.command == "save";
    let line = |words: &[&str]| format!("`{}`", context.command_line(words));
    match error {
        Error::NotFound { id, .. } if saving => {
            vec![format!("run {} to create it", line(&["save", "--create", id.as_str()]))]
        }
        Error::NotFound { id, .. } if context.command == "run" => {
            let line = context.command_line(&["run", "--create", id.as_str()]);
            vec![format!("run `{line} -- COMMAND` to create it")]
        }
        Error::NotFound { .. } => vec![format!("run {} to see all sessions", line(&["list"]))],
        Error::NoCheckpoint { id } => {
            vec![format!("run {} to save the first one", line(&["save", id.as_str()]))]
        }
        Error::NoRevision { id, .. } => {
            vec![format!("run {} to see the revisions it keeps", line(&["history", id.as_str()]))]
        }
        Error::AlreadyExists { id, .. } => vec![
            format!("run {} to save in it", line(&["save", id.as_str()])),
            format!("or run {} to create another", line(&["create", "--prefix", id.as_str()])),
        ],
        Error::Locked { id, .. } => vec![
            "try again in a minute: Pitstop takes over a lock whose PlainBox has ended".to_owned(),
            format!(
                "run {} only if you are sure that no PlainBox is running",
                line(&["unlock", id.as_str()])
            ),
        ],
        Error::Busy { id, owner } => of_busy(id, owner.as_deref(), context),
        Error::Inherited { .. } => vec!["fork first, and become the writer afterwards".to_owned()],
        Error::Conflict { id, found, .. } => {
            let found = found.to_string();
            vec![
                format!("run {} to load what was saved in between", line(&["load", id.as_str()])),
                format!("or run {} to save over it", line(&["save", "--follows", &found, id.as_str()])),
            ]
        }
        Error::Diverged { .. } => {
            vec!["nothing was changed; add `--as NAME` to give the copy another name".to_owned()]
        }
        Error::Corrupt { .. } if context.command == "import" => {
            vec!["nothing was imported; run `pitstop export` to make a good archive".to_owned()]
        }
        Error::Corrupt { damage: Damage::WrongKind { expected: FileKind::Link, .. }, .. } => vec![format!(
            "nothing was changed; run {} to move it aside and set the last session",
            line(&["last", "SESSION"])
        )],
        Error::Corrupt { newest_good: Some(revision), .. } => {
            vec![format!("nothing was changed; revision {revision} is good")]
        }
        Error::Corrupt { .. } => {
            vec![format!("nothing was changed; run {} to see what is damaged", line(&["verify"]))]
        }
        Error::Indeterminate { path, .. } => {
            let of_store = error.store_problem().map(|problem| store::of(problem, path));
            of_store.into_iter().chain(["try again: that settles the outcome".to_owned()]).collect()
        }
        Error::NotDurable { .. } => {
            vec!["name a repository on a local disk with --repository".to_owned()]
        }
        Error::InvalidId { .. } => vec![
            "use 1 to 200 bytes of UTF-8, without '/' or control characters, a dot or dash at the start, or \
             white space at either end"
                .to_owned(),
        ],
        Error::InvalidLocation { problem, .. } => vec![of_location(problem).to_owned()],
        Error::Input { .. } => {
            vec!["nothing was saved; the checkpoint before is unchanged".to_owned()]
        }
        Error::LabelsTooLong { .. } => {
            vec!["put long values into the checkpoint itself".to_owned()]
        }
        Error::Unsupported { subject: Subject::Store(_), .. } => {
            vec!["use a store that supports If-None-Match and If-Match".to_owned()]
        }
        Error::NewerFormat { .. } => vec!["upgrade Pitstop: a newer version wrote this".to_owned()],
        Error::Unsupported { .. } => {
            vec![format!("run {} to see the format of a session", line(&["show", "SESSION"]))]
        }
        Error::Storage { path, source, .. } => match error.store_problem() {
            Some(problem) if saving => {
                vec![format!("{UNCHANGED}; {}", store::of(problem, path))]
            }
            Some(problem) => vec![store::of(problem, path)],
            None if source.kind() == io::ErrorKind::ConnectionRefused => vec![of_orphan(context)],
            None => of_storage(source, saving),
        },
        _ => vec![format!("run {} for help", line(&[context.command, "--help"]))],
    }
}

/// What stands after a save that failed.
const UNCHANGED: &str = "the checkpoint before is unchanged";

fn of_busy(id: &SessionId, owner: Option<&Owner>, context: &Context) -> Vec<String> {
    let next = match owner {
        Some(owner) => format!("or run `kill {}` on {} to end it", owner.pid, owner.host),
        None => {
            let status = context.command_line(&["status", id.as_str()]);
            format!("run `{status}` to see which process is writing")
        }
    };
    let can_wait = ["save", "run", "unlock", "remove"].contains(&context.command);
    let wait = "add `--wait 10s` to wait for the writer to end".to_owned();
    can_wait.then_some(wait).into_iter().chain([next]).collect()
}

/// An error of a session, with the hints that need its name.
pub(crate) fn of_session(error: Error, session: &Session, context: &Context) -> CommandError {
    let hints = hints_of_session(&error, session, context).unwrap_or_default();
    hints.into_iter().fold(error.into(), CommandError::hint)
}

fn hints_of_session(error: &Error, session: &Session, context: &Context) -> Option<Vec<String>> {
    let id = session.id().as_str();
    let line = |words: &[&str]| context.command_line(words);
    let hint = match error {
        Error::Corrupt { damage: Damage::NoMarker, .. } => {
            let line = line(&["verify", "--repair", id]);
            format!("no checkpoint is lost; run `{line}` to make the marker again")
        }
        Error::Corrupt { newest_good: Some(revision), .. }
            if matches!(context.command, "copy" | "export") =>
        {
            let line = line(&["restore", id, "--newest-good"]);
            format!(
                "nothing was changed; run `{line}` to save revision {revision}, the newest good one, again"
            )
        }
        Error::Corrupt { newest_good: Some(revision), .. } => {
            let line = line(&["load", id, "--newest-good"]);
            format!(
                "nothing was changed; run `{line}` to load revision {revision}, the newest good one"
            )
        }
        Error::Corrupt { .. } if context.command != "verify" => {
            let line = line(&["verify", id]);
            format!("nothing was changed; run `{line}` to see what is damaged")
        }
        Error::Unsupported { subject: Subject::PlainSession(_), .. } => {
            let line = line(&["convert", id, "--to", "journal"]);
            format!(
                "a plain session keeps only its newest checkpoint; run `{line}` to keep a history from now on"
            )
        }
        _ => return None,
    };
    Some(vec![hint])
}

fn of_location(problem: &LocationProblem) -> &'static str {
    use LocationProblem as P;
    match problem {
        P::Scheme | P::NotAUrl | P::NoBucket | P::Prefix | P::Query | P::Credentials => {
            "name a directory without file://, or s3://BUCKET/PREFIX, gs://... or az://..."
        }
        P::Environment | P::EndpointCredentials => {
            "set the endpoint and the credentials in the environment: AWS_..., GOOGLE_... or AZURE_..."
        }
        _ => "name a directory with --repository or $PITSTOP_REPOSITORY",
    }
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
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            "free some space or inodes, and try again"
        }
        io::ErrorKind::ReadOnlyFilesystem => {
            "name a repository elsewhere with --repository: this file system is read-only"
        }
        io::ErrorKind::PermissionDenied => {
            "check who owns the repository, or name another with --repository"
        }
        _ if saving => return vec![UNCHANGED.to_owned()],
        _ => return vec!["nothing was changed; fix the cause and try again".to_owned()],
    };
    match saving {
        true => vec![format!("{UNCHANGED}; {next}")],
        false => vec![next.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use pitstop::{
        Damage, InvalidId, LocationProblem, NameProblem, Operation, Revision, SessionId, Step,
    };

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
            InvalidId::new("", NameProblem::Empty).into(),
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
