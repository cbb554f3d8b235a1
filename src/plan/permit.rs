//! Whether a person may be mailed at all: address, opt-outs, consent by country,
//! test orders; and the counts behind limits and earned asks.

use crate::model::email::Address;
use crate::model::event::{ConsentBasis, ConsentState};
use crate::model::kind::{Class, Kind, Scope};
use crate::model::policy::{ConsentRule, Policy};
use crate::model::reason::Reason;
use crate::model::send::{Send, SendState};
use crate::model::time::{self, Date, TimeZone, Timestamp};
use crate::state::{Person, State};

/// How long an education mail counts towards an ask, and an ask against it, in days.
pub const EARNING_DAYS: i64 = 365;

/// Who gets a mail of `kind` about an order: fulfilment goes to the contact of the
/// order, everything else to the person.
///
/// # Errors
/// The reason why nobody may get it.
pub fn recipient(
    policy: &Policy,
    state: &State,
    kind: Kind,
    sequence: &str,
    order: Option<&str>,
    test: bool,
) -> Result<Address, Reason> {
    let person = &state.person;
    if person.erased {
        return Err(Reason::Erased);
    }
    may_hear(policy, person, kind, sequence)?;
    let contact = order
        .and_then(|key| state.order(key))
        .and_then(|order| order.contact.as_ref())
        .filter(|_| kind == Kind::Fulfilment);
    let address = contact
        .or(person.email.as_ref())
        .ok_or_else(|| Reason::NoAddress {
            why: person
                .bad_email
                .clone()
                .unwrap_or_else(|| "no event brought one".into()),
        })?;
    if test
        && !policy
            .test_recipients
            .iter()
            .any(|allowed| allowed == address.key())
    {
        return Err(Reason::Test);
    }
    Ok(address.clone())
}

/// Opt-outs and consent, at the moment of asking.
fn may_hear(policy: &Policy, person: &Person, kind: Kind, sequence: &str) -> Result<(), Reason> {
    if let Some(scope) = person
        .opt_outs
        .iter()
        .find(|scope| scope.stops(kind, sequence))
    {
        return Err(match scope {
            Scope::Dead => Reason::DeadAddress,
            scope => Reason::OptedOut {
                scope: scope.clone(),
            },
        });
    }
    let consent = &person.consent;
    // A storefront's "unsubscribed" without a scope is an opt-out of marketing, and an
    // opt-out beats every rule.
    if consent.state == ConsentState::Unsubscribed && kind.class() == Class::Marketing {
        return Err(Reason::OptedOut {
            scope: Scope::AllMarketing,
        });
    }
    let rule = policy.consent.rule(person.country.as_deref(), kind);
    let subscribed = consent.state == ConsentState::Subscribed;
    let soft = consent.basis == ConsentBasis::SoftOptIn;
    let (satisfied, needed) = match rule {
        ConsentRule::None | ConsentRule::OptOut => (true, ""),
        ConsentRule::SoftOptIn => (subscribed || soft, "a subscription or a soft opt-in"),
        ConsentRule::OptIn => (subscribed, "a subscription"),
        ConsentRule::Never => (false, "what this shop never assumes"),
    };
    if satisfied {
        Ok(())
    } else {
        Err(Reason::NoConsent {
            kind,
            country: person.country.clone(),
            needed: needed.into(),
        })
    }
}

/// Whether every mail of a kind in a sequence is stopped for this person.
pub fn is_stopped(person: &Person, kind: Kind, sequence: &str) -> Option<Reason> {
    person
        .opt_outs
        .iter()
        .find(|scope| scope.stops(kind, sequence))
        .map(|scope| Reason::OptedOut {
            scope: scope.clone(),
        })
}

/// One mail that takes a place under the limits.
#[derive(Debug, Clone, Copy)]
pub struct Place {
    pub day: Date,
    pub kind: Kind,
}

/// The places that sends take; fulfilment takes none.
pub fn places(sends: &[Send], zone: &TimeZone) -> Vec<Place> {
    sends
        .iter()
        .filter(|send| send.kind.is_bound() && send.state.counts())
        .map(|send| Place {
            day: time::day(send.counted_at(), zone),
            kind: send.kind,
        })
        .collect()
}

/// Which limit a mail of `kind` on `day` would break, if any. A week is any seven
/// days in a row, so that no calendar week holds more either.
pub fn broken_limit(policy: &Policy, places: &[Place], kind: Kind, day: Date) -> Option<String> {
    if !kind.is_bound() {
        return None;
    }
    let limits = &policy.limits;
    let within = |days: i64, counts: &dyn Fn(Kind) -> bool| {
        let first = time::add_days(day, 1 - days);
        places
            .iter()
            .filter(|place| counts(place.kind) && place.day >= first && place.day <= day)
            .count()
    };
    let any = |_: Kind| true;
    if let Some(most) = limits.per_day
        && within(1, &any) >= most as usize
    {
        return Some(format!("per_day = {most}"));
    }
    if let Some(most) = limits.per_week
        && within(7, &any) >= most as usize
    {
        return Some(format!("per_week = {most}"));
    }
    if let Some(asks) = limits.asks.filter(|_| kind.is_ask())
        && within(asks.within_days, &Kind::is_ask) >= asks.at_most as usize
    {
        return Some(format!(
            "asks = {} within {} days",
            asks.at_most, asks.within_days
        ));
    }
    None
}

/// Whether education mails have earned an ask of `kind` (G1): each that went out in
/// the last [`EARNING_DAYS`] days counts one, each ask spends what `[earn]` says.
///
/// # Errors
/// How much is there and how much it takes.
pub fn earned(policy: &Policy, sends: &[Send], kind: Kind, now: Timestamp) -> Result<(), Reason> {
    let needed = policy.earn.get(&kind).copied().unwrap_or(0);
    if !kind.is_ask() || needed == 0 {
        return Ok(());
    }
    let since = time::saturating_add(now, jiff::SignedDuration::from_hours(-24 * EARNING_DAYS));
    let recent = || sends.iter().filter(|send| send.at >= since);
    let given = recent()
        .filter(|send| {
            send.kind == Kind::Education && matches!(send.state, SendState::Accepted { .. })
        })
        .count() as u32;
    let spent: u32 = recent()
        .filter(|send| send.kind.is_ask() && send.state.counts())
        .map(|send| policy.earn.get(&send.kind).copied().unwrap_or(0))
        .sum();
    let earned = given.saturating_sub(spent);
    if earned >= needed {
        Ok(())
    } else {
        Err(Reason::NotEarned {
            kind,
            earned,
            needed,
        })
    }
}
