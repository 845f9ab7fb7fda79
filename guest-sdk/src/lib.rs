//! What a tool for writ is written with.
//!
//! A tool is an ordinary WebAssembly component: it needs nothing from this crate. Files, arguments and
//! the clock come through `std`. What `std` lacks in a component is HTTP, and that is what stands here:
//!
//! ```no_run
//! let response = writ_guest::http::get("https://api.example.com/status")?;
//! println!("{}", response.into_text()?);
//! # Ok::<(), writ_guest::http::Error>(())
//! ```

pub mod http;
