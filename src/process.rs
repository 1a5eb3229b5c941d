//! What enters from outside: environment variables, the home and working directories, the clock.
//!
//! Everything inside asks this struct instead of the operating system, so that a test can hand in its own. Arguments
//! are read by [`crate::cli`]; randomness comes from the operating system where a secret is made.

use crate::error::{Explain, Kind};
use crate::secret_value::SecretValue;
use jiff::Timestamp;
use std::collections::BTreeMap;
use std::path::PathBuf;

/// The process as the rooms see it.
#[derive(Clone)]
pub struct Process {
    /// Environment variables that are valid UTF-8.
    pub variables: BTreeMap<String, String>,
    /// The working directory.
    pub directory: PathBuf,
    /// The clock.
    pub now: fn() -> Timestamp,
    /// Whether a person can answer a question: standard input and standard error are both terminals.
    pub interactive: bool,
}

/// A credential file that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ProcessError {
    /// `NAME_FILE` names a file that is not there or not ours to read.
    #[error("cannot read {path}, which {variable} names")]
    CredentialFile {
        /// The variable.
        variable: String,
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl Explain for ProcessError {
    fn kind(&self) -> Kind {
        Kind::Usage
    }

    fn help(&self) -> Vec<String> {
        let Self::CredentialFile { variable, .. } = self;
        vec![format!("correct {variable}, or unset it")]
    }
}

impl Process {
    /// The real process.
    pub fn from_system() -> Self {
        use std::io::IsTerminal as _;
        Self {
            variables: std::env::vars_os()
                .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
                .collect(),
            directory: std::env::current_dir().unwrap_or_else(|_| PathBuf::from(".")),
            now: Timestamp::now,
            interactive: std::io::stdin().is_terminal() && std::io::stderr().is_terminal(),
        }
    }

    /// A variable that is set and not empty.
    pub fn variable(&self, name: &str) -> Option<&str> {
        self.variables.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// A credential from `NAME`, or from the file that `NAME_FILE` names (its trailing newline removed).
    pub fn credential(&self, name: &str) -> Result<Option<SecretValue>, ProcessError> {
        if let Some(value) = self.variable(name) {
            return Ok(Some(SecretValue::new(value)));
        }
        let variable = format!("{name}_FILE");
        let Some(path) = self.variable(&variable).map(PathBuf::from) else { return Ok(None) };
        match std::fs::read_to_string(&path) {
            Ok(text) => Ok(Some(SecretValue::new(text.trim_end_matches(['\n', '\r'])))),
            Err(source) => Err(ProcessError::CredentialFile { variable, path, source }),
        }
    }

    /// The home directory, if there is one.
    pub fn home(&self) -> Option<PathBuf> {
        self.variable("HOME").map(PathBuf::from)
    }

    /// Where what can be made again is kept: `RSP_INSTALL_CACHE`, else `rsp-install` under the user's cache directory.
    pub fn cache(&self) -> PathBuf {
        if let Some(own) = self.variable("RSP_INSTALL_CACHE") {
            return PathBuf::from(own);
        }
        let base = self.variable("XDG_CACHE_HOME").map(PathBuf::from);
        base.or_else(|| self.home().map(|home| home.join(".cache")))
            .unwrap_or_else(std::env::temp_dir)
            .join("rsp-install")
    }
}

/// Our memory and environment hold secrets: a crash must not write them to a file, and other processes of the same user
/// must not read them. A system that refuses is no reason to stop.
pub fn keep_memory_to_ourselves() {
    let _ = nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_CORE, 0, 0);
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_dumpable(false);
}

#[cfg(test)]
impl Process {
    /// A process with nothing but these variables, in an empty temporary place.
    pub fn given(variables: &[(&str, &str)]) -> Self {
        Self {
            variables: variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            directory: PathBuf::from("."),
            now: Timestamp::now,
            interactive: false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn memory_is_neither_dumped_nor_read_by_others() {
        keep_memory_to_ourselves();
        assert_eq!(nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_CORE), Ok((0, 0)));
        assert_eq!(nix::sys::prctl::get_dumpable(), Ok(false));
    }

    #[test]
    fn a_credential_comes_from_the_variable_else_from_its_file() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "from-file\n").unwrap();
        let path = file.path().to_str().unwrap();
        let both = Process::given(&[("VAULT_TOKEN", "direct"), ("VAULT_TOKEN_FILE", path)]);
        assert_eq!(both.credential("VAULT_TOKEN").unwrap().unwrap().expose(), "direct");
        let only_file = Process::given(&[("VAULT_TOKEN_FILE", path)]);
        assert_eq!(only_file.credential("VAULT_TOKEN").unwrap().unwrap().expose(), "from-file");
        assert!(Process::given(&[("VAULT_TOKEN", "")]).credential("VAULT_TOKEN").unwrap().is_none());
        assert!(Process::given(&[("VAULT_TOKEN_FILE", "/nowhere")]).credential("VAULT_TOKEN").is_err());
    }
}
