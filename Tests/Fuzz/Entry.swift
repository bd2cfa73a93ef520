/// What libFuzzer calls with every input; each target is a program of its own with a `fuzz` of its own.
@c(LLVMFuzzerTestOneInput)
public func fuzzOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    fuzz(Array(UnsafeBufferPointer(start: start, count: count)))
    return 0
}

/// A property of the code under test; where it does not hold, the input counts as a crash.
@inline(__always)
func require(_ isHeld: Bool, _ property: @autoclosure () -> String) {
    if !isHeld { fatalError(property()) }
}
