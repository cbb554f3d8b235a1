//! What somebody agreed to: the newest word by its own time wins, a refusal wins ties,
//! *unknown* says nothing, and where two people become one the stricter stands
//! (`docs/events.md`, rule 23 and §5).

use super::telling::Telling;
use crate::model::email::normalise;
use crate::model::event::{Channel, Consent, ConsentState, EventKind};
use crate::model::kind::{Class, Scope};
use crate::model::time::Timestamp;
use std::collections::BTreeMap;

/// What is in force.
#[derive(Debug, Clone, Default)]
pub(super) struct Standing {
    pub(super) consent: Consent,
    since: Option<Timestamp>,
    /// Opt-outs by scope, with their time.
    pub(super) opt_outs: BTreeMap<Scope, Timestamp>,
}

/// One thing said about consent.
#[derive(Debug, Clone)]
struct Word<'a> {
    time: Timestamp,
    consent: &'a Consent,
    scope: Scope,
    /// It was said in so many words, or carries a time of its own: what only rides on
    /// an order without one lifts nothing.
    dated: bool,
    id: Option<&'a str>,
    email: Option<String>,
}

/// Two people becoming one: who was joined, and when.
#[derive(Debug)]
struct Union<'a> {
    time: Timestamp,
    ids: Vec<&'a str>,
    emails: Vec<String>,
    /// Words under this id stay on the other side.
    not: Option<&'a str>,
}

/// How strict a state is.
fn strictness(state: ConsentState) -> u8 {
    match state {
        ConsentState::Unknown => 0,
        ConsentState::Subscribed => 1,
        ConsentState::Pending => 2,
        ConsentState::NotSubscribed => 3,
        ConsentState::Unsubscribed => 4,
    }
}

/// Whether a new yes of scope `yes` takes back a no of scope `no`.
fn lifts(yes: &Scope, no: &Scope) -> bool {
    match (yes, no) {
        (Scope::Dead, no) => *no == Scope::Dead,
        (_, Scope::Dead) => false,
        (Scope::All, _) => true,
        (Scope::AllMarketing, Scope::AllMarketing) => true,
        (Scope::AllMarketing, Scope::Kind(kind)) => kind.class() == Class::Marketing,
        (Scope::AllMarketing, _) => false,
        (Scope::Kind(_) | Scope::Sequence(_), no) => yes == no,
    }
}

/// Whether a scope speaks of marketing as a whole, and so of the consent to it.
fn is_general(scope: &Scope) -> bool {
    matches!(scope, Scope::All | Scope::AllMarketing)
}

impl Standing {
    fn hear(&mut self, word: &Word<'_>) {
        let state = word.consent.state;
        if state == ConsentState::Unknown {
            return;
        }
        if is_general(&word.scope) {
            let refused = self.consent.state == ConsentState::Unsubscribed;
            if word.dated || !refused || state == ConsentState::Unsubscribed {
                self.consent = word.consent.clone();
                self.since = Some(word.time);
            }
        }
        match state {
            ConsentState::Unsubscribed => {
                self.opt_outs.insert(word.scope.clone(), word.time);
            }
            ConsentState::Subscribed if word.dated => {
                self.opt_outs.retain(|scope, _| !lifts(&word.scope, scope));
            }
            _ => {}
        }
    }

    fn join(mut self, other: Standing) -> Standing {
        let key = |s: &Standing| (strictness(s.consent.state), s.since);
        // Where one side never said a word, the other's word stands.
        if key(&other) > key(&self) {
            self.consent = other.consent;
            self.since = other.since;
        }
        for (scope, time) in other.opt_outs {
            let had = self.opt_outs.entry(scope).or_insert(time);
            *had = (*had).max(time);
        }
        self
    }
}

/// What is in force after everything that was told. `main` is the address in use: a
/// dead address blocks only itself.
pub(super) fn standing(tellings: &[Telling<'_>], main: Option<&str>) -> Standing {
    let mut words = words(tellings, main);
    words.sort_by(|a, b| {
        let rank = |w: &Word<'_>| (w.time, strictness(w.consent.state), w.scope.clone());
        rank(a).cmp(&rank(b)).then_with(|| {
            let rest = |w: &Word<'_>| {
                (
                    w.dated,
                    w.consent.basis as u8,
                    w.consent.source.clone(),
                    w.email.clone(),
                )
            };
            rest(a).cmp(&rest(b))
        })
    });
    let mut unions = unions(tellings);
    unions.sort_by_key(|union| union.time);
    settle(&words.iter().collect::<Vec<_>>(), &unions)
}

fn settle(words: &[&Word<'_>], unions: &[Union<'_>]) -> Standing {
    let Some((last, earlier)) = unions.split_last() else {
        let mut standing = Standing::default();
        for word in words {
            standing.hear(word);
        }
        return standing;
    };
    let joined = |word: &Word<'_>| {
        let by_id = word.id.is_some_and(|id| last.ids.contains(&id));
        let apart = word.id.is_some() && word.id == last.not;
        let by_email = word.email.as_ref().is_some_and(|e| last.emails.contains(e));
        by_id || (by_email && !apart)
    };
    let (before, after): (Vec<&Word<'_>>, Vec<&Word<'_>>) =
        words.iter().partition(|word| word.time < last.time);
    let (theirs, ours): (Vec<&Word<'_>>, Vec<&Word<'_>>) =
        before.into_iter().partition(|word| joined(word));
    let mut standing = if theirs.is_empty() {
        settle(&ours, earlier)
    } else {
        settle(&ours, earlier).join(settle(&theirs, earlier))
    };
    for word in after {
        standing.hear(word);
    }
    standing
}

fn words<'a>(tellings: &[Telling<'a>], main: Option<&str>) -> Vec<Word<'a>> {
    let mut words = Vec::new();
    for telling in tellings {
        for row in telling.rows() {
            let body = &row.body;
            if let Some(customer) = &body.customer
                && let Some(consent) = &customer.marketing_consent
                && consent.channel == Channel::Email
            {
                words.push(Word {
                    time: consent.updated_at.unwrap_or(row.time),
                    consent,
                    scope: Scope::AllMarketing,
                    dated: consent.updated_at.is_some(),
                    id: customer.customer_id.as_deref(),
                    email: customer.email.as_deref().map(normalise),
                });
            }
            if row.kind == EventKind::ConsentChanged
                && let Some(consent) = &body.consent
                && consent.channel == Channel::Email
            {
                let who = body.customer_ref.as_ref();
                let email = who.and_then(|who| who.email.as_deref()).map(normalise);
                let scope = match consent.scope.as_deref().map(str::parse) {
                    None => Scope::AllMarketing,
                    Some(Ok(scope)) => scope,
                    // A no that we cannot place counts for all; a yes for nothing.
                    Some(Err(_)) if consent.state == ConsentState::Unsubscribed => {
                        Scope::AllMarketing
                    }
                    Some(Err(_)) => continue,
                };
                let other = email.is_some() && email.as_deref() != main;
                if scope == Scope::Dead && other {
                    continue;
                }
                words.push(Word {
                    time: consent.updated_at.unwrap_or(row.time),
                    consent,
                    scope,
                    dated: true,
                    id: who.and_then(|who| who.customer_id.as_deref()),
                    email,
                });
            }
        }
    }
    words
}

fn unions<'a>(tellings: &[Telling<'a>]) -> Vec<Union<'a>> {
    let mut unions = Vec::new();
    for telling in tellings {
        let body = telling.body();
        match telling.kind() {
            EventKind::CustomerMerged => unions.push(Union {
                time: telling.time(),
                ids: body
                    .absorbed
                    .iter()
                    .filter_map(|who| who.customer_id.as_deref())
                    .collect(),
                emails: body
                    .absorbed
                    .iter()
                    .filter_map(|who| who.email.as_deref().map(normalise))
                    .collect(),
                not: body
                    .survivor
                    .as_ref()
                    .and_then(|who| who.customer_id.as_deref()),
            }),
            // A new address that somebody held already joins the two.
            EventKind::CustomerUpdated => {
                let customer = body.customer.as_ref();
                let email = customer.and_then(|c| c.email.as_deref()).map(normalise);
                let before = body.previous.as_ref().and_then(|p| p.email.as_deref());
                if let (Some(email), Some(before)) = (email, before.map(normalise))
                    && email != before
                {
                    unions.push(Union {
                        time: telling.time(),
                        ids: Vec::new(),
                        emails: vec![email],
                        not: customer.and_then(|c| c.customer_id.as_deref()),
                    });
                }
            }
            _ => {}
        }
    }
    unions
}

/// Whether an address was reported dead, and not since alive.
pub(super) fn is_dead(tellings: &[Telling<'_>], address: &str) -> bool {
    standing(tellings, Some(address))
        .opt_outs
        .contains_key(&Scope::Dead)
}
