//! The door: hands the process over to the command line and turns its answer into an exit code.

use std::process::ExitCode;

fn main() -> ExitCode {
    rsp_install::cli::main()
}
