//! A delivery as it is kept: which source it came to, what its headers said of it, and
//! its body. What proved who sent it is left out: it was proved.

use super::{Headers, Source};
use serde_json::{Map, Value, json};

/// What marks the text of one.
const MARK: &str = "aftercare_delivery";
/// The form in which they are kept now.
const FORM: u64 = 1;

/// A recorded delivery.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// The name of the source that it came to.
    pub source: String,
    pub headers: Headers,
    pub body: String,
}

impl Recorded {
    pub(super) fn of(source: &Source, headers: &Headers, body: &[u8]) -> Recorded {
        let told = headers
            .told()
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        Recorded {
            source: source.name.clone(),
            headers: Headers::new(told),
            body: String::from_utf8_lossy(body).into_owned(),
        }
    }

    /// As it is kept.
    pub fn to_text(&self) -> String {
        let headers: Map<String, Value> = self
            .headers
            .told()
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        json!({ MARK: FORM, "source": self.source, "headers": headers, "body": self.body })
            .to_string()
    }

    /// Reads one back; `None` where the text is something else.
    pub fn read(text: &str) -> Option<Recorded> {
        let whole: Value = serde_json::from_str(text).ok()?;
        if whole[MARK].as_u64() != Some(FORM) {
            return None;
        }
        let headers = whole["headers"].as_object()?;
        Some(Recorded {
            source: whole["source"].as_str()?.to_owned(),
            headers: Headers::new(
                headers
                    .iter()
                    .filter_map(|(name, value)| Some((name.clone(), value.as_str()?.to_owned()))),
            ),
            body: whole["body"].as_str()?.to_owned(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::platform::Platform;

    #[test]
    fn what_is_kept_is_read_back_without_its_proof() {
        let source = Source::new("shop", Platform::Shopify);
        let headers = Headers::read("X-Shopify-Topic: a/b\nX-Shopify-Hmac-Sha256: abc");
        let kept = Recorded::of(&source, &headers, b"{\"a\":\"\\/\"}");
        let text = kept.to_text();
        assert!(!text.contains("abc"));
        assert_eq!(Recorded::read(&text), Some(kept));
        assert_eq!(Recorded::read("{\"specversion\":\"1.0\"}"), None);
        assert_eq!(Recorded::read("{"), None);
    }
}
