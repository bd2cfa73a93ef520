/// PostgreSQL's `numeric` holds a valid JSON number of this spelling with all its digits.
///
/// Decided from the spelling alone. As PostgreSQL 15 was seen to do it:
/// - the first digit that is not 0 is at most 131,072 places before the point: `1e131071` passes, as does
///   `0.00001e131076`; a zero has no such digit, so that `0e1000000` passes;
/// - at most 16,383 digits are behind the point once the exponent is applied, zeros included: `1e-16383` passes, and
///   so does `10e-16383`, while `1.0e-16383` and `0e-16384` do not;
/// - an exponent is below 2^30 − 1 either way, even of a zero; its leading zeros do not count.
func fitsNumeric(_ number: UnsafeRawBufferPointer) -> Bool {
    var position = number.first == UInt8(ascii: "-") ? 1 : 0
    let whole = digits(in: number, from: position)
    position = whole.end
    var fraction = Digits(end: position, count: 0, leadingZeros: 0)
    if position < number.count, number[position] == UInt8(ascii: ".") {
        fraction = digits(in: number, from: position + 1)
        position = fraction.end
    }
    var exponent = 0
    if position < number.count {
        guard let written = exponentValue(in: number, from: position + 1) else { return false }
        exponent = written
    }
    guard fraction.count - exponent <= maximumScale else { return false }
    if whole.leadingZeros < whole.count { return whole.count + exponent <= maximumPlaces }
    if fraction.leadingZeros < fraction.count { return exponent - fraction.leadingZeros <= maximumPlaces }
    return true
}

private let maximumPlaces = 131_072
private let maximumScale = 16_383
/// Of either sign, not included.
private let exponentBound = (1 << 30) - 1

private struct Digits {
    var end: Int
    var count: Int
    var leadingZeros: Int
}

@inline(__always)
private func digits(in number: UnsafeRawBufferPointer, from start: Int) -> Digits {
    var position = start
    while position < number.count, number[position] == UInt8(ascii: "0") { position += 1 }
    let leadingZeros = position - start
    while position < number.count, number[position] &- UInt8(ascii: "0") < 10 { position += 1 }
    return Digits(end: position, count: position - start, leadingZeros: leadingZeros)
}

/// Nil if it is out of bounds.
private func exponentValue(in number: UnsafeRawBufferPointer, from start: Int) -> Int? {
    var position = start
    let isNegative = number[position] == UInt8(ascii: "-")
    if isNegative || number[position] == UInt8(ascii: "+") { position += 1 }
    var value = 0
    while position < number.count {
        value = value * 10 + Int(number[position] &- UInt8(ascii: "0"))
        guard value < exponentBound else { return nil }
        position += 1
    }
    return isNegative ? -value : value
}
