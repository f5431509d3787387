//! Progress for people: bars on a terminal, a few plain lines elsewhere; and Ctrl-C.
//!
//! Everything goes to stderr. However many parts a job has, at most [`SHOWN`] finished ones get a
//! line each; after that the bar counts them, or, without a terminal, a line every [`EVERY`].

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use comity_jobs::JobError;
use comity_jobs::progress::Progress;
use comity_jobs::summary::{count_text, plain};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::args::Global;
use crate::text::shortened;

/// Finished parts that get a line of their own.
const SHOWN: u64 = 20;
/// Pause between lines about the rest, without a terminal.
const EVERY: Duration = Duration::from_secs(10);
/// Pause before a spinner moves on.
const TICK: Duration = Duration::from_millis(120);

/// Set by Ctrl-C; the job ends at its next safe place.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Lets the first Ctrl-C end the job at a safe place, and the second end it at once.
pub(crate) fn listen_for_ctrl_c() {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::SeqCst) {
            end_at_once();
        }
        let _ = writeln!(
            io::stderr(),
            "\ninterrupted: ending at the next safe place; Ctrl-C again to end at once"
        );
    };
    if let Err(error) = ctrlc::set_handler(handler) {
        tracing::warn!("Ctrl-C can't be caught: {error}");
    }
}

#[expect(
    clippy::exit,
    reason = "asked for twice; stored items are whole at any moment, and tmp/ is swept later"
)]
fn end_at_once() {
    std::process::exit(130);
}

/// Listens to a job.
pub(crate) struct Listener {
    show: Show,
    state: Mutex<State>,
}

enum Show {
    Bar(ProgressBar),
    Lines,
    Notes,
    Nothing,
}

struct State {
    parts: u64,
    last_line: Instant,
    width: usize,
}

impl Listener {
    pub(crate) fn new(global: &Global) -> Self {
        let width = usize::from(comfy_table::Table::new().use_stderr().width().unwrap_or(80)).max(20);
        let show = if global.quiet {
            Show::Nothing
        } else if global.json && global.verbose == 0 {
            Show::Notes
        } else if io::stderr().is_terminal() && global.verbose == 0 {
            Show::Bar(ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden()))
        } else {
            Show::Lines
        };
        Self { show, state: Mutex::new(State { parts: 0, last_line: Instant::now(), width }) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The job is over: takes the bar away, and says how many parts there were where not all were shown.
    pub(crate) fn finish(&self) {
        if let Show::Bar(bar) = &self.show {
            bar.finish_and_clear();
        }
        let parts = self.state().parts;
        if parts > SHOWN && matches!(self.show, Show::Bar(_) | Show::Lines) {
            line(&format!("{} parts in all", count_text(parts)));
        }
    }
}

fn line(text: &str) {
    let _ = writeln!(anstream::stderr(), "  {}", plain(text));
}

/// The bar of a part: bytes where its size is known, else a spinner.
fn style(total_bytes: Option<u64>) -> ProgressStyle {
    let template = match total_bytes {
        Some(_) => {
            "  {spinner} {wide_msg} {bar:16} {binary_bytes:>10} of {binary_total_bytes:<10} {binary_bytes_per_sec:>12}"
        }
        None => "  {spinner} {wide_msg} {elapsed}",
    };
    ProgressStyle::with_template(template)
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .progress_chars("━╸ ")
}

impl Progress for Listener {
    fn begin(&self, what: &str, total_bytes: Option<u64>) {
        tracing::info!(bytes = total_bytes, "{}", plain(what));
        let Show::Bar(bar) = &self.show else { return };
        let state = self.state();
        let counted =
            if state.parts >= SHOWN { format!("{} done; ", count_text(state.parts)) } else { String::new() };
        let room = (state.width / 2).max(12);
        bar.reset();
        bar.set_length(total_bytes.unwrap_or(0));
        bar.set_style(style(total_bytes));
        bar.set_message(format!("{counted}{}", shortened(&plain(what), room)));
        if bar.is_hidden() {
            bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
            bar.enable_steady_tick(TICK);
        }
    }

    fn bytes(&self, done: u64) {
        if let Show::Bar(bar) = &self.show {
            bar.set_position(done);
        }
    }

    fn end(&self, text: &str) {
        tracing::info!("{}", plain(text));
        let mut state = self.state();
        state.parts += 1;
        let among_first = state.parts <= SHOWN;
        let due = among_first || state.last_line.elapsed() >= EVERY;
        match &self.show {
            Show::Bar(bar) if among_first => {
                let text = shortened(&plain(text), state.width.saturating_sub(4));
                bar.suspend(|| line(&text));
            }
            Show::Lines if due => {
                state.last_line = Instant::now();
                match among_first {
                    true => line(text),
                    false => line(&format!("{} parts done; {text}", count_text(state.parts))),
                }
            }
            _ => {}
        }
    }

    fn note(&self, text: &str) {
        let say = || {
            let _ = writeln!(anstream::stderr(), "note: {}", plain(text));
        };
        match &self.show {
            Show::Nothing => {}
            Show::Bar(bar) => bar.suspend(say),
            Show::Lines | Show::Notes => say(),
        }
    }

    fn check(&self) -> Result<(), JobError> {
        match INTERRUPTED.load(Ordering::SeqCst) {
            true => Err(JobError::Interrupted),
            false => Ok(()),
        }
    }
}
