import Foundation
import Testing

/// A call of the program with secrets at hand, and how it ends. Each is made twice: as text, and with `--json`.
struct SecretCase: Sendable {
    /// With the names of files that `Vault` writes.
    let arguments: [String]
    let status: Int32
    /// How the API answers.
    var api = QuotingAPI.Manner.each
    /// Of the environment, by name; nil takes a variable out. `{api}` in them is the API's host and port.
    var changes: [String: String?] = [:]
    var input = ""
    /// Sent as soon as the API was asked.
    var signal: Int32?

    init(
        _ arguments: String, _ status: Int32, api: QuotingAPI.Manner = .each, _ changes: [String: String?] = [:],
        input: String = "", signal: Int32? = nil
    ) {
        self.arguments = arguments.split(separator: " ").map(String.init)
        self.status = status
        self.api = api
        self.changes = changes
        self.input = input
        self.signal = signal
    }
}

/// Cases of one kind, made one after the other with the same database.
struct SecretCases: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let cases: [SecretCase]

    /// No proxy is asked for what is on this machine.
    private static let elsewhere = "http://api.example.test"
    private static let nowhere = "http://127.0.0.1:9"
    private static let token = Guarded.token.rawValue
    private static let password = Guarded.password.rawValue
    private static let proxyPassword = Guarded.proxyPassword.rawValue

    /// Asks for tokens, which are answered in that manner.
    private static func client(
        _ tokens: QuotingAPI.Manner = .tokens, _ more: [String: String?] = [:]
    ) -> [String: String?] {
        [
            "ZAPIER_ACCESS_TOKEN": nil, "ZAPIER_CLIENT_ID": "client",
            "ZAPIER_CLIENT_SECRET": Guarded.clientSecret.rawValue, "ZAPIER_TOKEN_URL": "http://{api}/\(tokens)",
        ].merging(more) { $1 }
    }

    /// The same with the refresh token of a file.
    private static func refresh(_ tokens: QuotingAPI.Manner = .tokens) -> [String: String?] {
        client(tokens, ["ZAPIER_REFRESH_TOKEN_FILE": "refresh"])
    }

    /// A proxy that answers in that manner, between here and an API elsewhere.
    private static func proxy(_ manner: QuotingAPI.Manner, for name: String = "http_proxy") -> [String: String?] {
        [name: "http://\(manner):\(proxyPassword)@{api}", "ZAPIER_API_URL": elsewhere]
    }

    static let all = [
        SecretCases(
            testDescription: "every verb",
            cases: [
                SecretCase("migrate", 0), SecretCase("migrate --check", 0), SecretCase("check", 0),
                SecretCase("validate --manifest good.json", 0), SecretCase("export --manifest good.json", 0),
                SecretCase("export --unfinished", 0), SecretCase("status", 0), SecretCase("status --export 1", 0),
                SecretCase("resolve --chain 20000000-0000-4000-8000-000000000001 --not-sent", 64),
                SecretCase("export --manifest good.json --refetch", 0), SecretCase("export --no-such-option", 64),
                SecretCase("export --manifest -", 0, input: #"{"version": 1, "runs": []}"#),
                SecretCase("migrate --print-roles", 0), SecretCase("prune --older-than 1s", 0),
            ]),
        SecretCases(
            testDescription: "an API that says what it was sent",
            cases: [
                SecretCase("export --manifest quoting.json", 75),
                SecretCase("export --manifest quoting.json --refetch", 75),
                SecretCase("export --manifest paged.json", 3), SecretCase("export --manifest lines.jsonl", 3),
                SecretCase("export --manifest refused.json --keep-raw", 75),
                SecretCase("status", 0), SecretCase("export --unfinished", 75),
                SecretCase("prune --older-than 1s --dry-run", 0),
            ]),
        SecretCases(
            testDescription: "an API that refuses, redirects or fails",
            cases: [
                SecretCase("export --manifest good.json", 77, api: .unauthorized),
                SecretCase("check", 77, api: .unauthorized),
                SecretCase("export --manifest good.json", 77, api: .unauthenticated),
                SecretCase("check", 77, api: .unauthenticated),
                SecretCase("export --manifest good.json", 3, api: .denied),
                SecretCase("export --manifest good.json", 0, api: .missing),
                SecretCase("check", 69, api: .missing), SecretCase("check", 69, api: .html),
                SecretCase("export --manifest good.json", 69, api: .firewall), SecretCase("check", 69, api: .firewall),
                SecretCase("check", 69, api: .redirect), SecretCase("check", 69, api: .garbage),
                SecretCase("export --manifest paged.json", 75, api: .html),
                SecretCase("export --manifest paged.json", 75, api: .redirect),
                SecretCase("export --manifest paged.json", 69, api: .garbage),
                SecretCase("export --manifest paged.json", 69, ["ZAPIER_API_URL": nowhere]),
                SecretCase("check", 69, ["ZAPIER_API_URL": nowhere]),
            ]),
        SecretCases(
            testDescription: "settings that are invalid or lead nowhere",
            cases: [
                SecretCase(
                    "export --manifest good.json", 0, ["ZAPIER_ACCESS_TOKEN": nil, "ZAPIER_ACCESS_TOKEN_FILE": "token"]),
                SecretCase("export --manifest good.json", 78, ["ZAPIER_ACCESS_TOKEN_FILE": "two-tokens"]),
                SecretCase("check", 78, ["ZAPIER_ACCESS_TOKEN_FILE": "two-tokens"]),
                SecretCase("check", 78, ["ZAPIER_ACCESS_TOKEN_FILE": "not-utf8"]),
                SecretCase("check", 78, ["ZAPIER_ACCESS_TOKEN_FILE": "missing"]),
                SecretCase("export --manifest good.json", 78, ["ZAPIER_ACCESS_TOKEN": token + "\r\nX: y"]),
                SecretCase("check", 78, ["ZAPIER_ACCESS_TOKEN": "Bearer " + token]),
                SecretCase("check", 78, ["ZAPIER_API_URL": "http://u:\(proxyPassword)@127.0.0.1:9"]),
                SecretCase("check", 78, ["ZAPIER_API_URL": "http://127.0.0.1:9/?token=\(token)"]),
                SecretCase("check", 78, ["ZAPIER_API_URL": token]),
                SecretCase("export --manifest good.json", 78, ["ZAPIER_API_URL": "\(token)://x"]),
                SecretCase("check", 69, ["PGPORT": "9"]), SecretCase("status", 69, ["PGPORT": "9"]),
                SecretCase("prune --older-than 1d", 69, ["PGPORT": "9"]),
                SecretCase("export --manifest good.json", 69, ["PGPORT": "9"]),
                SecretCase("migrate", 69, ["DATABASE_URL": "postgresql://a:\(password)@127.0.0.1:9/x"]),
                SecretCase("migrate", 69, ["DATABASE_URL": "host=127.0.0.1 port=9 user=a password=\(password)"]),
                SecretCase("check", 78, ["DATABASE_URL": "postgresql://a:\(password)@[::1/x"]),
                SecretCase("check", 78, ["DATABASE_URL": "postgresql://a:@\(password)@host:port/x"]),
                SecretCase("check", 78, ["DATABASE_URL": "host=127.0.0.1 password='\(password) port=9"]),
                SecretCase("check", 78, ["DATABASE_URL": "host=127.0.0.1 pasword=\(password)"]),
                SecretCase(
                    "check", 78, ["DATABASE_URL": "postgresql://a@127.0.0.1:9/x?sslpassword=\(password)&\(password)"]),
                SecretCase(
                    "check", 69, ["PGSERVICE": "none", "PGSERVICEFILE": "service", "PGHOST": nil, "PGPORT": nil]),
                SecretCase("export --manifest good.json --database-url postgresql://a@127.0.0.1:9/x", 69),
            ]),
        SecretCases(
            testDescription: "client credentials",
            cases: [
                SecretCase("check", 77, client(.wrongGrant)), SecretCase("check", 77, client(.wrongBasic)),
                SecretCase("check", 77, client(.wrongForm)), SecretCase("check", 77, client(.unauthorized)),
                SecretCase("check", 69, client(.denied)), SecretCase("check", 69, client(.html)),
                SecretCase("check", 69, client(.redirect)), SecretCase("check", 69, client(.garbage)),
                SecretCase("check", 77, client(.each)), SecretCase("check", 0, client()),
                SecretCase("check", 69, client(.tokens, ["ZAPIER_TOKEN_URL": nowhere])),
                SecretCase("check", 78, client(.tokens, ["ZAPIER_TOKEN_URL": "http://a:\(password)@127.0.0.1:9"])),
                SecretCase("check", 78, client(.tokens, ["ZAPIER_TOKEN_URL": Guarded.clientSecret.rawValue])),
                SecretCase("check", 78, client(.tokens, ["ZAPIER_CLIENT_ID": nil])),
                SecretCase("check", 78, client(.tokens, ["ZAPIER_CLIENT_SECRET_FILE": "missing"])),
                SecretCase("check", 78, client(.tokens, ["ZAPIER_CLIENT_SECRET_FILE": "not-utf8"])),
                SecretCase(
                    "check", 0, client(.tokens, ["ZAPIER_CLIENT_SECRET_FILE": "client", "ZAPIER_CLIENT_SECRET": nil])),
                SecretCase("export --manifest good.json", 77, client(.wrongGrant)),
                SecretCase("export --manifest good.json", 77, client(.wrongForm)),
                SecretCase("export --manifest good.json", 77, api: .unauthorized, client()),
                SecretCase("export --manifest good.json", 143, client(.silence), signal: SIGTERM),
                SecretCase("export --manifest good.json", 143, client(.html), signal: SIGTERM),
                SecretCase("export --manifest quoting.json", 75, client()),
            ]),
        SecretCases(
            testDescription: "refresh tokens",
            cases: [
                // A check sends none, whatever the endpoint would say to it.
                SecretCase("check", 0, refresh(.wrongGrant)), SecretCase("check", 0, refresh(.html)),
                SecretCase("check", 69, refresh(.garbage)), SecretCase("check", 0, refresh()),
                SecretCase("check", 69, api: .html, refresh()),
                SecretCase("export --manifest good.json", 77, refresh(.wrongGrant)),
                SecretCase("export --manifest good.json", 77, refresh(.wrongBasic)),
                SecretCase("export --manifest good.json", 77, refresh(.wrongForm)),
                SecretCase("export --manifest good.json", 0, refresh()),
                // From here on with the token that came for the first one.
                SecretCase("export --manifest quoting.json", 77, refresh(.wrongGrant)),
                SecretCase("export --manifest quoting.json", 77, refresh(.wrongForm)),
                SecretCase("export --manifest quoting.json", -9, refresh(.silence), signal: SIGKILL),
                SecretCase("export --manifest quoting.json", 77, api: .unauthorized, refresh()),
                SecretCase("export --manifest quoting.json", 75, refresh()),
                SecretCase(
                    "check", 78, client(.tokens, ["ZAPIER_REFRESH_TOKEN_FILE": "refresh", "ZAPIER_CLIENT_ID": nil])),
                SecretCase("check", 78, client(.tokens, ["ZAPIER_REFRESH_TOKEN_FILE": "not-utf8"])),
                SecretCase("check", 78, client(.tokens, ["ZAPIER_REFRESH_TOKEN_FILE": "/proc/version"])),
            ]),
        SecretCases(
            testDescription: "an API that refuses requests for pages, and says what was in them",
            cases: [SecretCase("export --manifest paged.json", 77, api: .readOnly), SecretCase("status", 0)]),
        SecretCases(
            testDescription: "proxies",
            cases: [QuotingAPI.Manner.wrongProxy, .unauthorized, .denied, .html, .redirect, .garbage].map {
                SecretCase("check --allow-insecure-http", 69, proxy($0))
            } + [
                SecretCase("export --manifest good.json --allow-insecure-http", 69, proxy(.wrongProxy)),
                SecretCase("export --manifest good.json --allow-insecure-http", 69, proxy(.denied)),
                SecretCase("check --allow-insecure-http", 69, proxy(.wrongProxy).merging(client()) { $1 }),
                SecretCase("check --allow-insecure-http", 69, proxy(.wrongProxy, for: "all_proxy")),
                SecretCase(
                    "check --allow-insecure-http", 69,
                    ["ZAPIER_API_URL": elsewhere, "http_proxy": "http://me:\(proxyPassword)@127.0.0.1:9"]),
                SecretCase(
                    "export --manifest good.json --allow-insecure-http", 69,
                    ["ZAPIER_API_URL": elsewhere, "http_proxy": "http://me:\(proxyPassword)@127.0.0.1:9"]),
                SecretCase(
                    "check --allow-insecure-http", 78,
                    ["ZAPIER_API_URL": elsewhere, "http_proxy": "socks5://me:\(proxyPassword)@127.0.0.1:9"]),
                SecretCase(
                    "check --allow-insecure-http", 78,
                    ["ZAPIER_API_URL": elsewhere, "http_proxy": "http://me:\(proxyPassword)@[::1"]),
                SecretCase(
                    "check --allow-insecure-http", 78,
                    ["ZAPIER_API_URL": elsewhere, "http_proxy": "me:\(proxyPassword)@127.0.0.1:99999"]),
            ]
                + [QuotingAPI.Manner.wrongProxy, .denied, .garbage, .each].map {
                    SecretCase(
                        "check", 69,
                        proxy($0, for: "HTTPS_PROXY").merging(["ZAPIER_API_URL": "https://api.example.test"]) { $1 })
                }),
        SecretCases(
            testDescription: "manifests with a secret in the wrong place",
            cases: ["json", "jsonl", "csv"].flatMap { form in
                [
                    SecretCase("validate --manifest wrong.\(form)", 65),
                    SecretCase("export --manifest wrong.\(form)", 65),
                ]
            } + [
                SecretCase("validate --manifest good.json --manifest contradicting.json", 65),
                SecretCase("validate --manifest broken.json", 65), SecretCase("validate --manifest token", 65),
                SecretCase("validate --manifest -", 65, input: #"{"version": 1, "runs": [], "x": "\#(token)"#),
            ]),
        SecretCases(
            testDescription: "signals",
            cases: [(SIGTERM, 143), (SIGHUP, 129), (SIGINT, 130), (SIGKILL, -9), (SIGABRT, -6), (SIGSEGV, -11)]
                .map { SecretCase("export --manifest paged.json", $1, api: .silence, signal: $0) }
                + [SecretCase("export --manifest good.json", 0), SecretCase("status", 0)]),
    ]
}
