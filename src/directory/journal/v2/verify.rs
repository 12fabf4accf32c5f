//! Reading all that a journal keeps, and saying where in it damage is.

use super::hint::Hint;
use super::record::Record;
use super::standing::Standing;
use super::survey::Survey;
use super::view::{Step, View, look};
use crate::backend::{Finding, GivenUp, Severity};
use crate::directory::{names, usage};
use crate::error::{Error, Result};
use crate::revision::Revision;
use crate::sys::Directory;

/// What is wrong with the files, and the places of these revisions, which cannot be loaded; `None` if this is no
/// journal of version 2.
pub(in crate::directory) fn locate(
    session: &Directory,
    lost: &[u64],
) -> Result<Option<Vec<Finding>>> {
    let mut hint = Hint::read(session)?;
    loop {
        let findings = locate_once(session, hint, lost)?;
        if findings.as_ref().is_none_or(Vec::is_empty) {
            return Ok(findings);
        }
        // What a writer deletes while it is looked at seems to be lost.
        let now = Hint::read(session)?;
        if now == hint {
            return Ok(findings);
        }
        hint = now;
    }
}

fn locate_once(
    session: &Directory,
    hint: Option<Hint>,
    lost: &[u64],
) -> Result<Option<Vec<Finding>>> {
    let survey = match Survey::of(session, hint.map(|it| it.published.journal)) {
        Ok(survey) => survey,
        // A ring that is no file: its name tells.
        Err(Error::Corrupt { .. }) => return Ok(Some(Vec::new())),
        Err(error) => return Err(error),
    };
    let at = |name: &str| session.path().join(name);
    let Some(survey) = survey else {
        let Some(_) = hint else { return Ok(None) };
        let what = "all files of this journal are missing: session.journal-0 and so on";
        return Ok(Some(vec![Finding::new(Severity::Damage, at(names::JOURNAL), what)]));
    };
    let mut findings = Vec::new();
    for (number, len) in &survey.damaged {
        let what = format!("its header is lost, or it is of another journal: {len} bytes");
        findings.push(Finding::new(Severity::Damage, at(&names::segment(*number)), what));
    }
    for number in &survey.cut_short {
        let what = "the file was cut short";
        findings.push(Finding::new(Severity::Note, at(&names::segment(*number)), what));
    }
    findings.extend(other_moments(session, hint.as_ref(), &survey)?);
    let records = survey.records(session)?;
    for number in lost.iter().copied().filter(|number| *number > 0) {
        findings.push(where_is(session, &records, number));
    }
    Ok(Some(findings))
}

/// An exact hint and rings that do not fit together: somebody has put files of another moment there.
fn other_moments(
    session: &Directory,
    hint: Option<&Hint>,
    survey: &Survey,
) -> Result<Option<Finding>> {
    let Some(hint) = hint.filter(|it| it.is_exact) else { return Ok(None) };
    let found = Standing::of_survey(session, survey)?;
    let published = hint.published.commit;
    let Some(newest) = found.newest.filter(|it| it.header.lsn > published.lsn + 1) else {
        return Ok(None);
    };
    let what = format!(
        "its files are of different moments: it holds revision {}, and {} says that {} is the newest",
        newest.header.revision,
        names::HINT,
        published.revision
    );
    let place = session.path().join(names::segment(newest.place.file));
    Ok(Some(Finding::new(Severity::Damage, place, what)))
}

fn where_is(session: &Directory, records: &[Record], number: u64) -> Finding {
    let record = records.iter().find(|it| it.header.revision == number);
    let (place, at, what) = match record {
        Some(record) => {
            let what = "its bytes, or those it is stored against, are not what was written";
            (names::segment(record.place.file), Some(record.place.at()), what)
        }
        None => match records.iter().rfind(|it| it.header.previous.1.revision == number) {
            Some(next) => {
                let place = next.header.previous.0;
                (names::segment(place.file), Some(place.at()), "its header is lost")
            }
            None => (names::JOURNAL.to_owned(), None, "no file holds it"),
        },
    };
    let revision = Some(Revision::from_number(number));
    Finding { at, revision, ..Finding::new(Severity::Damage, session.path().join(place), what) }
}

/// Whether a journal is of this version.
pub(in crate::directory) fn is_there(session: &Directory) -> Result<bool> {
    Ok(look(session, |_| Ok(()))?.is_some())
}

/// The rings, the newest as the last.
pub(in crate::directory) fn oldest_first(session: &Directory) -> Result<Option<Vec<String>>> {
    let survey = Survey::of(session, None)?;
    Ok(survey.map(|it| it.rings.iter().map(|ring| names::segment(ring.number)).collect()))
}

/// What giving up the revisions before this one would delete.
pub(in crate::directory) fn would_discard(
    session: &Directory,
    before: Revision,
) -> Result<Option<GivenUp>> {
    look(session, |view| {
        let mut given_up = GivenUp::default();
        let number = before.number().unwrap_or(0).max(view.kept());
        let Step::To(newest) = view.newest_commit() else { return Ok(given_up) };
        let Step::To(oldest) = view.above(newest, number.saturating_sub(1))? else {
            return Ok(given_up);
        };
        for number in rings_below(view, oldest.place.file)? {
            if let Some(file) = session.metadata(names::segment(number))? {
                given_up.usage += usage::of(&file);
            }
        }
        Ok(given_up)
    })
}

fn rings_below(view: &View<'_>, file: u64) -> Result<Vec<u64>> {
    let survey = Survey::of(view.session, Some(view.standing.journal))?.unwrap_or_default();
    Ok(survey.rings.iter().map(|it| it.number).filter(|it| *it < file).collect())
}
