mod admission;
mod caller;
mod simulation;
mod traps;

use core::net::SocketAddr;
use std::time::Duration;

use srt_protocol::settings::{KeySettings, KeySize, Passphrase, StreamEncryptionKeys};

use self::caller::Caller;
use super::{Listener, ListenerConfig, Output, SessionId, crypto::KeyMaterial};
use crate::time::UnixTime;

/// Random keys, and the message that a caller would wrap them in.
pub(super) fn key_material(size: KeySize, passphrase: &str) -> (KeyMaterial, StreamEncryptionKeys) {
    let settings = KeySettings { key_size: size, passphrase: Passphrase::from(passphrase) };
    let keys = StreamEncryptionKeys::new_random(size);
    let wrapped = keys.wrap_with(&settings).unwrap();
    let mut message = vec![0x12, 0x20, 0x29, wrapped.key_flags.bits(), 0, 0, 0, 0, 2, 0, 2, 0, 0, 0, 4, 0];
    message[15] = size.as_raw() / 4;
    message.extend(&wrapped.salt);
    message.extend(&wrapped.wrapped_keys);
    (KeyMaterial::parse(&message).unwrap(), keys)
}

fn config() -> ListenerConfig {
    ListenerConfig {
        latency: Duration::from_millis(200),
        max_sessions: 10,
        max_pending: 50,
        handshake_timeout: Duration::from_secs(3),
        idle_timeout: Duration::from_secs(5),
        secret: [42; 32],
    }
}

fn at(ms: i64) -> UnixTime {
    UnixTime::from_ms(1_700_000_000_000 + ms)
}

fn address(port: u16) -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], port))
}

fn outputs(listener: &mut Listener) -> Vec<Output> {
    std::iter::from_fn(|| listener.poll()).collect()
}

/// What the listener sends, without anything else.
fn answers(listener: &mut Listener) -> Vec<Vec<u8>> {
    let sent = |output| match output {
        Output::Send { datagram, .. } => Some(datagram.to_vec()),
        _ => None,
    };
    outputs(listener).into_iter().filter_map(sent).collect()
}

/// What a session has handed over.
fn data(outputs: &[Output], of: SessionId) -> Vec<Vec<u8>> {
    let data = |output: &Output| match output {
        Output::Data { session, data } if *session == of => Some(data.to_vec()),
        _ => None,
    };
    outputs.iter().filter_map(data).collect()
}

/// A session in clear.
fn connect(listener: &mut Listener, now: UnixTime, caller: &mut Caller) -> SessionId {
    let conclusion = caller.shake_hands(listener, now);
    listener.feed(now, caller.peer, &conclusion);
    let request = outputs(listener).into_iter().find_map(|output| match output {
        Output::Request(request) => Some(request),
        _ => None,
    });
    let request = request.expect("a whole handshake asks for a decision");
    let keys = request.unlock(None).unwrap();
    let session = listener.accept(now, request.id, keys).expect("there is room");
    let answers = answers(listener);
    caller.accepted(answers.first().expect("the caller is answered"));
    session
}

/// That a session still takes data and hands it over at once.
#[track_caller]
fn assert_alive(listener: &mut Listener, now: UnixTime, caller: &mut Caller, session: SessionId) {
    let (payload, datagram) = caller.next_packet();
    listener.feed(now, caller.peer, &datagram);
    assert_eq!(data(&outputs(listener), session), [payload]);
}
