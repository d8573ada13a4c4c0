//! Work on all cores whose results come in the order of its parts: two scans of one store tell the same.

use std::collections::BTreeMap;
use std::sync::mpsc::{self, Receiver};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::damage::{Error, Result};

/// How many parts may wait for a worker. Each is small.
const PARTS_MAX: usize = 64;
/// How many results may wait for those before them: one part may be a table of a folder, those behind it its messages.
const AHEAD: usize = 1 << 14;
/// How much they may weigh together.
const WEIGHT_MAX: usize = 1 << 16;

/// What waits until it is its turn.
pub(super) trait Weight {
    /// About how many findings it holds; nothing where it is small.
    fn weight(&self) -> usize;
}
/// More threads than this would wait for the disk or for each other.
const WORKERS_MAX: usize = 8;

/// How many threads work at once.
pub(super) fn workers() -> usize {
    thread::available_parallelism().map_or(1, usize::from).min(WORKERS_MAX)
}

/// Does `work` on every part that `feed` hands out, on all cores, and gives the results to `done` one by one, in order.
///
/// The first error of any of the three ends it.
pub(super) fn in_order<U: Send, R: Send + Weight>(
    feed: impl FnOnce(&mut dyn FnMut(U) -> Result<()>) -> Result<()>,
    work: impl Fn(U) -> Result<R> + Sync,
    done: impl FnMut(R) -> Result<()> + Send,
) -> Result<()> {
    let (sender, receiver) = mpsc::sync_channel(PARTS_MAX);
    let output =
        Output { state: Mutex::new(State { next: 0, waiting: BTreeMap::new(), weight: 0, done, error: None }), turned: Condvar::new() };
    let fed = thread::scope(|scope| {
        let receiver = Arc::new(Mutex::new(receiver));
        for _ in 0..workers() {
            let (receiver, output, work) = (Arc::clone(&receiver), &output, &work);
            scope.spawn(move || output.serve(&receiver, work));
        }
        // The workers own the channel's other end: when all of them are gone, nothing waits for them.
        drop(receiver);
        let mut number = 0_usize;
        let fed = feed(&mut |part| {
            let sent = sender.send((number, part));
            number = number.saturating_add(1);
            if sent.is_err() || output.lock().error.is_some() { Err(Error::Cancelled) } else { Ok(()) }
        });
        drop(sender);
        fed
    });
    match output.into_error() {
        Some(error) => Err(error),
        None => fed,
    }
}

struct Output<R, D> {
    state: Mutex<State<R, D>>,
    turned: Condvar,
}

struct State<R, D> {
    /// The number of the result that comes next.
    next: usize,
    waiting: BTreeMap<usize, R>,
    /// What weigh those that wait.
    weight: usize,
    done: D,
    error: Option<Error>,
}

impl<R, D> State<R, D> {
    /// Whether this result may wait: the next one need not.
    fn has_room(&self, number: usize, weight: usize) -> bool {
        let ahead = number.saturating_sub(self.next);
        ahead == 0 || self.error.is_some() || ahead <= AHEAD && self.weight.saturating_add(weight) <= WEIGHT_MAX
    }
}

impl<R: Send + Weight, D: FnMut(R) -> Result<()> + Send> Output<R, D> {
    fn serve<U: Send>(&self, parts: &Mutex<Receiver<(usize, U)>>, work: &(impl Fn(U) -> Result<R> + Sync)) {
        // A worker that panics must not let the others wait for its result.
        let guard = Guard(|| self.fail(Error::Cancelled));
        loop {
            let part = parts.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok((number, part)) = part else { break };
            // After an error what still comes is taken and left, so that who hands it out does not wait.
            if self.lock().error.is_some() {
                continue;
            }
            match work(part) {
                Ok(result) => self.put(number, result),
                Err(error) => self.fail(error),
            }
        }
        drop(guard);
    }

    fn put(&self, number: usize, result: R) {
        let weight = result.weight();
        let mut state = self.lock();
        while !state.has_room(number, weight) {
            state = self.turned.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.weight = state.weight.saturating_add(weight);
        state.waiting.insert(number, result);
        let next = &mut *state;
        let turned = number == next.next;
        while let Some(result) = next.waiting.remove(&next.next) {
            next.next = next.next.saturating_add(1);
            next.weight = next.weight.saturating_sub(result.weight());
            if next.error.is_none()
                && let Err(error) = (next.done)(result)
            {
                next.error = Some(error);
            }
        }
        drop(state);
        if turned {
            self.turned.notify_all();
        }
    }

    fn fail(&self, error: Error) {
        self.lock().error.get_or_insert(error);
        self.turned.notify_all();
    }

    fn into_error(self) -> Option<Error> {
        self.state.into_inner().unwrap_or_else(PoisonError::into_inner).error
    }
}

impl<R, D> Output<R, D> {
    fn lock(&self) -> MutexGuard<'_, State<R, D>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Does something when a thread ends by a panic.
struct Guard<F: FnMut()>(F);

impl<F: FnMut()> Drop for Guard<F> {
    fn drop(&mut self) {
        if thread::panicking() {
            (self.0)();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Weight for u64 {
        fn weight(&self) -> usize {
            0
        }
    }

    /// A result as heavy as it says.
    struct Heavy(usize);

    impl Weight for Heavy {
        fn weight(&self) -> usize {
            self.0
        }
    }

    #[test]
    fn what_waits_is_bounded_by_number_and_weight() {
        let state = |next, weight| State::<Heavy, ()> { next, waiting: BTreeMap::new(), weight, done: (), error: None };
        assert!(state(5, 0).has_room(5 + AHEAD, 0) && !state(5, 0).has_room(6 + AHEAD, 0));
        assert!(state(5, WEIGHT_MAX - 9).has_room(6, 9) && !state(5, WEIGHT_MAX - 9).has_room(6, 10));
        assert!(state(5, WEIGHT_MAX).has_room(5, WEIGHT_MAX), "the next one never waits");
    }

    #[test]
    fn heavy_results_come_all_the_same() {
        let mut count = 0;
        let ended = in_order(
            |send| (0..200).try_for_each(send),
            |number: u64| Ok(Heavy(if number.is_multiple_of(3) { WEIGHT_MAX } else { 1 })),
            |_| {
                count += 1;
                Ok(())
            },
        );
        assert!(ended.is_ok() && count == 200);
    }

    fn squares(count: u64, bad: Option<u64>) -> (Result<()>, Vec<u64>) {
        let mut results = Vec::new();
        let ended = in_order(
            |send| (0..count).try_for_each(send),
            |number: u64| {
                // Earlier parts take longer: the order would be another one without care.
                thread::sleep(std::time::Duration::from_micros(200 - number % 100));
                if Some(number) == bad { Err(Error::NotFound("it".into())) } else { Ok(number * number) }
            },
            |square| {
                results.push(square);
                Ok(())
            },
        );
        (ended, results)
    }

    #[test]
    fn results_come_in_the_order_of_the_parts() {
        let (ended, results) = squares(1000, None);
        assert!(ended.is_ok() && results.into_iter().eq((0..1000).map(|number| number * number)));
    }

    #[test]
    fn the_first_error_ends_it() {
        let (ended, results) = squares(1000, Some(500));
        assert!(matches!(ended, Err(Error::NotFound(_))));
        assert!(results.len() <= 500);
    }

    #[test]
    fn who_hears_the_results_may_end_it() {
        let ended = in_order(
            |send| (0..100_000_u64).try_for_each(send),
            Ok,
            |number: u64| if number == 7 { Err(Error::Cancelled) } else { Ok(()) },
        );
        assert!(matches!(ended, Err(Error::Cancelled)));
    }

    #[test]
    fn nothing_to_do_is_done_at_once() {
        assert!(squares(0, None).0.is_ok());
    }
}
