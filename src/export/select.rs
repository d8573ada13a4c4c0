//! Which part of the tree the user named.

/// Paths that were asked for; none means everything.
#[derive(Clone, Debug)]
pub(super) struct Selection {
    paths: Vec<String>,
}

impl Selection {
    /// The selection of these paths, as a user writes them.
    pub(super) fn new(paths: &[String]) -> Self {
        let clean = |path: &String| path.split('/').filter(|part| !part.is_empty() && *part != ".").collect::<Vec<_>>().join("/");
        Self { paths: paths.iter().map(clean).filter(|path| !path.is_empty()).collect() }.whole_if_root(paths)
    }

    /// The root itself among the paths stands for everything.
    fn whole_if_root(mut self, given: &[String]) -> Self {
        if self.paths.len() < given.len() {
            self.paths.clear();
        }
        self
    }

    /// Whether the entry at this path was asked for: it itself, or a folder above it.
    pub(super) fn holds(&self, path: &str) -> bool {
        self.paths.is_empty() || self.paths.iter().any(|wanted| is_at_or_below(path, wanted))
    }

    /// Whether something in the folder at this path was asked for.
    pub(super) fn touches(&self, path: &str) -> bool {
        self.holds(path) || path.is_empty() || self.paths.iter().any(|wanted| is_at_or_below(wanted, path))
    }
}

fn is_at_or_below(path: &str, folder: &str) -> bool {
    path.strip_prefix(folder).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_stands_for_all_below_it_and_a_document_for_itself() {
        let selection = Selection::new(&["/Inbox/./Sub/".into(), "Sent/a.eml".into()]);
        for (path, held, touched) in [
            ("Inbox", false, true),
            ("Inbox/Sub", true, true),
            ("Inbox/Sub/x", true, true),
            ("Inbox/Subway", false, false),
            ("Sent", false, true),
            ("Sent/a.eml", true, true),
            ("", false, true),
        ] {
            assert_eq!((selection.holds(path), selection.touches(path)), (held, touched), "{path}");
        }
    }

    #[test]
    fn no_path_and_the_root_stand_for_everything() {
        for paths in [vec![], vec!["/".to_owned()], vec!["a".to_owned(), ".".to_owned()]] {
            assert!(Selection::new(&paths).holds("x/y"));
        }
    }
}
