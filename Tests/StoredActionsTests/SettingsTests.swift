import ActionsAPI
import ActionsHTTP
import ExportCore
import Exporter
import Foundation
import Postgres
import Testing

@testable import stored_actions

@Suite("Settings")
struct SettingsTests {
    private func sources(
        _ environment: [String: String] = [:], databaseURL: String? = nil, apiURL: String? = nil,
        files: [String: String] = [:]
    ) -> SettingSources {
        var sources = SettingSources(databaseURL: databaseURL, apiURL: apiURL, environment: environment)
        sources.readFile = { path in
            guard let text = files[path] else { throw CocoaError(.fileReadNoSuchFile) }
            return text
        }
        return sources
    }

    @Test("Flags win over the environment, the environment over defaults")
    func precedence() throws {
        let both = ["ZAPIER_API_URL": "https://env.example", "DATABASE_URL": "postgresql://env"]
        #expect(try sources(both, apiURL: "https://flag.example").api().value == "https://flag.example")
        #expect(try sources(both, apiURL: "https://flag.example").api().origin == "--api-url")
        #expect(try sources(both).api().value == "https://env.example")
        #expect(try sources(both).api().origin == "ZAPIER_API_URL")
        #expect(try sources().api().value == "https://api.zapier.com")
        #expect(try sources().api().origin == "default")
        #expect(
            try sources(both, databaseURL: "postgresql://flag").database().value.connectionString == "postgresql://flag"
        )
        #expect(try sources(both).database().value.connectionString == "postgresql://env")
        #expect(try sources().database().value.connectionString == nil)
    }

    @Test("The account: a flag, else a variable, else the standard one")
    func account() throws {
        let environment = ["ZAPIER_ACCOUNT": "theirs"]
        var flagged = sources(environment)
        flagged.account = "mine"
        #expect(try flagged.accountName().value.name == "mine")
        #expect(try flagged.accountName().origin == "--account")
        #expect(try sources(environment).accountName().value.name == "theirs")
        #expect(try sources(environment).accountName().origin == "ZAPIER_ACCOUNT")
        for environment in [[:], ["ZAPIER_ACCOUNT": ""]] {
            #expect(try sources(environment).accountName().value == .standard)
        }
        #expect(ZapierAccount.standard.name == "default")
    }

    @Test("A name that is none is the flag's fault or the environment's", arguments: ["", " mine", "a\nb"])
    func badAccount(name: String) {
        var flagged = sources()
        flagged.account = name
        #expect(#expect(throws: SettingError.self) { try flagged.accountName() }?.isOption == true)
        // Blanks around a variable's value are taken off.
        guard !name.isEmpty, !name.hasPrefix(" ") else { return }
        let set = sources(["ZAPIER_ACCOUNT": name])
        #expect(#expect(throws: SettingError.self) { try set.accountName() }?.isOption == false)
    }

    @Test("An empty variable is not set")
    func empty() throws {
        #expect(try sources(["ZAPIER_API_URL": "", "DATABASE_URL": ""]).api().origin == "default")
        #expect(throws: SettingError.self) { try sources(["ZAPIER_ACCESS_TOKEN": ""]).token() }
    }

    @Test(
        "A password in --database-url is refused and not quoted",
        arguments: [
            "postgresql://me:hunter2@localhost/db", "host=localhost password=hunter2",
            "postgresql://localhost/db?password=hunter2",
        ])
    func password(url: String) {
        let error = #expect(throws: SettingError.self) { try sources(databaseURL: url).database() }
        #expect(error?.description.contains("hunter2") == false)
        #expect(throws: Never.self) { try sources(["DATABASE_URL": url]).database() }
    }

    @Test("A connection string that is none is refused and not quoted")
    func badDatabase() {
        let error = #expect(throws: SettingError.self) {
            try sources(["DATABASE_URL": "postgresql://me:hunter2@[broken"]).database()
        }
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test(
        "What is no address of an API",
        arguments: [
            "api.zapier.com", "ftp://api.zapier.com", "https://", "https://user:hunter2@api.zapier.com",
            "https://api.zapier.com?x=1", "https://api.zapier.com#x", "http://[", " ", "http://127.0.0.1:65536",
            "http://127.0.0.1:0", "https://[::1]:99999",
        ])
    func badAPI(url: String) {
        let error = #expect(throws: SettingError.self) { try sources(["ZAPIER_API_URL": url]).api() }
        #expect(error?.description.contains("hunter2") == false)
    }

    @Test("A bad value of a flag is bad usage, one of the environment a bad setting")
    func whoseFault() {
        let flag = #expect(throws: SettingError.self) { try sources(apiURL: "nonsense").api() }
        #expect(flag.map { Failure($0).status } == 64)
        let variable = #expect(throws: SettingError.self) { try sources(["ZAPIER_API_URL": "nonsense"]).api() }
        #expect(variable.map { Failure($0).status } == 78)
        let password = #expect(throws: SettingError.self) { try sources(databaseURL: "password=x").database() }
        #expect(password.map { Failure($0).status } == 78)
        let string = #expect(throws: SettingError.self) { try sources(databaseURL: "nonsense").database() }
        #expect(string.map { Failure($0).status } == 64)
    }

    @Test("A slash at the end of the API's address makes no difference")
    func slash() throws {
        #expect(try sources(apiURL: "http://127.0.0.1:8484/").api().value == "http://127.0.0.1:8484")
    }

    @Test("The token's file wins over the variable, and may end in a newline")
    func tokenFile() throws {
        let both = ["ZAPIER_ACCESS_TOKEN_FILE": "/t", "ZAPIER_ACCESS_TOKEN": "env"]
        #expect(try sources(both, files: ["/t": "file\n"]).token().origin == "ZAPIER_ACCESS_TOKEN_FILE")
        #expect(try sources(["ZAPIER_ACCESS_TOKEN": "env"]).token().origin == "ZAPIER_ACCESS_TOKEN")
    }

    @Test(
        "What is wrong with a token is said without showing it",
        arguments: ["hunter2 hunter2", "hunter2\nhunter2", "hünter2", " "])
    func badToken(text: String) {
        let inFile = #expect(throws: SettingError.self) {
            try sources(["ZAPIER_ACCESS_TOKEN_FILE": "/t"], files: ["/t": text]).token()
        }
        let inVariable = #expect(throws: SettingError.self) { try sources(["ZAPIER_ACCESS_TOKEN": text]).token() }
        for error in [inFile, inVariable] {
            #expect(error?.description.contains("nter2") == false)
        }
    }

    @Test("A file that is not there is named")
    func missingFile() {
        let error = #expect(throws: SettingError.self) { try sources(["ZAPIER_ACCESS_TOKEN_FILE": "/none"]).token() }
        #expect(error?.description.contains("/none") == true)
        #expect(error?.description.contains("no such file") == true)
    }

    @Test("An access token wins over a refresh token, that over client credentials")
    func tokenKinds() throws {
        let files = ["/t": "t", "/r": "r\n", "/s": "s\n"]
        let client = ["ZAPIER_CLIENT_ID": "me", "ZAPIER_CLIENT_SECRET_FILE": "/s", "ZAPIER_CLIENT_SECRET": "other"]
        let refresh = client.merging(["ZAPIER_REFRESH_TOKEN_FILE": "/r"]) { $1 }
        let all = refresh.merging(["ZAPIER_ACCESS_TOKEN_FILE": "/t", "ZAPIER_ACCESS_TOKEN": "env"]) { $1 }
        #expect(try sources(all, files: files).token().origin == "ZAPIER_ACCESS_TOKEN_FILE")
        #expect(try sources(all, files: files).token().value.files == ["/t"])
        #expect(try sources(refresh, files: files).token().origin == "ZAPIER_REFRESH_TOKEN_FILE")
        #expect(try sources(refresh, files: files).token().value.files == ["/r", "/s"])
        let setting = try sources(client, files: files).token()
        #expect(setting.origin == "ZAPIER_CLIENT_ID")
        guard case .clientCredentials(let credentials) = setting.value.kind else {
            Issue.record("client credentials are set")
            return
        }
        #expect(credentials == ClientCredentials(id: "me", secret: try #require(Secret("s"))))
    }

    @Test(
        "Half of what it takes is an error that names the rest",
        arguments: [
            (["ZAPIER_CLIENT_ID": "me"], "ZAPIER_CLIENT_SECRET"), (["ZAPIER_CLIENT_SECRET": "s"], "ZAPIER_CLIENT_ID"),
            (["ZAPIER_CLIENT_SECRET_FILE": "/s"], "ZAPIER_CLIENT_ID"),
            (["ZAPIER_REFRESH_TOKEN_FILE": "/s"], "ZAPIER_CLIENT_ID"),
            (["ZAPIER_REFRESH_TOKEN_FILE": "/s", "ZAPIER_CLIENT_ID": "me"], "ZAPIER_CLIENT_SECRET"),
            (["ZAPIER_CLIENT_ID": "me", "ZAPIER_CLIENT_SECRET_FILE": "/none"], "/none"),
            (["ZAPIER_CLIENT_ID": "me", "ZAPIER_CLIENT_SECRET": "s", "ZAPIER_REFRESH_TOKEN_FILE": "/none"], "/none"),
        ])
    func halves(environment: [String: String], missing: String) throws {
        let error = #expect(throws: SettingError.self) {
            try sources(environment, files: ["/s": "hunter2"]).token()
        }
        #expect(error?.description.contains(missing) == true)
        #expect(error?.description.contains("hunter2") == false)
        #expect(error.map { Failure($0).status } == 78)
    }

    @Test(
        "Plain http goes to this machine alone",
        arguments: [
            ("http://127.0.0.1:1", true), ("http://127.9.9.9", true), ("http://localhost:80", true),
            ("http://LOCALHOST", true), ("http://[::1]:8080", true), ("https://api.example.com", true),
            ("HTTPS://api.example.com", true), ("http://api.example.com", false), ("http://128.0.0.1", false),
            ("http://0.0.0.0", false), ("http://localhost.example.com", false), ("http://127.0.0.1.example.com", false),
            ("http://[::2]", false), ("http://127.1", false), ("HTTP://api.example.com", false),
        ])
    func plainHTTP(url: String, isAllowed: Bool) {
        for flag in [false, true] {
            for name in ["ZAPIER_API_URL", "ZAPIER_TOKEN_URL"] {
                var sources = sources([name: url])
                sources.allowsInsecureHTTP = flag
                let isAccepted =
                    (try? name == "ZAPIER_API_URL" ? sources.api().value : sources.tokenURL().value) != nil
                #expect(isAccepted == (isAllowed || flag), "\(name)")
            }
        }
        guard !isAllowed else { return }
        let flag = #expect(throws: SettingError.self) { try sources(apiURL: url).api() }
        #expect(flag.map { Failure($0).status } == 64)
        let variable = #expect(throws: SettingError.self) { try sources(["ZAPIER_TOKEN_URL": url]).tokenURL() }
        #expect(variable.map { Failure($0).status } == 78)
        #expect(variable?.description.contains("--allow-insecure-http") == true)
    }

    @Test("The address for tokens is taken as it is")
    func tokenURL() throws {
        #expect(try sources().tokenURL().value == "https://zapier.com/oauth/token/")
        #expect(try sources(["ZAPIER_TOKEN_URL": "https://a.example/t/"]).tokenURL().value == "https://a.example/t/")
    }

    @Test("A file of authorities that holds none is refused")
    func trustRoots() throws {
        let roots = try sources().trustRoots()
        #expect(roots == nil)
        for path in ["/nowhere/ca.pem", "/etc/passwd"] {
            let error = #expect(throws: SettingError.self) { try sources(["SSL_CERT_FILE": path]).trustRoots() }
            #expect(error?.description.contains(path) == true)
        }
    }

    @Test(
        "Durations read 90s, 15m, 2h, 90d",
        arguments: [("90s", 90), ("15m", 900), ("2h", 7200), ("90d", 7_776_000), ("0", 0), ("0s", 0)])
    func durations(text: String, seconds: Int) {
        #expect(DurationArgument(argument: text)?.duration == .seconds(seconds))
    }

    @Test(
        "Anything else is no duration",
        arguments: ["", "90", "s", "-5s", "1.5h", "5 m", "5M", "1w", "1D", "99999999h", "٣s"])
    func noDuration(text: String) {
        #expect(DurationArgument(argument: text) == nil)
    }

    @Test("Lists of outcomes")
    func outcomes() {
        #expect(OutcomeList(argument: "none")?.outcomes == [])
        #expect(OutcomeList(argument: "not_found,error")?.outcomes == [.notFound, .error])
        #expect(OutcomeList(argument: "forbidden,truncated")?.truncated == true)
        #expect(OutcomeList(argument: "forbidden,truncated")?.rejects == false)
        #expect(OutcomeList(argument: "rejects")?.rejects == true)
        for text in ["", "foo", "error,", "none,error", "Error", "error, expired"] {
            #expect(OutcomeList(argument: text) == nil)
        }
    }

    @Test(
        "Sizes read 64M, 1G, 500000K or bytes, from 1 MiB to 1 TiB",
        arguments: [
            ("64M", 67_108_864), ("1G", 1_073_741_824), ("2g", 2_147_483_648), ("500000K", 512_000_000),
            ("1048576", 1_048_576), ("1M", 1_048_576), ("1024G", 1_099_511_627_776),
        ] as [(String, Int)])
    func size(text: String, bytes: Int) {
        #expect(SizeArgument(argument: text)?.bytes == bytes)
    }

    @Test(
        "What is no size, or one that nothing fits into",
        arguments: [
            "", "0", "M", "1", "1023K", "1048575", "1025G", "-64M", "+64M", "64 M", "64MB", "64MiB", "6.4G", "1T",
            "٦٤M",
            "9999999999999G",
        ])
    func noSize(text: String) {
        #expect(SizeArgument(argument: text) == nil)
    }
}
