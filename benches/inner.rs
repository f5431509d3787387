//! The inner loops of ingest, one at a time: `cargo bench --bench inner`.
//!
//! Throughput is in records or values. Figures of two runs on one machine can be compared, with nothing else
//! running; kept ones lie in `benches/runs/`.

#![expect(clippy::unwrap_used, reason = "a benchmark ends where it can't go on")]

use std::hint::black_box;

use comity_model::canonical::observe;
use comity_model::{Class, Field, Kind, Observe, RecordSink};
use comity_parse::log::{self, LogOptions, Outcome};
use comity_provenance::record_tree::{ChunkTree, Salts, leaf};
use comity_store::chunk::{ChunkBuilder, Place};
use comity_store::durable::Stage;
use comity_store::evidence::EvidenceWriter;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

const RECORDS: u64 = 20_000;

/// Zeek's conn.log; addresses and identifiers hardly repeat.
fn records() -> Vec<String> {
    let mut state = 1_u64;
    let mut random = move |below: u64| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) % below
    };
    let mut octets = move || (random(8), random(256), random(254) + 1, random(64_000));
    (0..RECORDS)
        .map(|at| {
            let (a, b, c, port) = octets();
            let (d, e, f, bytes) = octets();
            format!(
                r#"{{"ts":{}.{:06},"uid":"C{:017x}","id.orig_h":"10.{a}.{b}.{c}","id.orig_p":{port},"id.resp_h":"198.{d}.{e}.{f}","id.resp_p":443,"proto":"tcp","duration":1.5,"orig_bytes":{bytes},"resp_bytes":{bytes},"conn_state":"SF"}}"#,
                1_767_225_600 + at / 20,
                at % 20 * 50_000,
                (at + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 4,
            )
        })
        .collect()
}

struct Nothing;

impl RecordSink for Nothing {
    fn class(&mut self, _: Class) {}
    fn time(&mut self, at_us: i64) {
        black_box(at_us);
    }
    fn text(&mut self, _: Field, text: &str) {
        black_box(text);
    }
    fn integer(&mut self, _: Field, value: i64) {
        black_box(value);
    }
    fn observable(&mut self, _: Field, _: Kind, _: &str, _: &str) {}
}

fn chunk(records: &[String]) -> ChunkBuilder {
    let mut reader = (log::by_name("zeek-json").unwrap().open)(&LogOptions::default()).unwrap();
    let mut chunk = ChunkBuilder::default();
    for (number, record) in (1..).zip(records) {
        assert_eq!(reader.read(record.as_bytes(), &mut chunk), Outcome::Event);
        chunk.event(Place { record: number, offset: number * 200, length: record.len() as u64 });
    }
    chunk
}

fn inner(c: &mut Criterion) {
    let records = records();
    let mut group = c.benchmark_group("ingest");
    group.throughput(Throughput::Elements(RECORDS)).sample_size(20);
    group.bench_function("parse: zeek-json to a sink", |b| {
        let mut reader = (log::by_name("zeek-json").unwrap().open)(&LogOptions::default()).unwrap();
        b.iter(|| {
            for record in &records {
                black_box(reader.read(record.as_bytes(), &mut Nothing));
            }
        });
    });
    group.bench_function("canonicalise: addresses, names, URLs", |b| {
        b.iter(|| {
            for _ in 0..RECORDS / 4 {
                for (rule, text) in [
                    (Observe::Address, "198.51.100.7"),
                    (Observe::Host, "www.Example.com"),
                    (Observe::Url, "http://www.example.com/a/index.html?b=c"),
                    (Observe::Address, "2001:db8::1"),
                ] {
                    observe(rule, black_box(text), &mut |found| {
                        black_box(found);
                    });
                }
            }
        });
    });
    group.bench_function("tree: salts, leaves, folding", |b| {
        let salts = Salts::new(&[7; 32]);
        b.iter(|| {
            let mut tree = ChunkTree::new(0);
            for (at, record) in (0..).zip(&records) {
                tree.push(at * 200, leaf(&salts.salt(at), at * 200, record.as_bytes()));
            }
            tree
        });
    });
    group.bench_function("chunk: parse, columns, sorted index run", |b| {
        b.iter(|| chunk(&records).finish().unwrap());
    });
    group.bench_function("merge: eight runs to an index on disk", |b| {
        let scratch = tempfile::tempdir().unwrap();
        let fill = || {
            let mut writer = EvidenceWriter::new(scratch.path()).unwrap();
            for part in records.chunks(records.len() / 8) {
                writer.append(chunk(part).finish().unwrap()).unwrap();
            }
            writer
        };
        let finish = |writer: EvidenceWriter| -> Stage { writer.finish().unwrap().0 };
        b.iter_batched(fill, finish, BatchSize::PerIteration);
    });
    group.finish();
}

criterion_group!(benches, inner);
criterion_main!(benches);
