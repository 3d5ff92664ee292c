//! A low-latency HLS client: follows a stream by blocking reloads, checks every playlist, keeps every part.

use std::{
    collections::BTreeMap,
    io::Write as _,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, anyhow, bail, ensure};
use bytes::Bytes;
use skylark_media::package::validate;

use crate::{
    decode::{Decoded, decode},
    http::Http,
    playlist::{MediaPlaylist, Segment},
};

/// How long a server that has nothing new is left alone.
const ASK_AGAIN: Duration = Duration::from_millis(200);

/// A part that was played.
#[derive(Debug, Clone)]
pub struct PlayedPart {
    /// Media sequence number and index.
    pub number: (u64, usize),
    /// As the playlist has it, seconds.
    pub duration_s: f64,
    /// `INDEPENDENT=YES`.
    pub independent: bool,
    /// When it was there whole.
    pub arrived: Instant,
    /// Its media.
    pub data: Bytes,
}

/// Media behind one init segment, in order.
#[derive(Debug, Clone)]
pub struct Run {
    /// The init segment's file name.
    pub map: String,
    /// The init segment.
    pub init: Bytes,
    /// A discontinuity stands before it.
    pub discontinuity: bool,
    /// Its parts (or whole segments, where the playlist no longer lists parts).
    pub parts: Vec<PlayedPart>,
}

impl Run {
    /// Decodes it, up to where playing it was stopped.
    ///
    /// # Errors
    /// When it cannot be decoded.
    pub fn decode(&self) -> Result<Decoded> {
        let mut file = tempfile::Builder::new().suffix(".mp4").tempfile()?;
        file.write_all(&self.init)?;
        for part in &self.parts {
            file.write_all(&part.data)?;
        }
        file.flush()?;
        let mut decoded = decode(&file.path().to_string_lossy(), &[])?;
        decoded.cut_open_end();
        Ok(decoded)
    }
}

/// A player that keeps what it plays.
#[derive(Debug)]
pub struct Player {
    http: Http,
    /// The media playlist's URL.
    pub url: String,
    /// What was played: a new run begins at every init segment or discontinuity.
    pub runs: Vec<Run>,
    /// The playlist as it was last.
    pub playlist: MediaPlaylist,
    /// Every playlist that was read, in order, as text.
    pub history: Vec<String>,
    next: (u64, usize),
    segments: BTreeMap<u64, Vec<Bytes>>,
}

impl Player {
    /// Opens a stream at the oldest segment that its playlist has. Waits until there is one.
    ///
    /// # Errors
    /// When there is none within `patience`.
    pub async fn open(http: &Http, multivariant: &str, patience: Duration) -> Result<Self> {
        let url = crate::wait::until("the stream has a playlist", patience, async || {
            let answer = http.get(multivariant).await.ok().filter(|answer| answer.status == 200)?;
            let text = answer.text();
            let relative = text.lines().find(|line| !line.is_empty() && !line.starts_with('#'))?;
            Some(resolve(multivariant, relative))
        })
        .await?;
        Self::open_media(http, url).await
    }

    /// Opens a media playlist at its oldest segment.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn open_media(http: &Http, url: String) -> Result<Self> {
        let mut player = Self {
            http: http.clone(),
            url,
            runs: Vec::new(),
            playlist: MediaPlaylist::default(),
            history: Vec::new(),
            next: (0, 0),
            segments: BTreeMap::new(),
        };
        let url = player.url.clone();
        player.reload(&url).await?;
        player.next = (player.playlist.segments.first().context("the playlist is empty")?.msn, 0);
        player.take_new().await?;
        Ok(player)
    }

    /// Plays until `enough` says so.
    ///
    /// # Errors
    /// When the stream ends or breaks a rule before that, or after `patience`.
    pub async fn play_until(
        &mut self,
        what: &str,
        patience: Duration,
        mut enough: impl FnMut(&Self) -> bool,
    ) -> Result<()> {
        let deadline = Instant::now() + patience;
        while !enough(self) {
            ensure!(!self.playlist.ended, "the stream ended before this: {what}");
            ensure!(Instant::now() < deadline, "played {:.0} s in vain for this: {what}", patience.as_secs_f64());
            self.advance().await?;
        }
        Ok(())
    }

    /// Plays until at least `seconds` of media are there.
    ///
    /// # Errors
    /// When that takes 20 s longer than it plays.
    pub async fn play_seconds(&mut self, seconds: f64) -> Result<()> {
        let patience = Duration::from_secs_f64(seconds + 20.0);
        self.play_until(&format!("{seconds} s of media"), patience, |player| player.seconds() >= seconds).await
    }

    /// Plays until `EXT-X-ENDLIST`.
    ///
    /// # Errors
    /// When it does not come within `patience`.
    pub async fn play_to_the_end(&mut self, patience: Duration) -> Result<()> {
        let deadline = Instant::now() + patience;
        while !self.playlist.ended {
            ensure!(Instant::now() < deadline, "no EXT-X-ENDLIST within {:.0} s", patience.as_secs_f64());
            self.advance().await?;
        }
        Ok(())
    }

    /// Media played so far, seconds.
    #[must_use]
    pub fn seconds(&self) -> f64 {
        self.parts().map(|part| part.duration_s).sum()
    }

    /// Everything played so far.
    pub fn parts(&self) -> impl Iterator<Item = &PlayedPart> {
        self.runs.iter().flat_map(|run| &run.parts)
    }

    /// Asks for the playlist that has the next part, which the server holds until it is there; takes what is new.
    async fn advance(&mut self) -> Result<()> {
        let (msn, part) = self.next;
        let url = format!("{}?_HLS_msn={msn}&_HLS_part={part}", self.url);
        self.reload(&url).await?;
        self.take_new().await
    }

    async fn reload(&mut self, url: &str) -> Result<()> {
        let answer = self.http.get(url).await?;
        // A held request is let go when the stream stays silent, and is then asked again: not at once, while the server is
        // away for long.
        if answer.status == 503 {
            tokio::time::sleep(ASK_AGAIN).await;
            return Ok(());
        }
        ensure!(answer.status == 200, "GET {url} answered {} {:?}", answer.status, answer.text());
        let text = answer.text();
        let playlist = MediaPlaylist::parse(&text)?;
        let shown = || format!("{}\n---\n{text}", self.last_text());
        self.check_rules(&text).with_context(shown)?;
        self.check_against_last(&playlist).with_context(shown)?;
        self.playlist = playlist;
        self.history.push(text);
        Ok(())
    }

    fn last_text(&self) -> &str {
        self.history.last().map_or("", String::as_str)
    }

    /// The rules of the specification, for this playlist and the one before it.
    fn check_rules(&self, text: &str) -> Result<()> {
        let broken = |violation: validate::Violation| anyhow!("§{}: {}", violation.section, violation.found);
        let playlist = validate::MediaPlaylist::parse(text).map_err(broken)?;
        if let Some(before) = self.history.last() {
            playlist.check_follows(&validate::MediaPlaylist::parse(before).map_err(broken)?).map_err(broken)?;
        }
        Ok(())
    }

    /// What must not change from one playlist to the next.
    fn check_against_last(&self, new: &MediaPlaylist) -> Result<()> {
        let old = &self.playlist;
        if self.history.is_empty() {
            return Ok(());
        }
        ensure!(new.target_duration_s == old.target_duration_s, "TARGETDURATION changed");
        ensure!((new.part_target_s - old.part_target_s).abs() < 1e-9, "PART-TARGET changed");
        ensure!(new.next_part() >= old.next_part(), "the playlist went back");
        for segment in &new.segments {
            let before = old.segments.iter().find(|before| before.msn == segment.msn);
            let Some(before) = before else { continue };
            ensure!(before.discontinuity == segment.discontinuity, "segment {} changed its discontinuity", segment.msn);
            ensure!(before.map == segment.map, "segment {} changed its init segment", segment.msn);
            ensure!(before.uri.is_none() || before.uri == segment.uri, "segment {} changed its URI", segment.msn);
            if !segment.parts.is_empty() {
                ensure!(segment.parts.starts_with(&before.parts), "segment {} changed its parts", segment.msn);
            }
        }
        Ok(())
    }

    /// Fetches every part (or, where parts are no longer listed, segment) that was not there before.
    async fn take_new(&mut self) -> Result<()> {
        for segment in self.playlist.segments.clone() {
            if segment.msn < self.next.0 {
                continue;
            }
            if segment.parts.is_empty() && self.next == (segment.msn, 0) {
                let Some(uri) = &segment.uri else { continue };
                let data = self.http.fetch(&resolve(&self.url, uri)).await?;
                self.keep(&segment, 0, segment.duration_s, true, data).await?;
            }
            for (index, part) in segment.parts.iter().enumerate() {
                if (segment.msn, index) < self.next {
                    continue;
                }
                let data = self.http.fetch(&resolve(&self.url, &part.uri)).await?;
                self.segments.entry(segment.msn).or_default().push(data.clone());
                self.keep(&segment, index, part.duration_s, part.independent, data).await?;
            }
            if let Some(uri) = &segment.uri {
                self.check_whole_segment(&segment, &resolve(&self.url, uri)).await?;
                self.next = (segment.msn + 1, 0);
            }
        }
        Ok(())
    }

    async fn keep(
        &mut self,
        segment: &Segment,
        index: usize,
        duration_s: f64,
        independent: bool,
        data: Bytes,
    ) -> Result<()> {
        let number = (segment.msn, index);
        let map = segment.map.clone().context("a segment without EXT-X-MAP")?;
        let run_begins = match self.runs.last() {
            Some(run) => run.map != map || (segment.discontinuity && index == 0),
            None => true,
        };
        if run_begins {
            let init = self.http.fetch(&resolve(&self.url, &map)).await?;
            self.runs.push(Run { map, init, discontinuity: segment.discontinuity, parts: Vec::new() });
        }
        let Some(run) = self.runs.last_mut() else { bail!("a run has just begun") };
        run.parts.push(PlayedPart { number, duration_s, independent, arrived: Instant::now(), data });
        self.next = (segment.msn, index + 1);
        Ok(())
    }

    /// A complete segment is its parts, one after the other.
    async fn check_whole_segment(&mut self, segment: &Segment, url: &str) -> Result<()> {
        let Some(parts) = self.segments.remove(&segment.msn) else { return Ok(()) };
        if parts.len() != segment.parts.len() {
            return Ok(());
        }
        let whole = self.http.fetch(url).await?;
        ensure!(parts.concat() == whole, "segment {} is not the sum of its parts", segment.msn);
        let sum: f64 = segment.parts.iter().map(|part| part.duration_s).sum();
        ensure!((sum - segment.duration_s).abs() < 0.01, "segment {}: EXTINF is not the sum of its parts", segment.msn);
        Ok(())
    }
}

/// A reference in a playlist, made absolute (RFC 3986 §5).
#[must_use]
pub fn resolve(base: &str, reference: &str) -> String {
    let base = url::Url::parse(base);
    base.and_then(|base| base.join(reference)).map_or_else(|_| reference.to_owned(), |url| url.to_string())
}

/// The media playlists of a stream, as soon as it has so many qualities.
///
/// # Errors
/// When it has not within `patience`.
pub async fn variants(http: &Http, multivariant: &str, count: usize, patience: Duration) -> Result<Vec<String>> {
    crate::wait::until("all qualities are listed", patience, async || {
        let answer = http.get(multivariant).await.ok().filter(|answer| answer.status == 200)?;
        let text = answer.text();
        let found: Vec<_> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        (found.len() == count).then(|| found.iter().map(|line| resolve(multivariant, line)).collect())
    })
    .await
}

/// Plays ten seconds of a clip and checks that picture and sound arrived whole and in sync; answers the number of the first
/// frame.
///
/// # Errors
/// When something is missing, or comes at the wrong time.
pub async fn play_whole(http: &Http, multivariant: &str, patience: Duration) -> Result<u16> {
    play_all_of(Player::open(http, multivariant, patience).await?).await
}

/// The same of a playlist that is open.
///
/// # Errors
/// As [`play_whole`].
pub async fn play_all_of(mut player: Player) -> Result<u16> {
    player.play_seconds(10.0).await?;
    ensure!(player.runs.len() == 1, "one publisher without interruption is one run, not {}", player.runs.len());
    let decoded = player.runs[0].decode()?;
    decoded.check_every_frame()?;
    decoded.check_sync(30, 40.0, 8)?;
    ensure!(decoded.sound_gaps.is_empty(), "sound goes on without gaps: {:?}", decoded.sound_gaps);
    Ok(decoded.frames.first().context("no frame was played")?.number)
}
