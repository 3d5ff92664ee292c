//! `viewers ADDR PLAYLIST VIEWERS RAMP_S MEASURED_S [ORIGIN_PID]`: the viewers' load; prints its report as JSON.

use std::time::Duration;

use anyhow::{Context, Result};
use e2e::bench::viewers::{Load, run};

fn main() -> Result<()> {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let argument = |index: usize, name: &str| arguments.get(index).with_context(|| format!("{name} is missing"));
    let load = Load {
        addr: argument(0, "ADDR")?.parse()?,
        playlist: argument(1, "PLAYLIST")?.clone(),
        viewers: argument(2, "VIEWERS")?.parse()?,
        ramp: Duration::from_secs_f64(argument(3, "RAMP_S")?.parse()?),
        measured: Duration::from_secs_f64(argument(4, "MEASURED_S")?.parse()?),
        origin_pid: arguments.get(5).map(|pid| pid.parse()).transpose()?,
    };
    println!("{}", serde_json::to_string_pretty(&run(&load)?)?);
    Ok(())
}
