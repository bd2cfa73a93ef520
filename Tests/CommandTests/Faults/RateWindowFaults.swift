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
                            let refused = try export.summary.rateLimited
                            #expect(refused == 0)
                            // Two windows of 700 are spent before the last 600 may go.
                            #expect(export.finished.windowsWaitedFor() <= 2, "\(export.finished.stderr)")
                        }, asksOnce: true)
                ])
        } + [
            Fault(
                name: "window reset early", detail: "once it is spent", sandbox: spent,
                calls: [
                    Call(
                        options: share, times: 1,
                        during: { act in
                            try await act.spend(then: 2)
                            try await act.makeRoom()
                        },
                        verify: { export, _ in
                            let refused = try export.summary.rateLimited
                            #expect(refused == 0)
                            #expect(export.finished.windowsWaitedFor() <= 1, "\(export.finished.stderr)")
                        }, asksOnce: true)
                ]),
            Fault(
                name: "window reset late", detail: "once it is spent", sandbox: spent, isPatient: true,
                calls: [
                    Call(
                        options: share, times: 1,
                        during: { act in
                            // Long after the reset that the API named.
                            try await act.spend(then: 25)
                            try await wait("a request is refused", during: act.running) {
                                try await act.scene.stage.sandbox.stats.rateLimited > 0
                            }
                            try await act.makeRoom()
                        },
                        verify: { export, _ in
                            let refused = try export.summary.rateLimited
                            #expect((1...10).contains(refused))
                        })
                ]),
        ]

    private static let share = ["--budget-share", "1"]
    /// Few enough to be spent within the window on a busy machine, too.
    fileprivate static let fewRequests = 20
    private static let spent = ["--limit", "\(fewRequests)", "--window", "10"]
}

extension Scene.Act {
    /// Waits until the window is spent; then it lasts so many seconds in all, and nobody has been told.
    fileprivate func spend(then seconds: Int) async throws {
        try await wait("the window is spent", during: running) {
            try await scene.stage.sandbox.stats.requests >= Fault.fewRequests
        }
        try await scene.stage.sandbox.change("{\"window\": \(seconds)}")
        try await scene.noteSettled()
    }

    /// Raises the limit beyond what the export asks for.
    fileprivate func makeRoom() async throws { try await scene.stage.sandbox.change(#"{"limit": 5000}"#) }
}
