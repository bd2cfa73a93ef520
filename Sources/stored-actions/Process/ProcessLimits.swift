import CLinux
import Foundation

import Glibc

/// What the system lets this process have: `ulimit -n`, `-v`, `-d` and `-s`.
struct ProcessLimits: Sendable, Equatable {
    /// Descriptors that may be open at once, and those that were open from the start.
    var descriptors: Int
    var openDescriptors = 3
    /// In bytes; nil for no limit.
    var addressSpace: Int?
    var data: Int?
    /// Of each thread, bytes.
    var stack = 8 << 20
    var cores = 2
}

extension ProcessLimits {
    /// The limits as they are, once the soft limit of descriptors is raised to what is wanted, as far as it may be.
    ///
    /// - Parameter wanted: descriptors besides those that are open.
    static func prepared(for wanted: Int) -> ProcessLimits {
        let limit = linux_limit_of_descriptors()
        let soft = Int(clamping: limit.rlim_cur)
        var limits = ProcessLimits(
            descriptors: soft, openDescriptors: openAtStart,
            addressSpace: bytes(linux_limit_of_address_space()), data: bytes(linux_limit_of_data()),
            // The default of glibc where no limit is set.
            stack: bytes(linux_limit_of_stack()) ?? 2 << 20, cores: ProcessInfo.processInfo.activeProcessorCount)
        let goal = min(limits.openDescriptors + wanted, Int(clamping: limit.rlim_max))
        if goal > soft, linux_limit_descriptors(UInt64(goal)) == 0 { limits.descriptors = goal }
        if limits.addressSpace != nil || limits.data != nil { linux_use_one_heap() }
        return limits
    }

    /// Counted when this is first asked for.
    private static let openAtStart = (0..<Int32(1024)).count { fcntl($0, F_GETFD) >= 0 }

    private static func bytes(_ limit: UInt64) -> Int? { limit == .max ? nil : Int(clamping: limit) }
}
