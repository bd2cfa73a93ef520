import Testing

import Glibc

extension Fault {
    /// 50 moments drawn from a seed: ten exports, each killed five times.
    static let kills: [Fault] = {
        var moments = KillMoments(seed: 20)
        return (1...10).map { number in
            Fault(
                name: "SIGKILL", detail: "export \(number) of 10, five times",
                calls: (1...5).map { moments.next(call: $0, of: number) })
        }
    }()
}

/// Draws the moments of kills, spread over what an export does.
struct KillMoments {
    private var state: UInt64

    init(seed: UInt64) { state = seed }

    /// - Parameter number: of the export; `call` counts its kills from 1.
    mutating func next(call: Int, of number: Int) -> Fault.Call {
        if call == 1, number % 2 == 1 {
            // The schema, the lock, the ledger.
            let trigger = Proxy.Trigger.held(at: .anything, occurrence: below(70) + 1, passing: .part(part()))
            return killed(database: trigger)
        }
        if call == 5, number % 2 == 0 {
            return killed(database: below(2) == 0 ? .held(at: .closing) : .answered(at: .closing))
        }
        let reads = below(280) + 1
        switch below(6) {
        case 0: return killed(api: .held(at: .read, occurrence: reads, passing: .part(part())))
        case 1: return killed(api: .answered(at: .read, occurrence: reads, passing: .part(part())))
        case 2: return killed(after: reads, .held(at: .copy, .copyData, passing: .part(part())))
        case 3: return killed(after: reads, .held(at: .copy, .commit, passing: .part(part())))
        case 4: return killed(after: reads, .sent(at: .copy, .commit))
        default: return killed(after: reads, .answered(at: .copy, .commit, passing: .part(part())))
        }
    }

    private func killed(database: Proxy.Trigger? = nil, api: Proxy.Trigger? = nil) -> Fault.Call {
        Fault.Call(
            database: [database].compactMap { $0 }, api: [api].compactMap { $0 }, times: 1, statuses: [-SIGKILL],
            during: { act in
                try await act.pulled()
                act.running.send(SIGKILL)
            })
    }

    /// - Parameter reads: requests for runs, after which the trigger is armed.
    private func killed(after reads: Int, _ trigger: Proxy.Trigger) -> Fault.Call {
        Fault.Call(
            api: [.held(at: .read, occurrence: reads)], times: 1, statuses: [-SIGKILL], pullsAll: false,
            during: { act in
                try await act.pulled()
                act.proxies.database.arm(trigger)
                act.proxies.api.letGo()
                try await act.pulled(2)
                act.running.send(SIGKILL)
            })
    }

    private mutating func below(_ bound: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return Int(state >> 33) % bound
    }

    private mutating func part() -> Double { Double(below(1000)) / 1000 }
}
