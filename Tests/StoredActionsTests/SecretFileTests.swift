import Foundation
import Testing

@testable import stored_actions

@Suite("Files that hold secrets")
struct SecretFileTests {
    private static let home = SecretFile.Folder(path: "/home/me", mode: 0o40755)

    @Test(
        "Who may do what with the file",
        arguments: [
            (0o600, nil), (0o400, nil), (0o700, nil), (0o610, nil), (0o640, "read"), (0o604, "read"), (0o444, "read"),
            (0o620, "write"), (0o602, "write"), (0o622, "write"), (0o660, "read and write"), (0o646, "read and write"),
            (0o666, "read and write"), (0o642, "read and write"),
        ])
    func modes(mode: mode_t, verbs: String?) {
        let file = SecretFile(path: "/home/me/token", mode: 0o100000 | mode, owner: 1000, folders: [Self.home])
        #expect(
            file.complaints
                == verbs.map {
                    ["/home/me/token holds a secret, and other users can \($0) it: chmod 600 /home/me/token"]
                } ?? [])
    }

    @Test(
        "A secret that Kubernetes, systemd or Docker has mounted is as it should be", arguments: [0o444, 0o440, 0o644])
    func mounted(mode: mode_t) {
        let folder = SecretFile.Folder(path: "/run/secrets", mode: 0o40777, isReadOnly: true)
        func complaints(owner: uid_t, isReadOnly: Bool) -> [String] {
            SecretFile(
                path: "/run/secrets/token", mode: mode, owner: owner, isReadOnly: isReadOnly, folders: [folder]
            ).complaints
        }
        #expect(complaints(owner: 0, isReadOnly: true) == [])
        #expect(complaints(owner: 1000, isReadOnly: true).count == 1)
        #expect(complaints(owner: 0, isReadOnly: false).count == 1)
    }

    @Test(
        "Folders in which others can replace the file",
        arguments: [
            (0o755, false), (0o700, false), (0o1777, false), (0o1775, false), (0o777, true), (0o775, true),
            (0o757, true), (0o2775, true), (0o772, true),
        ])
    func folders(mode: mode_t, isOpen: Bool) {
        for path in ["/srv/a", "/srv"] {
            let file = SecretFile(
                path: "/srv/a/token", mode: 0o600, owner: 1000,
                folders: [SecretFile.Folder(path: path, mode: 0o40000 | mode), Self.home])
            #expect(file.complaints.count == (isOpen ? 1 : 0))
            #expect(!isOpen || file.complaints[0].hasSuffix("chmod go-w \(path)"))
        }
    }

    @Test("All folders on the way are looked at, those of a link's target too")
    func onTheWay() throws {
        let manager = FileManager.default
        let base = manager.temporaryDirectory.appending(path: "secret-\(UUID().uuidString)").path
        defer { try? manager.removeItem(atPath: base) }
        for folder in ["a/b", "c"] {
            try manager.createDirectory(atPath: "\(base)/\(folder)", withIntermediateDirectories: true)
        }
        try Data("t".utf8).write(to: URL(fileURLWithPath: "\(base)/a/b/token"))
        try manager.createSymbolicLink(atPath: "\(base)/c/link", withDestinationPath: "../a/b/token")
        let file = try #require(SecretFile(path: "\(base)/c/link"))
        let paths = Set(file.folders.map(\.path))
        #expect(paths.isSuperset(of: ["/", base, "\(base)/a", "\(base)/a/b", "\(base)/c"]))
        #expect(SecretFile(path: base) == nil)
        #expect(SecretFile(path: "\(base)/none") == nil)
    }
}
