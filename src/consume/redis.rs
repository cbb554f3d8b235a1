//! Redis Streams, as a member of a consumer group: `XREADGROUP` and `XACK`; what a process
//! that died had in hand is taken over with `XAUTOCLAIM` once it lay still for
//! `redeliver_after`.
//!
//! A process is one consumer, under a name of its own for as long as it lives. What was
//! on its way when its connection broke is read again under that name in the next session.
//! Redis has no headers: the fields of an entry beside the body are its headers.

use super::session::{Broker, Delivery, Finding, Most, Session, Trouble};
use super::{ANSWER, Settings};
use crate::ingest::adapters::Headers;
use crate::ingest::message::Message;
use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionInfo, IntoConnectionInfo, RedisError,
    TlsCertificates, Value, cmd,
};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::time::Instant;

/// Fields that hold the body, where the configuration names none: the first that is there.
const BODIES: [&str; 5] = ["body", "data", "event", "payload", "message"];
/// The field that holds the producer's own id of a message.
const ID: &str = "message-id";
/// Entries that are asked for at once.
const PIECE: usize = 128;
/// How many times in `redeliver_after` it is looked for what others left behind.
const LOOKS: u32 = 2;

/// A Redis, or what speaks as Redis does.
pub(super) struct Redis {
    settings: Settings,
    /// This process's name in the group.
    consumer: String,
    /// Which of the servers is tried next.
    next: AtomicUsize,
}

impl Redis {
    pub(super) fn new(settings: Settings) -> Redis {
        Redis {
            consumer: own_name(),
            settings,
            next: AtomicUsize::new(0),
        }
    }

    async fn open(&self) -> Result<MultiplexedConnection, Trouble> {
        let servers = &self.settings.broker.servers;
        let place = self.next.fetch_add(1, Ordering::Relaxed) % servers.len().max(1);
        let server = servers.get(place).map(String::as_str).unwrap_or_default();
        let client = self
            .client(server)
            .map_err(|error| Trouble::new("the address of Redis cannot be used", error))?;
        let limits = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(ANSWER))
            .set_response_timeout(Some(ANSWER));
        client
            .get_multiplexed_async_connection_with_config(&limits)
            .await
            .map_err(|error| Trouble::new("Redis cannot be reached", error))
    }

    fn client(&self, server: &str) -> Result<Client, Box<dyn std::error::Error + Send + Sync>> {
        let told: ConnectionInfo = server.into_connection_info()?;
        let mut login = told.redis_settings().clone();
        if let Some(user) = &self.settings.broker.user {
            login = login.set_username(user);
        }
        if let Some(password) = &self.settings.broker.password {
            login = login.set_password(password.reveal());
        }
        let told = told.set_redis_settings(login);
        let Some(path) = &self.settings.broker.ca_file else {
            return Ok(Client::open(told)?);
        };
        let certificates = TlsCertificates {
            client_tls: None,
            root_cert: Some(std::fs::read(path)?),
        };
        Ok(Client::build_with_tls(told, certificates)?)
    }
}

/// A name that no other process has.
fn own_name() -> String {
    let mut chance = [0; 8];
    if getrandom::fill(&mut chance).is_err() {
        // Then the number of the process has to do.
        chance[..4].copy_from_slice(&std::process::id().to_le_bytes());
    }
    format!("aftercare-{:016x}", u64::from_le_bytes(chance))
}

impl Broker for Redis {
    type Session = Stream;

    async fn connect(&self) -> Result<Stream, Trouble> {
        let mut connection = self.open().await?;
        let (stream, group) = (&self.settings.broker.reads, &self.settings.broker.group);
        // From the beginning: what was added before we came counts too.
        let made: Result<Value, RedisError> = cmd("XGROUP")
            .arg("CREATE")
            .arg(stream)
            .arg(group)
            .arg("0")
            .arg("MKSTREAM")
            .query_async(&mut connection)
            .await;
        match made {
            Ok(_) => {}
            Err(error) if error.code() == Some("BUSYGROUP") => {}
            Err(error) => {
                let what = format!("the group {group} of the stream {stream} cannot be made");
                return Err(Trouble::new(what, error));
            }
        }
        Ok(Stream {
            connection,
            stream: stream.clone(),
            group: group.clone(),
            consumer: self.consumer.clone(),
            field: self.settings.broker.field.clone(),
            idle: self.settings.broker.redeliver_after,
            own: Some("0".to_owned()),
            cursor: "0-0".to_owned(),
            looked: None,
        })
    }

    async fn inspect(&self) -> Result<Vec<Finding>, Trouble> {
        let mut connection = self.open().await?;
        let durability = durability(&mut connection).await;
        let mut findings = durability;
        findings.extend(self.deleted(&mut connection).await);
        Ok(findings)
    }
}

impl Redis {
    /// Whether entries were deleted before anybody of the group read them.
    async fn deleted(&self, connection: &mut MultiplexedConnection) -> Option<Finding> {
        let stream = &self.settings.broker.reads;
        let about: Value = ask(connection, cmd("XINFO").arg("STREAM").arg(stream))
            .await
            .ok()?;
        let groups: Value = ask(connection, cmd("XINFO").arg("GROUPS").arg(stream))
            .await
            .ok()?;
        let group = groups
            .as_sequence()?
            .iter()
            .find(|group| text_of(group, "name").as_deref() == Some(&self.settings.broker.group))?;
        // Single entries (XDEL) leave the newest one's id behind.
        let is_behind = || {
            let deleted = id_of(&text_of(&about, "max-deleted-entry-id")?)?;
            let read = id_of(&text_of(group, "last-delivered-id")?)?;
            Some(deleted > read)
        };
        // What was cut off at the old end is counted as unread, and not there.
        let is_short = || {
            let there = number_of(&about, "length")?;
            Some(number_of(group, "lag")? > there)
        };
        (is_behind() == Some(true) || is_short() == Some(true)).then(|| {
            Finding::new(
                format!("entries of {stream} were deleted before they were read: MAXLEN or XTRIM is too short"),
                format!("write XADD {stream} without MAXLEN, and trim what is older than a week: XTRIM {stream} MINID"),
            )
        })
    }
}

/// What makes an answer of Redis mean that a message will still be there tomorrow.
async fn durability(connection: &mut MultiplexedConnection) -> Vec<Finding> {
    let mut findings = Vec::new();
    let told = info(connection).await;
    let append = match setting(connection, "appendonly").await {
        Ok(value) => value,
        Err(_) => told
            .get("aof_enabled")
            .map(|on| if on == "1" { "yes" } else { "no" }.to_owned()),
    };
    let sync = setting(connection, "appendfsync").await;
    let policy = match setting(connection, "maxmemory-policy").await {
        Ok(value) => value,
        Err(_) => told.get("maxmemory_policy").cloned(),
    };
    match append.as_deref() {
        Some("no") => findings.push(Finding::new(
            "Redis keeps its streams in memory alone (appendonly no): a restart loses what was not read",
            "redis-cli CONFIG SET appendonly yes, and the same in redis.conf",
        )),
        Some(_) => {}
        None => findings.push(Finding::new(
            "Redis does not tell whether it writes to disk: CONFIG GET and INFO are forbidden to this user",
            "allow them (ACL SETUSER … +config|get +info), or make sure of appendonly yes yourself",
        )),
    }
    if append.as_deref() != Some("no") {
        match &sync {
            Ok(Some(sync)) if sync == "no" => findings.push(Finding::new(
                "Redis leaves it to the system when to write (appendfsync no): a power failure loses half a minute",
                "redis-cli CONFIG SET appendfsync everysec (or always), and the same in redis.conf",
            )),
            Ok(_) => {}
            Err(error) => findings.push(Finding::new(
                format!("Redis does not tell how often it writes to disk ({})", error.code().unwrap_or("no answer")),
                "allow CONFIG GET (ACL SETUSER … +config|get), or make sure of appendfsync everysec or always yourself",
            )),
        }
    }
    if policy
        .as_deref()
        .is_some_and(|policy| policy.starts_with("allkeys-"))
    {
        findings.push(Finding::new(
            format!(
                "Redis throws keys away when memory is short (maxmemory-policy {}): a stream with everything in it may be next",
                policy.unwrap_or_default()
            ),
            "redis-cli CONFIG SET maxmemory-policy noeviction, and the same in redis.conf",
        ));
    }
    findings
}

/// A setting, where Redis tells it.
async fn setting(
    connection: &mut MultiplexedConnection,
    name: &str,
) -> Result<Option<String>, RedisError> {
    let told: Value = ask(connection, cmd("CONFIG").arg("GET").arg(name)).await?;
    Ok(text_of(&told, name))
}

/// What `INFO` says, line by line.
async fn info(connection: &mut MultiplexedConnection) -> std::collections::HashMap<String, String> {
    let told: Result<String, RedisError> = cmd("INFO").query_async(connection).await;
    told.unwrap_or_default()
        .lines()
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect()
}

async fn ask(connection: &mut MultiplexedConnection, cmd: &Cmd) -> Result<Value, RedisError> {
    cmd.query_async(connection).await
}

/// One connection to a stream.
pub(super) struct Stream {
    connection: MultiplexedConnection,
    stream: String,
    group: String,
    consumer: String,
    field: Option<String>,
    idle: Duration,
    /// After which entry to read again what was handed to us before this session; `None`
    /// once that is done.
    own: Option<String>,
    /// Where the look for what others left behind goes on; `0-0` at its beginning.
    cursor: String,
    /// When that look began last.
    looked: Option<Instant>,
}

impl Stream {
    async fn ask(&mut self, what: &str, cmd: &Cmd) -> Result<Value, Trouble> {
        ask(&mut self.connection, cmd)
            .await
            .map_err(|error| Trouble::new(format!("{what} of {} failed", self.stream), error))
    }

    /// Reads as a member of the group: new entries (`>`), or those of ours after one.
    async fn read(
        &mut self,
        most: Most,
        after: &str,
        block: Option<Duration>,
    ) -> Result<Vec<Entry>, Trouble> {
        let mut read = cmd("XREADGROUP");
        read.arg("GROUP").arg(&self.group).arg(&self.consumer);
        read.arg("COUNT").arg(most.messages);
        if let Some(block) = block {
            // Zero would wait for ever.
            read.arg("BLOCK").arg(block.as_millis().max(1) as u64);
        }
        read.arg("STREAMS").arg(&self.stream).arg(after);
        let told = self.ask("XREADGROUP", &read).await?;
        let streams = told.into_sequence().unwrap_or_default();
        let mut found = Vec::new();
        for one in streams {
            // A pair of the stream's name and its entries.
            let mut pair = one.into_sequence().unwrap_or_default();
            if let Some(entries) = pair.pop() {
                found.append(&mut entries_of(entries));
            }
        }
        Ok(found)
    }

    /// Takes over what others left behind, piece by piece.
    async fn claim(&mut self, most: Most) -> Result<Vec<Entry>, Trouble> {
        let mut claim = cmd("XAUTOCLAIM");
        claim.arg(&self.stream).arg(&self.group).arg(&self.consumer);
        claim.arg(self.idle.as_millis() as u64).arg(&self.cursor);
        claim.arg("COUNT").arg(most.messages);
        let told = self.ask("XAUTOCLAIM (Redis 6.2 or newer)", &claim).await?;
        let mut parts = told.into_sequence().unwrap_or_default().into_iter();
        self.cursor = parts
            .next()
            .and_then(text)
            .unwrap_or_else(|| "0-0".to_owned());
        let entries = parts.next().map(entries_of).unwrap_or_default();
        if let Some(gone) = parts.next().and_then(|gone| gone.into_sequence().ok()) {
            self.say_gone(gone.len());
        }
        Ok(entries)
    }

    /// Whether it is time to look for what others left behind.
    fn is_to_claim(&mut self) -> bool {
        if self.cursor != "0-0" {
            return true;
        }
        let is_time = self
            .looked
            .is_none_or(|looked| looked.elapsed() >= self.idle / LOOKS);
        if is_time {
            self.looked = Some(Instant::now());
        }
        is_time
    }

    fn say_gone(&self, count: usize) {
        if count > 0 {
            tracing::error!(
                stream = self.stream,
                count,
                "entries were deleted from the stream before they were acknowledged: they are lost. Trim by age (XTRIM MINID), not by number"
            );
        }
    }

    /// Entries as deliveries. Those whose fields are gone were deleted in between: there is
    /// nothing left to take, so they are acknowledged.
    async fn deliver(
        &mut self,
        entries: Vec<Entry>,
        redelivered: bool,
    ) -> Result<Vec<Delivery<String>>, Trouble> {
        let mut found = Vec::with_capacity(entries.len());
        let mut gone = Vec::new();
        for Entry { id, fields } in entries {
            match fields {
                Some(fields) => found.push(Delivery {
                    message: message(&self.stream, &id, fields, self.field.as_deref()),
                    receipt: id,
                    redelivered,
                }),
                None => gone.push(id),
            }
        }
        self.say_gone(gone.len());
        if !gone.is_empty() {
            self.acknowledge(gone).await?;
        }
        Ok(found)
    }
}

impl Session for Stream {
    type Receipt = String;

    async fn fetch(&mut self, most: Most) -> Result<Vec<Delivery<String>>, Trouble> {
        while let Some(after) = self.own.take() {
            let entries = self.read(most, &after, None).await?;
            let Some(last) = entries.last() else {
                break;
            };
            self.own = Some(last.id.clone());
            let found = self.deliver(entries, true).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        if self.is_to_claim() {
            let entries = self.claim(most).await?;
            let found = self.deliver(entries, true).await?;
            if !found.is_empty() {
                return Ok(found);
            }
        }
        let mut block = (!most.wait.is_zero()).then_some(most.wait);
        let mut found = Vec::new();
        let mut bytes = 0;
        // Redis does not bound what it sends by its size, so it is asked for little at once.
        while found.len() < most.messages && bytes < most.bytes {
            let piece = Most {
                messages: PIECE.min(most.messages - found.len()),
                ..most
            };
            let entries = self.read(piece, ">", block.take()).await?;
            let is_last = entries.len() < piece.messages;
            let some = self.deliver(entries, false).await?;
            bytes += some.iter().map(|one| one.message.body.len()).sum::<usize>();
            found.extend(some);
            if is_last {
                break;
            }
        }
        Ok(found)
    }

    async fn hold(&mut self, receipts: &[String]) -> Result<(), Trouble> {
        if receipts.is_empty() {
            return Ok(());
        }
        // Claiming our own once more begins their time anew.
        let mut claim = cmd("XCLAIM");
        claim.arg(&self.stream).arg(&self.group).arg(&self.consumer);
        claim.arg(0).arg(receipts).arg("JUSTID");
        self.ask("XCLAIM", &claim).await?;
        Ok(())
    }

    async fn acknowledge(&mut self, receipts: Vec<String>) -> Result<(), Trouble> {
        let mut acknowledge = cmd("XACK");
        acknowledge.arg(&self.stream).arg(&self.group).arg(receipts);
        self.ask("XACK", &acknowledge).await?;
        Ok(())
    }

    /// Nobody can be given them at once; they are taken over after `redeliver_after`.
    async fn release(&mut self, _: Vec<String>) -> Result<(), Trouble> {
        Ok(())
    }

    async fn unread(&mut self) -> Result<Option<u64>, Trouble> {
        let mut about = cmd("XINFO");
        about.arg("GROUPS").arg(&self.stream);
        let groups = self.ask("XINFO GROUPS", &about).await?;
        let groups = groups.into_sequence().unwrap_or_default();
        let Some(group) = groups
            .iter()
            .find(|group| text_of(group, "name").as_deref() == Some(&self.group))
        else {
            return Ok(None);
        };
        let pending = number_of(group, "pending").unwrap_or(0);
        let behind = match number_of(group, "lag") {
            Some(lag) => lag,
            // Before Redis 7, and where entries were deleted, it is not known.
            None => {
                let mut about = cmd("XINFO");
                about.arg("STREAM").arg(&self.stream);
                let stream = self.ask("XINFO STREAM", &about).await?;
                let is_at_the_end =
                    text_of(&stream, "last-generated-id") == text_of(group, "last-delivered-id");
                if is_at_the_end {
                    0
                } else {
                    number_of(&stream, "length").unwrap_or(0)
                }
            }
        };
        Ok(Some(pending + behind))
    }

    async fn close(mut self) {
        // A name that holds nothing is of no further use; one that does is left, because
        // what it holds would go with it.
        let mut about = cmd("XPENDING");
        about.arg(&self.stream).arg(&self.group);
        about.arg("-").arg("+").arg(1).arg(&self.consumer);
        let Ok(held) = self.ask("XPENDING", &about).await else {
            return;
        };
        if held.as_sequence().is_some_and(<[Value]>::is_empty) {
            let mut forget = cmd("XGROUP");
            forget.arg("DELCONSUMER");
            forget
                .arg(&self.stream)
                .arg(&self.group)
                .arg(&self.consumer);
            if let Err(trouble) = self.ask("XGROUP DELCONSUMER", &forget).await {
                tracing::debug!(
                    because = trouble.chain(),
                    "the consumer's name stays behind"
                );
            }
        }
    }
}

/// An entry of a stream. `None`: it is handed out, and deleted.
struct Entry {
    id: String,
    fields: Option<Vec<(Vec<u8>, Vec<u8>)>>,
}

fn entries_of(value: Value) -> Vec<Entry> {
    let entries = value.into_sequence().unwrap_or_default().into_iter();
    entries
        .filter_map(|entry| {
            let mut pair = entry.into_sequence().ok()?.into_iter();
            let id = pair.next().and_then(text)?;
            let fields = pair.next().and_then(|fields| fields.into_map_iter().ok());
            let fields = fields.map(|fields| {
                fields
                    .filter_map(|(name, value)| Some((bytes(name)?, bytes(value)?)))
                    .collect()
            });
            Some(Entry { id, fields })
        })
        .collect()
}

/// The entry as a message: one field is the body, the others are headers.
fn message(
    stream: &str,
    id: &str,
    mut fields: Vec<(Vec<u8>, Vec<u8>)>,
    field: Option<&str>,
) -> Message {
    let place = |name: &str| {
        let is_it = |(own, _): &(Vec<u8>, Vec<u8>)| own.eq_ignore_ascii_case(name.as_bytes());
        fields.iter().position(is_it)
    };
    let body = match field {
        Some(field) => place(field),
        None if fields.len() == 1 => Some(0),
        None => BODIES.into_iter().find_map(place),
    };
    let body = body.map(|place| fields.remove(place).1);
    let headers: Vec<(String, String)> = fields
        .into_iter()
        .map(|(name, value)| {
            (
                String::from_utf8_lossy(&name).into_owned(),
                String::from_utf8_lossy(&value).into_owned(),
            )
        })
        .collect();
    let headers = Headers::new(headers);
    Message {
        id: headers.one(ID).map(str::to_owned),
        headers,
        body: body.unwrap_or_default(),
        position: Some(format!("{stream}/{id}")),
    }
}

fn bytes(value: Value) -> Option<Vec<u8>> {
    match value {
        Value::BulkString(bytes) => Some(bytes),
        Value::SimpleString(text) => Some(text.into_bytes()),
        Value::Int(number) => Some(number.to_string().into_bytes()),
        _ => None,
    }
}

fn text(value: Value) -> Option<String> {
    bytes(value).and_then(|bytes| String::from_utf8(bytes).ok())
}

/// The value of a name in what Redis answers as a map.
fn value_of<'v>(map: &'v Value, name: &str) -> Option<&'v Value> {
    let found = |own: &Value| text(own.clone()).as_deref() == Some(name);
    map.as_map_iter()?
        .find_map(|(own, value)| found(own).then_some(value))
}

fn text_of(map: &Value, name: &str) -> Option<String> {
    text(value_of(map, name)?.clone())
}

fn number_of(map: &Value, name: &str) -> Option<u64> {
    text_of(map, name)?.parse().ok()
}

/// The two numbers of an entry's id.
fn id_of(text: &str) -> Option<(u64, u64)> {
    let (at, place) = text.split_once('-')?;
    Some((at.parse().ok()?, place.parse().ok()?))
}
