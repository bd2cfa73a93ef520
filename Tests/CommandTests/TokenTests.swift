import Foundation
import Testing

/// Tokens that end, are renewed, and are guarded.
@Suite("Tokens of an export")
struct TokenTests {
    private static let secret = "cs-51d0c7a9e2"
    private static let refresh = "rt-904be7d1f3"

    private func credentials(_ stage: Stage) -> [String: String?] {
        [
            "ZAPIER_ACCESS_TOKEN": nil, "ZAPIER_CLIENT_ID": "client", "ZAPIER_CLIENT_SECRET": Self.secret,
            "ZAPIER_TOKEN_URL": stage.sandbox.url + "/oauth/token/",
        ]
    }

    /// The changes for a refresh token in a file of its own.
    private func refreshing(_ stage: Stage, mode: Int = 0o600) throws -> (changes: [String: String?], file: String) {
        let path = try stage.write(Self.refresh + "\n", to: "refresh")
        try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: path)
        return (credentials(stage).merging(["ZAPIER_REFRESH_TOKEN_FILE": path]) { $1 }, path)
    }

    private func with<R: Sendable>(
        _ options: [String] = [], _ body: @escaping @Sendable (Stage) async throws -> R
    ) async throws -> R {
        try await Stage.with(
            all: ["--client-id", "client", "--client-secret", Self.secret, "--refresh-token", Self.refresh] + options,
            body: body)
    }

    /// The sandbox at an address that is not known to be this machine's own, though it leads there.
    private func byAnyAddress(_ stage: Stage) -> String { stage.sandbox.url.replacing("127.0.0.1", with: "0.0.0.0") }

    private struct Tokens: Decodable { let tokens: Int }

    private func tokensAsked(_ stage: Stage) async throws -> Int {
        let stats: Tokens = try await stage.sandbox.get("/sandbox/stats")
        return stats.tokens
    }

    @Test(arguments: ["401", "403"])
    func `A token that ends in the middle is renewed by one request, and every run arrives`(status: String)
        async throws
    {
        try await with(["--token-lifetime", "3", "--reject-with", status, "--latency", "150"]) { stage in
            let export = try await stage.export(.of(900), changes: credentials(stage))
            #expect(export.status == 0, "\(export.finished.stderr)")
            let summary = try export.summary
            #expect(summary.met == ["success": 900])
            // 900 runs, 32 at a time, 0.15 s each: over four seconds; on a busy machine it takes longer.
            let tokens = try await tokensAsked(stage)
            #expect((2...Int(summary.durationS / 2.5) + 2).contains(tokens))
            let stats = try await stage.sandbox.stats
            #expect(summary.requests.total == stats.requests)
            #expect(summary.requests.byStatus == stats.byStatus)
        }
    }

    @Test func `A token that ends during the sleep for the window is renewed before the next request`() async throws {
        try await with(["--token-lifetime", "2", "--limit", "20", "--window", "5"]) { stage in
            let export = try await stage.export(.of(30), "--budget-share", "1", changes: credentials(stage))
            #expect(export.status == 0, "\(export.finished.stderr)")
            let summary = try export.summary
            #expect(summary.met == ["success": 30])
            #expect(summary.requests.byStatus["401"] == nil)
            #expect(try await tokensAsked(stage) == 2)
            #expect(export.finished.stderr.split(separator: "\n").count { $0.contains("access token renewed") } == 1)
        }
    }

    @Test func `Chains of pages go on over the end of a token, each page started once`() async throws {
        try await with(["--token-lifetime", "1", "--latency", "120", "--run-limit", "0"]) { stage in
            let chain = Chain(number: 1, pages: 9)
            let export = try await stage.export(.following([chain]), changes: credentials(stage))
            #expect(export.status == 0, "\(export.finished.stderr)")
            #expect(try export.summary.chains == ["last_page": 1])
            #expect(try await tokensAsked(stage) >= 2)
            try await stage.expectWhole(chain)
        }
    }

    @Test func `Wrong client credentials are refused with their OAuth error`() async throws {
        try await with { stage in
            let changes = credentials(stage).merging(["ZAPIER_CLIENT_SECRET": "wrong-77"]) { $1 }
            let export = try await stage.export(.of(50), changes: changes)
            #expect(export.status == 77)
            #expect(export.finished.stdout.contains("invalid_client"))
            #expect(try export.summary.outcomes["queued"] == 50)
            // Basic, then form fields.
            #expect(try await tokensAsked(stage) == 2)
            let check = try await stage.run("check", "--json", changes: changes)
            #expect(check.status == 77)
            #expect(!(check.stdout + check.stderr + export.finished.stderr).contains("wrong-77"))
        }
    }

    @Test func `Nobody answers for tokens: the API cannot be reached`() async throws {
        try await with { stage in
            let changes = credentials(stage).merging(["ZAPIER_TOKEN_URL": "http://127.0.0.1:9/oauth/token/"]) { $1 }
            let check = try await stage.run("check", changes: changes)
            #expect(check.status == 69, "\(check.stdout)")
            // It would go on trying for a minute.
            let path = try stage.write(Manifest.of(3).json, to: "today.json")
            let export = try await stage.runLogged(["export", "--manifest", path, "--json"], changes: changes) {
                program, log in
                try await wait("a request for a token has failed", during: program) {
                    log.contains("the token endpoint cannot be reached")
                }
                program.send(SIGTERM)
            }
            #expect(export.status == 143, "\(export.stderr)")
            #expect(try export.decoded(Summary.self).requests.total == 0)
        }
    }

    @Test func `Each export stores the refresh token that it got, and another one goes on with it`() async throws {
        try await with { stage in
            let (changes, file) = try refreshing(stage)
            for number in 1...2 {
                let export = try await stage.export(.of(5, from: UInt64(number * 10)), changes: changes)
                #expect(export.status == 0, "\(export.finished.stderr)")
                #expect(try String(contentsOfFile: file, encoding: .utf8) == "sandbox-refresh-\(number)\n")
            }
        }
    }

    @Test func `check spends no refresh token, and says that it was not tried`() async throws {
        try await with { stage in
            let (changes, file) = try refreshing(stage)
            let check = try await stage.run("check", changes: changes)
            #expect(check.status == 0, "\(check.stdout)")
            #expect(check.stdout.contains("from ZAPIER_REFRESH_TOKEN_FILE: not tried"), "\(check.stdout)")
            #expect(check.stdout.contains("its file can be replaced"), "\(check.stdout)")
            #expect(try String(contentsOfFile: file, encoding: .utf8) == Self.refresh + "\n")
            #expect(try await tokensAsked(stage) == 0)
            for (name, address) in [
                ("ZAPIER_API_URL", "http://127.0.0.1:9"), ("ZAPIER_TOKEN_URL", "http://127.0.0.1:9/"),
            ] {
                let nowhere = try await stage.run("check", changes: changes.merging([name: address]) { $1 })
                #expect(nowhere.status == 69, "\(nowhere.stdout)")
            }
            try stage.write("\n", to: "refresh")
            #expect(try await stage.run("check", changes: changes).status == 78)
        }
    }

    @Test func `Two exports at once share a refresh token's file`() async throws {
        try await with(["--token-lifetime", "2", "--latency", "150"]) { stage in
            let (changes, file) = try refreshing(stage)
            async let one = stage.export(.of(600, name: "one"), changes: changes)
            async let two = stage.export(.of(600, from: 10_000, name: "two"), changes: changes)
            let (first, second) = try await (one, two)
            #expect(first.status == 0, "\(first.finished.stderr)")
            #expect(second.status == 0, "\(second.finished.stderr)")
            let tokens = try await tokensAsked(stage)
            #expect(tokens >= 4)
            #expect(try String(contentsOfFile: file, encoding: .utf8) == "sandbox-refresh-\(tokens)\n")
        }
    }

    @Test func `Killed before the old refresh token arrives, an export loses no credentials`() async throws {
        try await with { stage in
            let (changes, file) = try refreshing(stage)
            try await stage.withProxies(api: [.held(at: .token)]) { proxies in
                let through = changes.merging(
                    ["ZAPIER_TOKEN_URL": "http://127.0.0.1:\(proxies.api.port)/oauth/token/"]) { $1 }
                let killed = try await stage.export(.of(5), changes: through) { program in
                    try await wait("the token is asked for") { proxies.fired > 0 }
                    program.send(SIGKILL)
                }
                #expect(killed.status == -SIGKILL)
            }
            #expect(try String(contentsOfFile: file, encoding: .utf8) == Self.refresh + "\n")
            try await stage.waitForSessionsToEnd()
            let export = try await stage.export(.of(5), changes: changes)
            #expect(export.status == 0, "\(export.finished.stderr)")
            let names = try FileManager.default.contentsOfDirectory(atPath: stage.folder.path)
            #expect(!names.contains { $0.hasPrefix(".refresh.new-") })
        }
    }

    @Test func `A second signal cuts off the exchange of a refresh token`() async throws {
        try await with { stage in
            let (changes, file) = try refreshing(stage)
            try await stage.withProxies(api: [.held(at: .token)]) { proxies in
                let through = changes.merging(
                    ["ZAPIER_TOKEN_URL": "http://127.0.0.1:\(proxies.api.port)/oauth/token/"]) { $1 }
                let ended = try await stage.export(.of(5), changes: through) { program in
                    try await wait("the exchange is under way") { proxies.fired > 0 }
                    program.send(SIGTERM)
                    try await wait("all else has ended", during: program) {
                        try await stage.database.count("exports where outcome = 'interrupted'") == 1
                    }
                    try await program.end(by: SIGINT)
                }
                #expect(ended.status == 130, "\(ended.finished.stderr)")
            }
            #expect(try String(contentsOfFile: file, encoding: .utf8) == Self.refresh + "\n")
        }
    }

    @Test(arguments: [false, true])
    func `A signal does not cut off the exchange of a refresh token: what comes is stored`(isLate: Bool) async throws {
        try await with { stage in
            let (changes, file) = try refreshing(stage)
            try await stage.withProxies(api: [.answered(at: .token)]) { proxies in
                let through = changes.merging(
                    ["ZAPIER_TOKEN_URL": "http://127.0.0.1:\(proxies.api.port)/oauth/token/"]) { $1 }
                let ended = try await stage.export(.of(5), changes: through) { program in
                    try await wait("the answer is on its way") { proxies.fired > 0 }
                    program.send(SIGTERM)
                    try await wait("all else has ended", during: program) {
                        try await stage.database.count("exports where outcome = 'interrupted'") == 1
                    }
                    // A signal otherwise ends the process after 4.7 seconds, which no event marks. A second and a half of
                    // them have passed.
                    if isLate { try await Task.sleep(for: .seconds(4)) }
                    #expect(!program.hasEnded)
                    proxies.api.letGo()
                }
                #expect(ended.status == 143)
            }
            #expect(try String(contentsOfFile: file, encoding: .utf8) == "sandbox-refresh-1\n")
        }
    }

    @Test func `A folder that cannot be written is found out before the refresh token is spent`() async throws {
        try await with { stage in
            let changes = credentials(stage).merging(["ZAPIER_REFRESH_TOKEN_FILE": "/proc/version"]) { $1 }
            let export = try await stage.export(.of(5), changes: changes)
            #expect(export.status == 78)
            #expect(export.finished.stdout.contains("can't be written"))
            #expect(try await tokensAsked(stage) == 0)
        }
    }

    @Test func `A token file that somebody has put another token into is read again`() async throws {
        try await with(["--token", "tok-good-1"]) { stage in
            let path = try stage.write("tok-old-1\n", to: "token")
            let changes: [String: String?] = ["ZAPIER_ACCESS_TOKEN_FILE": path]
            try await stage.withProxies(api: [.held(at: .read)]) { proxies in
                let through = changes.merging(["ZAPIER_API_URL": "http://127.0.0.1:\(proxies.api.port)"]) { $1 }
                let export = try await stage.export(.of(40), changes: through) { _ in
                    try await wait("the first run is asked for") { proxies.fired > 0 }
                    try stage.write("tok-good-1\n", to: "token")
                    proxies.api.letGo()
                }
                #expect(export.status == 0, "\(export.finished.stdout + export.finished.stderr)")
            }
            try stage.write("tok-old-2\n", to: "token")
            let refused = try await stage.export(.of(40, from: 100), changes: changes)
            #expect(refused.status == 77)
        }
    }

    @Test func `Files with secrets that others can read or write are reported, each with what to do`() async throws {
        try await with { stage in
            let (changes, file) = try refreshing(stage, mode: 0o640)
            let secret = try stage.write(Self.secret, to: "secret")
            let both = changes.merging(["ZAPIER_CLIENT_SECRET": nil, "ZAPIER_CLIENT_SECRET_FILE": secret]) { $1 }
            for mode in [0o604, 0o602, 0o620] {
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: secret)
                let check = try await stage.run("check", changes: both)
                #expect(check.status == 0, "\(check.stdout)")
                for path in [file, secret] { #expect(check.stderr.contains("chmod 600 \(path)"), "\(mode)") }
            }
            // What replaces the one file is nobody else's to read.
            let export = try await stage.export(.of(1), changes: both)
            #expect(export.status == 0)
            let again = try await stage.run("check", changes: both)
            #expect(!again.stderr.contains("chmod 600 \(file)"))
            #expect(again.stderr.contains("chmod 600 \(secret)"))
            let quiet = try await stage.run("check", "--quiet", changes: both)
            #expect(quiet.stderr.isEmpty)
        }
    }

    @Test func `A folder that others can write to is reported, whose files they can replace`() async throws {
        try await with { stage in
            let folder = stage.folder.appending(path: "open")
            try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: false)
            let token = try stage.write(Sandbox.token, to: "open/token")
            try FileManager.default.setAttributes([.posixPermissions: 0o600], ofItemAtPath: token)
            for (mode, isOpen) in [(0o777, true), (0o775, true), (0o1777, false), (0o755, false)] {
                try FileManager.default.setAttributes([.posixPermissions: mode], ofItemAtPath: folder.path)
                let check = try await stage.run(["check"], changes: ["ZAPIER_ACCESS_TOKEN_FILE": token])
                #expect(check.stderr.contains("chmod go-w \(folder.path)") == isOpen, "\(mode): \(check.stderr)")
            }
        }
    }

    @Test func `No secret shows, whatever happens to the tokens`() async throws {
        try await with(["--token-lifetime", "2", "--latency", "100"]) { stage in
            let (changes, _) = try refreshing(stage)
            var text = ""
            for options in [["--log-level", "trace"], ["--log-level", "trace", "--log-format", "json", "--refetch"]] {
                let export = try await stage.run(
                    ["export", "--manifest", try stage.write(Manifest.of(300).json, to: "a.json")] + options,
                    changes: changes)
                #expect(export.status == 0, "\(export.stderr)")
                text += export.stdout + export.stderr
            }
            let dead = changes.merging([
                "ZAPIER_REFRESH_TOKEN_FILE": try stage.write(Self.refresh, to: "dead"),
                "ZAPIER_TOKEN_URL": byAnyAddress(stage) + "/oauth/token/",
                "http_proxy": "http://me:pp-5512@127.0.0.1:9",
            ]) { $1 }
            for changes in [dead, dead.merging(["http_proxy": nil]) { $1 }] {
                let check = try await stage.run(
                    "check", "--allow-insecure-http", "--log-level", "trace", changes: changes)
                #expect([0, 69].contains(check.status))
                text += check.stdout + check.stderr
            }
            let export = try await stage.run(
                "export", "--manifest", "a.json", "--refetch", "--allow-insecure-http", "--log-level", "trace",
                changes: dead.merging(["http_proxy": nil]) { $1 })
            #expect(export.status == 77)
            text += export.stdout + export.stderr
            let stored = try await stage.database.everything()
            for secret in [Self.secret, Self.refresh, "sandbox-refresh-", "sandbox-access-", "pp-5512"] {
                #expect(!text.contains(secret), "\(text.split(separator: "\n").filter { $0.contains(secret) })")
                #expect(!stored.contains(secret))
            }
        }
    }

    @Test func `The proxy of the environment is used, shown without its password, and passed by for its exceptions`()
        async throws
    {
        try await with { stage in
            // The sandbox knows no CONNECT: it refuses.
            let proxy = stage.sandbox.url.replacing("http://", with: "http://me:pp-5512@")
            let check = ["check", "--allow-insecure-http", "--api-url", byAnyAddress(stage)]
            let through = try await stage.run(check, changes: ["http_proxy": proxy])
            #expect(through.status == 69, "\(through.stdout)")
            #expect(through.stdout.contains("from http_proxy: \(stage.sandbox.url)"))
            #expect(through.stdout.contains("the proxy would not connect"))
            #expect(!(through.stdout + through.stderr).contains("pp-5512"))
            let around = try await stage.run(check, changes: ["http_proxy": proxy, "no_proxy": "0.0.0.0/8"])
            #expect(around.status == 0, "\(around.stdout)")
            let loopback = try await stage.run("check", changes: ["http_proxy": proxy, "all_proxy": proxy])
            #expect(loopback.status == 0, "\(loopback.stdout)")
            let wrong = try await stage.run(check, changes: ["http_proxy": "socks5://me:pp-5512@127.0.0.1"])
            #expect(wrong.status == 78)
            #expect(wrong.stdout.contains("http_proxy"))
            #expect(!(wrong.stdout + wrong.stderr).contains("pp-5512"))
        }
    }

    @Test func `Plain http to another machine takes a flag, which the command that continues has too`() async throws {
        try await with { stage in
            let far: [String: String?] = ["ZAPIER_API_URL": "http://192.0.2.1:9"]
            let refused = try await stage.run("check", changes: far)
            #expect(refused.status == 78)
            #expect(refused.stdout.contains("--allow-insecure-http"))
            let usage = try await stage.run("check", "--api-url", "http://192.0.2.1:9")
            #expect(usage.status == 64)
            let token = credentials(stage).merging(["ZAPIER_TOKEN_URL": "http://192.0.2.1:9/"]) { $1 }
            #expect(try await stage.run("check", changes: token).status == 78)
            // A proxy that refuses keeps the request on this machine.
            let allowed = far.merging(["http_proxy": stage.sandbox.url]) { $1 }
            #expect(try await stage.run("check", "--allow-insecure-http", changes: allowed).status == 69)
        }
    }
}
