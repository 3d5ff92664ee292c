//! Whether a caller may publish: asked of the database in a task of its own, because the socket cannot wait.

use std::{sync::Arc, time::Duration};

use skylark_media::srt::{Keys, Rejection, Request, RequestId};
use tokio::time::timeout;

use crate::{
    ingest::Protocol,
    live::{Live, Publisher, Refusal},
    secret::Passphrase,
};

/// A decision takes at most so long: callers give up after 3 s, and one who has must not hold the stream.
const DECISION_TIMEOUT: Duration = Duration::from_millis(900);

/// What became of a request.
pub(super) struct Decision {
    pub(super) request: RequestId,
    pub(super) verdict: Result<Admitted, Rejection>,
}

/// A caller who may publish.
pub(super) struct Admitted {
    pub(super) publisher: Publisher,
    pub(super) keys: Option<Keys>,
}

/// Decides a request.
pub(super) async fn decide(live: Arc<Live>, passphrase: Option<Passphrase>, request: Request) -> Decision {
    let (id, peer, key_bits) = (request.id, request.peer, request.key_bits());
    let verdict = match timeout(DECISION_TIMEOUT, admit(&live, passphrase, request)).await {
        Ok(verdict) => verdict,
        Err(_) => Err((Rejection::Internal, "the decision took too long".to_owned())),
    };
    let verdict = match verdict {
        Ok(admitted) => {
            tracing::info!(%peer, stream = %admitted.publisher.stream_id(), key_bits, "SRT publisher");
            Ok(admitted)
        }
        Err((rejection, reason)) => {
            tracing::warn!(%peer, code = rejection.code(), reason, "SRT publisher refused");
            Err(rejection)
        }
    };
    Decision { request: id, verdict }
}

async fn admit(
    live: &Arc<Live>,
    passphrase: Option<Passphrase>,
    request: Request,
) -> Result<Admitted, (Rejection, String)> {
    let key = request.key().map_err(|error| (error.into(), error.to_string()))?.to_owned();
    let peer = request.peer;
    // Unwrapping keys takes milliseconds of CPU: only callers with a good key get that far.
    let own = live.passphrase(&key).await.map_err(refusal)?;
    let passphrase = own.or(passphrase);
    let unlock = move || request.unlock(passphrase.as_ref().map(Passphrase::reveal));
    let keys = match tokio::task::spawn_blocking(unlock).await {
        Ok(unlocked) => unlocked.map_err(|rejection| (rejection, rejection.to_string()))?,
        Err(error) => return Err((Rejection::Internal, error.to_string())),
    };
    let publisher = live.admit(&key, Protocol::Srt, peer).await.map_err(refusal)?;
    Ok(Admitted { publisher, keys })
}

fn refusal(refusal: Refusal) -> (Rejection, String) {
    let rejection = match refusal {
        Refusal::UnknownKey | Refusal::Revoked | Refusal::Over => Rejection::Unauthorized,
        Refusal::InUse => Rejection::Conflict,
        Refusal::TooManyPublishers => Rejection::Overload,
        Refusal::ShuttingDown => Rejection::Closing,
        Refusal::Unavailable => Rejection::Internal,
    };
    (rejection, refusal.to_string())
}
