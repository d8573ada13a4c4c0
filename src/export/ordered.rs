//! Work on several threads, results in the order of the work.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

/// Does `work` on each of `items` on `threads` threads, and hands each result to `take` in the order of the items.
///
/// No more than twice as many items as threads are under way, so that what waits to be taken stays little. The first
/// error of `take` ends it; what is under way by then is finished and taken too, for it may have left something behind.
pub(super) fn ordered<T: Send, R: Send, E>(
    threads: usize,
    items: impl IntoIterator<Item = T>,
    work: impl Fn(T) -> R + Sync,
    mut take: impl FnMut(R) -> Result<(), E>,
) -> Result<(), E> {
    if threads < 2 {
        return items.into_iter().try_for_each(|item| take(work(item)));
    }
    let (send, waiting) = channel::<(T, SyncSender<R>)>();
    let waiting = Mutex::new(waiting);
    thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| serve(&waiting, &work));
        }
        let mut under_way: VecDeque<Receiver<R>> = VecDeque::new();
        let mut first = |under_way: &mut VecDeque<Receiver<R>>| match under_way.pop_front().and_then(|result| result.recv().ok()) {
            Some(result) => take(result),
            None => Ok(()),
        };
        let mut ended = Ok(());
        for item in items {
            let (done, result) = sync_channel(1);
            under_way.push_back(result);
            // A closed channel means that a thread has panicked, which ends the scope.
            let _ = send.send((item, done));
            if under_way.len() >= threads.saturating_mul(2) {
                ended = first(&mut under_way);
            }
            if ended.is_err() {
                break;
            }
        }
        drop(send);
        while !under_way.is_empty() {
            let result = first(&mut under_way);
            ended = ended.and(result);
        }
        ended
    })
}

fn serve<T, R>(waiting: &Mutex<Receiver<(T, SyncSender<R>)>>, work: &impl Fn(T) -> R) {
    loop {
        // The lock is held while one thread waits; the others wait for the lock.
        let next = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok((item, done)) = next else { return };
        // Nobody takes the result any more after an error.
        let _ = done.send(work(item));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Duration;

    #[test]
    fn results_come_in_the_order_of_the_items_whatever_the_threads() {
        for threads in [1, 2, 7] {
            let mut taken = Vec::new();
            let slow = |n: u64| {
                thread::sleep(Duration::from_micros((n * 7919) % 300));
                n * 2
            };
            let result: Result<(), ()> = ordered(threads, 0..200, slow, |n| {
                taken.push(n);
                Ok(())
            });
            assert_eq!((result, taken), (Ok(()), (0..200).map(|n| n * 2).collect::<Vec<_>>()));
        }
    }

    #[test]
    fn an_error_ends_it_and_little_is_under_way() {
        let begun = AtomicUsize::new(0);
        let count = |n: usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            n
        };
        let result = ordered(4, 0..1000, count, |n| if n == 10 { Err(n) } else { Ok(()) });
        assert_eq!(result, Err(10));
        assert!(begun.load(Ordering::Relaxed) <= 10 + 1 + 8);
    }
}
