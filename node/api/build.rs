//! Compiles the protobuf interface, without `protoc`: protox reads the file, tonic writes the Rust.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let files = protox::compile(["hansa/v1/screening.proto"], ["proto"])?;
    // The client connects itself, and this crate serves HTTP/2 itself: tonic's transport is not generated for.
    tonic_prost_build::configure().build_transport(false).compile_fds(files)?;
    Ok(())
}
