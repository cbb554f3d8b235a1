//! What a condition says, in a form that can be reasoned about without a customer: tests
//! of single names, joined by and, or and not. Whatever is beyond that form stands as a
//! test of its own text, of which nothing is known but that equal texts agree.

use std::ops::Range;

/// A statement about one moment.
#[derive(Debug, Clone, PartialEq)]
pub enum Claim {
    /// True or false whatever happens.
    Always(bool),
    All(Vec<Claim>),
    Any(Vec<Claim>),
    Not(Box<Claim>),
    Test(Test),
}

/// A test of one name.
#[derive(Debug, Clone, PartialEq)]
pub struct Test {
    /// The full path that is tested, such as `order.gift`, with `[]` for the elements of
    /// a list; or the text of what cannot be taken apart.
    pub of: String,
    pub is: Is,
    /// Bytes of the condition's text.
    pub at: Range<usize>,
}

/// What a name is tested for.
#[derive(Debug, Clone, PartialEq)]
pub enum Is {
    True,
    Null,
    /// Exactly this text.
    Text(String),
    /// Within these bounds, both included.
    Between(i64, i64),
    /// A loop over a list: what it asks of each element. `Test::of` is the loop's text.
    Loop(Box<Claim>),
}

impl Claim {
    /// Calls `see` with every test, those inside loops included.
    pub fn tests<'c>(&'c self, see: &mut dyn FnMut(&'c Test)) {
        match self {
            Claim::Always(_) => {}
            Claim::All(parts) | Claim::Any(parts) => {
                parts.iter().for_each(|part| part.tests(see));
            }
            Claim::Not(of) => of.tests(see),
            Claim::Test(test) => {
                see(test);
                if let Is::Loop(inside) = &test.is {
                    inside.tests(see);
                }
            }
        }
    }
}
