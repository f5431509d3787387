//! Tables that fit the terminal: numbers to the right, long texts shortened in the middle, no frames.
//! Written row by row, so that an answer of any length can be shown.

use std::io::{self, IsTerminal, Write};

use clap::builder::styling::Style;

use crate::text::{columns, shortened};

/// Spaces before each column.
const GAP: usize = 2;
/// No column is made narrower than this to fit.
const NARROWEST: usize = 5;
/// A text shortened to less than this says little.
const READABLE: usize = 10;
const DIM: Style = Style::new().dimmed();

/// Columns that output may take: `COLUMNS` where it is set, the terminal's width, else 80.
pub(crate) fn terminal_width() -> usize {
    let declared =
        std::env::var("COLUMNS").ok().and_then(|n| n.parse().ok()).filter(|n| (20..10_000).contains(n));
    declared.unwrap_or_else(|| match io::stdout().is_terminal() {
        true => comfy_table::Table::new().width().map_or(80, usize::from).max(20),
        false => 80,
    })
}

/// Whether a cell is a time, which says nothing with its middle left out.
fn is_time(cell: &str) -> bool {
    let mut bytes = cell.bytes();
    cell.len() >= 17
        && cell.ends_with('Z')
        && [4, 7].iter().all(|at| cell.as_bytes().get(*at) == Some(&b'-'))
        && bytes.all(|b| b.is_ascii_digit() || b"-: .TZ".contains(&b))
}

/// How the columns of a table are laid out.
pub(crate) struct Layout {
    widths: Vec<usize>,
    numbers: Vec<bool>,
}

impl Layout {
    /// Fits columns into `room`: as wide as their header and `sample` rows need, the widest text
    /// shortened first. `numbers` says which columns hold numbers; those and times are shortened last.
    pub(crate) fn fit<'a>(
        header: &[&str],
        numbers: Vec<bool>,
        sample: impl Iterator<Item = &'a Vec<String>>,
        room: usize,
    ) -> Self {
        let mut widths: Vec<usize> = header.iter().map(|h| columns(h)).collect();
        let mut rigid = numbers.clone();
        for row in sample {
            for ((width, rigid), cell) in widths.iter_mut().zip(&mut rigid).zip(row) {
                *width = (*width).max(columns(cell));
                *rigid |= is_time(cell);
            }
        }
        let room = room.saturating_sub(GAP * widths.len());
        for texts_only in [true, false] {
            while widths.iter().sum::<usize>() > room {
                let shrinkable = |at: usize| !texts_only || !rigid.get(at).is_some_and(|n| *n);
                let widest =
                    widths.iter_mut().enumerate().filter(|(at, w)| shrinkable(*at) && **w > NARROWEST);
                match widest.max_by_key(|(_, w)| **w) {
                    Some((_, width)) => *width -= 1,
                    None => break,
                }
            }
        }
        Self { widths, numbers }
    }

    /// Whether so many columns do not fit, however they are shortened: then a row is better written as
    /// a list.
    pub(crate) fn is_too_narrow<'a>(
        header: &[&str],
        sample: impl Iterator<Item = &'a Vec<String>>,
        room: usize,
    ) -> bool {
        let needed = Self::fit(header, vec![true; header.len()], sample, usize::MAX);
        needed.widths.iter().map(|w| GAP + (*w).min(READABLE)).sum::<usize>() > room
    }

    /// Writes the header.
    pub(crate) fn header(&self, out: &mut impl Write, header: &[&str]) -> io::Result<()> {
        let line = self.line(header.iter().copied());
        writeln!(out, "{DIM}{line}{DIM:#}")
    }

    /// Writes a row.
    pub(crate) fn row(&self, out: &mut impl Write, row: &[String]) -> io::Result<()> {
        writeln!(out, "{}", self.line(row.iter().map(String::as_str)))
    }

    fn line<'a>(&self, cells: impl Iterator<Item = &'a str>) -> String {
        let mut line = String::new();
        for ((cell, width), number) in cells.zip(&self.widths).zip(&self.numbers) {
            let cell = shortened(cell, *width);
            let padding = " ".repeat(width.saturating_sub(columns(&cell)));
            let (before, after) = if *number { (padding.as_str(), "") } else { ("", padding.as_str()) };
            line.extend(["  ", before, &cell, after]);
        }
        line.truncate(line.trim_end().len());
        line
    }
}

/// Writes a row as a list, a line for each column, nulls left out.
pub(crate) fn list(out: &mut impl Write, header: &[&str], row: &[String], room: usize) -> io::Result<()> {
    let width = header.iter().map(|h| columns(h)).max().unwrap_or(0);
    for (name, cell) in header.iter().zip(row).filter(|(_, cell)| !cell.is_empty()) {
        let padding = " ".repeat(width.saturating_sub(columns(name)));
        let cell = shortened(cell, room.saturating_sub(width + 2 * GAP).max(NARROWEST));
        writeln!(out, "  {DIM}{name}{DIM:#}{padding}  {cell}")?;
    }
    writeln!(out)
}

/// Writes names with what they mean, wrapped beside them.
pub(crate) fn definitions(out: &mut impl Write, rows: &[(String, String)], room: usize) -> io::Result<()> {
    let width = rows.iter().map(|(name, _)| columns(name)).max().unwrap_or(0);
    for (name, meaning) in rows {
        let lines = wrapped(meaning, room.saturating_sub(width + 2 * GAP));
        for (at, line) in lines.iter().enumerate() {
            let name = if at == 0 { name.as_str() } else { "" };
            writeln!(out, "  {name:width$}  {line}")?;
        }
    }
    Ok(())
}

/// Breaks a text into lines of at most `room` columns, at spaces; a word that is longer stays whole, so that a path
/// can be copied.
pub(crate) fn wrapped(text: &str, room: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if columns(line) + 1 + columns(word) <= room => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(header: &[&str], numbers: Vec<bool>, rows: &[Vec<String>], room: usize) -> String {
        let layout = Layout::fit(header, numbers, rows.iter(), room);
        let mut out = Vec::new();
        for row in rows {
            layout.row(&mut out, row).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn numbers_stand_right_and_texts_give_way() {
        let rows = [vec!["a".repeat(20), "1".to_owned()], vec!["b".to_owned(), "1,000".to_owned()]];
        let wide = shown(&["text", "n"], vec![false, true], &rows, 80);
        assert_eq!(wide, format!("  {}      1\n  b{:19}  1,000\n", "a".repeat(20), ""));
        let narrow = shown(&["text", "n"], vec![false, true], &rows, 20);
        assert_eq!(narrow, format!("  aaaaa…aaaaa  {:>4}1\n  b{:10}  1,000\n", "", ""));
        assert!(narrow.lines().all(|l| columns(l) <= 20));
    }

    #[test]
    fn words_are_kept_whole() {
        assert_eq!(wrapped("one two three /a/very/long/path", 8), ["one two", "three", "/a/very/long/path"]);
    }
}
