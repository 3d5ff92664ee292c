//! The windows' only writer: stores, then announces.

use std::{collections::BTreeMap, sync::Arc};

use skylark_media::{
    MediaTime, UnixTime,
    pipeline::{Init, Output, PackageConfig, Part, Resume},
    unit::RenditionId,
    window::{Snapshot, Window, WindowConfig},
};
use skylark_protocol::StreamId;

use super::broadcast::{Broadcast, Published, Rendition};
use crate::store::Store;

/// Characters of a broadcast's id.
const BROADCAST_ID_LEN: usize = 8;

/// What a broadcast's publishers write to, one after the other.
#[derive(Debug)]
pub struct BroadcastWriter {
    broadcast: Arc<Broadcast>,
    config: WindowConfig,
    /// End of the media on the broadcast's timeline.
    end: MediaTime,
    renditions: BTreeMap<RenditionId, RenditionWriter>,
}

#[derive(Debug)]
struct RenditionWriter {
    window: Window,
    init: Option<Arc<Init>>,
    shown: Option<Arc<Rendition>>,
}

impl BroadcastWriter {
    /// A broadcast that begins now.
    pub(super) fn new(
        _stream: &StreamId,
        config: WindowConfig,
        now: UnixTime,
        _store: &Store,
    ) -> Result<Self, getrandom::Error> {
        let id = crate::random::lowercase(BROADCAST_ID_LEN)?;
        let broadcast = Arc::new(Broadcast::new(id, now));
        Ok(Self { broadcast, config, end: MediaTime::ZERO, renditions: BTreeMap::new() })
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

    pub(super) async fn push(&mut self, output: Output) {
        match output {
            Output::Init(rendition, init) => self.push_init(rendition, init),
            Output::Discontinuity(rendition) => self.rendition(rendition).window.push_discontinuity(),
            Output::Part(rendition, part) => self.push_part(rendition, part).await,
            Output::SegmentEnd(rendition) => {
                self.rendition(rendition).window.end_segment();
                self.announce(rendition);
            }
            Output::Warning(_) => {}
        }
    }

    /// No more will come.
    pub(super) async fn end(&mut self) {
        let ids: Vec<RenditionId> = self.renditions.keys().copied().collect();
        for id in ids {
            self.rendition(id).window.end();
            self.announce(id);
        }
    }

    fn push_init(&mut self, id: RenditionId, init: Init) {
        let init = Arc::new(init);
        let rendition = self.rendition(id);
        rendition.window.push_init(Arc::clone(&init));
        rendition.init = Some(init);
    }

    async fn push_part(&mut self, id: RenditionId, part: Part) {
        self.end = self.end.max(part.start + part.duration);
        self.rendition(id).window.push_part(part);
        self.announce(id);
    }

    fn rendition(&mut self, id: RenditionId) -> &mut RenditionWriter {
        let config = self.config;
        self.renditions.entry(id).or_insert_with(|| RenditionWriter {
            window: Window::new(config, 0),
            init: None,
            shown: None,
        })
    }

    /// Renders what the rendition has now, once for all viewers, and wakes those who wait.
    fn announce(&mut self, id: RenditionId) {
        let rendition = self.rendition(id);
        let snapshot = rendition.window.snapshot();
        let (playlist, delta) = render(&snapshot);
        let published = Published::new(snapshot, playlist, delta);
        match &rendition.shown {
            Some(shown) => shown.publish(published),
            None => {
                rendition.shown = Some(Arc::new(Rendition::new(published)));
                self.show_renditions();
            }
        }
    }

    fn show_renditions(&self) {
        let shown = self.renditions.iter().filter_map(|(id, rendition)| Some((*id, rendition.shown.clone()?)));
        self.broadcast.show_renditions(shown.collect());
        self.broadcast.show_multivariant(multivariant(&self.renditions).into());
    }
}

fn render(_snapshot: &Snapshot) -> (String, Option<String>) {
    (String::new(), None)
}

fn multivariant(renditions: &BTreeMap<RenditionId, RenditionWriter>) -> String {
    renditions.values().filter_map(|rendition| rendition.init.as_ref()).map(|init| init.codecs.clone()).collect()
}
