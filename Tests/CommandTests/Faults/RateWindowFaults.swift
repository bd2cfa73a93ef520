import Testing

extension Fault {
    static let rateWindows: [Fault] =
        [("-600", "seconds"), ("600", "date")].map { offset, form in
            Fault(
                name: "clocks differ", detail: "by \(offset) s",
                sandbox: ["--limit", "700", "--window", "2", "--clock-offset=\(offset)", "--retry-after", form],
                calls: [
                    Call(
                        options: share, times: 1,
                        verify: { export, _ in
                            let summary = try export.summary
                            #expect(summary.rateLimited == 0)
                            #expect(summary.durationS < 30)
                        }, asksOnce: true)
                ])
        } + [
            Fault(
                name: "window reset early", detail: "once it is spent", sandbox: spent,
                calls: [
                    Call(
                        options: share, times: 1,
                        during: { try await $0.spend(then: 2) },
                        verify: { export, _ in
                            let summary = try export.summary
                            #expect(summary.rateLimited == 0)
                            #expect(summary.durationS < 30)
                        }, asksOnce: true)
                ]),
            Fault(
                name: "window reset late", detail: "once it is spent", sandbox: spent,
                calls: [
                    Call(
                        options: share, times: 1,
                        during: { try await $0.spend(then: 13) },
                        verify: { export, _ in
                            let summary = try export.summary
                            #expect((1...10).contains(summary.rateLimited))
                            #expect(summary.durationS < 60)
                        })
                ]),
        ]

    private static let share = ["--budget-share", "1"]
    private static let spent = ["--limit", "1200", "--window", "10"]
}

extension Scene.Act {
    /// Waits until the window is spent; then it lasts so many seconds in all, and nobody has been told.
    fileprivate func spend(then seconds: Int) async throws {
        try await wait("the window is spent") { try await scene.stage.sandbox.stats.requests >= 1200 }
        try await scene.stage.sandbox.change("{\"window\": \(seconds)}")
        try await scene.noteSettled()
    }
}
