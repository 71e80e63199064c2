//! Errors with what lies behind them.

use std::error::Error;

/// What was said of an error, and its causes that this does not hold, each once: "transport error: tcp connect
/// error: connection refused".
pub fn with_causes(said: &str, error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(error.source(), |&cause| cause.source());
    causes.map(ToString::to_string).fold(said.to_owned(), |said, cause| {
        if said.contains(&cause) { said } else { format!("{said}: {cause}") }
    })
}
