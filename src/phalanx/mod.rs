//! A phalanx checkout read as data: environments, applications, projects, charts, values.
//!
//! Reads one commit of a Git repository (or, in tests, a directory) through [`Tree`]; needs no Git binary, no Helm and no
//! network. Renders nothing and judges nothing: that is for the rooms above.

pub mod tree;
