//! The call that links a Git repository to the platform, which a person makes: it is a write.

use serde_json::json;

/// A repository to link, from which the platform makes configurations.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RepositoryLink {
    /// The address of the platform's API.
    pub api_url: String,
    /// The address of the repository.
    pub repository: String,
    /// The branch.
    pub branch: String,
    /// The folder or file in it.
    pub path: String,
}

impl RepositoryLink {
    /// `POST /v1/git-repos` as two `curl` commands, one for each body that the platform documents. Nothing is requested.
    pub fn text(&self) -> String {
        let Self { api_url, repository, branch, path } = self;
        let url = format!("{}/v1/git-repos", api_url.trim_end_matches('/'));
        let first = json!({
            "url": repository,
            "branch": branch,
            "path": path,
            "auto_create_configuration": true,
        });
        let second = json!({
            "repo_url": repository,
            "branch": branch,
            "path": path,
            "poll_interval_seconds": 60,
            "auto_create_configuration": true,
        });
        // No text of ours holds the character NUL, which no word of a shell can have.
        let quoted = |text: &str| shlex::try_quote(text).unwrap_or_default().into_owned();
        let call = |body: &serde_json::Value| {
            format!(
                "curl --fail-with-body -X POST {} \\\n  -H \"Authorization: Bearer $KEEPTRUSTS_API_TOKEN\" \\\n  \
                 -H 'Content-Type: application/json' \\\n  -d {}\n",
                quoted(&url),
                quoted(&body.to_string())
            )
        };
        format!(
            "# Links the repository: the platform then makes configurations from it. Nothing was sent.\n{}\n\
             # The body of other versions of the platform. For a private repository add \"access_token\".\n{}",
            call(&first),
            call(&second)
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_documented_bodies_are_printed() {
        let link = RepositoryLink {
            api_url: "http://api.internal:8080/".to_owned(),
            repository: "https://git.example/o'hara/policies.git".to_owned(),
            branch: "main".to_owned(),
            path: "policies/".to_owned(),
        };
        let text = link.text();
        assert_eq!(text.matches("-X POST http://api.internal:8080/v1/git-repos ").count(), 2);
        let words = shlex::split(&text.replace("\\\n", " ")).unwrap();
        let bodies = words.iter().filter(|word| word.contains("o'hara")).collect::<Vec<_>>();
        assert_eq!(bodies.len(), 2, "{text}");
        assert!(bodies[0].starts_with(r#"{"url":"#) && bodies[1].starts_with(r#"{"repo_url":"#), "{text}");
        assert!(bodies[1].contains(r#""poll_interval_seconds":60"#));
    }
}
