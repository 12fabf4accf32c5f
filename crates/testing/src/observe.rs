//! What a program finds on a simulated disk, held against what was promised.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::io::Read;
use std::path::PathBuf;

use super::payload::payload;
use super::run::Run;
use super::scenario::{OWN_FILE, OWN_LINK};
use super::step::Id;
use super::world::{Expected, NO_LINK, Presence, World};
use pitstop::{
    Checkpoint, Digest, Error, Format, History, Kept, Problem, Session, Status, Summary,
};

/// What 16 revisions of the payloads here take, and one to go on in.
const MOST_SEGMENTS: usize = 5;

impl Run {
    /// Looks at everything, and says what it found where more than one answer is right.
    pub(crate) fn observe(&self) -> Result<World, String> {
        let wrong = |what: &str, error: Error| format!("{what}: {error:?}");
        let listing = self.repository.list().map_err(|error| wrong("list", error))?;
        let is_damaged = |it: &&Problem| {
            let expected = it.id.as_ref().and_then(|id| self.world.sessions.get(id.as_str()));
            expected.is_some_and(|it| it.is_damaged)
        };
        if let Some(problem) = listing.problems.iter().find(|it| !is_damaged(it)) {
            return Err(format!("list reports {problem:?}"));
        }
        let listed: Vec<&str> = listing.sessions.iter().map(|it| it.id.as_str()).collect();
        let mut found = self.world.clone();
        if let Some((id, revision)) = found.given_twice {
            return Err(format!("{id} has two checkpoints of the number {revision}"));
        }
        if let Some(other) = listed.iter().find(|id| !found.sessions.contains_key(**id)) {
            return Err(format!("{other} is listed, and was never made"));
        }
        let trash = self.repository.trash().map_err(|error| wrong("trash", error))?;
        let trash: Vec<&str> = trash.iter().map(|it| it.id.as_str()).collect();
        for (id, expected) in &mut found.sessions {
            let summary = listing.sessions.iter().find(|it| it.id.as_str() == *id);
            observe_trash(id, summary.is_some(), trash.contains(id), expected)?;
            self.observe_session(id, summary, expected)?;
        }
        self.observe_evidence(&mut found)?;
        let last = match self.repository.last() {
            Err(Error::Corrupt { .. }) if found.last.contains(&Some(NO_LINK)) => {
                found.last = vec![Some(NO_LINK)];
                return Ok(found);
            }
            last => last.map_err(|error| wrong("last", error))?,
        };
        let last_id = last.as_ref().map(|session| session.id().as_str());
        found.last.retain(|allowed| *allowed == last_id);
        found.last.truncate(1);
        if found.last.is_empty() {
            return Err(format!("the last session is {last_id:?}, not {:?}", self.world.last));
        }
        if self.world.resumable {
            match last.map(|session| session.load()) {
                Some(Ok(_)) => (),
                other => return Err(format!("nothing to resume: {other:?}")),
            }
        }
        Ok(found)
    }

    /// What was found where it does not belong is there or aside, and nowhere else.
    fn observe_evidence(&self, found: &mut World) -> Result<(), String> {
        for ((id, content), is_aside) in &mut found.evidence {
            let place = match id {
                Some(id) if found.sessions[id].presence != Presence::Sure => continue,
                Some(id) => self.place(id),
                None => self.location.clone(),
            };
            let files = self.disk.files(&place);
            let is_it = |(path, it): &&(PathBuf, u64)| {
                it == content && (!*is_aside || path.to_string_lossy().contains(".aside-"))
            };
            let Some((path, _)) = files.iter().find(is_it) else {
                let what = if *is_aside { "no longer aside" } else { "lost" };
                return Err(format!("evidence in {} is {what}", place.display()));
            };
            *is_aside = path.to_string_lossy().contains(".aside-");
        }
        Ok(())
    }

    fn observe_session(
        &self,
        id: Id,
        summary: Option<&Summary>,
        found: &mut Expected,
    ) -> Result<(), String> {
        if found.is_damaged {
            let session = self.session(id).map_err(|error| format!("{error:?}"))?;
            return match session.history() {
                Ok(history) => observe_revisions(id, &session, &history, found),
                Err(_) => Ok(()),
            };
        }
        let listed = summary.is_some();
        match (found.presence, listed) {
            (Presence::Sure, false) => return Err(format!("{id} is not listed")),
            (Presence::Gone, true) => return Err(format!("{id} is listed, and was removed")),
            _ => (),
        }
        let format = match found.converted {
            None => Some(self.format),
            Some((format, is_sure)) => Some(format).filter(|_| is_sure),
        };
        match summary.filter(|_| found.is_complete) {
            Some(it) if format.is_some_and(|format| it.format != format) => {
                return Err(format!("{id} is {}", it.format));
            }
            _ => (),
        }
        found.presence = if listed { Presence::Sure } else { Presence::Gone };
        let status = self.session(id).and_then(|session| session.status());
        let loaded = self.session(id).and_then(|session| session.load());
        self.check_agreement(id, summary, &status, &loaded)?;
        if summary.is_some_and(|it| it.format == Format::Journal) {
            self.observe_history(id, loaded.as_ref().ok(), found)?;
        }
        let payloads: Vec<Option<u32>> = match loaded {
            Err(Error::NotFound { .. }) if !listed => return Ok(()),
            Ok(loaded) => (found.payloads.iter().copied())
                .filter(|it| it.is_some_and(|number| *payload(number) == *loaded.data))
                .collect(),
            Err(Error::NoCheckpoint { .. }) => {
                found.payloads.iter().copied().filter(Option::is_none).collect()
            }
            Err(error) => return Err(format!("{id} does not load: {error:?}")),
        };
        if payloads == [None] {
            // It was made anew, or nothing was ever saved.
            (found.told, found.given) = (0, BTreeMap::new());
        }
        match payloads.last() {
            Some(newest) => found.payloads = vec![*newest],
            None => return Err(format!("{id} holds none of {:?}", found.payloads)),
        }
        let must_have_own_files = found.has_own_files
            || found.own_files_come_with.is_some_and(|it| found.payloads == [Some(it)]);
        let own_file = self.disk.read(self.place(id).join(OWN_FILE));
        let own_link = self.disk.link_target(self.place(id).join(OWN_LINK.0));
        let must_have_link = must_have_own_files && found.own_files_come_with.is_some();
        if must_have_own_files && own_file.as_deref() != Some(b"own")
            || must_have_link && own_link.is_none_or(|it| it != OWN_LINK.1)
        {
            return Err(format!("{id} is there, and the program's files in it are not"));
        }
        Ok(())
    }

    /// A list, a status and a load tell the same of a session.
    fn check_agreement(
        &self,
        id: Id,
        summary: Option<&Summary>,
        status: &Result<Status, Error>,
        loaded: &Result<Checkpoint, Error>,
    ) -> Result<(), String> {
        let told = |it: &Summary| (it.saved, it.size, it.format, it.live);
        let of_status = status.as_ref().map(|status| told(&status.summary)).ok();
        if summary.map(told) != of_status {
            return Err(format!("{id} is listed as {summary:?}, and its status is {status:?}"));
        }
        let of_load = match loaded {
            Ok(checkpoint) => Some((checkpoint.info.saved, checkpoint.info.size)),
            Err(_) => None,
        };
        if summary.and_then(|it| it.saved.zip(it.size)) != of_load {
            return Err(format!("{id} is listed as {summary:?}, and loads as {of_load:?}"));
        }
        Ok(())
    }

    /// The history begins with what loads.
    fn observe_history(
        &self,
        id: Id,
        loaded: Option<&Checkpoint>,
        found: &mut Expected,
    ) -> Result<(), String> {
        let session = self.session(id).map_err(|error| format!("{error:?}"))?;
        let history = session.history().map_err(|error| format!("history: {error:?}"))?;
        if !history.damaged.is_empty() {
            return Err(format!("{id} reports damage: {:?}", history.damaged));
        }
        let newest = history.revisions.first().map(|kept| &kept.info);
        if newest != loaded.map(|checkpoint| &checkpoint.info) {
            return Err(format!(
                "the history of {id} begins with {newest:?}, and {loaded:?} loads"
            ));
        }
        observe_revisions(id, &session, &history, found)?;
        observe_given_up(id, &history, found)
    }

    /// Nothing of a removed session is left, since nobody else is there.
    pub(crate) fn check_swept(&self) -> Result<(), String> {
        let names = self.disk.names(&self.location);
        let is_left = |name: &&OsString| {
            let name = name.to_string_lossy();
            name.ends_with(".removed") || name.ends_with(".last")
        };
        match names.iter().find(is_left) {
            Some(name) => Err(format!("{} is left", name.display())),
            None => Ok(()),
        }
    }

    /// Nothing is left in a session's directory that nobody will ever clear away.
    pub(crate) fn check_tidy(&self, id: Id) -> Result<(), String> {
        const KNOWN: [&str; 3] = ["session.writer", "session.replaces", "own"];
        let names = self.disk.names(self.place(id));
        let names: Vec<_> = names.iter().map(|name| name.to_string_lossy()).collect();
        let is_journal = names.iter().any(|name| name == "session.journal");
        let is_converted = self.world.sessions.get(id).is_some_and(|it| it.converted.is_some());
        let mut segments = 0;
        for name in &names {
            let is_segment = name.starts_with("session.journal-");
            segments += usize::from(is_segment);
            // What a conversion left that was killed, or what PlainBox's lock was then.
            let is_left = is_segment || name.starts_with("session.aside-");
            if is_converted && is_left {
                continue;
            }
            let is_known = match is_journal {
                true => is_segment || name == "session.journal",
                false => name == "session",
            };
            let is_evidence =
                name.starts_with("session.aside-") || name.starts_with("session.journal.aside-");
            if !is_known && !is_evidence && !KNOWN.contains(&&**name) {
                return Err(format!("{name} is left in {id}"));
            }
        }
        match segments {
            0..=MOST_SEGMENTS => Ok(()),
            _ => Err(format!("{segments} segments are in {id}")),
        }
    }
}

/// Every revision that is listed is there, and is what it was when its number was given.
fn observe_revisions(
    id: Id,
    session: &Session,
    history: &History,
    found: &mut Expected,
) -> Result<(), String> {
    for kept in &history.revisions {
        let revision = kept.info.revision;
        let wrong = |what: &str| format!("revision {revision} of {id} {what}");
        let loaded = session
            .load_revision(revision)
            .map_err(|error| wrong(&format!("does not load: {error:?}")))?;
        let number = revision.number().unwrap_or_default();
        let is_it = |payload_number: &u32| *payload(*payload_number) == *loaded.data;
        match found.given.get(&number) {
            Some(given) if is_it(given) => (),
            Some(_) if number <= found.told => return Err(wrong("is not what it was")),
            _ => match found.payloads.iter().flatten().copied().find(is_it) {
                Some(in_flight) => drop(found.given.insert(number, in_flight)),
                None => return Err(wrong("was never saved")),
            },
        }
        if loaded.info != kept.info {
            return Err(wrong("is listed as something else"));
        }
        let mut pieces = Vec::new();
        let opened = session.open_revision(revision).map_err(std::io::Error::from);
        match opened.and_then(|mut reader| reader.read_to_end(&mut pieces)) {
            Ok(_) if pieces == loaded.data => (),
            other => return Err(wrong(&format!("is not read in pieces: {other:?}"))),
        }
    }
    let newest = history.revisions.first().and_then(|kept| kept.info.revision.number());
    found.told = newest.unwrap_or(0).max(found.told);
    Ok(())
}

/// What was given up is gone, and nothing else.
fn observe_given_up(id: Id, history: &History, found: &mut Expected) -> Result<(), String> {
    let Some((oldest, is_sure)) = found.oldest else { return Ok(()) };
    let is_oldest = |it: &&Kept| it.info.digest == Digest::of(&payload(oldest));
    let older = history.revisions.iter().rev().take_while(|it| !is_oldest(it)).count();
    match older {
        0 => found.oldest = Some((oldest, true)),
        _ if older == history.revisions.len() => {
            return Err(format!("{id} has lost the oldest revision that was to stay"));
        }
        _ if is_sure => return Err(format!("{id} has {older} revisions that were given up")),
        _ => (),
    }
    Ok(())
}

/// A session is in the trash, or where it was, or gone, as was promised.
fn observe_trash(id: Id, listed: bool, in_trash: bool, found: &mut Expected) -> Result<(), String> {
    match (found.in_trash, found.presence) {
        (Presence::Sure, _) if !in_trash => return Err(format!("{id} is not in the trash")),
        (Presence::Gone, _) if in_trash => return Err(format!("{id} is in the trash")),
        (Presence::Maybe, Presence::Maybe) if in_trash == listed => {
            return Err(format!(
                "{id} is {} and in the trash",
                if listed { "there" } else { "neither" }
            ));
        }
        _ => (),
    }
    found.in_trash = if in_trash { Presence::Sure } else { Presence::Gone };
    Ok(())
}
