/// Notices whether objects may have duplicate keys, while they are read: by fingerprints alone, so that a doubt may be
/// wrong, but never its absence.
struct KeyWatch {
    /// Keys of an object that are compared, and objects within one another. Beyond either there is doubt.
    private static let (mostKeys, mostObjects) = (32, 32)

    /// Of the keys so far in the objects that are open.
    private var fingerprints: [UInt64] = []
    /// How many stood before each open object's.
    private var firsts: [Int] = []
    private(set) var isInDoubt = false

    mutating func reset() {
        isInDoubt = false
        fingerprints.removeAll(keepingCapacity: true)
        firsts.removeAll(keepingCapacity: true)
    }

    /// There is something else that casts doubt.
    @inline(__always)
    mutating func doubt() { isInDoubt = true }

    @inline(__always)
    mutating func opensObject() {
        guard !isInDoubt else { return }
        firsts.append(fingerprints.count)
        if firsts.count > Self.mostObjects { isInDoubt = true }
    }

    /// - Parameter key: without its quotes; none of it is an escape.
    @inline(__always)
    mutating func reads(_ key: UnsafeRawBufferPointer) {
        guard !isInDoubt, let first = firsts.last else { return }
        let new = fingerprint(of: key)
        for other in first..<fingerprints.count where fingerprints[other] == new { isInDoubt = true }
        if fingerprints.count - first >= Self.mostKeys { isInDoubt = true }
        fingerprints.append(new)
    }

    @inline(__always)
    mutating func closesObject() {
        guard !isInDoubt, let first = firsts.popLast() else { return }
        fingerprints.removeLast(fingerprints.count - first)
    }
}
