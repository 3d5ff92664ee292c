//! Whole conversations: publishers as encoders write them, and attackers.

use bytes::{BufMut, Bytes, BytesMut};
use proptest::prelude::*;

use super::{
    amf0::{self, Value},
    chunk::{ChunkReader, ChunkWriter, Limits, MAX_CHUNK_SIZE, Message},
    handshake::PACKET_BYTES,
    message, *,
};
use crate::flv::{Tag, TagKind};

/// Writes what a publisher sends.
struct Client {
    writer: ChunkWriter,
    out: BytesMut,
}

fn text(text: &str) -> Value {
    Value::String(text.into())
}

fn object(properties: &[(&str, Value)]) -> Value {
    Value::Object(properties.iter().map(|(name, value)| ((*name).into(), value.clone())).collect())
}

impl Client {
    /// After the handshake.
    fn new() -> Self {
        let mut out = BytesMut::from(&[3][..]);
        out.put_bytes(7, 2 * PACKET_BYTES);
        Self { writer: ChunkWriter::default(), out }
    }

    fn send(&mut self, csid: u32, kind: u8, timestamp_ms: u32, payload: impl Into<Bytes>) -> &mut Self {
        let message = Message { csid, kind, timestamp_ms, stream_id: 1, payload: payload.into() };
        self.writer.write(&message, &mut self.out);
        self
    }

    fn chunk_size(&mut self, size: u32) -> &mut Self {
        self.send(2, message::SET_CHUNK_SIZE, 0, size.to_be_bytes().to_vec());
        self.writer.set_chunk_size(size);
        self
    }

    fn command(&mut self, values: &[Value]) -> &mut Self {
        let mut body = BytesMut::new();
        amf0::encode_all(values, &mut body);
        self.send(3, message::COMMAND, 0, body)
    }

    fn connect(&mut self, app: &str) -> &mut Self {
        let object = object(&[("app", text(app)), ("flashVer", text("FMLE/3.0 (compatible; FMSc/1.0)"))]);
        self.command(&[text("connect"), Value::Number(1.0), object])
    }

    /// As librtmp and OBS do it.
    fn publish(&mut self, app: &str, name: &str) -> &mut Self {
        self.connect(app)
            .command(&[text("releaseStream"), Value::Number(2.0), Value::Null, text(name)])
            .command(&[text("FCPublish"), Value::Number(3.0), Value::Null, text(name)])
            .command(&[text("createStream"), Value::Number(4.0), Value::Null])
            .command(&[text("publish"), Value::Number(5.0), Value::Null, text(name), text("live")])
    }
}

/// What a session said, in one piece each.
#[derive(Debug, Default, PartialEq)]
struct Answer {
    replies: Vec<u8>,
    events: Vec<SessionOutput>,
}

impl Answer {
    fn collect(&mut self, session: &mut Session) {
        while let Some(output) = session.poll() {
            match output {
                SessionOutput::Reply(bytes) => self.replies.extend_from_slice(&bytes),
                event => self.events.push(event),
            }
        }
    }

    /// Messages after S0, S1 and S2.
    fn messages(&self) -> Vec<Message> {
        let mut input = &self.replies[1 + 2 * PACKET_BYTES..];
        let mut reader = ChunkReader::new(Limits { message_bytes: 1 << 16, unfinished_bytes: 1 << 16 });
        let mut messages = Vec::new();
        while let Some(message) = reader.read(&mut input).unwrap() {
            if message.kind == message::SET_CHUNK_SIZE {
                reader.set_chunk_size(u32::from_be_bytes(message.payload[..].try_into().unwrap())).unwrap();
            }
            messages.push(message);
        }
        messages
    }

    fn commands(&self) -> Vec<Vec<Value>> {
        let commands = self.messages().into_iter().filter(|message| message.kind == message::COMMAND);
        commands.map(|message| amf0::decode_all(&message.payload).unwrap()).collect()
    }

    /// `level` and `code` of all `onStatus`.
    fn statuses(&self) -> Vec<(String, String)> {
        let commands = self.commands();
        let infos = commands.iter().filter(|values| values[0] == text("onStatus")).map(|values| &values[3]);
        let get = |info: &Value, name| info.get(name).unwrap().as_str().unwrap().to_owned();
        infos.map(|info| (get(info, "level"), get(info, "code"))).collect()
    }

    fn tags(&self) -> Vec<&Tag> {
        self.events
            .iter()
            .filter_map(|event| if let SessionOutput::Tag(tag) = event { Some(tag) } else { None })
            .collect()
    }
}

/// Feeds `wire` in pieces of `cut` bytes and accepts whoever wants to publish.
fn converse(wire: &[u8], cut: usize) -> (Answer, Result<(), SessionError>) {
    let (mut session, mut answer) = (Session::new(), Answer::default());
    for piece in wire.chunks(cut) {
        let mut result = session.feed(piece);
        answer.collect(&mut session);
        if matches!(answer.events.last(), Some(SessionOutput::Publish(_))) {
            result = result.and_then(|()| session.accept());
            answer.collect(&mut session);
        }
        if result.is_err() {
            return (answer, result);
        }
    }
    (answer, Ok(()))
}

fn error_of(wire: &[u8]) -> SessionError {
    converse(wire, 4096).1.unwrap_err()
}

/// Publishes and sends media, all without waiting for an answer.
fn publication() -> Client {
    let mut metadata = BytesMut::new();
    amf0::encode_all(
        &[text("@setDataFrame"), text("onMetaData"), object(&[("width", Value::Number(1280.0))])],
        &mut metadata,
    );
    let mut client = Client::new();
    client.publish("live", "sky_live_key").chunk_size(4096);
    client.send(4, message::DATA, 0, metadata);
    client.send(4, message::VIDEO, 0xffff_fff0, vec![0x17; 10_000]);
    client.send(5, message::AUDIO, 0xffff_fff8, vec![0xaf; 300]);
    client.send(4, message::VIDEO, 0x10, vec![0x27; 5000]);
    client.command(&[text("FCUnpublish"), Value::Number(6.0), Value::Null, text("sky_live_key")]);
    client.command(&[text("deleteStream"), Value::Number(7.0), Value::Null, Value::Number(1.0)]);
    client
}

#[test]
fn a_publisher_is_led_from_handshake_to_unpublish() {
    let (answer, result) = converse(&publication().out, usize::MAX);
    result.unwrap();
    let SessionOutput::Publish(request) = &answer.events[0] else { panic!("{:?}", answer.events[0]) };
    assert_eq!(request.key.reveal(), "sky_live_key");
    assert_eq!(request.encoder, "FMLE/3.0 (compatible; FMSc/1.0)");
    let tags = answer.tags();
    let kinds: Vec<_> = tags.iter().map(|tag| (tag.kind, tag.timestamp_ms, tag.data.len())).collect();
    let metadata_bytes = tags[0].data.len();
    assert_eq!(
        kinds,
        [
            (TagKind::Data, 0, metadata_bytes),
            (TagKind::Video, 0xffff_fff0, 10_000),
            (TagKind::Audio, 0xffff_fff8, 300),
            (TagKind::Video, 0x10, 5000)
        ]
    );
    assert!(tags[0].data.starts_with(b"\x02\x00\x0aonMetaData"), "without @setDataFrame, as in an FLV file");
    assert_eq!(answer.events.last(), Some(&SessionOutput::Unpublish));

    let commands = answer.commands();
    let names: Vec<_> =
        commands.iter().map(|values| (values[0].as_str().unwrap(), values[1].as_number().unwrap())).collect();
    let results = [("_result", 1.0), ("_result", 2.0), ("_result", 3.0), ("onFCPublish", 0.0), ("_result", 4.0)];
    assert_eq!(names[..5], results);
    assert_eq!(commands[4][3], Value::Number(1.0), "createStream gives out stream 1");
    let status = |code: &str| ("status".to_owned(), code.to_owned());
    assert_eq!(answer.statuses(), [status("NetStream.Publish.Start"), status("NetStream.Unpublish.Success")]);
}

#[test]
fn a_refused_publisher_hears_why_and_nothing_of_its_media_is_taken() {
    for (refusal, code) in [
        (Refusal::Denied, "NetStream.Publish.Denied"),
        (Refusal::BadName, "NetStream.Publish.BadName"),
        (Refusal::Failed, "NetStream.Failed"),
    ] {
        let (mut session, mut answer) = (Session::new(), Answer::default());
        session.feed(&publication().out).unwrap();
        session.refuse(refusal, "No such stream key.");
        session.feed(&publication().out).unwrap();
        assert!(session.memory_bytes() < 8192);
        answer.collect(&mut session);
        assert_eq!(answer.statuses(), [("error".to_owned(), code.to_owned())]);
        assert_eq!(answer.events, [SessionOutput::Close]);
    }
}

#[test]
fn players_are_sent_away() {
    let mut client = Client::new();
    client.connect("live").command(&[text("createStream"), Value::Number(2.0), Value::Null]);
    client.command(&[text("play"), Value::Number(3.0), Value::Null, text("x")]);
    let (answer, result) = converse(&client.out, 100);
    result.unwrap();
    assert_eq!(answer.statuses(), [("error".to_owned(), "NetStream.Play.Failed".to_owned())]);
    assert_eq!(answer.events, [SessionOutput::Close]);
}

#[test]
fn pings_are_answered_and_windows_acknowledged() {
    let mut client = Client::new();
    client.publish("live", "k");
    client.send(2, message::USER_CONTROL, 0, vec![0, 6, 1, 2, 3, 4]);
    client.send(2, message::WINDOW_ACK_SIZE, 0, 10_000_u32.to_be_bytes().to_vec());
    client.chunk_size(65_536);
    for time in 0..30 {
        client.send(4, message::VIDEO, time, vec![0x27; 1000]);
    }
    let total = client.out.len();
    let (answer, result) = converse(&client.out, 500);
    result.unwrap();
    let messages = answer.messages();
    let pong =
        messages.iter().find(|message| message.kind == message::USER_CONTROL && message.payload[1] == 7).unwrap();
    assert_eq!(pong.payload[..], [0, 7, 1, 2, 3, 4]);
    let acknowledged: Vec<u32> = messages
        .iter()
        .filter(|message| message.kind == message::ACKNOWLEDGEMENT)
        .map(|message| u32::from_be_bytes(message.payload[..].try_into().unwrap()))
        .collect();
    assert_eq!(acknowledged.len(), total / 10_000);
    assert!(acknowledged.windows(2).all(|pair| pair[1] - pair[0] == 10_000), "{acknowledged:?}");
}

#[test]
fn amf3_forms_are_taken() {
    let mut client = Client::new();
    client.connect("live");
    let mut body = BytesMut::from(&[0][..]);
    amf0::encode_all(&[text("publish"), Value::Number(2.0), Value::Null, text("k")], &mut body);
    client.send(3, message::COMMAND_AMF3, 0, body);
    let mut body = BytesMut::from(&[0][..]);
    amf0::encode_all(&[text("onMetaData"), object(&[])], &mut body);
    client.send(4, message::DATA_AMF3, 0, body);
    let (answer, result) = converse(&client.out, 64);
    result.unwrap();
    assert!(answer.tags()[0].data.starts_with(b"\x02\x00\x0aonMetaData"));
}

#[test]
fn an_aggregate_is_taken_apart() {
    let mut payload = Vec::new();
    for (kind, time, data) in [(8, 1000_u32, &[0xaf, 1][..]), (9, 1020, &[0x27, 1, 0, 0, 0, 9]), (8, 1023, &[0xaf, 2])]
    {
        payload.extend([kind, 0, 0, data.len() as u8]);
        payload.extend(&time.to_be_bytes()[1..]);
        payload.extend([0, 0, 0, 0]);
        payload.extend(data);
        payload.extend((data.len() as u32 + 11).to_be_bytes());
    }
    let mut client = Client::new();
    client.publish("live", "k").send(6, message::AGGREGATE, 5000, payload);
    let (answer, _) = converse(&client.out, usize::MAX);
    let tags: Vec<_> = answer.tags().iter().map(|tag| (tag.kind, tag.timestamp_ms)).collect();
    assert_eq!(tags, [(TagKind::Audio, 5000), (TagKind::Video, 5020), (TagKind::Audio, 5023)]);
}

#[test]
fn chunk_sizes_from_one_to_the_largest_are_taken() {
    for size in [1, 2, 127, 60_000, 131_072, MAX_CHUNK_SIZE] {
        let mut client = Client::new();
        client.chunk_size(size).publish("live", "k").send(4, message::VIDEO, 1, vec![0x17; 3000]);
        let (answer, result) = converse(&client.out, 1000);
        result.unwrap();
        assert_eq!(answer.tags()[0].data.len(), 3000, "chunk size {size}");
    }
}

mod attacks {
    use super::*;

    #[test]
    fn other_protocols_and_half_handshakes() {
        assert_eq!(error_of(b"GET / HTTP/1.1\r\n").to_string(), "byte 0: expected RTMP version 3 in C0, found 71");
        let mut session = Session::new();
        session.feed(&[3; 1000]).unwrap();
        assert_eq!(session.poll(), None);
        assert!(session.memory_bytes() <= PACKET_BYTES);
    }

    #[test]
    fn nested_amf_and_huge_arrays() {
        let bodies = [
            [0x0a, 0, 0, 0, 1].repeat(10_000),
            [3, 0, 1, b'a'].repeat(10_000),
            [&[2, 0, 7][..], b"connect", &[0x0a, 0xff, 0xff, 0xff, 0xff]].concat(),
        ];
        for body in bodies {
            let mut client = Client::new();
            client.send(3, message::COMMAND, 0, body);
            assert!(matches!(error_of(&client.out).kind, ErrorKind::Command(_)));
        }
    }

    #[test]
    fn nested_amf_in_metadata_of_an_accepted_publisher_is_only_handed_on() {
        let mut client = Client::new();
        client.publish("live", "k").send(4, message::DATA, 0, [0x0a, 0, 0, 0, 1].repeat(10_000));
        let (answer, result) = converse(&client.out, 4096);
        result.unwrap();
        assert_eq!(answer.tags().len(), 1);
    }

    #[test]
    fn big_messages_before_the_key_was_good() {
        let mut client = Client::new();
        client.chunk_size(MAX_CHUNK_SIZE);
        let before = client.out.len() as u64;
        client.send(3, message::COMMAND, 0, vec![0; 0xff_ffff]);
        let error = error_of(&client.out);
        assert!(error.to_string().ends_with("with 16777215 bytes is over the limit of 65536"), "{error}");
        assert_eq!(error.position, before + 12, "right after the header");
    }

    #[test]
    fn big_messages_on_57_chunk_streams() {
        let mut client = Client::new();
        client.publish("live", "k");
        let mut wire = client.out.to_vec();
        for csid in 6..63 {
            wire.extend([csid, 0, 0, 0, 0x7f, 0xff, 0xff, 9, 1, 0, 0, 0]);
            wire.extend([0; 128]);
        }
        let error = error_of(&wire);
        assert!(error.to_string().contains("over the limit of 16777216"), "{error}");
    }

    #[test]
    fn commands_before_connect() {
        let mut client = Client::new();
        client.command(&[text("publish"), Value::Number(1.0), Value::Null, text("k")]);
        assert_eq!(error_of(&client.out).kind, ErrorKind::NotConnected);
    }

    #[test]
    fn replies_do_not_pile_up() {
        let mut client = Client::new();
        client.connect("live");
        for _ in 0..5000 {
            client.send(2, message::USER_CONTROL, 0, vec![0, 6, 0, 0, 0, 0]);
        }
        assert_eq!(converse(&client.out, usize::MAX).1.unwrap_err().kind, ErrorKind::Replies);
    }

    #[test]
    fn media_does_not_pile_up_while_the_key_is_looked_up() {
        let mut client = Client::new();
        client.publish("live", "k");
        let mut session = Session::new();
        session.feed(&client.out).unwrap();
        while session.poll().is_some() {}
        let error = (0..100).find_map(|_| session.feed(&[0; 4096]).err()).unwrap();
        assert_eq!(error.kind, ErrorKind::Impatient);
        assert_eq!(session.memory_bytes(), 0);
    }

    #[test]
    fn control_messages_without_content() {
        for kind in [message::SET_CHUNK_SIZE, message::ABORT, message::WINDOW_ACK_SIZE, message::USER_CONTROL] {
            let mut client = Client::new();
            client.send(2, kind, 0, vec![0]);
            assert!(matches!(error_of(&client.out).kind, ErrorKind::Control { found: 1, .. }));
        }
    }
}

proptest! {
    #[test]
    fn any_cut_of_the_bytes_gives_the_same(cut in 1_usize..5000) {
        let wire = publication().out;
        prop_assert_eq!(converse(&wire, cut), converse(&wire, usize::MAX));
    }

    #[test]
    fn random_bytes_after_the_handshake_hold_little_memory(
        noise in prop::collection::vec(any::<u8>(), 0..4000),
        publish in any::<bool>(),
    ) {
        let mut client = Client::new();
        if publish {
            client.publish("live", "k");
        }
        let mut session = Session::new();
        session.feed(&client.out).unwrap();
        if publish {
            session.accept().unwrap();
        }
        while session.poll().is_some() {}
        let _ = session.feed(&noise);
        let limit = if publish { 17 << 20 } else { 200 << 10 };
        prop_assert!(session.memory_bytes() <= limit);
    }
}
