//! A least-recently-used cache with a budget in bytes.

use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;

use super::recent::number_of_thread;

/// Keeps what was used last, as long as its bytes stay within a budget.
#[derive(Debug)]
pub struct Cache<K: Hash + Eq, V> {
    inner: Mutex<Inner<K, V>>,
    budget: usize,
    giants: Giants,
    /// What was asked for of late, where only what comes again is kept.
    asked: Option<Asked>,
}

/// What to do with a value that would take much of the budget.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Giants {
    /// Hand out but not keep what is larger than an eighth of the budget: one giant must not drive out all else.
    Refuse,
    /// Keep the newest value whatever its size: it is dear to make, and asked for again at once.
    Keep,
}

#[derive(Debug)]
struct Inner<K: Hash + Eq, V> {
    entries: LruCache<K, (Arc<V>, usize)>,
    bytes: usize,
}

/// What an entry costs beside its value's bytes, measured: the key, the list's links, the table's slot, the headers of
/// three allocations.
const ENTRY_BYTES: usize = 256;

impl<K: Hash + Eq, V> Cache<K, V> {
    /// An empty cache that keeps up to `budget` bytes; what is larger than an eighth of it is not kept.
    pub fn new(budget: usize) -> Self {
        Self::with(budget, Giants::Refuse)
    }

    /// An empty cache that keeps up to `budget` bytes, and the newest value whatever its size.
    pub fn keeping_newest(budget: usize) -> Self {
        Self::with(budget, Giants::Keep)
    }

    /// An empty cache that keeps up to `budget` bytes of what it is given a second time: who goes through all there is
    /// once has no use for the rest.
    pub fn of_what_comes_again(budget: usize) -> Self {
        Self { asked: Some(Asked::default()), ..Self::new(budget) }
    }

    fn with(budget: usize, giants: Giants) -> Self {
        Self { inner: Mutex::new(Inner { entries: LruCache::unbounded(), bytes: 0 }), budget, giants, asked: None }
    }

    /// The value, if it is kept.
    pub fn get(&self, key: &K) -> Option<Arc<V>> {
        // Most of what is asked for once is told so without the lock, for which others wait.
        if self.asked.as_ref().is_some_and(|asked| !asked.has(key)) {
            return None;
        }
        self.lock().entries.get(key).map(|(value, _)| Arc::clone(value))
    }

    /// Keeps a value of so many bytes, and hands it back.
    pub fn put(&self, key: K, value: V, bytes: usize) -> Arc<V> {
        let value = Arc::new(value);
        let cost = bytes.saturating_add(ENTRY_BYTES);
        if self.giants == Giants::Refuse && cost > self.budget >> 3 || self.asked.as_ref().is_some_and(|asked| asked.add(&key)) {
            return value;
        }
        let mut inner = self.lock();
        if let Some((_, (_, old))) = inner.entries.push(key, (Arc::clone(&value), cost)) {
            inner.bytes = inner.bytes.saturating_sub(old);
        }
        inner.bytes = inner.bytes.saturating_add(cost);
        while inner.bytes > self.budget && inner.entries.len() > 1 {
            let Some((_, (_, old))) = inner.entries.pop_lru() else { break };
            inner.bytes = inner.bytes.saturating_sub(old);
        }
        value
    }

    /// Forgets all that is kept.
    pub fn clear(&self) {
        let mut inner = self.lock();
        inner.entries.clear();
        inner.bytes = 0;
    }

    /// The most bytes that are kept.
    pub const fn budget(&self) -> usize {
        self.budget
    }

    /// How many bytes are kept.
    pub fn bytes(&self) -> usize {
        self.lock().bytes
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner<K, V>> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A few thousand keys that were asked for last, as marks. One that has another's place and mark only comes too early, one
/// whose place another took is asked for twice again; so no key can do harm, and the plainest hash will do.
///
/// Each thread has marks of its own: cores wait long for what another one has just written.
#[derive(Debug)]
struct Asked {
    marks: Box<[AtomicU32]>,
}

/// How many keys of a thread are known again.
const ASKED: usize = 1 << 11;
/// How many threads have marks of their own.
const THREADS: usize = 8;

/// Whole numbers, spread by a multiplication.
#[derive(Debug, Default)]
struct Spread(u64);

impl Hasher for Spread {
    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

impl Default for Asked {
    fn default() -> Self {
        Self { marks: (0..ASKED.saturating_mul(THREADS)).map(|_| AtomicU32::new(0)).collect() }
    }
}

impl Asked {
    /// Whether a key was asked for of late.
    fn has(&self, key: &impl Hash) -> bool {
        let (place, mark) = self.place(key);
        place.is_some_and(|place| place.load(Ordering::Relaxed) == mark)
    }

    /// Adds a key; whether it was not there.
    fn add(&self, key: &impl Hash) -> bool {
        let (place, mark) = self.place(key);
        place.is_some_and(|place| {
            let is_new = place.load(Ordering::Relaxed) != mark;
            place.store(mark, Ordering::Relaxed);
            is_new
        })
    }

    fn place(&self, key: &impl Hash) -> (Option<&AtomicU32>, u32) {
        let mut hash = Spread::default();
        key.hash(&mut hash);
        let hash = hash.finish();
        // The highest bits depend on all of the key.
        let own = usize::try_from(hash >> 53).unwrap_or(0) & (ASKED - 1);
        let place = self.marks.get(own | (number_of_thread() & (THREADS - 1)).saturating_mul(ASKED));
        // 0 is nobody's mark.
        (place, u32::try_from(hash & u64::from(u32::MAX)).unwrap_or(0) | 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_least_recently_used_goes_first() {
        let cache = Cache::new(16 * (ENTRY_BYTES + 4));
        for key in 0..16 {
            cache.put(key, key, 4);
        }
        assert_eq!(cache.get(&0).as_deref(), Some(&0));
        cache.put(16, 16, 4);
        assert_eq!((cache.get(&0).is_some(), cache.get(&1).is_some()), (true, false));
        assert!(cache.bytes() <= 16 * (ENTRY_BYTES + 4));
    }

    #[test]
    fn a_giant_is_handed_out_but_not_kept() {
        let cache = Cache::new(1000);
        assert_eq!(*cache.put(1, "giant", 500), "giant");
        assert_eq!((cache.get(&1), cache.bytes()), (None, 0));
    }

    #[test]
    fn a_giant_stays_while_it_is_the_newest() {
        let cache = Cache::keeping_newest(1000);
        cache.put(1, "small", 10);
        cache.put(2, "giant", 5000);
        assert_eq!((cache.get(&1), cache.get(&2).as_deref()), (None, Some(&"giant")));
        cache.put(3, "small", 10);
        assert_eq!((cache.get(&2), cache.get(&3).as_deref()), (None, Some(&"small")));
    }

    #[test]
    fn what_comes_once_is_handed_out_but_not_kept() {
        let cache = Cache::of_what_comes_again(10_000);
        assert_eq!((*cache.put(1, "once", 4), cache.bytes()), ("once", 0));
        cache.put(2, "another", 7);
        cache.put(1, "again", 5);
        assert_eq!((cache.get(&1).as_deref(), cache.get(&2)), (Some(&"again"), None));
        (0..2 * ASKED).for_each(|key| drop(cache.put(key, "all", 3)));
        assert!(cache.bytes() <= 10_000);
    }

    #[test]
    fn the_same_key_again_replaces_the_value() {
        let cache = Cache::new(10_000);
        cache.put(1, "old", 100);
        cache.put(1, "new", 200);
        assert_eq!((cache.get(&1).as_deref(), cache.bytes()), (Some(&"new"), 200 + ENTRY_BYTES));
    }
}
