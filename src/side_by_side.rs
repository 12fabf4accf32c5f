//! Operations of many sessions, several at once where a backend waits more than it works.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;

use nix::sys::signal::{SigSet, SigmaskHow};

/// Does something with each item, on at most `at_once` threads, and returns the results in the order of the items.
pub(crate) fn side_by_side<T: Sync, R: Send>(
    at_once: usize,
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let results: Vec<Mutex<Option<R>>> = items.iter().map(|_| Mutex::new(None)).collect();
    let take_turns = || {
        while let Some((item, result)) = {
            let n = next.fetch_add(1, Ordering::Relaxed);
            items.get(n).zip(results.get(n))
        } {
            let done = work(item);
            *result.lock().unwrap_or_else(PoisonError::into_inner) = Some(done);
        }
    };
    thread::scope(|scope| {
        let helpers = at_once.min(items.len()).saturating_sub(1);
        // Signals are for the program's own threads. A thread has from its start what the one has that starts it.
        let before = (helpers > 0)
            .then(|| SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK).ok())
            .flatten();
        for _ in 0..helpers {
            // Without it, the others take its turns.
            let _ = thread::Builder::new().spawn_scoped(scope, take_turns);
        }
        if let Some(before) = before {
            let _ = before.thread_set_mask();
        }
        take_turns();
    });
    let result = |it: Mutex<Option<R>>| it.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.into_iter().filter_map(result).collect()
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn results_come_in_order_and_no_more_threads_work_than_were_asked_for() {
        let items: Vec<usize> = (0..100).collect();
        for at_once in [0, 1, 3, 200] {
            let (now, most) = (AtomicUsize::new(0), AtomicUsize::new(0));
            let doubled = side_by_side(at_once, &items, |it| {
                most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                thread::yield_now();
                now.fetch_sub(1, Ordering::SeqCst);
                it * 2
            });
            assert_eq!(doubled, items.iter().map(|it| it * 2).collect::<Vec<_>>());
            assert!(most.into_inner() <= at_once.max(1));
        }
        // Four wait for each other: they are there at once.
        let all = Barrier::new(4);
        assert_eq!(side_by_side(4, &[(); 4], |()| all.wait().is_leader()).len(), 4);
        assert!(side_by_side(4, &[(); 0], |()| ()).is_empty());
    }
}
