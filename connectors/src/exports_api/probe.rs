//! Checks whether a run would work with the server. Creates no job: jobs are audited.

use super::{
    client::{Client, ListResponse},
    config::{Config, Endpoints, Layout, printable},
};
use crate::{Clock, Error, ErrorKind, Probe, Result, clock::compare_clocks, http};
use reqwest::StatusCode;
use std::sync::Arc;

const ENDPOINTS: [Endpoints; 2] = [Endpoints::Exports, Endpoints::ExportsJobs];

/// Requests the lists of jobs, and compares the clock of the server with that of this host.
pub async fn probe(config: Config, clock: Arc<dyn Clock>) -> Vec<Probe> {
    let layout = config.layout;
    let responses = match lists(config, &clock).await {
        Ok(responses) => responses,
        Err(error) => return vec![Probe::failed("source", error)],
    };
    let date = responses.iter().find_map(|(_, response)| response.date);
    vec![
        Probe::new("source", endpoints(layout, responses)),
        Probe::new("source: clock", compare_clocks(date, clock.now())),
    ]
}

async fn lists(config: Config, clock: &Arc<dyn Clock>) -> Result<Vec<(Endpoints, ListResponse)>> {
    let config = config.validated()?;
    http::require_tls(&config.base, config.allow_http, ErrorKind::Configuration).await?;
    let client = Client::new(&config, Arc::clone(clock))?;
    let url = printable(&config.base);
    let mut responses = Vec::new();
    for endpoints in ENDPOINTS {
        let response = client.list(endpoints).await?;
        tracing::debug!(url, path = path(endpoints), status = response.status.as_u16(), "requested the jobs");
        responses.push((endpoints, response));
    }
    Ok(responses)
}

/// The endpoints that a run would use.
fn endpoints(layout: Layout, responses: Vec<(Endpoints, ListResponse)>) -> Result<String> {
    let statuses = responses.iter().map(|(endpoints, response)| status(*endpoints, response));
    let statuses = statuses.collect::<Vec<_>>().join(", ");
    let found = responses.iter().filter(|(_, response)| response.status != StatusCode::NOT_FOUND);
    let found = found.map(|(endpoints, _)| *endpoints).collect::<Vec<_>>();
    let wanted = layout.candidates().iter().find(|candidate| found.contains(candidate));
    let Some(wanted) = wanted else {
        let error = Error::new(ErrorKind::Source, "the server does not have the endpoints that a run would use");
        let error = error.with_context("answers", statuses).with_context("api-layout", layout);
        return Err(match found.first() {
            Some(other) => error.with_hint(format!("try --api-layout {}", name(*other))),
            None => error.with_hint("check the source's address: it is the base of the API, without /v1"),
        });
    };
    match responses.into_iter().find(|(endpoints, _)| endpoints == wanted).and_then(|(_, response)| response.refusal) {
        Some(refusal) => Err(refusal.with_context("path", path(*wanted))),
        None => Ok(format!("{statuses}; with --api-layout {layout} a run uses {}", path(*wanted))),
    }
}

fn status(endpoints: Endpoints, response: &ListResponse) -> String {
    format!("GET {}: {}", path(endpoints), response.status.as_u16())
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
