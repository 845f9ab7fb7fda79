//! The command line. Values may carry what a shell cannot: `\r`, `\n`, `\t`, `\\` and `\xNN`.

/// A header or trailer, as it will be sent.
pub(crate) type Field = (String, Vec<u8>);

/// What to send, and how often.
#[derive(Debug)]
pub(crate) struct Options {
    pub(crate) scheme: String,
    pub(crate) authority: Option<String>,
    pub(crate) path: Option<String>,
    pub(crate) method: String,
    pub(crate) headers: Vec<Field>,
    pub(crate) trailers: Vec<Field>,
    /// How many bytes of body to send, if any.
    pub(crate) body_bytes: Option<u64>,
    /// How many bytes of the answer to read before it is dropped.
    pub(crate) read_bytes: u64,
    pub(crate) timeout_ms: Option<u64>,
    pub(crate) times: u64,
    /// Print the body as well as its length.
    pub(crate) show: bool,
    /// Read nothing and keep the connection until killed.
    pub(crate) hold: bool,
}

impl Options {
    pub(crate) fn parse(arguments: &[String]) -> Result<Self, String> {
        let [command, url, flags @ ..] = arguments else {
            return Err("usage: http get URL [FLAGS], see tests/guests/README.md".to_owned());
        };
        if command != "get" {
            return Err(format!("no such command: {command}"));
        }
        let mut options = Self::of_url(url);
        let mut flags = flags.iter();
        while let Some(flag) = flags.next() {
            match flag.as_str() {
                "--show" => options.show = true,
                "--hold" => options.hold = true,
                "--no-authority" => options.authority = None,
                "--no-path" => options.path = None,
                _ => {
                    let value = flags.next().ok_or_else(|| format!("{flag} needs a value"))?;
                    options.set(flag, value)?;
                }
            }
        }
        Ok(options)
    }

    fn of_url(url: &str) -> Self {
        let (scheme, rest) = url.split_once("://").unwrap_or(("http", url));
        let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
        Self {
            scheme: scheme.to_owned(),
            authority: Some(authority.to_owned()),
            path: Some(if path.is_empty() { "/" } else { path }.to_owned()),
            method: "GET".to_owned(),
            headers: Vec::new(),
            trailers: Vec::new(),
            body_bytes: None,
            read_bytes: u64::MAX,
            timeout_ms: None,
            times: 1,
            show: false,
            hold: false,
        }
    }

    fn set(&mut self, flag: &str, value: &str) -> Result<(), String> {
        let number = || value.parse::<u64>().map_err(|error| format!("{flag} {value}: {error}"));
        match flag {
            "-H" => self.headers.push(field(value)?),
            "--trailer" => self.trailers.push(field(value)?),
            "--method" => self.method = text(value)?,
            "--scheme" => self.scheme = text(value)?,
            "--authority" => self.authority = Some(text(value)?),
            "--path" => self.path = Some(text(value)?),
            "--body-bytes" => self.body_bytes = Some(number()?),
            "--read-bytes" => self.read_bytes = number()?,
            "--timeout-ms" => self.timeout_ms = Some(number()?),
            "--times" => self.times = number()?,
            _ => return Err(format!("no such flag: {flag}")),
        }
        Ok(())
    }
}

/// `name:value`, split at the first colon that does not begin the name (`:path` is a name).
fn field(raw: &str) -> Result<Field, String> {
    let start = usize::from(raw.starts_with(':'));
    let colon = raw[start..].find(':').ok_or_else(|| format!("no colon in {raw:?}"))? + start;
    Ok((text(&raw[..colon])?, unescape(&raw[colon + 1..])?))
}

fn text(raw: &str) -> Result<String, String> {
    String::from_utf8(unescape(raw)?).map_err(|error| error.to_string())
}

fn unescape(raw: &str) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    let mut rest = raw.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'\\' {
            bytes.push(byte);
            continue;
        }
        bytes.push(match rest.next() {
            Some(b'r') => b'\r',
            Some(b'n') => b'\n',
            Some(b't') => b'\t',
            Some(b'\\') => b'\\',
            Some(b'x') => {
                let digits: String = rest.by_ref().take(2).map(char::from).collect();
                u8::from_str_radix(&digits, 16).map_err(|_| format!("\\x{digits} in {raw:?}"))?
            }
            other => return Err(format!("\\{:?} in {raw:?}", other.map(char::from))),
        });
    }
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    #![expect(clippy::unwrap_used, reason = "a test may fail")]

    use super::*;

    fn parse(words: &[&str]) -> Result<Options, String> {
        Options::parse(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_url_is_taken_apart_and_nothing_is_repaired() {
        let options = parse(&["get", "https://h.example:1/a//../b"]).unwrap();
        assert_eq!(options.scheme, "https");
        assert_eq!(options.authority.as_deref(), Some("h.example:1"));
        assert_eq!(options.path.as_deref(), Some("/a//../b"));
    }

    #[test]
    fn a_value_may_carry_what_a_shell_cannot() {
        let options = parse(&["get", "http://h", "--authority", r"h\x00\r\n\\"]).unwrap();
        assert_eq!(options.authority.as_deref(), Some("h\0\r\n\\"));
    }

    #[test]
    fn a_pseudo_header_is_a_header_name() {
        let options = parse(&["get", "http://h", "-H", ":path:/x", "-H", "a:b:c"]).unwrap();
        assert_eq!(
            options.headers,
            [(":path".to_owned(), b"/x".to_vec()), ("a".to_owned(), b"b:c".to_vec())]
        );
    }

    #[test]
    fn an_unknown_flag_is_an_error() {
        assert!(parse(&["get", "http://h", "--follow", "1"]).is_err());
        assert!(parse(&["get", "http://h", "--times"]).is_err());
    }
}
