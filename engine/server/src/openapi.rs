//! The API's document, made from the handlers.

use utoipa::{
    OpenApi,
    openapi::{
        ContentBuilder, Ref, RefOr, ResponseBuilder,
        path::Operation,
        security::{ApiKey, ApiKeyValue, Http, HttpAuthScheme, SecurityScheme},
    },
};
use utoipa_axum::router::OpenApiRouter;

use crate::{api, http::problem::Problem, state::Shared};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Twinloom",
        description = "The scheduler, the feature store and the model registry. Lists are `{items, next_cursor}`; errors are \
                       RFC 9457 problem documents with the command line's codes and hints; writes take an \
                       `Idempotency-Key`. What a route needs stands in `x-permission`.",
        license(name = "Apache-2.0", identifier = "Apache-2.0")
    ),
    components(schemas(Problem))
)]
struct Document;

/// The routes below `/api/v1`, with their document.
pub fn routes() -> (axum::Router<Shared>, utoipa::openapi::OpenApi) {
    let router = OpenApiRouter::with_openapi(Document::openapi()).nest("/api/v1", api::routes());
    let (router, mut document) = router.split_for_parts();
    finish(&mut document);
    (router, document)
}

/// The document as it is checked in: pretty JSON with an end of line.
///
/// # Errors
/// When it does not serialise.
pub fn text() -> Result<String, serde_json::Error> {
    let (_, document) = routes();
    serde_json::to_string_pretty(&document).map(|text| text + "\n")
}

fn finish(document: &mut utoipa::openapi::OpenApi) {
    for item in document.paths.paths.values_mut() {
        let operations = [
            &mut item.get,
            &mut item.put,
            &mut item.post,
            &mut item.patch,
            &mut item.delete,
        ];
        for operation in operations.into_iter().flatten() {
            add_problem(operation);
        }
    }
    let components = document.components.get_or_insert_default();
    let bearer = SecurityScheme::Http(Http::new(HttpAuthScheme::Bearer));
    let cookie = SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new("twinloom_session")));
    components.add_security_scheme("token", bearer);
    components.add_security_scheme("session", cookie);
}

fn add_problem(operation: &mut Operation) {
    let content = ContentBuilder::new()
        .schema(Some(RefOr::Ref(Ref::from_schema_name("Problem"))))
        .build();
    let problem = ResponseBuilder::new()
        .description("What went wrong.")
        .content("application/problem+json", content)
        .build();
    operation
        .responses
        .responses
        .insert("default".to_owned(), RefOr::T(problem));
}
