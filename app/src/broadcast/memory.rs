//! What the next launch has to know of a broadcast. No secret is in it: the stream key is made anew for whoever resumes.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use skylark_protocol::{
    StreamId,
    api::StreamDetails,
    event::PublicKey,
    studio::{Problem, Resumable},
};

use super::Origin;
use crate::kept;

/// The format that is written today.
const VERSION: u32 = 1;

/// A broadcast that was begun and not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Memory {
    version: u32,
    /// The origin.
    pub(super) address: String,
    /// Who streams.
    pub(super) who: PublicKey,
    /// The stream.
    pub(super) stream: StreamId,
    /// How it is announced.
    pub(super) details: StreamDetails,
    /// Date of the last announcement, Unix seconds: the next one is later, whatever the clock says.
    pub(super) told_at_s: Option<u64>,
    /// When the origin was last heard of, Unix milliseconds.
    pub(super) heard_at_ms: i64,
}

impl Memory {
    pub(super) fn new(address: String, who: PublicKey, stream: StreamId, details: StreamDetails, now_ms: i64) -> Self {
        Self { version: VERSION, address, who, stream, details, told_at_s: None, heard_at_ms: now_ms }
    }

    /// As the window shows it.
    pub(super) fn resumable(&self) -> Resumable {
        let patience_ms = i64::from(self.details.reconnect_timeout_s) * 1000;
        Resumable {
            stream: self.stream.clone(),
            details: self.details.clone(),
            until_ms: self.heard_at_ms.saturating_add(patience_ms),
        }
    }
}

/// The folder in which a Studio remembers its broadcasts.
#[derive(Debug, Clone)]
pub(super) struct Memories {
    folder: PathBuf,
}

impl Memories {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_owned() }
    }

    /// Where the origin on this machine keeps its things.
    pub(super) fn built_in(&self) -> PathBuf {
        self.folder.join("origin")
    }

    /// What was begun and not ended.
    pub(super) fn broadcast(&self) -> Result<Option<Memory>, Problem> {
        kept::read(&self.broadcast_path())
    }

    pub(super) fn keep(&self, memory: &Memory) -> Result<(), Problem> {
        kept::write(&self.broadcast_path(), memory)
    }

    pub(super) fn forget(&self) -> Result<(), Problem> {
        kept::remove(&self.broadcast_path())
    }

    /// Where the Studio streams to.
    pub(super) fn origin(&self) -> Result<Origin, Problem> {
        Ok(kept::read(&self.origin_path())?.unwrap_or_default())
    }

    pub(super) fn keep_origin(&self, origin: &Origin) -> Result<(), Problem> {
        kept::write(&self.origin_path(), origin)
    }

    /// How the last stream was announced.
    pub(super) fn last(&self) -> Option<StreamDetails> {
        kept::read(&self.last_path()).unwrap_or_else(|problem| {
            tracing::warn!(%problem, "how the last stream was announced is not known");
            None
        })
    }

    pub(super) fn keep_last(&self, details: &StreamDetails) -> Result<(), Problem> {
        kept::write(&self.last_path(), details)
    }

    fn last_path(&self) -> PathBuf {
        self.folder.join("announced.json")
    }

    fn broadcast_path(&self) -> PathBuf {
        self.folder.join("broadcast.json")
    }

    fn origin_path(&self) -> PathBuf {
        self.folder.join("origin.json")
    }
}
