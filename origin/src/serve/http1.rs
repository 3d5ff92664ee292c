//! HTTP/1.1 (RFC 9112) for requests without a body, which is all that a viewer sends.
//!
//! Thousands of viewers ask for the same part at the same moment, so what a request costs besides its bytes decides
//! how soon the last of them has it: here that is one read, one parse in place, and one vectored write of a reused
//! head and shared bytes. Anything else (a body, an upgrade, HTTP/2 with prior knowledge) is handed to hyper together
//! with what was read.

use std::io::{self, IoSlice, Write as _};

use axum::http::{
    Method, Request, StatusCode,
    header::{CONNECTION, CONTENT_LENGTH, TRANSFER_ENCODING},
};
use bytes::Bytes;
use http_body_util::BodyExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt, Interest},
    net::TcpStream,
};

use skylark_media::package::directives::Directives;

use super::{
    answer::{Answer, Cache, Conditions, Content, ETag, Value},
    body::Body,
    date,
    hot::HotPart,
    listener::{HEAD_TIMEOUT, MAX_HEAD_BYTES, MAX_HEADER_FIELDS, RESPONSE_LIMIT},
    path::LivePath,
    patience::Patience,
    peer::Peer,
    service::{self, Service},
};

/// Room for a request's head before it has to grow; browsers send less.
const HEAD_BYTES: usize = 1024;
/// Room for a response's head before it has to grow.
const RESPONSE_HEAD_BYTES: usize = 512;
/// Pieces of a response that one system call takes.
const PIECES_PER_WRITE: usize = 16;
/// What HTTP/2 clients with prior knowledge start with.
const HTTP2_PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n";

/// How a connection ended here.
#[derive(Debug)]
pub(super) enum End {
    /// For good.
    Closed,
    /// Hyper has to go on with the stream, and first with what was read of it.
    HandOver(TcpStream, Vec<u8>),
}

/// Serves a connection until it ends or asks for more than this module can do.
///
/// # Errors
/// What the socket reports, and `TimedOut` for a reader who is too slow.
pub(super) async fn serve(
    mut stream: TcpStream,
    peer: Peer,
    service: &Service,
    patience: &mut Patience,
) -> io::Result<End> {
    let mut unread = Vec::with_capacity(HEAD_BYTES);
    let mut head = Vec::with_capacity(RESPONSE_HEAD_BYTES);
    loop {
        let Ok(read) = patience.wait(HEAD_TIMEOUT, read_head(&mut stream, &mut unread)).await else {
            return Ok(End::Closed);
        };
        let parsed = match read? {
            Read::Head(length) => Parsed::parse(unread.get(..length).unwrap_or_default()),
            Read::TooLong => Parsed::Bad(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Read::End => return Ok(End::Closed),
        };
        let (content, keep_alive, length) = match parsed {
            Parsed::Media { asked, keep_alive, length } => {
                let answer = service.media(&asked, patience).await;
                let keep_alive = keep_alive && !patience.is_stopping();
                write_head(&mut head, &answer, keep_alive);
                (answer.content, keep_alive, length)
            }
            Parsed::Other { mut request, keep_alive, length } => {
                request.extensions_mut().insert(peer);
                let content = route(service, request, keep_alive, &mut head).await?;
                (content, keep_alive, length)
            }
            Parsed::Foreign => return Ok(End::HandOver(stream, unread)),
            Parsed::Bad(status) => {
                let refusal = Answer::refusal(status, Cache::No, "this request cannot be read");
                service.count(status);
                write_head(&mut head, &refusal, false);
                (refusal.content, false, 0)
            }
        };
        let hot = if let Content::Whole(bytes) = &content { service.hot_parts().ask(bytes) } else { None };
        let sending = async {
            match &hot {
                Some(part) => send_file(&stream, &head, part).await,
                None => write_all(&mut stream, &head, content.pieces()).await,
            }
        };
        let sent = patience.finish(RESPONSE_LIMIT, sending).await;
        match sent {
            Ok(sent) => sent?,
            Err(_) => {
                service.counters().slow.increment();
                return Err(io::Error::new(io::ErrorKind::TimedOut, "the viewer reads too slowly"));
            }
        }
        if !keep_alive {
            _ = stream.shutdown().await;
            return Ok(End::Closed);
        }
        unread.drain(..length);
    }
}

enum Read {
    /// A head of so many bytes is there.
    Head(usize),
    /// More than a head may have, and no end to it.
    TooLong,
    /// The peer is gone.
    End,
}

/// Reads until `unread` begins with a whole head.
async fn read_head(stream: &mut TcpStream, unread: &mut Vec<u8>) -> io::Result<Read> {
    let mut searched = 0;
    loop {
        let fresh = unread.get(searched..).unwrap_or_default();
        if let Some(end) = fresh.windows(4).position(|window| window == b"\r\n\r\n") {
            return Ok(Read::Head(searched + end + 4));
        }
        searched = unread.len().saturating_sub(3);
        if unread.len() >= MAX_HEAD_BYTES {
            return Ok(Read::TooLong);
        }
        if stream.read_buf(unread).await? == 0 {
            return Ok(Read::End);
        }
    }
}

/// A request's head, understood as far as an answer needs it.
enum Parsed<'a> {
    /// For what is below `/live/`; `length` is that of the head.
    Media { asked: service::Asked<'a>, keep_alive: bool, length: usize },
    /// Another request without a body.
    Other { request: Request<axum::body::Body>, keep_alive: bool, length: usize },
    /// Hyper's.
    Foreign,
    /// Nobody's.
    Bad(StatusCode),
}

impl<'a> Parsed<'a> {
    fn parse(head: &'a [u8]) -> Self {
        if head.starts_with(HTTP2_PREFACE) {
            return Self::Foreign;
        }
        let mut fields = [httparse::EMPTY_HEADER; MAX_HEADER_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        match request.parse(head) {
            Ok(_) => {}
            Err(httparse::Error::TooManyHeaders) => return Self::Bad(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Err(_) => return Self::Bad(StatusCode::BAD_REQUEST),
        }
        let (Some(method), Some(target), Some(minor)) = (request.method, request.path, request.version) else {
            return Self::Bad(StatusCode::BAD_REQUEST);
        };
        if !matches!(method, "GET" | "HEAD" | "OPTIONS") || !target.starts_with('/') {
            return Self::Foreign;
        }
        let mut keep_alive = minor == 1;
        let mut conditions = Conditions::default();
        for field in request.headers.iter() {
            let is = |name: &str| field.name.eq_ignore_ascii_case(name);
            let text = || std::str::from_utf8(field.value).ok();
            // Told apart by length first: most fields are none of these.
            match field.name.len() {
                5 if is("range") => conditions.range = text(),
                6 if is("expect") => return Self::Foreign,
                7 if is("upgrade") => return Self::Foreign,
                8 if is("if-range") => conditions.if_range = text(),
                10 if is("connection") => keep_alive &= !text().is_some_and(says_close),
                13 if is("if-none-match") => conditions.if_none_match = text(),
                14 if is("content-length") && field.value != b"0" => return Self::Foreign,
                17 if is("transfer-encoding") => return Self::Foreign,
                _ => {}
            }
        }
        let length = head.len();
        if let (Some(rest), "GET" | "HEAD") = (target.strip_prefix("/live/"), method) {
            let (path, query) = match rest.split_once('?') {
                Some((path, query)) => (path, Some(query)),
                None => (rest, None),
            };
            let asked = service::Asked { path, query, conditions, head_only: method == "HEAD" };
            return Self::Media { asked, keep_alive, length };
        }
        match whole(method, target, request.headers) {
            Ok(request) => Self::Other { request, keep_alive, length },
            Err(_) => Self::Bad(StatusCode::BAD_REQUEST),
        }
    }
}

/// Body of the fuzz target `viewer_request`: a request's head, and what its path, query and conditions make of an
/// answer.
pub(super) fn fuzz(head: &[u8]) {
    const LENGTH: u64 = 1000;
    let Parsed::Media { asked, length, .. } = Parsed::parse(head) else { return };
    assert_eq!(length, head.len(), "a head is taken whole");
    let directives = asked.query.map(Directives::parse);
    if let Some(Ok(directives)) = directives {
        assert!(directives.part.is_none() || directives.msn.is_some(), "a part is one of a segment");
    }
    let _ = LivePath::parse(asked.path);
    let content = Content::Whole(Bytes::from_static(&[0; LENGTH as usize]));
    let found = Answer::found("video/mp4", Cache::No, ETag::of(b"fuzz"), content);
    let answer = found.with_ranges().under(&asked.conditions);
    assert!(answer.content.len() <= LENGTH, "no more than there is");
    write_head(&mut Vec::new(), &answer, true);
}

/// Whether a `Connection` header has `close` among its options.
fn says_close(options: &str) -> bool {
    options.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"))
}

/// The request as the router takes it.
fn whole(
    method: &str,
    target: &str,
    fields: &[httparse::Header<'_>],
) -> Result<Request<axum::body::Body>, axum::http::Error> {
    let method = Method::from_bytes(method.as_bytes())?;
    let builder = Request::builder().method(method).uri(target);
    let builder = fields.iter().fold(builder, |builder, field| builder.header(field.name, field.value));
    builder.body(axum::body::Body::empty())
}

/// Answers by the router: writes the response's head, returns its body.
async fn route(
    service: &Service,
    request: Request<axum::body::Body>,
    keep_alive: bool,
    head: &mut Vec<u8>,
) -> io::Result<Content> {
    let head_only = request.method() == Method::HEAD;
    let (parts, body) = service.route(request).await.into_parts();
    let bytes = match body {
        Body::Whole(bytes) => bytes,
        body => body.collect().await.map_err(io::Error::other)?.to_bytes(),
    };
    begin_head(head, parts.status, keep_alive);
    for (name, value) in &parts.headers {
        if name != CONNECTION && name != TRANSFER_ENCODING {
            head.extend_from_slice(name.as_str().as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value.as_bytes());
            head.extend_from_slice(b"\r\n");
        }
    }
    let bodiless = head_only || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if !bodiless && !parts.headers.contains_key(CONTENT_LENGTH) {
        _ = write!(head, "content-length: {}\r\n", bytes.len());
    }
    head.extend_from_slice(b"\r\n");
    Ok(if bodiless { Content::EMPTY } else { Content::Whole(bytes) })
}

/// Writes the head of an answer.
fn write_head(head: &mut Vec<u8>, answer: &Answer, keep_alive: bool) {
    begin_head(head, answer.status, keep_alive);
    answer.headers(|name, value| {
        head.extend_from_slice(name.as_bytes());
        head.extend_from_slice(b": ");
        match value {
            Value::Fixed(text) => head.extend_from_slice(text.as_bytes()),
            // Writing to memory does not fail.
            value => _ = write!(head, "{value}"),
        }
        head.extend_from_slice(b"\r\n");
    });
    head.extend_from_slice(b"\r\n");
}

fn begin_head(head: &mut Vec<u8>, status: StatusCode, keep_alive: bool) {
    head.clear();
    head.extend_from_slice(b"HTTP/1.1 ");
    head.extend_from_slice(status.as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    head.extend_from_slice(b"\r\ndate: ");
    date::append(head);
    head.extend_from_slice(if keep_alive { b"\r\n" } else { b"\r\nconnection: close\r\n" });
}

/// Writes head and pieces, as many of them at once as the system takes.
async fn write_all(stream: &mut TcpStream, head: &[u8], pieces: &[Bytes]) -> io::Result<()> {
    let mut written = 0;
    loop {
        let mut slices = [IoSlice::new(&[]); PIECES_PER_WRITE];
        let mut skip = written;
        let left = std::iter::once(head).chain(pieces.iter().map(AsRef::as_ref)).filter_map(|piece: &[u8]| {
            let left = piece.get(skip..).filter(|left| !left.is_empty());
            skip = skip.saturating_sub(piece.len());
            left
        });
        let count = slices.iter_mut().zip(left).map(|(slice, piece)| *slice = IoSlice::new(piece)).count();
        if count == 0 {
            return Ok(());
        }
        match stream.write_vectored(slices.get(..count).unwrap_or_default()).await? {
            0 => return Err(io::ErrorKind::WriteZero.into()),
            more => written += more,
        }
    }
}

/// Writes head and part; the system takes the part's bytes from where they are.
#[cfg(target_os = "linux")]
async fn send_file(stream: &TcpStream, mut head: &[u8], part: &HotPart) -> io::Result<()> {
    use rustix::{fs::sendfile, net::SendFlags};

    let file = part.file().ok_or(io::ErrorKind::Unsupported)?;
    // The head waits for the bytes that follow: they share a packet.
    let flags = SendFlags::MORE | SendFlags::NOSIGNAL;
    while !head.is_empty() {
        let sent = stream.async_io(Interest::WRITABLE, || Ok(rustix::net::send(stream, head, flags)?)).await?;
        head = head.get(sent..).unwrap_or_default();
    }
    let mut at = 0;
    while at < part.len() {
        let left = usize::try_from(part.len() - at).unwrap_or(usize::MAX);
        let send = || Ok(sendfile(stream, file, Some(&mut at), left)?);
        if stream.async_io(Interest::WRITABLE, send).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

#[cfg(not(target_os = "linux"))]
async fn send_file(_stream: &TcpStream, _head: &[u8], _part: &HotPart) -> io::Result<()> {
    Err(io::ErrorKind::Unsupported.into())
}
