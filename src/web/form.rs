//! Reads the two small forms that reach an unsubscribe link: the one click that a
//! mail program posts (RFC 8058) and the buttons of our own page.
//!
//! Mail programs are many and old, so this reads generously; what it reads is only
//! ever compared with a few known words.

use super::receive::MediaType;

/// Largest form, in bytes.
pub const MAX_FORM: usize = 16 * 1024;
/// Most fields of a form that are looked at.
pub const MAX_FIELDS: usize = 32;

/// The fields of a form in the order they came; `None` where the content type is of no
/// form or the body does not hold what it announces.
pub fn fields(content_type: Option<&str>, body: &[u8]) -> Option<Vec<(String, String)>> {
    // Without a content type it can only be the short form that everybody sends.
    let kind = MediaType::read(content_type.unwrap_or("application/x-www-form-urlencoded"));
    match kind.essence.as_str() {
        "application/x-www-form-urlencoded" => Some(
            url::form_urlencoded::parse(body.trim_ascii())
                .take(MAX_FIELDS)
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        ),
        "multipart/form-data" => multipart(kind.parameter("boundary")?, body),
        _ => None,
    }
}

/// The fields of a multipart body. A delimiter is `--` and the boundary; RFC 8058 as
/// first printed leaves the `--` out of its example (errata 5117 and 8927), and some
/// programs copied it, so a line with the bare boundary counts too.
fn multipart(boundary: &str, body: &[u8]) -> Option<Vec<(String, String)>> {
    if boundary.is_empty() || boundary.len() > 70 {
        return None;
    }
    let text = std::str::from_utf8(body).ok()?;
    let is_delimiter = |line: &str| {
        let line = line
            .strip_prefix("--")
            .filter(|rest| rest.starts_with(boundary))
            .unwrap_or(line);
        match line.strip_prefix(boundary) {
            Some("") => Some(false),
            Some("--") => Some(true),
            Some(_) | None => None,
        }
    };
    let mut lines = text.lines().map(str::trim_end);
    lines.by_ref().find(|line| is_delimiter(line).is_some())?;
    let mut fields = Vec::new();
    let mut name: Option<String> = None;
    let mut value: Option<String> = None;
    let mut closed = false;
    for line in lines {
        if let Some(last) = is_delimiter(line) {
            fields.push((name.take()?, value.take()?));
            if last || fields.len() == MAX_FIELDS {
                closed = true;
                break;
            }
        } else if let Some(value) = &mut value {
            if !value.is_empty() {
                value.push('\n');
            }
            value.push_str(line);
        } else if line.is_empty() {
            value = Some(String::new());
        } else if let Some((header, rest)) = line.split_once(':')
            && header.eq_ignore_ascii_case("content-disposition")
        {
            name = MediaType::read(rest).parameter("name").map(str::to_owned);
        }
    }
    closed.then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content_type: &str, body: &str, expected: Option<&[(&str, &str)]>) {
        let found = fields(Some(content_type), body.as_bytes());
        let expected = expected.map(|fields| {
            fields
                .iter()
                .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
                .collect::<Vec<_>>()
        });
        assert_eq!(found, expected, "{content_type}: {body:?}");
    }

    const CLICK: Option<&[(&str, &str)]> = Some(&[("List-Unsubscribe", "One-Click")]);

    #[test]
    fn one_click_is_read_in_every_dress() {
        let urlencoded = "application/x-www-form-urlencoded";
        check(urlencoded, "List-Unsubscribe=One-Click", CLICK);
        check(urlencoded, "List-Unsubscribe=One-Click\r\n", CLICK);
        assert!(fields(None, b"List-Unsubscribe=One-Click").is_some());
        let body = "--b7\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\nOne-Click\r\n--b7--\r\n";
        check("multipart/form-data; boundary=b7", body, CLICK);
        check("Multipart/Form-Data; Boundary=\"b7\"", body, CLICK);
        check(
            "multipart/form-data; boundary=b7",
            &body.replace("\r\n", "\n"),
            CLICK,
        );
        check(
            "multipart/form-data; boundary=b7",
            &format!("preamble\r\n{body}epilogue"),
            CLICK,
        );
    }

    #[test]
    fn the_example_of_rfc_8058_is_read_as_first_printed_and_as_corrected() {
        let content_type = "multipart/form-data; boundary=---FormBoundaryjWmhtjORrn";
        let printed = "---FormBoundaryjWmhtjORrn\r\nContent-Disposition: form-data; name=\"List-Unsubscribe\"\r\n\r\n\
                       One-Click\r\n---FormBoundaryjWmhtjORrn--\r\n";
        check(content_type, printed, CLICK);
        check(
            content_type,
            &printed.replace("---Form", "-----Form"),
            CLICK,
        );
    }

    #[test]
    fn what_is_no_form_is_none() {
        let body =
            "--b7\r\nContent-Disposition: form-data; name=\"scope\"\r\n\r\nall\r\n--b7--\r\n";
        check("multipart/form-data", body, None);
        check("multipart/form-data; boundary=", body, None);
        check("multipart/form-data; boundary=other", body, None);
        check("multipart/form-data; boundary=b7", "", None);
        // Cut off before its end, a part without a name, a part without a body.
        check(
            "multipart/form-data; boundary=b7",
            &body.replace("--b7--\r\n", ""),
            None,
        );
        check(
            "multipart/form-data; boundary=b7",
            &body.replace("; name=\"scope\"", ""),
            None,
        );
        check(
            "multipart/form-data; boundary=b7",
            "--b7\r\n--b7--\r\n",
            None,
        );
        check("text/plain", "scope=all", None);
        check("application/json", "{\"scope\":\"all\"}", None);
        assert_eq!(
            fields(Some("multipart/form-data; boundary=b7"), b"--b7\r\n\xff"),
            None
        );
    }

    #[test]
    fn a_form_of_many_fields_is_cut() {
        let body = "a=1&".repeat(10_000);
        let found = fields(Some("application/x-www-form-urlencoded"), body.as_bytes());
        assert_eq!(found.map(|fields| fields.len()), Some(MAX_FIELDS));
    }
}
