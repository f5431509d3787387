//! `comity` alone, and `comity help`: commands, and the keys of a job file as its schema has them.

use std::io::{self, Write};

use clap::builder::styling::Style;
use comity_jobs::job_file;
use serde_json::{Value, json};

use super::print_json;
use crate::args::{Global, Help};
use crate::status::{Failure, Outcome, Status};
use crate::table::{terminal_width, wrapped};

const BOLD: Style = Style::new().bold();

const BEGIN: &str = "comity: evidence and indicators from several jurisdictions, to findings that
another jurisdiction can check.

To begin:
  comity run job.toml      do everything that a job file declares
  comity help job          what a job file declares, with one to copy

Then:
  comity findings          what was found, again
  comity sql \"select …\"    any question
  comity reproduce         run it again, and compare to the byte
  comity --help            all commands
";

const JOB: &str = r#"A job file declares a case: what is taken in, from whom, under which law, and what
is run over it. A small one:

  [case]
  id = "2026-014"
  jurisdiction = "DE"
  purpose = "prosecution of computer fraud, file 5 Js 1/26"

  [[evidence]]
  path = "de/*.log"
  jurisdiction = "DE"

  [[feed]]
  path = "feeds/phish.csv"
  provider = "Example CERT"

Relative paths are relative to the job file. `comity help job TABLE` lists the keys
of a table, `comity help job TABLE.KEY` explains one.
"#;

/// What `comity` says without a command.
pub(super) fn begin() -> Outcome {
    let mut out = anstream::stdout().lock();
    out.write_all(BEGIN.as_bytes())?;
    out.flush()?;
    Ok(Status::Done)
}

pub(super) fn help(args: &Help, global: &Global) -> Outcome {
    match args.topic.as_slice() {
        [] => print_help(&mut crate::command()),
        [job] if job == "job" => job_help("", global),
        [job, key @ ..] if job == "job" => job_help(&key.join("."), global),
        path => {
            let mut command = crate::command();
            command.build();
            let mut at = &mut command;
            for name in path {
                let known: Vec<String> = at.get_subcommands().map(|c| c.get_name().to_owned()).collect();
                at = at.find_subcommand_mut(name).ok_or_else(|| {
                    let hint = format!("one of: {}, job", known.join(", "));
                    Failure::Usage(format!("no help on {name:?}"), Some(hint))
                })?;
            }
            print_help(at)
        }
    }
}

fn print_help(command: &mut clap::Command) -> Outcome {
    let mut out = anstream::stdout().lock();
    write!(out, "{}", command.render_long_help().ansi())?;
    out.flush()?;
    Ok(Status::Done)
}

/// A key of the job file.
struct Key {
    name: String,
    required: bool,
    description: String,
    is_table: bool,
}

fn job_help(key: &str, global: &Global) -> Outcome {
    let key = key
        .replace(['[', ']'], " ")
        .split_whitespace()
        .filter(|part| part.parse::<usize>().is_err())
        .collect::<String>();
    let root = job_file::json_schema();
    let Some(schema) = at_key(&root, &key) else {
        let parent = key.rsplit_once('.').map_or("", |(parent, _)| parent);
        let known: Vec<String> = at_key(&root, parent)
            .map(|s| keys(&root, s))
            .unwrap_or_default()
            .into_iter()
            .map(|k| k.name)
            .collect();
        let hint = (!known.is_empty()).then(|| format!("one of: {}", known.join(", ")));
        return Err(Failure::Usage(format!("a job file has no key {key:?}"), hint));
    };
    let keys = keys(&root, schema);
    if global.json {
        let keys: Vec<Value> = keys
            .iter()
            .map(|k| json!({ "key": k.name, "required": k.required, "description": k.description }))
            .collect();
        print_json(&json!({ "key": key, "description": description(&root, schema), "keys": keys }))?;
        return Ok(Status::Done);
    }
    let mut out = anstream::stdout().lock();
    match key.as_str() {
        "" => writeln!(out, "{JOB}")?,
        key => {
            writeln!(out, "{BOLD}{key}{BOLD:#}")?;
            prose(&mut out, &description(&root, schema), 2)?;
            allowed(&mut out, &root, schema)?;
        }
    }
    for one in keys {
        let mark = if one.required { " (required)" } else { "" };
        let more = if one.is_table { " …" } else { "" };
        writeln!(out, "  {BOLD}{}{BOLD:#}{more}{mark}", one.name)?;
        prose(&mut out, &one.description, 6)?;
    }
    out.flush()?;
    Ok(Status::Done)
}

fn prose(out: &mut impl Write, text: &str, indent: usize) -> io::Result<()> {
    let room = terminal_width().min(100).saturating_sub(indent);
    wrapped(text, room).iter().try_for_each(|line| writeln!(out, "{:indent$}{line}", ""))
}

/// Says what values a key takes, where the schema lists them.
fn allowed(out: &mut impl Write, root: &Value, schema: &Value) -> io::Result<()> {
    let target = followed(root, schema);
    let inner =
        target.get("items").or_else(|| target.get("anyOf").and_then(|all| all.get(0))).unwrap_or(target);
    let Some(values) =
        target.get("enum").or_else(|| followed(root, inner).get("enum")).and_then(Value::as_array)
    else {
        return Ok(());
    };
    let values: Vec<&str> = values.iter().filter_map(Value::as_str).collect();
    prose(out, &format!("One of: {}", values.join(", ")), 2)
}

/// The schema of a dotted key, with its own description.
fn at_key<'a>(root: &'a Value, key: &str) -> Option<&'a Value> {
    let mut at = root;
    for step in key.split('.').filter(|step| !step.is_empty()) {
        at = table_of(root, at).get("properties")?.get(step)?;
    }
    Some(at)
}

fn followed<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
    target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

/// Follows references, lists and alternatives to a schema with properties.
fn table_of<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let here = followed(root, schema);
    let inner = here.get("items").or_else(|| here.get("anyOf").and_then(|all| all.get(0)));
    match inner {
        Some(inner) if here.get("properties").is_none() => table_of(root, inner),
        _ => here,
    }
}

fn description(root: &Value, schema: &Value) -> String {
    let own = schema.get("description").or_else(|| followed(root, schema).get("description"));
    own.and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The keys of a table, those that are required first.
fn keys(root: &Value, schema: &Value) -> Vec<Key> {
    let table = table_of(root, schema);
    let required = table.get("required").and_then(Value::as_array);
    let is_required = |name: &str| required.is_some_and(|all| all.iter().any(|r| r == name));
    let properties = table.get("properties").and_then(Value::as_object).into_iter().flatten();
    let mut keys: Vec<Key> = properties
        .map(|(name, schema)| Key {
            name: name.clone(),
            required: is_required(name),
            description: description(root, schema),
            is_table: table_of(root, schema).get("properties").is_some(),
        })
        .collect();
    keys.sort_by_key(|key| !key.required);
    keys
}
