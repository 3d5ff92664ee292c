//! HTTPS: HTTP/2 and HTTP/1.1 by ALPN, and certificates that are renewed.

use std::{path::Path, sync::Arc, time::Duration};

use http_body_util::{BodyExt, Empty};
use hyper::{Request, StatusCode, Version, body::Bytes};
use hyper_util::rt::{TokioExecutor, TokioIo};
use rustls::{
    ClientConfig, RootCertStore,
    crypto::ring,
    pki_types::{CertificateDer, ServerName},
};
use skylark_origin::serve::{HttpConfig, Server, TlsFiles};
use tempfile::TempDir;
use tokio::{io::AsyncReadExt as _, net::TcpStream};
use tokio_rustls::{TlsConnector, client::TlsStream};

use crate::stage::{INIT, Setting, Stage};

/// Writes a new certificate for `localhost`, and its key; returns the certificate.
fn certify(folder: &Path) -> CertificateDer<'static> {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(folder.join("cert.pem"), made.cert.pem()).unwrap();
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem()).unwrap();
    made.cert.der().clone()
}

fn files(folder: &Path) -> TlsFiles {
    TlsFiles { cert: folder.join("cert.pem"), key: folder.join("key.pem") }
}

async fn secure_stage() -> (Stage, CertificateDer<'static>, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let stage = Stage::with(Setting { tls: Some(files(folder.path())), ..Setting::default() }).await;
    (stage, certificate, folder)
}

/// A connection that offers `protocols` and trusts `certificate` alone.
async fn connect(stage: &Stage, certificate: &CertificateDer<'static>, protocols: &[&str]) -> TlsStream<TcpStream> {
    let mut roots = RootCertStore::empty();
    roots.add(certificate.clone()).unwrap();
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.as_bytes().to_vec()).collect();
    let stream = TcpStream::connect(stage.addr).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
}

#[tokio::test]
async fn http_2_is_chosen_where_it_is_offered() {
    let (mut stage, certificate, _folder) = secure_stage().await;
    let stream = connect(&stage, &certificate, &["h2", "http/1.1"]).await;
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(b"h2".as_slice()));
    let (mut client, connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = |path: String| Request::get(format!("https://localhost{path}")).body(Empty::<Bytes>::new()).unwrap();
    // A held part does not hold up the other requests of its connection.
    let held = client.send_request(request(stage.path("0.1.m4s")));
    let init = client.send_request(request(stage.path("init0.mp4"))).await.unwrap();
    assert_eq!((init.status(), init.version()), (StatusCode::OK, Version::HTTP_2));
    assert_eq!(init.into_body().collect().await.unwrap().to_bytes(), INIT);
    let data = stage.part().await;
    assert_eq!(held.await.unwrap().into_body().collect().await.unwrap().to_bytes(), data);
}

#[tokio::test]
async fn http_1_is_served_to_the_others() {
    let (stage, certificate, _folder) = secure_stage().await;
    let stream = connect(&stage, &certificate, &["http/1.1"]).await;
    let (mut client, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    let request = Request::get(stage.path("0.0.m4s")).header("host", "localhost").header("range", "bytes=0-5");
    let answer = client.send_request(request.body(Empty::<Bytes>::new()).unwrap()).await.unwrap();
    assert_eq!(answer.status(), StatusCode::PARTIAL_CONTENT);
    assert_eq!(answer.into_body().collect().await.unwrap().to_bytes(), "part 0".as_bytes());
}

#[tokio::test]
async fn who_asks_for_nothing_is_closed() {
    let (stage, certificate, _folder) = secure_stage().await;
    for protocols in [&["h2"], &["http/1.1"]] {
        let mut silent = connect(&stage, &certificate, protocols).await;
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(40)).await;
        tokio::time::resume();
        let mut rest = Vec::new();
        // With a word of goodbye or without.
        _ = tokio::time::timeout(Duration::from_secs(10), silent.read_to_end(&mut rest)).await.expect("it is closed");
    }
}

#[tokio::test]
async fn who_does_not_take_a_response_over_http_2_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let certificate = certify(folder.path());
    let tls = Some(files(folder.path()));
    let stage = Stage::with(Setting { tls, part_bytes: 1 << 20, ..Setting::default() }).await;
    for window_bytes in [0, 1000] {
        let stream = connect(&stage, &certificate, &["h2"]).await;
        let (mut client, connection) = hyper::client::conn::http2::Builder::new(TokioExecutor::new())
            .initial_stream_window_size(window_bytes)
            .handshake(TokioIo::new(stream))
            .await
            .unwrap();
        let connection = tokio::spawn(connection);
        let request = Request::get(format!("https://localhost{}", stage.path("0.0.m4s"))).body(Empty::<Bytes>::new());
        let answer = client.send_request(request.unwrap()).await.unwrap();
        assert_eq!(answer.status(), StatusCode::OK);
        tokio::time::pause();
        tokio::time::sleep(Duration::from_secs(90)).await;
        tokio::time::resume();
        let closed = tokio::time::timeout(Duration::from_secs(10), connection).await;
        assert!(closed.is_ok(), "the connection of a window of {window_bytes} bytes is still open");
        drop(answer);
    }
}

#[tokio::test]
async fn a_renewed_certificate_is_taken_up() {
    let (stage, _, folder) = secure_stage().await;
    let renewed = certify(folder.path());
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(31)).await;
    tokio::time::resume();
    // The handshake succeeds with the new one only.
    connect(&stage, &renewed, &["http/1.1"]).await;
}

#[tokio::test]
async fn unusable_certificates_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let bind = || {
        let addr = "127.0.0.1:0".parse().unwrap();
        Server::bind(HttpConfig {
            addr,
            tls: Some(files(folder.path())),
            max_connections: 1,
            max_connections_per_address: 1,
        })
        .unwrap_err()
        .to_string()
    };
    assert!(bind().contains("cert.pem"));
    certify(folder.path());
    std::fs::write(folder.path().join("key.pem"), "no key").unwrap();
    assert!(bind().contains("key.pem"));
}
