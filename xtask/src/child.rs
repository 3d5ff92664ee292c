//! Child processes that end with their parent, even when the parent is killed with SIGKILL.
//!
//! On Linux they are started through `setpriv --pdeathsig` (util-linux): the kernel itself signals them when the
//! thread that started them is gone. Each leads its own process group, so that what it starts in turn ends with it.

use std::{
    io,
    os::unix::process::CommandExt,
    process::{Child, Command, ExitStatus},
    thread,
    time::{Duration, Instant},
};

pub use rustix::process::Signal;
use rustix::process::{Pid, kill_process, kill_process_group};

/// How often a child is asked whether it has ended.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// What a child gets when its parent is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Orphaned {
    /// SIGKILL.
    Killed,
    /// SIGTERM: it has something to finish.
    Terminated,
}

/// A command that will be signalled when the thread that started it is gone.
///
/// Elsewhere than on Linux it is the plain command.
#[must_use]
pub fn command(program: &str, orphaned: Orphaned) -> Command {
    if cfg!(target_os = "linux") {
        let signal = match orphaned {
            Orphaned::Killed => "KILL",
            Orphaned::Terminated => "TERM",
        };
        let mut command = Command::new("setpriv");
        command.args(["--pdeathsig", signal, "--", program]);
        command
    } else {
        Command::new(program)
    }
}

/// A running child and everything it started; stopped when dropped.
#[derive(Debug)]
pub struct Running {
    child: Child,
    name: String,
    grace: Duration,
}

impl Running {
    /// Starts `command` in a process group of its own. When dropped, the group gets SIGTERM and, after `grace`, SIGKILL.
    ///
    /// # Errors
    /// When the program cannot be started.
    pub fn spawn(name: &str, command: &mut Command, grace: Duration) -> io::Result<Self> {
        let child = command.process_group(0).spawn()?;
        Ok(Self { child, name: name.to_owned(), grace })
    }

    /// What the child is called in messages.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Its process id.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// The child's standard streams.
    pub fn child(&mut self) -> &mut Child {
        &mut self.child
    }

    /// How it ended, if it has.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends `signal` to the child alone.
    pub fn signal(&mut self, signal: Signal) {
        if matches!(self.child.try_wait(), Ok(None)) {
            // It may end between the question and the signal: then there is nobody left to tell.
            let _ = kill_process(Pid::from_child(&self.child), signal);
        }
    }

    /// Waits until it has ended, at most for `patience`; `None` when it has not.
    ///
    /// # Errors
    /// When the system does not say.
    pub fn wait(&mut self, patience: Duration) -> io::Result<Option<ExitStatus>> {
        let deadline = Instant::now() + patience;
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(Some(status));
            }
            if Instant::now() >= deadline {
                return Ok(None);
            }
            thread::sleep(POLL_INTERVAL);
        }
    }

    /// Kills the child and what it started, now.
    pub fn kill(&mut self) {
        let _ = kill_process_group(Pid::from_child(&self.child), Signal::KILL);
        let _ = self.child.wait();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let group = Pid::from_child(&self.child);
        if matches!(self.child.try_wait(), Ok(None)) && !self.grace.is_zero() {
            let _ = kill_process_group(group, Signal::TERM);
            let _ = self.wait(self.grace);
        }
        // What the child left behind in its group, and the child itself if it did not listen.
        let _ = kill_process_group(group, Signal::KILL);
        let _ = self.child.wait();
    }
}
