//! What a verification found.

use std::fmt::Write as _;

use anstyle::{AnsiColor, Style};
use pitstop::{Error, Finding, Format, Severity, Verification};

use super::{coloured, count, wrapped};
use crate::context::printable;

const GOOD: Style = AnsiColor::Green.on_default();
const DAMAGED: Style = AnsiColor::Red.on_default().bold();

/// A line for each session, and below it what there is to say.
pub(crate) fn verified(sessions: &[&Verification], findings: &[Finding]) -> String {
    let (good, bad) = match coloured() {
        true => (GOOD, DAMAGED),
        false => (Style::new(), Style::new()),
    };
    let mut text = String::new();
    for session in sessions {
        let total = session.revisions.len();
        let revisions = count(total, "revision");
        let lost = session.revisions.iter().filter(|it| it.error.is_some()).count();
        let id = printable(session.id.as_str());
        let _ = match (session.is_damaged(), session.newest_good(), session.format) {
            (true, Some(newest), _) => writeln!(
                text,
                "{id}: {bad}damaged{bad:#}: {} of {revisions} can be loaded, the newest is {newest}",
                total - lost,
            ),
            (true, None, _) => writeln!(text, "{id}: {bad}damaged{bad:#}: nothing can be loaded"),
            (false, None, _) => writeln!(text, "{id}: {good}ok{good:#}: never saved"),
            (false, Some(_), Format::Plain) => {
                writeln!(text, "{id}: {good}ok{good:#}: readable; a plain session has no checksum")
            }
            (false, Some(_), _) => writeln!(text, "{id}: {good}ok{good:#}: {revisions}"),
        };
        // What is told by its place below is not told twice.
        let is_told = |revision, error: &Error| {
            let of_place =
                |it: &Finding| matches!(error, Error::Corrupt { path, .. } if *path == it.place);
            session.findings.iter().any(|it| it.revision == Some(revision) || of_place(it))
        };
        for lost in &session.revisions {
            if let Some(error) = lost.error.as_ref().filter(|it| !is_told(lost.revision, it)) {
                let _ = writeln!(text, "  {bad}damage{bad:#}: {}", printable(&error.to_string()));
            }
        }
        session.findings.iter().for_each(|it| finding(&mut text, "  ", it, bad));
    }
    findings.iter().for_each(|it| finding(&mut text, "", it, bad));
    text.lines().map(|line| wrapped(line, 4) + "\n").collect()
}

fn finding(text: &mut String, indent: &str, it: &Finding, bad: Style) {
    let style = if it.severity == Severity::Damage { bad } else { Style::new() };
    let _ = write!(text, "{indent}{style}{}{style:#}: ", severity(it.severity));
    if let Some(revision) = it.revision {
        let _ = write!(text, "revision {revision}: ");
    }
    let _ = write!(text, "{}", printable(&it.place.display().to_string()));
    if let Some(at) = it.at {
        let _ = write!(text, ", byte {at}");
    }
    let _ = writeln!(text, ": {}", printable(&it.what));
}

fn severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Damage => "damage",
        Severity::Leftover => "leftover",
        _ => "note",
    }
}
