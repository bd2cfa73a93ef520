import ActionsAPI
import ActionsHTTP
import Foundation

import Glibc

/// Which proxy leads to an address, by the variables that curl reads. Pure.
///
/// For https `https_proxy`, `HTTPS_PROXY`, `all_proxy`, `ALL_PROXY`, the first that is set; for http the same with
/// `http_proxy`, in lower case alone: web servers set `HTTP_PROXY` to what a request's header says. `no_proxy` or
/// `NO_PROXY` names the hosts that need none. This machine itself never has one: plain http is allowed there because
/// the tokens do not leave the machine.
struct ProxySettings {
    private let environment: [String: String]

    init(environment: [String: String]) { self.environment = environment }

    /// - Parameter url: an http or https address that has been looked at already.
    /// - Throws: `SettingError`, which quotes nothing: the variable may hold a password.
    func proxy(for url: String) throws -> Setting<ProxyServer>? {
        guard let url = URLComponents(string: url), let scheme = url.scheme?.lowercased(), let host = url.host else {
            return nil
        }
        guard !Address.isLoopback(host: host) else { return nil }
        let own = scheme == "https" ? ["https_proxy", "HTTPS_PROXY"] : ["http_proxy"]
        guard let name = (own + ["all_proxy", "ALL_PROXY"]).first(where: { variable($0) != nil }),
            let text = variable(name)
        else { return nil }
        let port = url.port ?? (scheme == "https" ? 443 : 80)
        if isExempt(host: host, port: port) { return nil }
        return Setting(value: try Self.parsed(text, name), origin: name)
    }

    private func variable(_ name: String) -> String? {
        environment[name].flatMap { $0.isEmpty ? nil : $0 }
    }

    private static func parsed(_ text: String, _ name: String) throws -> ProxyServer {
        let text = text.contains("://") ? text : "http://\(text)"
        guard let url = URLComponents(string: text), let host = url.host.map(unbracketed), !host.isEmpty,
            (1...65535).contains(url.port ?? 1080), ["", "/"].contains(url.path)
        else {
            throw SettingError("\(name) is not a proxy address, such as http://proxy.example.com:3128")
        }
        guard url.scheme?.lowercased() == "http" else {
            throw SettingError("\(name) names a proxy of a kind that is not known here: it must begin with http://")
        }
        // As curl has it.
        return ProxyServer(
            host: host, port: url.port ?? 1080, user: url.user, password: url.password.flatMap(Secret.init))
    }

    // MARK: Hosts that need none

    private func isExempt(host: String, port: Int) -> Bool {
        guard let list = variable("no_proxy") ?? variable("NO_PROXY") else { return false }
        let host = Self.unbracketed(host).lowercased()
        return list.split { $0 == "," || $0 == " " }.contains { entry in
            entry == "*" || Self.matches(String(entry).lowercased(), host: host, port: port)
        }
    }

    private static func matches(_ entry: String, host: String, port: Int) -> Bool {
        if let network = Network(entry) { return network.contains(host) }
        var name = entry
        // More than one colon without brackets is an IPv6 address, not a port.
        if entry.hasPrefix("[") || entry.filter({ $0 == ":" }).count == 1,
            let colon = entry.lastIndex(of: ":"), let wanted = Int(entry[entry.index(after: colon)...])
        {
            guard wanted == port else { return false }
            name = String(entry[..<colon])
        }
        name = String(unbracketed(name).drop { $0 == "." })
        guard !name.isEmpty else { return false }
        if let address = Address(host) { return address == Address(name) }
        return host == name || host.hasSuffix(".\(name)")
    }

    private static func unbracketed(_ host: String) -> String {
        host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
    }
}

/// The bytes of an IP address: 4 or 16.
struct Address: Equatable {
    let bytes: [UInt8]

    init?(_ text: String) {
        var four = in_addr()
        var six = in6_addr()
        if inet_pton(AF_INET, text, &four) == 1 {
            bytes = withUnsafeBytes(of: four) { Array($0) }
        } else if inet_pton(AF_INET6, text, &six) == 1 {
            bytes = withUnsafeBytes(of: six) { Array($0) }
        } else {
            return nil
        }
    }

    /// - Parameter host: of a URL, an IPv6 address in brackets.
    static func isLoopback(host: String) -> Bool {
        let host = host.trimmingCharacters(in: ["[", "]"]).lowercased()
        return host == "localhost" || Address(host)?.isLoopback == true
    }

    private var isLoopback: Bool { bytes.count == 4 ? bytes[0] == 127 : bytes == Array(repeating: 0, count: 15) + [1] }
}

/// `10.0.0.0/8`.
private struct Network {
    private let address: Address
    private let bits: Int

    init?(_ text: String) {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, let address = Address(String(parts[0])), let bits = Int(parts[1]),
            (0...address.bytes.count * 8).contains(bits)
        else { return nil }
        (self.address, self.bits) = (address, bits)
    }

    func contains(_ host: String) -> Bool {
        guard let other = Address(host), other.bytes.count == address.bytes.count else { return false }
        return (0..<bits).allSatisfy { bit in
            let mask = UInt8(0x80) >> UInt8(bit % 8)
            return address.bytes[bit / 8] & mask == other.bytes[bit / 8] & mask
        }
    }
}
