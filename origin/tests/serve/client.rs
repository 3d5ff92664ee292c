//! An HTTP/1.1 client that can misbehave.

use std::net::SocketAddr;

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// A connection.
pub(crate) struct Client {
    stream: TcpStream,
    read: Vec<u8>,
}

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header's value; empty if it is not there.
    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value)
    }

    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

impl Client {
    pub(crate) async fn connect(addr: SocketAddr) -> Self {
        Self { stream: TcpStream::connect(addr).await.unwrap(), read: Vec::new() }
    }

    /// Sends bytes as they are.
    pub(crate) async fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).await.unwrap();
    }

    /// Sends a request without a body.
    pub(crate) async fn ask(&mut self, method: &str, path: &str, headers: &[(&str, &str)]) {
        let headers: String = headers.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        self.send(format!("{method} {path} HTTP/1.1\r\nhost: origin.test\r\n{headers}\r\n")).await;
    }

    pub(crate) async fn get(&mut self, path: &str, headers: &[(&str, &str)]) -> Answer {
        self.ask("GET", path, headers).await;
        self.answer().await.expect("an answer")
    }

    pub(crate) async fn head(&mut self, path: &str) -> Answer {
        self.ask("HEAD", path, &[]).await;
        self.answer_head().await.expect("an answer")
    }

    /// The next answer; `None` when the server closes instead.
    pub(crate) async fn answer(&mut self) -> Option<Answer> {
        let mut answer = self.answer_head().await?;
        self.answer_body(&mut answer).await?;
        Some(answer)
    }

    /// Reads the body of an answer whose head has been read; `None` when the connection breaks.
    pub(crate) async fn answer_body(&mut self, answer: &mut Answer) -> Option<()> {
        if !matches!(answer.status, 204 | 304) {
            let length: usize = answer.header("content-length").parse().expect("a content-length");
            while self.read.len() < length {
                assert!(self.stream.read_buf(&mut self.read).await.ok()? > 0, "the body is cut off");
            }
            answer.body = self.read.drain(..length).collect();
        }
        Some(())
    }

    /// The head of the next answer.
    pub(crate) async fn answer_head(&mut self) -> Option<Answer> {
        let end = loop {
            if let Some(end) = self.read.windows(4).position(|window| window == b"\r\n\r\n") {
                break end;
            }
            if self.stream.read_buf(&mut self.read).await.ok()? == 0 {
                return None;
            }
        };
        let head: Vec<u8> = self.read.drain(..end + 4).collect();
        let head = std::str::from_utf8(&head[..end]).unwrap();
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let headers = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(name, value)| (name.to_lowercase(), value.trim().to_owned()))
            .collect();
        Some(Answer { status, headers, body: Vec::new() })
    }

    /// Reads until the server closes; returns how many bytes still came.
    pub(crate) async fn drain(&mut self) -> usize {
        let mut count = std::mem::take(&mut self.read).len();
        let mut buffer = vec![0; 1 << 20];
        while let Ok(read @ 1..) = self.stream.read(&mut buffer).await {
            count += read;
        }
        count
    }
}
