import ExportCore

/// An export that an error broke off after it had begun, with what it had done by then.
package struct BrokenOffExport: Error {
    package var cause: any Error
    package var summary: Summary?
}
