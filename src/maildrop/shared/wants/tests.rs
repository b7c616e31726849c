use std::sync::atomic::{AtomicBool, Ordering};

use super::*;

const MESSAGE: MessageId = MessageId(7);

/// Somebody who waits, until they are told to go.
#[derive(Default)]
struct Caller(Arc<AtomicBool>);

impl Caller {
    fn waiter<T>(&self) -> Waiter<T> {
        let has_gone = Arc::clone(&self.0);
        Waiter::new(move || !has_gone.load(Ordering::Relaxed), |_| {})
    }

    fn go(self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// One who stays asks first; then come many, each of whom has gone before the next one comes. Gives how many are held.
fn held(ask: impl Fn(&mut Wants, &Caller), taken: impl Fn(&mut Wants) -> usize) -> usize {
    let mut wants = Wants::default();
    let staying = Caller::default();
    ask(&mut wants, &staying);
    for _ in 0..100 {
        let caller = Caller::default();
        ask(&mut wants, &caller);
        caller.go();
    }
    taken(&mut wants)
}

#[test]
fn of_those_who_ask_again_and_again_and_go_only_the_last_is_held_besides_who_stays() {
    let headers = |wants: &mut Wants| wants.take_headers(MESSAGE).len();
    let bodies = |wants: &mut Wants| wants.take_body(MESSAGE).len();
    let held = [
        held(
            |wants, caller| wants.headers(MESSAGE, caller.waiter()),
            headers,
        ),
        held(
            |wants, caller| wants.plan_headers(MESSAGE, caller.waiter()),
            headers,
        ),
        held(|wants, caller| wants.body(MESSAGE, caller.waiter()), bodies),
        held(
            |wants, caller| wants.plan_body(MESSAGE, caller.waiter()),
            bodies,
        ),
    ];
    assert_eq!(held, [2; 4]);
}

#[test]
fn all_who_wait_are_held() {
    let mut wants = Wants::default();
    let callers: Vec<Caller> = (0..100).map(|_| Caller::default()).collect();
    for caller in &callers {
        wants.plan_headers(MESSAGE, caller.waiter());
    }
    assert_eq!(wants.take_headers(MESSAGE).len(), 100);
}
