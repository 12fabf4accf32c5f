//! What the tests run in a process of its own. See [`child`](crate::watchdog::child).

use std::fs;

use pitstop::{CreateOptions, Error, Repository, SessionId};

use crate::watchdog;

#[test]
fn runs_the_step_it_was_started_for() {
    match watchdog::step().as_deref() {
        None => (),
        Some("locations") => {
            let line = |place: pitstop::Result<std::path::PathBuf>| match place {
                Ok(place) => place.into_os_string().into_string().unwrap(),
                Err(error) => format!("error: {error}"),
            };
            let plainbox = line(Repository::plainbox_location());
            let default = line(Repository::default_location());
            fs::write("locations", format!("{plainbox}\n{default}")).unwrap();
        }
        Some("use") => {
            let repository = Repository::open("above/sessions").unwrap();
            let options = CreateOptions::new().id(SessionId::new("job").unwrap()).replace_last();
            let session = repository.create(&options).unwrap();
            session.save(b"one").unwrap();
            session.save(b"two").unwrap();
            session.make_last().unwrap();
        }
        Some("list") => {
            // Absolute paths would be longer than the test wants to know.
            let here = std::env::current_dir().unwrap();
            let short =
                |error: Error| error.to_string().replace(&format!("{}/", here.display()), "");
            let repository = Repository::open("sessions").unwrap();
            let listing = repository.list().unwrap();
            let mut said = String::new();
            for problem in listing.problems {
                said += &format!("{}: {}\n", problem.name, short(problem.error));
            }
            let mut ids: Vec<_> = listing.sessions.into_iter().map(|it| it.id).collect();
            ids.sort();
            for id in ids {
                said += &format!("{id}\n");
            }
            for id in ["closed", "shut"] {
                let error = repository.get(id).unwrap().load().unwrap_err();
                said += &format!("load {id}: {}\n", short(error));
            }
            fs::write("list", said).unwrap();
        }
        Some(step) => panic!("no such step: {step}"),
    }
}
