//! Round trips through a writer that uses every header form, and hostile chunk streams.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

use super::{writer::put_basic_header, *};

const LIMITS: Limits = Limits { message_bytes: 1 << 20, unfinished_bytes: 1 << 21 };

/// A message on its way out: which chunk comes next.
struct Sending {
    message: Message,
    sent: usize,
    /// The extended field of its header, which type 3 chunks repeat.
    extended: Option<u32>,
}

/// What an encoder does that compresses headers as far as the specification lets it, and interleaves chunks.
struct Encoder {
    chunk_size: usize,
    repeat_extended: bool,
    last: Vec<(Message, u32)>,
    out: BytesMut,
}

impl Encoder {
    fn start(&mut self, message: &Message) -> Sending {
        let last =
            self.last.iter().position(|(last, _)| last.csid == message.csid).map(|index| self.last.remove(index));
        let (format, time) = match &last {
            Some((last, delta)) if last.stream_id == message.stream_id => {
                let time = message.timestamp_ms.wrapping_sub(last.timestamp_ms);
                if last.kind != message.kind || last.payload.len() != message.payload.len() {
                    (1, time)
                } else if *delta == time {
                    (3, time)
                } else {
                    (2, time)
                }
            }
            _ => (0, message.timestamp_ms),
        };
        self.last.push((message.clone(), time));
        let extended = (time >= EXTENDED).then_some(time);
        put_basic_header(format, message.csid, &mut self.out);
        if format < 3 {
            self.out.put_uint(u64::from(time.min(EXTENDED)), 3);
        }
        if format < 2 {
            self.out.put_uint(message.payload.len() as u64, 3);
            self.out.put_u8(message.kind);
        }
        if format == 0 {
            self.out.put_u32_le(message.stream_id);
        }
        if let Some(time) = extended {
            self.out.put_u32(time);
        }
        let mut sending = Sending { message: message.clone(), sent: 0, extended };
        self.put_payload(&mut sending);
        sending
    }

    fn go_on(&mut self, sending: &mut Sending) {
        put_basic_header(3, sending.message.csid, &mut self.out);
        if let Some(time) = sending.extended
            && self.repeat_extended
        {
            self.out.put_u32(time);
        }
        self.put_payload(sending);
    }

    fn put_payload(&mut self, sending: &mut Sending) {
        let end = sending.message.payload.len().min(sending.sent + self.chunk_size);
        self.out.put_slice(&sending.message.payload[sending.sent..end]);
        sending.sent = end;
    }
}

/// Writes `messages`, keeping as many as `order` says under way at once on different chunk streams.
fn interleaved(
    messages: &[Message],
    chunk_size: usize,
    repeat_extended: bool,
    order: &[usize],
) -> (Bytes, Vec<Message>) {
    let mut encoder = Encoder { chunk_size, repeat_extended, last: Vec::new(), out: BytesMut::new() };
    let (mut waiting, mut under_way, mut finished) = (messages.iter(), Vec::<Sending>::new(), Vec::new());
    let mut next = waiting.next();
    for turn in order.iter().cycle() {
        let startable = next.filter(|message| under_way.iter().all(|sending| sending.message.csid != message.csid));
        match startable {
            Some(message) if turn % 2 == 0 || under_way.is_empty() => {
                under_way.push(encoder.start(message));
                next = waiting.next();
            }
            _ if under_way.is_empty() => break,
            _ => {
                let index = turn % under_way.len();
                if under_way[index].sent < under_way[index].message.payload.len() {
                    encoder.go_on(&mut under_way[index]);
                }
            }
        }
        under_way.retain(|sending| {
            let done = sending.sent == sending.message.payload.len();
            if done {
                finished.push(sending.message.clone());
            }
            !done
        });
    }
    (encoder.out.freeze(), finished)
}

/// Reads `wire` in pieces whose lengths are `cuts`, again and again.
fn read_all(chunk_size: u32, wire: &[u8], cuts: &[usize]) -> Result<Vec<Message>, ChunkError> {
    let mut reader = ChunkReader::new(LIMITS);
    reader.set_chunk_size(chunk_size)?;
    let mut messages = Vec::new();
    let mut rest = wire;
    for cut in cuts.iter().cycle() {
        let (mut piece, after) = rest.split_at(rest.len().min(*cut));
        rest = after;
        while let Some(message) = reader.read(&mut piece)? {
            messages.push(message);
        }
        assert!(piece.is_empty());
        if rest.is_empty() {
            break;
        }
    }
    assert_eq!(reader.unfinished_bytes(), 0);
    Ok(messages)
}

fn message() -> impl Strategy<Value = Message> {
    let csid = prop_oneof![2_u32..6, 63_u32..66, 318_u32..322, Just(65_599)];
    let time = prop_oneof![0_u32..100, 0xff_fffe_u32..0x100_0002, any::<u32>()];
    let kind = prop_oneof![Just(8_u8), Just(9), Just(18)];
    let payload = prop_oneof![prop::collection::vec(any::<u8>(), 0..600), Just(vec![0; 40])];
    (csid, kind, time, 0_u32..2, payload).prop_map(|(csid, kind, timestamp_ms, stream_id, payload)| Message {
        csid,
        kind,
        timestamp_ms,
        stream_id,
        payload: payload.into(),
    })
}

proptest! {
    #[test]
    fn interleaved_messages_are_read_however_the_bytes_are_cut(
        messages in prop::collection::vec(message(), 1..12),
        chunk_size in prop_oneof![1_u32..200, Just(4096), Just(MAX_CHUNK_SIZE)],
        order in prop::collection::vec(0_usize..7, 1..20).prop_map(|mut order| { order.push(0); order.push(1); order }),
        cuts in prop::collection::vec(1_usize..50, 1..10),
    ) {
        let (wire, finished) = interleaved(&messages, chunk_size as usize, true, &order);
        prop_assert_eq!(finished.len(), messages.len());
        prop_assert_eq!(read_all(chunk_size, &wire, &cuts).unwrap(), finished);
    }

    #[test]
    fn what_our_writer_writes_is_read(messages in prop::collection::vec(message(), 1..8), chunk_size in 1_u32..5000) {
        let mut writer = ChunkWriter::default();
        writer.set_chunk_size(chunk_size);
        let mut wire = BytesMut::new();
        for message in &messages {
            writer.write(message, &mut wire);
        }
        prop_assert_eq!(read_all(chunk_size, &wire, &[wire.len()]).unwrap(), messages);
    }

    #[test]
    fn random_bytes_stay_within_the_limits(bytes in prop::collection::vec(any::<u8>(), 0..3000)) {
        let mut reader = ChunkReader::new(LIMITS);
        let mut input = &bytes[..];
        while let Ok(Some(_)) = reader.read(&mut input) {}
        prop_assert!(reader.unfinished_bytes() <= LIMITS.unfinished_bytes);
    }
}

/// Some encoders write the extended field only once. The payload must not start with its bytes for that to be told.
#[test]
fn type_3_chunks_without_the_extended_field_are_understood() {
    for (length, chunk_size) in [(300, 128), (129, 128), (131, 128), (700, 3), (5, 1)] {
        let payload: Vec<u8> = (0..length).map(|index| index as u8 | 0x80).collect();
        let messages: Vec<Message> = [0x0100_0000, 0x0100_0021, 0x0200_0000]
            .map(|timestamp_ms| Message {
                csid: 6,
                kind: 9,
                timestamp_ms,
                stream_id: 1,
                payload: payload.clone().into(),
            })
            .into();
        for cut in [1, 2, 5, 10_000] {
            let (wire, _) = interleaved(&messages, chunk_size, false, &[0]);
            assert_eq!(
                read_all(chunk_size as u32, &wire, &[cut]).unwrap(),
                messages,
                "chunks of {chunk_size}, cut {cut}"
            );
        }
    }
}

fn header(csid: u32, length: u32) -> BytesMut {
    let mut out = BytesMut::new();
    put_basic_header(0, csid, &mut out);
    out.put_slice(&[0, 0, 0]);
    out.put_uint(u64::from(length), 3);
    out.put_slice(&[9, 1, 0, 0, 0]);
    out
}

#[test]
fn big_messages_on_many_chunk_streams_are_refused() {
    let mut reader = ChunkReader::new(LIMITS);
    reader.set_chunk_size(MAX_CHUNK_SIZE).unwrap();
    let error = reader.read(&mut &header(3, 0xff_ffff)[..]).unwrap_err();
    assert_eq!(error, ChunkError::MessageTooLong { kind: 9, length: 0xff_ffff, limit: 1 << 20 });

    let mut reader = ChunkReader::new(LIMITS);
    reader.set_chunk_size(1).unwrap();
    let result = (3..60).try_for_each(|csid| {
        let mut chunk = header(csid, 1 << 20);
        chunk.put_u8(0);
        reader.read(&mut &chunk[..]).map(|_| ())
    });
    assert_eq!(result, Err(ChunkError::UnfinishedTooLong { length: 3 << 20, limit: 1 << 21 }));
}

#[test]
fn chunk_streams_are_counted() {
    let mut reader = ChunkReader::new(LIMITS);
    let result = (0..100).try_for_each(|index| reader.read(&mut &header(1000 + index, 0)[..]).map(|_| ()));
    assert_eq!(result, Err(ChunkError::TooManyStreams));
}

#[test]
fn an_aborted_message_is_forgotten() {
    let mut reader = ChunkReader::new(LIMITS);
    let mut wire = header(5, 300);
    wire.put_slice(&[7; 128]);
    assert_eq!(reader.read(&mut &wire[..]), Ok(None));
    reader.abort(5);
    assert_eq!(reader.unfinished_bytes(), 0);
    let mut wire = header(5, 3);
    wire.put_slice(b"new");
    assert_eq!(reader.read(&mut &wire[..]).unwrap().unwrap().payload, "new");
}

#[test]
fn broken_chunk_streams_are_told_apart() {
    let read = |wire: &[u8]| ChunkReader::new(LIMITS).read(&mut &*wire).unwrap_err();
    assert_eq!(read(&[0xc5]), ChunkError::NoHeader { csid: 5, format: 3 });
    let mut twice = header(5, 300);
    twice.put_slice(&[7; 128]);
    twice.extend_from_slice(&header(5, 300));
    assert_eq!(read(&twice), ChunkError::Unfinished { csid: 5, format: 0, missing: 172 });
    for size in [0, MAX_CHUNK_SIZE + 1] {
        assert_eq!(ChunkReader::new(LIMITS).set_chunk_size(size), Err(ChunkError::ChunkSize(size)));
    }
}
