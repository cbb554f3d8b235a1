pub fn look(_: &super::Shop<'_>, _: &mut Vec<crate::model::diagnostic::Diagnostic>) {}
