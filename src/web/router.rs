//! What is where, and what holds for every answer.

use super::admission::{EVENTS, Gauge};
use super::health::Counted;
use super::reply::{self, Problem};
use super::{Settings, events, health, hooks, mailbox, preview, unsubscribe};
use crate::engine::Engine;
use axum::Router;
use axum::http::StatusCode;
use axum::middleware;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use std::sync::{Arc, Mutex};
use std::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;

/// What every door needs.
#[derive(Debug)]
pub struct Doors {
    pub(super) engine: Arc<Engine>,
    pub(super) settings: Settings,
    pub(super) gauge: Gauge,
    pub(super) counted: Counted,
    pub(super) previews: Mutex<preview::Ready>,
}

/// All routes. A door that is shut by configuration is not there at all: intake
/// without `[intake.events]`, hooks without `[intake.sources.…]`, the mailbox without the capture transport, the preview
/// without `serve --watch`.
pub fn router(engine: Arc<Engine>, settings: Settings) -> Router {
    let intake = settings.intake.is_some();
    let hooked = !settings.hooks.is_empty();
    let watch = settings.watch;
    let captures = engine.mailbox().is_some();
    let mut sources: Vec<(&str, _)> = Vec::new();
    sources.extend(settings.intake.iter().map(|events| (EVENTS, events.pace)));
    let hooks = settings.hooks.iter();
    sources.extend(hooks.map(|(name, hook)| (name.as_str(), Some(hook.pace))));
    let doors = Arc::new(Doors {
        gauge: Gauge::new(
            settings.in_flight,
            settings.bytes_in_flight,
            &sources,
            Instant::now(),
        ),
        counted: Counted::default(),
        previews: Mutex::default(),
        engine,
        settings,
    });
    let mut router = Router::new()
        .route("/u/{token}", get(unsubscribe::show).post(unsubscribe::take))
        .route("/healthz", get(health::healthz))
        .route("/readyz", get(health::readyz))
        .route("/metrics", get(health::metrics));
    if intake {
        router = router.route("/events", post(events::post));
    }
    if hooked {
        router = router.route(
            "/hooks/{source}",
            get(hooks::ask).options(hooks::greet).post(hooks::post),
        );
    }
    if captures {
        router = router
            .route("/", get(mailbox::front))
            .route("/mailbox", get(mailbox::list))
            .route("/mailbox/{id}", get(mailbox::open))
            .route("/mailbox/{id}/html", get(mailbox::html))
            .route("/mailbox/{id}/eml", get(mailbox::eml));
    }
    if watch {
        router = router
            .route("/preview", get(preview::show))
            .route("/preview/frame", get(preview::frame))
            .route("/preview/changes", get(preview::changes))
            .route("/preview/watch.js", get(preview::script));
    }
    router
        .fallback(async || Problem::bare(StatusCode::NOT_FOUND))
        .method_not_allowed_fallback(async || Problem::bare(StatusCode::METHOD_NOT_ALLOWED))
        .layer(CatchPanicLayer::custom(|_| {
            // The panic itself is in the log by its hook; a stranger learns nothing of it.
            Problem::bare(StatusCode::INTERNAL_SERVER_ERROR).into_response()
        }))
        .layer(middleware::map_response(async |mut response: Response| {
            reply::harden(response.headers_mut());
            response
        }))
        .with_state(doors)
}
