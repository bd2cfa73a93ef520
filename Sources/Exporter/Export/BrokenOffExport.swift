/// An export that an error broke off after it had begun, with what it had done by then.
package struct BrokenOffExport: Error {
    package var cause: any Error
    /// Without outcomes: there was nobody to draw up the account.
    package var summary: Summary
}
