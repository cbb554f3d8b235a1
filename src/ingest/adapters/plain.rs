//! Words that a platform wrote for its own pages, as words: signs instead of their names
//! (`&ndash;`, `&#36;`), and without tags. A mail writes its own markup.

use std::borrow::Cow;

/// Longest name of a sign, `&` and `;` apart.
const MAX_NAME: usize = 10;
/// Signs that names of goods hold and shops write by name.
const SIGNS: &[(&str, char)] = &[
    ("amp", '&'),
    ("lt", '<'),
    ("gt", '>'),
    ("quot", '"'),
    ("apos", '\''),
    ("nbsp", ' '),
    ("ndash", '–'),
    ("mdash", '—'),
    ("hellip", '…'),
    ("lsquo", '‘'),
    ("rsquo", '’'),
    ("ldquo", '“'),
    ("rdquo", '”'),
    ("bdquo", '„'),
    ("sbquo", '‚'),
    ("laquo", '«'),
    ("raquo", '»'),
    ("bull", '•'),
    ("middot", '·'),
    ("times", '×'),
    ("deg", '°'),
    ("prime", '′'),
    ("Prime", '″'),
    ("frac12", '½'),
    ("frac14", '¼'),
    ("frac34", '¾'),
    ("trade", '™'),
    ("reg", '®'),
    ("copy", '©'),
    ("euro", '€'),
    ("pound", '£'),
    ("yen", '¥'),
    ("cent", '¢'),
    ("auml", 'ä'),
    ("ouml", 'ö'),
    ("uuml", 'ü'),
    ("Auml", 'Ä'),
    ("Ouml", 'Ö'),
    ("Uuml", 'Ü'),
    ("szlig", 'ß'),
    ("eacute", 'é'),
    ("egrave", 'è'),
    ("agrave", 'à'),
    ("ccedil", 'ç'),
    ("ntilde", 'ñ'),
];

/// Signs instead of their names; what is no name stays as it is.
pub(super) fn plain(text: &str) -> Cow<'_, str> {
    if !text.contains('&') {
        return Cow::Borrowed(text);
    }
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('&') {
        let (before, from) = rest.split_at(at);
        plain.push_str(before);
        let end = from
            .bytes()
            .take(MAX_NAME + 2)
            .position(|byte| byte == b';');
        match end.and_then(|end| Some((sign(from.get(1..end)?)?, end))) {
            Some((sign, end)) => {
                plain.push(sign);
                rest = from.get(end + 1..).unwrap_or_default();
            }
            None => {
                plain.push('&');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    plain.push_str(rest);
    Cow::Owned(plain)
}

/// The sign of a name: `ndash`, `#8211`, `#x2013`. Control characters have none.
fn sign(name: &str) -> Option<char> {
    let number = match name.strip_prefix('#') {
        Some(number) => match number.strip_prefix(['x', 'X']) {
            Some(hex) => u32::from_str_radix(hex, 16).ok()?,
            None => number.parse().ok()?,
        },
        None => {
            let known = SIGNS.iter().find(|(known, _)| *known == name);
            return known.map(|(_, sign)| *sign);
        }
    };
    char::from_u32(number).filter(|sign| !sign.is_control())
}

/// Without tags: `<a href="…">print.pdf</a>` is `print.pdf`.
pub(super) fn untagged(text: &str) -> Cow<'_, str> {
    if !text.contains('<') {
        return Cow::Borrowed(text);
    }
    let mut bare = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('<') {
        let (before, from) = rest.split_at(at);
        bare.push_str(before);
        let opens = from
            .get(1..)
            .is_some_and(|next| next.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/'));
        match from.find('>').filter(|_| opens) {
            Some(end) => rest = from.get(end + 1..).unwrap_or_default(),
            None => {
                bare.push('<');
                rest = from.get(1..).unwrap_or_default();
            }
        }
    }
    bare.push_str(rest);
    Cow::Owned(bare.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_stand_for_their_names_and_what_is_none_stays() {
        for (text, expected) in [
            ("Tee &ndash; Black, Size: M", "Tee – Black, Size: M"),
            (
                "&lt;Variable&gt; Pens &#36;22 &#x2013; &amp;amp;",
                "<Variable> Pens $22 – &amp;",
            ),
            (
                "Fish & Chips; &unknown; &; & &#0; &#xD800; &#999999999;",
                "Fish & Chips; &unknown; &; & &#0; &#xD800; &#999999999;",
            ),
            ("&", "&"),
            ("&é;", "&é;"),
            ("", ""),
        ] {
            assert_eq!(plain(text), expected, "{text}");
        }
        for (text, expected) in [
            ("<a href=\"https://x.example/\">print.pdf</a>", "print.pdf"),
            ("<p>Love,<br />Mum</p>", "Love,Mum"),
            ("3 < 5 and <", "3 < 5 and <"),
        ] {
            assert_eq!(untagged(text), expected, "{text}");
        }
    }
}
