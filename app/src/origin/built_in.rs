//! The origin on this machine: the real `skylark-origin`, started for whoever streams, and gone when the Studio is.

use std::{
    env, fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use serde::{Deserialize, Serialize};
use skylark_protocol::{event::PublicKey, nip19::Entity, studio::Problem};
use tokio::sync::Mutex;

use super::{Address, keeper::Keeper, use_ring};
use crate::kept;

/// The program.
const PROGRAM: &str = "skylark-origin";
/// Says where it is, if neither beside the Studio nor on the search path.
const PROGRAM_VARIABLE: &str = "SKYLARK_ORIGIN_BIN";
/// How long it gets to be ready.
const START_PATIENCE: Duration = Duration::from_secs(20);
/// How often it is asked meanwhile.
const READY_INTERVAL: Duration = Duration::from_millis(50);
/// Time for one such question.
const READY_PATIENCE: Duration = Duration::from_secs(2);

/// The origin on this machine.
pub struct BuiltIn {
    folder: PathBuf,
    running: Mutex<Option<Running>>,
}

struct Running {
    address: Address,
    owner: PublicKey,
    keeper: Keeper,
}

/// Where it listens, the same every time: links that were shared go on working.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
struct Ports {
    http: u16,
    rtmp: u16,
    srt: u16,
}

impl BuiltIn {
    /// One whose data is in this folder. Nothing is started yet.
    #[must_use]
    pub fn new(folder: PathBuf) -> Self {
        Self { folder, running: Mutex::default() }
    }

    /// Starts it, unless it runs already, and makes `owner` its owner; `others` may stream there, too. Should it die, it
    /// is started again.
    ///
    /// # Errors
    /// It is not installed, or does not get ready.
    pub async fn start(&self, owner: PublicKey, others: &[PublicKey]) -> Result<Address, Problem> {
        let mut running = self.running.lock().await;
        if let Some(known) = running.as_mut().filter(|known| !known.keeper.has_given_up()) {
            if known.owner != owner {
                self.set_owner(&program()?, owner).await?;
                known.owner = owner;
            }
            return Ok(known.address.clone());
        }
        let program = program()?;
        fs::create_dir_all(&self.folder).map_err(|error| no_folder(&self.folder, &error))?;
        self.set_owner(&program, owner).await?;
        let ports = self.ports()?;
        let address = Address::read(&format!("http://{}:{}", Ipv4Addr::LOCALHOST, ports.http))?;
        let keeper = Keeper::start(self.command(&program, ports, others)?, &self.log_path())?;
        let started = Running { address: address.clone(), owner, keeper };
        self.wait_until_ready(&started).await?;
        *running = Some(started);
        Ok(address)
    }

    /// Its process, while it runs.
    pub async fn process_id(&self) -> Option<u32> {
        self.running.lock().await.as_ref()?.keeper.process_id()
    }

    /// Stops it, and waits until it has stopped.
    pub async fn stop(&self) {
        if let Some(running) = self.running.lock().await.take() {
            running.keeper.stop().await;
        }
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn log_path(&self) -> PathBuf {
        self.folder.join("origin.log")
    }

    async fn set_owner(&self, program: &Path, owner: PublicKey) -> Result<(), Problem> {
        let mut command = plain(program);
        command.arg("owner").arg(Entity::npub(&owner)).arg("--data").arg(self.data());
        let failed = |reason: String| {
            Problem::new("origin-not-started", format!("The origin on this machine cannot be set up: {reason}"))
        };
        let output = tokio::process::Command::from(command).kill_on_drop(true).output();
        let output =
            tokio::time::timeout(START_PATIENCE, output).await.map_err(|_| failed("it takes too long.".into()))?;
        let output = output.map_err(|error| failed(format!("{error}.")))?;
        match output.status.success() {
            true => Ok(()),
            false => Err(failed(last_line(&String::from_utf8_lossy(&output.stderr)))),
        }
    }

    /// The ports of the last time, as far as nobody else has them now.
    fn ports(&self) -> Result<Ports, Problem> {
        let path = self.folder.join("ports.json");
        let known: Option<Ports> = kept::read(&path)?;
        let none = |error: std::io::Error| Problem::new("no-port", format!("The system has no free port: {error}."));
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let tcp = |port: u16| TcpListener::bind(local(port)).and_then(|socket| socket.local_addr());
        let udp = |port: u16| UdpSocket::bind(local(port)).and_then(|socket| socket.local_addr());
        let (http, rtmp, srt) = known.map(|known| (known.http, known.rtmp, known.srt)).unwrap_or_default();
        let ports = Ports {
            http: tcp(http).or_else(|_| tcp(0)).map_err(none)?.port(),
            rtmp: tcp(rtmp).or_else(|_| tcp(0)).map_err(none)?.port(),
            srt: udp(srt).or_else(|_| udp(0)).map_err(none)?.port(),
        };
        if known != Some(ports) {
            kept::write(&path, &ports)?;
        }
        Ok(ports)
    }

    fn command(&self, program: &Path, ports: Ports, others: &[PublicKey]) -> Result<Command, Problem> {
        let allow: Vec<String> = others.iter().map(|other| format!("\"{}\"", Entity::npub(other))).collect();
        let config = self.folder.join("skylark.toml");
        fs::write(&config, format!("[api]\nallow = [{}]\n", allow.join(", ")))
            .map_err(|error| no_folder(&self.folder, &error))?;
        let mut command = dying_with_us(program);
        command.arg("serve").arg("--data").arg(self.data()).arg("--config").arg(config);
        for (flag, port) in [("--http", ports.http), ("--rtmp", ports.rtmp), ("--srt", ports.srt)] {
            command.arg(flag).arg(format!("{}:{port}", Ipv4Addr::LOCALHOST));
        }
        Ok(command)
    }

    async fn wait_until_ready(&self, running: &Running) -> Result<(), Problem> {
        use_ring();
        let http = reqwest::Client::builder().no_proxy().timeout(READY_PATIENCE).build();
        let http = http.map_err(|error| Problem::new("origin-not-started", format!("{error}.")))?;
        let url = running.address.url("/readyz");
        let is_ready = async {
            while !running.keeper.has_given_up() {
                if http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                    return true;
                }
                tokio::time::sleep(READY_INTERVAL).await;
            }
            false
        };
        if tokio::time::timeout(START_PATIENCE, is_ready).await == Ok(true) {
            return Ok(());
        }
        let log = fs::read_to_string(self.log_path()).unwrap_or_default();
        let message = format!("The origin on this machine does not get ready: {}", last_line(&log));
        Err(Problem::new("origin-not-started", message))
    }
}

fn no_folder(folder: &Path, error: &std::io::Error) -> Problem {
    Problem::new("not-kept", format!("The origin's folder {} cannot be used: {error}.", folder.display()))
}

fn last_line(text: &str) -> String {
    let line = text.trim().lines().last().unwrap_or("it says nothing.");
    skylark_protocol::text::line(line, 300)
}

/// Where the origin's program is.
fn program() -> Result<PathBuf, Problem> {
    let name = format!("{PROGRAM}{}", env::consts::EXE_SUFFIX);
    let beside = env::current_exe().ok().and_then(|here| Some(here.parent()?.join(&name)));
    let paths = env::var_os("PATH").unwrap_or_default();
    let on_path: Vec<PathBuf> = env::split_paths(&paths).map(|folder| folder.join(&name)).collect();
    let given = env::var_os(PROGRAM_VARIABLE).map(PathBuf::from);
    let places = beside.into_iter().chain(on_path).chain(given);
    places.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        let message =
            format!("This Studio came without {PROGRAM}. Install it, or give the address of an origin elsewhere.");
        Problem::new("origin-not-installed", message)
    })
}

/// A command that gets nothing of our environment but what every program needs.
fn plain(program: &Path) -> Command {
    let mut command = Command::new(program);
    clear(&mut command);
    command
}

fn clear(command: &mut Command) {
    command.env_clear().env("NO_COLOR", "1").stdin(Stdio::null());
    for name in ["PATH", "HOME", "LANG", "SYSTEMROOT", "TMPDIR", "TEMP"] {
        if let Some(value) = env::var_os(name) {
            command.env(name, value);
        }
    }
}

/// The same, of a process that is killed when the thread that started it is gone, however we end. Only Linux has that;
/// elsewhere it is stopped when the Studio closes.
fn dying_with_us(program: &Path) -> Command {
    if !cfg!(target_os = "linux") {
        return plain(program);
    }
    let mut command = Command::new("setpriv");
    command.args(["--pdeathsig", "KILL", "--"]).arg(program);
    clear(&mut command);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_stay_the_same_unless_somebody_else_has_them() {
        let folder = tempfile::tempdir().unwrap();
        let origin = BuiltIn::new(folder.path().into());
        let first = origin.ports().unwrap();
        assert_eq!(origin.ports().unwrap(), first);
        let _taken = TcpListener::bind((Ipv4Addr::LOCALHOST, first.http)).unwrap();
        let second = origin.ports().unwrap();
        assert_ne!(second.http, first.http);
        assert_eq!(second.srt, first.srt);
    }
}
