import FoundationEssentials
import Glibc

/// What the micro-benchmarks measured, from the file that their tool writes.
struct MicroResults: Encodable {
    struct Part: Encodable {
        var name: String
        /// Microseconds of CPU of one iteration, the mean.
        var cpu: Double
        /// Against `memcpy` of the large body.
        var ratio: Double
    }

    var parts: [Part] = []

    /// - Parameter file: in the format of JMH; without one nothing was measured.
    init(file: String) {
        guard access(file, R_OK) == 0 else { return }
        guard let elements = try? JSONDecoder().decode([Element].self, from: Data(read(file).utf8)) else {
            fail("\(file) does not hold the micro-benchmarks")
        }
        let times = elements.compactMap { element in element.cpu.map { (name: element.name, cpu: $0) } }
        guard let copy = times.first(where: { $0.name == "memcpy" })?.cpu, copy > 0 else {
            fail("memcpy was not measured")
        }
        parts = times.sorted { $0.cpu < $1.cpu }.map { Part(name: $0.name, cpu: $0.cpu, ratio: $0.cpu / copy) }
    }

    private struct Element: Decodable {
        struct Metric: Decodable {
            /// The mean: one iteration is shorter than the tick by which the tool counts CPU.
            var score: Double
        }

        var benchmark: String
        var secondaryMetrics: [String: Metric]

        var name: String { String(benchmark.split(separator: ".").last ?? "").replacing("_", with: " ") }
        var cpu: Double? { secondaryMetrics["Time (total CPU)"]?.score }
    }
}
