//! The `aftercare` command: see [`aftercare::cli`].

use mimalloc::MiMalloc;
use std::process::ExitCode;

/// Events and mails are many small texts: with the system's allocator a third of the time
/// that it takes to understand a delivery is spent in it.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    ExitCode::from(aftercare::cli::run(std::env::args_os()))
}
