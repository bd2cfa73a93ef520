import Benchmark
import Exporter
import Foundation

/// What is done with each run of a manifest: a thousand runs.
func exports() {
    Benchmark("manifest reader of 1000 runs") { benchmark in
        let folder = FileManager.default.temporaryDirectory
        let file = folder.appendingPathComponent("micro-\(ProcessInfo.processInfo.processIdentifier).json")
        try Data(manifest(runs: 1_000).utf8).write(to: file)
        defer { try? FileManager.default.removeItem(at: file) }
        benchmark.startMeasurement()
        for _ in benchmark.scaledIterations {
            let manifests = try ManifestReader.read(
                [ManifestSource(.file(path: file.path))], temporaryDirectory: folder.path)
            try manifests.forEachRun { blackHole($0) }
        }
        benchmark.stopMeasurement()
    }

    Benchmark("machine of 1000 runs") { benchmark in
        for _ in benchmark.scaledIterations {
            var export = PlayedExport(runs: 1_000)
            guard export.play() == 1_000 else { return benchmark.error("not all runs were stored") }
        }
    }
}

private func manifest(runs: Int) -> String {
    let lines = (0..<runs).map { _ in
        """
        {"stored_action_id": "\(UUID())", "run_id": "\(UUID())", "executed_at": "2026-11-20T09:30:00Z"}
        """
    }
    return #"{"version": 1, "name": "micro", "runs": [\#(lines.joined(separator: ",\n"))]}"#
}
