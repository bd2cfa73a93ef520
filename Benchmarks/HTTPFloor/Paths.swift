import Glibc
import Synchronization

/// The lines of a file, each handed out once.
final class Paths: Sendable {
    private let lines: [String]
    private let taken = Atomic(0)

    init?(file: String) {
        guard let stream = fopen(file, "r") else { return nil }
        defer { fclose(stream) }
        var lines: [String] = []
        var (line, capacity) = (nil as UnsafeMutablePointer<CChar>?, 0)
        defer { free(line) }
        while getline(&line, &capacity, stream) > 0, let line {
            lines.append(String(String(cString: line).prefix { $0 != "\n" }))
        }
        self.lines = lines
    }

    func next() -> String? {
        let index = taken.add(1, ordering: .relaxed).oldValue
        return index < lines.count ? lines[index] : nil
    }
}
