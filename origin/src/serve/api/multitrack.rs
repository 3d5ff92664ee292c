//! What OBS asks before it sends several qualities.

use axum::{
    Json,
    extract::{State, rejection::JsonRejection},
    http::request::Parts,
};
use serde_json::Value;

use super::{Shared, failure::Failure, site_url};
use crate::{
    ingest::multitrack::{self, Question},
    serve::peer::Peer,
};

/// `POST /api/v1/multitrack`. OBS shows its user why it cannot begin only if that is no HTTP error.
pub(super) async fn configure(
    State(shared): State<Shared>,
    parts: Parts,
    question: Result<Json<Question>, JsonRejection>,
) -> Result<Json<Value>, Failure> {
    shared.callers.pace_address(Peer::of(&parts))?;
    let Json(question) = question.map_err(|error| Failure::bad_request("unreadable", error.body_text()))?;
    // As in the key of an RTMP address, OBS may have put options of its own behind it.
    let key = question.authentication.split('?').next().unwrap_or_default();
    if let Err(refusal) = shared.rooms.live.may_publish(key).await {
        return Ok(Json(multitrack::refuse(&question, &format!("This server says: {refusal}."))));
    }
    let Ok(site) = shared.rooms.site.as_asked(&parts) else {
        return Ok(Json(multitrack::refuse(&question, "This server does not know its own address.")));
    };
    let (host, port) = (site_url::host(&site), shared.rooms.ingest.rtmp);
    let template = format!("rtmp://{host}:{port}/live/{{stream_key}}");
    let answer = multitrack::configure(&question, &template);
    Ok(Json(answer.unwrap_or_else(|words| multitrack::refuse(&question, &words))))
}
