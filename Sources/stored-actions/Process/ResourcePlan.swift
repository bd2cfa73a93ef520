import ActionsAPI
import ActionsHTTP
import Exporter

/// What a subcommand wants of the system.
struct ResourceNeeds: Sendable, Equatable {
    /// Descriptors besides those of connections to the API: for signals, timers, the database and files that are open
    /// for a moment, as the look-up of a host name opens some.
    var descriptors: Int
    /// Requests at once.
    var requests = 0
    /// Bytes of bodies in flight, and of the largest.
    var room = 0
    var largestBody = 0

    static let database = ResourceNeeds(descriptors: 14)

    static func api(requests: Int, room: Int = 0, largestBody: Int = 0) -> ResourceNeeds {
        ResourceNeeds(
            descriptors: database.descriptors + 6 + EventLoops.count * EventLoops.descriptorsEach, requests: requests,
            room: room, largestBody: largestBody)
    }

    /// A page's POST has a connection of its own, while one for reading may be idle.
    static let descriptorsPerRequest = 2

    var allDescriptors: Int { descriptors + requests * Self.descriptorsPerRequest }
}

/// What a subcommand gets: all that it wants, or less where a limit is narrow. Without this a process that may open or
/// map no more would be ended by a trap, somewhere in the middle. Pure.
struct ResourcePlan: Sendable, Equatable {
    private(set) var requests: Int
    private(set) var room: Int
    private(set) var largestBody: Int
    /// What is less than wanted, for people.
    private(set) var notes: [String] = []

    /// Of which an export can still be made.
    private static let leastMemory = 8 << 20

    /// - Throws: `Failure` with the number that is needed, when there is too little even for one request at a time.
    init(for needs: ResourceNeeds, within limits: ProcessLimits) throws {
        (requests, room, largestBody) = (needs.requests, needs.room, needs.largestBody)
        try fitDescriptors(needs, limits)
        // Addresses are taken by the program and its libraries, too; data is what can be written alone.
        try fitMemory(needs, limits, "ulimit -v", limits.addressSpace, overhead: 128 << 20)
        try fitMemory(needs, limits, "ulimit -d", limits.data, overhead: 32 << 20)
    }

    private mutating func fitDescriptors(_ needs: ResourceNeeds, _ limits: ProcessLimits) throws {
        var least = needs
        least.requests = min(1, needs.requests)
        guard limits.openDescriptors + least.allDescriptors <= limits.descriptors else {
            throw Failure(
                ExitStatus.invalidSetting,
                "the limit of open files (ulimit -n) is \(limits.descriptors), and this takes at least "
                    + "\(limits.openDescriptors + least.allDescriptors)")
        }
        let free = limits.descriptors - limits.openDescriptors - needs.descriptors
        guard needs.requests > 0, free / ResourceNeeds.descriptorsPerRequest < needs.requests else { return }
        requests = free / ResourceNeeds.descriptorsPerRequest
        notes.append(
            "the limit of open files (ulimit -n) is \(limits.descriptors): \(requests) requests at once instead of "
                + "\(needs.requests), which take \(limits.openDescriptors + needs.allDescriptors)")
    }

    private mutating func fitMemory(
        _ needs: ResourceNeeds, _ limits: ProcessLimits, _ name: String, _ limit: Int?, overhead: Int
    ) throws {
        guard let limit else { return }
        // Threads of two pools, one for each core, and a few more.
        let fixed = overhead + limits.stack * (2 * limits.cores + 8)
        let least = fixed + (needs.room > 0 ? 4 * Self.leastMemory : Self.leastMemory)
        guard limit >= least else {
            throw Failure(
                ExitStatus.invalidSetting,
                "the limit of memory (\(name)) is \(limit >> 10) KiB, and this takes at least \(least >> 10)")
        }
        // An array that grows is two for a moment.
        let free = limit - fixed
        guard needs.room > 0, free < 2 * (room + largestBody) else { return }
        room = min(room, free / 4)
        largestBody = min(largestBody, (free - 2 * room) / 2)
        notes.append(
            "the limit of memory (\(name)) is \(limit >> 10) KiB: answers over \(largestBody >> 20) MiB are not fetched; "
                + "\((fixed + 2 * (needs.room + needs.largestBody)) >> 10) would do for those of "
                + "\(needs.largestBody >> 20) MiB")
    }
}
