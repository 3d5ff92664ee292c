//! `skylark-origin check`: is this machine fit for the server?

use std::{
    fmt, fs,
    io::{self, Write as _},
    net::{SocketAddr, TcpListener, UdpSocket},
    path::{Path, PathBuf},
    time::{Duration, SystemTime},
};

use rustix::process::{Resource, getrlimit};

use crate::{clock, config::Config, db};

/// Less free space than this, and the live window may not fit, bytes.
const LOW_DISK: u64 = 2 << 30;
/// Less free space than this will not do, bytes.
const NO_DISK: u64 = 256 << 20;
/// Fewer files than this will not do.
const MIN_FILES: u64 = 1024;
/// Files that are open beside viewers' connections.
const FILES_BESIDE_VIEWERS: u64 = 1024;
/// A UDP receive buffer that holds a burst of several SRT publishers, bytes.
const GOOD_UDP_BUFFER: u64 = 1 << 20;
/// No machine that runs this has an earlier time: 2026-01-01, Unix milliseconds.
const EARLIEST_MS: i64 = 1_767_225_600_000;
/// Files of the server may be so much newer than the clock says.
const CLOCK_TOLERANCE: Duration = Duration::from_secs(5);

/// How bad it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Grade {
    Good,
    Poor,
    Bad,
}

/// What was found about one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Finding {
    grade: Grade,
    subject: &'static str,
    text: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let grade = match self.grade {
            Grade::Good => "ok",
            Grade::Poor => "warning",
            Grade::Bad => "FAILED",
        };
        write!(formatter, "{grade:8} {:10} {}", self.subject, self.text)
    }
}

fn finding(grade: Grade, subject: &'static str, text: impl Into<String>) -> Finding {
    Finding { grade, subject, text: text.into() }
}

/// Prints what was found, one line a subject.
///
/// # Errors
/// When something will not do.
pub fn run(config: &Config, data: &Path) -> anyhow::Result<()> {
    let findings = [
        port("HTTP", config.http.addr.to_socket_addr(), |addr| TcpListener::bind(addr).map(drop)),
        port("RTMP", config.rtmp.addr.to_socket_addr(), |addr| TcpListener::bind(addr).map(drop)),
        port("SRT", config.srt.addr.to_socket_addr(), |addr| UdpSocket::bind(addr).map(drop)),
        clock(SystemTime::now(), newest(data)),
        clock_source(),
        folder(data),
        disk(data),
        files(getrlimit(Resource::Nofile).maximum, config.http.max_connections as u64),
        udp_buffer(fs::read_to_string("/proc/sys/net/core/rmem_max").ok().as_deref()),
    ];
    let mut out = io::stdout().lock();
    for finding in &findings {
        writeln!(out, "{finding}")?;
    }
    let bad = findings.iter().filter(|finding| finding.grade == Grade::Bad).count();
    anyhow::ensure!(bad == 0, "{bad} of {} checks failed", findings.len());
    Ok(())
}

fn port(protocol: &str, addr: SocketAddr, bind: impl FnOnce(SocketAddr) -> io::Result<()>) -> Finding {
    match bind(addr) {
        Ok(()) => finding(Grade::Good, "port", format!("{protocol} can listen on {addr}")),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            let text = format!("{protocol}: {addr} is taken; is the server running, or another one?");
            finding(Grade::Bad, "port", text)
        }
        Err(error) => finding(Grade::Bad, "port", format!("{protocol} cannot listen on {addr}: {error}")),
    }
}

/// When the server last wrote to its data folder.
fn newest(data: &Path) -> Option<SystemTime> {
    let database = data.join(db::FILE_NAME);
    let log = data.join(format!("{}-wal", db::FILE_NAME));
    [database, log].iter().filter_map(|path| fs::metadata(path).ok()?.modified().ok()).max()
}

fn clock(now: SystemTime, newest: Option<SystemTime>) -> Finding {
    let unix_ms = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_millis();
    let now_ms = i64::try_from(unix_ms).unwrap_or(i64::MAX);
    let shown = clock::utc(now_ms);
    if now_ms < EARLIEST_MS {
        return finding(Grade::Bad, "clock", format!("the clock shows {shown}, which is in the past: set it"));
    }
    match newest.and_then(|newest| newest.duration_since(now).ok()) {
        Some(ahead) if ahead > CLOCK_TOLERANCE => {
            let text =
                format!("the clock shows {shown}, {} s before the server's last write: it went back", ahead.as_secs());
            finding(Grade::Bad, "clock", text)
        }
        _ => finding(Grade::Good, "clock", format!("the clock shows {shown}")),
    }
}

/// Whether something keeps the clock right. Only what usual time services leave behind can be seen.
fn clock_source() -> Finding {
    let traces = ["/run/systemd/timesync/synchronized", "/run/chrony/chronyd.pid", "/run/chronyd.pid", "/run/ntpd.pid"];
    match traces.iter().find(|trace| Path::new(trace).exists()) {
        Some(trace) => finding(Grade::Good, "clock", format!("it is kept right by a time service ({trace})")),
        None => {
            let text = "no time service found: viewers' latency is measured against this clock (install chrony)";
            finding(Grade::Poor, "clock", text)
        }
    }
}

fn folder(data: &Path) -> Finding {
    let existing = existing(data);
    let probe = existing.join(format!(".skylark-check-{}", std::process::id()));
    let written =
        fs::OpenOptions::new().write(true).create_new(true).open(&probe).and_then(|mut file| file.write_all(b"x"));
    // What could not be made need not be deleted.
    _ = fs::remove_file(&probe);
    match written {
        Ok(()) if existing == data => finding(Grade::Good, "disk", format!("{} is writable", data.display())),
        Ok(()) => finding(Grade::Good, "disk", format!("{} can be made", data.display())),
        Err(error) => finding(Grade::Bad, "disk", format!("cannot write to {}: {error}", existing.display())),
    }
}

fn disk(data: &Path) -> Finding {
    match rustix::fs::statvfs(existing(data)) {
        Ok(volume) => disk_space(volume.f_bavail.saturating_mul(volume.f_frsize)),
        Err(error) => finding(Grade::Poor, "disk", format!("cannot tell how much space is free: {error}")),
    }
}

fn disk_space(free: u64) -> Finding {
    let shown = free >> 20;
    match free {
        ..NO_DISK => finding(Grade::Bad, "disk", format!("{shown} MiB free: too little")),
        NO_DISK..LOW_DISK => {
            finding(Grade::Poor, "disk", format!("{shown} MiB free: little for the live window of several streams"))
        }
        LOW_DISK.. => finding(Grade::Good, "disk", format!("{shown} MiB free")),
    }
}

/// The folder, or its nearest ancestor that exists.
fn existing(data: &Path) -> PathBuf {
    let absolute = std::path::absolute(data).unwrap_or_else(|_| data.to_owned());
    if data.is_dir() {
        return data.to_owned();
    }
    absolute.ancestors().find(|ancestor| ancestor.is_dir()).unwrap_or(Path::new("/")).to_owned()
}

/// `hard` is `None` when there is no limit.
fn files(hard: Option<u64>, max_connections: u64) -> Finding {
    let wanted = max_connections.saturating_add(FILES_BESIDE_VIEWERS);
    match hard {
        None => finding(Grade::Good, "file limit", "none"),
        Some(hard) if hard < MIN_FILES => {
            finding(Grade::Bad, "file limit", format!("{hard} files: too few, every viewer is one (raise LimitNOFILE)"))
        }
        Some(hard) if hard < wanted => {
            let text =
                format!("{hard} files: fewer than the {max_connections} connections configured (raise LimitNOFILE)");
            finding(Grade::Poor, "file limit", text)
        }
        Some(hard) => finding(Grade::Good, "file limit", format!("{hard} files")),
    }
}

/// `rmem_max` is what the kernel says it gives at most.
fn udp_buffer(rmem_max: Option<&str>) -> Finding {
    match rmem_max.and_then(|text| text.trim().parse::<u64>().ok()) {
        None => finding(Grade::Poor, "UDP buffer", "cannot tell how large it may be"),
        Some(bytes) if bytes < GOOD_UDP_BUFFER => {
            let text = format!(
                "{} KiB at most: bursts of SRT publishers may be lost (sysctl -w net.core.rmem_max=8388608)",
                bytes >> 10
            );
            finding(Grade::Poor, "UDP buffer", text)
        }
        Some(bytes) => finding(Grade::Good, "UDP buffer", format!("{} KiB at most", bytes >> 10)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_taken_port_is_named() {
        let taken = TcpListener::bind("127.0.0.1:0").unwrap();
        let addr = taken.local_addr().unwrap();
        let found = port("RTMP", addr, |addr| TcpListener::bind(addr).map(drop));
        assert_eq!(found.grade, Grade::Bad);
        assert!(found.text.contains(&addr.to_string()), "{found}");
        drop(taken);
        assert_eq!(port("RTMP", addr, |addr| TcpListener::bind(addr).map(drop)).grade, Grade::Good);
    }

    #[test]
    fn a_clock_that_is_wrong_or_went_back_is_noticed() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_millis(EARLIEST_MS as u64 + 1_000_000);
        assert_eq!(clock(now, None).grade, Grade::Good);
        assert_eq!(clock(now, Some(now + Duration::from_secs(1))).grade, Grade::Good);
        assert_eq!(clock(now, Some(now + Duration::from_secs(60))).grade, Grade::Bad);
        assert_eq!(clock(SystemTime::UNIX_EPOCH, None).grade, Grade::Bad);
    }

    #[test]
    fn limits_are_graded() {
        let grades = [disk_space(1 << 20), disk_space(1 << 30), disk_space(1 << 40)].map(|found| found.grade);
        assert_eq!(grades, [Grade::Bad, Grade::Poor, Grade::Good]);
        let grades = [Some(256), Some(4096), Some(1 << 20), None].map(|hard| files(hard, 16_384).grade);
        assert_eq!(grades, [Grade::Bad, Grade::Poor, Grade::Good, Grade::Good]);
        let grades = [None, Some("212992\n"), Some("8388608\n")].map(|text| udp_buffer(text).grade);
        assert_eq!(grades, [Grade::Poor, Grade::Poor, Grade::Good]);
    }

    #[test]
    fn a_folder_that_is_not_there_yet_is_no_fault_and_is_not_made() {
        let parent = tempfile::tempdir().unwrap();
        let data = parent.path().join("a/b");
        assert_eq!(folder(&data).grade, Grade::Good);
        assert!(!parent.path().join("a").exists());
        assert_eq!(fs::read_dir(parent.path()).unwrap().count(), 0, "nothing is left behind");
    }
}
