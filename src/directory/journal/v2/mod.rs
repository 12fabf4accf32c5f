//! Version 2 of the journal: records in rings, and a hint that says which one is the newest.
//! docs/format.md describes the bytes, the rules and the argument for them.

mod clear;
mod commit;
mod fence;
mod fresh;
mod hint;
mod layout;
mod read;
mod record;
mod ring;
mod standing;
mod survey;
mod tail;
mod takeover;
mod verify;
mod view;
mod window;
mod writer;

pub(super) use fresh::begin;
pub(super) use read::{history, load_into, newest, open};
pub(super) use verify::{is_there, locate, oldest_first, would_discard};
pub(super) use writer::Writer;
