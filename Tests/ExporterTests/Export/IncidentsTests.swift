import Foundation
import Testing

@testable import ExportCore
@testable import Exporter

@Suite("What the log says of states that last")
struct IncidentsTests {
    private let now = Date(timeIntervalSince1970: 1_800_000_000)

    @Test(
        "Each is reported once when it begins and once when it ends",
        arguments: [
            Incidents.Kind.noConnection, .silence, .failingAPI, .failingPages, .rateLimit(.reads), .window(.runs),
            .wait,
        ])
    func once(kind: Incidents.Kind) {
        var incidents = Incidents()
        #expect(incidents.end(kind, at: now) == nil)
        #expect(incidents.begin(kind, at: now) == true)
        #expect(incidents.begin(kind, at: now + 1) == false)
        #expect(incidents.end(kind, at: now + 5) == 5)
        #expect(incidents.end(kind, at: now + 6) == nil)
        #expect(incidents.begin(kind, at: now + 7) == true)
    }

    @Test("The two buckets are distinguished")
    func buckets() {
        var incidents = Incidents()
        #expect(incidents.begin(.window(.reads), at: now) == true)
        #expect(incidents.begin(.window(.runs), at: now) == true)
        #expect(incidents.end(.window(.reads), at: now) == 0)
        #expect(incidents.isOn(.window(.runs)))
    }

    @Test(
        "A wait that the API asked for is reported once, where nothing else explains it; the export's own are too short"
    )
    func wait() {
        var incidents = Incidents()
        #expect(incidents.beginWait(until: now + 66, at: now) == false)
        #expect(incidents.beginWait(until: .distantFuture, at: now) == false)
        #expect(incidents.begin(.failingAPI, at: now) == true)
        #expect(incidents.beginWait(until: now + 300, at: now) == false)
        #expect(incidents.end(.failingAPI, at: now + 1) == 1)
        #expect(incidents.beginWait(until: now + 300, at: now + 2) == true)
        #expect(incidents.beginWait(until: now + 300, at: now + 3) == false)
        #expect(incidents.end(.wait, at: now + 302) == 300)
    }

    @Test("Silence counts from the first question that is not answered, and from the last answer")
    func silence() {
        var incidents = Incidents()
        #expect(incidents.silenceAt == nil)
        incidents.asked(at: now)
        incidents.asked(at: now + 3)
        #expect(incidents.silenceAt == now + 15)
        incidents.heard(inFlight: 2, at: now + 10)
        #expect(incidents.silenceAt == now + 25)
        incidents.heard(inFlight: 0, at: now + 20)
        #expect(incidents.silenceAt == nil)
        incidents.asked(at: now + 100)
        #expect(incidents.silenceAt == now + 115)
    }

    @Test("Silence is reported once, and not of an API that cannot be reached at all")
    func told() {
        var incidents = Incidents()
        incidents.asked(at: now)
        _ = incidents.begin(.silence, at: now + 15)
        #expect(incidents.silenceAt == nil)
        _ = incidents.end(.silence, at: now + 16)
        _ = incidents.begin(.noConnection, at: now + 16)
        #expect(incidents.silenceAt == nil)
    }
}
