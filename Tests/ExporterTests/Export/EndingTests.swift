import Testing

@testable import ExportCore
@testable import Exporter

@Suite("Why an export stopped asking")
struct EndingTests {
    @Test("A call in which the API never answered has not reached it, whatever ended the call but a graver reason")
    func unanswered() {
        let unreachable = Ending.apiUnreachable(.unanswered)
        #expect(Ending.finished.unanswered(.unanswered) == unreachable)
        #expect(Ending.timeLimit(comeBackAt: nil).unanswered(.unanswered) == unreachable)
        for ending in [
            Ending.interrupted(signal: 15), .credentialsRefused("x"), .invalidSetting("x"),
            .apiUnreachable(.failed("x")),
        ] {
            #expect(ending.unanswered(.unanswered) == ending)
        }
    }
}
