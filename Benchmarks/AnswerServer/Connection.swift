import Glibc

/// A kept-alive connection: reads requests, and writes one answer after the other.
final class Connection {
    private static let capacity = 16_384

    private let descriptor: Int32
    private let input = UnsafeMutableRawBufferPointer.allocate(byteCount: capacity, alignment: 16)
    private var inputCount = 0
    /// What is left of the present answer.
    private var answer = Answer()
    /// The socket takes no more of the answer for now.
    private(set) var isBlocked = false

    init(_ descriptor: Int32) { self.descriptor = descriptor }

    deinit {
        input.deallocate()
        answer.deallocate()
    }

    /// Does what the socket allows.
    ///
    /// - Returns: false when the connection has ended.
    func proceed(_ service: Service) -> Bool {
        if isBlocked {
            guard write() else { return false }
        } else {
            let count = read(descriptor, input.baseAddress! + inputCount, input.count - inputCount)
            guard count > 0 || count < 0 && (errno == EAGAIN || errno == EINTR) else { return false }
            inputCount += max(count, 0)
        }
        while !isBlocked, let length = lengthOfRequest() {
            service.answer(UnsafeRawBufferPointer(rebasing: input[..<length]), into: &answer)
            input.copyMemory(from: UnsafeRawBufferPointer(rebasing: input[length..<inputCount]))
            inputCount -= length
            guard write() else { return false }
        }
        // A request that fills the buffer is not from one of the clients here.
        return inputCount < input.count
    }

    /// The length of the head, which is all there is: requests have no body.
    private func lengthOfRequest() -> Int? {
        var searched = 0
        while searched + 4 <= inputCount {
            let start = input.baseAddress! + searched
            guard let found = memchr(start, Int32(UInt8(ascii: "\r")), inputCount - searched - 3) else { return nil }
            let position = found - input.baseAddress!
            if memcmp(found, "\r\n\r\n", 4) == 0 { return position + 4 }
            searched = position + 1
        }
        return nil
    }

    private func write() -> Bool {
        while !answer.isEmpty {
            let count = answer.write(to: descriptor)
            if count < 0 && errno == EINTR { continue }
            isBlocked = count < 0 && errno == EAGAIN
            guard count >= 0 || isBlocked else { return false }
            if isBlocked { return true }
        }
        isBlocked = false
        return true
    }
}
