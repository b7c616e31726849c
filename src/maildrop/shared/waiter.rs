//! Waiters: callers that get their answer later.

use crate::maildrop::fault::Fault;
use parking_lot::Mutex;
use std::sync::Arc;

/// A caller that waits for a `T`. The thread that has the `T` answers it, exactly once.
pub struct Waiter<T> {
    is_waiting: Box<dyn Fn() -> bool + Send>,
    answer: Box<dyn FnOnce(Result<T, Fault>) + Send>,
}

impl<T> Waiter<T> {
    /// `is_waiting` tells whether the caller still needs the answer. If not, the engine need not
    /// fetch it.
    pub fn new(
        is_waiting: impl Fn() -> bool + Send + 'static,
        answer: impl FnOnce(Result<T, Fault>) + Send + 'static,
    ) -> Self {
        Self {
            is_waiting: Box::new(is_waiting),
            answer: Box::new(answer),
        }
    }

    /// Whether the caller still needs the answer.
    pub(crate) fn is_waiting(&self) -> bool {
        (self.is_waiting)()
    }

    /// Gives the answer. The calling thread must hold no lock, because the answer may do anything.
    pub fn answer(self, result: Result<T, Fault>) {
        (self.answer)(result);
    }
}

impl<T> std::fmt::Debug for Waiter<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Waiter")
    }
}

/// A caller that waits for several things. It is answered when the last of them has come or failed.
/// The answer is a fault only if one of them failed by a fault of the link.
pub(crate) struct AllOf(Arc<Mutex<Missing>>);

/// The things that have not come yet.
pub(crate) struct Missing {
    pub(crate) count: usize,
    fault: Option<Fault>,
    waiter: Option<Waiter<()>>,
}

impl AllOf {
    /// `count` is the number of things, at least 1.
    pub(crate) fn new(count: usize, waiter: Waiter<()>) -> Self {
        Self(Arc::new(Mutex::new(Missing {
            count,
            fault: None,
            waiter: Some(waiter),
        })))
    }

    /// A waiter for one of the things. To be called `count` times.
    pub(crate) fn one(&self) -> Waiter<()> {
        let (missing, told) = (Arc::clone(&self.0), Arc::clone(&self.0));
        let is_waiting = move || {
            let missing = missing.lock();
            missing.waiter.as_ref().is_some_and(Waiter::is_waiting)
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

/// Gives all waiters the same answer.
pub(crate) fn answer_all<T: Clone>(waiters: Vec<Waiter<T>>, result: &Result<T, Fault>) {
    for waiter in waiters {
        waiter.answer(result.clone());
    }
}
