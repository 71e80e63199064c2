//! How far the attacks are: a bar on a terminal, a line now and then elsewhere, JSON lines for programs.

use std::io::{IsTerminal as _, stderr};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use serde_json::json;

use crate::output::{Format, Output, note};

/// How often a line is printed where there is no terminal.
const LINE: Duration = Duration::from_secs(5);

/// Shows a share done; several threads may tell it.
pub struct Meter(Shown);

enum Shown {
    Bar(ProgressBar),
    /// When the last line was.
    Lines(Mutex<Instant>),
    Json(Output, Mutex<Instant>),
}

impl Meter {
    /// Begins to show.
    pub fn start(out: &Output) -> Self {
        if out.format() == Format::Json {
            return Self(Shown::Json(out.clone(), Mutex::new(Instant::now())));
        }
        if !stderr().is_terminal() {
            return Self(Shown::Lines(Mutex::new(Instant::now())));
        }
        let bar = ProgressBar::with_draw_target(Some(1000), ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}");
        bar.set_style(style.expect("the template is right").progress_chars("=> "));
        bar.enable_steady_tick(Duration::from_millis(500));
        Self(Shown::Bar(bar))
    }

    /// Shows what is being done and the share, 0 to 1, that is.
    pub fn show(&self, what: &'static str, share: f64) {
        match &self.0 {
            Shown::Bar(bar) => {
                bar.set_message(what);
                bar.set_position((1000.0 * share) as u64);
            }
            Shown::Lines(last) => {
                if is_due(last) {
                    note(&format!("{:.0} % {what}", 100.0 * share));
                }
            }
            Shown::Json(out, last) => {
                if is_due(last) {
                    // A reader that has gone, or a full disk, shows when the result is printed.
                    let _ = out.result(
                        String::new,
                        || json!({ "event": "progress", "stage": what, "share": share }),
                    );
                }
            }
        }
    }

    /// Takes the bar off the terminal.
    pub fn finish(&self) {
        if let Shown::Bar(bar) = &self.0 {
            bar.finish_and_clear();
        }
    }
}

fn is_due(last: &Mutex<Instant>) -> bool {
    let mut last = last.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
    let is_due = last.elapsed() >= LINE;
    if is_due {
        *last = Instant::now();
    }
    is_due
}
