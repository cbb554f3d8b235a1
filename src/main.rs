//! The `aftercare` command: see [`aftercare::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    ExitCode::from(aftercare::cli::run(std::env::args_os()))
}
