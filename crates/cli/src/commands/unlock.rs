use std::ffi::OsString;

use clap::Args;
use pitstop::Unlocked;
use serde_json::json;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::output::OwnerJson;
use crate::wait::WaitArg;
use crate::{input, output};

/// Clear a lock that PlainBox left, or a writer on another machine
///
/// Only when you are sure that it is not running. Nothing that Pitstop leaves behind needs this: in an
/// object store a save watches a writer on another machine for a minute, and takes over if it is silent.
///
/// PlainBox is the engine of Checkbox, the tester of Ubuntu, whose sessions Pitstop keeps too. What it left is
/// kept beside the checkpoint.
#[derive(Args)]
pub(crate) struct UnlockArgs {
    /// The name of the session
    session: OsString,
    #[command(flatten)]
    wait: WaitArg,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &UnlockArgs, context: &Context) -> Outcome {
    let session = context.open()?.get(input::session_id(&args.session)?)?;
    let (mut moved, mut displaced) = (None, None);
    match args.wait.until_free(&session, || session.unlock())? {
        Unlocked::MovedAside(place) => {
            context.talk(format_args!("unlocked: the lock is kept as {}", place.display()));
            moved = Some(place.display().to_string());
        }
        Unlocked::Displaced(owner) => {
            context.talk(format_args!("unlocked: {owner} is the writer no more"));
            displaced = Some(owner);
        }
        _ => context.talk(format_args!("'{}' was not locked", session.id())),
    }
    match args.json.json {
        true => output::print_json(&json!({
            "id": session.id(),
            "moved_aside": moved,
            "displaced": displaced.as_ref().map(OwnerJson::from),
        })),
        false => Ok(Exit::Ok),
    }
}
