//! An SMTP server that shares no line with the program under test. It is strict, it
//! writes down what it received before it answers, and it does after the final dot what
//! a test tells it to.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread::JoinHandle;

/// Longest line that is allowed, with its CRLF (RFC 5321, 4.5.3.1.6).
const MAX_LINE: usize = 1000;

/// A mail whose final dot arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mail {
    /// Message-ID without angle brackets.
    pub id: String,
    pub from: String,
    pub to: String,
    /// The message, dots undoubled.
    pub message: Vec<u8>,
}

impl Mail {
    /// A header's value, unfolded.
    pub fn header(&self, name: &str) -> Option<String> {
        header(&self.message, name)
    }

    /// Which step sent it, as `sequence/step`: Feedback-ID is `step:sequence:kind:shop`.
    pub fn step(&self) -> String {
        let id = self.header("Feedback-ID").unwrap_or_default();
        let mut parts = id.split(':');
        let step = parts.next().unwrap_or_default();
        let sequence = parts.next().unwrap_or_default();
        format!("{sequence}/{step}")
    }
}

/// What the server does once a mail is in its journal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Accept,
    /// Closes the connection without an answer.
    HangUp,
}

type Judge = Box<dyn FnMut(&Mail, usize) -> Verdict + Send>;

struct State {
    mails: Mutex<Vec<Mail>>,
    violations: Mutex<Vec<String>>,
    judge: Mutex<Judge>,
    sockets: Mutex<Vec<TcpStream>>,
    stopped: AtomicBool,
}

/// The running server. Dropping it closes every connection.
pub struct Relay {
    pub address: SocketAddr,
    state: Arc<State>,
    thread: Option<JoinHandle<()>>,
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex
        .lock()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}

impl Relay {
    pub fn start() -> Relay {
        Relay::at("127.0.0.1:0".parse().unwrap())
    }

    /// Listens on this very address, for a server that comes back.
    pub fn at(address: SocketAddr) -> Relay {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(State {
            mails: Mutex::default(),
            violations: Mutex::default(),
            judge: Mutex::new(Box::new(|_, _| Verdict::Accept)),
            sockets: Mutex::default(),
            stopped: AtomicBool::new(false),
        });
        let shared = Arc::clone(&state);
        let thread = std::thread::spawn(move || {
            for tcp in listener.incoming() {
                if shared.stopped.load(Ordering::Acquire) {
                    return;
                }
                let Ok(tcp) = tcp else { continue };
                locked(&shared.sockets).push(tcp.try_clone().unwrap());
                let state = Arc::clone(&shared);
                std::thread::spawn(move || Talk::new(tcp, state).run());
            }
        });
        Relay {
            address,
            state,
            thread: Some(thread),
        }
    }

    pub fn url(&self) -> String {
        format!("smtp://{}", self.address)
    }

    /// Decides what comes after the final dot; it is told how many mails with the same
    /// Message-ID came before.
    pub fn judge(&self, judge: impl FnMut(&Mail, usize) -> Verdict + Send + 'static) {
        *locked(&self.state.judge) = Box::new(judge);
    }

    /// Everything whose final dot arrived.
    pub fn mails(&self) -> Vec<Mail> {
        locked(&self.state.mails).clone()
    }

    pub fn count(&self) -> usize {
        locked(&self.state.mails).len()
    }

    /// The mails by Message-ID.
    pub fn by_id(&self) -> BTreeMap<String, Vec<Mail>> {
        let mut all: BTreeMap<String, Vec<Mail>> = BTreeMap::new();
        for mail in self.mails() {
            all.entry(mail.id.clone()).or_default().push(mail);
        }
        all
    }

    /// Fails where a client broke the protocol.
    pub fn assert_proper(&self) {
        let violations = locked(&self.state.violations);
        assert!(
            violations.is_empty(),
            "the protocol was broken: {violations:#?}"
        );
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.state.stopped.store(true, Ordering::Release);
        // A last connection wakes the listener.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        for socket in locked(&self.state.sockets).drain(..) {
            let _ = socket.shutdown(Shutdown::Both);
        }
    }
}

/// One connection.
struct Talk {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    state: Arc<State>,
    greeted: bool,
    from: Option<String>,
    to: Vec<String>,
}

impl Talk {
    fn new(tcp: TcpStream, state: Arc<State>) -> Talk {
        tcp.set_nodelay(true).unwrap();
        let writer = tcp.try_clone().unwrap();
        Talk {
            reader: BufReader::new(tcp),
            writer,
            state,
            greeted: false,
            from: None,
            to: Vec::new(),
        }
    }

    fn violation(&self, what: impl Into<String>) {
        locked(&self.state.violations).push(what.into());
    }

    fn say(&mut self, reply: &str) -> bool {
        self.writer
            .write_all(format!("{reply}\r\n").as_bytes())
            .is_ok()
    }

    /// The next line without its CRLF; `None` when the client is gone.
    fn line(&mut self) -> Option<Vec<u8>> {
        let mut line = Vec::new();
        self.reader.read_until(b'\n', &mut line).ok()?;
        // A half line is what a killed client leaves behind.
        line.pop().filter(|end| *end == b'\n')?;
        if line.pop() != Some(b'\r') || line.iter().any(|byte| matches!(byte, b'\r' | 0)) {
            self.violation(format!(
                "a line does not end in CRLF alone: {:?}",
                String::from_utf8_lossy(&line)
            ));
        }
        if line.len() + 2 > MAX_LINE {
            self.violation(format!("a line of {} bytes", line.len() + 2));
        }
        Some(line)
    }

    fn run(mut self) {
        if !self.say("220 strict.example ESMTP") {
            return;
        }
        while let Some(line) = self.line() {
            let text = String::from_utf8_lossy(&line).into_owned();
            let verb = text
                .split(' ')
                .next()
                .unwrap_or_default()
                .to_ascii_uppercase();
            let go_on = match verb.as_str() {
                "EHLO" | "HELO" => {
                    self.greeted = true;
                    self.say(
                        "250-strict.example\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10000000",
                    )
                }
                "MAIL" => self.mail(&text),
                "RCPT" => self.recipient(&text),
                "DATA" => self.data(),
                "RSET" => {
                    (self.from, self.to) = (None, Vec::new());
                    self.say("250 2.0.0 reset")
                }
                "NOOP" => self.say("250 2.0.0 fine"),
                "QUIT" => {
                    self.say("221 2.0.0 bye");
                    false
                }
                _ => {
                    self.violation(format!("not a command: {text:?}"));
                    self.say("500 5.5.2 what")
                }
            };
            if !go_on {
                break;
            }
        }
        let _ = self.writer.shutdown(Shutdown::Both);
    }

    fn mail(&mut self, text: &str) -> bool {
        if !self.greeted || self.from.is_some() {
            self.violation(format!("out of order: {text:?}"));
            return self.say("503 5.5.1 out of order");
        }
        self.from = path(text, "MAIL FROM:");
        if self.from.is_none() {
            self.violation(format!("no sender: {text:?}"));
        }
        self.say("250 2.1.0 ok")
    }

    fn recipient(&mut self, text: &str) -> bool {
        if self.from.is_none() {
            self.violation(format!("out of order: {text:?}"));
            return self.say("503 5.5.1 out of order");
        }
        match path(text, "RCPT TO:") {
            Some(to) => self.to.push(to),
            None => self.violation(format!("no recipient: {text:?}")),
        }
        self.say("250 2.1.5 ok")
    }

    fn data(&mut self) -> bool {
        let (Some(from), [to]) = (self.from.take(), self.to.as_slice()) else {
            self.violation(format!("DATA with {} recipients", self.to.len()));
            return self.say("503 5.5.1 one sender and one recipient");
        };
        let to = to.clone();
        self.to.clear();
        if !self.say("354 go on") {
            return false;
        }
        let mut message = Vec::new();
        loop {
            let Some(line) = self.line() else {
                return false;
            };
            match line.as_slice() {
                b"." => break,
                [b'.', rest @ ..] => message.extend_from_slice(rest),
                line => message.extend_from_slice(line),
            }
            message.extend_from_slice(b"\r\n");
        }
        let id = header(&message, "Message-ID").unwrap_or_default();
        let id = id.trim_matches(['<', '>']).to_owned();
        for (name, count) in [
            ("Message-ID", 1),
            ("From", 1),
            ("To", 1),
            ("Date", 1),
            ("Subject", 1),
        ] {
            let found = headers(&message)
                .filter(|(found, _)| found.eq_ignore_ascii_case(name))
                .count();
            if found != count {
                self.violation(format!("{found} times {name} in {id}"));
            }
        }
        let mail = Mail {
            id,
            from,
            to,
            message,
        };
        // Written down first: from here on the mail is the server's.
        let before = {
            let mut mails = locked(&self.state.mails);
            let before = mails.iter().filter(|known| known.id == mail.id).count();
            mails.push(mail.clone());
            before
        };
        let verdict = locked(&self.state.judge)(&mail, before);
        match verdict {
            Verdict::Accept => self.say("250 2.0.0 queued"),
            Verdict::HangUp => false,
        }
    }
}

/// What stands between the angle brackets after `start`.
fn path(text: &str, start: &str) -> Option<String> {
    let head = text.get(..start.len())?;
    let rest = text.get(start.len()..)?.strip_prefix('<')?;
    head.eq_ignore_ascii_case(start)
        .then(|| rest.rfind('>').and_then(|end| rest.get(..end)))?
        .map(str::to_owned)
}

/// Name and unfolded value of every header.
fn headers(message: &[u8]) -> impl Iterator<Item = (String, String)> {
    let text = String::from_utf8_lossy(message).into_owned();
    let head = text.split("\r\n\r\n").next().unwrap_or_default().to_owned();
    let mut all: Vec<(String, String)> = Vec::new();
    for line in head.split("\r\n") {
        match (line.starts_with([' ', '\t']), all.last_mut()) {
            (true, Some((_, value))) => value.push_str(line),
            _ => {
                if let Some((name, value)) = line.split_once(':') {
                    all.push((name.to_owned(), value.trim().to_owned()));
                }
            }
        }
    }
    all.into_iter()
}

fn header(message: &[u8], name: &str) -> Option<String> {
    headers(message)
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value.trim().to_owned())
}
