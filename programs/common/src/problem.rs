//! The one error of all programs: what somebody has to do something about, in words for them.

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// Something that went wrong, and the way out. Two are equal that say the same, whatever caused them.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Problem {
    /// What happened: a sentence.
    pub message: String,
    /// What to do about it: a sentence.
    pub hint: String,
    #[serde(skip)]
    cause: Option<Arc<dyn Error + Send + Sync>>,
}

impl Problem {
    /// A problem with its two sentences. A message that ends in what another program said gets its full
    /// stop here.
    pub fn new(message: impl Into<String>, hint: impl Into<String>) -> Self {
        let mut message = message.into();
        if !message.ends_with(['.', '!', '?']) {
            message.push('.');
        }
        Self {
            message,
            hint: hint.into(),
            cause: None,
        }
    }

    /// The same, with the error that it comes from.
    #[must_use]
    pub fn because(self, cause: impl Error + Send + Sync + 'static) -> Self {
        Self {
            cause: Some(Arc::new(cause)),
            ..self
        }
    }
}

impl PartialEq for Problem {
    fn eq(&self, other: &Self) -> bool {
        (&self.message, &self.hint) == (&other.message, &other.hint)
    }
}

impl Eq for Problem {}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} ({})", self.message, self.hint)
    }
}

impl Error for Problem {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.cause.as_deref().map(|it| it as _)
    }
}

#[cfg(test)]
mod tests {
    use std::io::ErrorKind;

    use super::*;

    #[test]
    fn a_problem_keeps_what_it_comes_from_and_is_equal_without() {
        let plain = Problem::new("It broke", "Mend it.");
        let problem = plain
            .clone()
            .because(std::io::Error::from(ErrorKind::NotFound));
        assert_eq!(problem.to_string(), "It broke. (Mend it.)");
        assert_eq!(problem, plain);
        assert_ne!(problem, Problem::new("It broke!", "Mend it."));
        assert_eq!(problem.source().unwrap().to_string(), "entity not found");
        assert!(plain.source().is_none());
    }
}
