//! Where MJML is torn that the renderer could not read: it says where it stopped in a text
//! that nobody wrote, so the place is looked for in the file itself. It is asked only about
//! what was refused, and so may take the likeliest cause.

use super::markup::{Masked, Part, parts};
use std::ops::Range;

/// Elements of HTML that have no end.
const WITHOUT_END: [&str; 9] = [
    "br", "hr", "img", "meta", "input", "link", "col", "wbr", "source",
];

/// What tears a page, with its place and what to type.
#[derive(Debug, PartialEq, Eq)]
pub struct Torn {
    pub place: Range<usize>,
    pub message: String,
    pub help: String,
}

/// The first place at which a part of a file is no whole markup.
pub fn find(masked: &Masked, within: Range<usize>) -> Option<Torn> {
    let text = &masked.text;
    let mut open: Vec<(String, Range<usize>)> = Vec::new();
    let mut page_over = false;
    for part in parts(text, within) {
        let tag = match part {
            Part::Tag(tag) => tag,
            Part::Words(words) => {
                let torn = bare(text, &words);
                if torn.is_some() {
                    return torn;
                }
                continue;
            }
            Part::Foreign(_) | Part::Comment(_) => continue,
        };
        if let Some(torn) = attributes(text, &tag) {
            return Some(torn);
        }
        if tag.name == "mjml" && !tag.closing && page_over {
            return Some(Torn {
                place: tag.span,
                message: "a second page begins here".into(),
                help: "a file holds one <mjml> … </mjml>; take the other out".into(),
            });
        }
        page_over |= tag.name == "mjml" && tag.closing;
        if tag.closed || WITHOUT_END.contains(&tag.name.as_str()) {
            continue;
        }
        if !tag.closing {
            open.push((tag.name, tag.span));
            continue;
        }
        match open.pop() {
            Some((name, _)) if name == tag.name => {}
            Some((name, place)) => {
                return Some(Torn {
                    place,
                    message: format!("<{name}> is never closed"),
                    help: format!("end it with </{name}> before </{}>", tag.name),
                });
            }
            None => {
                return Some(Torn {
                    place: tag.span,
                    message: format!("</{}> closes nothing", tag.name),
                    help: "take it out, or begin the element before it".into(),
                });
            }
        }
    }
    open.pop().map(|(name, place)| Torn {
        place,
        message: format!("<{name}> is never closed"),
        help: format!("end it with </{name}>"),
    })
}

/// A `<` that begins no element.
fn bare(text: &str, words: &Range<usize>) -> Option<Torn> {
    let at = words.start + text.get(words.clone())?.find('<')?;
    Some(Torn {
        place: at..at + 1,
        message: "this < begins no element".into(),
        help: "write &lt; for the sign itself".into(),
    })
}

/// An attribute that is not whole, or a tag without its end.
fn attributes(text: &str, tag: &super::markup::Element) -> Option<Torn> {
    for one in &tag.attributes {
        let name = text.get(one.name_span.clone())?;
        let torn = |message: String| {
            Some(Torn {
                place: one.name_span.clone(),
                message,
                help: format!("write {name}=\"…\", with straight quotes on both sides"),
            })
        };
        match &one.value {
            // `<b disabled>` is no MJML, and a lone word is the rest of a torn value.
            None => return torn(format!("`{name}` has no value in quotes")),
            Some(_) if !one.quoted => return torn(format!("`{name}` has no value in quotes")),
            Some(value) if text.get(value.clone())?.contains('<') => {
                return torn(format!("the quotes of `{name}` are not closed"));
            }
            Some(_) => {}
        }
    }
    (!text.get(tag.span.clone())?.ends_with('>')).then(|| Torn {
        place: tag.name_span.clone(),
        message: format!("<{}> has no > at its end", tag.name),
        help: "end the tag with >".into(),
    })
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn what_tears_a_page_is_told_in_its_place() {
        for (source, place, message) in [
            ("<mj-text>A & B < C</mj-text>", "<", "begins no element"),
            ("<mj-text><b>A</mj-text>", "<b>", "<b> is never closed"),
            (
                "<mj-text><a href={{x}}>A</a></mj-text>",
                "href",
                "no value in quotes",
            ),
            (
                "<mj-text><a href=\"{{x}}>A</a></mj-text>",
                "href",
                "are not closed",
            ),
            (
                "<mj-raw><meta name=\"a\" </mj-raw>",
                "meta",
                "no > at its end",
            ),
            ("<mjml></mjml>\n<mjml></mjml>", "<mjml>", "a second page"),
        ] {
            let torn = find(&Masked::new(source, false), 0..source.len()).unwrap();
            assert_eq!(&source[torn.place.clone()], place, "{source}");
            assert!(torn.message.contains(message), "{source}: {torn:?}");
        }
        let whole = "<mj-text>A &amp; B<br>C <a href=\"{{x}}\">d</a></mj-text>";
        assert_eq!(find(&Masked::new(whole, false), 0..whole.len()), None);
    }
}
