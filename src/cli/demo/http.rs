//! A client for the demo's own service: one request to a loopback address, one answer.
//! It is for nothing else: no TLS, no redirects, no connection kept.

use std::net::SocketAddr;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// How long one request may take.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest answer that is read, in bytes.
const MAX_ANSWER: u64 = 1024 * 1024;

/// A request got no answer that makes sense.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The connection.
    #[error("no answer from the service: {0}")]
    Io(#[from] std::io::Error),
    /// The time limit.
    #[error("no answer from the service within {} s", TIMEOUT.as_secs())]
    Slow,
    /// No HTTP.
    #[error("the service's answer cannot be read")]
    Unreadable,
}

/// Status and body.
pub async fn get(address: SocketAddr, path: &str) -> Result<(u16, String), HttpError> {
    let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    limited(address, head.into_bytes()).await
}

/// Status and body.
pub async fn post(
    address: SocketAddr,
    path: &str,
    content_type: &str,
    body: &str,
) -> Result<(u16, String), HttpError> {
    let length = body.len();
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: {content_type}\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    );
    limited(address, request.into_bytes()).await
}

async fn limited(address: SocketAddr, request: Vec<u8>) -> Result<(u16, String), HttpError> {
    tokio::time::timeout(TIMEOUT, exchange(address, &request))
        .await
        .map_err(|_| HttpError::Slow)?
}

async fn exchange(address: SocketAddr, request: &[u8]) -> Result<(u16, String), HttpError> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    stream.write_all(request).await?;
    let mut answer = Vec::new();
    stream.take(MAX_ANSWER).read_to_end(&mut answer).await?;
    read(&answer).ok_or(HttpError::Unreadable)
}

fn read(answer: &[u8]) -> Option<(u16, String)> {
    let text = String::from_utf8_lossy(answer);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let status = head.strip_prefix("HTTP/1.1 ")?.get(..3)?.parse().ok()?;
    Some((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_taken_apart() {
        let answer = b"HTTP/1.1 202 Accepted\r\nContent-Length: 2\r\n\r\n{}";
        assert_eq!(read(answer), Some((202, "{}".to_owned())));
        assert_eq!(read(b"HTTP/1.1 202 Accepted\r\n"), None);
        assert_eq!(read(b"hello\r\n\r\n"), None);
    }
}
