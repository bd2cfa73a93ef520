import Glibc

/// The processes of the PostgreSQL server.
struct ServerProcesses {
    private let postmaster: pid_t
    private static let ticksPerSecond = Double(sysconf(Int32(_SC_CLK_TCK)))

    init(work: WorkFolder) {
        let row = Database.maintenance.row("select split_part(pg_read_file('postmaster.pid'), chr(10), 1)", work: work)
        guard let pid = row.first.flatMap({ pid_t($0) }) else { fail("the server's process is not known") }
        postmaster = pid
    }

    /// Seconds of CPU that the server has taken so far, ended backends included.
    func cpu() -> Double {
        // The postmaster takes over a backend's time when it reaps it. A backend that ends between the reads of the two
        // would be counted twice or not at all, so the set of processes has to be the same twice in a row.
        var seen = Set<pid_t>()
        while true {
            usleep(50_000)
            let processes = ProcessTimes.all().filter { $0.pid == postmaster || $0.parent == postmaster }
            let pids = Set(processes.map(\.pid))
            if pids == seen { return processes.reduce(0) { $0 + $1.ticks } / Self.ticksPerSecond }
            seen = pids
        }
    }

    /// Of one process, which is not waited for yet.
    static func cpu(of pid: pid_t) -> Double { (ProcessTimes(pid: pid)?.ticks ?? 0) / ticksPerSecond }
}

/// What `/proc/PID/stat` says of a process.
struct ProcessTimes {
    let pid: pid_t
    let parent: pid_t
    /// Of CPU, the process's own and that of its children which it waited for.
    let ticks: Double

    init?(pid: pid_t) {
        guard let file = fopen("/proc/\(pid)/stat", "r") else { return nil }
        defer { fclose(file) }
        let text = withUnsafeTemporaryAllocation(of: CChar.self, capacity: 1024) { buffer in
            fgets(buffer.baseAddress!, Int32(buffer.count), file).map { String(cString: $0) }
        }
        // The name in parentheses may hold anything.
        guard let text, let end = text.lastIndex(of: ")") else { return nil }
        let fields = text[end...].dropFirst().split(separator: " ")
        guard fields.count > 14, let parent = pid_t(fields[1]) else { return nil }
        self.pid = pid
        self.parent = parent
        ticks = fields[11...14].reduce(0) { $0 + (Double($1) ?? 0) }
    }

    static func all() -> [ProcessTimes] {
        guard let folder = opendir("/proc") else { fail("cannot read /proc") }
        defer { closedir(folder) }
        var processes: [ProcessTimes] = []
        while let entry = readdir(folder) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            if let process = pid_t(name).flatMap(ProcessTimes.init) { processes.append(process) }
        }
        return processes
    }
}
