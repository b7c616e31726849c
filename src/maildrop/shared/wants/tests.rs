use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

fn message() -> MessageId {
    MessageId::default()
}

/// A caller that waits until it leaves.
#[derive(Default)]
struct Caller(Arc<AtomicBool>);

impl Caller {
    fn waiter<T>(&self) -> Waiter<T> {
        let has_left = Arc::clone(&self.0);
        Waiter::new(move || !has_left.load(Ordering::Relaxed), |_| {})
    }

    fn leave(self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One caller asks first and stays. Then 100 callers ask, and each leaves before the next one asks.
/// Returns how many waiters are kept.
fn kept(ask: impl Fn(&mut Wants, &Caller), taken: impl Fn(&mut Wants) -> usize) -> usize {
    let mut wants = Wants::default();
    let staying = Caller::default();
    ask(&mut wants, &staying);
    for _ in 0..100 {
        let caller = Caller::default();
        ask(&mut wants, &caller);
        caller.leave();
    }
    taken(&mut wants)
}

#[test]
fn a_new_waiter_replaces_those_that_have_left() {
    let headers = |wants: &mut Wants| wants.take_headers(message()).len();
    let bodies = |wants: &mut Wants| wants.take_body(message()).len();
    let kept = [
        kept(
            |wants, caller| wants.headers(message(), caller.waiter()),
            headers,
        ),
        kept(
            |wants, caller| wants.plan_headers(message(), caller.waiter()),
            headers,
        ),
        kept(
            |wants, caller| wants.header_octets(message(), caller.waiter()),
            headers,
        ),
        kept(
            |wants, caller| wants.body(message(), caller.waiter()),
            bodies,
        ),
        kept(
            |wants, caller| wants.plan_body(message(), caller.waiter()),
            bodies,
        ),
    ];
    assert_eq!(kept, [2; 5]);
}

#[test]
fn every_waiter_that_stays_is_kept() {
    let mut wants = Wants::default();
    let callers: Vec<Caller> = (0..100).map(|_| Caller::default()).collect();
    for caller in &callers {
        wants.plan_headers(message(), caller.waiter());
    }
    assert_eq!(wants.take_headers(message()).len(), 100);
}

#[test]
fn octets_are_awaited_until_their_caller_leaves() {
    let mut wants = Wants::default();
    wants.headers(message(), Caller::default().waiter());
    assert!(!wants.are_octets_awaited(message()));
    let caller = Caller::default();
    wants.header_octets(message(), caller.waiter());
    assert!(wants.are_octets_awaited(message()));
    caller.leave();
    assert!(!wants.are_octets_awaited(message()));
}

#[test]
fn a_refusal_is_forgotten_with_its_want() {
    let caller = Caller::default();
    let want = Want::Body(message());
    let mut wants = Wants::default();
    let ask = |wants: &mut Wants| wants.body(message(), caller.waiter());
    ask(&mut wants);
    assert!(wants.note_refusal(want));
    assert!(!wants.note_refusal(want));
    wants.forget_refusals();
    assert!(wants.note_refusal(want));
    wants.take_body(message());
    assert!(!wants.note_refusal(want));
    ask(&mut wants);
    assert!(wants.note_refusal(want));
}
