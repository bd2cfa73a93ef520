import ExportCore
import HeapModule

/// A priority queue in bounded memory: the entries that it has no room for wait in a temporary file, in sorted segments
/// that are merged as they are read.
///
/// Segments of one level are merged into one of the next as soon as there are `fanIn` of them, so that an entry is
/// written once for each level and the number of segments grows with the logarithm of the entries.
struct SpillQueue: Sendable {
    /// Entries in memory before they become a segment.
    static let memoryLimit = 4096
    /// Segments of one level.
    static let fanIn = 64

    private let directory: String
    private var memory = Heap<WorkEntry>()
    private var file: AnonymousFile?
    private var fileSize = 0
    private var segments: [Int: Segment] = [:]
    private var nextSegment = 0
    /// The first entry of each segment.
    private var heads = Heap<Head>()

    private(set) var count = 0

    private struct Head: Comparable {
        var entry: WorkEntry
        var segment: Int

        static func < (a: Head, b: Head) -> Bool { a.entry < b.entry }
        static func == (a: Head, b: Head) -> Bool { a.entry == b.entry && a.segment == b.segment }
    }

    /// - Parameter directory: where the temporary file is made, once it is needed.
    init(directory: String) { self.directory = directory }

    /// - Throws: `SpoolError`.
    mutating func push(_ entry: WorkEntry) throws {
        memory.insert(entry)
        count += 1
        guard memory.count >= Self.memoryLimit else { return }
        let entries = memory.unordered.sorted()
        memory = Heap()
        try add(Segment.Writer(of: entries.count, level: 0)) { write in
            for entry in entries { try write(entry) }
        }
        try compact(level: 0)
    }

    /// The first entry, which leaves the queue; nil if the queue is empty.
    ///
    /// - Throws: `SpoolError`.
    mutating func popFirst() throws -> WorkEntry? {
        switch (memory.min, heads.min?.entry) {
        case (nil, nil): return nil
        case (let entry?, let head) where head.map({ entry < $0 }) ?? true:
            count -= 1
            return memory.removeMin()
        default:
            count -= 1
            return try popFirstOfSegments()
        }
    }

    private mutating func popFirstOfSegments() throws -> WorkEntry? {
        guard let head = heads.popMin() else { return nil }
        if let file, let next = try segments[head.segment]?.next(in: file) {
            heads.insert(Head(entry: next, segment: head.segment))
        } else {
            segments[head.segment] = nil
        }
        return head.entry
    }

    // MARK: Segments

    /// Merges the segments of a level into one of the next, if there are too many of them.
    private mutating func compact(level: Int) throws {
        let ids = segments.filter { $0.value.level == level }.map(\.key)
        guard ids.count >= Self.fanIn else { return }
        var merge = SpillQueue(directory: directory)
        merge.file = file
        var others = Heap<Head>()
        for head in heads.unordered {
            if ids.contains(head.segment) { merge.heads.insert(head) } else { others.insert(head) }
        }
        for id in ids { merge.segments[id] = segments.removeValue(forKey: id) }
        heads = others
        let entryCount = merge.heads.count + merge.segments.values.reduce(0) { $0 + $1.count }
        try add(Segment.Writer(of: entryCount, level: level + 1)) { write in
            while let entry = try merge.popFirstOfSegments() { try write(entry) }
        }
        try compact(level: level + 1)
    }

    private mutating func add(
        _ writer: Segment.Writer, _ fill: ((WorkEntry) throws -> Void) throws -> Void
    ) throws {
        var writer = writer
        let file = if let file { file } else { try AnonymousFile(directory: directory) }
        self.file = file
        writer.begin(at: fileSize)
        try fill { try writer.write($0, to: file) }
        var segment = try writer.finish(in: file)
        fileSize = segment.end
        nextSegment += 1
        if let first = try segment.next(in: file) {
            heads.insert(Head(entry: first, segment: nextSegment))
            segments[nextSegment] = segment
        }
    }
}
