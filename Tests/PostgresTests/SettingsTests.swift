import Foundation
import Testing

@testable import Postgres

@Suite("Settings that libpq finds by itself")
struct SettingsTests {
    @Test("A version of TLS that a service file sets is read past the value that keeps libpq from connecting")
    func highestVersion() throws {
        let settings = try ConnectionSettings.inForce(
            [(key: "ssl_max_protocol_version", value: "TLSv9")], own: [], ownName: "DATABASE_URL")
        let problem = try #require(settings.problem())
        #expect(problem.message.hasPrefix("ssl_max_protocol_version in the service file must be one of"))
    }

    @Test(
        "Methods of authentication are known ones, all wanted or all excluded",
        arguments: [
            ("scram-sha-256", true), ("password,md5", true), ("!password,!md5", true), ("none", true),
            ("kerberos", false), ("password,!md5", false), ("password,", false),
        ])
    func methods(value: String, isOne: Bool) {
        let settings = ConnectionSettings(
            ["require_auth": value], own: ["require_auth"], ownName: "DATABASE_URL", environment: [:])
        #expect((settings.problem() == nil) == isOne, "\(settings.problem()?.message ?? "")")
    }

    @Test("Trusted authorities are looked for in the file that is set, otherwise in the home folder")
    func rootFile() {
        #expect(ConnectionSettings.rootFile("/etc/root.crt", home: "/home/me") == "/etc/root.crt")
        #expect(ConnectionSettings.rootFile("", home: "/home/me") == "/home/me/.postgresql/root.crt")
        #expect(ConnectionSettings.rootFile(nil, home: nil) == nil)
    }
}
