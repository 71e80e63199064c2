//! How far an audit is: a bar on a terminal, a line every few seconds elsewhere, JSON lines for programs.

use std::io::{IsTerminal as _, stderr};
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use umbra_proto::v1;

use crate::exit::Failure;
use crate::human;
use crate::output::{Format, Output, note, plain};
use crate::remote::watch::{Watcher, has_ended};
use crate::view;

/// How often a line is printed where there is no terminal.
const LINE: Duration = Duration::from_secs(5);

/// Shows how far an audit is.
pub enum Progress {
    /// A bar on a terminal.
    Bar(ProgressBar),
    /// Lines on stderr.
    Lines {
        /// When and what the last line was.
        last: Option<(Instant, String)>,
    },
    /// JSON lines on stdout.
    Json(Output),
}

impl Progress {
    /// Begins to show.
    pub fn start(out: &Output) -> Self {
        if out.format() == Format::Json {
            return Self::Json(out.clone());
        }
        if !stderr().is_terminal() {
            return Self::Lines { last: None };
        }
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{bar:30} {percent:>3} %  {msg}");
        bar.set_style(style.expect("the template is right").progress_chars("=> "));
        bar.enable_steady_tick(Duration::from_millis(500));
        Self::Bar(bar)
    }

    /// Takes the bar off the terminal.
    pub fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

impl Watcher for Progress {
    fn show(&mut self, audit: &v1::Audit) -> Result<(), Failure> {
        match self {
            Self::Json(out) => {
                out.result(String::new, || {
                    let mut value = view::audit(audit);
                    value["event"] = "progress".into();
                    value
                })?;
            }
            Self::Bar(bar) => {
                let progress = audit.progress.unwrap_or_default();
                bar.set_length(progress.steps.max(1));
                bar.set_position(progress.steps_done);
                bar.set_message(line(audit));
            }
            Self::Lines { last } => {
                let text = line(audit);
                let due = last.as_ref().is_none_or(|(when, said)| when.elapsed() >= LINE && *said != text);
                if due || has_ended(audit.state()) {
                    note(&text);
                    *last = Some((Instant::now(), text));
                }
            }
        }
        Ok(())
    }

    fn lost(&mut self, why: &Failure) {
        let text = format!("umbra: {why} (trying again)");
        match self {
            Self::Bar(bar) => bar.suspend(|| note(&text)),
            Self::Lines { .. } | Self::Json(_) => note(&text),
        }
    }
}

/// One line about an audit.
fn line(audit: &v1::Audit) -> String {
    let progress = audit.progress.unwrap_or_default();
    let mut parts = vec![format!("{}/{} shadows trained", progress.shadows_done, progress.shadows)];
    match audit.state() {
        v1::AuditState::Running => {
            if progress.samples_per_second > 0.0 {
                parts.push(format!("{} samples/s", human::thousands(progress.samples_per_second as u64)));
            }
            if progress.seconds_left > 0.0 {
                parts.push(format!("{} left", human::duration(progress.seconds_left)));
            }
            parts.extend(view::queue_text(&progress));
            if progress.packs_running == 0 && !audit.waiting_reason.is_empty() {
                parts.push(format!("waits: {}", plain(&audit.waiting_reason)));
            }
        }
        v1::AuditState::Analysing => parts.push("computing the findings".to_owned()),
        state => parts.push(view::state(state).to_owned()),
    }
    if progress.shadows_lost > 0 {
        parts.push(format!("{} lost", progress.shadows_lost));
    }
    if let Some(provisional) = &progress.provisional {
        parts.push(format!("provisional AUC {:.3} ({} blocks)", provisional.auc, provisional.blocks));
    }
    parts.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_matters() {
        let progress = v1::AuditProgress {
            shadows: 64,
            shadows_done: 12,
            samples_per_second: 98_765.4,
            seconds_left: 38.2,
            packs_running: 2,
            provisional: Some(v1::Provisional { blocks: 2, auc: 0.7412 }),
            ..Default::default()
        };
        let mut audit = v1::Audit { progress: Some(progress), ..Default::default() };
        audit.set_state(v1::AuditState::Running);
        let running = "12/64 shadows trained, 98,765 samples/s, 38 s left, provisional AUC 0.741 (2 blocks)";
        assert_eq!(line(&audit), running);
        audit.progress = Some(v1::AuditProgress { shadows: 64, ..Default::default() });
        audit.waiting_reason = "no worker is connected".into();
        assert_eq!(line(&audit), "0/64 shadows trained, waits: no worker is connected");
        audit.set_state(v1::AuditState::Analysing);
        assert_eq!(line(&audit), "0/64 shadows trained, computing the findings");
    }
}
