import Foundation

/// The most memory that a program ever had.
actor PeakMemory {
    private(set) var kilobytes = 0

    /// Until the program ends.
    func watch(_ program: Program.Running) async throws {
        while !program.hasEnded {
            look(at: program.pid)
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    private func look(at pid: pid_t) {
        guard let status = try? String(contentsOfFile: "/proc/\(pid)/status", encoding: .utf8),
            let line = status.split(separator: "\n").first(where: { $0.hasPrefix("VmHWM:") })
        else { return }
        kilobytes = max(kilobytes, Int(line.filter(\.isNumber)) ?? 0)
    }
}
