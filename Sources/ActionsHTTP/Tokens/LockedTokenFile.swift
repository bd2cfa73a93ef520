import ActionsAPI
import Foundation

import Glibc

/// The file while no other process may change it; the lock ends with the last reference, or with the process.
final class LockedTokenFile: Sendable {
    struct Candidate: Sendable {
        var token: Secret
        /// It is in a file that a process left behind.
        var isLeftover: Bool
    }

    /// A file in which the next token will be stored.
    struct Slot: Sendable {
        fileprivate let path: String
        fileprivate let descriptor: Int32
    }

    private let place: TokenFilePlace
    private let lock: FileLock
    private let replacement: TokenReplacement

    init(place: TokenFilePlace, lock: FileLock, replacement: TokenReplacement) {
        self.place = place
        self.lock = lock
        self.replacement = replacement
    }

    var lockPath: String { lock.path }
    var isWrittenInPlace: Bool { replacement.file != nil }

    /// The tokens that may be good, the likeliest first. Leftovers without a token, or from before the file, are
    /// removed.
    func candidates() throws -> [Candidate] {
        var status = stat()
        guard stat(place.target, &status) == 0, let text = try? String(contentsOfFile: place.target, encoding: .utf8)
        else { throw TokenFailure.unusable(place.target, "can't be read", errno) }
        let ownTime = (status.st_mtim.tv_sec, status.st_mtim.tv_nsec)
        var candidates: [Candidate] = []
        for leftover in leftovers() {
            if (leftover.time.tv_sec, leftover.time.tv_nsec) >= ownTime, let token = leftover.token {
                candidates.append(Candidate(token: token, isLeftover: true))
            } else {
                unlink(leftover.path)
            }
        }
        if let token = Secret(text.trimmingCharacters(in: .whitespacesAndNewlines)) {
            candidates.append(Candidate(token: token, isLeftover: false))
        }
        return candidates
    }

    /// Makes sure that a token can be stored, before the old one is spent.
    func prepare() throws -> Slot {
        let path = place.newLeftover()
        let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw TokenFailure.unwritable(place.folder, errno) }
        let slot = Slot(path: path, descriptor: descriptor)
        var status = stat()
        if stat(place.target, &status) == 0 {
            // Only root may give a file away; anybody else owns it already, or has only its group's leave.
            _ = fchown(descriptor, status.st_uid, status.st_gid)
            _ = fchmod(descriptor, status.st_mode & 0o600)
        }
        let full = posix_fallocate(descriptor, 0, 16_384)
        guard full == 0 || full == EOPNOTSUPP || full == EINVAL else {
            discard(slot)
            throw TokenFailure.unwritable(place.folder, full)
        }
        return slot
    }

    /// Puts the token in the old one's place. When this returns, it will survive a loss of power.
    func store(_ token: Secret, in slot: Slot) throws {
        defer { close(slot.descriptor) }
        let bytes = Array("\(token.value)\n".utf8)
        guard writeAll(bytes, to: slot.descriptor), ftruncate(slot.descriptor, off_t(bytes.count)) == 0,
            fsync(slot.descriptor) == 0
        else { throw notStored("and the old one is spent: authorize again") }
        let isStored =
            if let file = replacement.file {
                overwrite(file.descriptor, with: bytes, keptIn: slot)
            } else {
                place.replace(by: slot.path) == 0
            }
        guard isStored else { throw notStored("and is in \(slot.path), which the next call uses") }
        syncFolder()
        removeLeftovers()
    }

    /// When the token in use is in the file.
    func removeLeftovers() {
        for leftover in leftovers() { unlink(leftover.path) }
    }

    func discard(_ slot: Slot) {
        unlink(slot.path)
        close(slot.descriptor)
    }

    /// A process may be killed here, and a machine may lose its power. So the file is written by one call, and the
    /// token is in a leftover as well, which counts as newer than the file until that is on the disk.
    private func overwrite(_ descriptor: Int32, with bytes: [UInt8], keptIn slot: Slot) -> Bool {
        let later = timespec(tv_sec: time(nil) + 60, tv_nsec: 0)
        var status = stat()
        guard futimens(slot.descriptor, [later, later]) == 0, fsync(slot.descriptor) == 0,
            fstat(descriptor, &status) == 0
        else { return false }
        // Nothing of a longer token remains, wherever this ends: blank lines are not part of a token.
        let rest = [UInt8](repeating: UInt8(ascii: "\n"), count: max(0, Int(status.st_size) - bytes.count))
        return writeAll(bytes + rest, to: descriptor) && ftruncate(descriptor, off_t(bytes.count)) == 0
            && fsync(descriptor) == 0
    }

    private func notStored(_ consequence: String) -> TokenFailure {
        let reason = String(cString: strerror(errno))
        return .final(
            TokenError(
                .invalidSetting,
                "the new refresh token could not be stored in \(place.target) (\(reason)), \(consequence)"))
    }

    private func syncFolder() {
        let folder = open(place.folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { return }
        fsync(folder)
        close(folder)
    }

    // MARK: Leftovers

    private struct Leftover {
        var path: String
        var time: timespec
        /// Nil unless it was written to its end.
        var token: Secret?
    }

    /// This program's own, the newest first. What others have put there is neither used nor touched.
    private func leftovers() -> [Leftover] {
        var owner = stat()
        guard stat(place.target, &owner) == 0 else { return [] }
        let names = (try? FileManager.default.contentsOfDirectory(atPath: place.folder)) ?? []
        return names.filter { $0.hasPrefix(place.leftoverPrefix) }
            .compactMap { Self.leftover("\(place.folder)/\($0)", owners: [geteuid(), owner.st_uid]) }
            .sorted { ($0.time.tv_sec, $0.time.tv_nsec) > ($1.time.tv_sec, $1.time.tv_nsec) }
    }

    private static func leftover(_ path: String, owners: [uid_t]) -> Leftover? {
        // Only an open file shows whether it is another name of a file, or a pipe without a writer.
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, owners.contains(status.st_uid),
            // As `prepare` makes it: a file that others may write, or that has another name, was not created by
            // this program.
            status.st_mode & 0o022 == 0, status.st_nlink == 1
        else { return nil }
        return Leftover(path: path, time: status.st_mtim, token: wholeToken(in: readAll(descriptor)))
    }

    /// A token with the end of its line.
    private static func wholeToken(in bytes: [UInt8]?) -> Secret? {
        guard let bytes, let end = bytes.firstIndex(of: UInt8(ascii: "\n")), !bytes[..<end].contains(0),
            let line = String(validating: bytes[..<end], as: UTF8.self)
        else { return nil }
        return Secret(line)
    }
}
