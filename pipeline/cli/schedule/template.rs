//! Templates of jobs: text with placeholders such as `@SETTINGS@`.

/// Fills `template`. A placeholder that is alone on its line becomes the lines of its value, each as far indented as
/// the placeholder; without a value the line is left out. Values are not searched for placeholders.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    let value = |name: &str| values.iter().find(|(known, _)| *known == name).map(|(_, value)| *value);
    let mut text = String::new();
    for line in template.lines() {
        let content = line.trim_start();
        let indent = &line[..line.len() - content.len()];
        let block = content.strip_prefix('@').and_then(|rest| rest.strip_suffix('@')).and_then(value);
        if let Some(block) = block {
            for line in block.lines() {
                text.extend(if line.is_empty() { [line, "", "\n"] } else { [indent, line, "\n"] });
            }
            continue;
        }
        let mut rest = line;
        while let Some((before, name, after)) = placeholder(rest) {
            match value(name) {
                Some(value) => text.extend([before, value]),
                None => text.extend([before, "@", name, "@"]),
            }
            rest = after;
        }
        text.extend([rest, "\n"]);
    }
    text
}

/// The first placeholder of a line, with the text before and after it.
fn placeholder(line: &str) -> Option<(&str, &str, &str)> {
    line.match_indices('@').find_map(|(at, _)| {
        let (name, after) = line[at + 1..].split_once('@')?;
        let is_name = !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
        is_name.then(|| (&line[..at], name, after))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_keep_the_indentation_of_their_placeholder() {
        let template = "a:\n  @BLOCK@\n  @EMPTY@\nat: \"@TIMES@\" # x@sha256:1\n";
        let text = fill(template, &[("BLOCK", "b: |\n\n  @TIMES@\n"), ("EMPTY", ""), ("TIMES", "@BLOCK@")]);
        assert_eq!(text, "a:\n  b: |\n\n    @TIMES@\nat: \"@BLOCK@\" # x@sha256:1\n");
    }

    #[test]
    fn every_template_names_values_that_are_filled_in() {
        for template in
            [include_str!("kubernetes.yaml"), include_str!("github-actions.yml"), include_str!("airflow.py")]
        {
            let names = template.lines().filter_map(|line| placeholder(line).map(|(_, name, _)| (name, "")));
            let names = names.collect::<Vec<_>>();
            assert!(names.len() > 4, "{names:?}");
            assert!(fill(template, &names).lines().all(|line| placeholder(line).is_none()));
        }
    }
}
