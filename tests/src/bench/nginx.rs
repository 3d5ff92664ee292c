//! Debian's nginx and its RTMP module, to compare with: one worker, everything on tmpfs.

use std::{fs, net::TcpListener, os::unix::fs::PermissionsExt as _, path::PathBuf, process::Stdio, time::Duration};

use anyhow::{Context as _, Result};
use tempfile::TempDir;
use xtask::child::{self, Orphaned, Running};

use crate::{http::Http, wait};

const START_PATIENCE: Duration = Duration::from_secs(10);

/// A running nginx; ended when dropped.
#[derive(Debug)]
pub struct Nginx {
    running: Running,
    folder: TempDir,
    http: u16,
    rtmp: u16,
}

impl Nginx {
    /// Starts nginx on free ports with its files in `/dev/shm`.
    ///
    /// # Errors
    /// When it does not start.
    pub async fn start() -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("skylark-nginx-").tempdir_in("/dev/shm")?;
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755))?;
        for name in ["www", "hls"] {
            fs::create_dir(folder.path().join(name))?;
        }
        let (http, rtmp) = (free_port()?, free_port()?);
        let config = folder.path().join("nginx.conf");
        fs::write(&config, configuration(&folder.path().to_string_lossy(), http, rtmp))?;
        let mut command = child::command("nginx", Orphaned::Terminated);
        command.arg("-c").arg(&config).arg("-e").arg(folder.path().join("error.log"));
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::inherit());
        let running = Running::spawn("nginx", &mut command, Duration::from_secs(2)).context("cannot start nginx")?;
        let nginx = Self { running, folder, http, rtmp };
        fs::write(nginx.www().join("ready"), "")?;
        let client = Http::default();
        wait::until("nginx serves", START_PATIENCE, async || client.fetch(&nginx.url("ready")).await.ok()).await?;
        Ok(nginx)
    }

    /// Its master process.
    #[must_use]
    pub fn id(&self) -> u32 {
        self.running.id()
    }

    /// The folder that it serves.
    #[must_use]
    pub fn www(&self) -> PathBuf {
        self.folder.path().join("www")
    }

    /// Where a file of that folder is served.
    #[must_use]
    pub fn url(&self, file: &str) -> String {
        format!("http://127.0.0.1:{}/{file}", self.http)
    }

    /// Where to publish by RTMP.
    #[must_use]
    pub fn rtmp_url(&self, stream: &str) -> String {
        format!("rtmp://127.0.0.1:{}/live/{stream}", self.rtmp)
    }

    /// Number of HLS segments that it has written and kept.
    ///
    /// # Errors
    /// When its folder cannot be read.
    pub fn segments(&self) -> Result<usize> {
        let entries = fs::read_dir(self.folder.path().join("hls"))?;
        Ok(entries
            .filter_map(Result::ok)
            .filter(|entry| entry.path().extension().is_some_and(|end| end == "ts"))
            .count())
    }
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

fn configuration(folder: &str, http: u16, rtmp: u16) -> String {
    let user = if rustix::process::geteuid().is_root() { "user root;" } else { "" };
    format!(
        "load_module /usr/lib/nginx/modules/ngx_rtmp_module.so;
{user}
daemon off;
worker_processes 1;
pid {folder}/nginx.pid;
error_log {folder}/error.log error;
events {{ worker_connections 8192; }}
rtmp {{
    access_log off;
    server {{
        listen 127.0.0.1:{rtmp};
        chunk_size 4096;
        application live {{
            live on;
            hls on;
            hls_path {folder}/hls;
            hls_fragment 2s;
            hls_playlist_length 30s;
        }}
    }}
}}
http {{
    access_log off;
    sendfile on;
    tcp_nopush on;
    tcp_nodelay on;
    keepalive_requests 100000000;
    open_file_cache max=100;
    server {{
        listen 127.0.0.1:{http};
        root {folder}/www;
    }}
}}
"
    )
}
