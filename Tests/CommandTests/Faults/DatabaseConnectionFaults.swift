extension Fault {
    static let databaseConnection: [Fault] = [
        Fault(
            name: "connection cut in COPY", detail: "at chosen bytes",
            calls: [
                Call(
                    database: [
                        .held(at: .copy, occurrence: 1, passing: .part(0.5), then: .cut),
                        .held(at: .copy, .copyData, occurrence: 1, passing: .bytes(1), then: .cut),
                        .held(at: .copy, .copyData, occurrence: 2, passing: .bytes(4000), then: .cut),
                        .held(at: .copy, .copyData, occurrence: 2, passing: .part(0.9), then: .cut),
                        .held(at: .copy, .copyData, .anything, occurrence: 2, passing: .part(0.5), then: .cut),
                        .held(at: .copy, .copyData, occurrence: 3, passing: .bytes(40_000), then: .reset),
                    ], during: noteSettledAtEach, asksOnce: true)
            ]),
        Fault(
            name: "connection cut in COMMIT", detail: "at chosen bytes",
            calls: [
                Call(
                    database: [
                        .held(at: .copy, .commit, occurrence: 1, then: .cut),
                        .held(at: .copy, .commit, occurrence: 2, passing: .bytes(1), then: .cut),
                        .held(at: .copy, .commit, occurrence: 2, passing: .bytes(5), then: .cut),
                        .held(at: .copy, .commit, occurrence: 2, passing: .bytes(11), then: .cut),
                        .held(at: .copy, .commit, occurrence: 2, passing: .bytes(8), then: .reset),
                    ], during: noteSettledAtEach, asksOnce: true)
            ]),
        Fault(
            name: "COMMIT's answer lost", detail: "wholly and at chosen bytes", sandbox: ["--latency", "10"],
            calls: [
                Call(
                    // Slow enough for a batch each.
                    options: ["--concurrency", "4"],
                    database: [
                        .sent(at: .copy, .commit, then: .cut),
                        .answered(at: .copy, .commit, then: .cut),
                        .answered(at: .copy, .commit, passing: .bytes(1), then: .cut),
                        .answered(at: .copy, .commit, passing: .bytes(12), then: .cut),
                        .answered(at: .copy, .commit, then: .reset),
                        .answered(at: .closing, then: .cut),
                    ], during: noteSettledAtEach, asksOnce: true)
            ]),
    ]

    private static let noteSettledAtEach: @Sendable (Scene.Act) async throws -> Void = { act in
        for count in 1...3 {
            try await act.pulled(count)
            try await act.scene.noteSettled()
        }
    }
}
