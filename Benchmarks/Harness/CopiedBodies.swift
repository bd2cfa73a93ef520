import Glibc

/// `memcpy` of bodies, as many in memory as an export has in flight.
enum CopiedBodies {
    /// Prints the seconds of CPU that copying takes.
    static func run(bytes: Int, copies: Int) {
        let sources = (0..<Plan.concurrency).map { _ in filled(bytes) }
        let targets = (0..<Plan.concurrency).map { _ in filled(bytes) }
        let before = cpuSeconds()
        for copy in 0..<copies {
            memcpy(targets[copy % targets.count], sources[copy % sources.count], bytes)
        }
        print(cpuSeconds() - before)
    }

    private static func filled(_ bytes: Int) -> UnsafeMutableRawPointer {
        let memory = UnsafeMutableRawPointer.allocate(byteCount: bytes, alignment: 64)
        memset(memory, 0x2e, bytes)
        return memory
    }

    private static func cpuSeconds() -> Double {
        var instant = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &instant)
        return Double(instant.tv_sec) + Double(instant.tv_nsec) / 1e9
    }
}
