//! Whether a run would get on with the server. Nothing is created there: jobs are audited.

use super::{
    client::{Client, Glimpse},
    config::{Config, Endpoints, Layout, printable},
};
use crate::{Clock, Error, ErrorKind, Probe, Result, plain_http, skew};
use reqwest::StatusCode;
use std::sync::Arc;

const ENDPOINTS: [Endpoints; 2] = [Endpoints::Exports, Endpoints::ExportsJobs];

/// Asks the server for the lists of its jobs, and compares its clock with ours.
pub async fn probe(config: Config, clock: Arc<dyn Clock>) -> Vec<Probe> {
    let layout = config.layout;
    let glimpses = match glimpses(config, &clock).await {
        Ok(glimpses) => glimpses,
        Err(error) => return vec![Probe::failed("source", error)],
    };
    let date = glimpses.iter().find_map(|(_, glimpse)| glimpse.date);
    vec![
        Probe::new("source", endpoints(layout, glimpses)),
        Probe::new("source: clock", skew::compare(date, clock.now())),
    ]
}

async fn glimpses(config: Config, clock: &Arc<dyn Clock>) -> Result<Vec<(Endpoints, Glimpse)>> {
    let Config { base, allow_http, credentials, .. } = config.validated()?;
    plain_http::check(&base, allow_http, ErrorKind::Configuration).await?;
    let shown = printable(&base);
    let client = Client::new(base, credentials, allow_http, Arc::clone(clock))?;
    let mut glimpses = Vec::new();
    for endpoints in ENDPOINTS {
        let glimpse = client.glimpse(endpoints).await?;
        tracing::debug!(url = shown, path = path(endpoints), status = glimpse.status.as_u16(), "asked for the jobs");
        glimpses.push((endpoints, glimpse));
    }
    Ok(glimpses)
}

/// Which endpoints a run would use.
fn endpoints(layout: Layout, glimpses: Vec<(Endpoints, Glimpse)>) -> Result<String> {
    let said = glimpses.iter().map(|(endpoints, glimpse)| said(*endpoints, glimpse)).collect::<Vec<_>>().join(", ");
    let there = glimpses.iter().filter(|(_, glimpse)| glimpse.status != StatusCode::NOT_FOUND);
    let there = there.map(|(endpoints, _)| *endpoints).collect::<Vec<_>>();
    let wanted = layout.candidates().iter().find(|candidate| there.contains(candidate));
    let Some(wanted) = wanted else {
        let error = Error::new(ErrorKind::Source, "the server does not have the endpoints that a run would use");
        let error = error.with_context("answers", said).with_context("api-layout", layout);
        return Err(match there.first() {
            Some(other) => error.with_hint(format!("try --api-layout {}", name(*other))),
            None => error.with_hint("check the source's address: it is the base of the API, and has no /v1"),
        });
    };
    match glimpses.into_iter().find(|(endpoints, _)| endpoints == wanted).and_then(|(_, glimpse)| glimpse.refusal) {
        Some(refusal) => Err(refusal.with_context("path", path(*wanted))),
        None => Ok(format!("{said}; with --api-layout {layout} a run uses {}", path(*wanted))),
    }
}

fn said(endpoints: Endpoints, glimpse: &Glimpse) -> String {
    format!("GET {}: {}", path(endpoints), glimpse.status.as_u16())
}

fn path(endpoints: Endpoints) -> String {
    format!("/{}", endpoints.create().join("/"))
}

const fn name(endpoints: Endpoints) -> &'static str {
    match endpoints {
        Endpoints::Exports => "exports",
        Endpoints::ExportsJobs => "exports-jobs",
    }
}
