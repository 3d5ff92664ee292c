//! The port over real sockets: who is let in, who is told what, and who is cut off.

use bytes::{BufMut, Bytes, BytesMut};
use skylark_media::rtmp::{
    amf0::{self, Value},
    chunk::{ChunkReader, ChunkWriter, Limits, Message},
    handshake::PACKET_BYTES,
    message,
};
use skylark_protocol::StreamState;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    task::JoinHandle,
};

use super::*;
use crate::{
    db::{Db, NewKey},
    live::LiveConfig,
    secret::StreamKey,
    store::Store,
};

/// Nothing here takes so long unless it hangs.
const DEADLINE: Duration = Duration::from_secs(10);

struct Port {
    addr: SocketAddr,
    key: StreamKey,
    live: Arc<Live>,
    counters: Arc<Counters>,
    stop: watch::Sender<bool>,
    run: JoinHandle<()>,
    _data: tempfile::TempDir,
}

impl Port {
    async fn open(handshake_timeout: Duration) -> Self {
        let data = tempfile::tempdir().unwrap();
        let db = Db::open(data.path()).await.unwrap();
        let (_, key) = db.create_key(NewKey::default()).await.unwrap();
        let live = Live::new(LiveConfig::default(), Store::memory(), db);
        let config = RtmpConfig {
            addr: "127.0.0.1:0".parse().unwrap(),
            max_connections: 1000,
            handshake_timeout,
            idle_timeout: DEADLINE,
        };
        let server = Server::bind(config).await.unwrap();
        let (addr, counters) = (server.local_addr(), server.counters());
        let (stop, stopped) = watch::channel(false);
        let run = tokio::spawn(server.run(Arc::clone(&live), stopped));
        Self { addr, key, live, counters, stop, run, _data: data }
    }

    async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.addr).await.unwrap()
    }

    /// Everything up to `publish`, without waiting for an answer.
    async fn publish(&self, key: &str) -> TcpStream {
        let mut stream = self.connect().await;
        let text = |text: &str| Value::String(text.into());
        let app = Value::Object(vec![("app".into(), text("live"))]);
        let mut wire = BytesMut::from(&[3][..]);
        wire.put_bytes(1, 2 * PACKET_BYTES);
        for values in [
            vec![text("connect"), Value::Number(1.0), app],
            vec![text("createStream"), Value::Number(2.0), Value::Null],
            vec![text("publish"), Value::Number(3.0), Value::Null, text(key), text("live")],
        ] {
            put_command(&values, &mut wire);
        }
        stream.write_all(&wire).await.unwrap();
        stream
    }
}

fn put_command(values: &[Value], wire: &mut BytesMut) {
    ChunkWriter::default().write(&message::command(0, values), wire);
}

/// Reads until the server closes, or until `enough` says so.
async fn read_until(stream: &mut TcpStream, enough: impl Fn(&str) -> bool) -> Vec<String> {
    let mut bytes = Vec::new();
    timeout(DEADLINE, async {
        while !statuses(&bytes).iter().any(|code| enough(code)) && stream.read_buf(&mut bytes).await.unwrap_or(0) > 0 {}
    })
    .await
    .unwrap();
    statuses(&bytes)
}

/// `level code` of each `onStatus` after the handshake.
fn statuses(bytes: &[u8]) -> Vec<String> {
    let mut input = bytes.get(1 + 2 * PACKET_BYTES..).unwrap_or_default();
    let mut reader = ChunkReader::new(Limits { message_bytes: 1 << 16, unfinished_bytes: 1 << 16 });
    let mut statuses = Vec::new();
    while let Some(Message { kind, payload, .. }) = reader.read(&mut input).unwrap() {
        match kind {
            message::SET_CHUNK_SIZE => {
                reader.set_chunk_size(u32::from_be_bytes(payload[..].try_into().unwrap())).unwrap();
            }
            message::COMMAND => {
                let values = amf0::decode_all(&payload).unwrap();
                if values[0].as_str() == Some("onStatus") {
                    let get = |name| values[3].get(name).unwrap().as_str().unwrap().to_owned();
                    statuses.push(format!("{} {}", get("level"), get("code")));
                }
            }
            _ => {}
        }
    }
    statuses
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    matches!(timeout(DEADLINE, stream.read(&mut [0; 64])).await, Ok(Ok(0) | Err(_)))
}

async fn until(condition: impl Fn() -> bool) {
    timeout(DEADLINE, async {
        while !condition() {
            tokio::task::yield_now().await;
        }
    })
    .await
    .unwrap();
}

#[tokio::test]
async fn a_wrong_key_is_denied_and_the_connection_closed() {
    let port = Port::open(DEADLINE).await;
    let mut stream = port.publish("sky_live_wrong").await;
    assert_eq!(read_until(&mut stream, |_| false).await, ["error NetStream.Publish.Denied"]);
    assert_eq!(port.counters.refused.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_good_key_is_accepted_until_the_publisher_ends_it() {
    let port = Port::open(DEADLINE).await;
    let mut stream = port.publish(port.key.reveal()).await;
    assert_eq!(read_until(&mut stream, |_| true).await, ["status NetStream.Publish.Start"]);
    let mut wire = BytesMut::new();
    put_command(
        &[Value::String("deleteStream".into()), Value::Number(4.0), Value::Null, Value::Number(1.0)],
        &mut wire,
    );
    stream.write_all(&wire).await.unwrap();
    let mut goodbye = Vec::new();
    timeout(DEADLINE, stream.read_to_end(&mut goodbye)).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&goodbye).contains("NetStream.Unpublish.Success"));
    assert!(port.live.list().iter().all(|stream| stream.state() != StreamState::Live));
}

#[tokio::test]
async fn connections_that_wait_are_closed_when_the_server_stops() {
    let port = Port::open(DEADLINE).await;
    let mut waiting = port.connect().await;
    until(|| port.counters.connections.load(Ordering::Relaxed) == 1).await;
    port.stop.send_replace(true);
    assert!(is_closed(&mut waiting).await);
    timeout(DEADLINE, port.run).await.unwrap().unwrap();
}

#[tokio::test]
async fn whoever_says_nothing_is_cut_off() {
    let port = Port::open(Duration::from_millis(50)).await;
    let mut silent = port.connect().await;
    let mut half = port.connect().await;
    half.write_all(&[3; 700]).await.unwrap();
    assert!(is_closed(&mut silent).await);
    assert!(is_closed(&mut half).await);
    until(|| port.counters.handshake_timeouts.load(Ordering::Relaxed) == 2).await;
}

#[tokio::test]
async fn garbage_is_cut_off_at_once() {
    let port = Port::open(DEADLINE).await;
    for garbage in [Bytes::from_static(b"GET / HTTP/1.1\r\n\r\n"), Bytes::from(vec![3; 1 << 16])] {
        let mut stream = port.connect().await;
        stream.write_all(&garbage).await.unwrap();
        while !is_closed(&mut stream).await {}
    }
    until(|| port.counters.malformed.load(Ordering::Relaxed) == 2).await;
}

#[tokio::test]
async fn one_address_cannot_take_all_places() {
    let port = Port::open(DEADLINE).await;
    let mut open = Vec::new();
    for _ in 0..MAX_PENDING_PER_ADDRESS {
        open.push(port.connect().await);
    }
    until(|| port.counters.connections.load(Ordering::Relaxed) == MAX_PENDING_PER_ADDRESS as u64).await;
    assert!(is_closed(&mut port.connect().await).await);
    assert_eq!(port.counters.turned_away.load(Ordering::Relaxed), 1);
    open.pop();
    // The place is free once the server has seen the connection go.
    timeout(DEADLINE, async {
        loop {
            let mut stream = port.publish("x").await;
            if !read_until(&mut stream, |_| false).await.is_empty() {
                break;
            }
        }
    })
    .await
    .unwrap();
}
