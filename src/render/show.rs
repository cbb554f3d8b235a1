//! The helpers that print a part of the mail rather than a value: lists of items,
//! pictures, rows of stars. Each has a form for the page and one for the text.

use super::MAX_OUTPUT;
use super::evaluate::{Done, Evaluation, Printed, Scope};
use super::functions::Function;
use super::html::{escape_into, is_linkable, marked_into, plain_into, plain_marked_into};
use super::languages::{is_foreign, isolate_into};
use super::program::{Form, Place, Use};
use super::strings::{Given, STARS};
use serde_json::Value;
use url::Url;

/// How many stars there are to give.
const MOST_STARS: i64 = 5;

/// An address with a rating; one that it has already is replaced.
fn rated(address: &str, star: i64) -> Option<String> {
    let mut url = Url::parse(address).ok()?;
    let others: Vec<(String, String)> = url
        .query_pairs()
        .filter(|(key, _)| key != "rating")
        .map(|(key, value)| (key.into_owned(), value.into_owned()))
        .collect();
    url.query_pairs_mut()
        .clear()
        .extend_pairs(others)
        .append_pair("rating", &star.to_string());
    Some(url.into())
}

impl Evaluation<'_> {
    /// Prints what a helper shows.
    pub(super) fn show(
        &self,
        shows: &Use,
        scope: &Scope<'_>,
        place: Place,
        depth: usize,
        printed: &mut Printed,
    ) -> Done {
        let call = &shows.call;
        let count = call.params.len();
        let (fewest, most) = shows.function.signature().values;
        if count < fewest || count > most {
            return self.fail(
                place,
                format!(
                    "{} takes {fewest} to {most} values, found {count}",
                    call.name
                ),
            );
        }
        let first = self.get(&call.params[0], scope, depth)?;
        match shows.function {
            Function::Items => {
                let Value::Array(list) = first.value() else {
                    return self.unfit(call, 0, first.value(), "a list of items", place);
                };
                let mut out = String::new();
                self.items(list, place, &mut out)?;
                printed.text.push_str(&out);
            }
            Function::Image => {
                let second = self.get(&call.params[1], scope, depth)?;
                let address = first.value().as_str().unwrap_or_default();
                if !is_linkable(address) || address.starts_with("mailto") {
                    return self.unfit(call, 0, first.value(), "an http or https address", place);
                }
                let Some(alt) = second.value().as_str() else {
                    return self.unfit(
                        call,
                        1,
                        second.value(),
                        "words for those who see no pictures",
                        place,
                    );
                };
                let mut out = String::new();
                match self.form {
                    Form::Html => {
                        out.push_str("<img src=\"");
                        escape_into(&mut out, address);
                        out.push_str("\" alt=\"");
                        escape_into(&mut out, alt);
                        out.push_str(
                            "\" style=\"display:block;border:0;max-width:100%;height:auto;\">",
                        );
                    }
                    Form::Text => plain_into(&mut out, alt),
                }
                printed.text.push_str(&out);
            }
            Function::Stars => {
                let address = first.value().as_str().and_then(|text| self.tagged(text));
                let Some(address) = address else {
                    return self.unfit(call, 0, first.value(), "an http or https address", place);
                };
                let mut out = String::new();
                for star in 1..=MOST_STARS {
                    let Some(rated) = rated(&address, star) else {
                        return self.unfit(
                            call,
                            0,
                            first.value(),
                            "an http or https address",
                            place,
                        );
                    };
                    let words = self.star_words(star);
                    match self.form {
                        // A star for eyes, words for ears: what reads mails aloud must not
                        // say "black star" five times.
                        Form::Html => {
                            out.push_str("<a href=\"");
                            escape_into(&mut out, &rated);
                            out.push_str("\" title=\"");
                            escape_into(&mut out, &words);
                            out.push_str("\" aria-label=\"");
                            escape_into(&mut out, &words);
                            out.push_str("\" style=\"font-size:28px;line-height:1;text-decoration:none;color:#b97d0e;\"><span aria-hidden=\"true\">★</span></a> ");
                        }
                        Form::Text => {
                            let stars: String = (1..=MOST_STARS)
                                .map(|n| if n <= star { '★' } else { '☆' })
                                .collect();
                            out.push_str(&format!("{stars} "));
                            if self.strings.message(STARS).is_some() {
                                plain_into(&mut out, &format!("{words}: "));
                            }
                            out.push_str(&format!("{rated}\n"));
                        }
                    }
                }
                printed.text.push_str(out.trim_end());
            }
            _ => {}
        }
        Ok(())
    }

    /// What a star says: "3 of 5 stars" where the shop has words for it, else "3/5".
    fn star_words(&self, star: i64) -> String {
        let given = [
            ("n".to_owned(), Given::Number(star)),
            ("of".to_owned(), Given::Number(MOST_STARS)),
        ];
        self.strings
            .say(STARS, &given, self.language)
            .unwrap_or_else(|_| format!("{star}/{MOST_STARS}"))
    }

    /// Appends what somebody else wrote, in a direction of its own where it needs one.
    fn foreign(&self, text: &str, out: &mut String) {
        let mut marked = String::new();
        let text = if is_foreign(text, self.language.is_rtl()) {
            isolate_into(&mut marked, text);
            &marked
        } else {
            text
        };
        match self.form {
            Form::Html => marked_into(out, text, true),
            Form::Text if marked.is_empty() => plain_into(out, text),
            Form::Text => plain_marked_into(out, text),
        }
    }

    fn items(&self, list: &[Value], place: Place, out: &mut String) -> Done {
        let start = if self.language.is_rtl() {
            "right"
        } else {
            "left"
        };
        let cell = format!(
            "padding:9px 0;border-bottom:1px solid #dcd8cf;border-bottom-color:rgba(128,128,128,.35);vertical-align:top;text-align:{start};"
        );
        if self.form == Form::Html && !list.is_empty() {
            out.push_str("<table class=\"items\" role=\"presentation\" width=\"100%\" cellpadding=\"0\" cellspacing=\"0\" border=\"0\" style=\"width:100%;border-collapse:collapse;margin:0 0 20px;\"><tbody>");
        }
        for item in list {
            let field = |name: &str| {
                item.get(name)
                    .and_then(Value::as_str)
                    .filter(|text| !text.trim().is_empty())
            };
            let Some(title) = field("title") else {
                return self.fail(place, "an item of the list has no title");
            };
            let quantity = match item.get("quantity") {
                None | Some(Value::Null) => None,
                Some(value) => match value.as_i64() {
                    Some(count) => Some(self.language.number(count)),
                    None => return self.fail(place, "an item's quantity is no whole number"),
                },
            };
            let variant = field("variant_title").filter(|variant| *variant != title);
            match self.form {
                Form::Html => {
                    out.push_str("<tr>");
                    if let Some(quantity) = &quantity {
                        out.push_str(&format!(
                            "<td width=\"44\" style=\"{cell}width:44px;white-space:nowrap;\">"
                        ));
                        escape_into(out, quantity);
                        out.push_str("&nbsp;×</td>");
                    }
                    out.push_str(&format!("<td style=\"{cell}\">"));
                    self.foreign(title, out);
                    if let Some(variant) = variant {
                        out.push_str(" (");
                        self.foreign(variant, out);
                        out.push(')');
                    }
                    out.push_str("</td></tr>");
                }
                Form::Text => {
                    out.push_str("- ");
                    if let Some(quantity) = &quantity {
                        out.push_str(quantity);
                        out.push_str(" × ");
                    }
                    self.foreign(title, out);
                    if let Some(variant) = variant {
                        out.push_str(" (");
                        self.foreign(variant, out);
                        out.push(')');
                    }
                    out.push('\n');
                }
            }
            if out.len() > MAX_OUTPUT {
                return self.fail(place, format!("the mail grows beyond {MAX_OUTPUT} bytes"));
            }
        }
        match self.form {
            Form::Html if !list.is_empty() => out.push_str("</tbody></table>"),
            Form::Html => {}
            Form::Text => out.truncate(out.trim_end().len()),
        }
        Ok(())
    }
}
