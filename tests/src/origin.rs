//! The real server binary, in a folder and on ports of its own.

use std::{
    fs::{self, File},
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    time::Duration,
};

use anyhow::{Context as _, Result, bail, ensure};
use skylark_protocol::{StreamState, StreamStatus};
use tempfile::TempDir;
use xtask::child::{self, Orphaned, Running, Signal};

use crate::{http::Http, wait};

/// How long the server may take from its start until it answers.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// How long it may take to stop when asked to.
const STOP_PATIENCE: Duration = Duration::from_secs(15);
/// Lines of its log that a failing test shows.
const LOG_TAIL: usize = 60;

/// A stream and the key that publishes to it.
#[derive(Debug, Clone)]
pub struct StreamKey {
    /// The stream's id.
    pub stream: String,
    /// The key in clear.
    pub key: String,
}

/// A running server with a data folder of its own. Stopped, and the folder deleted, when dropped.
#[derive(Debug)]
pub struct Origin {
    running: Running,
    folder: TempDir,
    scheme: &'static str,
    /// Where it serves viewers.
    pub http: SocketAddr,
    /// Where RTMP publishers connect.
    pub rtmp: SocketAddr,
    /// Where SRT callers connect.
    pub srt: SocketAddr,
    client: Http,
}

/// Path of the server binary.
///
/// # Errors
/// When `SKYLARK_ORIGIN_BIN` does not name it.
pub fn binary() -> Result<PathBuf> {
    let path = std::env::var_os("SKYLARK_ORIGIN_BIN").context(
        "SKYLARK_ORIGIN_BIN is not set: run the tests with `cargo xtask test [NAME]`, or set it to the path of skylark-origin",
    )?;
    let path = PathBuf::from(path);
    ensure!(path.is_file(), "SKYLARK_ORIGIN_BIN: there is no {}", path.display());
    Ok(path)
}

impl Origin {
    /// A server with the default configuration.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn start() -> Result<Self> {
        Self::with_config("").await
    }

    /// A server with this TOML.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn with_config(toml: &str) -> Result<Self> {
        Self::with_files(toml, &[]).await
    }

    /// A server with this TOML and further files, whose folder the TOML calls `@FOLDER@`.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn with_files(toml: &str, files: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("skylark-e2e-").tempdir()?;
        for (name, content) in files {
            fs::write(folder.path().join(name), content)?;
        }
        let here = folder.path().to_string_lossy().into_owned();
        fs::write(folder.path().join("skylark.toml"), toml.replace("@FOLDER@", &here))?;
        let scheme = if toml.contains("tls_cert") { "https" } else { "http" };
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let running = serve(folder.path(), any, any, any)?;
        let mut origin = Self { running, folder, scheme, http: any, rtmp: any, srt: any, client: Http::default() };
        origin.find_addresses().await?;
        origin.wait_until_ready().await?;
        Ok(origin)
    }

    /// A server that speaks HTTPS, with a certificate that nobody vouches for.
    ///
    /// # Errors
    /// When it does not get ready.
    pub async fn secure() -> Result<Self> {
        let (certificate, key) = certificate()?;
        let toml = "[http]\ntls_cert = \"@FOLDER@/cert.pem\"\ntls_key = \"@FOLDER@/key.pem\"\n";
        Self::with_files(toml, &[("cert.pem", &certificate), ("key.pem", &key)]).await
    }

    /// Reads from the log which ports the system gave it.
    async fn find_addresses(&mut self) -> Result<()> {
        let log = log_path(self.folder.path());
        let running = &mut self.running;
        let found = wait::until("the server says where it listens", START_PATIENCE, async || {
            let log = fs::read_to_string(&log).unwrap_or_default();
            let addresses = ["http", "rtmp", "srt"].map(|protocol| listening_address(&log, protocol));
            if let [Some(http), Some(rtmp), Some(srt)] = addresses {
                return Some(Ok((http, rtmp, srt)));
            }
            running.ended().ok().flatten().map(Err)
        })
        .await;
        match found {
            Ok(Ok((http, rtmp, srt))) => (self.http, self.rtmp, self.srt) = (http, rtmp, srt),
            Ok(Err(status)) => bail!("the server ended at once with {status}:\n{}", self.log_tail()),
            Err(error) => bail!("{error:#}:\n{}", self.log_tail()),
        }
        Ok(())
    }

    async fn wait_until_ready(&mut self) -> Result<()> {
        let url = self.url("/readyz");
        let ready = wait::until("/readyz answers 200", START_PATIENCE, async || {
            let answered = match self.scheme {
                // The client here does not speak TLS.
                "https" => tokio::net::TcpStream::connect(self.http).await.is_ok(),
                _ => self.client.get(&url).await.is_ok_and(|answer| answer.status == 200),
            };
            answered.then_some(())
        });
        ready.await.with_context(|| self.log_tail())?;
        Ok(())
    }

    /// A client for it.
    #[must_use]
    pub fn client(&self) -> &Http {
        &self.client
    }

    /// The absolute URL of a path.
    #[must_use]
    pub fn url(&self, path: &str) -> String {
        format!("{}://{}{path}", self.scheme, self.http)
    }

    /// The multivariant playlist of a stream.
    #[must_use]
    pub fn playlist(&self, key: &StreamKey) -> String {
        self.url(&format!("/live/{}/index.m3u8", key.stream))
    }

    /// The viewer page of a stream.
    #[must_use]
    pub fn page(&self, key: &StreamKey) -> String {
        self.url(&format!("/s/{}", key.stream))
    }

    /// The URL to publish to by RTMP.
    #[must_use]
    pub fn rtmp_url(&self, key: &StreamKey) -> String {
        format!("rtmp://{}/live/{}", self.rtmp, key.key)
    }

    /// The URL to publish to by SRT, as libsrt takes it.
    #[must_use]
    pub fn srt_url(&self, key: &StreamKey) -> String {
        format!("srt://{}?streamid=#!::r=live/{},m=publish&pkt_size=1316", self.srt, key.key)
    }

    /// Makes a stream and its key with the command line, while the server runs.
    ///
    /// # Errors
    /// When the command fails or prints something else than `<stream-id> <key>`.
    pub fn create_key(&self) -> Result<StreamKey> {
        let line = self.cli(&["key", "create", "--quiet"])?;
        let words: Vec<&str> = line.trim_end_matches('\n').split(' ').collect();
        let [stream, key] = words[..] else { bail!("`key create --quiet` printed {} words, not two", words.len()) };
        Ok(StreamKey { stream: stream.to_owned(), key: key.to_owned() })
    }

    /// Runs a subcommand on this server's data folder and answers what it printed.
    ///
    /// # Errors
    /// When it fails.
    pub fn cli(&self, arguments: &[&str]) -> Result<String> {
        let output = Command::new(binary()?).args(arguments).arg("--data").arg(self.data()).output()?;
        ensure!(
            output.status.success(),
            "`skylark-origin {}` ended with {}: {}",
            arguments.join(" "),
            output.status,
            String::from_utf8_lossy(&output.stderr)
        );
        Ok(String::from_utf8(output.stdout)?)
    }

    /// Its data folder.
    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// Everything it has logged.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(log_path(self.folder.path())).unwrap_or_default()
    }

    fn log_tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_TAIL)..].join("\n")
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// What the API says of a stream.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn status(&self, key: &StreamKey) -> Result<StreamStatus> {
        self.client.get(&self.url(&format!("/api/v1/streams/{}/status", key.stream))).await?.json()
    }

    /// Waits until the API reports this state.
    ///
    /// # Errors
    /// When it does not in time.
    pub async fn wait_for_state(
        &self,
        key: &StreamKey,
        state: StreamState,
        patience: Duration,
    ) -> Result<StreamStatus> {
        wait::until(&format!("the stream is {state:?}"), patience, async || {
            self.status(key).await.ok().filter(|status| status.state == state)
        })
        .await
    }

    /// Kills it without warning.
    pub fn kill(&mut self) {
        self.running.kill();
    }

    /// Kills it without warning and starts it again on the same data and ports.
    ///
    /// # Errors
    /// When it does not get ready again.
    pub async fn kill_and_restart(&mut self) -> Result<()> {
        self.running.kill();
        self.running = serve(self.folder.path(), self.http, self.rtmp, self.srt)?;
        self.wait_until_ready().await
    }

    /// Asks it to stop with SIGTERM and waits until it has.
    ///
    /// # Errors
    /// When it does not stop in time.
    pub fn terminate(&mut self) -> Result<ExitStatus> {
        self.running.signal(Signal::TERM);
        self.running.wait(STOP_PATIENCE)?.context("the server did not stop on SIGTERM")
    }

    /// Sends it SIGTERM and returns at once.
    pub fn begin_termination(&mut self) {
        self.running.signal(Signal::TERM);
    }

    /// It has not ended.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.running.ended()?.is_none())
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("--- the server's log ends so:\n{}", self.log_tail());
        }
        self.running.kill();
    }
}

fn log_path(folder: &Path) -> PathBuf {
    folder.join("origin.log")
}

/// A self-signed certificate for 127.0.0.1 and its key, PEM.
fn certificate() -> Result<(String, String)> {
    let folder = tempfile::tempdir()?;
    let (certificate, key) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    let status = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost", "-keyout"])
        .arg(&key)
        .arg("-out")
        .arg(&certificate)
        .stderr(Stdio::null())
        .status()?;
    ensure!(status.success(), "openssl makes a certificate");
    Ok((fs::read_to_string(certificate)?, fs::read_to_string(key)?))
}

/// Starts the server; its log is appended to one file over all its lives.
fn serve(folder: &Path, http: SocketAddr, rtmp: SocketAddr, srt: SocketAddr) -> Result<Running> {
    let binary = binary()?;
    let log = File::options().create(true).append(true).open(log_path(folder))?;
    let mut command = child::command(binary.to_str().context("SKYLARK_ORIGIN_BIN is not UTF-8")?, Orphaned::Killed);
    command.arg("serve").arg("--data").arg(folder.join("data")).arg("--config").arg(folder.join("skylark.toml"));
    command.args(["--http", &http.to_string(), "--rtmp", &rtmp.to_string(), "--srt", &srt.to_string()]);
    command.env("RUST_LOG", "info").env("NO_COLOR", "1");
    command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
    Ok(Running::spawn("skylark-origin", &mut command, Duration::ZERO)?)
}

/// The address that a log line about listening names for a protocol.
fn listening_address(log: &str, protocol: &str) -> Option<SocketAddr> {
    let line = log.lines().find(|line| line.contains("listening") && names(line, protocol))?;
    let after = &line[line.find(protocol)?..];
    let tokens = after.split(|character: char| !(character.is_ascii_hexdigit() || ".:[]".contains(character)));
    tokens.filter_map(|token| token.trim_matches(':').parse::<SocketAddr>().ok()).find(|address| address.port() != 0)
}

fn names(line: &str, protocol: &str) -> bool {
    line.split(|character: char| !character.is_ascii_alphanumeric()).any(|word| word == protocol)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_found_in_both_log_formats() {
        let text = "2026 INFO origin: listening http=127.0.0.1:4001 rtmp=127.0.0.1:4002 srt=[::1]:4003\n";
        let json = r#"{"level":"INFO","message":"listening","http":"127.0.0.1:4001","rtmp":"127.0.0.1:4002","srt":"[::1]:4003"}"#;
        for log in [text, json] {
            let ports =
                ["http", "rtmp", "srt"].map(|protocol| listening_address(log, protocol).map(|found| found.port()));
            assert_eq!(ports, [Some(4001), Some(4002), Some(4003)], "{log}");
        }
    }
}
