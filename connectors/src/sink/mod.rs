//! stub
pub struct Sink;
