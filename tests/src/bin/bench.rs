//! `bench [--quick] [ROW…]`: measures and prints one table. Started by `cargo xtask bench`.

use anyhow::{Result, bail};
use e2e::bench::{Row, api, audience, chat, discovery, ingest, latency, relay, serving, srt, studio, table};

/// Names of the groups of rows.
const ROWS: [&str; 12] = [
    "ingest",
    "serving",
    "viewers",
    "latency",
    "srt",
    "chat",
    "relay",
    "api",
    "discovery",
    "studio",
    "studio-obs",
    "studio-ladder",
];

#[tokio::main]
async fn main() -> Result<()> {
    let (options, names): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|argument| argument.starts_with('-'));
    let quick = options.iter().any(|option| option == "--quick");
    if let Some(unknown) = options.iter().find(|option| *option != "--quick") {
        bail!("bench does not know {unknown}: it takes --quick and names of rows");
    }
    if names == [studio::beside_obs::INSIDE] {
        return studio::beside_obs::measure_inside(quick).await;
    }
    if let Some(unknown) = names.iter().find(|name| !ROWS.contains(&name.as_str())) {
        bail!("there is no row {unknown}; there are {}", ROWS.join(", "));
    }
    let mut rows: Vec<Row> = Vec::new();
    let mut failures = Vec::new();
    for name in ROWS.into_iter().filter(|name| names.is_empty() || names.iter().any(|chosen| chosen == name)) {
        eprintln!("measuring {name}…");
        let measured = match name {
            "ingest" => ingest::measure(quick).await,
            "serving" => serving::measure(quick).await,
            "viewers" => audience::measure(quick).await,
            "srt" => srt::measure(quick).await,
            "chat" => chat::measure(quick).await,
            "relay" => relay::measure(quick).await,
            "api" => api::measure(quick).await,
            "discovery" => discovery::measure(quick).await,
            "studio" => studio::measure(quick).await,
            "studio-obs" => studio::beside_obs::measure(quick),
            "studio-ladder" => studio::measure_ladder(quick).await,
            _ => latency::measure(quick).await,
        };
        match measured {
            Ok(measured) => rows.extend(measured),
            Err(error) => failures.push(format!("{name}: {error:#}")),
        }
    }
    println!("{}", table(&rows));
    if !failures.is_empty() {
        bail!("not measured:\n{}", failures.join("\n"));
    }
    Ok(())
}
