//! Every code that a message can carry, with its explanation.

mod explain;

pub use explain::{Explanation, explain, explanations, near};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use std::fmt;

/// A stable message code such as `D0102`; codes are never reused, and no other text is one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize)]
pub struct Code(&'static str);

impl Code {
    pub(crate) const fn new(text: &'static str) -> Self {
        Self(text)
    }

    /// Returns the code's text.
    pub fn as_str(&self) -> &str {
        self.0
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let known = ALL.iter().find(|code| **code == text);
        known.map(|code| Self(code)).ok_or_else(|| D::Error::custom("there is no such code"))
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
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
    /// A field or parameter that the host fills in.
    MANAGED = "D0111";
    /// A credential that cannot be had.
    NO_CREDENTIAL = "D0112";
    /// Two credentials for one request.
    TWO_CREDENTIALS = "D0113";
    /// A response in which an injected credential could not be found.
    ENCODED = "D0114";
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
    /// The task may act no longer.
    NOT_LIVE = "D0401";
    /// Something that wants out while no call runs.
    IDLE = "D0402";
    /// A grant that goes beyond the one above it.
    WIDER = "D0403";
    /// The file is not TOML.
    SYNTAX = "G0101";
    /// A key or limit that does not exist.
    UNKNOWN_KEY = "G0102";
    /// A value of another type than the key has.
    WRONG_TYPE = "G0103";
    /// A key that must be there is not.
    MISSING_KEY = "G0104";
    /// A grant file that is too large or not text.
    UNREADABLE = "G0105";
    /// A key of a feature that this version cannot enforce.
    NOT_YET = "G0106";
    /// The same thing said twice.
    TWICE = "G0107";
    /// A word that is none of the allowed ones.
    BAD_WORD = "G0108";
    /// A flag that is not in its form.
    FLAG = "G0109";
    /// More directories or rules than a grant can have.
    TOO_MANY = "G0110";
    /// A host directory that does not exist or is none.
    HOST_DIR = "G0201";
    /// A path with `~` or a variable.
    NOT_EXPANDED = "G0202";
    /// The root or a home directory.
    TOO_BROAD = "G0203";
    /// `/proc`, `/sys` or `/dev`.
    SYSTEM_DIR = "G0204";
    /// A directory that holds writ's own files.
    OWN_DIR = "G0205";
    /// A guest path that is not absolute and normal.
    GUEST_PATH = "G0206";
    /// One guest path for two directories.
    GUEST_TWICE = "G0207";
    /// One directory granted twice.
    HOST_TWICE = "G0208";
    /// A read grant inside a write grant.
    READ_IN_WRITE = "G0209";
    /// A write grant inside a write grant.
    WRITE_IN_WRITE = "G0210";
    /// Writing where hooks, workflows or keys are.
    TAKEOVER = "G0211";
    /// Reading where secrets are usually kept.
    SECRETS = "G0212";
    /// A path that leads elsewhere through a symbolic link.
    DETOUR = "G0213";
    /// Writing where the system's own programs and settings are.
    SYSTEM_WRITE = "G0214";
    /// A text that is no host.
    BAD_HOST = "G0301";
    /// A wildcard where none can be.
    WILDCARD = "G0302";
    /// A wildcard over the names of strangers.
    PUBLIC_SUFFIX = "G0303";
    /// A method that cannot be granted.
    BAD_METHOD = "G0304";
    /// A text that is no path pattern.
    BAD_PATH = "G0305";
    /// A number that is no port.
    BAD_PORT = "G0306";
    /// A text that is no address range.
    BAD_RANGE = "G0307";
    /// A range that no grant can name.
    RANGE = "G0308";
    /// A private address that no range names.
    PRIVATE = "G0309";
    /// A host that is this machine.
    LOOPBACK = "G0310";
    /// HTTP without TLS.
    CLEARTEXT = "G0311";
    /// A rule that names no path.
    ALL_PATHS = "G0312";
    /// A list that is empty.
    EMPTY = "G0313";
    /// A rule that allows changes to everything below a domain.
    WIDE_RULE = "G0314";
    /// An address that no grant can name.
    NEVER = "G0315";
    /// A host that is itself a public suffix.
    SUFFIX_ITSELF = "G0316";
    /// A text that is no URL of a rule.
    BAD_URL = "G0317";
    /// A text that is no name of a variable.
    ENV_NAME = "G0401";
    /// A value that no variable can have.
    ENV_VALUE = "G0402";
    /// A value that looks like a credential.
    ENV_SECRET = "G0403";
    /// A text that is no size, time or number.
    AMOUNT = "G0501";
    /// A bound that bounds nothing.
    NO_BOUND = "G0502";
    /// More than a bound can be.
    TOO_MUCH = "G0503";
    /// A bound far above its default.
    FAR_ABOVE = "G0504";
    /// A flag that would raise what the file says.
    RAISES = "G0505";
    /// A task without an end.
    NO_TTL = "G0506";
    /// A task that lives for more than a day.
    LONG_TTL = "G0507";
    /// A text that is no name of a credential.
    CREDENTIAL_NAME = "G0601";
    /// A key that this kind of credential does not have.
    CREDENTIAL_KEY = "G0602";
    /// A text that is no audience, scope or resource.
    CREDENTIAL_SCOPE = "G0603";
    /// A place where no credential can be put.
    PLACEMENT = "G0604";
    /// A rule that names a credential which is not there.
    NO_SUCH_CREDENTIAL = "G0605";
    /// A credential that no rule names.
    UNUSED_CREDENTIAL = "G0606";
    /// A credential over cleartext HTTP.
    CREDENTIAL_CLEARTEXT = "G0607";
    /// A credential for whatever is below a domain.
    CREDENTIAL_WILDCARD = "G0608";
    /// A credential that the guest would hold and need not, or needs and would not.
    EXPOSE = "G0609";
    /// Two rules that give one request two credentials.
    TWO_CREDENTIALS_RULES = "G0610";
    /// The tool is not WebAssembly.
    NOT_WASM = "T0101";
    /// The tool is truncated or invalid.
    INVALID_WASM = "T0102";
    /// A core module imports what writ does not provide.
    CORE_IMPORT = "T0103";
    /// A component imports what nothing provides.
    COMPONENT_IMPORT = "T0104";
    /// The tool exports no such function.
    NO_FUNCTION = "T0105";
    /// The arguments do not fit the function.
    ARGUMENTS = "T0106";
    /// The function speaks of resources.
    RESOURCE_TYPE = "T0107";
    /// The tool is too big to compile.
    TOO_BIG = "T0108";
    /// Compiling the tool hit a limit.
    COMPILE_LIMIT = "T0109";
    /// The tool is of no kind that writ can run.
    TOOL_KIND = "T0110";
    /// The memory of the task.
    LIMIT_MEMORY = "L0101";
    /// The elements of a table.
    LIMIT_TABLES = "L0102";
    /// Instances, memories and tables of one call.
    LIMIT_INSTANCES = "L0103";
    /// Handles of one call.
    LIMIT_HANDLES = "L0104";
    /// The wall time of one call.
    LIMIT_WALL = "L0105";
    /// The CPU time of the task.
    LIMIT_CPU = "L0106";
    /// Standard output.
    LIMIT_STDOUT = "L0107";
    /// Standard error.
    LIMIT_STDERR = "L0108";
    /// The result of a function call.
    LIMIT_RESULT = "L0109";
    /// Requests and connections of the task.
    LIMIT_HTTP_REQUESTS = "L0110";
    /// Bytes that left through the gate.
    LIMIT_BYTES_OUT = "L0111";
    /// Bytes that came in through the gate.
    LIMIT_BYTES_IN = "L0112";
    /// Headers of one message.
    LIMIT_HEADER_BYTES = "L0113";
    /// The time of one HTTP exchange.
    LIMIT_HTTP_TIME = "L0114";
    /// Data of one host call.
    LIMIT_HOSTCALL_BYTES = "L0115";
    /// Random bytes of one host call.
    LIMIT_RANDOM_BYTES = "L0116";
    /// Bytes written to files by the task.
    LIMIT_DISK = "L0117";
    /// Refused effects of one call.
    LIMIT_DENIALS = "L0118";
    /// The life of the whole task.
    LIMIT_TTL = "L0119";
    /// The worker is confined less than required.
    CONFINEMENT = "C0101";
    /// An entry of the compile cache failed authentication.
    CACHE_ENTRY = "C0102";
    /// The cache directory is open to others.
    CACHE_DIR = "C0103";
    /// The worker ended on its own.
    WORKER_DIED = "C0104";
    /// The ledger cannot be opened, read or written.
    LEDGER = "C0105";
    /// The signing keys cannot be used.
    KEYS = "C0106";
    /// The command line makes no sense.
    USAGE = "U0101";
    /// The file of credentials is open to others or cannot be read.
    CREDENTIALS_FILE = "K0101";
    /// An entry whose name is no name of a credential.
    CREDENTIAL_ENTRY = "K0102";
    /// A secret that stands in the file itself.
    INLINE_SECRET = "K0103";
    /// A secret whose place is not said, or said twice.
    SECRET_SOURCE = "K0104";
    /// A credential that may go nowhere, or whose places make no sense for its kind.
    CREDENTIAL_PLACES = "K0105";
    /// A text that is no URL of an upstream.
    ENDPOINT = "K0106";
    /// Ways to authenticate that contradict each other.
    CLIENT_AUTH = "K0107";
    /// Rights that are missing or that the upstream does not have.
    UPSTREAM_RIGHTS = "K0108";
}

/// Returns the code of a limit by the name that a grant file uses.
pub fn for_limit(name: &str) -> Option<Code> {
    const LIMITS: [Code; 18] = [
        LIMIT_MEMORY,
        LIMIT_TABLES,
        LIMIT_INSTANCES,
        LIMIT_HANDLES,
        LIMIT_WALL,
        LIMIT_CPU,
        LIMIT_STDOUT,
        LIMIT_STDERR,
        LIMIT_RESULT,
        LIMIT_HTTP_REQUESTS,
        LIMIT_BYTES_OUT,
        LIMIT_BYTES_IN,
        LIMIT_HEADER_BYTES,
        LIMIT_HTTP_TIME,
        LIMIT_HOSTCALL_BYTES,
        LIMIT_RANDOM_BYTES,
        LIMIT_DISK,
        LIMIT_DENIALS,
    ];
    // Not among the limits of a grant, but a bound like them.
    if name == "ttl" {
        return Some(LIMIT_TTL);
    }
    let index = crate::limits::FIELDS.iter().position(|field| field.name == name)?;
    LIMITS.get(index).cloned()
}
