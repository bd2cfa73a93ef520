import Inflate

/// Unpacks gzip as it is read, a piece at a time.
final class Gunzip {
    private static let pieceSize = 64 << 10

    private let refill: () throws -> [UInt8]
    private var inflater: Inflater
    private var packed: ArraySlice<UInt8> = []

    static func isGzip(_ start: [UInt8]) -> Bool { start.starts(with: [0x1F, 0x8B]) }

    /// - Parameter refill: the next packed bytes; none at the end.
    init(refill: @escaping () throws -> [UInt8]) throws {
        self.refill = refill
        do throws(InflateError) { inflater = try Inflater(.gzip) } catch { throw UnreadableManifest(error) }
    }

    /// The next bytes, unpacked; none at the end.
    func read() throws -> [UInt8] {
        while true {
            do throws(InflateError) {
                let piece = try inflater.next(Self.pieceSize, from: &packed)
                if !piece.isEmpty { return piece }
            } catch {
                throw UnreadableManifest(error)
            }
            guard packed.isEmpty else { continue }
            packed = try refill()[...]
            if packed.isEmpty {
                guard inflater.isComplete else {
                    throw UnreadableManifest(
                        reason: "its gzip data ends early, as if it was cut short: write it again, whole")
                }
                return []
            }
        }
    }
}

extension UnreadableManifest {
    fileprivate init(_ error: InflateError) {
        switch error {
        case .damaged(let reason): self.init(reason: "its gzip data is damaged (\(reason)): write it again")
        case .outOfMemory: self.init(reason: "there is not enough memory to unpack it")
        }
    }
}
