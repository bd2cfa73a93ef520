/// `1 run`, `1,234 runs`.
func count(_ number: Int, _ noun: String) -> String {
    "\(grouped(number)) \(noun)\(number == 1 ? "" : "s")"
}

/// With commas between thousands, whatever the locale: output that is read by people and compared by scripts.
func grouped(_ number: Int) -> String {
    var digits = Array(String(number.magnitude))
    var place = digits.count - 3
    while place > 0 {
        digits.insert(",", at: place)
        place -= 3
    }
    return (number < 0 ? "-" : "") + String(digits)
}
