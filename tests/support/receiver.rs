//! Somebody who is told things over HTTP: a webhook, a health check, a collector. Keeps what came, answers as scripted.

use super::http::{Reply, Request, Server};
use std::{
    io::Read as _,
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
};

/// A receiver on a free port of the loopback interface.
#[derive(Debug)]
pub(crate) struct Receiver {
    server: Server,
    requests: Arc<Mutex<Vec<Request>>>,
}

impl Receiver {
    /// One that answers what `reply` says.
    pub(crate) fn start(reply: impl Fn(&Request) -> Reply + Send + Sync + 'static) -> Self {
        let requests = Arc::new(Mutex::<Vec<Request>>::default());
        let kept = Arc::clone(&requests);
        let server = Server::start(Arc::new(move |request| {
            kept.lock().unwrap().push(request.clone());
            reply(request)
        }));
        Self { server, requests }
    }

    /// One that is content with everything.
    pub(crate) fn accepting() -> Self {
        Self::start(|_| Reply::new(200, "OK"))
    }

    /// The address of `path`.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.server.url())
    }

    /// What came so far, in the order in which it came.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.requests.lock().unwrap().clone()
    }

    /// Where to it came.
    pub(crate) fn targets(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.target).collect()
    }
}

/// The address of somebody who reads what is sent and closes the connection without an answer.
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

/// The address of somebody who accepts connections and never says a word.
pub(crate) fn never_answers() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    // Keeps what it accepts: the collection never ends.
    thread::spawn(move || drop(listener.incoming().collect::<Vec<_>>()));
    format!("http://{address}")
}
