//! A service of systemd, and its timer.

use super::{
    Job, SourceKind, StoreLocation, backups::BackupJob, comment, final_codes, notifications, quote::shell_quoted,
    unsupported,
};
use archive_connectors::Result;
use std::fmt::Write as _;

const SERVICE: &str = "/etc/systemd/system/kt-archive.service";
const TIMER: &str = "/etc/systemd/system/kt-archive.timer";

/// Sandboxing options.
const HARDENING: &str = "\
NoNewPrivileges=yes
CapabilityBoundingSet=
AmbientCapabilities=
ProtectSystem=strict
PrivateDevices=yes
ProtectClock=yes
ProtectControlGroups=yes
ProtectHostname=yes
ProtectKernelLogs=yes
ProtectKernelModules=yes
ProtectKernelTunables=yes
ProtectProc=invisible
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
RestrictNamespaces=yes
RestrictRealtime=yes
RestrictSUIDSGID=yes
LockPersonality=yes
MemoryDenyWriteExecute=yes
RemoveIPC=yes
SystemCallArchitectures=native
SystemCallFilter=@system-service
SystemCallFilter=~@privileged @resources
SystemCallErrorNumber=EPERM
UMask=0027
";

const UNIT: &str = "
[Unit]
Description=Archive the last month of Keeptrusts events
Documentation=man:kt-archive-run(1)
Wants=network-online.target
After=network-online.target
# At most six starts in twelve hours, manual ones included. To start it again before: systemctl reset-failed
# kt-archive.service
StartLimitIntervalSec=12h
StartLimitBurst=6
# A unit to start after the last failure, for notifications:
# OnFailure=notify@%n.service
";

const RETRIES: &str = "\
# Retried after 75 (try again later), 6 and 7 (the source or a store was down) and others, but not after errors of
# settings, damage, contradicting data or missing rights.
Restart=on-failure
RestartPreventExitStatus={FINAL_CODES}
RestartSec=30min
# Time to finish a commit.
TimeoutStopSec=5min
";

const TIMER_UNIT: &str = "
# {TIMER}
[Unit]
Description=Archive Keeptrusts events every month

[Timer]
# The 2nd and the 3rd repeat a run that failed; a run whose month is archived ends at once.
OnCalendar=*-*-01..03 04:00:00 UTC
# Runs a missed start when the host is back.
Persistent=yes
# Spreads the load of hosts that share a platform.
RandomizedDelaySec=15min

[Install]
WantedBy=timers.target
";

pub(super) fn render(job: &Job) -> Result<String> {
    let mut text = format!("# {SERVICE}\n");
    text.push_str(&comment("Save both units under the names above them, for example with"));
    text.push_str("#   kt-archive schedule systemd ... | awk '/^# \\/etc\\/systemd\\//{file=$2} file{print > file}'\n");
    text.push_str("# Before the first start:\n");
    for step in preparations(job) {
        check(&step)?;
        text.extend(["#   ", &step, "\n"]);
    }
    text.push_str(&comment(
        "Then: systemctl daemon-reload && systemctl enable --now kt-archive.timer\n\
         To test it: systemctl start kt-archive.service, then journalctl -u kt-archive",
    ));
    text.push_str(&notifications(job, "the unit of OnFailure= below, once it is uncommented."));
    text.push_str(UNIT);
    text.push_str(&service(job)?);
    text.push_str(&TIMER_UNIT.replace("{TIMER}", TIMER));
    Ok(text)
}

/// The units of backups.
pub(super) fn render_backups(jobs: &[BackupJob]) -> Result<String> {
    let mut text = comment("Save the units under the names above them, for example with");
    text.push_str("#   kt-archive schedule systemd ... | awk '/^# \\/etc\\/systemd\\//{file=$2} file{print > file}'\n");
    text.push_str("# Before the first start:\n");
    for step in jobs.first().map(|job| preparations(&job.job)).unwrap_or_default() {
        check(&step)?;
        text.extend(["#   ", &step, "\n"]);
    }
    let timers = jobs.iter().map(|job| format!("kt-archive-{}.timer", job.name)).collect::<Vec<_>>().join(" ");
    text.push_str(&comment(&format!("Then: systemctl daemon-reload && systemctl enable --now {timers}")));
    for BackupJob { job, name, description, calendar, .. } in jobs {
        let unit = format!("/etc/systemd/system/kt-archive-{name}");
        let _ = write!(
            text,
            "\n# {unit}.service\n[Unit]\nDescription={description}\nDocumentation=man:kt-archive-{name}(1)\n\
             Wants=network-online.target\nAfter=network-online.target\n# A unit to start after a failure, for notifications:\n\
             # OnFailure=notify@%n.service\n"
        );
        // A drill starts a server, which needs more than the limits of a run allow.
        text.push_str(&limited_service(job, if *name == "backup-drill" { DRILL } else { HARDENING })?);
        let _ = write!(
            text,
            "\n# {unit}.timer\n[Unit]\nDescription={description}\n\n[Timer]\nOnCalendar={calendar}\n\
             # Runs a missed start when the host is back.\nPersistent=yes\n\n[Install]\nWantedBy=timers.target\n"
        );
    }
    Ok(text)
}

/// Sandboxing of a drill, which sandboxes its server itself.
const DRILL: &str = "\
NoNewPrivileges=yes
ProtectSystem=strict
UMask=0077
";

/// Commands that create the user and the folders of the unit.
fn preparations(job: &Job) -> Vec<String> {
    let mut steps =
        vec!["useradd --system --home-dir /var/lib/kt-archive --shell /usr/sbin/nologin kt-archive".to_owned()];
    let locations = job.locations().filter_map(StoreLocation::folder).chain(job.state_dir.as_deref());
    steps.extend(
        locations.map(|folder| format!("install -d -o kt-archive -g kt-archive -m 750 {}", shell_quoted(folder))),
    );
    // That folder belongs to the node exporter.
    steps.extend(job.metrics_folder().map(|folder| format!("setfacl -m u:kt-archive:rwx {}", shell_quoted(&folder))));
    steps
}

fn service(job: &Job) -> Result<String> {
    limited_service(job, HARDENING)
}

fn limited_service(job: &Job, limits: &str) -> Result<String> {
    let mut text = "\n[Service]\nType=oneshot\nUser=kt-archive\nGroup=kt-archive\n".to_owned();
    let mut words = vec![command_word(&job.program)?];
    // A credential replaces the flag and the variable of the key.
    let replaced = |text: &str| job.pseudonym_key.is_some() && text.starts_with("--pseudonym-key-file=");
    for argument in job.arguments().iter().filter(|argument| !replaced(argument)) {
        words.push(command_word(argument)?);
    }
    if job.pseudonym_key.is_some() {
        words.push("--pseudonym-key-file=%d/pseudonym-key".to_owned());
    }
    if job.state_dir.is_none() {
        words.push("--state-dir=%S/kt-archive".to_owned());
    }
    let _ = writeln!(text, "ExecStart={}", words.join(" \\\n    "));
    for (name, value) in job.own.iter().chain(&job.public) {
        if name != "KT_ARCHIVE_PSEUDONYM_KEY_FILE" {
            let _ = writeln!(text, "Environment={}", word(&format!("{name}={value}"))?);
        }
    }
    text.push_str(&secrets(job)?);
    text.push_str(&RETRIES.replace("{FINAL_CODES}", &final_codes(" ")));
    text.push_str(&files(job)?);
    text.push_str(limits);
    Ok(text)
}

/// Credentials, which only this service can read, and variables with secrets.
fn secrets(job: &Job) -> Result<String> {
    let mut text = String::new();
    if job.pseudonym_key.is_some() || job.source == SourceKind::ExportsApi {
        text.push_str("# Files of root that only this service can read, below %d, which needs systemd 250.\n");
    }
    let mut credential = |name: &str, path: &str| -> Result<()> {
        let _ = writeln!(text, "LoadCredential={name}:{}", credential_path(path)?);
        Ok(())
    };
    if let Some(path) = &job.pseudonym_key {
        credential("pseudonym-key", path)?;
    }
    match job.source {
        SourceKind::ExportsApi => {
            credential("token", job.token_file.as_deref().unwrap_or("/etc/kt-archive/token"))?;
            text.push_str("Environment=KEEPTRUSTS_API_TOKEN_FILE=%d/token\n");
        }
        SourceKind::Postgres => {
            let path = job.password_file.as_deref().unwrap_or("/etc/kt-archive/pgpass");
            text.push_str("# host:port:database:user:password, owned by kt-archive, mode 600\n");
            let _ = writeln!(text, "Environment={}", word(&format!("PGPASSFILE={path}"))?);
        }
        SourceKind::Demo | SourceKind::Files => {}
    }
    let names = job.host_secrets().into_iter().collect::<Vec<_>>().join(", ");
    if !names.is_empty() {
        text.push_str(&comment(&format!("A line NAME=\"value\" for each of {names}; root's, mode 600.")));
        text.push_str("EnvironmentFile=/etc/kt-archive/env\n");
    }
    Ok(text)
}

/// Access to the file system.
fn files(job: &Job) -> Result<String> {
    let mut text = String::new();
    let mut written = job.folders();
    match &job.state_dir {
        Some(state) => written.push(state.clone()),
        None => text.push_str("StateDirectory=kt-archive\nStateDirectoryMode=0700\n"),
    }
    for folder in &written {
        let _ = writeln!(text, "ReadWritePaths={}", word(folder)?);
    }
    let read = [Some(&job.program), job.config.as_ref(), job.password_file.as_ref()].into_iter().flatten().cloned();
    let source = job.settings.iter().filter(|(key, _)| key == "source" && job.source == SourceKind::Files);
    let source = source.filter_map(|(_, value)| value.as_str().map(str::to_owned));
    let named = job.public_files().map(str::to_owned);
    let paths = written.into_iter().chain(read).chain(source).chain(named).collect::<Vec<_>>();
    let any = |folders: &[&str]| paths.iter().any(|path| folders.iter().any(|folder| path.starts_with(folder)));
    // If a path is in a home folder, all home folders are readable and none is writable.
    text.push_str(if any(&["/home/", "/root/", "/run/user/"]) {
        "ProtectHome=read-only\n"
    } else {
        "ProtectHome=yes\n"
    });
    text.push_str(if any(&["/tmp/", "/var/tmp/"]) { "PrivateTmp=no\n" } else { "PrivateTmp=yes\n" });
    Ok(text)
}

/// A word of a setting, where `%` begins a specifier.
fn word(text: &str) -> Result<String> {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "_@+=:,./-?".contains(letter);
    if !text.is_empty() && text.chars().all(is_plain) {
        return Ok(text.to_owned());
    }
    check(text)?;
    Ok(format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace('%', "%%")))
}

/// A word of a command, where `$` begins a variable.
fn command_word(text: &str) -> Result<String> {
    Ok(word(text)?.replace('$', "$$"))
}

/// The path of a credential, which extends to the end of the line and is not unquoted.
fn credential_path(path: &str) -> Result<String> {
    check(path)?;
    if path.ends_with(['\\', ' ']) {
        return Err(unsupported("systemd cannot load a file of this name", "choose another name for the file"));
    }
    Ok(path.replace('%', "%%"))
}

/// Refuses control characters: a line of a unit ends at a line end, quoted or not.
fn check(text: &str) -> Result<()> {
    if text.chars().any(char::is_control) {
        return Err(unsupported(
            "a unit of systemd cannot hold a value with a line end or a control character",
            "write the value into a configuration file, and name that with --config",
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Parses a word of a command as specified in systemd.syntax(7) and systemd.service(5).
    fn read(text: &str) -> String {
        let text = text.strip_prefix('"').and_then(|text| text.strip_suffix('"')).unwrap_or(text);
        let (mut word, mut letters) = (String::new(), text.chars());
        while let Some(letter) = letters.next() {
            match letter {
                '\\' => word.extend(letters.next()),
                '%' | '$' => {
                    assert_eq!(letters.next(), Some(letter), "{text}");
                    word.push(letter);
                }
                '"' => panic!("the word ends early: {text}"),
                _ => word.push(letter),
            }
        }
        word
    }

    proptest! {
        #[test]
        fn words_of_a_command_survive_a_round_trip(text in r#"[\\%'"$ ;@:a-zé🦀]{1,12}"#) {
            prop_assert_eq!(read(&command_word(&text).unwrap()), text);
        }
    }

    #[test]
    fn values_with_control_characters_are_refused() {
        assert!(word("two\nlines").is_err() && credential_path("a\rb").is_err());
        assert_eq!(word("/srv/archive").unwrap(), "/srv/archive");
        assert_eq!(word("").unwrap(), "\"\"");
        assert_eq!(word("100% of $HOME").unwrap(), "\"100%% of $HOME\"");
    }
}
