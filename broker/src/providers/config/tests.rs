#![expect(clippy::unwrap_used, reason = "a test may fail")]
use super::*;
use crate::host::Authority;
use crate::path::RequestPath;
use crate::providers::{AgeKey, Providers, Surroundings};
use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;

const WHOLE: &str = r#"
[credential.github]
kind = "secret"
source = { age = "secrets.age", identity = "key.txt", entry = "github" }

[[credential.github.allow]]
host = "api.github.com"
methods = ["GET", "POST"]
paths = ["/repos/acme/**"]

[credential.db]
kind = "postgres"
admin = { file = "/etc/writ/admin.dsn" }
role = "readers"
connections = 2
expose = true

[credential.api]
kind = "oauth"
token_endpoint = "https://login.example.com/token"
revocation_endpoint = "https://login.example.com/revoke"
client_id = "writ"
client_secret = { env = "API_SECRET" }
auth = "client_secret_post"
grant_type = "token_exchange"
scope = ["read"]
longest_life = "10m"
allow = [{ host = "*.example.com", port = 8443, methods = ["GET"], paths = ["/**"] }]

[credential.gh]
kind = "github-app"
app_id = 12345
installation_id = 42
private_key = { file = "app.pem" }
api = "https://github.example.com/api/v3"
repositories = ["site"]
permissions = { contents = "read" }
allow = [{ host = "github.example.com", methods = ["GET"], paths = ["/api/v3/**"] }]
"#;

fn parse(text: &str) -> ParsedCredentials {
    let dir = PathBuf::from("/etc/writ");
    read::parse(&GrantFile {
        name: "credentials.toml".into(),
        dir,
        bytes: text.into(),
        linked: false,
    })
}

fn codes_of(text: &str) -> Vec<String> {
    let parsed = parse(text);
    assert_eq!(parsed.credentials.is_none(), parsed.report.has_errors());
    parsed.report.diagnostics.iter().map(|d| d.code.to_string()).collect()
}

fn request(method: &str, url: &str) -> HttpAsk {
    let (scheme, rest) = match url.strip_prefix("https://") {
        Some(rest) => (Scheme::Https, rest),
        None => (Scheme::Http, url.strip_prefix("http://").unwrap()),
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap());
    HttpAsk {
        scheme,
        authority: Authority::parse(authority, scheme.default_port()).unwrap(),
        method: method.to_owned(),
        path: RequestPath::parse(path).unwrap(),
    }
}

#[test]
fn a_whole_file_is_read() {
    let parsed = parse(WHOLE);
    let all = parsed.credentials.unwrap_or_else(|| panic!("{}", parsed.report.render(false)));
    let dir = Path::new("/etc/writ");
    let Upstream::Secret(source) = &all.get("github").unwrap().upstream else { panic!() };
    let expected = Source::Age {
        file: dir.join("secrets.age"),
        key: AgeKey::Identity(dir.join("key.txt")),
        entry: Some("github".to_owned()),
    };
    assert_eq!(source, &expected);
    let db = all.get("db").unwrap();
    assert!(db.expose && db.allow.is_empty());
    let Upstream::Postgres(config) = &db.upstream else { panic!() };
    assert_eq!((config.role.as_str(), config.connections), ("readers", 2));
    let Upstream::Oauth(config) = &all.get("api").unwrap().upstream else { panic!() };
    assert_eq!(config.auth, ClientAuth::Post(Source::Env("API_SECRET".to_owned())));
    assert!(config.exchange);
    assert_eq!(config.longest_life, Duration::from_secs(600));
    let Upstream::GithubApp(config) = &all.get("gh").unwrap().upstream else { panic!() };
    assert_eq!((config.app_id.as_str(), config.installation_id), ("12345", 42));
    assert_eq!(config.api.to_string(), "https://github.example.com/api/v3");
    assert_eq!(all.get("nobody"), None);
}

#[test]
fn a_credential_goes_only_where_every_part_fits() {
    let all = parse(WHOLE).credentials.unwrap();
    let github = all.get("github").unwrap();
    assert!(github.covers(&request("GET", "https://api.github.com/repos/acme/site?x=1")));
    for (method, url) in [
        ("DELETE", "https://api.github.com/repos/acme/site"),
        ("GET", "https://api.github.com/repos/other/site"),
        ("GET", "https://api.github.com:8443/repos/acme/site"),
        ("GET", "http://api.github.com:443/repos/acme/site"),
        ("GET", "https://github.com/repos/acme/site"),
    ] {
        assert!(!github.covers(&request(method, url)), "{method} {url}");
    }
    assert!(all.get("api").unwrap().covers(&request("GET", "https://a.example.com:8443/x")));
    assert!(!all.get("db").unwrap().covers(&request("GET", "https://a.example.com/x")));
}

#[test]
fn a_secret_in_the_file_is_refused_and_shown_nowhere() {
    for text in [
        "[credential.x]\nkind = \"secret\"\nsource = \"hunter2\"\nallow = []",
        "[credential.x]\nkind = \"secret\"\ntoken = \"hunter2\"\nsource = { env = \"A\" }\nallow = []",
        "[credential.x]\nkind = \"postgres\"\nadmin = \"postgres://u:hunter2@db/x\"\nrole = \"r\"",
        "[credential.x]\nkind = \"secret\"\nsource = { env = \"A\" }\nSecretValue = \"hunter2\"\nallow = []",
    ] {
        let parsed = parse(text);
        let shown = parsed.report.render(false);
        assert!(
            parsed.report.diagnostics.iter().any(|d| d.code == codes::INLINE_SECRET),
            "{shown}"
        );
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(!parsed.report.sources[0].text.contains("hunter2"));
    }
}

#[test]
fn each_mistake_has_its_code_and_its_place() {
    let secret = "[credential.x]\nkind = \"secret\"\nallow = []\n";
    let allow =
        "[credential.x]\nkind = \"secret\"\nsource = { env = \"A\" }\n[[credential.x.allow]]\n";
    let oauth =
        "[credential.x]\nkind = \"oauth\"\nallow = []\nclient_id = \"c\"\nscope = [\"a\"]\n";
    let gh = "[credential.x]\nkind = \"github-app\"\nallow = []\napp_id = 1\ninstallation_id = 1\nprivate_key = { file = \"k\" }\n";
    for (text, code) in [
        ("[credential.x]".to_owned(), "G0104"),
        ("[credential.x]\nkind = \"secrets\"".to_owned(), "G0108"),
        ("[credentials.x]".to_owned(), "G0102"),
        ("[credential.\"a b\"]\nkind = \"secret\"\nallow = []\nsource = { env = \"A\" }".to_owned(), "K0102"),
        ("[credential.x]\nkind = \"secret\"\nsource = { env = \"A\" }".to_owned(), "K0105"),
        (format!("{secret}source = {{}}"), "K0104"),
        (format!("{secret}source = {{ env = \"A\", file = \"b\" }}"), "K0104"),
        (format!("{secret}source = {{ env = \"A\", entry = \"b\" }}"), "K0104"),
        (format!("{secret}source = {{ age = \"a\" }}"), "K0104"),
        (format!("{secret}source = {{ age = \"a\", identity = \"i\", passphrase = \"p\" }}"), "K0104"),
        (format!("{secret}source = {{ env = \"A B\" }}"), "G0401"),
        (format!("{secret}source = {{ file = \"~/x\" }}"), "G0202"),
        (format!("{secret}source = 7"), "G0103"),
        (format!("{secret}role = \"x\"\nsource = {{ env = \"A\" }}"), "G0102"),
        (format!("{allow}methods = [\"GET\"]\npaths = [\"/\"]"), "G0104"),
        (format!("{allow}host = \"a.example\"\npaths = [\"/\"]"), "G0104"),
        (format!("{allow}host = \"a.example\"\nmethods = []\npaths = [\"/\"]"), "K0105"),
        (format!("{allow}host = \"*\"\nmethods = [\"GET\"]\npaths = [\"/\"]"), "G0302"),
        (format!("{allow}host = \"a.example\"\nscheme = \"http\"\nmethods = [\"GET\"]\npaths = [\"/\"]"), "G0102"),
        (format!("{oauth}token_endpoint = \"http://a.example/t\"\nclient_secret = {{ env = \"A\" }}"), "K0106"),
        (format!("{oauth}token_endpoint = \"https://u:p@a.example/t\"\nclient_secret = {{ env = \"A\" }}"), "K0106"),
        (format!("{oauth}token_endpoint = \"https://a.example/t?x=1\"\nclient_secret = {{ env = \"A\" }}"), "K0106"),
        (format!("{oauth}token_endpoint = \"https://a.example/t\"\nclient_secret = {{ env = \"A\" }}\nprivate_key = {{ file = \"k\" }}"), "K0107"),
        (format!("{oauth}token_endpoint = \"https://a.example/t\"\nclient_secret = {{ env = \"A\" }}\nauth = \"private_key_jwt\""), "K0107"),
        (format!("{gh}repositories = []\npermissions = {{ contents = \"read\" }}"), "K0108"),
        (format!("{gh}repositories = [\"a\"]\npermissions = {{}}"), "K0108"),
        (format!("{gh}repositories = [\"a\"]\npermissions = {{ contents = \"all\" }}"), "K0108"),
        (format!("{gh}permissions = {{ contents = \"read\" }}"), "G0104"),
        ("[credential.x]\nkind = \"postgres\"\nadmin = { env = \"A\" }\nrole = \"\"".to_owned(), "K0108"),
        ("[credential.x]\nkind = \"postgres\"\nadmin = { env = \"A\" }\nrole = \"r\"\nconnections = 0".to_owned(), "G0501"),
        ("kind =".to_owned(), "G0101"),
    ] {
        let found = codes_of(&text);
        assert_eq!(found, [code], "{text}\n{}", parse(&text).report.render(false));
        assert!(parse(&text).report.diagnostics[0].span.is_some());
    }
}

#[test]
fn the_file_is_not_read_if_others_could_have_changed_it() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("credentials.toml");
    std::fs::write(&path, WHOLE).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    let read = CredentialsFile::read(&path).unwrap();
    assert!(read.parse().credentials.is_some());
    std::fs::set_permissions(&path, Permissions::from_mode(0o664)).unwrap();
    let error = CredentialsFile::read(&path).unwrap_err();
    assert_eq!(error.code(), codes::CREDENTIALS_FILE);
    assert!(error.to_string().contains("chmod go-w"), "{error}");
}

#[test]
fn a_provider_is_made_once_and_only_for_what_is_there() {
    let credentials = parse(WHOLE).credentials.unwrap();
    let providers = Providers::new(credentials, Surroundings::new(|_| None));
    for (name, kind) in [
        ("github", Kind::Secret),
        ("db", Kind::Postgres),
        ("api", Kind::Oauth),
        ("gh", Kind::GithubApp),
    ] {
        let provider = providers.provider(name).unwrap();
        assert_eq!(provider.kind(), kind);
        assert_eq!(providers.credential(name).unwrap().kind(), kind);
        assert!(std::sync::Arc::ptr_eq(&provider, &providers.provider(name).unwrap()));
    }
    assert!(providers.provider("nobody").is_none());
}
