//! The headers of a delivery, by their lower-case names. One that stands there twice
//! could be read either way, so it counts as none.

/// Names of headers that hold proof of who sends; they are never kept.
const PROOF: &[&str] = &[
    "signature",
    "hmac",
    "authorization",
    "cookie",
    "token",
    "secret",
    "key",
    "sign",
];
/// What names of headers begin with that say what a delivery is about.
const TOLD: &[&str] = &["x-", "as-", "ce-", "aeg-", "webhook-", "content-type"];

/// Headers of one delivery.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Headers(Vec<(String, String)>);

impl Headers {
    /// Takes names and values; names are made lower-case.
    pub fn new(all: impl IntoIterator<Item = (String, String)>) -> Headers {
        Headers(
            all.into_iter()
                .map(|(name, value)| (name.to_ascii_lowercase(), value))
                .collect(),
        )
    }

    /// Reads one `Name: value` a line.
    pub fn read(text: &str) -> Headers {
        Headers::new(
            text.lines()
                .filter_map(|line| line.split_once(':'))
                .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned())),
        )
    }

    /// All of them.
    pub fn every(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a header that stands there once, by its lower-case name.
    pub fn one(&self, name: &str) -> Option<&str> {
        let mut found = self.0.iter().filter(|(had, _)| had == name);
        match (found.next(), found.next()) {
            (Some((_, value)), None) => Some(value),
            _ => None,
        }
    }

    /// As [`Headers::one`], for the first of several names that is there.
    pub fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.one(name))
    }

    /// Whether the value of a header begins with a text, letter case apart.
    pub fn begins(&self, name: &str, with: &str) -> bool {
        self.one(name)
            .and_then(|value| value.get(..with.len()))
            .is_some_and(|begin| begin.eq_ignore_ascii_case(with))
    }

    /// The version of the platform's interface that the delivery is written in.
    pub fn version(&self) -> Option<&str> {
        self.first(&[
            "x-shopify-api-version",
            "shopify-api-version",
            "as-webhook-version",
            "saleor-schema-version",
        ])
    }

    /// Whether a header of this name may hold proof of who sends.
    pub fn proves(name: &str) -> bool {
        PROOF.iter().any(|word| name.contains(word))
    }

    /// What says what the delivery is about and proves nothing: what may be kept.
    pub fn told(&self) -> impl Iterator<Item = (&str, &str)> {
        self.every().filter(|(name, _)| {
            TOLD.iter().any(|begin| name.starts_with(begin)) && !Headers::proves(name)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_twice_is_not_there_and_proof_is_not_kept() {
        let headers = Headers::read(
            "X-Topic: orders/create\nX-Twice: a\nx-twice: b\nX-Shopify-Hmac-Sha256: s\nAuthorization: Bearer t\nbroken",
        );
        assert_eq!(headers.one("x-topic"), Some("orders/create"));
        assert_eq!(headers.one("x-twice"), None);
        assert!(headers.begins("x-topic", "ORDERS/"));
        assert!(!headers.begins("x-topic", "orders/create/and/more"));
        let kept: Vec<&str> = headers.told().map(|(name, _)| name).collect();
        assert_eq!(kept, ["x-topic", "x-twice", "x-twice"]);
    }
}
