//! The helpers that print a part of the mail rather than a value: lists of items,
//! pictures, rows of stars. Each has a form for the page and one for the text.

use super::MAX_OUTPUT;
use super::evaluate::{Done, Evaluation, Printed, Scope};
use super::functions::Function;
use super::html::{escape_into, is_linkable, plain_into};
use super::program::{Form, Place, Use};
use serde_json::Value;

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
                let joint = if address.contains('?') { '&' } else { '?' };
                let mut out = String::new();
                for star in 1..=5_usize {
                    let rated = format!("{address}{joint}rating={star}");
                    match self.form {
                        Form::Html => {
                            out.push_str("<a href=\"");
                            escape_into(&mut out, &rated);
                            out.push_str(&format!(
                                "\" title=\"{star}/5\" style=\"font-size:28px;line-height:1;text-decoration:none;color:#d99a1c;\">★</a> "
                            ));
                        }
                        Form::Text => {
                            let stars: String =
                                (1..=5).map(|n| if n <= star { '★' } else { '☆' }).collect();
                            out.push_str(&format!("{stars} {rated}\n"));
                        }
                    }
                }
                printed.text.push_str(out.trim_end());
            }
            _ => {}
        }
        Ok(())
    }

    fn items(&self, list: &[Value], place: Place, out: &mut String) -> Done {
        const CELL: &str = "padding:9px 0;border-bottom:1px solid #dcd8cf;border-bottom-color:rgba(128,128,128,.35);vertical-align:top;text-align:left;";
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
                            "<td width=\"44\" style=\"{CELL}width:44px;white-space:nowrap;\">"
                        ));
                        escape_into(out, quantity);
                        out.push_str("&nbsp;×</td>");
                    }
                    out.push_str(&format!("<td style=\"{CELL}\">"));
                    escape_into(out, title);
                    if let Some(variant) = variant {
                        out.push_str(" (");
                        escape_into(out, variant);
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
                    plain_into(out, title);
                    if let Some(variant) = variant {
                        out.push_str(" (");
                        plain_into(out, variant);
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
