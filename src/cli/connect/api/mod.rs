//! Set-up by a platform's own interface: lists what webhooks there are, then makes what is
//! missing and mends what is switched off. Whatever moment it is cut off at, the next run
//! finds what was made and makes none twice. What leads to other addresses is left alone.

mod bigcommerce;
mod easypost;
mod shopify;
mod stripe;
mod woocommerce;

use super::{Args, Connection};
use crate::cli::Out;
use crate::cli::exit::{misuse, not_found, out_of_reach};
use crate::client::{Answer, Ask, Auth, Client};
use crate::config::Secret;
use crate::model::platform::Platform;
use serde_json::{Value, json};
use url::Url;

/// Most pages of webhooks that are read: nobody has thousands.
const MAX_PAGES: usize = 50;
/// Longest explanation of a platform that is repeated, in characters.
const MAX_WORDS: usize = 300;

/// A webhook that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
struct There {
    id: String,
    topics: Vec<String>,
    url: String,
    active: bool,
    /// Whether this program made it, where that can be told.
    ours: bool,
}

/// One thing to do, about these topics.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Change {
    /// It is there and works.
    Keep(String),
    /// It is made.
    Make(Vec<String>),
    /// It is there, and is set right: its id, and these topics.
    Mend(String, Vec<String>),
    /// It is there, is ours, and is of no use: its secret is lost. It goes, and a new one
    /// is made with these topics.
    Replace(String, Vec<String>),
}

/// What a platform's webhooks have in common.
struct Wanted<'w> {
    url: &'w str,
    name: &'w str,
    topics: Vec<String>,
    /// What the platform is to sign with.
    secret: Option<Secret>,
    /// Whether we have any secret of theirs.
    has_secret: bool,
}

/// Sets it up.
///
/// # Errors
/// The platform offers no such interface, refuses, or is out of reach.
pub async fn set_up(
    connection: &Connection<'_>,
    args: &Args,
    token: Secret,
    out: &mut Out,
) -> anyhow::Result<()> {
    let platform = connection.platform;
    if connection.setup.token.is_none() {
        return Err(misuse(format!(
            "{} is not set up by its interface here\nhint: leave --token-file and {} away, and take the steps above",
            platform.called(),
            super::secret::TOKEN_VARIABLE
        )));
    }
    if connection.address.unreachable().is_some() && args.interface.is_none() {
        return Err(misuse(format!(
            "{}: no webhook is made that leads nowhere\nhint: --url https://HOST",
            connection.address.url
        )));
    }
    let client = client(connection, args, token)?;
    let mut wanted = wanted(connection);
    if wanted.topics.is_empty() {
        return Ok(());
    }
    let there = match platform {
        Platform::Shopify => shopify::list(&client, &wanted.topics).await?,
        Platform::WooCommerce => woocommerce::list(&client).await?,
        Platform::BigCommerce => bigcommerce::list(&client).await?,
        Platform::Stripe => stripe::list(&client).await?,
        Platform::EasyPost => easypost::list(&client).await?,
        _ => Vec::new(),
    };
    let changes = match platform {
        Platform::Stripe => whole(&there, &wanted, true),
        Platform::EasyPost => {
            wanted.topics = vec!["every event".to_owned()];
            whole(&there, &wanted, false)
        }
        Platform::WooCommerce => each(&there, &wanted, true),
        _ => each(&there, &wanted, false),
    };
    let mut kept = connection.secret.clone();
    for change in &changes {
        if !args.dry_run {
            let told = match platform {
                Platform::Shopify => shopify::change(&client, &wanted, change).await?,
                Platform::WooCommerce => woocommerce::change(&client, &wanted, change).await?,
                Platform::BigCommerce => bigcommerce::change(&client, &wanted, change).await?,
                Platform::Stripe => stripe::change(&client, &wanted, change).await?,
                Platform::EasyPost => easypost::change(&client, &wanted, change).await?,
                _ => None,
            };
            // Told once and never again: it is on disk before anything else happens.
            if let (Some(secret), Some(kept)) = (told, &mut kept) {
                kept.add(secret)?;
                say(
                    out,
                    "secret",
                    &format!("its secret is in {}", kept.shown),
                    args,
                )?;
            }
        }
        tell(out, change, args)?;
    }
    let by_hand: Vec<&str> = connection
        .topics
        .iter()
        .filter(|topic| topic.by_hand)
        .map(|topic| topic.name.as_str())
        .collect();
    if !by_hand.is_empty() {
        say(
            out,
            "by_hand",
            &format!(
                "not by this interface, see the steps: {}",
                by_hand.join(", ")
            ),
            args,
        )?;
    }
    let elsewhere = there
        .iter()
        .filter(|one| !same(&one.url, wanted.url))
        .count();
    if elsewhere > 0 {
        say(
            out,
            "elsewhere",
            &format!("{elsewhere} webhooks lead to other addresses, and were left alone"),
            args,
        )?;
    }
    if !out.is_json() {
        out.line("")?;
    }
    Ok(())
}

fn client(connection: &Connection<'_>, args: &Args, token: Secret) -> anyhow::Result<Client> {
    let called = connection.platform.called();
    let account = || {
        args.account.as_deref().ok_or_else(|| {
            let looks = connection
                .setup
                .account
                .as_deref()
                .unwrap_or("its name there");
            misuse(format!("{called}: expected --account\nhint: {looks}"))
        })
    };
    let (base, auth) = match connection.platform {
        Platform::Shopify => {
            let account = account()?;
            if !account.ends_with(".myshopify.com") {
                return Err(misuse(format!(
                    "--account {account}: expected NAME.myshopify.com\nhint: the token goes there, and nowhere else"
                )));
            }
            let auth = Auth::Header {
                name: "x-shopify-access-token",
                value: token,
            };
            (format!("https://{account}"), auth)
        }
        Platform::WooCommerce => {
            let Some((user, password)) = token.reveal().split_once(':') else {
                return Err(misuse(
                    "the token of WooCommerce is a key and a secret: ck_…:cs_… on one line",
                ));
            };
            let auth = Auth::Basic {
                user: Secret::new(user),
                password: Secret::new(password),
            };
            let live = connection.live.as_ref();
            let base = match (&args.account, live) {
                (Some(account), _) if account.contains("://") => account.clone(),
                (Some(account), _) => format!("https://{account}"),
                (None, Some(live)) => live.catalog.policy.url.clone(),
                (None, None) => account()?.to_owned(),
            };
            (base, auth)
        }
        Platform::BigCommerce => {
            let auth = Auth::Header {
                name: "x-auth-token",
                value: token,
            };
            let hash = account()?;
            if !hash.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
                return Err(misuse(format!("--account {hash}: expected a store hash")));
            }
            (format!("https://api.bigcommerce.com/stores/{hash}"), auth)
        }
        Platform::Stripe => ("https://api.stripe.com".to_owned(), Auth::Bearer(token)),
        _ => {
            let auth = Auth::Basic {
                user: token,
                password: Secret::new(""),
            };
            ("https://api.easypost.com".to_owned(), auth)
        }
    };
    let base = args.interface.clone().unwrap_or(base);
    Client::new(base.trim_end_matches('/'), auth)
        .map_err(|error| misuse(format!("{base}: {error}")))
}

fn wanted<'w>(connection: &'w Connection<'_>) -> Wanted<'w> {
    let kept = connection.secret.as_ref();
    let secret = kept.and_then(|kept| kept.secrets.last()).cloned();
    Wanted {
        url: &connection.address.url,
        name: &connection.name,
        topics: connection
            .topics
            .iter()
            .filter(|topic| !topic.by_hand)
            .map(|topic| topic.name.clone())
            .collect(),
        has_secret: secret.is_some(),
        secret,
    }
}

/// Whether two addresses are one door, whatever the query says.
fn same(one: &str, other: &str) -> bool {
    let read = |text: &str| {
        let mut url = Url::parse(text).ok()?;
        url.set_query(None);
        url.set_fragment(None);
        Some(url.as_str().trim_end_matches('/').to_owned())
    };
    read(one).is_some() && read(one) == read(other)
}

/// Where each topic is a webhook of its own. `renew`: what is there gets our secret again,
/// because nobody can see which one it has.
fn each(there: &[There], wanted: &Wanted<'_>, renew: bool) -> Vec<Change> {
    let change = |topic: &String| {
        let mut own = there
            .iter()
            .filter(|one| one.topics.contains(topic) && same(&one.url, wanted.url));
        let found = own.clone().find(|one| one.active).or_else(|| own.next());
        match found {
            Some(one) if one.active && !renew => Change::Keep(topic.clone()),
            Some(one) => Change::Mend(one.id.clone(), vec![topic.clone()]),
            None => Change::Make(vec![topic.clone()]),
        }
    };
    wanted.topics.iter().map(change).collect()
}

/// Where one webhook has all topics. `told`: its secret is told at its making alone.
fn whole(there: &[There], wanted: &Wanted<'_>, told: bool) -> Vec<Change> {
    let mut own = there.iter().filter(|one| same(&one.url, wanted.url));
    let found = own.clone().find(|one| one.active).or_else(|| own.next());
    let Some(one) = found else {
        return vec![Change::Make(wanted.topics.clone())];
    };
    if told && !wanted.has_secret && one.ours {
        return vec![Change::Replace(one.id.clone(), wanted.topics.clone())];
    }
    let missing = wanted.topics.iter().any(|topic| {
        let has = |had: &String| had == topic || had == "*";
        !one.topics.iter().any(has)
    });
    if told && one.active && !missing {
        return vec![Change::Keep(wanted.topics.join(", "))];
    }
    if !told {
        return vec![Change::Mend(one.id.clone(), wanted.topics.clone())];
    }
    // What somebody added by hand stays.
    let mut topics = one.topics.clone();
    for topic in &wanted.topics {
        if !topics.contains(topic) && !topics.iter().any(|had| had == "*") {
            topics.push(topic.clone());
        }
    }
    vec![Change::Mend(one.id.clone(), topics)]
}

fn say(out: &mut Out, what: &str, words: &str, args: &Args) -> anyhow::Result<()> {
    if out.is_json() {
        return out.object(&json!({"change": what, "message": words, "done": !args.dry_run}));
    }
    out.line(format_args!("  {words}"))
}

fn tell(out: &mut Out, change: &Change, args: &Args) -> anyhow::Result<()> {
    let (what, topics) = match change {
        Change::Keep(topic) => ("is there", topic.clone()),
        Change::Make(topics) => ("made", topics.join(", ")),
        Change::Mend(_, topics) => ("set right", topics.join(", ")),
        Change::Replace(_, topics) => ("made anew, its secret was lost", topics.join(", ")),
    };
    let words = match (change, args.dry_run) {
        (Change::Keep(_), _) | (_, false) => format!("{topics}: {what}"),
        (_, true) => format!("{topics}: would be {what}"),
    };
    let code = match change {
        Change::Keep(_) => "keep",
        Change::Make(_) => "make",
        Change::Mend(..) => "mend",
        Change::Replace(..) => "replace",
    };
    say(out, code, &words, args)
}

/// Asks; an answer that is no success is told with the platform's own words.
async fn ask(client: &Client, ask: Ask) -> anyhow::Result<Value> {
    let answer = sent(client, ask).await?;
    if answer.body().is_empty() {
        return Ok(Value::Null);
    }
    answer
        .json()
        .map_err(|error| out_of_reach(format!("{}: {error}", client.host())))
}

async fn sent(client: &Client, ask: Ask) -> anyhow::Result<Answer> {
    let host = client.host().to_owned();
    let answer = client.send(ask).await.map_err(|error| {
        out_of_reach(format!(
            "{host}: {error}\nhint: run it again: what was made is found, and nothing is made twice"
        ))
    })?;
    if answer.is_fine() {
        return Ok(answer);
    }
    let status = answer.status();
    let words = answer
        .json()
        .ok()
        .as_ref()
        .and_then(explained)
        .unwrap_or_default();
    let hint = match status {
        401 | 403 => "hint: is it the right token, and has it the rights that are needed?",
        404 => "hint: is --account right?",
        429 => "hint: too many requests: run it again in a minute, nothing is made twice",
        _ => "hint: run it again: what was made is found, and nothing is made twice",
    };
    let message = format!("{host} answers {status}: {words}\n{hint}");
    Err(match status {
        429 | 500..=599 => out_of_reach(message),
        _ => not_found(message),
    })
}

/// What an answer says is wrong, wherever it says it.
fn explained(body: &Value) -> Option<String> {
    let places = ["/error/message", "/message", "/title", "/errors", "/error"];
    let found = places.iter().find_map(|place| body.pointer(place))?;
    let text = match found {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    Some(
        text.chars()
            .filter(|c| !c.is_control())
            .take(MAX_WORDS)
            .collect(),
    )
}

/// A value as text, numbers too.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => String::new(),
    }
}

/// The things of a list.
fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const URL: &str = "https://a.example/hooks/shop";

    fn there(id: &str, topics: &[&str], url: &str, active: bool) -> There {
        There {
            id: id.to_owned(),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            url: url.to_owned(),
            active,
            ours: true,
        }
    }

    fn wanted(topics: &[&str], has_secret: bool) -> Wanted<'static> {
        Wanted {
            url: URL,
            name: "shop",
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
            secret: None,
            has_secret,
        }
    }

    #[test]
    fn what_is_there_is_kept_mended_or_made_and_never_made_twice() {
        let all = [
            there("1", &["a"], "https://a.example/hooks/shop/", true),
            there("2", &["b"], URL, false),
            there("3", &["c"], "https://b.example/hooks/shop", true),
            there("4", &["b"], URL, true),
            there("5", &["d"], "https://a.example/hooks/shop?token=x", false),
        ];
        let words = |text: &str| vec![text.to_owned()];
        let changes = each(&all, &wanted(&["a", "b", "c", "d"], true), false);
        assert_eq!(
            changes,
            [
                Change::Keep("a".to_owned()),
                Change::Keep("b".to_owned()),
                Change::Make(words("c")),
                Change::Mend("5".to_owned(), words("d")),
            ]
        );
        let renewed = each(&all, &wanted(&["a"], true), true);
        assert_eq!(renewed, [Change::Mend("1".to_owned(), words("a"))]);
    }

    #[test]
    fn one_webhook_for_all_grows_and_a_lost_secret_makes_it_anew() {
        let wants = wanted(&["a", "b"], true);
        let both = vec!["a".to_owned(), "b".to_owned()];
        assert_eq!(whole(&[], &wants, true), [Change::Make(both.clone())]);
        let has = [there("1", &["x", "a"], URL, true)];
        let more = ["x", "a", "b"].map(str::to_owned).to_vec();
        assert_eq!(
            whole(&has, &wants, true),
            [Change::Mend("1".to_owned(), more)]
        );
        let every = [there("1", &["*"], URL, true)];
        assert_eq!(
            whole(&every, &wants, true),
            [Change::Keep("a, b".to_owned())]
        );
        let lost = wanted(&["a", "b"], false);
        assert_eq!(
            whole(&every, &lost, true),
            [Change::Replace("1".to_owned(), both)]
        );
        let by_hand = [There {
            ours: false,
            ..every[0].clone()
        }];
        assert_eq!(
            whole(&by_hand, &lost, true),
            [Change::Keep("a, b".to_owned())]
        );
    }
}
