import Foundation

/// A host whose clock is wrong: the program is told another time than the database and the API have.
struct ShiftedClock: Sendable {
    struct NoCompiler: Error, CustomStringConvertible {
        let description = "clang, which comes with Swift, is not in the PATH"
    }

    private let library: String

    /// - Parameter folder: where the library is made that stands before the C library's clock.
    init(in folder: URL) async throws {
        let paths = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        guard
            let clang = paths.lazy.map({ "\($0)/clang" }).first(where: FileManager.default.isExecutableFile(atPath:))
        else { throw NoCompiler() }
        let source = folder.appending(path: "clock.c")
        try Data(Self.code.utf8).write(to: source)
        library = folder.appending(path: "clock.so").path
        let made = try await Program(path: clang).run(
            ["-shared", "-fPIC", "-O1", "-o", library, source.path, "-ldl"],
            environment: ProcessInfo.processInfo.environment.filter { ["PATH", "HOME", "TMPDIR"].contains($0.key) })
        guard made.status == 0 else { throw Program.NotBuilt(description: made.stderr) }
    }

    /// The environment of a program whose clock is ahead by these seconds.
    func ahead(by seconds: Int) -> [String: String?] { ["LD_PRELOAD": library, "CLOCK_SHIFT": "\(seconds)"] }

    private static let code = #"""
        #define _GNU_SOURCE
        #include <dlfcn.h>
        #include <stdlib.h>
        #include <sys/time.h>
        #include <time.h>

        static long shift(void) {
            const char *text = getenv("CLOCK_SHIFT");
            return text ? atol(text) : 0;
        }

        int clock_gettime(clockid_t clock, struct timespec *time) {
            int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
            int result = real(clock, time);
            if (result == 0 && clock == CLOCK_REALTIME) time->tv_sec += shift();
            return result;
        }

        int gettimeofday(struct timeval *time, void *zone) {
            int (*real)(struct timeval *, void *) = dlsym(RTLD_NEXT, "gettimeofday");
            int result = real(time, zone);
            if (result == 0) time->tv_sec += shift();
            return result;
        }

        time_t time(time_t *out) {
            struct timespec now;
            clock_gettime(CLOCK_REALTIME, &now);
            if (out) *out = now.tv_sec;
            return now.tv_sec;
        }
        """#
}
