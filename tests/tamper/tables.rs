//! Levels 3 and 4: tables against what is disclosed, and against the evidence itself.

use std::fs;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::compute::concat_batches;
use comity_store::tables;
use parquet::arrow::ArrowWriter;
use parquet::file::metadata::KeyValue;

use crate::falsified::Falsified;
use crate::records::{change_line, records};
use crate::trial::{Row, lie};

pub(crate) fn rows() -> Vec<Row> {
    let mut rows = sightings();
    rows.extend(withheld());
    rows.extend(bytes());
    rows.extend(reproduced());
    rows
}

/// Rows of a batch, by number.
fn taken(batch: &RecordBatch, rows: &[usize]) -> RecordBatch {
    let parts: Vec<RecordBatch> = rows.iter().map(|row| batch.slice(*row, 1)).collect();
    concat_batches(&batch.schema(), &parts).unwrap()
}

/// A column of text, its values changed.
fn changed(batch: &RecordBatch, column: &str, change: impl Fn(&str) -> String) -> RecordBatch {
    let at = batch.schema().index_of(column).unwrap();
    let mut columns = batch.columns().to_vec();
    let old = columns[at].as_string::<i32>();
    let new: StringArray = old.iter().map(|text| text.map(&change)).collect();
    columns[at] = Arc::new(new);
    RecordBatch::try_new(batch.schema(), columns).unwrap()
}

/// A lie in a table of the case, of which the program makes a findings bag.
fn table(
    what: &'static str,
    kind: &'static str,
    name: &'static str,
    change: fn(&RecordBatch) -> RecordBatch,
) -> Row {
    lie(what, kind, 3, move |t| t.falsified("findings", |case| case.change_table(name, change)))
}

fn all_but_last(batch: &RecordBatch) -> RecordBatch {
    batch.slice(0, batch.num_rows() - 1)
}

fn sightings() -> Vec<Row> {
    vec![
        table("a sighting added", "sightings-differ", "sightings", |batch| {
            let rows: Vec<usize> = (0..batch.num_rows()).chain([0]).collect();
            taken(batch, &rows)
        }),
        table("a sighting removed", "sightings-differ", "sightings", all_but_last),
        // then nothing is disclosed that a sighting could rest on, but other tables still count
        table("all sightings removed, and their records", "table-differs", "sightings", |batch| {
            batch.slice(0, 0)
        }),
        table("a sighting in another jurisdiction", "sightings-differ", "sightings", |batch| {
            changed(batch, "jurisdiction", |text| text.replace("NL", "FR"))
        }),
        table("a sighting of another value", "sightings-differ", "sightings", |batch| {
            changed(batch, "observable_value", |text| text.replace("198.51.100.7", "198.51.100.8"))
        }),
        table("a finding removed", "table-differs", "first-seen", all_but_last),
        table("a finding with another number", "table-differs", "corroboration", |batch| {
            let rows: Vec<usize> = (0..batch.num_rows()).chain([0]).collect();
            taken(batch, &rows)
        }),
        lie("rows that are not those of the logical digest", "table-digest", 3, |t| {
            t.falsified("findings", |case| {
                let run = case.find("correlate");
                case.change(run, |value| {
                    value["subject"][0]["annotations"]["logicalSha256"] = "0".repeat(64).into();
                });
            });
        }),
        lie("another number of rows than the statement says", "table-digest", 3, |t| {
            t.falsified("findings", |case| {
                let run = case.find("correlate");
                case.change(run, |value| value["subject"][0]["annotations"]["rows"] = "1000".into());
            });
        }),
        lie("a full bag with a sighting removed", "not-reproduced", 3, |t| {
            t.falsified("full", |case| case.change_table("sightings", all_but_last));
        }),
        lie("a full bag with a finding removed", "not-reproduced", 3, |t| {
            t.falsified("full", |case| case.change_table("not-seen", all_but_last));
        }),
    ]
}

fn withheld() -> Vec<Row> {
    vec![
        lie("a record withheld that a sighting rests on", "sightings-differ", 3, |t| {
            t.inside(|bag| {
                let path = records(bag, "access.log");
                let text = bag.text(&path);
                let (_, rest) = text.split_once('\n').unwrap();
                bag.put(&path, rest);
            });
        }),
        lie("all records of an item withheld", "sightings-differ", 3, |t| {
            t.inside(|bag| {
                let path = records(bag, "access.log");
                bag.files.remove(&path);
            });
        }),
        lie("an indicator withheld that was sighted", "sightings-differ", 3, |t| {
            t.inside(|bag| {
                let path = bag.first("data/indicators/");
                bag.files.remove(&path);
            });
        }),
        lie("a record made a mere context", "sightings-differ", 3, |t| {
            t.inside(|bag| {
                let path = records(bag, "access.log");
                change_line(bag, &path, 0, |record| record["context"] = true.into());
            });
        }),
        lie("a context record left out, its columns read as others", "sightings-differ", 3, |t| {
            t.inside(|bag| {
                let path = records(bag, "conn.log");
                let text = bag.text(&path);
                let kept: String = text
                    .lines()
                    .filter(|line| !line.contains("\"record\":\"10\""))
                    .map(|l| format!("{l}\n"))
                    .collect();
                assert!(kept.len() < text.len());
                bag.put(&path, kept);
            });
        }),
    ]
}

fn bytes() -> Vec<Row> {
    let hidden = |what: &'static str, change: fn(&Falsified<'_>) -> Vec<u8>| {
        lie(what, "table-hidden-bytes", 3, move |t| {
            t.falsified("findings", |case| {
                let bytes = change(case);
                case.put_bytes("sightings", &bytes);
            });
        })
    };
    vec![
        hidden("bytes hidden in Parquet, before its footer", |case| {
            let bytes = fs::read(case.of_run("sightings.parquet")).unwrap();
            let length: [u8; 4] = bytes[bytes.len() - 8..bytes.len() - 4].try_into().unwrap();
            let footer = bytes.len() - 8 - usize::try_from(u32::from_le_bytes(length)).unwrap();
            [&bytes[..footer], b"hidden from every reader", &bytes[footer..]].concat()
        }),
        hidden("bytes hidden in Parquet, under a key of the footer", |case| {
            let (schema, batches) = case.table("sightings");
            let key = KeyValue::new("note".into(), "hidden from every reader".to_owned());
            let properties = tables::properties().set_key_value_metadata(Some(vec![key])).build();
            let mut bytes = Vec::new();
            let mut writer = ArrowWriter::try_new(&mut bytes, schema, Some(properties)).unwrap();
            batches.iter().for_each(|batch| writer.write(batch).unwrap());
            writer.close().unwrap();
            bytes
        }),
    ]
}

fn reproduced() -> Vec<Row> {
    vec![lie("a sighting and its record left out, by one who has the rest", "not-reproduced", 4, |t| {
        for file in ["conn.log", "access.log", "proxy.csv", "one.txt", "two.txt"] {
            t.command.extend(["--evidence".to_owned(), t.fixture.path(file).to_str().unwrap().to_owned()]);
        }
        t.command.extend(["--level".to_owned(), "4".to_owned()]);
        t.falsified("findings", |case| {
            // a run of sightings alone, so that nothing else has to be falsified with them
            let job = fs::read_to_string(t.fixture.path("job.toml")).unwrap();
            let kept: Vec<&str> = job.split("[[correlation]]").collect();
            let text = format!("{}[[correlation]]\nname = \"sightings\"\n", kept[0]);
            let text = text.replace("path = \"", &format!("path = \"{}/", t.fixture.path("").display()));
            fs::write(t.dir.join("job.toml"), text).unwrap();
            let words = format!("run {}/job.toml --case CASE --quiet", t.dir.display());
            case.comity(&words, 3);
            let run = case.find("correlate");
            case.run = case.said()[run]["predicate"]["runDetails"]["metadata"]["invocationId"]
                .as_str()
                .unwrap()
                .into();
            case.change_table("sightings", |batch| {
                let jurisdiction = batch.column_by_name("jurisdiction").unwrap().as_string::<i32>().clone();
                let rows: Vec<usize> =
                    (0..jurisdiction.len()).filter(|row| jurisdiction.value(*row) != "NL").collect();
                assert!(rows.len() < batch.num_rows());
                taken(batch, &rows)
            });
        });
    })]
}
