import ActionsAPI
import Foundation

import Glibc

/// The file of a refresh token that changes with every use.
///
/// What happens to it, under a lock that other processes respect, and what a process leaves behind that is killed
/// there:
///
/// | step | left behind |
/// | --- | --- |
/// | lock `.NAME.lock`, which stays | nothing |
/// | replace the file by one with the same content (`TokenReplacement`) | a leftover with the old token, or nothing |
/// | make `.NAME.new-…`, with room for a token | an empty leftover |
/// | send the old token | the same; the old token is good, unless its answer was on the way |
/// | write the new token into it, sync it | the old token, dead, and a leftover with the new one |
/// | rename it to NAME, sync the folder | the new token |
///
/// So the next process tries the tokens of leftovers first, and then the file's own: but only of leftovers that are not
/// older than the file (an older one means that the file was replaced since) and that belong to this user or to the
/// file's owner.
package struct RefreshTokenFile: Sendable {
    /// How the file takes a new token.
    package enum Readiness: Sendable {
        case replaced
        /// It cannot be replaced, as where it is mounted on its own, but it can be written.
        case writtenInPlace
    }

    package typealias Rename = @Sendable (_ old: String, _ new: String) -> Int32

    package let path: String
    private let patience: Duration
    private let rename: Rename

    /// - Parameters:
    ///   - patience: how long to wait for another process that is at the same file.
    ///   - rename: as the system has it: 0, or -1 with `errno` set.
    package init(
        path: String, patience: Duration = .seconds(30), rename: @escaping Rename = { Glibc.rename($0, $1) }
    ) {
        self.path = path
        self.patience = patience
        self.rename = rename
    }

    /// Tries all that an exchange does to the file, and keeps its token.
    ///
    /// - Throws: `TokenError` if a new token could not be stored, or the file holds none; `CancellationError`.
    package func rehearse() async throws -> Readiness {
        do {
            let locked = try await lock()
            guard try !locked.candidates().isEmpty else { throw TokenFailure.noRefreshToken(path) }
            locked.discard(try locked.prepare())
            return locked.isWrittenInPlace ? .writtenInPlace : .replaced
        } catch TokenFailure.final(let error) {
            throw error
        } catch TokenFailure.transient(_, _, let reason) {
            throw TokenError(.unreachable, reason)
        }
    }

    /// - Throws: `TokenFailure`, when nothing has been spent; `CancellationError`.
    func lock() async throws -> LockedTokenFile {
        guard let real = realpath(path, nil) else { throw TokenFailure.unusable(path, "can't be opened", errno) }
        defer { free(real) }
        let place = TokenFilePlace(target: String(cString: real), rename: rename)
        let end = ContinuousClock.now.advanced(by: patience)
        let lock = try FileLock(besides: place)
        try await wait(for: lock, until: end)
        let replacement = try TokenReplacement(rehearsedAt: place)
        // Other containers may have the same file, each in a folder of its own with a lock of its own.
        if let file = replacement.file { try await wait(for: file, until: end) }
        return LockedTokenFile(place: place, lock: lock, replacement: replacement)
    }

    private func wait(for lock: FileLock, until end: ContinuousClock.Instant) async throws {
        while try !lock.tryLock() {
            guard ContinuousClock.now < end else {
                throw TokenFailure.transient(
                    .timedOut, retryAfter: nil,
                    reason: "another process is renewing the token with \(path), and has held its lock, "
                        + "\(lock.path), for \(patience.components.seconds) s")
            }
            try await Task.sleep(for: .milliseconds(50))
        }
    }
}

/// Where a token's file is, and what may lie beside it.
struct TokenFilePlace: Sendable {
    /// The file's path without symbolic links.
    let target: String
    let folder: String
    let lockPath: String
    /// Of the names of leftovers.
    let leftoverPrefix: String
    private let rename: RefreshTokenFile.Rename

    init(target: String, rename: @escaping RefreshTokenFile.Rename) {
        self.target = target
        self.rename = rename
        let slash = target.lastIndex(of: "/") ?? target.startIndex
        folder = slash == target.startIndex ? "/" : String(target[..<slash])
        let name = target[target.index(after: slash)...]
        leftoverPrefix = ".\(name).new-"
        lockPath = (folder == "/" ? "" : folder) + "/.\(name).lock"
    }

    /// - Returns: 0, or -1 with `errno` set.
    func replace(by path: String) -> Int32 { rename(path, target) }

    func newLeftover() -> String { "\(folder)/\(leftoverPrefix)\(UUID().uuidString)" }
}

/// An open file whose lock ends with the last reference, or with the process.
final class FileLock: Sendable {
    let path: String
    let descriptor: Int32

    /// - Parameter descriptor: which this closes.
    init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// The lock beside a token's file, which is made if it is not there.
    convenience init(besides place: TokenFilePlace) throws {
        let flags = O_RDWR | O_CLOEXEC | O_NOFOLLOW
        let new = open(place.lockPath, flags | O_CREAT | O_EXCL, 0o600)
        if new >= 0 {
            // Root may be the first to come by, and the token's owner is to have it all the same.
            var status = stat()
            if stat(place.target, &status) == 0 { _ = fchown(new, status.st_uid, status.st_gid) }
            self.init(path: place.lockPath, descriptor: new)
            return
        }
        guard errno == EEXIST else { throw TokenFailure.unwritable(place.lockPath, errno) }
        let old = open(place.lockPath, flags)
        guard old >= 0 else {
            throw TokenFailure.unusable(
                place.lockPath, "must be this user's to read and write, and can't be opened", errno)
        }
        self.init(path: place.lockPath, descriptor: old)
    }

    func tryLock() throws -> Bool {
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
        guard errno == EWOULDBLOCK || errno == EINTR else {
            throw TokenFailure.unusable(path, "can't be locked", errno)
        }
        return false
    }
}

extension TokenFailure {
    static func noRefreshToken(_ path: String) -> TokenFailure {
        .final(TokenError(.invalidSetting, "\(path) holds no refresh token"))
    }

    static func unusable(_ path: String, _ what: String, _ code: Int32) -> TokenFailure {
        .final(TokenError(.invalidSetting, "\(path) \(what): \(String(cString: strerror(code)))"))
    }

    static func unwritable(_ path: String, _ code: Int32) -> TokenFailure {
        .final(
            TokenError(
                .invalidSetting,
                "\(path) can't be written (\(String(cString: strerror(code)))): a new refresh token is stored beside the "
                    + "old one, so the file's folder must be this user's to write"))
    }
}
