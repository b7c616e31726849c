//! The settings that have other names since Dovecot 2.4.

use std::path::Path;

use super::super::launch::mail_owner;
use super::{Configuration, Store, spool};

impl Configuration<'_> {
    pub(super) fn since_2_4(&self) -> [String; 4] {
        [
            self.base_2_4(),
            self.mechanisms_2_4(),
            self.mail_2_4(),
            self.certificates_2_4(),
        ]
    }

    fn base_2_4(&self) -> String {
        let folder = self.folder.display();
        let (uid, gid) = mail_owner();
        format!(
            "dovecot_config_version = 2.4.0\ndovecot_storage_version = 2.4.0\n\
             base_dir = {folder}/run\nstate_dir = {folder}/state\nlog_path = /dev/stderr\n\
             protocols = pop3\nlisten = 127.0.0.1\nauth_allow_cleartext = yes\n\
             first_valid_uid = 1\nmail_max_userip_connections = 1000\n\
             userdb static {{\n fields {{\n  uid = {uid}\n  gid = {gid}\n  home = {folder}/home\n }}\n}}\n"
        )
    }

    fn mechanisms_2_4(&self) -> String {
        let (tokens, passwords) = self.mechanism_names();
        let database_of_tokens = match tokens.is_empty() {
            true => String::new(),
            false => format!(
                "oauth2 {{\n introspection_mode = local\n username_attribute = sub\n\
                 oauth2_local_validation {{\n dict fs {{\n fs posix {{\n prefix = {}/keys/\n}}\n}}\n}}\n}}\n\
                 passdb oauth2 {{\n mechanisms_filter = {tokens}\n}}\n",
                self.folder.display()
            ),
        };
        format!(
            "auth_mechanisms = {passwords} {tokens}\n{database_of_tokens}\
             passdb static {{\n mechanisms_filter = {passwords}\n password = \"{}\"\n}}",
            self.password()
        )
    }

    fn mail_2_4(&self) -> String {
        let spool = spool(self.folder);
        match self.options.store {
            Store::Maildir => mail_of("maildir", &self.folder.join("Maildir")),
            Store::MboxWithEqualUidls => format!(
                "{}\nmail_inbox_path = {}\npop3_uidl_format = %{{guid}}",
                mail_of("mbox", &spool.join("folders")),
                spool.join("inbox").display()
            ),
        }
    }

    fn certificates_2_4(&self) -> String {
        let Some(identity) = self.identity else {
            return "ssl = no".to_owned();
        };
        let demand = match self.options.demand_client_certificate {
            false => String::new(),
            true => format!(
                "ssl_server_ca_file = {}\nssl_server_require_crl = no\n\
                 ssl_server_request_client_cert = yes\nauth_ssl_require_client_cert = yes\n",
                identity.authority.display()
            ),
        };
        format!(
            "ssl = yes\nssl_server_cert_file = {}\nssl_server_key_file = {}\n{demand}",
            identity.certificate.display(),
            identity.key.display()
        )
    }
}

fn mail_of(driver: &str, path: &Path) -> String {
    format!("mail_driver = {driver}\nmail_path = {}", path.display())
}
