//! Payloads that are too long for the head, and those that go in pieces.

use std::io::{Cursor, Read};
use std::sync::Arc;
use std::time::Duration;

use pitstop::{Error, ObjectBackend, Repository, Result, SaveOptions, Session};

use super::faulty::{Fault, Faulty, Request};
use super::named;

const INLINE: usize = 64 * 1024;
const PIECE: usize = 8 * 1024 * 1024;

fn repository(store: &Arc<Faulty>) -> Repository {
    let backend = ObjectBackend::with_store("test://store", store.clone(), "p", Duration::ZERO);
    Repository::with_backend(backend.unwrap())
}

fn data(size: usize) -> Vec<u8> {
    (0..size).map(|n| (n / 1000) as u8).collect()
}

type Save = fn(&Session, &[u8]) -> Result<()>;

/// The two ways to save: what is in memory, and what a source gives.
const SAVES: [Save; 2] = [
    |session, data| session.save(data).map(drop),
    |session, data| session.save_from(Cursor::new(data), &SaveOptions::new()).map(drop),
];

/// The requests of a writer's save, and of a load, by size.
#[test]
fn what_goes_where_is_decided_by_its_length_to_the_byte() {
    use Request::{Begin, Complete, Get, Piece, Put};
    let store = Arc::new(Faulty::new());
    let session = repository(&store).create(&named("job")).unwrap();
    let mut writer = session.writer().unwrap();
    for (size, saved, loaded) in [
        (0, &[Put][..], 1),
        (1, &[Put], 1),
        (INLINE - 1, &[Put], 1),
        (INLINE, &[Put], 1),
        (INLINE + 1, &[Put, Put], 2),
        (PIECE - 1, &[Put, Put], 2),
        (PIECE, &[Begin, Piece, Complete, Put], 2),
        (PIECE + 1, &[Begin, Piece, Piece, Complete, Put], 3),
        (3 * PIECE, &[Begin, Piece, Piece, Piece, Complete, Put], 4),
        (3 * PIECE + 1, &[Begin, Piece, Piece, Piece, Piece, Complete, Put], 5),
    ] {
        let data = data(size);
        for is_streamed in [false, true] {
            let what = format!("{size} bytes, streamed: {is_streamed}");
            store.take_requests();
            store.take_bytes();
            let info = match is_streamed {
                true => writer.save_from(&data[..], &SaveOptions::new()),
                false => writer.save(&data),
            };
            assert_eq!(info.unwrap().size, size as u64, "{what}");
            let mut requests = store.take_requests();
            // What this one made superfluous.
            requests.retain(|it| *it != Request::Delete);
            assert_eq!(requests, saved, "{what}");
            // The head comes with it, of less than half a MiB.
            assert!((size..size + INLINE * 8).contains(&store.take_bytes()), "{what}");
            assert!(session.load().unwrap().data == data, "{what}");
            assert_eq!(store.take_requests(), vec![Get; loaded], "{what}");
            let mut read = Vec::new();
            session.open_checkpoint().unwrap().read_to_end(&mut read).unwrap();
            assert!(read == data, "{what}");
        }
    }
    assert_eq!(store.uploads(), 0);
}

/// Nothing of it can be seen, and no piece stays: the upload is ended, unless the store is gone, or does not
/// say which upload it began.
#[test]
fn each_request_of_a_long_save_may_fail() {
    let long = data(5 * PIECE + 1);
    for save in SAVES {
        for fault in [Fault::Refused, Fault::Overloaded, Fault::Gone, Fault::LostSuccess] {
            for at in 0.. {
                let what = format!("{fault:?} at {at}");
                let store = Arc::new(Faulty::new());
                let session = repository(&store).create(&named("job")).unwrap();
                session.save(b"first").unwrap();
                store.take_requests();
                store.plan(Some((at, fault)));
                let saved = save(&session, &long);
                let (was_reached, requests) = (store.was_reached(at), store.take_requests());
                store.plan(None);
                let went_wrong = requests.get(at);
                let now = session.load().unwrap().data;
                match saved {
                    Ok(()) => assert!(now == long, "{what}"),
                    Err(Error::Storage { .. }) => assert!(now == b"first", "{what}"),
                    Err(Error::Indeterminate { .. }) => assert_eq!(went_wrong, Some(&Request::Put)),
                    Err(error) => panic!("{what}: {error:?}"),
                }
                let is_lost = fault == Fault::Gone
                    || (fault == Fault::LostSuccess && went_wrong == Some(&Request::Begin));
                assert!(store.uploads() == 0 || is_lost, "{what}: {requests:?}");
                if went_wrong == Some(&Request::Piece) && !is_lost {
                    assert!(requests.contains(&Request::Abort), "{what}: {requests:?}");
                }
                // It goes on.
                session.save(b"next").unwrap();
                assert_eq!(session.load().unwrap().data, b"next", "{what}");
                if !was_reached {
                    assert!(at > 9, "{at} requests");
                    break;
                }
            }
        }
    }
}

#[test]
fn a_source_that_fails_leaves_no_upload() {
    struct Fails;
    impl Read for Fails {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("on purpose"))
        }
    }
    let store = Arc::new(Faulty::new());
    let session = repository(&store).create(&named("job")).unwrap();
    session.save(b"first").unwrap();
    for size in [0, 10, PIECE, 2 * PIECE + 10] {
        let data = data(size);
        store.take_requests();
        let error = session.save_from(data.chain(Fails), &SaveOptions::new()).unwrap_err();
        assert!(error.to_string().contains("read"), "{error}");
        let requests = store.take_requests();
        let is_aborted = requests.contains(&Request::Abort);
        assert_eq!((store.uploads(), is_aborted), (0, size > PIECE), "{requests:?}");
        assert_eq!(session.load().unwrap().data, b"first");
        assert!(!store.keys().iter().any(|it| it.contains("/c/")));
    }
}
