import Foundation

#if canImport(Glibc)
    import Glibc
#endif

/// The file of a refresh token that changes with every use.
///
/// What happens to it, under a lock that other processes respect, and what a process leaves behind that is killed there:
///
/// | step | left behind |
/// | --- | --- |
/// | lock `.NAME.lock`, which stays | nothing |
/// | make `.NAME.new-…`, with room for a token | an empty leftover |
/// | send the old token | the same; the old token is good, unless its answer was on the way |
/// | write the new token into it, sync it | the old token, dead, and a leftover with the new one |
/// | rename it to NAME, sync the folder | the new token |
///
/// So whoever comes next tries the token of a leftover first, and then the file's own: but only of one that is not older
/// than the file, which somebody else has replaced since then otherwise.
package struct RefreshTokenFile: Sendable {
    package let path: String
    private let patience: Duration

    /// - Parameter patience: how long to wait for another process that is at the same file.
    package init(path: String, patience: Duration = .seconds(30)) {
        self.path = path
        self.patience = patience
    }

    /// - Throws: `TokenFailure`; `CancellationError`.
    func lock() async throws -> LockedTokenFile {
        guard let real = realpath(path, nil) else { throw TokenFailure.unusable(path, "can't be opened", errno) }
        defer { free(real) }
        let target = String(cString: real)
        let locked = try LockedTokenFile(target: target)
        let clock = ContinuousClock()
        let end = clock.now.advanced(by: patience)
        while try !locked.tryLock() {
            guard clock.now < end else {
                throw TokenFailure.transient(
                    .timedOut, retryAfter: nil,
                    reason: "another process is renewing the token with \(path), and has held its lock, "
                        + "\(locked.lockPath), for \(patience.components.seconds) s")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
        return locked
    }
}

/// The file while no other process may change it; the lock ends with the last reference, or with the process.
final class LockedTokenFile: Sendable {
    struct Candidate: Sendable {
        var token: Secret
        /// It is in a file that a process left behind.
        var isLeftover: Bool
    }

    /// A file in which the next token will be stored.
    struct Room: Sendable {
        fileprivate let path: String
        fileprivate let descriptor: Int32
    }

    let lockPath: String
    private let target: String
    private let folder: String
    private let prefix: String
    private let descriptor: Int32

    fileprivate init(target: String) throws {
        self.target = target
        let slash = target.lastIndex(of: "/") ?? target.startIndex
        folder = slash == target.startIndex ? "/" : String(target[..<slash])
        let name = target[target.index(after: slash)...]
        prefix = ".\(name).new-"
        lockPath = (folder == "/" ? "" : folder) + "/.\(name).lock"
        descriptor = try Self.openLock(lockPath, besides: target)
    }

    deinit { close(descriptor) }

    private static func openLock(_ path: String, besides target: String) throws -> Int32 {
        let flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW
        let new = open(path, flags | O_CREAT | O_EXCL, 0o600)
        if new >= 0 {
            // Root may be the first to come by, and the token's owner is to have it all the same.
            var status = stat()
            if stat(target, &status) == 0 { _ = fchown(new, status.st_uid, status.st_gid) }
            return new
        }
        guard errno == EEXIST else { throw TokenFailure.unwritable(path, errno) }
        let old = open(path, flags)
        guard old >= 0 else {
            throw TokenFailure.unusable(path, "must be this user's to read and write, and can't be opened", errno)
        }
        return old
    }

    fileprivate func tryLock() throws -> Bool {
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
        guard errno == EWOULDBLOCK || errno == EINTR else {
            throw TokenFailure.unusable(lockPath, "can't be locked", errno)
        }
        return false
    }

    /// The tokens that may be good, the likeliest first. Leftovers without a token, or from before the file, are removed.
    func candidates() throws -> [Candidate] {
        var status = stat()
        guard stat(target, &status) == 0, let text = try? String(contentsOfFile: target, encoding: .utf8) else {
            throw TokenFailure.unusable(target, "can't be read", errno)
        }
        let ownTime = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
        var candidates: [Candidate] = []
        for (path, time) in leftovers() {
            if (time.tv_sec, time.tv_nsec) >= ownTime, let token = Self.whole(path) {
                candidates.append(Candidate(token: token, isLeftover: true))
            } else {
                unlink(path)
            }
        }
        if let token = Secret(text.trimmingCharacters(in: .whitespacesAndNewlines)) {
            candidates.append(Candidate(token: token, isLeftover: false))
        }
        return candidates
    }

    /// Makes sure that a token can be stored, before the old one is spent.
    func prepare() throws -> Room {
        let path = "\(folder)/\(prefix)\(UUID().uuidString)"
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw TokenFailure.unwritable(folder, errno) }
        let room = Room(path: path, descriptor: descriptor)
        var status = stat()
        if stat(target, &status) == 0 {
            // Only root may give a file away; anybody else owns it already, or has only its group's leave.
            _ = fchown(descriptor, status.st_uid, status.st_gid)
            _ = fchmod(descriptor, status.st_mode & 0o600)
        }
        let full = posix_fallocate(descriptor, 0, 16_384)
        guard full == 0 || full == EOPNOTSUPP || full == EINVAL else {
            discard(room)
            throw TokenFailure.unwritable(folder, full)
        }
        return room
    }

    /// Puts the token in the old one's place. When this returns, it will survive a loss of power.
    func store(_ token: Secret, in room: Room) throws {
        let bytes = Array("\(token.value)\n".utf8)
        var written = 0
        while written < bytes.count {
            let count = bytes[written...].withUnsafeBytes {
                pwrite(room.descriptor, $0.baseAddress, $0.count, off_t(written))
            }
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw lost(room) }
            written += count
        }
        guard ftruncate(room.descriptor, off_t(bytes.count)) == 0, fsync(room.descriptor) == 0,
            rename(room.path, target) == 0
        else { throw lost(room) }
        close(room.descriptor)
        syncFolder()
        removeLeftovers()
    }

    /// When the token in use is in the file.
    func removeLeftovers() {
        for leftover in leftovers() { unlink(leftover.path) }
    }

    func discard(_ room: Room) {
        unlink(room.path)
        close(room.descriptor)
    }

    /// What was written stays: it may be whole.
    private func lost(_ room: Room) -> TokenFailure {
        let reason = String(cString: strerror(errno))
        close(room.descriptor)
        return .final(
            TokenError(
                .invalidSetting,
                "the new refresh token could not be stored in \(target) (\(reason)), and the old one is used up: authorize anew"
            ))
    }

    private func syncFolder() {
        let folder = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        close(folder)
    }

    /// The newest first.
    private func leftovers() -> [(path: String, time: timespec)] {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.filter { $0.hasPrefix(prefix) }.compactMap { name in
            var status = stat()
            let path = "\(folder)/\(name)"
            guard lstat(path, &status) == 0, status.st_mode & S_IFMT == S_IFREG,
                status.st_uid == geteuid() || geteuid() == 0
            else { return nil }
            return (path, status.st_mtim)
        }.sorted { ($0.time.tv_sec, $0.time.tv_nsec) > ($1.time.tv_sec, $1.time.tv_nsec) }
    }

    /// A token with the end of its line: one that was written to its end.
    private static func whole(_ path: String) -> Secret? {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8),
            let line = text.split(separator: "\n", maxSplits: 1, omittingEmptySubsequences: false).first,
            line.endIndex < text.endIndex, !line.utf8.contains(0)
        else { return nil }
        return Secret(String(line))
    }
}

extension TokenFailure {
    fileprivate static func unusable(_ path: String, _ what: String, _ code: Int32) -> TokenFailure {
        .final(TokenError(.invalidSetting, "\(path) \(what): \(String(cString: strerror(code)))"))
    }

    fileprivate static func unwritable(_ path: String, _ code: Int32) -> TokenFailure {
        .final(
            TokenError(
                .invalidSetting,
                "\(path) can't be written (\(String(cString: strerror(code)))): a new refresh token is stored beside the "
                    + "old one, so the file's folder must be this user's to write"))
    }
}
