/// `name` as an SQL identifier: in double quotes, the quotes within doubled. Every name that reaches an SQL text goes
/// through here. NUL, which no identifier can hold, is left out.
package func quoteIdentifier(_ name: String) -> String {
    var quoted = "\""
    for scalar in name.unicodeScalars where scalar != "\0" {
        if scalar == "\"" { quoted.unicodeScalars.append(scalar) }
        quoted.unicodeScalars.append(scalar)
    }
    return quoted + "\""
}
