import ActionsAPI
import Testing

@testable import stored_actions

@Suite("What the system lets a process have")
struct ResourcePlanTests {
    private let export = ResourceNeeds.api(requests: 32, room: 64 << 20, largestBody: 256 << 20)
    private let mebibyte = 1 << 20

    private func descriptors(_ number: Int) -> ProcessLimits { ProcessLimits(descriptors: number) }

    @Test("With room enough an export gets all that it wants, and nothing is said")
    func all() throws {
        let plan = try ResourcePlan(for: export, within: descriptors(3 + export.allDescriptors))
        #expect(plan.requests == 32 && plan.room == 64 << 20 && plan.largestBody == 256 << 20)
        #expect(plan.notes == [])
    }

    @Test("Few descriptors make for few requests at once, down to one, and that is said", arguments: [1, 2, 7, 31])
    func few(requests: Int) throws {
        let number = 3 + export.descriptors + 2 * requests
        for spare in 0...1 {
            let plan = try ResourcePlan(for: export, within: descriptors(number + spare))
            #expect(plan.requests == requests)
            let note = try #require(plan.notes.first)
            #expect(note.contains("is \(number + spare): \(requests) requests at once instead of 32, which take"))
            #expect(note.hasSuffix(" \(3 + export.allDescriptors)"))
        }
    }

    @Test("Below that it is refused, with the number that is needed", arguments: [0, 1, 3, 12, 20])
    func tooFew(number: Int) {
        let least = 3 + export.descriptors + 2
        let failure = #expect(throws: Failure.self) {
            try ResourcePlan(for: export, within: descriptors(min(number, least - 1)))
        }
        #expect(failure?.status == 78)
        #expect(failure?.text.hasSuffix("at least \(least)") == true)
    }

    @Test("What asks the database alone takes less, and no requests")
    func database() throws {
        let plan = try ResourcePlan(for: .database, within: descriptors(3 + ResourceNeeds.database.descriptors))
        #expect(plan.requests == 0 && plan.notes == [])
        #expect(ResourceNeeds.database.allDescriptors < ResourceNeeds.api(requests: 1).allDescriptors)
    }

    @Test("Little memory makes for small answers, which is said", arguments: [400, 512, 760])
    func littleMemory(mebibytes: Int) throws {
        for isAddressSpace in [true, false] {
            var limits = descriptors(1024)
            if isAddressSpace { limits.addressSpace = mebibytes << 20 } else { limits.data = mebibytes << 20 }
            let plan = try ResourcePlan(for: export, within: limits)
            let fixed = (isAddressSpace ? 128 : 32) * mebibyte + 12 * limits.stack
            #expect(fixed + 2 * (plan.room + plan.largestBody) <= mebibytes << 20)
            #expect(plan.room >= 8 << 20 && plan.largestBody >= 8 << 20)
            #expect(plan.requests == 32)
            #expect(plan.notes.count == 1)
            #expect(plan.notes.first?.contains(isAddressSpace ? "ulimit -v" : "ulimit -d") == true)
        }
    }

    @Test("Too little memory is refused, with the number that is needed, which then does")
    func tooLittleMemory() throws {
        for needs in [export, .database, .api(requests: 1)] {
            var limits = descriptors(1024)
            limits.addressSpace = 100 << 20
            let failure = #expect(throws: Failure.self) { try ResourcePlan(for: needs, within: limits) }
            #expect(failure?.status == 78)
            let least = failure?.text.split(separator: " ").last.flatMap { Int($0) }
            limits.addressSpace = try #require(least) << 10
            #expect(throws: Never.self) { try ResourcePlan(for: needs, within: limits) }
        }
    }

    @Test("Wide limits of memory change nothing")
    func wide() throws {
        var limits = descriptors(1024)
        limits.addressSpace = 4 << 30
        limits.data = 4 << 30
        #expect(try ResourcePlan(for: export, within: limits).notes == [])
    }
}
