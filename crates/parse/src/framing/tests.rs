//! Records and chunk borders against a splitter that has the whole stream at hand.

use proptest::prelude::*;

use super::*;

/// Start and length of every record of a whole stream.
type Spans = Vec<(usize, usize)>;

fn naive(framing: Framing, bytes: &[u8]) -> Spans {
    let start = if bytes.starts_with(BOM) { BOM.len() } else { 0 };
    match framing {
        Framing::Lines => naive_lines(bytes, start),
        Framing::Csv => naive_csv(bytes, start),
        Framing::JsonArray => naive_array(bytes, start),
    }
}

fn without_cr(bytes: &[u8], start: usize, lf: usize) -> (usize, usize) {
    let end = if lf > start && bytes[lf - 1] == b'\r' { lf - 1 } else { lf };
    (start, end - start)
}

fn naive_lines(bytes: &[u8], mut start: usize) -> Spans {
    let mut spans = Vec::new();
    while let Some(length) = bytes[start..].iter().position(|&byte| byte == b'\n') {
        spans.push(without_cr(bytes, start, start + length));
        start += length + 1;
    }
    if start < bytes.len() {
        spans.push((start, bytes.len() - start));
    }
    spans
}

fn naive_csv(bytes: &[u8], mut start: usize) -> Spans {
    let mut spans = Vec::new();
    let mut at = start;
    while at < bytes.len() {
        let opens = bytes[at] == b'"' && (at == start || b",;\t|".contains(&bytes[at - 1]));
        if opens {
            at += 1;
            while at < bytes.len() {
                match &bytes[at..] {
                    [b'"', b'"', ..] => at += 2,
                    [b'"', ..] => break,
                    _ => at += 1,
                }
            }
            at = (at + 1).min(bytes.len());
        } else if bytes[at] == b'\n' {
            spans.push(without_cr(bytes, start, at));
            at += 1;
            start = at;
        } else {
            at += 1;
        }
    }
    if start < bytes.len() {
        spans.push((start, bytes.len() - start));
    }
    spans
}

fn naive_array(bytes: &[u8], start: usize) -> Spans {
    let blank = |byte: &u8| b" \t\r\n".contains(byte);
    let mut spans = Vec::new();
    let mut at = start + bytes[start..].iter().take_while(|byte| blank(byte)).count();
    if bytes.get(at) == Some(&b'[') {
        at += 1;
        while at < bytes.len() && bytes[at] != b']' {
            if blank(&bytes[at]) || bytes[at] == b',' {
                at += 1;
                continue;
            }
            let length = naive_element(&bytes[at..]);
            spans.push((at, length));
            at += length;
        }
        at += 1;
    }
    while at < bytes.len() {
        if blank(&bytes[at]) {
            at += 1;
            continue;
        }
        let lf = bytes[at..].iter().position(|&byte| byte == b'\n').map(|lf| at + lf);
        spans.push(lf.map_or((at, bytes.len() - at), |lf| without_cr(bytes, at, lf)));
        at = lf.map_or(bytes.len(), |lf| lf + 1);
    }
    spans
}

fn naive_element(bytes: &[u8]) -> usize {
    if !b"{[\"".contains(&bytes[0]) {
        return bytes.iter().position(|byte| b" \t\r\n,]".contains(byte)).unwrap_or(bytes.len());
    }
    let (mut depth, mut text, mut escaped) = (0_usize, false, false);
    for (at, &byte) in bytes.iter().enumerate() {
        if text {
            let ends = byte == b'\n' || byte == b'"' && !escaped;
            escaped = byte == b'\\' && !escaped;
            text = !ends;
            if ends && depth == 0 {
                return at + 1;
            }
            continue;
        }
        match byte {
            b'"' => text = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        if depth == 0 && !text {
            return at + 1;
        }
    }
    bytes.len()
}

/// What a stream comes to: records that were held (offset, bytes), and all pieces.
fn split(
    framing: Framing,
    bytes: &[u8],
    blocks: &[usize],
    sizes: RangeInclusive<usize>,
    max: usize,
) -> Vec<Piece> {
    let mut splitter = Splitter::new(framing, sizes, max);
    let mut pieces = Vec::new();
    let mut rest = bytes;
    for &block in blocks.iter().cycle() {
        if rest.is_empty() {
            break;
        }
        let (now, later) = rest.split_at(block.clamp(1, rest.len()));
        splitter.push(now);
        pieces.extend(std::iter::from_fn(|| splitter.next_piece()));
        rest = later;
    }
    splitter.finish();
    pieces.extend(std::iter::from_fn(|| splitter.next_piece()));
    pieces
}

fn at_usize(offset: u64) -> usize {
    usize::try_from(offset).unwrap()
}

/// Checks the pieces' own numbers, and gives the spans of all records and of the long ones.
fn spans_of(
    pieces: &[Piece],
    bytes: &[u8],
    sizes: &RangeInclusive<usize>,
    max: usize,
    gaps: bool,
) -> (Spans, Spans) {
    let (mut all, mut long) = (Vec::new(), Vec::new());
    let mut target = (*sizes.start()).max(1);
    for (at, piece) in pieces.iter().enumerate() {
        let number = all.len() as u64 + 1;
        match piece {
            Piece::TooLong(too_long) => {
                assert_eq!(too_long.record, number);
                let span = (at_usize(too_long.offset), at_usize(too_long.length));
                assert!(span.1 > max);
                all.push(span);
                long.push(span);
            }
            Piece::Chunk(chunk) => {
                let start = at_usize(chunk.offset);
                assert_eq!(chunk.first_record, number);
                assert_eq!(chunk.bytes, bytes[start..start + chunk.bytes.len()]);
                assert!(chunk.count > 0 && chunk.count == chunk.records().count() as u64);
                let ends: Vec<_> = chunk.records().map(|(start, length)| start + length).collect();
                assert!(ends.iter().rev().skip(1).all(|&end| end < target), "it is full earlier");
                let followed_by_chunk = matches!(pieces.get(at + 1), Some(Piece::Chunk(_)));
                assert!(chunk.bytes.len() >= target || gaps || !followed_by_chunk, "it is not full");
                all.extend(chunk.records().map(|(at, length)| (start + at, length)));
                let share = (start + chunk.bytes.len()) / 64;
                let power = (0..60).map(|bits| 1 << bits).take_while(|&power| power <= share).last();
                target = power.unwrap_or(1).clamp(*sizes.start(), *sizes.end());
            }
        }
    }
    (all, long)
}

fn check(framing: Framing, bytes: &[u8], blocks: &[usize], sizes: RangeInclusive<usize>, max: usize) {
    let expected = naive(framing, bytes);
    let pieces = split(framing, bytes, blocks, sizes.clone(), max);
    let gaps = framing == Framing::JsonArray;
    let (all, long) = spans_of(&pieces, bytes, &sizes, max, gaps);
    assert_eq!(all, expected);
    assert_eq!(long, expected.iter().copied().filter(|&(_, length)| length > max).collect::<Spans>());
    assert_eq!(pieces, split(framing, bytes, &[usize::MAX], sizes, max), "blocks have moved a border");

    // what is in no record is separator or gap
    let mut outside = bytes.to_vec();
    for &(start, length) in all.iter().rev() {
        outside.drain(start..start + length);
    }
    let outside = outside.strip_prefix(BOM).unwrap_or(&outside);
    let separators: &[u8] = if gaps { b" \t\r\n,[]" } else { b"\r\n" };
    assert!(outside.iter().all(|byte| separators.contains(byte)), "{outside:?}");
}

const ALL: [Framing; 3] = [Framing::Lines, Framing::Csv, Framing::JsonArray];

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1500))]

    #[test]
    fn streams_split_as_whole_buffers_do(
        text in r#"(\u{feff})?[\[\]{}",;a\\\r\n \t]{0,60}"#,
        blocks in prop::collection::vec(1_usize..9, 1..6),
        target in 1_usize..40,
        max in 0_usize..24,
    ) {
        for framing in ALL {
            check(framing, text.as_bytes(), &blocks, target..=target, max);
        }
    }

    #[test]
    fn arrays_split_as_whole_buffers_do(
        elements in prop::collection::vec(r#"\{"[a\\"\n]{0,6}":\[[1,{}\[\] ]{0,5}\]\}|"[ab\\"]{0,9}"|[0-9a-z]{1,5}|[\]}]"#, 0..8),
        separator in r"[, \n]{1,12}",
        end in r"\][ \r\na]{0,8}",
        blocks in prop::collection::vec(1_usize..9, 1..6),
        target in 1_usize..60,
        max in 0_usize..30,
    ) {
        let text = format!("[{}{end}", elements.join(&separator));
        check(Framing::JsonArray, text.as_bytes(), &blocks, target..=target, max);
    }

    #[test]
    fn any_bytes_split(bytes in prop::collection::vec(any::<u8>(), 0..200), block in 1_usize..50, target in 1_usize..50) {
        for framing in ALL {
            check(framing, &bytes, &[block], target..=target, 20);
        }
    }
}

#[test]
fn chunks_grow_with_the_stream() {
    let text = "[0,1,\"two\"]\n".repeat(400);
    for framing in [Framing::Lines, Framing::Csv] {
        check(framing, text.as_bytes(), &[7, 300], 20..=50, 1000);
        let pieces = split(framing, text.as_bytes(), &[1000], 20..=50, 1000);
        let mut lengths: Vec<_> = pieces
            .iter()
            .map(|piece| if let Piece::Chunk(chunk) = piece { chunk.bytes.len() } else { 0 })
            .collect();
        lengths.pop();
        assert!(lengths.is_sorted());
        lengths.dedup();
        // 20, 32 and 50 bytes, to the end of the record
        assert_eq!(lengths, [24, 36, 60]);
    }
}

fn texts(framing: Framing, text: &str) -> Vec<&str> {
    naive(framing, text.as_bytes())
        .into_iter()
        .map(|(start, length)| text.get(start..start + length).unwrap())
        .collect()
}

#[test]
fn records_are_what_the_table_says() {
    assert_eq!(texts(Framing::Lines, "\u{feff}a\r\n\nb\rc\nd\r"), ["a", "", "b\rc", "d\r"]);
    assert_eq!(
        texts(Framing::Csv, "a,\"b\n\"\"c\"\r\n5\" disk\n\nx"),
        ["a,\"b\n\"\"c\"", "5\" disk", "", "x"]
    );
    assert_eq!(
        texts(Framing::JsonArray, " [ {\"a\":\"]\\\"\"}, 1,[2] ,\"s\"] \n junk \r\n{}"),
        ["{\"a\":\"]\\\"\"}", "1", "[2]", "\"s\"", "junk ", "{}"]
    );
    assert_eq!(texts(Framing::JsonArray, "[{\"a\":\"x\n},{}]"), ["{\"a\":\"x\n}", "{}"]);
}

#[test]
fn a_long_line_is_not_held() {
    let mut splitter = Splitter::new(Framing::Lines, 1 << 20..=1 << 20, 1000);
    splitter.push(b"one\n");
    for _ in 0..1000 {
        splitter.push(&[b'x'; 1000]);
    }
    splitter.push(b"\r\ntwo\n");
    splitter.finish();
    let pieces: Vec<_> = std::iter::from_fn(|| splitter.next_piece()).collect();
    let [Piece::Chunk(one), Piece::TooLong(long), Piece::Chunk(two)] = pieces.as_slice() else {
        panic!("{pieces:?}")
    };
    assert_eq!((one.bytes.as_slice(), two.bytes.as_slice()), (&b"one\n"[..], &b"two\n"[..]));
    assert_eq!(*long, TooLong { record: 2, offset: 4, length: 1_000_000 });
    assert_eq!((two.offset, two.first_record), (1_000_006, 3));
}

#[test]
fn names_are_versioned() {
    assert_eq!(ALL.map(Framing::name), ["lines/v1", "csv/v1", "json-array/v1"]);
}
