//! Asking other services over HTTP/1.1: platforms' interfaces, and whom alerts go to.
//!
//! A [`Client`] speaks to one place, which configuration names, and to no other: what an
//! answer or a delivery says of where to look next is followed on that host alone, and
//! redirects are not followed at all. A secret goes over TLS, or stays on this machine.
//! It stands in no `Debug`, no error and no log line, and nothing of a query does.
//!
//! Every answer has limits: how long, how large. Nothing here tries again: whoever asks
//! knows whether asking twice does harm.
//!
//! ```no_run
//! # async fn example() -> Result<(), aftercare::client::ClientError> {
//! use aftercare::client::{Ask, Auth, Client};
//! use aftercare::config::Secret;
//! let shop = Client::new("https://shop.example.com", Auth::Bearer(Secret::new("token")))?;
//! let answer = shop.send(Ask::get("/api/orders").query("limit", "50")).await?;
//! if answer.is_fine() {
//!     let _orders = answer.json()?;
//! }
//! # Ok(())
//! # }
//! ```

mod answer;
mod ask;
mod error;

pub use answer::Answer;
pub use ask::{Ask, is_segment, segment};
pub use error::ClientError;

use crate::config::Secret;
use crate::trust::Trust;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http_body_util::{BodyExt, Full, LengthLimitError, Limited};
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::{Request, Response, body::Incoming};
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_util::task::AbortOnDropHandle;
use url::{Host, Url};

/// How long it may take until a connection stands: name, TCP and TLS.
pub const CONNECT: Duration = Duration::from_secs(10);
/// How long a request and its whole answer may take once the connection stands.
pub const ANSWER: Duration = Duration::from_secs(30);
/// Largest body of an answer, in bytes.
pub const MAX_ANSWER: usize = 16 * 1024 * 1024;
/// Most bytes of an answer's head.
const MAX_HEAD: usize = 64 * 1024;
/// Most headers of an answer.
const MAX_HEADERS: usize = 128;
/// What we call ourselves.
const USER_AGENT: &str = concat!("aftercare/", env!("CARGO_PKG_VERSION"));

/// How we prove who we are.
#[derive(Clone)]
pub enum Auth {
    /// Not at all.
    None,
    /// A user and a password (RFC 7617).
    Basic { user: Secret, password: Secret },
    /// A token (RFC 6750).
    Bearer(Secret),
    /// A token in a header of the platform's own.
    Header { name: &'static str, value: Secret },
}

impl fmt::Debug for Auth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Auth::None => "None",
            Auth::Basic { .. } => "Basic(***)",
            Auth::Bearer(_) => "Bearer(***)",
            Auth::Header { .. } => "Header(***)",
        })
    }
}

impl Auth {
    /// The header that proves it, marked as one that is never shown.
    fn header(&self) -> Result<Option<(HeaderName, HeaderValue)>, ClientError> {
        let (name, text) = match self {
            Auth::None => return Ok(None),
            Auth::Basic { user, password } => {
                let pair = format!("{}:{}", user.reveal(), password.reveal());
                let text = format!("Basic {}", STANDARD.encode(pair));
                (header::AUTHORIZATION, text)
            }
            Auth::Bearer(token) => (header::AUTHORIZATION, format!("Bearer {}", token.reveal())),
            Auth::Header { name, value } => {
                let name =
                    HeaderName::from_bytes(name.as_bytes()).map_err(|_| ClientError::Token)?;
                (name, value.reveal().to_owned())
            }
        };
        let mut value = HeaderValue::from_str(&text).map_err(|_| ClientError::Token)?;
        value.set_sensitive(true);
        Ok(Some((name, value)))
    }
}

/// What one answer may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// See [`CONNECT`].
    pub connect: Duration,
    /// See [`ANSWER`].
    pub answer: Duration,
    /// See [`MAX_ANSWER`].
    pub body: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            connect: CONNECT,
            answer: ANSWER,
            body: MAX_ANSWER,
        }
    }
}

/// Asks one place. Clones share nothing but what they were told.
#[derive(Debug, Clone)]
pub struct Client {
    base: Url,
    auth: Auth,
    limits: Limits,
    trust: Trust,
}

impl Client {
    /// A client of the place at `base`: `https://HOST`, with a path before every other
    /// where it has one; `http://` where no secret is sent, or on this machine.
    ///
    /// # Errors
    /// `base` is no such address, or a secret would go over the wire in clear text.
    pub fn new(base: &str, auth: Auth) -> Result<Client, ClientError> {
        let bad = |because: &'static str| ClientError::Base { because };
        let base = Url::parse(base).map_err(|_| bad("it is no web address"))?;
        if !matches!(base.scheme(), "http" | "https") || !base.has_host() {
            return Err(bad("it is no web address"));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(bad("it holds a user or a password"));
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(bad("it has a query"));
        }
        let client = Client {
            base,
            auth,
            limits: Limits::default(),
            trust: Trust::default(),
        };
        if client.is_plain() && !client.is_local() && !matches!(client.auth, Auth::None) {
            return Err(bad(
                "a secret would go there in clear text: expected https, or a place on this machine",
            ));
        }
        Ok(client)
    }

    /// With other limits.
    #[must_use]
    pub fn with_limits(mut self, limits: Limits) -> Client {
        self.limits = limits;
        self
    }

    /// Trusts these certificate authorities (PEM) beside those of the system.
    ///
    /// # Errors
    /// There is none in it.
    pub fn with_authorities(mut self, pem: &[u8]) -> Result<Client, ClientError> {
        self.trust = Trust::with_authorities(pem).map_err(ClientError::Tls)?;
        Ok(self)
    }

    /// Proves itself otherwise from now on: with a token that was just given.
    #[must_use]
    pub fn with_auth(mut self, auth: Auth) -> Client {
        self.auth = auth;
        self
    }

    /// The place it asks, without a slash at the end.
    pub fn base(&self) -> String {
        self.base.as_str().trim_end_matches('/').to_owned()
    }

    /// Whom it asks, for messages.
    pub fn host(&self) -> &str {
        self.base.host_str().unwrap_or_default()
    }

    fn is_plain(&self) -> bool {
        self.base.scheme() == "http"
    }

    /// Whether it asks this machine; `localhost` is held to it when connecting.
    fn is_local(&self) -> bool {
        match self.base.host() {
            Some(Host::Ipv4(ip)) => ip.is_loopback(),
            Some(Host::Ipv6(ip)) => IpAddr::V6(ip).to_canonical().is_loopback(),
            Some(Host::Domain(name)) => name == "localhost",
            None => false,
        }
    }

    /// Asks, and reads the whole answer, whatever its status is.
    ///
    /// # Errors
    /// There is no whole answer, or the question leads elsewhere; see [`ClientError`].
    pub async fn send(&self, ask: Ask) -> Result<Answer, ClientError> {
        let target = ask.target(&self.base)?;
        let mut request = Request::builder()
            .method(ask.method())
            .uri(target)
            .header(header::HOST, self.authority())
            .header(header::USER_AGENT, USER_AGENT)
            .header(header::CONNECTION, "close");
        if !ask.has_header(header::ACCEPT.as_str()) {
            request = request.header(header::ACCEPT, "application/json");
        }
        if let Some((name, value)) = self.auth.header()? {
            request = request.header(name, value);
        }
        for (name, value) in ask.headers() {
            request = request.header(name, value);
        }
        let request = request
            .body(Full::new(Bytes::from(ask.into_body())))
            .map_err(|_| ClientError::Path)?;
        let wait = self.limits.connect;
        let slow = |step: &'static str, limit: Duration| ClientError::Slow { step, limit };
        if self.is_plain() {
            let tcp = timeout(wait, self.connect());
            let tcp = tcp.await.map_err(|_| slow("to connect", wait))??;
            return self.exchange(tcp, request).await;
        }
        let tls = timeout(wait, async {
            let tcp = self.connect().await?;
            let name = self.host().trim_matches(['[', ']']).to_owned();
            let name =
                ServerName::try_from(name).map_err(|cause| ClientError::Tls(cause.to_string()))?;
            let config = self.trust.config().map_err(ClientError::Tls)?;
            TlsConnector::from(config)
                .connect(name, tcp)
                .await
                .map_err(|cause| ClientError::Tls(cause.to_string()))
        });
        let tls = tls.await.map_err(|_| slow("to connect", wait))??;
        self.exchange(tls, request).await
    }

    /// The host and port, as a request names them.
    fn authority(&self) -> String {
        match self.base.port() {
            Some(port) => format!("{}:{port}", self.host()),
            None => self.host().to_owned(),
        }
    }

    async fn connect(&self) -> Result<TcpStream, ClientError> {
        let port = self.base.port_or_known_default().unwrap_or(443);
        let host = self.host().trim_matches(['[', ']']);
        let found: Vec<SocketAddr> = tokio::net::lookup_host((host, port))
            .await
            .map_err(|cause| ClientError::Connect(cause.to_string()))?
            .collect();
        let local = self.is_local();
        let (fit, unfit): (Vec<SocketAddr>, Vec<SocketAddr>) = found
            .into_iter()
            .partition(|address| is_fit(address.ip(), local));
        if fit.is_empty() && !unfit.is_empty() {
            return Err(ClientError::Unfit);
        }
        let mut last = "the name leads nowhere".to_owned();
        for address in fit {
            match TcpStream::connect(address).await {
                Ok(tcp) => {
                    // Small requests: waiting to fill a packet only costs time.
                    let _ = tcp.set_nodelay(true);
                    return Ok(tcp);
                }
                Err(cause) => last = cause.to_string(),
            }
        }
        Err(ClientError::Connect(last))
    }

    async fn exchange<S>(
        &self,
        stream: S,
        request: Request<Full<Bytes>>,
    ) -> Result<Answer, ClientError>
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let limit = self.limits.answer;
        let talk = async {
            let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
                .max_buf_size(MAX_HEAD)
                .max_headers(MAX_HEADERS)
                .handshake(TokioIo::new(stream))
                .await
                .map_err(|cause| ClientError::broken(&cause))?;
            // Ends with this exchange, whichever way that ends.
            let _connection = AbortOnDropHandle::new(tokio::spawn(connection));
            let response = sender
                .send_request(request)
                .await
                .map_err(|cause| ClientError::broken(&cause))?;
            self.whole(response).await
        };
        timeout(limit, talk).await.map_err(|_| ClientError::Slow {
            step: "to answer",
            limit,
        })?
    }

    async fn whole(&self, response: Response<Incoming>) -> Result<Answer, ClientError> {
        let (head, body) = response.into_parts();
        // We ask for no compression; a small answer could unpack to any size.
        let encoding = head.headers.get(header::CONTENT_ENCODING);
        if encoding.is_some_and(|encoding| !encoding.as_bytes().eq_ignore_ascii_case(b"identity")) {
            return Err(ClientError::Encoded);
        }
        let limit = self.limits.body;
        let body = Limited::new(body, limit).collect().await.map_err(|cause| {
            if cause.is::<LengthLimitError>() {
                ClientError::TooLarge { limit }
            } else {
                ClientError::Broken(cause.to_string())
            }
        })?;
        Ok(Answer::new(
            head.status,
            head.headers,
            body.to_bytes().into(),
        ))
    }
}

/// Whether an address may be asked. Nobody's service is at those that reach this link or
/// everybody on it (clouds keep their keys there); for `localhost`, this machine alone.
fn is_fit(ip: IpAddr, local: bool) -> bool {
    let ip = ip.to_canonical();
    if local {
        return ip.is_loopback();
    }
    match ip {
        IpAddr::V4(ip) => {
            !(ip.is_link_local() || ip.is_unspecified() || ip.is_broadcast() || ip.is_multicast())
        }
        IpAddr::V6(ip) => !(ip.is_unicast_link_local() || ip.is_unspecified() || ip.is_multicast()),
    }
}

#[cfg(test)]
mod tests;
