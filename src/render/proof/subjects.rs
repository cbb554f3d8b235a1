//! What readers see before they open a mail: the subject and the preheader. A subject
//! that looks like spam is filed as spam, in every language.

use super::super::front::Words;
use super::super::markup::Masked;
use super::super::text::columns;
use super::sheet::Sheet;
use super::without_tags;
use crate::model::diagnostic::Diagnostic;
use std::collections::BTreeMap;
use std::ops::Range;

/// Most columns of a subject that mail programs show on a large screen; East Asian
/// letters take two.
const WIDEST: usize = 70;
/// Fewest capital letters that count as shouting.
const SHOUT: usize = 6;
/// Most exclamation marks in one subject.
const MOST_MARKS: usize = 1;
/// Most emoji in one subject.
const MOST_EMOJI: usize = 2;

/// How a subject begins that answers or passes on another mail.
const ANSWERS: [&str; 14] = [
    "re:", "fw:", "fwd:", "aw:", "wg:", "tr:", "rv:", "sv:", "antw:", "odp:", "re：", "fw：",
    "返信:", "転送:",
];

/// Words of spam, in lower case; one alone is fine, with another or with money it is not.
const LURES: [&str; 66] = [
    "free",
    "act now",
    "limited time",
    "urgent",
    "winner",
    "you won",
    "cash",
    "guarantee",
    "risk-free",
    "risk free",
    "no obligation",
    "buy now",
    "order now",
    "last chance",
    "congratulations",
    "once in a lifetime",
    "save big",
    "100%",
    "100 %",
    "don't miss",
    "special offer",
    "exclusive deal",
    "click here",
    "gratis",
    "kostenlos",
    "jetzt kaufen",
    "nur heute",
    "letzte chance",
    "gewonnen",
    "garantiert",
    "dringend",
    "sonderangebot",
    "nur für kurze zeit",
    "jetzt zugreifen",
    "geschenkt",
    "glückwunsch",
    "klicken sie",
    "gratuit",
    "gratuite",
    "offre limitée",
    "dernière chance",
    "cliquez",
    "gagné",
    "félicitations",
    "garanti",
    "achetez maintenant",
    "profitez-en",
    "offre exclusive",
    "aujourd’hui seulement",
    "aujourd'hui seulement",
    "cadeau",
    "無料",
    "今だけ",
    "限定",
    "最後のチャンス",
    "当選",
    "緊急",
    "至急",
    "お得",
    "激安",
    "大特価",
    "本日限り",
    "おめでとうございます",
    "プレゼント",
    "今すぐ",
    "必見",
];

/// Reads subject and preheader of a mail.
pub fn check(sheet: &Sheet<'_>, problems: &mut Vec<Diagnostic>) {
    let Some(front) = &sheet.front else {
        return;
    };
    let Some(subject) = &front.subject else {
        return;
    };
    let warn =
        |code: &'static str, span: &Range<usize>, message: String, why: &str, how: String| {
            Diagnostic::new(code, sheet.path, span.clone(), message)
                .help(why)
                .help(how)
        };
    let masked = Masked::new(&subject.text, false);
    let words = without_tags(&masked, 0..masked.text.len());
    let words = words.split_whitespace().collect::<Vec<_>>().join(" ");
    let lower = words.to_lowercase();
    let span = &subject.span;
    let (upper, cased) = words.chars().fold((0, 0), |(upper, cased), c| {
        (
            upper + usize::from(c.is_uppercase()),
            cased + usize::from(c.is_uppercase() || c.is_lowercase()),
        )
    });
    if upper >= SHOUT && upper * 10 >= cased * 6 {
        problems.push(warn(
            "W245",
            span,
            "this subject shouts".into(),
            "capital letters throughout are filed as spam",
            format!("write it in small letters: \"{}\"", sentence(&lower)),
        ));
    }
    let marks = words.chars().filter(|c| matches!(c, '!' | '！')).count();
    if marks > MOST_MARKS {
        problems.push(warn(
            "W246",
            span,
            format!("this subject has {marks} exclamation marks"),
            "spam filters count them",
            "leave one at most".into(),
        ));
    }
    if let Some(answer) = ANSWERS.iter().find(|answer| lower.starts_with(*answer)) {
        problems.push(warn(
            "W247",
            span,
            format!(
                "this subject begins with \"{}\", but it answers no mail",
                &words[..answer.len().min(words.len())]
            ),
            "it is taken for a trick, and forbidden as a misleading subject in many countries",
            "say what the mail is about".into(),
        ));
    }
    let lures: Vec<&str> = LURES
        .iter()
        .copied()
        .filter(|lure| holds(&lower, lure))
        .collect();
    let money = words
        .chars()
        .filter(|c| matches!(c, '$' | '€' | '£' | '¥' | '￥' | '₹' | '₩'))
        .count();
    if lures.len() > 1 || money > 1 || (!lures.is_empty() && (money > 0 || marks > 0)) {
        let seen: Vec<String> = lures
            .iter()
            .map(|lure| format!("\"{lure}\""))
            .chain((money > 0).then(|| "a currency sign".to_owned()))
            .chain((marks > 0).then(|| "an exclamation mark".to_owned()))
            .collect();
        problems.push(warn(
            "W248",
            span,
            format!("this subject reads like spam: {}", seen.join(", ")),
            "filters weigh such words together, and the mail may never be seen",
            "say plainly what is inside".into(),
        ));
    }
    let wide = width(&subject.text, &masked);
    if wide > WIDEST {
        problems.push(warn(
            "W249",
            span,
            format!("this subject takes about {wide} columns"),
            "mail programs cut it off behind 60 to 70, phones behind 40",
            "put what matters first, and say the rest in the preheader".into(),
        ));
    }
    let emoji = words.chars().filter(|c| is_emoji(*c)).count();
    if emoji > MOST_EMOJI {
        problems.push(warn(
            "W251",
            span,
            format!("this subject has {emoji} emoji"),
            "spam filters count them, and readers hear each of them read out",
            format!("leave {MOST_EMOJI} at most"),
        ));
    }
    preheader(sheet, subject, front.preheader.as_ref(), problems);
}

fn preheader(
    sheet: &Sheet<'_>,
    subject: &Words,
    preheader: Option<&Words>,
    problems: &mut Vec<Diagnostic>,
) {
    let same = |a: &str, b: &str| {
        let bare = |text: &str| {
            text.to_lowercase()
                .split_whitespace()
                .collect::<Vec<_>>()
                .join(" ")
                .trim_end_matches(['.', '!', '。'])
                .to_owned()
        };
        bare(a) == bare(b)
    };
    let (span, message) = match preheader {
        None => (subject.span.clone(), "this mail has no preheader"),
        Some(words) if words.text.trim().is_empty() => {
            (words.span.clone(), "this preheader is empty")
        }
        Some(words) if same(&words.text, &subject.text) => {
            (words.span.clone(), "this preheader repeats the subject")
        }
        Some(_) => return,
    };
    problems.push(
        Diagnostic::new("W250", sheet.path, span, message)
            .help("mail programs show it beside the subject: half of what makes people open a mail is lost")
            .help("write what the subject leaves open: preheader = \"…\""),
    );
}

/// Whether a text holds a word, not as a part of another.
fn holds(text: &str, word: &str) -> bool {
    text.match_indices(word).any(|(at, _)| {
        let letter =
            |c: Option<char>| c.is_some_and(|c| c.is_alphanumeric() && (c as u32) < 0x2e80);
        !letter(text[..at].chars().next_back())
            && (!letter(text[at + word.len()..].chars().next())
                || !word.ends_with(char::is_alphanumeric))
    })
}

fn sentence(lower: &str) -> String {
    let mut chars = lower.chars();
    chars.next().map_or_else(String::new, |first| {
        first.to_uppercase().chain(chars).collect()
    })
}

fn is_emoji(c: char) -> bool {
    matches!(c, '\u{1f300}'..='\u{1faff}' | '\u{2600}'..='\u{27bf}' | '\u{1f1e6}'..='\u{1f1ff}' | '\u{2b50}' | '\u{2b55}')
}

/// About how many columns a subject takes: the longer side of each choice, and for each
/// value what such values usually take.
fn width(text: &str, masked: &Masked) -> usize {
    let mut open: Vec<(usize, usize)> = Vec::new();
    let mut now = 0;
    let mut at = 0;
    for hole in &masked.holes {
        now += columns(text.get(at..hole.start).unwrap_or_default());
        at = hole.end;
        let tag = text.get(hole.clone()).unwrap_or_default();
        let inside = tag.trim_matches(['{', '}', '~', ' ']);
        if inside.starts_with('#') {
            open.push((now, 0));
            now = 0;
        } else if inside == "else" || inside.starts_with("else ") || inside == "^" {
            if let Some((_, best)) = open.last_mut() {
                *best = (*best).max(now);
                now = 0;
            }
        } else if inside.starts_with('/') {
            if let Some((before, best)) = open.pop() {
                now = before + best.max(now);
            }
        } else if !inside.starts_with('!') {
            now += usual(inside);
        }
    }
    now + columns(text.get(at..).unwrap_or_default())
}

/// Columns that a value usually takes.
fn usual(inside: &str) -> usize {
    let last = inside.rsplit(['.', ' ']).next().unwrap_or_default();
    if inside.starts_with("date") {
        14
    } else if last.contains("variant") {
        10
    } else if last.contains("title") {
        20
    } else {
        8
    }
}

/// How a mail stands in an inbox, in one language.
#[derive(Debug)]
pub struct Subject {
    locale: String,
    text: String,
    path: String,
    span: Range<usize>,
}

/// The subjects of one mail in all its languages.
pub fn of(by_locale: &BTreeMap<&str, &Sheet<'_>>) -> Vec<Subject> {
    let one = |(locale, sheet): (&&str, &&Sheet<'_>)| {
        let subject = sheet.front.as_ref()?.subject.as_ref()?;
        Some(Subject {
            locale: (*locale).to_owned(),
            text: subject.text.clone(),
            path: sheet.path.to_owned(),
            span: subject.span.clone(),
        })
    };
    by_locale.iter().filter_map(one).collect()
}

/// Mails of one sequence that would stand in an inbox under the same subject.
pub fn courses<'s>(
    subjects_of: &dyn Fn(&str) -> &'s [Subject],
    courses: &[(String, Vec<String>)],
    problems: &mut Vec<Diagnostic>,
) {
    for (sequence, mails) in courses {
        let mut seen: BTreeMap<(&str, &str), &str> = BTreeMap::new();
        for mail in mails {
            for subject in subjects_of(mail) {
                let key = (subject.locale.as_str(), subject.text.as_str());
                let had = seen.entry(key).or_insert(mail);
                if had == mail {
                    continue;
                }
                let message = format!("\"{had}\" of the same sequence has the same subject");
                let place = subject.span.clone();
                problems.push(
                    Diagnostic::new("W252", subject.path.as_str(), place, message)
                        .help(format!("readers of {sequence} would take the second mail for the first one, and programs fold them into one"))
                        .help("say what is new in this one"),
                );
            }
        }
    }
}
