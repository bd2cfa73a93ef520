import Foundation

import Glibc

/// A file that holds a secret, and whether other users can get at it.
struct SecretFile: Equatable {
    struct Folder: Equatable {
        var path: String
        var mode: mode_t
        var isReadOnly = false
    }

    var path: String
    var mode: mode_t
    var owner: uid_t
    /// It is on a file system that is mounted for reading alone.
    var isReadOnly = false
    /// All that lead to it.
    var folders: [Folder] = []

    /// For people, each with what to do. Pure.
    var complaints: [String] {
        // Secrets that Kubernetes, systemd and others mount are readable by every user in the container or the service,
        // and that is all that anybody can do about it.
        let isMountedSecret = isReadOnly && owner == 0
        let others = isMountedSecret ? 0 : mode & 0o066
        let verbs = (others & 0o044 != 0 ? ["read"] : []) + (others & 0o022 != 0 ? ["write"] : [])
        var complaints: [String] = []
        if !verbs.isEmpty {
            complaints.append(
                "\(path) holds a secret, and other users can \(verbs.joined(separator: " and ")) it: "
                    + "chmod 600 \(shellQuoted(path))")
        }
        // In a folder with the sticky bit, such as /tmp, each file is its owner's to rename.
        for folder in folders where folder.mode & 0o022 != 0 && folder.mode & 0o1000 == 0 && !folder.isReadOnly {
            complaints.append(
                "other users can write to \(folder.path), and so put another file in the place of \(path): "
                    + "chmod go-w \(shellQuoted(folder.path))")
        }
        return complaints
    }
}

extension SecretFile {
    /// - Returns: nil for what is not a file: a pipe has no permissions of its own.
    init?(path: String) {
        var status = stat()
        guard stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        self.init(path: path, mode: status.st_mode, owner: status.st_uid, isReadOnly: Self.isReadOnly(path))
        var seen: Set<String> = []
        for path in [URL(fileURLWithPath: path).standardizedFileURL.path, Self.resolved(path)].compactMap(\.self) {
            var folder = URL(fileURLWithPath: path).deletingLastPathComponent()
            while seen.insert(folder.path).inserted {
                if stat(folder.path, &status) == 0 {
                    folders.append(
                        Folder(path: folder.path, mode: status.st_mode, isReadOnly: Self.isReadOnly(folder.path)))
                }
                guard folder.path != "/" else { break }
                folder.deleteLastPathComponent()
            }
        }
    }

    private static func resolved(_ path: String) -> String? {
        guard let real = realpath(path, nil) else { return nil }
        defer { free(real) }
        return String(cString: real)
    }

    private static func isReadOnly(_ path: String) -> Bool {
        var system = statvfs()
        return statvfs(path, &system) == 0 && system.f_flag & UInt(ST_RDONLY) != 0
    }
}
