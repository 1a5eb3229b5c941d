//! Finds environment files: a folder first, then the copies built into the program.

use super::error::EnvironmentError;
use super::model::Environment;
use super::storage;
use rust_embed::RustEmbed;
use std::path::{Path, PathBuf};

/// The files of `environments/` at build time. They serve read-only commands and `init`.
#[derive(RustEmbed)]
#[folder = "environments/"]
pub struct BuiltIn;

/// A file that was found and read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    /// What it declares.
    pub environment: Environment,
    /// For messages: its path, or `built-in NAME.yaml`.
    pub file: String,
    /// Where relative paths in it start; the working directory for a built-in.
    pub folder: PathBuf,
    /// Whether it is only the copy inside the program.
    pub built_in: bool,
}

/// The folder of environment files.
#[derive(Debug, Clone)]
pub struct Library {
    folder: PathBuf,
}

/// A file before it is parsed.
struct Source {
    stem: String,
    file: String,
    text: String,
    built_in: bool,
}

impl Library {
    /// The files of this folder, then the built-in ones.
    pub fn new(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// The environment of that name or alias. A file's name wins over an alias; a folder's file over a built-in.
    pub fn load(&self, name: &str) -> Result<Loaded, EnvironmentError> {
        let sources = self.sources()?;
        if let Some(source) = sources.iter().find(|source| source.stem == name) {
            let loaded = self.parse(source)?;
            Self::check_aliases(&loaded, &sources)?;
            return Ok(loaded);
        }
        // Only the files that mention the name are parsed: a mistake in a neighbour's file must not stop us.
        for source in sources.iter().filter(|source| source.text.contains(name)) {
            let Ok(loaded) = self.parse(source) else { continue };
            if loaded.environment.aliases.iter().any(|alias| alias.as_str() == name) {
                Self::check_aliases(&loaded, &sources)?;
                return Ok(loaded);
            }
        }
        let known = sources.into_iter().map(|source| source.stem).collect();
        Err(EnvironmentError::NotFound { name: name.to_owned(), folder: self.folder.display().to_string(), known })
    }

    /// The names that `load` takes, without aliases.
    pub fn names(&self) -> Result<Vec<String>, EnvironmentError> {
        Ok(self.sources()?.into_iter().map(|source| source.stem).collect())
    }

    fn sources(&self) -> Result<Vec<Source>, EnvironmentError> {
        let mut sources = Vec::new();
        let mut paths: Vec<PathBuf> = match std::fs::read_dir(&self.folder) {
            Ok(listing) => listing.filter_map(|entry| Some(entry.ok()?.path())).collect(),
            Err(_) => Vec::new(),
        };
        paths.sort();
        for path in paths.iter().filter(|path| path.extension().is_some_and(|extension| extension == "yaml")) {
            let Some(stem) = stem(path) else { continue };
            let file = path.display().to_string();
            let text = std::fs::read_to_string(path)
                .map_err(|error| EnvironmentError::Unreadable { file: file.clone(), why: error.to_string() })?;
            sources.push(Source { stem, file, text, built_in: false });
        }
        for name in BuiltIn::iter() {
            let Some(stem) = stem(Path::new(name.as_ref())) else { continue };
            if sources.iter().any(|source| source.stem == stem) {
                continue;
            }
            let Some(content) = BuiltIn::get(&name) else { continue };
            let text = String::from_utf8_lossy(&content.data).into_owned();
            sources.push(Source { stem, file: format!("built-in {name}"), text, built_in: true });
        }
        Ok(sources)
    }

    fn parse(&self, source: &Source) -> Result<Loaded, EnvironmentError> {
        let environment = parse(&source.file, &source.text)?;
        if environment.name.as_str() != source.stem {
            let name = environment.name.to_string();
            return Err(EnvironmentError::NameDiffers { file: source.file.clone(), name });
        }
        let folder = if source.built_in { PathBuf::from(".") } else { self.folder.clone() };
        Ok(Loaded { environment, file: source.file.clone(), folder, built_in: source.built_in })
    }

    /// An alias that is another file's name would never be found: say so instead of installing the wrong one.
    fn check_aliases(loaded: &Loaded, sources: &[Source]) -> Result<(), EnvironmentError> {
        let own = loaded.environment.name.as_str();
        for alias in &loaded.environment.aliases {
            let taken = sources.iter().filter(|source| source.stem != own).find(|source| {
                source.stem == alias.as_str()
                    || parse(&source.file, &source.text).is_ok_and(|other| other.aliases.contains(alias))
            });
            if let Some(other) = taken {
                let (file, other) = (loaded.file.clone(), other.file.clone());
                return Err(EnvironmentError::AliasTaken { file, alias: alias.to_string(), other });
            }
        }
        Ok(())
    }
}

fn stem(path: &Path) -> Option<String> {
    path.file_stem()?.to_str().map(str::to_owned)
}

/// Reads one file's text.
fn parse(file: &str, text: &str) -> Result<Environment, EnvironmentError> {
    let malformed = |place: Option<(u64, u64)>, message: String| {
        let (line, column) = place.unwrap_or_default();
        let number = |number: u64| usize::try_from(number).unwrap_or(0);
        EnvironmentError::Malformed { file: file.to_owned(), line: number(line), column: number(column), message }
    };
    let environment: Environment = serde_saphyr::from_str(text).map_err(|error| {
        let place = error.location().map(|at| (at.line(), at.column()));
        malformed(place, first_line(&error.to_string()))
    })?;
    match storage::disagreement(&environment.storage) {
        Some((number, message)) => Err(malformed(storage::place(text, number), message)),
        None => Ok(environment),
    }
}

/// The parser's message without the place, which stands before it already, and the picture of the source below it.
fn first_line(message: &str) -> String {
    let line = message.lines().next().unwrap_or(message);
    let placed = line.strip_prefix("error: line ").and_then(|rest| rest.split_once(": "));
    placed.map_or(line, |(_, rest)| rest).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SKETCH: &str = r#"
name: roe
aliases: []
policy: {deployment: science, level: prod}
cluster:
  magnum:
    cloud: somerville
    name: stv-rsp-cluster
    template: workshop-template-piotr
    keypair: iris-rsp-1
    masters: 1
    nodes: 2
    dockerVolumeSize: 200
    mergeLabels: true
    labels:
      admission_control_list: "NodeRestriction,NamespaceLifecycle"
    openPorts: [80, 443, 8443, {port: 6379, from: 192.168.0.0/16}]
storage:
  - {class: standard, provisioner: cinder.csi.openstack.org, default: true, parameters: {availability: nova}}
phalanx: {repository: https://github.com/lsst-uk/phalanx, branch: main, environment: roe, formerNames: []}
upstream: {repository: https://github.com/lsst-sqre/phalanx, branch: main}
vault: {}
upgrade: {stages: []}
"#;

    fn library(files: &[(&str, &str)]) -> (tempfile::TempDir, Library) {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            std::fs::write(folder.path().join(name), text).unwrap();
        }
        let library = Library::new(folder.path());
        (folder, library)
    }

    #[test]
    fn the_sketch_of_the_contract_is_read() {
        let environment = parse("roe.yaml", SKETCH).unwrap();
        let Some(super::super::Cluster::Magnum(magnum)) = environment.cluster else { panic!("no magnum cluster") };
        assert_eq!(magnum.docker_volume_size, Some(200));
        assert_eq!(magnum.open_ports.len(), 4);
    }

    #[test]
    fn an_unknown_key_is_an_error_with_line_and_column() {
        let error = parse("roe.yaml", &SKETCH.replace("keypair:", "keyPair:")).unwrap_err();
        let EnvironmentError::Malformed { line, column, message, .. } = error else { panic!("{error}") };
        assert_eq!((line, column), (10, 5), "{message}");
        assert!(message.contains("keyPair"), "{message}");
    }

    #[test]
    fn a_wrong_value_and_broken_yaml_name_their_place() {
        for (from, to, line) in
            [("level: prod", "level: production", 4), ("nodes: 2", "nodes: two", 12), ("[80, 443", "[80, 443}", 17)]
        {
            let error = parse("roe.yaml", &SKETCH.replace(from, to)).unwrap_err();
            let EnvironmentError::Malformed { line: found, message, .. } = error else { panic!("{error}") };
            assert_eq!(found, line, "{message}");
        }
    }

    #[test]
    fn exactly_one_storage_class_is_the_default_or_the_place_is_named() {
        let with = |classes: &str| parse("roe.yaml", &format!("name: roe\nstorage:\n{classes}"));
        let fast = "  - {class: fast, provisioner: p, default: true}\n";
        let slow = "  - class: slow\n    provisioner: p\n";
        assert_eq!(with(&[fast, slow].concat()).unwrap().storage.len(), 2);
        let two = [fast, slow, "    default: true\n"].concat();
        let twice = [fast, "  - {class: fast, provisioner: q}\n"].concat();
        for (classes, place, words) in
            [(two.as_str(), 4, "fast and slow"), (&twice, 4, "fast is declared twice"), (slow, 3, "no storage class")]
        {
            let EnvironmentError::Malformed { line, message, .. } = with(classes).unwrap_err() else {
                panic!("{classes}")
            };
            assert!(line == place && message.contains(words), "{line}: {message}");
        }
    }

    #[test]
    fn a_file_is_found_by_name_then_by_alias() {
        let (_folder, library) = library(&[("a.yaml", "name: a\naliases: [first]\n"), ("b.yaml", "name: b\n")]);
        assert_eq!(library.load("b").unwrap().environment.name.as_str(), "b");
        assert_eq!(library.load("first").unwrap().environment.name.as_str(), "a");
        assert!(matches!(library.load("c"), Err(EnvironmentError::NotFound { .. })));
    }

    #[test]
    fn an_alias_that_is_another_files_name_is_an_error() {
        let (_folder, library) = library(&[("a.yaml", "name: a\naliases: [b]\n"), ("b.yaml", "name: b\n")]);
        assert!(matches!(library.load("a"), Err(EnvironmentError::AliasTaken { .. })));
        assert_eq!(library.load("b").unwrap().environment.name.as_str(), "b", "a file's name wins");
    }

    #[test]
    fn a_file_carries_the_name_of_its_environment() {
        let (_folder, library) = library(&[("a.yaml", "name: b\n")]);
        assert!(matches!(library.load("a"), Err(EnvironmentError::NameDiffers { .. })));
    }

    #[test]
    fn the_built_in_files_are_right_and_say_that_they_are_built_in() {
        let (_folder, library) = library(&[]);
        for name in library.names().unwrap() {
            assert!(library.load(&name).unwrap().built_in);
        }
    }
}
