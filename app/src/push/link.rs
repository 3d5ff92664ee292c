//! One SRT connection, as its caller: `srt-protocol`, the sans-IO core of srt-tokio, driven over a socket of ours.
//!
//! srt-tokio's own socket writes stream ids into the log, drops what its 31 packets of buffer do not hold, tells nobody
//! the round-trip time or what has arrived, and ends at once when it is closed. Driving its core mends all four: what is
//! under way is known datagram by datagram, and closing waits for the origin to have the last one.

use std::{
    collections::VecDeque,
    io,
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use bytes::{Bytes, BytesMut};
use srt_protocol::{
    connection::{Connection, DuplexConnection},
    options::{ByteCount, Encryption, LiveBandwidthMode, SocketOptions},
    packet::{
        Acknowledgement, ControlTypes, CoreRejectReason, Packet, ReceivePacketError, RejectReason, SeqNumber,
        ServerRejectReason, SrtControlPacket,
    },
    protocol::{
        pending_connection::{ConnectionReject, ConnectionResult, connect::Connect},
        time::Rtt,
    },
};
use tokio::{net::UdpSocket, time::timeout_at};

use super::address::Address;

/// Longest that the origin may take to answer a handshake.
const CONNECT_PATIENCE: Duration = Duration::from_secs(3);
/// A handshake that was not answered is repeated after this.
const REPEAT: Duration = Duration::from_millis(250);
/// An origin that says nothing for so long is gone; it acknowledges a hundred times a second, and is there every second
/// when there is nothing to acknowledge.
pub(super) const SILENCE: Duration = Duration::from_millis(1500);
/// Least time to make up for what is lost.
const MIN_LATENCY: Duration = Duration::from_millis(120);
/// Most of it that is asked for.
const MAX_LATENCY: Duration = Duration::from_secs(2);
/// Round trips in which a packet can be lost, asked for and sent again, several times over.
const LATENCY_ROUND_TRIPS: u32 = 10;
/// The crate throws away what it has kept for longer; the queue decides about that, so this is far.
const KEEP: Duration = Duration::from_secs(8);
/// What the crate can keep.
const SEND_BUFFER: u64 = 16 << 20;
/// No datagram is larger.
const MAX_DATAGRAM: usize = 2048;
/// Sequence numbers are of so many bits.
const SEQUENCE_MASK: u32 = (1 << 31) - 1;

/// Why there is no connection. None says a secret.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkError {
    #[error("The name {host} is not found ({source}): check the origin's address and this computer's network.")]
    Name { host: String, source: io::Error },
    #[error("{address} does not answer: check that the origin runs, and that UDP is let through to it.")]
    NoAnswer { address: String },
    #[error("Nobody listens at {address}: check that the origin runs.")]
    NobodyThere { address: String },
    #[error("{address} cannot be reached: {source}.")]
    Network { address: String, source: io::Error },
    #[error("The origin refuses the stream: {0}.")]
    Refused(&'static str),
    #[error("The origin was not heard of for {} ms.", SILENCE.as_millis())]
    Silent,
    #[error("The origin has ended the connection.")]
    Ended,
    #[error("The connection broke down by a fault of ours; a new one is made.")]
    Fault,
}

/// A datagram that the origin does not have yet.
#[derive(Debug, Clone, Copy)]
struct UnderWay {
    bytes: usize,
    /// When its frame came from the encoder.
    came: Instant,
    /// It is the last one of a frame of a picture.
    ends_picture: bool,
}

/// What a link has done since it began.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Totals {
    /// Datagrams with media, also those sent again.
    pub(super) sent: u64,
    /// Those of them that were sent again.
    pub(super) sent_again: u64,
    /// Bytes on the wire.
    pub(super) sent_bytes: u64,
    /// Bytes of media that the origin has.
    pub(super) arrived_bytes: u64,
    /// Frames of pictures that it has whole.
    pub(super) arrived_pictures: u64,
}

/// A connection that stands.
pub(super) struct Link {
    socket: UdpSocket,
    remote: SocketAddr,
    name: String,
    connection: DuplexConnection,
    under_way: VecDeque<UnderWay>,
    under_way_bytes: usize,
    /// Sequence number of the first of them.
    first: u32,
    arrived_bytes: u64,
    arrived_pictures: u64,
    arrived_at: Instant,
    heard: Instant,
    rtt: Duration,
    is_ended: bool,
    inbox: Vec<u8>,
    outbox: BytesMut,
}

impl Link {
    /// Finds the origin, measures how far it is, and connects with a latency that suits.
    pub(super) async fn connect(address: &Address) -> Result<Self, LinkError> {
        let name = || address.to_string();
        let lost = |source| network(name(), source);
        let found = tokio::net::lookup_host((address.host.as_str(), address.port)).await;
        let found = found.map(|mut found| found.next());
        let remote = match found {
            Ok(Some(remote)) => remote,
            Ok(None) => {
                return Err(LinkError::Name { host: address.host.clone(), source: io::ErrorKind::NotFound.into() });
            }
            Err(source) => return Err(LinkError::Name { host: address.host.clone(), source }),
        };
        let any: SocketAddr = match remote {
            SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
            SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
        };
        let socket = UdpSocket::bind(any).await.map_err(lost)?;
        socket.connect(remote).await.map_err(lost)?;
        let local = socket.local_addr().map_err(lost)?;
        let caller = |latency| {
            let id = address.stream_id.clone();
            Connect::new(remote, local.ip(), options(address, latency).into(), id, first_sequence())
        };
        let mut shake = Handshake { socket: &socket, name: name(), remote, is_ipv6: local.is_ipv6() };
        let rtt = shake.round_trip(caller(MIN_LATENCY)).await?;
        let asked = address.latency.unwrap_or(MIN_LATENCY);
        let latency = (rtt * LATENCY_ROUND_TRIPS).clamp(MIN_LATENCY, MAX_LATENCY).max(asked);
        let mut connection = shake.conclude(caller(latency)).await?;
        connection.settings.send_tsbpd_latency = connection.settings.send_tsbpd_latency.max(KEEP);
        Ok(Self {
            first: connection.settings.init_seq_num.as_raw(),
            connection: DuplexConnection::new(connection),
            socket,
            remote,
            name: name(),
            under_way: VecDeque::new(),
            under_way_bytes: 0,
            arrived_bytes: 0,
            arrived_pictures: 0,
            arrived_at: Instant::now(),
            heard: Instant::now(),
            rtt,
            is_ended: false,
            inbox: Vec::with_capacity(MAX_DATAGRAM),
            outbox: BytesMut::with_capacity(MAX_DATAGRAM),
        })
    }

    /// Takes a datagram of a frame that came then; [`Link::flush`] sends it.
    pub(super) fn give(&mut self, data: Bytes, came: Instant, ends_picture: bool) {
        let now = Instant::now();
        self.under_way.push_back(UnderWay { bytes: data.len(), came, ends_picture });
        self.under_way_bytes += data.len();
        self.connection.handle_data_input(now, Some((now, data)));
    }

    /// Sends what is due.
    pub(super) async fn flush(&mut self) -> Result<(), LinkError> {
        loop {
            let now = Instant::now();
            self.connection.check_timers(now);
            let Some((packet, _)) = self.connection.next_packet(now) else { break };
            self.outbox.clear();
            packet.serialize(&mut self.outbox);
            match self.socket.send(&self.outbox).await {
                Err(source) if is_final(&source) => return Err(network(self.name.clone(), source)),
                // A datagram that the system did not take is as good as lost on the way.
                Ok(_) | Err(_) => {}
            }
        }
        // Nobody sends us media; what comes is let go.
        while self.connection.next_data(Instant::now()).is_some() {}
        Ok(())
    }

    /// When [`Link::flush`] has something to do, whatever arrives.
    pub(super) fn wakes_at(&self) -> Instant {
        self.connection.next_timer(Instant::now()).min(self.heard + SILENCE)
    }

    /// Takes what has arrived; waits until there is something. May be dropped at any point.
    pub(super) async fn receive(&mut self) -> Result<(), LinkError> {
        self.socket.readable().await.map_err(|source| network(self.name.clone(), source))?;
        loop {
            self.inbox.clear();
            match self.socket.try_recv_buf(&mut self.inbox) {
                Ok(_) => self.take()?,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(source) if is_final(&source) => return Err(network(self.name.clone(), source)),
                Err(_) => return Ok(()),
            }
        }
    }

    /// Whether the origin is still there.
    pub(super) fn check(&self) -> Result<(), LinkError> {
        if self.is_ended {
            return Err(LinkError::Ended);
        }
        if self.heard.elapsed() > SILENCE { Err(LinkError::Silent) } else { Ok(()) }
    }

    fn take(&mut self) -> Result<(), LinkError> {
        let mut packet = Packet::parse(&mut &self.inbox[..], self.remote.is_ipv6());
        let now = Instant::now();
        if let Ok(Packet::Control(control)) = &mut packet {
            self.heard = now;
            match &mut control.control_type {
                ControlTypes::Ack(ack) => {
                    if let Some(rtt) = ack.rtt() {
                        self.rtt = rtt.mean_as_duration();
                    }
                    self.acknowledge(ack.ack_number().as_raw());
                    be_patient(ack);
                }
                ControlTypes::Shutdown => self.is_ended = true,
                // The crate panics on these.
                ControlTypes::CongestionWarning | ControlTypes::PeerError(_) => return Ok(()),
                ControlTypes::Srt(
                    SrtControlPacket::KeyRefreshRequest(_)
                    | SrtControlPacket::KeyRefreshResponse(_)
                    | SrtControlPacket::HandshakeRequest(_)
                    | SrtControlPacket::HandshakeResponse(_),
                ) => {}
                ControlTypes::Srt(_) => return Ok(()),
                _ => {}
            }
        }
        let packet = packet.map(|packet| (packet, self.remote)).map_err(ReceivePacketError::Parse);
        self.connection.handle_packet_input(now, packet);
        if self.connection.is_open() { Ok(()) } else { Err(LinkError::Ended) }
    }

    /// The origin has everything before this one.
    fn acknowledge(&mut self, next: u32) {
        let count = (next.wrapping_sub(self.first) & SEQUENCE_MASK) as usize;
        if count == 0 || count > self.under_way.len() {
            return;
        }
        self.arrived_at = Instant::now();
        for arrived in self.under_way.drain(..count) {
            self.under_way_bytes -= arrived.bytes;
            self.arrived_bytes += arrived.bytes as u64;
            self.arrived_pictures += u64::from(arrived.ends_picture);
        }
        self.first = next;
    }

    /// Bytes that the origin does not have yet.
    pub(super) fn under_way_bytes(&self) -> usize {
        self.under_way_bytes
    }

    /// When the oldest frame came of which the origin does not have everything.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.under_way.front().map(|first| first.came)
    }

    /// How long ago something arrived that had not before.
    pub(super) fn silence(&self) -> Duration {
        self.arrived_at.elapsed()
    }

    /// Frames of pictures that are not known to have arrived.
    pub(super) fn pictures_under_way(&self) -> u64 {
        self.under_way.iter().filter(|datagram| datagram.ends_picture).count() as u64
    }

    /// Round-trip time, as the origin measures it.
    pub(super) fn rtt(&self) -> Duration {
        self.rtt
    }

    /// What was done so far.
    pub(super) fn totals(&self) -> Totals {
        let statistics = self.connection.statistics();
        Totals {
            sent: statistics.tx_data,
            sent_again: statistics.tx_retransmit_data,
            sent_bytes: statistics.tx_all_bytes,
            arrived_bytes: self.arrived_bytes,
            arrived_pictures: self.arrived_pictures,
        }
    }

    /// Says goodbye, whatever is still under way.
    pub(super) async fn end(mut self) {
        // The crate's way to say it at once, without a wait for what will not be acknowledged.
        self.connection.on_peer_idle_timeout(Instant::now());
        _ = self.flush().await;
    }
}

/// The way to a connection.
struct Handshake<'a> {
    socket: &'a UdpSocket,
    name: String,
    remote: SocketAddr,
    is_ipv6: bool,
}

impl Handshake<'_> {
    /// How long the first answer takes. The origin keeps nothing of it.
    async fn round_trip(&mut self, caller: Connect) -> Result<Duration, LinkError> {
        let began = Instant::now();
        self.run(caller, true).await?;
        Ok(began.elapsed())
    }

    async fn conclude(&mut self, caller: Connect) -> Result<Connection, LinkError> {
        let connection = self.run(caller, false).await?;
        connection.ok_or_else(|| LinkError::NoAnswer { address: self.name.clone() })
    }

    /// Until there is a connection, or until the first answer.
    async fn run(&mut self, mut caller: Connect, only_first: bool) -> Result<Option<Connection>, LinkError> {
        let deadline = Instant::now() + CONNECT_PATIENCE;
        let mut repeat_at = Instant::now();
        let mut inbox = [0; MAX_DATAGRAM];
        loop {
            let now = Instant::now();
            if now >= deadline {
                return Err(LinkError::NoAnswer { address: self.name.clone() });
            }
            let result = if now >= repeat_at {
                repeat_at = now + REPEAT;
                caller.handle_tick(now)
            } else {
                let Ok(received) = timeout_at(repeat_at.into(), self.socket.recv(&mut inbox)).await else { continue };
                let length = received.map_err(|source| network(self.name.clone(), source))?;
                let packet = Packet::parse(&mut &inbox[..length], self.is_ipv6);
                let packet = packet.map(|packet| (packet, self.remote)).map_err(ReceivePacketError::Parse);
                let result = caller.handle_packet(packet, Instant::now());
                if only_first && matches!(result, ConnectionResult::SendPacket(_)) {
                    return Ok(None);
                }
                result
            };
            match result {
                ConnectionResult::SendPacket((packet, _)) => self.send(&packet).await?,
                ConnectionResult::Connected(packet, connection) => {
                    if let Some((packet, _)) = packet {
                        self.send(&packet).await?;
                    }
                    return Ok(Some(connection));
                }
                ConnectionResult::Reject(
                    _,
                    ConnectionReject::Rejected(reason) | ConnectionReject::Rejecting(reason),
                ) => {
                    return Err(LinkError::Refused(refusal(reason)));
                }
                ConnectionResult::Failure(source) => return Err(network(self.name.clone(), source)),
                // Strays, and answers that came twice.
                ConnectionResult::NotHandled(_) | ConnectionResult::NoAction | ConnectionResult::RequestAccess(_) => {}
            }
        }
    }

    async fn send(&self, packet: &Packet) -> Result<(), LinkError> {
        let mut outbox = BytesMut::with_capacity(MAX_DATAGRAM);
        packet.serialize(&mut outbox);
        self.socket.send(&outbox).await.map(drop).map_err(|source| network(self.name.clone(), source))
    }
}

fn options(address: &Address, latency: Duration) -> SocketOptions {
    let mut options = SocketOptions::default();
    options.sender.peer_latency = latency;
    options.receiver.latency = MIN_LATENCY;
    options.sender.buffer_size = ByteCount(SEND_BUFFER);
    options.sender.bandwidth = LiveBandwidthMode::Unlimited;
    let (key_size, passphrase) = (address.key_size, address.passphrase.clone());
    options.encryption = Encryption { key_size, passphrase, ..Encryption::default() };
    options
}

/// The crate sends again whatever is not acknowledged after a round trip, four variances and 20 ms. Everything behind a
/// missing packet is acknowledged later than that, though it arrived: a twentieth lost made a third sent again. The origin
/// asks for what it misses; only for the last packets, of which it cannot know, is there to be a time-out. A variance of one
/// round trip makes it five.
fn be_patient(ack: &mut Acknowledgement) {
    if let Acknowledgement::Full(_, statistics, _) | Acknowledgement::Small(_, statistics) = ack {
        let rtt = statistics.rtt;
        statistics.rtt = Rtt::new(rtt.mean(), rtt.variance().max(rtt.mean()));
    }
}

fn first_sequence() -> SeqNumber {
    let mut bytes = [0; 4];
    // Without randomness it begins at a number that can be guessed, which costs nothing here.
    _ = getrandom::fill(&mut bytes);
    SeqNumber::new_truncate(u32::from_le_bytes(bytes))
}

/// After this error nothing more can be sent over the socket.
fn is_final(error: &io::Error) -> bool {
    use io::ErrorKind::{AddrNotAvailable, ConnectionRefused, HostUnreachable, NetworkDown, NetworkUnreachable};
    matches!(error.kind(), ConnectionRefused | HostUnreachable | NetworkUnreachable | NetworkDown | AddrNotAvailable)
}

fn network(address: String, source: io::Error) -> LinkError {
    match source.kind() {
        io::ErrorKind::ConnectionRefused => LinkError::NobodyThere { address },
        _ => LinkError::Network { address, source },
    }
}

/// What a person can do about it.
fn refusal(reason: RejectReason) -> &'static str {
    match reason {
        RejectReason::Core(CoreRejectReason::BadSecret) => "its SRT passphrase is another one",
        RejectReason::Core(CoreRejectReason::Unsecure) => {
            "one side encrypts and the other does not; the origin's SRT passphrase has to be in the address"
        }
        RejectReason::Core(CoreRejectReason::Close) => "it is shutting down",
        RejectReason::Server(ServerRejectReason::Unauthorized) => "the stream key is wrong or was revoked",
        RejectReason::Server(ServerRejectReason::BadRequest) => "the address has no stream key",
        RejectReason::Server(ServerRejectReason::Overload) => "it has as many streams as it takes",
        RejectReason::Server(ServerRejectReason::Conflict) => "somebody else sends with the same stream key",
        RejectReason::Server(ServerRejectReason::InternalServerError) => "it has an internal error",
        _ => "it does not say why",
    }
}
