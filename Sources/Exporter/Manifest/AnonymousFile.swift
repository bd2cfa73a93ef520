import Glibc

/// A file that was unlinked as soon as it was made.
final class AnonymousFile: Sendable {
    private let descriptor: Int32

    init(directory: String) throws(SpoolError) {
        var path = Array("\(directory)/stored-actions-XXXXXX".utf8CString)
        descriptor = mkstemp(&path)
        guard descriptor >= 0 else {
            throw SpoolError(reason: "no temporary file can be made in \(directory): \(systemErrorText(errno))")
        }
        unlink(path)
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
    }

    deinit {
        close(descriptor)
    }

    func write(_ bytes: ArraySlice<UInt8>, at offset: Int) throws(SpoolError) {
        var done = 0
        while done < bytes.count {
            let result = bytes.withUnsafeBytes {
                pwrite(descriptor, $0.baseAddress.map { $0 + done }, $0.count - done, off_t(offset + done))
            }
            if result < 0, errno == EINTR { continue }
            guard result > 0 else {
                throw SpoolError(reason: "a temporary file can't be written: \(systemErrorText(errno))")
            }
            done += result
        }
    }

    /// All of these bytes, which were written.
    func read(at offset: Int, count: Int) throws(SpoolError) -> [UInt8] {
        var failure: Int32 = 0
        let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            while filled < count {
                let result = pread(
                    descriptor, buffer.baseAddress.map { $0 + filled }, count - filled, off_t(offset + filled))
                if result < 0, errno == EINTR { continue }
                if result < 0 { failure = errno }
                guard result > 0 else { break }
                filled += result
            }
        }
        guard failure == 0 else {
            throw SpoolError(reason: "a temporary file can't be read: \(systemErrorText(failure))")
        }
        guard bytes.count == count else { throw SpoolError(reason: "a temporary file was cut short") }
        return bytes
    }
}
