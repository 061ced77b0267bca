//! A minimal HTTP/1.1 server over plain sockets, which can misbehave byte by byte.

use std::{
    fmt,
    io::{self, BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::Duration,
};

/// A received request.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// Path and query.
    pub(crate) target: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Request {
    pub(crate) fn path(&self) -> &str {
        self.target.split('?').next().unwrap_or_default()
    }

    pub(crate) fn query(&self) -> &str {
        self.target.split_once('?').map_or("", |(_, query)| query)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let header = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        header.map(|(_, value)| value.as_str())
    }

    /// Offset of a `Range: bytes=n-`.
    pub(crate) fn range_start(&self) -> Option<usize> {
        self.header("range")?.strip_prefix("bytes=")?.split('-').next()?.parse().ok()
    }
}

/// Writes a body to a connection.
pub(crate) type Generator = Arc<dyn Fn(&mut dyn Write) -> io::Result<()> + Send + Sync>;

/// Body of a reply.
#[derive(Clone)]
pub(crate) enum Body {
    /// With its `Content-Length`.
    Whole(Vec<u8>),
    /// Fewer bytes than the claimed `Content-Length`, then the connection closes.
    Short { bytes: Vec<u8>, claimed: usize },
    /// A chunk without a last one, then the connection closes.
    EndlessChunk(Vec<u8>),
    /// Without length and chunks, in this version of HTTP: the connection closes at its end.
    UntilClose(&'static str, Vec<u8>),
    /// In pieces of `piece` bytes with a pause before each.
    Slow { bytes: Vec<u8>, piece: usize, pause: Duration },
    /// Chunked, generated while it is sent.
    Generated(Generator),
}

impl fmt::Debug for Body {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Body")
    }
}

/// An answer.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Body,
}

impl Reply {
    pub(crate) fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self { status, headers: Vec::new(), body: Body::Whole(body.into()) }
    }

    pub(crate) fn json(status: u16, document: &serde_json::Value) -> Self {
        Self::new(status, document.to_string()).header("Content-Type", "application/json")
    }

    pub(crate) fn header(mut self, name: &str, value: impl fmt::Display) -> Self {
        self.headers.push((name.to_owned(), value.to_string()));
        self
    }

    pub(crate) fn with_body(mut self, body: Body) -> Self {
        self.body = body;
        self
    }
}

/// Answers requests.
pub(crate) type Handler = Arc<dyn Fn(&Request) -> Reply + Send + Sync>;

/// A server on a free loopback port, which stops when dropped.
#[derive(Debug)]
pub(crate) struct Server {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
}

impl Server {
    pub(crate) fn start(handler: Handler) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let stopped = Arc::new(AtomicBool::new(false));
        let stop = Arc::clone(&stopped);
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let handler = Arc::clone(&handler);
                // A connection dropped by the client is not an error.
                thread::spawn(move || converse(&connection, &handler).unwrap_or_default());
            }
        });
        Self { address, stopped }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        // Wakes the listener, which then reads the flag.
        drop(TcpStream::connect(self.address));
    }
}

fn converse(connection: &TcpStream, handler: &Handler) -> io::Result<()> {
    let mut reader = BufReader::new(connection);
    let mut writer = connection;
    while let Some(request) = read_request(&mut reader)? {
        let reply = handler(&request);
        if !write_reply(&mut writer, &reply)? {
            break;
        }
    }
    connection.shutdown(std::net::Shutdown::Both)
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Option<Request>> {
    let mut line = String::new();
    if reader.read_line(&mut line)? == 0 {
        return Ok(None);
    }
    let mut words = line.split_whitespace().map(str::to_owned);
    let (method, target) = words.next().zip(words.next()).ok_or(io::ErrorKind::InvalidData)?;
    let mut headers = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        match line.trim_end().split_once(':') {
            Some((name, value)) => headers.push((name.to_owned(), value.trim().to_owned())),
            None => break,
        }
    }
    let mut request = Request { method, target, headers, body: Vec::new() };
    let length = request.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    request.body = vec![0; length];
    reader.read_exact(&mut request.body)?;
    Ok(Some(request))
}

/// Returns whether the connection stays open.
fn write_reply(writer: &mut impl Write, reply: &Reply) -> io::Result<bool> {
    let version = if let Body::UntilClose(version, _) = reply.body { version } else { "HTTP/1.1" };
    write!(writer, "{version} {} Scripted\r\n", reply.status)?;
    for (name, value) in &reply.headers {
        write!(writer, "{name}: {value}\r\n")?;
    }
    match &reply.body {
        Body::Whole(bytes) => {
            write!(writer, "Content-Length: {}\r\n\r\n", bytes.len())?;
            writer.write_all(bytes)?;
            Ok(true)
        }
        Body::Short { bytes, claimed } => {
            write!(writer, "Content-Length: {claimed}\r\n\r\n")?;
            writer.write_all(bytes)?;
            Ok(false)
        }
        Body::EndlessChunk(bytes) => {
            write!(writer, "Transfer-Encoding: chunked\r\n\r\n")?;
            ChunkedWriter(writer).write_all(bytes)?;
            Ok(false)
        }
        Body::UntilClose(_, bytes) => {
            writer.write_all(b"Connection: close\r\n\r\n")?;
            writer.write_all(bytes)?;
            Ok(false)
        }
        Body::Slow { bytes, piece, pause } => {
            write!(writer, "Content-Length: {}\r\n\r\n", bytes.len())?;
            for piece in bytes.chunks((*piece).max(1)) {
                thread::sleep(*pause);
                writer.write_all(piece)?;
                writer.flush()?;
            }
            Ok(true)
        }
        Body::Generated(generate) => {
            write!(writer, "Transfer-Encoding: chunked\r\n\r\n")?;
            let mut buffered = io::BufWriter::with_capacity(64 << 10, ChunkedWriter(writer));
            generate(&mut buffered)?;
            let chunked = buffered.into_inner().map_err(io::IntoInnerError::into_error)?;
            chunked.0.write_all(b"0\r\n\r\n")?;
            Ok(true)
        }
    }
}

/// Sends each write as one chunk.
struct ChunkedWriter<W: Write>(W);

impl<W: Write> Write for ChunkedWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if !bytes.is_empty() {
            write!(self.0, "{:x}\r\n", bytes.len())?;
            self.0.write_all(bytes)?;
            self.0.write_all(b"\r\n")?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.flush()
    }
}
