//! Who waits for something.

use crate::maildrop::fault::Fault;
use parking_lot::Mutex;
use std::sync::Arc;

/// Somebody who waits for a `T`; answered exactly once, by the thread that has it.
pub struct Waiter<T> {
    pub(crate) is_waiting: Box<dyn Fn() -> bool + Send>,
    answer: Box<dyn FnOnce(Result<T, Fault>) + Send>,
}

impl<T> Waiter<T> {
    /// `is_waiting` tells whether the answer is still of use: what nobody waits for any more is not fetched.
    pub fn new(
        is_waiting: impl Fn() -> bool + Send + 'static,
        answer: impl FnOnce(Result<T, Fault>) + Send + 'static,
    ) -> Waiter<T> {
        Waiter {
            is_waiting: Box::new(is_waiting),
            answer: Box::new(answer),
        }
    }

    /// Gives the answer. Not to be called with a lock held: the answer may do anything.
    pub fn answer(self, result: Result<T, Fault>) {
        (self.answer)(result);
    }
}

impl<T> std::fmt::Debug for Waiter<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiter")
    }
}

/// Somebody who waits for several things, and is answered when the last one is there or cannot be had; with a fault of the
/// link, if there was one.
pub(crate) struct AllOf(Arc<Mutex<Missing>>);

pub(crate) struct Missing {
    pub(crate) count: usize,
    fault: Option<Fault>,
    waiter: Option<Waiter<()>>,
}

impl AllOf {
    /// `count` is not 0.
    pub(crate) fn new(count: usize, waiter: Waiter<()>) -> AllOf {
        AllOf(Arc::new(Mutex::new(Missing {
            count,
            fault: None,
            waiter: Some(waiter),
        })))
    }

    /// The one who waits for one of the things.
    pub(crate) fn one(&self) -> Waiter<()> {
        let (missing, told) = (Arc::clone(&self.0), Arc::clone(&self.0));
        let is_waiting = move || {
            let missing = missing.lock();
            missing
                .waiter
                .as_ref()
                .is_some_and(|waiter| (waiter.is_waiting)())
        };
        Waiter::new(is_waiting, move |result| {
            let mut missing = told.lock();
            missing.count -= 1;
            if let Err(fault) = result
                && fault.is_of_the_link()
            {
                missing.fault = Some(fault);
            }
            if missing.count > 0 {
                return;
            }
            let (waiter, fault) = (missing.waiter.take(), missing.fault.take());
            drop(missing);
            if let Some(waiter) = waiter {
                waiter.answer(fault.map_or(Ok(()), Err));
            }
        })
    }
}

/// Answers all of them alike.
pub(crate) fn answer_all<T: Clone>(waiters: Vec<Waiter<T>>, result: &Result<T, Fault>) {
    for waiter in waiters {
        waiter.answer(result.clone());
    }
}
