import Crypto
import Foundation

import Glibc

/// A text that cannot be opened or read.
struct UnreadableManifest: Error {
    /// The system's own words, such as "No such file or directory".
    var reason: String
}

/// An open source: hands out its bytes once, in chunks, and keeps the hash of all that it handed out.
final class ManifestInput {
    /// The identity of a file, by any of its paths.
    struct Identity: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    /// What changes when a file is written to.
    private struct State: Equatable {
        var identity: Identity
        var size: Int
        var modifiedSeconds: Int
        var modifiedNanoseconds: Int

        init?(of descriptor: Int32) {
            var status = stat()
            guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
            identity = Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
            size = Int(status.st_size)
            let modified = status.st_mtim
            modifiedSeconds = Int(modified.tv_sec)
            modifiedNanoseconds = Int(modified.tv_nsec)
        }
    }

    private static let chunkSize = 64 << 10

    private let descriptor: Int32
    private let isOwned: Bool
    private var hash = SHA256()
    private var byteCount = 0
    private var isAtEnd = false
    /// Bytes of a regular file that were read before us.
    private let startOffset: Int
    /// Of a regular file, as it was opened; nil for anything else.
    private let state: State?

    /// - Parameter standardInput: the descriptor to read for standard input; it stays open.
    init(_ location: ManifestSource.Location, standardInput: Int32) throws(UnreadableManifest) {
        switch location {
        case .file(let path):
            descriptor = open(path, O_RDONLY | O_CLOEXEC)
            isOwned = true
            guard descriptor >= 0 else { throw UnreadableManifest(reason: systemErrorText(errno)) }
        case .standardInput:
            descriptor = standardInput
            isOwned = false
        }
        state = State(of: descriptor)
        startOffset = max(0, Int(lseek(descriptor, 0, SEEK_CUR)))
    }

    deinit {
        if isOwned, descriptor >= 0 { close(descriptor) }
    }

    /// Nil for what is not a regular file: two pipes may well be given in one call.
    var identity: Identity? { state?.identity }

    var isRegularFile: Bool { state != nil }

    /// Whether the file was written to since it was opened. A file that took its place does not count: what is
    /// read is the old one, whole.
    var hasChanged: Bool {
        guard let state else { return false }
        // The size of a file that the kernel makes up, as under /proc, is 0.
        let isShort = isAtEnd && state.size > 0 && startOffset + byteCount != state.size
        return isShort || State(of: descriptor) != state
    }

    /// The next bytes; none at the end.
    func read() throws(UnreadableManifest) -> [UInt8] {
        var failure: Int32 = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: Self.chunkSize) { buffer, count in
            var result = -1
            repeat {
                result = Glibc.read(descriptor, buffer.baseAddress, Self.chunkSize)
            } while result < 0 && errno == EINTR
            if result < 0 { failure = errno }
            count = max(result, 0)
        }
        guard failure == 0 else { throw UnreadableManifest(reason: systemErrorText(failure)) }
        hash.update(data: chunk)
        byteCount += chunk.count
        isAtEnd = chunk.isEmpty
        return chunk
    }

    /// Of the bytes read so far, in lower-case hexadecimal digits.
    func sha256() -> String {
        hash.finalize().map { byte in
            let digits = String(byte, radix: 16)
            return digits.count == 1 ? "0" + digits : digits
        }.joined()
    }
}
