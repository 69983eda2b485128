//! Extractors whose rejections are problem documents.

use axum::{
    extract::{FromRequest, FromRequestParts, Request, rejection::JsonRejection},
    http::{StatusCode, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Serialize, de::DeserializeOwned};

use super::problem::Problem;

/// The query string.
pub struct Query<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|error| {
                Problem::bad_request(
                    "request.query",
                    error.body_text(),
                    "See GET /api/v1/openapi.json for the parameters.",
                )
            })
    }
}

/// Parameters in the path; each is percent-decoded.
pub struct Path<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        axum::extract::Path::from_request_parts(parts, state)
            .await
            .map(|axum::extract::Path(path)| Self(path))
            .map_err(|error| {
                Problem::not_found(
                    "request.path",
                    error.body_text(),
                    "Check the address; names in it are percent-encoded.",
                )
            })
    }
}

/// A JSON body, both ways.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let read = axum::Json::<T>::from_request(request, state).await;
        read.map(|axum::Json(body)| Self(body)).map_err(|error| {
            let (status, code) = match &error {
                JsonRejection::MissingJsonContentType(_) => {
                    (StatusCode::UNSUPPORTED_MEDIA_TYPE, "request.content_type")
                }
                JsonRejection::JsonDataError(_) => (StatusCode::UNPROCESSABLE_ENTITY, "request.body"),
                JsonRejection::BytesRejection(_) => (error.status(), "request.too_large"),
                _ => (StatusCode::BAD_REQUEST, "request.body"),
            };
            Problem::new(
                status,
                code,
                error.body_text(),
                "Send JSON with `Content-Type: application/json`.",
            )
        })
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}
