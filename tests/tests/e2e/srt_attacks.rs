//! Datagrams that stop other SRT listeners: here a publisher on the same port plays on.

use std::{
    net::{SocketAddr, UdpSocket},
    time::Duration,
};

use anyhow::{Context as _, Result, ensure};
use e2e::{clip::Clip, hls::Player, origin::Origin, publish};

const SOON: Duration = Duration::from_secs(20);
const INDUCTION: u32 = 1;
const CONCLUSION: u32 = u32::MAX;
/// HSREQ of SRT 1.5.1 in live mode.
const HSREQ: [u8; 12] = [0, 1, 5, 1, 0, 0, 0, 0xBF, 0, 120, 0, 120];

/// Type and content of extensions.
type Extensions<'a> = &'a [(u16, &'a [u8])];

/// A handshake packet; extensions are (type, content of whole words).
fn handshake(version: u32, step: u32, cookie: u32, extensions: Extensions<'_>) -> Vec<u8> {
    let mut packet = Vec::new();
    for word in [0x8000_0000, 0, 0, 0, version, 7, 1000, 1500, 8192, step, 4711, cookie, 0, 0, 0, 0] {
        packet.extend(u32::to_be_bytes(word));
    }
    for (kind, content) in extensions {
        packet.extend(kind.to_be_bytes());
        packet.extend(u16::try_from(content.len() / 4).unwrap_or(u16::MAX).to_be_bytes());
        packet.extend(*content);
    }
    packet
}

/// Somebody who speaks SRT's handshake as far as the attack needs.
struct Attacker(UdpSocket);

impl Attacker {
    fn new(target: SocketAddr) -> Result<Self> {
        let socket = UdpSocket::bind("127.0.0.1:0")?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        socket.connect(target)?;
        Ok(Self(socket))
    }

    /// Word of the answer's control information.
    fn ask(&self, packet: &[u8], word: usize) -> Result<u32> {
        let mut answer = [0; 1500];
        // As real callers do: what is lost in a flood is sent again.
        let mut attempts = (0..20).map(|_| self.0.send(packet).and_then(|_| self.0.recv(&mut answer)));
        let length = attempts.find_map(Result::ok).context("no answer")?;
        let bytes = answer[..length].get(16 + word * 4..).and_then(<[u8]>::first_chunk).context("a short answer")?;
        Ok(u32::from_be_bytes(*bytes))
    }

    /// The reason that a conclusion with these extensions is turned away for.
    fn rejection(&self, version: u32, extensions: Extensions<'_>) -> Result<u32> {
        let cookie = self.ask(&handshake(4, INDUCTION, 0, &[]), 7)?;
        let step = self.ask(&handshake(version, CONCLUSION, cookie, extensions), 5)?;
        Ok(step.wrapping_sub(1000))
    }
}

/// Plays an SRT publisher's stream while `attack` runs, and checks that the viewer noticed nothing.
async fn plays_on_during(attack: impl FnOnce(SocketAddr) -> Result<()> + Send + 'static) -> Result<()> {
    let mut origin = Origin::start().await?;
    let key = origin.create_key()?;
    let _publisher = publish::ffmpeg_srt(&Clip::default().file()?, &origin.srt_url(&key))?;
    let mut player = Player::open(origin.client(), &origin.playlist(&key), SOON).await?;
    player.play_seconds(2.0).await?;
    let target = origin.srt;
    tokio::task::spawn_blocking(move || attack(target)).await??;
    let so_far = player.seconds();
    player.play_seconds(so_far + 4.0).await?;
    ensure!(origin.is_running()?, "the origin is gone");
    assert_eq!(player.runs.len(), 1);
    player.runs[0].decode()?.check_every_frame()
}

#[tokio::test]
async fn srt_handshakes_that_cannot_be_taken_are_answered_and_harm_nobody() -> Result<()> {
    plays_on_during(|target| {
        let id = b"evil";
        let keys = [0x12; 64];
        let cases: [(&str, u32, Extensions<'_>, u32); 8] = [
            ("transtype=file", 5, &[(1, &HSREQ), (6, b"elif")], 13),
            ("packetfilter", 5, &[(1, &HSREQ), (7, b",cef")], 14),
            ("a group", 5, &[(1, &HSREQ), (8, &[0; 8])], 15),
            ("an extension longer than the packet", 5, &[(1, &HSREQ[..4]), (0xFFFF, &[0xFF; 4])], 4),
            ("no extensions", 5, &[], 4),
            ("HSv4", 4, &[], 8),
            ("broken keys", 5, &[(1, &HSREQ), (3, &keys)], 10),
            ("no stream key", 5, &[(1, &HSREQ), (5, &[])], 1400),
        ];
        for (name, version, extensions, expected) in cases {
            let code = Attacker::new(target)?.rejection(version, extensions).context(name)?;
            ensure!(code == expected, "{name}: {code} instead of {expected}");
        }
        let wrong_key = Attacker::new(target)?.rejection(5, &[(1, &HSREQ), (5, id)])?;
        ensure!(wrong_key == 1401, "a wrong key: {wrong_key}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn srt_handshakes_without_a_cookie_cost_nothing() -> Result<()> {
    plays_on_during(|target| {
        // No induction, another's cookie, and many callers who never come back.
        let attacker = Attacker::new(target)?;
        attacker.0.send(&handshake(5, CONCLUSION, 0, &[(1, &HSREQ), (6, b"elif")]))?;
        let cookie = Attacker::new(target)?.ask(&handshake(4, INDUCTION, 0, &[]), 7)?;
        attacker.0.send(&handshake(5, CONCLUSION, cookie, &[(1, &HSREQ), (6, b"elif")]))?;
        for _ in 0..200 {
            let attacker = Attacker::new(target)?;
            for _ in 0..100 {
                attacker.0.send(&handshake(4, INDUCTION, 0, &[]))?;
            }
        }
        // The first two were not answered: this is the first thing that this socket hears.
        let code = attacker.rejection(5, &[(1, &HSREQ), (6, b"elif")])?;
        ensure!(code == 13, "{code}");
        Ok(())
    })
    .await
}

#[tokio::test]
async fn srt_packets_for_sessions_of_others_harm_nobody() -> Result<()> {
    plays_on_during(|target| {
        let attacker = Attacker::new(target)?;
        for session in 0..20_000u32 {
            let kind = [0x8005_0000, 0x8004_0000, 0x8008_0000, 0x8003_0000, 0x7FFF_FFFF][session as usize % 5];
            let words = [kind, 0, 0, session.wrapping_mul(0x9E37_79B9) >> 2, 0];
            attacker.0.send(&words.map(u32::to_be_bytes).concat())?;
        }
        Ok(())
    })
    .await
}
