//! Parse, run, exit code.

fn main() -> std::process::ExitCode {
    ocp2::cli::main()
}
