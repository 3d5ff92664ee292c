//! Hostile clients: whatever they send, the stream of others plays on.

use std::{
    io::Write as _,
    net::{SocketAddr, TcpStream, UdpSocket},
    time::Duration,
};

use anyhow::Result;
use e2e::{clip::Clip, hls::Player, origin::Origin, publish};

const SOON: Duration = Duration::from_secs(15);
/// Connections that an attacker opens at once.
const CONNECTIONS: usize = 200;

/// Plays a stream while `attack` runs, and checks that the viewer noticed nothing.
async fn plays_on_during(attack: impl FnOnce(&Origin) -> Result<()> + Send) -> Result<()> {
    let mut origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _publisher = publish::ffmpeg_rtmp(&Clip::default().file()?, &origin.rtmp_url(&key))?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_seconds(2.0).await?;
    attack(&origin)?;
    let so_far = player.seconds();
    player.play_seconds(so_far + 6.0).await?;
    assert!(origin.is_running()?);
    assert_eq!(player.runs.len(), 1);
    player.runs[0].decode()?.check_every_frame()
}

/// An RTMP client's handshake without waiting for the server's: C0, C1, C2.
fn handshake() -> Vec<u8> {
    let mut bytes = vec![3];
    bytes.resize(1 + 1536 + 1536, 0);
    bytes
}

/// One RTMP message in chunks of 128 bytes on chunk stream 3.
fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes();
    let mut bytes = vec![3, 0, 0, 0, length[1], length[2], length[3], kind, 0, 0, 0, 0];
    for (index, chunk) in body.chunks(128).enumerate() {
        if index > 0 {
            bytes.push(0xc3);
        }
        bytes.extend_from_slice(chunk);
    }
    bytes
}

/// Sends bytes and leaves; the server may hang up in between.
fn send(address: SocketAddr, bytes: &[u8]) -> Result<()> {
    let mut socket = TcpStream::connect(address)?;
    socket.set_write_timeout(Some(Duration::from_secs(5)))?;
    let _ = socket.write_all(bytes);
    Ok(())
}

/// Bytes that look random and are the same in every run.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()[3]
    };
    (0..length).map(|_| next()).collect()
}

#[tokio::test]
async fn rtmp_garbage_harms_nobody() -> Result<()> {
    plays_on_during(|origin| {
        for seed in 0..50 {
            send(origin.rtmp, &noise(seed, 20_000))?;
            let mut bytes = handshake();
            bytes.extend(noise(seed, 20_000));
            send(origin.rtmp, &bytes)?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn nested_and_endless_amf_harms_nobody() -> Result<()> {
    plays_on_during(|origin| {
        // Strict arrays in arrays, objects in objects, and an array that claims 2^32-1 elements.
        let arrays = [0x0a, 0, 0, 0, 1].repeat(200_000);
        let objects = [3, 0, 1, b'a'].repeat(250_000);
        let endless = [0x0a, 0xff, 0xff, 0xff, 0xff].to_vec();
        for body in [arrays, objects, endless] {
            let mut bytes = handshake();
            let command = [&[2, 0, 7][..], b"connect", &[0, 0x3f, 0xf0, 0, 0, 0, 0, 0, 0], &body].concat();
            bytes.extend(message(20, &command));
            send(origin.rtmp, &bytes)?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn absurd_chunk_sizes_and_lengths_harm_nobody() -> Result<()> {
    plays_on_during(|origin| {
        for size in [0_u32, 1, 0x7fff_ffff, 0xffff_ffff] {
            let mut bytes = handshake();
            bytes.extend([2, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0]);
            bytes.extend(size.to_be_bytes());
            // 57 messages that claim 16 MB each, on as many chunk streams.
            for stream in 4..61 {
                bytes.extend([stream, 0, 0, 0, 0xff, 0xff, 0xff, 9, 1, 0, 0, 0]);
                bytes.extend([0; 128]);
            }
            send(origin.rtmp, &bytes)?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn clients_who_never_finish_their_handshake_harm_nobody() -> Result<()> {
    let mut held = Vec::new();
    plays_on_during(|origin| {
        for index in 0..CONNECTIONS {
            let mut socket = TcpStream::connect(origin.rtmp)?;
            let _ = socket.write_all(&handshake()[..index % 1537]);
            held.push(socket);
            let mut socket = TcpStream::connect(origin.http)?;
            let _ = socket.write_all(b"GET / HTTP/1.1\r\nHost: ");
            held.push(socket);
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn srt_datagrams_of_any_kind_harm_nobody() -> Result<()> {
    plays_on_during(|origin| {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        for seed in 0..2000 {
            let mut datagram = noise(seed, 16 + usize::try_from(seed % 1400).unwrap_or(0));
            if seed % 2 == 0 {
                // A handshake by its header, anything in its body.
                datagram[..4].copy_from_slice(&[0x80, 0, 0, 0]);
            }
            socket.send_to(&datagram, origin.srt)?;
        }
        Ok(())
    })
    .await
}
