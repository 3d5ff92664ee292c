//! Keeps a program running: on a thread of its own, because a program that is to die with its parent dies with the
//! thread that started it.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, PipeReader, Write as _},
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use skylark_protocol::studio::Problem;
use tokio::sync::oneshot;

/// How often the program is looked at.
const LOOK_INTERVAL: Duration = Duration::from_millis(50);
/// What ends so soon was not running.
const SHORT_LIFE: Duration = Duration::from_secs(5);
/// So many short lives in a row, and it is not started again.
const MAX_SHORT_LIVES: u32 = 4;
/// Before it is started again.
const RESTART_DELAY: Duration = Duration::from_millis(300);
/// How long it gets to stop by itself.
const STOP_PATIENCE: Duration = Duration::from_secs(8);
/// The log is at most twice as large, bytes.
const MAX_LOG_BYTES: u64 = 1 << 20;
/// Longest line of the log that is kept whole, bytes.
const MAX_LINE_BYTES: usize = 4096;

/// A program that is started again when it ends. Dropping it stops the program.
pub(super) struct Keeper {
    shared: Arc<Shared>,
    ended: Option<oneshot::Receiver<()>>,
}

#[derive(Default)]
struct Shared {
    must_stop: AtomicBool,
    has_given_up: AtomicBool,
    /// 0: not running.
    process_id: AtomicU32,
}

impl Keeper {
    /// Starts the program; what it says goes to the end of a bounded log.
    ///
    /// # Errors
    /// There is no thread for it.
    pub(super) fn start(mut command: Command, log: &Path) -> Result<Self, Problem> {
        let shared = Arc::<Shared>::default();
        let (end, ended) = oneshot::channel();
        let (theirs, log) = (Arc::clone(&shared), log.to_owned());
        let keep = move || {
            theirs.keep(&mut command, &log);
            theirs.has_given_up.store(true, Ordering::Release);
            _ = end.send(());
        };
        let started = thread::Builder::new().name("built-in origin".into()).spawn(keep);
        started
            .map_err(|error| Problem::new("origin-not-started", format!("The origin cannot be started: {error}.")))?;
        Ok(Self { shared, ended: Some(ended) })
    }

    /// It ends whenever it is started.
    pub(super) fn has_given_up(&self) -> bool {
        self.shared.has_given_up.load(Ordering::Acquire)
    }

    pub(super) fn process_id(&self) -> Option<u32> {
        Some(self.shared.process_id.load(Ordering::Acquire)).filter(|id| *id != 0)
    }

    /// Stops the program, and waits until it has stopped.
    pub(super) async fn stop(mut self) {
        self.shared.must_stop.store(true, Ordering::Release);
        if let Some(ended) = self.ended.take() {
            // An error is a keeper that is gone.
            _ = ended.await;
        }
    }
}

impl Drop for Keeper {
    fn drop(&mut self) {
        self.shared.must_stop.store(true, Ordering::Release);
    }
}

impl Shared {
    fn keep(&self, command: &mut Command, log: &Path) {
        let mut short_lives = 0;
        while !self.must_stop() && short_lives < MAX_SHORT_LIVES {
            let began = Instant::now();
            match start(command, log) {
                Ok(child) => self.wait(child),
                Err(error) => tracing::warn!(%error, "the built-in origin cannot be started"),
            }
            short_lives = if began.elapsed() < SHORT_LIFE { short_lives + 1 } else { 0 };
            if !self.must_stop() {
                thread::sleep(RESTART_DELAY);
            }
        }
    }

    fn must_stop(&self) -> bool {
        self.must_stop.load(Ordering::Acquire)
    }

    fn wait(&self, mut child: Child) {
        self.process_id.store(child.id(), Ordering::Release);
        let mut killed_at = None;
        loop {
            match child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) if self.must_stop() => break tracing::info!(%status, "the built-in origin stopped"),
                Ok(Some(status)) => break tracing::warn!(%status, "the built-in origin ended"),
                Err(error) => break tracing::warn!(%error, "the built-in origin cannot be watched"),
            }
            if self.must_stop() {
                let deadline = *killed_at.get_or_insert_with(|| {
                    terminate(&mut child);
                    Instant::now() + STOP_PATIENCE
                });
                if Instant::now() >= deadline && child.kill().is_err() {
                    tracing::warn!("the built-in origin cannot be killed");
                }
            }
            thread::sleep(LOOK_INTERVAL);
        }
        self.process_id.store(0, Ordering::Release);
    }
}

/// Asks it to stop.
fn terminate(child: &mut Child) {
    #[cfg(unix)]
    let asked = {
        let id = i32::try_from(child.id()).ok().and_then(rustix::process::Pid::from_raw);
        id.is_some_and(|id| rustix::process::kill_process(id, rustix::process::Signal::TERM).is_ok())
    };
    #[cfg(not(unix))]
    let asked = child.kill().is_ok();
    if !asked {
        tracing::warn!("the built-in origin cannot be asked to stop");
    }
}

fn start(command: &mut Command, log: &Path) -> io::Result<Child> {
    let (reader, writer) = io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let child = command.spawn();
    // What the command holds of the pipe would keep it open.
    command.stdout(std::process::Stdio::null()).stderr(std::process::Stdio::null());
    let child = child?;
    let log = log.to_owned();
    thread::Builder::new().name("origin log".into()).spawn(move || {
        if let Err(error) = write_down(reader, &log) {
            tracing::warn!(%error, "the built-in origin's log cannot be written");
        }
    })?;
    Ok(child)
}

/// Until it ends. A log that cannot be written is still read: the program must not wait.
fn write_down(reader: PipeReader, path: &Path) -> io::Result<()> {
    let mut reader = BufReader::new(reader);
    let (mut file, mut failed) = (open(path), None);
    let mut line = Vec::new();
    loop {
        line.clear();
        if io::Read::take(&mut reader, u64::try_from(MAX_LINE_BYTES).unwrap_or(u64::MAX))
            .read_until(b'\n', &mut line)?
            == 0
        {
            return failed.map_or(Ok(()), Err);
        }
        let written = file.as_mut().map_err(|error| io::Error::from(error.kind())).and_then(|(file, size)| {
            *size += u64::try_from(line.len()).unwrap_or_default();
            file.write_all(&line).map(|()| *size)
        });
        match written {
            Ok(size) if size > MAX_LOG_BYTES => {
                fs::rename(path, earlier(path)).ok();
                file = open(path);
            }
            Ok(_) => {}
            Err(error) => failed = Some(error),
        }
    }
}

fn open(path: &Path) -> io::Result<(File, u64)> {
    let file = File::options().create(true).append(true).open(path)?;
    let size = file.metadata()?.len();
    Ok((file, size))
}

fn earlier(path: &Path) -> PathBuf {
    path.with_extension("log.1")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[tokio::test]
    async fn a_program_that_always_ends_is_given_up_and_its_log_stays_bounded() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("origin.log");
        let mut command = Command::new("sh");
        command.args(["-c", "yes 0123456789012345678901234567890123456789 | head -c 1500000; echo last words >&2"]);
        let keeper = Keeper::start(command, &log).unwrap();
        let deadline = Instant::now() + Duration::from_secs(30);
        while !keeper.has_given_up() {
            assert!(Instant::now() < deadline, "it goes on for ever");
            tokio::time::sleep(LOOK_INTERVAL).await;
        }
        keeper.stop().await;
        let size = |path: &Path| fs::metadata(path).map(|file| file.len()).unwrap_or_default();
        let limit = MAX_LOG_BYTES + u64::try_from(MAX_LINE_BYTES).unwrap();
        assert!(size(&log) <= limit && size(&earlier(&log)) <= limit);
        let kept =
            fs::read_to_string(&log).unwrap_or_default() + &fs::read_to_string(earlier(&log)).unwrap_or_default();
        assert!(kept.contains("last words"));
    }
}
