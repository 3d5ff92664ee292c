//! What processes cost, as the kernel counts it.

use std::{collections::HashMap, fs, time::Duration};

use anyhow::{Context as _, Result};

/// User and system time of a process, all its threads.
///
/// # Errors
/// When there is no such process.
pub fn cpu_time(pid: u32) -> Result<Duration> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let fields = fields(&stat).context("/proc/PID/stat")?;
    let ticks: u64 =
        fields.get(11).context("utime")?.parse::<u64>()? + fields.get(12).context("stime")?.parse::<u64>()?;
    Ok(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
}

/// Processor time that a virtual machine's host gave to others while this machine had work to do.
///
/// # Errors
/// When the kernel does not say.
pub fn stolen_time() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/stat")?;
    let all = stat.lines().find_map(|line| line.strip_prefix("cpu ")).context("/proc/stat has a line for all")?;
    let ticks: u64 = all.split_whitespace().nth(7).context("steal")?.parse()?;
    Ok(Duration::from_millis(ticks * 1000 / rustix::param::clock_ticks_per_second()))
}

/// User and system time of a process and all its descendants.
///
/// # Errors
/// When one of them cannot be read.
pub fn tree_cpu_time(pid: u32) -> Result<Duration> {
    descendants(pid)?.into_iter().map(cpu_time).sum()
}

/// Proportional set size of a process and all its descendants, bytes.
///
/// # Errors
/// When one of them cannot be read.
pub fn tree_proportional_set_size(pid: u32) -> Result<u64> {
    descendants(pid)?.into_iter().map(proportional_set_size).sum()
}

/// Proportional set size of a process, bytes.
///
/// # Errors
/// When there is no such process.
pub fn proportional_set_size(pid: u32) -> Result<u64> {
    let rollup = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
    let line = rollup.lines().find_map(|line| line.strip_prefix("Pss:")).context("smaps_rollup has Pss")?;
    let kib: u64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kib * 1024)
}

/// A process and everything it started that still runs.
fn descendants(pid: u32) -> Result<Vec<u32>> {
    let mut children: HashMap<u32, Vec<u32>> = HashMap::new();
    for entry in fs::read_dir("/proc")? {
        let Some(id) = entry?.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        // It may have ended since the listing.
        let Ok(stat) = fs::read_to_string(format!("/proc/{id}/stat")) else { continue };
        if let Some(parent) = fields(&stat).and_then(|fields| fields.get(1)?.parse().ok()) {
            children.entry(parent).or_default().push(id);
        }
    }
    let mut found = vec![pid];
    let mut next = 0;
    while let Some(id) = found.get(next) {
        found.extend(children.get(id).into_iter().flatten());
        next += 1;
    }
    Ok(found)
}

/// The fields after the command's name, which may hold blanks.
fn fields(stat: &str) -> Option<Vec<&str>> {
    Some(stat.rsplit_once(')')?.1.split_whitespace().collect())
}
