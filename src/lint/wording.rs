//! Words that sell or reward, in the languages that shops here write in. A sentence that
//! says there is no reward offers none.

use std::sync::LazyLock;

/// How many words before a reward may deny it.
const REACH: usize = 4;
/// How many words after it, of the same clause: `eine Belohnung gibt es für keine Antwort`.
const REACH_AFTER: usize = 6;

/// Rewards, in lower case. A star stands for any ending. Words that have another meaning
/// in a shop (`points`, `gift`, `réduction du bruit`) stand in phrases only.
const REWARDS: &[&str] = &[
    // English
    "coupon*",
    "voucher*",
    "discount*",
    "promo code*",
    "% off",
    "money off",
    "gift card*",
    "free gift*",
    "small gift",
    "thank-you gift",
    "gift for you",
    "gift as a thank",
    "reward",
    "rewards",
    "store credit",
    "cashback",
    "loyalty points",
    "bonus points",
    "reward points",
    "earn points",
    "raffle*",
    "prize*",
    "giveaway*",
    "sweepstake*",
    // German
    "gutschein*",
    "rabatt*",
    "prämie*",
    "belohnung*",
    "gewinnspiel*",
    "verlosung*",
    "verlosen*",
    "bonuspunkt*",
    "treuepunkt*",
    "kleines geschenk",
    "geschenk als dank",
    "als dankeschön",
    // French
    "code promo*",
    "code de réduction",
    "bon d’achat",
    "bon d'achat",
    "bon de réduction",
    "% de réduction",
    "% de remise",
    "cadeau",
    "cadeaux",
    "récompense*",
    "points de fidélité",
    "tirage au sort",
    "chèque-cadeau",
    // Spanish
    "cupón",
    "cupones",
    "descuento*",
    "tarjeta regalo",
    "recompensa*",
    "sorteo*",
    "puntos de fidelidad",
    "código promocional",
    // Italian
    "buono sconto",
    "buono regalo",
    "sconto",
    "sconti",
    "codice promozionale",
    "punti fedeltà",
    "estrazione a premi",
    "un omaggio",
];

/// Rewards in Japanese, which puts no spaces between words.
const REWARDS_JA: &[&str] = &[
    "クーポン",
    "割引",
    "値引",
    "ギフト券",
    "ギフトカード",
    "商品券",
    "特典",
    "謝礼",
    "抽選",
    "粗品",
    "キャッシュバック",
    "ポイント進呈",
    "ポイントを進呈",
    "ポイント付与",
    "ポイントを付与",
    "ポイントプレゼント",
    "ポイントをプレゼント",
    "ポイントを差し上げ",
    "ボーナスポイント",
    "をプレゼント",
    "もれなくプレゼント",
];

/// Words that deny what follows.
const DENIALS: &[&str] = &[
    "no",
    "not",
    "never",
    "without",
    "nor",
    "nothing",
    "don't",
    "don’t",
    "doesn't",
    "doesn’t",
    "isn't",
    "isn’t",
    "aren't",
    "aren’t",
    "kein",
    "keine",
    "keinen",
    "keinem",
    "keiner",
    "keines",
    "nicht",
    "ohne",
    "nie",
    "niemals",
    "pas",
    "aucun",
    "aucune",
    "sans",
    "jamais",
    "ni",
    "sin",
    "ningún",
    "ninguna",
    "nunca",
    "non",
    "nessun",
    "nessuna",
    "nessuno",
    "senza",
    "mai",
];

/// Endings that deny what stands before them, in Japanese.
const DENIALS_JA: &[&str] = &["ません", "ない", "なし", "ございませ"];

/// Rewards by their first byte, so that a text is gone through once.
static BY_BYTE: LazyLock<Vec<Vec<&'static str>>> = LazyLock::new(|| {
    let mut by = vec![Vec::new(); 256];
    for pattern in REWARDS {
        if let Some(first) = pattern.bytes().next() {
            by[usize::from(first)].push(*pattern);
        }
    }
    by
});

/// The first words of a text that offer a reward, as they are written.
pub fn reward(text: &str) -> Option<&str> {
    // Kana stand in every Japanese sentence, and in no other.
    let kana = text.chars().any(|c| ('\u{3040}'..='\u{30ff}').contains(&c));
    text.split_inclusive(['.', '!', '?', '。', '！', '？', '\n'])
        .find_map(|sentence| {
            kana.then(|| in_japanese(sentence))
                .flatten()
                .or_else(|| in_sentence(sentence))
        })
}

fn in_japanese(sentence: &str) -> Option<&str> {
    REWARDS_JA.iter().find_map(|word| {
        let at = sentence.find(word)?;
        let after = &sentence[at + word.len()..];
        let denied = DENIALS_JA.iter().any(|denial| after.contains(denial));
        (!denied).then(|| &sentence[at..at + word.len()])
    })
}

fn in_sentence(sentence: &str) -> Option<&str> {
    // Small and large letters may differ in length; then the place is only near.
    let lower = sentence.to_lowercase();
    let mut before: Option<char> = None;
    for (at, c) in lower.char_indices() {
        let begins = c == '%' || !before.is_some_and(char::is_alphanumeric);
        before = Some(c);
        if !begins {
            continue;
        }
        let rest = &lower[at..];
        let Some(first) = rest.bytes().next() else {
            continue;
        };
        for pattern in &BY_BYTE[usize::from(first)] {
            let (word, open) = match pattern.strip_suffix('*') {
                Some(word) => (word, true),
                None => (*pattern, false),
            };
            let Some(after) = rest.strip_prefix(word) else {
                continue;
            };
            let whole = open || !after.chars().next().is_some_and(char::is_alphanumeric);
            if whole && !denied(&lower[..at]) && !denied_after(after) {
                return sentence.get(at..at + word.len()).or(Some(sentence.trim()));
            }
        }
    }
    None
}

/// Whether the last few words deny what comes next.
fn denied(before: &str) -> bool {
    before.split_whitespace().rev().take(REACH).any(is_denial)
}

/// Whether the next few words of the same clause deny what came before.
fn denied_after(after: &str) -> bool {
    let clause = after
        .split([',', ';', ':', '–', '—', '('])
        .next()
        .unwrap_or(after);
    let words: Vec<&str> = clause.split_whitespace().take(REACH_AFTER).collect();
    words.iter().enumerate().any(|(at, word)| {
        let next = words.get(at + 1).copied().unwrap_or_default();
        // \"no matter what you write\" and \"nicht nur\" deny nothing.
        is_denial(word) && !next.starts_with("matter") && !matches!(next, "nur" | "only" | "just")
    })
}

fn is_denial(word: &str) -> bool {
    let word = word.trim_matches(|c: char| !c.is_alphanumeric() && c != '\'' && c != '’');
    // `n’offrons pas de`, `d’aucune`: what follows the apostrophe counts too.
    let last = word.rsplit(['’', '\'']).next().unwrap_or(word);
    DENIALS.contains(&word) || DENIALS.contains(&last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rewards_are_found_in_the_languages_of_shops() {
        for (text, word) in [
            ("Write a review and get 10% off your next order.", "% off"),
            ("As a thank-you we send you a voucher.", "voucher"),
            ("Every review takes part in our prize draw!", "prize"),
            ("You get a voucher no matter what you write.", "voucher"),
            ("Take your voucher, no strings attached.", "voucher"),
            ("Sie erhalten einen 5-Euro-Gutschein.", "Gutschein"),
            ("Gutscheincode: DANKE", "Gutschein"),
            ("Nous vous offrons un bon d’achat de 5 €.", "bon d’achat"),
            ("レビューを書いてクーポンをもらおう。", "クーポン"),
            ("投稿された方に500ポイントを進呈します。", "ポイントを進呈"),
            ("Un cupón para tu próxima compra.", "cupón"),
            ("Ricevi un buono sconto.", "buono sconto"),
        ] {
            assert_eq!(reward(text), Some(word), "{text}");
        }
    }

    #[test]
    fn what_offers_nothing_is_left_alone() {
        for text in [
            "We ask everybody who bought it, and there is no reward for any answer.",
            "A rewarding hobby. Three points to remember.",
            "Dafür gibt es keine Belohnung.",
            "Eine Belohnung gibt es für keine Antwort.",
            "Nous ne donnons aucune récompense.",
            "La réduction du bruit, et la remise à zéro.",
            "投稿に対する謝礼はありません。",
            "撮影のポイントは三つです。",
            "Sin recompensa alguna. Senza sconto.",
            "Das Geschenk kam gut an.",
        ] {
            assert_eq!(reward(text), None, "{text}");
        }
    }
}
