//! `record-tree.parquet`: the roots of an item's record tree at blocks of 1,024 records, so that
//! one record is proven from its own block and these; and the secret that its salts come from.
//!
//! The tree is docs/provenance.md, "The record tree".

use std::fs;
use std::path::Path;
use std::sync::Arc;

use arrow::array::{Array, AsArray, Int64Array, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Int64Type, Schema, SchemaRef};
use comity_provenance::merkle;
use comity_provenance::record_tree::{BLOCK_RECORDS, BlockTree};

use crate::StoreError;
use crate::durable::Stage;
use crate::tables;

/// Name of the file within its item.
pub const TREE_FILE: &str = "record-tree.parquet";
/// Name of the file with the secret of the salts, within its item.
pub const SECRET_FILE: &str = "record-salts.secret";

/// Schema of the file: a row for each block.
pub fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("record", DataType::Int64, false),
        Field::new("offset", DataType::Int64, false),
        Field::new("records", DataType::Int64, false),
        Field::new("root", DataType::Utf8, false),
    ]))
}

/// Writes the blocks of an item, and the secret.
///
/// # Errors
/// Where the disk refuses.
pub fn write(stage: &Stage, tree: &BlockTree, secret: &[u8; 32]) -> Result<(), StoreError> {
    let number = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let firsts = || (0..tree.block_roots.len() as u64).map(|block| block * BLOCK_RECORDS);
    let records = firsts().map(|first| number(BLOCK_RECORDS.min(tree.records - first)));
    let batch = RecordBatch::try_new(
        schema(),
        vec![
            Arc::new(Int64Array::from_iter_values(firsts().map(|first| number(first + 1)))),
            Arc::new(Int64Array::from_iter_values(tree.block_offsets.iter().map(|o| number(*o)))),
            Arc::new(Int64Array::from_iter_values(records)),
            Arc::new(StringArray::from_iter_values(tree.block_roots.iter().map(ToString::to_string))),
        ],
    )
    .map_err(|e| StoreError::arrow(TREE_FILE, e))?;
    tables::write(stage.create(TREE_FILE)?, &stage.path().join(TREE_FILE), &schema(), &[batch])?;
    write_secret(stage, secret)
}

/// Writes the secret alone.
///
/// # Errors
/// Where the disk refuses.
pub fn write_secret(stage: &Stage, secret: &[u8; 32]) -> Result<(), StoreError> {
    stage.write_private(SECRET_FILE, format!("{}\n", hex::encode(secret)).as_bytes())
}

/// Reads the tree of an item.
///
/// # Errors
/// Where the file does not read.
pub fn read(item: &Path) -> Result<BlockTree, StoreError> {
    let path = item.join(TREE_FILE);
    let wrong = |message: &str| StoreError::Integrity { path: path.clone(), message: message.into() };
    let (found, batches) = tables::read(&path)?;
    if found.fields() != schema().fields() {
        return Err(wrong("columns are not those that comity writes"));
    }
    let (mut records, mut block_roots, mut block_offsets) = (0, Vec::new(), Vec::new());
    for batch in &batches {
        let number = |at: usize, row: usize| {
            u64::try_from(batch.column(at).as_primitive::<Int64Type>().value(row))
                .map_err(|_| wrong("a number is negative"))
        };
        let roots = batch.column(3).as_string::<i32>();
        for row in 0..roots.len() {
            block_offsets.push(number(1, row)?);
            records += number(2, row)?;
            block_roots.push(roots.value(row).parse().map_err(|_| wrong("a root is no SHA-256"))?);
        }
    }
    // blocks are perfect trees but for the last, so the tree over their roots is the whole one
    Ok(BlockTree { records, root: merkle::root(&block_roots), block_roots, block_offsets })
}

/// Reads the secret of an item; `None` where there is none.
///
/// # Errors
/// Where the file does not read.
pub fn secret(item: &Path) -> Result<Option<[u8; 32]>, StoreError> {
    let path = item.join(SECRET_FILE);
    let text = match fs::read_to_string(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(StoreError::io(&path, e)),
    };
    parse_secret(&text)
        .map(Some)
        .ok_or_else(|| StoreError::Integrity { path, message: "is not 64 hexadecimal digits and LF".into() })
}

/// The secret that a file of it holds.
pub fn parse_secret(text: &str) -> Option<[u8; 32]> {
    let mut secret = [0; 32];
    hex::decode_to_slice(text.strip_suffix('\n')?, &mut secret).ok().map(|()| secret)
}
