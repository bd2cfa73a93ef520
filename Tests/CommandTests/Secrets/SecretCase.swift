import Foundation
import Testing

/// A call of the program with secrets at hand, and how it ends. Each is made twice: as text, and with `--json`.
struct SecretCase: Sendable {
    /// With the names of files that `Vault` writes.
    let arguments: [String]
    let status: Int32
    /// How the API answers.
    var api = QuotingAPI.Manner.each
    /// Of the environment, by name; nil takes a variable out.
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

    private static let nowhere = "http://127.0.0.1:9"
    private static let token = Guarded.token.rawValue
    private static let password = Guarded.password.rawValue
    private static let proxyPassword = Guarded.proxyPassword.rawValue

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
            ]),
        SecretCases(
            testDescription: "an API that says what it was sent",
            cases: [
                SecretCase("export --manifest quoting.json", 75),
                SecretCase("export --manifest quoting.json --refetch", 75),
                SecretCase("export --manifest paged.json", 3), SecretCase("export --manifest lines.jsonl", 3),
                SecretCase("status", 0), SecretCase("export --unfinished", 75),
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
                SecretCase("check", 69, api: .redirect), SecretCase("check", 69, api: .garbage),
                SecretCase("export --manifest paged.json", 75, api: .html),
                SecretCase("export --manifest paged.json", 75, api: .redirect),
                SecretCase("export --manifest paged.json", 75, api: .garbage),
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
            cases: [(SIGTERM, 143), (SIGHUP, 129), (SIGINT, 130), (SIGKILL, -9)]
                .map { SecretCase("export --manifest paged.json", $1, api: .silence, signal: $0) }
                + [SecretCase("export --manifest good.json", 0), SecretCase("status", 0)]),
    ]
}
