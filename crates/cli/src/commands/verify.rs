use std::ffi::OsString;

use clap::Args;
use pitstop::{
    Error, Finding, Problem, Repair, Repository, RepositoryVerification, Revision, SessionId,
    Severity, Verification,
};
use serde::Serialize;

use crate::args::JsonArg;
use crate::context::{self, Context};
use crate::error::{Exit, Outcome};
use crate::{input, output, report};

/// Find damage, and show what can still be loaded
///
/// Every revision is read and compared with its checksum. A plain session has no checksum; verify only tests
/// that it is readable. Nothing is changed, and no writer is disturbed. The exit code is 6 if something is
/// damaged.
///
/// With --repair, damaged files are moved aside, never deleted, and if the newest revision is lost, the
/// newest good one is saved again as the newest. The exit code is 0 once every session can be used, although
/// a damaged older revision stays listed until newer ones replace it.
#[derive(Args)]
#[command(after_help = "\
Examples:
  pitstop verify                    all sessions, and what lies beside them
  pitstop verify nightly            one session
  pitstop verify --repair nightly   make it load again")]
pub(crate) struct VerifyArgs {
    /// The names of the sessions [default: all]
    #[arg(value_name = "SESSION")]
    sessions: Vec<OsString>,
    /// Move damaged files aside, and save the newest good revision as the newest
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    json: JsonArg,
}

/// What was found.
#[derive(Serialize)]
struct VerifyReport<'a> {
    /// The repository.
    repository: String,
    /// The sessions, as they are after a repair.
    sessions: Vec<VerificationReport<'a>>,
    /// What there is beside them.
    findings: &'a [Finding],
    /// The entries that could not be read.
    problems: &'a [Problem],
    /// What was repaired.
    repairs: &'a [RepairReport],
}

/// What was found of a session.
#[derive(Serialize)]
struct VerificationReport<'a> {
    #[serde(flatten)]
    verification: &'a Verification,
    /// Whether something that was saved cannot be loaded, or the session cannot be used.
    damaged: bool,
    /// The newest revision that can be loaded.
    newest_good: Option<Revision>,
}

/// What a repair did.
#[derive(Serialize)]
struct RepairReport {
    /// The name of the session.
    id: SessionId,
    /// What was moved aside, by the names that it has now.
    moved_aside: Vec<String>,
    /// The newest good revision, and the number under which it was saved again.
    recovered: Option<(Revision, Revision)>,
}

pub(super) fn run(args: &VerifyArgs, context: &Context) -> Outcome {
    let repository = context.open()?;
    let mut found = RepositoryVerification::default();
    if args.sessions.is_empty() {
        if args.repair && matches!(repository.last(), Err(Error::Corrupt { .. })) {
            repository.repair_last()?;
            context.print_status("moved aside what was in the place of the last session");
        }
        found = repository.verify()?;
    }
    for name in &args.sessions {
        found.sessions.push(repository.session(input::session_id(name)?).verify()?);
    }
    let repairs = match args.repair {
        true => repair(&repository, &mut found.sessions)?,
        false => Vec::new(),
    };
    if args.json.json {
        output::print_json(&as_json(&repository, &found, &repairs))?;
    } else {
        // For who wants to hear of damage alone.
        let is_told = |it: &&Verification| !context.is_quiet() || it.is_damaged();
        let told: Vec<_> = found.sessions.iter().filter(is_told).collect();
        output::print(output::verified(&told, &found.findings))?;
    }
    repairs.iter().for_each(|it| print_repair(it, context));
    let exit = report::fail_for_problems(&found.problems, context);
    let damaged: Vec<_> = found.sessions.iter().filter(|it| it.is_damaged()).collect();
    if found.sessions.len() > 1 && !damaged.is_empty() {
        let count = output::count(found.sessions.len(), "session");
        context.print_status(format_args!("{count}: {} damaged", damaged.len()));
    }
    for session in &damaged {
        explain(session, args, context);
    }
    let is_beside = found.findings.iter().any(|it| it.severity == Severity::Damage);
    match is_beside || damaged.iter().any(|it| !(args.repair && is_usable(it))) {
        true => Ok(Exit::Damaged),
        false => Ok(exit),
    }
}

fn repair(
    repository: &Repository,
    sessions: &mut [Verification],
) -> Result<Vec<RepairReport>, Error> {
    let mut repairs = Vec::new();
    for session in sessions.iter_mut().filter(|it| it.is_damaged()) {
        let Repair { moved_aside, renewed, now, .. } =
            repository.session(session.id.clone()).repair()?;
        *session = now;
        repairs.push(RepairReport {
            id: session.id.clone(),
            moved_aside: moved_aside.iter().map(|it| it.display().to_string()).collect(),
            recovered: renewed,
        });
    }
    Ok(repairs)
}

fn print_repair(repair: &RepairReport, context: &Context) {
    let id = &repair.id;
    for path in &repair.moved_aside {
        context.print_status(format_args!("{id}: moved aside: {path}"));
    }
    if let Some((was, is)) = repair.recovered {
        context.print_status(format_args!(
            "{id}: revision {was} was saved again, as revision {is}: the newest"
        ));
    }
}

/// Prints what to do about a damaged session.
fn explain(session: &Verification, args: &VerifyArgs, context: &Context) {
    let id = session.id.as_str();
    let line = |words: &[&str]| context.command_line(words);
    match session.newest_good() {
        None => {
            context::warning(&format!("no revision of '{id}' can be loaded"));
            match args.repair {
                true => context.hint(format_args!(
                    "run `{}` to start anew and keep the damaged files, or `{}` to move all of it to the trash",
                    line(&["save", id]),
                    line(&["remove", id])
                )),
                false => context.hint(format_args!(
                    "run `{}` to move aside what is in the way; nothing is deleted",
                    line(&["verify", "--repair", id])
                )),
            }
        }
        Some(good) if !is_usable(session) => context.hint(format_args!(
            "run `{}` to save revision {good} of '{id}', which is good, as the newest",
            line(&["verify", "--repair", id])
        )),
        Some(_) => {
            let newer = session.revisions.iter().take_while(|it| it.error.is_none()).count();
            let keep = newer.to_string();
            let line = line(&["prune", "--revisions", "--keep", &keep, id]);
            context.hint(format_args!(
                "the newest revision of '{id}' is good; the damaged one stays listed until newer ones replace \
                 it: run `{line}` to discard it now, with all that are older"
            ));
        }
    }
}

/// Whether the newest revision is good, and nothing is in the way.
fn is_usable(session: &Verification) -> bool {
    let is_in_the_way = |it: &Finding| it.severity == Severity::Damage && it.revision.is_none();
    session.revisions.first().is_some_and(|it| it.error.is_none())
        && !session.findings.iter().any(is_in_the_way)
}

fn as_json<'a>(
    repository: &Repository,
    found: &'a RepositoryVerification,
    repairs: &'a [RepairReport],
) -> VerifyReport<'a> {
    let session = |it: &'a Verification| VerificationReport {
        verification: it,
        damaged: it.is_damaged(),
        newest_good: it.newest_good(),
    };
    VerifyReport {
        repository: report::location(repository),
        sessions: found.sessions.iter().map(session).collect(),
        findings: &found.findings,
        problems: &found.problems,
        repairs,
    }
}
