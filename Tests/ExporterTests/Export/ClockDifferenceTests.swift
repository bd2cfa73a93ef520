import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Clocks that differ")
struct ClockDifferenceTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)

    @Test("The other clock was read half way between question and answer", arguments: [0, 3600, -2_592_000, 0.25])
    func measured(ahead: TimeInterval) {
        let difference = ClockDifference(answer: now + ahead + 2, askedAt: now, answeredAt: now + 4)
        #expect(abs(difference.seconds - ahead) < 0.001)
    }

    @Test(
        "Up to a minute is no difference; more is reported in round numbers",
        arguments: [
            (0, nil), (59.9, nil), (-60, nil), (61, "1 minute ahead of"), (-300, "5 minutes behind"),
            (7200, "2 hours ahead of"), (-86_400, "24 hours behind"), (30 * 86_400, "30 days ahead of"),
            (-1e300, "11574074 days behind"),
        ] as [(TimeInterval, String?)])
    func text(seconds: TimeInterval, text: String?) {
        #expect(ClockDifference(seconds: seconds).text == text)
    }

    @Test("A clock that is set ahead goes on as it did")
    func ahead() {
        let clock = SteadyClock(start: now)
        let other = clock.ahead(by: 3600)
        let (before, between, after) = (clock.now, other.now, clock.now)
        #expect((before + 3600...after + 3600).contains(between))
    }

    @Test("The API's date is compared once, with the first answer that has one")
    func witness() {
        var witness = ClockWitness()
        #expect(witness.heard(nil, at: now) == nil)
        #expect(witness.heard(now - 3600, at: now)?.contains("60 minutes ahead of the API's") == true)
        #expect(witness.heard(now - 7200, at: now) == nil)
    }

    @Test("A date that agrees to the minute is no news", arguments: [-60, -1, 0, 59.5])
    func agreement(seconds: TimeInterval) {
        var witness = ClockWitness()
        #expect(witness.heard(now + seconds, at: now) == nil)
        #expect(witness.heard(now + 3600, at: now) == nil)
    }
}
