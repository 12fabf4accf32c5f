//! Whether a store keeps what everything rests on: that a put may have a condition.

use bytes::Bytes;
use object_store::PutMode;

use super::client::{Store, Version};
use super::failure::RequestError;
use super::response::FailureClass;
use crate::error::{Error, Operation, Result, Step, Subject};
use crate::object::format::keys::MARKER;

const MARK: &[u8] = b"pitstop 1\n";

/// Refuses a store that would overwrite what it was told not to. All that is put has the same bytes, so
/// that it does no harm where the conditions are passed over.
pub(crate) fn probe(store: &Store) -> Result<()> {
    let put = |mode: PutMode| store.put_once(MARKER, Bytes::from_static(MARK), mode);
    // The first may make it; then the second must not.
    for _ in 0..2 {
        if is_refused(store, || put(PutMode::Create))? {
            // Of a version that was never there.
            let never =
                Version { e_tag: Some(format!("\"{:032x}\"", 0)), version: Some("1".to_owned()) };
            return match is_refused(store, || put(PutMode::Update(never.clone())))? {
                true => Ok(()),
                false => Err(ignores_conditions(store)),
            };
        }
    }
    Err(ignores_conditions(store))
}

/// Refuses what is no store, where nothing was listed: who answers everything with a page of its own lists nothing.
pub(crate) fn is_a_store(store: &Store) -> Result<()> {
    match store.get(MARKER)? {
        Some(there) if there.bytes != MARK => {
            Err(RequestError::strange().at(Step::List, store.location().to_owned()))
        }
        _ => Ok(()),
    }
}

fn is_refused(store: &Store, put: impl Fn() -> Result<Version, RequestError>) -> Result<bool> {
    let outcome = store.retrying(put);
    match outcome {
        Ok(_) => Ok(false),
        Err(failure) if failure.class == FailureClass::Condition => Ok(true),
        Err(failure) => Err(failure.at(Step::Write, store.place(MARKER))),
    }
}

fn ignores_conditions(store: &Store) -> Error {
    Error::Unsupported {
        operation: Operation::ConditionalRequest,
        subject: Subject::Store(store.location().to_owned()),
    }
}
