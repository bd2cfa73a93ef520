import Testing

@testable import Exporter

@Suite("The settled runs of a window")
struct SettledWindowTests {
    @Test("Steps pass over settled runs, and over no root of a chain")
    func passes() {
        var window = SettledWindow()
        // Numbers 2 and 5 are roots; of the others, 1 and 6 are not settled.
        for number in 0..<8 { window.append(isSettled: number != 2 && number != 5) }
        window.keep([1, 4])
        #expect(window.count == 8)
        #expect(!window.isAllSettled)
        #expect(window.pass([0, 1, 2, 3]) == [1, 2])
        #expect(window.count == 4)
        #expect(window.pass([4, 5, 6, 7]) == [5, 6])
        #expect(window.isEmpty)
        // Without a window nothing is passed over.
        #expect(window.pass([8, 9]) == [8, 9])
    }

    @Test("Where all are settled no step has to read them")
    func allSettled() {
        var window = SettledWindow()
        for _ in 0..<3 { window.append(isSettled: true) }
        window.keep([])
        #expect(window.isAllSettled)
        #expect(window.pass([Int]()) == [])
        #expect(window.isEmpty)
    }
}
