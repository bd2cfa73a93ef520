import Foundation

/// What must never be shown or stored.
enum Guarded: String, CaseIterable, Sendable {
    /// Of characters that JSON and URLs have several spellings for.
    case token = "tok/3f9a61+c0e7d2=="
    case otherToken = "old/77c1b2+94ffa0=="
    case password = "pw-77b1e2d94c5f"
    case proxyPassword = "px-5d0c13aa82e6"
    /// Of words that an OAuth error could be, with `client:` before it also in Base64.
    case clientSecret = "cs-4be81f07a2d"
    case refreshToken = "rt-904be7d1f3c8"
    case nextRefreshToken = "rn-6ca20d95b1e7"
    case input = "inputs-word-91c6b2"

    /// The spellings in which it could stand somewhere: as it is, in JSON, in a URL, in Base64. Half of it is too much, too.
    private var spellings: [String] {
        let half = String(rawValue.prefix(8))
        let inJSON = [
            half.replacing("/", with: "\\/"), String(rawValue.dropFirst(8)).replacing("+", with: "\\u002b"),
        ]
        let inURL = half.addingPercentEncoding(withAllowedCharacters: .alphanumerics) ?? half
        // Base64 has three, by the number of bytes before it; what those and the bytes behind it touch is left out.
        let inBase64 = [(0, 0), (1, 2), (2, 3)].map { bytes, characters in
            let text = (Data(repeating: 0, count: bytes) + Data(rawValue.utf8)).base64EncodedString()
            return String(text.dropFirst(characters).prefix(12))
        }
        return [half, String(rawValue.suffix(10)), inURL] + inBase64 + inJSON
    }

    /// Those lines of a text in which some of them stands.
    static func lines(in text: String) -> [String] {
        let spellings = allCases.flatMap(\.spellings)
        guard spellings.contains(where: text.contains) else { return [] }
        return text.split(separator: "\n").map(String.init).filter { line in spellings.contains(where: line.contains) }
    }
}

/// What `ps` and `top` show of a process and of those that it started.
struct ProcessList {
    private(set) var text = ""
    private let pid: pid_t

    init(of pid: pid_t) { self.pid = pid }

    /// - Returns: false when it has ended.
    mutating func look() -> Bool {
        // Not told by its command line, which is empty for a moment while it starts.
        let state = Self.read("/proc/\(pid)/stat").split(separator: ") ").last?.first
        guard let state, state != "Z", state != "X" else { return false }
        let children = Self.read("/proc/\(pid)/task/\(pid)/children").split(separator: " ").compactMap { pid_t($0) }
        for process in [pid] + children {
            text += Self.read("/proc/\(process)/cmdline") + "\n"
            let tasks = (try? FileManager.default.contentsOfDirectory(atPath: "/proc/\(process)/task")) ?? []
            for task in tasks { text += Self.read("/proc/\(process)/task/\(task)/comm") }
        }
        return true
    }

    private static func read(_ path: String) -> String {
        FileManager.default.contents(atPath: path).map { String(decoding: $0, as: UTF8.self) } ?? ""
    }
}
