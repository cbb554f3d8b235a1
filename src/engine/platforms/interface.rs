//! A platform's own interface: where it is, how we prove who we are, and what its answers
//! mean for whoever asked. Nothing here waits or tries again.

use crate::client::{Answer, Ask, Auth, Client, ClientError};
use crate::config::{self, Secret};
use crate::model::platform::Platform;
use crate::model::time::{self, Timestamp};
use jiff::SignedDuration;
use serde_json::Value;
use std::time::Duration;
use tokio::sync::Mutex;

/// The version of Shopify's interface whose orders we know.
const SHOPIFY: &str = "2026-07";
/// How long before its end a token that was given for a while is used no more.
const RENEW_BEFORE: SignedDuration = SignedDuration::from_mins(5);
/// How long such a token is good where nobody says how long.
const TOKEN_LIFE: i64 = 3600;
/// The longest that one is taken to be good, in seconds.
const LONGEST_LIFE: i64 = 7 * 86_400;

/// Why there is no answer that helps.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// It may do better later; sometimes the platform says when.
    #[error("{because}")]
    Later {
        /// How long the platform wants to be left alone.
        after: Option<Duration>,
        /// In words.
        because: String,
    },
    /// The platform does not let us.
    #[error("{0}")]
    Refused(String),
    /// What was asked for is not there.
    #[error("{0}")]
    Missing(String),
    /// Nothing that asking again would mend.
    #[error("{0}")]
    Odd(String),
}

impl Trouble {
    pub(super) fn odd(because: impl Into<String>) -> Trouble {
        Trouble::Odd(because.into())
    }
}

impl From<ClientError> for Trouble {
    fn from(error: ClientError) -> Trouble {
        let because = error.to_string();
        if error.is_passing() {
            Trouble::Later {
                after: None,
                because,
            }
        } else {
            Trouble::Odd(because)
        }
    }
}

/// One platform's interface, by the configuration of a source.
#[derive(Debug)]
pub struct Interface {
    platform: Platform,
    client: Client,
    version: String,
    /// Where the platform gives tokens for a while, and takes no other.
    tokens: Option<Giver>,
}

/// Who gives tokens that are good for a while.
#[derive(Debug)]
struct Giver {
    client: Client,
    /// The one in use, and until when.
    held: Mutex<Option<(Secret, Timestamp)>>,
}

impl Interface {
    /// The interface of a source; `None` where there is no token, or no address.
    ///
    /// # Errors
    /// What was configured cannot be asked.
    pub fn of(source: &config::Source) -> Result<Option<Interface>, ClientError> {
        let Some(api) = &source.api else {
            return Ok(None);
        };
        let Some(url) = &api.url else {
            return Ok(None);
        };
        let token = || api.token.clone();
        let user = || Secret::new(api.user.clone().unwrap_or_default());
        let basic = || Auth::Basic {
            user: user(),
            password: token(),
        };
        let header = |name| Auth::Header {
            name,
            value: token(),
        };
        let mut tokens = None;
        let auth = match source.platform {
            Platform::Shopify => header("x-shopify-access-token"),
            Platform::BigCommerce => header("x-auth-token"),
            Platform::WooCommerce | Platform::ShipEngine => basic(),
            // A secret key stands where users do, without a password.
            Platform::Medusa => Auth::Basic {
                user: token(),
                password: Secret::new(""),
            },
            Platform::Commercetools => {
                // Tokens are given next door: api.REGION… and auth.REGION….
                let (scheme, rest) = url.split_once("://").unwrap_or(("https", url));
                let host = rest.split('/').next().unwrap_or_default();
                let host = match host.strip_prefix("api.") {
                    Some(region) => format!("auth.{region}"),
                    None => host.to_owned(),
                };
                let giver = Client::new(&format!("{scheme}://{host}"), basic())?;
                tokens = Some(Giver {
                    client: giver,
                    held: Mutex::new(None),
                });
                Auth::None
            }
            _ => Auth::Bearer(token()),
        };
        Ok(Some(Interface {
            platform: source.platform,
            client: Client::new(url, auth)?,
            version: api.version.clone().unwrap_or_else(|| SHOPIFY.to_owned()),
            tokens,
        }))
    }

    /// Whose it is.
    pub fn platform(&self) -> Platform {
        self.platform
    }

    /// Where it is, without a slash at the end.
    pub fn place(&self) -> String {
        self.client.base()
    }

    /// Which version of it to ask.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// Asks; only an answer of success comes back.
    ///
    /// # Errors
    /// In words, by what to do about it.
    pub async fn ask(&self, ask: Ask, now: Timestamp) -> Result<Answer, Trouble> {
        let answer = match &self.tokens {
            None => self.client.send(ask).await?,
            Some(giver) => {
                let token = giver.token(now).await?;
                let client = self.client.clone().with_auth(Auth::Bearer(token));
                let answer = client.send(ask).await?;
                if answer.status() == 401 {
                    // Taken back before its time: the next one asks for another.
                    *giver.held.lock().await = None;
                }
                answer
            }
        };
        judged(answer, now)
    }

    /// Asks for JSON. An answer without a body (204) is null.
    ///
    /// # Errors
    /// As [`Interface::ask`].
    pub async fn json(&self, ask: Ask, now: Timestamp) -> Result<Value, Trouble> {
        let answer = self.ask(ask, now).await?;
        if answer.body().is_empty() {
            return Ok(Value::Null);
        }
        Ok(answer.json()?)
    }
}

impl Giver {
    /// The token in use, or a new one (RFC 6749 §4.4).
    async fn token(&self, now: Timestamp) -> Result<Secret, Trouble> {
        let mut held = self.held.lock().await;
        if let Some((token, until)) = &*held
            && *until > now
        {
            return Ok(token.clone());
        }
        let ask = Ask::post("/oauth/token").form(&[("grant_type", "client_credentials")]);
        let answer = judged(self.client.send(ask).await?, now)?.json()?;
        let Some(token) = answer["access_token"].as_str() else {
            return Err(Trouble::odd("the platform gives no token"));
        };
        let life = answer["expires_in"].as_i64().unwrap_or(TOKEN_LIFE);
        let life = SignedDuration::from_secs(life.clamp(0, LONGEST_LIFE));
        let end = time::saturating_add(now, life);
        let token = Secret::new(token);
        *held = Some((token.clone(), time::saturating_add(end, -RENEW_BEFORE)));
        Ok(token)
    }
}

/// What an answer's status means.
fn judged(answer: Answer, now: Timestamp) -> Result<Answer, Trouble> {
    let status = answer.status();
    match status {
        200..=299 => Ok(answer),
        300..=399 => {
            let host = answer
                .header("location")
                .and_then(|to| url::Url::parse(to).ok())
                .and_then(|to| to.host_str().map(str::to_owned));
            Err(Trouble::Odd(match host {
                Some(host) => {
                    format!(
                        "the platform answers {status}: it is at {host} now; set api_url to that"
                    )
                }
                None => format!("the platform answers {status}, and redirects are not followed"),
            }))
        }
        401 | 403 => Err(Trouble::Refused(format!(
            "the platform refuses the token ({status}): is it whole, and may it read what is asked?"
        ))),
        402 | 423 => Err(Trouble::Refused(format!(
            "the platform has closed the shop's interface ({status})"
        ))),
        404 | 410 => Err(Trouble::Missing(format!(
            "the platform says that it is not there ({status})"
        ))),
        408 | 425 | 429 | 500..=599 => Err(Trouble::Later {
            after: answer.retry_after(now),
            because: format!("the platform answers {status}"),
        }),
        _ => Err(Trouble::Odd(format!("the platform answers {status}"))),
    }
}
