//! A request that waits until others are done.

use std::sync::{Condvar, Mutex};
use std::task::{Poll, Waker};
use std::thread;

#[derive(Debug, Default)]
pub(super) struct Sleep {
    stage: Mutex<Stage>,
    changed: Condvar,
}

#[derive(Debug, Default)]
enum Stage {
    #[default]
    Awake,
    /// After so many requests.
    At(usize),
    Asleep(Waker),
}

impl Sleep {
    /// Does the one thing, and the other while the request `at` of the first sleeps, or after it. Whether it did.
    pub(super) fn while_asleep<T: Send>(
        &self,
        at: usize,
        sleeper: impl FnOnce() -> T + Send,
        meanwhile: impl FnOnce(),
    ) -> (T, bool) {
        *self.stage.lock().unwrap() = Stage::At(at);
        thread::scope(|scope| {
            let sleeper = scope.spawn(|| {
                // Also if it panics.
                let _end = End(self);
                sleeper()
            });
            let stage = self.stage.lock().unwrap();
            let stage = self.changed.wait_while(stage, |it| matches!(it, Stage::At(_))).unwrap();
            let has_slept = matches!(*stage, Stage::Asleep(_));
            drop(stage);
            meanwhile();
            self.wake();
            (sleeper.join().unwrap(), has_slept)
        })
    }

    fn wake(&self) {
        if let Stage::Asleep(waker) = std::mem::take(&mut *self.stage.lock().unwrap()) {
            waker.wake();
        }
        self.changed.notify_all();
    }

    /// Sleeps, if it is this request that is to.
    pub(super) async fn request(&self) {
        let mut is_sleeper = false;
        std::future::poll_fn(|context| {
            let stage = &mut *self.stage.lock().unwrap();
            match stage {
                Stage::At(0) => {
                    is_sleeper = true;
                    *stage = Stage::Asleep(context.waker().clone());
                    self.changed.notify_all();
                    Poll::Pending
                }
                Stage::At(left) => {
                    *left -= 1;
                    Poll::Ready(())
                }
                Stage::Asleep(_) if is_sleeper => Poll::Pending,
                _ => Poll::Ready(()),
            }
        })
        .await;
    }
}

struct End<'a>(&'a Sleep);

impl Drop for End<'_> {
    fn drop(&mut self) {
        self.0.wake();
    }
}
