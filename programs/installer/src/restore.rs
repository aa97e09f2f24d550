//! The way back: what has to be undone before this process ends, whichever way it ends.
//!
//! Terminals in raw mode and a virtual terminal in graphics mode outlive the process that set
//! them. A panic aborts without running destructors, so the undo actions are kept here, where the
//! panic hook finds them. This is the crate's only module-level state.

use common::text::program_name;
use std::collections::BTreeMap;
use std::sync::{Mutex, TryLockError};

type Action = Box<dyn Fn() + Send>;

static ACTIONS: Mutex<BTreeMap<String, Action>> = Mutex::new(BTreeMap::new());

/// Remembers how to undo what was done to `what`, in place of what was remembered for it before.
pub fn remember(what: &str, undo: impl Fn() + Send + 'static) {
    if let Ok(mut actions) = ACTIONS.lock() {
        actions.insert(what.to_owned(), Box::new(undo));
    }
}

/// Undoes what was done to `what`, once.
pub fn undo(what: &str) {
    let action = ACTIONS.lock().ok().and_then(|mut it| it.remove(what));
    if let Some(action) = action {
        action();
    }
}

/// Undoes everything, once. Never waits, so that a panic hook may call it.
pub fn undo_all() {
    let actions = match ACTIONS.try_lock() {
        Ok(mut actions) => std::mem::take(&mut *actions),
        Err(TryLockError::Poisoned(actions)) => std::mem::take(&mut *actions.into_inner()),
        Err(TryLockError::WouldBlock) => return,
    };
    for action in actions.values() {
        action();
    }
}

/// Makes a panic restore every terminal, say one clear line on standard error, and only then log itself: the
/// log may be what panicked.
pub fn on_panic() {
    std::panic::set_hook(Box::new(|panic| {
        let place = panic
            .location()
            .map_or_else(|| "an unknown place".to_owned(), ToString::to_string);
        let message = panic.payload_as_str().unwrap_or("no message");
        undo_all();
        eprintln!("{}: internal error at {place}: {message}", program_name());
        tracing::error!(place, message, "internal error");
    }));
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::*;

    #[test]
    fn each_action_runs_once_and_the_newest_replaces_the_older() {
        let count = Arc::new(AtomicU32::new(0));
        for step in [1, 10] {
            let count = Arc::clone(&count);
            remember("a terminal", move || {
                count.fetch_add(step, Ordering::Relaxed);
            });
        }
        undo("another terminal");
        assert_eq!(count.load(Ordering::Relaxed), 0);
        undo("a terminal");
        undo("a terminal");
        assert_eq!(count.load(Ordering::Relaxed), 10);
    }
}
