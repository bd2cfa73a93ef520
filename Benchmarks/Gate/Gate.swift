import BenchmarkParts

/// Does each part once, in a function of its own, and prints what that was: `Benchmarks/gate` counts the instructions of
/// each function.
@main
enum Gate {
    static func main() throws {
        // Makes what all parts work on.
        _ = try Part.memcpy.run()
        let counted: [@convention(c) () -> Int] = [
            gateMemcpy, gateValidator, gateSplitter, gateHeaders, gateBudget, gateManifest, gateMachine,
        ]
        for (part, work) in zip(Part.allCases, counted) {
            print(part, part.units.count, part.units.name)
            guard work() > 0 else { fatalError("\(part) did not do its work") }
        }
    }
}

// The optimiser would merge them: they differ in one constant.
@_cdecl("gate_memcpy") @_optimize(none) func gateMemcpy() -> Int { done(.memcpy) }
@_cdecl("gate_validator") @_optimize(none) func gateValidator() -> Int { done(.validator) }
@_cdecl("gate_splitter") @_optimize(none) func gateSplitter() -> Int { done(.splitter) }
@_cdecl("gate_headers") @_optimize(none) func gateHeaders() -> Int { done(.headers) }
@_cdecl("gate_budget") @_optimize(none) func gateBudget() -> Int { done(.budget) }
@_cdecl("gate_manifest") @_optimize(none) func gateManifest() -> Int { done(.manifest) }
@_cdecl("gate_machine") @_optimize(none) func gateMachine() -> Int { done(.machine) }

private func done(_ part: Part) -> Int { (try? part.run()) ?? 0 }
