//! Sets of files for tests that render.

use aftercare::engine::reload::Live;
use aftercare::render::{LoadPolicy, Templates};
use aftercare::sequence::catalog::Catalog;

const ORDER_LAYOUT: &str = include_str!("../../templates/layouts/fulfilment.mjml");
const LAYOUT: &str = include_str!("../../templates/layouts/default.mjml");
const STRINGS: &str = include_str!("../../templates/strings/en.ftl");

/// A catalogue with a short English mail for each of `names` (space-separated).
pub fn with_mail(catalog: &Catalog, names: &str) -> Live {
    let mut files = vec![
        (
            "templates/layouts/fulfilment.mjml".to_owned(),
            ORDER_LAYOUT.to_owned(),
        ),
        (
            "templates/layouts/default.mjml".to_owned(),
            LAYOUT.to_owned(),
        ),
        ("templates/strings/en.ftl".to_owned(), STRINGS.to_owned()),
    ];
    for name in names.split_whitespace() {
        files.push((
            format!("templates/mail/{name}.en.md"),
            format!("+++\nsubject = \"{name}\"\npreheader = \"{name}\"\n+++\nHello {{{{customer.email}}}}.\n"),
        ));
    }
    let policy = LoadPolicy {
        locales: vec!["en".into()],
        fallback: Some("en".into()),
        ..LoadPolicy::default()
    };
    let (templates, problems) = Templates::load(&files, &policy);
    // No page prints its words here.
    let problems: Vec<_> = problems.iter().filter(|one| one.code != "W261").collect();
    assert!(problems.is_empty(), "{problems:#?}");
    Live::new(catalog.clone(), templates)
}
