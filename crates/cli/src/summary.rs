//! A run's summary on the terminal: the answer first, then tables, then where everything lies.

use std::io::{self, Write};

use clap::builder::styling::{AnsiColor, Style};
use comity_jobs::run::{Output, Report};
use comity_jobs::summary::{Section, Summary, plain};

use crate::table::{Layout, terminal_width, wrapped};

/// From this width on, times show their seconds.
const WIDE: usize = 110;
const BOLD: Style = Style::new().bold();
const YELLOW: Style = AnsiColor::Yellow.on_default();

/// Prints what a run came to.
pub(crate) fn print(report: &Report) -> io::Result<()> {
    let mut out = anstream::stdout().lock();
    let room = terminal_width();
    sections(&mut out, &report.summary, room)?;
    writeln!(out, "\nRun    {}", report.run_id)?;
    if report.repeated {
        writeln!(out, "       (made before, and recognised)")?;
    }
    writeln!(out, "Case   {}", plain(&report.case.display().to_string()))?;
    let place = report.outputs.first().and_then(|o: &Output| o.path.parent()).unwrap_or(&report.case);
    writeln!(out, "Tables {}", plain(&place.join("*.parquet").display().to_string()))?;
    let case = quoted(&plain(&report.case.display().to_string()));
    writeln!(out, "Next   comity sql --case {case} \"select * from sightings\"")?;
    writeln!(out, "       comity reproduce --case {case}")?;
    out.flush()
}

/// Prints title, answer and sections.
fn sections(out: &mut impl Write, summary: &Summary, room: usize) -> io::Result<()> {
    writeln!(out, "{BOLD}{}{BOLD:#}\n", plain(&summary.title))?;
    for (at, line) in summary.answer.iter().enumerate() {
        for (part, text) in wrapped(&plain(line), room.saturating_sub(2)).iter().enumerate() {
            let indent = if part == 0 { "" } else { "  " };
            match at {
                0 => writeln!(out, "{indent}{BOLD}{text}{BOLD:#}")?,
                _ => writeln!(out, "{indent}{text}")?,
            }
        }
    }
    summary.sections.iter().try_for_each(|s| section(out, s, room))
}

fn section(out: &mut impl Write, section: &Section, room: usize) -> io::Result<()> {
    writeln!(out, "\n{BOLD}{}{BOLD:#}", section.title)?;
    if let [_] = section.header.as_slice() {
        prose(out, section, room)?;
    } else if !section.rows.is_empty() {
        let numbers = (0..section.header.len()).map(|at| section.numbers.contains(&at)).collect();
        let mut rows: Vec<Vec<String>> =
            section.rows.iter().map(|row| row.iter().map(|c| plain(c)).collect()).collect();
        if room < WIDE {
            rows.iter_mut().flatten().for_each(without_seconds);
        }
        let header: Vec<&str> = section.header.iter().map(String::as_str).collect();
        let layout = Layout::fit(&header, numbers, rows.iter(), room);
        layout.header(out, &header)?;
        rows.iter().try_for_each(|row| layout.row(out, row))?;
    }
    if !section.note.is_empty() && !section.note.starts_with("run id ") {
        writeln!(out, "  {}", plain(&section.note))?;
    }
    Ok(())
}

/// A section of one column is sentences: wrapped, not shortened.
fn prose(out: &mut impl Write, section: &Section, room: usize) -> io::Result<()> {
    for row in &section.rows {
        let text = row.first().map(String::as_str).unwrap_or_default();
        for (part, line) in wrapped(&plain(text), room.saturating_sub(4)).iter().enumerate() {
            let mark = if part == 0 { "-" } else { " " };
            writeln!(out, "  {YELLOW}{mark}{YELLOW:#} {line}")?;
        }
    }
    Ok(())
}

/// A path as a shell takes it.
fn quoted(path: &str) -> String {
    let bare = |c: char| c.is_alphanumeric() || "/._-+,:@%".contains(c);
    match path.chars().all(bare) {
        true => path.to_owned(),
        false => format!("'{}'", path.replace('\'', "'\\''")),
    }
}

/// Takes the seconds off a time, `2026-02-03 04:05:06Z`; what is no time stays as it is.
fn without_seconds(cell: &mut String) {
    let is_time = cell.len() == 20
        && cell.bytes().zip(*b"0000-00-00 00:00:00Z").all(|(found, shape)| match shape {
            b'0' => found.is_ascii_digit(),
            other => found == other,
        });
    if is_time {
        cell.truncate(16);
        cell.push('Z');
    }
}
