import Glibc

/// What is to be written: bytes of this answer's own, then bytes that many answers share.
struct Answer {
    private let own = UnsafeMutableRawBufferPointer.allocate(byteCount: 2048, alignment: 16)
    private var ownCount = 0
    private var shared = UnsafeRawBufferPointer(start: nil, count: 0)
    private var written = 0

    var isEmpty: Bool { written == ownCount + shared.count }

    mutating func begin() { (ownCount, shared, written) = (0, UnsafeRawBufferPointer(start: nil, count: 0), 0) }

    mutating func append(_ text: StaticString) {
        append(UnsafeRawBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount))
    }

    mutating func append(_ text: String) {
        var text = text
        text.withUTF8 { append(UnsafeRawBufferPointer($0)) }
    }

    mutating func append(_ bytes: UnsafeRawBufferPointer) {
        UnsafeMutableRawBufferPointer(rebasing: own[ownCount...]).copyMemory(from: bytes)
        ownCount += bytes.count
    }

    mutating func append(_ number: Int) {
        var (value, digits) = (number, 1)
        while value >= 10 { (value, digits) = (value / 10, digits + 1) }
        value = number
        for index in stride(from: ownCount + digits - 1, through: ownCount, by: -1) {
            own[index] = UInt8(ascii: "0") + UInt8(value % 10)
            value /= 10
        }
        ownCount += digits
    }

    /// Adds the last part, which the caller keeps alive.
    mutating func end(with bytes: UnsafeRawBufferPointer) { shared = bytes }

    mutating func write(to descriptor: Int32) -> Int {
        let rest = max(0, written - ownCount)
        let parts = [
            iovec(iov_base: own.baseAddress! + min(written, ownCount), iov_len: ownCount - min(written, ownCount)),
            iovec(
                iov_base: UnsafeMutableRawPointer(mutating: shared.baseAddress.map { $0 + rest }),
                iov_len: shared.count - rest),
        ]
        let count = writev(descriptor, parts, 2)
        written += max(count, 0)
        return count
    }

    func deallocate() { own.deallocate() }
}
