//! A small HTTP/1.1 client.

use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::{HeaderMap, Method, Request};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::TokioExecutor,
};
use serde::de::DeserializeOwned;

/// Longest wait for one answer; longer than any blocking reload.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client with its pool of connections.
#[derive(Debug, Clone)]
pub struct Http {
    client: Client<HttpConnector, Full<Bytes>>,
}

/// An answer with its whole body.
#[derive(Debug, Clone)]
pub struct Answer {
    /// Status code.
    pub status: u16,
    /// Header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// A header field's value, empty when absent.
    #[must_use]
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
    }

    /// The body read as JSON.
    ///
    /// # Errors
    /// When it is not that.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T> {
        serde_json::from_slice(&self.body).with_context(|| format!("answered {} {:?}", self.status, self.text()))
    }
}

impl Default for Http {
    fn default() -> Self {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        Self { client: Client::builder(TokioExecutor::new()).build(connector) }
    }
}

impl Http {
    /// `GET`, whatever the status.
    ///
    /// # Errors
    /// When no whole answer arrives.
    pub async fn get(&self, url: &str) -> Result<Answer> {
        self.request(Method::GET, url, &[]).await
    }

    /// `GET` that must answer 200.
    ///
    /// # Errors
    /// When it does not.
    pub async fn fetch(&self, url: &str) -> Result<Bytes> {
        let answer = self.get(url).await?;
        ensure!(answer.status == 200, "GET {url} answered {} {:?}", answer.status, answer.text());
        Ok(answer.body)
    }

    /// Any request without a body.
    ///
    /// # Errors
    /// When no whole answer arrives.
    pub async fn request(&self, method: Method, url: &str, headers: &[(&str, &str)]) -> Result<Answer> {
        self.send(method, url, headers, Bytes::new()).await
    }

    /// Any request.
    ///
    /// # Errors
    /// When no whole answer arrives.
    pub async fn send(&self, method: Method, url: &str, headers: &[(&str, &str)], body: Bytes) -> Result<Answer> {
        let mut request = Request::builder().method(method).uri(url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body))?;
        let ask = async {
            let answer = self.client.request(request).await?;
            let (head, body) = answer.into_parts();
            let body = body.collect().await?.to_bytes();
            anyhow::Ok(Answer { status: head.status.as_u16(), headers: head.headers, body })
        };
        let answered = tokio::time::timeout(PATIENCE, ask).await;
        answered.with_context(|| format!("no answer within {} s: {url}", PATIENCE.as_secs()))?.context(url.to_owned())
    }
}
