//! Which of what a platform says becomes the settings of a machine: the first source counts, by the rules of answer
//! files; what is wrong in it leaves the usual settings, since a machine without a screen has to start.

use common::answer_file::for_image::{self, Asked};
use common::node_settings::Settings;
use common::problem::Problem;
use common::setting_rules;
use common::text::quoted;

use super::platform::{Source, Sources};

/// The settings, and what is said of where they come from.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) settings: Settings,
    /// Where they come from: the end of a sentence.
    pub(super) said: String,
    /// What counts for nothing, a sentence each.
    pub(super) passed_over: Vec<String>,
    /// What is wrong with what was said.
    pub(super) problems: Vec<Problem>,
}

/// Chooses among `sources`.
pub(super) fn choose(sources: Sources) -> Told {
    let mut found = sources.in_order();
    let mut told = match found.next() {
        None => Told {
            said: "the usual settings".to_owned(),
            ..Told::default()
        },
        Some(source) => of(source),
    };
    let others = found.map(|it| {
        let sentence = "settings are not taken from";
        format!("{sentence} {}: another source comes first", it.name)
    });
    told.passed_over.extend(others);
    told.problems.extend(sources.problems);
    told
}

/// What one source says.
fn of(source: &Source) -> Told {
    let name = &source.name;
    let mut told = Told {
        said: format!("settings from {name}"),
        ..Told::default()
    };
    let asked = match source.file.as_deref().map(for_image::read) {
        None => Asked::default(),
        Some(Ok(asked)) => asked,
        Some(Err(mistakes)) => {
            for mistake in &mistakes {
                tracing::error!("{name}: line {mistake} ({})", mistake.hint);
            }
            if let Some(first) = mistakes.first() {
                let more = match mistakes.len() {
                    1 => String::new(),
                    count => format!(" It is the first of {count} mistakes."),
                };
                told.problems.push(Problem::new(
                    format!("The settings from {name} are not followed: line {first}{more}"),
                    first.hint.clone(),
                ));
            }
            "the usual settings".clone_into(&mut told.said);
            Asked::default()
        }
    };
    if !asked.passed_over.is_empty() {
        let keys = asked.passed_over.join(", ");
        told.passed_over.push(format!(
            "what {name} says of {keys} means nothing to an image, whose disk is laid out"
        ));
    }
    let is_named = asked.changes.host_name.is_some();
    told.settings = asked.changes.applied_to(Settings::default());
    if let Some(called) = source.host_name.as_ref().filter(|_| !is_named) {
        // A name within a domain, in whatever letters: the machine's own is its first label.
        let label = called.split('.').next().unwrap_or_default();
        match setting_rules::host_name(&label.to_ascii_lowercase()) {
            Ok(name) => told.settings.host_name = name,
            Err(reason) => told.problems.push(Problem::new(
                format!(
                    "The host name {} from {name} is not taken: {reason}",
                    quoted(called)
                ),
                "Call the machine otherwise, or name it in an answer file.",
            )),
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(file: Option<&str>, host_name: Option<&str>) -> Source {
        Source {
            name: "NoCloud on sr0".to_owned(),
            file: file.map(|it| it.as_bytes().to_vec()),
            host_name: host_name.map(str::to_owned),
        }
    }

    #[test]
    fn the_file_counts_before_the_name_beside_it() {
        let named = "version = 1\n[settings]\nhost_name = \"db-1\"\ntime_server = \"ntp\"\n";
        let rows = [
            (Some(named), Some("other"), "db-1"),
            (Some("version = 1\n"), Some("db-7"), "db-7"),
            (None, Some("DB-7.example.org"), "db-7"),
            (Some("version = 1\n"), None, "example"),
        ];
        for (file, host_name, expected) in rows {
            let told = of(&source(file, host_name));
            assert_eq!(told.settings.host_name, expected);
            assert_eq!(told.said, "settings from NoCloud on sr0");
            assert!(told.problems.is_empty());
        }
    }

    #[test]
    fn what_is_wrong_leaves_the_usual_settings_and_is_said() {
        let wrong = "version = 1\n[settings]\nhost_name = \"DB\"\nnode = 1\n";
        let told = of(&source(Some(wrong), Some("_")));
        assert_eq!(told.settings, Settings::default());
        assert_eq!(told.said, "the usual settings");
        let said: Vec<_> = told.problems.iter().map(|it| it.message.as_str()).collect();
        assert_eq!(
            said,
            [
                "The settings from NoCloud on sr0 are not followed: line 3: settings.host_name: Only \
                 small letters, digits and dashes are allowed. It is the first of 2 mistakes.",
                "The host name \"_\" from NoCloud on sr0 is not taken: Only small letters, digits and \
                 dashes are allowed.",
            ]
        );
        assert_eq!(
            told.problems[0].hint,
            "Write it like this: host_name = \"db-1\""
        );
    }

    #[test]
    fn what_means_nothing_is_named() {
        let file = "version = 1\n[disk]\nlargest = true\n[settings]\nreserved = \"1 GB\"\n";
        let told = of(&source(Some(file), None));
        assert_eq!(
            told.passed_over,
            [
                "what NoCloud on sr0 says of disk, settings.reserved means nothing to an image, whose \
                 disk is laid out"
            ]
        );
    }
}
