//! What several commands print: as sentences, and as the JSON that docs/json.md describes.

use std::time::SystemTime;

use pitstop::{
    CheckpointInfo, Copied, Error, Owner, Problem, ProgramState, Repository, SessionId, Status,
    WriterState,
};
use serde::Serialize;

use crate::context::{Context, warning};
use crate::error::Exit;
use crate::output;

/// A checkpoint that was saved or loaded.
#[derive(Serialize)]
pub(crate) struct CheckpointReport<'a> {
    /// The name of the session.
    pub(crate) id: &'a SessionId,
    #[serde(flatten)]
    pub(crate) info: &'a CheckpointInfo,
}

/// What was copied or imported.
#[derive(Serialize)]
pub(crate) struct CopyReport<'a> {
    /// The repository that it was copied to.
    pub(crate) repository: String,
    /// The copies.
    pub(crate) copied: &'a [Copied],
    /// The sessions that could not be copied, and the entries that could not be read.
    pub(crate) problems: &'a [Problem],
}

/// What was removed, or would be by the same command without --dry-run.
#[derive(Serialize)]
pub(crate) struct RemovalReport<T> {
    /// Whether nothing was removed.
    dry_run: bool,
    /// What was removed.
    removed: Vec<T>,
    /// What would be removed.
    would_remove: Vec<T>,
}

impl<T> RemovalReport<T> {
    pub(crate) fn new(dry_run: bool, items: Vec<T>) -> Self {
        let (removed, would_remove) = match dry_run {
            true => (Vec::new(), items),
            false => (items, Vec::new()),
        };
        Self { dry_run, removed, would_remove }
    }
}

/// The repository's location.
pub(crate) fn location(repository: &Repository) -> String {
    repository.location().display().to_string()
}

/// Prints what could not be read, and returns the exit code for that.
pub(crate) fn warn_of_problems<'a>(
    problems: impl IntoIterator<Item = &'a Problem>,
    context: &Context,
) -> Exit {
    let mut exit = Exit::Ok;
    for problem in problems {
        context.warn(&problem.error);
        if matches!(problem.error, Error::Corrupt { .. }) {
            exit = Exit::Damaged;
        }
    }
    exit
}

/// The same, where something was to be done with each: what could not be done is a failure. A name that no
/// session can have is none.
pub(crate) fn fail_for_problems(problems: &[Problem], context: &Context) -> Exit {
    let is_failure = |it: &Problem| !matches!(it.error, Error::InvalidId { .. });
    match warn_of_problems(problems, context) {
        Exit::Ok if problems.iter().any(is_failure) => Exit::Failed,
        exit => exit,
    }
}

/// Prints what was copied and what was not, and returns the exit code for that.
pub(crate) fn print_copied(copied: &Copied, destination: &Repository, context: &Context) -> Exit {
    let (id, to) = (copied.session.id(), destination.location().display());
    let what = output::revisions_and_files(copied.revisions, copied.files);
    let is_saved = || copied.session.status().is_ok_and(|it| it.summary.saved.is_some());
    match copied.revisions {
        0 if is_saved() => context.print_status(format_args!("{id} was in {to} already")),
        0 => context.print_status(format_args!("{id} has no checkpoint; the session is in {to}")),
        _ if context.command == "import" => {
            context.print_status(format_args!("imported {what} of {id} into {to}"));
        }
        _ => context.print_status(format_args!("copied {what} of {id} to {to}")),
    }
    if copied.without_history > 0 {
        let stayed = output::count(copied.without_history, "older revision");
        context.print_status(format_args!(
            "{stayed} of {id} stayed behind: the copy keeps no history"
        ));
    }
    if !copied.without_labels.is_empty() {
        context.print_status(format_args!(
            "the labels of {id} stayed behind: the copy keeps no labels"
        ));
    }
    for it in &copied.passed_over {
        warning(&format!("{} was not copied: {}", it.place.display(), it.reason));
    }
    for revision in &copied.damaged {
        warning(&format!("revision {revision} of {id} is damaged, and was not copied"));
    }
    if copied.damaged.is_empty() { Exit::Ok } else { Exit::Damaged }
}

/// The state of a session's program in a sentence, with what there is to resume from.
pub(crate) fn state(status: &Status, now: SystemTime) -> String {
    let sentence = writer(&status.writer, now);
    let is_ended = matches!(status.writer, WriterState::Interrupted(_) | WriterState::Ended { .. });
    match status.summary.saved {
        _ if !is_ended => sentence,
        Some(saved) => format!("{sentence}; saved {}", output::relative(saved, now)),
        None => format!("{sentence}; never saved"),
    }
}

/// The state of a session's program in a sentence.
pub(crate) fn writer(writer: &WriterState, now: SystemTime) -> String {
    let since = |owner: &Owner| output::relative(output::since(owner), now).to_string();
    match writer {
        WriterState::Idle => "idle".to_owned(),
        WriterState::Live(Some(owner)) => format!("running: {owner}, begun {}", since(owner)),
        WriterState::Live(None) => "running: an unknown process (no owner record)".to_owned(),
        WriterState::Interrupted(owner) => format!("interrupted: {owner} was killed"),
        WriterState::Ended { owner, .. } => match writer.program() {
            state @ ProgramState::Done => format!("{state}: {owner} ended with exit code 0"),
            state @ ProgramState::Stopped => format!("{state}: {owner} was asked to stop"),
            state => format!("{state}: {owner}"),
        },
        WriterState::PlainBox { age, stale: true } => format!(
            "interrupted: PlainBox left its lock {} ago; the next save takes the session over",
            output::age(*age)
        ),
        WriterState::PlainBox { age, stale: false } => format!(
            "locked by PlainBox, which may be writing; its lock is unchanged for {}",
            output::age(*age)
        ),
        _ => "unknown".to_owned(),
    }
}
