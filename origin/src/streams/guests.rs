//! Private streams: whom their hosts let in.

use skylark_media::UnixTime;
use skylark_protocol::{StreamId, address::Address, event::PublicKey};

use super::{Refused, Streams};
use crate::{
    db::{DbError, OwnedStream, now_ms},
    live::gate::{Epoch, Gate, TICKET_LIFE_S, TicketKey},
};

/// Guests of one stream.
pub const MAX_GUESTS: usize = 1000;

/// What somebody watches a private stream with.
#[derive(Debug)]
pub struct Ticket {
    /// The stream.
    pub stream: OwnedStream,
    /// What stands in the URLs of their playlists.
    pub text: String,
    /// When another is needed, Unix seconds.
    pub good_until_s: u64,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Visitor {
    /// Nobody knows.
    Stranger,
    /// Whoever has this key.
    Key(PublicKey),
    /// Whoever bears this ticket.
    Ticket(String),
}

impl Visitor {
    /// Whether they may watch.
    #[must_use]
    pub fn passes(&self, gate: &Gate, now: UnixTime) -> bool {
        match self {
            Self::Stranger => false,
            Self::Key(who) => gate.admits(who),
            Self::Ticket(ticket) => gate.takes(ticket, now),
        }
    }
}

impl Streams {
    /// A ticket for somebody who may watch.
    ///
    /// # Errors
    /// When they may not, or everybody may.
    pub async fn ticket(&self, who: &PublicKey, id: &StreamId) -> Result<Ticket, Refused> {
        let stream = self.get(id).await?;
        let gate = self.gate(id)?;
        if !gate.admits(who) {
            return Err(Refused::NotInvited);
        }
        let good_until_s = u64::try_from(now_ms() / 1000).unwrap_or_default().saturating_add(TICKET_LIFE_S);
        Ok(Ticket { stream, text: gate.ticket(who, good_until_s), good_until_s })
    }

    /// Whether somebody may be told what belongs to a stream.
    ///
    /// # Errors
    /// When they may not.
    pub fn admit(&self, visitor: &Visitor, stream: &OwnedStream) -> Result<(), Refused> {
        if !stream.details.private {
            return Ok(());
        }
        let gate = self.gate(&stream.id)?;
        if visitor.passes(&gate, self.live.clock().now()) { Ok(()) } else { Err(Refused::NotInvited) }
    }

    /// Whom the host has let in.
    ///
    /// # Errors
    /// When it is not the host who asks, or everybody may watch.
    pub async fn guests(&self, who: &PublicKey, id: &StreamId) -> Result<Vec<PublicKey>, Refused> {
        self.mine(who, id).await?;
        Ok(self.gate(id)?.guests.iter().copied().collect())
    }

    /// Lets somebody in.
    ///
    /// # Errors
    /// When it is not the host who asks, everybody may watch, or there are too many.
    pub async fn let_in(&self, who: &PublicKey, id: &StreamId, guest: PublicKey) -> Result<(), Refused> {
        self.mine(who, id).await?;
        let _one_at_a_time = self.guest_lists.lock().await;
        let mut gate = self.gate(id)?;
        if gate.guests.len() >= MAX_GUESTS && !gate.guests.contains(&guest) {
            return Err(Refused::field("guest", format!("is one more than the {MAX_GUESTS} that a stream may have")));
        }
        self.db.add_guest(id, &guest).await?;
        gate.guests.insert(guest);
        self.close(id, gate);
        Ok(())
    }

    /// Shows somebody out: their tickets are worth nothing from now on, and what they know of the media's URLs from
    /// the next segment on.
    ///
    /// # Errors
    /// When it is not the host who asks, or everybody may watch.
    pub async fn show_out(&self, who: &PublicKey, id: &StreamId, guest: &PublicKey) -> Result<(), Refused> {
        self.mine(who, id).await?;
        let _one_at_a_time = self.guest_lists.lock().await;
        let mut gate = self.gate(id)?;
        if gate.guests.remove(guest) {
            gate.epoch = Epoch::generate().map_err(DbError::from)?;
            self.db.remove_guest(id, guest, &gate.epoch).await?;
            self.close(id, gate);
            tracing::info!(stream = %id, "a guest was shown out");
        }
        Ok(())
    }

    /// Only these may watch and read from now on.
    pub(super) fn close(&self, id: &StreamId, gate: Gate) {
        self.relay.guard(Address::live_event(gate.host, id.as_str()), gate.clone());
        self.live.set_gate(id, gate);
    }

    fn gate(&self, id: &StreamId) -> Result<Gate, Refused> {
        let media = self.media(id).ok_or(Refused::Full)?;
        media.guarded().as_deref().cloned().ok_or(Refused::NotPrivate)
    }
}

/// The gate of a stream that begins to be private: nobody is let in but its host.
pub(super) fn new_gate(host: PublicKey) -> Result<Gate, DbError> {
    Ok(Gate { ticket_key: TicketKey::generate()?, epoch: Epoch::generate()?, host, guests: Default::default() })
}
