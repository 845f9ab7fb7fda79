//! Every code that a message can carry, with its explanation.

use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::fmt;

/// A stable message code such as `D0102`; codes are never reused.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Code(Cow<'static, str>);

impl Code {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self(Cow::Borrowed(text))
    }

    /// Returns the code's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

macro_rules! codes {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        $($(#[$doc])* pub const $name: Code = Code::new($text);)*
        /// Every code, in order.
        pub const ALL: &[&str] = &[$($text),*];
    };
}

codes! {
    /// The host is not in the grant.
    HOST = "D0101";
    /// The address that the name leads to is not allowed.
    ADDRESS = "D0102";
    /// The method is not in the grant.
    METHOD = "D0103";
    /// The path is not in the grant.
    PATH = "D0104";
    /// The authority or path has no single reading.
    AMBIGUOUS = "D0105";
    /// A header that the guest may not set.
    HEADER = "D0106";
    /// A port or scheme that the grant does not name for this host.
    PORT = "D0107";
    /// A switch of protocol inside a request.
    PROTOCOL = "D0108";
    /// A TCP target that the grant does not name.
    TCP = "D0109";
    /// A name that could not be resolved (no decision, but the guest sees a failure).
    RESOLVE = "D0110";
    /// A write below a directory granted for reading.
    READ_ONLY = "D0201";
    /// A path outside every granted directory.
    OUTSIDE = "D0202";
    /// A FIFO, device or socket inside a granted directory.
    SPECIAL_FILE = "D0203";
    /// The kernel refused what the grant allows.
    KERNEL = "D0204";
    /// A listening or datagram socket.
    SOCKET = "D0301";
}
