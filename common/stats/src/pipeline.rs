//! A bounded pipeline in order: items are worked on side by side, and taken one after the other.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, TryRecvError, sync_channel};

use rayon::Yield;

/// Works on `items` on the threads of the current rayon pool and takes what becomes of them in their order,
/// on the calling thread, while the others go on.
///
/// At most `in_flight` items (at least one) are begun and not yet taken, which bounds the memory they hold.
/// The first error of `take` ends it: what is begun is finished, and nothing more is begun.
///
/// # Errors
/// What `take` returns.
pub(crate) fn ordered<I: Send, T: Send, E>(
    items: impl Iterator<Item = I>,
    in_flight: usize,
    work: impl Fn(I) -> T + Sync,
    mut take: impl FnMut(T) -> Result<(), E>,
) -> Result<(), E> {
    let (work, stopped) = (&work, &AtomicBool::new(false));
    let mut items = items.fuse();
    // First in, first out on every thread: the item that is taken next is the one that is worked on next.
    rayon::in_place_scope_fifo(|scope| {
        let mut begun: VecDeque<Receiver<T>> = VecDeque::new();
        loop {
            while begun.len() < in_flight.max(1) {
                let Some(item) = items.next() else { break };
                let (done, result) = sync_channel(1);
                scope.spawn_fifo(move |_| {
                    if !stopped.load(Ordering::Relaxed) {
                        // Nobody hears of it after an error.
                        let _ = done.send(work(item));
                    }
                });
                begun.push_back(result);
            }
            // Without a result its work has panicked, and the scope hands the panic on.
            let Some(result) = begun.pop_front().and_then(|result| wait(&result)) else { return Ok(()) };
            let taken = take(result);
            if taken.is_err() {
                stopped.store(true, Ordering::Relaxed);
                return taken;
            }
        }
    })
}

/// Waits for a result. A thread of the pool works on other items meanwhile, and sleeps only once all are
/// begun by some thread; so one thread alone makes progress too.
fn wait<T>(result: &Receiver<T>) -> Option<T> {
    loop {
        match result.try_recv() {
            Ok(value) => return Some(value),
            Err(TryRecvError::Disconnected) => return None,
            Err(TryRecvError::Empty) => {}
        }
        if rayon::yield_now() != Some(Yield::Executed) {
            return result.recv().ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::AtomicUsize;

    fn pool(threads: usize) -> rayon::ThreadPool {
        rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap()
    }

    /// Later items may be done first, and still come in order; never more than allowed are in flight.
    #[test]
    fn results_come_in_order_and_few_at_a_time() {
        for (threads, in_flight) in [(1, 1), (1, 3), (2, 4), (3, 2), (4, 64)] {
            let (begun, mut taken) = (AtomicUsize::new(0), Vec::new());
            let most = AtomicUsize::new(0);
            let run = |taken: &mut Vec<usize>| {
                let work = |item: usize| {
                    let now = begun.fetch_add(1, Ordering::SeqCst) + 1;
                    most.fetch_max(now, Ordering::SeqCst);
                    // The earlier, the longer.
                    let busy = (0..(item % 7) * 2000).fold(0, |sum, i| std::hint::black_box(sum + i));
                    assert_ne!(busy, 1);
                    item
                };
                ordered(0..200, in_flight, work, |item| {
                    begun.fetch_sub(1, Ordering::SeqCst);
                    taken.push(item);
                    Ok::<(), ()>(())
                })
            };
            pool(threads).install(|| run(&mut taken)).unwrap();
            assert_eq!(taken, (0..200).collect::<Vec<_>>());
            assert!(most.load(Ordering::SeqCst) <= in_flight);
        }
    }

    #[test]
    fn an_error_ends_it_from_within_a_pool_and_from_without() {
        let begun = AtomicUsize::new(0);
        let run = || {
            begun.store(0, Ordering::SeqCst);
            let work = |item: usize| {
                begun.fetch_add(1, Ordering::SeqCst);
                item
            };
            ordered(0..1000, 4, work, |item| if item == 10 { Err(item) } else { Ok(()) })
        };
        assert_eq!(run(), Err(10));
        assert!(begun.load(Ordering::SeqCst) <= 14);
        assert_eq!(pool(2).install(run), Err(10));
        assert!(begun.load(Ordering::SeqCst) <= 14);
    }

    #[test]
    fn a_panic_reaches_the_caller() {
        let run = || ordered(0..100, 3, |item| assert!(item != 50), |()| Ok::<(), ()>(()));
        let found = std::panic::catch_unwind(|| pool(2).install(run));
        assert!(found.is_err());
    }
}
