//! The windows' only writer: stores, then announces.

use std::{collections::BTreeMap, sync::Arc};

use arc_swap::ArcSwapOption;
use skylark_media::{
    MediaTime, UnixTime,
    package::playlist::{self, RenditionReport, Variant},
    pipeline::{Init, Output, PackageConfig, Part, Resume},
    unit::RenditionId,
    window::{Position, Window, WindowConfig},
};
use skylark_protocol::StreamId;

use super::{
    broadcast::{Broadcast, Published, Rendition},
    gate::{Epochs, Gate},
};
use crate::store::{
    Journal, Store,
    recovery::{Recovered, RecoveredRendition},
};

/// Characters of a broadcast's id.
const BROADCAST_ID_LEN: usize = 8;

/// What a broadcast's publishers write to, one after the other.
#[derive(Debug)]
pub struct BroadcastWriter {
    broadcast: Arc<Broadcast>,
    config: WindowConfig,
    /// Who may watch, if not everybody.
    gate: Arc<ArcSwapOption<Gate>>,
    journal: Journal,
    /// End of the media on the broadcast's timeline.
    end: MediaTime,
    renditions: BTreeMap<RenditionId, RenditionWriter>,
}

#[derive(Debug)]
struct RenditionWriter {
    window: Window,
    /// Segments before this one have been evicted from the store.
    first_msn: u64,
    epochs: Epochs,
    /// What readers have; from the first part on.
    shown: Option<Arc<Rendition>>,
}

impl BroadcastWriter {
    /// A broadcast that begins now.
    pub(super) fn new(
        stream: &StreamId,
        config: WindowConfig,
        now: UnixTime,
        store: &Store,
        gate: Arc<ArcSwapOption<Gate>>,
    ) -> Result<Self, getrandom::Error> {
        let id = crate::random::lowercase(BROADCAST_ID_LEN)?;
        let journal = store.begin(stream, &id, now, config);
        let broadcast = Arc::new(Broadcast::new(id, now));
        Ok(Self { broadcast, config, gate, journal, end: MediaTime::ZERO, renditions: BTreeMap::new() })
    }

    /// A broadcast from before a restart, with what was kept of it.
    pub(super) fn recover(mut recovered: Recovered, store: &Store, gate: Arc<ArcSwapOption<Gate>>) -> Self {
        let journal = store.resume(&mut recovered);
        let Recovered { broadcast, started_at, config, renditions, .. } = recovered;
        let broadcast = Arc::new(Broadcast::new(broadcast, started_at));
        let end = renditions.values().map(|rendition| rendition.end).max().unwrap_or_default();
        let renditions = renditions.into_iter().map(|(id, rendition)| {
            let window = rebuild(config, rendition);
            let first_msn = window.first_msn();
            (id, RenditionWriter { window, first_msn, epochs: Epochs::default(), shown: None })
        });
        let mut writer = Self { broadcast, config, gate, journal, end, renditions: renditions.collect() };
        writer.announce_all();
        writer
    }

    pub(super) fn broadcast(&self) -> &Arc<Broadcast> {
        &self.broadcast
    }

    pub(super) fn package(&self) -> PackageConfig {
        self.config.package
    }

    /// Where a publisher who returns now goes on: never before what is there, and otherwise where the broadcast would
    /// be had it never stopped.
    pub(super) fn resume(&mut self, now: UnixTime) -> Resume {
        for rendition in self.renditions.values_mut() {
            rendition.window.push_discontinuity();
        }
        let elapsed = now.since(self.broadcast.started_at());
        let elapsed = MediaTime::from_us(i64::try_from(elapsed.as_micros()).unwrap_or(i64::MAX));
        Resume { base: self.end.max(elapsed) }
    }

    /// Stores what a pipeline yields, then lets readers have it.
    pub(super) async fn push(&mut self, output: Output) {
        match output {
            Output::Init(id, init) => self.push_init(id, init),
            Output::Discontinuity(id) => self.rendition(id).window.push_discontinuity(),
            Output::Part(id, part) => self.push_part(id, part).await,
            Output::SegmentEnd(id) => self.end_segment(id),
            Output::Warning(_) => {}
        }
    }

    /// No more will come.
    pub(super) fn end(&mut self) {
        self.journal.end();
        for rendition in self.renditions.values_mut() {
            rendition.window.end();
        }
        self.announce_all();
    }

    /// Deletes what the store has of it.
    pub(super) fn remove(&self) {
        self.journal.remove();
    }

    fn push_init(&mut self, id: RenditionId, init: Init) {
        let init = Arc::new(init);
        let rendition = self.rendition(id);
        rendition.window.push_init(Arc::clone(&init));
        let number = rendition.window.position().init;
        self.journal.init(id, number, &init);
    }

    async fn push_part(&mut self, id: RenditionId, part: Part) {
        self.end = self.end.max(part.start + part.duration);
        let position = self.rendition(id).window.position();
        self.journal.part(id, position, &part).await;
        let rendition = self.rendition(id);
        rendition.window.push_part(part);
        self.evict(id);
        self.announce(id);
    }

    fn end_segment(&mut self, id: RenditionId) {
        let rendition = self.rendition(id);
        let msn = rendition.window.position().msn;
        rendition.window.end_segment();
        self.journal.segment_end(id, msn);
        self.evict(id);
        self.announce(id);
        self.show_multivariant();
    }

    /// Forgets on disk what has left the window.
    fn evict(&mut self, id: RenditionId) {
        let rendition = self.rendition(id);
        let first_msn = rendition.window.first_msn();
        if first_msn != rendition.first_msn {
            rendition.first_msn = first_msn;
            self.journal.evict(id, first_msn);
        }
    }

    fn rendition(&mut self, id: RenditionId) -> &mut RenditionWriter {
        let config = self.config;
        self.renditions.entry(id).or_insert_with(|| RenditionWriter {
            window: Window::new(config, 0),
            first_msn: 0,
            epochs: Epochs::default(),
            shown: None,
        })
    }

    /// Renders what the rendition has now, once for all viewers, and wakes those who wait.
    fn announce(&mut self, id: RenditionId) {
        let (reports, gate, broadcast) = (self.reports(id), self.gate.load_full(), Arc::clone(&self.broadcast));
        let rendition = self.rendition(id);
        let snapshot = rendition.window.snapshot();
        if snapshot.last().is_none() {
            return;
        }
        if let Some(gate) = gate {
            // From `/live/{stream}/{ticket}/{broadcast}/{rendition}/index.m3u8`, which is each viewer's own.
            let folder = |epoch: &str| format!("../../../{epoch}/{}/{}/", broadcast.id(), id.0);
            rendition.epochs.name(rendition.window.position().msn, &gate.epoch, folder);
            rendition.epochs.forget_before(rendition.window.first_msn());
        }
        let epochs = rendition.epochs.clone();
        let render = |skip| playlist::media_playlist_elsewhere(&snapshot, skip, &reports, &|msn| epochs.folder(msn));
        let (playlist, delta) = (render(false), snapshot.can_skip().then(|| render(true)));
        let published = Published::new(snapshot, epochs, playlist, delta);
        match &rendition.shown {
            Some(shown) => shown.publish(published),
            None => {
                rendition.shown = Some(Arc::new(Rendition::new(published)));
                self.show_renditions();
            }
        }
    }

    fn announce_all(&mut self) {
        let ids: Vec<RenditionId> = self.renditions.keys().copied().collect();
        ids.into_iter().for_each(|id| self.announce(id));
    }

    /// Where the other renditions stand.
    fn reports(&self, id: RenditionId) -> Vec<RenditionReport> {
        let others = self.renditions.iter().filter(|(other, _)| **other != id);
        others
            .filter_map(|(other, rendition)| {
                let (last_msn, last_part) = rendition.shown.as_ref()?.published().snapshot.last()?;
                Some(RenditionReport { uri: format!("../{}/index.m3u8", other.0), last_msn, last_part })
            })
            .collect()
    }

    fn show_renditions(&self) {
        let shown = self.renditions.iter().filter_map(|(id, rendition)| Some((*id, rendition.shown.clone()?)));
        self.broadcast.show_renditions(shown.collect());
        self.show_multivariant();
    }

    fn show_multivariant(&self) {
        let shown =
            self.renditions.iter().filter_map(|(id, rendition)| Some((*id, rendition.shown.as_ref()?.published())));
        let shown: Vec<_> = shown.collect();
        let variants: Vec<Variant<'_>> = shown
            .iter()
            .filter_map(|(id, published)| {
                let bandwidth = published.snapshot.bandwidth();
                Some(Variant {
                    uri: format!("{}/{}/index.m3u8", self.broadcast.id(), id.0),
                    init: published.snapshot.latest_init()?,
                    bandwidth_bps: bandwidth.peak_bps,
                    average_bandwidth_bps: bandwidth.average_bps,
                })
            })
            .collect();
        if !variants.is_empty() {
            self.broadcast.show_multivariant(playlist::multivariant(&variants).into());
        }
    }
}

/// A window as it was, from what was kept of it. Where that cannot be, one whose numbers continue.
fn rebuild(config: WindowConfig, rendition: RecoveredRendition) -> Window {
    let RecoveredRendition { inits, parts, last, segment_ended, .. } = rendition;
    let Some(last) = last else { return Window::new(config, 0) };
    let complete = parts.last().is_some_and(|(position, _)| *position == last);
    if complete && let Some(window) = replay(config, &inits, parts, segment_ended) {
        return window;
    }
    Window::continued(
        config,
        Position {
            msn: last.msn.saturating_add(1),
            part: 0,
            init: last.init.saturating_add(1),
            discontinuity: true,
            discontinuity_sequence: last.discontinuity_sequence.saturating_add(u64::from(last.discontinuity)),
        },
    )
}

/// `None` when the parts do not get the numbers that they had.
fn replay(
    config: WindowConfig,
    inits: &BTreeMap<u32, Arc<Init>>,
    parts: Vec<(Position, Part)>,
    segment_ended: bool,
) -> Option<Window> {
    let mut before = parts.first()?.0;
    let mut window = Window::continued(config, before);
    window.push_init(Arc::clone(inits.get(&before.init)?));
    for (position, part) in parts {
        if position.msn != before.msn {
            window.end_segment();
        }
        if position.init != before.init {
            window.push_init(Arc::clone(inits.get(&position.init)?));
        } else if position.msn != before.msn && position.discontinuity {
            window.push_discontinuity();
        }
        if window.position() != position {
            return None;
        }
        window.push_part(part);
        before = position;
    }
    if segment_ended {
        window.end_segment();
    }
    Some(window)
}
