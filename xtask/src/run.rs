//! `cargo xtask run`: from a fresh clone to an origin on loopback, with everything a person needs to stream to it.

use std::{
    fs,
    io::{ErrorKind, Read as _, Write as _},
    net::{SocketAddr, TcpStream},
    os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail};
use signal_hook::{consts::TERM_SIGNALS, iterator::Signals};
use xtask::child::{self, Orphaned, Running, Signal};

use crate::{
    progress::{self, Progress},
    setup,
};

/// How long the origin may take from its start until it can serve.
const READY_PATIENCE: Duration = Duration::from_secs(30);
/// How long the origin may take to hand viewers what is left when it is stopped.
const STOP_PATIENCE: Duration = Duration::from_secs(10);
/// How often the children are looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(200);
/// The file in the data folder in which `run` remembers the key that it made.
const KEY_FILE: &str = "xtask-run.key";

/// What the user asked for.
pub(crate) struct Options {
    demo: bool,
    release: bool,
    data: PathBuf,
    http: SocketAddr,
    rtmp: SocketAddr,
    srt: SocketAddr,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self> {
        let mut options = Self {
            demo: false,
            release: false,
            data: progress::root().join("data"),
            http: SocketAddr::from(([127, 0, 0, 1], 8080)),
            rtmp: SocketAddr::from(([127, 0, 0, 1], 1935)),
            srt: SocketAddr::from(([127, 0, 0, 1], 10080)),
        };
        let mut arguments = arguments.iter();
        while let Some(argument) = arguments.next() {
            let mut value = || arguments.next().with_context(|| format!("{argument} needs a value"));
            let address = |text: &String| {
                text.parse().with_context(|| format!("{argument}: `{text}` is not an address like 127.0.0.1:8080"))
            };
            match argument.as_str() {
                "--demo" => options.demo = true,
                "--release" => options.release = true,
                "--data" => options.data = std::path::absolute(value()?)?,
                "--http" => options.http = address(value()?)?,
                "--rtmp" => options.rtmp = address(value()?)?,
                "--srt" => options.srt = address(value()?)?,
                unknown => bail!(
                    "run does not know `{unknown}` (it takes --demo, --release, --data, --http, --rtmp and --srt)"
                ),
            }
        }
        Ok(options)
    }
}

/// Somebody wants `run` to end: Ctrl-C, a closed terminal or a plain `kill`.
struct StopRequest;

/// A stream and the key that publishes to it.
struct StreamKey {
    stream: String,
    key: String,
}

/// Sets up, builds, starts, and stays until the user or one of the children ends it.
pub(crate) fn run(options: &Options) -> Result<()> {
    let stops = watch_signals()?;
    let mut progress = Progress::new(4);
    progress.step("Looking for the packages it needs");
    setup::packages(setup::RUN)?;
    if options.demo {
        setup::packages(setup::DEMO)?;
    }
    progress.step("Building the viewer page");
    build_site()?;
    progress.step(if options.release { "Building the origin (release)" } else { "Building the origin" });
    let origin = build_origin(options.release)?;
    progress.step("Starting the origin");
    let mut children = vec![start_origin(&origin, options)?];
    wait_until_ready(&mut children, options.http, &stops)?;
    let key = stream_key(&origin, &options.data)?;
    if options.demo {
        children.push(start_demo(options.rtmp, &key)?);
    }
    welcome(options, &key);
    stay(children, &stops)
}

/// The site that the origin embeds: wasm, scripts and styles in `ui/dist`.
pub(crate) fn build_site() -> Result<()> {
    progress::run(progress::cargo().args(["run", "--quiet", "--package", "xtask-web", "--", "build"]))
}

/// Builds the server and answers where its binary is.
pub(crate) fn build_origin(release: bool) -> Result<PathBuf> {
    let mut cargo = progress::cargo();
    cargo.args(["build", "--package", "skylark-origin"]);
    if release {
        cargo.arg("--release");
    }
    progress::run(&mut cargo)?;
    Ok(progress::target().join(if release { "release" } else { "debug" }).join("skylark-origin"))
}

fn watch_signals() -> Result<Receiver<StopRequest>> {
    let (sender, stops) = mpsc::channel();
    let mut signals = Signals::new(TERM_SIGNALS).context("cannot listen for Ctrl-C")?;
    thread::spawn(move || {
        // A second Ctrl-C while the first is being carried out changes nothing: stopping has its own deadline.
        for _ in &mut signals {
            if sender.send(StopRequest).is_err() {
                break;
            }
        }
    });
    Ok(stops)
}

fn start_origin(origin: &Path, options: &Options) -> Result<Running> {
    fs::DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(&options.data)
        .with_context(|| format!("cannot make the data folder {}", options.data.display()))?;
    let program = origin.to_str().context("the target folder's path is not UTF-8")?;
    let mut command = child::command(program, Orphaned::Terminated);
    command.arg("serve").arg("--data").arg(&options.data);
    command.args(["--http", &options.http.to_string()]);
    command.args(["--rtmp", &options.rtmp.to_string()]);
    command.args(["--srt", &options.srt.to_string()]);
    command.stdin(Stdio::null());
    Running::spawn("the origin", &mut command, STOP_PATIENCE).context("cannot start the origin")
}

fn wait_until_ready(children: &mut [Running], http: SocketAddr, stops: &Receiver<StopRequest>) -> Result<()> {
    let deadline = Instant::now() + READY_PATIENCE;
    while !is_ready(http) {
        for child in children.iter_mut() {
            if let Some(status) = child.ended()? {
                bail!("{} ended at once with {status}: its reason stands above", child.name());
            }
        }
        if let Ok(StopRequest) = stops.recv_timeout(LOOK_INTERVAL) {
            bail!("stopped while the origin was starting");
        }
        if Instant::now() > deadline {
            bail!("the origin does not answer http://{http}/readyz after {} s", READY_PATIENCE.as_secs());
        }
    }
    Ok(())
}

/// `GET /readyz` answers 200.
fn is_ready(http: SocketAddr) -> bool {
    let ask = || -> std::io::Result<bool> {
        let mut socket = TcpStream::connect_timeout(&http, LOOK_INTERVAL)?;
        socket.set_read_timeout(Some(Duration::from_secs(2)))?;
        write!(socket, "GET /readyz HTTP/1.1\r\nHost: {http}\r\nConnection: close\r\n\r\n")?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer)?;
        Ok(answer.starts_with("HTTP/1.1 200"))
    };
    ask().unwrap_or(false)
}

/// The key of an earlier run on this data folder, or a new one.
///
/// The origin shows a key once and keeps only its hash. Here the same person owns the origin and streams to it, so
/// `run` keeps the key in a file that only this user can read.
fn stream_key(origin: &Path, data: &Path) -> Result<StreamKey> {
    let path = data.join(KEY_FILE);
    let line = match fs::read_to_string(&path) {
        Ok(line) => line,
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let mut create = Command::new(origin);
            let line = progress::output(create.args(["key", "create", "--quiet", "--data"]).arg(data))?;
            let mut file = fs::OpenOptions::new()
                .write(true)
                .create_new(true)
                .mode(0o600)
                .open(&path)
                .with_context(|| format!("cannot write {}", path.display()))?;
            file.write_all(line.as_bytes())?;
            line
        }
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let (stream, key) = line
        .trim()
        .split_once(' ')
        .with_context(|| format!("{} should hold `<stream-id> <key>`: delete it for a new key", path.display()))?;
    Ok(StreamKey { stream: stream.to_owned(), key: key.to_owned() })
}

/// Pushes a moving picture with a running clock and a beep each second: 1280x720, 30 frames a second, a keyframe
/// every 2 s.
fn start_demo(rtmp: SocketAddr, key: &StreamKey) -> Result<Running> {
    const CLOCK: &str = "drawtext=font=monospace:text='%{localtime\\:%T}.%{eif\\:mod(n\\,30)\\:d\\:2}':\
        fontsize=64:fontcolor=white:box=1:boxcolor=black@0.6:boxborderw=14:x=(w-tw)/2:y=h-150";
    const BEEP: &str = "aevalsrc=exprs='0.2*sin(2*PI*880*t)*lt(mod(t,1),0.08)':sample_rate=48000:channel_layout=stereo";
    let mut ffmpeg = child::command("ffmpeg", Orphaned::Killed);
    ffmpeg.args(["-hide_banner", "-loglevel", "error", "-nostdin"]);
    ffmpeg.args(["-re", "-f", "lavfi", "-i", "testsrc2=size=1280x720:rate=30"]);
    ffmpeg.args(["-re", "-f", "lavfi", "-i", BEEP, "-vf", CLOCK]);
    ffmpeg.args(["-c:v", "libx264", "-preset", "veryfast", "-tune", "zerolatency", "-pix_fmt", "yuv420p"]);
    ffmpeg.args(["-b:v", "2500k", "-maxrate", "2500k", "-bufsize", "2500k", "-g", "60"]);
    ffmpeg.args(["-c:a", "aac", "-b:a", "128k", "-f", "flv"]);
    ffmpeg.arg(format!("rtmp://{rtmp}/live/{}", key.key));
    ffmpeg.stdin(Stdio::null());
    Running::spawn("the demo's ffmpeg", &mut ffmpeg, Duration::ZERO).context("cannot start ffmpeg")
}

fn welcome(options: &Options, key: &StreamKey) {
    let Options { http, rtmp, srt, data, demo, .. } = options;
    let StreamKey { stream, key } = key;
    println!();
    println!("  Watch    http://{http}/s/{stream}");
    println!();
    println!("  OBS      Settings → Stream → Service: Custom…");
    println!("           Server      rtmp://{rtmp}/live");
    println!("           Stream Key  {key}");
    println!("  or SRT   Server      srt://{srt}?streamid=#!::r=live/{key},m=publish");
    println!("           Stream Key  (empty)");
    println!();
    println!("  Keyframe interval 2 s, x264 tune zerolatency. The key is kept in {}", data.join(KEY_FILE).display());
    if *demo {
        println!("  A test picture is being pushed to it: stop it (run without --demo) to push your own.");
    }
    println!("  Ctrl-C stops everything.");
    println!();
    // Whoever reads this through a pipe waits for it.
    let _ = std::io::stdout().flush();
}

/// Waits for the end: the user's, or a child's. Then stops the children, publishers first.
fn stay(mut children: Vec<Running>, stops: &Receiver<StopRequest>) -> Result<()> {
    let outcome = loop {
        match stops.recv_timeout(LOOK_INTERVAL) {
            Ok(StopRequest) | Err(RecvTimeoutError::Disconnected) => break Ok(()),
            Err(RecvTimeoutError::Timeout) => {}
        }
        let mut ended = None;
        for child in &mut children {
            if let Some(status) = child.ended()? {
                ended = Some(format!("{} ended by itself with {status}", child.name()));
            }
        }
        if let Some(ended) = ended {
            break Err(anyhow::anyhow!(ended));
        }
    };
    eprintln!("\nstopping…");
    while let Some(mut child) = children.pop() {
        child.signal(Signal::TERM);
        if child.wait(STOP_PATIENCE)?.is_none() {
            eprintln!("{} did not stop within {} s and was killed", child.name(), STOP_PATIENCE.as_secs());
        }
    }
    outcome
}
