import Foundation
import Testing

@testable import stored_actions

/// What people put into the place of a token or a secret.
@Suite("Tokens and secrets as they are written down")
struct SecretTextTests {
    private static let mistakes: [(text: String, told: String)] = [
        ("ZAPIER_ACCESS_TOKEN=hunter2", "NAME=value"), ("export ZAPIER_ACCESS_TOKEN=hunter2", "NAME=value"),
        ("ZAPIER_ACCESS_TOKEN = hunter2", "NAME=value"), ("MY_VALUE=hunter2", "NAME=value"),
        ("access_token=hunter2", "NAME=value"), ("token=hunter2", "NAME=value"),
        ("ZAPIER_ACCESS_TOKEN=\"hunter2\"", "NAME=value"), ("A_TOKEN=hunter2\nOTHER=1", "NAME=value"),
        ("\"hunter2\"", "quotation marks"), ("'hunter2'", "quotation marks"), ("`hunter2`", "quotation marks"),
        ("\u{201C}hunter2\u{201D}", "quotation mark"), ("\"hunter2\r\n", "quotation mark"),
        ("hunter2'", "quotation mark"),
        ("Bearer hunter2", "Bearer"), ("bearer hunter2", "Bearer"), ("BEARER\thunter2", "Bearer"),
        ("Authorization: Bearer hunter2", "Bearer"), ("Bearer: hunter2", "Bearer"),
        ("hunter2\nhunter3", "several lines"), ("hunter2\r\nhunter3", "several lines"),
        ("hunter2\rhunter3", "several lines"), ("h\u{FC}nter2", "outside ASCII"), ("hunter\u{200B}2", "outside ASCII"),
        ("\u{FEFF}hunter2", "byte order mark"), ("hunter 2", "a space"), ("hunter\u{0}2", "control character"),
        ("h\u{0}u\u{0}n\u{0}", "control character"), (#"{"access_token": "hunter2"}"#, "JSON"),
        ("$ZAPIER_TOKEN", "not put in place"), ("${ZAPIER_TOKEN}", "not put in place"),
        (String(repeating: "hunter2", count: 2400), "16 KB"), ("", "empty"), (" \r\n", "empty"),
    ]

    @Test(arguments: mistakes.map(\.text))
    func `A mistake is named, and nothing of the text is reported`(_ text: String) throws {
        let told = try #require(Self.mistakes.first { $0.text == text }?.told)
        let error = #expect(throws: SettingError.self) { try SecretText.check(text, "PLACE", .accessToken) }
        let said = try #require(error?.description)
        #expect(said.contains(told), "\(said)")
        #expect(said.hasPrefix("PLACE "))
        #expect(!said.contains("unter"))
    }

    @Test(arguments: [
        "hunter2", "hunter2\n", " hunter2\r\n", "\thunter2 \n\n", "abc.def-ghi_jkl~mno+pqr/stu==", "abc=", "KEY_A==",
        "eyJhbGciOiJIUzI1NiJ9.eyJ0b2tlbiI6MX0.dG9rZW4=", "bearer-hunter2", "Bearerhunter2",
    ])
    func `A token is taken as it is, without white space around it`(_ text: String) throws {
        let word = try SecretText.check(text, "PLACE", .accessToken)
        #expect(word == text.trimmingCharacters(in: .whitespacesAndNewlines))
        #expect(!word.isEmpty)
    }

    @Test(arguments: ["pass word", "h\u{FC}nter2", "$ecret", "a'b", "'", "x=y", "{curly}"])
    func `A client's secret may be of other letters`(_ text: String) throws {
        #expect(try SecretText.check(text + "\n", "PLACE", .secret) == text)
    }

    @Test(arguments: [
        "CLIENT_SECRET=hunter2", "\"hunter2\"", "hunter2\nhunter3", "Bearer hunter2", "\u{FEFF}hunter2",
    ])
    func `Mistakes with secrets are named, too`(_ text: String) throws {
        let environments = [
            ["ZAPIER_CLIENT_ID": "me", "ZAPIER_CLIENT_SECRET_FILE": "/s"],
            ["ZAPIER_CLIENT_ID": "me", "ZAPIER_CLIENT_SECRET": "s", "ZAPIER_REFRESH_TOKEN_FILE": "/r"],
            ["ZAPIER_CLIENT_ID": text, "ZAPIER_CLIENT_SECRET": "s"],
        ]
        for environment in environments {
            var sources = SettingSources(environment: environment)
            sources.readFile = { _ in text }
            let error = #expect(throws: SettingError.self) { try sources.token() }
            #expect(error.map { Failure($0).status } == 78)
            #expect(error?.description.contains("unter") == false)
        }
    }

    @Test func `A file that is not a token's is read no further than a token is long`() throws {
        let endless = #expect(throws: CocoaError.self) { try SecretText.read("/dev/zero") }
        #expect(endless?.code == .fileReadTooLarge)
        let file = FileManager.default.temporaryDirectory.appending(path: UUID().uuidString)
        defer { try? FileManager.default.removeItem(at: file) }
        try Data("h\u{FC}nter2".unicodeScalars.map { UInt8($0.value) }).write(to: file)
        let error = #expect(throws: SettingError.self) {
            try SettingSources(environment: ["ZAPIER_ACCESS_TOKEN_FILE": file.path]).token()
        }
        #expect(error?.description.contains("Latin-1") == true)
        try Data("hunter2\r\n".utf8).write(to: file)
        #expect(throws: Never.self) {
            try SettingSources(environment: ["ZAPIER_ACCESS_TOKEN_FILE": file.path + "\r"]).token()
        }
    }
}
