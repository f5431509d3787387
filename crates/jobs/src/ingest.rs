//! One evidence item: original bytes to events, observables and rejects, in one pass.
//!
//! One thread hashes, decompresses and cuts chunks, and appends what comes back in order; workers parse
//! and encode, and so does the one while there is nothing to read. What is in flight is a bounded number
//! of chunks, whatever the size of the file.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::Path;
use std::sync::{Mutex, mpsc};

use comity_model::Reason;
use comity_parse::framing::{Chunk as Cut, MAX_RECORD_BYTES, Piece, Splitter};
use comity_parse::log::{self, LogFormat, LogReader, Outcome, Sample};
use comity_provenance::record_tree::{BlockTree, ChunkTree, LeafHasher, Salts, TreeBuilder, leaf};
use comity_provenance::{Algorithm, Sha256Digest};
use comity_store::case::Normalised;
use comity_store::chunk::{Chunk, ChunkBuilder, Place};
use comity_store::durable::Stage;
use comity_store::evidence::{Counts, EvidenceWriter};
use comity_store::index::MAX_ROWS;
use comity_store::record_tree;
use comity_store::source::{Damage, Source, plain_name};
use comity_store::tables::{RejectRow, excerpt};
use rayon::Yield;
use serde_json::json;

use crate::JobError;
use crate::job_file::Evidence;
use crate::progress::Progress;

/// Least and most bytes of a chunk, which is a row group of events. The shortest record that is an event has two.
const CHUNK_BYTES: RangeInclusive<usize> = 4 << 20..=16 << 20;
const _: () = assert!(
    *CHUNK_BYTES.end() <= 2 * MAX_ROWS as usize,
    "a chunk may have more rows than the index can number"
);
/// Bytes read at once.
const BLOCK_BYTES: usize = 1 << 20;
/// Bytes that detection may look at.
const SAMPLE_BYTES: usize = 64 << 10;
/// Version of the readers: part of the settings that events depend on. Raised whenever a format
/// reads the same bytes into other events or observables.
pub const READER_VERSION: u32 = 2;

/// What must be equal for stored events to be taken as done work.
pub fn settings(evidence: &Evidence, format: &str) -> serde_json::Value {
    let options = evidence.log_options();
    json!({
        "readers": READER_VERSION,
        "tables": comity_model::canonical::TABLE_VERSIONS,
        "format": format,
        "zone": options.zone,
        "period_us": options.period,
        "mapping": evidence.mapping,
        "clock_offset_us": clock_offset_us(evidence),
    })
}

/// What is added to every time: the declared error of the recorder's clock, with its sign turned.
pub(crate) fn clock_offset_us(evidence: &Evidence) -> i64 {
    evidence.clock_offset.as_ref().map_or(0, |span| -span.as_us())
}

/// An original that was read; its tables are not yet whole.
#[derive(Debug)]
pub struct Read {
    writer: EvidenceWriter,
    tree: TreeBuilder,
    secret: [u8; 32],
    /// What it was read as; the counts are not yet there.
    pub normalised: Normalised,
}

/// An original that was read into a stage.
#[derive(Debug)]
pub struct Ingested {
    /// Its tables.
    pub stage: Stage,
    /// What it was read as.
    pub normalised: Normalised,
    /// The tree of its records.
    pub tree: BlockTree,
}

impl Read {
    /// Writes the index and ends the tables.
    ///
    /// # Errors
    /// Where the disk refuses.
    pub fn finish(self) -> Result<Ingested, JobError> {
        let (stage, counts) = self.writer.finish()?;
        let tree = self.tree.finish();
        record_tree::write(&stage, &tree, &self.secret)?;
        Ok(Ingested { stage, normalised: Normalised { counts, ..self.normalised }, tree })
    }
}

/// What nobody uses now: its memory serves from one item to the next.
#[derive(Debug, Default)]
pub struct Spare {
    builders: Mutex<Vec<ChunkBuilder>>,
    /// Of chunks.
    buffers: Mutex<Vec<Vec<u8>>>,
}

/// Reads an original into a stage; `secret` salts the leaves of its record tree.
///
/// # Errors
/// Where the file can't be read, the format can't be told or does not fit its options, or the disk
/// refuses. Bad records are rejects.
pub fn read(
    path: &Path,
    evidence: &Evidence,
    tmp: &Path,
    secret: [u8; 32],
    spare: &Spare,
    progress: &dyn Progress,
) -> Result<Read, JobError> {
    let mut source = Source::open(path, &algorithms(evidence))?;
    let mut head = Vec::new();
    read_block(&mut source, &mut head, BLOCK_BYTES)?;
    let name = plain_name(path);
    let sample = Sample { name: &name, head: head.get(..SAMPLE_BYTES).unwrap_or(&head) };
    let detected = log::detect(&sample);
    let format = choose(path, evidence.declared_format(), &detected, head.is_empty())?;
    let options = evidence.log_options();
    let reader = (format.open)(&options).map_err(|e| JobError::Options {
        path: path.to_owned(),
        format: format.name,
        message: e.message,
    })?;
    let framing = (format.framing)(&sample);
    let mut writer = EvidenceWriter::new(tmp)?;
    let salts = Salts::new(&secret);
    let work = Work { clock_offset_us: clock_offset_us(evidence), salts: salts.clone(), spare };
    let mut tree = TreeBuilder::new();
    let mut long = LongRecords::new(path, salts);
    let mut splitter = Splitter::new(framing, CHUNK_BYTES, MAX_RECORD_BYTES);
    if let Ok(mut buffers) = spare.buffers.lock() {
        buffers.drain(..).for_each(|buffer| splitter.recycle(buffer));
    }
    let mut stream = Stream { splitter, reader, source, block: head, is_first: true, ended: false };
    let mut append = |done| match done {
        Done::Chunk(chunk, leaves) => {
            writer.append(*chunk)?;
            Ok(tree.append(leaves)?)
        }
        Done::Reject(reject) => {
            tree.append(long.tree(&reject)?)?;
            Ok(writer.reject_outside(&reject)?)
        }
    };
    rayon::scope_fifo(|scope| in_order(scope, &mut stream, &work, &mut append, progress))?;
    if let Ok(mut buffers) = spare.buffers.lock() {
        buffers.extend(stream.splitter.into_spare());
    }
    let (digests, damage) = stream.source.finish()?;
    if let Some(damage) = &damage {
        writer.reject_outside(&damage_reject(damage, digests.stream.0))?;
    }
    let normalised = Normalised {
        id: digests.sha256,
        format: format.name.to_owned(),
        declared_format: evidence.declared_format().map(str::to_owned),
        detected: detected.iter().map(|(f, score)| (f.name.to_owned(), *score)).collect(),
        framing: framing.name().to_owned(),
        settings: settings(evidence, format.name),
        bytes: digests.bytes,
        codec: digests.codec.as_str().to_owned(),
        stream_bytes: digests.stream.0,
        stream_sha256: digests.stream.1,
        digests: digests.others.into_iter().map(|(a, d)| (a.as_str().to_owned(), d)).collect(),
        damage: damage.map(|d| match d {
            Damage::Stream(message) | Damage::Limit(message) => message,
        }),
        counts: Counts::default(),
    };
    Ok(Read { writer, tree, secret, normalised })
}

/// Reads what comes from the stream on all threads; hands it to `append` in the order of the stream.
fn in_order<'scope>(
    scope: &rayon::ScopeFifo<'scope>,
    stream: &mut Stream,
    work: &'scope Work<'_>,
    append: &mut dyn FnMut(Done) -> Result<(), JobError>,
    progress: &dyn Progress,
) -> Result<(), JobError> {
    // one that is worked on and one that waits for each thread, but for this one, which reads when it has none
    let most = 2 * rayon::current_num_threads() - 1;
    let (sender, results) = mpsc::channel();
    // what was done before its turn
    let mut waiting = BTreeMap::new();
    let (mut begun, mut appended, mut ended) = (0, 0, false);
    while !ended || appended < begun {
        if !ended && begun - appended < most {
            match stream.next_task()? {
                Some(task) => {
                    let (sender, number) = (sender.clone(), begun);
                    scope.spawn_fifo(move |_| {
                        // a panic must reach the one who waits; nobody listens where that one has failed
                        let done = catch_unwind(AssertUnwindSafe(|| work.run(task)));
                        let _ = sender.send((number, done));
                    });
                    begun += 1;
                }
                None => ended = true,
            }
            progress.bytes(stream.source.taken()?);
            progress.check()?;
        } else if rayon::yield_now() != Some(Yield::Executed) {
            // all that is left is in work elsewhere; this thread holds a sender, so no error
            waiting.extend(results.recv());
        }
        waiting.extend(results.try_iter());
        while let Some(done) = waiting.remove(&appended) {
            let (done, bytes) = done.unwrap_or_else(|panic| resume_unwind(panic))?;
            stream.splitter.recycle(bytes);
            append(done)?;
            appended += 1;
        }
    }
    Ok(())
}

/// The digests wanted beside SHA-256: those that the holder gave, and SHA-512 where asked for.
pub(crate) fn algorithms(evidence: &Evidence) -> Vec<Algorithm> {
    let wanted = [
        (Algorithm::Md5, evidence.md5.is_some()),
        (Algorithm::Sha1, evidence.sha1.is_some()),
        (Algorithm::Sha512, evidence.sha512.is_some() || !evidence.second_digest.is_none()),
    ];
    wanted.into_iter().filter(|w| w.1).map(|w| w.0).collect()
}

/// Below this score detection does not choose.
const SURE_ENOUGH: u8 = 50;

/// The format that an original is read as: the job's word, or else the best that detection says.
fn choose(
    path: &Path,
    declared: Option<&str>,
    detected: &[(&'static LogFormat, u8)],
    empty: bool,
) -> Result<&'static LogFormat, JobError> {
    if let Some(name) = declared {
        return log::by_name(name).ok_or_else(|| JobError::UnknownFormat { name: name.to_owned() });
    }
    match detected.first() {
        Some((format, score)) if *score >= SURE_ENOUGH => Ok(format),
        // of nothing, every format reads nothing
        _ if empty => log::by_name("zeek-json").ok_or(JobError::UnknownFormat { name: "zeek-json".into() }),
        best => Err(JobError::Undetected {
            path: path.to_owned(),
            best: best.map(|(format, score)| format!("{} ({score} of 100)", format.name)),
        }),
    }
}

fn read_block(source: &mut Source, block: &mut Vec<u8>, wanted: usize) -> Result<(), JobError> {
    block.resize(wanted, 0);
    let mut filled = 0;
    while let Some(rest) = block.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        let count = source.read(rest)?;
        if count == 0 {
            break;
        }
        filled += count;
    }
    block.truncate(filled);
    Ok(())
}

fn damage_reject(damage: &Damage, at: u64) -> RejectRow {
    let (reason, message) = match damage {
        Damage::Stream(message) => (Reason::DamagedStream, message),
        Damage::Limit(message) => (Reason::Decompression, message),
    };
    RejectRow { record: 0, offset: at, length: 0, reason, message: message.clone(), text: String::new() }
}

/// The sequential part: bytes in, tasks out.
struct Stream {
    splitter: Splitter,
    reader: Box<dyn LogReader>,
    source: Source,
    /// Bytes read last.
    block: Vec<u8>,
    /// Whether they are the file's first, which were read before the format was known.
    is_first: bool,
    ended: bool,
}

/// A piece of the stream with the reader's state at its beginning.
enum Task {
    Chunk(Cut, Box<dyn LogReader>),
    Reject(RejectRow),
}

/// A piece, read.
enum Done {
    Chunk(Box<Chunk>, ChunkTree),
    Reject(RejectRow),
}

impl Stream {
    /// The next task; none at the end.
    fn next_task(&mut self) -> Result<Option<Task>, JobError> {
        loop {
            if let Some(piece) = self.splitter.next_piece() {
                return Ok(Some(self.task(piece)));
            }
            if self.ended {
                return Ok(None);
            }
            if !self.is_first {
                read_block(&mut self.source, &mut self.block, BLOCK_BYTES)?;
            }
            self.is_first = false;
            if self.block.is_empty() {
                self.ended = true;
                self.splitter.finish();
            } else {
                self.splitter.push(&self.block);
            }
        }
    }

    fn task(&mut self, piece: Piece) -> Task {
        match piece {
            Piece::Chunk(cut) => {
                let reader = self.reader.fork();
                self.reader.skim(&cut.bytes);
                Task::Chunk(cut, reader)
            }
            Piece::TooLong(long) => Task::Reject(RejectRow {
                record: long.record,
                offset: long.offset,
                length: long.length,
                reason: Reason::TooLong,
                message: format!("record of {} bytes is longer than {MAX_RECORD_BYTES}", long.length),
                text: String::new(),
            }),
        }
    }
}

/// Commits to records that are too long to be held: reads them a second time, each byte at most once.
pub(crate) struct LongRecords<'a> {
    path: &'a Path,
    salts: Salts,
    source: Option<Source>,
    at: u64,
}

impl<'a> LongRecords<'a> {
    pub(crate) fn new(path: &'a Path, salts: Salts) -> Self {
        Self { path, salts, source: None, at: 0 }
    }

    /// The leaf of a record (1-based number); records come in order.
    pub(crate) fn leaf(&mut self, record: u64, offset: u64, length: u64) -> Result<Sha256Digest, JobError> {
        let mut hasher = LeafHasher::begin(&self.salts.salt(record - 1), offset, length);
        let source = match &mut self.source {
            Some(source) => source,
            none => none.insert(Source::open(self.path, &[])?),
        };
        let mut block = vec![0; BLOCK_BYTES];
        let end = offset + length;
        while self.at < end {
            // up to the record, then up to its end
            let stop = if self.at < offset { offset } else { end };
            let wanted = usize::try_from(stop - self.at).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES);
            let Some(room) = block.get_mut(..wanted) else { break };
            let count = source.read(room)?;
            if count == 0 {
                let message = "was shortened while it was read".to_owned();
                return Err(JobError::File { path: self.path.to_owned(), message });
            }
            if self.at >= offset {
                hasher.update(room.get(..count).unwrap_or_default());
            }
            self.at += count as u64;
        }
        Ok(hasher.finish()?)
    }

    fn tree(&mut self, place: &RejectRow) -> Result<ChunkTree, JobError> {
        let mut tree = ChunkTree::new(place.record - 1);
        tree.push(place.offset, self.leaf(place.record, place.offset, place.length)?);
        Ok(tree)
    }
}

/// The parallel part.
struct Work<'a> {
    clock_offset_us: i64,
    salts: Salts,
    spare: &'a Spare,
}

impl Work<'_> {
    /// Reads a piece; gives its buffer back.
    fn run(&self, task: Task) -> Result<(Done, Vec<u8>), JobError> {
        let (cut, mut reader) = match task {
            Task::Reject(reject) => return Ok((Done::Reject(reject), Vec::new())),
            Task::Chunk(cut, reader) => (cut, reader),
        };
        let spare = self.spare.builders.lock().ok().and_then(|mut builders| builders.pop());
        let mut chunk = spare.unwrap_or_default();
        chunk.set_clock_offset(self.clock_offset_us);
        let mut tree = ChunkTree::new(cut.first_record - 1);
        for (number, (start, length)) in (cut.first_record..).zip(cut.records()) {
            let record = cut.bytes.get(start..start + length).unwrap_or_default();
            let place = Place { record: number, offset: cut.offset + start as u64, length: length as u64 };
            tree.push(place.offset, leaf(&self.salts.salt(number - 1), place.offset, record));
            match reader.read(record, &mut chunk) {
                Outcome::Event => chunk.event(place),
                Outcome::Header => chunk.header(),
                Outcome::Reject(reject) => chunk.reject(RejectRow {
                    record: place.record,
                    offset: place.offset,
                    length: place.length,
                    reason: reject.reason,
                    message: reject.message,
                    text: excerpt(record),
                }),
            }
        }
        let done = Done::Chunk(Box::new(chunk.finish()?), tree);
        if let Ok(mut builders) = self.spare.builders.lock() {
            builders.push(chunk);
        }
        Ok((done, cut.bytes))
    }
}
