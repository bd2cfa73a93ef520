import Support
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Thousands of exports, simulated")
struct ExportSeedsTests {
    private static let blocks = 8
    private static let worldsInBlock = 80

    @Test(
        "Whatever fails, dies or runs beside it: nothing is lost or doubled, no POST leaves twice, no window is overdrawn, and every export ends",
        arguments: 0..<blocks)
    func seeds(block: Int) {
        var seeds = SplitMix(state: 20_261_126 + UInt64(block))
        var count = SeededWorld.Count()
        let duration = ContinuousClock().measure {
            for _ in 0..<Self.worldsInBlock {
                let seed = seeds.next()
                var world = SeededWorld(seed: seed, count: count)
                world.play()
                count = world.count
                guard world.world.faults.isEmpty else {
                    Issue.record(Comment(rawValue: Self.report(world)))
                    return
                }
            }
        }
        print("block \(block): \(count.exports) exports, \(count.events) events, \(count.posts) POSTs in \(duration)")
        #expect(count.exports >= 250)
        // Without these the promises would be easy to keep.
        #expect(count.kills > 10)
        #expect(count.doubts > 2)
        #expect(count.lostDatabases > 2)
        #expect(count.posts > 200)
    }

    private static func report(_ world: SeededWorld) -> String {
        """
        seed \(world.seed): \(world.world.faults.prefix(5).joined(separator: "; "))
        to replay: var world = SeededWorld(seed: \(world.seed), count: .init()); world.play()
        \(world.story)
        """
    }
}
