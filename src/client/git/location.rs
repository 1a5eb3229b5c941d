//! Where a repository is, as people write it.

use super::GitError;
use std::path::{Path, PathBuf};

/// Where a repository is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Location {
    /// On this machine.
    Local(PathBuf),
    /// Behind `http://` or `https://`.
    Remote(String),
}

impl Location {
    /// Reads a path (relative to `directory`), `~/path`, `file://` URL or `http(s)://` URL.
    ///
    /// SSH is refused rather than half supported: it would start a program with the user's keys.
    pub fn parse(text: &str, directory: &Path, home: Option<&Path>) -> Result<Self, GitError> {
        let refuse = |reason| GitError::Location { repository: without_credentials(text), reason };
        if text.is_empty() {
            return Err(refuse("it is empty"));
        }
        if let Some(path) = text.strip_prefix("file://") {
            let path = path.strip_prefix("localhost").unwrap_or(path);
            return if path.starts_with('/') {
                Ok(Self::Local(PathBuf::from(path)))
            } else {
                Err(refuse("a file:// URL needs an absolute path"))
            };
        }
        if let Some((scheme, rest)) = text.split_once("://") {
            return match scheme.to_ascii_lowercase().as_str() {
                "https" | "http" if rest.split('/').next().is_some_and(|host| host.contains('@')) => {
                    Err(refuse("a URL must not carry credentials"))
                }
                "https" | "http" => Ok(Self::Remote(text.trim_end_matches('/').to_owned())),
                _ => Err(refuse("only https://, http:// and file:// URLs are read")),
            };
        }
        if text.split('/').next().is_some_and(|first| first.contains('@') && first.contains(':')) {
            return Err(refuse("SSH is not supported: clone it and give the path, or use https://"));
        }
        match (text.strip_prefix('~'), home) {
            (Some(rest), Some(home)) if rest.is_empty() || rest.starts_with('/') => {
                Ok(Self::Local(home.join(rest.trim_start_matches('/'))))
            }
            _ => Ok(Self::Local(directory.join(text))),
        }
    }
}

/// The text without `user:password@`, for messages.
fn without_credentials(text: &str) -> String {
    match text.split_once("://") {
        Some((scheme, rest)) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = host.rsplit('@').next().unwrap_or(host);
            format!("{scheme}://{host}/{path}")
        }
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Location, GitError> {
        Location::parse(text, Path::new("/here"), Some(Path::new("/home/someone")))
    }

    #[test]
    fn paths_are_relative_to_the_working_directory_and_home() {
        assert_eq!(parse("../fork").unwrap(), Location::Local("/here/../fork".into()));
        assert_eq!(parse("/fork").unwrap(), Location::Local("/fork".into()));
        assert_eq!(parse("~/fork").unwrap(), Location::Local("/home/someone/fork".into()));
        assert_eq!(parse("file:///fork").unwrap(), Location::Local("/fork".into()));
        let url = "https://github.com/lsst-uk/phalanx";
        assert_eq!(parse(&format!("{url}/")).unwrap(), Location::Remote(url.into()));
    }

    #[test]
    fn credentials_in_a_url_are_refused_and_not_repeated() {
        let error = parse("https://me:hunter2@example.org/x").unwrap_err().to_string();
        assert!(error.contains("must not carry credentials"), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }

    #[test]
    fn ssh_and_other_schemes_are_refused() {
        for text in ["git@github.com:lsst-uk/phalanx", "ssh://git@github.com/x", "git://github.com/x", "file://x", ""] {
            assert!(parse(text).is_err(), "{text}");
        }
    }
}
