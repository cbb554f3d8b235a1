use super::*;

#[test]
fn a_star_stands_for_any_part_of_a_name() {
    for (pattern, name, wanted) in [
        ("a/b", "a/b", true),
        ("a/*", "a/b", true),
        ("*/*", "a/b", true),
        ("review-*/ask", "review-dslr/ask", true),
        ("re*-*r/ask", "review-dslr/ask", true),
        ("*", "a/b", false),
        ("a/b", "a/bc", false),
        ("review-*/ask", "education-dslr/ask", false),
        ("*aa/x", "aaa/x", true),
        ("a*a/x", "a/x", false),
    ] {
        assert_eq!(fits(pattern, name), wanted, "{pattern} {name}");
    }
}
