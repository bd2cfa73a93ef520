import Testing

@testable import ActionsAPI
@testable import ActionsHTTP

@Suite("Whether a POST may have left")
struct DepartureTests {
    private static let kinds: [TransportError.Kind] = [.notConnected, .connectionLost, .timedOut, .bodyTooLarge]

    private func judged(_ kind: TransportError.Kind, by departure: Departure) -> TransportError? {
        departure.judged(TransportError(kind, "a reason")) as? TransportError
    }

    @Test("Before the body was read it surely did not, whatever the error", arguments: kinds)
    func unasked(kind: TransportError.Kind) {
        let departure = Departure()
        let body = departure.watching([1, 2, 3])
        #expect(body.count == 3)
        #expect(judged(kind, by: departure)?.kind == .notConnected)
        #expect(judged(kind, by: departure)?.reason.hasSuffix("a reason") == true)
    }

    @Test("After the body was read it may have, even if the error is a refused connection", arguments: kinds)
    func asked(kind: TransportError.Kind) {
        let copied = Departure(), indexed = Departure(), empty = Departure()
        #expect(Array(copied.watching([1, 2, 3])) == [1, 2, 3])
        #expect(indexed.watching([1, 2, 3]).last == 3)
        #expect(empty.watching([]).isEmpty)
        for departure in [copied, indexed, empty] {
            #expect(
                judged(kind, by: departure)
                    == TransportError(kind == .notConnected ? .connectionLost : kind, "a reason"))
        }
    }

    @Test("A cancellation tells whether it came before")
    func cancelled() {
        let departure = Departure()
        #expect(departure.judged(CancellationError()) is CancelledBeforeDeparture)
        #expect(departure.watching([]).isEmpty)
        #expect(departure.judged(CancellationError()) is CancellationError)
    }
}
