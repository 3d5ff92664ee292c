//! The API's own description of itself (OpenAPI 3.1).

use axum::{
    http::header,
    response::{IntoResponse, Response},
};

/// Written by hand; the tests hold it against what the API does.
const DOCUMENT: &str = include_str!("openapi.json");

/// `GET /api/v1/openapi.json`
pub(super) async fn document() -> Response {
    ([(header::CONTENT_TYPE, "application/json")], DOCUMENT).into_response()
}
