use std::ffi::OsString;

use clap::Args;
use pitstop::Unlocked;
use serde_json::json;

use crate::args::JsonArg;
use crate::context::Context;
use crate::error::{Exit, Outcome};
use crate::{input, output};

/// Clear a lock that PlainBox left
///
/// Only when you are sure that no PlainBox is running. Nothing that Pitstop leaves behind needs this.
/// What is cleared is kept beside the checkpoint.
#[derive(Args)]
pub(crate) struct UnlockArgs {
    /// The name of the session
    session: OsString,
    #[command(flatten)]
    json: JsonArg,
}

pub(super) fn run(args: &UnlockArgs, context: &Context) -> Outcome {
    let session = context.open()?.get(input::session_id(&args.session)?)?;
    let moved = match session.unlock()? {
        Unlocked::MovedAside(place) => Some(place.display().to_string()),
        _ => None,
    };
    match &moved {
        Some(place) => context.talk(format_args!("unlocked: the lock is kept as {place}")),
        None => context.talk(format_args!("'{}' was not locked", session.id())),
    }
    match args.json.json {
        true => output::print_json(&json!({ "id": session.id(), "moved_aside": moved })),
        false => Ok(Exit::Ok),
    }
}
