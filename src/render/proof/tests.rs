//! Every lint on a file that gives exactly it, and on a near miss that does not.
#![expect(clippy::unwrap_used, reason = "tests")]

use super::*;

const HEAD: &str =
    "+++\nsubject = \"Three settings for your first week\"\npreheader = \"Ten minutes\"\n+++\n";

fn policy() -> ProofPolicy {
    ProofPolicy {
        locales: vec!["en".into(), "de".into()],
        url: Some("https://harbor-pine.shop".into()),
        courses: vec![("course".into(), vec!["a/b".into(), "a/c".into()])],
    }
}

fn read(files: &[(&str, &str)]) -> Vec<(&'static str, String, String)> {
    let files: Vec<(String, String)> = files
        .iter()
        .map(|(path, text)| ((*path).into(), (*text).into()))
        .collect();
    proofread(&files, &policy())
        .into_iter()
        .map(|one| {
            let text = &files.iter().find(|(path, _)| *path == one.file).unwrap().1;
            let words = text[one.span.clone()].to_owned();
            (
                one.code,
                words,
                format!("{}; {}", one.message, one.help.join("; ")),
            )
        })
        .collect()
}

fn body(body: &str) -> Vec<(&'static str, String, String)> {
    read(&[("templates/mail/a/b.en.md", &format!("{HEAD}{body}"))])
}

fn subject(subject: &str, preheader: &str) -> Vec<(&'static str, String, String)> {
    let text = format!("+++\nsubject = \"{subject}\"\n{preheader}\n+++\nHello.");
    read(&[("templates/mail/a/b.en.md", &text)])
}

#[track_caller]
fn only(found: &[(&'static str, String, String)], code: &str, words: &str, says: &str) {
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(
        (found[0].0, found[0].1.as_str()),
        (code, words),
        "{found:?}"
    );
    assert!(found[0].2.contains(says), "{found:?}");
}

#[test]
fn links_lead_somewhere_and_say_where() {
    for (text, code, words, says) in [
        (
            "[Guide](/guides)",
            "E230",
            "/guides",
            "write {{shop.url}}/guides",
        ),
        (
            "[Guide](www.shop.de)",
            "E230",
            "www.shop.de",
            "https://www.shop.de",
        ),
        ("[Guide]()", "E230", "[Guide]()", "leads nowhere"),
        (
            "[Guide](javascript:alert)",
            "E230",
            "javascript:alert",
            "cannot begin with",
        ),
        (
            "[Guide](htps://shop.de)",
            "E230",
            "htps://shop.de",
            "did you mean `https`?",
        ),
        (
            "[Guide](https:/shop.de)",
            "E230",
            "https:/shop.de",
            "https://shop.de",
        ),
        ("[Guide](#top)", "E230", "#top", "leads nowhere"),
        ("[Us](a@shop.de)", "E230", "a@shop.de", "mailto:a@shop.de"),
        (
            "[Guide]({{item.title}})",
            "E230",
            "{{item.title}}",
            "`item.title` is no address",
        ),
        (
            "<a href=\"//shop.de\">Guide</a>",
            "E230",
            "//shop.de",
            "https://shop.de",
        ),
        (
            "Look: [](https://shop.de/)",
            "E231",
            "[](https://shop.de/)",
            "no words",
        ),
        (
            "[Guide](http://shop.de/a)",
            "W230",
            "http://shop.de/a",
            "https://shop.de/a",
        ),
        (
            "[Guide](http://localhost:80/a)",
            "W231",
            "http://localhost:80/a",
            "nobody but you",
        ),
        (
            "[Guide](https://shop.example.com/a)",
            "W231",
            "https://shop.example.com/a",
            "nobody",
        ),
        (
            "[Click here!](https://shop.de/)",
            "W232",
            "[Click here!](https://shop.de/)",
            "where this link leads",
        ),
        (
            "[**hier**](https://shop.de/)",
            "W232",
            "[**hier**](https://shop.de/)",
            "where this link leads",
        ),
    ] {
        only(&body(text), code, words, says);
    }
    for fine in [
        "[Guide](https://shop.de/a?b={{order.order_id}}#c)",
        "[Guide]({{item.product_url}}) [Us](mailto:a@shop.de) [Call](tel:+4940123)",
        "{{#each order.items}}[{{this.title}}]({{link this.product_url}}){{/each}}",
        "[Here is what to do](https://shop.de/)",
        "**[Look]({{links.status}})** `[x](y)` <a id=\"top\"></a>",
        "<https://shop.de/> <a href=\"{{shop.url}}/x\"><img src=\"https://s.de/a.png\" alt=\"Guide\" width=\"9\"></a>",
    ] {
        assert_eq!(body(fine), [], "{fine}");
    }
    // A shop that is an example itself may link to itself.
    let files = [(
        "templates/mail/a/b.en.md".to_owned(),
        format!("{HEAD}[Guide](https://shop.example.com/)"),
    )];
    let demo = ProofPolicy {
        url: Some("https://shop.example.com".into()),
        ..policy()
    };
    assert_eq!(proofread(&files, &demo), []);
}

#[test]
fn pictures_have_words_widths_and_addresses() {
    for (text, code, words) in [
        (
            "<img src=\"https://s.de/a.png\" width=\"60\">",
            "E232",
            "<img src=\"https://s.de/a.png\" width=\"60\">",
        ),
        ("![](https://s.de/a.png)", "E232", "![](https://s.de/a.png)"),
        (
            "![x](data:image/png;base64,AAAA)",
            "E233",
            "data:image/png;base64,AAAA",
        ),
        (
            "![x](https://s.de/a.svg?v=1)",
            "E233",
            "https://s.de/a.svg?v=1",
        ),
        ("![x](http://s.de/a.png)", "E233", "http://s.de/a.png"),
        ("![x](a.png)", "E233", "a.png"),
        (
            "<img src=\"https://s.de/a.png\" alt=\"\">",
            "W233",
            "<img src=\"https://s.de/a.png\" alt=\"\">",
        ),
    ] {
        only(&body(text), code, words, "");
    }
    for fine in [
        "![A camera](https://s.de/a.png) {{image item.image_url item.title}}",
        "<img src=\"{{item.image_url}}\" alt=\"{{item.title}}\" width=\"60\">",
        "<img src=\"https://s.de/a.png\" alt=\"\" style=\"width:60px\">",
    ] {
        assert_eq!(body(fine), [], "{fine}");
    }
}

#[test]
fn what_breaks_in_a_large_program_is_told_and_ornament_is_not() {
    for (text, code, words, says) in [
        (
            "<div style=\"display:flex\">x</div>",
            "W240",
            "display:flex",
            "Outlook on Windows",
        ),
        (
            "<p style=\"width:calc(100% - 2px)\">x</p>",
            "W240",
            "width:calc(100% - 2px)",
            "write the length",
        ),
        (
            "<p style=\"color:var(--x)\">x</p>",
            "W240",
            "color:var(--x)",
            "Gmail",
        ),
        (
            "<p style=\"font-size:2rem\">x</p>",
            "W240",
            "font-size:2rem",
            "write px",
        ),
        (
            "See <video src=\"https://s.de/a.mp4\"></video>",
            "W241",
            "video",
            "links to the film",
        ),
        ("<p hidden>x</p>", "W241", "hidden", "{{#if}}"),
        (
            "See this <script>x</script>",
            "E241",
            "script",
            "spam filters",
        ),
        (
            "See <iframe src=\"https://s.de\"></iframe>",
            "E241",
            "iframe",
            "a link",
        ),
    ] {
        only(&body(text), code, words, says);
    }
    for fine in [
        "<div style=\"border-radius:4px;box-shadow:0 0 2px #ccc;max-width:600px\">x</div>",
        "<div style=\"background-color:#eee;background-image:url(https://s.de/a.png)\">x</div>",
        "<style>@media (max-width: 480px) { .a { display: flex } } .b { color: #123456 }</style>\n\nHello",
    ] {
        assert_eq!(body(fine), [], "{fine}");
    }
    let page = |style: &str| {
        format!(
            "<html><head><meta name=\"color-scheme\" content=\"light dark\"><style>{style}</style></head><body>{{{{{{content}}}}}}</body></html>"
        )
    };
    only(
        &read(&[(
            "templates/layouts/x.html",
            &page(".a::before { content: \"x\" }"),
        )]),
        "W240",
        ".a::before",
        "into the mail itself",
    );
    only(
        &read(&[(
            "templates/layouts/x.html",
            &page("@import url(https://s.de/x.css);"),
        )]),
        "W240",
        "@import url(https://s.de/x.css)",
        "Gmail",
    );
}

#[test]
fn pages_are_read_on_dark_screens() {
    only(
        &read(&[(
            "templates/layouts/x.html",
            "<html><head></head><body>{{{content}}}</body></html>",
        )]),
        "W235",
        "html",
        "color-scheme",
    );
    let page = |color: &str| {
        format!(
            "<mjml><mj-head><mj-raw><meta name=\"color-scheme\" content=\"light dark\" /></mj-raw></mj-head><mj-body><mj-section><mj-column><mj-text color=\"{color}\">{{{{{{content}}}}}}</mj-text></mj-column></mj-section></mj-body></mjml>"
        )
    };
    only(
        &read(&[("templates/layouts/x.mjml", &page("#000"))]),
        "W236",
        "#000",
        "#1a1a1a",
    );
    assert_eq!(read(&[("templates/layouts/x.mjml", &page("#1a1a1a"))]), []);
}

#[test]
fn subjects_do_not_look_like_spam() {
    let fine = "preheader = \"What is inside\"";
    for (text, code) in [
        ("YOUR CAMERA HAS ARRIVED", "W245"),
        ("It is here!!", "W246"),
        ("もう一度！！ご確認ください", "W246"),
        ("Re: your order", "W247"),
        ("WG: Ihre Bestellung", "W247"),
        ("返信: ご注文について", "W247"),
        ("Free gift, act now", "W248"),
        ("Kostenlos und garantiert", "W248"),
        ("Gratuit : dernière chance", "W248"),
        ("今だけ無料のご案内", "W248"),
        ("Save $$ today", "W248"),
        (
            "A subject that goes on and on and on until nobody on earth can read the end of it",
            "W249",
        ),
        (
            "お届けしたカメラを最初の一週間で使いこなすための三つの設定と、その理由をご説明します",
            "W249",
        ),
        ("🎉🎉🎉 It is here", "W251"),
    ] {
        let found = subject(text, fine);
        assert_eq!(
            found.iter().map(|one| one.0).collect::<Vec<_>>(),
            [code],
            "{text}: {found:?}"
        );
        assert_eq!(found[0].1, text);
    }
    for text in [
        "Your DSLR arrived, and here is the manual",
        "It is here! 🎉",
        "Free of charge: a new strap for your camera",
        "Réglages : trois idées",
        "Recipe: a good first cup",
        "{{#if order.paid}}Your payment has arrived, thank you{{else}}We wait for your payment{{/if}}: {{order.order_id}}",
        "ご注文ありがとうございます",
    ] {
        assert_eq!(subject(text, fine), [], "{text}");
    }
}

#[test]
fn preheaders_say_what_the_subject_leaves_open() {
    only(
        &subject("Your parcel", ""),
        "W250",
        "Your parcel",
        "no preheader",
    );
    only(
        &subject("Your parcel", "preheader = \"\""),
        "W250",
        "",
        "is empty",
    );
    only(
        &subject("Your parcel", "preheader = \"your parcel.\""),
        "W250",
        "your parcel.",
        "repeats",
    );
    assert_eq!(subject("Your parcel", "preheader = \"It left today\""), []);
}

#[test]
fn two_mails_of_a_sequence_have_two_subjects() {
    let mail =
        |subject: &str| format!("+++\nsubject = \"{subject}\"\npreheader = \"x\"\n+++\nHello.");
    let (one, other) = (mail("Your camera"), mail("Your camera"));
    only(
        &read(&[
            ("templates/mail/a/b.en.md", &one),
            ("templates/mail/a/c.en.md", &other),
        ]),
        "W252",
        "Your camera",
        "\"a/b\" of the same sequence",
    );
    let other = mail("Your camera, a week later");
    assert_eq!(
        read(&[
            ("templates/mail/a/b.en.md", &one),
            ("templates/mail/a/c.en.md", &other)
        ]),
        []
    );
}

#[test]
fn translations_lead_to_the_same_places_and_name_the_same_things() {
    let pair = |en: &str, de: &str| {
        let (en, de) = (format!("{HEAD}{en}"), format!("{HEAD}{de}"));
        read(&[
            ("templates/mail/a/b.en.md", &en),
            ("templates/mail/a/b.de.md", &de),
        ])
    };
    only(
        &pair("[Guide](https://s.de/a)", "Anleitung"),
        "W255",
        "Anleitung",
        "does not lead to https://s.de/a",
    );
    only(
        &pair("Guide", "[Anleitung](https://s.de/a)"),
        "W255",
        "https://s.de/a",
        "does not lead to",
    );
    only(
        &pair("It is {{item.title}}.", "Es ist da."),
        "W256",
        "Es ist da.",
        "`item.title`",
    );
    only(
        &pair("Here.", "{{#if order.paid}}Da.{{/if}}"),
        "W256",
        "order.paid",
        "does not name",
    );
    assert_eq!(
        pair(
            "[Guide](https://s.com/en/a) {{item.title}}",
            "{{item.title}}: [Anleitung](https://s.de/de/a)"
        ),
        []
    );
}

#[test]
fn mails_say_something_in_both_parts() {
    only(&body("\n\n"), "E257", "", "says nothing");
    only(&body("{{! nothing }}"), "E257", "", "says nothing");
    assert_eq!(body("{{> greeting}}"), []);
    let with = |text: &str| {
        let page = format!("{HEAD}[Guide](https://s.de/a) and {{{{link item.product_url}}}}");
        read(&[
            ("templates/mail/a/b.en.md", &page),
            ("templates/mail/a/b.en.txt", text),
        ])
    };
    only(&with(" "), "E257", "", "text part says nothing");
    only(
        with("Guide: https://s.de/a <b>now</b>").get(..1).unwrap(),
        "W257",
        "<b>",
        "as words",
    );
    only(
        &with("# Guide\nhttps://s.de/a"),
        "W257",
        "# Guide",
        "heading",
    );
    only(
        &with("Look at [it](https://s.de/a)"),
        "W257",
        "[it](https://s.de/a)",
        "link",
    );
    only(
        &with("Guide"),
        "W258",
        "",
        "does not lead to https://s.de/a",
    );
    assert_eq!(with("Guide: https://s.de/a"), []);
}
