import CZlib

/// Unpacks one compressed stream piece by piece, so that the caller decides how much it holds at once.
///
/// A gzip stream may have several members, and zeros behind the last one, as `gzip` itself reads them.
package struct Inflater: ~Copyable {
    package enum Format: Sendable {
        /// RFC 1952.
        case gzip
        /// RFC 1950, which HTTP calls `deflate`.
        case zlib
        /// RFC 1951, which some servers send in place of `deflate`.
        case rawDeflate
    }

    /// What one call used and made.
    package struct Step: Sendable, Equatable {
        package var consumed: Int
        package var produced: Int
    }

    private let format: Format
    // zlib's state points back to this, so it must not move.
    private let stream: UnsafeMutablePointer<z_stream>

    /// Whether what was read so far is a whole stream. More may follow in gzip: another member.
    package private(set) var isComplete = false

    package init(_ format: Format) throws(InflateError) {
        self.format = format
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let windowBits: Int32 =
            switch format {
            case .gzip: 15 + 16
            case .zlib: 15
            case .rawDeflate: -15
            }
        let result = inflateInit2_(stream, windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard result == Z_OK else { throw .outOfMemory }
    }

    deinit {
        inflateEnd(stream)
        stream.deinitialize(count: 1)
        stream.deallocate()
    }

    /// Unpacks from `input` until it is used up or `output` is full.
    ///
    /// A full `output` may leave more to come even where all input was consumed: call again, with no input if there is
    /// none, until less than `output.count` is produced.
    package mutating func step(
        _ input: UnsafeRawBufferPointer, into output: UnsafeMutableRawBufferPointer
    ) throws(InflateError) -> Step {
        var step = Step(consumed: 0, produced: 0)
        while step.produced < output.count {
            if isComplete {
                guard try beginMember(UnsafeRawBufferPointer(rebasing: input[step.consumed...]), &step) else { break }
            }
            let (inputRoom, outputRoom) = (
                min(input.count - step.consumed, Int(UInt32.max)), min(output.count - step.produced, Int(UInt32.max))
            )
            // zlib reads through a pointer to mutable bytes, but writes none of them.
            stream.pointee.next_in = input.baseAddress.map {
                UnsafeMutablePointer(mutating: ($0 + step.consumed).assumingMemoryBound(to: UInt8.self))
            }
            stream.pointee.avail_in = UInt32(inputRoom)
            stream.pointee.next_out = output.baseAddress.map {
                ($0 + step.produced).assumingMemoryBound(to: UInt8.self)
            }
            stream.pointee.avail_out = UInt32(outputRoom)
            let result = inflate(stream, Z_NO_FLUSH)
            let (consumed, produced) = (
                inputRoom - Int(stream.pointee.avail_in), outputRoom - Int(stream.pointee.avail_out)
            )
            step.consumed += consumed
            step.produced += produced
            switch result {
            case Z_STREAM_END: isComplete = true
            case Z_OK where consumed > 0 || produced > 0: continue
            // Nothing can be done without more input.
            case Z_OK, Z_BUF_ERROR: return step
            case Z_MEM_ERROR: throw .outOfMemory
            default: throw .damaged(reason: stream.pointee.msg.map { String(cString: $0) } ?? "invalid data")
            }
        }
        return step
    }

    /// The next bytes of the stream, `limit` at most, out of `input`, from which what was used is removed. Fewer than
    /// `limit` only where more input is needed or the stream has ended.
    package mutating func next(_ limit: Int, from input: inout ArraySlice<UInt8>) throws(InflateError) -> [UInt8] {
        var step = Step(consumed: 0, produced: 0)
        var failure: InflateError?
        let output = [UInt8](unsafeUninitializedCapacity: limit) { buffer, count in
            let output = UnsafeMutableRawBufferPointer(buffer)
            input.withUnsafeBytes { bytes in
                do throws(InflateError) { step = try self.step(bytes, into: output) } catch { failure = error }
            }
            count = step.produced
        }
        if let failure { throw failure }
        input.removeFirst(step.consumed)
        return output
    }

    /// Whether a member begins behind the end of one; consumes the zeros that pad a gzip file.
    private mutating func beginMember(_ input: UnsafeRawBufferPointer, _ step: inout Step) throws(InflateError) -> Bool
    {
        guard format == .gzip else {
            if !input.isEmpty { throw .damaged(reason: "bytes follow after its end") }
            return false
        }
        let zeros = input.prefix { $0 == 0 }.count
        step.consumed += zeros
        guard zeros < input.count else { return false }
        guard inflateReset(stream) == Z_OK else { throw .outOfMemory }
        isComplete = false
        return true
    }
}

package enum InflateError: Error, Sendable, Equatable {
    /// - Parameter reason: zlib's own words, such as "incorrect data check".
    case damaged(reason: String)
    case outOfMemory
}
