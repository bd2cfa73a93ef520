import Crypto
import Foundation

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// A text that cannot be opened or read.
struct UnreadableManifest: Error {
    /// The system's own words, such as "No such file or directory".
    var reason: String
}

/// An open source: hands out its bytes once, in chunks, and keeps the hash of all that it handed out.
final class ManifestInput {
    /// What a file is known by, whatever path leads to it.
    struct Identity: Hashable {
        var device: UInt64
        var inode: UInt64
    }

    private static let chunkSize = 64 << 10

    private let descriptor: Int32
    private let isOwned: Bool
    private var hash = SHA256()

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
    }

    deinit {
        if isOwned, descriptor >= 0 { close(descriptor) }
    }

    /// Nil for what is no regular file: two pipes may well be given in one call.
    var identity: Identity? {
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG else { return nil }
        return Identity(device: UInt64(status.st_dev), inode: UInt64(status.st_ino))
    }

    /// The next bytes; none at the end.
    func read() throws(UnreadableManifest) -> [UInt8] {
        var failure: Int32 = 0
        let chunk = [UInt8](unsafeUninitializedCapacity: Self.chunkSize) { buffer, count in
            var result = -1
            repeat {
                #if canImport(Glibc)
                    result = Glibc.read(descriptor, buffer.baseAddress, Self.chunkSize)
                #else
                    result = Darwin.read(descriptor, buffer.baseAddress, Self.chunkSize)
                #endif
            } while result < 0 && errno == EINTR
            if result < 0 { failure = errno }
            count = max(result, 0)
        }
        guard failure == 0 else { throw UnreadableManifest(reason: systemErrorText(failure)) }
        hash.update(data: chunk)
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
