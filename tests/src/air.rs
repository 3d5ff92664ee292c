//! ffmpeg behind the Studio's [`Air`]: what a broadcast is given to send with, where encoders are not what is tested.

use std::{
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Result;
use futures_util::future::{BoxFuture, FutureExt as _};
use skylark_protocol::{Health, studio::Problem};
use skylark_studio::broadcast::{Air, Sent};
use tokio::sync::watch;

use crate::{
    clip::Clip,
    publish::{self, Publisher},
};

/// How often it is looked at.
const INTERVAL: Duration = Duration::from_millis(100);
/// ffmpeg that has not ended by then has a connection.
const CONNECTED_AFTER: Duration = Duration::from_millis(500);

/// ffmpeg, started again whenever it ends.
pub struct FfmpegAir {
    clip: PathBuf,
    wish: Arc<Mutex<Wish>>,
    sent: watch::Sender<Sent>,
    heard: watch::Sender<Option<Health>>,
}

#[derive(Default)]
struct Wish {
    url: Option<String>,
    is_cut: bool,
    is_running: bool,
}

impl FfmpegAir {
    /// One that sends the default clip.
    ///
    /// # Errors
    /// When the clip cannot be made.
    pub fn new() -> Result<Arc<Self>> {
        let (sent, heard) = (watch::Sender::new(Sent::default()), watch::Sender::new(None));
        Ok(Arc::new(Self { clip: Clip::default().file()?, wish: Arc::default(), sent, heard }))
    }

    /// Cuts the network, or mends it.
    pub fn cut(&self, is_cut: bool) {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner).is_cut = is_cut;
    }

    /// What it was told that the origin says.
    #[must_use]
    pub fn heard(&self) -> Option<Health> {
        self.heard.borrow().clone()
    }
}

async fn send(clip: PathBuf, wish: Arc<Mutex<Wish>>, sent: watch::Sender<Sent>) {
    let mut publisher: Option<(Publisher, String, Instant)> = None;
    loop {
        let (url, is_cut) = {
            let mut wish = wish.lock().unwrap_or_else(PoisonError::into_inner);
            wish.is_running = wish.url.is_some();
            (wish.url.clone(), wish.is_cut)
        };
        let Some(url) = url else {
            // Dropping it ends it.
            drop(publisher.take());
            sent.send_replace(Sent::default());
            return;
        };
        let is_good = publisher.as_mut().is_some_and(|(running, to, _)| running.is_running() && *to == url);
        if is_cut {
            publisher = None;
        } else if !is_good {
            publisher = None;
            let started = publish::ffmpeg_srt(&clip, &format!("{url}&pkt_size=1316")).ok();
            publisher = started.map(|started| (started, url, Instant::now())).or(publisher);
        }
        let is_connected = publisher.as_ref().is_some_and(|(_, _, since)| since.elapsed() >= CONNECTED_AFTER);
        let problem = is_cut.then(|| "the network is cut".to_owned());
        sent.send_replace(Sent { is_connected, problem, ..Sent::default() });
        tokio::time::sleep(INTERVAL).await;
    }
}

impl Air for FfmpegAir {
    fn open(&self, srt_url: &str) -> Result<(), Problem> {
        let mut wish = self.wish.lock().unwrap_or_else(PoisonError::into_inner);
        wish.url = Some(srt_url.to_owned());
        if !std::mem::replace(&mut wish.is_running, true) {
            tokio::spawn(send(self.clip.clone(), Arc::clone(&self.wish), self.sent.clone()));
        }
        Ok(())
    }

    fn close(&self) -> BoxFuture<'static, ()> {
        let wish = Arc::clone(&self.wish);
        wish.lock().unwrap_or_else(PoisonError::into_inner).url = None;
        async move {
            while wish.lock().unwrap_or_else(PoisonError::into_inner).is_running {
                tokio::time::sleep(INTERVAL).await;
            }
        }
        .boxed()
    }

    fn sent(&self) -> watch::Receiver<Sent> {
        self.sent.subscribe()
    }

    fn hear(&self, health: &Health) {
        self.heard.send_replace(Some(health.clone()));
    }
}
