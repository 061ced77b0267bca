//! A receiver of HTTP requests (webhook, health check, collector), which records them and replies as scripted.

use super::http::{Reply, Request, Server};
use std::{
    io::Read as _,
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

/// A receiver on a free loopback port.
#[derive(Debug)]
pub(crate) struct Receiver {
    server: Server,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    /// Starts one that replies with the results of `reply`.
    pub(crate) fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let requests = Arc::new(Mutex::<Vec<Request>>::default());
        let kept = Arc::clone(&requests);
        let server = Server::start(Arc::new(move |request| {
            kept.lock().unwrap().push(request.clone());
            reply(request)
        }));
        Self { server, requests }
    }

    /// Starts one that replies 200 to every request.
    pub(crate) fn accepting() -> Self {
        Self::start(|_| Reply::new(200, "OK"))
    }

    /// URL of `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url())
    }

    /// Requests so far, in order.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Targets of the requests so far.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.target).collect()
    }
}

/// URL of a server that closes each connection without a reply.
pub(crate) fn hangs_up() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            drop((&connection).read(&mut [0; 64]));
        }
    });
    format!("http://{address}")
}

/// URL of a server that accepts connections and never replies.
pub(crate) fn never_answers() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Holds the connections: the collection never ends.
    thread::spawn(move || drop(listener.incoming().collect::<Vec<_>>()));
    format!("http://{address}")
}
