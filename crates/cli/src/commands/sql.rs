//! `sql`: any question, read-only; the answer as a table, CSV or JSON, written while it is made.

use std::io::{self, BufWriter, Read, Write};

use comity_jobs::reproduce;
use comity_jobs::show::{self, Answer, Holds};
use comity_jobs::summary::plain;
use serde_json::Value;

use super::open_case;
use crate::args::{AnswerFormat, Global, Sql};
use crate::progress::Listener;
use crate::status::{Failure, Outcome, Status};
use crate::table::{Layout, list, terminal_width};

pub(super) fn ask(args: &Sql, global: &Global) -> Outcome {
    let case = open_case(global)?;
    let query = match args.query.as_str() {
        "-" => {
            let mut text = String::new();
            io::stdin().read_to_string(&mut text)?;
            text
        }
        query => query.to_owned(),
    };
    let run = args.run.as_deref().map(|prefix| reproduce::find_run(&case, prefix)).transpose()?;
    let answer = show::ask(&case, run.as_ref(), &query, &Listener::new(global))?;
    match (args.format, global.json) {
        (Some(AnswerFormat::Csv), _) => csv(answer)?,
        (Some(AnswerFormat::Json), _) | (None, true) => json(answer)?,
        (Some(AnswerFormat::Table), _) | (None, false) => table(answer)?,
    }
    Ok(Status::Done)
}

/// A cell as text: nothing for null, lists as JSON.
fn text(cell: &Value) -> String {
    match cell {
        Value::Null => String::new(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// The first rows say how wide the columns are; later ones are fitted into that. Where there are too
/// many columns, each row is a list.
fn table(mut answer: Answer) -> Result<(), Failure> {
    let mut out = BufWriter::new(anstream::stdout().lock());
    let header: Vec<String> = answer.columns.iter().map(|c| plain(&c.name)).collect();
    let header: Vec<&str> = header.iter().map(String::as_str).collect();
    let numbers: Vec<bool> = answer.columns.iter().map(|c| c.holds == Holds::Number).collect();
    let room = terminal_width();
    let mut form: Option<Form> = None;
    while let Some(page) = answer.next_page()? {
        let rows: Vec<Vec<String>> =
            page.iter().map(|row| row.iter().map(|cell| plain(&text(cell))).collect()).collect();
        if form.is_none() && !rows.is_empty() {
            form = Some(Form::of(&mut out, &header, &numbers, &rows, room)?);
        }
        for row in &rows {
            match &form {
                Some(Form::Table(layout)) => layout.row(&mut out, row)?,
                _ => list(&mut out, &header, row, room)?,
            }
        }
    }
    if form.is_none() {
        writeln!(out, "(no rows)")?;
    }
    Ok(out.flush()?)
}

/// How rows are written.
enum Form {
    Table(Layout),
    Lists,
}

impl Form {
    /// Chooses the form by the first rows, and writes the header where it has one.
    fn of(
        out: &mut impl Write,
        header: &[&str],
        numbers: &[bool],
        rows: &[Vec<String>],
        room: usize,
    ) -> io::Result<Self> {
        if Layout::is_too_narrow(header, rows.iter(), room) {
            return Ok(Self::Lists);
        }
        let layout = Layout::fit(header, numbers.to_vec(), rows.iter(), room);
        layout.header(out, header)?;
        Ok(Self::Table(layout))
    }
}

/// RFC 4180: CRLF, and quotes where a cell needs them.
fn csv(mut answer: Answer) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let is_text: Vec<bool> = answer.columns.iter().map(|c| c.holds == Holds::Text).collect();
    let header: Vec<String> = answer.columns.iter().map(|c| csv_cell(&c.name, true)).collect();
    write!(out, "{}\r\n", header.join(","))?;
    while let Some(page) = answer.next_page()? {
        for row in page {
            let cells: Vec<String> =
                row.iter().zip(&is_text).map(|(cell, is_text)| csv_cell(&text(cell), *is_text)).collect();
            write!(out, "{}\r\n", cells.join(","))?;
        }
    }
    Ok(out.flush()?)
}

/// A CSV cell. Text from a log that a spreadsheet would run as a formula gets a leading apostrophe
/// (OWASP, "CSV Injection"): it begins with `=`, `+`, `-`, `@`, a tab or a carriage return.
fn csv_cell(cell: &str, is_text: bool) -> String {
    let guard = if is_text && cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { "'" } else { "" };
    match cell.contains([',', '"', '\r', '\n']) {
        true => format!("\"{guard}{}\"", cell.replace('"', "\"\"")),
        false => format!("{guard}{cell}"),
    }
}

/// An array of objects, an object a line, keys in the order of the columns.
fn json(mut answer: Answer) -> Result<(), Failure> {
    let mut out = BufWriter::new(io::stdout().lock());
    let write_text = |text: &str| serde_json::to_string(text).map_err(io::Error::from);
    let names: Vec<String> = answer.columns.iter().map(|c| write_text(&c.name)).collect::<io::Result<_>>()?;
    out.write_all(b"[")?;
    let mut separator = "\n";
    while let Some(page) = answer.next_page()? {
        for row in page {
            write!(out, "{separator}{{")?;
            separator = ",\n";
            for (at, (name, cell)) in names.iter().zip(&row).enumerate() {
                let comma = if at == 0 { "" } else { "," };
                write!(out, "{comma}{name}:{cell}")?;
            }
            out.write_all(b"}")?;
        }
    }
    let end = if separator == "\n" { "]\n" } else { "\n]\n" };
    out.write_all(end.as_bytes())?;
    Ok(out.flush()?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_formulas_guarded() {
        for (cell, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"x\"", "\"say \"\"x\"\"\""),
            ("two\nlines", "\"two\nlines\""),
            ("=1+1", "'=1+1"),
            ("@SUM(A1,B1)", "\"'@SUM(A1,B1)\""),
            ("-x", "'-x"),
            ("\tx", "'\tx"),
        ] {
            assert_eq!(csv_cell(cell, true), expected);
        }
        assert_eq!(csv_cell("-1", false), "-1");
    }
}
