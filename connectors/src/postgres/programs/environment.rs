//! The connection of a program: variables of libpq, so that neither hosts nor secrets are in its arguments.

use super::super::{
    config::{Server, TargetSessionAttrs},
    conninfo::{Host, HostKind},
    password_file::password,
};
use crate::{Result, program::Program};
use std::net::IpAddr;
use tokio::net::lookup_host;

impl Server {
    /// Gives `program` the connection to this server.
    pub(super) async fn connect_program(&self, program: Program) -> Result<Program> {
        let mut program = program
            // Kerberos would be tried before TLS.
            .variable("PGGSSENCMODE", "disable")
            .variable("PGUSER", &self.user)
            .variable("PGDATABASE", &self.database)
            .variable("PGAPPNAME", &self.application_name)
            .variable("PGHOST", list(&self.hosts, host_name))
            .variable("PGPORT", list(&self.hosts, |host| host.port.to_string()))
            .variable("PGCONNECT_TIMEOUT", self.connect_timeout.map_or(0, |limit| limit.as_secs()).to_string());
        if self.hosts.iter().any(|host| !host_address(host).is_empty()) {
            program = program.variable("PGHOSTADDR", list(&self.hosts, host_address));
        }
        if let Some(options) = &self.options {
            program = program.variable("PGOPTIONS", options);
        }
        if self.target != TargetSessionAttrs::Any {
            program = program.variable("PGTARGETSESSIONATTRS", self.target.as_str());
        }
        for (name, path) in self.tls.variables(self.is_local().await)? {
            program = program.variable(name, path);
        }
        Ok(match (&self.password, &self.password_file) {
            (Some(password), _) => program.secret_variable("PGPASSWORD", password),
            (None, Some(path)) => program.variable("PGPASSFILE", path),
            (None, None) => program,
        })
    }

    /// Gives `program`, which runs behind a command, the user and the password. The command decides about the host.
    pub(super) async fn connect_behind_command(&self, program: Program) -> Result<Program> {
        let program = program.argument("--username").argument(&self.user);
        let Some(host) = self.hosts.first() else { return Ok(program) };
        Ok(match password(self, host).await? {
            Some(password) => program.secret_variable("PGPASSWORD", &password),
            None => program,
        })
    }

    /// Whether all addresses are on this host.
    async fn is_local(&self) -> bool {
        for host in &self.hosts {
            let HostKind::Tcp { name, address } = &host.kind else { continue };
            let is_loopback = match address {
                Some(address) => address.to_canonical().is_loopback(),
                None => lookup_host((name.as_str(), host.port))
                    .await
                    .is_ok_and(|mut found| found.all(|address| address.ip().to_canonical().is_loopback())),
            };
            if !is_loopback {
                return false;
            }
        }
        true
    }
}

/// The name of a database as an argument. One that looks like a connection string is written as one.
pub(super) fn database_argument(name: &str) -> String {
    if !name.contains('=') && !name.starts_with("postgres://") && !name.starts_with("postgresql://") {
        return name.to_owned();
    }
    let escaped = name.replace('\\', "\\\\").replace('\'', "\\'");
    format!("dbname='{escaped}'")
}

fn list(hosts: &[Host], part: impl Fn(&Host) -> String) -> String {
    hosts.iter().map(part).collect::<Vec<_>>().join(",")
}

fn host_name(host: &Host) -> String {
    match &host.kind {
        HostKind::SocketDirectory(path) => path.display().to_string(),
        HostKind::Tcp { name, .. } => name.clone(),
    }
}

/// The address of a host with a name.
fn host_address(host: &Host) -> String {
    match &host.kind {
        HostKind::Tcp { name, address: Some(address) } if name.parse::<IpAddr>() != Ok(*address) => address.to_string(),
        _ => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn variables(url: &str, given: &[(&str, &str)]) -> String {
        let given = |name: &str| given.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        let server = Server::new(url, &given).unwrap();
        let program = server.connect_program(Program::new("env", "/usr/bin/env")).await.unwrap();
        String::from_utf8(program.output(10_000).await.unwrap().0).unwrap()
    }

    #[track_caller]
    fn assert_has(variables: &str, wanted: &[&str]) {
        for line in wanted {
            assert!(variables.lines().any(|found| found == *line), "{line} is not in\n{variables}");
        }
    }

    #[tokio::test]
    async fn all_settings_reach_the_program() {
        let url =
            "postgres://kt@127.0.0.1:7,[::1]/a%20b?options=-c%20a%3Db&connect_timeout=3&target_session_attrs=primary";
        let found = variables(url, &[("PGPASSWORD", "canary")]).await;
        let wanted = ["PGHOST=127.0.0.1,::1", "PGPORT=7,5432", "PGUSER=kt", "PGDATABASE=a b", "PGPASSWORD=canary"];
        assert_has(&found, &wanted);
        let wanted = ["PGOPTIONS=-c a=b", "PGCONNECT_TIMEOUT=3", "PGTARGETSESSIONATTRS=primary", "PGSSLMODE=prefer"];
        assert_has(&found, &wanted);
        assert!(!found.contains("PGHOSTADDR"), "{found}");
    }

    #[tokio::test]
    async fn other_hosts_are_verified_with_the_same_authorities() {
        let found = variables("postgres://kt@db.example/d?hostaddr=192.0.2.1&sslrootcert=/a.crt", &[]).await;
        assert_has(
            &found,
            &["PGHOST=db.example", "PGHOSTADDR=192.0.2.1", "PGSSLMODE=verify-full", "PGSSLROOTCERT=/a.crt"],
        );
        let found = variables("postgres://kt@192.0.2.1/d", &[("PGPASSFILE", "/pass")]).await;
        assert_has(&found, &["PGSSLMODE=verify-full", "PGPASSFILE=/pass"]);
        assert!(found.contains("PGSSLROOTCERT="), "{found}");
    }

    #[test]
    fn name_of_a_database_is_never_read_as_a_connection_string() {
        assert_eq!(database_argument("keep trusts"), "keep trusts");
        assert_eq!(database_argument("host=a 'b\\"), "dbname='host=a \\'b\\\\'");
        assert_eq!(database_argument("postgres://a"), "dbname='postgres://a'");
    }
}
