import ActionsAPI

import Glibc

/// How the next token gets into the place of the one in the file, tried with the content that is there: an exchange
/// spends the old token, so whether the new one can be stored must be known before.
///
/// A file that is mounted on its own, as containers have single files, cannot be replaced (EBUSY), nor one that is
/// immutable, or another user's in a folder with the sticky bit. It may still be written in place.
struct TokenReplacement: Sendable {
    /// The file itself where it is written in place; nil where it is replaced.
    let file: FileLock?

    /// - Throws: `TokenFailure` if a token can be stored neither way.
    init(rehearsedAt place: TokenFilePlace) throws {
        let target = place.target
        // A token written meanwhile must not be lost.
        for _ in 1...5 {
            var (before, now) = (stat(), stat())
            // Nothing is waited for, as the writer of a named pipe would be.
            let descriptor = open(target, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
            guard descriptor >= 0 else { throw TokenFailure.unusable(target, "can't be read", errno) }
            defer { close(descriptor) }
            guard fstat(descriptor, &before) == 0, before.st_mode & S_IFMT == S_IFREG else {
                throw TokenFailure.unusable(target, "is not a regular file", EINVAL)
            }
            guard let content = readAll(descriptor) else {
                throw TokenFailure.unusable(target, "can't be read", errno)
            }
            let copy = try Self.copy(content, like: before, to: place)
            guard stat(target, &now) == 0, Self.areAlike(before, now) else {
                unlink(copy)
                continue
            }
            if place.replace(by: copy) == 0 {
                file = nil
                return
            }
            let code = errno
            unlink(copy)
            file = try Self.writable(target, notReplacedFor: code)
            return
        }
        throw TokenFailure.transient(.timedOut, retryAfter: nil, reason: "\(target) keeps changing")
    }

    private static func areAlike(_ one: stat, _ other: stat) -> Bool {
        one.st_ino == other.st_ino && one.st_size == other.st_size && one.st_mtim.tv_sec == other.st_mtim.tv_sec
            && one.st_mtim.tv_nsec == other.st_mtim.tv_nsec
    }

    /// A copy keeps the file's times: leftovers are compared with them.
    private static func copy(_ content: [UInt8], like status: stat, to place: TokenFilePlace) throws -> String {
        let path = place.newLeftover()
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw TokenFailure.unwritable(place.folder, errno) }
        defer { close(descriptor) }
        let hasGroup =
            fchown(descriptor, status.st_uid, status.st_gid) == 0
            || fchown(descriptor, uid_t.max, status.st_gid) == 0
        // What the file's own group may do is nothing for another one.
        _ = fchmod(descriptor, status.st_mode & (hasGroup ? 0o777 : 0o707))
        guard writeAll(content, to: descriptor), futimens(descriptor, [status.st_atim, status.st_mtim]) == 0,
            fsync(descriptor) == 0
        else {
            let code = errno
            unlink(path)
            throw TokenFailure.unwritable(place.folder, code)
        }
        return path
    }

    /// Nothing is written here: another process that shares the file may write to it at this moment, for its lock is
    /// not held yet.
    private static func writable(_ target: String, notReplacedFor cause: Int32) throws -> FileLock {
        let descriptor = open(target, O_RDWR | O_CLOEXEC)
        guard descriptor >= 0 else {
            throw TokenFailure.final(
                TokenError(
                    .invalidSetting,
                    "\(target) can be neither replaced (\(String(cString: strerror(cause)))) nor written "
                        + "(\(String(cString: strerror(errno)))), so a new refresh token could not be stored: "
                        + "mount the file's folder instead of the file, or make both this user's to write"))
        }
        return FileLock(path: target, descriptor: descriptor)
    }
}

/// - Returns: nil with `errno` set.
func readAll(_ descriptor: Int32) -> [UInt8]? {
    var bytes: [UInt8] = []
    while true {
        var failed = false
        let more = [UInt8](unsafeUninitializedCapacity: 16_384) { buffer, filled in
            var count = 0
            repeat {
                count = pread(descriptor, buffer.baseAddress, buffer.count, off_t(bytes.count))
            } while count < 0
                && errno == EINTR
            failed = count < 0
            filled = max(0, count)
        }
        if failed { return nil }
        if more.isEmpty { return bytes }
        bytes += more
    }
}

/// - Returns: false with `errno` set.
func writeAll(_ bytes: [UInt8], to descriptor: Int32) -> Bool {
    var written = 0
    while written < bytes.count {
        let count = bytes[written...].withUnsafeBytes { pwrite(descriptor, $0.baseAddress, $0.count, off_t(written)) }
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        written += count
    }
    return true
}
