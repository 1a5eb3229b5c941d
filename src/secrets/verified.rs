//! Which hashes were found to fit their passwords, and at which version of the secret.
//!
//! Checking a hash takes two seconds, so that it is done once for each version. The record is kept among what can be made
//! again; losing it costs those seconds. It holds no secret: paths, keys and versions.

use std::collections::BTreeMap;
use std::path::PathBuf;

/// The record.
#[derive(Debug, Clone)]
pub struct VerifiedHashes {
    file: PathBuf,
    marks: BTreeMap<String, String>,
}

impl VerifiedHashes {
    /// The record in this directory; empty when there is none, or none that can be read.
    pub fn open(cache: impl Into<PathBuf>) -> Self {
        let file = cache.into().join("verified-hashes.json");
        let marks = std::fs::read(&file).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok()).unwrap_or_default();
        Self { file, marks }
    }

    /// Whether the hash at this place was good at this mark.
    pub(super) fn contains(&self, place: &str, mark: &str) -> bool {
        self.marks.get(place).is_some_and(|known| known == mark)
    }

    /// Remembers that it was. That the record cannot be written is no fault of the environment: it is checked again.
    pub(super) fn record(&mut self, place: String, mark: String) {
        self.marks.insert(place, mark);
        let folder = self.file.parent().map(std::fs::create_dir_all);
        if let (Some(Ok(())), Ok(text)) = (folder, serde_json::to_vec_pretty(&self.marks)) {
            // Two runs at once must not read half a file of each other.
            let written = self.file.with_extension(format!("{}.tmp", std::process::id()));
            if std::fs::write(&written, text).is_ok() {
                let _ = std::fs::rename(&written, &self.file);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_holds_for_one_version_and_survives_the_process() {
        let folder = tempfile::tempdir().unwrap();
        let mut record = VerifiedHashes::open(folder.path().join("cache"));
        assert!(!record.contains("place", "1"));
        record.record("place".into(), "1".into());
        let again = VerifiedHashes::open(folder.path().join("cache"));
        assert!(again.contains("place", "1") && !again.contains("place", "2") && !again.contains("other", "1"));
        std::fs::write(folder.path().join("cache/verified-hashes.json"), "no json").unwrap();
        assert!(!VerifiedHashes::open(folder.path().join("cache")).contains("place", "1"));
    }
}
