//! Names: what a path leads to, whether that may be empty, and what was probably meant
//! where there is no such name.

use super::*;

impl<'c> Checker<'c> {
    pub(super) fn path(&mut self, path: &Path, scope: &Scope<'_>) -> Option<Found> {
        if let From::Local(up) = path.from {
            let loops = chain(scope).filter(|scope| scope.turn).count();
            let of = match path.segments.first().map(String::as_str) {
                Some("index") => Type::Int,
                Some("first" | "last") => Type::Bool,
                Some("key") => Type::Text,
                _ => {
                    let help = "inside {{#each}} there are @index, @first, @last and @key";
                    self.report(
                        "E203",
                        path.place,
                        format!("`{}` does not exist", path.raw),
                        Some(help.into()),
                    );
                    return None;
                }
            };
            if loops <= usize::from(up) {
                self.report(
                    "E203",
                    path.place,
                    format!("`{}` is known only inside {{{{#each}}}}", path.raw),
                    None,
                );
                return None;
            }
            return Some(Found {
                of: Shape::Of(of),
                maybe: false,
                full: String::new(),
            });
        }
        let Some((from, rest)) = start(path, scope) else {
            self.report(
                "E203",
                path.place,
                format!("`{}` leads out of the mail", path.raw),
                None,
            );
            return None;
        };
        let nested = !matches!(from.of, Shape::Root);
        let mut found = from;
        for segment in rest {
            let fields: &[Field] = match found.of {
                Shape::Root => {
                    let Some(field) = self.top(segment) else {
                        self.unknown(path, &found, segment, nested, scope);
                        return None;
                    };
                    found = Found {
                        of: Shape::Of(field.of),
                        maybe: false,
                        full: segment.clone(),
                    };
                    continue;
                }
                Shape::Of(Type::Any) => return Some(anything()),
                Shape::Of(Type::Object(fields)) => fields,
                Shape::Of(Type::Money) => &[
                    Field {
                        name: "amount",
                        of: Type::Int,
                        optional: false,
                        says: "Minor units: cents of the euro.",
                    },
                    Field {
                        name: "currency",
                        of: Type::Text,
                        optional: false,
                        says: "Three letters of ISO 4217, such as `EUR`.",
                    },
                ],
                Shape::Of(Type::List(_)) => {
                    let list = path
                        .raw
                        .rsplit_once('.')
                        .map_or(path.raw.as_str(), |(list, _)| list);
                    let help = format!("write {{{{#each {list}}}}} … {{{{/each}}}}");
                    self.report(
                        "E203",
                        path.place,
                        format!("`{}` asks a list for \"{segment}\"", path.raw),
                        Some(help),
                    );
                    return None;
                }
                Shape::Of(_) => &[],
            };
            let Some(field) = fields.iter().find(|field| field.name == segment) else {
                self.unknown(path, &found, segment, nested, scope);
                return None;
            };
            let full = join(&found.full, std::slice::from_ref(segment));
            let there = self.is_there(&full);
            found = Found {
                of: Shape::Of(field.of),
                maybe: (found.maybe || field.optional) && !there,
                full,
            };
        }
        if found.maybe && self.is_there(&found.full) {
            found.maybe = false;
        }
        if !self.heads && matches!(found.full.as_str(), "mail.subject" | "mail.preheader") {
            self.report(
                "E203",
                path.place,
                format!("`{}` is not known in the head", path.raw),
                Some("it is made from the head; write the words themselves".into()),
            );
        }
        if found.full == "links.unsubscribe" && self.kind == Kind::Fulfilment {
            self.report(
                "E208",
                path.place,
                "a fulfilment mail has no unsubscribe link".into(),
                Some("it tells about an order and cannot be opted out of; use a layout without it (layout = \"…\" in the head), or links.preferences".into()),
            );
        }
        if self.kind == Kind::Fulfilment
            && path
                .segments
                .last()
                .is_some_and(|last| last == "product_url")
        {
            self.report(
                "W208",
                path.place,
                "a fulfilment mail that links to a product may count as advertising".into(),
                Some("mail about an order needs no consent only while it sells nothing; leave the link to an education or offer mail".into()),
            );
        }
        self.used.insert(found.full.clone());
        Some(found)
    }

    pub(super) fn is_there(&self, full: &str) -> bool {
        self.guards.iter().any(|guard| {
            guard
                .strip_prefix(full)
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
        })
    }

    pub(super) fn top(&self, name: &str) -> Option<&'static Field> {
        names::field(IN_MAILS, name)
            .or_else(|| names::field(SHARED, name).filter(|field| self.known.has(field.name)))
    }

    pub(super) fn unknown(
        &mut self,
        path: &Path,
        at: &Found,
        segment: &str,
        nested: bool,
        scope: &Scope<'_>,
    ) {
        let raw = &path.raw;
        if self.not_given(path, scope) {
            return;
        }
        if matches!(at.of, Shape::Root) && names::field(SHARED, segment).is_some() {
            let known: Vec<&str> = self.known.iter().collect();
            self.report(
                "E203",
                path.place,
                format!("`{segment}` is not known in this step"),
                Some(format!("this step knows {}", known.join(", "))),
            );
            return;
        }
        let first = path
            .segments
            .first()
            .map(String::as_str)
            .unwrap_or_default();
        let help = if nested && !self.page && self.top(first).is_some() {
            Some(format!(
                "inside {{{{#each}}}} and {{{{#with}}}} write `@root.{}`",
                path.segments.join(".")
            ))
        } else {
            nearest_local(path, scope)
                .or_else(|| self.near(path, at, segment))
                .or_else(|| nearest(raw, ["else"]).map(|_| "did you mean {{else}}?".to_owned()))
                .or_else(|| self.all_there_are(at))
        };
        self.report("E203", path.place, format!("`{raw}` does not exist"), help);
    }

    /// Reports a name that a partial uses, that others give it, and that it was not given
    /// where it is printed: the mistake is there.
    pub(super) fn not_given(&mut self, path: &Path, scope: &Scope<'_>) -> bool {
        let Some(name) = path.segments.first().filter(|_| !path.explicit) else {
            return false;
        };
        let Some((inside, (partial, place))) =
            chain(scope).find_map(|scope| Some((scope, scope.partial?)))
        else {
            return false;
        };
        if !self
            .given
            .and_then(|given| given.get(partial))
            .is_some_and(|names| names.contains(name))
        {
            return false;
        }
        // Given under a name that the partial never reads: that was told already.
        let told = self
            .problems
            .iter()
            .any(|one| one.span == place.span() && one.message.starts_with(UNREAD));
        if told {
            return true;
        }
        let given = inside.names.iter().map(|(name, _)| name.as_str());
        let help = match nearest(name, given) {
            Some(near) => format!("did you mean `{name}` where it says `{near}`?"),
            None => format!("write {{{{> {partial} {name}=\"…\"}}}}"),
        };
        self.report(
            "E215",
            place,
            format!("the partial \"{partial}\" needs `{name}`, which it is not given here"),
            Some(help),
        );
        true
    }

    /// The names in a place, where none of them is near.
    pub(super) fn all_there_are(&self, at: &Found) -> Option<String> {
        let names: Vec<&str> = match at.of {
            Shape::Root => IN_MAILS
                .iter()
                .chain(SHARED.iter().filter(|field| self.known.has(field.name)))
                .map(|field| field.name)
                .collect(),
            Shape::Of(Type::Object(fields)) => fields.iter().map(|field| field.name).collect(),
            Shape::Of(_) => return None,
        };
        Some(format!("there are {}", names.join(", ")))
    }

    /// A name that was probably meant.
    pub(super) fn near(&self, path: &Path, at: &Found, segment: &str) -> Option<String> {
        if let Shape::Of(Type::Object(fields)) = at.of
            && let Some(name) = nearest(segment, fields.iter().map(|field| field.name))
        {
            let head = path.raw.strip_suffix(segment).unwrap_or_default();
            return Some(format!("did you mean `{head}{name}`?"));
        }
        let tops = IN_MAILS
            .iter()
            .chain(SHARED.iter().filter(|field| self.known.has(field.name)));
        let last = path.segments.last()?;
        let near_enough = |distance: usize, word: &str| distance <= (word.len() / 3).clamp(1, 3);
        let mut best: Option<(usize, String)> = None;
        let mut offer = |distance: usize, name: String| {
            if best.as_ref().is_none_or(|(had, _)| distance < *had) {
                best = Some((distance, name));
            }
        };
        let first = path.segments.first()?;
        for top in tops {
            let apart = strsim::damerau_levenshtein(top.name, first);
            if path.segments.len() == 1 && near_enough(apart, first) {
                offer(apart, top.name.to_owned());
            }
            if let Type::Object(fields) = top.of {
                for field in fields {
                    let distance = strsim::damerau_levenshtein(field.name, last);
                    if near_enough(distance, last) {
                        // The right name in the wrong place is a likely slip, too.
                        offer(
                            distance + apart.min(3),
                            format!("{}.{}", top.name, field.name),
                        );
                    }
                }
            }
        }
        best.map(|(_, name)| format!("did you mean `{name}`?"))
    }
}
