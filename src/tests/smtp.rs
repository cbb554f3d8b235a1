//! A scripted SMTP server: it says at each verb what a test wants it to say, however wrong, and keeps a journal of what
//! it received, which is the truth that outcomes are held against.
//!
//! Without a script it is a well-behaved relay. One file for unit tests and integration tests, so not every test binary
//! uses all of it.
#![allow(dead_code, clippy::unwrap_used)]

use std::collections::{HashMap, HashSet, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

/// Where in the dialogue an [`Act`] is performed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Verb {
    Banner,
    Ehlo,
    Helo,
    StartTls,
    Auth,
    Mail,
    Rcpt,
    Data,
    /// The first line of a body.
    Body,
    Dot,
    Rset,
    Quit,
    Unknown,
}

/// What the server does instead of answering as it should.
#[derive(Debug, Clone)]
pub enum Act {
    /// As without a script.
    Default,
    /// One line.
    Say(String),
    /// Exactly these bytes.
    Raw(Vec<u8>),
    /// Exactly these bytes, then the connection is closed.
    RawClose(Vec<u8>),
    /// Nothing; the connection stays open.
    Hang,
    /// The connection is closed.
    Close,
    /// These bytes again and again until the client hangs up.
    Flood(Vec<u8>),
    /// These bytes one at a time with this pause between them, again and again until the client hangs up.
    Drip(Vec<u8>, Duration),
}

impl Act {
    pub fn say(line: &str) -> Self {
        Self::Say(line.to_owned())
    }

    pub fn raw(bytes: &str) -> Self {
        Self::Raw(bytes.as_bytes().to_vec())
    }

    pub fn raw_close(bytes: &str) -> Self {
        Self::RawClose(bytes.as_bytes().to_vec())
    }
}

/// How the server behaves; shared by its connections, so the n-th act of a verb is for its n-th use overall.
#[derive(Debug, Clone, Default)]
pub struct Script {
    acts: HashMap<Verb, VecDeque<Act>>,
    always: HashMap<Verb, Act>,
    recipients: HashMap<String, VecDeque<Act>>,
    extensions: Vec<String>,
    withheld: HashSet<Verb>,
    login: Option<(String, String)>,
    tls: Option<Arc<ServerConfig>>,
    implicit_tls: bool,
}

impl Script {
    /// A relay that offers PIPELINING, SIZE and 8BITMIME.
    pub fn new() -> Self {
        Self::bare()
            .offering("PIPELINING")
            .offering("SIZE 10000000")
            .offering("8BITMIME")
    }

    /// A relay that offers nothing.
    pub fn bare() -> Self {
        Self::default()
    }

    /// One more line in the answer to EHLO.
    pub fn offering(mut self, extension: &str) -> Self {
        self.extensions.push(extension.to_owned());
        self
    }

    /// The next act at a verb.
    pub fn on(mut self, verb: Verb, act: Act) -> Self {
        self.acts.entry(verb).or_default().push_back(act);
        self
    }

    /// What is done at a verb once its acts are used up.
    pub fn always(mut self, verb: Verb, act: Act) -> Self {
        self.always.insert(verb, act);
        self
    }

    /// The next act at RCPT for one recipient, as in `<…>`.
    pub fn on_recipient(mut self, recipient: &str, act: Act) -> Self {
        self.recipients
            .entry(recipient.to_owned())
            .or_default()
            .push_back(act);
        self
    }

    /// Keeps the answers to these verbs back until something else is answered: only a client that does not wait for them
    /// gets on.
    pub fn withholding(mut self, verbs: &[Verb]) -> Self {
        self.withheld.extend(verbs);
        self
    }

    /// Wants this login; offer AUTH by [`Script::offering`].
    pub fn with_login(mut self, user: &str, password: &str) -> Self {
        self.login = Some((user.to_owned(), password.to_owned()));
        self
    }

    /// Can do STARTTLS; offer it by [`Script::offering`].
    pub fn with_tls(mut self, authority: &Authority) -> Self {
        self.tls = Some(authority.server.clone());
        self
    }

    /// Speaks TLS from the first byte.
    pub fn with_implicit_tls(mut self, authority: &Authority) -> Self {
        self.implicit_tls = true;
        self.with_tls(authority)
    }
}

/// One mail as the server saw it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Mail {
    pub from: String,
    pub to: Vec<String>,
    /// The body's bytes as they came, dots still doubled, the final dot left out.
    pub data: Vec<u8>,
    /// Whether the final dot arrived.
    pub dot: bool,
}

/// What happened.
#[derive(Debug, Clone, Default)]
pub struct Journal {
    pub connections: usize,
    /// How many connections have ended, from either side.
    pub ended: usize,
    pub commands: Vec<String>,
    pub mails: Vec<Mail>,
    /// Whether the last command came over TLS.
    pub encrypted: bool,
}

impl Journal {
    /// The mails whose final dot arrived.
    pub fn dotted(&self) -> Vec<&Mail> {
        self.mails.iter().filter(|mail| mail.dot).collect()
    }

    /// How often a command with this beginning came.
    pub fn count(&self, start: &str) -> usize {
        self.commands
            .iter()
            .filter(|line| line.starts_with(start))
            .count()
    }
}

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    journal: watch::Receiver<Journal>,
    task: JoinHandle<()>,
}

impl Server {
    /// Listens on a port of the system's choosing.
    pub async fn start(script: Script) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, journal) = watch::channel(Journal::default());
        let shared = Arc::new(Shared {
            script: Mutex::new(script),
            journal: sender,
        });
        let task = tokio::spawn(async move {
            while let Ok((tcp, _)) = listener.accept().await {
                let shared = shared.clone();
                tokio::spawn(async move {
                    tcp.set_nodelay(true).unwrap();
                    shared.note(|journal| journal.connections += 1);
                    // However it ends, the journal tells.
                    drop(shared.serve(Box::new(tcp)).await);
                    shared.note(|journal| journal.ended += 1);
                });
            }
        });
        Self {
            address,
            journal,
            task,
        }
    }

    /// `smtp://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// What has happened so far.
    pub fn journal(&self) -> Journal {
        self.journal.borrow().clone()
    }

    /// Waits until the journal is as wanted.
    pub async fn until(&self, wanted: impl FnMut(&Journal) -> bool) -> Journal {
        self.journal.clone().wait_for(wanted).await.unwrap().clone()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.task.abort();
    }
}

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

struct Shared {
    script: Mutex<Script>,
    journal: watch::Sender<Journal>,
}

/// One connection's state.
struct Line {
    stream: Box<dyn Stream>,
    inbox: Vec<u8>,
    outbox: Vec<u8>,
    mail: Mail,
    encrypted: bool,
}

/// What follows an act.
enum Then {
    /// The act stood for the answer.
    Answered,
    /// Answer as a good server would.
    Default,
    /// The connection is over.
    Over,
}

impl Line {
    async fn line(&mut self) -> io::Result<Option<String>> {
        loop {
            if let Some(at) = self.inbox.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.inbox.drain(..at + 2).take(at).collect();
                return Ok(Some(String::from_utf8_lossy(&line).into_owned()));
            }
            if self.stream.read_buf(&mut self.inbox).await? == 0 {
                return Ok(None);
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let held = std::mem::take(&mut self.outbox);
        self.stream
            .write_all(&[held.as_slice(), bytes].concat())
            .await?;
        self.stream.flush().await
    }

    /// Waits until the client hangs up.
    async fn hang(&mut self) -> io::Result<()> {
        while self.stream.read_buf(&mut self.inbox).await? > 0 {
            self.inbox.clear();
        }
        Ok(())
    }
}

impl Shared {
    fn note(&self, change: impl FnOnce(&mut Journal)) {
        self.journal.send_modify(change);
    }

    fn next(&self, verb: Verb, recipient: Option<&str>) -> Act {
        let mut script = self.script.lock().unwrap();
        let for_recipient = recipient
            .and_then(|recipient| script.recipients.get_mut(recipient))
            .and_then(VecDeque::pop_front);
        for_recipient
            .or_else(|| script.acts.get_mut(&verb).and_then(VecDeque::pop_front))
            .or_else(|| script.always.get(&verb).cloned())
            .unwrap_or(Act::Default)
    }

    /// Performs the verb's act, or says `default`.
    async fn answer(&self, line: &mut Line, verb: Verb, default: &str) -> io::Result<bool> {
        let act = self.next(verb, None);
        match self.act(line, verb, act).await? {
            Then::Answered => Ok(true),
            Then::Over => Ok(false),
            Then::Default => self.say(line, verb, default).await.map(|()| true),
        }
    }

    async fn say(&self, line: &mut Line, verb: Verb, reply: &str) -> io::Result<()> {
        let withheld = self.script.lock().unwrap().withheld.contains(&verb);
        let reply = format!("{reply}\r\n");
        if withheld {
            line.outbox.extend_from_slice(reply.as_bytes());
            return Ok(());
        }
        line.write(reply.as_bytes()).await
    }

    async fn act(&self, line: &mut Line, verb: Verb, act: Act) -> io::Result<Then> {
        match act {
            Act::Default => return Ok(Then::Default),
            Act::Say(reply) => self.say(line, verb, &reply).await?,
            Act::Raw(bytes) => line.write(&bytes).await?,
            Act::RawClose(bytes) => {
                line.write(&bytes).await?;
                return Ok(Then::Over);
            }
            Act::Close => return Ok(Then::Over),
            Act::Hang => {
                line.hang().await?;
                return Ok(Then::Over);
            }
            Act::Flood(bytes) => loop {
                line.write(&bytes).await?;
            },
            Act::Drip(bytes, pause) => loop {
                for byte in &bytes {
                    line.write(&[*byte]).await?;
                    tokio::time::sleep(pause).await;
                }
            },
        }
        Ok(Then::Answered)
    }

    async fn serve(&self, stream: Box<dyn Stream>) -> io::Result<()> {
        let (tls, implicit) = {
            let script = self.script.lock().unwrap();
            (script.tls.clone(), script.implicit_tls)
        };
        let mut line = Line {
            stream,
            inbox: Vec::new(),
            outbox: Vec::new(),
            mail: Mail::default(),
            encrypted: false,
        };
        if implicit {
            line = encrypt(line, tls.clone()).await?;
        }
        if !self
            .answer(&mut line, Verb::Banner, "220 scripted.example ESMTP")
            .await?
        {
            return Ok(());
        }
        while let Some(command) = line.line().await? {
            self.note(|journal| {
                journal.commands.push(command.clone());
                journal.encrypted = line.encrypted;
            });
            let word = command
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_ascii_uppercase();
            let go_on = match word.as_str() {
                "EHLO" => {
                    let hello = self.hello();
                    self.answer(&mut line, Verb::Ehlo, &hello).await?
                }
                "HELO" => {
                    self.answer(&mut line, Verb::Helo, "250 scripted.example")
                        .await?
                }
                "STARTTLS" => match self.next(Verb::StartTls, None) {
                    Act::Default if tls.is_some() => {
                        line.write(b"220 go ahead\r\n").await?;
                        line = encrypt(line, tls.clone()).await?;
                        true
                    }
                    Act::Default => self
                        .say(&mut line, Verb::StartTls, "502 no")
                        .await
                        .map(|()| true)?,
                    act => !matches!(self.act(&mut line, Verb::StartTls, act).await?, Then::Over),
                },
                "AUTH" => self.log_in(&mut line, &command).await?,
                "MAIL" => {
                    line.mail = Mail {
                        from: path(&command),
                        ..Mail::default()
                    };
                    self.answer(&mut line, Verb::Mail, "250 2.1.0 sender ok")
                        .await?
                }
                "RCPT" => self.recipient(&mut line, &path(&command)).await?,
                "DATA" => self.data(&mut line).await?,
                "RSET" => {
                    line.mail = Mail::default();
                    self.answer(&mut line, Verb::Rset, "250 2.0.0 reset")
                        .await?
                }
                "QUIT" => {
                    self.answer(&mut line, Verb::Quit, "221 2.0.0 bye").await?;
                    false
                }
                _ => {
                    self.answer(&mut line, Verb::Unknown, "500 5.5.2 what")
                        .await?
                }
            };
            if !go_on {
                return Ok(());
            }
        }
        Ok(())
    }

    fn hello(&self) -> String {
        let script = self.script.lock().unwrap();
        let mut lines = vec!["scripted.example".to_owned()];
        lines.extend(script.extensions.iter().cloned());
        let last = lines.len() - 1;
        let line = |(at, text): (usize, &String)| match at == last {
            true => format!("250 {text}"),
            false => format!("250-{text}"),
        };
        lines
            .iter()
            .enumerate()
            .map(line)
            .collect::<Vec<_>>()
            .join("\r\n")
    }

    async fn recipient(&self, line: &mut Line, recipient: &str) -> io::Result<bool> {
        let act = self.next(Verb::Rcpt, Some(recipient));
        let refused = match &act {
            Act::Say(reply) => !reply.starts_with('2'),
            _ => false,
        };
        if !refused {
            line.mail.to.push(recipient.to_owned());
        }
        match self.act(line, Verb::Rcpt, act).await? {
            Then::Answered => Ok(true),
            Then::Over => Ok(false),
            Then::Default => self
                .say(line, Verb::Rcpt, "250 2.1.5 ok")
                .await
                .map(|()| true),
        }
    }

    async fn log_in(&self, line: &mut Line, command: &str) -> io::Result<bool> {
        use base64::Engine;
        let decode = |text: &str| {
            let bytes = base64::engine::general_purpose::STANDARD
                .decode(text)
                .unwrap_or_default();
            String::from_utf8_lossy(&bytes).into_owned()
        };
        match self.next(Verb::Auth, None) {
            Act::Default => {}
            act => {
                return Ok(!matches!(
                    self.act(line, Verb::Auth, act).await?,
                    Then::Over
                ));
            }
        }
        let mut words = command.split(' ').skip(1);
        let given = match (words.next(), words.next()) {
            (Some("PLAIN"), Some(token)) => {
                let token = decode(token);
                let mut parts = token.split('\0').skip(1).map(str::to_owned);
                (
                    parts.next().unwrap_or_default(),
                    parts.next().unwrap_or_default(),
                )
            }
            (Some("LOGIN"), None) => {
                line.write(b"334 VXNlcm5hbWU6\r\n").await?;
                let user = line.line().await?.unwrap_or_default();
                line.write(b"334 UGFzc3dvcmQ6\r\n").await?;
                let password = line.line().await?.unwrap_or_default();
                (decode(&user), decode(&password))
            }
            _ => {
                return self
                    .say(line, Verb::Auth, "504 5.5.4 no")
                    .await
                    .map(|()| true);
            }
        };
        let known = self.script.lock().unwrap().login.as_ref() == Some(&given);
        let reply = if known {
            "235 2.7.0 welcome"
        } else {
            "535 5.7.8 no"
        };
        self.say(line, Verb::Auth, reply).await.map(|()| true)
    }

    async fn data(&self, line: &mut Line) -> io::Result<bool> {
        let act = self.next(Verb::Data, None);
        let opened = match &act {
            Act::Default => !line.mail.to.is_empty(),
            Act::Say(reply) => reply.starts_with('3'),
            Act::Raw(bytes) => bytes.starts_with(b"354 ") && bytes.ends_with(b"\r\n"),
            _ => false,
        };
        match self.act(line, Verb::Data, act).await? {
            Then::Answered => {}
            Then::Over => return Ok(false),
            Then::Default if opened => self.say(line, Verb::Data, "354 go").await?,
            Then::Default => {
                self.say(line, Verb::Data, "554 5.5.1 no valid recipients")
                    .await?
            }
        }
        if !opened {
            return Ok(true);
        }
        let mail = line.mail.clone();
        self.note(|journal| journal.mails.push(mail));
        let mut first = true;
        while let Some(text) = line.line().await? {
            if text == "." {
                self.note(|journal| journal.mails.last_mut().unwrap().dot = true);
                line.mail = Mail::default();
                return self.answer(line, Verb::Dot, "250 2.0.0 queued").await;
            }
            self.note(|journal| {
                let data = &mut journal.mails.last_mut().unwrap().data;
                data.extend_from_slice(text.as_bytes());
                data.extend_from_slice(b"\r\n");
            });
            if std::mem::take(&mut first) {
                let act = self.next(Verb::Body, None);
                if let Then::Over = self.act(line, Verb::Body, act).await? {
                    return Ok(false);
                }
            }
        }
        Ok(false)
    }
}

async fn encrypt(line: Line, tls: Option<Arc<ServerConfig>>) -> io::Result<Line> {
    let acceptor = TlsAcceptor::from(tls.unwrap());
    let stream = acceptor.accept(line.stream).await?;
    Ok(Line {
        stream: Box::new(stream),
        encrypted: true,
        ..line
    })
}

/// What stands between the angle brackets.
fn path(command: &str) -> String {
    let start = command.find('<').map_or(0, |at| at + 1);
    let end = command.rfind('>').unwrap_or(command.len());
    command.get(start..end).unwrap_or_default().to_owned()
}

/// A certificate authority of the test's own, and a server certificate for 127.0.0.1 and localhost.
#[derive(Debug, Clone)]
pub struct Authority {
    /// The authority's certificate, for clients.
    pub pem: String,
    server: Arc<ServerConfig>,
}

impl Authority {
    pub fn new() -> Self {
        Self::for_host("127.0.0.1")
    }

    /// With a certificate for another host.
    pub fn for_host(host: &str) -> Self {
        use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, KeyUsagePurpose};
        // rustls refuses a certificate that is both an authority and a server.
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages.push(KeyUsagePurpose::KeyCertSign);
        let pem = params.self_signed(&key).unwrap().pem();
        let issuer = Issuer::new(params, key);
        let leaf_key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new(vec![host.to_owned()]).unwrap();
        let leaf = leaf.signed_by(&leaf_key, &issuer).unwrap();
        let key = PrivateKeyDer::Pkcs8(leaf_key.serialize_der().into());
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let server = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        Self {
            pem,
            server: Arc::new(server),
        }
    }
}
