//! The REST API under `/api/v1`: a file a resource, types beside the handlers that speak them.
#![expect(unused_qualifications, reason = "the derives of utoipa write paths in full")]

pub mod access;
pub mod approvals;
pub mod care;
pub mod dags;
pub mod datasets;
pub mod destinations;
pub mod events;
pub mod experiments;
pub mod hooks;
pub mod lineage;
pub mod logs;
pub mod models;
pub mod overview;
pub mod params;
pub mod pictures;
pub mod rows;
pub mod runs;
pub mod secrets;
pub mod session;
pub mod spec;
pub mod stream;
pub mod tasks;
pub mod triggers;
pub mod trouble;
pub mod words;

use utoipa_axum::{router::OpenApiRouter, routes};

use crate::state::Shared;

/// All routes, with paths below `/api/v1`.
pub fn routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .merge(accounts())
        .merge(dag_routes())
        .merge(run_routes())
        .merge(artifact_routes())
        .merge(event_routes())
        .merge(care_routes())
}

fn accounts() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(session::me))
        .routes(routes!(session::log_in, session::log_out))
        .routes(routes!(access::users, access::create_user))
        .routes(routes!(access::change_user, access::delete_user))
        .routes(routes!(access::tokens, access::create_token))
        .routes(routes!(access::delete_token))
        .routes(routes!(destinations::list))
        .routes(routes!(destinations::put, destinations::delete))
        .routes(routes!(secrets::list))
        .routes(routes!(secrets::show, secrets::put, secrets::delete))
}

fn dag_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(dags::list))
        .routes(routes!(dags::show))
        .routes(routes!(dags::source, dags::put_source))
        .routes(routes!(pictures::dag_graph))
        .routes(routes!(pictures::dag_grid))
        .routes(routes!(triggers::fires))
        .routes(routes!(triggers::list))
        .routes(routes!(triggers::decisions))
        .routes(routes!(dags::pause))
        .routes(routes!(dags::resume))
        .routes(routes!(dags::run))
        .routes(routes!(triggers::preview_backfill, triggers::backfill))
        .routes(routes!(spec::validate))
        .routes(routes!(spec::dag_schema))
        .routes(routes!(spec::operators))
        .routes(routes!(hooks::receive))
}

fn run_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(overview::show))
        .routes(routes!(runs::list))
        .routes(routes!(runs::show))
        .routes(routes!(pictures::run_graph))
        .routes(routes!(runs::cancel))
        .routes(routes!(runs::retry))
        .routes(routes!(runs::metrics))
        .routes(routes!(runs::why))
        .routes(routes!(runs::source))
        .routes(routes!(tasks::show))
        .routes(routes!(logs::show))
        .routes(routes!(experiments::list))
        .routes(routes!(experiments::curves))
        .routes(routes!(approvals::list))
        .routes(routes!(approvals::show, approvals::decide))
}

fn artifact_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(datasets::list))
        .routes(routes!(datasets::show))
        .routes(routes!(datasets::version))
        .routes(routes!(rows::show))
        .routes(routes!(rows::diff))
        .routes(routes!(lineage::dataset))
        .routes(routes!(models::list))
        .routes(routes!(models::show))
        .routes(routes!(models::version))
        .routes(routes!(models::move_alias))
        .routes(routes!(models::roll_back))
        .routes(routes!(models::compare))
        .routes(routes!(lineage::model))
}

fn event_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(events::list))
        .routes(routes!(events::audit))
        .routes(routes!(stream::stream))
}

fn care_routes() -> OpenApiRouter<Shared> {
    OpenApiRouter::new()
        .routes(routes!(care::pools))
        .routes(routes!(care::storage))
        .routes(routes!(care::collect))
        .routes(routes!(care::document))
}
