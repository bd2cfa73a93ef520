import ActionsAPI
import ActionsHTTP
import Foundation
import Testing

@testable import stored_actions

@Suite("Which proxy leads to an address")
struct ProxySettingsTests {
    private static let proxy = "http://p.example:3128"

    private func proxy(_ environment: [String: String], for url: String) throws -> Setting<ProxyServer>? {
        try ProxySettings(environment: environment).proxy(for: url)
    }

    @Test(
        "The first of the variables that is set",
        arguments: [
            ("https", ["https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"]),
            ("http", ["http_proxy", "all_proxy", "ALL_PROXY"]),
        ])
    func order(scheme: String, names: [String]) throws {
        for index in names.indices {
            var environment = ["HTTP_PROXY": Self.proxy, scheme == "https" ? "http_proxy" : "https_proxy": Self.proxy]
            for name in names[..<index] { environment[name] = "" }
            for name in names[index...] { environment[name] = Self.proxy }
            #expect(try proxy(environment, for: "\(scheme)://api.example")?.origin == names[index])
        }
        #expect(try proxy(["HTTP_PROXY": Self.proxy], for: "\(scheme)://api.example")?.origin == nil)
    }

    @Test(
        "What a proxy's address may look like",
        arguments: [
            ("http://p.example:3128", ProxyServer(host: "p.example", port: 3128)),
            ("p.example:3128", ProxyServer(host: "p.example", port: 3128)),
            ("p.example", ProxyServer(host: "p.example", port: 1080)),
            ("HTTP://p.example/", ProxyServer(host: "p.example", port: 1080)),
            ("http://[::1]:8080", ProxyServer(host: "::1", port: 8080)),
            (
                "http://me:p%40ss@p.example:1",
                ProxyServer(host: "p.example", port: 1, user: "me", password: Secret("p@ss"))
            ),
            ("http://me@p.example:1", ProxyServer(host: "p.example", port: 1, user: "me")),
        ])
    func addresses(text: String, server: ProxyServer) throws {
        let value = try proxy(["HTTPS_PROXY": text], for: "https://api.example")?.value
        #expect(value == server)
        #expect(value.map { "\($0)" }?.contains("p@ss") == false)
    }

    @Test(
        "What is none, and not quoted",
        arguments: [
            "http://", "http://me:hunter2@", "socks5://me:hunter2@p.example", "https://p.example",
            "http://hunter2@p.example:99999", "http://p.example/hunter2", "http://[hunter2",
        ])
    func invalid(text: String) {
        let error = #expect(throws: SettingError.self) {
            try proxy(["HTTPS_PROXY": text], for: "https://api.example")
        }
        #expect(error?.description.contains("HTTPS_PROXY") == true)
        #expect(error?.description.contains("hunter2") == false)
        #expect(error.map { Failure($0).status } == 78)
    }

    @Test(
        "Hosts that need none",
        arguments: [
            ("api.example", "https://api.example", true), ("example", "https://api.example", true),
            (".example", "https://api.example", true), (".example", "https://example", true),
            ("xample", "https://api.example", false), ("*", "https://api.example", true),
            ("API.Example", "https://api.EXAMPLE", true), ("other, api.example", "https://api.example", true),
            ("other api.example", "https://api.example", true), ("*.example", "https://api.example", false),
            ("api.example:443", "https://api.example", true), ("api.example:8443", "https://api.example", false),
            ("api.example:8443", "https://api.example:8443", true), ("192.0.2.1", "http://192.0.2.1:80", true),
            ("0.2.1", "http://192.0.2.1", false), ("127.0.0.0/8", "http://128.3.4.5", false),
            ("10.64.0.0/10", "http://10.127.0.1", true),
            ("10.64.0.0/10", "http://10.128.0.1", false), ("2001:db8::1", "http://[2001:db8::1]:80", true),
            ("[2001:db8::1]", "http://[2001:db8::1]:80", true),
            ("[2001:db8::1]:81", "http://[2001:db8::1]:80", false),
            ("fe80::/10", "http://[fe80::1]", true), ("0.0.0.0/0", "https://api.example", false),
            ("", "https://a", false),
        ])
    func exempt(list: String, url: String, isExempt: Bool) throws {
        for name in ["no_proxy", "NO_PROXY"] {
            let found = try proxy(["ALL_PROXY": Self.proxy, name: list], for: url)
            #expect((found == nil) == isExempt, "\(name)")
        }
        let lower = try proxy(["ALL_PROXY": Self.proxy, "no_proxy": "nobody", "NO_PROXY": "*"], for: url)
        #expect(lower != nil)
    }

    @Test(
        "This machine never has one, whatever the variables say",
        arguments: [
            ("localhost", true), ("LOCALHOST:8080", true), ("127.0.0.1", true), ("127.3.4.5", true), ("[::1]:80", true),
            ("128.0.0.1", false), ("localhost.example", false), ("[::2]", false), ("0.0.0.0", false),
        ])
    func loopback(host: String, isNever: Bool) throws {
        for scheme in ["http", "https"] {
            let found = try proxy(
                ["\(scheme)_proxy": Self.proxy, "all_proxy": Self.proxy], for: "\(scheme)://\(host)/")
            #expect((found == nil) == isNever, "\(scheme)")
        }
    }
}
