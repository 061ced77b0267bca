//! Commands of the user that read or write one local file, such as `kt policy lint --file {}`.

use super::{Pipes, Program};
use crate::{Error, ErrorKind, Result, Secret};
use std::{collections::BTreeMap, fmt, path::Path, str::FromStr, time::Duration};
use tokio::time::timeout;

/// Where the path of the file goes.
const PLACE: &str = "{}";

/// A command with `{}` in place of a local file's path. No shell runs it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandTemplate {
    words: Vec<String>,
}

/// What commands of the user see of this process, and how long they may take.
#[derive(Clone)]
pub struct CommandVariables {
    /// The environment. Values of variables whose names tell that they are secrets are left out of what commands print.
    pub variables: BTreeMap<String, String>,
    /// How long a command may take; zero means no limit.
    pub timeout: Duration,
}

/// How a command ended that judges a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Finding {
    /// Its exit code.
    pub exit_code: i32,
    /// What it printed, without secrets, in bounded memory.
    pub lines: Vec<String>,
}

/// Omits the values.
impl fmt::Debug for CommandVariables {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.variables.keys().collect::<Vec<_>>();
        formatter.debug_struct("CommandVariables").field("variables", &names).field("timeout", &self.timeout).finish()
    }
}

impl CommandTemplate {
    /// Its words.
    pub fn words(&self) -> &[String] {
        &self.words
    }

    /// Runs it with the path of a file. Only exit code 0 is a success.
    pub async fn run(&self, path: &Path, variables: &CommandVariables) -> Result<()> {
        let program = self.program(path, variables)?;
        within(variables.timeout, &program, async { program.start(Pipes::default())?.finish().await }).await.map(drop)
    }

    /// Runs it with the path of a file, which it judges by its exit code. A program that cannot be started, is ended by a
    /// signal, or takes too long is a failure.
    pub async fn examine(&self, path: &Path, variables: &CommandVariables) -> Result<Finding> {
        let program = self.program(path, variables)?;
        let (exit_code, lines) = within(variables.timeout, &program, program.examine()).await?;
        Ok(Finding { exit_code, lines })
    }

    /// The version of the program, if it is the platform's own, `kt`. What other programs do with `--version` is not known.
    pub async fn version(&self, variables: &CommandVariables) -> Option<String> {
        const PLATFORM: &str = "kt";
        const TIMEOUT: Duration = Duration::from_secs(10);
        let path = self.words.first().filter(|path| file_name(path) == PLATFORM)?;
        let program = environment(Program::new(PLATFORM, path).argument("--version"), variables);
        let printed = within(TIMEOUT, &program, program.output(1000)).await.ok();
        let printed = printed.and_then(|(output, _)| String::from_utf8(output).ok())?;
        printed.lines().next().map(|line| line.trim().to_owned()).filter(|line| !line.is_empty())
    }

    fn program(&self, path: &Path, variables: &CommandVariables) -> Result<Program> {
        let path = path.to_str().ok_or_else(|| {
            Error::new(ErrorKind::Configuration, "the path of a local file is not UTF-8")
                .with_context("path", path.display())
        })?;
        let mut words = self.words.iter().map(|word| word.replace(PLACE, path));
        let first = words.next().unwrap_or_default();
        let program = Program::new(file_name(&first).to_owned(), &first).arguments(words);
        Ok(environment(program, variables))
    }
}

impl FromStr for CommandTemplate {
    type Err = Error;

    /// Splits `text` as a shell does. The first word is a program, and another one has a `{}`.
    fn from_str(text: &str) -> Result<Self> {
        let unusable = |message| Error::new(ErrorKind::Configuration, message);
        let words = shlex::split(text)
            .ok_or_else(|| unusable("the command has a quotation mark or a backslash without its partner"))?;
        let (first, rest) = words.split_first().ok_or_else(|| unusable("the command is empty"))?;
        if first.is_empty() || first.contains(PLACE) {
            return Err(unusable("the command begins with no program"));
        }
        if !rest.iter().any(|word| word.contains(PLACE)) {
            return Err(unusable("the command names no file")
                .with_hint("write {} where its path belongs, as in 'kt policy lint --file {}'"));
        }
        Ok(Self { words })
    }
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// Gives `program` the variables.
fn environment(program: Program, CommandVariables { variables, .. }: &CommandVariables) -> Program {
    variables.iter().fold(program, |program, (name, value)| {
        if is_secret(name, value) {
            program.secret_variable(name, &Secret::new(value.clone()))
        } else {
            program.variable(name, value)
        }
    })
}

/// Whether a variable holds a secret, by its name. Short values are left as they are: they would be replaced in any text.
fn is_secret(name: &str, value: &str) -> bool {
    const SHORTEST: usize = 6;
    let name = name.to_ascii_uppercase();
    let names = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "CREDENTIAL", "KEY"];
    value.len() >= SHORTEST && names.iter().any(|part| name.contains(part))
}

/// The result of `work`, which ends `program` when it is dropped.
async fn within<T>(limit: Duration, program: &Program, work: impl Future<Output = Result<T>>) -> Result<T> {
    if limit.is_zero() {
        return work.await;
    }
    timeout(limit, work).await.unwrap_or_else(|_| {
        let error = Error::new(ErrorKind::Source, format!("{} took too long, and was ended", program.name()));
        Err(error.with_context("seconds", limit.as_secs_f64()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{fs, os::unix::fs::symlink};

    fn variables(timeout: Duration) -> CommandVariables {
        let variables = [("PATH", "/usr/bin:/bin"), ("KEEPTRUSTS_API_TOKEN", "canary-7")];
        let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        CommandVariables { variables, timeout }
    }

    fn template(text: &str) -> CommandTemplate {
        text.parse().unwrap()
    }

    #[test]
    fn words_are_split_as_by_a_shell_and_need_a_file() {
        assert_eq!(template("kt lint '--file={}' \"a b\"").words(), ["kt", "lint", "--file={}", "a b"]);
        for text in ["", "  ", "kt 'lint {}", "kt policy lint", "{}", "'' {}"] {
            assert_eq!(text.parse::<CommandTemplate>().unwrap_err().kind(), ErrorKind::Configuration, "{text}");
        }
    }

    #[tokio::test]
    async fn no_shell_reads_the_path() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a; touch b $(c)");
        template("touch {}").run(&path, &variables(Duration::ZERO)).await.unwrap();
        assert!(path.is_file());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn exit_codes_of_a_judge_are_findings() {
        let judge = template("sh -c 'echo {}: E001; echo $KEEPTRUSTS_API_TOKEN >&2; exit 2'");
        let found = judge.examine(Path::new("x.yaml"), &variables(Duration::ZERO)).await.unwrap();
        assert_eq!((found.exit_code, found.lines), (2, vec!["x.yaml: E001".to_owned(), "[secret]".to_owned()]));
        let error = judge.run(Path::new("x.yaml"), &variables(Duration::ZERO)).await.unwrap_err();
        assert_eq!(error.to_string(), "sh failed (exit code: 2, message: [secret])");
    }

    #[tokio::test]
    async fn a_judge_that_was_killed_found_nothing() {
        let error = template("sh -c 'kill -KILL $$' {}").examine(Path::new("x"), &variables(Duration::ZERO)).await;
        assert_eq!(error.unwrap_err().to_string(), "sh was ended by a signal (signal: 9)");
        let error = template("/nowhere/kt {}").examine(Path::new("x"), &variables(Duration::ZERO)).await;
        assert_eq!(error.unwrap_err().kind(), ErrorKind::Configuration);
        let error = template("sleep 60 {}").examine(Path::new("0"), &variables(Duration::from_millis(50))).await;
        assert_eq!(error.unwrap_err().to_string(), "sleep took too long, and was ended (seconds: 0.05)");
    }

    #[tokio::test]
    async fn only_the_platforms_program_is_asked_for_its_version() {
        let folder = tempfile::tempdir().unwrap();
        let named = |name: &str| {
            let path = folder.path().join(name);
            symlink("/bin/echo", &path).unwrap();
            template(&format!("{} {{}}", path.display()))
        };
        let variables = variables(Duration::ZERO);
        assert!(named("kt").version(&variables).await.is_some_and(|version| version.contains("echo")));
        assert_eq!(named("other").version(&variables).await, None);
    }

    #[test]
    fn values_are_not_printed() {
        assert!(!format!("{:?}", variables(Duration::ZERO)).contains("canary"));
    }
}
