use std::ffi::OsString;

use clap::Args;
use pitstop::{Error, Finding, Repair, Severity, Verification, Verified};
use serde_json::{Value, json};

use crate::args::JsonArg;
use crate::commands::list;
use crate::context::{self, Context};
use crate::error::{Exit, Outcome};
use crate::{input, output};

/// Say what is damaged, and what can still be loaded
///
/// Every revision is read and held against its checksum. A plain session has none: that it can be read
/// is all that can be said. Nothing is changed, and nobody is disturbed. The exit code is 6 if
/// something is damaged.
///
/// With --repair, what is damaged is moved aside, never deleted, and if the newest revision is lost,
/// the newest good one is saved again as the newest.
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
    /// Move aside what is damaged, and make the newest good revision the newest
    #[arg(long)]
    repair: bool,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &VerifyArgs, context: &Context) -> Outcome {
    let repository = context.open()?;
    let (mut sessions, mut findings, mut exit) = (Vec::new(), Vec::new(), Exit::Ok);
    let mut problems = Vec::new();
    if args.sessions.is_empty() {
        if args.repair && matches!(repository.last(), Err(Error::Corrupt { .. })) {
            repository.repair_last()?;
        }
        let found = repository.verify()?;
        (sessions, findings, problems) = (found.sessions, found.findings, found.problems);
        exit = list::fail_for_problems(&problems, context);
    }
    for name in &args.sessions {
        sessions.push(repository.session(input::session_id(name)?).verify()?);
    }
    let mut repairs = Vec::new();
    if args.repair {
        for session in sessions.iter_mut().filter(|it| it.is_damaged()) {
            let Repair { moved_aside, renewed, now, .. } =
                repository.session(session.id.clone()).repair()?;
            *session = now;
            repairs.push((session.id.clone(), moved_aside, renewed));
        }
    }
    if args.json.json {
        let repairs: Vec<Value> = repairs
            .iter()
            .map(|(id, moved, renewed)| {
                let moved: Vec<_> = moved.iter().map(|it| it.display().to_string()).collect();
                json!({ "id": id, "moved_aside": moved, "renewed": renewed })
            })
            .collect();
        output::print_json(&json!({
            "repository": repository.location().display().to_string(),
            "sessions": sessions.iter().map(as_json).collect::<Vec<_>>(),
            "problems": list::problems(&problems),
            "findings": findings.iter().map(finding_json).collect::<Vec<_>>(),
            "repairs": repairs,
        }))?;
    } else {
        // For who wants to hear of damage alone.
        let is_told = |it: &&Verification| !context.is_quiet() || it.is_damaged();
        let told: Vec<_> = sessions.iter().filter(is_told).collect();
        output::print(output::verified(&told, &findings))?;
    }
    for (id, moved, renewed) in &repairs {
        for place in moved {
            context.talk(format_args!("moved aside: {}", place.display()));
        }
        if let Some((was, is)) = renewed {
            context
                .talk(format_args!("{id}: revision {was} is the newest again, as revision {is}"));
        }
    }
    let damaged: Vec<_> = sessions.iter().filter(|it| it.is_damaged()).collect();
    if sessions.len() > 1 && !damaged.is_empty() {
        let count = output::count(sessions.len(), "session");
        context.talk(format_args!("{count}: {} damaged", damaged.len()));
    }
    for lost in damaged.iter().filter(|it| it.newest_good().is_none()) {
        context::warning(&format!("no revision of '{}' can be loaded", lost.id));
    }
    if let Some(first) = damaged.iter().find(|it| it.newest_good().is_some()) {
        hint(first, args, context);
    } else if let Some(lost) = damaged.first() {
        hint_at_what_is_left(lost.id.as_str(), args, context);
    }
    let is_damage = |it: &Finding| it.severity == Severity::Damage;
    match damaged.is_empty() && !findings.iter().any(is_damage) {
        true => Ok(exit),
        false => Ok(Exit::Damaged),
    }
}

fn hint(damaged: &Verification, args: &VerifyArgs, context: &Context) {
    let id = damaged.id.as_str();
    if let Some(good) = damaged.newest_good().filter(|_| !args.repair && needs_repair(damaged)) {
        let line = context.command_line(&["verify", "--repair", id]);
        context.hint(format_args!("`{line}` makes revision {good}, which is good, the newest"));
        return;
    }
    let newer = damaged.revisions.iter().take_while(|it| it.error.is_none()).count();
    let line = context.command_line(&["prune", "--revisions", "--keep", &newer.to_string(), id]);
    context.hint(format_args!(
        "the newest revision of '{id}' is good; what is lost stays listed until newer ones take its place, or \
         until `{line}` gives it up, with all that is older"
    ));
}

/// Of a session of which nothing can be loaded.
fn hint_at_what_is_left(id: &str, args: &VerifyArgs, context: &Context) {
    let line = |words: &[&str]| context.command_line(words);
    if args.repair {
        context.hint(format_args!(
            "`{}` begins anew in it, and what is damaged is kept; `{}` puts all of it into the trash",
            line(&["save", id]),
            line(&["remove", id])
        ));
    } else {
        let repair = line(&["verify", "--repair", id]);
        context
            .hint(format_args!("`{repair}` moves aside what is in the way, and deletes nothing"));
    }
}

/// Whether the newest revision is lost, or something is in the way.
fn needs_repair(damaged: &Verification) -> bool {
    damaged.revisions.first().is_none_or(|it| it.error.is_some())
        || damaged
            .findings
            .iter()
            .any(|it| it.severity == Severity::Damage && it.revision.is_none())
}

fn as_json(session: &Verification) -> Value {
    let revision = |it: &Verified| {
        json!({
            "revision": it.revision,
            "good": it.error.is_none(),
            "error": it.error.as_ref().map(list::with_causes),
        })
    };
    json!({
        "id": session.id,
        "format": session.format,
        "damaged": session.is_damaged(),
        "newest_good": session.newest_good(),
        "revisions": session.revisions.iter().map(revision).collect::<Vec<_>>(),
        "findings": session.findings.iter().map(finding_json).collect::<Vec<_>>(),
    })
}

fn finding_json(finding: &Finding) -> Value {
    json!({
        "severity": output::severity(finding.severity),
        "place": finding.place.display().to_string(),
        "at": finding.at,
        "revision": finding.revision,
        "what": finding.what,
    })
}
