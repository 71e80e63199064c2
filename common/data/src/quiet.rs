//! Calls into decoders of other projects that may panic on damaged bytes.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind, set_hook, take_hook};
use std::sync::Once;

thread_local! {
    static QUIET: Cell<bool> = const { Cell::new(false) };
}

/// Runs a call; `None` if it panics, without a word on the standard error: the caller refuses the file in a
/// sentence of its own. The call must leave nothing behind that is used after a panic.
pub(crate) fn no_panic<T>(call: impl FnOnce() -> T) -> Option<T> {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let report = take_hook();
        set_hook(Box::new(move |panic| {
            // A thread that is ending has no flag any more.
            if !QUIET.try_with(Cell::get).unwrap_or(false) {
                report(panic);
            }
        }));
    });
    let before = QUIET.replace(true);
    let result = catch_unwind(AssertUnwindSafe(call));
    QUIET.set(before);
    result.ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_none_and_others_go_on() {
        assert_eq!(no_panic(|| 7), Some(7));
        assert_eq!(no_panic(|| -> u32 { panic!("damaged") }), None);
        assert!(catch_unwind(|| QUIET.get()).is_ok_and(|quiet| !quiet));
    }
}
